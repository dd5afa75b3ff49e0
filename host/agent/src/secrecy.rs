//! Where something secret goes and where it is read again: places are marked before a call can
//! put it there, and looked up after one may have read it. What a session that has read something
//! secret may still do is decided in `core::taint`.

use crate::effects::TurnContext;
use hydroid_core::id::ComponentId;
use hydroid_core::message::Origin;
use hydroid_core::policy::resource::normal_path;
use hydroid_core::ports::{SawSecret, SecretPlace};
use hydroid_core::scrub::Tally;
use hydroid_core::tool::{CheckedCall, Impact, Reach, ResourceKind};
use std::collections::BTreeSet;

/// Where a tool may have written that does not say where.
const EVERYWHERE: [&str; 2] = ["/shared", "/tmp"];

/// What the vault's own paths begin with; they are no place it was copied to.
const VAULT: &str = "/vault";

/// Marks what this call may write to, if what it writes may be secret. The error is for the model:
/// the call must not run.
pub(crate) async fn before(turn: &TurnContext, checked: &CheckedCall) -> Result<(), String> {
    let vault = checked.impact == Impact::Vault;
    let writes_files = vault || checked.reach.writes_files;
    if !writes_files && !checked.reach.keeps_state {
        return Ok(());
    }
    let secret = vault || marked(turn).await?.contains(&SecretPlace::Session(turn.session.clone()));
    if !secret {
        return Ok(());
    }
    let mut written = if writes_files { files_of(checked) } else { BTreeSet::new() };
    if checked.reach.keeps_state {
        written.insert(SecretPlace::State(checked.component.clone()));
    }
    mark(turn, written).await
}

/// The files a call says it writes; everywhere if it says nothing.
fn files_of(checked: &CheckedCall) -> BTreeSet<SecretPlace> {
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
    written
}

/// True if what came back is secret; the session is marked then. The error is for the model,
/// which must not see the result.
pub(crate) async fn after(
    turn: &TurnContext,
    reader: &Reader,
    saw: &SawSecret,
    tally: &Tally,
) -> Result<bool, String> {
    // What lies beside a secret of the person's is theirs alone too; what only looks like a
    // credential may be an example in a manual.
    let beside = tally.kinds.iter().any(|kind| kind.starts_with("secret"));
    let from_place = if reader.reads_places() {
        marked(turn).await?.iter().any(|place| reader.may_have_read(place))
    } else {
        false
    };
    let secret = beside || from_place || saw.is_set();
    if secret {
        mark(turn, [SecretPlace::Session(turn.session.clone())].into()).await?;
    }
    Ok(secret)
}

/// What a call may have read of what is kept.
pub(crate) struct Reader {
    component: ComponentId,
    origin: Origin,
    reach: Reach,
}

impl Reader {
    /// Of this call.
    pub(crate) fn of(checked: &CheckedCall) -> Self {
        Self {
            component: checked.component.clone(),
            origin: checked.origin.clone(),
            reach: checked.reach,
        }
    }

    fn reads_places(&self) -> bool {
        let Reach { reads_files, writes_files: _, keeps_state, calls_tools: _ } = self.reach;
        reads_files || keeps_state || matches!(self.origin, Origin::File { .. })
    }

    fn may_have_read(&self, place: &SecretPlace) -> bool {
        match (place, &self.origin) {
            (SecretPlace::State(component), _) => {
                self.reach.keeps_state && *component == self.component
            }
            (SecretPlace::File(_), Origin::File { path: Some(path) }) => {
                place.is_read_by(&normal_path(path))
            }
            // It says nothing of which, or it reads files and more.
            (SecretPlace::File(_), Origin::File { path: None }) => true,
            (SecretPlace::File(_), _) => self.reach.reads_files,
            (SecretPlace::Session(_) | SecretPlace::Note(_), _) => false,
        }
    }
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
