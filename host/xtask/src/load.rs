//! `cargo xtask load`: many sessions at once against a real daemon, sockets that do nothing, and
//! a soak. It measures and prints; it fails where a turn failed or something was lost, and no time
//! decides whether a build is good.

mod client;
mod daemon;
mod service;

use crate::setup;
use anyhow::{Context, Result, bail, ensure};
use client::Socket;
use daemon::Daemon;
use serde_json::json;
use service::Service;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Load {
    /// Use this `hydroid` instead of building one.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Sessions at once.
    #[arg(long, default_value_t = 100)]
    sessions: usize,
    /// Turns in each of them.
    #[arg(long, default_value_t = 10)]
    turns: usize,
    /// Pieces of a scripted answer.
    #[arg(long, default_value_t = 20)]
    pieces: usize,
    /// Milliseconds before each of them.
    #[arg(long, default_value_t = 100)]
    pause_ms: u64,
    /// Let the turns of all sessions begin in the same moment, which is the worst that can be;
    /// otherwise they are spread over the time of a turn, as those of people are.
    #[arg(long)]
    together: bool,
    /// Sockets that do nothing.
    #[arg(long, default_value_t = 1_000)]
    idle: usize,
    /// Keep no vectors, which grow with what is said: what else grows is seen in a soak.
    #[arg(long)]
    without_meaning: bool,
    /// How long a soak lasts; none for 0.
    #[arg(long, default_value_t = 0)]
    minutes: u64,
}

/// Sockets that follow a session and read nothing.
const STUCK: usize = 10;

/// How long what is closed may take to be let go of.
const SETTLED: Duration = Duration::from_secs(3);

/// Sessions at once in a soak.
const SOAKED: usize = 20;

/// What came of a load.
struct Outcome {
    wall: Duration,
    /// The time of each turn beyond what the service took for it.
    overheads: Vec<Duration>,
    failures: Vec<String>,
}

/// Measures, and prints a table.
pub(crate) fn run(load: &Load) -> Result<()> {
    let binary = match &load.binary {
        Some(path) => std::fs::canonicalize(path)
            .with_context(|| format!("there is no binary `{}`", path.display()))?,
        None => setup::build()?,
    };
    let service = Service::start(load.pieces, Duration::from_millis(load.pause_ms))?;
    let daemon = Daemon::start(&binary, &service, load.without_meaning)?;
    println!("{}", machine());
    println!("\n| What | Measured |\n|---|---|");
    if load.sessions > 0 {
        at_once(load, &daemon, &service)?;
    }
    if load.idle > 0 {
        idle(load, &daemon)?;
    }
    if load.minutes > 0 {
        soak(load, &daemon, &service)?;
    }
    Ok(())
}

/// Where and when this was measured.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let average = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let average: Vec<&str> = average.split(' ').take(3).collect();
    format!("{cores} cores; load averages at the start: {}", average.join(" "))
}

fn at_once(load: &Load, daemon: &Daemon, service: &Service) -> Result<()> {
    let before = daemon.used()?;
    let stuck = (0..STUCK).map(|_| daemon.socket()).collect::<Result<Vec<_>>>()?;
    let scripted = Duration::from_millis(load.pieces as u64 * load.pause_ms);
    let spread = if load.together { Duration::ZERO } else { scripted };
    let outcome = turns(daemon, service, (load.sessions, load.turns), spread, stuck)?;
    let after = daemon.used()?;
    let count = load.sessions * load.turns;
    let how = if load.together { "beginning together" } else { "spread" };
    println!(
        "| {} sessions at once, {} turns each of {} ms in {} pieces, {how}: turns a second | {:.1} |",
        load.sessions,
        load.turns,
        scripted.as_millis(),
        load.pieces,
        count as f64 / outcome.wall.as_secs_f64()
    );
    let (p50, p99) = (nth(&outcome.overheads, 50), nth(&outcome.overheads, 99));
    println!("| a turn beyond what the service took | p50 {p50} ms, p99 {p99} ms |");
    println!("| turns that failed | {} of {count} |", outcome.failures.len());
    println!(
        "| processor time of the daemon a turn | {:.1} ms |",
        (after.cpu - before.cpu) * 1_000.0 / count as f64
    );
    for failure in outcome.failures.iter().take(5) {
        println!("failure: {failure}");
    }
    ensure!(outcome.failures.is_empty(), "turns failed; the first of them are above");
    Ok(())
}

