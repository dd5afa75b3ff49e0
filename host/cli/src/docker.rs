//! Credentials for registries as Docker and its kin keep them: `config.json` in `DOCKER_CONFIG` or
//! `~/.docker`, and the credential helpers it names. They are read when a registry asks, and
//! nothing is ever written there.

use crate::env::Environment;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hydroid_core::harmless::excerpt;
use hydroid_core::ports::SecretValue;
use hydroid_wasm::shipping::{Login, Logins};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use zeroize::{Zeroize, Zeroizing};

/// Longest `config.json`.
const LONGEST_FILE: u64 = 1 << 20;

/// Longest answer of a helper.
const LONGEST_ANSWER: u64 = 64 << 10;

/// A helper may have to ask its person.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How often an ended helper is looked for.
const GLANCE: Duration = Duration::from_millis(10);

/// The user a helper names when what it gives is a token and no password.
const TOKEN_USER: &str = "<token>";

/// Variables of ours that are no helper's business.
const OURS: &str = "HYDROID";

/// Reads them.
pub(crate) struct DockerLogins<'a> {
    environment: &'a Environment,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

#[derive(Deserialize)]
struct Given {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: String,
}

impl<'a> DockerLogins<'a> {
    /// Those of this environment.
    pub(crate) fn new(environment: &'a Environment) -> Self {
        Self { environment }
    }
}

impl Logins for DockerLogins<'_> {
    fn login(&self, host: &str) -> Result<Option<Login>, String> {
        let Some(path) = self.environment.docker_config() else { return Ok(None) };
        let shown = path.display().to_string();
        let text = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("`{shown}`: {error}")),
            Ok(file) => {
                let mut text = Zeroizing::new(String::new());
                file.take(LONGEST_FILE)
                    .read_to_string(&mut text)
                    .map_err(|error| format!("`{shown}`: {error}"))?;
                text
            }
        };
        let file: File = serde_json::from_str(&text)
            .map_err(|error| format!("`{shown}` is not what Docker writes: {}", brief(&error)))?;
        let names = names(host);
        let helper = names.iter().find_map(|name| file.helpers.get(name)).or(file.store.as_ref());
        if let Some(helper) = helper {
            let at = if file.helpers.is_empty() { names.last() } else { names.first() };
            let at = names.iter().find(|name| file.helpers.contains_key(*name)).or(at);
            if let Some(login) = self.ask_helper(helper, at.map_or(host, String::as_str))? {
                return Ok(Some(login));
            }
        }
        let entry = names.iter().find_map(|name| file.auths.get(name));
        entry.map_or(Ok(None), |entry| {
            of_entry(entry).map_err(|problem| format!("`{shown}`: {problem}"))
        })
    }
}

/// What went wrong, without the text it went wrong in.
fn brief(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// The names a host may be kept under. What comes last is what a store is asked by.
fn names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned(), format!("https://{host}"), format!("http://{host}")];
    if matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
        names.push("https://index.docker.io/v1/".to_owned());
    } else {
        names.rotate_left(1);
    }
    names
}

fn of_entry(entry: &Entry) -> Result<Option<Login>, String> {
    if !entry.identitytoken.is_empty() {
        return Ok(Some(Login::Identity(SecretValue::new(entry.identitytoken.clone()))));
    }
    if !entry.auth.is_empty() {
        let wrong = || "an `auth` in it is not base64 of `user:password`".to_owned();
        let bytes = Zeroizing::new(STANDARD.decode(entry.auth.trim()).map_err(|_| wrong())?);
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
        let (user, password) = text.trim_end_matches('\0').split_once(':').ok_or_else(wrong)?;
        let password = SecretValue::new(password.to_owned());
        return Ok(Some(Login::Basic { user: user.to_owned(), password }));
    }
    if entry.username.is_empty() {
        return Ok(None);
    }
    let password = SecretValue::new(entry.password.clone());
    Ok(Some(Login::Basic { user: entry.username.clone(), password }))
}

