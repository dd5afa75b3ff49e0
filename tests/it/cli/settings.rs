//! Settings of components: what is refused when it is set, what is told when it was written by
//! hand, and taking keys out again.

use crate::support::hydroid::{Home, test_component};

fn set(home: &Home, key: &str, value: &str) -> crate::support::hydroid::Ran {
    home.run(&["config", "set", key, value])
}

#[test]
fn an_instance_of_nothing_is_refused_when_it_is_set() {
    let home = Home::new();
    set(&home, "components.mine.component", "nosuch")
        .code(2)
        .tells("nothing was changed")
        .tells("no component of the release is called `nosuch`");
    set(&home, "components.tool-web.component", "tool-time").code(2).tells("already");
    set(&home, "components.mine.component", "tool-time").code(0);
    home.run(&["component", "list"]).code(0).says("mine");
}

#[test]
fn an_instance_of_nothing_that_was_written_by_hand_ends_no_command() {
    let home = Home::with_config("[components.mine]\ncomponent = \"nosuch\"\n");
    home.run(&["component", "list"])
        .code(0)
        .tells("no component of the release is called `nosuch`")
        .tells("hydroid config unset components.mine");
    home.run(&["doctor"]).says("no component of the release is called `nosuch`");
    home.run(&["config", "unset", "components.mine"]).code(0);
    let list = home.run(&["component", "list"]).code(0);
    assert!(!list.stderr.contains("nosuch"), "{list:?}");
}

#[test]
fn a_key_that_is_taken_out_has_the_value_it_had_without() {
    let home = Home::with_config("# mine\n[turn]\nmax_steps = 5 # few\nmax_tokens = 9\n");
    home.run(&["config", "unset", "turn.max_steps"]).code(0).says("it is 25 now, from");
    assert_eq!(
        std::fs::read_to_string(home.path("config.toml")).unwrap(),
        "# mine\n[turn]\nmax_tokens = 9\n"
    );
    home.run(&["config", "unset", "turn.max_steps"]).code(2).tells("is not set in");
    home.run(&["config", "unset", "nonsense"]).code(2).tells("is not set in");
    home.run(&["config", "unset", ""]).code(2);
    home.run(&["config", "unset", "turn..x"]).code(2);
    home.run(&["audit", "query", "--action", "config-changed"]).says("turn.max_steps unset");
}

#[test]
fn a_key_that_breaks_everything_can_be_taken_out() {
    let home = Home::with_config("[turn]\nmax_steps = \"many\"\nnonsense = 1\n");
    home.run(&["component", "list"]).code(1);
    home.run(&["config", "unset", "turn.nonsense"]).code(0).tells("not written to the audit log");
    home.run(&["config", "unset", "turn.max_steps"]).code(0);
    home.run(&["component", "list"]).code(0);
}

#[test]
fn what_a_component_is_told_is_checked_when_it_is_set() {
    let home = Home::new();
    let add = ["component", "add", "--allow-unsigned", &test_component("test-tool-pure")];
    home.run(&add).code(0);
    set(&home, "components.test-tool-pure.config.greting", "hi")
        .code(2)
        .tells("nothing was changed")
        .tells("did you mean `greeting`");
    set(&home, "components.test-tool-pure.config.lie", "white")
        .code(2)
        .tells("nothing was changed");
    set(&home, "components.test-tool-pure.config.greeting.x", "1")
        .code(2)
        .tells("nothing was changed");
    // Text that looks like a number is text where the schema wants one.
    set(&home, "components.test-tool-pure.config.greeting", "5").code(0);
    home.run(&["debug", "call", "test-tool-pure", "greet", r#"{"name":"you"}"#])
        .code(0)
        .says("5 you");
    set(&home, "components.tool-time.config.x", "1").code(2).tells("nothing was changed");
    set(&home, "components.nowhere.config.x", "1")
        .code(0)
        .tells("no component is called `nowhere`");
}
