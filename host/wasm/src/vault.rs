//! Copying out of the vault, in two steps that never share authority: a store that can read one
//! item and nothing else leaves bytes with the host and is dropped; then a store that cannot see
//! the vault writes them into what the host holds back. The host counts, hashes and compares in
//! between, and makes the file itself, whole or not at all.

use crate::catalog::{Catalog, Status};
use crate::component::Loaded;
use crate::files::{FileError, Node, Staging, Unfinished, Workspace};
use crate::nested::Between;
use crate::tool::{self, Errand};
use cap_std::fs::{File, FileExt};
use hydroid_core::audit::{AuditAction, AuditEvent, AuditOutcome};
use hydroid_core::capability::Profile;
use hydroid_core::config::Size;
use hydroid_core::message::Content;
use hydroid_core::ports::CallContext;
use hydroid_core::tool::{CheckedCall, Preview, ToolOutput};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Room for what the write step may replace, beside the item itself.
const ROOM: u64 = 2 << 20;

/// The half of an operation that a store is for.
#[derive(Debug, Default)]
pub(crate) enum VaultStep {
    /// Neither half.
    #[default]
    None,
    /// One item may be read; what is offered is kept for the other half.
    Read {
        /// The open item.
        item: File,
        /// Its path as the person knows it.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// What was left with the host.
        offered: Vec<u8>,
    },
    /// What the read step left, taken once and in order.
    Write {
        /// The bytes.
        handoff: Vec<u8>,
        /// How many were taken.
        taken: usize,
    },
}

/// What an operation is to do, found out by the host itself.
struct Plan {
    item: File,
    source: String,
    /// Without links, as a person is shown it.
    destination: String,
    bytes: u64,
    /// `sha256:…` of the item.
    digest: String,
}

/// What a person is shown before the copy.
pub(crate) fn preview(catalog: &Catalog, reader: &Loaded, call: &CheckedCall) -> Preview {
    match plan(catalog, reader, call) {
        Ok(Plan { source, destination, bytes, digest, .. }) => {
            Preview::Copy { source, destination, bytes, digest }
        }
        Err(reason) => Preview::Unknown { reason },
    }
}

/// Runs both halves of one operation.
pub(crate) async fn copy(
    catalog: &Catalog,
    reader: &Loaded,
    call: &CheckedCall,
    context: CallContext,
) -> ToolOutput {
    match carry(catalog, reader, call, context).await {
        Ok(output) => output,
        Err(problem) => ToolOutput::error(problem),
    }
}

async fn carry(
    catalog: &Catalog,
    reader: &Loaded,
    call: &CheckedCall,
    context: CallContext,
) -> Result<ToolOutput, String> {
    let writer = writer(catalog, reader)?;
    let plan = plan(catalog, reader, call)?;
    as_approved(&plan, call.preview.as_ref())?;
    let operation = operation(call, &context)?;
    let Plan { item, source, destination, bytes, digest } = plan;
    let record = Record { catalog, call, context: &context, operation: &operation, bytes };

    let read = format!("{source} {digest}");
    record.begin(AuditAction::VaultRead, reader, read.clone()).await?;
    tracing::info!(%operation, component = %reader.name(), path = %source, bytes, %digest, "a vault item is read");
    let offered = match read_step(reader, call, context.clone(), item, &source, bytes).await {
        Ok(offered) if of(&offered) == digest => offered,
        Ok(_) => {
            record.failed(AuditAction::VaultRead, reader, read).await;
            return Err(format!(
                "`{}` did not leave `{source}` as it is with the host; nothing was written",
                reader.name()
            ));
        }
        Err(problem) => {
            record.failed(AuditAction::VaultRead, reader, read).await;
            return Err(problem);
        }
    };

    let write = Errand {
        vault: VaultStep::Write { handoff: offered, taken: 0 },
        staged: Some(Staging::new(bytes + ROOM)),
    };
    let (mut output, left) =
        tool::run(&writer, &call.call, context.clone(), write, &Between::default()).await;
    if output.is_error {
        return Ok(output);
    }
    let staged = left.staged.ok_or("the write step lost what it wrote; nothing was written")?;
    is_the_item(&staged, &writer, &destination, &digest)?;
    let written = format!("{destination} {digest}");
    record.begin(AuditAction::VaultWritten, &writer, written.clone()).await?;
    tracing::info!(%operation, component = %writer.name(), path = %destination, bytes, %digest, "a vault item is written");
    if let Err(problem) = staged.commit(workspace(&writer)?) {
        record.failed(AuditAction::VaultWritten, &writer, written).await;
        return Err(match problem {
            Unfinished::Changed(path) => {
                format!("`{path}` changed meanwhile; nothing was written, ask again")
            }
            Unfinished::Failed { problem, .. } => problem.to_string(),
        });
    }
    output.content.push(Content::text(format!("{bytes} bytes, {digest}, operation {operation}")));
    Ok(output)
}

