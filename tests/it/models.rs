//! `hydroid model` and `hydroid cost` with the built binary: what is known of models, where it
//! comes from, and what was spent.

use crate::support::hydroid::{Home, Ran};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;

const GOOD: &str = r#"{"acme": {"id": "acme", "name": "Acme", "npm": "x", "models": {
    "big-1": {"name": "Big 1", "limit": {"context": 1000, "output": 100}, "cost": {"input": 1, "output": 10}},
    "played": {"name": "Played", "cost": {"input": 1, "output": 10}}
}}}"#;

/// A recording whose model is `played`, with an answer that used three thousand tokens.
fn recording(home: &Home) -> String {
    let answer = json!({ "request": {}, "events": [
        { "text": "done" }, { "usage": { "input": 1000, "output": 2000, "cache_read": 100 } },
        { "finish": "end-turn" },
    ] });
    let header = json!({ "hydroid_recording": 1, "model": "played" });
    home.write("r.recording", &format!("{header}\n{answer}\n"));
    path(home, "r.recording")
}

fn path(home: &Home, name: &str) -> String {
    home.path(name).to_str().expect("a temporary path is UTF-8").to_owned()
}

#[track_caller]
fn ask(home: &Home, settings: &[&str]) -> Ran {
    let file = recording(home);
    let set = settings.iter().flat_map(|setting| ["--set", *setting]);
    home.run(&set.chain(["ask", "--replay", &file, "begin"]).collect::<Vec<_>>())
}

#[track_caller]
fn json_of(ran: Ran) -> Value {
    ran.code(0).json_lines().remove(0)
}

#[test]
fn models_are_listed_and_shown() {
    let home = Home::new();
    home.run(&["model", "list", "--provider", "openai", "gpt-5.5"])
        .code(0)
        .says("openai/gpt-5.5 ")
        .says("1050000 tokens")
        .says("$5 in, $30 out, $0.5 cached");
    let listed = json_of(home.run(&["model", "list", "--provider", "anthropic", "--json"]));
    let models = listed.as_array().expect("a list");
    assert!(models.len() > 10 && models.iter().all(|model| model["provider"] == "anthropic"));
    home.run(&["model", "show", "openai/gpt-5.5"])
        .code(0)
        .says("takes        text, images, PDF documents")
        .says("$10 in, $45 out, $1 cached, a million tokens above 272000 tokens in");
    home.run(&["model", "show", "gpt-55"]).code(2).tells("did you mean `gpt-5.5`");
    home.run(&["model", "list", "--provider", "opnai"]).code(2).tells("did you mean `openai`");
    home.run(&["model", "list", "--provider", "provider-rehearsal"]).code(0).says("rehearsal");
}

#[test]
fn an_unknown_model_of_a_known_service_is_refused_before_anything_is_sent() {
    let home = Home::with_config("[model]\nprovider = \"provider-openai\"\nname = \"gpt-55\"\n");
    home.run(&["ask", "hello"])
        .code(1)
        .tells("has no `gpt-55` of `openai` (did you mean `gpt-5.5`")
        .tells("model.skip_validation true")
        .tells("config.toml");
    home.run(&["ask", "hello", "--model", "gpt-56"]).code(2).tells("has no `gpt-56`");
    assert!(home.run(&["session", "list"]).code(0).stdout.is_empty(), "a session was begun");
    home.run(&["model", "verify"]).code(1).says("has no `gpt-55` of `openai`");
    home.run(&["doctor"]).code(1).says("BROKEN the model: the model catalog has no `gpt-55`");
    home.run(&["model", "verify", "--set", "model.name=gpt-5.5"])
        .code(0)
        .says("`provider-openai` speaks to `openai` of the catalog")
        .says("`gpt-5.5`: 1050000 tokens; 128000 tokens out; $5 in");
}

