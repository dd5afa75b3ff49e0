//! A registry, spoken to through our own egress: the part of the OCI distribution interface that
//! brings a component there and back. Every digest is checked here; what is fetched is not run.

use super::fetch::{self, Wish};
use super::image::{self, Image, MANIFEST};
use super::login::{Challenge, Login, Logins, challenge};
use super::reference::{OciReference, is_this_machine};
use crate::component::digest;
use crate::egress::{BadUrl, Credential, Egress, EgressError, Target};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use hydroid_core::manifest::Place;
use hydroid_core::ports::SecretValue;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Largest manifest; what registries take at the most is four times this.
const LARGEST_MANIFEST: u64 = 1 << 20;

/// Largest component fetched; a Python component has 18 MB.
const LARGEST_COMPONENT: u64 = 256 << 20;

/// Most pages of tags that are read, of a thousand each.
const MOST_PAGES: usize = 20;

/// A registry, and who asks it.
pub struct Registry<'a> {
    egress: &'a Egress,
    logins: &'a dyn Logins,
    /// What was obtained for a host and what is done there.
    tokens: Mutex<HashMap<(String, String), Token>>,
}

/// What is attached to a request.
#[derive(Clone)]
struct Token {
    place: Place,
    value: SecretValue,
}

/// What was fetched.
#[derive(Debug)]
pub struct Pulled {
    /// The component.
    pub wasm: Vec<u8>,
    /// Its signature, as it was written.
    pub signature: Option<String>,
    /// `sha256:…` of the image.
    pub digest: String,
}

/// Why something did not come or go.
#[derive(Debug, thiserror::Error)]
pub enum ShippingError {
    /// It was not sent, or not answered.
    #[error(transparent)]
    Egress(#[from] EgressError),
    /// An address that cannot be one.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// Credentials that cannot be read.
    #[error("the credentials for `{host}` cannot be read: {problem}")]
    Login {
        /// The registry.
        host: String,
        /// Why.
        problem: String,
    },
    /// Nobody, or the wrong one, asked.
    #[error(
        "`{host}` does not let {who} do that; log in there with `docker login {host}`, or put the credentials where it would: into `config.json` of `DOCKER_CONFIG` or `~/.docker`"
    )]
    Unauthorized {
        /// The registry.
        host: String,
        /// Who asked, in words.
        who: &'static str,
    },
    /// Not there.
    #[error(
        "`{0}` is not there; see what is with `hydroid component list --outdated`, or look at the registry"
    )]
    NotFound(String),
    /// An answer that was not expected.
    #[error("`{host}` answered with status {status}{said}")]
    Status {
        /// The registry.
        host: String,
        /// The status.
        status: u16,
        /// What it said, if anything.
        said: String,
    },
    /// Other bytes than were asked for.
    #[error("what `{place}` gave is {got} and not {wanted}, so it was not taken")]
    OtherBytes {
        /// Where.
        place: String,
        /// `sha256:…`.
        got: String,
        /// `sha256:…`.
        wanted: String,
    },
    /// Something that is no component.
    #[error("`{place}` holds nothing this host could install: {problem}")]
    Form {
        /// Where.
        place: String,
        /// Why.
        problem: String,
    },
    /// More than a component ever is.
    #[error("`{place}` has more than {most} bytes, so it was not taken")]
    TooLarge {
        /// Where.
        place: String,
        /// How many are taken.
        most: u64,
    },
    /// A place that leads elsewhere without end, or into the open.
    #[error("`{place}` leads on to {problem}")]
    Redirect {
        /// Where.
        place: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A version that is there with other bytes.
    #[error(
        "`{0}` is published already, with other bytes; give the component another version, since whoever pinned this one would be refused"
    )]
    Published(String),
}

impl<'a> Registry<'a> {
    /// A registry reached through this door.
    pub fn new(egress: &'a Egress, logins: &'a dyn Logins) -> Self {
        Self { egress, logins, tokens: Mutex::default() }
    }

    /// Fetches a component.
    pub async fn pull(&self, reference: &OciReference) -> Result<Pulled, ShippingError> {
        let place = reference.to_string();
        let bytes = self
            .manifest(reference)
            .await?
            .ok_or_else(|| ShippingError::NotFound(place.clone()))?;
        let got = digest(&bytes);
        if let Some(wanted) = reference.digest.as_ref().filter(|wanted| **wanted != got) {
            let wanted = wanted.clone();
            return Err(ShippingError::OtherBytes { place, got, wanted });
        }
        let contents = image::contents(&bytes)
            .map_err(|problem| ShippingError::Form { place: place.clone(), problem })?;
        if contents.layer.size > LARGEST_COMPONENT {
            return Err(ShippingError::TooLarge { place, most: LARGEST_COMPONENT });
        }
        let url = reference.url(&format!("blobs/{}", contents.layer.digest))?;
        let answer = self.ask(reference, "pull", Wish::get(url, LARGEST_COMPONENT)).await?;
        if answer.status != 200 {
            return Err(status(reference, &answer));
        }
        let wasm = answer.body;
        let layer = digest(&wasm);
        if layer != contents.layer.digest {
            let wanted = contents.layer.digest;
            return Err(ShippingError::OtherBytes { place, got: layer, wanted });
        }
        Ok(Pulled { wasm, signature: contents.signature, digest: got })
    }

