//! `hydroid start`, `stop`, `restart`, `status` and `logs`: the daemon seen from outside.

use super::serve::{bind_setting, output_of};
use crate::args::{Daemon, Logs, Serve};
use crate::daemon::{Order, Running, ask, running, starting};
use crate::env::Environment;
use crate::exit::Exit;
use crate::load::Setting;
use crate::moment;
use crate::paths::{Paths, private_directory};
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::harmless::harmless;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a daemon may take until it listens. Components are compiled the first time.
const STARTING: Duration = Duration::from_secs(120);

/// How long it may take to end: turns have ten seconds of it.
const STOPPING: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// How many arenas glibc's allocator has at most. By itself it gives threads eight for each core,
/// and each keeps the most it ever needed: a daemon with many sessions held twice as much.
/// Whoever says otherwise is heard, and another allocator does not know it.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");

/// Bytes of a log that are read for its last lines.
const LAST_BYTES: u64 = 1 << 20;

/// Starts the daemon and waits until it listens.
pub(crate) async fn start(
    serve: &Serve,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let running = started(serve, &environment, settings).await?;
    terminal::print_line(&format!("listening on {}", running.url))?;
    terminal::say(
        "`hydroid web` lets a browser in; `hydroid status`, `logs` and `stop` see to the daemon",
    );
    Ok(Exit::Done)
}

