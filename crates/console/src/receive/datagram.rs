//! Datagrams for the X-Ray daemon: a header line, then documents, or OTLP in base64.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::intake::{DecodeError, Intake};
use super::{otlp_protobuf, xray};
use crate::clock::Nanos;
use crate::health::Signal;
use crate::json::Json;
use crate::model::trace::Side;

/// The marks of OTLP for a sampled and for an unsampled trace.
const OTLP: [&str; 2] = ["T1S", "T1U"];

/// Reads a datagram.
///
/// # Errors
/// If it is something else, or it was cut.
pub(crate) fn read(datagram: &[u8], now: Nanos, intake: &mut Intake<'_>) -> Result<Signal, DecodeError> {
    let text = std::str::from_utf8(datagram)
        .map_err(|_error| DecodeError::Malformed("the datagram is not UTF-8".to_owned()))?;
    let (header, body) =
        text.split_once('\n').ok_or_else(|| DecodeError::Malformed("the datagram has no header line".to_owned()))?;
    let is_header = Json::parse(header.trim()).is_ok_and(|json| {
        let root = json.root();
        root.get(&["format"]).and_then(|format| format.str()) == Some("json")
            && root.get(&["version"]).and_then(|version| version.integer()) == Some(1)
    });
    if !is_header {
        return Err(DecodeError::Malformed("the header line is not {\"format\":\"json\",\"version\":1}".to_owned()));
    }
    let body = body.trim();
    if let Some(encoded) = OTLP.iter().find_map(|mark| body.strip_prefix(mark)) {
        let bytes = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded));
        // Base64 that ends early has no valid length or no valid request.
        let bytes = bytes.map_err(|_error| DecodeError::Malformed("the datagram's base64 is invalid".to_owned()))?;
        otlp_protobuf::spans(&bytes, Side::Xray, intake)?;
        return Ok(Signal::OtlpUdp);
    }
    xray::documents(body, now, intake)?;
    Ok(Signal::XrayUdp)
}
