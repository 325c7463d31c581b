//! An HTTP server with graceful shutdown.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// An HTTP server on a Tokio task. Dropping it stops the server.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl HttpServer {
    /// Serves `router` on `listener`.
    ///
    /// # Errors
    /// If the listener has no local address.
    pub fn start(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(with_nodelay(listener), router).with_graceful_shutdown(async {
            // Dropping the sender is the stop signal.
            stopped.await.ok();
        });
        Ok(Self { address, stop, task: tokio::spawn(serve.into_future()) })
    }

    /// Returns the address it listens on, with the actual port if port 0 was requested.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting connections, and returns when all pending requests are finished.
    pub async fn stop(self) {
        drop(self.stop);
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a server failed"),
            Err(error) => tracing::error!(%error, "a server panicked"),
        }
    }
}

/// Sets TCP_NODELAY on connections. Otherwise the second part of a response may wait 40 ms for the client's delayed ACK
/// of the first.
fn with_nodelay(listener: TcpListener) -> impl Listener<Io = TcpStream, Addr = SocketAddr> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "setting TCP_NODELAY failed");
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::body::Body;
    use axum::routing::get;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use tokio::sync::Notify;

    use super::*;
    use crate::listen;

    #[tokio::test]
    async fn pending_request_is_finished_before_the_server_stops() {
        let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (started, release) = (started.clone(), release.clone());
            || async move {
                started.notify_one();
                release.notified().await;
                "done"
            }
        };
        let listener = listen::on_loopback(0, "--port").await.unwrap();
        let server = HttpServer::start(listener, Router::new().route("/", get(handler))).unwrap();
        let url = format!("http://{}/", server.address()).parse().unwrap();

        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let response = tokio::spawn(async move { client.get(url).await.unwrap().status() });
        started.notified().await;
        let stopped = tokio::spawn(server.stop());
        release.notify_one();
        assert_eq!(response.await.unwrap(), 200);
        stopped.await.unwrap();
    }

    #[tokio::test]
    async fn accepted_connection_has_nodelay() {
        let mut listener = with_nodelay(listen::on_loopback(0, "--port").await.unwrap());
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (connection, _) = listener.accept().await;
        assert!(connection.nodelay().unwrap());
    }

    #[tokio::test]
    async fn stopped_server_releases_its_port() {
        let listener = listen::on_loopback(0, "--port").await.unwrap();
        let server = HttpServer::start(listener, Router::new()).unwrap();
        let port = server.address().port();
        server.stop().await;
        listen::on_loopback(port, "--port").await.unwrap();
    }
}
