//! Whole turns with `provider-openai`, and below it with other providers, against a server that
//! somebody else wrote.

mod turns;

mod choice;
mod gemini;
mod login;
mod ollama;
mod responses;

use crate::support::aimock::Aimock;
use crate::support::hydroid::{Home, Ran};
use serde_json::{Value, json};

mod anthropic;
mod bedrock;

/// What must never be seen anywhere but at the server.
const KEY: &str = "sk-test-9f8e7d6c5b4a3210ffee";

/// A home whose model is the server.
fn home(server: &Aimock) -> Home {
    let address = server.address();
    let home = Home::with_config(&format!(
        "[model]\nprovider = \"provider-openai\"\nname = \"gpt-test\"\n\
         [model.retry]\nattempts = 2\nfirst_wait = 0\n\
         [egress]\nallow_private = [\"{address}\"]\n\
         [secrets.openai]\nfile = \"key.txt\"\nhosts = [\"http://{address}\"]\n\
         [components.provider-openai.config]\nbase_url = \"http://{address}/v1\"\n"
    ));
    home.write("key.txt", KEY);
    home.run(&[
        "component",
        "grant",
        "provider-openai",
        "web",
        "--host",
        &format!("http://{address}"),
    ])
    .code(0);
    home
}

fn clean(ran: Ran) -> Ran {
    assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "the key was shown: {ran:?}");
    ran
}

/// Files that have one of these in them.
fn found_below(directory: &std::path::Path, secrets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(found_below(&entry.path(), secrets));
        } else if kind.is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            let has = |secret: &&str| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
            if secrets.iter().any(has) {
                found.push(entry.path().display().to_string());
            }
        }
    }
    found
}

/// In the session, the log of everything, and whatever else is left below the home: a key that was
/// sent, taken and refused is in its own file only.
#[test]
fn no_key_is_in_anything_a_provider_leaves_behind() {
    let Some(server) = turns::server() else { return };
    for (component, path, secret) in [
        ("provider-openai", "/v1", "openai"),
        ("provider-openai-responses", "/v1", "openai"),
        ("provider-anthropic", "/v1", "anthropic"),
        ("provider-gemini", "/v1beta", "gemini"),
    ] {
        let home = turns::home(&server, component, path, Some(secret));
        home.run(&["config", "set", "log.level", "trace"]).code(0);
        home.run(&["config", "set", "model.max_output_tokens", "1000"]).code(0);
        clean(home.run(&["ask", "hello"]).code(0)).says("Hello from the server.");
        clean(home.run(&["ask", "--json", "who am i"]).code(3)).says("Incorrect API key");
        std::fs::remove_file(home.path("key.txt")).unwrap();
        clean(home.run(&["ask", "--json", "hello"]).code(3));
        let found = found_below(home.path("").as_path(), &[KEY]);
        assert_eq!(found, Vec::<String>::new(), "{component}");
    }
}

/// The messages of one request as the server got them.
fn messages(request: &Value) -> &Vec<Value> {
    request["body"]["messages"].as_array().expect("messages")
}

/// In every request each tool call has exactly one result, right after.
fn no_orphans(requests: &[Value]) {
    for request in requests {
        let mut open: Vec<String> = Vec::new();
        for message in messages(request) {
            match message["role"].as_str().unwrap() {
                "tool" => {
                    let id = message["tool_call_id"].as_str().unwrap();
                    let at = open
                        .iter()
                        .position(|open| open == id)
                        .unwrap_or_else(|| panic!("a result without a call: {request}"));
                    open.remove(at);
                }
                _ => {
                    assert!(open.is_empty(), "calls without a result: {open:?} in {request}");
                    let calls = message["tool_calls"].as_array().into_iter().flatten();
                    open.extend(calls.map(|call| call["id"].as_str().unwrap().to_owned()));
                }
            }
        }
        assert!(open.is_empty(), "calls without a result: {open:?} in {request}");
    }
}

#[test]
fn a_turn_with_parallel_tools_against_aimock() {
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "read both notes", "hasToolResult": false },
          "response": { "content": "I will look.", "toolCalls": [
              { "id": "call_a", "name": "file_read", "arguments": { "path": "/shared/a.md" } },
              { "id": "call_b", "name": "file_read", "arguments": { "path": "/shared/b.md" } } ] } },
        { "match": { "userMessage": "read both notes", "hasToolResult": true },
          "response": { "content": "Both notes were read." } },
        { "match": { "userMessage": "and now" }, "response": { "content": "Nothing more." } },
    ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server);
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
    assert_eq!(requests.len(), 3);
    no_orphans(&requests);
    let results: Vec<&str> = messages(&requests[1])
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].as_str().unwrap_or_default())
        .collect();
    assert!(
        results.len() == 2 && results[0].contains("alpha") && results[1].contains("beta"),
        "{results:?}"
    );
    for request in &requests {
        // The server hides the value in its own journal; `config_keys::secrets` looks at the value.
        assert_eq!(request["headers"]["authorization"], "[REDACTED]");
        assert_eq!(request["body"]["stream"], true);
        let home = home.path("");
        assert!(
            !request["body"].to_string().contains(home.to_str().unwrap()),
            "a host path reached the model: {request}"
        );
    }
    clean(home.run(&["session", "export", &session]).code(0));
}

