//! Rejects the setting of the key's parameter, because without `sigv4` the request cannot be signed.

use http::HeaderValue;

use super::http_stack::HttpStack;
use crate::variables::Reader;

#[derive(Clone, Debug)]
pub(crate) enum KeyParameter {}

impl KeyParameter {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        reader.text("HONEYCOMB_API_KEY_PARAMETER")?;
        reader.warn(
            "HONEYCOMB_API_KEY_PARAMETER",
            "this build cannot read parameters; enable the feature `sigv4` of lambda-spans, or set HONEYCOMB_API_KEY",
        );
        None
    }

    pub(crate) async fn fetch(&self, _stack: &HttpStack) -> Result<HeaderValue, String> {
        match *self {}
    }
}
