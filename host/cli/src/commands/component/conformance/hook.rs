//! The rules for hooks.

use super::Findings;
use crate::commands::component::trial::{Bench, Terms, context};
use anyhow::Result;
use hydroid_core::hook::HookPoint;
use hydroid_core::ports::CancelFlag;
use hydroid_wasm::TriedHook;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A gate holds up whoever is behind it.
const SOON: Duration = Duration::from_secs(2);

/// Tries every rule on a hook component.
pub(in crate::commands::component) async fn hook(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let trial = bench.load(wasm, stem, terms)?;
    let again = bench.load(wasm, stem, terms)?;
    let points: BTreeSet<HookPoint> = trial.loaded.points().collect();
    if points.is_empty() {
        findings.broken("it is a hook", format!("it is {}", trial.loaded.role.with_article()));
        return Ok(findings);
    }
    findings.judge(
        "it wants to be asked at the same points each time",
        (points != again.loaded.points().collect()).then(|| "say constants".to_owned()),
    );
    let ask = async |point: HookPoint, subject: &Value| {
        let context = context(CancelFlag::default());
        trial.catalog.try_hook(&trial.loaded, point, subject, &context).await
    };
    for point in points {
        let begun = Instant::now();
        let usual = ask(point, &usual(point)).await;
        let took = begun.elapsed();
        findings.judge(
            format!("at `{point}` it decides on what it is usually asked about"),
            match usual {
                Ok(_) => None,
                Err(TriedHook::Unfit(kind)) => {
                    Some(format!("it answered `{kind}`, which means nothing there"))
                }
                Err(TriedHook::Said(problem) | TriedHook::Broke(problem)) => Some(problem),
            },
        );
        findings.judge(
            format!("at `{point}` it decides soon"),
            (took > SOON).then(|| {
                format!("it took {:.1} s, and everybody waits for it", took.as_secs_f32())
            }),
        );
        let mut problems = Vec::new();
        for subject in hostile() {
            match ask(point, &subject).await {
                Ok(_) | Err(TriedHook::Said(_) | TriedHook::Unfit(_)) => {}
                Err(TriedHook::Broke(problem)) => problems.push(problem),
            }
        }
        problems.dedup();
        findings.judge(
            format!("at `{point}` subjects of another shape break nothing"),
            (!problems.is_empty()).then(|| {
                format!("{}; return an error, which counts as a denial", problems.join("; "))
            }),
        );
    }
    Ok(findings)
}

/// What a hook is usually asked about at a point; docs/hooks.md has the shapes.
fn usual(point: HookPoint) -> Value {
    let text = |text: &str| json!([{ "type": "text", "text": text }]);
    match point {
        HookPoint::SessionStart | HookPoint::SessionEnd => {
            json!({ "channel": "terminal", "mode": "default", "headless": false })
        }
        HookPoint::TurnStart => {
            let part = json!({ "content": { "type": "text", "text": "hello" } });
            json!({ "channel": "terminal", "parts": [part] })
        }
        HookPoint::TurnEnd => json!({
            "outcome": { "outcome": "completed" },
            "text": "done",
            "usage": { "input": 10, "output": 2 },
            "dollars": 0.001,
        }),
        HookPoint::BeforeModel => {
            json!({ "provider": "provider-rehearsal", "model": "rehearsal", "messages": [] })
        }
        HookPoint::AfterModel => json!({
            "provider": "provider-rehearsal",
            "model": "rehearsal",
            "text": "hello",
            "calls": [],
            "usage": { "input": 10, "output": 2 },
            "stop_reason": "end_turn",
        }),
        HookPoint::BeforeTool => json!({
            "tool": "file_read",
            "component": "tool-files-read",
            "arguments": { "path": "/shared/notes.md" },
        }),
        HookPoint::AfterTool => json!({
            "tool": "file_read",
            "component": "tool-files-read",
            "arguments": { "path": "/shared/notes.md" },
            "content": text("one two"),
            "is_error": false,
        }),
        HookPoint::Error => json!({ "where": "tool", "tool": "file_read", "content": text("no") }),
        HookPoint::SubagentStart => json!({ "task": "count the words", "tools": ["file_read"] }),
        HookPoint::SubagentEnd => json!({
            "outcome": "completed",
            "text": "seven",
            "steps": 2,
            "usage": { "input": 10, "output": 2 },
            "dollars": 0.001,
        }),
        HookPoint::SkillLoad => json!({
            "skill": "tidy-notes",
            "description": "Tidies notes",
            "version": "1.0.0",
            "tools": [],
            "digest": "sha256:00",
            "by": "model",
            "text": "Read the notes first.",
        }),
        HookPoint::SkillUnload => json!({ "skill": "tidy-notes", "by": "model" }),
        HookPoint::Compaction => json!({ "covers": 2, "summary": "they spoke of fish" }),
    }
}

fn hostile() -> Vec<Value> {
    let deep = (0..100).fold(json!(null), |inner, _| json!({ "arguments": inner }));
    vec![
        json!({}),
        json!({ "tool": null, "arguments": null, "content": null, "parts": null }),
        json!({ "tool": 7, "arguments": [1], "content": "x", "parts": {}, "text": [], "calls": 1 }),
        json!({ "text": "\u{0}\u{202e}🦀", "tool": "x".repeat(1 << 16) }),
        json!({ "usage": { "input": -1, "output": 1e300 }, "dollars": "much" }),
        json!({ "text": "x".repeat(1 << 20), "content": [{ "type": "text", "text": "x".repeat(1 << 20) }] }),
        deep,
    ]
}
