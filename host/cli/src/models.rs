//! The files of the model catalog: the snapshot inside the binary, a newer one of the user's, and
//! their overlay beside the configuration. What they mean is decided in core.

use crate::exit::usage;
use crate::load::{Loaded, Origin};
use crate::paths::Paths;
use anyhow::{Context, Result, anyhow, bail};
use flate2::read::DeflateDecoder;
use hydroid_core::config::{Config, did_you_mean};
use hydroid_core::harmless::harmless;
use hydroid_core::models::{
    Catalog, CatalogError, Models, PROVENANCE, Provenance, Services, Wanted,
};
use hydroid_wasm::Catalog as Components;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// Which service a component speaks to.
const SERVICES: &str = include_str!("../../../registry/services.toml");

/// Largest catalog taken; the published one has three megabytes. Read, one takes a hundred times
/// as much memory at the worst.
pub(crate) const LARGEST: u64 = 8 << 20;

/// Where the snapshot in force is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this binary.
    Binary,
    /// In the user's file.
    File(PathBuf),
}

/// What is known of models: the snapshot in force with the overlay, under this configuration.
pub(crate) fn open(paths: &Paths, config: &Config) -> Result<Models> {
    let overlay = read(&paths.models_overlay())?;
    let services = Services::parse(SERVICES).context("in this binary")?;
    let place = paths.models_snapshot();
    let snapshot = Box::new(move || {
        in_force(&place).map(|(text, _)| text).map_err(|error| format!("{error:#}"))
    });
    Models::new(config, snapshot, overlay, services)
        .with_context(|| format!("in `{}`", paths.models_overlay().display()))
}

/// The snapshot in force: the user's, unless this binary came with a newer one.
pub(crate) fn in_force(file: &Path) -> Result<(String, Place)> {
    let Some(own) = read(file)? else { return Ok((embedded()?, Place::Binary)) };
    let date = |text: &str| -> Result<String, CatalogError> {
        Ok(provenance(text)?.map(|from| from.date).unwrap_or_default())
    };
    let of_own = date(&own).with_context(|| {
        format!(
            "the snapshot `{}` cannot be read; `hydroid model update` writes it anew, and without it the one of this release is used",
            file.display()
        )
    })?;
    let shipped = embedded()?;
    if date(&shipped)? > of_own {
        return Ok((shipped, Place::Binary));
    }
    Ok((own, Place::File(file.to_owned())))
}

/// Where a snapshot came from, without looking at what is in it.
pub(crate) fn provenance(text: &str) -> Result<Option<Provenance>, CatalogError> {
    Ok(Catalog::read(text, None, Wanted::Only(PROVENANCE))?.provenance)
}

/// Refuses a provider that no component is, before anything is begun that needs it.
pub(crate) fn is_there(components: &Components, loaded: &Loaded) -> Result<()> {
    let provider = &loaded.config.model.provider;
    if components.get(provider).is_some() {
        return Ok(());
    }
    if let Ok(service) = crate::providers::find(provider) {
        let problem = format!(
            "`{provider}` is a service, not a component: `hydroid provider add {provider}` sets {} up, or `--as {provider}` with it beside others",
            service.title
        );
        return Err(typed_or_configured(loaded, "model.provider", problem));
    }
    let installed = components.installed();
    let known = installed.iter().map(|one| one.name.as_str());
    let hint = did_you_mean(provider, known.filter(|name| name.starts_with("provider-")));
    let problem = format!(
        "no component is called `{}`{hint}; `hydroid component list` shows what is installed, and `model.provider` says which one answers",
        harmless(provider)
    );
    Err(typed_or_configured(loaded, "model.provider", problem))
}

