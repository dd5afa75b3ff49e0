//! `hydroid secret` through the built binary: values come in by standard input and are sent, and
//! nothing else that the command, the log or the database leaves behind has them.

use crate::support::hydroid::{Home, Ran, test_component};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What must be seen nowhere.
const VALUE: &str = "correct-horse-battery-staple-4711";

fn clean(ran: Ran) -> Ran {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(!said.contains(VALUE) && !said.contains("correct-horse"), "it was shown: {ran:?}");
    ran
}

fn set(home: &Home, name: &str, value: &str) -> Ran {
    clean(home.run_with(&["secret", "set", name], value.as_bytes()))
}

/// Every file below a directory but those of the cache, which is shared.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&entry.path(), found);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
}

#[track_caller]
fn nowhere_on_the_disk(home: &Home, needle: &str) {
    let mut found = Vec::new();
    files(&home.path(""), &mut found);
    assert!(found.iter().any(|path| path.ends_with("journal.db")), "the walk is broken: {found:?}");
    for path in found {
        let bytes = std::fs::read(&path).unwrap();
        let there = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!there, "`{}` has the value", path.display());
    }
}

fn key_files(home: &Home) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&home.path("users/local"), &mut found);
    found.retain(|path| path.extension().is_some_and(|end| end == "key"));
    found
}

#[test]
fn a_value_comes_in_by_standard_input_and_is_shown_nowhere() {
    let home = Home::with_config(
        "[log]\nlevel = \"trace\"\n[secrets.openai]\nhosts = [\"llm.example\"]\n",
    );
    set(&home, "openai", &format!("{VALUE}\n"))
        .code(0)
        .says("openai is set, version 1")
        .tells("which only you can read");
    let second = set(&home, "openai", VALUE).code(0).says("openai is set, version 2");
    assert!(!second.stderr.contains("only you can read"), "it is said once: {second:?}");
    clean(home.run(&["secret", "list"]).code(0)).says("openai  sealed  2").says("llm.example");
    let listed = clean(home.run(&["secret", "list", "--json"]).code(0)).json_lines();
    let row = &listed[0][0];
    assert_eq!(
        (&row["name"], &row["source"], &row["version"]),
        (&"openai".into(), &"sealed".into(), &2.into())
    );
    assert_eq!(row["hosts"], serde_json::json!(["llm.example"]));
    let fields: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["hosts", "name", "set_ms", "source", "version"], "nothing of a value");
    clean(home.run(&["doctor"])).says("secret `openai` is set").says("master key of the stored");
    clean(home.run(&["ask", "hello"]).code(0));
    nowhere_on_the_disk(&home, VALUE);
}

/// What other processes and the shell's history could see is not taken, and not repeated.
#[test]
fn a_value_as_an_argument_is_refused_and_not_repeated() {
    let home = Home::new();
    for arguments in [
        &["secret", "set", "openai", VALUE][..],
        &["secret", "set", "openai", "--", VALUE],
        &["secret", "set", "openai", "--value", VALUE],
        &["secret", "set", &format!("openai={VALUE}")],
        &["secret", "set", &format!("--value={VALUE}"), "openai"],
        &["secret", "remove", &format!("openai={VALUE}"), "--yes"],
    ] {
        clean(home.run_with(arguments, b"x").code(2));
    }
    let token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";
    let ran = home.run_with(&["secret", "set", token], b"x").code(2);
    assert!(!format!("{ran:?}").contains(token), "{ran:?}");
    home.run(&["secret", "set", "openai"]).code(2).tells("there is no value");
    home.run_with(&["secret", "set", "openai"], b"\xff\xfe").code(1).tells("is not UTF-8");
    home.run_with(&["secret", "set", "openai"], &vec![b'x'; 70_000]).code(1).tells("more than");
    home.run(&["secret", "list"]).code(0).tells("there are no secrets");
}

#[test]
fn a_removed_secret_is_gone_and_one_of_the_configuration_is_left_alone() {
    let home = Home::with_config("[secrets.fromfile]\nfile = \"key\"\n");
    set(&home, "openai", VALUE).code(0);
    home.run(&["secret", "remove", "openai"]).code(2).tells("--yes");
    home.run(&["secret", "list"]).code(0).says("openai");
    home.run(&["secret", "remove", "openai", "--yes"]).code(0).says("openai is removed");
    home.run(&["secret", "remove", "openai", "--yes"]).code(1).tells("no secret `openai`");
    home.run(&["secret", "remove", "fromfile", "--yes"])
        .code(1)
        .tells("comes from the configuration");
    set(&home, "fromfile", VALUE).code(1).tells("`secrets.fromfile.file`");
    let listed = home.run(&["secret", "list"]).code(0).says("fromfile  file");
    assert!(!listed.stdout.contains("openai"), "{listed:?}");
}

