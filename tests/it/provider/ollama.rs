//! Whole turns with `provider-ollama` against a server that somebody else wrote.

use super::turns;
use crate::support::aimock::Aimock;
use crate::support::hydroid::Home;

fn home(server: &Aimock) -> Home {
    turns::home(server, "provider-ollama", "", None)
}

#[test]
fn a_turn_with_parallel_tools() {
    let Some(server) = turns::server() else { return };
    for request in turns::parallel_tools(&server, &home(&server)) {
        assert_eq!(request["path"], "/api/chat");
        assert!(request["headers"]["authorization"].is_null(), "{request}");
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

#[test]
fn a_model_that_is_not_there_has_a_remedy() {
    // A server that knows no such address says the same.
    let Some(server) = turns::server() else { return };
    let home = turns::home(&server, "provider-ollama", "/elsewhere", None);
    home.run(&["ask", "hello"]).code(3).tells("`ollama pull gpt-test`");
}
