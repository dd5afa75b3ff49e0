//! Memory as a person uses it: notes and files kept, found, carried elsewhere and forgotten;
//! copies; and files that no model changes unasked.

use crate::support::database_service::DatabaseService;
use crate::support::hrana::Trouble;
use crate::support::hydroid::Home;
use serde_json::Value;

fn json(home: &Home, command: &[&str]) -> Value {
    serde_json::from_str(&home.run(command).code(0).stdout).expect("JSON")
}

fn path(home: &Home, name: &str) -> String {
    home.path(name).to_str().expect("a temporary path is UTF-8").to_owned()
}

#[test]
fn notes_are_kept_found_carried_and_forgotten() {
    let home = Home::new();
    home.run(&["memory", "list"]).code(0).tells("there are no notes yet");
    let inn = ["memory", "save", "the harbour inn has a room", "--tag", "travel", "--important"];
    home.run(&inn).code(0).says("note-1");
    home.run(&["memory", "save", "anna likes tea", "--scope", "project:boat"]).code(0);
    home.run(&["memory", "save", "x", "--scope", "team:y"]).code(1).tells("is no scope");
    home.run(&["memory", "search", "harbours"]).code(0).says("the harbour inn has a room");
    home.run(&["memory", "search", "inn", "--explain"]).code(0).says("keyword 1.00");
    home.run(&["memory", "search", "inn", "--tag", "food"]).code(0).tells("nothing fits");
    home.run(&["memory", "search", "inn", "--since", "soon"]).code(2).tells("is no time");
    home.run(&["memory", "show", "note-1"]).code(0).says("important");
    for nothing in ["", " \t ", "?! …"] {
        home.run(&["memory", "search", nothing]).code(2).tells("there is no word to look for");
    }
    home.run(&["memory", "search", "inn", "--limit", "0"]).code(2).tells("at least 1");
    home.run(&["memory", "search", "", "--tag", "travel"]).code(0).says("the harbour inn");
    for format in ["jsonl", "markdown"] {
        let exported = home.run(&["memory", "export", "--format", format]).code(0).stdout;
        let other = Home::new();
        other.write("notes", &exported);
        let import = ["memory", "import", &path(&other, "notes"), "--format", format];
        other.run(&import).code(0).says("2 notes came in");
        other.run(&import).code(0).says("0 notes came in, 2 were there");
        let listed = json(&other, &["memory", "list", "--json"]);
        let scopes: Vec<&str> = listed
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|note| note["scope"].as_str())
            .collect();
        assert!(scopes.contains(&"project:boat"), "{listed}");
    }
    home.run(&["memory", "prune", "--older-than", "0s"]).code(0).says("1 notes").says("--yes");
    home.run(&["memory", "delete", "note-2"]).code(0);
    home.run(&["memory", "show", "note-2"]).code(1).tells("there is no note");
    home.run(&["memory", "purge"]).code(2).tells("add `--yes`");
    home.run(&["memory", "purge", "--yes"]).code(0).says("forgot 1 notes");
    assert_eq!(json(&home, &["memory", "status", "--json"])["chunks"], 0);
}

#[test]
fn files_are_taken_in_again_only_when_they_changed() {
    let home = Home::new();
    home.write("docs/ferry.md", "# Ferry\n\nThe ferry leaves at noon.");
    home.write("docs/page.html", "<p>The <b>lighthouse</b> is closed.</p><script>bad()</script>");
    home.write("docs/code.rs", "fn tide() -> u32 {\n    12\n}\n");
    home.write("docs/paper.pdf", "%PDF-1.7");
    let docs = path(&home, "docs");
    let ran = home.run(&["memory", "ingest", &docs]).code(0);
    ran.says("3 new, 0 changed, 0 as they were, 1 left out").tells("not a PDF document");
    home.run(&["memory", "ingest", &docs]).code(0).says("0 new, 0 changed, 3 as they were");
    home.run(&["memory", "search", "lighthouse"]).code(0).says("is closed");
    let by_words = ["--set", "memory.embedder=none", "memory", "search", "bad"];
    home.run(&by_words).code(0).tells("nothing fits");
    home.run(&["memory", "search", "tide"]).code(0).says("code.rs");
    home.write("docs/ferry.md", "The ferry leaves at nine.");
    home.run(&["memory", "ingest", &docs]).code(0).says("0 new, 1 changed, 2 as they were");
    home.run(&["memory", "search", "ferry"]).code(0).says("at nine");
    home.run(&["memory", "forget", &docs]).code(0).says("forgot 3 files");
    home.run(&["memory", "forget", &docs]).code(1).tells("nothing was taken in from");
    home.run(&["memory", "search", "ferry"]).code(0).tells("nothing fits");
}

