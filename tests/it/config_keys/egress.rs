//! `egress.*`: a component asks a server on the loopback address, which is slow, long or silent.

use super::model::{ANSWER, ModelScene};
use super::server::{Reply, Server};
use super::{Tested, call, check, name_server, run};
use crate::support::hydroid::{Home, test_component};
use serde_json::{Value, json};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("egress.allow_private", allow_private),
    ("egress.ca_file", ca_file),
    ("egress.connect", connect),
    ("egress.dns", dns),
    ("egress.first_byte", first_byte),
    ("egress.leaks", leaks),
    ("egress.max_concurrent", max_concurrent),
    ("egress.max_concurrent_per_component", max_concurrent_per_component),
    ("egress.max_request", max_request),
    ("egress.max_request_header_lines", max_request_header_lines),
    ("egress.max_request_headers", max_request_headers),
    ("egress.max_requests_per_call", max_requests_per_call),
    ("egress.max_requests_per_hour", max_requests_per_hour),
    ("egress.max_requests_per_minute", max_requests_per_minute),
    ("egress.max_response", max_response),
    ("egress.max_response_header_lines", max_response_header_lines),
    ("egress.max_response_headers", max_response_headers),
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
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    grant(&home);
    check(&home, TESTED);
}

/// What was denied works after the command that the denial names, and the next path does not.
#[test]
fn a_denial_names_the_command_that_allows_it() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    let server = Server::start(Reply::Whole("hello from inside".into()));
    let elsewhere = format!("{}/elsewhere", server.origin());
    home.run(&["component", "grant", "test-tool-web", "web", "--host", &elsewhere]).code(0);
    let ask = |path: &str| {
        let arguments = json!({ "url": format!("{}{path}", server.origin()) }).to_string();
        call(&home, &[&server.open()], "test-tool-web", "dial", &arguments).code(0).stdout
    };
    let said = ask("/v1/b%C3%BCcher?q=1");
    contains(&said, &format!("may not send GET to `{}/v1/b%C3%BCcher`", server.origin()));
    let command = said.split('`').find(|part| part.starts_with("hydroid component grant"));
    let words: Vec<&str> = command.expect("a command").split(' ').skip(1).collect();
    home.run(&words).code(0).says("/v1/b%C3%BCcher (GET)");
    contains(&ask("/v1/b%C3%BCcher?q=1"), "hello from inside");
    contains(&ask("/v1/b%C3%BCcher/below"), "hello from inside");
    contains(&ask("/v1"), "no grant covers the path");
    assert_eq!(server.received().len(), 2);
}

#[test]
fn a_method_the_component_does_not_declare_cannot_be_granted() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    let grant = ["component", "grant", "test-tool-web", "web", "--host", "a.example", "--method"];
    home.run(&[&grant[..], &["POST"]].concat()).code(2).tells("declares only GET");
    home.run(&[&grant[..], &["get"]].concat()).code(2).tells("upper case");
    home.run(&[&grant[..], &["GET"]].concat()).code(0).says("a.example (GET)");
}

