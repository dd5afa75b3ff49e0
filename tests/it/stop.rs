//! The emergency stop through the built binary: it cuts what runs in other processes, lets nothing
//! begin, and is released.

use crate::support::hydroid::{Home, test_component};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

#[test]
fn what_runs_in_another_process_is_cut_at_once() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    let mut running = home.start(&["ask", "--json", "call sleep_forever {}"]);
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.contains("call_started")).expect("the call starts");
    home.run(&["stop", "--all"]).code(0).says("hydroid stop --release");
    let stopped = Instant::now();
    let rest: Vec<String> = lines.collect();
    assert!(stopped.elapsed() < Duration::from_secs(3), "{:?}", stopped.elapsed());
    assert_eq!(running.wait().unwrap().code(), Some(8), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("\"outcome\":\"stopped\"")), "{rest:?}");
}

#[test]
fn nothing_begins_until_it_is_released() {
    let home = Home::new();
    home.run(&["stop"]).code(1).tells("no daemon runs here");
    home.run(&["stop", "--all", "--release"]).code(2);
    home.run(&["stop", "--release"]).code(0).tells("nothing is stopped");
    home.run(&["stop", "--all"]).code(0);
    let refused = |command: &[&str]| {
        home.run(command)
            .code(8)
            .tells("everything is stopped since")
            .tells("hydroid stop --release");
    };
    refused(&["ask", "say hello"]);
    refused(&["debug", "call", "tool-time", "time_now", "{}"]);
    refused(&["debug", "fetch", "--stdin"]);
    refused(&["approval", "answer", "c", "once"]);
    let chatting = home.on_a_terminal(&["chat"]);
    assert!(chatting.ends_with(8).contains("everything is stopped"));
    home.run(&["doctor"]).code(0).says("everything is stopped since");
    // To look is still possible.
    home.run(&["session", "list"]).code(0);
    home.run(&["stop", "--release"]).code(0).says("go on");
    home.run(&["ask", "say hello"]).code(0).says("hello");
    let audited = home.run(&["audit", "query", "--action", "emergency-stop"]).code(0);
    assert_eq!(audited.stdout.lines().count(), 2, "{audited:?}");
    audited.says("stop --all").says("stop --release");
}

#[test]
fn a_chat_that_is_open_says_so_and_goes_on_after_the_release() {
    let home = Home::new();
    let mut chatting = home.on_a_terminal(&["chat"]);
    chatting.shows("/help");
    home.run(&["stop", "--all"]).code(0);
    std::thread::sleep(Duration::from_millis(250));
    chatting.types("say one").shows("everything is stopped");
    home.run(&["stop", "--release"]).code(0);
    std::thread::sleep(Duration::from_millis(250));
    chatting.types("say two").shows("1 step").shows("> ").control('d');
    chatting.ends_with(0);
}

#[test]
fn a_question_that_is_open_ends_and_the_next_line_is_no_answer() {
    let home = Home::new();
    for further in [None, Some("e")] {
        let mut chatting = home.on_a_terminal(&["chat"]);
        chatting.shows("/help").types("write a.txt: one").shows("or why not: ");
        if let Some(key) = further {
            chatting.types(key).shows("arguments: ");
        }
        home.run(&["stop", "--all"]).code(0);
        chatting.shows("the turn ended, so there is nothing to answer").shows("> ");
        home.run(&["stop", "--release"]).code(0);
        std::thread::sleep(Duration::from_millis(250));
        chatting.types("say two").shows("1 step").shows("> ").control('d');
        chatting.ends_with(0);
    }
    assert!(!home.shared("a.txt").exists());
}

#[test]
fn a_broken_configuration_keeps_nobody_from_stopping() {
    let home = Home::with_config("turn = [");
    home.run(&["stop", "--all"]).code(1).says("everything is stopped");
    assert!(home.path("stopped").exists());
}
