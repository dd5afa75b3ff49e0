//! AWS Signature Version 4 in the `Authorization` header, over the whole body.
//!
//! Ours rather than the `aws-sigv4` crate, which brings the runtime types of an SDK and keeps
//! derived keys in plain memory; the vectors below are AWS's own.

use super::hmac::host;
use super::mac::{hmac, sha256_hex};
use super::moment;
use crate::egress::client::{EgressError, Outgoing};
use crate::egress::credential::Credential;
use http::header::{self, HeaderName, HeaderValue};
use hydroid_core::manifest::{AwsSigV4, Hash};
use hydroid_core::ports::SecretValue;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Headers that the connection or a proxy may change; a signature over them would break.
const NOT_SIGNED: [HeaderName; 5] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::USER_AGENT,
    HeaderName::from_static("x-amzn-trace-id"),
];

/// Signs a request and returns the signature.
pub(in crate::egress) fn sign(
    credential: &Credential,
    aws: &AwsSigV4,
    outgoing: &mut Outgoing,
) -> Result<SecretValue, EgressError> {
    let access_key = credential.part(&aws.access_key)?.expose().to_owned();
    let time = moment::basic(credential.now_ms);
    let body_hash = sha256_hex(&outgoing.body);
    set(credential, outgoing, "x-amz-date", &time)?;
    set(credential, outgoing, "x-amz-content-sha256", &body_hash)?;
    let token = aws.session_token.as_ref().and_then(|part| credential.part_if_set(part));
    if let Some(token) = token {
        set(credential, outgoing, "x-amz-security-token", token.expose())?;
    }
    let mut headers: Vec<(String, String)> =
        vec![("host".into(), host(&outgoing.target).to_ascii_lowercase())];
    for (name, value) in &outgoing.headers {
        if NOT_SIGNED.contains(name) {
            continue;
        }
        let value = value
            .to_str()
            .map_err(|_| credential.wrong("a header of the request has a value AWS cannot sign"))?;
        headers.push((name.to_string(), value.to_owned()));
    }
    let url = outgoing.target.url();
    // S3 takes a path as it is; every other service normalises it and encodes it once more.
    let plain = aws.service == "s3";
    let request = canonical_request(&Canonical {
        method: outgoing.method.as_str(),
        path: &canonical_path(url.path(), !plain, !plain),
        query: url.query().unwrap_or_default(),
        headers: &headers,
        body_hash: &body_hash,
    });
    let Some(region) = &aws.region else {
        return Err(
            credential.wrong("its signer takes the region from the request, which names none")
        );
    };
    let scope = Scope { time: &time, region, service: &aws.service };
    let text = scope.string_to_sign(&request.text);
    let signature = SecretValue::new(scope.signature(credential.value.expose(), &text));
    let authorization = Zeroizing::new(format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{}, SignedHeaders={}, Signature={}",
        scope.text(),
        request.signed_headers,
        signature.expose()
    ));
    set(credential, outgoing, "authorization", &authorization)?;
    Ok(signature)
}

fn set(
    credential: &Credential,
    outgoing: &mut Outgoing,
    name: &'static str,
    text: &str,
) -> Result<(), EgressError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| credential.wrong("a value has a character no header may have"))?;
    value.set_sensitive(true);
    outgoing.headers.insert(HeaderName::from_static(name), value);
    Ok(())
}

/// What a canonical request is made from.
struct Canonical<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a [(String, String)],
    body_hash: &'a str,
}

struct CanonicalRequest {
    text: String,
    signed_headers: String,
}

fn canonical_request(request: &Canonical<'_>) -> CanonicalRequest {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.headers {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        lines.entry(name.to_ascii_lowercase()).or_default().push(words.join(" "));
    }
    let signed_headers = lines.keys().cloned().collect::<Vec<_>>().join(";");
    let headers: String =
        lines.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
    let query = canonical_query(request.query);
    let text = format!(
        "{}\n{}\n{query}\n{headers}\n{signed_headers}\n{}",
        request.method, request.path, request.body_hash
    );
    CanonicalRequest { text, signed_headers }
}

