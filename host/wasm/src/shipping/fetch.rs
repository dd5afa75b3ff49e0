//! One request on a person's behalf, whole, through our own egress. Redirects are followed for
//! what is only fetched, each checked like the first and without the credential.

use super::reference::is_this_machine;
use super::registry::ShippingError;
use crate::egress::{Credential, Egress, Outgoing, Target};
use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, LOCATION};
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::id::ComponentId;

/// Redirects that are followed; a registry sends to its storage, which sends to a mirror.
const MOST_REDIRECTS: usize = 5;

/// Who sends, as limits count it.
const SENDER: &str = "component-shipping";

/// What is asked for.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) url: Target,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Most bytes of the answer.
    pub(super) most: u64,
}

/// What came.
pub(super) struct Got {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) challenges: Vec<String>,
    pub(super) body: Vec<u8>,
}

impl Wish {
    pub(super) fn get(url: Target, most: u64) -> Self {
        Self { url, method: Method::GET, headers: HeaderMap::new(), body: Bytes::new(), most }
    }
}

/// Fetches a file by its address; none if it is not there.
pub async fn fetch(
    egress: &Egress,
    address: &str,
    most: u64,
) -> Result<Option<Vec<u8>>, ShippingError> {
    let url = Target::parse(address)?;
    if url.scheme() != "https" && !is_this_machine(url.host()) {
        return Err(ShippingError::Redirect {
            place: address.to_owned(),
            problem: "a place without encryption; write `https://`",
        });
    }
    let host = url.grantable();
    let got = send(egress, Wish::get(url, most), None).await?;
    match got.status {
        200 => Ok(Some(got.body)),
        404 | 410 => Ok(None),
        status => Err(ShippingError::Status { host, status, said: String::new() }),
    }
}

/// Sends, and follows where the answer leads.
pub(super) async fn send(
    egress: &Egress,
    mut wish: Wish,
    mut credential: Option<Credential>,
) -> Result<Got, ShippingError> {
    for _ in 0..=MOST_REDIRECTS {
        let got = once(egress, &wish, credential.take()).await?;
        let leads_on = matches!(got.status, 301 | 302 | 303 | 307 | 308);
        let place = got.headers.get(LOCATION).and_then(|place| place.to_str().ok());
        let (true, true, Some(place)) = (leads_on, wish.method == Method::GET, place) else {
            return Ok(got);
        };
        let here = wish.url.url().to_string();
        let wrong = |problem| ShippingError::Redirect { place: here.clone(), problem };
        let next = wish.url.url().join(place).map_err(|_| wrong("no address"))?;
        let next = Target::parse(next.as_str())?;
        if next.scheme() != "https" && wish.url.scheme() == "https" {
            return Err(wrong("a place without encryption"));
        }
        wish.url = next;
    }
    Err(ShippingError::Redirect {
        place: wish.url.url().to_string(),
        problem: "one place after the other without end",
    })
}

/// Sends once.
pub(super) async fn once(
    egress: &Egress,
    wish: &Wish,
    credential: Option<Credential>,
) -> Result<Got, ShippingError> {
    let any: WebRule = "*:*".parse().expect("any host and port is a rule");
    let open: WebRule = "http://*:*".parse().expect("any host and port is a rule");
    let grant = Grant { profiles: [Profile::Web].into(), web: vec![any, open], ..Grant::default() };
    let outgoing = Outgoing {
        target: wish.url.clone(),
        method: wish.method.clone(),
        headers: wish.headers.clone(),
        body: wish.body.clone(),
        timeout: None,
    };
    let sender = ComponentId::new(SENDER);
    let mut answer = egress.send(&sender, &grant, outgoing, credential).await?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.next().await? {
        if body.len() as u64 + chunk.len() as u64 > wish.most {
            let place = wish.url.url().to_string();
            return Err(ShippingError::TooLarge { place, most: wish.most });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Got {
        status: answer.status,
        challenges: answer.challenges().to_vec(),
        headers: std::mem::take(&mut answer.headers),
        body,
    })
}
