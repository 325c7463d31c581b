//! Honeycomb's key from AWS Systems Manager's Parameter Store: the environment holds its name only.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_types::body::SdkBody;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Limited};
use serde_json::{Value, json};

use super::http_stack::HttpStack;
use super::signer::Signer;
use crate::clock::Moment;
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
    endpoint: String,
    signer: Signer,
}

impl std::fmt::Debug for KeyParameter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyParameter").field("name", &self.name).finish_non_exhaustive()
    }
}

impl KeyParameter {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let name = reader.text("HONEYCOMB_API_KEY_PARAMETER")?;
        let region =
            reader.text("AWS_REGION").ok_or("the parameter is read in the region of AWS_REGION, which is not set");
        let signer = region.and_then(|region| Ok((Signer::read(reader, "ssm", region.clone())?, region)));
        let (signer, region) =
            signer.inspect_err(|problem| reader.warn("HONEYCOMB_API_KEY_PARAMETER", *problem)).ok()?;
        let endpoint = reader.url(&["AWS_ENDPOINT_URL_SSM", "AWS_ENDPOINT_URL"]).map(|url| url.to_string());
        Some(Self {
            endpoint: endpoint.unwrap_or_else(|| format!("https://ssm.{region}.amazonaws.com/")),
            signer,
            name,
        })
    }

    /// The parameter's value.
    ///
    /// # Errors
    /// What kept it from being read, in words, without the value.
    pub(crate) async fn fetch(&self, stack: &HttpStack) -> Result<HeaderValue, String> {
        let answer = tokio::time::timeout(TIMEOUT, self.request_value(stack)).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        answer.map_err(|problem| format!("the parameter {} cannot be read: {problem}", self.name))
    }

    async fn request_value(&self, stack: &HttpStack) -> Result<HeaderValue, String> {
        let body = json!({ "Name": self.name, "WithDecryption": true }).to_string();
        let request = Request::post(&self.endpoint).header("content-type", CONTENT_TYPE).header("x-amz-target", TARGET);
        let mut request = request.body(SdkBody::from(body.as_str())).map_err(|error| error.to_string())?;
        self.signer.sign(&mut request, body.as_bytes(), stack, Moment::now()).await?;
        let request = request.try_into().map_err(|error| format!("{error}"))?;
        let response = stack.connector().call(request).await.map_err(|error| error.to_string())?;
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
}
