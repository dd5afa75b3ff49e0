//! The emergency stop: what is under way is cut with its connection, and nothing new is sent.

use super::{body, counting_server, get, grant, settings};
use crate::egress::{Egress, EgressError};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Answers with these bytes and no end, and tells when the client has gone.
fn never_ending(bytes: &'static [u8]) -> (SocketAddr, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(bytes);
        while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        let _ = tell.send(());
    });
    (address, told)
}

/// Asks a server that gives this much of an answer, and stops everything meanwhile.
async fn check_cut(bytes: &'static [u8]) {
    let (server, gone) = never_ending(bytes);
    let (tell, told) = watch::channel(false);
    let egress = Egress::new(settings(&[server])).stopped_by(told);
    let url = format!("http://{server}/");
    let grant = grant(&url);
    let asking = body(&egress, &grant, get(&url), None);
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        tell.send(true).unwrap();
        Instant::now()
    };
    let (asked, stopped) = tokio::join!(asking, stopping);
    assert!(matches!(asked, Err(EgressError::Stopped)), "{asked:?}");
    assert!(stopped.elapsed() < Duration::from_millis(250), "{:?}", stopped.elapsed());
    let gone = tokio::task::spawn_blocking(move || gone.recv_timeout(Duration::from_secs(5)));
    gone.await.unwrap().expect("the connection was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_an_answer_is_cut() {
    check_cut(b"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_is_cut() {
    check_cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome of it").await;
}

#[tokio::test]
async fn nothing_is_sent_until_it_is_released() {
    let (server, hits) = counting_server();
    let (tell, told) = watch::channel(true);
    let egress = Egress::new(settings(&[server])).stopped_by(told);
    let url = format!("http://{server}/");
    let error = body(&egress, &grant(&url), get(&url), None).await.unwrap_err();
    assert!(error.to_string().contains("hydroid stop --release"), "{error}");
    assert_eq!(hits.load(Ordering::Relaxed), 0);
    tell.send(false).unwrap();
    body(&egress, &grant(&url), get(&url), None).await.unwrap();
    assert_eq!(hits.load(Ordering::Relaxed), 1);
    // The teller is gone: nothing stops any more, and nothing hangs.
    drop(tell);
    body(&egress, &grant(&url), get(&url), None).await.unwrap();
}
