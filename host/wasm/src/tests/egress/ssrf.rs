//! URLs that lead inside, from public lists, against canaries on loopback addresses: none is
//! reached. Beside them, URLs of the public web: none, or almost none, is taken for one of those.

use super::canary::Canary;
use super::dns::{NameServer, records};
use super::{body, get, granted, settings};
use crate::egress::{Egress, EgressError, EgressSettings, Target};
use std::net::{IpAddr, Ipv6Addr};

const INSIDE: &str = include_str!("ssrf_urls.txt");
const OUTSIDE: &str = include_str!("legitimate_urls.txt");

/// Most of the legitimate URLs that may be refused.
const FALSE_BLOCKS: usize = 1;

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Names that the lists use, with the addresses they had or stand for.
fn names() -> NameServer {
    NameServer::start(|name, before| match name {
        "localtest.me" | "spoofed.burpcollaborator.net" => records(&["127.0.0.1"]),
        "mail.ebc.apple.com" => records(&["127.0.0.6"]),
        "bugbounty.dod.network" => records(&["127.0.0.2"]),
        "metadata.google.internal" | "metadata" | "instance-data" => records(&["169.254.169.254"]),
        "rancher-metadata" => records(&["169.254.169.250"]),
        name if name.ends_with("169.254.169.254.nip.io") => records(&["169.254.169.254"]),
        name if name.ends_with("127.0.0.1.nip.io") => records(&["127.0.0.1"]),
        // Bound again at every question.
        name if name.ends_with(".1u.ms") => {
            records(if before % 2 == 0 { &["127.0.0.1"] } else { &["127.0.0.2"] })
        }
        _ => Vec::new(),
    })
}

#[tokio::test]
async fn no_url_of_the_public_lists_reaches_a_canary() {
    let first = Canary::start();
    let port = first.address.port();
    // Other spellings lead to other addresses of this machine.
    let others =
        [[127, 0, 0, 2], [127, 0, 0, 6], [127, 0, 1, 3], [127, 127, 127, 127]].map(IpAddr::from);
    let others = others.into_iter().chain([IpAddr::V6(Ipv6Addr::LOCALHOST)]);
    let canaries: Vec<Canary> = std::iter::once(first)
        .chain(others.filter_map(|address| Canary::at(address, port)))
        .collect();
    let dns = names();
    let closed = Egress::new(EgressSettings { dns: Some(dns.address), ..settings(&[]) });
    let system = Egress::new(settings(&[]));
    let any = granted("*:*");
    let mut tried = 0;
    for line in lines(INSIDE) {
        let url = line.replace("PORT", &port.to_string());
        tried += 1;
        let Ok(target) = Target::parse(&url) else { continue };
        for egress in [&closed, &system] {
            let outgoing = crate::egress::Outgoing { target: target.clone(), ..get("http://x/") };
            let error = body(egress, &any, outgoing, None).await.expect_err(&url);
            let refused =
                matches!(error, EgressError::SpecialAddress { .. } | EgressError::NotFound { .. });
            assert!(refused, "{url}: {error}");
        }
    }
    assert!(tried >= 100, "only {tried} URLs");
    for canary in &canaries {
        assert_eq!(canary.heads(), [""; 0], "{}", canary.address);
    }
    // The canaries do sing: opened, the same URL reaches them.
    let open = Egress::new(settings(&[canaries[0].address]));
    assert!(body(&open, &any, get(&canaries[0].origin()), None).await.is_ok());
    assert_eq!(canaries[0].heads().len(), 1);
}

#[tokio::test]
async fn almost_no_url_of_the_public_web_is_refused() {
    let dns = NameServer::start(|_, _| records(&["93.184.216.34", "2606:4700::1111"]));
    let egress = Egress::new(EgressSettings { dns: Some(dns.address), ..settings(&[]) });
    let any = granted("*:*");
    let mut refused = Vec::new();
    let mut tried = 0;
    for url in lines(OUTSIDE) {
        tried += 1;
        let checked = async {
            let target = Target::parse(url).map_err(|error| error.to_string())?;
            let request = hydroid_core::capability::WebRequest {
                scheme: target.scheme(),
                host: target.host(),
                port: target.port(),
                method: "GET",
                path: target.url().path(),
            };
            any.allows_request(&request).map_err(|refusal| format!("{refusal:?}"))?;
            egress.addresses(&target).await.map_err(|error| error.to_string())
        };
        if let Err(problem) = checked.await {
            refused.push(format!("{url}: {problem}"));
        }
    }
    assert!(tried >= 100, "only {tried} URLs");
    assert!(refused.len() <= FALSE_BLOCKS, "{}", refused.join("\n"));
}
