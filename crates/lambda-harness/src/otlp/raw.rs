//! What no HTTP server can be brought to say.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Shared, collect};

/// What is done on each connection instead of an answer by the rules.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Whether a request is read before.
    pub reads: bool,
    /// Written as it is. Where it says 2xx, what was read is collected.
    pub says: Vec<u8>,
    /// What follows.
    pub then: Then,
}

/// What follows upon the bytes of a [`Raw`].
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// The connection is closed.
    Closes,
    /// Nothing more comes, and the connection stays.
    Waits,
    /// Zeros come for as long as they are taken.
    GoesOn,
}

impl Raw {
    pub(super) async fn serve(self, listener: TcpListener, shared: Arc<Shared>) {
        while let Ok((stream, _)) = listener.accept().await {
            let (raw, shared) = (self.clone(), shared.clone());
            // The other side may go away at any moment, which ends it.
            tokio::spawn(async move { raw.answer(stream, &shared).await });
        }
    }

    async fn answer(&self, mut stream: TcpStream, shared: &Shared) -> Option<()> {
        if self.reads {
            let (headers, body) = request(&mut stream).await?;
            if self.says.windows(10).any(|said| said == b"HTTP/1.1 2") {
                collect(shared, headers, &body);
            }
            shared.note_arrival();
        }
        stream.write_all(&self.says).await.ok()?;
        match self.then {
            Then::Closes => {}
            Then::Waits => drop(stream.read_to_end(&mut Vec::new()).await),
            Then::GoesOn => while stream.write_all(&[0; 16 * 1024]).await.is_ok() {},
        }
        Some(())
    }
}

/// The headers and the body of one request that says how long it is.
async fn request(stream: &mut TcpStream) -> Option<(HeaderMap, Bytes)> {
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
