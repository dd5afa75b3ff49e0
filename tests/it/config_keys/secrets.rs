//! `secrets.*`: what a server is sent as the credential, and where it is not sent.

use super::egress::grant;
use super::server::{Received, Reply, Server};
use super::{Tested, call, check, run};
use crate::support::hydroid::{Home, Ran, test_component};
use serde_json::json;

pub(super) const TESTED: &[Tested<Home>] = &[
    ("secrets.*.env", env),
    ("secrets.*.exec", exec),
    ("secrets.*.exec_env", exec_env),
    ("secrets.*.file", file),
    ("secrets.*.hosts", hosts),
    ("secrets.*.rotate", rotate),
    ("secrets_store.master_key", master_key),
];

#[test]
fn settings_of_secrets_have_an_effect() {
    let home = Home::new();
    home.write("key", "hunter2-hunter2\n");
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    grant(&home);
    check(&home, TESTED);
}

/// Without encryption a secret goes only where a person says so.
const HERE: &str = "secrets.test.hosts=[\"http://127.0.0.1:*\"]";

#[track_caller]
fn dial(home: &Home, server: &Server, settings: &[&str]) -> Ran {
    let arguments = json!({ "url": server.origin(), "secret": "test" }).to_string();
    let open = server.open();
    call(home, &[&[open.as_str()], settings].concat(), "test-tool-web", "dial", &arguments).code(0)
}

#[track_caller]
fn credential(received: &Received) -> &str {
    received.header("authorization").expect("a credential")
}

/// The only variables a test's `hydroid` has are the ones that say where its home is.
fn env(home: &Home) {
    let server = Server::start(Reply::Whole("ok".into()));
    dial(home, &server, &["secrets.test.env=HOME", HERE]).says("200");
    let value = home.path("");
    let value = value.to_str().expect("a temporary path is UTF-8").trim_end_matches('/');
    assert_eq!(credential(&server.last()), format!("Bearer {value}"));
    dial(home, &server, &["secrets.test.env=NOT_THERE", HERE]).says("refused");
    assert_eq!(server.received().len(), 1);
}

fn file(home: &Home) {
    let server = Server::start(Reply::Whole("ok".into()));
    dial(home, &server, &["secrets.test.file=key", HERE]).says("200");
    assert_eq!(credential(&server.last()), "Bearer hunter2-hunter2");
    run(home, &["secrets.test.file=key", "secrets.test.env=HOME"], &["config", "show"])
        .code(1)
        .tells("at most one of `env`, `file` and `exec`");
}

/// A variable of the configuration, so that it can be set in one word.
fn program(argv: &[&str]) -> String {
    format!("secrets.test.exec={}", json!(argv))
}

fn exec(home: &Home) {
    let server = Server::start(Reply::Whole("ok".into()));
    // Not through a shell: the semicolon is a letter like any other.
    dial(home, &server, &[&program(&["/bin/echo", "hunter2;hunter2"]), HERE]).says("200");
    assert_eq!(credential(&server.last()), "Bearer hunter2;hunter2");
    let failing = program(&["/bin/sh", "-c", "echo not signed in >&2; exit 4"]);
    dial(home, &server, &[&failing, HERE]).says("`/bin/sh` failed").says("not signed in");
    assert_eq!(server.received().len(), 1);
    // A list runs no program.
    let marking = program(&["/bin/sh", "-c", "touch \"$HOME/ran\"; echo hunter2"]);
    run(home, &[&marking], &["secret", "list"]).code(0).says("exec");
    assert!(!home.path("ran").exists());
}

fn exec_env(home: &Home) {
    let server = Server::start(Reply::Whole("ok".into()));
    let printing = program(&["/bin/sh", "-c", "echo \"x${HYDROID_HOME}x\""]);
    dial(home, &server, &[&printing, HERE]).says("200");
    assert_eq!(credential(&server.last()), "Bearer xx");
    let listed = "secrets.test.exec_env=[\"HYDROID_HOME\"]";
    dial(home, &server, &[&printing, listed, HERE]).says("200");
    let value = home.path("");
    let value = value.to_str().expect("a temporary path is UTF-8").trim_end_matches('/');
    assert_eq!(credential(&server.last()), format!("Bearer x{value}x"));
    let key = "secrets.test.exec_env=[\"HYDROID_MASTER_KEY\"]";
    dial(home, &server, &[&printing, key, HERE]).says("is given to no program");
}

