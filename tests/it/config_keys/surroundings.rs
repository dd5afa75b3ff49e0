//! Keys about the machine and the person: the cache, the log, the user and the workspace.

use super::{Tested, call, check, run};
use crate::support::hydroid::{Home, Ran, test_component};
use std::path::{Path, PathBuf};

pub(super) const TESTED: &[Tested<Home>] = &[
    ("cache.max_size", cache_size),
    ("log.level", log_level),
    ("user", user),
    ("vault.max_item", vault_item),
    ("workspace.allow_hard_links", hard_links),
    ("workspace.directory", directory),
];

#[test]
fn settings_of_the_surroundings_have_an_effect() {
    let home = Home::new();
    home.run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")]).code(0);
    check(&home, TESTED);
}

/// Compiling a component makes room for its code where the cache is full, and not where it is not.
fn cache_size(_: &Home) {
    let home = Home::new();
    let added = home
        .run(&["component", "add", "--allow-unsigned", &test_component("test-tool-pure")])
        .code(0);
    let digest = added.stdout.split_once("sha256:").expect("a digest").1;
    let digest: String = digest.chars().take_while(char::is_ascii_hexdigit).collect();
    let own = own_cache(&home);
    let oldest = own.join("oldest.cwasm");
    let compile = |setting: &str| {
        forget(&own, &digest);
        let file = std::fs::File::create(&oldest).expect("a file in the cache");
        file.set_len(1 << 30).expect("a file without content takes no room");
        file.set_modified(std::time::UNIX_EPOCH).expect("a time");
        call(&home, &[setting], "test-tool-pure", "greet", r#"{"name":"Ann"}"#).code(0);
        assert_eq!(forget(&own, &digest), 1, "the compiled component was not kept");
        oldest.exists()
    };
    assert!(compile("cache.max_size=2GiB"));
    assert!(!compile("cache.max_size=1GiB"));
}

/// Replaces the cache that all tests share with a copy of it; returns where the code is.
fn own_cache(home: &Home) -> PathBuf {
    let (link, code) = (home.path("cache"), home.path("cache/compiled"));
    let shared = std::fs::read_link(&link).expect("the cache is shared").join("compiled");
    std::fs::remove_file(&link).expect("the link can be removed");
    std::fs::create_dir_all(&code).expect("a directory");
    for entry in std::fs::read_dir(shared).expect("the shared cache is there") {
        let entry = entry.expect("an entry");
        // Another test may have removed it by now.
        drop(std::fs::copy(entry.path(), code.join(entry.file_name())));
    }
    code
}

/// Removes the compiled code of a component; returns how many files that were.
fn forget(cache: &Path, digest: &str) -> usize {
    let entries = std::fs::read_dir(cache).expect("the cache is there");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let of_component =
        names.filter(|name| name.to_str().is_some_and(|name| name.starts_with(digest)));
    of_component
        .map(|name| std::fs::remove_file(cache.join(name)).expect("it can be removed"))
        .count()
}

fn vault_item(home: &Home) {
    home.write("users/local/workspace/vault/item", "four");
    let copy = |most: &str, target: &str| {
        let setting = format!("vault.max_item={most}");
        let arguments = format!(r#"{{"source":"/vault/item","target":"/shared/{target}"}}"#);
        call(home, &[&setting], "tool-vault-read", "vault_copyto", &arguments)
    };
    let refused = copy("3", "small");
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("hydroid config set vault.max_item 4B"), "{said}");
    assert!(!home.shared("small").exists());
    copy("4", "large").code(0);
    assert_eq!(std::fs::read_to_string(home.shared("large")).expect("a copy"), "four");
    run(home, &["vault.max_item=2GiB"], &["config", "show"]).code(2).tells("`1GiB` is the most");
}

fn log_level(home: &Home) {
    let logged = |level: &str| {
        let level = format!("log.level={level}");
        let settings = ["limits.log_lines=1", &level];
        let ran = call(home, &settings, "test-tool-pure", "log_flood", r#"{"count":2}"#).code(0);
        (ran.stderr.contains(&"l".repeat(1000)), ran.stderr.contains("limits.log_lines"))
    };
    assert_eq!(logged("error"), (false, false));
    assert_eq!(logged("warn"), (false, true));
    assert_eq!(logged("info"), (true, true));
    run(home, &["log.level=loud"], &["config", "show"])
        .code(2)
        .tells("error, warn, info, debug, trace");
}

#[track_caller]
fn read(home: &Home, settings: &[&str], name: &str) -> Ran {
    let arguments = format!("{{\"path\":\"/shared/{name}\"}}");
    call(home, settings, "tool-files-read", "file_read", &arguments)
}

fn user(home: &Home) {
    home.write("users/ann/workspace/shared/diary.txt", "what Ann did");
    read(home, &["user=ann"], "diary.txt").code(0).says("what Ann did");
    read(home, &[], "diary.txt").code(1);
    run(home, &["user=ann"], &["ask", "say something"]).code(0);
    run(home, &["user=ann"], &["session", "list"]).code(0).says("say something");
    run(home, &[], &["session", "list"]).code(0).tells("no sessions yet");
    run(home, &["user=../ann"], &["config", "show"]).code(2).tells("`user` is `../ann`");
}

fn hard_links(home: &Home) {
    home.write("outside.txt", "from outside");
    home.write("users/local/workspace/shared/inside.txt", "");
    std::fs::hard_link(home.path("outside.txt"), home.shared("link.txt")).expect("a hard link");
    read(home, &[], "link.txt").code(1).says("workspace.allow_hard_links");
    read(home, &["workspace.allow_hard_links=true"], "link.txt").code(0).says("from outside");
}

fn directory(home: &Home) {
    home.write("elsewhere/shared/there.txt", "it is here");
    let setting = format!("workspace.directory={}", home.path("elsewhere").display());
    read(home, &[&setting], "there.txt").code(0).says("it is here");
    read(home, &[], "there.txt").code(1);
}
