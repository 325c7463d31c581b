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
    Document { datagram: vec![b'x'; bytes], spans: 1 }
}

fn documents(count: usize, bytes: usize) -> Vec<Document> {
    (0..count).map(|_| of(bytes)).collect()
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
    xray(&address).send(documents(512, 1024), BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 512);
    assert_eq!(account.counts(), exported(512));
}

#[tokio::test]
async fn small_and_largest_documents_are_paced_alike() {
    let (address, reading) = receiver(310);
    let account = Account::default();
    let xray = xray(&address);
    xray.send(documents(300, 200), BUDGET, &account).await;
    xray.send(documents(10, 64_000), BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 310);
    assert_eq!(account.counts(), exported(310));
}

#[tokio::test]
async fn failed_document_does_not_affect_others() {
    let (address, reading) = receiver(2);
    let account = Account::default();
    let all = vec![of(100), of(70_000), of(100)];
    xray(&address).send(all, BUDGET, &account).await;
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
    xray.send(documents(5, 100), BUDGET, &account).await;
    let counts = account.counts();
    assert_eq!(counts.exported + counts.dropped.total(), 5);
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    xray.send(documents(1, 100), BUDGET, &account).await;
    assert_eq!(socket.recv(&mut [0; 200]).unwrap(), 100);
    assert_eq!(account.counts().exported + account.counts().dropped.total(), 6);
}

#[tokio::test]
async fn host_name_is_resolved() {
    let (address, reading) = receiver(3);
    let (_, port) = address.rsplit_once(':').unwrap();
    let account = Account::default();
    xray(&format!("localhost:{port}")).send(documents(3, 100), BUDGET, &account).await;
    assert_eq!(reading.join().unwrap(), 3);
    assert_eq!(account.counts(), exported(3));
}

#[tokio::test]
async fn unresolved_address_drops_every_document() {
    let account = Account::default();
    let xray = xray("no.such.host.invalid:2000");
    for _ in 0..2 {
        xray.send(documents(2, 100), BUDGET, &account).await;
    }
    assert_eq!(account.counts(), dropped(4));
}

#[tokio::test]
async fn documents_beyond_the_budget_are_dropped() {
    let (address, reading) = receiver(1);
    let account = Account::default();
    xray(&address).send(documents(5000, 1024), Duration::from_millis(20), &account).await;
    let counts = account.counts();
    assert_eq!(counts.exported + counts.dropped.total(), 5000);
    assert!(counts.exported > 0 && counts.dropped.total() > 0);
    reading.join().unwrap();
}

#[tokio::test]
async fn cancelled_documents_are_dropped() {
    let (address, reading) = receiver(1);
    let account = Account::default();
    let xray = xray(&address);
    let sending = xray.send(documents(5000, 1024), BUDGET, &account);
    tokio::time::timeout(Duration::from_millis(20), sending).await.unwrap_err();
    let counts = account.counts();
    assert_eq!(counts.exported + counts.dropped.total(), 5000);
    reading.join().unwrap();
}

#[test]
fn thread_without_a_runtime_can_send() {
    let (address, reading) = receiver(200);
    let daemon = xray(&address).blocking_daemon();
    daemon.connect();
    assert_eq!(thread::spawn(move || daemon.send(&documents(200, 1024))).join().unwrap(), 200);
    assert_eq!(reading.join().unwrap(), 200);
}

#[test]
fn thread_without_a_daemon_reports_it() {
    assert_eq!(xray("no.such.host.invalid:2000").blocking_daemon().send(&documents(2, 100)), 0);
}
