//! `hydroid component test`: the cases of a folder, and the rules of its role, tried offline on
//! the built component. What is not on the tape is not sent.

use super::build;
use super::cases::{Case, Cases};
use super::conformance::{self, Finding};
use super::trial::{Allowance, Bench, Terms, context, lay};
use crate::args::authoring::{NewRole, Test};
use crate::exit::{Exit, usage};
use crate::paths::replace_private;
use crate::terminal::{self, indented};
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::harmless::harmless;
use hydroid_core::id::CallId;
use hydroid_core::manifest::Manifest;
use hydroid_core::ports::{CancelFlag, Tools};
use hydroid_core::tool::{ToolCall, ToolOutput};
use hydroid_wasm::egress::{Exchange, Tape};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The file with what hosts answered.
const RECORDED: &str = "recorded.json";

/// How often the folder is looked at with `--watch`.
const LOOK: Duration = Duration::from_millis(300);

/// Folders that builds write to.
const MADE: [&str; 6] = ["build", "node_modules", "target", "venv", "__pycache__", ".git"];

/// Tests once, or whenever something changes.
pub(super) async fn test(ground: &Ground, wish: &Test) -> Result<Exit> {
    if !wish.watch {
        return once(ground, wish).await;
    }
    if !wish.place.is_dir() {
        return Err(usage("`--watch` looks at a folder, not at one file"));
    }
    let mut seen = None;
    loop {
        let now = files(&wish.place);
        if seen.as_ref() == Some(&now) {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        seen = Some(now);
        if let Err(error) = once(ground, wish).await {
            terminal::say(&format!("{error:#}"));
        }
        terminal::say("waiting for a change; Ctrl-C ends it");
    }
}

async fn once(ground: &Ground, wish: &Test) -> Result<Exit> {
    let (folder, file) = built(wish)?;
    let cases = Cases::read(&folder)?;
    if cases.is_none() && wish.conformance.is_none() {
        return Err(usage(format!(
            "`{}` has no cases.toml, and no `--conformance ROLE` was asked for, so there is nothing to try",
            folder.display()
        )));
    }
    let wasm = super::portrait::read(&file)?;
    let stem = super::source::stem(&file)?;
    let tape = Arc::new(match wish.record {
        true => Tape::recording(),
        false => Tape::playing(recorded(&folder)?),
    });
    let terms = Terms {
        allowance: Allowance::Wanted,
        workspace: None,
        still: cases.as_ref().map(Cases::still),
        tape: Some(tape.clone()),
        stand_ins: !wish.record,
        config: cases.as_ref().and_then(|cases| cases.config.clone()),
        least_memory: false,
    };
    let bench = Bench::new(ground).await?;
    let mut findings = Vec::new();
    let only = |case: &&Case| wish.only.as_ref().is_none_or(|text| case.name.contains(text));
    for case in cases.iter().flat_map(|cases| &cases.cases).filter(only) {
        tape.rewind();
        let problem = problem(&bench, &wasm, &stem, &terms, case).await?;
        let finding = Finding { rule: case.name.clone(), problem };
        say(&finding)?;
        findings.push(finding);
    }
    if findings.is_empty() && wish.only.is_some() {
        return Err(usage("no case has that in its name"));
    }
    if let Some(role) = wish.conformance {
        tape.rewind();
        let found = match role {
            NewRole::Tool => {
                conformance::tool(&bench, &wasm, &stem, &terms, cases.as_ref()).await?
            }
            NewRole::Provider => conformance::provider(&bench, &wasm, &stem, &terms).await?,
            NewRole::Channel => conformance::channel(&bench, &wasm, &stem, &terms).await?,
            NewRole::Embedder => conformance::embedder(&bench, &wasm, &stem, &terms).await?,
            NewRole::Hook => conformance::hook(&bench, &wasm, &stem, &terms).await?,
            NewRole::Parser => conformance::parser(&bench, &wasm, &stem, &terms, &folder).await?,
        };
        for finding in found.0 {
            say(&finding)?;
            findings.push(finding);
        }
    }
    let failed = findings.iter().filter(|finding| finding.problem.is_some()).count();
    terminal::print_line(&format!("{} passed, {failed} failed", findings.len() - failed))?;
    if wish.record {
        keep(&folder, &tape.exchanges())?;
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Error })
}

/// The folder with the cases, and the component to try.
fn built(wish: &Test) -> Result<(PathBuf, PathBuf)> {
    let place = &wish.place;
    if !place.is_dir() {
        let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty());
        return Ok((folder.unwrap_or(Path::new(".")).to_owned(), place.clone()));
    }
    if !wish.no_build {
        return Ok((place.clone(), build::make(place)?));
    }
    let manifest = place.join("manifest.toml");
    let text = std::fs::read_to_string(&manifest)
        .with_context(|| format!("`{}` cannot be read", manifest.display()))?;
    let file = build::built(place, &Manifest::parse(&text)?);
    if !file.is_file() {
        bail!("`{}` is not built yet; leave `--no-build` out", file.display());
    }
    Ok((place.clone(), file))
}

/// Runs a case in a workspace of its own; what is wrong is said.
async fn problem(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
    case: &Case,
) -> Result<Option<String>> {
    let trial = bench.load(wasm, stem, terms)?;
    lay(&trial.workspace, &case.files)?;
    let call =
        ToolCall { id: CallId::new("case"), name: case.tool.clone(), arguments: case.arguments()? };
    let output = match trial.catalog.check(&call) {
        Ok(checked) => trial.catalog.run(checked, context(CancelFlag::default())).await,
        Err(problem) => ToolOutput::error(problem),
    };
    let wrong = case.compare(&output, &trial.workspace)?;
    Ok((!wrong.is_empty()).then(|| wrong.join("\n")))
}

fn say(finding: &Finding) -> Result<()> {
    let rule = harmless(&finding.rule);
    match &finding.problem {
        None => terminal::print_line(&format!("ok      {rule}"))?,
        Some(problem) => terminal::print_line(&format!(
            "FAILED  {rule}\n          {}",
            indented(&harmless(problem), 10)
        ))?,
    }
    Ok(())
}

fn recorded(folder: &Path) -> Result<Vec<Exchange>> {
    let path = folder.join(RECORDED);
    let Some(text) = crate::load::read_text(&path)? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).with_context(|| {
        format!(
            "`{}` cannot be read; `hydroid component test --record` writes it anew",
            path.display()
        )
    })
}

fn keep(folder: &Path, exchanges: &[Exchange]) -> Result<()> {
    let path = folder.join(RECORDED);
    let text = serde_json::to_string_pretty(exchanges)? + "\n";
    replace_private(&path, text.as_bytes())?;
    terminal::say(&format!(
        "kept {} answers in `{}`; look through them before you publish it",
        exchanges.len(),
        path.display()
    ));
    Ok(())
}

/// The author's files with the time of their last change.
fn files(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
            let made = entry.file_name().to_str().is_some_and(|name| MADE.contains(&name));
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !made {
                waiting.push(entry.path());
            } else if kind.is_file()
                && let Ok(changed) = entry.metadata().and_then(|metadata| metadata.modified())
            {
                found.insert(entry.path(), changed);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_build_writes_is_no_change() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        };
        write("src/lib.rs");
        let before = files(folder.path());
        write("target/x");
        write("build/bindings/y");
        assert_eq!(files(folder.path()), before);
        write("src/other.rs");
        assert_ne!(files(folder.path()), before);
    }
}