/// The first half: what the step leaves, its store gone.
async fn read_step(
    reader: &Loaded,
    call: &CheckedCall,
    context: CallContext,
    item: File,
    path: &str,
    size: u64,
) -> Result<Vec<u8>, String> {
    let step = VaultStep::Read { item, path: path.to_owned(), size, offered: Vec::new() };
    let errand = Errand { vault: step, staged: None };
    let (output, left) = tool::run(reader, &call.call, context, errand, &Between::default()).await;
    match left.vault {
        VaultStep::Read { offered, .. } if !output.is_error => Ok(offered),
        // What it says may hold what it read, and nobody approved that the model sees it.
        VaultStep::Read { .. } | VaultStep::Write { .. } | VaultStep::None => {
            Err(format!("`{}` could not read the item; nothing was written", reader.name()))
        }
    }
}

/// Looks at the item and at where it is to go, without touching either.
fn plan(catalog: &Catalog, reader: &Loaded, call: &CheckedCall) -> Result<Plan, String> {
    alone(reader, Profile::VaultReadStep)?;
    let arguments: serde_json::Value = serde_json::from_str(&call.call.arguments)
        .map_err(|error| format!("the arguments are not JSON: {error}"))?;
    let argument = |name: &str| {
        arguments.get(name).and_then(serde_json::Value::as_str).ok_or_else(|| {
            format!("`{}` copies from the vault, so its arguments need a `{name}`", call.call.name)
        })
    };
    let (source, target) = (argument("source")?, argument("target")?);
    let workspace = workspace(reader)?;
    let sentence = |problem: FileError| problem.to_string();
    let (item, bytes) = workspace.vault_item(source).map_err(sentence)?;
    let most = catalog.config().vault.max_item;
    if bytes > most.0 {
        return Err(format!(
            "`{source}` has {bytes} bytes; {most} are the most that is copied out of the vault; a person can raise it with `hydroid config set vault.max_item {}`",
            Size(bytes)
        ));
    }
    let digest =
        digest_of(&item, bytes).map_err(|error| format!("`{source}`: {}", error.kind()))?;
    let destination = workspace.destination(target).map_err(sentence)?;
    Ok(Plan { item, source: source.to_owned(), destination, bytes, digest })
}

/// A copy that was shown is made as it was shown.
fn as_approved(plan: &Plan, preview: Option<&Preview>) -> Result<(), String> {
    match preview {
        None => Ok(()),
        Some(Preview::Copy { source, destination, bytes, digest }) => {
            if (source, destination, bytes, digest)
                == (&plan.source, &plan.destination, &plan.bytes, &plan.digest)
            {
                return Ok(());
            }
            let what = if *destination == plan.destination { source } else { destination };
            Err(format!("`{what}` changed since you were asked; nothing was copied, ask again"))
        }
        Some(Preview::Unknown { reason }) => Err(format!(
            "what would be copied could not be shown ({reason}); nothing was copied, ask again"
        )),
        Some(Preview::Difference { .. } | Preview::Send { .. }) => {
            Err("what was shown was no copy; nothing was copied, ask again".to_owned())
        }
    }
}

/// The write step wrote the item where it was to go, and nothing else anywhere.
fn is_the_item(
    staged: &Staging,
    writer: &Loaded,
    destination: &str,
    digest: &str,
) -> Result<(), String> {
    if let Some(problem) = staged.gave_up() {
        return Err(format!("{problem}; nothing was written"));
    }
    let above = |path: &str| destination.starts_with(&format!("{path}/"));
    let mut written = false;
    for (path, _, node) in staged.outcome() {
        match node {
            Node::File(content) if path == destination && of(content) == digest => written = true,
            Node::Directory if above(path) => {}
            Node::File(_) | Node::Directory | Node::Gone => {
                return Err(format!(
                    "`{}` would do something else to `{path}` than write the item; nothing was written",
                    writer.name()
                ));
            }
        }
    }
    if written {
        return Ok(());
    }
    Err(format!("`{}` did not write the item; nothing was written", writer.name()))
}

/// An identifier that no other operation has, in the shape of a UUID.
fn operation(call: &CheckedCall, context: &CallContext) -> Result<String, String> {
    let mut fresh = [0_u8; 16];
    getrandom::fill(&mut fresh)
        .map_err(|_| "the system gives no random numbers; nothing was copied".to_owned())?;
    let mut hasher = Sha256::new();
    for part in [context.session.as_str(), context.turn.as_str(), call.call.id.as_str()] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.update(fresh);
    let text = hex::encode(hasher.finalize());
    Ok(format!(
        "{}-{}-8{}-8{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..15],
        &text[15..18],
        &text[18..30]
    ))
}

