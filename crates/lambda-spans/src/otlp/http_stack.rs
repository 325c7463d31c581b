//! The process's only HTTP and TLS stack. The AWS SDK, OTLP and the request for the Honeycomb key share it.
//!
//! HTTP/1.1 suffices: a function has few requests in flight. Each uses a separate connection, which isolates them.

mod pool;
mod stream;
mod tls;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use http::header::{Entry, HOST, PROXY_AUTHORIZATION};
use http::uri::Scheme;
use http::{HeaderValue, Request, Uri};
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::proxy::ProxySettings;
use super::root_certificates;
use crate::variables::url::Url;
use pool::{Connection, Origin, Pool, PooledBody};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The problem if the system has no trusted root certificates.
pub(crate) const NO_ROOTS: &str = "TLS is unavailable, because no trusted root certificate can be read; \
     install the package `ca-certificates` in the image, or set SSL_CERT_FILE to a PEM file";

/// Clients with their connections. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpStack(Arc<Stack>);

#[derive(Debug, Default)]
struct Stack {
    roots_exist: OnceLock<bool>,
    shared: Arc<Client>,
    direct: Arc<Client>,
}

impl HttpStack {
    pub(crate) fn new(proxies: ProxySettings) -> Self {
        let shared = Arc::new(Client { proxies, ..Client::default() });
        Self(Arc::new(Stack { shared, ..Stack::default() }))
    }

    /// Returns the connector for any URL.
    pub(crate) fn connector(&self) -> SharedHttpConnector {
        connector(&self.0.shared, CONNECT_TIMEOUT, None)
    }

    /// Returns the connector for `url` that trusts only `certificates` in PEM format, if any.
    pub(super) fn connector_with(&self, url: &Url, certificates: Option<Vec<u8>>) -> SharedHttpConnector {
        match certificates {
            Some(pem) if url.is_https() => {
                let (proxies, tls) = (self.0.shared.proxies.clone(), tls::trusting(root_certificates::parse(&pem)));
                let client = Client { proxies, tls: OnceLock::from(tls), ..Client::default() };
                connector(&Arc::new(client), CONNECT_TIMEOUT, None)
            }
            Some(_) | None => self.connector(),
        }
    }

    /// Returns the connector that uses no proxy, for the Runtime API.
    pub(crate) fn direct(&self) -> SharedHttpConnector {
        connector(&self.0.direct, CONNECT_TIMEOUT, None)
    }

    /// Returns whether a TLS connection is possible at all.
    pub(crate) fn roots_exist(&self) -> bool {
        *self.0.roots_exist.get_or_init(root_certificates::exist)
    }

    /// Returns a client for the AWS SDK.
    pub(crate) fn client(&self) -> SharedHttpClient {
        let (client, usual) = (self.0.shared.clone(), self.connector());
        http_client_fn(move |settings: &HttpConnectorSettings, _| {
            let connect = settings.connect_timeout().map_or(CONNECT_TIMEOUT, |limit| limit.min(CONNECT_TIMEOUT));
            match (connect, settings.read_timeout()) {
                // Almost all clients.
                (CONNECT_TIMEOUT, None) => usual.clone(),
                (connect, read) => connector(&client, connect, read),
            }
        })
    }
}

fn connector(client: &Arc<Client>, connect: Duration, read: Option<Duration>) -> SharedHttpConnector {
    SharedHttpConnector::new(Connector { client: client.clone(), connect, read })
}

/// What the requests share.
#[derive(Debug, Default)]
struct Client {
    pool: Arc<Pool>,
    proxies: ProxySettings,
    matcher: OnceLock<Option<Matcher>>,
    tcp: OnceLock<TcpConnector>,
    /// Created by the first TLS connection: reading the trusted root certificates takes a millisecond, and plain HTTP
    /// does not need them.
    tls: OnceLock<Option<Arc<ClientConfig>>>,
}