#[test]
fn the_overlay_wins_field_by_field_and_a_mistake_in_it_is_refused() {
    let home = Home::new();
    home.write("models.json", r#"{"openai": {"models": {"gpt-5.5": {"cost": {"output": 7}}}}}"#);
    home.run(&["model", "show", "openai/gpt-5.5"]).code(0).says("$5 in, $7 out").says("1050000");
    home.run(&["model", "verify"]).code(0).says("models.json`: 1 models");
    home.write("models.json", r#"{"openai": {"models": {"gpt-5.5": {"cots": {"output": 7}}}}}"#);
    for command in [&["model", "verify"][..], &["ask", "hello"], &["model", "list"]] {
        home.run(command).code(1).tells("models.json`").tells("(did you mean `cost`?)");
    }
}

#[test]
fn the_catalog_is_updated_from_a_file_and_a_broken_one_changes_nothing() {
    let home = Home::new();
    home.write("good.json", GOOD);
    let ran = home.run(&["model", "update", "--from", &path(&home, "good.json")]).code(0);
    let ran = ran.says("new: 2 (acme/big-1, acme/played)").says("gone: ");
    ran.tells("2 models are in `");
    home.run(&["model", "list"]).code(0).says("acme/big-1").says("1000 tokens");
    let kept = std::fs::read_to_string(home.path("models.snapshot.json")).unwrap();
    for (broken, expect) in [
        ("", "EOF"),
        (&GOOD[..200], "EOF"),
        ("{}", "it has no models"),
        (r#"{"acme": {"models": {"m": {"cost": {"input": -3}}}}}"#, "`m` of `acme`"),
        ("<html>not here</html>", "expected value"),
    ] {
        home.write("broken.json", broken);
        home.run(&["model", "update", "--from", &path(&home, "broken.json")])
            .code(1)
            .tells("nothing was changed")
            .tells(expect);
        let now = std::fs::read_to_string(home.path("models.snapshot.json")).unwrap();
        assert_eq!(now, kept, "{broken}");
    }
    let hostile = r#"{"acme": {"models": {"a\u001b[2Jb": {}}}}"#;
    home.write("hostile.json", hostile);
    let copy = Home::new();
    let ran = copy.run(&["model", "update", "--from", &path(&home, "hostile.json")]).code(0);
    let listed = copy.run(&["model", "list"]).code(0);
    assert!(!ran.stdout.contains('\u{1b}') && !listed.stdout.contains('\u{1b}'), "{ran:?}");
    home.run(&["audit", "query", "--action", "config-changed"])
        .code(0)
        .says("the model catalog, from ")
        .says("`hydroid model update`");
    home.run(&["model", "update", "--from", "no-such-file"]).code(2).tells("is no file");
    home.run(&["model", "update", "--from", &path(&home, "good.json")])
        .code(0)
        .says("nothing changed");
}

/// Answers every request with this, over and over.
fn server(status: &str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            drop(
                stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())),
            );
        }
    });
    address
}

#[test]
fn the_catalog_is_fetched_through_the_same_door_as_everything() {
    let home = Home::new();
    let address = server("200 OK", GOOD);
    let from = format!("http://{address}/api.json");
    home.run(&["model", "update", "--from", &from])
        .code(1)
        .tells("nothing was changed")
        .tells(&format!("egress.allow_private = [\"{address}\"]"));
    let open = format!("egress.allow_private=[\"{address}\"]");
    home.run(&["--set", &open, "model", "update", "--from", &from]).code(0).says("acme/big-1");
    let address = server("404 Not Found", GOOD);
    let open = format!("egress.allow_private=[\"{address}\"]");
    let from = format!("http://{address}/api.json");
    home.run(&["--set", &open, "model", "update", "--from", &from])
        .code(1)
        .tells("answered with status 404, so nothing was changed");
    home.run(&["model", "list"]).code(0).says("acme/big-1");
}

