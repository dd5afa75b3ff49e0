//! What is configured of the listener.

use super::{ConfigError, Seconds, Size};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Smallest message of a client that can be configured: a `hello` with what it resumes has to fit.
const SMALLEST_MESSAGE: u64 = 16 << 10;

/// Largest one: an attachment in one piece, in base64.
const LARGEST_MESSAGE: u64 = 16 << 20;

/// The listener.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Gateway {
    pub bind: String,
    pub echo: bool,
    pub hosts: Vec<String>,
    pub insecure: bool,
    pub max_connections: usize,
    pub max_message: Size,
    pub origins: Vec<String>,
    pub queued_messages: usize,
    pub requests_per_minute: u32,
    pub session_idle: Seconds,
    pub sessions_per_user: usize,
    pub tls_cert: Option<String>,
    pub tls_key: Option<String>,
    pub turns_per_user: usize,
    pub webhooks: BTreeMap<String, Webhook>,
}

/// Something outside that says something in a session.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "documented once, in KEYS")]
pub struct Webhook {
    pub session: String,
    pub secret: String,
    pub user: Option<String>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:7717".to_owned(),
            echo: false,
            hosts: Vec::new(),
            insecure: false,
            max_connections: 2_048,
            max_message: Size(1 << 20),
            origins: Vec::new(),
            queued_messages: 8,
            requests_per_minute: 600,
            session_idle: Seconds(30 * 60),
            sessions_per_user: 50,
            tls_cert: None,
            tls_key: None,
            turns_per_user: 10,
            webhooks: BTreeMap::new(),
        }
    }
}

impl Gateway {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |text: String| Err(ConfigError::Value(text));
        if self.bind.parse::<SocketAddr>().is_err() {
            return wrong(format!(
                "`gateway.bind` is `{}`; it is an address with a port, like `127.0.0.1:7717` or `[::1]:7717`",
                self.bind
            ));
        }
        let is_here = self.bind.parse().is_ok_and(|bind: SocketAddr| bind.ip().is_loopback());
        if self.echo && !is_here {
            return wrong("`gateway.echo` is for tests on this machine; take it out, or let `gateway.bind` be a loopback address".into());
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return wrong(
                "`gateway.tls_cert` and `gateway.tls_key` are set together, or neither".into(),
            );
        }
        if self.max_connections == 0
            || self.queued_messages == 0
            || self.requests_per_minute == 0
            || self.session_idle.0 == 0
            || self.sessions_per_user == 0
            || self.turns_per_user == 0
        {
            return wrong("`gateway.max_connections`, `gateway.queued_messages`, `gateway.requests_per_minute`, `gateway.session_idle`, `gateway.sessions_per_user` and `gateway.turns_per_user` are at least 1".into());
        }
        if !(SMALLEST_MESSAGE..=LARGEST_MESSAGE).contains(&self.max_message.0) {
            return wrong(format!(
                "`gateway.max_message` is from {} to {}",
                Size(SMALLEST_MESSAGE),
                Size(LARGEST_MESSAGE)
            ));
        }
        for origin in &self.origins {
            let is_origin = url::Url::parse(origin)
                .is_ok_and(|url| url.origin().ascii_serialization() == *origin);
            if !is_origin {
                return wrong(format!(
                    "`gateway.origins` has `{origin}`; it lists origins, like `https://hydroid.example`"
                ));
            }
        }
        for host in &self.hosts {
            if host.is_empty()
                || host.contains(['/', ':', '@'])
                || host.contains(char::is_whitespace)
            {
                return wrong(format!(
                    "`gateway.hosts` has `{host}`; it lists names without a port, like `hydroid.example`"
                ));
            }
        }
        Ok(())
    }
}
