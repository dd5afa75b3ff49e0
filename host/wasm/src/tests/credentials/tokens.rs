//! OAuth 2 against a server that counts: what is exchanged, how often, and what is done when the
//! service has forgotten a token or gives another refresh token.

use super::echo::{Echo, FIRST_TOKEN};
use crate::egress::{Credential, Egress, EgressError, EgressSettings, Outgoing, Part, Target};
use hydroid_core::capability::{Grant, Profile};
use hydroid_core::config;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{Manifest, Place};
use hydroid_core::ports::SecretValue;
use hydroid_core::scrub::LiveScrubber;
use serde_json::json;

struct Scene {
    server: Echo,
    egress: Egress,
    grant: Grant,
    manifest: Manifest,
    scrubber: LiveScrubber,
}

const REFRESH: &str =
    "kind = \"oauth2-refresh-token\"\nclient_id = \"id\"\nclient_secret = \"secret\"";
const EXCHANGE: &str = "kind = \"token-exchange\"\ntoken_attach = \"header:Authorization:token \"\nheaders = { Editor = \"hydroid\" }";
const CLIENT: &str = "kind = \"oauth2-client-credentials\"\nclient_id = \"id\"\nscopes = [\"a.read\", \"b\"]\naudience = \"https://api\"";

fn scene(sign: &str) -> Scene {
    let server = Echo::start();
    let here = format!("http://{}", server.address);
    let manifest = format!(
        "name = \"t\"\nversion = \"1.0.0\"\n{}{}[secrets.key]\nhosts = [\"{here}\"]\n[secrets.key.sign]\n{sign}\ntoken_url = \"{here}/token\"\n",
        if sign.contains("client_id") { "[secrets.id]\nattach = \"part\"\n" } else { "" },
        if sign.contains("client_secret") { "[secrets.secret]\nattach = \"part\"\n" } else { "" }
    );
    let egress = Egress::new(EgressSettings {
        allow_private: vec![server.address],
        authorities: None,
        dns: None,
        counter: None,
        limits: config::Egress::default(),
    });
    let grant = Grant {
        profiles: [Profile::Web].into(),
        web: vec![here.parse().unwrap()],
        ..Grant::default()
    };
    let scrubber = LiveScrubber::fixed(Vec::new(), Vec::new()).unwrap();
    Scene { server, egress, grant, manifest: Manifest::parse(&manifest).unwrap(), scrubber }
}

impl Scene {
    fn credential(&self, value: &str) -> Credential {
        let part = |name: &str, value: &str| Part {
            name: name.into(),
            audience: Vec::new(),
            value: SecretValue::new(value.into()),
        };
        let audience = vec![format!("http://{}", self.server.address).parse().unwrap()];
        let value = SecretValue::new(value.into());
        Credential {
            attach: self.manifest.secrets["key"].attach.clone(),
            parts: vec![part("id", "client:1"), part("secret", "client/secret")],
            scrubber: Some(self.scrubber.clone()),
            ..Credential::placed("key", audience, Place::Bearer, value)
        }
    }

    async fn get(&self, value: &str) -> Result<u16, EgressError> {
        self.get_as("t", value).await
    }

    async fn get_as(&self, component: &str, value: &str) -> Result<u16, EgressError> {
        self.send(component, self.credential(value)).await
    }

    async fn send(&self, component: &str, credential: Credential) -> Result<u16, EgressError> {
        let outgoing = Outgoing {
            target: Target::parse(&format!("http://{}/api", self.server.address)).unwrap(),
            method: http::Method::GET,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            timeout: None,
        };
        let component = ComponentId::new(component);
        let credential = Some(credential);
        let mut answer = self.egress.send(&component, &self.grant, outgoing, credential).await?;
        while answer.next().await?.is_some() {}
        Ok(answer.status)
    }
}

