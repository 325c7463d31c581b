//! Files: OTLP requests in JSON or protobuf, and X-Ray documents.

use std::collections::BTreeSet;

use super::intake::DecodeError;
use super::receiver::Receiver;
use super::{otlp_json, otlp_protobuf, xray};
use crate::health::Signal;
use crate::json::Json;
use crate::model::ids::TraceId;
use crate::model::trace::Side;

/// What a file contained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Imported {
    /// The traces.
    pub(crate) traces: BTreeSet<TraceId>,
    /// The number of spans.
    pub(crate) spans: usize,
}

/// Adds the contents of a file to the store. A file in JSON may have one value in each line.
///
/// # Errors
/// If it is none of the formats, or a limit is exceeded.
pub(crate) fn import(receiver: &Receiver, bytes: &[u8]) -> Result<Imported, DecodeError> {
    let text = std::str::from_utf8(bytes).ok().map(|text| text.trim_start_matches('\u{feff}').trim());
    let mut imported = Imported::default();
    match text {
        Some(text) if text.starts_with(['{', '[']) => {
            // The file exporter of the OpenTelemetry Collector writes one request in each line.
            let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
            let is_lines = lines.len() > 1 && lines.iter().take(2).all(|line| Json::parse(line).is_ok());
            for value in if is_lines { lines } else { vec![text] } {
                import_json(receiver, value, &mut imported)?;
            }
        }
        _ => {
            let kept = receiver.read(
                Signal::Import,
                |intake, _| otlp_protobuf::spans(bytes, Side::Otlp, intake),
                |intake| imported.traces.extend(intake.batch.spans.iter().map(|(span, _)| span.trace)),
            )?;
            imported.spans += kept.kept;
        }
    }
    if imported.traces.is_empty() {
        let message = "the file contains no spans: expected OTLP in JSON or protobuf, or X-Ray documents";
        return Err(DecodeError::Malformed(message.to_owned()));
    }
    Ok(imported)
}

fn import_json(receiver: &Receiver, text: &str, imported: &mut Imported) -> Result<(), DecodeError> {
    let is_otlp = otlp_json::is_request(Json::parse(text)?.root());
    let kept = receiver.read(
        Signal::Import,
        |intake, now| {
            if is_otlp {
                otlp_json::spans(text, Side::Otlp, intake)?;
                otlp_json::logs(text, now, intake)
            } else {
                xray::documents(text, now, intake)
            }
        },
        |intake| {
            imported.traces.extend(intake.batch.spans.iter().map(|(span, _)| span.trace));
            imported.traces.extend(intake.batch.logs.iter().map(|log| log.trace));
        },
    )?;
    imported.spans += kept.kept;
    Ok(())
}
