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

/// `web_fetch` follows by itself; where the credential is for the first origin only, the second
/// does not see it, and coming back it is attached again.
#[tokio::test]
async fn a_credential_does_not_follow_a_redirect_to_another_origin() {
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
    let url = format!("{0}/to?{1}/to?{0}/end", own.origin(), other.origin());
    let output = scene.call("web_fetch", &format!(r#"{{"url":"{url}"}}"#)).await;
    assert!(!output.is_error && text(&output).contains("ok"), "{output:?}");
    let carries = |canary: &Canary| -> Vec<bool> {
        canary.heads().iter().map(|head| head.contains(&format!("Bearer {SECRET}"))).collect()
    };
    assert_eq!((carries(&own), carries(&other)), (vec![true, true], vec![false]));
    assert!(!other.heads().concat().contains(SECRET));
}

#[tokio::test]
async fn a_redirect_to_where_nothing_is_granted_ends_there() {
    let (own, other) = (Canary::start(), Canary::start());
    let config = format!("[egress]\nallow_private = [\"{}\", \"{}\"]", own.address, other.address);
    let scene = scene_adapted(&["tool-web"], &config, &[], |_| {});
    let hosts = [own.origin()].into();
    scene
        .grants
        .lock()
        .unwrap()
        .components
        .insert("tool-web".into(), Entry { hosts, ..Entry::default() });
    scene.catalog.refresh().unwrap();
    let url = format!("{}/to?{}/", own.origin(), other.origin());
    let output = scene.call("web_fetch", &format!(r#"{{"url":"{url}"}}"#)).await;
    let command = format!("hydroid component grant tool-web web --host {}", other.origin());
    assert!(output.is_error && text(&output).contains(&command), "{output:?}");
    assert_eq!((own.heads().len(), other.heads().len()), (1, 0));
}