/// The path with each segment encoded, twice where the service wants that.
fn canonical_path(path: &str, normalised: bool, twice: bool) -> String {
    let mut segments: Vec<&str> = path.split('/').skip(1).collect();
    if normalised {
        let slash_at_end = matches!(segments.last(), Some(&("" | "." | "..")));
        let mut kept = Vec::new();
        for segment in segments {
            match segment {
                "" | "." => {}
                ".." => drop(kept.pop()),
                segment => kept.push(segment),
            }
        }
        if slash_at_end && !kept.is_empty() {
            kept.push("");
        }
        segments = kept;
    }
    let encode = |segment: &&str| {
        if twice { encoded(segment.as_bytes()) } else { encoded(&percent_decoded(segment)) }
    };
    format!("/{}", segments.iter().map(encode).collect::<Vec<_>>().join("/"))
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (encoded(name.as_bytes()), encoded(value.as_bytes())))
        .collect();
    pairs.sort();
    let pairs: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Everything but letters, digits and `-._~` percent-encoded.
fn encoded(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: &u8| match plain(*byte) {
        true => char::from(*byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}

/// A segment whose `%` was checked when the URL was parsed.
fn percent_decoded(segment: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let rest = bytes.clone();
        let pair = (byte == b'%').then(|| (digit(bytes.next()), digit(bytes.next())));
        match pair {
            Some((Some(high), Some(low))) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two digits fit a byte"));
            }
            Some(_) => {
                decoded.push(byte);
                bytes = rest;
            }
            None => decoded.push(byte),
        }
    }
    decoded
}

