//! Running cargo and learning what it built. Not a build system: cargo decides what is stale.

use crate::paths;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One target that cargo built, or found built already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// Directory of the package.
    pub(crate) package: PathBuf,
    /// `cdylib`, `bin` and so on.
    pub(crate) kinds: Vec<String>,
    /// Files written.
    pub(crate) files: Vec<PathBuf>,
}

/// A cargo command in a directory; the cargo that runs us, if one does.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(directory);
    command
}

/// Runs a command to its end; it speaks to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}); its own messages are above");
    }
    Ok(())
}

/// Runs `cargo build` with these arguments and returns what it built.
pub(crate) fn build(directory: &Path, arguments: &[&str]) -> Result<Vec<Artifact>> {
    let mut command = command(directory);
    command.arg("build").args(arguments).arg("--message-format=json-render-diagnostics");
    let shown = shown(&command);
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`: is Rust installed?"))?;
    let messages = child.stdout.take().context("the child's output was asked for")?;
    let mut artifacts = Vec::new();
    for line in BufReader::new(messages).lines() {
        artifacts.extend(artifact(&line.with_context(|| format!("cannot read from `{shown}`"))?));
    }
    let status = child.wait().with_context(|| format!("cannot wait for `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}); the compiler's messages are above");
    }
    Ok(artifacts)
}

/// Builds the `hydroid` command and returns its path.
pub(crate) fn build_hydroid(profile: &[&str]) -> Result<PathBuf> {
    let arguments = [&["--package", "hydroid-cli", "--bin", "hydroid"], profile].concat();
    build(&paths::root(), &arguments)?
        .into_iter()
        .find(|artifact| {
            artifact.kinds.iter().any(|kind| kind == "bin")
                && artifact.package.ends_with("host/cli")
        })
        .and_then(|artifact| artifact.files.into_iter().next())
        .context("cargo built no binary `hydroid`: look at [[bin]] in host/cli/Cargo.toml")
}

/// True if this program can be started and says it is well.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=@,+".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else if word.contains('"') {
        format!("'{word}'")
    } else {
        format!("\"{word}\"")
    }
}

fn artifact(message: &str) -> Option<Artifact> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let texts = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    };
    Some(Artifact {
        package: Path::new(message["manifest_path"].as_str()?).parent()?.to_owned(),
        kinds: texts(&message["target"]["kind"]),
        files: texts(&message["filenames"]).into_iter().map(PathBuf::from).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_message_gives_package_kind_and_files() {
        let message = r#"{"reason":"compiler-artifact","manifest_path":"/r/components/tool-x/Cargo.toml",
            "target":{"kind":["cdylib"]},"filenames":["/r/t/tool_x.wasm"]}"#;
        let expect = Artifact {
            package: "/r/components/tool-x".into(),
            kinds: vec!["cdylib".into()],
            files: vec!["/r/t/tool_x.wasm".into()],
        };
        assert_eq!(artifact(message), Some(expect));
    }

    #[test]
    fn other_messages_are_passed_over() {
        assert_eq!(artifact(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(artifact("plain text"), None);
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/usr/bin/hydroid");
        command.args(["ask", "list files", "--allow", "file_write"]);
        assert_eq!(shown(&command), r#"hydroid ask "list files" --allow file_write"#);
        let mut command = Command::new("hydroid");
        command.args(["ask", r#"say "a b""#]);
        assert_eq!(shown(&command), r#"hydroid ask 'say "a b"'"#);
    }
}
