//! What a call would do, found out without doing it, for the person who is asked; and a call that
//! was shown so, done exactly so or not at all.

mod difference;

use crate::catalog::Catalog;
use crate::component::Loaded;
use crate::files::{Staging, Unfinished};
use crate::guard;
use crate::nested::Between;
use crate::tool::{self, Errand, joined};
use crate::vault::{self, VaultStep};
use hydroid_core::capability::Profile;
use hydroid_core::ports::CallContext;
use hydroid_core::tool::{CheckedCall, Impact, Preview, ResourceKind, ToolOutput};

/// Bytes one call may stage: more is not looked through by anybody.
const STAGED: u64 = 16 << 20;

/// A preview of the call; none when its arguments say it all.
pub(crate) async fn of(
    catalog: &Catalog,
    call: CheckedCall,
    context: CallContext,
) -> Option<Preview> {
    let loaded = tool::owner(catalog, &call)?;
    match call.impact {
        Impact::ReadOnly => None,
        Impact::Network | Impact::Changes => send(&call),
        Impact::Edits => Some(edit(&loaded, &call, context).await),
        Impact::Vault if loaded.grant().profiles.contains(&Profile::VaultReadStep) => {
            Some(vault::preview(catalog, &loaded, &call))
        }
        Impact::Vault => None,
    }
}

/// Runs a call that a person was shown a difference for.
pub(crate) async fn run_as_shown(
    loaded: &Loaded,
    call: &CheckedCall,
    context: CallContext,
    shown: &str,
    between: &Between,
) -> ToolOutput {
    let (output, staged) = stage(loaded, call, context.clone(), between).await;
    let Some(staged) = staged else { return output };
    if let Some(problem) = staged.gave_up() {
        return ToolOutput::error(format!("{problem}; nothing was done, ask again"));
    }
    if staged.digest() != shown {
        let names: Vec<String> = staged.outcome().map(|(path, _, _)| format!("`{path}`")).collect();
        return match names.is_empty() {
            // Nothing to name: what it says is why.
            true if output.is_error => output,
            true => changed(&format!("what `{}` works on", call.call.name)),
            false => changed(&names.join(", ")),
        };
    }
    if output.is_error {
        return output;
    }
    let Some(workspace) = loaded.equipment.workspace.as_deref() else { return output };
    let changes: Vec<String> = staged.changes().iter().map(ToString::to_string).collect();
    let committed = staged.commit(workspace);
    let made = match &committed {
        Ok(()) => &changes[..],
        Err(Unfinished::Failed { done, .. }) => &done[..],
        Err(Unfinished::Changed(_)) => &[],
    };
    for change in made {
        guard::file_changed(&loaded.equipment, &context, change, None).await;
    }
    match committed {
        Ok(()) => output,
        Err(Unfinished::Changed(path)) => changed(&format!("`{path}`")),
        Err(Unfinished::Failed { done, problem }) if done.is_empty() => {
            ToolOutput::error(format!("{problem}; nothing was done"))
        }
        Err(Unfinished::Failed { done, problem }) => ToolOutput::error(format!(
            "{problem}; before that it {}, and the rest was not done",
            done.join(", ")
        )),
    }
}

fn changed(what: &str) -> ToolOutput {
    ToolOutput::error(format!("{what} changed since you were asked; nothing was done, ask again"))
}

fn send(call: &CheckedCall) -> Option<Preview> {
    let url = call.resources.iter().find(|found| found.kind == ResourceKind::Url)?;
    let host = url::Url::parse(&url.text).ok()?;
    let host = format!("{}:{}", host.host_str()?, host.port_or_known_default()?);
    Some(Preview::Send { host, bytes: call.call.arguments.len() as u64 })
}

async fn edit(loaded: &Loaded, call: &CheckedCall, context: CallContext) -> Preview {
    if let Some(reason) = loaded.untried() {
        return Preview::Unknown { reason };
    }
    let (output, staged) = stage(loaded, call, context, &Between::default()).await;
    let Some(staged) = staged else {
        return Preview::Unknown { reason: joined(&output) };
    };
    if let Some(problem) = staged.gave_up() {
        return Preview::Unknown { reason: problem.to_owned() };
    }
    if output.is_error {
        return Preview::Unknown { reason: joined(&output) };
    }
    Preview::Difference { text: difference::text(&staged), digest: staged.digest() }
}

/// Runs a call on staged files; what it would do comes back with what it says.
async fn stage(
    loaded: &Loaded,
    call: &CheckedCall,
    context: CallContext,
    between: &Between,
) -> (ToolOutput, Option<Staging>) {
    let errand = Errand { vault: VaultStep::None, staged: Some(Staging::new(STAGED)) };
    let (output, left) = tool::run(loaded, &call.call, context, errand, between).await;
    (output, left.staged)
}