#[test]
fn a_proxy_of_the_environment_is_not_used() {
    let home = Home::new();
    let (server, proxy) = (Server::start(Reply::Whole("x".into())), Server::start(Reply::Nothing));
    let origin = proxy.origin();
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"]
        .map(|name| (name, origin.as_str()));
    let ran = home.run_in(
        &variables,
        &["--set", &server.open(), "debug", "fetch", "--stdin"],
        server.origin().as_bytes(),
    );
    assert_eq!(ran.code(0).json_lines()[0]["status"], 200);
    assert_eq!((server.received().len(), proxy.received().len()), (1, 0));
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

fn dns(home: &Home) {
    let server = Server::start(Reply::Whole("x".into()));
    let names = name_server::start(std::net::Ipv4Addr::LOCALHOST);
    let url = server.origin().replace("127.0.0.1", "only-there.test");
    let dns = format!("egress.dns={names}");
    let answers = fetch(home, &[&server.open(), &dns], std::slice::from_ref(&url));
    assert_eq!(answers[0]["status"], 200, "{answers:?}");
    let answers = fetch(home, &[&server.open()], &[url]);
    contains(answers[0]["reason"].as_str().expect("a reason"), "`only-there.test` was not found");
}

fn first_byte(home: &Home) {
    let server = Server::start(Reply::Nothing);
    let said = dial(home, &[&server.open(), "egress.first_byte=1s"], &server);
    contains(&said, "did not answer within 1.0 s");
    assert_eq!(server.received().len(), 1);
}

/// A secret in a header: the request stays here, or goes without it.
fn leaks(home: &Home) {
    home.write("leaked", "hunter2-hunter2\n");
    let server = Server::start(Reply::Whole("ok".into()));
    let body = json!({ "url": server.origin(), "headers": ["x-note: is hunter2-hunter2"] });
    let send = |leaks: &str| {
        let settings = [&server.open(), "secrets.leaked.file=leaked", leaks];
        call(home, &settings, "test-tool-web", "dial", &body.to_string()).code(0)
    };
    send("egress.leaks=block").says("egress.leaks redact");
    assert_eq!(server.received().len(), 0);
    send("egress.leaks=redact").says("200");
    assert_eq!(server.last().header("x-note"), Some("is [secret:leaked]"));
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

fn max_concurrent_per_component(home: &Home) {
    let server = Server::start(Reply::Together(2));
    let settings =
        [&server.open(), "egress.max_concurrent_per_component=1", "egress.first_byte=1s"];
    let answers = fetch(home, &settings, &[server.origin(), server.origin()]);
    contains(answers[0]["reason"].as_str().expect("a reason"), "did not answer within 1.0 s");
}

fn max_request(_: &Home) {
    let scene = ModelScene::new();
    run(&scene.home, &["egress.max_request=100B"], &["ask", "hello"])
        .code(3)
        .tells("more than `egress.max_request` (100B)");
    assert!(scene.server.received().is_empty());
    run(&scene.home, &[], &["ask", "hello"]).code(0).says(ANSWER);
}

fn max_request_header_lines(_: &Home) {
    let scene = ModelScene::new();
    run(&scene.home, &["egress.max_request_header_lines=0"], &["ask", "hello"])
        .code(3)
        .tells("more than `egress.max_request_header_lines` (0)");
    assert!(scene.server.received().is_empty());
}

fn max_request_headers(_: &Home) {
    let scene = ModelScene::new();
    run(&scene.home, &["egress.max_request_headers=5B"], &["ask", "hello"])
        .code(3)
        .tells("more than `egress.max_request_headers` (5B)");
    assert!(scene.server.received().is_empty());
}

/// Two processes share the count; the second is told when the window has room again.
#[track_caller]
fn counted(key: &str, within: &str) {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-web")]).code(0);
    grant(&home);
    let server = Server::start(Reply::Whole("x".into()));
    let setting = format!("{key}=1");
    contains(&dial(&home, &[&server.open(), &setting], &server), "1 bytes");
    let said = dial(&home, &[&server.open(), &setting], &server);
    contains(&said, &format!("has sent 1 requests within {within}, the most; the next may go in"));
    contains(&said, key);
    assert_eq!(server.received().len(), 1);
    contains(&dial(&home, &[&server.open()], &server), "1 bytes");
}

fn max_requests_per_hour(_: &Home) {
    counted("egress.max_requests_per_hour", "an hour");
}

fn max_requests_per_minute(_: &Home) {
    counted("egress.max_requests_per_minute", "a minute");
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

fn max_response_header_lines(home: &Home) {
    let server = Server::start(Reply::Lines("X-Line: 1\r\n".repeat(9)));
    let said = dial(home, &[&server.open(), "egress.max_response_header_lines=9"], &server);
    contains(&said, "is longer than `egress.max_response_headers`");
    contains(&dial(home, &[&server.open(), "egress.max_response_header_lines=10"], &server), "200");
}

fn max_response_headers(home: &Home) {
    let server = Server::start(Reply::Lines(format!("X-Line: {}\r\n", "x".repeat(10_000))));
    let said = dial(home, &[&server.open(), "egress.max_response_headers=8KiB"], &server);
    contains(&said, "is longer than `egress.max_response_headers` (8KiB)");
    contains(&dial(home, &[&server.open()], &server), "200");
}

fn total(home: &Home) {
    let server = Server::start(Reply::HeadOnly);
    let said = dial(home, &[&server.open(), "egress.total=1s"], &server);
    contains(&said, "the answer took longer than `egress.total` (1 s)");
}
