//! Every key of the configuration through the configurator's door: a value that fits is tried,
//! saved, shown and taken out again with every comment where it was, and one that does not fit is
//! refused at its key. What each key does is in `config_keys`.

use crate::support::browser::Host;
use hydroid_core::config::{KEYS, Key};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Comments everywhere, and keys in an order of their own.
const MINE: &str = "# mine\nuser = \"local\" # me\n\n[turn] # limits\n# few\nmax_steps = 5 # few\n";

/// What a name stands for where a key has one.
const NAMED: [(&str, &str); 5] = [
    ("components.*", "components.tool-time"),
    ("gateway.webhooks.*", "gateway.webhooks.ci"),
    ("policy.tools.*", "policy.tools.file_read"),
    ("secrets.*", "secrets.mine"),
    ("telemetry.headers.*", "telemetry.headers.x-key"),
];

/// Keys that are only there together with others.
const WITH: [(&str, &[(&str, &str)]); 18] = [
    ("components.*.component", &[]),
    ("gateway.tls_cert", &[("gateway.tls_key", "key.pem")]),
    ("gateway.tls_key", &[("gateway.tls_cert", "cert.pem")]),
    ("gateway.webhooks.*.secret", &[("gateway.webhooks.ci.session", "s")]),
    ("gateway.webhooks.*.session", &[("gateway.webhooks.ci.secret", "s")]),
    (
        "gateway.webhooks.*.user",
        &[("gateway.webhooks.ci.session", "s"), ("gateway.webhooks.ci.secret", "s")],
    ),
    ("memory.url", &[("memory.token", "memory-token")]),
    ("model.prices.cache_read", PRICES),
    ("model.prices.cache_write", PRICES),
    ("model.prices.input", &[("model.prices.output", "2.5")]),
    ("model.prices.output", &[("model.prices.input", "2.5")]),
    ("model.route.compaction.*", &[]),
    ("policy.rules", &[]),
    ("secrets.*.exec_env", &[("secrets.mine.exec", "[\"op\", \"read\"]")]),
    ("secrets.*.hosts", &[("secrets.mine.env", "MINE")]),
    ("secrets.*.rotate", &[("secrets.mine.env", "MINE")]),
    ("telemetry.headers.*", &[("telemetry.otlp_endpoint", "http://127.0.0.1:4318")]),
    ("telemetry.sampling", &[]),
];

const PRICES: &[(&str, &str)] = &[("model.prices.input", "2.5"), ("model.prices.output", "9")];

/// Values of keys whose kind alone does not say what fits.
const FITTING: [(&str, &str); 32] = [
    ("components.*.component", "tool-web"),
    ("components.*.config", "{ zone = \"UTC\" }"),
    ("components.*.limits.memory", "16MiB"),
    ("egress.allow_private", "[\"127.0.0.1:8080\"]"),
    ("egress.dns", "10.0.0.2:53"),
    ("egress.leaks", "redact"),
    ("gateway.bind", "127.0.0.1:7718"),
    ("gateway.origins", "[\"https://hydroid.example\"]"),
    ("log.level", "debug"),
    ("memory.diversity", "0.5"),
    ("memory.importance", "0.5"),
    ("memory.recency", "0.5"),
    ("memory.token", "memory-token"),
    ("memory.url", "libsql://name.example.com"),
    ("model.fallback", "[{ provider = \"provider-openai\", name = \"small\" }]"),
    ("model.fallback_on", "[\"timeout\"]"),
    ("model.route.compaction.prices", "{ input = 1, output = 2 }"),
    ("model.route.delegate.prices", "{ input = 1, output = 2 }"),
    ("model.route.title.prices", "{ input = 1, output = 2 }"),
    ("model.route.vision.prices", "{ input = 1, output = 2 }"),
    ("model.temperature", "0.5"),
    ("policy.allow", "[\"file_write(/shared/notes/**)\"]"),
    ("policy.ask", "[\"web_fetch\"]"),
    ("policy.deny", "[\"web_fetch(*.example.com)\"]"),
    ("policy.rules", "[{ effect = \"deny\", calls = \"file_*\" }]"),
    ("secrets.*.env", "MINE"),
    ("secrets.*.exec", "[\"op\", \"read\"]"),
    ("secrets_store.master_key", "file"),
    ("telemetry.otlp_endpoint", "http://127.0.0.1:4318"),
    ("telemetry.sampling", "0.5"),
    ("turn.compact_at", "0.5"),
    ("workspace.directory", "/srv/hydroid"),
];