/// Refuses a configured model that is not there, and a budget that cannot be kept with it. A
/// model that its component lists is there, whatever the catalog says.
pub(crate) async fn check(models: &Models, components: &Components, loaded: &Loaded) -> Result<()> {
    let model = &loaded.config.model;
    let unreadable = "the model catalog cannot be read; `hydroid model verify` says more";
    if let Some(unknown) = models.unknown().context(unreadable)? {
        // One that cannot list them proves nothing.
        let offered = components.models(&model.provider).await.unwrap_or_default();
        if !offered.iter().any(|offered| offered.id == model.name) {
            return Err(typed_or_configured(loaded, "model.name", unknown.to_string()));
        }
    }
    if let Some(unpriced) = models.unpriced().context(unreadable)? {
        return Err(typed_or_configured(loaded, unpriced.key, unpriced.to_string()));
    }
    Ok(())
}

/// The error of a wrong command line if the key was typed there, else of the configuration.
fn typed_or_configured(loaded: &Loaded, key: &str, problem: String) -> anyhow::Error {
    match loaded.values.get(key) {
        Some((_, Origin::Flag(_))) => usage(problem),
        Some((_, origin @ (Origin::File(_) | Origin::Variable(_)))) => {
            anyhow!("{problem} (`{key}` is from {origin})")
        }
        Some((_, Origin::Default)) | None => anyhow!(problem),
    }
}

/// The snapshot in this binary.
pub(crate) fn embedded() -> Result<String> {
    let mut text = String::with_capacity(LENGTH);
    let read = DeflateDecoder::new(COMPRESSED).take(LENGTH as u64 + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length == LENGTH => Ok(text),
        Ok(_) | Err(_) => {
            bail!("the model catalog in this binary is damaged; install hydroid again")
        }
    }
}

/// A catalog's text in a file; none if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    let mut text = String::new();
    let read = std::fs::metadata(path).and_then(|metadata| {
        if !metadata.is_file() {
            return Err(std::io::Error::other("it is not a regular file"));
        }
        std::fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)
    });
    match read {
        Ok(size) if size as u64 > LARGEST => {
            bail!("`{}` has more than {LARGEST} bytes; that is no catalog", path.display())
        }
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::models::Facts;

    #[test]
    fn the_catalog_of_the_release_is_whole_and_says_where_it_is_from() {
        let text = embedded().unwrap();
        assert!(text.len() < 1_000_000, "{} bytes", text.len());
        let catalog = Catalog::read(&text, None, Wanted::All).unwrap();
        let from = catalog.provenance.unwrap();
        assert_eq!((from.schema, from.licence.as_str()), (1, "MIT"));
        assert!(from.date.as_str() >= "2026-07-02" && from.revision.len() == 40, "{from:?}");
        let models: usize = catalog.providers.values().map(|one| one.models.len()).sum();
        assert!(catalog.providers.len() > 25 && models > 1_500, "{models} models");
        let facts = Facts::of(&catalog.providers["openai"].models["gpt-5.5"]);
        assert_eq!((facts.context, facts.output), (Some(1_050_000), Some(128_000)));
        assert!(facts.prices.is_known() && facts.prices.tiers[0].above == 272_000);
    }

    #[test]
    fn each_service_of_the_table_is_in_the_catalog() {
        let catalog = Catalog::read(&embedded().unwrap(), None, Wanted::All).unwrap();
        let table: toml::Table = SERVICES.parse().unwrap();
        for row in table["service"].as_array().unwrap() {
            let Some(id) = row.get("catalog").and_then(toml::Value::as_str) else { continue };
            assert!(catalog.providers.contains_key(id), "`{id}` is not in the catalog");
        }
        Services::parse(SERVICES).unwrap();
    }

    #[test]
    fn the_users_snapshot_is_in_force_until_the_release_has_a_newer_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("models.json");
        let place = |date: &str| {
            let text = format!(r#"{{"$catalog": {{"schema": 1, "date": "{date}"}}, "a": {{}}}}"#);
            std::fs::write(&file, text).unwrap();
            in_force(&file).unwrap().1
        };
        assert_eq!(place("2999-01-01"), Place::File(file.clone()));
        assert_eq!(place("2020-01-01"), Place::Binary);
        std::fs::write(&file, "{").unwrap();
        let error = format!("{:#}", in_force(&file).unwrap_err());
        assert!(error.contains("`hydroid model update` writes it anew"), "{error}");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(in_force(&file).unwrap().1, Place::Binary);
    }
}
