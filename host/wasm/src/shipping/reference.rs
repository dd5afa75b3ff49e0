//! The name of a component in a registry: `oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`.
//! It says where, and not what is there.

use crate::egress::{BadUrl, Target};
use std::fmt;
use std::str::FromStr;

/// What a name in a registry begins with.
const SCHEME: &str = "oci://";

/// Longest repository, as registries have it.
const LONGEST_REPOSITORY: usize = 255;

/// Longest tag, as registries have it.
const LONGEST_TAG: usize = 128;

/// A place in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciReference {
    /// Host with its port, as credentials are kept by.
    pub host: String,
    /// Path below it.
    pub repository: String,
    /// A tag, which may name other bytes tomorrow.
    pub tag: Option<String>,
    /// `sha256:…` of the image's manifest, which never does.
    pub digest: Option<String>,
}

/// A text that names no place in a registry.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{written}` names nothing in a registry: {problem}; write `oci://HOST/REPOSITORY:VERSION`, with `@sha256:…` behind it to pin the bytes"
)]
pub struct BadReference {
    written: String,
    problem: &'static str,
}

impl OciReference {
    /// True for a text that means to be one.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The same place with another tag and no digest.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// What the registry is asked for: the digest if there is one, else the tag.
    pub fn asked(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// The address of a part of the registry's interface. A registry on this machine is spoken to
    /// without encryption, as other tools do.
    pub(super) fn url(&self, rest: &str) -> Result<Target, BadUrl> {
        let host = match self.host.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        let scheme = if is_this_machine(host) { "http" } else { "https" };
        let repository = match self.host.as_str() {
            "docker.io" | "index.docker.io" if !self.repository.contains('/') => {
                format!("library/{}", self.repository)
            }
            _ => self.repository.clone(),
        };
        Target::parse(&format!("{scheme}://{host}/v2/{repository}/{rest}"))
    }
}

/// True for a name or address of this machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for OciReference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let bad = |problem| BadReference { written: text.chars().take(200).collect(), problem };
        let rest =
            text.strip_prefix(SCHEME).ok_or_else(|| bad("it does not begin with `oci://`"))?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => {
                return Err(bad("what follows `@` is not `sha256:` with 64 hexadecimal digits"));
            }
            None => (rest, None),
        };
        let (host, path) =
            rest.split_once('/').ok_or_else(|| bad("it names no repository after the host"))?;
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) if is_tag(tag) => (repository, Some(tag.to_owned())),
            Some(_) => return Err(bad("what follows the last `:` is no tag")),
            None => (path, None),
        };
        if !is_host(host) {
            return Err(bad("its host is no name with perhaps a port"));
        }
        if !is_repository(repository) {
            return Err(bad(
                "a repository has lower-case letters, digits, `.`, `_`, `-` and `/` between them",
            ));
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag, digest })
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// True for `sha256:` and 64 hexadecimal digits in lower case.
pub(super) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn is_tag(text: &str) -> bool {
    text.len() <= LONGEST_TAG
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        })
}

fn is_repository(text: &str) -> bool {
    text.len() <= LONGEST_REPOSITORY
        && text.split('/').all(|part| {
            let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            part.starts_with(is_end)
                && part.ends_with(is_end)
                && part.chars().all(|c| is_end(c) || matches!(c, '.' | '_' | '-'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn url(text: &str) -> String {
        let reference: OciReference = text.parse().unwrap();
        assert_eq!(reference.to_string(), text);
        reference.url("manifests/x").unwrap().url().to_string()
    }

    #[test]
    fn a_place_is_read_and_written_the_same() {
        assert_eq!(
            url("oci://ghcr.io/acme/notes:1.2.0"),
            "https://ghcr.io/v2/acme/notes/manifests/x"
        );
        assert_eq!(url("oci://localhost:5000/notes"), "http://localhost:5000/v2/notes/manifests/x");
        assert_eq!(url("oci://[::1]:5000/notes"), "http://[::1]:5000/v2/notes/manifests/x");
        assert_eq!(
            url("oci://docker.io/notes:1"),
            "https://registry-1.docker.io/v2/library/notes/manifests/x"
        );
        let digest = format!("oci://a.example/n@sha256:{}", "0f".repeat(32));
        let reference: OciReference = digest.parse().unwrap();
        assert_eq!(reference.asked(), &digest["oci://a.example/n@".len()..]);
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for text in [
            "ghcr.io/a/b",
            "oci://ghcr.io",
            "oci://ghcr.io/",
            "oci:///a",
            "oci://ghcr.io/../a",
            "oci://ghcr.io/a//b",
            "oci://ghcr.io/A",
            "oci://user:pw@ghcr.io/a",
            "oci://ghcr.io/a:",
            "oci://ghcr.io/a:x y",
            "oci://ghcr.io/a?x=1",
            "oci://ghcr.io/a@sha256:00",
            "oci://ghcr.io/a\u{301}",
            "oci://gh\u{e9}cr.io/a",
        ] {
            assert!(text.parse::<OciReference>().is_err(), "{text}");
        }
    }
}
