//! Which of the places a value comes from, what is said when one has none, and that no value is
//! printed.

use super::*;
use crate::secrets::master_key::KeyPlaces;
use hydroid_core::config::MasterKeyPlace;
use hydroid_memory::Database;
use std::path::Path;

fn env(name: &str) -> SecretSource {
    SecretSource { env: Some(name.into()), ..SecretSource::default() }
}

fn file(name: &str) -> SecretSource {
    SecretSource { file: Some(name.into()), ..SecretSource::default() }
}

fn exec(argv: &[&str]) -> SecretSource {
    let exec = argv.iter().map(ToString::to_string).collect();
    SecretSource { exec, ..SecretSource::default() }
}

fn places(directory: &Path) -> KeyPlaces {
    KeyPlaces::new(MasterKeyPlace::Auto, directory.to_owned(), &Environment::of(&[]))
}

fn secrets(directory: &Path, sources: &[(&str, SecretSource)]) -> UserSecrets {
    let database = directory.join("journal.db");
    let lock = directory.join("secrets.lock");
    let sealed = Sealed::new(UserId::new("u"), database, lock, places(directory));
    let sources = sources.iter().map(|(name, source)| ((*name).to_owned(), source.clone()));
    let environment = Environment::of(&[("A", "from-env"), ("PATH", "/usr/bin:/bin")]);
    UserSecrets::new(sources.collect(), Arc::new(environment), directory.to_owned(), sealed)
}

async fn store(directory: &Path, name: &str, value: &str) {
    let database = Database::open(directory.join("journal.db")).await.unwrap();
    let user = UserId::new("u");
    database.add_user(&user).await.unwrap();
    let kept = places(directory).make().await.unwrap().kept;
    let values = vec![(name.to_owned(), SecretValue::new(value.to_owned()))];
    database.set_secrets(&user, &kept.key, "file", values, 1).await.unwrap();
}

fn value(secrets: &UserSecrets, name: &str) -> Option<String> {
    let value = secrets.value(&UserId::new("u"), name).unwrap();
    value.map(|value| value.expose().to_owned())
}

fn problem(secrets: &UserSecrets, name: &str) -> String {
    secrets.value(&UserId::new("u"), name).unwrap_err().problem
}

#[tokio::test]
async fn values_come_from_where_the_configuration_says_and_else_from_the_store() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key"), "from-file\n").unwrap();
    store(directory.path(), "stored", "from-store").await;
    let only_hosts = SecretSource { hosts: vec!["a.example".into()], ..SecretSource::default() };
    let sources = [
        ("a", env("A")),
        ("c", file("key")),
        ("p", exec(&["echo", "from-program"])),
        ("stored", only_hosts.clone()),
        ("nowhere", only_hosts),
    ];
    let secrets = secrets(directory.path(), &sources);
    assert_eq!(value(&secrets, "a").as_deref(), Some("from-env"));
    assert_eq!(value(&secrets, "c").as_deref(), Some("from-file"));
    assert_eq!(value(&secrets, "p").as_deref(), Some("from-program"));
    assert_eq!(value(&secrets, "stored").as_deref(), Some("from-store"));
    assert_eq!(value(&secrets, "nowhere"), None);
    assert_eq!(value(&secrets, "unknown"), None);
    assert_eq!(secrets.known(Programs::Run).len(), 4);
    assert_eq!(secrets.known(Programs::Leave).len(), 3);
    assert!(secrets.has("stored") && !secrets.has("nowhere"));
}

#[tokio::test]
async fn a_secret_in_two_places_is_refused_and_both_values_are_masked() {
    let directory = tempfile::tempdir().unwrap();
    store(directory.path(), "a", "from-store").await;
    let secrets = secrets(directory.path(), &[("a", env("A"))]);
    let problem = problem(&secrets, "a");
    assert!(problem.contains("sealed store") && problem.contains("`secrets.a.env`"), "{problem}");
    assert!(problem.contains("`hydroid secret remove a`"), "{problem}");
    let known: Vec<String> = secrets
        .known(Programs::Leave)
        .iter()
        .map(|known| known.value.expose().to_owned())
        .collect();
    assert_eq!(known, ["from-env", "from-store"]);
}

