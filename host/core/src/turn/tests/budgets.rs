//! Budgets: steps, tokens, money.

use super::*;
use crate::reliability::ModelNews;

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
        Settings { max_dollars: Some(0.001), ..settings() },
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
                ended = Some((
                    usage.input,
                    usage.output,
                    dollars.map(|dollars| format!("{dollars:.6}")),
                ));
            }
        }
    }
    assert_eq!(ended, Some((107, 13, Some("0.000237".into()))));
}

#[test]
fn cached_input_costs_its_own_price() {
    let usage = Usage {
        input: 1_000_000,
        output: 0,
        cache_read: 500_000,
        cache_write: 100_000,
        reasoning: 0,
    };
    let prices = Prices {
        input: Some(10.0),
        output: Some(1.0),
        cache_read: Some(1.0),
        cache_write: Some(20.0),
    };
    assert_eq!(
        dollars(&usage, &prices).map(|dollars| format!("{dollars:.2}")),
        Some("6.50".into())
    );
    assert_eq!(dollars(&usage, &Prices::default()), None);
}

#[test]
fn another_models_answer_costs_its_own_price_and_nothing_known_when_it_has_none() {
    let other = ModelRef { provider: ComponentId::new("q"), model: "n".into() };
    let cost = |to: &ModelRef| {
        let prices = Prices { input: Some(100.0), output: Some(100.0), ..Prices::default() };
        let other_prices = [(other.clone(), prices)].into();
        let mut turn = turn_with(Settings { other_prices, ..settings() }, policy());
        let routed = ModelNews::Routed { to: to.clone(), task: "vision".into() };
        let said = [vec![Event::Model(ModelEvent::News(routed))], used(100, 100), done()];
        let effects = said.concat().into_iter().flat_map(|event| turn.handle(event));
        let spent = effects.filter_map(|effect| match effect {
            Effect::Record(Entry::StepEnded { dollars, .. }) => Some(dollars),
            _ => None,
        });
        spent.last().unwrap().map(|dollars| format!("{dollars:.4}"))
    };
    let main = ModelRef { provider: ComponentId::new("p"), model: "m".into() };
    let unknown = ModelRef { provider: ComponentId::new("p"), model: "other".into() };
    assert_eq!(cost(&other), Some("0.0200".into()));
    assert_eq!(cost(&main), Some("0.0011".into()));
    assert_eq!(cost(&unknown), None);
}
