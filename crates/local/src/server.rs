//! One listening HTTP server that can be ended.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::{Listener, ListenerExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server that runs on a task of its own; one that is dropped stops by itself.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Server {
    /// Serves `router` on `listener`.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener, router: Router) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(prompt(listener), router).with_graceful_shutdown(async {
            // A sender that is gone says the same as one that speaks.
            stopped.await.ok();
        });
        Ok(Self { address, stop, task: tokio::spawn(serve.into_future()) })
    }

    /// The address it listens on, with the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts nothing more, and returns when the requests under way are answered.
    pub async fn stop(self) {
        drop(self.stop);
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "a server failed"),
            Err(error) => tracing::error!(%error, "a server broke off"),
        }
    }
}

/// Its connections send at once what they have: else the rest of an answer in several parts may wait some 40 ms for the
/// client to say that it has the first.
fn prompt(listener: TcpListener) -> impl Listener<Io = TcpStream, Addr = SocketAddr> {
    listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "a connection may be slow");
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
    async fn a_request_under_way_is_answered_before_the_server_ends() {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, go_on) = (begun.clone(), go_on.clone());
            || async move {
                begun.notify_one();
                go_on.notified().await;
                "done"
            }
        };
        let listener = listen::on_loopback(0, "--port").await.unwrap();
        let server = Server::start(listener, Router::new().route("/", get(handler))).unwrap();
        let url = format!("http://{}/", server.address()).parse().unwrap();

        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let answer = tokio::spawn(async move { client.get(url).await.unwrap().status() });
        begun.notified().await;
        let ended = tokio::spawn(server.stop());
        go_on.notify_one();
        assert_eq!(answer.await.unwrap(), 200);
        ended.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_sends_at_once_what_it_has() {
        let mut listener = prompt(listen::on_loopback(0, "--port").await.unwrap());
        let address = listener.local_addr().unwrap();
        let _client = TcpStream::connect(address).await.unwrap();
        let (connection, _) = listener.accept().await;
        assert!(connection.nodelay().unwrap());
    }

    #[tokio::test]
    async fn a_server_that_has_ended_gives_its_port_back() {
        let listener = listen::on_loopback(0, "--port").await.unwrap();
        let server = Server::start(listener, Router::new()).unwrap();
        let port = server.address().port();
        server.stop().await;
        listen::on_loopback(port, "--port").await.unwrap();
    }
}
