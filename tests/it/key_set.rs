//! Fetching the key set over HTTP.

use std::error::Error;

use axum::Router;
use axum::http::StatusCode;
use cruddur::config::key_set;
use lambda_spans::{Settings, Spans};
use tokio::net::TcpListener;

/// The result of fetching from a server that always gives this response.
async fn read_from(status: u16, body: String) -> Result<Vec<u8>, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/pool/.well-known/jwks.json", listener.local_addr().unwrap());
    let router = Router::new().fallback(async move || (StatusCode::from_u16(status).unwrap(), body));
    tokio::spawn(async { axum::serve(listener, router).await });
    read(&url).await.map_err(|error| error.replace(&url, "<url>"))
}

async fn read(url: &str) -> Result<Vec<u8>, String> {
    let spans = Spans::new(&Settings::from_lookup(|_| None));
    let error = match key_set(url.to_owned(), &spans)().await {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    assert!(error.source().is_none_or(|cause: &(dyn Error + 'static)| !cause.to_string().is_empty()));
    Err(error.to_string())
}

#[tokio::test]
async fn key_set_is_read() {
    assert_eq!(read_from(200, "{}".to_owned()).await.unwrap(), b"{}");
}

#[tokio::test]
async fn invalid_key_set_error_has_the_address() {
    for (status, length) in [(404, 0), (302, 0), (200, 64 * 1024 + 1)] {
        let error = read_from(status, "x".repeat(length)).await.unwrap_err();
        assert!(error.contains("<url>") && error.contains("JWKS_URL"), "{error}");
    }
}

#[tokio::test]
async fn unreachable_key_server_fails_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    assert!(read(&url).await.unwrap_err().contains("JWKS_URL"));
}

#[tokio::test]
async fn silent_key_server_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let error = read(&url).await.unwrap_err();
    assert!(error.contains("JWKS_URL") && error.contains("1500 ms"), "{error}");
}
