use std::error::Error as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers requests over HTTP/1.1, and closes each connection after `kept` responses, without saying so.
struct Server {
    url: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start(kept: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/path?query", listener.local_addr().expect("an address"));
        let connections = Arc::<AtomicUsize>::default();
        let accepted = connections.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    for _ in 0..kept {
                        let mut head = Vec::new();
                        while !head.ends_with(b"\r\n\r\n") {
                            let Ok(byte) = stream.read_u8().await else { return };
                            head.push(byte);
                        }
                        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
                        stream.write_all(&[response.as_bytes(), &head].concat()).await.ok();
                    }
                });
            }
        });
        Self { url, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn request(url: &str) -> HttpRequest {
    let request = http::Request::get(url).body(SdkBody::empty()).expect("a request");
    request.try_into().expect("a request")
}

async fn body(response: HttpResponse) -> String {
    let body = response.into_body().collect().await.expect("a body");
    String::from_utf8(body.to_bytes().to_vec()).expect("text")
}

#[tokio::test]
async fn finished_response_frees_its_connection() {
    let (server, connector) = (Server::start(9).await, HttpStack::default().connector());
    for _ in 0..3 {
        let head = body(connector.call(request(&server.url)).await.expect("a response")).await;
        let host = server.url.trim_start_matches("http://").trim_end_matches("/path?query");
        assert_eq!(head, format!("GET /path?query HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn unread_response_closes_its_connection() {
    let (server, connector) = (Server::start(9).await, HttpStack::default().connector());
    drop(connector.call(request(&server.url)).await.expect("a response"));
    body(connector.call(request(&server.url)).await.expect("a response")).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn connection_closed_while_idle_is_replaced() {
    let (server, connector) = (Server::start(1).await, HttpStack::default().connector());
    for _ in 0..3 {
        body(connector.call(request(&server.url)).await.expect("a response")).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn poisoned_connection_is_not_used_again() {
    let (server, connector) = (Server::start(9).await, HttpStack::default().connector());
    for _ in 0..2 {
        let (mut request, capture) = (request(&server.url), CaptureSmithyConnection::new());
        request.add_extension(capture.clone());
        let response = connector.call(request).await.expect("a response");
        capture.get().expect("a connection").poison();
        body(response).await;
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn read_timeout_ends_a_request_without_response() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let client = HttpStack::default().0.shared.clone();
    let silent = connector(&client, CONNECT_TIMEOUT, Some(Duration::from_millis(1)));
    let error = silent.call(request(&url)).await.expect_err("a timeout");
    assert!(error.is_timeout());
}

#[tokio::test]
async fn refused_connection_is_an_io_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    drop(listener);
    let error = HttpStack::default().connector().call(request(&url)).await.expect_err("refused");
    assert!(error.is_io());
}

#[tokio::test]
async fn request_without_roots_fails_with_a_hint() {
    let client = Client { tls: OnceLock::from(None), ..Client::default() };
    let connector = connector(&Arc::new(client), CONNECT_TIMEOUT, None);
    let error = connector.call(request("https://example.com/")).await.expect_err("no roots");
    assert!(error.is_user());
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some(NO_ROOTS));
}
