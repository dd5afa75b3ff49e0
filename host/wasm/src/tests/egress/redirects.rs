//! Redirects: never followed by the host, and each hop of a guest is judged and equipped anew.

use super::super::{scene_adapted, text};
use super::canary::Canary;
use super::{get, grant, settings};
use crate::egress::Egress;
use crate::grants::Entry;
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::{Attach, SecretWant};

const SECRET: &str = "sk-0123456789abcdef";

#[tokio::test]
async fn the_host_does_not_follow_a_redirect() {
    let (from, to) = (Canary::start(), Canary::start());
    let egress = Egress::new(settings(&[from.address, to.address]));
    let outgoing = get(&format!("{}/to?{}/", from.origin(), to.origin()));
    let answer = egress
        .send(&ComponentId::new("test"), &grant(&from.origin()), outgoing, None)
        .await
        .unwrap();
    assert_eq!((answer.status, to.heads().len()), (302, 0));
}

/// `web_fetch` follows within one place. Another one was put neither to the rules nor to a person,
/// so it is told to the model, which can ask for it.
#[tokio::test]
async fn a_redirect_to_another_place_is_told_and_not_followed() {
    let (own, other) = (Canary::start(), Canary::start());
    let config = format!(
        "[egress]\nallow_private = [\"{}\", \"{}\"]\n[secrets.key]\nenv = \"UNUSED\"",
        own.address, other.address
    );
    let scene = scene_adapted(&["tool-web"], &config, &[("key", SECRET)], |manifest| {
        let want = SecretWant {
            hosts: vec![own.origin()],
            attach: Attach::Place("bearer".parse().unwrap()),
            optional: false,
            help: String::new(),
            login: None,
        };
        manifest.secrets.insert("key".into(), want);
    });
    let hosts = [own.origin(), other.origin()].into();
    scene
        .grants
        .lock()
        .unwrap()
        .components
        .insert("tool-web".into(), Entry { hosts, ..Entry::default() });
    scene.catalog.refresh().unwrap();
    let within = format!(r#"{{"url":"{0}/to?{0}/end"}}"#, own.origin());
    let output = scene.call("web_fetch", &within).await;
    assert!(!output.is_error && text(&output).contains("ok"), "{output:?}");
    let away = format!(r#"{{"url":"{}/to?{}/end"}}"#, own.origin(), other.origin());
    let output = scene.call("web_fetch", &away).await;
    assert!(output.is_error && text(&output).contains("another place"), "{output:?}");
    let carried: Vec<bool> =
        own.heads().iter().map(|head| head.contains(&format!("Bearer {SECRET}"))).collect();
    assert_eq!((carried, other.heads().len()), (vec![true, true, true], 0));
}