#[tokio::test]
async fn a_client_says_who_it_is_and_what_it_wants() {
    let scene = scene(CLIENT);
    scene.get("p@ss word").await.unwrap();
    let exchange = &scene.server.exchanges()[0];
    // `client%3A1:p%40ss+word`
    assert!(
        exchange.contains("authorization: Basic Y2xpZW50JTNBMTpwJTQwc3Mrd29yZA=="),
        "{exchange}"
    );
    assert!(
        exchange.ends_with(
            "\r\n\r\ngrant_type=client_credentials&scope=a.read+b&audience=https%3A%2F%2Fapi"
        ),
        "{exchange}"
    );
    let sent = scene.server.requests().pop().unwrap();
    assert!(sent.contains(&format!("authorization: Bearer {FIRST_TOKEN}")), "{sent}");
    let in_body = self::scene(&format!("{CLIENT}\nclient_auth = \"body\""));
    in_body.get("value").await.unwrap();
    let exchange = &in_body.server.exchanges()[0];
    assert!(exchange.ends_with("&client_id=client%3A1&client_secret=value"), "{exchange}");
    assert!(!exchange.contains("authorization"), "{exchange}");
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_it_expires() {
    let scene = scene(CLIENT);
    scene.server.extra(json!({"expires_in": 3600}));
    for _ in 0..3 {
        scene.get("value").await.unwrap();
    }
    assert_eq!(scene.server.exchanges().len(), 1);
    scene.get("another value").await.unwrap();
    assert_eq!(scene.server.exchanges().len(), 2);
    scene.get_as("other", "another value").await.unwrap();
    assert_eq!(scene.server.exchanges().len(), 3, "each component has its own");
    let short = self::scene(CLIENT);
    short.server.extra(json!({"expires_in": "0"}));
    for _ in 0..2 {
        short.get("value").await.unwrap();
    }
    assert_eq!(short.server.exchanges().len(), 2);
}

#[tokio::test]
async fn tokens_obtained_at_run_time_are_masked_from_then_on() {
    let scene = scene(REFRESH);
    scene.server.extra(json!({"refresh_token": "another refresh token"}));
    let text = format!("{FIRST_TOKEN}, another refresh token");
    assert_eq!(scene.scrubber.current().mask_known(&text), text);
    scene.get("value").await.unwrap();
    assert_eq!(scene.scrubber.current().mask_known(&text), "[secret:key], [secret:key]");
}

#[tokio::test]
async fn requests_at_once_share_one_exchange() {
    let scene = scene(CLIENT);
    let all = futures_util::future::join_all((0..5).map(|_| scene.get("value"))).await;
    assert!(all.iter().all(|status| matches!(status, Ok(200))), "{all:?}");
    assert_eq!(scene.server.exchanges().len(), 1);
}

#[tokio::test]
async fn a_forgotten_token_is_renewed_once() {
    let scene = scene(CLIENT);
    scene.get("value").await.unwrap();
    scene.server.revoke_all();
    assert_eq!(scene.get("value").await.unwrap(), 200);
    assert_eq!(scene.server.exchanges().len(), 2);
    // A service that refuses every token is not asked for ever.
    let server = &scene.server;
    server.extra(json!({"access_token": "tok-1-refused"}));
    server.revoke_all();
    let before = server.requests().len();
    assert_eq!(scene.get("value").await.unwrap(), 401);
    assert_eq!(server.requests().len() - before, 3);
}

#[tokio::test]
async fn a_new_refresh_token_takes_the_place_of_the_old_one() {
    let scene = scene(REFRESH);
    scene.server.extra(json!({"expires_in": 0, "refresh_token": "second"}));
    scene.get("first").await.unwrap();
    scene.server.extra(json!({"expires_in": 0, "refresh_token": "third"}));
    // What is configured may be the old one still, or the new one if there is a store.
    scene.get("first").await.unwrap();
    scene.get("second").await.unwrap();
    let sent: Vec<String> = scene.server.exchanges();
    for (exchange, token) in sent.iter().zip(["first", "second", "third"]) {
        assert!(exchange.contains(&format!("refresh_token={token}")), "{exchange}");
        assert!(exchange.contains("authorization: Basic "), "{exchange}");
    }
    // A person set another one: that counts.
    scene.get("by hand").await.unwrap();
    assert!(scene.server.exchanges()[3].contains("refresh_token=by+hand"));
}

/// As GitHub Copilot wants it: a token for a token, by `GET`, with the time of day it ends.
#[tokio::test]
async fn a_long_lived_token_is_shown_for_one_of_a_short_life() {
    let scene = scene(EXCHANGE);
    scene.server.extra(json!({"token": "short-1", "expires_at": 1_000_000}));
    let at = |now_ms| Credential { now_ms, ..scene.credential("long") };
    let get = async |credential| scene.send("t", credential).await.unwrap();
    assert_eq!(get(at(999_000_000)).await, 200);
    let shown = &scene.server.requests()[0];
    assert!(shown.starts_with("GET /token "), "{shown}");
    assert!(shown.contains("authorization: token long") && shown.contains("editor: hydroid"));
    let sent = scene.server.requests().pop().unwrap();
    assert!(sent.contains("authorization: Bearer short-1") && !sent.contains("long"), "{sent}");
    get(at(999_000_000)).await;
    assert_eq!(scene.server.requests().len(), 3, "the token is used again");
    let over = self::scene(EXCHANGE);
    over.server.extra(json!({"token": "short-1", "expires_at": 1_000_000}));
    for _ in 0..2 {
        let late = Credential { now_ms: 1_000_000_000, ..over.credential("long") };
        over.send("t", late).await.unwrap();
    }
    assert_eq!(over.server.requests().len(), 4, "it was over when it came");
    over.server.refuse_tokens(401, "value");
    let asked = Credential { login: true, now_ms: 1_000_000_000, ..over.credential("long") };
    let error = over.send("t", asked).await.unwrap_err().to_string();
    assert!(error.contains("sign in again with `hydroid provider login key`"), "{error}");
}

#[tokio::test]
async fn a_refusal_of_the_endpoint_is_told_without_its_text() {
    let scene = scene(REFRESH);
    for (status, body, expect) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"value is bad"}"#,
            "status 400 (invalid_grant)",
        ),
        (400, r#"{"error":"value"}"#, "answered with status 400;"),
        (302, "", "answered with status 302"),
        (200, "{}", "not JSON with an `access_token`"),
        (200, r#"{"access_token":"value"#, "not JSON with an `access_token`"),
        (200, r#"{"access_token":""}"#, "empty `access_token`"),
        (200, r#"{"access_token":"value","token_type":"DPoP"}"#, "not `bearer`"),
    ] {
        scene.server.refuse_tokens(status, body);
        let error = scene.get("value").await.unwrap_err().to_string();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
        assert!(error.contains("hydroid secret set key") && !error.contains("value"), "{error}");
    }
    assert_eq!(scene.server.exchanges().len(), scene.server.requests().len());
}

#[tokio::test]
async fn no_exchange_is_made_where_the_grant_or_the_audience_ends() {
    let mut scene = scene(CLIENT);
    scene.grant.web = vec![format!("GET http://{}", scene.server.address).parse().unwrap()];
    let error = scene.get("value").await.unwrap_err();
    assert!(matches!(error, EgressError::NotGranted(_)), "{error}");
    scene.grant.web = vec![format!("http://{}/other", scene.server.address).parse().unwrap()];
    assert!(matches!(scene.get("value").await, Err(EgressError::NotGranted(_))));
    scene.grant.web = vec![format!("http://{}", scene.server.address).parse().unwrap()];
    let mut credential = scene.credential("value");
    credential.audience = vec![format!("http://{}/api", scene.server.address).parse().unwrap()];
    let target = Target::parse(&format!("http://{}/api", scene.server.address)).unwrap();
    let outgoing = Outgoing {
        target,
        method: http::Method::GET,
        headers: http::HeaderMap::new(),
        body: bytes::Bytes::new(),
        timeout: None,
    };
    let sent =
        scene.egress.send(&ComponentId::new("t"), &scene.grant, outgoing, Some(credential)).await;
    assert!(matches!(sent, Err(EgressError::Audience { .. })));
    assert_eq!(scene.server.requests().len(), 0);
}
