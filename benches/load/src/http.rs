//! A minimal HTTP/1.1 client. It sends one request at a time and reuses the connection if the server allows it.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The timeout for connecting and for reading a response.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) struct Client {
    server: SocketAddr,
    connection: Option<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self { server, connection: None }
    }

    /// Sends a request and reads the whole response.
    pub(crate) fn send(&mut self, method: &str, path: &str, token: Option<&str>, body: &str) -> io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let connection = TcpStream::connect_timeout(&self.server, TIMEOUT)?;
                connection.set_nodelay(true)?;
                connection.set_read_timeout(Some(TIMEOUT))?;
                connection
            }
        };
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let content = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let (server, length) = (self.server, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {server}\r\ncontent-length: {length}\r\n{content}{authorization}\r\n{body}"
        );
        connection.write_all(request.as_bytes())?;
        let mut read = Vec::with_capacity(16 * 1024);
        let end = loop {
            if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            fill(&mut connection, &mut read)?;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length: usize = header("content-length:").and_then(|length| length.parse().ok()).unwrap_or(0);
        while read.len() < end + length {
            fill(&mut connection, &mut read)?;
        }
        if !head.starts_with("http/1.0") && header("connection:") != Some("close") {
            self.connection = Some(connection);
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the response has no status"))?;
        Ok(Response { status, body: String::from_utf8_lossy(&read[end..end + length]).into_owned() })
    }
}

fn fill(connection: &mut TcpStream, read: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    match connection.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            read.extend_from_slice(&chunk[..length]);
            Ok(())
        }
    }
}
