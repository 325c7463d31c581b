//! Responses that no HTTP server can produce: malformed, truncated or endless.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::inbox::Inbox;

/// The bytes to send on each connection.
#[derive(Clone, Debug)]
pub struct RawResponse {
    /// Whether to read one request first.
    pub reads_request: bool,
    /// The bytes, sent unchanged. If they contain a 2xx status line, the request is collected.
    pub bytes: Vec<u8>,
    /// What to do after sending the bytes.
    pub then: AfterResponse,
}

/// What happens after the bytes of a [`RawResponse`] are sent.
#[derive(Clone, Copy, Debug)]
pub enum AfterResponse {
    /// Closes the connection.
    Close,
    /// Keeps the connection open without sending anything.
    KeepOpen,
    /// Sends zero bytes until the client closes the connection.
    SendZeros,
}

impl RawResponse {
    pub(super) async fn serve(self, listener: TcpListener, inbox: Arc<Inbox>) {
        while let Ok((stream, _)) = listener.accept().await {
            let (response, inbox) = (self.clone(), inbox.clone());
            // The client may close the connection at any time, which ends this task.
            tokio::spawn(async move { response.send(stream, &inbox).await });
        }
    }

    async fn send(&self, mut stream: TcpStream, inbox: &Inbox) -> Option<()> {
        if self.reads_request {
            let (headers, body) = read_request(&mut stream).await?;
            if self.bytes.windows(10).any(|window| window == b"HTTP/1.1 2") {
                inbox.accept(headers, &body);
            }
            inbox.record_arrival();
        }
        stream.write_all(&self.bytes).await.ok()?;
        match self.then {
            AfterResponse::Close => {}
            AfterResponse::KeepOpen => drop(stream.read_to_end(&mut Vec::new()).await),
            AfterResponse::SendZeros => while stream.write_all(&[0; 16 * 1024]).await.is_ok() {},
        }
        Some(())
    }
}

/// Reads the headers and body of one request with `Content-Length`.
async fn read_request(stream: &mut TcpStream) -> Option<(HeaderMap, Bytes)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let headers = head.lines().skip(1).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value.trim()).ok()?))
    });
    let headers: HeaderMap = headers.collect();
    let length = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((headers, body.into()))
}