/// Lets so many sessions have so many turns each at once, the first of them within a time. Before
/// those that are measured each has one, so that what is read once is there. Sockets that are
/// stuck follow the first sessions and read nothing.
fn turns(
    daemon: &Daemon,
    service: &Service,
    (sessions, turns): (usize, usize),
    spread: Duration,
    stuck: Vec<Socket>,
) -> Result<Outcome> {
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    let round = ROUND.fetch_add(1, Ordering::Relaxed);
    let mut sockets = Vec::new();
    for _ in 0..sessions {
        let mut socket = daemon.socket()?;
        let created = socket.request(json!({ "type": "create" }))?;
        let session = created["session"]["session"].as_str().context("a session")?.to_owned();
        sockets.push((socket, session));
    }
    let mut held = stuck;
    for (socket, (_, session)) in held.iter_mut().zip(&sockets) {
        socket.request(json!({ "type": "open", "session": session, "after": 0 }))?;
    }
    let expect = service.answer();
    let times: Arc<Mutex<BTreeMap<String, Duration>>> = Arc::default();
    let failures: Arc<Mutex<Vec<String>>> = Arc::default();
    let count = sockets.len();
    let ready = Arc::new(Barrier::new(count + 1));
    let threads: Vec<_> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, (mut socket, session))| {
            let (times, failures, expect) =
                (Arc::clone(&times), Arc::clone(&failures), expect.clone());
            let first = spread.mul_f64(number as f64 / count as f64);
            let ready = Arc::clone(&ready);
            std::thread::spawn(move || {
                let name = format!("load-{round}-{number}-first.");
                let warm = one_turn(&mut socket, &session, &name, &expect);
                ready.wait();
                if let Err(error) = warm {
                    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.push(format!("{name} {error:#}"));
                    return;
                }
                std::thread::sleep(first);
                for turn in 0..turns {
                    let name = format!("load-{round}-{number}-{turn}.");
                    match one_turn(&mut socket, &session, &name, &expect) {
                        Ok(time) => {
                            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                            times.insert(name, time);
                        }
                        Err(error) => {
                            let mut failures =
                                failures.lock().unwrap_or_else(PoisonError::into_inner);
                            failures.push(format!("{name} {error:#}"));
                            return;
                        }
                    }
                }
            })
        })
        .collect();
    ready.wait();
    let began = Instant::now();
    for thread in threads {
        ensure!(thread.join().is_ok(), "a client of the load failed");
    }
    let wall = began.elapsed();
    drop(held);
    let took = service.took();
    let times = times.lock().unwrap_or_else(PoisonError::into_inner);
    let beyond = |(name, time): (&String, &Duration)| {
        let took =
            took.get(name).with_context(|| format!("the service knows nothing of {name}"))?;
        Ok(time.saturating_sub(*took))
    };
    let mut overheads = times.iter().map(beyond).collect::<Result<Vec<Duration>>>()?;
    overheads.sort_unstable();
    let failures = std::mem::take(&mut *failures.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Outcome { wall, overheads, failures })
}

/// One turn; the answer is whole and nothing is missing between its entries.
fn one_turn(socket: &mut Socket, session: &str, name: &str, expect: &str) -> Result<Duration> {
    let began = Instant::now();
    socket.send(json!({ "type": "say", "session": session, "text": name, "key": name }))?;
    let mut text = String::new();
    let mut last = None;
    loop {
        let message = socket.next()?;
        match message["type"].as_str() {
            Some("error") => bail!("refused: {message}"),
            Some("stopped") => bail!("not followed any more: {message}"),
            Some("entry") => {}
            _ => continue,
        }
        let seq = message["seq"].as_u64().context("a number")?;
        ensure!(last.is_none_or(|last| seq == last + 1), "{seq} came after {last:?}");
        last = Some(seq);
        let entry = &message["entry"];
        match entry["kind"].as_str() {
            Some("text") => text.push_str(entry["text"].as_str().unwrap_or_default()),
            Some("turn_ended") => {
                ensure!(entry["outcome"]["outcome"] == "completed", "it ended as {entry}");
                ensure!(text == expect, "the answer is `{text}`");
                return Ok(began.elapsed());
            }
            _ => {}
        }
    }
}

fn nth(sorted: &[Duration], percent: usize) -> u128 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0, Duration::as_millis)
}

fn idle(load: &Load, daemon: &Daemon) -> Result<()> {
    std::thread::sleep(SETTLED);
    let before = daemon.used()?;
    let sockets = (0..load.idle).map(|_| daemon.socket()).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(SETTLED);
    let during = daemon.used()?;
    drop(sockets);
    std::thread::sleep(SETTLED);
    let after = daemon.used()?;
    let each = (during.resident_kib.saturating_sub(before.resident_kib)) as f64 / load.idle as f64;
    println!(
        "| {} idle sockets, resident memory of the daemon for each | {each:.1} KiB |",
        load.idle
    );
    println!(
        "| its descriptors before, with and after them | {}, {}, {} |",
        before.descriptors, during.descriptors, after.descriptors
    );
    ensure!(
        after.descriptors < before.descriptors + load.idle / 10 + 5,
        "the daemon keeps sockets that are closed"
    );
    Ok(())
}

/// Sessions that begin, have their turns and are put away, and clients that come and go.
fn soak(load: &Load, daemon: &Daemon, service: &Service) -> Result<()> {
    let began = Instant::now();
    let length = Duration::from_secs(load.minutes * 60);
    let (mut turns_done, mut next_look) = (0, Duration::ZERO);
    let mut looks = Vec::new();
    while began.elapsed() < length {
        let stuck = vec![daemon.socket()?];
        let outcome = turns(daemon, service, (SOAKED, 3), Duration::ZERO, stuck)?;
        ensure!(outcome.failures.is_empty(), "a turn failed: {}", outcome.failures[0]);
        turns_done += outcome.overheads.len();
        daemon.put_away()?;
        if began.elapsed() >= next_look {
            let used = daemon.used()?;
            eprintln!("{:>5} s: {used}", began.elapsed().as_secs());
            looks.push((began.elapsed(), used));
            next_look = began.elapsed() + Duration::from_secs(30);
        }
    }
    std::thread::sleep(SETTLED);
    looks.push((began.elapsed(), daemon.used()?));
    println!("| soak of {} min: turns, none of which failed | {turns_done} |", load.minutes);
    for at in [0, looks.len() / 4, looks.len() / 2, looks.len() * 3 / 4, looks.len() - 1] {
        let (time, used) = &looks[at];
        println!("| the daemon after {} s | {used} |", time.as_secs());
    }
    Ok(())
}
