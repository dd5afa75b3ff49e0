//! Every transition and race of a turn, as events in and rendered effects out. Nothing here
//! waits, sleeps or asks a real model.

mod answers;
mod any_order;
mod approvals;
mod budgets;
mod calls;
mod endings;
mod nested;
mod repetition;
mod restored;
mod tainted;

use super::*;
use crate::message::Origin;
use crate::message::{Content, Message};
use crate::policy::Mode;
use crate::ports::ModelError;

fn settings() -> Settings {
    Settings {
        provider: ComponentId::new("p"),
        model: "m".into(),
        max_steps: 25,
        max_tokens: 1_000,
        max_dollars: None,
        money_budget: None,
        max_seconds: 60,
        max_repeats: 2,
        max_tool_output_chars: 20,
    }
}

/// Reading is allowed, everything else is asked; `delete` is denied.
fn policy() -> Policy {
    Policy {
        read_only: Rule::Allow,
        network: Rule::Ask,
        changes: Rule::Ask,
        mode: Mode::Default,
        headless: false,
        rules: vec![PolicyRule {
            effect: Rule::Deny,
            calls: "delete".parse().unwrap(),
            component: None,
            host: None,
            origin: RuleOrigin::Config { key: "policy.tools.delete".into() },
        }],
    }
}

fn turn_with(settings: Settings, policy: Policy) -> Turn {
    let mut turn = Turn::new(
        TurnId::new("t"),
        settings,
        policy,
        BTreeSet::from([CallId::new("old")]),
        Taint::default(),
    );
    let begun = render(&turn.handle(Event::UserSaid(Message::user("hi").parts)));
    assert_eq!(begun, ["turn started", "step 1", "ask model"]);
    turn
}

/// Effects of the events, after a turn has begun and asked the model.
#[track_caller]
fn check(events: Vec<Vec<Event>>, expect: &[&str]) {
    check_turn(turn_with(settings(), policy()), events, expect);
}

#[track_caller]
fn check_turn(mut turn: Turn, events: Vec<Vec<Event>>, expect: &[&str]) {
    let mut got = Vec::new();
    for event in events.into_iter().flatten() {
        got.extend(happen(&mut turn, event));
    }
    assert_eq!(got, expect, "\ngot:\n{}\n\nexpected:\n{}\n", got.join("\n"), expect.join("\n"));
}

/// What the turn does about an event. What a call would do is found out at once, unless a test
/// says otherwise.
fn happen(turn: &mut Turn, event: Event) -> Vec<String> {
    let mut events = vec![event];
    let mut got = Vec::new();
    while let Some(event) = events.pop() {
        for effect in turn.handle(event) {
            match effect {
                Effect::PreviewCall(checked) => {
                    events.push(Event::CallPreviewed { id: checked.call.id, preview: None });
                }
                effect => got.push(render_one(&effect)),
            }
        }
    }
    got
}

fn render(effects: &[Effect]) -> Vec<String> {
    effects.iter().map(render_one).collect()
}

fn render_one(effect: &Effect) -> String {
    match effect {
        Effect::AskModel => "ask model".into(),
        Effect::StopModel => "stop model".into(),
        Effect::CheckCall(call) => format!("check {}", call.id),
        Effect::PreviewCall(checked) => format!("preview {}", checked.call.id),
        Effect::Remember { calls, component, days } => {
            format!("remember {calls} of {component} for {days:?}")
        }
        Effect::RunTool(checked) => format!("run {}", checked.call.id),
        Effect::StopTool(id) => format!("stop {id}"),
        Effect::End => "end".into(),
        Effect::Record(entry) => render_entry(entry),
    }
}

