//! A stand-in for the X-Ray daemon.

use std::sync::Arc;

use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};

const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";
const END: &[u8] = b"end";

/// Takes X-Ray's datagrams on a loopback port.
#[derive(Debug)]
pub struct XrayDaemon {
    address: String,
    taken: mpsc::UnboundedSender<oneshot::Sender<Vec<Value>>>,
}

impl XrayDaemon {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a loopback port"));
        let address = socket.local_addr().expect("an address").to_string();
        let (taken, requests) = mpsc::unbounded_channel();
        tokio::spawn(receive(socket, requests));
        Self { address, taken }
    }

    /// The value for `AWS_XRAY_DAEMON_ADDRESS`.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// The documents of all spans that were sent before this call, in the order of their arrival: what is inside of
    /// another document as if it had come by itself.
    pub async fn take(&self) -> Vec<Value> {
        let (sender, documents) = oneshot::channel();
        self.taken.send(sender).expect("the daemon is there");
        // Behind everything that was sent before it.
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a loopback port");
        socket.send_to(END, &self.address).await.expect("a datagram");
        documents.await.expect("documents")
    }
}

async fn receive(socket: Arc<UdpSocket>, mut requests: mpsc::UnboundedReceiver<oneshot::Sender<Vec<Value>>>) {
    let mut documents = Vec::new();
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = socket.recv(&mut buffer).await {
        let datagram = buffer.get(..length).expect("within the buffer");
        if datagram == END {
            if let Some(request) = requests.recv().await {
                // The test may have stopped waiting.
                drop(request.send(std::mem::take(&mut documents)));
            }
            continue;
        }
        let document = datagram.strip_prefix(HEADER).expect("the daemon's header");
        unfold(serde_json::from_slice(document).expect("a document"), &mut documents);
    }
}

/// Gives what is inside of a document the trace and the parent that it has there.
fn unfold(document: Value, documents: &mut Vec<Value>) {
    let Value::Object(mut document) = document else { panic!("a document is an object: {document}") };
    let inside = document.remove("subsegments").unwrap_or_default();
    let place = [("trace_id", document.get("trace_id").cloned()), ("parent_id", document.get("id").cloned())];
    documents.push(Value::Object(document));
    for subsegment in inside.as_array().into_iter().flatten() {
        let mut subsegment = subsegment.clone();
        let members = subsegment.as_object_mut().expect("an object");
        members.extend(place.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))));
        members.insert("type".to_owned(), Value::from("subsegment"));
        unfold(subsegment, documents);
    }
}
