//! An HTTP server with bounded waits and a bounded graceful shutdown.
//!
//! `axum::serve` waits without limit for the head of a request, for clients that do not read, and for open connections when
//! it stops.

use std::future::{self, Ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum_server::accept::Accept;
use axum_server::{Handle, Server};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::write_timeout::WriteTimeout;

/// The time limits of a server. `docs/local.md` lists the defaults.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the start of a connection to the end of its first request's head.
    pub first_request: Duration,
    /// From a response to the end of the next request's head on the same connection.
    pub next_request: Duration,
    /// Between two parts of a request's body.
    pub body: Duration,
    /// Between two parts of a response that the client reads.
    pub write: Duration,
    /// From the start of the shutdown until pending requests are aborted.
    pub shutdown: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            first_request: Duration::from_secs(10),
            next_request: Duration::from_secs(60),
            body: Duration::from_secs(10),
            write: Duration::from_secs(60),
            shutdown: Duration::from_secs(2),
        }
    }
}

/// An HTTP server on a Tokio task. Dropping it aborts the server and its connections.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
    shutdown: Duration,
}

impl HttpServer {
    /// Serves `router` on `listener` with the default time limits.
    ///
    /// # Errors
    /// If the listener has no local address.
    pub fn start(listener: TcpListener, router: Router) -> io::Result<Self> {
        Self::start_with(listener, router, Timeouts::default())
    }

    /// Serves `router` on `listener`.
    ///
    /// # Errors
    /// If the listener has no local address.
    pub fn start_with(listener: TcpListener, router: Router, timeouts: Timeouts) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (handle, warned) = (Handle::new(), AtomicBool::new(false));
        let mut server = Server::<SocketAddr>::from_listener(listener)
            .http1_only()
            .acceptor(Acceptor { write: timeouts.write })
            .handle(handle.clone())
            .first_request_timeout(timeouts.first_request)
            .accept_error_handler(move |_, error| {
                // Without free file descriptors, every attempt fails.
                if !warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "accepting a connection failed; further failures are not logged");
                }
            });
        server.http_builder().http1().header_read_timeout(timeouts.next_request);
        let router = router.layer(RequestBodyTimeoutLayer::new(timeouts.body));
        let task = tokio::spawn(server.serve(router.into_make_service()));
        Ok(Self { address, handle, task, shutdown: timeouts.shutdown })
    }

    /// Returns the address it listens on, with the actual port if port 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting connections, finishes pending requests and returns `true`. Aborts requests that are pending for
    /// longer than the time limit, and returns `false`.
    pub async fn stop(mut self) -> bool {
        self.handle.graceful_shutdown(None);
        let finished = time::timeout(self.shutdown, &mut self.task).await;
        let (is_clean, result) = match finished {
            Ok(result) => (true, result),
            Err(_elapsed) => {
                self.handle.shutdown();
                (false, (&mut self.task).await)
            }
        };
        match result {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a server failed"),
            Err(error) => tracing::error!(%error, "a server panicked"),
        }
        is_clean
    }
}

/// Prepares an accepted connection.
#[derive(Clone, Copy, Debug)]
struct Acceptor {
    write: Duration,
}

impl<S> Accept<TcpStream, S> for Acceptor {
    type Stream = WriteTimeout<TcpStream>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // Without TCP_NODELAY, the second part of a response may wait 40 ms for the client's delayed ACK of the first.
        let prepared = stream.set_nodelay(true).map(|()| (WriteTimeout::new(stream, self.write), service));
        future::ready(prepared)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.handle.shutdown();
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::{Body, Bytes};
    use axum::routing::{get, post};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;
    use crate::listen;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(20);
    const UNLIMITED: Timeouts =
        Timeouts { first_request: LONG, next_request: LONG, body: LONG, write: LONG, shutdown: LONG };
    const COMPLETE_HEAD: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const INCOMPLETE_HEAD: &str = "GET / HTTP/1.1\r\nhost: loc";
    const INCOMPLETE_BODY: &str = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nhalf";

    async fn start(router: Router, timeouts: Timeouts) -> HttpServer {
        HttpServer::start_with(listen::on_loopback(0, "--port").await.unwrap(), router, timeouts).unwrap()
    }

    fn echo() -> Router {
        Router::new().route("/", get(|| async { "done" }).post(|body: Bytes| async { body }))
    }

    async fn connect(server: &HttpServer, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(server.address()).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        connection
    }

    /// Reads until the server closes the connection.
    async fn read_to_end(connection: &mut TcpStream) -> String {
        let mut text = Vec::new();
        // A reset also ends the connection.
        connection.read_to_end(&mut text).await.ok();
        String::from_utf8(text).unwrap()
    }