    /// Brings a component under a tag. A tag that is there keeps its bytes, unless `replace`.
    /// Returns whether anything had to be brought.
    pub async fn push(
        &self,
        reference: &OciReference,
        wasm: &[u8],
        image: &Image,
        replace: bool,
    ) -> Result<bool, ShippingError> {
        if let Some(there) = self.manifest(reference).await? {
            if there == image.manifest {
                return Ok(false);
            }
            let same =
                image::contents(&there).is_ok_and(|there| there.layer.digest == digest(wasm));
            if !same && !replace {
                return Err(ShippingError::Published(reference.to_string()));
            }
        }
        for content in [wasm, &image.config] {
            self.push_blob(reference, content).await?;
        }
        let url = reference.url(&format!("manifests/{}", reference.asked()))?;
        let mut wish = Wish::get(url, LARGEST_MANIFEST);
        wish.method = Method::PUT;
        wish.body = image.manifest.clone().into();
        wish.headers.insert(CONTENT_TYPE, HeaderValue::from_static(MANIFEST));
        let answer = self.ask(reference, "pull,push", wish).await?;
        match answer.status {
            200..=299 => Ok(true),
            _ => Err(status(reference, &answer)),
        }
    }

    /// The tags of a repository.
    pub async fn tags(&self, reference: &OciReference) -> Result<Vec<String>, ShippingError> {
        let mut url = reference.url("tags/list?n=1000")?;
        let mut tags = Vec::new();
        for _ in 0..MOST_PAGES {
            let answer =
                self.ask(reference, "pull", Wish::get(url.clone(), LARGEST_MANIFEST)).await?;
            if answer.status == 404 {
                return Err(ShippingError::NotFound(reference.to_string()));
            }
            if answer.status != 200 {
                return Err(status(reference, &answer));
            }
            let list: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let page = list.get("tags").and_then(Value::as_array);
            tags.extend(page.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
            match next_page(&url, &answer.headers) {
                Some(next) => url = next,
                None => break,
            }
        }
        Ok(tags)
    }

    /// The bytes of a manifest, if it is there.
    async fn manifest(&self, reference: &OciReference) -> Result<Option<Vec<u8>>, ShippingError> {
        let url = reference.url(&format!("manifests/{}", reference.asked()))?;
        let mut wish = Wish::get(url, LARGEST_MANIFEST);
        let accept = concat!(
            "application/vnd.oci.image.manifest.v1+json, ",
            "application/vnd.oci.image.index.v1+json"
        );
        wish.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let answer = self.ask(reference, "pull", wish).await?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 => Ok(None),
            _ => Err(status(reference, &answer)),
        }
    }

    async fn push_blob(
        &self,
        reference: &OciReference,
        content: &[u8],
    ) -> Result<(), ShippingError> {
        const SCOPE: &str = "pull,push";
        let digest = digest(content);
        let mut wish = Wish::get(reference.url(&format!("blobs/{digest}"))?, LARGEST_MANIFEST);
        wish.method = Method::HEAD;
        if self.ask(reference, SCOPE, wish).await?.status == 200 {
            return Ok(());
        }
        let mut wish = Wish::get(reference.url("blobs/uploads/")?, LARGEST_MANIFEST);
        wish.method = Method::POST;
        let begun = self.ask(reference, SCOPE, wish).await?;
        let there = begun.headers.get(LOCATION).and_then(|place| place.to_str().ok());
        let (202, Some(there)) = (begun.status, there) else {
            return Err(status(reference, &begun));
        };
        let base = reference.url("blobs/uploads/")?;
        let form = |problem: &str| ShippingError::Form {
            place: reference.to_string(),
            problem: problem.to_owned(),
        };
        let mut url =
            base.url().join(there).map_err(|_| form("it names no place to bring it to"))?;
        url.query_pairs_mut().append_pair("digest", &digest);
        let mut wish = Wish::get(Target::parse(url.as_str())?, LARGEST_MANIFEST);
        wish.method = Method::PUT;
        wish.body = content.to_vec().into();
        wish.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        // The place may be of another service, which is not given what this one is.
        let answer = if wish.url.url().origin() == base.url().origin() {
            self.ask(reference, SCOPE, wish).await?
        } else {
            fetch::send(self.egress, wish, None).await?
        };
        match answer.status {
            201 | 204 => Ok(()),
            _ => Err(status(reference, &answer)),
        }
    }