#[test]
fn what_was_spent_is_shown_and_kept() {
    let home = Home::new();
    home.run(&["cost"]).code(0).says("no model was asked");
    home.write("models.json", GOOD.replace("\"npm\": \"x\",", "").as_str());
    // A hundred of the thousand tokens are read from a cache, at the price of input.
    ask(&home, &["model.catalog=acme"]).code(0).tells("1000 tokens in, 2000 out, $0.0210");
    ask(&home, &[]).code(0).tells("1000 tokens in, 2000 out, cost unknown");
    home.run(&["cost"]).code(0).says(
        "2 requests, 2000 tokens in (200 from a cache), 4000 out: $0.0210 and 1 request of unknown cost",
    );
    let spent = json_of(home.run(&["cost", "--json", "--today"]));
    assert_eq!(
        (&spent["pico_dollars"], &spent["requests_of_unknown_cost"], &spent["input"]),
        (&json!(21_000_000_000_u64), &json!(1), &json!(2000))
    );
    let groups = |by: &str| {
        let all = json_of(home.run(&["cost", "--by", by, "--json"]));
        let all = all.as_array().expect("groups").clone();
        let first = all[0]["group"].as_str().expect("a name").to_owned();
        (all.len(), first)
    };
    assert_eq!(groups("session").0, 2);
    assert_eq!(groups("turn").0, 2);
    assert_eq!(groups("model"), (1, "provider-replay/played".to_owned()));
    assert_eq!(groups("agent"), (1, "main".to_owned()));
    assert_eq!(groups("user"), (1, "local".to_owned()));
    let (days, day) = groups("day");
    assert_eq!((days, day.len()), (1, 10));
    home.run(&["cost", "--since", "1h"]).code(0).says("2 requests");
    home.run(&["cost", "--since", "2999-01-01"]).code(0).says("no model was asked");
    home.run(&["cost", "--since", "soon"]).code(2).tells("is no time");
    home.run(&["--set", "user=anna", "cost"]).code(0).says("no model was asked");
    home.run(&["--set", "budget.day_dollars=2", "cost"])
        .code(0)
        .says("`budget.day_dollars`: $0.0210 of $2.0000");
}

#[test]
fn chat_tells_what_the_session_has_cost_before_it_was_opened_too() {
    let home = Home::new();
    home.write("models.json", GOOD.replace("\"npm\": \"x\",", "").as_str());
    ask(&home, &["model.catalog=acme"]).code(0);
    let listed = home.run(&["session", "list", "--json"]).code(0).json_lines();
    let session = listed[0][0]["id"].as_str().expect("a session");
    let mut chatting = home.on_a_terminal(&["chat", "--session", session]);
    chatting.shows("/help").types("/cost");
    chatting.shows("this session: 1 request, 1000 tokens in (100 from a cache), 2000 out: $0.0210");
    chatting.shows("today: 1 request").types("/quit");
    chatting.ends_with(0);
}

#[test]
fn a_budget_without_a_price_is_refused_at_the_start() {
    let home = Home::with_config("[budget]\nmonth_dollars = 5.0\n");
    ask(&home, &[])
        .code(1)
        .tells("`budget.month_dollars` needs the price of `played`")
        .tells("`model.prices.input` and `model.prices.output`");
    ask(&home, &["model.prices.input=0", "model.prices.output=0"]).code(0).says("done");
    // What runs here costs nothing.
    home.run(&["ask", "say hello"]).code(0).says("hello").tells(", $0.0000");
}

#[test]
fn what_a_model_cannot_take_is_not_sent() {
    let home = Home::new();
    let overlay = r#"{"acme": {"models": {"played": {"modalities": {"input": ["text"]}}}}}"#;
    home.write("models.json", overlay);
    std::fs::write(home.path("cat.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").unwrap();
    let (file, picture) = (recording(&home), path(&home, "cat.png"));
    let ask = ["ask", "--replay", &file, "--attach", &picture, "what is this?"];
    home.run(&[&["--set", "model.catalog=acme"], &ask[..]].concat())
        .code(3)
        .tells("the model `played` takes no images, so `cat.png` was not sent");
    home.run(&ask).code(0).says("done");
}
