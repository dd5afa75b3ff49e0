//! Sentences and the commands they mean.

use super::*;

#[track_caller]
fn check(message: &str, expected: &[Command]) {
    assert_eq!(parse(message), expected, "message: {message:?}");
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn read(file: &str) -> Command {
    Command::Read { file: text(file) }
}

fn write(file: &str, content: &str) -> Command {
    Command::Write { file: text(file), text: text(content) }
}

fn list(directory: Option<&str>, recursive: bool) -> Command {
    Command::List { directory: directory.map(text), recursive }
}

#[test]
fn listing() {
    check("list files", &[list(None, false)]);
    check("List files in docs recursively.", &[list(Some("docs"), true)]);
    check("list files recursively in docs", &[list(Some("docs"), true)]);
    check("list the files in .", &[list(Some("."), false)]);
    check("please list /shared", &[list(Some("/shared"), false)]);
}

#[test]
fn reading() {
    check("READ notes.txt", &[read("notes.txt")]);
    check("could you read the file `my notes.txt`?", &[read("my notes.txt")]);
    check("read https://example.org/a", &[Command::Fetch { url: text("https://example.org/a") }]);
    check("read", &[Command::Incomplete { problem: text("`read` needs more: say `read FILE`") }]);
}

#[test]
fn writing() {
    check("write a.txt: hello: world", &[write("a.txt", "hello: world")]);
    check("write a.txt: first this, then that", &[write("a.txt", "first this, then that")]);
    check("write a.txt: one then read a.txt", &[write("a.txt", "one"), read("a.txt")]);
    check(
        "write a.txt: \"x then read y\\n\" then read a.txt",
        &[write("a.txt", "x then read y\n"), read("a.txt")],
    );
    check("write \"hi\" to 'a b.txt'", &[write("a b.txt", "hi")]);
    check("write hi there to a.txt", &[write("a.txt", "hi there")]);
    check("write a.txt:\none\nread two\n", &[write("a.txt", "one\nread two\n")]);
    check("write a.txt:\none\nend\nread a.txt", &[write("a.txt", "one\n"), read("a.txt")]);
    check(
        "write a.txt:\none\n\ntwo\nthen read a.txt",
        &[write("a.txt", "one\n\ntwo\n"), read("a.txt")],
    );
    check("write a.rs:\n```rust\nfn a() {}\n```\n", &[write("a.rs", "fn a() {}\n")]);
    check("append a.txt: é", &[Command::Append { file: text("a.txt"), text: text("é") }]);
}

#[test]
fn changing() {
    let replace =
        |old, new, file| Command::Replace { old: text(old), new: text(new), file: text(file) };
    check("replace cat with dog in a.txt", &[replace("cat", "dog", "a.txt")]);
    check("replace \"a with b\" with \"\" in a.txt", &[replace("a with b", "", "a.txt")]);
    check(
        "delete a.txt; delete b.txt",
        &[Command::Delete { file: text("a.txt") }, Command::Delete { file: text("b.txt") }],
    );
}

#[test]
fn finding() {
    let search = |what, directory: Option<&str>| Command::Search {
        text: text(what),
        directory: directory.map(text),
    };
    check("search for cats and dogs in docs", &[search("cats and dogs", Some("docs"))]);
    check("search for \"in vitro\"", &[search("in vitro", None)]);
    check("what time is it?", &[Command::Time { zone: None }]);
    check(
        "What time is it in Europe/Berlin?",
        &[Command::Time { zone: Some(text("Europe/Berlin")) }],
    );
    check(
        "query .a in {\"a\": [1, 2]} then say done",
        &[
            Command::Query { filter: text(".a"), json: text("{\"a\": [1, 2]}") },
            Command::Say { text: text("done") },
        ],
    );
}

#[test]
fn remembering() {
    check("remember that I like tea", &[Command::Remember { text: text("I like tea") }]);
    check("what do you remember?", &[Command::Recall { about: None }]);
    check("what do you remember about tea?", &[Command::Recall { about: Some(text("tea")) }]);
    check("recall tea", &[Command::Recall { about: Some(text("tea")) }]);
}

#[test]
fn calling() {
    let call = |tool, arguments| Command::Call { tool: text(tool), arguments: text(arguments) };
    check(
        "call a_tool {\"x\": \"a; then read b\"}",
        &[call("a_tool", "{\"x\": \"a; then read b\"}")],
    );
    check("call a_tool", &[call("a_tool", "{}")]);
    assert!(matches!(&parse("call a_tool [1]")[..], [Command::Incomplete { .. }]));
    assert!(matches!(&parse("call a_tool {x")[..], [Command::Incomplete { .. }]));
}

#[test]
fn joining() {
    check(
        "list files, read a.txt and then read b.txt",
        &[list(None, false), read("a.txt"), read("b.txt")],
    );
    check("list files and read a.txt", &[list(None, false), read("a.txt")]);
    check("read a.txt\n\nread b.txt\n", &[read("a.txt"), read("b.txt")]);
    check("read a.txt. Then read b.txt.", &[read("a.txt"), read("b.txt")]);
}

#[test]
fn what_is_no_command() {
    check("Hello!", &[Command::Greet]);
    check("help", &[Command::Help]);
    check(
        "write me a poem",
        &[Command::Incomplete { problem: text("`write` needs more: say `write FILE: TEXT`") }],
    );
    check(
        "sing a song\nread a.txt",
        &[Command::Unknown { text: text("sing a song") }, read("a.txt")],
    );
    check("Summarize the following conversation.\nread nothing", &[Command::SummariseConversation]);
    check(
        "summarise a.md into b.md",
        &[Command::Summarise { file: text("a.md"), into: Some(text("b.md")) }],
    );
}

#[test]
fn nothing_panics() {
    for message in [
        "",
        "\n",
        "é",
        "'",
        "\"\\",
        "then",
        "write :",
        "write ::",
        "replace  with  in ",
        "query  in ",
        "…then…",
        "call {",
        "list recursively",
        "write é: 'é",
        "``` `",
        "read \u{0}",
    ] {
        let _ = parse(message);
    }
}

/// What is quadratic in the length of the message takes minutes here.
#[test]
fn long_messages_are_read_once() {
    for piece in ["word ", "\"a ", "read a; ", "x, and ", "then ", "write a: b\n"] {
        let _ = parse(&piece.repeat(200_000 / piece.len()));
    }
    // These are looked at several times, but never to the end of the message.
    for piece in ["'a ", "{\"a\":", "["] {
        let _ = parse(&format!("write a: {}", piece.repeat(6000 / piece.len())));
    }
}
