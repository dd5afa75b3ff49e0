//! What a person answers when they are asked whether a call may run.

use serde::{Deserialize, Serialize};

/// The person's answer to an approval. No timer ever gives one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ApprovalAnswer {
    /// Run it, this time.
    Once,
    /// Run it, and calls like it for the rest of the session.
    Session {
        /// Which calls, as a pattern such as `web_fetch(example.com)`; the scope that was
        /// offered when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<String>,
    },
    /// Run it, and calls like it from now on, until it is revoked or ends.
    Always {
        /// Which calls, as a pattern; the scope that was offered when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calls: Option<String>,
        /// After how many days it ends; never when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u32>,
    },
    /// Run it with other arguments.
    Edit {
        /// The arguments as JSON text.
        arguments: String,
    },
    /// Do not run it.
    Deny {
        /// What the model reads as the reason.
        #[serde(default)]
        reason: Option<String>,
    },
}
