//! Whole turns with `provider-ollama` against a server that somebody else wrote.

use super::turns;
use crate::support::aimock::Aimock;
use crate::support::hydroid::Home;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

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

/// A server without the model until it was pulled; one request a connection.
fn pulling() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut there = false;
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            let (mut path, mut length) = (String::new(), 0);
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap_or(0) > 2 {
                if path.is_empty() {
                    path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            drop(std::io::copy(&mut reader.take(length), &mut std::io::sink()));
            let (status, body) = match (path.as_str(), there) {
                ("/api/chat", false) => ("404 Not Found", "{\"error\":\"model 'm' not found\"}"),
                ("/api/pull", _) => {
                    there = true;
                    (
                        "200 OK",
                        "{\"status\":\"pulling manifest\"}\n{\"status\":\"pulling a\",\"digest\":\"a\",\"total\":4,\"completed\":4}\n{\"status\":\"success\"}\n",
                    )
                }
                (_, _) => (
                    "200 OK",
                    "{\"message\":{\"role\":\"assistant\",\"content\":\"Here I am.\"},\"done\":false}\n{\"done\":true,\"done_reason\":\"stop\",\"eval_count\":3}\n",
                ),
            };
            let length = body.len();
            drop(write!(
                &stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ));
        }
    });
    address
}

#[test]
fn a_model_that_is_not_there_is_fetched_if_that_is_wanted() {
    let address = pulling();
    let home = Home::new();
    let url = format!("http://{address}");
    home.run(&["provider", "add", "ollama", "--url", &url, "--model", "m"]).code(0);
    home.run(&["ask", "hello"]).code(3).tells("`ollama pull m`").tells("config.pull true");
    home.run(&["config", "set", "components.provider-ollama.config.pull", "true"]).code(0);
    home.run(&["provider", "test"])
        .code(0)
        .tells("m: pulling manifest")
        .says("it works: answered `Here I am.`");
    home.run(&["ask", "hello"]).code(0).says("Here I am.");
}

/// Fetching may take many minutes; a person who asks sees how far it is, and so does a program.
#[test]
fn how_far_a_model_is_fetched_is_shown_while_one_waits() {
    for (json, expected) in [(false, "m: pulling manifest"), (true, "\"type\":\"progress\"")] {
        let url = format!("http://{}", pulling());
        let home = Home::new();
        home.run(&["provider", "add", "ollama", "--url", &url, "--model", "m"]).code(0);
        home.run(&["config", "set", "components.provider-ollama.config.pull", "true"]).code(0);
        if json {
            home.run(&["ask", "--json", "hello"]).code(0).says(expected).says("completed");
        } else {
            home.run(&["ask", "hello"]).code(0).tells(expected).says("Here I am.");
        }
        let session = home.run(&["session", "list", "--json"]).code(0).json_lines();
        let id = session[0][0]["id"].as_str().unwrap().to_owned();
        let kept = home.run(&["session", "export", &id]).code(0).stdout;
        assert!(!kept.contains("pulling manifest"), "it is transient: {kept}");
    }
}
