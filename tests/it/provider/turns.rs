//! Turns that every provider must be able to run, against a server that speaks its format.
//!
//! The server's journal has each request in one common form, whatever it came in.

use super::{KEY, clean, messages};
use crate::support::aimock::Aimock;
use crate::support::hydroid::Home;
use serde_json::{Value, json};

/// A server that answers what these turns say.
pub(super) fn server() -> Option<Aimock> {
    Aimock::start(&json!({ "fixtures": [
        { "match": { "userMessage": "read both notes", "hasToolResult": false },
          "response": { "content": "I will look.", "reasoning": "Two files.", "toolCalls": [
              { "id": "call_a", "name": "file_read", "arguments": { "path": "/shared/a.md" } },
              { "id": "call_b", "name": "file_read", "arguments": { "path": "/shared/b.md" } } ] } },
        { "match": { "userMessage": "read both notes", "hasToolResult": true },
          "response": { "content": "Both notes were read." } },
        { "match": { "userMessage": "and now" }, "response": { "content": "Nothing more." } },
        { "match": { "userMessage": "hello" }, "response": { "content": "Hello from the server." } },
        { "match": { "userMessage": "what is this" }, "response": { "content": "A picture." } },
        { "match": { "userMessage": "too fast" },
          "response": { "error": { "message": "Slow down please.", "type": "rate_limit_error", "code": "rate_limit_exceeded" }, "status": 429 } },
        { "match": { "userMessage": "who am i" },
          "response": { "error": { "message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key" }, "status": 401 } },
        { "match": { "userMessage": "break down" },
          "response": { "error": { "message": "Out of order.", "type": "server_error" }, "status": 500 } },
    ] }))
}

/// A home in which `component` asks the server, at this path of it, with or without a key.
pub(super) fn home(server: &Aimock, component: &str, path: &str, secret: Option<&str>) -> Home {
    let address = server.address();
    let key = secret.map_or_else(String::new, |secret| {
        format!("[secrets.{secret}]\nfile = \"key.txt\"\nhosts = [\"http://{address}\"]\n")
    });
    let home = Home::with_config(&format!(
        "[model]\nprovider = \"{component}\"\nname = \"gpt-test\"\n\
         [egress]\nallow_private = [\"{address}\"]\n{key}\
         [components.{component}.config]\nbase_url = \"http://{address}{path}\"\n"
    ));
    home.write("key.txt", KEY);
    let host = format!("http://{address}");
    home.run(&["component", "grant", component, "web", "--host", &host]).code(0);
    home
}

/// Two calls at once, their results, and a further turn of the same session.
pub(super) fn parallel_tools(server: &Aimock, home: &Home) -> Vec<Value> {
    home.write("users/local/workspace/shared/a.md", "alpha");
    home.write("users/local/workspace/shared/b.md", "beta");
    let ran = clean(home.run(&["ask", "--json", "read both notes"]).code(0));
    let session = ran.json_lines()[0]["session"].as_str().unwrap().to_owned();
    let said: String = ran
        .json_lines()
        .iter()
        .filter_map(|line| line["entry"]["text"].as_str().map(str::to_owned))
        .collect();
    assert!(said.ends_with("Both notes were read."), "{said}");
    clean(home.run(&["ask", "--session", &session, "and now"]).code(0)).says("Nothing more.");
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "{requests:#?}");
    requests.iter().for_each(each_call_has_a_result);
    let results: Vec<String> = messages(&requests[1])
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].to_string())
        .collect();
    assert!(
        results.len() == 2 && results[0].contains("alpha") && results[1].contains("beta"),
        "{results:?}"
    );
    for request in &requests {
        assert_eq!(request["body"]["stream"], true);
        let directory = home.path("");
        assert!(
            !request["body"].to_string().contains(directory.to_str().unwrap()),
            "a host path reached the model: {request}"
        );
    }
    requests
}

/// What the server says in a refusal is told, and the session goes on.
pub(super) fn refusals(server: &Aimock, home: &Home) {
    clean(home.run(&["ask", "too fast"]).code(3)).tells("Slow down please");
    clean(home.run(&["ask", "who am i"]).code(3)).tells("Incorrect API key");
    clean(home.run(&["ask", "break down"]).code(3)).tells("Out of order");
    let sessions = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let newest = sessions[0][0]["id"].as_str().unwrap().to_owned();
    clean(home.run(&["ask", "--session", &newest, "hello"]).code(0)).says("Hello from the server.");
    server.requests().iter().for_each(each_call_has_a_result);
}

/// Not every format has identifiers, and some have a message for each call.
fn each_call_has_a_result(request: &Value) {
    let calls = messages(request).iter().filter_map(|message| message["tool_calls"].as_array());
    let calls: usize = calls.map(Vec::len).sum();
    let results = messages(request).iter().filter(|message| message["role"] == "tool").count();
    assert_eq!(calls, results, "{request}");
}

/// A server that drops, garbles or breaks off ends the turn with a sentence, and the next one works.
pub(super) fn chaos(server: &Aimock, home: &Home) {
    for rates in [
        json!({ "dropRate": 1.0 }),
        json!({ "malformedRate": 1.0 }),
        json!({ "disconnectRate": 1.0 }),
    ] {
        server.chaos(&rates);
        let ran = clean(home.run(&["ask", "hello"]));
        assert_eq!(ran.code, Some(3), "{rates}: {ran:?}");
        assert!(!ran.stderr.contains("panicked") && ran.stderr.lines().count() >= 1, "{ran:?}");
        server.chaos(&json!({ "dropRate": 0.0, "malformedRate": 0.0, "disconnectRate": 0.0 }));
    }
    clean(home.run(&["ask", "hello"]).code(0)).says("Hello from the server.");
}

/// An attached image reaches the server as it is.
pub(super) fn image(server: &Aimock, home: &Home) {
    std::fs::write(home.path("picture.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    let path = home.path("picture.png");
    clean(home.run(&["ask", "--attach", path.to_str().unwrap(), "what is this"]).code(0))
        .says("A picture.");
    assert_eq!(server.requests().len(), 1);
}
