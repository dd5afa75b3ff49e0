//! The tool role: [`hydroid_core::ports::Tools`] over the installed components. Every call runs
//! in a store of its own.

use crate::bindings::tools::exports::hydroid::tool::tool::{Call, Outcome};
use crate::catalog::Catalog;
use crate::component::{Loaded, Pre};
use crate::convert;
use crate::files::Staging;
use crate::instance;
use crate::nested::Between;
use crate::nested::clock::CallClock;
use crate::preview;
use crate::trap::{self, Cause};
use crate::vault::{self, VaultStep};
use futures_util::future::{BoxFuture, FutureExt};
use hydroid_core::arguments;
use hydroid_core::capability::Profile;
use hydroid_core::config::{Size, did_you_mean};
use hydroid_core::message::Content;
use hydroid_core::policy::resource::resources;
use hydroid_core::ports::{CallContext, Tools};
use hydroid_core::tool::{
    CheckedCall, Impact, Preview, Resource, ResourceKind, ToolCall, ToolDetails, ToolOutput,
    ToolSpec,
};
use serde_json::Value;
use std::sync::Arc;
use tokio::time::Instant;

/// Problems with arguments that are shown at once.
const MOST_PROBLEMS: usize = 5;

impl Tools for Catalog {
    fn specs(&self) -> Vec<ToolSpec> {
        let snapshot = self.snapshot();
        snapshot.tools.values().map(|(loaded, index)| spec(loaded, *index)).collect()
    }

    fn details(&self, name: &str) -> Option<ToolDetails> {
        let (loaded, index) = self.snapshot().tools.get(name)?.clone();
        Some(loaded.definitions[index].details.clone())
    }

    fn check(&self, call: &ToolCall) -> Result<CheckedCall, String> {
        let snapshot = self.snapshot();
        let Some((loaded, index)) = snapshot.tools.get(&call.name) else {
            let shown: String = call.name.chars().take(64).collect();
            let known = snapshot.tools.keys().map(String::as_str);
            return Err(format!(
                "there is no tool `{shown}`{}; tools: {}",
                did_you_mean(&shown, known.clone()),
                known.collect::<Vec<_>>().join(", ")
            ));
        };
        let definition = &loaded.definitions[*index];
        let text = arguments::normalise(&call.arguments)?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| format!("the arguments are not JSON: {error}"))?;
        let problems: Vec<String> = definition
            .validator
            .iter_errors(&value)
            .take(MOST_PROBLEMS)
            .map(|error| match error.instance_path().to_string() {
                path if path.is_empty() => error.to_string(),
                path => format!("at `{path}`: {error}"),
            })
            .collect();
        if !problems.is_empty() {
            return Err(format!(
                "the arguments of `{}` do not fit its schema: {}; its schema is {}",
                call.name,
                problems.join("; "),
                definition.input_schema
            ));
        }
        let resources = real_paths(loaded, resources(&definition.input_schema, &value));
        Ok(CheckedCall {
            call: ToolCall { id: call.id.clone(), name: call.name.clone(), arguments: text },
            component: loaded.name().clone(),
            impact: loaded.impact(),
            origin: loaded.origin_of(&resources),
            reach: loaded.reach(),
            hooked: None,
            resources,
            preview: None,
            parent: None,
        })
    }

    fn preview(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, Option<Preview>> {
        preview::of(self, call, context).boxed()
    }

    fn run(&self, call: CheckedCall, context: CallContext) -> BoxFuture<'_, ToolOutput> {
        let found = owner(self, &call);
        async move {
            match found {
                Some(_) if call.parent.is_some() && call.impact == Impact::Vault => {
                    ToolOutput::error("not run: no component takes something out of the vault")
                }
                Some(loaded) if loaded.grant().profiles.contains(&Profile::VaultReadStep) => {
                    vault::copy(self, &loaded, &call, context).await
                }
                Some(loaded) => {
                    let (tool, parent) = (&call.call.name, call.parent.as_ref());
                    let between = match Between::of(self, &loaded, tool, parent, &context) {
                        Ok(between) => between,
                        Err(problem) => return ToolOutput::error(format!("not run: {problem}")),
                    };
                    match &call.preview {
                        Some(Preview::Difference { digest, .. }) => {
                            preview::run_as_shown(&loaded, &call, context, digest, &between).await
                        }
                        Some(
                            Preview::Copy { .. } | Preview::Send { .. } | Preview::Unknown { .. },
                        )
                        | None => run(&loaded, &call.call, context, Errand::default(), &between).await.0,
                    }
                }
                None => ToolOutput::error(format!(
                    "the tool `{}` of `{}` was removed or replaced since it was asked for; ask again",
                    call.call.name, call.component
                )),
            }
        }
        .boxed()
    }
}

/// What a store is for beside the call itself, and what is left of it afterwards.
#[derive(Debug, Default)]
pub(crate) struct Errand {
    /// The half of a vault copy.
    pub(crate) vault: VaultStep,
    /// What the call would do to files, if it is only tried out.
    pub(crate) staged: Option<Staging>,
}

