//! Puts a value into a request at a place: a header, the query, the path or the body.

use super::client::{EgressError, Outgoing};
use base64::Engine as _;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use hydroid_core::manifest::Place;
use zeroize::Zeroizing;

const FORM: &str = "application/x-www-form-urlencoded";

/// Puts a value of the secret of this name there.
pub(super) fn put(
    secret: &str,
    place: &Place,
    value: &str,
    outgoing: &mut Outgoing,
) -> Result<(), EgressError> {
    let wrong = |problem| EgressError::Place { secret: secret.to_owned(), problem };
    match place {
        Place::Bearer => set(outgoing, header::AUTHORIZATION, "Bearer ", value).map_err(wrong),
        Place::Basic(user) => {
            let pair = Zeroizing::new(format!("{user}:{value}"));
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair.as_bytes());
            set(outgoing, header::AUTHORIZATION, "Basic ", &encoded).map_err(wrong)
        }
        Place::Header { name, prefix } => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| wrong("the header's name is not one"))?;
            set(outgoing, name, prefix, value).map_err(wrong)
        }
        Place::Query(name) => {
            let mut url = outgoing.target.url().clone();
            url.query_pairs_mut().append_pair(name, value);
            outgoing.target =
                outgoing.target.with_url(url).ok_or_else(|| wrong("the URL cannot take it"))?;
            Ok(())
        }
        Place::Path(placeholder) => in_path(outgoing, placeholder, value).map_err(wrong),
        Place::Body(members) => {
            let body =
                in_json(&outgoing.body, members, value).map_err(|problem| match problem {
                    Problem::Wrong(problem) => wrong(problem),
                    Problem::Supplied => supplied(secret, place),
                })?;
            outgoing.body = body;
            Ok(())
        }
        Place::Form(field) => {
            let body = in_form(outgoing, field, value).map_err(|problem| match problem {
                Problem::Wrong(problem) => wrong(problem),
                Problem::Supplied => supplied(secret, place),
            })?;
            outgoing.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
            outgoing.body = body;
            Ok(())
        }
    }
}

enum Problem {
    /// It cannot be put there.
    Wrong(&'static str),
    /// The guest put something there.
    Supplied,
}

fn supplied(secret: &str, place: &Place) -> EgressError {
    EgressError::Supplied { what: format!("the field `{place}`"), secret: secret.to_owned() }
}

fn set(
    outgoing: &mut Outgoing,
    name: HeaderName,
    prefix: &str,
    value: &str,
) -> Result<(), &'static str> {
    let text = Zeroizing::new(format!("{prefix}{value}"));
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| "its value has a character no header may have")?;
    value.set_sensitive(true);
    outgoing.headers.insert(name, value);
    Ok(())
}

/// The value becomes a part of one segment: it cannot lead to another path.
fn in_path(outgoing: &mut Outgoing, placeholder: &str, value: &str) -> Result<(), &'static str> {
    // `{` and `}` are percent-encoded in a parsed path.
    let encoded = placeholder.replace('{', "%7B").replace('}', "%7D");
    let path = outgoing.target.url().path();
    let found = [placeholder, &encoded].into_iter().find(|form| path.contains(form));
    let found = found.ok_or("the URL's path does not have the placeholder")?;
    let path = path.replace(found, &segment(value));
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("its value would lead to another path");
    }
    let mut url = outgoing.target.url().clone();
    url.set_path(&path);
    outgoing.target = outgoing.target.with_url(url).ok_or("the URL cannot take it")?;
    Ok(())
}

