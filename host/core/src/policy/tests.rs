//! Decisions: the attack beside the legitimate call.

use super::*;
use crate::id::{CallId, ComponentId};
use crate::message::Origin;
use crate::tool::Reach;
use crate::tool::ToolCall;
use serde_json::{Value, json};

fn policy() -> Policy {
    Policy {
        mode: Mode::Default,
        headless: false,
        read_only: Rule::Allow,
        network: Rule::Ask,
        changes: Rule::Ask,
        rules: Vec::new(),
    }
}

fn rule(effect: Rule, calls: &str, origin: RuleOrigin) -> PolicyRule {
    PolicyRule { effect, calls: calls.parse().unwrap(), component: None, host: None, origin }
}

fn config(effect: Rule, calls: &str) -> PolicyRule {
    rule(effect, calls, RuleOrigin::Config { key: format!("policy.tools.{calls}") })
}

fn with(rules: Vec<PolicyRule>) -> Policy {
    Policy { rules, ..policy() }
}

fn call(name: &str, impact: Impact, arguments: Value) -> CheckedCall {
    let schema = json!({"properties": {"path": {"format": "path"}, "url": {"format": "uri"}, "to": {"format": "email"}}});
    CheckedCall {
        call: ToolCall {
            id: CallId::new("c"),
            name: name.into(),
            arguments: arguments.to_string(),
        },
        component: ComponentId::new("tool-files-write"),
        impact,
        resources: resource::resources(&schema, &arguments),
        origin: Origin::Unknown,
        reach: Reach::default(),
        hooked: None,
        preview: None,
        parent: None,
    }
}

fn write() -> CheckedCall {
    call("file_write", Impact::Edits, json!({"path": "notes/a.md"}))
}

fn read_something() -> Narrowing {
    Narrowing {
        reason: "the session has read a web page".into(),
        rule: "what the session has read",
        each_time: false,
    }
}

/// The decision by its first word, and its reason.
fn decided(
    policy: &Policy,
    call: &CheckedCall,
    narrowing: Option<&Narrowing>,
) -> (&'static str, String) {
    match decide(policy, call, narrowing).decision {
        Decision::Allow => ("allow", String::new()),
        Decision::Ask { reason } => ("ask", reason),
        Decision::Deny { reason } => ("deny", reason),
    }
}

#[track_caller]
fn check(policy: &Policy, call: &CheckedCall, expect: &str) {
    assert_eq!(decided(policy, call, None).0, expect);
}

#[test]
fn reading_is_allowed_and_changes_are_asked() {
    check(&policy(), &call("r", Impact::ReadOnly, json!({})), "allow");
    check(&policy(), &call("n", Impact::Network, json!({})), "ask");
    check(&policy(), &write(), "ask");
    check(&policy(), &call("c", Impact::Changes, json!({})), "ask");
}

#[test]
fn a_question_says_who_would_do_what() {
    for (impact, expect) in [
        (Impact::Network, "`x` of `tool-files-write` sends requests to other machines"),
        (Impact::Edits, "`x` of `tool-files-write` changes your files or notes"),
        (Impact::Changes, "`x` of `tool-files-write` can change things"),
    ] {
        assert_eq!(decided(&policy(), &call("x", impact, json!({})), None).1, expect);
    }
}

#[test]
fn modes_widen_and_narrow() {
    let mode = |mode| Policy { mode, ..policy() };
    check(&mode(Mode::Plan), &write(), "deny");
    check(&mode(Mode::Plan), &call("r", Impact::ReadOnly, json!({})), "allow");
    check(&mode(Mode::AcceptEdits), &write(), "allow");
    check(&mode(Mode::AcceptEdits), &call("c", Impact::Changes, json!({})), "ask");
    check(&mode(Mode::Headless), &write(), "deny");
    let allowed = Policy { mode: Mode::Plan, ..with(vec![config(Rule::Allow, "file_write")]) };
    check(&allowed, &write(), "deny");
    let asked = Policy { mode: Mode::AcceptEdits, ..with(vec![config(Rule::Ask, "file_write")]) };
    check(&asked, &write(), "ask");
}

