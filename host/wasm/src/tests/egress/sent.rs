//! The URL that was checked is the URL that is sent: what a raw socket receives is compared with
//! what was parsed, for the paths and queries that URL parsers are known to disagree on.

use super::canary::Canary;
use super::{body, get, grant, settings};
use crate::egress::{Egress, Outgoing, Target};

/// Path and query, as a component would write them. From the cases of the web platform tests,
/// `url/resources/urltestdata.json` (BSD-3-Clause), as far as they are about these parts.
const CASES: &str = include_str!("url_cases.txt");

#[tokio::test]
async fn the_url_that_was_checked_is_the_url_that_is_sent() {
    let canary = Canary::start();
    let egress = Egress::new(settings(&[canary.address]));
    let rule = grant(&canary.origin());
    let mut sent = 0;
    let cases = CASES.lines().filter(|line| !line.starts_with('#'));
    for case in cases.map(str::to_owned).chain(made_up(400)) {
        let text = format!("{}{case}", canary.origin());
        let Ok(target) = Target::parse(&text) else { continue };
        let url = target.url();
        let expect = match url.query() {
            Some(query) => format!("GET {}?{query} HTTP/1.1", url.path()),
            None => format!("GET {} HTTP/1.1", url.path()),
        };
        let outgoing = Outgoing { target: target.clone(), ..get(&text) };
        body(&egress, &rule, outgoing, None)
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
        let head = canary.heads().pop().unwrap();
        assert_eq!(head.lines().next(), Some(expect.as_str()), "{text}");
        let host = format!("host: {}", canary.address);
        assert!(head.lines().any(|line| line.eq_ignore_ascii_case(&host)), "{text}: {head}");
        sent += 1;
    }
    assert_eq!(canary.heads().len(), sent);
    assert!(sent > 200, "only {sent} cases were sent");
}

/// Pieces that parsers treat apart, put together by a generator that is the same each time.
fn made_up(count: usize) -> impl Iterator<Item = String> {
    const PIECES: [&str; 24] = [
        "/", "a", "..", ".", "%2e", "%2E%2e", "//", "?", "#", "&", "=", ";", ":", "@", "%25",
        "%20", "é", "%C3%A9", "'", "\"", "<", "|", "{}", "[]",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 24).expect("below 24")
    };
    (0..count).map(move |_| {
        let length = 1 + next() % 8;
        std::iter::once("/").chain((0..length).map(|_| PIECES[next()])).collect()
    })
}
