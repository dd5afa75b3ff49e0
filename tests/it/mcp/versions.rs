//! Servers over HTTP that speak one revision of the protocol and not another, and when they are
//! asked for what.

use super::web::{Answered, Asked, Service};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const NEWEST: &str = "2026-07-28";

fn unsupported(asked: &Asked, supported: &[&str]) -> Answered {
    let data = json!({ "supported": supported, "requested": asked.header("mcp-protocol-version") });
    asked.error(400, json!({ "code": -32022, "message": "no such version", "data": data }))
}

/// What a server has to say that knows the newest revision only.
fn newest(asked: &Asked) -> Answered {
    let complete = |mut result: Value| {
        result["resultType"] = "complete".into();
        asked.result(result)
    };
    match asked.wants().as_str() {
        "server/discover" => complete(json!({
            "supportedVersions": [NEWEST],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "newest", "version": "1" },
            "ttlMs": 0,
            "cacheScope": "private",
        })),
        "tools/list" => complete(json!({
            "tools": [{ "name": "find", "description": "Finds", "inputSchema": { "type": "object" } }],
            "ttlMs": 0,
            "cacheScope": "private",
        })),
        "tools/call" => {
            complete(json!({ "content": [{ "type": "text", "text": "found: a boat" }] }))
        }
        _ => unsupported(asked, &[NEWEST]),
    }
}

#[test]
fn a_version_that_is_refused_is_tried_again_if_both_speak_it() {
    let refused = AtomicBool::new(false);
    let service = Service::start(move |asked, _| {
        if refused.swap(true, Ordering::SeqCst) {
            newest(asked)
        } else {
            unsupported(asked, &["2025-06-18", NEWEST])
        }
    });
    let home = service.home();
    let driven = home.run(&["debug", "mcp-client", "--sessionless", &service.url()]);
    driven.code(0).says("found: a boat");
    assert_eq!(service.wants(), ["server/discover", "server/discover", "tools/list", "tools/call"]);
    for asked in service.answered() {
        let meta = &asked.message()["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        assert_eq!(
            (asked.header("mcp-protocol-version"), meta.as_str()),
            (Some(NEWEST), Some(NEWEST))
        );
    }
}

#[test]
fn a_server_that_shares_no_version_is_left_and_what_it_speaks_is_said() {
    for supported in [&["2099-01-01"][..], &[]] {
        let service = Service::start(move |asked, _| unsupported(asked, supported));
        let home = service.home();
        let driven = home.run(&["debug", "mcp-client", "--sessionless", &service.url()]).code(1);
        let said = supported.iter().all(|version| driven.stderr.contains(version));
        assert!(said && driven.stderr.contains(NEWEST), "{driven:?}");
        assert_eq!(service.wants(), ["server/discover"]);
    }
    // One that takes back what it said is not asked for ever.
    let service = Service::start(|asked, _| unsupported(asked, &[NEWEST]));
    let home = service.home();
    home.run(&["debug", "mcp-client", "--sessionless", &service.url()]).code(1);
    assert_eq!(service.wants(), ["server/discover", "server/discover"]);
}

#[test]
fn a_server_that_knows_no_handshake_is_added_and_called() {
    let service = Service::start(|asked, _| newest(asked));
    let home = service.home();
    home.run(&["mcp", "add", "docs", &service.url(), "--yes"]).code(0).tells(NEWEST);
    home.run(&["mcp", "test", "docs"]).code(0);
    home.run(&["mcp", "call", "docs", "find"]).code(0).says("found: a boat");
    let asked = home.run(&["ask", "call mcp_docs_find {}", "--allow", "mcp_docs_find"]);
    asked.code(0).says("found: a boat");
    // One that lets anybody look may be signed in to all the same; this one does not say where.
    let login = home.run(&["mcp", "login", "docs"]).code(1);
    assert!(login.stderr.contains("does not say where to sign in"), "{login:?}");
}

#[test]
fn nothing_is_asked_for_before_it_is_known_whether_the_server_can_be_listened_to() {
    let service = Service::start(|asked, _| {
        match asked.wants().as_str() {
        "initialize" => asked
            .result(json!({
                "protocolVersion": "2025-11-25",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "slow", "version": "1" },
            }))
            .with("mcp-session-id", "one"),
        "GET" => {
            // What is called before this would be answered here.
            std::thread::sleep(Duration::from_millis(900));
            Answered::empty(405)
        }
        "tools/list" => asked.result(json!({
            "tools": [{ "name": "find", "description": "Finds", "inputSchema": { "type": "object" } }],
        })),
        "tools/call" => asked.result(json!({ "content": [] })),
        _ => Answered::empty(202),
    }
    });
    let home = service.home();
    home.run(&["debug", "mcp-client", &service.url()]).code(0);
    let wants = service.wants();
    assert_eq!(
        &wants[..5],
        ["initialize", "notifications/initialized", "GET", "tools/list", "tools/call"]
    );
}
