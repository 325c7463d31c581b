//! A UDP receiver, in place of the X-Ray daemon.

use std::net::UdpSocket;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;

const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";
/// Marks the end of the datagrams that one call of [`XrayDaemon::take`] returns.
const END: &[u8] = b"end";
/// How long to wait before sending the mark again.
const RESPONSE: Duration = Duration::from_millis(500);

/// Receives X-Ray segment documents on a loopback UDP port, on a separate thread, as the daemon is a separate process.
#[derive(Debug)]
pub struct XrayDaemon {
    address: String,
    takers: mpsc::Sender<oneshot::Sender<Vec<Vec<u8>>>>,
}

impl XrayDaemon {
    /// Starts a receiver on a free port.
    #[expect(clippy::unused_async, reason = "all stand-ins start alike")]
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        let address = socket.local_addr().expect("an address").to_string();
        let (takers, requests) = mpsc::channel();
        thread::spawn(move || receive(&socket, &requests));
        Self { address, takers }
    }

    /// Returns the value for `AWS_XRAY_DAEMON_ADDRESS`.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Removes and returns all documents that were sent before this call, in order of arrival.
    ///
    /// Nested subsegments are returned as separate documents, with the `trace_id` and `parent_id` of their parent.
    pub async fn take(&self) -> Vec<Value> {
        let (sender, mut datagrams) = oneshot::channel();
        self.takers.send(sender).expect("the receiver is running");
        // The kernel drops the mark if the buffer is full.
        let datagrams = loop {
            self.end();
            if let Ok(datagrams) = timeout(RESPONSE, &mut datagrams).await {
                break datagrams.expect("datagrams");
            }
        };
        let mut documents = Vec::new();
        for datagram in datagrams {
            let document = datagram.strip_prefix(HEADER).expect("the daemon's header");
            flatten(serde_json::from_slice(document).expect("a document"), &mut documents);
        }
        documents
    }

    /// Loopback datagrams keep their order: this one arrives after all earlier ones.
    fn end(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        socket.send_to(END, &self.address).expect("a datagram");
    }
}

/// Ends the thread.
impl Drop for XrayDaemon {
    fn drop(&mut self) {
        self.takers = mpsc::channel().0;
        self.end();
    }
}

fn receive(socket: &UdpSocket, requests: &mpsc::Receiver<oneshot::Sender<Vec<Vec<u8>>>>) {
    let mut datagrams = Vec::new();
    let mut buffer = vec![0; 65_536];
    while let Ok(length) = socket.recv(&mut buffer) {
        let datagram = buffer.get(..length).expect("within the buffer");
        if datagram != END {
            datagrams.push(datagram.to_vec());
            continue;
        }
        match requests.try_recv() {
            // The test may have stopped waiting.
            Ok(request) => drop(request.send(std::mem::take(&mut datagrams))),
            // The mark was sent twice.
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return,
        }
    }
}

/// Adds the document and its nested subsegments, each with its trace and parent id.
fn flatten(document: Value, documents: &mut Vec<Value>) {
    if let Value::Array(array) = document {
        return array.into_iter().for_each(|document| flatten(document, documents));
    }
    let Value::Object(mut document) = document else { panic!("a document is an object or an array: {document}") };
    let nested = document.remove("subsegments").unwrap_or_default();
    let ids = [("trace_id", document.get("trace_id").cloned()), ("parent_id", document.get("id").cloned())];
    documents.push(Value::Object(document));
    for subsegment in nested.as_array().into_iter().flatten() {
        let mut subsegment = subsegment.clone();
        let members = subsegment.as_object_mut().expect("an object");
        members.extend(ids.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))));
        members.insert("type".to_owned(), Value::from("subsegment"));
        flatten(subsegment, documents);
    }
}
