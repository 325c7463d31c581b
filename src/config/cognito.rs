use std::net::Ipv4Addr;

use super::lookup::Lookup;

/// The user pool whose access tokens are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cognito {
    /// The issuer, derived from `COGNITO_USER_POOL_ID`.
    pub issuer: String,
    /// `COGNITO_CLIENT_ID`: the ID of the pool's app client.
    pub client_id: String,
    /// `JWKS_URL`: the URL of the key set. Defaults to the issuer's.
    pub jwks_url: String,
}

impl Cognito {
    pub(super) fn from_lookup<G: Fn(&str) -> Option<String>>(settings: &mut Lookup<G>) -> Option<Self> {
        let pool = settings.required("COGNITO_USER_POOL_ID", "the ID of the Cognito user pool");
        let client_id = settings.required("COGNITO_CLIENT_ID", "the ID of the user pool's app client");
        let pool_issuer = pool.as_deref().and_then(issuer);
        if let (Some(pool), None) = (pool, &pool_issuer) {
            let problem = format!("must be an ID such as `us-east-1_A1b2C3d4E`, found `{pool}`");
            settings.fault("COGNITO_USER_POOL_ID", problem);
        }
        let jwks_url = settings.optional("JWKS_URL");
        if let Some(url) = jwks_url.as_deref().filter(|url| !is_secure(url)) {
            let problem = format!("must be an https URL, or an http URL of this machine, found `{url}`");
            settings.fault("JWKS_URL", problem);
        }
        let issuer = pool_issuer?;
        let jwks_url = jwks_url.unwrap_or_else(|| format!("{issuer}/.well-known/jwks.json"));
        Some(Self { issuer, client_id: client_id?, jwks_url })
    }
}

/// Returns the value of the claim `iss` in the pool's tokens.
fn issuer(pool: &str) -> Option<String> {
    let (region, id) = pool.split_once('_')?;
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let valid = !region.is_empty() && region.bytes().all(lower) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    (valid && !id.is_empty()).then(|| format!("https://cognito-idp.{region}.{domain}/{pool}"))
}

/// Allows plain HTTP only for this machine and its containers. Elsewhere an attacker could replace the keys in transit.
fn is_secure(url: &str) -> bool {
    let host = |rest: &str| rest.split(['/', ':', '?', '#']).next().unwrap_or_default().to_owned();
    if let Some(rest) = url.strip_prefix("https://") {
        return !host(rest).is_empty();
    }
    let Some(host) = url.strip_prefix("http://").map(host) else { return false };
    let private = |address: Ipv4Addr| address.is_loopback() || address.is_private();
    matches!(&*host, "localhost" | "host.docker.internal") || host.parse().is_ok_and(private)
}