/// Texts of which the host cannot say what is wrong until it uses them.
const ANY_TEXT: [&str; 22] = [
    "components.*.component",
    "egress.ca_file",
    "gateway.tls_cert",
    "gateway.tls_key",
    "gateway.webhooks.*.secret",
    "gateway.webhooks.*.session",
    "gateway.webhooks.*.user",
    "memory.embedder",
    "memory.token",
    "model.catalog",
    "model.instructions",
    "model.name",
    "model.provider",
    "model.route.*.name",
    "model.route.*.provider",
    "secrets.*.env",
    "secrets.*.file",
    "secrets_store.master_key",
    "telemetry.headers.*",
    "telemetry.service_name",
    "user",
    "workspace.directory",
];

fn listed<'a, T: Copy>(of: &'a [(&'a str, T)], path: &str) -> Option<T> {
    of.iter().find(|(key, _)| *key == path).map(|(_, value)| *value)
}

/// The key as it would be typed.
fn typed(path: &str) -> String {
    match NAMED.into_iter().find(|(group, _)| path.starts_with(group)) {
        Some((group, named)) => path.replacen(group, named, 1),
        None => path.to_owned(),
    }
}

fn fitting(key: &Key) -> String {
    let default = key.default.trim_matches('"').to_owned();
    match (listed(&FITTING, key.path), key.kind) {
        (Some(value), _) => value.to_owned(),
        (None, "bool") => (key.default != "true").to_string(),
        (None, "rule") => "deny".to_owned(),
        (None, "mode") => "plan".to_owned(),
        (None, "table") => "{ effort = \"low\" }".to_owned(),
        (None, "list") => "[\"one\", \"two\"]".to_owned(),
        (None, "size") if default.is_empty() => "1MiB".to_owned(),
        (None, "time") if default.is_empty() => "10s".to_owned(),
        (None, "number") if default.is_empty() => "3".to_owned(),
        (None, "text") if default.is_empty() => "some text".to_owned(),
        (None, _) => default,
    }
}

/// A value that cannot be this key's.
fn unfit(key: &Key) -> Option<&'static str> {
    let is_any = ANY_TEXT.contains(&key.path)
        || (key.path.starts_with("model.route.")
            && (key.path.ends_with(".name") || key.path.ends_with(".provider")));
    match key.kind {
        "text" if is_any => None,
        "list" => Some("[7]"),
        "table" => Some("7"),
        _ => Some("no such thing"),
    }
}

fn together(key: &Key) -> Vec<(String, String)> {
    let mut with: Vec<(String, String)> = listed(&WITH, key.path)
        .unwrap_or_default()
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    if let Some((route, field)) = key.path.rsplit_once('.')
        && route.starts_with("model.route.")
    {
        let others = ["provider", "name"].into_iter().filter(|other| *other != field);
        with.extend(others.map(|other| (format!("{route}.{other}"), "provider-openai".into())));
    }
    with
}

