//! The daemon that is measured: in a home of its own, with a scripted service for a model.

use super::client::Socket;
use super::service::Service;
use crate::paths;
use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::fmt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take until it listens: components are compiled first.
const STARTING: Duration = Duration::from_secs(300);

/// Ticks of the processor clock a second, as Linux counts them for every program.
const TICKS: f64 = 100.0;

/// A running daemon; it is killed when it is dropped.
pub(super) struct Daemon {
    child: Child,
    address: String,
    token: String,
    _home: tempfile::TempDir,
}

/// What it uses of the machine.
pub(super) struct Used {
    pub(super) resident_kib: u64,
    /// What of it is no file: what it asked for and did not give back.
    pub(super) own_kib: u64,
    pub(super) descriptors: usize,
    pub(super) threads: usize,
    /// Seconds of processor time since it began.
    pub(super) cpu: f64,
}

impl Daemon {
    pub(super) fn start(binary: &Path, service: &Service, without_meaning: bool) -> Result<Self> {
        let home = tempfile::tempdir().context("cannot create a scratch directory")?;
        let address = service.address();
        let memory = if without_meaning { "[memory]\nembedder = \"none\"\n" } else { "" };
        // As many as are asked for; what is measured is not how well the host refuses.
        let config = format!(
            "[model]\nprovider = \"provider-openai\"\nname = \"scripted\"\n\
             [egress]\nallow_private = [\"{address}\"]\nmax_concurrent = 4096\nmax_concurrent_per_component = 4096\nmax_requests_per_minute = 1000000\nmax_requests_per_hour = 100000000\n\
             [components.provider-openai.config]\nbase_url = \"http://{address}/v1\"\napi_key_secret = \"\"\n\
             [gateway]\nturns_per_user = 1000\nsessions_per_user = 1000\nrequests_per_minute = 1000000\nsession_idle = \"60s\"\n{memory}"
        );
        std::fs::write(home.path().join("config.toml"), config).context("cannot configure it")?;
        paths::share_compiled(home.path())?;
        let hydroid = |arguments: &[&str]| {
            let mut command = Command::new(binary);
            command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
            command.env("HYDROID_HOME", home.path()).env("HOME", home.path());
            // As `hydroid start` does it.
            command.env("MALLOC_ARENA_MAX", "2");
            command
        };
        let origin = format!("http://{address}");
        let grant = ["component", "grant", "provider-openai", "web", "--host", &origin];
        let granted = hydroid(&grant).status();
        let granted = granted.with_context(|| format!("cannot start `{}`", binary.display()))?;
        ensure!(granted.success(), "the provider may not reach the service; the reason is above");
        let child = hydroid(&["serve", "--bind", "127.0.0.1:0"]).spawn();
        let child = child.context("cannot start the daemon")?;
        let mut daemon = Self { child, address: String::new(), token: String::new(), _home: home };
        let file = daemon._home.path().join("run/gateway.json");
        let began = Instant::now();
        loop {
            if let Ok(text) = std::fs::read_to_string(&file) {
                let running: Value = serde_json::from_str(&text).context("where it listens")?;
                let text = |name: &str| running[name].as_str().unwrap_or_default().to_owned();
                daemon.address = text("url").trim_start_matches("http://").to_owned();
                daemon.token = text("token");
                return Ok(daemon);
            }
            if let Some(status) = daemon.child.try_wait()? {
                bail!("the daemon ended at once ({status}); what it said is above");
            }
            if began.elapsed() > STARTING {
                bail!("the daemon does not listen");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Another connection to it.
    pub(super) fn socket(&self) -> Result<Socket> {
        Socket::open(&self.address, &self.token)
    }

    /// Puts every session away that there is.
    pub(super) fn put_away(&self) -> Result<()> {
        let mut socket = self.socket()?;
        let listed = socket.request(json!({ "type": "sessions", "limit": 1000 }))?;
        for session in listed["sessions"].as_array().into_iter().flatten() {
            let session = &session["session"];
            socket.request(json!({ "type": "archive", "session": session, "archived": true }))?;
        }
        Ok(())
    }

    pub(super) fn used(&self) -> Result<Used> {
        let process = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{process}/status"))
            .context("what a process uses is read from `/proc`, which Linux has")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let stat = std::fs::read_to_string(format!("{process}/stat"))?;
        // The name of the program may have spaces, and stands in parentheses.
        let (_, numbers) = stat.rsplit_once(')').context("what a process uses")?;
        let numbers: Vec<f64> =
            numbers.split_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect();
        let ticks = numbers.get(11).unwrap_or(&0.0) + numbers.get(12).unwrap_or(&0.0);
        Ok(Used {
            resident_kib: field("VmRSS:").context("its memory")?,
            own_kib: field("RssAnon:").context("its own memory")?,
            descriptors: std::fs::read_dir(format!("{process}/fd"))?.count(),
            threads: usize::try_from(field("Threads:").unwrap_or(0)).unwrap_or(0),
            cpu: ticks / TICKS,
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} MiB resident, {:.1} of them no file; {} descriptors, {} threads",
            self.resident_kib as f64 / 1024.0,
            self.own_kib as f64 / 1024.0,
            self.descriptors,
            self.threads
        )
    }
}
