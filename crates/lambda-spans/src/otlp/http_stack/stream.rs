//! Opens connections: TCP, through a proxy if one is configured, and TLS.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tower::Service as _;

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// A larger response of a proxy is not from a proxy.
const MAX_PROXY_HEAD: usize = 8 * 1024;

/// TCP or TLS. One type, so that the binary contains HTTP once.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection.
pub(super) struct Opened {
    pub(super) stream: Box<dyn Stream>,
    /// Whether requests go to a proxy, which needs the whole URL.
    pub(super) forwarded: bool,
    /// The value of `Proxy-Authorization` in each request.
    pub(super) authorization: Option<HeaderValue>,
}

/// Opens a connection to the origin of `uri`.
pub(super) async fn open(
    tcp: &HttpConnector,
    proxies: Option<&Matcher>,
    uri: &Uri,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Opened, BoxError> {
    let proxy = proxies.and_then(|proxies| proxies.intercept(uri));
    let to = proxy.as_ref().map_or(uri, Intercept::uri);
    let mut stream = connect(tcp, to).await?;
    if let Some(proxy) = &proxy {
        let is_secure = proxy.uri().scheme_str() == Some("https");
        if is_secure {
            let tls = tls.clone().ok_or("a proxy with TLS is supported only for https:// URLs")?;
            stream = secured(stream, proxy.uri(), tls).await?;
        }
        if tls.is_none() {
            return Ok(Opened { stream, forwarded: true, authorization: proxy.basic_auth().cloned() });
        }
        tunnel(&mut stream, uri, proxy.basic_auth()).await?;
    }
    if let Some(tls) = tls {
        stream = secured(stream, uri, tls).await?;
    }
    Ok(Opened { stream, forwarded: false, authorization: None })
}

async fn connect(tcp: &HttpConnector, to: &Uri) -> Result<Box<dyn Stream>, BoxError> {
    let mut tcp = tcp.clone();
    poll_fn(|context| tcp.poll_ready(context)).await?;
    Ok(Box::new(tcp.call(to.clone()).await?.into_inner()))
}

async fn secured(stream: Box<dyn Stream>, uri: &Uri, tls: Arc<ClientConfig>) -> Result<Box<dyn Stream>, BoxError> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned())?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, stream).await?))
}

/// Requests a tunnel to the origin of `uri` from a proxy.
async fn tunnel(stream: &mut Box<dyn Stream>, uri: &Uri, authorization: Option<&HeaderValue>) -> Result<(), BoxError> {
    let (host, port) = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(443));
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    // The origin sends nothing before the client's first message, so no byte after the head can be lost.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > MAX_PROXY_HEAD {
            return Err("the proxy sent no HTTP response".into());
        }
    }
    let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status.starts_with(b"2") {
        return Ok(());
    }
    Err(format!("the proxy answered {} to CONNECT", String::from_utf8_lossy(status)).into())
}
