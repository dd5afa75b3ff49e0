//! What of a session goes into the audit log: every decision and every call, with who decided and
//! by which rule. What was said is in the journal, not here.

use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::entry::{DecidedBy, Entry, Outcome};
use hydroid_core::id::{CallId, SessionId, UserId};
use hydroid_core::message::{Content, Label, Source};
use hydroid_core::policy::Decision;
use hydroid_core::ports::StandingApproval;
use hydroid_core::reliability::{ModelNews, in_words as in_words_of};
use hydroid_core::skill::LoadedSkill;
use hydroid_core::taint::in_words;

/// The event of a skill that is forgotten with the turn that loaded it, or is there again with one
/// that unloaded it.
pub(crate) fn skill_rewound(
    user: &UserId,
    session: &SessionId,
    skill: &LoadedSkill,
    is_loaded: bool,
) -> AuditEvent {
    AuditEvent {
        session: Some(session.clone()),
        digest: Some(skill.digest.clone()),
        rule: if is_loaded { "loaded by rewinding" } else { "unloaded by rewinding" }.to_owned(),
        ..AuditEvent::new(
            user.clone(),
            AuditAction::SkillChanged,
            &skill.name,
            AuditOutcome::Allowed,
        )
    }
}

/// The event of an entry; none for what is no decision and no call. `ran_ms` is how long the call
/// of an entry has run, `tool` is what the call that is decided on calls.
pub(crate) fn of_entry(
    user: &UserId,
    session: &SessionId,
    entry: &Entry,
    ran_ms: Option<u64>,
    tool: Option<&str>,
) -> Option<AuditEvent> {
    let event = |action, resource: &str, outcome| AuditEvent {
        session: Some(session.clone()),
        ..AuditEvent::new(user.clone(), action, resource, outcome)
    };
    let event = match entry {
        Entry::StepStarted { turn, provider, model, .. } => AuditEvent {
            turn: Some(turn.clone()),
            component: Some(provider.clone()),
            ..event(AuditAction::ModelAsked, model, AuditOutcome::Allowed)
        },
        // Before it is asked nothing is recorded of it, so that it was is told with its answer.
        Entry::ChildAnswered { turn, call_id, by, .. } => AuditEvent {
            turn: Some(turn.clone()),
            call: Some(call_id.clone()),
            component: Some(by.provider.clone()),
            ..event(AuditAction::ModelAsked, &by.model, AuditOutcome::Allowed)
        },
        Entry::ApprovalAsked { turn, call_id, call, component, reason, scope, .. } => AuditEvent {
            turn: Some(turn.clone()),
            call: Some(call_id.clone()),
            component: Some(component.clone()),
            rule: reason.clone(),
            ..event(
                AuditAction::CallDecided,
                if scope.is_empty() { &call.name } else { scope },
                AuditOutcome::Asked,
            )
        },
        Entry::CallEdited { turn, call_id, arguments } => AuditEvent {
            turn: Some(turn.clone()),
            call: Some(call_id.clone()),
            bytes: Some(arguments.len() as u64),
            rule: "the person changed the arguments".to_owned(),
            ..event(AuditAction::ApprovalAnswered, "edit", AuditOutcome::Allowed)
        },
        Entry::CallDecided { turn, call_id, decision, by, rule, component } => {
            let action = match by {
                DecidedBy::User => AuditAction::ApprovalAnswered,
                DecidedBy::Policy | DecidedBy::Session | DecidedBy::Standing => {
                    AuditAction::CallDecided
                }
            };
            let (outcome, why) = match decision {
                Decision::Allow => (AuditOutcome::Allowed, rule.clone()),
                Decision::Ask { reason } => (AuditOutcome::Asked, reason.clone()),
                Decision::Deny { reason } => (AuditOutcome::Denied, reason.clone()),
            };
            AuditEvent {
                turn: Some(turn.clone()),
                call: Some(call_id.clone()),
                component: component.clone(),
                rule: why,
                ..event(action, tool.unwrap_or_default(), outcome)
            }
        }
        Entry::CallStarted { turn, call_id, component, call } => AuditEvent {
            turn: Some(turn.clone()),
            call: Some(call_id.clone()),
            component: Some(component.clone()),
            bytes: Some(call.arguments.len() as u64),
            ..event(AuditAction::CallRan, &call.name, AuditOutcome::Allowed)
        },
        Entry::CallFinished { turn, call_id, output, label: Label { source, .. } } => {
            let Source::Tool { component, tool, .. } = source else { return None };
            let outcome =
                if output.is_error { AuditOutcome::Failed } else { AuditOutcome::Allowed };
            AuditEvent {
                turn: Some(turn.clone()),
                call: Some(call_id.clone()),
                component: Some(component.clone()),
                bytes: Some(size(&output.content)),
                duration_ms: ran_ms,
                ..event(AuditAction::CallEnded, tool, outcome)
            }
        }
        Entry::ModelNews { turn, news } => {
            let about = news.about();
            let (action, outcome, rule) = match news {
                ModelNews::Retrying { .. } => {
                    (AuditAction::ModelRetried, AuditOutcome::Failed, news.to_string())
                }
                ModelNews::FellBack { to, kind, .. } => {
                    let rule = format!("{}; {to} answers", in_words_of(kind));
                    (AuditAction::ModelChanged, AuditOutcome::Failed, rule)
                }
                ModelNews::Routed { task, .. } => {
                    let rule = format!("model.route.{task}");
                    (AuditAction::ModelChanged, AuditOutcome::Allowed, rule)
                }
                ModelNews::LeftAlone { .. } => {
                    (AuditAction::ModelLeftAlone, AuditOutcome::Failed, news.to_string())
                }
                ModelNews::Kept { .. } => {
                    (AuditAction::AnswerReused, AuditOutcome::Allowed, "model.cache".to_owned())
                }
            };
            AuditEvent {
                turn: Some(turn.clone()),
                component: Some(about.provider.clone()),
                rule,
                ..event(action, &about.model, outcome)
            }
        }
        Entry::TurnEnded { turn, outcome: Outcome::Stopped, .. } => AuditEvent {
            turn: Some(turn.clone()),
            ..event(AuditAction::EmergencyStop, "turn", AuditOutcome::Denied)
        },
        Entry::SettingsChanged { settings } => {
            let mode = settings.mode.map(|mode| format!("mode {mode:?}"));
            let model = settings.model.as_ref().map(|model| format!("model {model}"));
            let what: Vec<String> = mode.into_iter().chain(model).collect();
            AuditEvent {
                rule: what.join(", "),
                ..event(AuditAction::ConfigChanged, "session", AuditOutcome::Allowed)
            }
        }
        Entry::SkillLoaded { turn, call_id, by, skill } => AuditEvent {
            turn: turn.clone(),
            call: call_id.clone(),
            digest: Some(skill.digest.clone()),
            bytes: Some(skill.text.len() as u64),
            rule: format!("loaded by the {}", by.id()),
            ..event(AuditAction::SkillChanged, &skill.name, AuditOutcome::Allowed)
        },
        Entry::SkillUnloaded { turn, by, name } => AuditEvent {
            turn: turn.clone(),
            rule: format!("unloaded by the {}", by.id()),
            ..event(AuditAction::SkillChanged, name, AuditOutcome::Allowed)
        },
        Entry::TurnStarted { .. }
        | Entry::Steered { .. }
        | Entry::Rewound { .. }
        | Entry::Text { .. }
        | Entry::Thinking { .. }
        | Entry::Cited { .. }
        | Entry::CallReceived { .. }
        | Entry::StepEnded { .. }
        | Entry::Compacted { .. }
        | Entry::Notice { .. }
        | Entry::TurnEnded { .. } => return None,
    };
    Some(event)
}