#[test]
fn modes_are_written_as_the_configuration_reads_them() {
    for mode in Mode::ALL {
        assert_eq!(serde_json::to_value(mode).unwrap(), mode.id());
    }
}

#[test]
fn in_plan_mode_requests_that_only_read_are_as_the_rules_say() {
    let plan = Policy { mode: Mode::Plan, ..policy() };
    check(&plan, &call("n", Impact::Network, json!({})), "ask");
    check(&plan, &call("v", Impact::Vault, json!({})), "deny");
}

#[test]
fn without_a_person_a_mode_still_allows_what_it_allows() {
    let nobody = Policy { mode: Mode::AcceptEdits, headless: true, ..policy() };
    check(&nobody, &write(), "allow");
    check(&nobody, &call("c", Impact::Changes, json!({})), "deny");
    let plan = Policy { mode: Mode::Plan, headless: true, ..policy() };
    check(&plan, &call("n", Impact::Network, json!({})), "deny");
}

#[test]
fn what_narrows_a_standing_approval_is_no_answer_of_the_person() {
    let fetch = call("web_fetch", Impact::Network, json!({"url": "https://docs.rs/x"}));
    let standing = RuleOrigin::Standing { id: "x".into() };
    let mut policy = with(vec![rule(Rule::Allow, "web_fetch(https://docs.rs/**)", standing)]);
    policy.headless = true;
    let secret = Narrowing { each_time: true, ..read_something() };
    let ruling = decide(&policy, &fetch, Some(&secret));
    assert_eq!(ruling.origin, None);
    let Decision::Deny { reason } = ruling.decision else { panic!() };
    assert!(reason.contains("in a terminal") && !reason.contains("--allow"), "{reason}");
}

#[test]
fn headless_turns_a_question_into_a_denial_that_names_the_remedy() {
    let policy = Policy { mode: Mode::Headless, ..policy() };
    let (_, reason) = decided(&policy, &write(), None);
    assert!(reason.contains("--allow file_write"), "{reason}");
}

#[test]
fn a_copy_out_of_the_vault_is_asked_each_time() {
    let vault = call("vault_copyto", Impact::Vault, json!({}));
    let mut policy = with(vec![
        config(Rule::Allow, "vault_copyto"),
        rule(Rule::Allow, "vault_copyto", RuleOrigin::Session),
        rule(Rule::Allow, "vault_copyto", RuleOrigin::Standing { id: "x".into() }),
    ]);
    policy.changes = Rule::Allow;
    check(&policy, &vault, "ask");
    policy.mode = Mode::Headless;
    check(&policy, &vault, "deny");
    policy.rules.push(config(Rule::Deny, "vault_copyto"));
    let (_, reason) = decided(&policy, &vault, None);
    assert!(reason.contains("policy.tools.vault_copyto"), "{reason}");
}

#[test]
fn a_rule_for_the_tool_wins_over_its_impact() {
    check(&with(vec![config(Rule::Allow, "file_write")]), &write(), "allow");
    let denied = Policy { changes: Rule::Deny, ..with(vec![config(Rule::Allow, "file_write")]) };
    check(&denied, &write(), "allow");
    check(&Policy { changes: Rule::Deny, ..policy() }, &write(), "deny");
    for origin in [RuleOrigin::Command, RuleOrigin::Standing { id: "x".into() }] {
        let rules = vec![rule(Rule::Allow, "file_write", origin)];
        check(&Policy { changes: Rule::Deny, ..with(rules) }, &write(), "deny");
    }
}

#[test]
fn a_deny_wins_over_everything() {
    let mut policy = with(vec![
        rule(Rule::Allow, "file_write", RuleOrigin::Session),
        config(Rule::Allow, "file_write"),
    ]);
    check(&policy, &write(), "allow");
    policy.rules.push(config(Rule::Deny, "*(/shared/notes/**)"));
    check(&policy, &write(), "deny");
}

