//! Whole turns with `provider-anthropic` against a server that somebody else wrote.

use super::{KEY, clean, messages, no_orphans};
use crate::support::aimock::Aimock;
use crate::support::hydroid::Home;
use serde_json::json;

/// A home whose model is the server, with these lines of configuration more.
fn home(server: &Aimock, more: &str) -> Home {
    let address = server.address();
    let home = Home::with_config(&format!(
        "[model]\nprovider = \"provider-anthropic\"\nname = \"claude-sonnet-4-5\"\n{more}\n\
         [egress]\nallow_private = [\"{address}\"]\n\
         [secrets.anthropic]\nfile = \"key.txt\"\nhosts = [\"http://{address}\"]\n\
         [components.provider-anthropic.config]\nbase_url = \"http://{address}/v1\"\n"
    ));
    home.write("key.txt", KEY);
    let host = format!("http://{address}");
    home.run(&["component", "grant", "provider-anthropic", "web", "--host", &host]).code(0);
    home
}

/// The server checks thinking itself: with a budget for it, a turn that goes on with results must
/// begin with a signed thought, or it is refused.
#[test]
fn a_turn_with_thinking_and_parallel_tools_against_aimock() {
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "read both notes", "hasToolResult": false },
          "response": { "content": "I will look.", "reasoning": "Two files; \"both\" at once.",
              "reasoningSignature": "EqoBCkgIChABGAIqQ+/abc==",
              "toolCalls": [
                  { "id": "toolu_a", "name": "file_read", "arguments": { "path": "/shared/a.md" } },
                  { "id": "toolu_b", "name": "file_read", "arguments": { "path": "/shared/b.md" } } ] } },
        { "match": { "userMessage": "read both notes", "hasToolResult": true },
          "response": { "content": "Both notes were read." } },
        { "match": { "userMessage": "and now" }, "response": { "content": "Nothing more." } },
    ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(
        &server,
        "max_output_tokens = 4000\noptions = { thinking = { type = \"enabled\", budget_tokens = 2000 } }",
    );
    home.write("users/local/workspace/shared/a.md", "alpha");
    home.write("users/local/workspace/shared/b.md", "beta");
    let ran = clean(home.run(&["ask", "--json", "read both notes"]).code(0));
    let session = ran.json_lines()[0]["session"].as_str().unwrap().to_owned();
    clean(home.run(&["ask", "--session", &session, "and now"]).code(0)).says("Nothing more.");
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    no_orphans(&requests);
    for request in &requests {
        assert_eq!(request["path"], "/v1/messages");
        assert_eq!(request["headers"]["x-api-key"], "[REDACTED]");
        assert_eq!(request["headers"]["anthropic-version"], "2023-06-01");
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
fn without_a_stream_the_same_comes_as_a_whole_from_aimock() {
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "read it", "hasToolResult": false },
          "response": { "toolCalls": [ { "id": "toolu_a", "name": "file_read", "arguments": { "path": "/shared/a.md" } } ] } },
        { "match": { "userMessage": "read it", "hasToolResult": true }, "response": { "content": "It was read." } },
    ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server, "max_output_tokens = 4000");
    home.write("users/local/workspace/shared/a.md", "alpha");
    let whole = "components.provider-anthropic.config.stream=false";
    clean(home.run(&["ask", "--set", whole, "read it"]).code(0)).says("It was read.");
    let requests = server.requests();
    no_orphans(&requests);
    assert_eq!(requests.len(), 2);
}

#[test]
fn refusals_of_aimock_are_told_and_nothing_is_lost_with_anthropic() {
    let fixtures = json!({ "fixtures": [
        { "match": { "userMessage": "hello" }, "response": { "content": "Hello again." } },
        { "match": { "userMessage": "too fast" },
          "response": { "error": { "message": "Slow down please.", "type": "rate_limit_error" }, "status": 429 } },
        { "match": { "userMessage": "who am i" },
          "response": { "error": { "message": "invalid x-api-key", "type": "authentication_error" }, "status": 401 } },
        { "match": { "userMessage": "busy" },
          "response": { "error": { "message": "Overloaded", "type": "overloaded_error" }, "status": 529 } },
    ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server, "max_output_tokens = 4000");
    clean(home.run(&["ask", "too fast"]).code(3)).tells("Slow down please");
    clean(home.run(&["ask", "who am i"]).code(3)).tells("invalid x-api-key");
    clean(home.run(&["ask", "busy"]).code(3)).tells("Overloaded");
    let sessions = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let newest = sessions[0][0]["id"].as_str().unwrap().to_owned();
    clean(home.run(&["ask", "--session", &newest, "hello"]).code(0)).says("Hello again.");
    no_orphans(&server.requests());
}

#[test]
fn chaos_of_aimock_ends_each_turn_with_a_sentence_with_anthropic() {
    let fixtures = json!({ "fixtures": [ { "match": { "userMessage": "hello" }, "response": { "content": "Hello from the server." } } ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server, "max_output_tokens = 4000");
    for rates in [
        json!({ "dropRate": 1.0 }),
        json!({ "malformedRate": 1.0 }),
        json!({ "disconnectRate": 1.0 }),
        json!({ "rateLimitRate": 1.0 }),
    ] {
        server.chaos(&rates);
        let ran = clean(home.run(&["ask", "hello"]));
        assert_eq!(ran.code, Some(3), "{rates}: {ran:?}");
        assert!(
            !ran.stderr.contains("panicked") && !ran.stderr.trim().is_empty(),
            "{rates}: {ran:?}"
        );
    }
    let calm = json!({ "dropRate": 0.0, "malformedRate": 0.0, "disconnectRate": 0.0, "rateLimitRate": 0.0 });
    server.chaos(&calm);
    clean(home.run(&["ask", "hello"]).code(0)).says("Hello from the server.");
}

#[test]
fn an_unknown_output_limit_is_told_with_both_keys_by_aimock() {
    let fixtures = json!({ "fixtures": [ { "match": { "userMessage": "hello" }, "response": { "content": "Hello." } } ] });
    let Some(server) = Aimock::start(&fixtures) else { return };
    let home = home(&server, "");
    clean(home.run(&["ask", "hello"]).code(3))
        .tells("model.max_output_tokens")
        .tells("components.provider-anthropic.config.models");
    let models = "components.provider-anthropic.config.models=[{id = \"claude-sonnet-4-5\", max_output = 1234}]";
    clean(home.run(&["ask", "--set", models, "hello"]).code(0)).says("Hello.");
    let requests = server.requests();
    assert_eq!(requests.last().unwrap()["body"]["max_tokens"], 1234);
}

#[test]
fn a_missing_key_of_anthropic_is_told_before_anything_is_sent() {
    let home = Home::with_config(
        "[model]\nprovider = \"provider-anthropic\"\nname = \"claude-sonnet-4-5\"\nmax_output_tokens = 100\n",
    );
    home.run(&["ask", "hello"]).code(3).tells("`hydroid secret set anthropic`");
}
