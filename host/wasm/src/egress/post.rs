//! What the host itself posts somewhere, again and again: through the same door, with a rule that
//! covers that one place. A person named the place, so no grant is asked for.

use super::client::{Egress, EgressError, Outgoing};
use super::credential::{Credential, attach};
use super::target::Target;
use http::header::{self, HeaderMap, HeaderValue};
use hydroid_core::capability::{BadWebRule, Grant, Profile, WebRule};
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{Attach, Place};
use hydroid_core::ports::SecretValue;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where something is posted to, and with what.
pub struct Post {
    sender: ComponentId,
    grant: Grant,
    target: Target,
    content_type: HeaderValue,
    headers: Vec<Credential>,
}

impl Post {
    /// Posts of this kind to this place. The sender is how limits and the log name it.
    pub fn to(
        sender: &str,
        target: Target,
        content_type: &'static str,
    ) -> Result<Self, BadWebRule> {
        let rule: WebRule = format!("POST {}", target.grantable()).parse()?;
        let grant = Grant { profiles: [Profile::Web].into(), web: vec![rule], ..Grant::default() };
        let content_type = HeaderValue::from_static(content_type);
        Ok(Self {
            sender: ComponentId::new(sender),
            grant,
            target,
            content_type,
            headers: Vec::new(),
        })
    }

    /// The same with a secret in a header, if the secret may go there; an empty audience is for
    /// wherever it is posted to.
    pub fn with_header(
        mut self,
        header: &str,
        secret: &str,
        audience: &[String],
        value: SecretValue,
    ) -> Result<Self, EgressError> {
        let here = [self.target.grantable()];
        let audience = if audience.is_empty() { here.as_slice() } else { audience };
        let audience = audience.iter().filter_map(|host| host.parse().ok()).collect();
        let place = Place::Header { name: header.to_owned(), prefix: String::new() };
        let credential = Credential::placed(secret, audience, place, value);
        credential.check_audience(&self.target)?;
        self.headers.push(credential);
        Ok(self)
    }

    /// The addresses that naming the place opens, for this sender alone: who writes an address of
    /// this machine or network means it. What a name turns out to be is checked as ever.
    pub fn own_addresses(target: &Target) -> Vec<SocketAddr> {
        let host = target.host().trim_start_matches('[').trim_end_matches(']');
        let addresses = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if host == "localhost" => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Err(_) => Vec::new(),
        };
        addresses.into_iter().map(|address| SocketAddr::new(address, target.port())).collect()
    }

    /// Posts a body and returns the status it is answered with.
    pub async fn send(&self, egress: &Egress, body: Vec<u8>) -> Result<u16, EgressError> {
        let mut outgoing = Outgoing {
            target: self.target.clone(),
            method: http::Method::POST,
            headers: HeaderMap::new(),
            body: body.into(),
            timeout: None,
        };
        outgoing.headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        // The door attaches one credential, and takes what identifies from nobody else.
        let (mut own, mut beside) = (None, Vec::new());
        for credential in &self.headers {
            match (&own, identifies(credential)) {
                (None, true) => own = Some(credential.clone()),
                _ => beside.push(credential),
            }
        }
        for credential in beside {
            attach(credential, &mut outgoing)?;
        }
        let answer = egress.send(&self.sender, &self.grant, outgoing, own).await?;
        Ok(answer.status)
    }
}

fn identifies(credential: &Credential) -> bool {
    let Attach::Place(Place::Header { name, .. }) = &credential.attach else { return false };
    name == header::AUTHORIZATION.as_str()
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post").field("target", &self.target).finish_non_exhaustive()
    }
}
