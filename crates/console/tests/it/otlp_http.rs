//! OTLP/HTTP apart from the content: types, encodings, limits, origins.

use std::io::Write as _;

use lambda_console::Limits;
use serde_json::json;

use crate::support::{JSON, PROTOBUF, TestConsole, parse, request, span, start, start_with};

async fn spans(console: &TestConsole) -> u64 {
    console.get_json("/api/info").await["spans"].as_u64().unwrap()
}

fn body() -> Vec<u8> {
    request(&span(1, 0, 0, 10, "")).into_bytes()
}

#[tokio::test]
async fn content_types_with_parameters_are_accepted() {
    for (kind, expected) in [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/protobuf", 200),
        ("application/x-protobuf", 200),
        ("text/plain", 415),
        ("", 415),
    ] {
        let console = start().await;
        let body = if kind.to_lowercase().contains("json") { body() } else { Vec::new() };
        let answer = console.post("/v1/traces", &[("content-type", kind)], &body).await;
        assert_eq!(answer.status, expected, "{kind}");
    }
    let console = start().await;
    let answer = console.post("/v1/traces", &[], &body()).await;
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(answer.status == 415 && message.contains("application/x-protobuf") && message.contains("application/json"));
    assert_eq!(console.refused().await, [("unsupported_type".to_owned(), 1)]);
}

#[tokio::test]
async fn compressed_bodies_are_accepted() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&body()).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&body()).unwrap();
    let zstd = ruzstd::encoding::compress_to_vec(&*body(), ruzstd::encoding::CompressionLevel::Fastest);
    for (encoding, body) in
        [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap()), ("zstd", zstd), ("identity", body())]
    {
        let console = start().await;
        let answer = console.post("/v1/traces", &[JSON, ("content-encoding", encoding)], &body).await;
        assert_eq!((answer.status, spans(&console).await), (200, 1), "{encoding}");
    }
    let console = start().await;
    let answer = console.post("/v1/traces", &[JSON, ("content-encoding", "br")], &body()).await;
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, Some("gzip, deflate, zstd, identity")));
    let answer = console.post("/v1/traces", &[JSON, ("content-encoding", "gzip")], &body()).await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn bodies_above_the_limits_are_refused() {
    let limits = Limits { body: 2000, decompressed: 4000, spans: 3, ..Limits::default() };
    let console = start_with(|options| options.limits = limits).await;
    let large = format!("{}{}", String::from_utf8(body()).unwrap(), " ".repeat(2000));
    let announced = console.post("/v1/traces", &[JSON], large.as_bytes()).await;
    assert_eq!(announced.status, 413);
    let chunks = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    let chunked = console.post("/v1/traces", &[JSON, ("transfer-encoding", "chunked")], chunks.as_bytes()).await;
    assert_eq!(chunked.status, 413);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&vec![b' '; 100_000]).unwrap();
    let bomb = console.post("/v1/traces", &[JSON, ("content-encoding", "gzip")], &gzip.finish().unwrap()).await;
    assert_eq!(bomb.status, 413);
    let many: Vec<_> = (1..=4).map(|id| span(id, 0, 0, 1, "")).collect();
    assert_eq!(console.post("/v1/traces", &[JSON], request(&many.join(",")).as_bytes()).await.status, 413);
    assert_eq!(console.refused().await, [("too_large".to_owned(), 4)]);
    assert_eq!(spans(&console).await, 0);
}

#[tokio::test]
async fn client_that_waits_for_100_continue_is_served() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let console = start().await;
    let mut connection = tokio::net::TcpStream::connect(console.http()).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body().len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    connection.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(&body()).await.unwrap();
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).await.unwrap();
    assert_eq!(parse(&rest).status, 200);
}

#[tokio::test]
async fn metrics_are_accepted_and_not_kept() {
    let console = start().await;
    for headers in [[PROTOBUF], [JSON]] {
        assert_eq!(console.post("/v1/metrics", &headers, b"anything").await.status, 200);
    }
    assert_eq!(console.refused().await, [("metrics_not_kept".to_owned(), 2)]);
}

#[tokio::test]
async fn only_post_is_allowed() {
    let console = start().await;
    let answer = console.get("/v1/traces").await;
    assert_eq!(answer.status, 405);
    assert!(answer.header("allow").unwrap().contains("POST"));
    assert_eq!(console.post("/v1/traces/", &[JSON], &body()).await.status, 200);
}

#[tokio::test]
async fn container_with_another_host_may_send() {
    let console = start().await;
    let headers = [JSON, ("host", "host.docker.internal:4318")];
    assert_eq!(console.post("/v1/traces", &headers, &body()).await.status, 200);
    assert_eq!(console.send("GET", "/api/info", &[("host", "host.docker.internal:4318")], b"").await.status, 403);
}

#[tokio::test]
async fn foreign_origin_is_refused_with_the_flag_that_admits_it() {
    let console = start().await;
    let origin = ("origin", "http://localhost:5173");
    let answer = console.post("/v1/traces", &[JSON, origin], &body()).await;
    assert_eq!((answer.status, spans(&console).await), (403, 0));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert_eq!(console.send("OPTIONS", "/v1/traces", &[origin], b"").await.status, 403);
    assert_eq!(console.post("/v1/traces", &[JSON, ("sec-fetch-site", "cross-site")], &body()).await.status, 403);
    let refused = &console.get_json("/api/health").await["refused"];
    let flags: Vec<_> = refused.as_array().unwrap().iter().map(|row| row["flag"].clone()).collect();
    assert_eq!(flags, [json!(null), json!("--allow-origin http://localhost:5173")]);
}

#[tokio::test]
async fn allowed_origin_may_send_and_read_the_answer() {
    let console = start_with(|options| options.allow_origins = vec!["http://localhost:5173".to_owned()]).await;
    let origin = ("origin", "http://localhost:5173");
    let preflight = [origin, ("access-control-request-headers", "content-type,traceparent")];
    let answer = console.send("OPTIONS", "/v1/traces", &preflight, b"").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("http://localhost:5173")));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type,traceparent"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    let answer = console.post("/v1/traces", &[JSON, origin], &body()).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("http://localhost:5173")));
}

#[tokio::test]
async fn overload_is_refused_with_retry_after() {
    use tokio::io::AsyncWriteExt as _;
    let console = start().await;
    let mut waiting = Vec::new();
    // Each of these requests waits for its body.
    let refused = loop {
        let answer = console.post("/v1/traces", &[JSON], &body()).await;
        if answer.status != 200 {
            break answer;
        }
        let mut connection = tokio::net::TcpStream::connect(console.http()).await.unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
        connection.write_all(head.as_bytes()).await.unwrap();
        waiting.push(connection);
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert!(waiting.len() >= 64);
}
