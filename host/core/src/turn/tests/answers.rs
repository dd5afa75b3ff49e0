//! Answers without calls: text, thinking, refusals, failures.

use super::*;

#[test]
fn a_text_answer_completes_the_turn() {
    check(
        vec![says("Hel"), says("lo"), ends(StopReason::EndTurn)],
        &["text Hel", "text lo", "step ended EndTurn", "turn completed", "end"],
    );
}

#[test]
fn thinking_and_sources_are_recorded() {
    let more = vec![
        Event::Model(ModelEvent::Thinking { text: "hm".into(), opaque: Some(vec![1]) }),
        Event::Model(ModelEvent::Cited { uri: "https://a".into(), title: None }),
        Event::Model(ModelEvent::Other { kind: "x/y".into(), json: "{}".into() }),
    ];
    check(
        vec![more, done()],
        &[
            "thinking hm",
            "cited https://a",
            "text done",
            "step ended EndTurn",
            "turn completed",
            "end",
        ],
    );
}

#[test]
fn an_empty_answer_is_told_to_the_person() {
    check(
        vec![says(""), ends(StopReason::EndTurn)],
        &[
            "step ended EndTurn",
            "notice the model gave an empty answer; say it in other words, or try another model",
            "turn completed",
            "end",
        ],
    );
}

#[test]
fn a_refusal_is_told_and_its_calls_are_not_run() {
    check(
        vec![one_call(0, "a", "write", &["{}"], true), ends(StopReason::Refusal)],
        &["step ended Refusal", "notice the model declined to answer", "turn completed", "end"],
    );
}

#[test]
fn an_answer_cut_off_at_the_limit_says_which_key_raises_it() {
    check(
        vec![says("a long"), ends(StopReason::MaxTokens)],
        &[
            "text a long",
            "step ended MaxTokens",
            "notice the answer was cut off at the output limit; raise `model.max_output_tokens`, or say `go on`",
            "turn completed",
            "end",
        ],
    );
}

#[test]
fn an_answer_that_broke_off_fails_the_turn_and_runs_nothing() {
    check(
        vec![says("I"), one_call(0, "a", "write", &["{}"], true), ends(StopReason::Error)],
        &[
            "text I",
            "step ended Error",
            "turn failed: the service failed in the middle of the answer; say `go on` to try again",
            "end",
        ],
    );
}

#[test]
fn a_model_failure_ends_the_turn_with_its_reason() {
    let error = ModelError {
        kind: "unauthenticated".into(),
        message: "set the key".into(),
        retry_after_ms: None,
        sent: false,
    };
    check(
        vec![says("I"), one_call(0, "a", "write", &["{"], false), vec![Event::ModelFailed(error)]],
        &["text I", "step ended Error", "turn failed: set the key", "end"],
    );
}

#[test]
fn late_model_events_have_no_effect() {
    let error =
        ModelError { kind: "x".into(), message: "late".into(), retry_after_ms: None, sent: false };
    check(
        vec![done(), says("more"), calls(&["a read"]), vec![Event::ModelFailed(error)], used(1, 1)],
        &["text done", "step ended EndTurn", "turn completed", "end"],
    );
}

#[test]
fn a_second_message_or_an_early_cancel_does_not_disturb_a_turn() {
    check(
        vec![vec![Event::UserSaid(Message::user("again").parts)], done()],
        &["text done", "step ended EndTurn", "turn completed", "end"],
    );
    let id = TurnId::new("t");
    let mut new = Turn::new(id, settings(), policy(), BTreeSet::new(), Taint::default());
    assert_eq!(new.handle(Event::CancelRequested), []);
    assert_eq!(new.handle(Event::TimeElapsed), []);
}