#[tokio::test]
async fn a_new_value_of_a_service_goes_into_the_store_and_nowhere_else() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key"), "from-file").unwrap();
    store(directory.path(), "stored", "from-store").await;
    let only_hosts = SecretSource { hosts: vec!["a.example".into()], ..SecretSource::default() };
    let sources = [
        ("a", env("A")),
        ("c", file("key")),
        ("p", exec(&["echo", "from-program"])),
        ("stored", only_hosts.clone()),
    ];
    let secrets = secrets(directory.path(), &sources);
    let new = SecretValue::new("from-service".into());
    let user = UserId::new("u");
    for (name, from) in [("a", "env"), ("c", "file"), ("p", "exec")] {
        let problem = secrets.store(&user, name, &new).unwrap_err().problem;
        assert!(problem.contains(&format!("`secrets.{name}.{from}`")), "{problem}");
        assert!(problem.contains("only reads") && !problem.contains("from-"), "{problem}");
        assert_ne!(value(&secrets, name).as_deref(), Some("from-service"));
    }
    let problem = secrets.store(&user, "unknown", &new).unwrap_err().problem;
    assert_eq!(problem, "it is not in the sealed store");
    secrets.store(&user, "stored", &new).unwrap();
    assert_eq!(value(&secrets, "stored").as_deref(), Some("from-service"));
    assert_eq!(secrets.source("stored"), Some(&only_hosts), "its hosts stay");
}

#[test]
fn a_program_runs_once_a_process() {
    let directory = tempfile::tempdir().unwrap();
    let script = "printf x >> count; printf value";
    let secrets = secrets(directory.path(), &[("p", exec(&["sh", "-c", script]))]);
    assert_eq!(value(&secrets, "p").as_deref(), Some("value"));
    assert_eq!(secrets.known(Programs::Run).len(), 1);
    assert_eq!(value(&secrets, "p").as_deref(), Some("value"));
    assert_eq!(std::fs::read_to_string(directory.path().join("count")).unwrap(), "x");
}

#[test]
fn the_master_key_is_given_to_no_program() {
    let directory = tempfile::tempdir().unwrap();
    let mut source = exec(&["env"]);
    source.exec_env = vec!["HYDROID_MASTER_KEY".into()];
    let secrets = secrets(directory.path(), &[("p", source)]);
    let problem = problem(&secrets, "p");
    assert!(problem.contains("is given to no program"), "{problem}");
}

#[test]
fn a_source_without_a_value_says_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let sources = [("b", env("B")), ("d", file("gone")), ("p", exec(&["false"]))];
    let secrets = secrets(directory.path(), &sources);
    assert_eq!(
        problem(&secrets, "b"),
        "the environment variable `B` is not set; `export B=…` sets it"
    );
    let gone = directory.path().join("gone");
    assert_eq!(problem(&secrets, "d"), format!("the file `{}` does not exist", gone.display()));
    assert!(problem(&secrets, "p").contains("`false` failed"));
    let states: Vec<bool> = secrets.states().into_iter().map(|(_, state)| state.is_err()).collect();
    assert_eq!(states, [true; 3]);
}

#[test]
fn no_value_is_ever_printed() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key"), [b'x', 0xff]).unwrap();
    let sources = [("a", env("A")), ("c", file("key")), ("e", file("."))];
    let secrets = secrets(directory.path(), &sources);
    assert!(!format!("{secrets:?}").contains("from-env"));
    let error = secrets.value(&UserId::new("u"), "c").unwrap_err().to_string();
    assert!(error.contains("`c`") && error.contains("UTF-8"), "{error}");
    assert!(secrets.value(&UserId::new("u"), "e").is_err());
}

#[test]
fn a_name_is_a_name_and_a_value_in_its_place_is_not_repeated() {
    for name in ["openai", "OPENAI_API_KEY", "github-token", "a", "x1_y-2"] {
        assert_eq!(check_name(name), Ok(()), "{name}");
    }
    for wrong in [
        "",
        "a b",
        "a.b",
        "-a",
        "a=b",
        "../x",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "sk-proj-a8Xq2Lm9Zt4Vb7Nc1Rw6Ye3Uf5Hg0Jk",
        &"x".repeat(65),
    ] {
        let problem = check_name(wrong).unwrap_err();
        assert!(wrong.len() < 5 || !problem.contains(wrong), "{problem}");
    }
}
