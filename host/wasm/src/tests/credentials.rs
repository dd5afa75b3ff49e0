//! Credentials from the manifest to the wire: a real component asks, a real server gets what it
//! should and sends all of it back, and the component's whole memory is searched for it.

mod echo;
mod login;
mod rotation;
mod tokens;

use super::{Scene, scene_adapted, text};
use echo::Echo;
use hydroid_core::manifest::Manifest;
use serde_json::json;

const KEY: &str = "sk-live/4f9a+Zq7\"é0kd83hf";
const ID: &str = "AKIDPARTOFAKEY77";
const SESSION: &str = "session+token/9d8f7a6b5c==";
const HEX_KEY: &str = "00112233445566778899aabbccddeeff";

/// A host with one component whose manifest has these credentials, all set.
fn scene_of(component: &str, server: &Echo, secrets: &str) -> Scene {
    scene_with_values(component, server, secrets, &values())
}

fn values() -> Vec<(&'static str, &'static str)> {
    let header_safe = "sk-live/4f9a+Zq70kd83hf";
    vec![("key", header_safe), ("odd", KEY), ("id", ID), ("session", SESSION), ("hex", HEX_KEY)]
}

fn scene_with_values(
    component: &str,
    server: &Echo,
    secrets: &str,
    values: &[(&str, &str)],
) -> Scene {
    let manifest = format!(
        "name = \"{component}\"\nversion = \"1.0.0\"\n[wants.web]\nreason = \"r\"\nhosts = [\"http://{0}\"]\n{1}",
        server.address,
        secrets.replace("HERE", &format!("http://{}", server.address))
    );
    let config =
        format!("[egress]\nallow_private = [\"{}\"]\n[limits]\ncall = \"60s\"", server.address);
    scene_adapted(&[component], &config, values, |own| {
        *own = Manifest::parse(&manifest).unwrap();
    })
}

/// Every form of a text that a service could send back, last byte first.
fn reversed_forms(value: &str) -> Vec<String> {
    let mut forms = echo::encodings(value.as_bytes());
    forms.extend(echo::inner_base64(value.as_bytes()));
    forms.retain(|form| form.len() >= 6);
    forms.iter().map(|form| form.chars().rev().collect()).collect()
}

/// Calls with a credential and returns what the tool said; the request reached the server with
/// `sent` in it, and no form of `values` is anywhere in the component's memory afterwards.
async fn check(secrets: &str, name: &str, more: serde_json::Value, sent: &str, values: &[&str]) {
    let server = Echo::start();
    let scene = scene_of("test-tool-web", &server, secrets);
    let peeks: Vec<String> = values.iter().flat_map(|value| reversed_forms(value)).collect();
    let mut arguments = json!({
        "url": format!("http://{}/{{token}}/x?a=1", server.address),
        "secret": name,
        "as_declared": true,
        "peek_all_reversed": peeks,
    });
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let output = scene.call("dial", &arguments.to_string()).await;
    let told = text(&output);
    assert!(told.contains("200 from"), "{secrets}: {told}");
    assert!(told.matches("found: 0 times").count() == peeks.len(), "{secrets}: {told}");
    let requests = server.requests();
    assert!(requests.last().unwrap().contains(sent), "expected `{sent}` in: {requests:?}");
    for value in values {
        assert!(!told.contains(value), "{told}");
    }
}

