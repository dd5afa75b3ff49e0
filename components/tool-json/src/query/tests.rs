//! Honest queries beside broken ones, and filters that would not end by themselves.

use super::*;

const COMPACT: Style = Style { raw: false, compact: true };

#[track_caller]
fn check(json: &str, filter: &str, expected: &str) {
    assert_eq!(run(json, filter, COMPACT).expect("runs"), expected);
}

#[track_caller]
fn refusal(json: &str, filter: &str) -> String {
    match run(json, filter, COMPACT) {
        Err(ToolError::Failed(message)) => message,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn results_come_one_on_a_line() {
    check(r#"{"a":[1,2,{"b":null}]}"#, ".a[]", "1\n2\n{\"b\": null}");
    check(r#"[3,1,2]"#, "sort | map(. * 2)", "[2, 4, 6]");
    check("{\"a\":1}\n{\"a\":2}\n", ".a", "1\n2");
    check("[]", ".[]", "(no results)");
    check(r#""Ä€🦀""#, "length", "3");
    check("12345678901234567890123", ".", "12345678901234567890123");
    check("1", ".,halt,.", "1");
}

#[test]
fn raw_texts_have_no_quotes_and_others_keep_their_shape() {
    let style = Style { raw: true, compact: false };
    assert_eq!(run(r#"["a\nb",["c"]]"#, ".[]", style).unwrap(), "a\nb\n[\n  \"c\"\n]");
}

#[test]
fn broken_json_is_placed() {
    assert_eq!(
        refusal("{\n  \"ä\": tru}", "."),
        "`json` is not JSON: expected ident: line 2, column 11, at `}`"
    );
    assert!(refusal("[1,2", ".").contains("EOF while parsing a list"));
    assert!(refusal("[1,2", ".").ends_with("line 1, column 4, at `2`"), "{}", refusal("[1,2", "."));
    assert!(refusal("# no comment\n1", ".").contains("line 1, column 1"));
    assert!(refusal("NaN", ".").contains("not JSON"));
    assert!(refusal("  ", ".").contains("empty"));
    assert!(refusal("1 }", ".").contains("line 1, column 3"));
}

#[test]
fn a_broken_filter_is_placed() {
    let message = refusal("1", ".a | ä | .b");
    assert!(message.starts_with("the filter is not valid jq"), "{message}");
    assert!(message.contains("column 6"), "{message}");
    assert!(refusal("1", ".a |\n mapp(.)").contains("no filter with 1 arguments named `mapp`"));
    assert!(refusal("1", ".a |\n mapp(.)").contains("line 2, column 2"));
    assert!(refusal("1", "$x").contains("no variable"));
    assert!(refusal("1", "[.a").contains("expected"));
    assert!(refusal("1", "import \"a\" as a; .").contains("cannot be imported"));
    assert!(refusal("1", "inputs").contains("no filter"));
}

#[test]
fn a_failing_filter_tells_what_it_gave_before() {
    let message = refusal(r#"[1,"a"]"#, ".[] | . + 1");
    assert!(message.contains("cannot calculate"), "{message}");
    assert!(message.ends_with("1 results before it:\n2"), "{message}");
    assert!(refusal("1", r#"error("no")"#).contains("failed: \"no\""));
}

#[test]
fn endless_and_huge_results_are_cut_with_a_note() {
    let many = run("1", "repeat(1)", COMPACT).unwrap();
    assert!(many.contains("(cut after 10000 results"), "{}", &many[many.len() - 200..]);
    let wide = run("1", r#""ä" * 100000, 2"#, COMPACT).unwrap();
    assert!(wide.len() < OUTPUT + 300);
    assert!(wide.contains("(cut after 1 results"), "{wide}");
}

#[test]
fn nesting_that_would_overflow_the_stack_is_refused() {
    let deep = |count: usize| "[".repeat(count) + &"]".repeat(count);
    assert!(refusal(&deep(100_000), ".").contains("100000 levels"));
    assert!(refusal("1", &deep(5000)).contains("nests deeper"));
    check(&deep(150), "[recurse(.[]?)] | length", "150");
    assert!(refusal("1", "reduce range(1000) as $i (1; [.])").contains("nests deeper than 200"));
    check(r#""[[[[\"]]]""#, "length", "8");
}
