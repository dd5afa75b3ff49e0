//! What the full-screen terminal asks of this machine: where the daemon is, files, the person's
//! editor, what they said before. The terminal itself is not touched here, but by the editor.

use crate::attachment;
use crate::daemon;
use crate::env::Environment;
use crate::paths::{Paths, replace_private};
use hydroid_core::id::UserId;
use hydroid_core::message::Content;
use hydroid_tui::{Attachment, Desk, Endpoint};
use rustyline::config::Config;
use rustyline::history::{FileHistory, History as _, SearchDirection};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

/// Things said before that are kept, together with those of `hydroid chat`.
const HISTORY: usize = 1_000;

/// Where clients connect, below the address of a host.
const SOCKET: &str = "/api/v1/socket";

/// This machine, for one user.
pub(crate) struct Here {
    pub(crate) paths: Paths,
    pub(crate) user: UserId,
    pub(crate) vault: PathBuf,
    pub(crate) environment: Arc<Environment>,
    /// A host elsewhere, in place of the daemon.
    pub(crate) elsewhere: Option<Endpoint>,
    said: Mutex<FileHistory>,
}

impl Here {
    pub(crate) fn new(
        paths: Paths,
        user: UserId,
        vault: PathBuf,
        environment: Arc<Environment>,
        elsewhere: Option<Endpoint>,
    ) -> anyhow::Result<Self> {
        let config =
            Config::builder().max_history_size(HISTORY)?.history_ignore_space(true).build();
        let mut said = FileHistory::with_config(&config);
        // A missing or unreadable history is an empty one.
        drop(said.load(&paths.history(&user)));
        Ok(Self { paths, user, vault, environment, elsewhere, said: Mutex::new(said) })
    }

    /// A path as it was typed: `~` is the home, and the rest is meant from where we are.
    fn path(&self, typed: &str) -> PathBuf {
        match (typed.strip_prefix("~/"), self.environment.value("HOME")) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            (Some(_) | None, _) => PathBuf::from(typed),
        }
    }
}

impl Desk for Here {
    fn endpoint(&self) -> Result<Endpoint, String> {
        if let Some(elsewhere) = &self.elsewhere {
            return Ok(elsewhere.clone());
        }
        let found = tokio::runtime::Handle::current().block_on(daemon::running(&self.paths));
        match found {
            Some(running) => {
                Ok(Endpoint { url: socket_of(&running.url), token: Some(running.token) })
            }
            None => {
                Err("no daemon runs here; `hydroid start` in another terminal starts one"
                    .to_owned())
            }
        }
    }

    fn attach(&self, path: &str) -> Result<Attachment, String> {
        let parts = attachment::read(&[self.path(path)], &self.vault)
            .map_err(|error| format!("{error:#}"))?;
        match parts.into_iter().next().map(|part| part.content) {
            Some(Content::Media { media_type, data, name }) => Ok(Attachment {
                name: name.unwrap_or_else(|| "attachment".to_owned()),
                media_type,
                data,
            }),
            Some(_) | None => Err(format!("`{path}` cannot be attached")),
        }
    }

