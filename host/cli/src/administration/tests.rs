//! Administration as a client uses it, on a home of its own.

use super::*;
use hydroid_core::ports::{ConfigChange, Hidden};

struct Home {
    directory: tempfile::TempDir,
    administrator: Administrator,
}

impl Home {
    fn new(config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.toml"), config).unwrap();
        let home = directory.path().to_str().unwrap();
        let environment = Arc::new(Environment::of(&[("HYDROID_HOME", home)]));
        Self {
            administrator: Administrator::new(environment, Vec::new(), Arc::default()),
            directory,
        }
    }

    async fn ask(&self, wish: AdminRequest) -> Result<Value, AdminError> {
        self.administrator.administer(UserId::new("local"), wish).await
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("config.toml")).unwrap()
    }
}

fn change(key: &str, value: Option<&str>) -> Vec<ConfigChange> {
    vec![ConfigChange { key: key.to_owned(), value: value.map(str::to_owned) }]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_tried_saved_and_put_back_with_its_comments() {
    let text = "# mine\n[turn] # limits\nmax_steps = 5 # few\n";
    let home = Home::new(text);
    let shown = home.ask(AdminRequest::Config).await.unwrap();
    assert_eq!(shown["values"]["turn.max_steps"]["value"], "5");
    assert_eq!(shown["values"]["turn.max_steps"]["from"], "user");
    assert_eq!(shown["values"]["turn.max_repeats"]["from"], "default");
    assert_eq!(shown["keys"].as_array().map(Vec::len), Some(hydroid_core::config::KEYS.len()));

    let changes = change("turn.max_steps", Some("7"));
    let tried = home.ask(AdminRequest::CheckConfig { changes: changes.clone() }).await.unwrap();
    assert_eq!(tried["problems"], json!([]));
    let difference = tried["difference"].as_str().unwrap();
    assert!(difference.contains("-max_steps = 5 # few\n+max_steps = 7 # few"), "{difference}");
    assert_eq!(home.config(), text, "a try changes nothing");

    let base = tried["base"].as_str().unwrap().to_owned();
    let saved = home.ask(AdminRequest::SaveConfig { changes, base: base.clone() }).await.unwrap();
    assert_eq!(home.config(), text.replace('5', "7"));

    let again = change("turn.max_steps", Some("8"));
    let error = home.ask(AdminRequest::SaveConfig { changes: again, base }).await.unwrap_err();
    assert!(matches!(error, AdminError::Conflict(_)), "{error}");

    let backup = saved["backup"].as_str().unwrap().to_owned();
    home.ask(AdminRequest::RestoreConfig { backup }).await.unwrap();
    assert_eq!(home.config(), text);
    let backups = home.ask(AdminRequest::ConfigBackups).await.unwrap();
    assert_eq!(backups.as_array().map(Vec::len), Some(2), "what was replaced is kept in turn");

    let records = home
        .ask(AdminRequest::Audit {
            action: Some("config-changed".into()),
            outcome: None,
            component: None,
            since: None,
            limit: None,
        })
        .await
        .unwrap();
    let records = records.to_string();
    assert!(records.contains("turn.max_steps = 7") && records.contains("all of it"), "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_its_key_and_nothing_is_written() {
    let home = Home::new("");
    for (key, value) in [
        ("turn.max_step", "7"),
        ("turn.max_steps", "many"),
        ("log.level", "loud"),
        ("policy.network", "sometimes"),
    ] {
        let changes = change(key, Some(value));
        let tried = home.ask(AdminRequest::CheckConfig { changes: changes.clone() }).await.unwrap();
        assert_eq!(tried["problems"][0]["key"], key, "{tried}");
        let base = tried["base"].as_str().unwrap().to_owned();
        let error = home.ask(AdminRequest::SaveConfig { changes, base }).await.unwrap_err();
        assert!(matches!(&error, AdminError::Invalid(text) if text.contains(key)), "{error}");
    }
    assert_eq!(home.config(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_kept_file_is_put_back() {
    let home = Home::new("");
    std::fs::write(home.directory.path().join("other.toml"), "user = \"x\"").unwrap();
    for backup in ["other.toml", "../../etc/passwd", "", "config.toml.before-1"] {
        let error =
            home.ask(AdminRequest::RestoreConfig { backup: backup.into() }).await.unwrap_err();
        assert!(matches!(error, AdminError::Invalid(_)), "{backup}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_not_out() {
    let home = Home::new("[secrets_store]\nmaster_key = \"file\"\n");
    let value = "sk-never-to-be-seen-again";
    let set = AdminRequest::SetSecret { name: "openai".into(), value: Hidden(value.into()) };
    let said = home.ask(set).await.unwrap().to_string();
    let listed = home.ask(AdminRequest::Secrets).await.unwrap().to_string();
    assert!(listed.contains("\"openai\"") && listed.contains("sealed"), "{listed}");
    assert!(!said.contains(value) && !listed.contains(value));
    home.ask(AdminRequest::RemoveSecret { name: "openai".into() }).await.unwrap();
    let empty = AdminRequest::SetSecret { name: "openai".into(), value: Hidden(" ".into()) };
    assert!(matches!(home.ask(empty).await, Err(AdminError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_name_leads_nowhere_else() {
    let home = Home::new("");
    for file in ["../x.wasm", "/etc/x.wasm", ".wasm", ".x.wasm", "x.exe", "a/b.wasm", "é.wasm"] {
        let data = hydroid_core::message::Bytes(b"\0asm".to_vec());
        let check = AdminRequest::CheckComponent { file: file.into(), data };
        let error = home.ask(check).await.unwrap_err();
        assert!(matches!(error, AdminError::Invalid(_)), "{file}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_followed_by_whole_lines() {
    let home = Home::new("");
    let path = home.directory.path().join("users/local/hydroid.log");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let read = async |after| home.ask(AdminRequest::Log { after }).await.unwrap();
    assert_eq!(read(None).await["lines"], json!([]));
    std::fs::write(&path, "one\ntwo\nthr").unwrap();
    let first = read(None).await;
    assert_eq!(first["lines"], json!(["one", "two"]));
    std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
    let second = read(first["next"].as_u64()).await;
    assert_eq!(second["lines"], json!(["three"]));
    std::fs::write(&path, "new\n").unwrap();
    let third = read(second["next"].as_u64()).await;
    assert_eq!((&third["lines"], &third["begins_anew"]), (&json!(["new"]), &json!(true)));
}
