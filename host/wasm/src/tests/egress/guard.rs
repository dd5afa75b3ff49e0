//! What must hold for every URL and every rule, on inputs made from the lists of this folder. The
//! function is the one that libFuzzer drives; see `fuzz/Cargo.toml`.

#[path = "../../../../../fuzz/src/url_guard.rs"]
mod url_guard;

use crate::tests::mutate;

const PIECES: [&str; 28] = [
    "/",
    "//",
    "\\",
    "?",
    "#",
    "@",
    ":",
    ";",
    "%",
    "%2e",
    "%2F",
    "%25",
    "%00",
    "..",
    ".",
    "*",
    "[",
    "]",
    "::",
    "0x",
    "é",
    "。",
    "GET ",
    "POST,",
    "http://",
    "https://",
    "127.0.0.1",
    ":443",
];

#[test]
fn the_url_guard_holds_for_mutated_urls_and_rules() {
    let lists = [
        include_str!("ssrf_urls.txt"),
        include_str!("legitimate_urls.txt"),
        include_str!("url_cases.txt"),
        "GET,HEAD api.example.com:8443/v1/users\n*.example.com\n*:*\nhttp://[::1]:80/x",
    ];
    let seeds: Vec<&[u8]> = lists.iter().flat_map(|list| list.lines()).map(str::as_bytes).collect();
    for seed in &seeds {
        url_guard::holds_for(seed);
    }
    mutate::run(&seeds, &PIECES.map(str::as_bytes), 60_000, url_guard::holds_for);
}
