//! What holds for every text that is taken as a URL to fetch, or as a rule on URLs.

use hydroid_core::capability::{PathPrefix, WebRequest, WebRule};
use hydroid_wasm::egress::Target;

/// Longer ones are refused; encoding makes a text longer.
const LONGEST_URL: usize = 16 << 10;

/// Panics if it does not hold.
pub(crate) fn holds_for(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(rule) = text.parse::<WebRule>() {
        assert_eq!(rule.to_string().parse(), Ok(rule), "a rule is not read as it is printed");
    }
    let Ok(target) = Target::parse(text) else { return };
    let url = target.url();
    assert!(matches!(url.scheme(), "http" | "https"));
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    if url.as_str().len() <= LONGEST_URL {
        assert_eq!(Target::parse(url.as_str()).as_ref(), Ok(&target), "parsing again differs");
    }
    sent_as_checked(&target);
    granted_as_suggested(&target);
}

/// The HTTP library reads the same parts in it.
fn sent_as_checked(target: &Target) {
    let url = target.url();
    let uri: http::Uri = url.as_str().parse().expect("HTTP can carry it");
    assert_eq!(uri.scheme_str(), Some(url.scheme()));
    assert_eq!(uri.host(), url.host_str());
    assert_eq!(uri.port_u16(), url.port());
    assert_eq!(uri.path(), url.path());
    // A question mark with nothing behind it is there in one and not in the other.
    assert_eq!(uri.query().unwrap_or_default(), url.query().unwrap_or_default());
}

/// The rule a denial suggests allows the request, and its path covers nothing beside it.
fn granted_as_suggested(target: &Target) {
    let path = target.url().path();
    let prefix = PathPrefix::of_url(path);
    let suggested = format!("{}{}", target.grantable(), prefix.clone().unwrap_or_default());
    assert!(
        !suggested.contains([' ', '\'', '"', '`', '$', '&', ';', '|', '<', '>', '(', '*', '?'])
    );
    let rule: WebRule = suggested.parse().expect("a suggested rule is a rule");
    assert!(rule.host.matches(target.scheme(), target.host(), target.port()), "{suggested}");
    assert!(rule.path.covers(path), "{suggested}");
    assert!(
        !rule.host.matches(target.scheme(), "other.example", target.port())
            || target.host() == "other.example"
    );
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_all()) {
        let beside = format!("{}x", path.trim_end_matches('/'));
        assert!(!prefix.covers(&beside), "{prefix} covers {beside}");
    }
    let grant = hydroid_core::capability::Grant { web: vec![rule], ..Default::default() };
    let request = WebRequest {
        scheme: target.scheme(),
        host: target.host(),
        port: target.port(),
        method: "GET",
        path,
    };
    assert!(grant.allows_request(&request).is_ok(), "{suggested}");
}