    /// A server whose handler waits for `release`, and a request that the handler has started.
    async fn with_pending_request(timeouts: Timeouts) -> (HttpServer, TcpStream, Arc<Notify>) {
        let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (started, release) = (started.clone(), release.clone());
            || async move {
                started.notify_one();
                release.notified().await;
                "done"
            }
        };
        let server = start(Router::new().route("/", get(handler)), timeouts).await;
        let connection = connect(&server, COMPLETE_HEAD).await;
        started.notified().await;
        (server, connection, release)
    }

    #[tokio::test]
    async fn pending_request_is_finished_before_the_server_stops() {
        let (server, mut connection, release) = with_pending_request(UNLIMITED).await;
        let stopped = tokio::spawn(server.stop());
        release.notify_one();
        let response = read_to_end(&mut connection).await;
        assert!(response.starts_with("HTTP/1.1 200") && response.ends_with("done"), "{response}");
        assert!(stopped.await.unwrap());
    }

    #[tokio::test]
    async fn request_without_end_does_not_prevent_the_shutdown() {
        let (server, mut connection, _release) = with_pending_request(Timeouts { shutdown: SHORT, ..UNLIMITED }).await;
        assert!(!server.stop().await);
        assert_eq!(read_to_end(&mut connection).await, "");
    }

    #[tokio::test]
    async fn half_open_connection_does_not_prevent_the_shutdown() {
        let server = start(echo(), Timeouts { shutdown: SHORT, ..UNLIMITED }).await;
        let mut connections = Vec::new();
        for text in ["", INCOMPLETE_HEAD, INCOMPLETE_BODY] {
            connections.push(connect(&server, text).await);
        }
        server.stop().await;
        for connection in &mut connections {
            let response = read_to_end(connection).await;
            assert!(!response.contains(" 200 "), "{response}");
        }
    }

    #[tokio::test]
    async fn dropped_server_closes_its_connections() {
        let (server, mut connection, _release) = with_pending_request(UNLIMITED).await;
        drop(server);
        assert_eq!(read_to_end(&mut connection).await, "");
    }

    #[tokio::test]
    async fn connection_without_complete_head_is_closed() {
        let server = start(echo(), Timeouts { first_request: SHORT, ..UNLIMITED }).await;
        for text in ["", INCOMPLETE_HEAD] {
            let mut connection = connect(&server, text).await;
            assert_eq!(read_to_end(&mut connection).await, "");
        }
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn connection_without_next_head_is_closed() {
        let server = start(echo(), Timeouts { next_request: SHORT, ..UNLIMITED }).await;
        for text in ["", INCOMPLETE_HEAD] {
            let mut connection = connect(&server, &format!("{COMPLETE_HEAD}{text}")).await;
            let responses = read_to_end(&mut connection).await;
            assert_eq!(responses.matches("HTTP/1.1 200").count(), 1, "{responses}");
        }
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn request_without_complete_body_is_rejected() {
        let server = start(echo(), Timeouts { body: SHORT, ..UNLIMITED }).await;
        let mut connection = connect(&server, INCOMPLETE_BODY).await;
        let response = read_to_end(&mut connection).await;
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn connection_of_a_client_that_never_reads_is_closed() {
        /// Larger than the buffers of both sockets.
        const LARGE: usize = 64 * 1024 * 1024;
        let started = Arc::new(Notify::new());
        let handler = {
            let started = Arc::clone(&started);
            || async move {
                started.notify_one();
                vec![0_u8; LARGE]
            }
        };
        let timeouts = Timeouts { write: SHORT, shutdown: Duration::from_secs(20), ..UNLIMITED };
        let server = start(Router::new().route("/", get(handler)), timeouts).await;
        let _unread = connect(&server, COMPLETE_HEAD).await;
        started.notified().await;
        // The shutdown waits for the response, which the client does not read.
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn pooled_connection_serves_many_requests() {
        let server = start(Router::new().route("/", post(|body: Bytes| async { body })), Timeouts::default()).await;
        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        for _ in 0..3 {
            let request = axum::http::Request::post(format!("http://{}/", server.address()));
            assert_eq!(client.request(request.body(Body::from("hello")).unwrap()).await.unwrap().status(), 200);
        }
        assert!(server.stop().await);
    }

    #[tokio::test]
    async fn stopped_server_releases_its_port() {
        let server = start(Router::new(), Timeouts::default()).await;
        let port = server.address().port();
        server.stop().await;
        listen::on_loopback(port, "--port").await.unwrap();
    }
}
