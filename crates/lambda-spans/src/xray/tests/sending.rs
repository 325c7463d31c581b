use std::net::UdpSocket;
use std::thread::{self, JoinHandle};

use super::*;
use crate::xray::document::Document;
use crate::{Counts, Dropped};

const BUDGET: Duration = Duration::from_secs(10);

/// Reads `count` datagrams, or those that arrive within two seconds of each other.
fn receiver(expected: usize) -> (String, JoinHandle<usize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let reading = thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        (0..expected).take_while(|_| socket.recv(&mut buffer).is_ok()).count()
    });
    (address, reading)
}

fn of(bytes: usize) -> Document {
    Document { datagram: vec![b'x'; bytes], spans: 1, is_first: false }
}

fn documents(count: usize, bytes: usize) -> Vec<Document> {
    (0..count).map(|_| of(bytes)).collect()
}

async fn send(xray: &Xray, documents: Vec<Document>, limit: Duration, account: &Account) {
    account.entered(documents.len());
    xray.enqueue(documents, account);
    xray.send(limit, account).await;
}

fn exported(exported: u64) -> Counts {
    Counts { exported, ..Counts::default() }
}

fn dropped(unsent: u64) -> Counts {
    Counts { dropped: Dropped { unsent, ..Dropped::default() }, ..Counts::default() }
}

#[tokio::test]
async fn burst_of_several_hundred_documents_loses_none() {
    let (address, reading) = receiver(512);
    let account = Account::default();
    send(&xray(&address), documents(512, 1024), BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 512);
    assert_eq!(account.counts(), exported(512));
}

#[tokio::test]
async fn small_and_largest_documents_are_paced_alike() {
    let (address, reading) = receiver(310);
    let account = Account::default();
    let xray = xray(&address);
    send(&xray, documents(300, 200), BUDGET, &account).await;
    send(&xray, documents(10, 64_000), BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 310);
    assert_eq!(account.counts(), exported(310));
}

#[tokio::test]
async fn failed_document_does_not_affect_others() {
    let (address, reading) = receiver(2);
    let account = Account::default();
    let all = vec![of(100), of(70_000), of(100)];
    send(&xray(&address), all, BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 2);
    assert_eq!(account.counts(), Counts { exported: 2, ..dropped(1) });
}

#[tokio::test]
async fn daemon_that_starts_later_is_found() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let account = Account::default();
    let xray = xray(&address.to_string());
    send(&xray, documents(5, 100), BUDGET, &account).await;
    let counts = account.counts();
    assert_eq!((counts.exported + counts.dropped.total(), counts.carried), (5, 0));
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    send(&xray, documents(1, 100), BUDGET, &account).await;
    assert_eq!(socket.recv(&mut [0; 200]).unwrap(), 100);
    assert_eq!(account.counts().exported + account.counts().dropped.total(), 6);
}

#[tokio::test]
async fn host_name_is_resolved() {
    let (address, reading) = receiver(3);
    let (_, port) = address.rsplit_once(':').unwrap();
    let account = Account::default();
    send(&xray(&format!("localhost:{port}")), documents(3, 100), BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 3);
    assert_eq!(account.counts(), exported(3));
}

#[tokio::test]
async fn unresolved_address_drops_every_document() {
    let account = Account::default();
    let xray = xray("no.such.host.invalid:2000");
    for _ in 0..2 {
        send(&xray, documents(2, 100), BUDGET, &account).await;
    }
    assert_eq!(account.counts(), dropped(4));
}

#[tokio::test]
async fn documents_beyond_the_budget_are_carried() {
    let (address, reading) = receiver(900);
    let account = Account::default();
    let xray = xray(&address);
    send(&xray, documents(900, 1024), Duration::from_millis(20), &account).await;
    let counts = account.counts();
    assert!(counts.exported > 0 && counts.carried > 0 && xray.has_carried());
    assert_eq!(counts, Counts { exported: counts.exported, carried: 900 - counts.exported, ..Counts::default() });
    xray.send(BUDGET, &account).await;
    assert_eq!(account.counts(), exported(900));
    assert_eq!(reading.join().unwrap(), 900);
    assert!(!xray.has_carried());
}

#[tokio::test]
async fn documents_of_a_cancelled_export_are_carried() {
    let (address, reading) = receiver(900);
    let account = Account::default();
    let xray = xray(&address);
    let sending = send(&xray, documents(900, 1024), BUDGET, &account);
    tokio::time::timeout(Duration::from_millis(20), sending).await.unwrap_err();
    xray.send(BUDGET, &account).await;
    assert_eq!(account.counts(), exported(900));
    assert_eq!(reading.join().unwrap(), 900);
}

#[tokio::test]
async fn carried_documents_are_bounded() {
    let (address, reading) = receiver(1);
    let account = Account::default();
    send(&xray(&address), documents(5000, 1024), Duration::ZERO, &account).await;
    let counts = account.counts();
    assert_eq!(counts.exported + counts.carried, 1024);
    assert_eq!(counts.dropped, Dropped { overflowed: 5000 - 1024, ..Dropped::default() });
    reading.join().unwrap();
}

#[tokio::test]
async fn document_in_progress_is_never_carried() {
    let (address, reading) = receiver(1);
    let account = Account::default();
    let xray = xray(&address);
    let in_progress = |_| Document { spans: 0, is_first: true, ..of(64_000) };
    xray.enqueue((0..10).map(in_progress).collect(), &account);
    xray.send(Duration::ZERO, &account).await;
    assert!(!xray.has_carried());
    assert_eq!(account.counts(), Counts::default());
    reading.join().unwrap();
}

#[test]
fn thread_without_a_runtime_can_send() {
    let (address, reading) = receiver(200);
    let account = Account::default();
    account.entered(200);
    let xray = xray(&address);
    thread::scope(|scope| scope.spawn(|| xray.send_from_thread(documents(200, 1024), BUDGET, &account)).join())
        .unwrap();
    assert_eq!(reading.join().unwrap(), 200);
    assert_eq!(account.counts(), exported(200));
}

#[test]
fn thread_without_enough_time_leaves_documents() {
    let (address, reading) = receiver(1);
    let account = Account::default();
    account.entered(900);
    let xray = xray(&address);
    xray.send_from_thread(documents(900, 1024), Duration::from_millis(20), &account);
    let counts = account.counts();
    assert!(counts.exported > 0 && counts.carried > 0 && xray.has_carried());
    reading.join().unwrap();
}

#[test]
fn thread_without_a_daemon_drops_documents() {
    let account = Account::default();
    account.entered(2);
    xray("no.such.host.invalid:2000").send_from_thread(documents(2, 100), BUDGET, &account);
    assert_eq!(account.counts(), dropped(2));
}