/// The component a call was decided on for. Another that took the name since does not get it.
pub(crate) fn owner(catalog: &Catalog, call: &CheckedCall) -> Option<Arc<Loaded>> {
    let (loaded, _) = catalog.snapshot().tools.get(&call.call.name)?.clone();
    (*loaded.name() == call.component && loaded.impact() <= call.impact).then_some(loaded)
}

/// How a call ended, for whoever tries a component out. A session makes one output of each.
#[derive(Debug)]
pub enum Ended {
    /// The tool ran; it may have failed.
    Answered(ToolOutput),
    /// It says that it could not run: the kind of error in the contract's words, and why.
    Refused {
        /// Kind, such as `invalid-input`.
        kind: &'static str,
        /// Why.
        message: String,
    },
    /// It was stopped, or broke a rule.
    Stopped(String),
}

impl Catalog {
    /// Runs a call without comparing it with a schema, to see what the component makes of it.
    pub async fn try_out(&self, loaded: &Loaded, call: &ToolCall, context: CallContext) -> Ended {
        run_to_end(loaded, call, context, Errand::default(), &Between::default()).await.0
    }
}

/// Runs one call in a fresh store; with it comes what is left of its errand.
pub(crate) async fn run(
    loaded: &Loaded,
    call: &ToolCall,
    context: CallContext,
    errand: Errand,
    between: &Between,
) -> (ToolOutput, Errand) {
    let (ended, left) = run_to_end(loaded, call, context, errand, between).await;
    let output = match ended {
        Ended::Answered(output) => output,
        Ended::Refused { kind, message } => ToolOutput::error(format!("{kind}: {message}")),
        Ended::Stopped(sentence) => ToolOutput::error(sentence),
    };
    (output, left)
}

async fn run_to_end(
    loaded: &Loaded,
    call: &ToolCall,
    context: CallContext,
    errand: Errand,
    between: &Between,
) -> (Ended, Errand) {
    let Pre::Tool(pre) = &loaded.pre else {
        return (Ended::Stopped(format!("`{}` is not a tool component", loaded.name())), errand);
    };
    let equipment = between.equipment(loaded);
    let wants_data = context.wants_data;
    let time = equipment.limits.call;
    let deadline = Instant::now() + time;
    let mut span = loaded.span(&context.trace, "invoke");
    // What the call searches is a part of it.
    let context = CallContext { trace: span.trace(), ..context };
    let mut store = match instance::store(loaded.engine.engine(), equipment, context, deadline) {
        Ok(store) => store,
        Err(error) => {
            tracing::warn!(component = %loaded.name(), error = ?error, "no store");
            span.fail("no_store");
            span.end();
            return (Ended::Stopped(format!("`{}` could not be started", loaded.name())), errand);
        }
    };
    if let Some(within) = &between.within {
        instance::share_requests(&mut store, &within.requests);
    } else if let Some(caller) = &between.caller {
        instance::share_requests(&mut store, &caller.requests);
    }
    store.data_mut().caller = between.caller.clone();
    store.data_mut().vault = errand.vault;
    store.data_mut().staged = errand.staged;
    let wit = Call {
        id: call.id.as_str().to_owned(),
        name: call.name.clone(),
        args_json: call.arguments.clone(),
    };
    let trace = span.trace();
    let calling = async {
        let mut instantiating = loaded.instantiating(&trace);
        let made = pre.instantiate_async(&mut store).await;
        if made.is_err() {
            instantiating.fail("trap");
        }
        instantiating.end();
        let bindings = made?;
        bindings.hydroid_tool_tool().call_invoke(&mut store, &wit).await
    };
    // The time of a call that may wait for others stands still meanwhile.
    let own;
    let clock = match &between.caller {
        Some(caller) => &caller.clock,
        None => {
            own = CallClock::new(time);
            &own
        }
    };
    let called = tokio::select! {
        biased;
        called = calling => Ok(called),
        () = clock.used_up() => Err(()),
    };
    if let Some(within) = &between.within {
        let fuel = equipment.limits.fuel;
        let fuel = fuel.zip(store.get_fuel().ok()).map(|(had, has)| had.saturating_sub(has));
        within.pays(store.data().host_calls(), fuel, time.saturating_sub(clock.left()));
    }
    log_output(loaded, &store);
    let ended = match called {
        Err(()) => Ended::Stopped(trap::sentence(&store, Cause::Deadline(time))),
        Ok(Err(error)) => Ended::Stopped(trap::sentence(&store, Cause::Error(error))),
        Ok(Ok(Err(error))) => Ended::Refused {
            kind: convert::kind_name(error.kind),
            message: convert::error_text(&error),
        },
        Ok(Ok(Ok(outcome))) => {
            Ended::Answered(accept(loaded, outcome, wants_data.then_some(&*call.name)))
        }
    };
    match &ended {
        Ended::Answered(output) if output.is_error => span.fail("tool_error"),
        Ended::Answered(_) => {}
        Ended::Refused { kind, .. } => span.fail(kind),
        Ended::Stopped(_) => span.fail("stopped"),
    }
    span.end();
    let state = store.data_mut();
    let left = Errand { vault: std::mem::take(&mut state.vault), staged: state.staged.take() };
    (ended, left)
}

