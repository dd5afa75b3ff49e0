//! `cargo xtask autobahn`: Autobahn's suite of the WebSocket protocol against the echo of a daemon,
//! which is made of the same parts as its socket. Not a part of CI: the suite needs Python 2.7.

use crate::serving::Serving;
use crate::{cargo, packages, paths, test};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tells which program is Python 2.7, if it has none of the names.
const VARIABLE: &str = "HYDROID_PYTHON2";

/// Names under which a system has it.
const PROGRAMS: [&str; 3] = ["python2.7", "pypy", "python2"];

/// The file that says which versions.
const FILES: [&str; 1] = ["requirements.txt"];

/// Compression, which the host does not offer.
const LEFT_OUT: [&str; 2] = ["12.*", "13.*"];

/// Cases about sizes and time; the others are what a protocol is judged by.
const LIMITS: &str = "9.";

/// Results that are no failure.
const GOOD: [&str; 3] = ["OK", "INFORMATIONAL", "NON-STRICT"];

/// Runs the suite and prints what it found; fails if anything failed.
pub(crate) fn run() -> Result<()> {
    let suite = Suite::install()?;
    // The largest message of the suite has 16 MiB.
    let serving = Serving::start(&["gateway.echo=true", "gateway.max_message=16MiB"])?;
    let reports = suite.directory.join("reports");
    if reports.exists() {
        fs::remove_dir_all(&reports)?;
    }
    let url = format!("{}/debug/echo", serving.url.replacen("http", "ws", 1));
    let wanted = json!({
        "outdir": reports,
        "servers": [{ "agent": "hydroid", "url": url }],
        "cases": ["*"],
        "exclude-cases": LEFT_OUT,
        "exclude-agent-cases": {},
    });
    let file = suite.directory.join("cases.json");
    fs::write(&file, wanted.to_string())?;
    let mut client = suite.program();
    client.args(["-m", "fuzzingclient", "-s"]).arg(&file).stdout(Stdio::null());
    cargo::run(&mut client)?;
    let index = fs::read_to_string(reports.join("index.json")).context("no report was written")?;
    let results: Value = serde_json::from_str(&index)?;
    let found = judged(&results["hydroid"])?;
    println!("{}", found.text);
    println!("details: {}", test::relative(&reports.join("index.html")));
    if found.failed > 0 {
        bail!("{} cases failed", found.failed);
    }
    Ok(())
}

/// The suite, installed.
struct Suite {
    python: PathBuf,
    directory: PathBuf,
}

impl Suite {
    fn install() -> Result<Self> {
        let named = std::env::var_os(VARIABLE).map(PathBuf::from);
        let usual = PROGRAMS.into_iter().find(|name| {
            cargo::works(name, &["-c", "import sys; sys.exit(sys.version_info[:2] != (2, 7))"])
        });
        let Some(python) = named.or(usual.map(PathBuf::from)).or_else(of_pyenv) else {
            bail!(
                "the suite runs in Python 2.7 only; install it (`pyenv install 2.7`), or name the program with {VARIABLE}"
            );
        };
        let source = paths::root().join("tests/fixtures/autobahn");
        let directory = paths::root().join("target/autobahn");
        let suite = Self { python, directory };
        if packages::is_current(&FILES, &source, &suite.directory) {
            return Ok(suite);
        }
        println!("installing the suite into {}", test::relative(&suite.directory));
        fs::create_dir_all(&suite.directory)?;
        let mut pip = suite.at_home();
        pip.args(["-m", "pip", "install", "--user", "--quiet", "--no-deps", "-r"]);
        pip.arg(source.join(FILES[0]));
        cargo::run(&mut pip).context("pip needs its package registry once")?;
        fs::copy(source.join(FILES[0]), suite.directory.join(FILES[0]))?;
        Ok(suite)
    }

    /// Python with the folder as its user's place for packages.
    fn at_home(&self) -> Command {
        let mut command = Command::new(&self.python);
        command.env("PYTHONUSERBASE", &self.directory);
        command.current_dir(&self.directory);
        command
    }

    fn program(&self) -> Command {
        let mut command = self.at_home();
        command.arg(Path::new("bin/wstest"));
        command
    }
}

/// The one that pyenv has, which its shims give only to whoever chose it.
fn of_pyenv() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(home)?;
    let versions = fs::read_dir(root.join("versions")).ok()?.map_while(Result::ok);
    let mut found: Vec<PathBuf> = versions
        .filter(|version| version.file_name().to_string_lossy().starts_with("2.7"))
        .map(|version| version.path().join("bin/python2.7"))
        .filter(|python| python.exists())
        .collect();
    found.sort();
    found.pop()
}

struct Found {
    text: String,
    failed: usize,
}

/// What the cases of an agent came to.
fn judged(results: &Value) -> Result<Found> {
    let cases = results.as_object().context("the report has nothing of this agent")?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut failed, mut limits, mut lines) = (0, 0, Vec::new());
    for (case, result) in cases {
        let word = |key: &str| result[key].as_str().unwrap_or("none");
        let (behavior, closing) = (word("behavior"), word("behaviorClose"));
        *counts.entry(behavior).or_default() += 1;
        limits += usize::from(case.starts_with(LIMITS));
        let is_good = GOOD.contains(&behavior) && GOOD.contains(&closing);
        failed += usize::from(!is_good);
        if !is_good || behavior == "NON-STRICT" || closing == "NON-STRICT" {
            lines.push(format!("  {case}: {behavior}, closing {closing}"));
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let text = format!(
        "{} cases of the protocol and {limits} of sizes and time: {failed} failed ({})\n{}",
        cases.len() - limits,
        counts.join(", "),
        lines.join("\n")
    );
    Ok(Found { text, failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_fails_by_what_it_did_or_how_it_ended() {
        let case = |behavior: &str, closing: &str| json!({ "behavior": behavior, "behaviorClose": closing });
        let results = json!({
            "1.1.1": case("OK", "OK"),
            "6.4.3": case("NON-STRICT", "OK"),
            "7.1.1": case("OK", "UNCLEAN"),
            "9.1.1": case("FAILED", "OK"),
        });
        let found = judged(&results).unwrap();
        assert_eq!(found.failed, 2);
        assert!(found.text.starts_with("3 cases of the protocol and 1 of sizes"), "{}", found.text);
        assert!(found.text.contains("7.1.1: OK, closing UNCLEAN"), "{}", found.text);
        assert!(judged(&json!(null)).is_err());
    }
}
