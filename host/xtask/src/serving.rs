//! A daemon in a scratch home, for suites of others that judge it over the network.

use crate::{cargo, paths};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Components may have to be compiled first.
const LONGEST: Duration = Duration::from_secs(300);

/// A running daemon, ended when it is dropped, with its home.
pub(crate) struct Serving {
    child: Child,
    /// Like `http://127.0.0.1:7717`.
    pub(crate) url: String,
    pub(crate) token: String,
    home: tempfile::TempDir,
}

impl Serving {
    /// Builds `hydroid` and starts it with these `KEY=VALUE` settings, on a port of its own.
    pub(crate) fn start(settings: &[&str]) -> Result<Self> {
        let hydroid = cargo::build_hydroid(&[])?;
        let home = tempfile::tempdir().context("cannot create a scratch directory")?;
        paths::share_compiled(home.path())?;
        let mut command = Command::new(hydroid);
        command.args(["serve", "--bind", "127.0.0.1:0"]);
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        command.env("HYDROID_HOME", home.path()).stdin(Stdio::null());
        let child = command.spawn().context("cannot start `hydroid serve`")?;
        let mut serving = Self { child, url: String::new(), token: String::new(), home };
        let began = Instant::now();
        while !serving.is_there()? {
            if let Some(status) = serving.child.try_wait()? {
                bail!("`hydroid serve` ended ({status}); its own messages are above");
            }
            if began.elapsed() > LONGEST {
                bail!("`hydroid serve` does not listen after {} s", LONGEST.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(serving)
    }

    /// Reads what it says of itself once it listens.
    fn is_there(&mut self) -> Result<bool> {
        let file = Path::new("run/gateway.json");
        let Ok(text) = fs::read_to_string(self.home.path().join(file)) else {
            return Ok(false);
        };
        let said: Value = serde_json::from_str(&text).context("`run/gateway.json` is no JSON")?;
        let field = |name: &str| said[name].as_str().map(str::to_owned).unwrap_or_default();
        (self.url, self.token) = (field("url"), field("token"));
        Ok(!self.url.is_empty())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