fn changes(pairs: &[(String, Option<String>)]) -> Value {
    pairs.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

struct Door {
    host: Host,
    token: String,
}

impl Door {
    /// A daemon that takes as many requests as there are keys, with a file that says nothing of it.
    fn open() -> Self {
        let host = Host::start(&format!("{MINE}\n[gateway]\nrequests_per_minute = 100000\n"));
        std::fs::write(host.home.path("config.toml"), MINE).expect("it is written");
        let token = host.token("admin");
        Self { host, token }
    }

    fn ask(&self, wish: &Value) -> (u16, Value) {
        let head = format!(
            "POST /api/v1/admin\nauthorization: Bearer {}\ncontent-type: application/json\nx-hydroid-admin: 1",
            self.token
        );
        let (status, text) = self.host.http(&head, &wish.to_string());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    fn done(&self, wish: &Value) -> Value {
        let (status, answer) = self.ask(wish);
        assert_eq!(status, 200, "{wish}: {answer}");
        answer
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.host.home.path("config.toml")).expect("a file")
    }

    /// Tries the changes and saves them; what is wrong with them, if anything is.
    fn save(&self, changes: &Value) -> Value {
        let tried = self.done(&json!({ "type": "check_config", "changes": changes }));
        if tried["problems"] == json!([]) {
            let base = &tried["base"];
            let save = json!({ "type": "save_config", "changes": changes, "base": base });
            self.done(&save);
        }
        tried["problems"].clone()
    }
}

#[test]
fn every_key_is_set_shown_and_taken_out_and_keeps_what_was_written_beside_it() {
    let door = Door::open();
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
    for key in KEYS {
        let path = typed(key.path);
        let value = fitting(key);
        let mut pairs: Vec<(String, Option<String>)> =
            together(key).into_iter().map(|(key, value)| (key, Some(value))).collect();
        pairs.push((path.clone(), Some(value.clone())));
        let problems = door.save(&changes(&pairs));
        if problems != json!([]) {
            failed.insert(key.path, format!("`{value}`: {problems}"));
            continue;
        }
        let file = door.file();
        let lost = MINE.lines().filter(|line| {
            let own = line.split(" = ").next().is_some_and(|own| path.ends_with(own));
            !own && !file.contains(line)
        });
        let lost: Vec<&str> = lost.collect();
        let shown = door.done(&json!({ "type": "config" }));
        let row = &shown["values"][&path];
        // The daemon of a test has its address and its user from elsewhere, which comes first.
        let is_overruled = matches!(key.path, "gateway.bind" | "user") && row["from"] == "flag";
        if row["from"] != "user" && !is_overruled && key.kind != "table" {
            failed.insert(key.path, format!("it is shown as {row}, {}", shown["problem"]));
        } else if !lost.is_empty() {
            failed.insert(key.path, format!("{lost:?} is lost: {file}"));
        }
        let back: Vec<(String, Option<String>)> = pairs
            .into_iter()
            .map(|(key, _)| {
                let before = match key.as_str() {
                    "turn.max_steps" => Some("5".to_owned()),
                    "user" => Some("local".to_owned()),
                    _ => None,
                };
                (key, before)
            })
            .collect();
        let problems = door.save(&changes(&back));
        if problems != json!([]) || door.file() != MINE {
            failed.insert(key.path, format!("not taken out: {problems} {}", door.file()));
            std::fs::write(door.host.home.path("config.toml"), MINE).expect("it is written");
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_does_not_fit_is_refused_at_its_key_and_nothing_is_written() {
    let door = Door::open();
    let base = door.done(&json!({ "type": "config" }))["base"].clone();
    let mut failed: BTreeMap<&str, String> = BTreeMap::new();
    let mut refused = 0;
    for key in KEYS {
        let Some(value) = unfit(key) else { continue };
        let path = typed(key.path);
        // Another change that is fine is not blamed for it.
        let mut pairs: Vec<(String, Option<String>)> =
            together(key).into_iter().map(|(key, value)| (key, Some(value))).collect();
        pairs.push((path.clone(), Some(value.to_owned())));
        let changes = changes(&pairs);
        let tried = door.done(&json!({ "type": "check_config", "changes": changes }));
        let blamed: Vec<&str> = tried["problems"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|problem| problem["key"].as_str())
            .collect();
        if !blamed.contains(&path.as_str()) {
            failed.insert(key.path, format!("`{value}` is not refused there: {tried}"));
            continue;
        }
        let save = json!({ "type": "save_config", "changes": changes, "base": base });
        let (status, answer) = door.ask(&save);
        if status == 200 || !answer.to_string().contains(path.as_str()) {
            failed.insert(key.path, format!("{status} {answer}"));
        }
        refused += 1;
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(refused > 100, "{refused}");
    assert_eq!(door.file(), MINE);
}
