//! Honeycomb's key from AWS Systems Manager's Parameter Store: the environment holds its name only.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::body::SdkBody;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use super::http_stack::HttpStack;
use crate::variables::Reader;

/// It is asked for in the init phase, which Lambda ends after ten seconds.
const TIMEOUT: Duration = Duration::from_secs(2);
const TARGET: &str = "AmazonSSM.GetParameter";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
const MAX_ANSWER: usize = 64 * 1024;

/// A parameter, and what Lambda gives a function to read it with.
#[derive(Clone)]
pub(crate) struct KeyParameter {
    name: String,
    region: String,
    endpoint: String,
    credentials: Credentials,
}

impl std::fmt::Debug for KeyParameter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyParameter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KeyParameter {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.text("HONEYCOMB_API_KEY_PARAMETER")?;
        let region = reader.text("AWS_REGION");
        let (id, secret) = (reader.text("AWS_ACCESS_KEY_ID"), reader.text("AWS_SECRET_ACCESS_KEY"));
        let (Some(region), Some(id), Some(secret)) = (region, id, secret) else {
            reader.warn(
                "HONEYCOMB_API_KEY_PARAMETER",
                "it is read with AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, which are not all set",
            );
            return None;
        };
        let endpoint = reader.url(&["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"]).map(|url| url.to_string());
        Some(Self {
            endpoint: endpoint.unwrap_or_else(|| format!("https://ssm.{region}.amazonaws.com/")),
            credentials: Credentials::new(id, secret, reader.text("AWS_SESSION_TOKEN"), None, "environment"),
            name,
            region,
        })
    }

    /// The parameter's value.
    ///
    /// # Errors
    /// What kept it from being read, in words, without the value.
    pub(crate) async fn fetch(&self, stack: &HttpStack) -> Result<HeaderValue, String> {
        let answer = tokio::time::timeout(TIMEOUT, self.request_value(&stack.connector(&self.endpoint))).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        answer.map_err(|problem| format!("the parameter {} cannot be read: {problem}", self.name))
    }

    async fn request_value(&self, connector: &SharedHttpConnector) -> Result<HeaderValue, String> {
        let request = self.request().map_err(|error| error.to_string())?;
        let request = request.try_into().map_err(|error| format!("{error}"))?;
        let response = connector.call(request).await.map_err(|error| error.to_string())?;
        let response = response.try_into_http1x().map_err(|error| error.to_string())?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())?;
        match body.pointer("/Parameter/Value").and_then(Value::as_str) {
            Some(value) => {
                let mut value = HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?;
                value.set_sensitive(true);
                Ok(value)
            }
            None => {
                Err(format!("{status} {}", body.get("__type").and_then(Value::as_str).unwrap_or("without a value")))
            }
        }
    }

    fn request(&self) -> Result<Request<SdkBody>, Box<dyn std::error::Error>> {
        let body = json!({ "Name": self.name, "WithDecryption": true }).to_string();
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", TARGET)];
        let identity: Identity = self.credentials.clone().into();
        #[expect(clippy::disallowed_methods, reason = "a signature says when it was made")]
        let now = SystemTime::now();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("ssm")
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let signable =
            SignableRequest::new("POST", &self.endpoint, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut request = Request::post(&self.endpoint);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(body))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}