/// The daemon of this home, started if it does not run.
pub(crate) async fn started(
    serve: &Serve,
    environment: &Arc<Environment>,
    settings: &[Setting],
) -> Result<Running> {
    let paths = Paths::find(environment)?;
    if let Some(found) = running(&paths).await {
        if serve.bind.is_some() {
            bail!("a daemon runs here already, on {}; `hydroid restart` takes `--bind`", found.url);
        }
        return Ok(found);
    }
    if starting(&paths).is_some() {
        return another_started(&paths).await;
    }
    // What is wrong with the configuration is said here, where it is read.
    bind_setting(serve)?;
    drop(crate::load::load(&paths, environment, settings)?);
    private_directory(&paths.run())?;
    let output = output_of(&paths);
    let opened = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&output)
        .with_context(|| format!("`{}` cannot be written", output.display()))?;
    let own = std::env::current_exe().context("this program cannot be found again")?;
    let mut command = Command::new(own);
    command.args(["serve", "--detached"]);
    if environment.value(ARENAS.0).is_none() {
        command.env(ARENAS.0, ARENAS.1);
    }
    if let Some(bind) = &serve.bind {
        command.args(["--bind", bind]);
    }
    for setting in settings {
        let text = match &setting.value {
            toml::Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        command.args(["--set", &format!("{}={text}", setting.path)]);
    }
    let also = opened.try_clone().context("the daemon's output cannot be shared")?;
    command.stdin(Stdio::null()).stdout(opened).stderr(also);
    let mut child = command.spawn().context("the daemon cannot be started")?;
    let began = Instant::now();
    loop {
        if let Some(found) = running(&paths).await {
            return Ok(found);
        }
        if let Some(status) = child.try_wait().context("the daemon cannot be watched")? {
            let said = std::fs::read_to_string(&output).unwrap_or_default();
            bail!("the daemon ended at once ({status}): {}", harmless(said.trim()));
        }
        if began.elapsed() > STARTING {
            bail!("the daemon does not listen yet; `{}` has what it says", output.display());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits for a daemon that somebody else is starting.
async fn another_started(paths: &Paths) -> Result<Running> {
    let began = Instant::now();
    while let Some(pid) = starting(paths) {
        if began.elapsed() > STARTING {
            bail!(
                "a daemon, process {pid}, is starting here and does not listen yet; `hydroid stop` ends it"
            );
        }
        tokio::time::sleep(LOOK).await;
    }
    running(paths).await.context("the daemon that was starting here has ended")
}

/// Ends the daemon and waits until it has.
pub(crate) async fn stop(environment: &Environment) -> Result<Exit> {
    let paths = Paths::find(environment)?;
    if !stopped(&paths).await? {
        terminal::say("no daemon runs here; `hydroid stop --all` is the emergency stop");
        return Ok(Exit::Error);
    }
    terminal::print_line("the daemon has ended")?;
    Ok(Exit::Done)
}

/// Ends the daemon; false if none runs.
async fn stopped(paths: &Paths) -> Result<bool> {
    let pid = match (running(paths).await, starting(paths)) {
        (Some(found), _) => {
            ask(paths, Order::Stop).await.context("the daemon cannot be told to end")?;
            found.pid
        }
        // It hears no orders yet, and has nothing to end.
        (None, Some(pid)) => {
            let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let process = process.context("the daemon that starts cannot be found")?;
            kill_process(process, Signal::TERM).context("the daemon cannot be told to end")?;
            pid
        }
        (None, None) => return Ok(false),
    };
    let began = Instant::now();
    // The lock is let go of last.
    while crate::daemon::Only::take(paths).is_err() {
        if began.elapsed() > STOPPING {
            bail!("the daemon, process {pid}, is still ending; look again with `hydroid status`");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(true)
}

/// Ends the daemon, if it runs, and starts it.
pub(crate) async fn restart(
    serve: &Serve,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    stopped(&Paths::find(&environment)?).await?;
    start(serve, environment, settings).await
}

/// Says whether the daemon runs.
pub(crate) async fn status(how: &Daemon, environment: &Environment) -> Result<Exit> {
    let paths = Paths::find(environment)?;
    let status = match running(&paths).await {
        Some(_) => ask(&paths, Order::Status).await.ok(),
        None => None,
    };
    let since_stop = crate::stopped::since(&paths);
    let Some(status) = status else {
        let starting = starting(&paths);
        if how.json {
            terminal::print_json(&json!({
                "running": false,
                "starting": starting.is_some(),
                "pid": starting,
                "stopped": since_stop.is_some(),
            }))?;
        } else if let Some(pid) = starting {
            terminal::say(&format!(
                "a daemon is starting, process {pid}; it does not listen yet, which takes longest when components have to be compiled"
            ));
        } else {
            terminal::say("no daemon runs here; `hydroid start` starts one");
        }
        return Ok(Exit::Error);
    };
    if how.json {
        let mut status = status;
        status["running"] = true.into();
        status["stopped"] = since_stop.is_some().into();
        terminal::print_json(&status)?;
        return Ok(Exit::Done);
    }
    let text = |name: &str| status[name].as_str().unwrap_or_default().to_owned();
    let mut rows = vec![
        vec!["listening on".to_owned(), text("url")],
        vec!["process".to_owned(), status["pid"].to_string()],
        vec!["version".to_owned(), text("version")],
        vec![
            "since (UTC)".to_owned(),
            moment::minute(status["started_ms"].as_u64().unwrap_or_default()),
        ],
        vec!["connections".to_owned(), status["connections"].to_string()],
    ];
    if let Some(since) = since_stop {
        rows.push(vec!["stopped".to_owned(), format!("everything{since}")]);
    }
    terminal::print(&terminal::table(&rows))?;
    Ok(Exit::Done)
}

/// Shows the end of the log.
pub(crate) async fn logs(
    logs: &Logs,
    environment: Arc<Environment>,
    settings: &[Setting],
) -> Result<Exit> {
    let ground = Ground::lay_to_look(environment, settings)?;
    let path = ground.paths.log(&ground.user());
    let (text, mut at) = last(&path)?;
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(logs.lines)..] {
        terminal::print_line(&harmless(line))?;
    }
    if lines.is_empty() && !logs.follow {
        terminal::say("nothing was logged yet");
    }
    if !logs.follow {
        return Ok(Exit::Done);
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let length = std::fs::metadata(&path).map_or(0, |found| found.len());
        if length < at {
            // It began anew.
            at = 0;
        }
        if length > at {
            let more = read_from(&path, at)?;
            at += more.len() as u64;
            terminal::print(&harmless(&String::from_utf8_lossy(&more)))?;
        }
    }
}

/// The end of a file, and where it was.
fn last(path: &Path) -> Result<(String, u64)> {
    let length = std::fs::metadata(path).map_or(0, |found| found.len());
    if length == 0 {
        return Ok((String::new(), 0));
    }
    let bytes = read_from(path, length.saturating_sub(LAST_BYTES))?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), length))
}

fn read_from(path: &Path, at: u64) -> Result<Vec<u8>> {
    let cannot = || format!("`{}` cannot be read", path.display());
    let mut file = std::fs::File::open(path).with_context(cannot)?;
    file.seek(SeekFrom::Start(at)).with_context(cannot)?;
    let mut bytes = Vec::new();
    file.take(LAST_BYTES).read_to_end(&mut bytes).with_context(cannot)?;
    Ok(bytes)
}