/// Both halves in the audit log.
struct Record<'a> {
    catalog: &'a Catalog,
    call: &'a CheckedCall,
    context: &'a CallContext,
    operation: &'a str,
    bytes: u64,
}

impl Record<'_> {
    /// What is about to be done; without it nothing is.
    async fn begin(
        &self,
        action: AuditAction,
        component: &Loaded,
        resource: String,
    ) -> Result<(), String> {
        let event = self.event(action, component, resource, AuditOutcome::Allowed);
        self.catalog.audit().record(event).await.map_err(|error| {
            tracing::warn!(?error, operation = %self.operation, "a vault copy could not be recorded");
            "the copy could not be recorded in the audit log, so it was not made; try again later".to_owned()
        })
    }

    async fn failed(&self, action: AuditAction, component: &Loaded, resource: String) {
        let event = self.event(action, component, resource, AuditOutcome::Failed);
        if let Err(error) = self.catalog.audit().record(event).await {
            tracing::warn!(?error, operation = %self.operation, "a failed vault copy could not be recorded");
        }
    }

    fn event(
        &self,
        action: AuditAction,
        component: &Loaded,
        resource: String,
        outcome: AuditOutcome,
    ) -> AuditEvent {
        AuditEvent {
            session: Some(self.context.session.clone()),
            turn: Some(self.context.turn.clone()),
            call: Some(self.call.call.id.clone()),
            component: Some(component.name().clone()),
            digest: Some(component.digest.clone()),
            rule: format!("operation {}", self.operation),
            bytes: Some(self.bytes),
            ..AuditEvent::new(self.context.user.clone(), action, resource, outcome)
        }
    }
}

fn workspace(loaded: &Loaded) -> Result<&Workspace, String> {
    loaded.equipment.workspace.as_deref().ok_or_else(|| "there is no workspace".to_owned())
}

/// A step may do its half and nothing else, or the two would share authority.
fn alone(loaded: &Loaded, step: Profile) -> Result<(), String> {
    let allowed = [Profile::Pure, step];
    match loaded.grant().profiles.iter().find(|profile| !allowed.contains(profile)) {
        None => Ok(()),
        Some(other) => Err(format!(
            "`{}` is granted `{other}` beside `{step}`, and a step of a vault copy may do nothing else; a person can take that back with `hydroid component revoke {} {other}`",
            loaded.name(),
            loaded.name()
        )),
    }
}

fn of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn digest_of(item: &File, bytes: u64) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    let mut offset = 0;
    // What is added while it is read is not part of the item.
    while offset < bytes {
        let wanted = usize::try_from(bytes - offset).unwrap_or(usize::MAX).min(piece.len());
        let read = item.read_at(&mut piece[..wanted], offset)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        offset += read as u64;
    }
    Ok(format!("sha256:{}", hex::encode(hasher.finalize())))
}

fn writer(catalog: &Catalog, reader: &Loaded) -> Result<Arc<Loaded>, String> {
    let name = reader.manifest.hands_to.as_ref().ok_or_else(|| {
        format!(
            "the manifest of `{}` does not say which component writes: `hands_to = \"…\"`",
            reader.name()
        )
    })?;
    match catalog.get(name.as_str()).as_deref().map(|installed| &installed.status) {
        Some(Status::Ready(writer))
            if writer.grant().profiles.contains(&Profile::VaultWriteStep) =>
        {
            alone(writer, Profile::VaultWriteStep)?;
            Ok(writer.clone())
        }
        Some(Status::Ready(_)) => Err(format!(
            "`{name}` may not write what `{}` reads; a person can allow it with `hydroid component grant {name} vault-write-step`",
            reader.name()
        )),
        Some(Status::Refused(problem)) => Err(format!(
            "`{name}`, which writes what `{}` reads, is not loaded: {problem}",
            reader.name()
        )),
        None => {
            Err(format!("`{name}`, which writes what `{}` reads, is not installed", reader.name()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_while_an_item_is_read_is_no_part_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("item");
        let bytes: Vec<u8> = (0..=255_u8).cycle().take(100_000).collect();
        std::fs::write(&path, &bytes).unwrap();
        let item = File::from_std(std::fs::File::open(path).unwrap());
        for length in [0, 1, 70_000, 99_999, 100_000] {
            assert_eq!(digest_of(&item, length as u64).unwrap(), of(&bytes[..length]), "{length}");
        }
        // One that became shorter is what is left of it.
        assert_eq!(digest_of(&item, 200_000).unwrap(), of(&bytes));
    }
}