#[test]
fn a_copy_is_made_verified_and_put_back() {
    let home = Home::new();
    home.run(&["backup", "list"]).code(0).tells("there are no copies yet");
    home.run(&["memory", "save", "before"]).code(0);
    let name = home.run(&["backup", "create"]).code(0).stdout.trim().to_owned();
    home.run(&["backup", "verify", &name]).code(0).says("is whole");
    home.run(&["memory", "save", "after"]).code(0);
    home.run(&["backup", "restore", &name]).code(2).tells("add `--yes`");
    home.run(&["backup", "restore", &name, "--yes"]).code(0).says("what was there is in");
    let texts = home.run(&["memory", "list"]).code(0).stdout;
    assert!(texts.contains("before") && !texts.contains("after"), "{texts}");
    assert_eq!(json(&home, &["backup", "list", "--json"]).as_array().expect("a list").len(), 2);
    let file = home.path(&format!("users/local/backups/{name}.db"));
    let mut bytes = std::fs::read(&file).expect("a copy");
    bytes[5_000] ^= 1;
    std::fs::write(&file, bytes).expect("a file");
    home.run(&["backup", "restore", &name, "--yes"]).code(1).tells("is not what it was");
    home.run(&["backup", "verify", "../x"]).code(2);
    home.run(&["backup", "verify", "nothing"]).code(1).tells("there is no copy");
}

#[test]
fn a_model_changes_no_file_of_the_person_unasked() {
    let home = Home::new();
    let allow = ["ask", "write MEMORY.md: hacked", "--allow", "file_write"];
    home.run(&allow).code(6);
    assert!(!home.shared("MEMORY.md").exists());
    home.run(&["ask", "write other.md: fine", "--allow", "file_write"]).code(0);
    assert!(home.shared("other.md").exists());
    let check = ["policy", "check", "file_write /shared/memory/2026-11-26.md"];
    home.run(&check).code(7).says("read into every conversation");
}

/// A disk that takes no more: what was acknowledged is there, and the sentence says why.
#[test]
fn a_full_disk_is_a_clear_error_and_nothing_is_lost() {
    let home = Home::new();
    home.run(&["memory", "save", "kept before the disk was full"]).code(0);
    let large: String = (0..60_000).map(|n| format!("word{n} ")).collect();
    home.write("large.md", &large);
    // No file may grow beyond so many kilobytes, and a write that would is refused.
    let script = "trap '' XFSZ; ulimit -f 700; exec \"$@\"";
    let command = [home.hydroid(), "memory".into(), "ingest".into(), path(&home, "large.md")];
    let ran = home.shell(script, &command);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("disk") || ran.stderr.contains("space"), "{ran:?}");
    home.run(&["memory", "search", "kept"]).code(0).says("kept before the disk was full");
    home.run(&["memory", "ingest", &path(&home, "large.md")]).code(0).says("1 new");
}

const TOKEN: &str = "token-of-the-database-7f3a";