/// All text of an output, for a reason that a person reads.
pub(crate) fn joined(output: &ToolOutput) -> String {
    let texts = output.content.iter().filter_map(|content| match content {
        Content::Text { text } => Some(text.as_str()),
        Content::Json { .. }
        | Content::Thinking { .. }
        | Content::ToolCall { .. }
        | Content::ToolResult { .. }
        | Content::Media { .. }
        | Content::Link { .. }
        | Content::Other { .. } => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// An outcome as what the model reads, within the limits; with the data of the tool named, for who
/// wants it.
fn accept(loaded: &Loaded, outcome: Outcome, data_of: Option<&str>) -> ToolOutput {
    let size: usize = outcome.content.iter().map(wit_size).sum::<usize>()
        + outcome.structured_json.as_ref().map_or(0, String::len);
    let limit = loaded.limits().output;
    if size > limit {
        return ToolOutput::error(format!(
            "`{}` returned {size} bytes, more than its {}; ask for less at once, or a person can raise `components.{}.limits.output`",
            loaded.name(),
            Size(limit as u64),
            loaded.name()
        ));
    }
    let mut content: Vec<Content> = outcome.content.into_iter().map(convert::content).collect();
    if let Some(problem) = outcome.structured_json.as_deref().and_then(not_json) {
        tracing::warn!(component = %loaded.name(), %problem, "structured result is not JSON");
        content.push(Content::text("[the tool's structured result was left out: it is not JSON]"));
    } else if let Some(json) = outcome.structured_json {
        let problem = data_of.and_then(|tool| unfit(loaded, tool, &json));
        match problem {
            Some(problem) => {
                tracing::warn!(component = %loaded.name(), %problem, "structured result does not fit");
                content.push(Content::text(format!(
                    "[the tool's structured result was left out: it does not fit its schema: {problem}]"
                )));
            }
            None if content.is_empty() || data_of.is_some() => {
                content.push(convert::content(crate::bindings::core::types::Part::Json(json)));
            }
            None => {}
        }
    }
    ToolOutput { content, is_error: outcome.is_error }
}

/// What of the data is not as the tool says it is.
fn unfit(loaded: &Loaded, tool: &str, json: &str) -> Option<String> {
    let definition = loaded.definitions.iter().find(|its| its.name == tool)?;
    let value = serde_json::from_str(json).ok()?;
    let errors = definition.output.as_ref()?.iter_errors(&value).take(MOST_PROBLEMS);
    let problems: Vec<String> = errors.map(|error| error.to_string()).collect();
    (!problems.is_empty()).then(|| problems.join("; "))
}

/// The paths with those they lead to through links, so that a rule about a place holds for every
/// name of it.
fn real_paths(loaded: &Loaded, mut resources: Vec<Resource>) -> Vec<Resource> {
    let Some(workspace) = &loaded.equipment.workspace else { return resources };
    let real: Vec<Resource> = resources
        .iter()
        .filter(|found| found.kind == ResourceKind::Path)
        .filter_map(|found| {
            let text = workspace.real_path(&found.text)?;
            (text != found.text).then(|| Resource { text, ..found.clone() })
        })
        .collect();
    resources.extend(real);
    resources
}

fn spec(loaded: &Loaded, index: usize) -> ToolSpec {
    let definition = &loaded.definitions[index];
    ToolSpec {
        name: definition.name.clone(),
        title: definition.title.clone(),
        description: definition.description.clone(),
        input_schema: definition.input_schema.clone(),
        component: loaded.name().clone(),
        impact: loaded.impact(),
        claims_read_only: definition.claims_read_only,
        about_skills: loaded.grant().profiles.contains(&Profile::Skills),
    }
}

fn log_output(loaded: &Loaded, store: &wasmtime::Store<crate::instance::State>) {
    let (text, total) = store.data().output.text();
    if total > 0 {
        tracing::debug!(component = %loaded.name(), bytes = total, output = %text, "standard output and error");
    }
}

fn not_json(text: &str) -> Option<String> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).err().map(|error| error.to_string())
}

fn wit_size(part: &crate::bindings::core::types::Part) -> usize {
    use crate::bindings::core::types::Part;
    // Every part costs something, or a list of empty ones would be free.
    const PART: usize = 64;
    PART + match part {
        Part::Text(text) | Part::Json(text) => text.len(),
        Part::Blob(blob) => blob.data.len() + blob.media_type.len(),
        Part::Link(link) => link.uri.len() + link.title.as_ref().map_or(0, String::len),
        Part::Other(ext) => ext.kind.len() + ext.json.len(),
    }
}
