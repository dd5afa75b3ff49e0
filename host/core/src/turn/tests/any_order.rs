//! Events in any order: what must hold of a turn whatever happens to it. It checks invariants,
//! not the exact effects.

use super::*;

/// xorshift: enough to try orders, and the seed in a failure repeats the run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// What is sure to be true of a turn, whatever happened.
#[derive(Default)]
struct Ledger {
    entries: Vec<Entry>,
    received: Vec<CallId>,
    finished: Vec<CallId>,
    allowed: Vec<CallId>,
    started: Vec<CallId>,
    ended: bool,
}

impl Ledger {
    fn take(&mut self, effect: &Effect) {
        assert!(!self.ended || *effect == Effect::End, "after the end: {}", render_one(effect));
        match effect {
            Effect::Record(entry) => {
                self.entries.push(entry.clone());
                self.entry(entry);
            }
            Effect::RunTool(checked) => {
                assert_eq!(
                    self.started.last(),
                    Some(&checked.call.id),
                    "recorded as started before it runs"
                );
                assert!(self.allowed.contains(&checked.call.id), "ran without being allowed");
            }
            Effect::AskModel => {
                assert_eq!(self.received.len(), self.finished.len(), "asked with an open call")
            }
            Effect::StopModel
            | Effect::CheckCall(_)
            | Effect::PreviewCall(_)
            | Effect::Remember { .. }
            | Effect::StopTool(_)
            | Effect::End => {}
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match entry {
            Entry::CallReceived { call, .. } => {
                assert!(!self.received.contains(&call.id), "two calls of one id");
                self.received.push(call.id.clone());
            }
            Entry::CallDecided { call_id, decision: Decision::Allow, .. } => {
                self.allowed.push(call_id.clone())
            }
            Entry::CallStarted { call_id, .. } => self.started.push(call_id.clone()),
            Entry::CallFinished { call_id, .. } => {
                assert!(self.received.contains(call_id), "a result without a call");
                assert!(!self.finished.contains(call_id), "two results of one call");
                self.finished.push(call_id.clone());
            }
            Entry::TurnEnded { .. } => self.ended = true,
            Entry::TurnStarted { .. }
            | Entry::Steered { .. }
            | Entry::Rewound { .. }
            | Entry::SettingsChanged { .. }
            | Entry::StepStarted { .. }
            | Entry::Text { .. }
            | Entry::Thinking { .. }
            | Entry::Cited { .. }
            | Entry::ApprovalAsked { .. }
            | Entry::CallEdited { .. }
            | Entry::CallDecided { .. }
            | Entry::StepEnded { .. }
            | Entry::ChildAnswered { .. }
            | Entry::Compacted { .. }
            | Entry::Notice { .. }
            | Entry::ModelNews { .. }
            | Entry::SkillLoaded { .. }
            | Entry::SkillUnloaded { .. } => {}
        }
    }
}

fn any_event(random: &mut Random, ids: &[ToolCall]) -> Event {
    let some_call = |random: &mut Random| {
        if ids.is_empty() || random.below(20) == 0 {
            return ToolCall {
                id: CallId::new("none"),
                name: "read".into(),
                arguments: "{}".into(),
            };
        }
        // Mostly one of the latest, so that most runs get somewhere.
        let latest = ids.len().saturating_sub(4);
        ids[latest + random.below(ids.len() - latest)].clone()
    };
    match random.below(40) {
        0..=2 => Event::Model(ModelEvent::Text("x".into())),
        3..=10 => {
            let index = u32::try_from(random.below(3)).unwrap();
            let name =
                ["read", "read", "fetch", "write", "delete", "copy", "nothing"][random.below(7)];
            let id = ["a", "b", "", "old"][random.below(4)];
            Event::Model(ModelEvent::CallStarted { index, id: id.into(), name: name.into() })
        }
        11 => {
            let fragment = ["{}", "{\"a\":", "1}", "oops"][random.below(4)].to_owned();
            Event::Model(ModelEvent::CallArguments {
                index: u32::try_from(random.below(3)).unwrap(),
                fragment,
            })
        }
        12..=14 => {
            Event::Model(ModelEvent::CallEnded { index: u32::try_from(random.below(3)).unwrap() })
        }
        15 => {
            let stops = [
                StopReason::EndTurn,
                StopReason::MaxTokens,
                StopReason::Refusal,
                StopReason::Error,
            ];
            let stop = stops.get(random.below(20)).copied().unwrap_or(StopReason::ToolUse);
            Event::Model(ModelEvent::Finished(stop))
        }
        16 => match random.below(2) {
            0 => Event::Model(ModelEvent::Usage(Usage { input: 9, output: 9, ..Usage::default() })),
            _ => Event::ModelEnded,
        },
        17..=21 => check_of(&some_call(random)),
        22..=24 => Event::CallPreviewed { id: some_call(random).id, preview: None },
        25..=29 => {
            let answers = [
                ApprovalAnswer::Once,
                ApprovalAnswer::Session { calls: None },
                ApprovalAnswer::Always { calls: None, days: Some(1) },
                ApprovalAnswer::Edit { arguments: "{\"b\":2}".into() },
                deny(None),
            ];
            let answer = answers[random.below(answers.len())].clone();
            Event::Answered { id: some_call(random).id, answer }
        }
        30..=37 => Event::CallFinished {
            id: some_call(random).id,
            output: ToolOutput::text("ok"),
            label: Label::host(),
        },
        38 => match random.below(8) {
            0 => Event::CancelRequested,
            1 => Event::TimeElapsed,
            3 => Event::EmergencyStop,
            2 => Event::ModelFailed(ModelError {
                kind: "x".into(),
                message: "y".into(),
                retry_after_ms: None,
                sent: false,
            }),
            _ => Event::Model(ModelEvent::Finished(StopReason::ToolUse)),
        },
        _ => Event::UserSaid(Message::user("again").parts),
    }
}

#[test]
fn whatever_the_order_every_call_has_one_result_and_nothing_follows_the_end() {
    let (mut runs_with_calls, mut tools_run) = (0, 0);
    for seed in 1..=5_000_u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut turn = turn_with(settings(), policy());
        let mut ledger = Ledger::default();
        let mut ids: Vec<ToolCall> = Vec::new();
        for number in 0..400 {
            let event =
                if number == 399 { Event::CancelRequested } else { any_event(&mut random, &ids) };
            for effect in turn.handle(event) {
                ledger.take(&effect);
                if let Effect::Record(Entry::CallReceived { call, .. }) = &effect {
                    ids.push(call.clone());
                }
            }
        }
        assert!(ledger.ended, "seed {seed} did not end");
        let (mut received, mut finished) = (ledger.received.clone(), ledger.finished.clone());
        received.sort();
        finished.sort();
        assert_eq!(received, finished, "seed {seed}");
        runs_with_calls += usize::from(!received.is_empty());
        tools_run += ledger.started.len();
    }
    // If the dice never got anywhere, the assertions above would prove nothing.
    assert!(
        runs_with_calls > 1_000 && tools_run > 1_000,
        "{runs_with_calls} runs with calls, {tools_run} tools run"
    );
}
