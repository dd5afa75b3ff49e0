//! Whole turns with `provider-gemini` against a server that somebody else wrote.

use super::{no_orphans, turns};
use crate::support::aimock::Aimock;
use crate::support::hydroid::Home;

fn home(server: &Aimock) -> Home {
    turns::home(server, "provider-gemini", "/v1beta", Some("gemini"))
}

#[test]
fn a_turn_with_parallel_tools() {
    let Some(server) = turns::server() else { return };
    let requests = turns::parallel_tools(&server, &home(&server));
    no_orphans(&requests);
    for request in requests {
        assert!(
            request["path"].as_str().unwrap().ends_with(":streamGenerateContent?alt=sse"),
            "{request}"
        );
        // The server hides the value in its own journal.
        assert_eq!(request["headers"]["x-goog-api-key"], "[REDACTED]");
    }
}

#[test]
fn refusals_are_told_and_nothing_is_lost() {
    let Some(server) = turns::server() else { return };
    turns::refusals(&server, &home(&server));
}

#[test]
fn chaos_ends_each_turn_with_a_sentence() {
    let Some(server) = turns::server() else { return };
    turns::chaos(&server, &home(&server));
}

#[test]
fn an_image_is_sent() {
    let Some(server) = turns::server() else { return };
    turns::image(&server, &home(&server));
}