/// A value as a part of a path's segment; what separates segments or begins a query is encoded.
pub(super) fn segment(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:!$&'()*+,;=@".contains(&byte);
    let encode = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

fn in_form(outgoing: &Outgoing, field: &str, value: &str) -> Result<Bytes, Problem> {
    let media_type = outgoing.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_form = |text: &[u8]| {
        text.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM.as_bytes()))
    };
    if !media_type.map_or(outgoing.body.is_empty(), is_form) {
        return Err(Problem::Wrong(
            "the body is not a form; send `content-type: application/x-www-form-urlencoded`",
        ));
    }
    if url::form_urlencoded::parse(&outgoing.body).any(|(name, _)| name == field) {
        return Err(Problem::Supplied);
    }
    let sent = std::str::from_utf8(&outgoing.body)
        .map_err(|_| Problem::Wrong("the form in the body is not UTF-8"))?;
    let mut form = url::form_urlencoded::Serializer::new(sent.to_owned());
    form.append_pair(field, value);
    Ok(form.finish().into())
}

/// Inserts the member and leaves every other byte of the body as the guest wrote it.
fn in_json(body: &[u8], members: &[String], value: &str) -> Result<Bytes, Problem> {
    let not_an_object = Problem::Wrong("what should hold it in the body is not a JSON object");
    if !serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|value| value.is_object()) {
        return Err(not_an_object);
    }
    let mut object = skip_space(body, 0);
    let mut rest = members;
    while let [member, deeper @ ..] = rest {
        match values_of(body, object, member).as_slice() {
            [] => break,
            [_] if deeper.is_empty() => return Err(Problem::Supplied),
            [inner] if body.get(*inner) == Some(&b'{') => object = *inner,
            [_] => return Err(not_an_object),
            _ => return Err(Problem::Wrong("a member on the way to it is there twice")),
        }
        rest = deeper;
    }
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let mut inserted = text(value);
    for member in rest.iter().skip(1).rev() {
        inserted = format!("{{{}:{inserted}}}", text(member));
    }
    let first = rest.first().map(|member| text(member)).unwrap_or_default();
    let after = object + 1;
    let comma = if body.get(skip_space(body, after)) == Some(&b'}') { "" } else { "," };
    let inserted = Zeroizing::new(format!("{first}:{inserted}{comma}"));
    Ok([&body[..after], inserted.as_bytes(), &body[after..]].concat().into())
}

/// Where the values of a member begin in an object that begins at `object`. The whole body was
/// parsed before, so what is met here is well formed.
fn values_of(body: &[u8], object: usize, member: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = skip_space(body, object + 1);
    while body.get(at) == Some(&b'"') {
        let end = skip_value(body, at);
        let name: Option<String> =
            body.get(at..end).and_then(|name| serde_json::from_slice(name).ok());
        let value = skip_space(body, skip_space(body, end) + 1);
        if name.as_deref() == Some(member) {
            found.push(value);
        }
        at = skip_space(body, skip_space(body, skip_value(body, value)) + 1);
    }
    found
}

fn skip_space(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| b" \t\r\n".contains(byte)).count()
}

