//! Servers that lie, shout, hang and end: a person and a model read a sentence, and the session
//! goes on.

use super::using::Scripted;
use std::time::{Duration, Instant};

/// A server that says a line to each request, and nothing else.
fn saying(answer: &str) -> String {
    format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\nwhile IFS= read -r line; do\n  id=$(printf '%s' \"$line\" | sed -n 's/.*\"id\":\\([0-9][0-9]*\\).*/\\1/p')\n  {answer}\ndone\n"
    )
}

fn tools(listed: &str) -> String {
    format!("[{listed}]")
}

fn tool(name: &str) -> String {
    format!(r#"{{"name":"{name}","description":"d","inputSchema":{{"type":"object"}}}}"#)
}

#[test]
fn what_cannot_be_offered_is_refused_when_it_is_added() {
    let many: Vec<String> = (0..10_000).map(|number| tool(&format!("t{number}"))).collect();
    let long = tool("long").replace("\"d\"", &format!("\"{}\"", "x".repeat(5_000)));
    for (listed, says) in [
        (many.join(","), "10000 tools"),
        (format!("{},{}", tool("a-b"), tool("a_b")), "same name"),
        (tool("resource_read"), "same name"),
        (tool("\u{202e}\u{200b}"), "without a letter"),
        (long, "description that is too long"),
    ] {
        let server = Scripted::new(&tools(&listed), "{}");
        server.add(&[]).code(1).tells(says);
        server.home.run(&["mcp", "show", "boats"]).code(2);
    }
    // Of thousands some can be chosen.
    let server = Scripted::new(&tools(&many.join(",")), "{}");
    server.add(&["--tool", "t7", "--tool", "t8"]).code(0);
    server.home.run(&["mcp", "show", "boats"]).code(0).says("mcp_boats_t8");
    server.home.run(&["mcp", "test", "boats"]).code(0);
}

#[test]
fn whatever_a_server_sends_is_a_sentence() {
    let lines = [
        "printf 'nonsense\\n'",
        "printf '\\377\\376\\000\\n'",
        "printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\\n' \"$id\"",
        "printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-1,\"message\":\"no\"}}\\n' \"$id\"",
        "printf '{\"jsonrpc\":\"2.0\",\"id\":\"other\",\"result\":[]}\\n'",
        "exit 3",
        "head -c 40000000 /dev/zero | tr '\\000' x; printf '\\n'; exit 0",
    ];
    std::thread::scope(|scope| {
        for line in lines {
            scope.spawn(move || {
                let server = Scripted::running(&saying(line), "[]", "{}");
                server.home.write("config.toml", "[limits]\ncall = \"5s\"\n");
                let begun = Instant::now();
                let ran = server.add(&[]).code(1);
                assert!(
                    ran.stderr.contains("error: ") && !ran.stderr.contains("panicked"),
                    "{line}: {ran:?}"
                );
                assert!(begun.elapsed() < Duration::from_secs(60), "{line}");
            });
        }
    });
}

#[test]
fn whatever_comes_of_a_call_the_session_goes_on() {
    let listed = r#"{"name":"look_up","description":"d","inputSchema":{"type":"object"}}"#;
    let huge = format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, "x".repeat(5_000_000));
    for (result, says) in [
        (r#"{"content":[]}"#.to_owned(), ""),
        (
            r#"{"content":[{"type":"image","data":"no base64!","mimeType":"image/png"}]}"#
                .to_owned(),
            "not base64",
        ),
        (r#"{"content":[{"type":"hologram"}]}"#.to_owned(), ""),
        (r#"{"nothing":"of it"}"#.to_owned(), ""),
        (
            r#"{"isError":true,"content":[{"type":"text","text":"it failed"}]}"#.to_owned(),
            "it failed",
        ),
        (
            r#"{"content":[{"type":"text","text":"ghp_0123456789abcdefghijABCDEFGHIJ012345"}]}"#
                .to_owned(),
            "",
        ),
        (huge, "limits.output"),
    ] {
        let server = Scripted::new(&tools(listed), &result);
        server.add(&[]).code(0);
        let ran = server.asked();
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        assert!(
            ran.stdout.contains(says),
            "`{says}` of {}: {ran:?}",
            &result[..result.len().min(80)]
        );
        assert!(!ran.stdout.contains("ghp_0123456789"), "{ran:?}");
        assert!(matches!(ran.code, Some(0 | 1 | 6)), "{ran:?}");
    }
}

#[test]
fn a_server_that_never_answers_a_call_is_left() {
    let listed = r#"{"name":"look_up","description":"d","inputSchema":{"type":"object"}}"#;
    let server = Scripted::new(&tools(listed), "{}");
    server.add(&[]).code(0);
    std::fs::remove_file(server.home.path("server/result")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(server.home.path("server/result")).status();
    assert!(made.unwrap().success());
    server.home.run(&["config", "set", "limits.call", "2s"]).code(0);
    let begun = Instant::now();
    let ran = server.asked();
    assert!(ran.stdout.contains("did not answer within 2 s"), "{ran:?}");
    assert!(begun.elapsed() < Duration::from_secs(40));
}

#[test]
fn a_schema_that_is_none_is_not_called() {
    let listed = r##"{"name":"look_up","description":"d","inputSchema":{"type":"object","properties":{"text":{"$ref":"https://elsewhere.example/schema"}}}}"##;
    let server = Scripted::new(&tools(listed), "{}");
    server.add(&[]).code(0);
    let ran = server.asked();
    assert!(ran.stdout.contains("no JSON Schema"), "{ran:?}");
}