impl Client {
    async fn connect(&self, uri: &Uri, origin: Origin) -> Result<Connection, ConnectorError> {
        let proxies = self.matcher.get_or_init(|| self.proxies.matcher()).as_ref();
        let tls = if origin.is_https {
            let tls = self.tls.get_or_init(|| tls::trusting(root_certificates::load())).clone();
            Some(tls.ok_or_else(|| ConnectorError::user(NO_ROOTS.into()))?)
        } else {
            None
        };
        let opened = stream::open(self.tcp(), proxies, uri, tls).await.map_err(ConnectorError::io)?;
        let (sender, driver) =
            http1::handshake(TokioIo::new(opened.stream)).await.map_err(|error| ConnectorError::io(error.into()))?;
        tokio::spawn(async move { driver.await.ok() });
        Ok(Connection::new(origin, sender, opened.forwarded, opened.authorization))
    }

    fn tcp(&self) -> &TcpConnector {
        self.tcp.get_or_init(|| {
            let mut tcp = TcpConnector::new();
            tcp.enforce_http(false);
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
            tcp
        })
    }
}

#[derive(Clone, Debug)]
struct Connector {
    client: Arc<Client>,
    connect: Duration,
    read: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { connector.exchange(request).await })
    }
}

impl Connector {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let uri = request.uri().clone();
        let Some(authority) = uri.authority().cloned() else {
            return Err(ConnectorError::user("the URL has no host".into()));
        };
        let origin = Origin { is_https: uri.scheme() == Some(&Scheme::HTTPS), authority };
        let capture = request.extensions().get::<CaptureSmithyConnection>().cloned();
        loop {
            let idle = self.client.pool.take(&origin);
            let is_new = idle.is_none();
            let mut connection = match idle {
                Some(connection) => connection,
                None => match timeout(self.connect, self.client.connect(&uri, origin.clone())).await {
                    Ok(connected) => connected?,
                    Err(_) => return Err(timed_out("connect", self.connect)),
                },
            };
            if let Some(capture) = &capture {
                let metadata = connection.metadata();
                capture.set_connection_retriever(move || Some(metadata.clone()));
            }
            address(&mut request, &uri, &connection)?;
            let sent = connection.sender.try_send_request(request);
            let sent = match self.read {
                Some(limit) => timeout(limit, sent).await.map_err(|_elapsed| timed_out("read", limit))?,
                None => sent.await,
            };
            match sent {
                Ok(response) => {
                    let response = response
                        .map(|body| SdkBody::from_body_1_x(PooledBody::new(body, connection, &self.client.pool)));
                    return HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None));
                }
                Err(mut error) => match error.take_message() {
                    // The idle connection was closed before the request was sent.
                    Some(unsent) if !is_new => request = unsent,
                    Some(_) | None => return Err(failed(error.into_error())),
                },
            }
        }
    }
}

/// Writes the target of the request as this connection needs it.
fn address(request: &mut Request<SdkBody>, uri: &Uri, connection: &Connection) -> Result<(), ConnectorError> {
    if let Entry::Vacant(host) = request.headers_mut().entry(HOST) {
        let authority = &connection.origin.authority;
        let default_port = if connection.origin.is_https { 443 } else { 80 };
        // Credentials in a URL are no part of the name.
        let value = match authority.port_u16().filter(|port| *port != default_port) {
            Some(port) => HeaderValue::try_from(format!("{}:{port}", authority.host())),
            None => HeaderValue::from_str(authority.host()),
        };
        host.insert(value.map_err(|error| ConnectorError::user(error.into()))?);
    }
    *request.version_mut() = http::Version::HTTP_11;
    *request.uri_mut() = match uri.path_and_query() {
        _ if connection.forwarded => uri.clone(),
        Some(target) => Uri::from(target.clone()),
        None => Uri::from_static("/"),
    };
    if let Some(authorization) = &connection.authorization {
        request.headers_mut().entry(PROXY_AUTHORIZATION).or_insert_with(|| authorization.clone());
    }
    Ok(())
}

fn timed_out(what: &str, limit: Duration) -> ConnectorError {
    ConnectorError::timeout(format!("the {what} timeout of {} ms has passed", limit.as_millis()).into())
}

/// The SDK retries failures of connections.
fn failed(error: hyper::Error) -> ConnectorError {
    if error.is_user() {
        ConnectorError::user(error.into())
    } else if error.is_timeout() {
        ConnectorError::timeout(error.into())
    } else if error.is_incomplete_message() {
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    } else if error.is_parse() {
        ConnectorError::other(error.into(), None)
    } else {
        ConnectorError::io(error.into())
    }
}

#[cfg(test)]
mod tests;
