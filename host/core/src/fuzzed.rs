//! What must hold for every text to scrub, manifest and rule on calls, on inputs made from seeds.
//! The functions are those that libFuzzer drives; see `fuzz/Cargo.toml`.

#[path = "../../../fuzz/src/manifest.rs"]
mod manifest;
#[path = "../../../fuzz/src/mutate.rs"]
mod mutate;
#[path = "../../../fuzz/src/policy.rs"]
mod policy;
#[path = "../../../fuzz/src/scrubber.rs"]
mod scrubber;

use base64::Engine as _;

/// A test's share of the time that a run of all tests may take, with a compiler that does not
/// optimise.
const TEXTS: u32 = 4_000;
const MANIFESTS: u32 = 20_000;
const RULES: u32 = 10_000;

const CREDENTIALS: &str = include_str!("scrub/tests/credentials.txt");

const AROUND_SECRETS: [&str; 8] = [
    "abcabcdefghijk /home/x/ws/shared/a.txt, /home/x/ws. and file:///home/x/ws/b",
    "see hunter2-Ab/9?ü&'q and\nhunter2-Ab/\n    9?ü&'q again",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n-----END PRIVATE KEY-----",
    "{\"token\": \"9f8e7d6c5b4a3210\", \"n\": 1}",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\nX-Key: ",
    "postgres://me:s3cr3t@db/x?password=hunter22",
    "data:\n  value: c2VjcmV0LXZhbHVlLTEyMzQ1Ng==\nkind: Secret\n",
    "the token: see section 4.2.1 of the document",
];

const PIECES_OF_TEXT: [&str; 25] = [
    "=",
    ": ",
    "\"",
    "'",
    "\n",
    "\r\n",
    " ",
    "\u{200b}",
    "\u{1b}[",
    "\u{1b}[31m",
    "\\n",
    "\\u0068",
    "%68",
    "token",
    "password",
    "secret",
    "Bearer ",
    "[secret:MAIL]",
    "[redacted:",
    "]",
    "/home/x/ws",
    "hunter2-",
    "abcabc",
    "é",
    "sk-",
];

const MANIFEST_SEEDS: [&str; 5] = [
    r#"name = "acme-notes"
version = "1.2.0-rc.1+b"
description = "Notes"
license = "MIT"
[wants.web]
reason = "send your notes"
hosts = ["GET api.acme.dev/v1", "*.acme.dev:8443"]
methods = ["GET", "POST"]
[wants.state]
reason = "remember"
[secrets.acme]
hosts = ["api.acme.dev/v1"]
attach = "header:X-Key:Token "
optional = true
help = "there"
[config]
type = "object"
[limits]
memory = "32MiB"
call = "30s"
"#,
    r#"name = "v"
version = "0.1.0"
hands_to = "w"
[wants.vault-read-step]
reason = "read it"
"#,
    r#"name = "aws"
version = "1.0.0"
[secrets.k]
hosts = ["a.example"]
[secrets.k.sign]
kind = "aws-sigv4"
region = "eu-west-1"
service = "s3"
access_key = "id"
[secrets.id]
attach = "part"
"#,
    r#"name = "hook"
version = "1.0.0"
[secrets.k]
hosts = ["a.example"]
attach = "query:signature"
sign = { kind = "hmac", text = "{timestamp}.{body}", timestamp = "header:x-time", id = "i", id_attach = "header:x-id", hash = "sha512" }
[secrets.i]
attach = "part"
"#,
    r#"name = "o"
version = "1.0.0"
[secrets.k]
hosts = ["auth.example/oauth"]
[secrets.k.sign]
kind = "oauth2-client-credentials"
token_url = "https://auth.example/oauth/token"
client_id = "c"
scopes = ["mail.read"]
[secrets.c]
attach = "part"
[secrets.t]
attach = "body:/a~1b/c"
"#,
];

const PIECES_OF_MANIFEST: [&str; 30] = [
    "\n",
    "=",
    "\"",
    "[",
    "]",
    "{",
    "}",
    "[[",
    ".",
    "#",
    "\\",
    "'''",
    "\u{0}",
    "é",
    "1e9",
    "true",
    "-1",
    "[wants.web]\n",
    "[secrets.k]\n",
    "[wants.files]\n",
    "reason = \"r\"\n",
    "attach = \"bearer\"\n",
    "hosts = [\"*\"]\n",
    "hands_to = \"x\"\n",
    "header:",
    "query:",
    "path:{token}",
    "{path}",
    "optional = true\n",
    "1970-01-01",
];

const RULE_SEEDS: [&str; 9] = [
    "file_write(/shared/x/**)\nfile_write\n/shared/x/a",
    "move(/shared/x/**)\nmove\n/shared/x/a\n\n\n\nx/../../vault/y",
    "web_fetch(*.example.com)\nweb_fetch\n\nhttps://a.example.com/x?y#z",
    "web_fetch(https://example.com/v1/**)\nweb_fetch\n\nhttps://example.com/v1/../v2",
    "mail(to=*@example.com)\nmail\n\n\nBob@example.com\nhello",
    "run(*rm*)\nrun\n\n\n\nrm -rf x",
    "*\nany_tool\na/b\nhttp://127.0.0.1:81/\nx@y.org\ntext",
    "file_*(keys.txt)\nfile_read\na/keys.txt",
    "web_*(https://**)\nweb_fetch\n\nhttps://e.org@evil.org/\nx@y.org",
];

const PIECES_OF_RULE: [&str; 28] = [
    "(",
    ")",
    "*",
    "**",
    "/",
    "//",
    "..",
    "/../",
    ".",
    "\\",
    "[",
    "]",
    "{",
    "}",
    ",",
    "?",
    "!",
    "=",
    "://",
    "@",
    "\n",
    "\n\n",
    " ",
    "é",
    "/shared/",
    "https://example.com/",
    "x@y.org",
    "~",
];

fn bytes<'a>(texts: &[&'a str]) -> Vec<&'a [u8]> {
    texts.iter().map(|text| text.as_bytes()).collect()
}

#[track_caller]
fn check(seeds: &[&str], pieces: &[&str], rounds: u32, holds_for: fn(&[u8])) {
    let (seeds, pieces) = (bytes(seeds), bytes(pieces));
    for seed in &seeds {
        holds_for(seed);
    }
    mutate::run(&seeds, &pieces, rounds, holds_for);
}

#[test]
fn scrubbing_holds_for_mutated_texts() {
    let credentials: Vec<String> = CREDENTIALS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let line = base64::engine::general_purpose::STANDARD.decode(line).unwrap();
            String::from_utf8(line).unwrap().replace(['«', '»'], "")
        })
        .collect();
    let seeds: Vec<&str> = credentials.iter().map(String::as_str).chain(AROUND_SECRETS).collect();
    check(&seeds, &PIECES_OF_TEXT, TEXTS, scrubber::holds_for);
}

#[test]
fn manifests_hold_what_they_promise_when_mutated() {
    for seed in MANIFEST_SEEDS {
        assert!(crate::manifest::Manifest::parse(seed).is_ok(), "{seed}");
    }
    check(&MANIFEST_SEEDS, &PIECES_OF_MANIFEST, MANIFESTS, manifest::holds_for);
}

#[test]
fn rules_on_calls_hold_for_mutated_patterns_and_arguments() {
    check(&RULE_SEEDS, &PIECES_OF_RULE, RULES, policy::holds_for);
}
