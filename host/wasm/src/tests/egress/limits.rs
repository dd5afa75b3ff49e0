//! How much and how often: heads, requests at once, and the counts of a minute and an hour.

use super::canary::Canary;
use super::{body, get, grant, settings};
use crate::egress::{Counter, Egress, EgressError, EgressSettings};
use futures_util::future::{BoxFuture, ready};
use hydroid_core::config::{self, Seconds, Size};
use hydroid_core::id::ComponentId;
use hydroid_core::ports::{
    Clock, FullWindow, RequestBudget, RequestWindow, Sent, StoreError, full_window,
};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Answers every connection with the same bytes.
fn answering(bytes: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&bytes);
        }
    });
    address
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_with_the_key() {
    let limits = config::Egress {
        max_response_headers: Size(8 << 10),
        max_response_header_lines: 10,
        ..config::Egress::default()
    };
    let ask = async |lines: String| {
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{lines}\r\n");
        let server = answering(head.into_bytes());
        let egress = Egress::new(EgressSettings { limits: limits.clone(), ..settings(&[server]) });
        let url = format!("http://{server}");
        body(&egress, &grant(&url), get(&url), None).await
    };
    assert_eq!(ask("X-Few: 1\r\n".repeat(9)).await.unwrap(), "");
    for lines in ["X-Many: 1\r\n".repeat(11), format!("X-Long: {}\r\n", "x".repeat(9 << 10))] {
        let error = ask(lines).await.unwrap_err();
        assert!(
            matches!(&error, EgressError::TooLarge(text) if text.contains("egress.max_response_header")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_guests_head_is_limited_in_lines_and_bytes() {
    let limits = config::Egress {
        max_request_headers: Size(100),
        max_request_header_lines: 3,
        ..config::Egress::default()
    };
    let canary = Canary::start();
    let egress = Egress::new(EgressSettings { limits, ..settings(&[canary.address]) });
    let ask = async |lines: usize, value: usize| {
        let mut outgoing = get(&canary.origin());
        for _ in 0..lines {
            outgoing.headers.append("x-h", "x".repeat(value).parse().unwrap());
        }
        body(&egress, &grant(&canary.origin()), outgoing, None).await.map_err(|e| e.to_string())
    };
    assert_eq!(ask(3, 10).await.as_deref(), Ok("ok"));
    assert!(ask(4, 1).await.unwrap_err().contains("`egress.max_request_header_lines` (3)"));
    assert!(ask(1, 101).await.unwrap_err().contains("`egress.max_request_headers` (100B)"));
    assert_eq!(ask(1, 97).await.as_deref(), Ok("ok"), "name and value together");
    assert_eq!(canary.heads().len(), 2);
}

/// One component that keeps its answers open does not take the room of another.
#[tokio::test]
async fn requests_at_once_are_limited_for_each_component_and_for_all() {
    let limits = config::Egress {
        max_concurrent: 3,
        max_concurrent_per_component: 2,
        first_byte: Seconds(1),
        ..config::Egress::default()
    };
    let canary = Canary::start();
    let egress = Egress::new(EgressSettings { limits, ..settings(&[canary.address]) });
    let rule = grant(&canary.origin());
    let send = async |component: &str| {
        egress.send(&ComponentId::new(component), &rule, get(&canary.origin()), None).await
    };
    let busy = |error: EgressError, wanted: &str| {
        assert!(matches!(&error, EgressError::Busy { key, .. } if *key == wanted), "{error}");
    };
    let first = send("a").await.unwrap();
    let _second = send("a").await.unwrap();
    busy(send("a").await.unwrap_err(), "egress.max_concurrent_per_component");
    let _third = send("b").await.unwrap();
    busy(send("b").await.unwrap_err(), "egress.max_concurrent");
    drop(first);
    assert!(send("a").await.is_ok());
    assert_eq!(canary.heads().len(), 4);
}

#[derive(Default)]
struct Counts {
    sent: Mutex<Vec<(ComponentId, Sent)>>,
    seconds: AtomicU64,
    broken: Mutex<bool>,
}

impl RequestBudget for Counts {
    fn take<'a>(
        &'a self,
        component: &'a ComponentId,
        windows: &'a [RequestWindow],
        second: u64,
    ) -> BoxFuture<'a, Result<Option<FullWindow>, StoreError>> {
        if *self.broken.lock().unwrap() {
            let source = "the disk is full".into();
            let problem = StoreError::Database { doing: "count a request", source };
            return Box::pin(ready(Err(problem)));
        }
        let mut sent = self.sent.lock().unwrap();
        let own: Vec<Sent> =
            sent.iter().filter(|(who, _)| who == component).map(|(_, sent)| *sent).collect();
        let full = full_window(&own, windows, second);
        if full.is_none() {
            sent.push((component.clone(), Sent { second, count: 1 }));
        }
        Box::pin(ready(Ok(full)))
    }
}

impl Clock for Counts {
    fn now_ms(&self) -> u64 {
        self.seconds.load(Ordering::Relaxed) * 1000
    }
}

#[tokio::test]
async fn a_full_window_is_named_with_the_time_it_is_free_again() {
    let counts = Arc::new(Counts::default());
    let counter = Counter { budget: counts.clone(), clock: counts.clone() };
    let limits = config::Egress {
        max_requests_per_minute: 2,
        max_requests_per_hour: 3,
        ..config::Egress::default()
    };
    let canary = Canary::start();
    let egress = Egress::new(EgressSettings {
        counter: Some(counter),
        limits,
        ..settings(&[canary.address])
    });
    let rule = grant(&canary.origin());
    let at = async |second: u64, component: &str| {
        counts.seconds.store(second, Ordering::Relaxed);
        let component = ComponentId::new(component);
        let sent = egress.send(&component, &rule, get(&canary.origin()), None).await;
        sent.map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(at(1000, "a").await, Ok(()));
    assert_eq!(at(1001, "a").await, Ok(()));
    assert_eq!(
        at(1010, "a").await.unwrap_err(),
        "`a` has sent 2 requests within a minute, the most; the next may go in 50 s, or a person can raise `egress.max_requests_per_minute`"
    );
    assert_eq!(at(1010, "b").await, Ok(()));
    assert_eq!(at(1060, "a").await, Ok(()));
    assert!(
        at(1200, "a")
            .await
            .unwrap_err()
            .contains("in 3400 s, or a person can raise `egress.max_requests_per_hour`")
    );
    // What no grant covers is not counted, and what cannot be counted is not sent.
    let other = get("http://other.example/");
    assert!(egress.send(&ComponentId::new("c"), &rule, other, None).await.is_err());
    assert!(counts.sent.lock().unwrap().iter().all(|(who, _)| who.as_str() != "c"));
    *counts.broken.lock().unwrap() = true;
    assert!(at(9000, "a").await.unwrap_err().contains("cannot be counted"));
    assert_eq!(canary.heads().len(), 4);
}
