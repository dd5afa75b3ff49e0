//! Going back to the version before, whose bytes were kept. What it may do is carried over only if
//! it wants nothing more than the one that is installed.

use super::difference::more;
use super::find;
use super::offer::locked;
use super::question::{self, wishes};
use super::versions::{kept_bytes, put_back};
use crate::audited::{Deed, audit};
use crate::exit::Exit;
use crate::terminal;
use crate::wire::{Ground, read_grants, read_keys};
use anyhow::{Context, Result, bail};
use hydroid_core::audit::AuditAction;
use hydroid_core::harmless::excerpt;
use hydroid_wasm::grants::Entry;
use hydroid_wasm::shipping::KeyLevel;
use hydroid_wasm::{Catalog, Status};

/// Runs the command.
pub(super) async fn run(ground: &Ground, catalog: &Catalog, name: &str, yes: bool) -> Result<Exit> {
    let now = locked(ground, catalog, name)?;
    let Some(back) = now.before.last() else {
        bail!("`{name}` has no version before {}, which is installed", now.version);
    };
    let keys = read_keys(&ground.paths.keys_file())?;
    let signer = back.key.as_deref().and_then(|key| keys.of(key));
    if let Some((signer, KeyLevel::Distrusted)) = signer {
        bail!(
            "{name} {} was signed by `{signer}`, whom you do not trust any more, so it is not put back",
            back.version
        );
    }
    let wasm = kept_bytes(ground, name, back)?;
    let examined = catalog
        .examine(wasm.clone(), name)
        .with_context(|| format!("the kept bytes of {name} {} cannot be used", back.version))?;
    let held = read_grants(&ground.paths.grants_file())?.components.remove(name);
    let held = held.filter(|held| held.digest == now.digest);
    let newer = super::portrait::bytes(ground, &*find(catalog, name)?)
        .ok()
        .and_then(|wasm| catalog.examine(wasm, name).ok())
        .filter(|newer| newer.digest == now.digest);
    let difference = match &newer {
        Some(newer) => more(newer, &examined),
        None => vec!["the one that is installed cannot be compared with it".to_owned()],
    };
    let carried = held.map(|held| Entry { digest: back.digest.clone(), ..held });
    let wants = wishes(&examined.manifest);
    let entry = if difference.is_empty() || wants.is_empty() {
        carried
    } else {
        let lines: Vec<String> =
            difference.iter().map(|line| format!("\n  {}", excerpt(line, 400))).collect();
        terminal::say(&format!(
            "{name} {} wants what {} did not:{}",
            back.version,
            now.version,
            lines.concat()
        ));
        let question = format!("It wants: {}. Allow?", wants.join("; "));
        let allowed = match (yes, ground.terminal.interactive) {
            (true, _) => true,
            (false, true) => question::confirmed(ground, &question, "--yes")?,
            (false, false) => {
                terminal::say(
                    "nobody is here to be asked, so it is allowed nothing; `--yes` would allow it",
                );
                false
            }
        };
        allowed.then(|| {
            let mut entry = carried.unwrap_or_default();
            entry.digest.clone_from(&back.digest);
            question::allow(&examined.manifest, &mut entry, false);
            entry
        })
    };
    let deed = Deed {
        action: AuditAction::ComponentChanged,
        resource: format!("back from {} to {}", now.version, back.version),
        component: Some(name),
        digest: Some(back.digest.clone()),
        command: "component rollback",
    };
    audit(ground, deed).await?;
    put_back(ground, name, &wasm, &now, entry)?;
    terminal::print_line(&format!(
        "{name} is {} again ({}), and {} is gone",
        back.version, back.digest, now.version
    ))?;
    catalog.refresh().map_err(anyhow::Error::msg)?;
    if let Status::Refused(error) = &find(catalog, name)?.status {
        terminal::say(&format!(
            "it is not used yet: {}",
            hydroid_core::harmless::harmless(&error.to_string())
        ));
    }
    Ok(Exit::Done)
}
