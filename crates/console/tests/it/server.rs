//! Start and stop.

use lambda_console::{Console, Options, TraceId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{send, start, start_with};

#[tokio::test]
async fn ports_in_use_are_replaced_by_free_ones() {
    let first = start().await;
    let used = first.console.addresses();
    let second = start_with(|options| {
        options.http_port = used.http.port();
        options.xray_port = Some(used.xray.unwrap().port());
        options.grpc_port = Some(used.grpc.unwrap().port());
    })
    .await;
    let other = second.console.addresses();
    assert_ne!(other.http, used.http);
    assert_ne!(other.xray, used.xray);
    assert_eq!(other.grpc, None);
    assert_eq!(second.get("/api/info").await.status, 200);
}

#[tokio::test]
async fn stopped_console_releases_its_port() {
    let console = start().await;
    let address = console.http();
    // An open event stream does not delay the end.
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET /api/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 12]).await.unwrap();
    console.console.stop().await;
    let mut options = Options::on_free_ports();
    options.http_port = address.port();
    let again = Console::start(options).await.unwrap();
    assert_eq!(again.addresses().http, address);
}

#[tokio::test]
async fn console_is_reached_at_both_loopback_addresses() {
    let console = start().await;
    let address = format!("[::1]:{}", console.http().port()).parse().unwrap();
    assert_eq!(send(address, "GET", "/api/info", &[], b"").await.status, 200);
}

#[tokio::test]
async fn page_address_of_a_trace_is_a_permalink() {
    let console = start().await;
    let trace = TraceId::parse("1-5759e988-bd862e3fe1be46a994272793").unwrap();
    let url = console.console.page_url(trace);
    assert_eq!(url, format!("http://{}/#/trace/5759e988bd862e3fe1be46a994272793", console.http()));
}

#[tokio::test]
async fn page_has_a_strict_policy() {
    let console = start().await;
    for path in ["/", "/trace/5759e988bd862e3fe1be46a994272793", "/below/a/path/"] {
        let page = console.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'; script-src 'self';"));
        assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(console.get("/missing.js").await.status, 404);
    assert_eq!(console.send("GET", "/", &[("host", "evil.example")], b"").await.status, 403);
}
