//! `hydroid component check`: whether a file would load as the grants are now, what of it is in
//! the way, what a model would read badly, and how long a call takes. It installs nothing.

use super::conformance::{self, Findings};
use super::portrait::read;
use super::reasons;
use super::source::stem;
use super::trial::{Allowance, Bench, Terms, context};
use crate::exit::Exit;
use crate::terminal::{self, indented};
use crate::wire::{Ground, read_grants};
use anyhow::Result;
use hydroid_core::harmless::{exact, harmless};
use hydroid_core::id::CallId;
use hydroid_core::ports::CancelFlag;
use hydroid_core::tool::ToolCall;
use hydroid_wasm::{Status, component};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Calls that are timed; the middle one is what a call costs.
const WARM_CALLS: usize = 11;

/// Says whether a file would load as the grants are now, and everything of it that is in the way
/// of that or of being called well.
pub(super) async fn check(ground: &Ground, file: &Path) -> Result<Exit> {
    let wasm = read(file)?;
    let (stem, size) = (stem(file)?, super::build::size(wasm.len()));
    let bench = Bench::new(ground).await?;
    let grants = read_grants(&ground.paths.grants_file())?;
    let (empty, _scratch) = bench.catalog(None, &Terms::default())?;
    let digest = component::digest(&wasm);
    let known = empty.cache().has(empty.engine(), digest.trim_start_matches("sha256:"));
    let begun = Instant::now();
    let examined = empty.examine(wasm.clone(), &stem);
    let compiled = match known {
        true => "compiled before".to_owned(),
        false => format!("compiled in {:.1} s", begun.elapsed().as_secs_f32()),
    };
    let examined = match examined {
        Ok(examined) => examined,
        Err(error) => {
            terminal::print_line(&format!("{} would be refused:", exact(&stem)))?;
            for reason in reasons(&Status::Refused(error)) {
                terminal::print_line(&format!("  {}", indented(&harmless(&reason), 2)))?;
            }
            return Ok(Exit::Error);
        }
    };
    let name = examined.manifest.name.to_string();
    let entry = grants.components.get(&name).filter(|entry| entry.digest == examined.digest);
    let now = Terms {
        allowance: entry.map_or_else(
            || Allowance::These(BTreeSet::new(), BTreeSet::new()),
            |entry| Allowance::Entry(entry.clone()),
        ),
        ..Terms::default()
    };
    let refused = match bench.load(&wasm, &stem, &now) {
        Ok(trial) => {
            let offered = &trial.loaded.definitions;
            let tools: Vec<&str> =
                offered.iter().map(|definition| definition.name.as_str()).collect();
            let tools = match tools.is_empty() {
                true => String::new(),
                false => format!("; tools: {}", tools.join(", ")),
            };
            terminal::print_line(&format!(
                "{name} would load as {}{tools}",
                examined.role.with_article()
            ))?;
            false
        }
        Err(error) => {
            let text = error.to_string();
            let reasons = text.split_once('\n').map_or(text.as_str(), |(_, reasons)| reasons);
            terminal::print_line(&format!("{} would be refused:", exact(&name)))?;
            terminal::print_line(&format!("  {}", harmless(reasons.trim_start())))?;
            true
        }
    };
    terminal::print_line(&format!("size     {size}, {compiled}"))?;
    for line in super::build::imports(&examined.imports) {
        terminal::print_line(&format!("imports  {}", line.trim_start_matches("imports ")))?;
    }
    lint(&bench, &wasm, &stem).await?;
    Ok(if refused { Exit::Error } else { Exit::Done })
}

/// What a model would read badly, and how long a call takes, with all grants that it wants.
async fn lint(bench: &Bench<'_>, wasm: &[u8], stem: &str) -> Result<()> {
    let wanted = Terms { stand_ins: true, tape: Some(Arc::default()), ..Terms::default() };
    let Ok(trial) = bench.load(wasm, stem, &wanted) else { return Ok(()) };
    if trial.loaded.definitions.is_empty() {
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..WARM_CALLS {
        // Nothing is done by a tool that is not there, but to start the component.
        let call = ToolCall {
            id: CallId::new("check"),
            name: "no_such_tool".into(),
            arguments: "{}".into(),
        };
        let begun = Instant::now();
        let called = trial.catalog.try_out(&trial.loaded, &call, context(CancelFlag::default()));
        drop(called.await);
        times.push(begun.elapsed());
    }
    let first = times.first().copied().unwrap_or_default();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    terminal::print_line(&format!(
        "call     {:.1} ms the first time, {:.2} ms afterwards, in a fresh instance each",
        first.as_secs_f64() * 1e3,
        middle.as_secs_f64() * 1e3
    ))?;
    let mut findings = Findings::default();
    for definition in &trial.loaded.definitions {
        conformance::lint(definition, &mut findings);
    }
    for finding in findings.0 {
        if let Some(problem) = finding.problem {
            terminal::print_line(&format!(
                "better   {}: {}",
                harmless(&finding.rule),
                harmless(&problem)
            ))?;
        }
    }
    Ok(())
}