fn master_key(home: &Home) {
    let set = |place: &str| {
        let setting = format!("secrets_store.master_key={place}");
        home.run_with(&["--set", &setting, "secret", "set", "kept"], b"hunter2-hunter2")
    };
    set("env").code(1).tells("`HYDROID_MASTER_KEY` is not set");
    if cfg!(target_os = "linux") {
        // Without a D-Bus session, that is; on another system a real keyring would be changed.
        set("keyring").code(1).tells("the keyring cannot be used");
    }
    set("pocket").code(2).tells("unknown variant `pocket`");
    set("file").code(0).says("kept is set, version 1").tells("only you can read");
    set("env").code(1).tells("`hydroid secret rotate` moves them");
    home.run(&["secret", "remove", "kept", "--yes"]).code(0);
}

fn hosts(home: &Home) {
    let server = Server::start(Reply::Whole("ok".into()));
    let settings = ["secrets.test.file=key", "secrets.test.hosts=[\"https://example.com\"]"];
    dial(home, &server, &settings).says("may not be sent to").says("secrets.test.hosts");
    assert!(server.received().is_empty(), "it was sent all the same");
    let own = format!("secrets.test.hosts=[\"{}\"]", server.origin());
    dial(home, &server, &["secrets.test.file=key", &own]).says("200");
    assert_eq!(credential(&server.last()), "Bearer hunter2-hunter2");
}

/// The tool is told of the answer only; the audit log says that the first key was refused.
fn rotate(home: &Home) {
    home.write("second", "hunter3-hunter3\n");
    let refused = "HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
    let settings = ["secrets.test.file=key", "secrets.spare.file=second", HERE];
    let server = Server::start(Reply::Raw(refused.clone()));
    dial(home, &server, &settings).says("401");
    let rotating = [&settings[..], &["secrets.test.rotate=[\"spare\"]"]].concat();
    let server = Server::start(Reply::InTurn(vec![Reply::Raw(refused), Reply::Whole("ok".into())]));
    let ran = dial(home, &server, &rotating).says("200");
    assert!(!ran.stdout.contains("401") && !ran.stdout.contains("spare"), "{ran:?}");
    let sent: Vec<String> =
        server.received().iter().map(|received| credential(received).to_owned()).collect();
    assert_eq!(sent, ["Bearer hunter2-hunter2", "Bearer hunter3-hunter3"]);
    home.run(&["audit", "query", "--action", "secret-rotated"])
        .code(0)
        .says("`spare` is sent instead");
}

#[test]
fn a_stored_secret_is_sent_like_any_other_and_only_where_it_may_go() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    grant(&home);
    let server = Server::start(Reply::Whole("ok".into()));
    dial(&home, &server, &[HERE]).says("hydroid secret set test");
    home.run_with(&["secret", "set", "test"], b"hunter2-hunter2\n").code(0);
    dial(&home, &server, &[HERE]).says("200");
    assert_eq!(credential(&server.last()), "Bearer hunter2-hunter2");
    let elsewhere = "secrets.test.hosts=[\"https://example.com\"]";
    dial(&home, &server, &[elsewhere]).says("may not be sent to");
    home.run_with(&["secret", "set", "test"], b"newer-hunter2").code(0);
    dial(&home, &server, &[HERE]).says("200");
    assert_eq!(credential(&server.last()), "Bearer newer-hunter2");
    home.run(&["secret", "rotate"]).code(0);
    dial(&home, &server, &[HERE]).says("200");
    assert_eq!(credential(&server.last()), "Bearer newer-hunter2");
    let twice = ["secrets.test.env=HOME", HERE];
    let ran = dial(&home, &server, &twice).says("`secrets.test.env`").says("sealed store");
    assert!(!ran.stdout.contains("hunter2") && !ran.stderr.contains("hunter2"), "{ran:?}");
    home.run(&["secret", "remove", "test", "--yes"]).code(0);
    dial(&home, &server, &[HERE]).says("hydroid secret set test");
    assert_eq!(server.received().len(), 3);
}
