//! `cargo xtask test`: everything there is to test, and one plain line at the end.
//! Sets up nothing that only one machine has.

use crate::suite::{Count, Demand, Report};
use crate::{aimock, authors, browser, cargo, clients, components, mcp, paths, python, sqld};
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

/// Tests whose name contains this need [`aimock`]; without it they are left out, not passed.
const NEEDS_AIMOCK: &str = "aimock";

/// Tests whose name contains this need [`browser`]; without it they are left out, not passed.
const NEEDS_BROWSER: &str = "chromium";

/// Tests whose name contains this need [`mcp`]; without it they are left out, not passed.
const NEEDS_MCP: &str = "mcp_npm";
/// Tests whose name contains this need [`python`]; without it they are left out, not passed.
const NEEDS_PYTHON: &str = "pypi";
/// Tests whose name contains these need [`clients`]; without them they are left out, not passed.
const NEEDS_NODE: &str = "client_typescript";
const NEEDS_CLIENT_PYTHON: &str = "client_python";
/// Tests whose name contains this need [`sqld`]; without it they are left out, not passed.
const NEEDS_SQLD: &str = "sqld";

/// Tests whose name contains this need Debian's `docker-registry`, or where a variable says it is.
const NEEDS_REGISTRY: &str = "docker_registry";

/// The package whose tests drive the built program.
const PROGRAM_TESTS: &str = "hydroid-tests";

/// How many tests of libtest run at once.
const THREADS: &str = "RUST_TEST_THREADS";

/// Tells the tests where the registry is, if it is not in the path.
const REGISTRY_VARIABLE: &str = "HYDROID_DOCKER_REGISTRY";

/// Builds what the tests use, then runs every suite.
pub(crate) fn run(filters: &[String]) -> Result<()> {
    components::build()?;
    println!("building hydroid (dev)");
    cargo::build_hydroid(&[])?;
    let aimock = aimock::install()?;
    let browser = browser::install()?;
    let mcp = mcp::install()?;
    let python = python::install()?;
    let clients = clients::install()?;
    let sqld = sqld::install()?;

    let mut reports = vec![];
    let nextest = cargo::works("cargo", &["nextest", "--version"]);
    let mut suites = host_suites(nextest, filters);
    let mut left_out = authors::missing();
    let node = "because `npm` and Node.js 20 or newer are not there";
    let node_or_build = "because `npm` and Node.js, or its build for this machine, are not there";
    let python_missing = "because Python 3.10 or newer with `venv` is not there";
    for (name, variable, program, missing) in [
        (NEEDS_AIMOCK, aimock::VARIABLE, &aimock, node),
        (NEEDS_MCP, mcp::VARIABLE, &mcp, node_or_build),
        (NEEDS_PYTHON, python::VARIABLE, &python, python_missing),
        (NEEDS_SQLD, sqld::VARIABLE, &sqld, node_or_build),
    ] {
        match program {
            Some(program) => set(&mut suites, variable, program.as_os_str()),
            None => left_out.push((name, missing.to_owned())),
        }
    }
    match &browser {
        Some(browser) => {
            set(&mut suites, browser::PACKAGES, browser.packages.as_os_str());
            set(&mut suites, browser::PROGRAM, browser.program.as_ref());
        }
        None => left_out.push((
            NEEDS_BROWSER,
            "because `chromium`, `npm` or Node.js 20 or newer are not there".to_owned(),
        )),
    }
    set(&mut suites, clients::PACKAGES, clients.packages.as_os_str());
    if !clients.has_node {
        left_out
            .push((NEEDS_NODE, "because `npm` and Node.js 20 or newer are not there".to_owned()));
    }
    if !clients.has_python {
        left_out.push((
            NEEDS_CLIENT_PYTHON,
            "because `python3` from 3.11 on and its `pip` are not there".to_owned(),
        ));
    }
    if !has_registry() {
        left_out
            .push((NEEDS_REGISTRY, "because Debian's `docker-registry` is not there".to_owned()));
    }
    let names: Vec<&str> = left_out.iter().map(|(name, _)| *name).collect();
    let demand = if filters.is_empty() { Demand::EachTarget } else { Demand::Whole };
    for (name, mut suite) in suites {
        leave_out(&mut suite, nextest, filters, &names);
        reports.push(Report::run(name, &mut suite, demand));
    }
    if nextest && filters.is_empty() {
        let mut examples = cargo::command(&paths::root());
        examples.args(["test", "--doc", "--workspace"]);
        reports.push(Report::run("host examples", &mut examples, Demand::Nothing));
    }
    if filters.is_empty() {
        let mut guests = cargo::command(&paths::components());
        guests.args(["test", "--workspace", "--no-fail-fast"]);
        // Some components are thin shells around a library; the host's suite runs them whole.
        reports.push(Report::run("components", &mut guests, Demand::Whole));
    }
    for (name, why) in left_out {
        println!("\nskipped: tests named `{name}`, {why}");
    }
    conclude(reports)
}

