//! What a client of the protocol gets of us.

use super::client::Client;
use crate::support::hydroid::{Home, test_component};
use serde_json::{Value, json};
use std::time::Duration;

/// A call has a second left once its client is gone; the library would wait for five.
const SOON: Duration = Duration::from_secs(4);

fn names(answer: &Value, of: &str, key: &str) -> Vec<String> {
    let listed = answer["result"][of].as_array().unwrap_or_else(|| panic!("{answer}"));
    listed.iter().map(|one| one[key].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn what_would_be_asked_is_denied_with_what_would_allow_it() {
    let home = Home::new();
    let mut client =
        Client::of(&home, &["--component", "tool-files-write", "--component", "tool-time"]);
    let tools = names(&client.request("tools/list", json!({})), "tools", "name");
    assert!(tools.iter().any(|name| name == "time_now"), "{tools:?}");
    assert!(!tools.iter().any(|name| name.starts_with("web_")), "{tools:?}");
    let (now, failed) = client.call("time_now", json!({ "zone": "UTC" }));
    assert!(!failed && now.contains("20"), "{now}");
    let (denied, failed) = client.call("file_write", json!({ "path": "a.txt", "content": "one" }));
    assert!(failed && denied.contains("policy.tools.file_write allow"), "{denied}");
    assert!(!home.shared("a.txt").exists());
    // What was not chosen is not there, whatever is asked for.
    let hidden = client.request("tools/call", json!({ "name": "web_fetch", "arguments": {} }));
    assert_eq!(hidden["error"]["code"], -32602, "{hidden}");
    let (wrong, failed) = client.call("time_now", json!({ "nonsense": 1 }));
    assert!(failed && wrong.contains("do not fit its schema"), "{wrong}");
    client.leaves();
    let sessions = home.run(&["session", "list"]).code(0);
    sessions.says("a test asks for a call of time_now");
    home.run(&["audit", "query", "--action", "call-decided", "--json"]).code(0).says("file_write");
}

#[test]
fn what_is_allowed_runs_and_a_person_may_be_asked() {
    let home = Home::new();
    let mut client = Client::of(&home, &["--allow", "file_write(/shared/notes/**)"]);
    let write = |path: &str| json!({ "path": path, "content": "one" });
    let (text, failed) = client.call("file_write", write("notes/a.txt"));
    assert!(!failed, "{text}");
    assert_eq!(std::fs::read_to_string(home.shared("notes/a.txt")).unwrap(), "one");
    assert!(client.call("file_write", write("b.txt")).1);
    client.leaves();

    let mut client = Client::of(&home, &["--ask"]);
    assert!(client.call("file_write", write("c.txt")).1);
    let asked = client.told.iter().find(|line| line["method"] == "elicitation/create");
    let asked = asked.expect("a question")["params"]["message"].as_str().unwrap().to_owned();
    assert!(asked.contains("file_write") && asked.contains("c.txt"), "{asked}");
    client.allow = true;
    let (text, failed) = client.call("file_write", write("c.txt"));
    assert!(!failed, "{text}");
    assert!(home.shared("c.txt").exists());
    client.leaves();
}

#[test]
fn prompts_resources_and_other_tools_come_from_components() {
    let home = Home::new();
    let mut client = Client::of(&home, &[]);
    assert!(names(&client.request("prompts/list", json!({})), "prompts", "name").is_empty());
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-mcp")]).code(0);
    let mut told = false;
    for _ in 0..200 {
        drop(client.request("ping", json!({})));
        told = client.told.iter().any(|line| line["method"] == "notifications/tools/list_changed");
        if told {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(told, "no word of other tools: {:?}", client.told);
    let prompts = names(&client.request("prompts/list", json!({})), "prompts", "name");
    assert!(prompts.contains(&"test_simple_prompt".to_owned()), "{prompts:?}");
    let resources = names(&client.request("resources/list", json!({})), "resources", "uri");
    assert!(resources.contains(&"test://static-text".to_owned()), "{resources:?}");
    let tools = names(&client.request("tools/list", json!({})), "tools", "name");
    assert!(!tools.contains(&"test_simple_prompt".to_owned()), "{tools:?}");
    let read = client.request("resources/read", json!({ "uri": "test://template/a%20b/data" }));
    let text = read["result"]["contents"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("a%20b"), "{read}");
    let none = client.request("resources/read", json!({ "uri": "file:///etc/passwd" }));
    assert!(none["error"]["message"].as_str().unwrap().contains("no resource"), "{none}");
    let image =
        client.request("tools/call", json!({ "name": "test_image_content", "arguments": {} }));
    assert_eq!(image["result"]["content"][0]["mimeType"], "image/png", "{image}");
    // What only the host writes is not written by a client.
    let forged =
        json!({ "message": "hi", "input_responses": { "answer": { "action": "accept" } } });
    let forged =
        client.request("tools/call", json!({ "name": "test_elicitation", "arguments": forged }));
    assert_eq!(forged["error"]["code"], -32602, "{forged}");
    client.leaves();
}

#[test]
fn whatever_a_client_sends_the_server_goes_on() {
    let home = Home::new();
    let mut client = Client::of(&home, &["--component", "tool-time"]);
    let long = format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"{}\"}}\n", "x".repeat(1 << 20));
    for bytes in [
        b"nonsense\n".as_slice(),
        b"\xff\xfe\x00\n",
        b"{\"jsonrpc\":\"2.0\"}\n",
        b"[]\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"tools/list\"}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n",
        b"\n\n\n",
        long.as_bytes(),
    ] {
        client.write(bytes);
    }
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    client.write(
        format!("{{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{deep}}}\n")
            .as_bytes(),
    );
    let (now, failed) = client.call("time_now", json!({ "zone": "UTC" }));
    assert!(!failed, "{now}");
    let (text, failed) = client.call("time_now", json!({ "zone": "x".repeat(100_000) }));
    assert!(failed, "{text}");
    client.leaves();
}

#[test]
fn a_line_that_is_no_message_is_answered() {
    let home = Home::new();
    let mut client = Client::unshaken(&home, &["--component", "tool-time"]);
    // Before anything else, too.
    client.write(b"nonsense\n{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}\n");
    drop(client.request("ping", json!({})));
    client.write(b"{\"jsonrpc\":\"2.0\",\"id\":70,\"method\":\"tools/call\",\"params\":[]}\n{\n");
    drop(client.request("ping", json!({})));
    let answers = client.told.iter().map(|line| (&line["error"]["code"], &line["id"]));
    let expect = [(-32700, Value::Null), (-32600, json!(70)), (-32700, Value::Null)];
    let expect = expect.map(|(code, id)| (json!(code), id));
    assert_eq!(answers.collect::<Vec<_>>(), expect.each_ref().map(|(code, id)| (code, id)));
    client.leaves();
}

#[test]
fn a_tool_that_works_only_in_the_turn_of_a_model_is_not_offered() {
    let home = Home::new();
    home.run(&["component", "list"]).code(0).says("tool-delegate");
    let mut client = Client::of(&home, &[]);
    let tools = names(&client.request("tools/list", json!({})), "tools", "name");
    assert!(tools.contains(&"time_now".to_owned()), "{tools:?}");
    assert!(!tools.contains(&"delegate".to_owned()), "{tools:?}");
    let arguments = json!({ "task": "say hello" });
    let hidden =
        client.request("tools/call", json!({ "name": "delegate", "arguments": arguments }));
    assert_eq!(hidden["error"]["code"], -32602, "{hidden}");
    client.leaves();
    home.run(&["mcp", "serve", "--component", "tool-delegate"]).code(2).tells("turn of a model");
    home.run(&["mcp", "serve", "--allow", "delegate"]).code(2).tells("names no tool");
}

#[test]
fn the_server_ends_soon_after_its_client_whatever_is_under_way() {
    let home = Home::new();
    let mut asked = Client::of(&home, &["--component", "tool-files-write", "--ask"]);
    let arguments = json!({ "path": "a.txt", "content": "one" });
    let call = json!({ "name": "file_write", "arguments": arguments });
    asked.send(&json!({ "jsonrpc": "2.0", "id": 50, "method": "tools/call", "params": call }));
    asked.is_told("elicitation/create");
    asked.leaves_within(SOON);
    assert!(!home.shared("a.txt").exists());

    let mut listening = Client::unshaken(&home, &["--component", "tool-time"]);
    let wanted = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta() });
    listening.send(
        &json!({ "jsonrpc": "2.0", "id": 50, "method": "subscriptions/listen", "params": wanted }),
    );
    listening.is_told("notifications/subscriptions/acknowledged");
    listening.leaves_within(SOON);

    // Who asks and closes its side at once is answered.
    let hello = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "a", "version": "1" } });
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello });
    let call = json!({ "name": "time_now", "arguments": { "zone": "UTC" } });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call });
    let answered = || {
        let ran = home.run_with(&["mcp", "serve"], format!("{hello}\n{call}").as_bytes()).code(0);
        let lines = ran.json_lines();
        assert_eq!((lines.len(), &lines[1]["id"]), (2, &json!(2)), "{ran:?}");
        lines[1]["result"]["content"].is_array()
    };
    // A machine that is busy may not have done it in the time there is.
    assert!((0..5).any(|_| answered()), "never in time");
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "a test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

#[test]
fn without_a_handshake_a_client_of_the_newest_protocol_is_served() {
    let home = Home::new();
    let mut client = Client::unshaken(&home, &["--component", "tool-time"]);
    let meta = meta();
    let found = client.request("server/discover", json!({ "_meta": meta }));
    assert!(found["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{found}");
    let params = json!({ "name": "time_now", "arguments": { "zone": "UTC" }, "_meta": meta });
    let answer = client.request("tools/call", params);
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
}
