//! Reads from the API of a running console.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A running console did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("no console answers at {at}; start one with `lambda-console`, or set its address with `--at <HOST:PORT>`")]
    Unreachable { at: String, source: io::Error },
    #[error("the console at {at} answered something else than JSON")]
    Unreadable { at: String },
    #[error("{detail}")]
    Refused { detail: String },
}

/// Returns the JSON at a path of the API.
pub(crate) async fn get(at: &str, path: &str) -> Result<Value, ClientError> {
    let bytes = request(at, path).await.map_err(|source| ClientError::Unreachable { at: at.to_owned(), source })?;
    let unreadable = || ClientError::Unreadable { at: at.to_owned() };
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").ok_or_else(unreadable)?;
    let body: Value = bytes.get(end + 4..).and_then(|body| serde_json::from_slice(body).ok()).ok_or_else(unreadable)?;
    if bytes.starts_with(b"HTTP/1.0 200") || bytes.starts_with(b"HTTP/1.1 200") {
        return Ok(body);
    }
    let detail = body.get("detail").and_then(Value::as_str).unwrap_or("the console refused the request");
    Err(ClientError::Refused { detail: detail.to_owned() })
}

/// An answer to HTTP/1.0 has no chunks and ends with the connection.
async fn request(at: &str, path: &str) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect(at).await?;
    let head = format!("GET {path} HTTP/1.0\r\nhost: {at}\r\n\r\n");
    connection.write_all(head.as_bytes()).await?;
    let mut bytes = Vec::new();
    connection.read_to_end(&mut bytes).await?;
    Ok(bytes)
}