#[test]
fn an_import_takes_everything_or_says_which_line_is_wrong() {
    let home = Home::with_config("[secrets.taken]\nenv = \"HOME\"\n");
    let import = |text: &str| clean(home.run_with(&["secret", "import"], text.as_bytes()));
    import(&format!("# keys\nexport A='{VALUE}'\nB=\"x\\ny\"\n"))
        .code(0)
        .says("A is imported, version 1\nB is imported, version 1");
    import(&format!("{{\"A\": \"{VALUE}\", \"c\": \"hunter2\"}}"))
        .code(0)
        .says("A is replaced, version 2\nc is imported, version 1");
    import(&format!("D=1\n{VALUE}\n")).code(1).tells("line 2 has no `NAME=value`");
    import(&format!("{{\"D\":\n[\"{VALUE}\"]}}")).code(1).tells("line 2 is wrong");
    import(&format!("D=1\ntaken={VALUE}")).code(1).tells("`secrets.taken.env`");
    home.write("more.env", "E=from-a-file\n");
    let path = home.path("more.env");
    home.run(&["secret", "import", path.to_str().unwrap()]).code(0).says("E is imported");
    let listed = home.run(&["secret", "list"]).code(0);
    assert!(!listed.stdout.contains("\nD "), "nothing of a refused import: {listed:?}");
    nowhere_on_the_disk(&home, VALUE);
}

#[test]
fn sealing_anew_replaces_the_key_and_loses_nothing() {
    let home = Home::new();
    home.run(&["secret", "rotate"]).code(0).tells("nothing to seal");
    set(&home, "a", VALUE).code(0);
    let before = key_files(&home);
    home.run(&["secret", "rotate"])
        .code(0)
        .says("1 secret is sealed under a new master key in a file");
    let after = key_files(&home);
    assert!(before.len() == 1 && after.len() == 1 && before != after, "{before:?} {after:?}");
    home.run(&["doctor"]).says("secret `a` is set");
    home.run(&["secret", "list"]).code(0).says("a     sealed  1");
}

/// Killed at any moment, every secret still opens; the next rotation cleans up.
#[test]
fn a_rotation_that_is_killed_loses_nothing() {
    let home = Home::new();
    let many: String = (0..200).map(|n| format!("name{n}={VALUE}{n}\n")).collect();
    home.run_with(&["secret", "import"], many.as_bytes()).code(0);
    let mut killed = 0;
    for step in 0..8 {
        let before = key_files(&home).len();
        let mut child = home.start(&["secret", "rotate"]);
        // From the moment the new key is there, records are sealed anew and the old key removed.
        while key_files(&home).len() == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(Duration::from_millis(step * 2));
        let _ended_before = child.kill();
        killed += u32::from(child.wait().unwrap().code().is_none());
        let doctor = home.run(&["doctor"]);
        let set = doctor.stdout.matches("` is set").count();
        assert_eq!(set, 200, "after {step}: {doctor:?}");
    }
    assert!(killed >= 2, "it always ended before it was killed");
    home.run(&["secret", "rotate"]).code(0).says("all secrets are sealed");
    assert_eq!(key_files(&home).len(), 1);
    assert_eq!(home.run(&["doctor"]).stdout.matches("` is set").count(), 200);
}

