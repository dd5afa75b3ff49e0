//! Bringing a component to a registry, in the form other tools read, with its signature.

use super::portrait::read;
use super::source::{stem, tag_of, version_of};
use crate::args::Publish;
use crate::audited::{Deed, audit};
use crate::commands::key;
use crate::docker::DockerLogins;
use crate::exit::{Exit, usage};
use crate::stopped::refuse_if_stopped;
use crate::terminal;
use crate::wire::Ground;
use anyhow::{Context, Result};
use hydroid_core::audit::AuditAction;
use hydroid_wasm::Catalog;
use hydroid_wasm::shipping::{Image, OciReference, Registry, Signature, Statement};

/// Runs the command.
pub(super) async fn run(ground: &Ground, catalog: &Catalog, wish: &Publish) -> Result<Exit> {
    let reference: OciReference = wish.place.parse().map_err(|error| usage(format!("{error}")))?;
    if reference.digest.is_some() {
        return Err(usage("what is brought gets its digest from its bytes; leave out `@sha256:…`"));
    }
    let wasm = read(&wish.file)?;
    let examined = catalog
        .examine(wasm.clone(), &stem(&wish.file)?)
        .with_context(|| format!("`{}` cannot be published", wish.file.display()))?;
    let version = &examined.manifest.version;
    if version.major == 0 && version.minor == 0 && version.patch == 0 {
        return Err(usage(format!(
            "`{}` has no manifest inside, so nobody could tell its name, version and wishes; embed one first: `hydroid component build` does",
            wish.file.display()
        )));
    }
    let reference = match &reference.tag {
        None => reference.with_tag(&tag_of(version)),
        Some(tag) => {
            if let Some(said) = version_of(tag).filter(|said| said != version) {
                return Err(usage(format!(
                    "the tag says {said}, and the manifest inside says {version}; leave the tag out, or build the component again"
                )));
            }
            reference
        }
    };
    let statement = Statement::of(&wasm, &examined.manifest);
    let signature = match key::beside(&wish.file)? {
        _ if wish.unsigned => None,
        Some(signature) if wish.key.is_none() => {
            signature
                .check(&statement)
                .with_context(|| format!("`{}.sig` is not over `{0}`", wish.file.display()))?;
            Some(signature)
        }
        _ => {
            let own = key::own(ground, wish.key.as_deref(), "--unsigned")?;
            Some(own.sign(&statement))
        }
    };
    refuse_if_stopped(&ground.paths)?;
    let image = Image::new(&wasm, &examined, signature.as_ref().map(Signature::to_json));
    let deed = Deed {
        action: AuditAction::ComponentChanged,
        resource: format!("published {version} to {reference}"),
        component: Some(examined.manifest.name.as_str()),
        digest: Some(examined.digest.clone()),
        command: "component publish",
    };
    audit(ground, deed).await?;
    let egress = ground.egress(None)?;
    let logins = DockerLogins::new(&ground.environment);
    let brought = Registry::new(&egress, &logins)
        .push(&reference, &wasm, &image, wish.replace)
        .await
        .with_context(|| format!("`{}` was not published", wish.file.display()))?;
    let by = match &signature {
        Some(signature) => format!("signed by {}", signature.key),
        None => "signed by nobody".to_owned(),
    };
    let done = if brought { "published" } else { "was there already:" };
    terminal::print_line(&format!(
        "{done} {} {version}, {by}\n  {}@{}",
        examined.manifest.name,
        reference,
        image.digest()
    ))?;
    Ok(Exit::Done)
}
