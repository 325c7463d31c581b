//! A proxy in front of an AWS service that injects faults.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::with_timeout;

/// A request that the proxy received.
#[derive(Clone, Debug)]
pub struct ProxiedRequest {
    /// The request line, such as `POST / HTTP/1.1`.
    pub line: String,
    /// The operation: the part of `X-Amz-Target` after the dot, such as `PutItem`.
    pub operation: Option<String>,
    /// The service: the part of `X-Amz-Target` before the dot, such as `DynamoDB_20120810`.
    pub service: Option<String>,
}

/// What the proxy does with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Forwards the request and the response.
    None,
    /// Forwards both after a delay.
    Delay(Duration),
    /// Resets the connection without forwarding the request.
    Reset,
    /// Reads the request, does not forward it, and never responds.
    Hang,
    /// Responds with this status and JSON body without forwarding the request.
    Respond(u16, String),
    /// Forwards the request, returns the response without its last byte, and keeps the connection open.
    StallBody,
    /// Forwards the request, then resets the connection instead of returning the response.
    LoseResponse,
    /// Holds the request for ever without forwarding it, and wakes [`FaultProxy::wait_until_held`].
    HoldRequest,
    /// Forwards the request, holds the response for ever, and wakes [`FaultProxy::wait_until_held`].
    HoldResponse,
}

type Plan = Box<dyn Fn(&ProxiedRequest) -> Fault + Send + Sync>;

/// A proxy for HTTP/1.1 requests with `Content-Length`, such as those of the AWS SDK.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    held: watch::Receiver<u64>,
}

struct Shared {
    upstream: SocketAddr,
    plan: Mutex<Arc<Plan>>,
    held: watch::Sender<u64>,
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Starts a proxy in front of `upstream`; `plan` decides the fault of each request.
    pub async fn start(upstream: SocketAddr, plan: impl Fn(&ProxiedRequest) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let (sender, held) = watch::channel(0);
        let shared = Arc::new(Shared { upstream, plan: Mutex::new(Arc::new(Box::new(plan))), held: sender });
        let accepting = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = accepting.clone();
                // An I/O error ends this connection only.
                tokio::spawn(async move { shared.serve(client).await.ok() });
            }
        });
        Self { address, shared, held }
    }

    /// Returns the URL for clients, such as the value of `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the plan, starting with the next request.
    pub fn set_plan(&self, plan: impl Fn(&ProxiedRequest) -> Fault + Send + Sync + 'static) {
        *self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Box::new(plan));
    }

    /// Waits until the proxy holds a request or a response; each call waits for another one.
    pub async fn wait_until_held(&mut self) {
        with_timeout(self.held.changed()).await.expect("the proxy is running");
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        while let Some(message) = read_message(&mut client).await? {
            let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match plan(&parse_request(&message)) {
                Fault::None => client.write_all(&self.forward(&message).await?).await?,
                Fault::Delay(time) => {
                    tokio::time::sleep(time).await;
                    client.write_all(&self.forward(&message).await?).await?;
                }
                Fault::Reset => return reset(client),
                Fault::Hang => return until_closed(&mut client).await,
                Fault::Respond(status, body) => {
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n");
                    let response = format!("{head}content-length: {length}\r\n\r\n{body}");
                    client.write_all(response.as_bytes()).await?;
                }
                Fault::StallBody => {
                    let mut response = self.forward(&message).await?;
                    response.pop();
                    client.write_all(&response).await?;
                    return until_closed(&mut client).await;
                }
                Fault::LoseResponse => {
                    self.forward(&message).await?;
                    return reset(client);
                }
                Fault::HoldRequest => {
                    self.held.send_modify(|count| *count += 1);
                    return until_closed(&mut client).await;
                }
                Fault::HoldResponse => {
                    self.forward(&message).await?;
                    self.held.send_modify(|count| *count += 1);
                    return until_closed(&mut client).await;
                }
            }
        }
        Ok(())
    }

    async fn forward(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut service = TcpStream::connect(self.upstream).await?;
        service.write_all(request).await?;
        read_message(&mut service).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads the head and body of one HTTP message; `None` if the connection is already closed.
async fn read_message(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut expected = None;
    while expected.is_none_or(|expected| message.len() < expected) {
        if from.read_buf(&mut message).await? == 0 {
            return if message.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if expected.is_none()
            && let Some(head) = message.windows(4).position(|end| end == b"\r\n\r\n")
        {
            let text = String::from_utf8_lossy(message.get(..head).unwrap_or_default()).into_owned();
            let length = header(&text, "content-length").map_or(0, |length| length.parse().expect("a length"));
            expected = Some(head + 4 + length);
        }
    }
    Ok(Some(message))
}

fn parse_request(message: &[u8]) -> ProxiedRequest {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let target = header(head, "x-amz-target").and_then(|target| target.split_once('.'));
    ProxiedRequest {
        line: head.lines().next().unwrap_or_default().to_owned(),
        operation: target.map(|(_, operation)| operation.to_owned()),
        service: target.map(|(service, _)| service.to_owned()),
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Sends a TCP reset: without lingering, closing the socket does not send FIN.
fn reset(client: TcpStream) -> io::Result<()> {
    client.set_zero_linger()
}

async fn until_closed(client: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}