/// What tests the host. Half of the time of those that drive the built program is spent waiting for
/// it, so two of them run for each processor, unless somebody says how many; the others compute, and
/// some of them within a time.
fn host_suites(nextest: bool, filters: &[String]) -> Vec<(&'static str, Command)> {
    if nextest {
        return vec![("host", nextest_command(filters))];
    }
    if !filters.is_empty() {
        return vec![("host", test_command(filters))];
    }
    let mut parts = test_command(filters);
    parts.args(["--exclude", PROGRAM_TESTS]);
    let mut program = test_command(filters);
    program.args(["--test", "it"]);
    if std::env::var_os(THREADS).is_none() {
        let count = 2 * std::thread::available_parallelism().map_or(1, usize::from);
        program.env(THREADS, count.to_string());
    }
    vec![("host", parts), ("program", program)]
}

fn set(suites: &mut [(&'static str, Command)], variable: &str, value: &OsStr) {
    for (_, suite) in suites {
        suite.env(variable, value);
    }
}

/// True if a registry of components can be started.
fn has_registry() -> bool {
    std::env::var_os(REGISTRY_VARIABLE).is_some() || cargo::works("docker-registry", &["--version"])
}

/// Every suite has run; now say how it went.
fn conclude(reports: Vec<Result<Report>>) -> Result<()> {
    let mut sum = Count::default();
    let mut problems = Vec::new();
    for report in reports {
        match report {
            Ok(report) => sum = sum.plus(report.count()),
            Err(problem) => problems.push(format!("{problem:#}")),
        }
    }
    println!();
    for problem in &problems {
        println!("problem: {problem}");
    }
    if sum.ignored > 0 {
        println!("{} ignored", sum.ignored);
    }
    println!("{} passed, {} failed", sum.passed, sum.failed);
    match (sum.failed, problems.len()) {
        (0, 0) => Ok(()),
        (0, _) => bail!("some suites did not run as they should; see the problems above"),
        (_, _) => bail!("tests failed; their messages are above"),
    }
}

fn nextest_command(filters: &[String]) -> Command {
    let mut command = cargo::command(&paths::root());
    command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=fail"]);
    command.args(filters);
    command
}

fn test_command(filters: &[String]) -> Command {
    let mut command = cargo::command(&paths::root());
    command.args(["test", "--workspace", "--no-fail-fast"]).args(filters);
    command
}

/// Leaves out the tests that need what is not here; to pass them would be a lie.
fn leave_out(host: &mut Command, nextest: bool, filters: &[String], names: &[&str]) {
    if names.is_empty() {
        return;
    }
    if nextest {
        let each: Vec<String> = names.iter().map(|name| format!("not test({name})")).collect();
        host.args(["-E", &each.join(" & ")]);
        return;
    }
    if !filters.iter().any(|filter| filter == "--") {
        host.arg("--");
    }
    for name in names {
        host.args(["--skip", name]);
    }
}

/// True where nobody looks at a skipped test.
pub(crate) fn in_continuous_integration() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// A path with the root of the repository left out, for messages.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(paths::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> Vec<String> {
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn tests_that_need_aimock_are_left_out_and_not_passed() {
        let mut command = test_command(&["turn".to_owned()]);
        leave_out(&mut command, false, &["turn".to_owned()], &["aimock", "authors_c"]);
        let expect = ["turn", "--", "--skip", "aimock", "--skip", "authors_c"].map(str::to_owned);
        assert!(words(&command).ends_with(&expect));

        let mut command = nextest_command(&[]);
        leave_out(&mut command, true, &[], &["aimock", "authors_c"]);
        let expect = ["-E", "not test(aimock) & not test(authors_c)"].map(str::to_owned);
        assert!(words(&command).ends_with(&expect));

        let filters = ["--".to_owned(), "--nocapture".to_owned()];
        let mut command = test_command(&filters);
        leave_out(&mut command, false, &filters, &[NEEDS_AIMOCK, NEEDS_REGISTRY]);
        assert!(
            words(&command).ends_with(
                &["--", "--nocapture", "--skip", "aimock", "--skip", "docker_registry"]
                    .map(str::to_owned)
            )
        );
    }

    #[test]
    fn without_nextest_the_tests_of_the_program_run_by_themselves() {
        let suites = host_suites(false, &[]);
        let said: Vec<String> = suites.iter().map(|(_, suite)| words(suite).join(" ")).collect();
        assert!(said[0].ends_with("--exclude hydroid-tests") && said[1].ends_with("--test it"));
        assert_eq!(host_suites(false, &["turn".to_owned()]).len(), 1);
        assert_eq!(host_suites(true, &[]).len(), 1);
    }

    #[test]
    fn all_that_is_missing_is_left_out_and_nothing_else() {
        let mut command = nextest_command(&[]);
        leave_out(&mut command, true, &[], &[NEEDS_AIMOCK, NEEDS_BROWSER]);
        assert_eq!(
            words(&command).last().map(String::as_str),
            Some("not test(aimock) & not test(chromium)")
        );
        let mut command = test_command(&[]);
        leave_out(&mut command, false, &[], &[]);
        assert!(!words(&command).iter().any(|word| word == "--" || word == "--skip"));
    }

    #[test]
    fn a_suite_that_did_not_run_fails_the_whole() {
        assert!(conclude(vec![Ok(Report::default())]).is_ok());
        assert!(conclude(vec![Ok(Report::default()), Err(anyhow::anyhow!("x"))]).is_err());
    }
}