/// The first byte behind the value that begins at `from`.
fn skip_value(body: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut at = from;
    while let Some(byte) = body.get(at) {
        match (in_text, byte) {
            (true, b'\\') => at += 1,
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']' | b',') if depth == 0 => return at,
            (false, b'}' | b']') => depth -= 1,
            (false, _) => {}
        }
        at += 1;
        let plain = !matches!(byte, b'"' | b'}' | b']');
        if depth == 0 && !in_text && !plain {
            return at;
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Target;

    fn outgoing(url: &str, content_type: &str, body: &str) -> Outgoing {
        let mut headers = http::HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        Outgoing {
            target: Target::parse(url).unwrap(),
            method: http::Method::POST,
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            timeout: None,
        }
    }

    fn placed(place: &str, url: &str, content_type: &str, body: &str) -> Result<Outgoing, String> {
        let mut outgoing = outgoing(url, content_type, body);
        put("key", &place.parse().unwrap(), "v\"/?é", &mut outgoing)
            .map_err(|error| error.to_string())?;
        Ok(outgoing)
    }

    #[track_caller]
    fn json(place: &str, body: &str, expect: Result<&str, &str>) {
        let got = placed(place, "https://a.example/", "application/json", body)
            .map(|outgoing| String::from_utf8(outgoing.body.to_vec()).unwrap());
        match (&got, expect) {
            (Ok(got), Ok(expect)) => assert_eq!(got, expect),
            (Err(error), Err(expect)) => assert!(error.contains(expect), "{error}"),
            _ => panic!("expected {expect:?}, got {got:?}"),
        }
        if let Ok(got) = got {
            serde_json::from_str::<serde_json::Value>(&got).unwrap();
        }
    }

    #[test]
    fn a_member_is_inserted_and_nothing_else_changes() {
        json("body:/key", "{}", Ok(r#"{"key":"v\"/?é"}"#));
        json("body:/key", " { } ", Ok(" {\"key\":\"v\\\"/?é\" } "));
        json(
            "body:/key",
            r#"{"n":12345678901234567890.10, "b":1}"#,
            Ok(r#"{"key":"v\"/?é","n":12345678901234567890.10, "b":1}"#),
        );
        json(
            "body:/auth/key",
            r#"{"x":["}",{"auth":1}],"auth" : {"u":"\"}"},"y":2}"#,
            Ok(r#"{"x":["}",{"auth":1}],"auth" : {"key":"v\"/?é","u":"\"}"},"y":2}"#),
        );
        json("body:/a/b/c", r#"{"z":null}"#, Ok(r#"{"a":{"b":{"c":"v\"/?é"}},"z":null}"#));
        json("body:/a/b", r#"{"\u0061":{}}"#, Ok(r#"{"\u0061":{"b":"v\"/?é"}}"#));
    }

    #[test]
    fn what_the_guest_put_in_the_body_is_refused() {
        json("body:/key", r#"{"a":1,"key":"mine"}"#, Err("is set by the host"));
        json("body:/key", r#"{"k\u0065y":null}"#, Err("is set by the host"));
        json("body:/a/key", r#"{"a":{"key":""}}"#, Err("is set by the host"));
        json("body:/a/key", r#"{"a":{},"a":{"key":"mine"}}"#, Err("there twice"));
        json("body:/a/key", r#"{"a":[]}"#, Err("not a JSON object"));
        json("body:/key", "[]", Err("not a JSON object"));
        json("body:/key", "", Err("not a JSON object"));
        json("body:/key", r#"{"a":1"#, Err("not a JSON object"));
    }

    #[test]
    fn a_field_is_added_to_a_form_only() {
        let form = |content_type: &str, body: &str| {
            placed("form:key", "https://a.example/", content_type, body)
                .map(|outgoing| String::from_utf8(outgoing.body.to_vec()).unwrap())
        };
        let encoded = "key=v%22%2F%3F%C3%A9";
        assert_eq!(form("", "").unwrap(), encoded);
        let utf8 = "Application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(form(utf8, "a=1").unwrap(), format!("a=1&{encoded}"));
        assert!(form(FORM, "k%65y=mine").unwrap_err().contains("is set by the host"));
        assert!(form("application/json", "{}").unwrap_err().contains("not a form"));
        assert!(form("", "a=1").unwrap_err().contains("not a form"));
    }

    #[test]
    fn a_value_in_the_path_stays_in_its_segment() {
        let path = |value: &str, url: &str| {
            let mut outgoing = outgoing(url, "", "");
            put("key", &Place::Path("{token}".into()), value, &mut outgoing)
                .map(|()| outgoing.target.url().path().to_owned())
                .map_err(|error| error.to_string())
        };
        let url = "https://a.example/bot{token}/send";
        assert_eq!(path("1:a/../b?c#d%", url).unwrap(), "/bot1:a%2F..%2Fb%3Fc%23d%25/send");
        assert!(path("..", "https://a.example/v1/{token}/x").unwrap_err().contains("another path"));
        assert!(path("v", "https://a.example/").unwrap_err().contains("placeholder"));
    }
}