/// When and for what a signature counts.
struct Scope<'a> {
    /// `20150830T123600Z`
    time: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Scope<'_> {
    fn date(&self) -> &str {
        self.time.split('T').next().unwrap_or_default()
    }

    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date(), self.region, self.service)
    }

    fn string_to_sign(&self, request: &str) -> String {
        let hash = sha256_hex(request.as_bytes());
        format!("AWS4-HMAC-SHA256\n{}\n{}\n{hash}", self.time, self.text())
    }

    fn signature(&self, secret: &str, text: &str) -> String {
        let first = Zeroizing::new(format!("AWS4{secret}"));
        let mut key = hmac(Hash::Sha256, first.as_bytes(), self.date().as_bytes());
        for step in [self.region, self.service, "aws4_request"] {
            key = hmac(Hash::Sha256, &key, step.as_bytes());
        }
        hex::encode(&*hmac(Hash::Sha256, &key, text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::credential::Part;
    use crate::egress::target::Target;
    use hydroid_core::manifest::{Attach, Place, Signer};
    use serde_json::Value;

    /// AWS's own vectors; their paths are written as they are meant, not as they are sent.
    const VECTORS: &str = include_str!("fixtures/aws-sig-v4-vectors.json");

    #[test]
    fn every_vector_of_aws_is_signed_alike() {
        let document: Value = serde_json::from_str(VECTORS).unwrap();
        let cases = document["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 38);
        for case in cases {
            vector(case);
        }
    }

    fn vector(case: &Value) {
        let name = case["name"].as_str().unwrap();
        let context = &case["context"];
        let flag = |field: &str| context[field].as_bool().unwrap_or(false);
        let request = case["request"].as_str().unwrap();
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let mut lines = head.lines();
        let first = lines.next().unwrap();
        let (method, rest) = first.split_once(' ').unwrap();
        let (target, _) = rest.rsplit_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            match line.strip_prefix(' ') {
                Some(more) => headers.last_mut().unwrap().1 += &format!(" {more}"),
                None => {
                    let (name, value) = line.split_once(':').unwrap();
                    headers.push((name.into(), value.into()));
                }
            }
        }
        let time: String = context["timestamp"]
            .as_str()
            .unwrap()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .collect();
        headers.push(("X-Amz-Date".into(), time.clone()));
        let body_hash = sha256_hex(body.as_bytes());
        if flag("sign_body") {
            headers.push(("X-Amz-Content-Sha256".into(), body_hash.clone()));
        }
        if let (Some(token), false) =
            (context["credentials"]["token"].as_str(), flag("omit_session_token"))
        {
            headers.push(("X-Amz-Security-Token".into(), token.into()));
        }
        let canonical = canonical_request(&Canonical {
            method,
            path: &canonical_path(path, flag("normalize"), false),
            query,
            headers: &headers,
            body_hash: &body_hash,
        });
        assert_eq!(canonical.text, case["canonical_request"].as_str().unwrap(), "{name}");
        let scope = Scope {
            time: &time,
            region: context["region"].as_str().unwrap(),
            service: context["service"].as_str().unwrap(),
        };
        let text = scope.string_to_sign(&canonical.text);
        assert_eq!(text, case["string_to_sign"].as_str().unwrap(), "{name}");
        let secret = context["credentials"]["secret_access_key"].as_str().unwrap();
        assert_eq!(scope.signature(secret, &text), case["signature"].as_str().unwrap(), "{name}");
    }

    /// The example of AWS's page on the canonical path, and what S3 does instead.
    #[test]
    fn a_path_is_encoded_twice_except_for_s3() {
        let sent = "/2015/./documents%20and%20settings//a:b/";
        assert_eq!(canonical_path(sent, true, true), "/2015/documents%2520and%2520settings/a%3Ab/");
        assert_eq!(
            canonical_path(sent, false, false),
            "/2015/./documents%20and%20settings//a%3Ab/"
        );
        assert_eq!(canonical_path("/%zz%4", false, false), "/%25zz%254");
    }

    #[test]
    fn a_whole_request_is_signed_with_its_body_and_its_token() {
        let part = |name: &str, value: &str| Part {
            name: name.into(),
            audience: Vec::new(),
            value: SecretValue::new(value.into()),
        };
        let aws = AwsSigV4 {
            region: Some("eu-west-1".into()),
            service: "s3".into(),
            access_key: "id".into(),
            session_token: Some("token".into()),
        };
        let credential = Credential {
            attach: Attach::Sign(Signer::AwsSigV4(aws)),
            parts: vec![part("id", "AKIDEXAMPLE"), part("token", "session-token-1")],
            now_ms: 1_440_938_160_000,
            ..Credential::placed(
                "k",
                vec!["*:*".parse().unwrap()],
                Place::Bearer,
                SecretValue::new("the-secret-key".into()),
            )
        };
        let mut outgoing = Outgoing {
            target: Target::parse("https://b.s3.example:8443/a%20b?x=1").unwrap(),
            method: http::Method::PUT,
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::from_static(b"content"),
            timeout: None,
        };
        outgoing.headers.insert("user-agent", HeaderValue::from_static("x"));
        outgoing.headers.insert("content-type", HeaderValue::from_static("text/plain"));
        crate::egress::credential::attach(&credential, &mut outgoing).unwrap();
        let sent = outgoing.headers["authorization"].to_str().unwrap();
        let (before, signature) = sent.split_once("Signature=").unwrap();
        assert_eq!(
            before,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/s3/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "
        );
        assert_eq!(outgoing.headers["x-amz-content-sha256"], sha256_hex(b"content").as_str());
        let expect = format!(
            "PUT\n/a%20b\nx=1\ncontent-type:text/plain\nhost:b.s3.example:8443\nx-amz-content-sha256:{0}\nx-amz-date:20150830T123600Z\nx-amz-security-token:session-token-1\n\ncontent-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token\n{0}",
            sha256_hex(b"content")
        );
        let scope = Scope { time: "20150830T123600Z", region: "eu-west-1", service: "s3" };
        assert_eq!(signature, scope.signature("the-secret-key", &scope.string_to_sign(&expect)));
    }
}
