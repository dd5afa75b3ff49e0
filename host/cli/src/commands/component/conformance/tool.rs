//! The rules for tools.

use super::Findings;
use crate::commands::component::cases::Cases;
use crate::commands::component::trial::{self, Bench, Terms, Trial, context};
use anyhow::Result;
use hydroid_core::id::CallId;
use hydroid_core::ports::CancelFlag;
use hydroid_core::tool::ToolCall;
use hydroid_wasm::{Definition, Ended};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A call that was cancelled before it began has this long to end.
const CANCELLED_WITHIN: Duration = Duration::from_secs(2);

/// Shortest description a model can choose a tool by.
const SHORTEST_DESCRIPTION: usize = 10;

/// Characters of a long argument; enough to be over what most programs expect.
const LONG: usize = 1 << 20;

/// Deepest nesting of arguments; the host refuses more before a component sees it.
const DEEPEST: usize = 120;

/// Tries every rule on a tool component.
pub(in crate::commands::component) async fn tool(
    bench: &Bench<'_>,
    wasm: &[u8],
    stem: &str,
    terms: &Terms,
    cases: Option<&Cases>,
) -> Result<Findings> {
    let mut findings = Findings::default();
    let trial = bench.load(wasm, stem, terms)?;
    let again = bench.load(wasm, stem, terms)?;
    findings.judge("definitions are the same each time", different(&trial, &again));
    for definition in &trial.loaded.definitions {
        lint(definition, &mut findings);
    }
    findings.judge(
        "a tool that is not there is refused with `not-found`",
        match call(&trial, "no_such_tool", "{}").await {
            Ended::Refused { kind: "not-found", .. } => None,
            other => Some(format!("{}; return `error-kind::not-found`", shown(&other))),
        },
    );
    for definition in &trial.loaded.definitions {
        hostile(&trial, definition, &mut findings).await;
        let Some(sample) = cases.and_then(|cases| cases.sample(&definition.name)) else {
            findings.broken(
                format!("`{}` has a case", definition.name),
                "write a case in cases.toml in which it succeeds; the rest is tried with it",
            );
            continue;
        };
        let arguments = sample.arguments()?;
        let name = &definition.name;
        let fresh = |terms: &Terms| -> Result<Trial> {
            if let Some(tape) = &terms.tape {
                tape.rewind();
            }
            let trial = bench.load(wasm, stem, terms)?;
            trial::lay(&trial.workspace, &sample.files)?;
            Ok(trial)
        };
        let trial = fresh(terms)?;
        let flag = CancelFlag::default();
        flag.cancel();
        let begun = Instant::now();
        let call_of_it = made(name, &arguments);
        let ended = trial.catalog.try_out(&trial.loaded, &call_of_it, context(flag)).await;
        findings.judge(
            format!("`{name}` ends soon when it is cancelled"),
            match ended {
                Ended::Stopped(sentence) => Some(sentence),
                _ if begun.elapsed() > CANCELLED_WITHIN => Some(format!(
                    "it took {:.1} s; ask `control.cancelled` in long loops",
                    begun.elapsed().as_secs_f32()
                )),
                _ => None,
            },
        );
        let small = Terms { least_memory: true, ..terms.clone() };
        let trial = fresh(&small)?;
        findings.judge(
            format!("`{name}` works with the least memory a host gives"),
            match call(&trial, name, &arguments).await {
                Ended::Stopped(sentence) => Some(sentence),
                Ended::Answered(_) | Ended::Refused { .. } => None,
            },
        );
        if definition.claims_read_only {
            let trial = fresh(terms)?;
            let first = shown(&call(&trial, name, &arguments).await);
            if let Some(tape) = &terms.tape {
                tape.rewind();
            }
            let second = shown(&call(&trial, name, &arguments).await);
            findings.judge(
                format!("`{name}` claims to change nothing, and answers the same twice"),
                (first != second).then(|| {
                    format!("first {first}, then {second}; claim `read_only` only if it is so")
                }),
            );
        }
    }
    Ok(findings)
}