impl DockerLogins<'_> {
    /// Asks `docker-credential-NAME`; none if it knows nobody for the host.
    fn ask_helper(&self, helper: &str, host: &str) -> Result<Option<Login>, String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if helper.is_empty() || !helper.chars().all(is_name) {
            return Err("it names a credential helper that cannot be one".to_owned());
        }
        let program = format!("docker-credential-{helper}");
        let failed = |error: std::io::Error| format!("`{program}` cannot be run: {error}");
        #[expect(
            clippy::disallowed_methods,
            reason = "a helper that the person's own configuration names, not a job of an agent; see docs/decisions/0022-shipping.md"
        )]
        let mut command = Command::new(&program);
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        for variable in self.environment.names().filter(|name| name.starts_with(OURS)) {
            command.env_remove(variable);
        }
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that ends without reading says why in its answer.
            drop(stdin.write_all(host.as_bytes()));
        }
        let stdout = child.stdout.take();
        let reading = std::thread::spawn(move || {
            let mut answer = Zeroizing::new(String::new());
            let read = stdout.map(|from| from.take(LONGEST_ANSWER).read_to_string(&mut answer));
            (matches!(read, Some(Ok(_))), answer)
        });
        let deadline = Instant::now() + LONGEST_WAIT;
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break status,
                None if Instant::now() < deadline => std::thread::sleep(GLANCE),
                None => {
                    drop(child.kill());
                    drop(child.wait());
                    return Err(format!(
                        "`{program}` took longer than {} s",
                        LONGEST_WAIT.as_secs()
                    ));
                }
            }
        };
        let (whole, answer) = reading.join().map_err(|_| format!("`{program}` was lost"))?;
        if !status.success() {
            // That there is none is how they all say it, and no failure.
            return if answer.contains("credentials not found") {
                Ok(None)
            } else {
                Err(format!("`{program}` failed ({status}): {}", excerpt(&answer, 100)))
            };
        }
        let given: Given = serde_json::from_str(&answer)
            .ok()
            .filter(|_| whole)
            .ok_or_else(|| format!("`{program}` gave no user and secret"))?;
        let Given { user, mut secret } = given;
        let value = SecretValue::new(secret.clone());
        secret.zeroize();
        Ok(Some(match user.as_str() {
            TOKEN_USER => Login::Identity(value),
            _ => Login::Basic { user, password: value },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(config: &str, host: &str) -> Result<Option<(String, String)>, String> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.json"), config).unwrap();
        let directory = directory.path().to_str().unwrap();
        let environment = Environment::of(&[("DOCKER_CONFIG", directory)]);
        Ok(DockerLogins::new(&environment).login(host)?.map(|login| match login {
            Login::Basic { user, password } => (user, password.expose().to_owned()),
            Login::Identity(token) => ("<token>".to_owned(), token.expose().to_owned()),
        }))
    }

    #[test]
    fn credentials_are_found_under_every_name_of_a_host() {
        let of = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"YW5uYTpwOnc="}}}}}}"#);
        let anna = Ok(Some(("anna".to_owned(), "p:w".to_owned())));
        for key in ["r.example:5000", "https://r.example:5000", "http://r.example:5000"] {
            assert_eq!(login(&of(key), "r.example:5000"), anna, "{key}");
        }
        assert_eq!(login(&of("https://index.docker.io/v1/"), "docker.io"), anna);
        assert_eq!(login(&of("other.example"), "r.example"), Ok(None));
        let token = r#"{"auths":{"r.example":{"identitytoken":"t"}}}"#;
        assert_eq!(login(token, "r.example"), Ok(Some(("<token>".into(), "t".into()))));
        assert_eq!(login("{}", "r.example"), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_said_without_what_is_in_it() {
        for config in
            [r#"{"auths":{"r.example":{"auth":"c2VjcmV0"}}}"#, r#"{"auths": "secret"}"#, "secret"]
        {
            let problem = login(config, "r.example").unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
        let problem = login(r#"{"credsStore":"../x"}"#, "r.example").unwrap_err();
        assert!(problem.contains("cannot be one"), "{problem}");
        let problem = login(r#"{"credsStore":"is-not-there"}"#, "r.example").unwrap_err();
        assert!(problem.contains("cannot be run"), "{problem}");
    }
}
