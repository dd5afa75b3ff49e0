//! Sessions and memory at libSQL's own server: its protocol, its tokens, and its sudden end.

use crate::support::hydroid::Home;
use crate::support::sqld::Sqld;

/// A home of a machine whose memory is at this server.
fn machine(server: &Sqld) -> Home {
    let home =
        Home::with_config(&format!("[memory]\nurl = \"{}\"\ntoken = \"database\"\n", server.url()));
    home.run_with(&["secret", "set", "database"], Sqld::token().as_bytes()).code(0);
    home
}

#[test]
fn what_a_machine_keeps_at_sqld_another_finds() {
    let Some(server) = Sqld::start() else { return };
    let stranger = Home::with_config(&format!("[memory]\nurl = \"{}\"\n", server.url()));
    stranger.run(&["memory", "save", "x"]).code(1).tells("wants a token");
    let (one, two) = (machine(&server), machine(&server));
    one.run(&["ask", "the ferry leaves at nine"]).code(0);
    one.run(&["memory", "save", "the lighthouse is green", "--tag", "sea"]).code(0);
    one.write("notes/tides.md", "# Tides\n\nHigh water is two hours after noon.\n");
    let notes = one.path("notes").to_string_lossy().into_owned();
    one.run(&["memory", "ingest", &notes]).code(0).says("1 new");
    let search = |words: &str| two.run(&["memory", "search", words]).code(0).stdout;
    assert!(search("lighthouse").contains("the lighthouse is green"));
    assert!(search("ferry").contains("the ferry leaves at nine"));
    assert!(search("when is the sea high").contains("two hours after noon"));
    two.run(&["memory", "search", "lighthouse", "--tag", "air"]).code(0).tells("nothing fits");
    two.run(&["session", "list"]).code(0).says("the ferry leaves at nine");
    two.run(&["doctor"]).says("which answers").says("no damage found");
    two.run(&["memory", "delete", "note-1"]).code(0);
    one.run(&["memory", "show", "note-1"]).code(1).tells("there is no note");
    two.run(&["memory", "purge", "--yes"]).code(0);
    one.run(&["session", "list"]).code(0).tells("no sessions");
}

#[test]
fn what_sqld_acknowledged_survives_its_sudden_end() {
    let Some(mut server) = Sqld::start() else { return };
    let home = machine(&server);
    home.run(&["memory", "save", "the first"]).code(0);
    let mut kept = 0;
    for round in 0..4 {
        let mut writing = (0..6)
            .map(|number| home.start(&["memory", "save", &format!("note {round} {number}")]))
            .collect::<Vec<_>>();
        std::thread::sleep(std::time::Duration::from_millis(40 * round));
        server.kill_and_start();
        for one in &mut writing {
            kept += usize::from(one.wait().expect("it was started").success());
        }
    }
    let listed = home.run(&["memory", "list", "--json"]).code(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let notes = listed.as_array().expect("a list").len();
    // An answer that was lost on the way is told as an error, and the note may be there.
    assert!(notes > kept, "{kept} were acknowledged beside the first, and {notes} are there");
    home.run(&["memory", "save", "the last"]).code(0);
    home.run(&["memory", "search", "last"]).code(0).says("the last");
    home.run(&["doctor"]).says("no damage found");
}
