//! Turns that waited for a person when the process ended.

use super::*;

/// Everything recorded until `a` (a write) is asked about, `b` was read and `c` had begun.
fn recorded(until: &[&str]) -> Vec<Entry> {
    let mut turn = turn_with(settings(), policy());
    let mut entries = vec![Entry::TurnStarted {
        turn: TurnId::new("t"),
        parts: Message::user("hi").parts,
        key: None,
    }];
    entries.push(Entry::StepStarted {
        turn: TurnId::new("t"),
        step: 1,
        provider: ComponentId::new("p"),
        model: "m".into(),
    });
    let mut events = calls(&["r read", "a write", "d write"]);
    events.extend(used(3, 4).into_iter().rev());
    events.rotate_right(1);
    for step in until {
        match *step {
            "asked" => {
                events.extend(checked("r read"));
                events.extend(checked("a write"));
                events.extend(checked("d write"));
            }
            "read" => events.extend(finished("r")),
            "allowed" => events.extend(answered("a", ApprovalAnswer::Once)),
            other => panic!("{other}"),
        }
    }
    let mut pending = std::collections::VecDeque::from(events);
    while let Some(event) = pending.pop_front() {
        for effect in turn.handle(event) {
            match effect {
                Effect::Record(entry) => entries.push(entry),
                Effect::PreviewCall(checked) => {
                    pending.push_front(Event::CallPreviewed { id: checked.call.id, preview: None });
                }
                _ => {}
            }
        }
    }
    entries
}

fn restored(entries: &[Entry]) -> Option<(Turn, Vec<String>)> {
    let (turn, effects) = Turn::restore(entries, settings(), policy(), BTreeSet::new())?;
    Some((turn, render(&effects)))
}

#[test]
fn a_question_is_asked_again_and_its_answer_counts() {
    let entries = recorded(&["asked", "read"]);
    assert_eq!(open_questions(&entries).len(), 2);
    let (mut turn, effects) = restored(&entries).unwrap();
    assert_eq!(effects, ["check a", "check d"]);
    assert_eq!(happen(&mut turn, checked("a write").remove(0)), ["asked a"]);
    assert_eq!(happen(&mut turn, checked("d write").remove(0)), ["asked d"]);
    let got = happen(&mut turn, answered("a", ApprovalAnswer::Once).remove(0));
    assert_eq!(got, ["allowed a by User", "started a", "run a"]);
    assert_eq!(turn.usage.total(), 7, "what was used counts on");
}

#[test]
fn a_call_that_had_begun_is_not_run_again() {
    let entries = recorded(&["asked", "read", "allowed"]);
    let (_, effects) = restored(&entries).unwrap();
    assert_eq!(effects, [&format!("error a: {}", crate::entry::INTERRUPTED), "check d"]);
}

#[test]
fn without_a_question_nothing_is_restored() {
    assert!(restored(&recorded(&[])).is_none());
    assert!(restored(&[]).is_none());
    let mut entries = recorded(&["asked"]);
    entries.push(Entry::TurnEnded {
        turn: TurnId::new("t"),
        outcome: Outcome::Interrupted,
        usage: Usage::default(),
        dollars: None,
    });
    assert!(restored(&entries).is_none());
}
