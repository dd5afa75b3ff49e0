//! Where a component comes from: a file, an address with a digest, or a registry. It only fetches;
//! what is fetched is judged elsewhere.

use super::portrait::read;
use crate::docker::DockerLogins;
use crate::exit::usage;
use crate::stopped::refuse_if_stopped;
use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use hydroid_core::manifest::is_component_name;
use hydroid_wasm::component::digest;
use hydroid_wasm::shipping::{OciReference, Registry, fetch};
use std::path::Path;

/// What a digest is written after, in an address.
const PIN: &str = "sha256=";

/// Largest component fetched by its address; a Python component has 18 MB.
const LARGEST: u64 = 256 << 20;

/// Longest signature file.
const LONGEST_SIGNATURE: u64 = 4 << 10;

/// Bytes that came from somewhere.
pub(super) struct Acquired {
    pub(super) wasm: Vec<u8>,
    /// Its signature as it was written, if there was one.
    pub(super) signature: Option<String>,
    /// Where it came from, as the lock file has it.
    pub(super) source: String,
    /// The version its place says it is.
    pub(super) version: Option<semver::Version>,
    /// Its name if it brings no manifest.
    pub(super) fallback: String,
}

/// Fetches what was typed.
pub(super) async fn acquire(ground: &Ground, typed: &str) -> Result<Acquired> {
    if OciReference::is_meant(typed) {
        let reference = typed.parse().map_err(|error| usage(format!("{error}")))?;
        return from_registry(ground, &reference).await;
    }
    if typed.starts_with("https://") || typed.starts_with("http://") {
        return from_address(ground, typed).await;
    }
    if typed.contains("://") {
        return Err(usage(format!(
            "`{typed}` names no place a component could come from; it is a file, `oci://HOST/REPOSITORY:VERSION`, or `https://…#sha256=…`"
        )));
    }
    from_file(Path::new(typed))
}

/// Fetches from a registry. Whatever it gives is checked against the digest it was asked by.
pub(super) async fn from_registry(ground: &Ground, reference: &OciReference) -> Result<Acquired> {
    refuse_if_stopped(&ground.paths)?;
    let mut reference = reference.clone();
    if reference.tag.is_none() && reference.digest.is_none() {
        let newest = newest(ground, &reference).await?.with_context(|| {
            format!("`{reference}` has no version; write the tag you mean: `{reference}:TAG`")
        })?;
        reference = reference.with_tag(&tag_of(&newest));
    }
    let egress = ground.egress(None)?;
    let logins = DockerLogins::new(&ground.environment);
    let pulled = Registry::new(&egress, &logins).pull(&reference).await?;
    let version = reference.tag.as_deref().and_then(version_of);
    let last = reference.repository.rsplit('/').next().unwrap_or_default();
    let fallback = last.replace(['_', '.'], "-");
    let source = OciReference { digest: None, ..reference.clone() };
    let source = match &source.tag {
        Some(_) => source.to_string(),
        None => reference.to_string(),
    };
    Ok(Acquired { wasm: pulled.wasm, signature: pulled.signature, source, version, fallback })
}

/// The newest version a repository has, those that are not final left out.
pub(super) async fn newest(
    ground: &Ground,
    reference: &OciReference,
) -> Result<Option<semver::Version>> {
    refuse_if_stopped(&ground.paths)?;
    let egress = ground.egress(None)?;
    let logins = DockerLogins::new(&ground.environment);
    let tags = Registry::new(&egress, &logins).tags(reference).await?;
    let versions = tags.iter().filter_map(|tag| version_of(tag));
    Ok(versions.filter(|version| version.pre.is_empty()).max())
}

/// The version a tag names. A tag has no `+`, so `_` stands for it.
pub(super) fn version_of(tag: &str) -> Option<semver::Version> {
    semver::Version::parse(&tag.replacen('_', "+", 1)).ok()
}

/// The tag that names a version.
pub(super) fn tag_of(version: &semver::Version) -> String {
    version.to_string().replace('+', "_")
}

fn from_file(path: &Path) -> Result<Acquired> {
    let wasm = read(path)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    let signature = match std::fs::metadata(&beside) {
        Ok(found) if found.len() > LONGEST_SIGNATURE => {
            bail!("`{}` is too long to be a signature", Path::new(&beside).display())
        }
        Ok(_) => Some(std::fs::read_to_string(&beside).with_context(|| {
            format!("the signature `{}` cannot be read", Path::new(&beside).display())
        })?),
        Err(_) => None,
    };
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let source = whole.display().to_string();
    Ok(Acquired { wasm, signature, source, version: None, fallback: stem(path)? })
}

async fn from_address(ground: &Ground, typed: &str) -> Result<Acquired> {
    let pinned = typed.split_once('#').and_then(|(address, pin)| {
        let pin = pin.strip_prefix(PIN)?.to_ascii_lowercase();
        (pin.len() == 64 && pin.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then_some((address, format!("sha256:{pin}")))
    });
    let Some((address, wanted)) = pinned else {
        return Err(usage(format!(
            "an address may give other bytes tomorrow; add the digest of those you mean: `{}#{PIN}…`, which `sha256sum FILE` tells",
            typed.split('#').next().unwrap_or_default()
        )));
    };
    refuse_if_stopped(&ground.paths)?;
    let egress = ground.egress(None)?;
    let wasm = fetch(&egress, address, LARGEST)
        .await?
        .with_context(|| format!("there is nothing at `{address}`"))?;
    let got = digest(&wasm);
    if got != wanted {
        bail!("what `{address}` gave is {got} and not {wanted}, so it was not taken");
    }
    let (path, query) = match address.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (address, String::new()),
    };
    let signature = fetch(&egress, &format!("{path}.sig{query}"), LONGEST_SIGNATURE).await?;
    let signature = signature.and_then(|bytes| String::from_utf8(bytes).ok());
    let last = path.rsplit('/').next().unwrap_or_default();
    let fallback = stem(Path::new(last))?;
    Ok(Acquired { wasm, signature, source: typed.to_owned(), version: None, fallback })
}

/// A file's name as that of a component.
pub(in crate::commands) fn stem(file: &Path) -> Result<String> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    let stem =
        stem.ok_or_else(|| usage(format!("`{}` is not the name of a file", file.display())))?;
    let dashed = stem.replace('_', "-");
    // What cargo builds has `_` where its package has `-`.
    Ok(if is_component_name(&dashed) { dashed } else { stem.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_version_and_back() {
        let version = version_of("1.2.0-rc.1_build.5").unwrap();
        assert_eq!(version.to_string(), "1.2.0-rc.1+build.5");
        assert_eq!(tag_of(&version), "1.2.0-rc.1_build.5");
        assert_eq!(version_of("latest"), None);
        assert_eq!(version_of("v1.2.0"), None);
    }
}
