//! Copying out of the vault, in two steps that never share authority: a store that can read one
//! item and nothing else leaves bytes with the host and is dropped; then a store that cannot see
//! the vault writes them. The host carries, counts and hashes them in between.

use crate::catalog::{Catalog, Status};
use crate::component::Loaded;
use crate::tool;
use cap_std::fs::File;
use hydroid_core::capability::Profile;
use hydroid_core::message::Content;
use hydroid_core::ports::CallContext;
use hydroid_core::tool::{ToolCall, ToolOutput};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Largest item copied: it is held in memory once, and written in one call into the host.
pub(crate) const LARGEST_ITEM: u64 = 8 << 20;

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

/// Runs both halves of one operation.
pub(crate) async fn copy(
    catalog: &Catalog,
    reader: &Loaded,
    call: &ToolCall,
    context: CallContext,
) -> ToolOutput {
    let writer = match writer(catalog, reader) {
        Ok(writer) => writer,
        Err(problem) => return ToolOutput::error(problem),
    };
    let read = match open(reader, call) {
        Ok(step) => step,
        Err(problem) => return ToolOutput::error(problem),
    };
    let (output, left) = tool::run(reader, call, context.clone(), read).await;
    if output.is_error {
        // What it says may hold what it read, and nobody approved that the model sees it.
        return ToolOutput::error(format!(
            "`{}` could not read the item; nothing was written",
            reader.name()
        ));
    }
    let VaultStep::Read { offered, path, .. } = left else {
        return ToolOutput::error("the read step lost its bytes; nothing was written");
    };
    let (bytes, digest) = (offered.len(), hex::encode(Sha256::digest(&offered)));
    tracing::info!(component = %reader.name(), %path, bytes, %digest, "a vault item was read");
    let (mut output, left) =
        tool::run(&writer, call, context, VaultStep::Write { handoff: offered, taken: 0 }).await;
    let VaultStep::Write { taken, .. } = left else { return output };
    if output.is_error {
        return output;
    }
    if taken != bytes {
        return ToolOutput::error(format!(
            "`{}` took {taken} of {bytes} bytes; what it wrote is not the item, do not use it",
            writer.name()
        ));
    }
    output.content.push(Content::text(format!("{bytes} bytes, sha256:{digest}")));
    output
}

fn open(reader: &Loaded, call: &ToolCall) -> Result<VaultStep, String> {
    let arguments: serde_json::Value = serde_json::from_str(&call.arguments)
        .map_err(|error| format!("the arguments are not JSON: {error}"))?;
    let path = arguments.get("source").and_then(serde_json::Value::as_str).ok_or_else(|| {
        format!("`{}` copies from the vault, so its arguments need a `source`", call.name)
    })?;
    let workspace = reader.equipment.workspace.as_ref().ok_or("there is no workspace")?;
    let (item, size) = workspace.vault_item(path).map_err(|problem| problem.to_string())?;
    if size > LARGEST_ITEM {
        return Err(format!(
            "`{path}` has {size} bytes; {LARGEST_ITEM} are the most that is copied out of the vault"
        ));
    }
    Ok(VaultStep::Read { item, path: path.to_owned(), size, offered: Vec::new() })
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