#[test]
fn refusals_of_aimock_are_told_and_nothing_is_lost() {
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "too fast" },
          "response": { "error": { "message": "Slow down please.", "type": "rate_limit_error", "code": "rate_limit_exceeded" }, "status": 429 } },
        { "match": { "userMessage": "who am i" },
          "response": { "error": { "message": "Incorrect API key provided.", "type": "invalid_request_error", "code": "invalid_api_key" }, "status": 401 } },
        { "match": { "userMessage": "hello" }, "response": { "content": "Hello again." } },
    ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server);
    clean(home.run(&["ask", "too fast"]).code(3))
        .tells("rate limited, trying again")
        .tells("Slow down please");
    clean(home.run(&["ask", "who am i"]).code(3)).tells("Incorrect API key");
    let sessions = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let newest = sessions[0][0]["id"].as_str().unwrap().to_owned();
    clean(home.run(&["ask", "--session", &newest, "hello"]).code(0)).says("Hello again.");
    no_orphans(&server.requests());
}

#[test]
fn chaos_of_aimock_ends_each_turn_with_a_sentence() {
    let fixtures = json!({ "fixtures": [ { "match": { "userMessage": "hello" }, "response": { "content": "Hello from the server." } } ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server);
    for rates in [
        json!({ "dropRate": 1.0 }),
        json!({ "malformedRate": 1.0 }),
        json!({ "disconnectRate": 1.0 }),
    ] {
        server.chaos(&rates);
        let ran = clean(home.run(&["ask", "hello"]));
        assert_eq!(ran.code, Some(3), "{rates}: {ran:?}");
        assert!(
            !ran.stderr.contains("panicked") && !ran.stderr.trim().is_empty(),
            "{rates}: {ran:?}"
        );
    }
    server.chaos(&json!({ "dropRate": 0.0, "malformedRate": 0.0, "disconnectRate": 0.0 }));
    clean(home.run(&["ask", "hello"]).code(0)).says("Hello from the server.");
}

#[test]
fn a_server_that_fails_every_second_time_is_outlasted() {
    let fixtures = json!({ "fixtures": [ { "match": { "userMessage": "hello" }, "response": { "content": "Hello from the server." } } ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server);
    server.chaos(&json!({ "dropRate": 0.5 }));
    // That all of so many fail happens once in a million runs.
    let patient = ["--set", "model.retry.attempts=20", "--set", "model.breaker.failures=0"];
    let hello = [&patient[..], &["ask", "hello"]].concat();
    clean(home.run(&hello).code(0)).says("Hello from the server.");
    server.chaos(&json!({ "dropRate": 1.0 }));
    let before = server.requests().len();
    clean(home.run(&["ask", "hello"]).code(3)).tells("(2 of 2)").tells("tried 2 times");
    assert_eq!(server.requests().len() - before, 2);
}

#[test]
fn an_ungranted_server_is_refused_with_what_would_allow_it() {
    let home = Home::with_config(
        "[model]\nprovider = \"provider-openai\"\nname = \"gpt-test\"\n\
         [secrets.openai]\nfile = \"key.txt\"\nhosts = [\"http://127.0.0.1:9\"]\n\
         [components.provider-openai.config]\nbase_url = \"http://127.0.0.1:9/v1\"\n",
    );
    home.write("key.txt", KEY);
    clean(home.run(&["ask", "hello"]).code(3))
        .tells("hydroid component grant provider-openai web --host http://127.0.0.1:9");
    home.run(&["component", "grant", "provider-openai", "web", "--host", "http://127.0.0.1:9"])
        .code(0);
    clean(home.run(&["ask", "hello"]).code(3)).tells("egress.allow_private = [\"127.0.0.1:9\"]");
}

#[test]
fn a_missing_key_is_told_before_anything_is_sent() {
    let home = Home::with_config("[model]\nprovider = \"provider-openai\"\nname = \"gpt-4o\"\n");
    home.run(&["ask", "hello"]).code(3).tells("`hydroid secret set openai`");
}

#[test]
fn an_attached_image_reaches_aimock_as_it_is() {
    let fixtures = json!({ "fixtures": [ { "match": { "userMessage": "what is this" }, "response": { "content": "A picture." } } ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server);
    let image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    std::fs::write(home.path("picture.png"), image).unwrap();
    let path = home.path("picture.png");
    clean(home.run(&["ask", "--attach", path.to_str().unwrap(), "what is this"]).code(0))
        .says("A picture.");
    let requests = server.requests();
    let said = messages(&requests[0]).last().unwrap().to_string();
    assert!(said.contains("data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="), "{said}");
    home.run(&["ask", "--attach", home.path("key.txt").to_str().unwrap(), "what is this"])
        .code(1)
        .tells("is no image");
}
