//! A proxy in front of a service of AWS, which fails as a test says.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::within;

/// A request on its way to the service.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path, as in the request's first line.
    pub line: String,
    /// What follows the dot of `X-Amz-Target`.
    pub operation: Option<String>,
    /// The service, as it is named before the dot.
    pub service: Option<String>,
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It goes on, and its answer back.
    None,
    /// The same, later.
    Delay(Duration),
    /// The connection is reset, and the service never hears of it.
    Reset,
    /// It is taken and never answered, and the service never hears of it.
    Silence,
    /// The proxy itself answers, in JSON.
    Answer(u16, String),
    /// It goes on, and of its answer the head comes back and some of the body, never the rest.
    SlowBody,
    /// It goes on, and its answer is lost: the connection is reset.
    LoseAnswer,
    /// As silence; and [`FaultProxy::reached`] says so.
    StopBefore,
    /// It goes on, and its answer is held back for ever; and [`FaultProxy::reached`] says so.
    StopAfter,
}

type Plan = Box<dyn Fn(&Request) -> Fault + Send + Sync>;

/// Takes HTTP/1.1 requests whose bodies say their length, as the AWS SDK's do.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stops: watch::Receiver<u64>,
}

struct Shared {
    upstream: SocketAddr,
    plan: Mutex<Arc<Plan>>,
    stopped: watch::Sender<u64>,
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("address", &self.address).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Stands before `upstream`, and does to each request what `plan` says.
    pub async fn start(upstream: SocketAddr, plan: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
        let address = listener.local_addr().expect("an address");
        let (stopped, stops) = watch::channel(0);
        let shared = Arc::new(Shared { upstream, plan: Mutex::new(Arc::new(Box::new(plan))), stopped });
        let served = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = served.clone();
                // A client that goes away ends its own connection alone.
                tokio::spawn(async move { shared.serve(client).await.ok() });
            }
        });
        Self { address, shared, stops }
    }

    /// Where clients find it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From the next request on.
    pub fn obey(&self, plan: impl Fn(&Request) -> Fault + Send + Sync + 'static) {
        *self.shared.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(Box::new(plan));
    }

    /// Waits until a request has been stopped that was not waited for before.
    pub async fn reached(&mut self) {
        within(self.stops.changed()).await.expect("the proxy is there");
    }
}

impl Shared {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        while let Some(message) = read_message(&mut client).await? {
            let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match plan(&to_request(&message)) {
                Fault::None => client.write_all(&self.forward(&message).await?).await?,
                Fault::Delay(time) => {
                    tokio::time::sleep(time).await;
                    client.write_all(&self.forward(&message).await?).await?;
                }
                Fault::Reset => return reset(client),
                Fault::Silence => return until_closed(&mut client).await,
                Fault::Answer(status, body) => {
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n");
                    let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
                    client.write_all(answer.as_bytes()).await?;
                }
                Fault::SlowBody => {
                    let answer = self.forward(&message).await?;
                    let some = answer.len().saturating_sub(1);
                    client.write_all(answer.get(..some).unwrap_or_default()).await?;
                    return until_closed(&mut client).await;
                }
                Fault::LoseAnswer => {
                    self.forward(&message).await?;
                    return reset(client);
                }
                Fault::StopBefore => {
                    self.stopped.send_modify(|stops| *stops += 1);
                    return until_closed(&mut client).await;
                }
                Fault::StopAfter => {
                    self.forward(&message).await?;
                    self.stopped.send_modify(|stops| *stops += 1);
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

/// Head and body; nothing where the connection has ended before.
async fn read_message(from: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut whole = None;
    while whole.is_none_or(|whole| message.len() < whole) {
        if from.read_buf(&mut message).await? == 0 {
            return if message.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
        if whole.is_none()
            && let Some(head) = message.windows(4).position(|end| end == b"\r\n\r\n")
        {
            let text = String::from_utf8_lossy(message.get(..head).unwrap_or_default()).into_owned();
            let length = header(&text, "content-length").map_or(0, |length| length.parse().expect("a length"));
            whole = Some(head + 4 + length);
        }
    }
    Ok(Some(message))
}

fn to_request(message: &[u8]) -> Request {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let target = header(head, "x-amz-target").and_then(|target| target.split_once('.'));
    Request {
        line: head.lines().next().unwrap_or_default().to_owned(),
        operation: target.map(|(_, operation)| operation.to_owned()),
        service: target.map(|(service, _)| service.to_owned()),
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Closed at once, without the end that a peer takes for one.
fn reset(client: TcpStream) -> io::Result<()> {
    client.set_zero_linger()
}

async fn until_closed(client: &mut TcpStream) -> io::Result<()> {
    let mut ignored = [0; 1024];
    while client.read(&mut ignored).await? > 0 {}
    Ok(())
}
