//! A small catalog, an overlay over it, and what the host learns from them.

use super::*;
use crate::config::Config;
use crate::message::Usage;
use crate::money::Money;

const SNAPSHOT: &str = r#"{
"$catalog": {"schema": 1, "source": "models.dev", "date": "2026-07-02"},
"acme": {"id": "acme", "name": "Acme", "npm": "x", "models": {
  "big-1": {
    "id": "big-1", "name": "Big 1", "attachment": true, "reasoning": true, "tool_call": true,
    "temperature": false, "modalities": {"input": ["text", "image"], "output": ["text"]},
    "limit": {"context": 400000, "input": 272000, "output": 128000},
    "cost": {"input": 5, "output": 30.0, "cache_read": 0.5,
      "tiers": [{"tier": {"size": 272000, "type": "context"}, "input": 10, "output": 45}]}
  },
  "big-1-mini": {"name": "Big 1 mini", "limit": {"context": 0, "output": 0}},
  "vendor/free": {"cost": {"input": 0, "output": 0}}
}},
"broken": {"models": {"m": {"cost": {"input": -1}}}}
}"#;

fn services() -> Services {
    Services::parse(
        "[[service]]\ncomponent = \"provider-acme\"\ncatalog = \"acme\"\n\
         [[service]]\ncomponent = \"provider-here\"\nfree = true\n",
    )
    .unwrap()
}

fn models(config: &str, overlay: Option<&str>) -> Models {
    let config = Config::from_table(config.parse().unwrap()).unwrap();
    let snapshot = Box::new(|| Ok(SNAPSHOT.to_owned()));
    Models::new(&config, snapshot, overlay.map(str::to_owned), services()).unwrap()
}

fn acme(name: &str) -> String {
    format!("[model]\nprovider = \"provider-acme\"\nname = \"{name}\"\n")
}

fn cost(facts: &Facts, input: u64, output: u64) -> Option<Money> {
    facts.prices.cost(&Usage { input, output, ..Usage::default() })
}

#[test]
fn facts_come_from_the_catalog() {
    let facts = models(&acme("big-1"), None).facts("provider-acme", "big-1").unwrap();
    assert_eq!(
        (facts.context, facts.input, facts.output),
        (Some(400_000), Some(272_000), Some(128_000))
    );
    assert_eq!(
        (facts.tool_call, facts.reasoning, facts.temperature),
        (Some(true), Some(true), Some(false))
    );
    assert_eq!(facts.takes, [Modality::Text, Modality::Image].into());
    assert_eq!(cost(&facts, 1, 1), Some(Money::of_pico(35_000_000)));
    assert_eq!(cost(&facts, 272_001, 0), Some(Money::of_pico(2_720_010_000_000)));
}

#[test]
fn what_the_catalog_does_not_say_is_not_known() {
    let facts = models(&acme("big-1"), None).facts("provider-acme", "big-1-mini").unwrap();
    assert_eq!(facts, Facts::default());
    assert_eq!(cost(&facts, 1, 1), None);
    let free = models("", None).facts("provider-acme", "vendor/free").unwrap();
    assert_eq!(cost(&free, 1, 1), Some(Money::ZERO));
    let here = models("", None).facts("provider-here", "any").unwrap();
    assert_eq!((cost(&here, 1, 1), here.context), (Some(Money::ZERO), None));
}

#[test]
fn the_configuration_wins_for_the_configured_model_only() {
    let config = format!(
        "{}context_tokens = 1000\nmax_output_tokens = 10\nprices = {{ input = 1.0 }}\n",
        acme("big-1")
    );
    let models = models(&config, None);
    let facts = models.facts("provider-acme", "big-1").unwrap();
    assert_eq!((facts.context, facts.output), (Some(1000), Some(10)));
    assert_eq!(cost(&facts, 1, 1), Some(Money::of_pico(31_000_000)));
    let other = models.facts("provider-acme", "vendor/free").unwrap();
    assert_eq!((other.context, cost(&other, 1, 0)), (None, Some(Money::ZERO)));
}

