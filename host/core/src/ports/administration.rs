//! The port for whoever runs the household: configuration, secrets, services, components, rules and
//! records. What is asked and answered is said here; how, is for the implementation. It decides
//! nothing about who may ask.

use crate::id::UserId;
use crate::message::Bytes;
use crate::policy::Mode;
use futures_core::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// Sees and changes what a person could see and change by command, in the same words, with the
/// same checks and the same records.
pub trait Administration: Send + Sync {
    /// Does one thing for a user. Whether they may is decided before.
    fn administer(
        &self,
        user: UserId,
        wish: AdminRequest,
    ) -> BoxFuture<'_, Result<serde_json::Value, AdminError>>;
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminRequest {
    // ---- configuration ----
    /// Every key with its kind, its default and its description; what is set, and where; the files.
    Config,
    /// What changes would do, without doing them: the difference in the file, and what is wrong.
    CheckConfig {
        /// The changes.
        changes: Vec<ConfigChange>,
    },
    /// Writes changes into the user's file. The file before is kept.
    SaveConfig {
        /// The changes.
        changes: Vec<ConfigChange>,
        /// The digest of the file that was looked at; nothing is written if it is another now.
        base: String,
    },
    /// Files that were kept before a change, newest first.
    ConfigBackups,
    /// Puts a kept file back; the one it replaces is kept in turn.
    RestoreConfig {
        /// Its name, as the list has it.
        backup: String,
    },

    // ---- secrets ----
    /// Names of secrets, where they are and where they may go; never a value.
    Secrets,
    /// Stores a secret, sealed.
    SetSecret {
        /// Its name.
        name: String,
        /// Its value, which goes in and never out.
        value: Hidden,
    },
    /// Removes a stored secret.
    RemoveSecret {
        /// Its name.
        name: String,
    },

    // ---- users ----
    /// Tokens by user and client, never what they are.
    Tokens,
    /// Makes a token, which the answer shows this once.
    CreateToken {
        /// Whose it is.
        user: String,
        /// What uses it.
        client: String,
        /// What it may do: `read`, `chat` or `admin`.
        scope: String,
        /// After how many days it ends; never when absent.
        #[serde(default)]
        days: Option<u32>,
    },
    /// Takes a token back.
    RevokeToken {
        /// Its identifier, as the list has it.
        id: String,
    },

    // ---- services and models ----
    /// Services that are known by name.
    Providers,
    /// Lets a service answer: its configuration, and the grant to reach it.
    AddProvider {
        /// Its name.
        name: String,
        /// Where it is, if not where it usually is.
        #[serde(default)]
        url: Option<String>,
        /// The model to ask.
        #[serde(default)]
        model: Option<String>,
        /// Send no key.
        #[serde(default)]
        no_secret: bool,
    },
    /// Sends one short request to the service in use.
    TestProvider,
    /// Models of the catalog, or those that a component lists.
    Models {
        /// Of this provider or component.
        #[serde(default)]
        provider: Option<String>,
        /// With this in their name.
        #[serde(default)]
        filter: Option<String>,
    },

    // ---- components ----
    /// What is installed.
    Components,
    /// What one is, wants, can and cannot do, in plain words.
    InspectComponent {
        /// Its name.
        name: String,
    },
    /// Whether a file would load.
    CheckComponent {
        /// Its file name.
        file: String,
        /// Its bytes, in base64.
        data: Bytes,
    },
    /// Installs a component; it is granted nothing.
    AddComponent {
        /// Its file name.
        file: String,
        /// Its bytes, in base64.
        data: Bytes,
    },
    /// Lets a component do something it declares.
    Grant {
        /// Its name.
        name: String,
        /// The profile.
        profile: String,
        /// Hosts, for `web`.
        #[serde(default)]
        hosts: Vec<String>,
        /// Exactly these hosts.
        #[serde(default)]
        only: bool,
        /// Methods at these hosts.
        #[serde(default)]
        methods: Vec<String>,
        /// Secrets it may attach, for `web`.
        #[serde(default)]
        secrets: Vec<String>,
        /// Tools it may call, for `invoke`, or its child turns may have, for `delegate`.
        #[serde(default)]
        tools: Vec<String>,
        /// Accept that it can read files and send them away.
        #[serde(default)]
        files_and_web: bool,
    },
    /// Takes grants back.
    Revoke {
        /// Its name.
        name: String,
        /// The profile; all of them when absent.
        #[serde(default)]
        profile: Option<String>,
        /// Only these hosts.
        #[serde(default)]
        hosts: Vec<String>,
    },
    /// Removes a component and its grants.
    RemoveComponent {
        /// Its name.
        name: String,
    },

    // ---- rules and records ----
    /// What would become of a call, and by which rule.
    CheckCall {
        /// The call, as `tool argument` or `tool(argument)`.
        call: String,
        /// How much may happen without asking; the configuration's when absent.
        #[serde(default)]
        mode: Option<Mode>,
        /// As if the session had read something that nobody vouches for.
        #[serde(default)]
        tainted: bool,
    },
    /// Questions that wait, and what is allowed for good.
    Approvals {
        /// What was taken back or has ended too.
        #[serde(default)]
        all: bool,
    },
    /// Allows calls from now on.
    AllowCalls {
        /// Which calls.
        calls: String,
        /// After how many days it ends; never when absent.
        #[serde(default)]
        days: Option<u32>,
    },
    /// Takes back what was allowed for good.
    RevokeApproval {
        /// Its identifier.
        id: String,
    },
    /// Records of what was decided and done, newest last.
    Audit {
        /// What was done.
        #[serde(default)]
        action: Option<String>,
        /// What came of it.
        #[serde(default)]
        outcome: Option<String>,
        /// By which component.
        #[serde(default)]
        component: Option<String>,
        /// Not before.
        #[serde(default)]
        since: Option<String>,
        /// How many of the last; 200 when absent.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// Whether records were removed, changed, put in or moved.
    VerifyAudit,
    /// What models have cost, put together by day and by model.
    Costs {
        /// Not before, like `30d`.
        #[serde(default)]
        since: Option<String>,
    },
    /// The log from a place on, or its end.
    Log {
        /// The place that the last answer named; the end when absent.
        #[serde(default)]
        after: Option<u64>,
    },
    /// Everything a person would have to look at, with what is broken and what to do.
    Doctor,
    /// Ends the host and begins it anew, with the configuration as it is then.
    Restart,
}

/// One change of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigChange {
    /// Dotted key.
    pub key: String,
    /// The value as it is typed; absent, the key is taken out of the file.
    #[serde(default)]
    pub value: Option<String>,
}

/// A text that is not shown where a request is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// What was wanted does not fit.
    #[error("{0}")]
    Invalid(String),
    /// Something is another than it was when it was looked at.
    #[error("{0}")]
    Conflict(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown_with_its_request() {
        let wish: AdminRequest = serde_json::from_str(
            r#"{"type":"set_secret","name":"openai","value":"sk-very-secret"}"#,
        )
        .unwrap();
        let shown = format!("{wish:?}");
        assert!(shown.contains("openai") && !shown.contains("sk-very-secret"), "{shown}");
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for wrong in [
            r#"{"type":"format_disk"}"#,
            r#"{"type":"remove_secret","name":"a","value":"b"}"#,
            r#"{"type":"save_config","changes":[{"key":"a","valeu":"b"}],"base":""}"#,
        ] {
            assert!(serde_json::from_str::<AdminRequest>(wrong).is_err(), "{wrong}");
        }
    }
}
