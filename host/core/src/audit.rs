//! The audit log's records: who did what with which authority, and what was decided. They hold
//! names, sizes and digests, never the content and never a secret's value.

use crate::id::{CallId, ComponentId, SessionId, TurnId, UserId};
use serde::{Deserialize, Serialize};

/// One thing that happened. The JSON shape is stored and chained by its hash: fields may be added
/// with a default, never renamed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// On whose behalf.
    pub user: UserId,
    /// In which session; none for a command of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// In which turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
    /// For which call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
    /// The call that asked for it, if a component did and not the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<CallId>,
    /// By which component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentId>,
    /// `sha256:…` of that component's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What was done or asked for.
    pub action: AuditAction,
    /// With what: a tool and its scope, a host with method and path, a path, a secret's name.
    pub resource: String,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// The rule, grant or answer it rests on; for a refusal, why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rule: String,
    /// Bytes sent, written or copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How many texts were masked in what came back.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub redactions: u32,
}

/// What was done or asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditAction {
    /// It was decided whether a tool call runs.
    CallDecided,
    /// A person answered an approval.
    ApprovalAnswered,
    /// A standing approval was given.
    ApprovalGiven,
    /// A standing approval was taken back.
    ApprovalRevoked,
    /// A tool call began to run.
    CallRan,
    /// A tool call ended, with the bytes of its result and the time it took.
    CallEnded,
    /// Something was masked in a result.
    Redacted,
    /// A model was asked.
    ModelAsked,
    /// A request to a model failed and was sent again.
    ModelRetried,
    /// Another model was asked than the one that is configured.
    ModelChanged,
    /// A model failed so often that it was left alone for a while.
    ModelLeftAlone,
    /// An answer was given that had been kept.
    AnswerReused,
    /// A request was sent to another machine, or refused.
    Request,
    /// A secret was attached to a request, or refused.
    SecretUsed,
    /// A service refused a secret, and the next one it may be replaced by was taken.
    SecretRotated,
    /// A secret was stored, replaced or removed.
    SecretChanged,
    /// The vault's first half: an item was left with the host.
    VaultRead,
    /// The vault's second half: what was left was written.
    VaultWritten,
    /// A file was written, moved or removed.
    FileChanged,
    /// A component was loaded, or refused.
    ComponentLoaded,
    /// A component was installed, updated or removed.
    ComponentChanged,
    /// A grant was given or taken back.
    GrantChanged,
    /// The configuration was changed by a command.
    ConfigChanged,
    /// Everything was stopped, or released again.
    EmergencyStop,
    /// A person said that a place holds nothing secret any more.
    LabelCleared,
    /// A session took a skill up, laid one down, or was not let.
    SkillChanged,
    /// A hook did not simply let something go on, or could not be asked.
    HookAnswered,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// It was allowed, or done.
    Allowed,
    /// A person is asked.
    Asked,
    /// It was refused.
    Denied,
    /// It was tried and failed.
    Failed,
}

impl AuditEvent {
    /// An event of a user with nothing else known.
    pub fn new(
        user: UserId,
        action: AuditAction,
        resource: impl Into<String>,
        outcome: AuditOutcome,
    ) -> Self {
        Self {
            user,
            session: None,
            turn: None,
            call: None,
            parent: None,
            component: None,
            digest: None,
            action,
            resource: resource.into(),
            outcome,
            rule: String::new(),
            bytes: None,
            duration_ms: None,
            redactions: 0,
        }
    }
}

impl AuditAction {
    /// Every action.
    pub const ALL: [Self; 27] = [
        Self::CallDecided,
        Self::ApprovalAnswered,
        Self::ApprovalGiven,
        Self::ApprovalRevoked,
        Self::CallRan,
        Self::CallEnded,
        Self::Redacted,
        Self::ModelAsked,
        Self::ModelRetried,
        Self::ModelChanged,
        Self::ModelLeftAlone,
        Self::AnswerReused,
        Self::Request,
        Self::SecretUsed,
        Self::SecretRotated,
        Self::SecretChanged,
        Self::VaultRead,
        Self::VaultWritten,
        Self::FileChanged,
        Self::ComponentLoaded,
        Self::ComponentChanged,
        Self::GrantChanged,
        Self::ConfigChanged,
        Self::EmergencyStop,
        Self::LabelCleared,
        Self::SkillChanged,
        Self::HookAnswered,
    ];

    /// As it is stored and queried.
    pub fn id(self) -> &'static str {
        match self {
            Self::CallDecided => "call-decided",
            Self::ApprovalAnswered => "approval-answered",
            Self::ApprovalGiven => "approval-given",
            Self::ApprovalRevoked => "approval-revoked",
            Self::CallRan => "call-ran",
            Self::CallEnded => "call-ended",
            Self::Redacted => "redacted",
            Self::ModelAsked => "model-asked",
            Self::ModelRetried => "model-retried",
            Self::ModelChanged => "model-changed",
            Self::ModelLeftAlone => "model-left-alone",
            Self::AnswerReused => "answer-reused",
            Self::Request => "request",
            Self::SecretUsed => "secret-used",
            Self::SecretRotated => "secret-rotated",
            Self::SecretChanged => "secret-changed",
            Self::VaultRead => "vault-read",
            Self::VaultWritten => "vault-written",
            Self::FileChanged => "file-changed",
            Self::ComponentLoaded => "component-loaded",
            Self::ComponentChanged => "component-changed",
            Self::GrantChanged => "grant-changed",
            Self::ConfigChanged => "config-changed",
            Self::EmergencyStop => "emergency-stop",
            Self::LabelCleared => "label-cleared",
            Self::SkillChanged => "skill-changed",
            Self::HookAnswered => "hook-answered",
        }
    }
}

impl AuditOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Allowed, Self::Asked, Self::Denied, Self::Failed];

    /// As it is stored and queried.
    pub fn id(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Asked => "asked",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_stored_in_this_shape() {
        let event = AuditEvent {
            component: Some(ComponentId::new("tool-web")),
            rule: "grant".into(),
            bytes: Some(3),
            ..AuditEvent::new(
                UserId::new("u"),
                AuditAction::Request,
                "GET https://example.com/",
                AuditOutcome::Allowed,
            )
        };
        let json = r#"{"user":"u","component":"tool-web","action":"request","resource":"GET https://example.com/","outcome":"allowed","rule":"grant","bytes":3}"#;
        assert_eq!(serde_json::to_string(&event).unwrap(), json);
        assert_eq!(serde_json::from_str::<AuditEvent>(json).unwrap(), event);
    }

    #[test]
    fn identifiers_are_the_stored_words() {
        for action in AuditAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.id());
        }
        for outcome in AuditOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.id());
        }
    }
}
