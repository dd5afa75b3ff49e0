//! Names: resolved once by the server the operator named, every answer checked, and the address
//! that was checked dialled. The name server is a real one that changes its answers.

use super::canary::Canary;
use super::dns::{NameServer, Record, records};
use super::{body, get, grant, settings};
use crate::egress::{Egress, EgressError, EgressSettings, Target};
use std::net::SocketAddr;

const PUBLIC: &str = "93.184.216.34";

fn asking(server: &NameServer, allow: &[SocketAddr]) -> Egress {
    Egress::new(EgressSettings { dns: Some(server.address), ..settings(allow) })
}

async fn addresses(egress: &Egress, url: &str) -> Result<Vec<String>, EgressError> {
    let found = egress.addresses(&Target::parse(url).unwrap()).await?;
    Ok(found.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn every_answer_is_checked_and_one_special_one_refuses_the_name() {
    let server = NameServer::start(|name, _| match name {
        "public.test" => records(&[PUBLIC, "2606:4700::1111"]),
        "mixed.test" => records(&[PUBLIC, "10.0.0.1"]),
        "mixed-last.test" => records(&["10.0.0.1", PUBLIC]),
        "two-families.test" => records(&[PUBLIC, "::1"]),
        "mapped.test" => records(&["::ffff:127.0.0.1"]),
        "nat64.test" => records(&["64:ff9b::7f00:1"]),
        "metadata.test" => records(&["169.254.169.254"]),
        "alias.test" => vec![Record::Alias("inside.test", vec!["127.0.0.1".parse().unwrap()])],
        "good-alias.test" => vec![Record::Alias("cdn.test", vec![PUBLIC.parse().unwrap()])],
        _ => Vec::new(),
    });
    let egress = asking(&server, &[]);
    let mut public = addresses(&egress, "https://public.test/").await.unwrap();
    public.sort();
    assert_eq!(public, [format!("{PUBLIC}:443"), "[2606:4700::1111]:443".to_owned()]);
    assert_eq!(
        addresses(&egress, "http://good-alias.test/").await.unwrap(),
        [format!("{PUBLIC}:80")]
    );
    for name in [
        "mixed.test",
        "mixed-last.test",
        "two-families.test",
        "mapped.test",
        "nat64.test",
        "metadata.test",
        "alias.test",
        "localhost",
        "x.localhost",
    ] {
        let error = addresses(&egress, &format!("http://{name}/")).await.unwrap_err();
        let refused = matches!(error, EgressError::SpecialAddress { .. })
            // RFC 6761 lets a resolver know nothing below `localhost`.
            || (name == "x.localhost" && matches!(error, EgressError::NotFound { .. }));
        assert!(refused, "{name}: {error}");
    }
    let missing = addresses(&egress, "http://missing.test/").await.unwrap_err();
    assert!(matches!(missing, EgressError::NotFound { .. }), "{missing}");
}

/// The first answer passes the check; the next, for another connection, does not.
#[tokio::test]
async fn a_name_that_is_bound_again_is_checked_again() {
    let opened = Canary::start();
    let Some(closed) = Canary::at([127, 0, 0, 2].into(), opened.address.port()) else { return };
    let server = NameServer::start(|_, before| {
        records(if before == 0 { &["127.0.0.1"] } else { &["127.0.0.2"] })
    });
    let egress = asking(&server, &[opened.address]);
    let url = format!("http://rebound.test:{}/", opened.address.port());
    let rule = grant(&url[..url.len() - 1]);
    assert_eq!(body(&egress, &rule, get(&url), None).await.unwrap(), "ok");
    assert_eq!(server.asked_for("rebound.test"), 1, "the name was resolved a second time");
    let error = body(&egress, &rule, get(&url), None).await.unwrap_err();
    assert!(matches!(error, EgressError::SpecialAddress { .. }), "{error}");
    assert_eq!((opened.heads().len(), closed.heads().len()), (1, 0));
    // The name reached the server, not the address.
    assert!(opened.heads()[0].to_lowercase().contains("host: rebound.test:"));
}

#[tokio::test]
async fn an_opened_address_is_opened_on_its_port_only_also_by_name() {
    let (opened, other) = (Canary::start(), Canary::start());
    let server = NameServer::of(&[("inside.test", &["127.0.0.1"])]);
    let egress = asking(&server, &[opened.address]);
    let url = |canary: &Canary| format!("http://inside.test:{}", canary.address.port());
    let ask = async |url: String| body(&egress, &grant(&url), get(&url), None).await;
    assert_eq!(ask(url(&opened)).await.unwrap(), "ok");
    let error = ask(url(&other)).await.unwrap_err().to_string();
    assert!(error.contains(&format!("egress.allow_private = [\"{}\"]", other.address)), "{error}");
    assert_eq!(other.heads().len(), 0);
}

#[tokio::test]
async fn the_named_server_is_asked_and_not_the_systems_hosts_file() {
    let server = NameServer::of(&[("only-here.test", &[PUBLIC])]);
    let egress = asking(&server, &[]);
    assert!(addresses(&egress, "http://only-here.test/").await.is_ok());
    assert_eq!(server.asked_for("only-here.test"), 1);
    let system = Egress::new(settings(&[]));
    assert!(addresses(&system, "http://only-here.test/").await.is_err());
}