fn render_entry(entry: &Entry) -> String {
    match entry {
        Entry::TurnStarted { .. } => "turn started".into(),
        Entry::Steered { .. } => "steered".into(),
        Entry::Rewound { .. } => "rewound".into(),
        Entry::SettingsChanged { .. } => "settings changed".into(),
        Entry::StepStarted { step, .. } => format!("step {step}"),
        Entry::Text { text, .. } => format!("text {text}"),
        Entry::Thinking { text, .. } => format!("thinking {text}"),
        Entry::Cited { uri, .. } => format!("cited {uri}"),
        Entry::CallReceived { call, .. } => {
            format!("received {} {} {}", call.id, call.name, call.arguments)
        }
        Entry::ApprovalAsked { call_id, .. } => format!("asked {call_id}"),
        Entry::CallEdited { call_id, arguments, .. } => format!("edited {call_id} {arguments}"),
        Entry::CallDecided { call_id, decision: Decision::Deny { .. }, by, .. } => {
            format!("denied {call_id} by {by:?}")
        }
        Entry::CallDecided { call_id, by, .. } => format!("allowed {call_id} by {by:?}"),
        Entry::CallStarted { call_id, .. } => format!("started {call_id}"),
        Entry::CallFinished { call_id, output, .. } => {
            let texts: Vec<_> = output
                .content
                .iter()
                .map(|content| match content {
                    Content::Text { text } => text.clone(),
                    other => format!("{other:?}"),
                })
                .collect();
            format!(
                "{} {call_id}: {}",
                if output.is_error { "error" } else { "result" },
                texts.join(" | ")
            )
        }
        Entry::StepEnded { stop, .. } => format!("step ended {stop:?}"),
        Entry::ChildAnswered { step, stop, .. } => format!("child step {step} {stop:?}"),
        Entry::Notice { text, .. } => format!("notice {text}"),
        Entry::Compacted { summary, .. } => format!("compacted {summary}"),
        Entry::SkillLoaded { skill, .. } => format!("loaded {}", skill.name),
        Entry::SkillUnloaded { name, .. } => format!("unloaded {name}"),
        Entry::ModelNews { news, .. } => format!("news {news}"),
        Entry::TurnEnded { outcome, .. } => match outcome {
            Outcome::Completed => "turn completed".into(),
            Outcome::Cancelled => "turn cancelled".into(),
            Outcome::Stopped => "turn stopped".into(),
            Outcome::Interrupted => "turn interrupted".into(),
            Outcome::BudgetReached { reason } => format!("turn out of budget: {reason}"),
            Outcome::Repeating { reason } => format!("turn repeating: {reason}"),
            Outcome::Failed { reason } => format!("turn failed: {reason}"),
        },
    }
}

fn says(text: &str) -> Vec<Event> {
    vec![Event::Model(ModelEvent::Text(text.into()))]
}

/// The model asks for these calls, given as `id tool`.
fn calls(wanted: &[&str]) -> Vec<Event> {
    let mut events = Vec::new();
    for (index, call) in wanted.iter().enumerate() {
        let (id, name) = call.split_once(' ').unwrap();
        events.extend(one_call(u32::try_from(index).unwrap(), id, name, &["{}"], true));
    }
    events.extend(ends(StopReason::ToolUse));
    events
}

fn one_call(index: u32, id: &str, name: &str, fragments: &[&str], complete: bool) -> Vec<Event> {
    let mut events = vec![ModelEvent::CallStarted { index, id: id.into(), name: name.into() }];
    events.extend(
        fragments
            .iter()
            .map(|fragment| ModelEvent::CallArguments { index, fragment: (*fragment).into() }),
    );
    if complete {
        events.push(ModelEvent::CallEnded { index });
    }
    events.into_iter().map(Event::Model).collect()
}

fn ends(stop: StopReason) -> Vec<Event> {
    vec![Event::Model(ModelEvent::Finished(stop)), Event::ModelEnded]
}

/// Tokens of a model that costs a dollar for a million of input and ten for one of output.
fn used(input: u64, output: u64) -> Vec<Event> {
    let cost = Money::of_pico(input * 1_000_000 + output * 10_000_000);
    vec![
        Event::Model(ModelEvent::Usage(Usage { input, output, ..Usage::default() })),
        Event::Model(ModelEvent::Charged(Some(cost))),
    ]
}

fn done() -> Vec<Event> {
    [says("done"), ends(StopReason::EndTurn)].concat()
}

/// The tools of these tests and what they can do.
fn impact(tool: &str) -> Option<Impact> {
    match tool {
        "read" => Some(Impact::ReadOnly),
        "fetch" => Some(Impact::Network),
        "write" | "delete" => Some(Impact::Changes),
        "copy" => Some(Impact::Vault),
        _ => None,
    }
}

fn check_of(call: &ToolCall) -> Event {
    let result = match impact(&call.name) {
        Some(impact) => Ok(CheckedCall {
            call: call.clone(),
            component: ComponentId::new("c"),
            impact,
            resources: crate::policy::resource::resources(
                &serde_json::json!({"properties": {"url": {"format": "uri"}}}),
                &serde_json::from_str(&call.arguments).unwrap(),
            ),
            origin: Origin::Unknown,
            reach: crate::tool::Reach::default(),
            hooked: None,
            preview: None,
            parent: None,
        }),
        None => Err(format!("no tool `{}`", call.name)),
    };
    Event::CallChecked { id: call.id.clone(), result }
}

/// The call, given as `id tool`, was checked.
fn checked(call: &str) -> Vec<Event> {
    let (id, name) = call.split_once(' ').unwrap();
    vec![check_of(&ToolCall { id: CallId::new(id), name: name.into(), arguments: "{}".into() })]
}

fn finished(id: &str) -> Vec<Event> {
    vec![Event::CallFinished {
        id: CallId::new(id),
        output: ToolOutput::text("ok"),
        label: Label::tool(ComponentId::new("c"), "read", Origin::Computed),
    }]
}

fn answered(id: &str, answer: ApprovalAnswer) -> Vec<Event> {
    vec![Event::Answered { id: CallId::new(id), answer }]
}

fn deny(reason: Option<&str>) -> ApprovalAnswer {
    ApprovalAnswer::Deny { reason: reason.map(str::to_owned) }
}
