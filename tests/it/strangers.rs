//! Programs of others against a running daemon: the official client of OpenAI, unchanged, and
//! schemathesis, which derives requests from the daemon's own OpenAPI document.

use crate::root;
use crate::support::daemon::Daemon;
use crate::support::hydroid::Home;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Requests of each operation that are derived here; `cargo xtask schemathesis` derives more.
const EXAMPLES: &str = "3";

/// The Python that has the packages; none where they are not installed and that may be, which is
/// anywhere but in continuous integration.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("HYDROID_PYTHON").map(PathBuf::from);
    if python.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "the packages are not installed; `cargo xtask test` installs them"
        );
        eprintln!("skipped: `cargo xtask test` installs the packages where Python is there");
    }
    python
}

#[track_caller]
fn ends_well(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("Python runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn pypi_the_official_client_of_openai_drives_the_agent() {
    let Some(python) = python() else { return };
    let home = Home::new();
    let daemon = Daemon::start(&home, &[]);
    let mut client = Command::new(python);
    client
        .arg(root().join("tests/fixtures/openai/client.py"))
        .env("HYDROID_URL", format!("http://{}/v1", daemon.address()))
        .env("HYDROID_TOKEN", daemon.token())
        .env("HYDROID_SAY", "say hello there")
        .env("HYDROID_HEAR", "hello there");
    assert!(ends_well(&mut client).ends_with("ok\n"));
}

#[test]
fn pypi_schemathesis_finds_no_answer_that_is_not_documented() {
    let Some(python) = python() else { return };
    let home = Home::new();
    let daemon = Daemon::start(&home, &["gateway.requests_per_minute=1000000"]);
    let mut schemathesis = Command::new(python);
    schemathesis
        .args(["-m", "schemathesis.cli", "run", "--max-examples", EXAMPLES])
        // The same requests each time.
        .args(["--seed", "1", "--generation-deterministic"])
        .args(["--phases", "examples,coverage,fuzzing", "--request-timeout", "60"])
        // What fits its schema can be refused for what is there, or for what it says.
        .args(["--exclude-checks", "positive_data_acceptance", "--no-color"])
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", daemon.token()))
        .arg(format!("http://{}/api/v1/openapi.json", daemon.address()))
        .current_dir(home.path(""));
    ends_well(&mut schemathesis);
}