#[test]
fn a_missing_or_wrong_key_is_told_and_nothing_is_lost() {
    let home = Home::new();
    set(&home, "a", VALUE).code(0);
    let key = key_files(&home).remove(0);
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    home.run(&["doctor"]).code(1).says("secret `a` cannot be read").says("put the file back");
    set(&home, "b", VALUE).code(1).tells("put the file back");
    home.run(&["secret", "rotate"]).code(1).tells("put the file back");
    assert!(key_files(&home).is_empty(), "no second key was made");
    // What could not be masked is not put at risk; what repairs and looks goes on.
    let call = ["debug", "call", "tool-time", "time_now", "{}"];
    for begins in [&["ask", "hello"][..], &call] {
        clean(home.run(begins).code(1))
            .tells("`a` cannot be read")
            .tells(key.to_str().unwrap())
            .tells("HYDROID_MASTER_KEY")
            .tells("hydroid doctor");
    }
    home.run(&["session", "list"]).code(0);
    home.run(&["config", "show"]).code(0);
    home.run(&["secret", "list"]).code(0).says("a ");
    std::fs::write(&key, b"bm90IGEga2V5\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    home.run(&["doctor"]).code(1).says("holds no master key");
    home.run(&["ask", "hello"]).code(1).tells("holds no master key");
    std::fs::write(&key, kept).unwrap();
    home.run(&["ask", "hello"]).code(0);
    home.run(&["doctor"]).says("secret `a` is set");
    set(&home, "b", VALUE).code(0);
}

#[test]
fn a_key_in_the_environment_opens_and_another_does_not() {
    let home = Home::new();
    let (key, other) = ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "A".repeat(43) + "=");
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        clean(home.run_in(variables, arguments, VALUE.as_bytes()))
    };
    let right = [("HYDROID_MASTER_KEY", key)];
    with(&right, &["secret", "set", "a"]).code(0);
    assert!(key_files(&home).is_empty(), "no file was made beside it");
    with(&right, &["doctor"]).says("secret `a` is set").says("`HYDROID_MASTER_KEY`");
    let wrong = [("HYDROID_MASTER_KEY", other.as_str())];
    with(&wrong, &["doctor"]).code(1).says("holds another key");
    with(&wrong, &["secret", "set", "b"]).code(1).tells("holds another key");
    with(&[], &["doctor"]).code(1).says("`HYDROID_MASTER_KEY` is not set");
    with(&right, &["secret", "rotate"]).code(1).tells("`HYDROID_NEW_MASTER_KEY` is not set");
    let both = [right[0], ("HYDROID_NEW_MASTER_KEY", other.as_str())];
    with(&both, &["secret", "rotate"]).code(0).tells("must hold what");
    with(&wrong, &["doctor"]).says("secret `a` is set");
    with(&right, &["doctor"]).code(1).says("holds another key");
    nowhere_on_the_disk(&home, key);
}

#[test]
fn a_key_that_others_can_read_is_not_used() {
    let home = Home::new();
    set(&home, "a", VALUE).code(0);
    let key = key_files(&home).remove(0);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    home.run(&["doctor"]).code(1).says("can be read by others (mode 644)").says("chmod 600");
    set(&home, "b", VALUE).code(1).tells("can be read by others");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    set(&home, "b", VALUE).code(0);
}

/// The database and the key are beside the workspace, where no path of a tool leads.
#[test]
fn no_file_tool_reaches_the_database_or_the_key() {
    let home = Home::new();
    set(&home, "a", VALUE).code(0);
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-files")]).code(0);
    home.run(&["component", "grant", "test-tool-files", "file-read-only"]).code(0);
    let key = key_files(&home).remove(0);
    let kept = std::fs::read_to_string(&key).unwrap();
    let name = key.file_name().unwrap().to_str().unwrap();
    std::fs::create_dir_all(home.shared("")).unwrap();
    std::os::unix::fs::symlink(&key, home.shared("link")).unwrap();
    std::os::unix::fs::symlink(home.path("users/local"), home.shared("above")).unwrap();
    std::fs::write(home.shared("plain"), "to be read").unwrap();
    let arguments = "{\"path\": \"/shared/plain\"}";
    home.run(&["debug", "call", "tool-files-read", "file_read", arguments])
        .code(0)
        .says("to be read");
    for path in [
        format!("/shared/../../{name}"),
        "/shared/../../journal.db".to_owned(),
        "/shared/link".to_owned(),
        format!("/shared/above/{name}"),
        "/shared/above/journal.db".to_owned(),
        "/tmp/../../journal.db".to_owned(),
        key.to_str().unwrap().to_owned(),
    ] {
        let arguments = serde_json::json!({ "path": path }).to_string();
        for (component, tool) in
            [("tool-files-read", "file_read"), ("test-tool-files", "path_escape")]
        {
            let ran = home.run(&["debug", "call", component, tool, &arguments]);
            let said = format!("{}{}", ran.stdout, ran.stderr);
            assert!(ran.code != Some(0) || said.contains("refused"), "{tool} {path}: {ran:?}");
            assert!(!said.contains(kept.trim()) && !said.contains("SQLite format"), "{ran:?}");
        }
    }
}