#[test]
fn an_answer_of_the_person_settles_what_an_ask_rule_asks() {
    let mut policy = with(vec![config(Rule::Ask, "file_write"), config(Rule::Allow, "file_*")]);
    check(&policy, &write(), "ask");
    policy.rules.push(rule(Rule::Allow, "file_write", RuleOrigin::Session));
    check(&policy, &write(), "allow");
}

#[test]
fn what_was_read_narrows_a_general_permission_but_not_a_named_target() {
    let fetch = call("web_fetch", Impact::Network, json!({"url": "https://example.com/x"}));
    let general = with(vec![config(Rule::Allow, "web_fetch")]);
    let named = with(vec![config(Rule::Allow, "web_fetch(example.com)")]);
    check(&general, &fetch, "allow");
    let (decision, reason) = decided(&general, &fetch, Some(&read_something()));
    assert_eq!(decision, "ask");
    assert!(reason.contains("has read a web page"), "{reason}");
    assert_eq!(decided(&named, &fetch, Some(&read_something())).0, "allow");
    let secret = Narrowing { each_time: true, ..read_something() };
    assert_eq!(decided(&named, &fetch, Some(&secret)).0, "ask");
    let headless = Policy { mode: Mode::Headless, ..general };
    let (decision, reason) = decided(&headless, &fetch, Some(&read_something()));
    assert_eq!(decision, "deny");
    assert!(reason.contains("--allow 'web_fetch(https://example.com/**)'"), "{reason}");
}

#[test]
fn the_scope_offered_is_a_pattern_that_covers_the_call() {
    for (call, expect) in [
        (write(), "file_write(/shared/notes/**)"),
        (
            call("f", Impact::Network, json!({"url": "http://a.example:81/x?y"})),
            "f(http://a.example:81/**)",
        ),
        (call("m", Impact::Changes, json!({"to": "b@x.org"})), "m(to=b@x.org)"),
        (call("m", Impact::Changes, json!({"to": "b\\c*@x.org"})), "m(to=b[\\]c[*]@x.org)"),
        (call("m", Impact::Changes, json!({"to": "https://x.org/h"})), "m(to=https://x.org/h)"),
        (call("f", Impact::Network, json!({"url": "other://x.org/h"})), "f"),
        (call("t", Impact::Changes, json!({"n": 1})), "t"),
    ] {
        assert_eq!(scope_of(&call), expect);
        let rule = rule(Rule::Allow, &scope_of(&call), RuleOrigin::Session);
        assert!(rule.applies(&call), "{expect}");
    }
}

#[test]
fn a_file_that_is_read_into_every_conversation_is_asked_each_time() {
    let to = |name: &str, impact: Impact| call(name, impact, json!({"path": "/shared/MEMORY.md"}));
    let origins = [
        RuleOrigin::Session,
        RuleOrigin::Command,
        RuleOrigin::Standing { id: "a".into() },
        RuleOrigin::Config { key: "policy.allow".into() },
    ];
    for origin in origins {
        let allowed = with(vec![rule(Rule::Allow, "file_write", origin)]);
        check(&allowed, &write(), "allow");
        check(&allowed, &to("file_write", Impact::Edits), "ask");
        let daily = call("file_write", Impact::Edits, json!({"path": "memory/2026-11-26.md"}));
        check(&allowed, &daily, "ask");
        let headless = Policy { headless: true, ..allowed };
        let (decision, reason) = decided(&headless, &to("file_write", Impact::Edits), None);
        assert_eq!(decision, "deny");
        assert!(
            reason.contains("`/shared/MEMORY.md`, which is read into every conversation"),
            "{reason}"
        );
    }
    let accepting = Policy { mode: Mode::AcceptEdits, ..policy() };
    check(&accepting, &to("file_edit", Impact::Edits), "ask");
    let free = Policy { changes: Rule::Allow, ..policy() };
    check(&free, &to("file_delete", Impact::Edits), "ask");
    check(&free, &to("file_read", Impact::ReadOnly), "allow");
    let denied = with(vec![config(Rule::Deny, "file_write")]);
    check(&denied, &to("file_write", Impact::Edits), "deny");
}
