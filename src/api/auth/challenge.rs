use axum::http::HeaderValue;
use serde::Serialize;

use super::token::BadToken;

/// How to authenticate, and why the request was not accepted. Problems repeat it, because API Gateway renames the header
/// `WWW-Authenticate` of a function's response.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub(in crate::api) struct Challenge {
    /// The authentication scheme, as in `WWW-Authenticate`.
    scheme: Scheme,
    /// The error code of RFC 6750, as in `WWW-Authenticate`, if the request has a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<TokenError>,
    /// Why the request is not authenticated. Refresh a token that has expired. API Gateway, which checks tokens before it
    /// calls the function, reports only `missing_or_invalid`.
    reason: Reason,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
enum Scheme {
    Bearer,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
enum TokenError {
    InvalidToken,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema), schemars(inline))]
enum Reason {
    Missing,
    Malformed,
    NotSigned,
    NotForUs,
    Expired,
    NotYetValid,
    // The API description lists it, because clients of a deployed API receive it.
    #[cfg(feature = "openapi")]
    #[expect(dead_code, reason = "only API Gateway sends it, as `template.yaml` configures")]
    MissingOrInvalid,
}

impl Challenge {
    /// The challenge for a request without a token.
    pub(in crate::api) const MISSING: Self = Self { scheme: Scheme::Bearer, error: None, reason: Reason::Missing };

    /// Returns the value of `WWW-Authenticate`.
    pub(in crate::api) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match (self.scheme, self.error) {
            (Scheme::Bearer, None) => "Bearer",
            (Scheme::Bearer, Some(TokenError::InvalidToken)) => "Bearer error=\"invalid_token\"",
        })
    }
}

impl From<BadToken> for Challenge {
    fn from(bad: BadToken) -> Self {
        let reason = match bad {
            BadToken::Malformed => Reason::Malformed,
            BadToken::NotSigned => Reason::NotSigned,
            BadToken::NotForUs => Reason::NotForUs,
            BadToken::Expired => Reason::Expired,
            BadToken::NotYetValid => Reason::NotYetValid,
        };
        Self { scheme: Scheme::Bearer, error: Some(TokenError::InvalidToken), reason }
    }
}
