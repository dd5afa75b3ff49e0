//! `cases.toml` of a component's folder: calls, and what they answer. It reads and compares; what
//! runs them is beside it.

use super::trial::{place, text};
use anyhow::{Context, Result, bail};
use hydroid_core::tool::ToolOutput;
use hydroid_wasm::Still;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file.
pub(super) const CASES: &str = "cases.toml";

/// 2026-01-01 00:00:00 UTC, when nothing else is said.
const NOW_MS: u64 = 1_767_225_600_000;

/// Everything in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    #[serde(default = "now_ms")]
    now_ms: u64,
    #[serde(default)]
    seed: u64,
    /// The component's configuration.
    #[serde(default)]
    pub(super) config: Option<toml::Table>,
    #[serde(default, rename = "case")]
    pub(super) cases: Vec<Case>,
}

/// One call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) tool: String,
    #[serde(default)]
    arguments: toml::Table,
    /// Files that are there before.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,
    #[serde(default)]
    expect: Expect,
}

/// What it answers. What is not said is not compared, but that it succeeds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expect {
    error: bool,
    text: Option<String>,
    contains: Vec<String>,
    /// Files that are there afterwards.
    files: BTreeMap<String, String>,
}

impl Cases {
    /// Reads the file of a folder; none if there is no file.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(CASES);
        let Some(text) = crate::load::read_text(&path)? else { return Ok(None) };
        Self::parse(&text).with_context(|| format!("in `{}`", path.display())).map(Some)
    }

    fn parse(text: &str) -> Result<Self> {
        let cases: Self = toml::from_str(text)?;
        for (index, case) in cases.cases.iter().enumerate() {
            if cases.cases.iter().take(index).any(|other| other.name == case.name) {
                bail!("two cases are called `{}`; give one another name", case.name);
            }
        }
        Ok(cases)
    }

    /// The time and chance of every case.
    pub(super) fn still(&self) -> Still {
        Still { now_ms: self.now_ms, seed: self.seed }
    }

    /// A case of a tool that is to succeed, for a sample of its arguments.
    pub(super) fn sample(&self, tool: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.tool == tool && !case.expect.error)
    }
}

impl Case {
    /// The arguments as the model would write them.
    pub(super) fn arguments(&self) -> Result<String> {
        Ok(serde_json::to_string(&self.arguments)?)
    }

    /// What is not as expected, each in a line.
    pub(super) fn compare(&self, output: &ToolOutput, workspace: &Path) -> Result<Vec<String>> {
        let got = text(output);
        let mut wrong = Vec::new();
        let failed = |is_error| if is_error { "an error" } else { "no error" };
        if output.is_error != self.expect.error {
            wrong.push(format!(
                "expected {}, got {}: {got}",
                failed(self.expect.error),
                failed(output.is_error)
            ));
        }
        if let Some(text) = self.expect.text.as_ref().filter(|text| **text != got) {
            wrong.push(format!("expected the text `{text}`, got `{got}`"));
        }
        for part in self.expect.contains.iter().filter(|part| !got.contains(*part)) {
            wrong.push(format!("expected `{part}` in: {got}"));
        }
        for (name, content) in &self.expect.files {
            match std::fs::read_to_string(place(workspace, name)?) {
                Ok(found) if found == *content => {}
                Ok(found) => wrong.push(format!("expected `{content}` in `{name}`, got `{found}`")),
                Err(error) => wrong.push(format!("expected the file `{name}`: {error}")),
            }
        }
        Ok(wrong)
    }
}

fn now_ms() -> u64 {
    NOW_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "[[case]]\nname = \"a\"\ntool = \"t\"\narguments = { n = 1, s = \"x\" }\n";

    #[test]
    fn a_case_says_what_is_not_as_expected() {
        let cases = Cases::parse(&format!("{CASE}expect.text = \"b\"\nexpect.contains = [\"c\"]"));
        let cases = cases.unwrap();
        assert_eq!(cases.cases[0].arguments().unwrap(), "{\"n\":1,\"s\":\"x\"}");
        let compare =
            |output: &ToolOutput| cases.cases[0].compare(output, Path::new("/nowhere")).unwrap();
        assert_eq!(compare(&ToolOutput::text("b")), ["expected `c` in: b"]);
        assert_eq!(compare(&ToolOutput::error("c")).len(), 2);
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        let refused = |text: &str| Cases::parse(text).unwrap_err().to_string();
        assert!(refused(&CASE.repeat(2)).contains("two cases are called `a`"));
        assert!(refused(&format!("{CASE}expects = 1")).contains("unknown field `expects`"));
    }
}
