//! The way to a database that is a service: through the same door as everything else, to one
//! host and with one token. What is said there is the database's affair.

use super::client::{Egress, EgressError, EgressSettings, Outgoing};
use super::credential::Credential;
use super::target::{BadUrl, Target};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::manifest::Place;
use hydroid_core::ports::{Secrets, ServiceAnswer, ServiceError, StoreService};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Who sends, as limits count it and errors name it.
const SENDER: &str = "memory";

/// Longest wait for an answer: a person waits for what is behind it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The way to the service.
pub struct StoreDoor {
    egress: Egress,
    address: String,
    base: Target,
    grant: Grant,
    token: Option<StoreToken>,
}

/// A token that is looked up each time, so that a new one is used at once.
pub struct StoreToken {
    /// Name of the secret.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// Hosts it may be sent to, if the person said which.
    pub audience: Vec<WebRule>,
    /// Where its value is.
    pub secrets: Arc<dyn Secrets>,
}

impl StoreDoor {
    /// The way to an address. Who wrote a special one into the configuration wants it reached; for
    /// components it stays shut.
    pub fn new(
        address: &str,
        mut settings: EgressSettings,
        token: Option<StoreToken>,
    ) -> Result<Self, BadUrl> {
        let base = Target::parse(address)?;
        let host = base.host().trim_start_matches('[').trim_end_matches(']');
        let near = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if host == "localhost" => {
                vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
            }
            Err(_) => Vec::new(),
        };
        settings
            .allow_private
            .extend(near.into_iter().map(|address| SocketAddr::new(address, base.port())));
        let rule = base.grantable().parse().expect("a target can be granted as it is written");
        let grant = Grant { profiles: [Profile::Web].into(), web: vec![rule], ..Grant::default() };
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { egress: Egress::new(settings), address, base, grant, token })
    }

    async fn send(
        &self,
        named: Option<&str>,
        path: &str,
        body: Vec<u8>,
    ) -> Result<ServiceAnswer, ServiceError> {
        let credential = self.credential().map_err(before)?;
        let target = self.target(named, path).map_err(before)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let outgoing = Outgoing {
            target,
            method: http::Method::POST,
            headers,
            body: Bytes::from(body),
            timeout: Some(PATIENCE),
        };
        let sender = ComponentId::new(SENDER);
        let mut answer = self
            .egress
            .send(&sender, &self.grant, outgoing, credential)
            .await
            .map_err(|error| self.broken(&error))?;
        if matches!(answer.status, 401 | 403) {
            return Err(before(self.refused()));
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.next().await.map_err(|error| self.broken(&error))? {
            body.extend_from_slice(&piece);
        }
        Ok(ServiceAnswer { status: answer.status, body })
    }

    /// Only below the origin that the person wrote: the token goes nowhere else.
    fn target(&self, named: Option<&str>, path: &str) -> Result<Target, String> {
        let base = named.map_or(self.address.as_str(), |named| named.trim_end_matches('/'));
        let wrong = |what: &str| {
            let named = hydroid_core::harmless::excerpt(base, 200);
            format!("wants to be asked at `{named}`, {what}; `memory.url` says where it is")
        };
        let target =
            Target::parse(&format!("{base}/{path}")).map_err(|_| wrong("which is no address"))?;
        if target.url().origin() != self.base.url().origin() {
            return Err(wrong("which is another host"));
        }
        Ok(target)
    }

    fn credential(&self) -> Result<Option<Credential>, String> {
        let Some(token) = &self.token else { return Ok(None) };
        let name = &token.name;
        let value = match token.secrets.value(&token.user, name) {
            Ok(Some(value)) => value,
            Ok(None) => {
                return Err(format!(
                    "was not asked: the secret `{name}` is not set; `hydroid secret set {name}`"
                ));
            }
            Err(error) => return Err(format!("was not asked: {error}")),
        };
        let audience =
            if token.audience.is_empty() { &self.grant.web } else { &token.audience }.clone();
        Ok(Some(Credential::placed(name, audience, Place::Bearer, value)))
    }

    fn refused(&self) -> String {
        match &self.token {
            Some(StoreToken { name, .. }) => format!(
                "refuses the token in the secret `{name}`; get a new one and `hydroid secret set {name}`"
            ),
            None => "wants a token; `hydroid config set memory.token memory-token`, and then `hydroid secret set memory-token`".to_owned(),
        }
    }

    fn broken(&self, error: &EgressError) -> ServiceError {
        let sent = !matches!(
            error,
            EgressError::NotFound { .. }
                | EgressError::SpecialAddress { .. }
                | EgressError::Audience { .. }
                | EgressError::TooLarge(_)
                | EgressError::Connection { sent: false, .. }
        );
        ServiceError { message: format!("cannot be asked: {error}"), sent }
    }
}

