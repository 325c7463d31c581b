//! The subset of HTTP/1.1 that the functions use: requests with Content-Length on persistent connections.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// When the whole request had arrived.
    pub(crate) arrived: Instant,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
pub(crate) struct Connection<S> {
    stream: S,
    unread: Vec<u8>,
}

impl Connection<TcpStream> {
    /// Returns a second handle for writing responses.
    pub(crate) fn writer(&self) -> TcpStream {
        self.stream.try_clone().expect("a file descriptor")
    }
}

/// Sets TCP_NODELAY on an accepted connection.
pub(crate) fn accepted(stream: io::Result<TcpStream>) -> TcpStream {
    let stream = stream.expect("a connection");
    stream.set_nodelay(true).expect("a TCP option");
    stream
}

impl<S: Read + Write> Connection<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::with_capacity(65_536) }
    }

    /// Writes a response on the connection itself.
    pub(crate) fn write(&mut self, response: &[u8]) {
        write(&mut self.stream, response);
    }

    /// Reads the next request; `None` if the connection is closed.
    pub(crate) fn read(&mut self) -> Option<Request> {
        let (end, length) = loop {
            if let Some(found) = self.head() {
                break found;
            }
            self.fill().ok()?;
        };
        while self.unread.len() < end + length {
            self.fill().ok()?;
        }
        let arrived = Instant::now();
        let rest = self.unread.split_off(end + length);
        let message = std::mem::replace(&mut self.unread, rest);
        let head = String::from_utf8_lossy(&message[..end]);
        let mut lines = head.lines();
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let headers = lines.filter_map(|line| line.split_once(':'));
        Some(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
            body: message[end..].to_vec(),
            arrived,
        })
    }

    /// Returns the end of the head and the length of the body, once the head is complete.
    fn head(&self) -> Option<(usize, usize)> {
        let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.unread[..end]).to_ascii_lowercase();
        assert!(!head.contains("\r\ntransfer-encoding:"), "chunked bodies are not supported: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        Some((end, length.map_or(0, |length| length.trim().parse().expect("a length"))))
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 65_536];
        match self.stream.read(&mut chunk)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.unread.extend_from_slice(&chunk[..read]);
                Ok(())
            }
        }
    }
}

/// Formats a response.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.extend(["\r\n", body]);
    text.into_bytes()
}

/// Writes a response. Errors are ignored, because the function may have exited.
pub(crate) fn write(stream: &mut impl Write, response: &[u8]) {
    stream.write_all(response).ok();
}