/// What a model reads of a tool must be enough to call it by.
pub(in crate::commands::component) fn lint(definition: &Definition, findings: &mut Findings) {
    let name = &definition.name;
    let length = definition.description.trim().chars().count();
    findings.judge(
        format!("`{name}` says what it does"),
        (length < SHORTEST_DESCRIPTION)
            .then(|| "describe it in a sentence: the model chooses it by that".to_owned()),
    );
    let schema = &definition.input_schema;
    let properties = schema.get("properties").and_then(Value::as_object);
    let silent: Vec<String> = properties
        .into_iter()
        .flatten()
        .filter(|(_, property)| {
            property.get("description").and_then(Value::as_str).is_none_or(str::is_empty)
        })
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    findings.judge(
        format!("`{name}` says what each argument is"),
        (!silent.is_empty())
            .then(|| format!("{} has no `description`; write one", silent.join(", "))),
    );
    findings.judge(
        format!("`{name}` refuses arguments it does not have"),
        (schema.get("additionalProperties") != Some(&json!(false)))
            .then(|| "write `\"additionalProperties\": false`, or the model believes that what it made up was heeded".to_owned()),
    );
    findings.judge(
        format!("the schema of `{name}` stands for itself"),
        schema
            .to_string()
            .contains("\"$ref\"")
            .then(|| "write each type where it is used; some services refuse `$ref`".to_owned()),
    );
    let unmarked: Vec<String> = properties
        .into_iter()
        .flatten()
        .filter(|(_, property)| property.get("format").is_none())
        .filter(|(name, _)| ["path", "file", "url", "uri", "address"].contains(&name.as_str()))
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    findings.judge(
        format!("`{name}` says which arguments name a path or a URL"),
        (!unmarked.is_empty()).then(|| {
            format!(
                "give {} a `\"format\"`: `path`, `uri` or `email`; a person is asked more often otherwise",
                unmarked.join(", ")
            )
        }),
    );
}

/// Arguments no schema would let through: none of them may break the component.
async fn hostile(trial: &Trial, definition: &Definition, findings: &mut Findings) {
    let name = &definition.name;
    let mut broken = Vec::new();
    for arguments in arguments(&definition.input_schema) {
        if let Ended::Stopped(sentence) = call(trial, name, &arguments).await {
            let beginning: String = arguments.chars().take(60).collect();
            broken.push(format!("`{beginning}`: {sentence}"));
        }
    }
    findings.judge(
        format!("`{name}` survives hostile arguments"),
        (!broken.is_empty()).then(|| {
            format!(
                "{}; return an error where arguments do not fit, and do not panic",
                broken.join("; ")
            )
        }),
    );
    let required = definition.input_schema.get("required").and_then(Value::as_array);
    if required.is_some_and(|required| !required.is_empty()) {
        findings.judge(
            format!("`{name}` refuses missing arguments with `invalid-input`"),
            match call(trial, name, "{}").await {
                Ended::Refused { kind: "invalid-input", .. } => None,
                Ended::Answered(output) if output.is_error => None,
                other => Some(format!("{}; return `error-kind::invalid-input`", shown(&other))),
            },
        );
    }
}

/// What is tried: no JSON, other JSON, and each argument with values of every kind.
fn arguments(schema: &Value) -> Vec<String> {
    let mut all: Vec<String> = [
        "",
        "{",
        "null",
        "[]",
        "0",
        "\"text\"",
        "{}",
        "{\"no_such_argument\": 1}",
        "{\"a\": 1, \"a\": 2}",
        "{\"\\u0000\": \"\\u0000\"}",
        "{\"a\": \"\\ud800\"}",
        "\u{feff}{}",
    ]
    .map(str::to_owned)
    .to_vec();
    all.push(format!("{}{}", "[".repeat(DEEPEST), "]".repeat(DEEPEST)));
    all.push(format!("{}1{}", "{\"a\":".repeat(DEEPEST), "}".repeat(DEEPEST)));
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{202e}\u{fffd}🦀"),
        json!("../../../etc/passwd"),
        json!("file:///etc/passwd"),
        json!("x".repeat(LONG)),
        json!([[[]]]),
        json!({"a": {"b": []}}),
    ];
    let names: Vec<&String> = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(n, _)| n)
        .collect();
    for value in &values {
        let object: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).clone(), value.clone())).collect();
        all.push(Value::Object(object).to_string());
    }
    all
}

fn different(first: &Trial, second: &Trial) -> Option<String> {
    let of = |trial: &Trial| -> Vec<(String, String, Value)> {
        let each = trial.loaded.definitions.iter();
        each.map(|one| (one.name.clone(), one.description.clone(), one.input_schema.clone()))
            .collect()
    };
    (of(first) != of(second)).then(|| {
        "they differ from one load to the next; they are asked once, at install".to_owned()
    })
}

async fn call(trial: &Trial, tool: &str, arguments: &str) -> Ended {
    let call = made(tool, arguments);
    trial.catalog.try_out(&trial.loaded, &call, context(CancelFlag::default())).await
}

fn made(tool: &str, arguments: &str) -> ToolCall {
    ToolCall { id: CallId::new("trial"), name: tool.to_owned(), arguments: arguments.to_owned() }
}

fn shown(ended: &Ended) -> String {
    match ended {
        Ended::Answered(output) if output.is_error => {
            format!("it failed: {}", trial::text(output))
        }
        Ended::Answered(output) => format!("it answered: {}", trial::text(output)),
        Ended::Refused { kind, message } => format!("it refused with `{kind}`: {message}"),
        Ended::Stopped(sentence) => sentence.clone(),
    }
}