/// Bytes of a result as the model reads it.
fn size(content: &[Content]) -> u64 {
    let bytes: usize = content
        .iter()
        .map(|content| match content {
            Content::Text { text } => text.len(),
            Content::Json { json } => json.to_string().len(),
            Content::Media { data, .. } => data.0.len(),
            Content::Link { uri, .. } => uri.len(),
            Content::Other { json, .. } => json.len(),
            Content::Thinking { .. } | Content::ToolCall { .. } | Content::ToolResult { .. } => 0,
        })
        .sum();
    bytes as u64
}

/// The event of a result in which something was masked.
pub(crate) fn redacted(
    user: &UserId,
    session: &SessionId,
    call: &CallId,
    label: &Label,
    redactions: u32,
) -> AuditEvent {
    let resource = in_words(&label.source);
    AuditEvent {
        session: Some(session.clone()),
        call: Some(call.clone()),
        redactions,
        ..AuditEvent::new(user.clone(), AuditAction::Redacted, resource, AuditOutcome::Allowed)
    }
}

/// The event of an approval given for good.
pub(crate) fn approval_given(approval: &StandingApproval) -> AuditEvent {
    AuditEvent {
        component: approval.component.clone(),
        rule: format!("approval `{}`", approval.id),
        ..AuditEvent::new(
            approval.user.clone(),
            AuditAction::ApprovalGiven,
            approval.calls.clone(),
            AuditOutcome::Allowed,
        )
    }
}