#[test]
fn the_overlay_wins_field_by_field() {
    let overlay = r#"{"acme": {"models": {
        "big-1": {"cost": {"output": 1}, "limit": {"input": null}},
        "own": {"limit": {"context": 5000}}
    }}, "mine": {"models": {"x": {}}}}"#;
    let models = models(&acme("own"), Some(overlay));
    let facts = models.facts("provider-acme", "big-1").unwrap();
    assert_eq!(cost(&facts, 1, 1), Some(Money::of_pico(6_000_000)));
    assert_eq!((facts.context, facts.input), (Some(400_000), None));
    assert_eq!(models.facts("provider-acme", "own").unwrap().context, Some(5000));
    assert_eq!(models.unknown().unwrap(), None);
    assert!(models.provider("mine").unwrap().is_some());
}

#[test]
fn a_mistake_in_the_overlay_is_found() {
    for (overlay, expect) in [
        (r#"{"acme": {"models": {"m": {"cots": {}}}}}"#, "(did you mean `cost`?)"),
        (r#"{"acme": {"models": {"m": {"cost": {"inputs": 1}}}}}"#, "(did you mean `input`?)"),
        (r#"{"acme": {"model": {}}}"#, "(did you mean `models`?)"),
        (r#"{"acme": {"models": {"m": {"cost": {"input": -1}}}}}"#, "`m` of `acme`"),
        (r#"{"acme": {"models": {"m": {"limit": {"context": "x"}}}}}"#, "`m` of `acme`"),
        (r#"{"acme": 3}"#, "it is no object"),
        ("[]", "an object with a provider under each key"),
        ("{\"a\": {}} x", "trailing characters"),
    ] {
        let config = Config::default();
        let snapshot = Box::new(|| Ok(String::new()));
        let error = Models::new(&config, snapshot, Some(overlay.to_owned()), services());
        let error = error.unwrap_err().to_string();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }
}

#[track_caller]
fn unknown(config: &str, expect: Option<&str>) {
    let got = models(config, None).unknown().unwrap().map(|unknown| unknown.to_string());
    match (got, expect) {
        (None, None) => {}
        (Some(got), Some(expect)) => assert!(got.contains(expect), "{got}"),
        (got, expect) => panic!("got {got:?}, expected {expect:?}"),
    }
}

#[test]
fn an_unknown_model_is_named_with_those_that_were_meant() {
    unknown(
        &acme("big1"),
        Some(
            "has no `big1` of `acme` (did you mean `big-1` or `big-1-mini`?); `hydroid model list --provider acme`",
        ),
    );
    unknown(&acme("big1"), Some("`hydroid config set model.skip_validation true`"));
    unknown(&acme("free"), Some("(did you mean `vendor/free`?)"));
    unknown(&acme("zzz"), Some("has no `zzz` of `acme`; "));
}

#[test]
fn a_model_is_not_refused_where_the_catalog_has_no_word() {
    unknown(&acme("big-1"), None);
    unknown(&format!("{}skip_validation = true\n", acme("zzz")), None);
    unknown(&format!("{}catalog = \"\"\n", acme("zzz")), None);
    unknown("", None);
    let own = "[components.provider-acme.config]\nbase_url = \"http://127.0.0.1:8080/v1\"\n";
    unknown(&format!("{}{own}", acme("zzz")), None);
}

#[test]
fn a_catalog_can_be_named_and_must_be_there() {
    let named = |catalog: &str| {
        format!("[model]\nprovider = \"provider-own\"\nname = \"zzz\"\ncatalog = \"{catalog}\"\n")
    };
    unknown(&named("acme"), Some("has no `zzz` of `acme`"));
    let snapshot = r#"{"acme": {}, "apex": {}}"#;
    let config = Config::from_table(named("acne").parse().unwrap()).unwrap();
    let models =
        Models::new(&config, Box::new(|| Ok(snapshot.to_owned())), None, services()).unwrap();
    let error = models.unknown().unwrap_err().to_string();
    assert!(error.contains("(did you mean `acme`?)"), "{error}");
}

#[test]
fn only_what_is_wanted_is_looked_at_closely() {
    assert!(models("", None).provider("acme").unwrap().is_some());
    let broken = models("", None).provider("broken").unwrap_err().to_string();
    assert!(broken.starts_with("the model `m` of `broken` does not fit: `-1` is no price"));
    assert!(models("", None).all().is_err());
    assert_eq!(models("", None).provider("nowhere").unwrap(), None);
}

#[test]
fn a_budget_without_a_price_is_named() {
    let with = |name: &str, more: &str| format!("{}{more}", acme(name));
    let unpriced = |config: &str| {
        models(config, None).unpriced().unwrap().map(|unpriced| unpriced.to_string())
    };
    let budget = "[budget]\nday_dollars = 1.0\n";
    assert_eq!(unpriced(&with("big-1", budget)), None);
    assert_eq!(unpriced(&with("big-1-mini", "")), None);
    let told = unpriced(&with("big-1-mini", budget)).unwrap();
    assert!(
        told.starts_with("`budget.day_dollars` needs the price of `big-1-mini`, which the catalog"),
        "{told}"
    );
    let half = with("big-1-mini", &format!("prices = {{ input = 1.0 }}\n{budget}"));
    assert!(unpriced(&half).is_some());
    let whole = with("big-1-mini", &format!("prices = {{ input = 1.0, output = 0 }}\n{budget}"));
    assert_eq!(unpriced(&whole), None);
    let other = "[[model.fallback]]\nprovider = \"mine\"\nname = \"n\"\n";
    let told = unpriced(&with("big-1", &format!("{other}{budget}"))).unwrap();
    assert!(told.contains("price of `n`") && told.contains("in `model.fallback[0]`"), "{told}");
    let priced = format!("{other}prices = {{ input = 1.0, output = 2.0 }}\n{budget}");
    assert_eq!(unpriced(&with("big-1", &priced)), None);
    let own = unpriced("[turn]\nmax_dollars = 1.0\n").unwrap();
    assert!(own.contains("`turn.max_dollars`") && own.contains("`model.prices.input`"), "{own}");
}

#[test]
fn a_published_catalog_is_cut_to_what_is_used_and_reads_the_same() {
    let good = r#"{"acme": {"name": "Acme", "npm": "x", "models": {
        "m": {"name": "M", "knowledge": "2024", "cost": {"input": 1, "output": 2}},
        "n": {"limit": {"context": 10}}
    }}}"#;
    let provenance = Provenance { source: "models.dev".into(), ..Provenance::default() };
    let text = snapshot(good, &provenance).unwrap();
    assert!(!text.contains("knowledge") && !text.contains("npm"), "{text}");
    let before = Catalog::read(good, None, Wanted::All).unwrap();
    let after = Catalog::read(&text, None, Wanted::All).unwrap();
    assert_eq!(after.providers, before.providers);
    assert_eq!(
        after.provenance.map(|from| (from.schema, from.source)),
        Some((1, "models.dev".into()))
    );
}

#[test]
fn a_broken_catalog_is_no_snapshot() {
    for (text, expect) in [
        ("", "EOF"),
        (&SNAPSHOT[..300], "EOF"),
        (SNAPSHOT, "the model `m` of `broken`"),
        ("{}", "it has no models"),
        (r#"{"a": {"models": {}}}"#, "it has no models"),
        (r#"{"a": {"models": 3}}"#, "its `models` are no object"),
        (r#"{"a": {}, "a": {}}"#, "there twice"),
        (r#"{"$catalog": {"schema": 9}}"#, "version 9"),
        ("<html>", "expected value"),
    ] {
        let error = snapshot(text, &Provenance::default()).unwrap_err().to_string();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }
}

#[test]
fn what_changed_is_told() {
    let read = |text: &str| Catalog::read(text, None, Wanted::All).unwrap();
    let old = read(
        r#"{"a": {"models": {"x": {"cost": {"input": 1}}, "y": {}, "z": {}, "same": {}}}, "b": {"models": {"q": {}}}}"#,
    );
    let new = read(
        r#"{"a": {"models": {"x": {"cost": {"input": 2}}, "y": {"limit": {"context": 1}}, "new": {}, "same": {}}}}"#,
    );
    assert_eq!(
        changes(&old, &new).to_string(),
        "new: 1 (a/new)\ngone: 2 (a/z, b/q)\nother prices: 1 (a/x)\nother limits or abilities: 1 (a/y)"
    );
    assert_eq!(changes(&old, &old).to_string(), "nothing changed");
}

#[test]
fn the_older_field_for_long_requests_is_read() {
    let catalog = Catalog::read(
        r#"{"a": {"models": {"m": {"cost": {"input": 1, "output": 1, "context_over_200k": {"input": 3, "output": 4}}}}}}"#,
        None,
        Wanted::All,
    );
    let facts = Facts::of(&catalog.unwrap().providers["a"].models["m"]);
    assert_eq!(cost(&facts, 200_000, 0), Some(Money::of_pico(200_000_000_000)));
    assert_eq!(cost(&facts, 200_001, 0), Some(Money::of_pico(600_003_000_000)));
}
