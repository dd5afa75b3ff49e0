//! Budgets: steps, tokens, money.

use super::*;

fn one_step(usage: Vec<Event>) -> Vec<Vec<Event>> {
    vec![usage, calls(&["a read"]), checked("a read"), finished("a")]
}

#[track_caller]
fn check_budget(settings: Settings, usage: Vec<Event>, expect: &str) {
    let mut turn = turn_with(settings, policy());
    let got: Vec<String> = one_step(usage)
        .concat()
        .into_iter()
        .flat_map(|event| render(&turn.handle(event)))
        .collect();
    assert_eq!(got[got.len() - 3..], ["result a: ok", expect, "end"]);
}

#[test]
fn the_step_budget_names_its_key() {
    check_budget(
        Settings { max_steps: 1, ..settings() },
        used(1, 1),
        "turn out of budget: the turn took 1 model requests, its limit; say `go on` to continue, or raise `turn.max_steps`",
    );
}

#[test]
fn the_token_budget_names_its_key() {
    check_budget(
        settings(),
        used(900, 100),
        "turn out of budget: the turn used 1000 tokens of 1000; say `go on` to continue, or raise `turn.max_tokens`",
    );
}

#[test]
fn the_money_budget_names_its_key() {
    check_budget(
        Settings { max_dollars: Money::of_dollars(0.001), ..settings() },
        used(100, 90),
        "turn out of budget: the turn cost $0.0010 of $0.0010; say `go on` to continue, or raise `turn.max_dollars`",
    );
}

#[test]
fn usage_of_a_step_is_its_last_report_and_the_turn_sums_its_steps() {
    let mut turn = turn_with(settings(), policy());
    let mut ended = None;
    for event in [vec![used(50, 1)], one_step(used(100, 10)), vec![used(7, 3)], vec![done()]]
        .concat()
        .concat()
    {
        for effect in turn.handle(event) {
            if let Effect::Record(Entry::TurnEnded { usage, dollars, .. }) = effect {
                ended = Some((usage.input, usage.output, dollars));
            }
        }
    }
    assert_eq!(ended, Some((107, 13, Some(Money::of_pico(237_000_000)))));
}

/// The same usage, of which nobody can tell what it cost.
fn unpriced(input: u64, output: u64) -> Vec<Event> {
    let mut events = used(input, output);
    events.push(Event::Model(ModelEvent::Charged(None)));
    events
}

#[test]
fn with_a_budget_no_request_follows_one_of_unknown_cost() {
    let settings = || Settings { money_budget: Some("budget.day_dollars"), ..settings() };
    let expect = "turn out of budget: the service did not say what a request used, so `budget.day_dollars` cannot be kept; say `go on` to continue, or take the budget out";
    check_budget(settings(), unpriced(1, 1), expect);
    check_budget(settings(), vec![Event::Model(ModelEvent::Charged(None))], expect);
    check_turn(
        turn_with(settings(), policy()),
        vec![done()],
        &["text done", "step ended EndTurn", "turn completed", "end"],
    );
}

#[test]
fn without_a_budget_an_unknown_cost_is_left_out_of_the_sum() {
    let mut turn = turn_with(settings(), policy());
    let events = [one_step(used(100, 10)), vec![unpriced(7, 3)], vec![done()]].concat().concat();
    let ended = events.into_iter().flat_map(|event| turn.handle(event)).find_map(|effect| {
        let Effect::Record(Entry::TurnEnded { usage, dollars, .. }) = effect else { return None };
        Some((usage.total(), dollars))
    });
    assert_eq!(ended, Some((120, Some(Money::of_pico(200_000_000)))));
}

#[test]
fn a_request_that_was_not_sent_for_want_of_money_ends_the_turn_as_a_budget() {
    let error = ModelError {
        kind: ModelError::BUDGET.into(),
        message: "today has cost $2.0000 of $2.0000".into(),
        retry_after_ms: None,
        sent: false,
    };
    check(
        vec![vec![Event::ModelFailed(error)]],
        &["step ended Error", "turn out of budget: today has cost $2.0000 of $2.0000", "end"],
    );
}
