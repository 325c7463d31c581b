//! Receives spans and log lines: OTLP over HTTP, X-Ray documents and OTLP over UDP, and files.

pub(crate) mod compression;
pub(crate) mod datagram;
pub(crate) mod grpc;
pub(crate) mod http;
pub(crate) mod import;
pub(crate) mod intake;
pub(crate) mod limits;
pub(crate) mod names;
pub(crate) mod otlp_json;
pub(crate) mod otlp_protobuf;
pub(crate) mod protobuf;
pub(crate) mod receiver;
pub(crate) mod response;
pub(crate) mod sampling;
pub(crate) mod udp;
pub(crate) mod xray;