    /// One request, as whoever the registry wants to see.
    async fn ask(
        &self,
        reference: &OciReference,
        actions: &str,
        wish: Wish,
    ) -> Result<fetch::Got, ShippingError> {
        let key =
            (reference.host.clone(), format!("repository:{}:{actions}", reference.repository));
        let held = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let answer =
            fetch::send(self.egress, wish.clone(), credential(&wish, held.as_ref())).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        let host = reference.host.clone();
        let login = self
            .logins
            .login(&host)
            .map_err(|problem| ShippingError::Login { host: host.clone(), problem })?;
        let who = if login.is_some() { "the person whose credentials are here" } else { "anybody" };
        let refused = ShippingError::Unauthorized { host, who };
        let token = match (challenge(&answer.challenges), login) {
            (Some(Challenge::Basic), Some(Login::Basic { user, password })) => {
                Some(Token { place: Place::Basic(user), value: password })
            }
            (Some(Challenge::Bearer { realm, service, scope }), login) => {
                let scope = scope.unwrap_or_else(|| key.1.clone());
                self.token(&realm, service.as_deref(), &scope, login).await?
            }
            (Some(Challenge::Basic) | None, _) => None,
        };
        let Some(token) = token else { return Err(refused) };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(key, token.clone());
        let answer =
            fetch::send(self.egress, wish.clone(), credential(&wish, Some(&token))).await?;
        match answer.status {
            401 | 403 => Err(refused),
            _ => Ok(answer),
        }
    }

    /// Obtains a token; none if the service gives none.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: &str,
        login: Option<Login>,
    ) -> Result<Option<Token>, ShippingError> {
        let target = Target::parse(realm)?;
        if target.scheme() != "https" && !is_this_machine(target.host()) {
            return Err(ShippingError::Redirect {
                place: realm.to_owned(),
                problem: "a service without encryption for its tokens",
            });
        }
        let mut url = target.url().clone();
        let mut wish;
        let credential = match login {
            Some(Login::Identity(token)) => {
                wish = Wish::get(target, LARGEST_MANIFEST);
                wish.method = Method::POST;
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("client_id", "hydroid")
                    .append_pair("scope", scope)
                    .append_pair("refresh_token", token.expose());
                if let Some(service) = service {
                    form.append_pair("service", service);
                }
                wish.body = form.finish().into_bytes().into();
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                wish.headers.insert(CONTENT_TYPE, form);
                None
            }
            other => {
                {
                    let mut pairs = url.query_pairs_mut();
                    pairs.append_pair("scope", scope);
                    if let Some(service) = service {
                        pairs.append_pair("service", service);
                    }
                }
                wish = Wish::get(Target::parse(url.as_str())?, LARGEST_MANIFEST);
                match other {
                    Some(Login::Basic { user, password }) => credential(
                        &wish,
                        Some(&Token { place: Place::Basic(user), value: password }),
                    ),
                    Some(Login::Identity(_)) | None => None,
                }
            }
        };
        let answer = fetch::once(self.egress, &wish, credential).await?;
        if answer.status != 200 {
            return Ok(None);
        }
        let given: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let token = ["token", "access_token"].iter().find_map(|name| given.get(name)?.as_str());
        Ok(token
            .filter(|token| !token.is_empty())
            .map(|token| Token { place: Place::Bearer, value: SecretValue::new(token.to_owned()) }))
    }
}

impl std::fmt::Debug for Registry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

/// What is attached to a request, for its host only.
fn credential(wish: &Wish, token: Option<&Token>) -> Option<Credential> {
    let token = token?;
    let audience = wish.url.grantable().parse().ok()?;
    Some(Credential::placed("registry", vec![audience], token.place.clone(), token.value.clone()))
}

/// The next page of a list, if there is one of the same service.
fn next_page(url: &Target, headers: &HeaderMap) -> Option<Target> {
    let link = headers.get(http::header::LINK)?.to_str().ok()?;
    let (place, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    if !rest.contains("next") {
        return None;
    }
    let next = url.url().join(place).ok()?;
    (next.origin() == url.url().origin()).then(|| Target::parse(next.as_str()).ok())?
}

/// An answer that was not expected, with what the registry says of it.
fn status(reference: &OciReference, answer: &fetch::Got) -> ShippingError {
    if matches!(answer.status, 401 | 403) {
        return ShippingError::Unauthorized {
            host: reference.host.clone(),
            who: "the person whose credentials are here",
        };
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = said
        .get("errors")
        .and_then(|errors| errors.get(0)?.get("message")?.as_str())
        .map(|message| format!(": {}", message.chars().take(200).collect::<String>()))
        .unwrap_or_default();
    ShippingError::Status { host: reference.host.clone(), status: answer.status, said }
}
