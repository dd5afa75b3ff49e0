//! Where something secret goes and where it is read again: places are marked before a call can
//! put it there, and looked up after one may have read it. What a session that has read something
//! secret may still do is decided in `core::taint`.

use crate::effects::TurnContext;
use hydroid_core::message::Origin;
use hydroid_core::policy::resource::normal_path;
use hydroid_core::ports::{SawSecret, SecretPlace};
use hydroid_core::scrub::Tally;
use hydroid_core::tool::{CheckedCall, Impact, ResourceKind};
use std::collections::BTreeSet;

/// Where a tool may have written that does not say where.
const EVERYWHERE: [&str; 2] = ["/shared", "/tmp"];

/// What the vault's own paths begin with; they are no place it was copied to.
const VAULT: &str = "/vault";

/// Marks what this call may write to, if what it writes may be secret. The error is for the model:
/// the call must not run.
pub(crate) async fn before(turn: &TurnContext, checked: &CheckedCall) -> Result<(), String> {
    let writes_files = match checked.impact {
        Impact::Vault => true,
        Impact::Edits | Impact::Changes => matches!(checked.origin, Origin::File { .. }),
        Impact::ReadOnly | Impact::Network => false,
    };
    if !writes_files {
        return Ok(());
    }
    let secret = checked.impact == Impact::Vault
        || marked(turn).await?.contains(&SecretPlace::Session(turn.session.clone()));
    if !secret {
        return Ok(());
    }
    let mut written: BTreeSet<SecretPlace> = checked
        .resources
        .iter()
        .filter(|resource| resource.kind == ResourceKind::Path)
        .map(|resource| normal_path(&resource.text))
        .filter(|path| path != VAULT && !path.starts_with("/vault/"))
        .map(SecretPlace::File)
        .collect();
    if written.is_empty() {
        written.extend(EVERYWHERE.map(|path| SecretPlace::File(path.to_owned())));
    }
    mark(turn, written).await
}

/// True if what came back is secret; the session is marked then. The error is for the model,
/// which must not see the result.
pub(crate) async fn after(
    turn: &TurnContext,
    origin: &Origin,
    saw: &SawSecret,
    tally: &Tally,
) -> Result<bool, String> {
    // What lies beside a secret of the person's is theirs alone too; what only looks like a
    // credential may be an example in a manual.
    let beside = tally.kinds.iter().any(|kind| kind.starts_with("secret"));
    let from_place = match origin {
        Origin::File { path: Some(path) } => {
            let path = normal_path(path);
            marked(turn).await?.iter().any(|place| place.is_read_by(&path))
        }
        Origin::File { path: None } => {
            marked(turn).await?.iter().any(|place| matches!(place, SecretPlace::File(_)))
        }
        Origin::Computed | Origin::Memory | Origin::Host { .. } | Origin::Unknown => false,
    };
    let secret = beside || from_place || saw.is_set();
    if secret {
        mark(turn, [SecretPlace::Session(turn.session.clone())].into()).await?;
    }
    Ok(secret)
}

async fn marked(turn: &TurnContext) -> Result<BTreeSet<SecretPlace>, String> {
    turn.agent.secret_places.marked(&turn.user).await.map_err(|error| {
        tracing::warn!(%error, "secret places");
        format!("nothing was read or written, for {error}; a person can see more in the log")
    })
}

async fn mark(turn: &TurnContext, places: BTreeSet<SecretPlace>) -> Result<(), String> {
    let now_ms = turn.agent.clock.now_ms();
    turn.agent.secret_places.mark(&turn.user, places, now_ms).await.map_err(|error| {
        tracing::warn!(%error, "secret places");
        format!("nothing was read or written, for {error}; a person can see more in the log")
    })
}
