//! The clients for programs against a running daemon, with packages that `cargo xtask test`
//! installed. That their types are those of the sources is tested in `protocol`.

use crate::root;
use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn packages() -> PathBuf {
    let packages = std::env::var_os("HYDROID_CLIENT_PACKAGES");
    packages.map(PathBuf::from).expect("`cargo xtask test` installs what clients need")
}

/// Runs a client's own tests and shows what they said if they fail.
#[track_caller]
fn passes(command: &mut Command) {
    let output = command.output().expect("it can be run");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn daemon(home: &Home) -> Daemon {
    Daemon::start(home, &["gateway.requests_per_minute=100000"])
}

/// A client's test with the address and the token of a daemon.
fn against(command: &mut Command, daemon: &Daemon) {
    command.env("HYDROID_URL", format!("http://{}", daemon.address()));
    command.env("HYDROID_TOKEN", daemon.token());
    passes(command);
}

fn python(script: &str) -> Command {
    let client = root().join("clients/python");
    let path = std::env::join_paths([client.join("src"), packages().join("python")]);
    let mut command = Command::new("python3");
    command.arg("-B").arg(client.join(script)).env("PYTHONPATH", path.expect("plain paths"));
    command
}

#[test]
fn client_python_has_the_types_of_every_sample() {
    passes(&mut python("tests/test_protocol.py"));
}

#[test]
fn client_python_does_what_programs_do_with_a_host() {
    let home = Home::new();
    against(&mut python("tests/test_host.py"), &daemon(&home));
}

#[test]
fn client_typescript_does_what_programs_do_with_a_host() {
    let home = Home::new();
    let mut command = Command::new("node");
    command.arg("--test").arg(root().join("clients/typescript/test/host.test.js"));
    command.env("HYDROID_WS", packages().join("node_modules/ws/wrapper.mjs"));
    against(&mut command, &daemon(&home));
}

fn compiles(directory: &Path, project: &str) {
    let mut command = Command::new("node");
    command.arg(packages().join("node_modules/typescript/bin/tsc"));
    command.args(["--project", project]).current_dir(directory);
    passes(&mut command);
}

#[test]
fn client_typescript_has_types_that_fit_a_program() {
    compiles(&root().join("clients/typescript"), "tsconfig.json");
}

#[test]
fn client_typescript_has_the_types_of_every_sample() {
    let directory = tempfile::tempdir().expect("a directory");
    let types = root().join("clients/typescript/protocol.d.ts");
    std::fs::copy(types, directory.path().join("protocol.d.ts")).expect("the types are there");
    let samples = root().join("tests/fixtures/protocol/1.jsonl");
    let samples = std::fs::read_to_string(samples).expect("the samples are there");
    let mut text =
        "import type { ClientMessage, ServerMessage } from \"./protocol.js\";\n".to_owned();
    for (number, line) in samples.lines().enumerate() {
        let sample: Value = serde_json::from_str(line).expect("JSON");
        let of = if sample["from"] == "client" { "ClientMessage" } else { "ServerMessage" };
        text.push_str(&format!("export const s{number}: {of} = {};\n", sample["message"]));
    }
    std::fs::write(directory.path().join("samples.ts"), text).expect("it is written");
    let settings = r#"{ "compilerOptions": { "strict": true, "noEmit": true, "module": "NodeNext", "target": "ES2022", "types": [], "exactOptionalPropertyTypes": true }, "files": ["samples.ts"] }"#;
    std::fs::write(directory.path().join("tsconfig.json"), settings).expect("it is written");
    std::fs::write(directory.path().join("package.json"), r#"{"type":"module"}"#)
        .expect("it is written");
    compiles(directory.path(), "tsconfig.json");
}