/// Sessions and memory at a service with a token; nothing of either is in the file.
#[test]
fn sessions_and_memory_live_at_a_service() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = DatabaseService::start(&directory.path().join("service.db"), Some(TOKEN));
    let home = Home::new();
    let url = service.url();
    home.run(&["config", "set", "memory.token", "memory-token"]).code(0);
    home.run(&["config", "set", "memory.url", &url]).code(0);
    // The secret is set and kept here, so it is there before the service is.
    let unset = home.run(&["memory", "list"]).code(1);
    unset.tells("the secret `memory-token` is not set").tells("hydroid secret set memory-token");
    home.run_with(&["secret", "set", "memory-token"], TOKEN.as_bytes()).code(0);
    home.run(&["memory", "save", "the harbour inn has a room"]).code(0).says("note-1");
    home.write("docs/page.html", "<p>The <b>lighthouse</b> is closed.</p>");
    home.run(&["memory", "ingest", &path(&home, "docs")]).code(0).says("1 new");
    home.run(&["ask", "remember: the spare key is blue", "--allow", "memory_save"]).code(0);
    home.run(&["ask", "say the ferry is late"]).code(0);
    // Vectors of some chunks only would not be compared.
    home.run(&["memory", "reindex"]).code(0);
    let found = home.run(&["memory", "search", "ferry"]).code(0);
    found.says("the ferry is late");
    home.run(&["memory", "status"]).code(0).says(&format!("they are at `{url}`"));
    home.run(&["doctor"]).says("which answers");
    home.run(&["backup", "create"]).code(0).tells("not in this copy");
    let sessions = json(&home, &["session", "list", "--json"]);
    assert_eq!(sessions.as_array().map(Vec::len), Some(2), "{sessions}");

    // Another machine with the same token has the same memory, and its own costs and audit log.
    let other = Home::with_config(&format!(
        "[memory]\nurl = \"{url}\"\ntoken = \"t\"\n[secrets.t]\nenv = \"T\"\n"
    ));
    let there = other.run_in(&[("T", TOKEN)], &["memory", "search", "lighthouse"], b"").code(0);
    there.says("is closed");
    let explained =
        other.run_in(&[("T", TOKEN)], &["memory", "search", "closed lighthouse", "--json"], b"");
    let explained: Value = serde_json::from_str(&explained.code(0).stdout).expect("JSON");
    assert!(explained[0]["why"]["vector"].is_number(), "no vector was compared: {explained}");
    other.run(&["audit", "verify"]).code(0);

    let file = std::fs::read(home.path("users/local/journal.db")).expect("the file");
    let wal = std::fs::read(home.path("users/local/journal.db-wal")).unwrap_or_default();
    for text in ["harbour inn", "lighthouse", "spare key", "ferry", TOKEN] {
        let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!has(&file) && !has(&wal), "`{text}` is in the file");
    }
    home.run(&["memory", "purge", "--yes"]).code(0).says("2 sessions");
    other
        .run_in(&[("T", TOKEN)], &["memory", "search", "ferry lighthouse"], b"")
        .tells("nothing fits");
}

/// What a service refuses, or the way to it, is said with what mends it, and never with the token.
#[test]
fn a_service_that_cannot_be_used_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let service = DatabaseService::start(&directory.path().join("service.db"), Some(TOKEN));
    let config =
        |url: &str| format!("[memory]\nurl = \"{url}\"\ntoken = \"t\"\n[secrets.t]\nenv = \"T\"\n");
    let home = Home::with_config(&config(&service.url()));
    let run = |arguments: &[&str]| {
        let ran = home.run_in(&[("T", TOKEN)], arguments, b"");
        assert!(!ran.stdout.contains(TOKEN) && !ran.stderr.contains(TOKEN), "{ran:?}");
        ran
    };
    run(&["memory", "save", "kept"]).code(0);
    for (trouble, expect) in [
        (Trouble::LostRequest, "broke off"),
        (Trouble::LostAnswer, "broke off"),
        (Trouble::Expired, "nothing of it was kept"),
    ] {
        service.trouble(move |body| body.contains("INSERT INTO notes").then(|| trouble.clone()));
        run(&["memory", "save", "lost"]).code(1).tells(expect);
        service.hrana.expire();
    }
    service.trouble(|_| Some(Trouble::Answer(503, "upstream is away".into())));
    run(&["memory", "list"]).code(1).tells("try again later: status 503 upstream is away");
    run(&["doctor"]).says("status 503");
    service.trouble(|_| None);
    // What was begun and not committed is gone, and the next one goes on.
    let listed = run(&["memory", "list"]).code(0).stdout;
    assert!(listed.contains("kept") && !listed.contains("lost"), "{listed}");
    service.change_token("another");
    run(&["memory", "list"])
        .code(1)
        .tells("refuses the token in the secret `t`")
        .tells("hydroid secret set t");
    // Nothing that needs no memory needs the service.
    run(&["audit", "tail"]).code(0);
    run(&["secret", "list"]).code(0);
    home.write("config.toml", &config("http://127.0.0.1:9"));
    run(&["memory", "list"]).code(1).tells("`127.0.0.1` cannot be reached");
    home.write("config.toml", &config("http://db.example.com"));
    run(&["memory", "list"]).code(1).tells("no encryption");
    let hosts = format!("{}hosts = [\"db.example.com\"]\n", config(&service.url()));
    home.write("config.toml", &hosts);
    run(&["memory", "list"]).code(1).tells("may not be sent to");
}
