//! A keyed hash of a text that the manifest describes.

use super::mac::sha256_hex;
use super::moment;
use crate::egress::client::{EgressError, Outgoing};
use crate::egress::credential::Credential;
use crate::egress::place::put;
use crate::egress::target::Target;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hydroid_core::manifest::{Element, Hmac, KeyForm, Piece, SignatureForm};
use hydroid_core::ports::SecretValue;
use zeroize::Zeroizing;

/// Puts time, identity and signature into a request, and returns the signature.
pub(in crate::egress) fn sign(
    credential: &Credential,
    hmac: &Hmac,
    outgoing: &mut Outgoing,
) -> Result<SecretValue, EgressError> {
    let name = &credential.name;
    let mut time = String::new();
    if let Some(timestamp) = &hmac.timestamp {
        time = moment::in_unit(credential.now_ms, timestamp.unit);
        put(name, &timestamp.place, &time, outgoing)?;
    }
    let mut id = "";
    if let Some((part, place)) = &hmac.id {
        id = credential.part(part)?.expose();
        put(part, place, id, outgoing)?;
    }
    let text = text(hmac, outgoing, &time, id);
    let key = key(credential, hmac.key)?;
    let digest = super::mac::hmac(hmac.hash, &key, &text);
    let signature = SecretValue::new(match hmac.form {
        SignatureForm::Hex => hex::encode(&*digest),
        SignatureForm::Base64 => STANDARD.encode(&*digest),
        SignatureForm::Base64Url => URL_SAFE_NO_PAD.encode(&*digest),
    });
    put(name, &hmac.place, signature.expose(), outgoing)?;
    Ok(signature)
}

fn key(credential: &Credential, form: KeyForm) -> Result<Zeroizing<Vec<u8>>, EgressError> {
    let value = credential.value.expose().trim();
    let bytes = match form {
        KeyForm::Text => Some(credential.value.expose().as_bytes().to_vec()),
        KeyForm::Base64 => STANDARD_NO_PAD
            .decode(value.trim_end_matches('='))
            .or_else(|_| URL_SAFE_NO_PAD.decode(value.trim_end_matches('=')))
            .ok(),
        KeyForm::Hex => hex::decode(value).ok(),
    };
    bytes
        .map(Zeroizing::new)
        .ok_or_else(|| credential.wrong("its value is not written in the form its signer reads"))
}

fn text(hmac: &Hmac, outgoing: &Outgoing, time: &str, id: &str) -> Zeroizing<Vec<u8>> {
    let url = outgoing.target.url();
    let mut text = Zeroizing::new(Vec::new());
    for piece in hmac.text.pieces() {
        let element = match piece {
            Piece::Text(plain) => {
                text.extend_from_slice(plain.as_bytes());
                continue;
            }
            Piece::Of(element) => element,
        };
        match element {
            Element::Method => text.extend_from_slice(outgoing.method.as_str().as_bytes()),
            Element::Host => text.extend_from_slice(host(&outgoing.target).as_bytes()),
            Element::Path => text.extend_from_slice(url.path().as_bytes()),
            Element::Query => text.extend_from_slice(url.query().unwrap_or_default().as_bytes()),
            Element::Target => {
                text.extend_from_slice(url.path().as_bytes());
                if let Some(query) = url.query() {
                    text.push(b'?');
                    text.extend_from_slice(query.as_bytes());
                }
            }
            Element::Body => text.extend_from_slice(&outgoing.body),
            Element::BodySha256 => text.extend_from_slice(sha256_hex(&outgoing.body).as_bytes()),
            Element::Timestamp => text.extend_from_slice(time.as_bytes()),
            Element::Id => text.extend_from_slice(id.as_bytes()),
        }
    }
    text
}

/// The `Host` header as it will be sent.
pub(super) fn host(target: &Target) -> String {
    let url = target.url();
    let name = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::credential::Part;
    use hydroid_core::manifest::{Attach, Manifest};

    fn signed(manifest: &str, value: &str, method: &str, url: &str, body: &str) -> Outgoing {
        let text = format!("name = \"t\"\nversion = \"1.0.0\"\n{manifest}");
        let want = Manifest::parse(&text).unwrap().secrets["k"].clone();
        let rules = vec!["*:*".parse().unwrap()];
        let value = SecretValue::new(value.into());
        let id = SecretValue::new("the-id".into());
        let credential = Credential {
            attach: want.attach,
            now_ms: 1_499_827_319_559,
            parts: vec![Part { name: "id".into(), audience: Vec::new(), value: id }],
            ..Credential::placed("k", rules, hydroid_core::manifest::Place::Bearer, value)
        };
        let mut outgoing = Outgoing {
            target: Target::parse(url).unwrap(),
            method: method.parse().unwrap(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::copy_from_slice(body.as_bytes()),
            timeout: None,
        };
        assert!(matches!(credential.attach, Attach::Sign(_)));
        crate::egress::credential::attach(&credential, &mut outgoing).unwrap();
        outgoing
    }

    /// The example of GitHub's page on validating webhooks.
    #[test]
    fn a_webhook_is_signed_as_its_receiver_verifies_it() {
        let outgoing = signed(
            "[secrets.k]\nattach = \"header:X-Hub-Signature-256:sha256=\"\n[secrets.k.sign]\nkind = \"hmac\"\ntext = \"{body}\"\n",
            "It's a Secret to Everybody",
            "POST",
            "https://a.example/hook",
            "Hello, World!",
        );
        assert_eq!(
            outgoing.headers["x-hub-signature-256"],
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    /// The example of Binance's page on signed endpoints.
    #[test]
    fn a_query_is_signed_and_the_signature_is_its_last_parameter() {
        let outgoing = signed(
            "[secrets.id]\nattach = \"part\"\n[secrets.k]\nattach = \"query:signature\"\n[secrets.k.sign]\nkind = \"hmac\"\ntext = \"{query}\"\ntimestamp = \"query:timestamp\"\ntimestamp_unit = \"milliseconds\"\nid = \"id\"\nid_attach = \"header:X-MBX-APIKEY\"\n",
            "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
            "POST",
            "https://a.example/api/v3/order?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000",
            "",
        );
        assert_eq!(
            outgoing.target.url().query().unwrap(),
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559&signature=c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
        );
        assert_eq!(outgoing.headers["x-mbx-apikey"], "the-id");
    }

    #[test]
    fn every_placeholder_stands_for_what_is_sent() {
        let manifest = "[secrets.id]\nattach = \"part\"\n[secrets.k]\nattach = \"header:X-Sign\"\n[secrets.k.sign]\nkind = \"hmac\"\nhash = \"sha512\"\nkey = \"base64\"\nform = \"base64\"\ntext = \"{method} {host} {path} {query} {target} {body} {body_sha256} {timestamp} {id}\"\ntimestamp = \"header:X-Time\"\ntimestamp_unit = \"iso8601\"\nid = \"id\"\nid_attach = \"header:X-Id\"\n";
        let outgoing = signed(manifest, "a2V5", "PUT", "https://a.example:8443/p%20q?r=s", "hello");
        let text = format!(
            "PUT a.example:8443 /p%20q r=s /p%20q?r=s hello {} 2017-07-12T02:41:59.559Z the-id",
            sha256_hex(b"hello")
        );
        let expect =
            super::super::mac::hmac(hydroid_core::manifest::Hash::Sha512, b"key", text.as_bytes());
        assert_eq!(outgoing.headers["x-sign"], STANDARD.encode(&*expect).as_str());
        assert_eq!(outgoing.headers["x-time"], "2017-07-12T02:41:59.559Z");
    }
}
