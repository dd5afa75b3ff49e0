//! Whole turns with `provider-bedrock` against a server that somebody else wrote.

use super::{KEY, clean, messages, no_orphans};
use crate::support::aimock::Aimock;
use crate::support::hydroid::Home;
use serde_json::{Value, json};

/// One that has no cache point behind its tools, which the server would not understand.
const MODEL: &str = "us.amazon.nova-pro-v1:0";

/// A home whose model is the server, which takes a signature by this key.
fn home(server: &Aimock) -> Home {
    let address = server.address();
    let secrets = ["aws-access-key-id", "aws-secret-access-key", "bedrock-api-key"];
    let secrets: String = secrets
        .map(|name| {
            format!("[secrets.{name}]\nfile = \"{name}.txt\"\nhosts = [\"http://{address}\"]\n")
        })
        .concat();
    let home = Home::with_config(&format!(
        "[model]\nprovider = \"provider-bedrock\"\nname = \"{MODEL}\"\nmax_output_tokens = 4000\n\
         [egress]\nallow_private = [\"{address}\"]\n{secrets}\
         [components.provider-bedrock.config]\nbase_url = \"http://{address}\"\nregion = \"eu-west-3\"\n"
    ));
    home.write("aws-access-key-id.txt", "AKIDEXAMPLE00000001");
    home.write("aws-secret-access-key.txt", KEY);
    home.write("bedrock-api-key.txt", KEY);
    let host = format!("http://{address}");
    home.run(&["component", "grant", "provider-bedrock", "web", "--host", &host]).code(0);
    home
}

fn two_notes() -> Value {
    json!({ "fixtures": [
        { "match": { "userMessage": "read both notes", "hasToolResult": false },
          "response": { "content": "I will look.", "toolCalls": [
              { "id": "tooluse_a", "name": "file_read", "arguments": { "path": "/shared/a.md" } },
              { "id": "tooluse_b", "name": "file_read", "arguments": { "path": "/shared/b.md" } } ] } },
        { "match": { "userMessage": "read both notes", "hasToolResult": true },
          "response": { "content": "Both notes were read." } },
        { "match": { "userMessage": "and now" }, "response": { "content": "Nothing more." } },
    ] })
}

fn with_notes(server: &Aimock) -> Home {
    let home = home(server);
    home.write("users/local/workspace/shared/a.md", "alpha");
    home.write("users/local/workspace/shared/b.md", "beta");
    home
}

#[test]
fn a_signed_turn_with_parallel_tools_against_aimock() {
    let Some(server) = Aimock::start(&two_notes()) else { return };
    let home = with_notes(&server);
    let ran = clean(home.run(&["ask", "--json", "read both notes"]).code(0));
    let session = ran.json_lines()[0]["session"].as_str().unwrap().to_owned();
    clean(home.run(&["ask", "--session", &session, "and now"]).code(0)).says("Nothing more.");
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    no_orphans(&requests);
    for request in &requests {
        // The identifier has a colon, which is sent as AWS's own clients send it.
        let path = request["path"].as_str().unwrap();
        assert!(path.ends_with("v1%3A0/converse-stream"), "{path}");
        let headers = &request["headers"];
        // The server hides the signature in its own journal.
        assert_eq!(headers["authorization"], "[REDACTED]", "{headers}");
        assert!(headers["x-amz-date"].is_string() && headers["x-amz-content-sha256"].is_string());
        let home = home.path("");
        assert!(
            !request["body"].to_string().contains(home.to_str().unwrap()),
            "a host path reached the model: {request}"
        );
    }
    // The server's journal has what it understood, in the words of another protocol.
    let results = messages(&requests[1]).iter().filter(|message| message["role"] == "tool");
    let results: String = results.map(|message| message["content"].to_string()).collect();
    assert!(results.contains("alpha") && results.contains("beta"), "{results}");
}

#[test]
fn without_a_stream_and_with_an_api_key_the_same_comes_from_aimock() {
    let Some(server) = Aimock::start(&two_notes()) else { return };
    let home = with_notes(&server);
    let set = |key: &str| format!("components.provider-bedrock.config.{key}");
    let (whole, key) = (set("stream=false"), set("auth=api-key"));
    clean(home.run(&["ask", "--set", &whole, "--set", &key, "read both notes"]).code(0))
        .says("Both notes were read.");
    let requests = server.requests();
    no_orphans(&requests);
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert!(request["path"].as_str().unwrap().ends_with("/converse"), "{request}");
        assert_eq!(request["headers"]["authorization"], "[REDACTED]");
        assert_eq!(request["headers"].get("x-amz-date"), None);
    }
}

#[test]
fn refusals_of_aimock_are_told_and_nothing_is_lost_with_bedrock() {
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "hello" }, "response": { "content": "Hello again." } },
        { "match": { "userMessage": "too fast" },
          "response": { "error": { "message": "Too many requests, please wait.", "type": "ThrottlingException" }, "status": 429 } },
        { "match": { "userMessage": "who am i" },
          "response": { "error": { "message": "The security token is invalid.", "type": "UnrecognizedClientException" }, "status": 403 } },
    ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server);
    clean(home.run(&["ask", "too fast"]).code(3)).tells("Too many requests, please wait");
    clean(home.run(&["ask", "who am i"]).code(3)).tells("The security token is invalid");
    let sessions = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let newest = sessions[0][0]["id"].as_str().unwrap().to_owned();
    clean(home.run(&["ask", "--session", &newest, "hello"]).code(0)).says("Hello again.");
    no_orphans(&server.requests());
}

#[test]
fn chaos_of_aimock_ends_each_turn_with_a_sentence_with_bedrock() {
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
fn missing_keys_of_aws_are_told_before_anything_is_sent() {
    let home = Home::with_config(&format!(
        "[model]\nprovider = \"provider-bedrock\"\nname = \"{MODEL}\"\n"
    ));
    home.run(&["ask", "hello"]).code(3).tells("`hydroid secret set aws-secret-access-key`");
    let key = "components.provider-bedrock.config.auth=api-key";
    home.run(&["ask", "--set", key, "hello"]).code(3).tells("`hydroid secret set bedrock-api-key`");
}
