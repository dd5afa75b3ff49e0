//! `egress.*`: a component asks a server on the loopback address, which is slow, long or silent.

use super::model::{ANSWER, ModelScene};
use super::server::{Reply, Server};
use super::{Tested, call, check, run};
use crate::support::hydroid::{Home, test_component};
use serde_json::{Value, json};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("egress.allow_private", allow_private),
    ("egress.ca_file", ca_file),
    ("egress.connect", connect),
    ("egress.first_byte", first_byte),
    ("egress.max_concurrent", max_concurrent),
    ("egress.max_request", max_request),
    ("egress.max_requests_per_call", max_requests_per_call),
    ("egress.max_response", max_response),
    ("egress.total", total),
];

/// A certificate that nobody but this test knows; its key is nowhere.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIUPyLPKfCAnj1DZbcjUKfVIfl/nvswCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTIyMTUyMjExWhgPMjEy
NjEwMjkxNTIyMTFaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEKZ4v4syV1gx9zwkAo5Hifq6iHd6oC932jJx8dWCl
HxlsRT/bHQaJVoBb8u/hPWIWeosu+qr1UchXoU1OVJ/OO6NTMFEwHQYDVR0OBBYE
FHVi+xiXkvtJGpfAc1JUy3dvD+04MB8GA1UdIwQYMBaAFHVi+xiXkvtJGpfAc1JU
y3dvD+04MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAMtvqE6d
FiwC2DX3lNSj8dFyv73CKt32si0d6KO96tOdAiEAl6QKA8Co8q25tmQWPvJKMouH
Rqzo08gh3c7Q0BCxgQc=
-----END CERTIFICATE-----
";

#[test]
fn settings_of_the_network_have_an_effect() {
    let home = Home::new();
    home.run(&["component", "add", &test_component("test-tool-web")]).code(0);
    grant(&home);
    check(&home, TESTED);
}

/// Lets the test tool send requests to any port of the loopback address.
pub(super) fn grant(home: &Home) {
    let hosts = ["--host", "http://127.0.0.1:*", "--secret", "test"];
    home.run(&[&["component", "grant", "test-tool-web", "web"], &hosts[..]].concat()).code(0);
}

/// What the tool says of a fetch; it reads the body once.
#[track_caller]
fn dial(home: &Home, settings: &[&str], server: &Server) -> String {
    let arguments = json!({ "url": server.origin() }).to_string();
    call(home, settings, "test-tool-web", "dial", &arguments).code(0).stdout
}

#[track_caller]
fn contains(text: &str, expect: &str) {
    assert!(text.contains(expect), "expected `{expect}` in: {text}");
}

/// One answer of `debug fetch` for each URL.
#[track_caller]
fn fetch(home: &Home, settings: &[&str], urls: &[String]) -> Vec<Value> {
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let arguments: Vec<&str> = settings.chain(["debug", "fetch", "--stdin"]).collect();
    home.run_with(&arguments, urls.join("\n").as_bytes()).code(0).json_lines()
}

fn allow_private(home: &Home) {
    let server = Server::start(Reply::Whole("hello from inside".into()));
    contains(&dial(home, &[], &server), "egress.allow_private = [");
    assert!(server.received().is_empty(), "it was reached without a setting");
    contains(&dial(home, &[&server.open()], &server), "hello from inside");
    run(home, &["egress.allow_private=[\"localhost\"]"], &["config", "show"])
        .code(2)
        .tells("addresses with a port");
}

fn ca_file(home: &Home) {
    home.write("authority.pem", AUTHORITY);
    home.write("no-authority.pem", "this is no certificate");
    run(home, &["egress.ca_file=authority.pem"], &["doctor"])
        .says("1 certificate authorities are trusted");
    let server = Server::start(Reply::Nothing);
    let url = server.origin().replace("http:", "https:");
    let settings = [&server.open(), "egress.ca_file=no-authority.pem"];
    let answers = fetch(home, &settings, &[url]);
    contains(answers[0]["reason"].as_str().expect("a reason"), "egress.ca_file");
    home.run(&["--set", "egress.ca_file=nowhere.pem", "debug", "fetch", "--stdin"])
        .code(1)
        .tells("`egress.ca_file` is")
        .tells("cannot be read");
}

/// The other side takes the connection and says nothing about encrypting it.
fn connect(home: &Home) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let open = format!("egress.allow_private=[\"{address}\"]");
    home.write("authority.pem", AUTHORITY);
    let settings = [open.as_str(), "egress.ca_file=authority.pem", "egress.connect=1s"];
    let answers = fetch(home, &settings, &[format!("https://{address}")]);
    contains(
        answers[0]["reason"].as_str().expect("a reason"),
        "could not be connected to within `egress.connect` (1 s)",
    );
}

fn first_byte(home: &Home) {
    let server = Server::start(Reply::Nothing);
    let said = dial(home, &[&server.open(), "egress.first_byte=1s"], &server);
    contains(&said, "did not answer within 1.0 s");
    assert_eq!(server.received().len(), 1);
}

/// The server answers a request only when another one is there too, so alone it waits in vain.
fn max_concurrent(home: &Home) {
    let first = |settings: &[&str]| {
        let server = Server::start(Reply::Together(2));
        let open = server.open();
        let settings = [&[open.as_str()], settings].concat();
        fetch(home, &settings, &[server.origin(), server.origin()]).remove(0)
    };
    let beside = first(&["egress.max_concurrent=2", "egress.first_byte=20s"]);
    assert_eq!(beside["status"], 200, "{beside}");
    let alone = first(&["egress.max_concurrent=1", "egress.first_byte=1s"]);
    contains(alone["reason"].as_str().expect("a reason"), "did not answer within 1.0 s");
}

fn max_request(_: &Home) {
    let scene = ModelScene::new();
    run(&scene.home, &["egress.max_request=100B"], &["ask", "hello"])
        .code(3)
        .tells("more than `egress.max_request` (100B)");
    assert!(scene.server.received().is_empty());
    run(&scene.home, &[], &["ask", "hello"]).code(0).says(ANSWER);
}

fn max_requests_per_call(home: &Home) {
    let server = Server::start(Reply::Whole("x".into()));
    let arguments = json!({ "url": server.origin(), "count": 4 }).to_string();
    let flood = |settings: &[&str]| {
        call(home, settings, "test-tool-web", "handle_flood", &arguments).code(0).stdout
    };
    let open = server.open();
    contains(&flood(&[&open, "egress.max_requests_per_call=3"]), "sent 3 requests in one call");
    assert_eq!(server.received().len(), 3);
    contains(&flood(&[&open]), "responses: 4");
}

fn max_response(home: &Home) {
    let server = Server::start(Reply::Whole("x".repeat(2000)));
    let said = dial(home, &[&server.open(), "egress.max_response=1KiB"], &server);
    contains(&said, "the answer is longer than `egress.max_response`");
    contains(&dial(home, &[&server.open(), "egress.max_response=2KiB"], &server), "2000 bytes");
}

fn total(home: &Home) {
    let server = Server::start(Reply::HeadOnly);
    let said = dial(home, &[&server.open(), "egress.total=1s"], &server);
    contains(&said, "the answer took longer than `egress.total` (1 s)");
}