    fn save(&self, path: &str, text: &str) -> Result<String, String> {
        let path = self.path(path);
        let cannot = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("`{}` is there already; write another name", path.display())
            }
            _ => format!("`{}` cannot be written: {error}", path.display()),
        };
        let mut file =
            OpenOptions::new().write(true).create_new(true).open(&path).map_err(cannot)?;
        file.write_all(text.as_bytes()).map_err(cannot)?;
        let whole = std::path::absolute(&path).unwrap_or(path);
        Ok(whole.display().to_string())
    }

    fn edit(&self, text: &str) -> Result<String, String> {
        let set = |name| self.environment.value(name).filter(|value| !value.is_empty());
        let editor = set("VISUAL").or_else(|| set("EDITOR")).ok_or_else(|| {
            "no editor is chosen; set `VISUAL` or `EDITOR` and start again".to_owned()
        })?;
        let file =
            self.paths.log(&self.user).with_file_name(format!("message-{}.md", std::process::id()));
        replace_private(&file, text.as_bytes()).map_err(|error| format!("{error:#}"))?;
        // By a shell, since what is chosen may have arguments of its own.
        let mut line = editor.clone();
        line.push(" \"$1\"");
        let ended = Command::new("/bin/sh").arg("-c").arg(line).arg("sh").arg(&file).status();
        let edited = match ended {
            Ok(status) if status.success() => std::fs::read_to_string(&file)
                .map_err(|error| format!("what was written cannot be read: {error}")),
            Ok(status) => Err(format!("the editor ended with {status}; nothing was changed")),
            Err(error) => Err(format!("the editor could not be started: {error}")),
        };
        drop(std::fs::remove_file(&file));
        edited
    }

    fn history(&self) -> Vec<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        (0..said.len())
            .filter_map(|index| said.get(index, SearchDirection::Forward).ok().flatten())
            .map(|found| found.entry.into_owned())
            .collect()
    }

    fn remember(&self, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.paths.history(&self.user);
        let kept = said.add(text).and_then(|_| said.append(&path));
        if let Err(error) = kept {
            tracing::warn!(%error, "what was said could not be kept for next time");
        }
    }
}

/// Where clients connect at a host, by the address a person knows it by.
pub(crate) fn socket_of(url: &str) -> String {
    let url = url.trim_end_matches('/');
    let socket = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => format!("ws://{rest}"),
        (_, Some(rest)) => format!("wss://{rest}"),
        (None, None) => url.to_owned(),
    };
    let (_, after) = socket.split_once("://").unwrap_or(("", &socket));
    if after.contains('/') { socket } else { format!("{socket}{SOCKET}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(variables: &[(&str, &str)]) -> (tempfile::TempDir, Here) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let paths = Paths { config: path.clone(), data: path.clone(), cache: path.clone() };
        let environment = Arc::new(Environment::of(variables));
        let here =
            Here::new(paths, UserId::new("local"), path.join("vault"), environment, None).unwrap();
        (directory, here)
    }

    #[test]
    fn an_address_becomes_that_of_the_socket() {
        let check = |url: &str, expect: &str| assert_eq!(socket_of(url), expect);
        check("http://127.0.0.1:7717", "ws://127.0.0.1:7717/api/v1/socket");
        check("https://host.example/", "wss://host.example/api/v1/socket");
        check("wss://host.example", "wss://host.example/api/v1/socket");
        check("wss://host.example/below/socket", "wss://host.example/below/socket");
    }

    #[test]
    fn a_file_that_is_there_is_not_replaced() {
        let (directory, here) = here(&[]);
        let path = directory.path().join("all.md").display().to_string();
        assert_eq!(here.save(&path, "one").unwrap(), path);
        assert!(here.save(&path, "two").unwrap_err().contains("is there already"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
    }

    #[test]
    fn the_editor_is_the_persons_own() {
        let (directory, here) = here(&[("EDITOR", "printf more >>")]);
        std::fs::create_dir_all(directory.path().join("users/local")).unwrap();
        assert_eq!(here.edit("text and ").unwrap(), "text and more");
        let left = std::fs::read_dir(directory.path().join("users/local")).unwrap().count();
        assert_eq!(left, 0, "the text is gone with the editor");
        let (_directory, here) = self::here(&[("EDITOR", "false")]);
        assert!(here.edit("x").unwrap_err().contains("nothing was changed"));
        let (_directory, here) = self::here(&[]);
        assert!(here.edit("x").unwrap_err().contains("EDITOR"));
    }

    #[test]
    fn what_was_said_is_there_next_time() {
        let (directory, here) = here(&[]);
        std::fs::create_dir_all(directory.path().join("users/local")).unwrap();
        here.remember("one");
        here.remember("two\nlines \\n");
        let environment = Arc::new(Environment::of(&[]));
        let again =
            Here::new(here.paths.clone(), here.user.clone(), here.vault.clone(), environment, None)
                .unwrap();
        assert_eq!(again.history(), ["one", "two\nlines \\n"]);
    }
}
