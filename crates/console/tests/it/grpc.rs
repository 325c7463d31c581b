//! The port of OTLP/gRPC.

use axum::http::Request;
use tokio::net::TcpStream;

use crate::support::start;

#[tokio::test]
async fn grpc_client_is_told_how_to_use_http() {
    let console = start().await;
    let connection = TcpStream::connect(console.console.addresses().grpc.unwrap()).await.unwrap();
    let (client, connection) = h2::client::handshake(connection).await.unwrap();
    tokio::spawn(async move { connection.await.ok() });
    let mut client = client.ready().await.unwrap();
    let uri = "http://localhost/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let request = Request::post(uri).header("content-type", "application/grpc").body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    let response = response.await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    assert_eq!((response.status().as_u16(), header("content-type")), (200, "application/grpc"));
    assert_eq!(header("grpc-status"), "12");
    assert!(header("grpc-message").contains("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"));
    assert!(header("grpc-message").contains(&console.http().to_string()));
    assert_eq!(console.refused().await, [("grpc".to_owned(), 1)]);
}