fn before(message: String) -> ServiceError {
    ServiceError { message, sent: false }
}

impl StoreService for StoreDoor {
    fn address(&self) -> &str {
        &self.address
    }

    fn post<'a>(
        &'a self,
        named: Option<&'a str>,
        path: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<ServiceAnswer, ServiceError>> {
        Box::pin(self.send(named, path, body))
    }
}

impl std::fmt::Debug for StoreDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreDoor").field("address", &self.address).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StoreToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreToken").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::config;

    fn door(address: &str) -> StoreDoor {
        let settings = EgressSettings {
            allow_private: Vec::new(),
            authorities: None,
            dns: None,
            counter: None,
            limits: config::Egress::default(),
        };
        StoreDoor::new(address, settings, None).unwrap()
    }

    #[test]
    fn a_service_moves_its_token_to_no_other_host() {
        let door = door("https://db.example.com:8443/main");
        assert_eq!(door.address(), "https://db.example.com:8443/main");
        let target = |named: Option<&str>| {
            door.target(named, "v3/pipeline").map(|target| target.url().to_string())
        };
        assert_eq!(target(None).unwrap(), "https://db.example.com:8443/main/v3/pipeline");
        let same = "https://db.example.com:8443/near/";
        assert_eq!(target(Some(same)).unwrap(), "https://db.example.com:8443/near/v3/pipeline");
        for other in [
            "https://db.example.com",
            "http://db.example.com:8443",
            "https://db.example.com.evil.example:8443",
            "https://evil.example",
            "http://169.254.169.254",
        ] {
            assert!(target(Some(other)).unwrap_err().contains("another host"), "{other}");
        }
        assert!(target(Some("nowhere")).unwrap_err().contains("no address"));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_special_address_is_not_asked() {
        // The person wrote a name, and nobody wrote that it may lead there.
        let named = door("http://127.0.0.1.nip.invalid:9");
        let error = named.post(None, "v3/pipeline", Vec::new()).await.unwrap_err();
        assert!(error.message.starts_with("cannot be asked: "), "{error}");
        let refused = door("http://127.0.0.1:9").post(None, "v3/pipeline", Vec::new()).await;
        let error = refused.unwrap_err();
        assert!(error.message.contains("cannot be reached") && !error.sent, "{error}");
    }

    #[tokio::test]
    async fn a_service_that_wants_a_token_or_breaks_off_was_asked() {
        let answers = [Some("HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n"), None];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            use std::io::{BufRead as _, Write as _};
            for (answer, stream) in answers.into_iter().zip(listener.incoming()) {
                let mut stream = stream.unwrap();
                let mut head = std::io::BufReader::new(stream.try_clone().unwrap()).lines();
                while head.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
                stream.write_all(answer.unwrap_or_default().as_bytes()).unwrap();
            }
        });
        let door = door(&format!("http://{address}"));
        let error = door.post(None, "v3/pipeline", Vec::new()).await.unwrap_err();
        assert!(error.message.starts_with("wants a token; `hydroid config set"), "{error}");
        let error = door.post(None, "v3/pipeline", Vec::new()).await.unwrap_err();
        assert!(error.message.contains("broke off") && error.sent, "{error}");
    }
}
