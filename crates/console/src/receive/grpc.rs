//! The port of OTLP/gRPC. Each call gets `UNIMPLEMENTED` with the variable that selects HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Response, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::receiver::Receiver;
use crate::health::Refusal;

/// gRPC's status for a method that a server does not have.
const UNIMPLEMENTED: HeaderValue = HeaderValue::from_static("12");
/// The open connections. More have to wait.
const MAX_CONNECTIONS: usize = 32;
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(60);

/// Answers calls on a task until it is dropped. `http` is the address of the OTLP/HTTP receiver.
pub(crate) fn start(listener: TcpListener, http: SocketAddr, receiver: Arc<Receiver>) -> JoinHandle<()> {
    let message = format!(
        "this port accepts no gRPC; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf and \
         OTEL_EXPORTER_OTLP_ENDPOINT=http://{http}"
    );
    let message: Arc<str> = message.into();
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let Ok(permit) = connections.clone().acquire_owned().await else { return };
            let Ok((connection, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let (message, receiver) = (message.clone(), receiver.clone());
            tokio::spawn(async move {
                let _permit = permit;
                // The client's errors are of no interest.
                serve(connection, &message, &receiver).await.ok();
            });
        }
    })
}

async fn serve(connection: TcpStream, message: &str, receiver: &Receiver) -> Result<(), h2::Error> {
    let Ok(handshake) = timeout(IDLE, h2::server::handshake(connection)).await else { return Ok(()) };
    let mut connection = handshake?;
    while let Ok(Some(call)) = timeout(IDLE, connection.accept()).await {
        let (_, mut respond) = call?;
        receiver.health.refused(Refusal::Grpc, 1, message, None, receiver.clock.now());
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", UNIMPLEMENTED);
        if let Ok(message) = HeaderValue::from_str(message) {
            headers.insert("grpc-message", message);
        }
        respond.send_response(response, true)?;
    }
    Ok(())
}