const PLACED: [(&str, &str); 6] = [
    ("bearer", "Bearer sk-live/4f9a+Zq70kd83hf"),
    ("basic:me", "Basic bWU6c2stbGl2ZS80ZjlhK1pxNzBrZDgzaGY="),
    ("header:X-Key:Token ", "x-key: Token sk-live/4f9a+Zq70kd83hf"),
    ("query:k", "?a=1&k=sk-live%2F4f9a%2BZq70kd83hf"),
    ("path:{token}", "/sk-live%2F4f9a+Zq70kd83hf/x?a=1"),
    ("header:Cookie:session=", "cookie: session=sk-live/4f9a+Zq70kd83hf"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_placed_value_is_in_the_guests_memory() {
    for (place, sent) in PLACED {
        let secrets = format!("[secrets.key]\nhosts = [\"HERE\"]\nattach = \"{place}\"\n");
        check(&secrets, "key", json!({}), sent, &["sk-live/4f9a+Zq70kd83hf"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_value_in_the_body_is_in_the_guests_memory() {
    let secrets =
        |place: &str| format!("[secrets.odd]\nhosts = [\"HERE\"]\nattach = \"{place}\"\n");
    let body = json!({
        "method": "POST",
        "headers": ["content-type: application/json"],
        "body": "{\"auth\":{\"user\":\"u\"},\"n\":1.0}",
    });
    let sent = format!("{{\"auth\":{{\"key\":{},\"user\":\"u\"}},\"n\":1.0}}", json!(KEY));
    check(&secrets("body:/auth/key"), "odd", body, &sent, &[KEY]).await;
    let form = json!({
        "method": "POST",
        "headers": ["content-type: application/x-www-form-urlencoded"],
        "body": "a=b",
    });
    let sent = "a=b&client_secret=sk-live%2F4f9a%2BZq7%22%C3%A90kd83hf";
    check(&secrets("form:client_secret"), "odd", form, sent, &[KEY]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_signing_key_is_in_the_guests_memory() {
    let hmac = "[secrets.id]\nattach = \"part\"\n[secrets.hex]\nhosts = [\"HERE\"]\nattach = \"header:X-Signature:v1=\"\n[secrets.hex.sign]\nkind = \"hmac\"\nkey = \"hex\"\ntext = \"{method} {target} {timestamp} {body}\"\ntimestamp = \"header:X-Time\"\nid = \"id\"\nid_attach = \"header:X-Id\"\n";
    let post = json!({"method": "POST", "body": "hello"});
    check(hmac, "hex", post, "x-signature: v1=", &[HEX_KEY, ID]).await;
    let aws = "[secrets.id]\nattach = \"part\"\n[secrets.session]\nattach = \"part\"\n[secrets.key]\nhosts = [\"HERE\"]\n[secrets.key.sign]\nkind = \"aws-sigv4\"\nregion = \"eu-west-1\"\nservice = \"execute-api\"\naccess_key = \"id\"\nsession_token = \"session\"\n";
    let values = ["sk-live/4f9a+Zq70kd83hf", ID, SESSION];
    check(aws, "key", json!({}), &format!("Credential={ID}/"), &values).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_token_or_of_what_it_was_exchanged_for_is_in_the_guests_memory() {
    let oauth = "[secrets.id]\nattach = \"part\"\n[secrets.key]\nhosts = [\"HERE\"]\n[secrets.key.sign]\nkind = \"oauth2-client-credentials\"\ntoken_url = \"HERE/token\"\nclient_id = \"id\"\n";
    let values = ["sk-live/4f9a+Zq70kd83hf", ID, echo::FIRST_TOKEN];
    check(oauth, "key", json!({}), &format!("Bearer {}", echo::FIRST_TOKEN), &values).await;
}

/// The search itself finds what is there: what the guest sent itself comes back unmasked.
#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_what_a_service_echoes() {
    let server = Echo::start();
    let scene = scene_of("test-tool-web", &server, "");
    let own = "not-a-secret-0123456789";
    let arguments = json!({
        "url": format!("http://{}/?q={own}", server.address),
        "peek_all_reversed": reversed_forms(own),
    });
    let told = text(&scene.call("dial", &arguments.to_string()).await);
    // Of the three ways base64 can write it, a server that shows two leaves one out.
    assert!(told.matches("found: 0 times").count() <= 1, "{told}");
}

async fn dial(scene: &Scene, server: &Echo, path: &str, more: serde_json::Value) -> String {
    let mut arguments = json!({"url": format!("http://{}{path}", server.address)});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&scene.call("dial", &arguments.to_string()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_cannot_bring_a_credential_of_its_own() {
    let server = Echo::start();
    let secrets = "[secrets.key]\nhosts = [\"HERE\"]\nattach = \"header:X-Key\"\n[secrets.odd]\nhosts = [\"HERE/v1\"]\nattach = \"query:k\"\n";
    let scene = scene_of("test-tool-web", &server, secrets);
    for (path, more, expect) in [
        (
            "/",
            json!({"headers": ["X-KEY: mine"]}),
            "the header `x-key` is set by the host with the secret `key`",
        ),
        (
            "/",
            json!({"headers": ["x-key: mine"], "secret": "key", "as_declared": true}),
            "leave it out",
        ),
        ("/?%6b=mine", json!({}), "the query parameter `k` is set by the host"),
        (
            "/",
            json!({"headers": ["authorization: Bearer mine"]}),
            "the header `authorization` is set by the host",
        ),
    ] {
        let told = dial(&scene, &server, path, more).await;
        assert!(told.contains(expect), "expected `{expect}` in: {told}");
    }
    assert_eq!(server.requests().len(), 0);
    assert!(dial(&scene, &server, "/", json!({"headers": ["x-other: y"]})).await.contains("200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_for_its_path_and_its_place() {
    let server = Echo::start();
    let secrets = "[secrets.key]\nhosts = [\"HERE/v1\"]\nattach = \"header:X-Key\"\n[secrets.id]\nattach = \"part\"\n[secrets.hex]\nhosts = [\"HERE\"]\n[secrets.hex.sign]\nkind = \"aws-sigv4\"\nregion = \"eu-west-1\"\nservice = \"s3\"\naccess_key = \"id\"\n";
    let scene = scene_of("test-tool-web", &server, secrets);
    let declared = |name: &str| json!({"secret": name, "as_declared": true});
    assert!(dial(&scene, &server, "/v1/x", declared("key")).await.contains("200"));
    for (path, more, expect) in [
        ("/v2", declared("key"), "may not be sent to"),
        ("/v1/..%3b/v2", declared("key"), "may not be sent to"),
        ("/v1", json!({"secret": "key"}), "in another place"),
        ("/v1", declared("id"), "only by the signer of another"),
    ] {
        let told = dial(&scene, &server, path, more).await;
        assert!(told.contains(expect), "{path}: expected `{expect}` in: {told}");
    }
    assert_eq!(server.requests().len(), 1);
}

/// A region scopes a signature; the hosts of the credential are what says where it goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_the_requests_to_name_only_where_the_manifest_says_so() {
    let server = Echo::start();
    let secrets = "[secrets.id]\nattach = \"part\"\n[secrets.key]\nhosts = [\"HERE\"]\n[secrets.key.sign]\nkind = \"aws-sigv4\"\nregion = \"{region}\"\nservice = \"bedrock\"\naccess_key = \"id\"\n";
    let open = scene_of("test-tool-web", &server, secrets);
    let named = |region: &str| json!({"secret": "key", "region": region});
    assert!(dial(&open, &server, "/", named("eu-west-3")).await.contains("200"));
    let sent = server.requests().pop().unwrap();
    assert!(sent.contains("/eu-west-3/bedrock/aws4_request"), "{sent}");
    let declared = json!({"secret": "key", "as_declared": true});
    let told = dial(&open, &server, "/", declared).await;
    assert!(told.contains("takes the region from the request"), "{told}");
    for region in ["", "eu west", "EU", "eu-west-3/s3/aws4_request", "ü"] {
        let told = dial(&open, &server, "/", named(region)).await;
        assert!(told.contains("in another place"), "{region}: {told}");
    }
    let fixed = scene_of("test-tool-web", &server, &secrets.replace("{region}", "us-east-1"));
    let told = dial(&fixed, &server, "/", named("us-east-1")).await;
    assert!(told.contains("in another place"), "{told}");
    let placed = "[secrets.key]\nhosts = [\"HERE\"]\nattach = \"header:X-Key\"\n";
    let placed = scene_of("test-tool-web", &server, placed);
    let told = dial(&placed, &server, "/", named("us-east-1")).await;
    assert!(told.contains("in another place"), "{told}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_set_is_named_with_the_command_that_sets_it() {
    let server = Echo::start();
    let secrets = "[secrets.id]\nattach = \"part\"\n[secrets.session]\nattach = \"part\"\noptional = true\n[secrets.key]\nhosts = [\"HERE\"]\n[secrets.key.sign]\nkind = \"aws-sigv4\"\nregion = \"eu-west-1\"\nservice = \"s3\"\naccess_key = \"id\"\nsession_token = \"session\"\n";
    let ask = |values: &'static [(&str, &str)]| {
        let server = &server;
        async move {
            let scene = scene_with_values("test-tool-web", server, secrets, values);
            dial(&scene, server, "/", json!({"secret": "key", "as_declared": true})).await
        }
    };
    assert!(ask(&[]).await.contains("hydroid secret set key"));
    assert!(ask(&[("key", KEY)]).await.contains("hydroid secret set id"));
    assert!(ask(&[("key", KEY), ("id", ID)]).await.contains("200"));
    assert!(!server.requests()[0].contains("x-amz-security-token"));
}

/// A program that uses `wasi:http` names no secret; the host takes the one that fits best.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_credentials_the_one_for_the_longest_path_is_taken() {
    let server = Echo::start();
    let secrets = "[secrets.key]\nhosts = [\"HERE\"]\nattach = \"header:X-Whole\"\n[secrets.id]\nhosts = [\"HERE/v1\"]\nattach = \"header:X-Part\"\n";
    let scene = scene_of("tool-web", &server, secrets);
    for (path, header) in [("/v1/a", "x-part: "), ("/v10", "x-whole: "), ("/", "x-whole: ")] {
        let url = format!("http://{}{path}", server.address);
        let output = scene.call("web_fetch", &json!({"url": url}).to_string()).await;
        let sent = server.requests().pop().unwrap();
        assert!(sent.contains(header), "{path}: {sent} {output:?}");
        assert_eq!(sent.matches("x-part: ").count() + sent.matches("x-whole: ").count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_that_fit_alike_are_not_guessed_between() {
    let server = Echo::start();
    let two = "[secrets.key]\nhosts = [\"HERE\"]\nattach = \"header:X-A\"\n[secrets.id]\nhosts = [\"HERE\"]\nattach = \"header:X-B\"\n";
    let unset = "[secrets.gone]\nhosts = [\"HERE\"]\nattach = \"bearer\"\n";
    let optional = "[secrets.gone]\nhosts = [\"HERE\"]\nattach = \"bearer\"\noptional = true\n";
    let url = json!({"url": format!("http://{}/", server.address)}).to_string();
    for (secrets, expect) in
        [(two, "tell them apart by a path"), (unset, "hydroid secret set gone")]
    {
        let scene = scene_of("tool-web", &server, secrets);
        let told = text(&scene.call("web_fetch", &url).await);
        assert!(told.contains(expect), "expected `{expect}` in: {told}");
    }
    assert_eq!(server.requests().len(), 0);
    let scene = scene_of("tool-web", &server, optional);
    let output = scene.call("web_fetch", &url).await;
    assert!(!output.is_error && !server.requests()[0].contains("authorization"), "{output:?}");
}
