//! What is summed up, what is never lost, and that any history still gives a valid request.

use super::*;
use crate::context::{fit, tests::validate};
use crate::id::{CallId, ComponentId, TurnId};
use crate::message::{Origin, StopReason, Usage};
use crate::tool::{ToolCall, ToolOutput};

fn turn(number: usize, said: &str, answer: &str) -> Vec<Entry> {
    let turn = TurnId::new(format!("t{number}"));
    let mut entries = vec![
        Entry::TurnStarted { turn: turn.clone(), parts: Message::user(said).parts, key: None },
        Entry::StepStarted {
            turn: turn.clone(),
            step: 1,
            provider: ComponentId::new("p"),
            model: "m".into(),
        },
    ];
    if !answer.is_empty() {
        entries.push(Entry::Text { turn: turn.clone(), text: answer.to_owned() });
    }
    let (stop, usage) = (StopReason::EndTurn, Usage::default());
    entries.push(Entry::StepEnded { turn, stop, usage, dollars: None });
    entries
}

fn session(turns: &[(&str, &str)]) -> Vec<Entry> {
    turns
        .iter()
        .enumerate()
        .flat_map(|(number, (said, answer))| turn(number, said, answer))
        .collect()
}

fn compacted(plan: &Plan, summary: &str) -> Entry {
    Entry::Compacted { covers: plan.covers, summary: summary.to_owned(), by: None }
}

#[test]
fn the_newest_turns_are_kept_and_the_summary_stands_before_them() {
    let long = "word ".repeat(400);
    let mut entries =
        session(&[("build a boat", &long), ("of oak", &long), ("and now?", "now sails")]);
    let plan = plan(&entries, 1_000).unwrap();
    assert_eq!(plan.covers, 2);
    let summary = plan.by_model("A boat of oak is built.").unwrap();
    assert_eq!(summary, "The user began with: build a boat\n\nA boat of oak is built.");
    let before = entry::conversation(&entries);
    entries.push(compacted(&plan, &summary));
    let messages = entry::conversation(&entries);
    assert_eq!(applied(before, &plan, &summary), messages, "at once as after it was recorded");
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0].parts[0].content, Content::text(summary));
    assert_eq!(messages[0].parts[0].label, Label::summary());
    assert_eq!(messages[0].parts[1].content, Content::text("and now?"));
    assert_eq!(super::plan(&entries, 1_000), None, "nothing more to gain");
}

#[test]
fn the_goal_and_what_is_open_outlive_every_summary() {
    let mut entries = session(&[
        ("plan the move to Lisbon", "Which month?"),
        ("who pays the deposit?", ""),
        ("June", "Noted. Do you take the cat? Shall I book?"),
        ("later", "fine"),
    ]);
    let plan = plan_for_a_person(&entries).unwrap();
    assert_eq!(plan.covers, 3);
    for summary in [plan.by_model("the model forgot everything").unwrap(), plan.mechanical()] {
        assert!(summary.contains("plan the move to Lisbon"), "{summary}");
        assert!(summary.contains("- who pays the deposit?"), "{summary}");
        assert!(summary.contains("- Do you take the cat?"), "{summary}");
        assert!(summary.contains("- Shall I book?"), "{summary}");
    }
    entries.push(compacted(&plan, &plan.by_model("x").unwrap()));
    entries.extend(turn(9, "one more", "yes"));
    let again = plan_for_a_person(&entries).unwrap();
    assert_eq!(again.covers, 4);
    assert!(again.by_model("y").unwrap().starts_with("The user began with: plan the move"));
    assert!(again.mechanical().contains("- who pays the deposit?"));
    assert_eq!(again.by_model(" \n"), None, "an empty summary is none");
}

#[test]
fn what_a_model_is_shown_is_bounded_and_the_newest_is_in_it() {
    let long = "x".repeat(5_000);
    let entries = session(&[(&long, &long), ("second", &long), ("third", "yes"), ("fourth", "")]);
    let shown = plan_for_a_person(&entries).unwrap().shown(3_000);
    assert!(shown.chars().count() < 3_100, "{}", shown.len());
    assert!(
        shown.ends_with("User: third\nAgent: yes") && shown.contains("left out here"),
        "{shown}"
    );
}

#[test]
fn nothing_is_due_while_there_is_room_or_when_it_is_switched_off() {
    let messages = vec![Message::user("x".repeat(4_000))];
    assert!(is_due(&messages, 0.5, 1_000));
    assert!(!is_due(&messages, 0.5, 100_000));
    assert!(!is_due(&messages, 0.0, 10));
    assert_eq!(plan_for_a_person(&session(&[("only", "one")])), None);
    assert_eq!(plan_for_a_person(&[]), None);
}

/// Any history, summed up any number of times and fitted into any window: what is sent begins
/// with the person, pairs calls with results, and still has the goal.
#[test]
fn any_history_gives_a_valid_request_however_often_it_is_summed_up() {
    let mut random = Random(11);
    let mut seen = 0;
    for round in 0..300 {
        let mut entries: Vec<Entry> = Vec::new();
        let mut calls = 0;
        for number in 0..=random.below(8) {
            let said = format!("goal {number} {}", random.text(300));
            let id = TurnId::new(format!("t{number}"));
            entries.push(Entry::TurnStarted {
                turn: id.clone(),
                parts: Message::user(said).parts,
                key: None,
            });
            for step in 0..random.below(3) {
                let (provider, model) = (ComponentId::new("p"), "m".to_owned());
                let step = u32::try_from(step).unwrap();
                entries.push(Entry::StepStarted { turn: id.clone(), step, provider, model });
                for _ in 0..random.below(3) {
                    calls += 1;
                    let call_id = CallId::new(format!("c{calls}"));
                    let call =
                        ToolCall { id: call_id.clone(), name: "f".into(), arguments: "{}".into() };
                    entries.push(Entry::CallReceived { turn: id.clone(), call, parent: None });
                    // A crash leaves calls without a result.
                    if random.below(5) > 0 {
                        let label = Label::tool(ComponentId::new("t"), "f", Origin::Unknown);
                        let output = ToolOutput::text(random.text(2_000));
                        let turn = id.clone();
                        entries.push(Entry::CallFinished { turn, call_id, output, label });
                    }
                }
                entries.push(Entry::Text { turn: id.clone(), text: random.text(300) });
            }
            let window = u32::try_from(random.below(2_000)).unwrap();
            if let Some(plan) = plan(&entries, window).filter(|_| random.below(2) == 0) {
                let summary = match random.below(2) {
                    0 => plan.mechanical(),
                    _ => plan.by_model("summed up").unwrap(),
                };
                entries.push(compacted(&plan, &summary));
                seen += 1;
            }
        }
        let window = u32::try_from(random.below(6_000)).unwrap();
        let messages = entry::conversation(&entries);
        let summed = entries.iter().any(|entry| matches!(entry, Entry::Compacted { .. }));
        if let Ok(fitted) = fit(messages, 0, window, 0) {
            validate(&fitted.messages);
            let first = fitted.messages[0].parts.first();
            let is_summary = first.is_some_and(|part| part.label == Label::summary());
            assert_eq!(is_summary, summed, "round {round}");
            if let Some(Content::Text { text }) = first.map(|part| &part.content).filter(|_| summed)
            {
                assert!(text.contains("goal 0"), "round {round}: {text}");
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn text(&mut self, most: usize) -> String {
        let alphabet = ['a', ' ', 'é', '你', '?', '.'];
        (0..self.below(most)).map(|_| alphabet[self.below(alphabet.len())]).collect()
    }
}
