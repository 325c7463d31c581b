//! Signs requests to AWS services with Signature Version 4.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::Request;

use super::credentials::CredentialsProvider;
use super::http_stack::HttpStack;
use crate::clock::Moment;
use crate::variables::Reader;

/// Signs requests to one service in one region.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    service: &'static str,
    region: String,
    credentials: CredentialsProvider,
}

impl Signer {
    /// Returns a signer with the credentials of the environment.
    ///
    /// # Errors
    /// What the environment or this build lacks.
    pub(super) fn read(reader: &mut Reader<'_>, service: &'static str, region: String) -> Result<Self, &'static str> {
        match CredentialsProvider::read(reader) {
            Some(credentials) => Ok(Self { service, region, credentials }),
            None => {
                Err("requests are signed with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or with the credentials of \
                 AWS_CONTAINER_CREDENTIALS_FULL_URI; none of them are set")
            }
        }
    }

    /// Adds a signature of the time `now`, which covers `body`, the bytes that are sent.
    ///
    /// # Errors
    /// The reason why the request cannot be signed, without a secret.
    pub(super) async fn sign<B>(
        &self,
        request: &mut Request<B>,
        body: &[u8],
        stack: &HttpStack,
        now: Moment,
    ) -> Result<(), String> {
        let credentials = self.credentials.credentials(stack, now).await?;
        self.sign_with(request, body, credentials, now).map_err(|error| error.to_string())
    }

    /// Forgets credentials that the service has rejected. Returns whether the next request may get others.
    pub(super) async fn forget_credentials(&self) -> bool {
        self.credentials.forget().await
    }

    fn sign_with<B>(
        &self,
        request: &mut Request<B>,
        body: &[u8],
        credentials: Credentials,
        now: Moment,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let identity: Identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(now.wall())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let uri = request.uri().to_string();
        // A header that is not a text is sent without being signed.
        let headers = request.headers().iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(request.method().as_str(), uri, headers, SignableBody::Bytes(body))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        instructions.apply_to_request_http1x(request);
        Ok(())
    }
}
