//! `hydroid debug mcp-client`: the client against a server that watches it, such as one of the
//! conformance suite. It signs in without a person, reaches every port of this machine, and calls
//! every tool; nothing of it is kept.

use super::call::{Suggested, print};
use crate::audited;
use crate::exit::Exit;
use crate::wire::{Ground, SystemClock};
use anyhow::{Context, Result, anyhow, bail};
use futures_util::FutureExt as _;
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::manifest::Place as Attached;
use hydroid_core::ports::{SecretError, SecretValue, Secrets};
use hydroid_mcp::{ClientParts, ConnectError, Pinned, Place, Protocol, Server, ServerTools};
use hydroid_wasm::egress::{Authorize, Egress, EgressSettings, Outgoing, Target};
use hydroid_wasm::{RemoteCredential, RemoteDoor, RemoteParts, RemotePlace, problems_of};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What the server is called.
const NAME: &str = "driven";

/// Where nobody listens: the address is read where the browser would be sent.
const REDIRECT: &str = "http://127.0.0.1:33418/callback";

/// Where a suite says that this client is described.
const DESCRIBED: &str = "https://conformance-test.local/client-metadata.json";

/// How often more is asked for before it is given up.
const MOST_LOGINS: usize = 3;

/// The token that was obtained.
#[derive(Default)]
struct Held(Mutex<Option<SecretValue>>);

impl Secrets for Held {
    fn value(&self, _: &UserId, _: &str) -> Result<Option<SecretValue>, SecretError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn known_values(&self, _: &UserId) -> Vec<SecretValue> {
        Vec::new()
    }
}

/// Runs the command. The context is what a suite hands to a client.
pub(crate) async fn run(
    ground: &Ground,
    url: &str,
    context: Option<&str>,
    sessionless: bool,
) -> Result<Exit> {
    let context: Value = match context.filter(|text| !text.is_empty()) {
        Some(text) => serde_json::from_str(text).context("the context is not JSON")?,
        None => Value::Null,
    };
    let protocol = if sessionless { Protocol::Sessionless } else { Protocol::Handshake };
    let held = Arc::new(Held::default());
    let place = Place::Http { url: url.to_owned(), secret: None, attach: None, oauth: None };
    let server = Server { place, tools: String::new(), only: Vec::new() };
    let (mut logins, mut scopes) = (0, Vec::new());
    loop {
        let client = client(ground, url, &held).await?;
        let arguments =
            |name: &str, schema: &Value| told(&context, name).unwrap_or_else(|| made(schema));
        match client.drive(NAME, &server, protocol, arguments).await {
            Ok(outputs) => {
                for output in outputs {
                    print(ground, output)?;
                }
                return Ok(Exit::Done);
            }
            Err(ConnectError::SignIn { challenge, .. }) if logins < MOST_LOGINS => {
                logins += 1;
                let token = login(ground, url, &challenge, &context, &mut scopes).await?;
                *held.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn client(ground: &Ground, url: &str, held: &Arc<Held>) -> Result<ServerTools> {
    let database = ground.database().await?;
    let has_token = held.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    let url = url.to_owned();
    let find = move |_: &str| {
        let credential = if has_token {
            RemoteCredential::Placed { secret: "token".to_owned(), place: Attached::Bearer }
        } else {
            RemoteCredential::None
        };
        Some(RemotePlace { url: url.clone(), credential })
    };
    let door = RemoteDoor::new(RemoteParts {
        egress: Arc::new(egress(ground)),
        secrets: Arc::clone(held) as Arc<dyn Secrets>,
        audit: Arc::new(audited::log_of(&database)),
        scrubber: ground.scrubber.clone(),
        clock: Arc::new(SystemClock),
        config: Arc::clone(&ground.config),
        user: ground.user(),
        find: Box::new(find),
    });
    Ok(ServerTools::new(ClientParts {
        servers: Arc::new(BTreeMap::<String, (Server, Pinned)>::new),
        remotes: Arc::new(door),
        digest_of: Arc::new(crate::servers::digest_of),
        variable: Arc::new(|_| None),
        compile: Arc::new(problems_of),
        answerer: Arc::new(Suggested),
        call_time: Duration::from_secs(20),
        largest: 8 << 20,
        output: 8 << 20,
    }))
}

/// The door with every port of this machine open.
fn egress(ground: &Ground) -> Egress {
    let ports = 1024..=u16::MAX;
    let here = |port| {
        [
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        ]
    };
    Egress::new(EgressSettings {
        allow_private: ports.flat_map(here).collect(),
        authorities: None,
        dns: None,
        counter: None,
        limits: ground.config.egress.clone(),
    })
}

async fn login(
    ground: &Ground,
    url: &str,
    challenge: &str,
    context: &Value,
    scopes: &mut Vec<String>,
) -> Result<SecretValue> {
    let text = |key: &str| context.get(key).and_then(Value::as_str);
    let secret = text("client_secret").map(|secret| SecretValue::new(secret.to_owned()));
    let component = ComponentId::new(format!("mcp-{NAME}"));
    let authorize = Authorize {
        server: &component,
        url,
        challenge,
        redirect: REDIRECT,
        client: text("client_id").map(|id| (id, secret.as_ref())),
        described_at: Some(DESCRIBED),
        scopes,
    };
    let door = Arc::new(egress(ground));
    let behind = Arc::clone(&door);
    let authorized = authorize
        .run(&door, move |to| {
            async move { browse(&behind, &to).await.map_err(|error| format!("{error:#}")) }.boxed()
        })
        .await?;
    *scopes = authorized.scopes;
    Ok(authorized.access)
}

/// What a browser does whose person says yes at once.
async fn browse(egress: &Egress, to: &str) -> Result<String> {
    let target = Target::parse(to)?;
    let rule = target.grantable().parse().map_err(|_| anyhow!("the address cannot be a rule"))?;
    let grant = Grant { profiles: [Profile::Web].into(), web: vec![rule], ..Grant::default() };
    let outgoing = Outgoing {
        target,
        method: "GET".parse().context("a method")?,
        headers: Default::default(),
        body: Default::default(),
        timeout: None,
    };
    let answer = egress.send(&ComponentId::new("browser"), &grant, outgoing, None).await?;
    let back = answer.headers.get("location").and_then(|place| place.to_str().ok());
    match back {
        Some(back) => Ok(back.to_owned()),
        None => bail!("the browser was not sent back, but shown status {}", answer.status),
    }
}

/// What a suite wants a tool to be called with, if it says so.
fn told(context: &Value, tool: &str) -> Option<Map<String, Value>> {
    let calls = context.get("toolCalls")?.as_array()?;
    let call = calls.iter().find(|call| call["name"] == tool)?;
    call["arguments"].as_object().cloned()
}

/// Arguments that fit a simple schema.
fn made(schema: &Value) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let value = |about: &Value| match about.get("type").and_then(Value::as_str) {
        Some("number" | "integer") => json!(5),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        Some(_) | None => json!("text"),
    };
    let made = properties.into_iter().flatten();
    made.map(|(name, about)| (name.clone(), value(about))).collect()
}
