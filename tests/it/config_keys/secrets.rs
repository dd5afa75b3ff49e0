//! `secrets.*`: what a server is sent as the credential, and where it is not sent.

use super::egress::grant;
use super::server::{Received, Reply, Server};
use super::{Tested, call, check, run};
use crate::support::hydroid::{Home, Ran, test_component};
use serde_json::json;

pub(super) const TESTED: &[Tested<Home>] =
    &[("secrets.*.env", env), ("secrets.*.file", file), ("secrets.*.hosts", hosts)];

#[test]
fn settings_of_secrets_have_an_effect() {
    let home = Home::new();
    home.write("key", "hunter2-hunter2\n");
    home.run(&["component", "add", &test_component("test-tool-web")]).code(0);
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
        .tells("exactly one of `env` and `file`");
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
