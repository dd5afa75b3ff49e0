//! Reads a `sign` table. Each field is checked when the manifest is read, so that a request cannot
//! fail for what was written there.

use super::{
    AwsSigV4, ClientAuth, Hash, Hmac, KeyForm, OAuth2, OAuthGrant, REGION, SignatureForm, Signer,
    Timestamp, TimestampUnit, is_scope,
};
use crate::capability::WebRule;
use crate::manifest::fields::Fields;
use crate::manifest::place::Place;
use crate::manifest::text::Template;
use std::collections::BTreeMap;
use url::Url;

const KINDS: [(&str, Kind); 5] = [
    ("hmac", Kind::Hmac),
    ("aws-sigv4", Kind::AwsSigV4),
    ("oauth2-client-credentials", Kind::ClientCredentials),
    ("oauth2-refresh-token", Kind::RefreshToken),
    ("token-exchange", Kind::Exchange),
];

#[derive(Clone, Copy)]
enum Kind {
    Hmac,
    AwsSigV4,
    ClientCredentials,
    RefreshToken,
    Exchange,
}

/// Reads a `sign` table. `attach` says where its result is put, `hosts` where that may be sent.
pub(in crate::manifest) fn read(
    attach: Option<&str>,
    mut table: toml::Table,
    hosts: &[WebRule],
) -> Result<Signer, String> {
    let inside = |problem: String| format!("has a `sign` table that {problem}");
    let mut kind = toml::Table::new();
    kind.extend(table.remove_entry("kind"));
    let mut kind = Fields::of(kind, &["kind"]).map_err(inside)?;
    let Some(word) = kind.text("kind").map_err(inside)? else {
        return Err(inside(format!("has no `kind`; it is one of {}", kinds())));
    };
    let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == word) else {
        let hint = crate::config::did_you_mean(&word, KINDS.map(|(known, _)| known));
        return Err(inside(format!("has the kind `{word}`{hint}; it is one of {}", kinds())));
    };
    match kind {
        Kind::Hmac => hmac(attach, table).map(Signer::Hmac),
        Kind::AwsSigV4 => aws(attach, table).map(Signer::AwsSigV4),
        Kind::ClientCredentials => oauth(attach, table, hosts, false).map(Signer::OAuth2),
        Kind::RefreshToken => oauth(attach, table, hosts, true).map(Signer::OAuth2),
        Kind::Exchange => exchange(attach, table, hosts).map(Signer::OAuth2),
    }
    .map_err(inside)
}

fn kinds() -> String {
    KINDS.map(|(known, _)| known).join(", ")
}

/// A place that does not depend on the body or change the path, which a signature is about.
fn beside(field: &str, text: &str) -> Result<Place, String> {
    let place: Place = text.parse().map_err(|error| format!("has a wrong `{field}`: {error}"))?;
    match place {
        Place::Header { .. } | Place::Query(_) => Ok(place),
        Place::Bearer | Place::Basic(_) | Place::Path(_) | Place::Body(_) | Place::Form(_) => {
            Err(format!(
                "has `{field}` as `{text}`; here it is `header:NAME`, `header:NAME:PREFIX` or `query:NAME`"
            ))
        }
    }
}

fn hmac(attach: Option<&str>, table: toml::Table) -> Result<Hmac, String> {
    let known = &["form", "hash", "id", "id_attach", "key", "text", "timestamp", "timestamp_unit"];
    let mut fields = Fields::of(table, known)?;
    let attach = attach.ok_or(
        "needs `attach` beside it, which says where the signature is put, like `header:X-Signature`",
    )?;
    let place = beside("attach", attach)?;
    let text: Template = fields
        .required("text", "text = \"{timestamp}.{body}\"")?
        .parse()
        .map_err(|error| format!("has a wrong `text`: {error}"))?;
    let units = [
        ("seconds", TimestampUnit::Seconds),
        ("milliseconds", TimestampUnit::Milliseconds),
        ("iso8601", TimestampUnit::Iso8601),
    ];
    let unit = fields.choice("timestamp_unit", &units)?;
    let timestamp = match fields.text("timestamp")? {
        Some(place) => Some(Timestamp { place: beside("timestamp", &place)?, unit }),
        None => None,
    };
    let id = match (fields.text("id")?, fields.text("id_attach")?) {
        (Some(id), Some(place)) => Some((id, beside("id_attach", &place)?)),
        (None, None) => None,
        _ => return Err("has only one of `id` and `id_attach`; they belong together".into()),
    };
    if text.uses_timestamp() && timestamp.is_none() {
        return Err(
            "signs `{timestamp}` but does not send it; add `timestamp = \"header:X-Timestamp\"`"
                .into(),
        );
    }
    if text.uses_id() && id.is_none() {
        return Err("signs `{id}` but names none; add `id` and `id_attach`".into());
    }
    let hashes = [("sha256", Hash::Sha256), ("sha512", Hash::Sha512)];
    let keys = [("text", KeyForm::Text), ("base64", KeyForm::Base64), ("hex", KeyForm::Hex)];
    let forms = [
        ("hex", SignatureForm::Hex),
        ("base64", SignatureForm::Base64),
        ("base64url", SignatureForm::Base64Url),
    ];
    Ok(Hmac {
        hash: fields.choice("hash", &hashes)?,
        key: fields.choice("key", &keys)?,
        form: fields.choice("form", &forms)?,
        text,
        place,
        timestamp,
        id,
    })
}

fn aws(attach: Option<&str>, table: toml::Table) -> Result<AwsSigV4, String> {
    let mut fields = Fields::of(table, &["access_key", "region", "service", "session_token"])?;
    if attach.is_some() {
        return Err("signs for AWS, which has a place of its own; leave `attach` out".into());
    }
    let mut scope = |field: &str, example: &str| {
        let text = fields.required(field, example)?;
        if is_scope(&text) || (field == "region" && text == REGION) {
            return Ok(text);
        }
        Err(format!("has `{field}` as `{text}`; write it like `{example}`"))
    };
    Ok(AwsSigV4 {
        region: Some(scope("region", "region = \"eu-central-1\"")?).filter(|text| text != REGION),
        service: scope("service", "service = \"s3\"")?,
        access_key: fields.required("access_key", "access_key = \"aws-access-key\"")?,
        session_token: fields.text("session_token")?,
    })
}

fn oauth(
    attach: Option<&str>,
    table: toml::Table,
    hosts: &[WebRule],
    refresh: bool,
) -> Result<OAuth2, String> {
    let known: &[&str] = match refresh {
        true => &["audience", "client_auth", "client_id", "client_secret", "scopes", "token_url"],
        false => &["audience", "client_auth", "client_id", "scopes", "token_url"],
    };
    let mut fields = Fields::of(table, known)?;
    let token_url =
        fields.required("token_url", "token_url = \"https://auth.example.com/token\"")?;
    check_token_url(&token_url, hosts)?;
    let grant = match refresh {
        true => OAuthGrant::RefreshToken { client_secret: fields.text("client_secret")? },
        false => OAuthGrant::ClientCredentials,
    };
    let scopes = fields.texts("scopes")?;
    check_scopes(&scopes)?;
    Ok(OAuth2 {
        grant,
        token_url,
        client_id: Some(fields.required("client_id", "client_id = \"acme-client-id\"")?),
        client_auth: fields
            .choice("client_auth", &[("basic", ClientAuth::Basic), ("body", ClientAuth::Body)])?,
        scopes,
        audience: fields.text("audience")?,
        resource: None,
        place: token_place(attach)?,
    })
}

fn exchange(attach: Option<&str>, table: toml::Table, hosts: &[WebRule]) -> Result<OAuth2, String> {
    let mut fields = Fields::of(table, &["headers", "token_attach", "token_url"])?;
    let token_url =
        fields.required("token_url", "token_url = \"https://api.example.com/token\"")?;
    check_token_url(&token_url, hosts)?;
    let place = match fields.text("token_attach")? {
        None => Place::Bearer,
        Some(text) => beside("token_attach", &text)?,
    };
    let mut headers = BTreeMap::new();
    for (name, value) in fields.table("headers")?.unwrap_or_default() {
        let toml::Value::String(value) = value else {
            return Err(format!("has the header `{name}` that is not a text"));
        };
        let name = name.to_ascii_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let hosts_own = ["authorization", "cookie", "host", "content-length", "transfer-encoding"];
        if name.is_empty() || !name.chars().all(is_token) || hosts_own.contains(&name.as_str()) {
            return Err(format!("has the header `{name}`, which cannot be set here; leave it out"));
        }
        if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            return Err(format!("has the header `{name}` with a character no header can have"));
        }
        headers.insert(name, value);
    }
    Ok(OAuth2 {
        grant: OAuthGrant::Exchange { place, headers },
        token_url,
        client_id: None,
        client_auth: ClientAuth::Body,
        scopes: Vec::new(),
        audience: None,
        resource: None,
        place: token_place(attach)?,
    })
}

/// Where a token is put that was obtained.
fn token_place(attach: Option<&str>) -> Result<Place, String> {
    match attach {
        None => Ok(Place::Bearer),
        Some(text) => {
            text.parse().map_err(|error| format!("has a wrong `attach` beside it: {error}"))
        }
    }
}

/// Refuses what is no scope.
pub(in crate::manifest) fn check_scopes(scopes: &[String]) -> Result<(), String> {
    let is_scope = |scope: &String| {
        !scope.is_empty() && scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
    };
    match scopes.iter().find(|scope| !is_scope(scope)) {
        None => Ok(()),
        Some(scope) => {
            Err(format!("has the scope `{scope}`; write one scope a text, without spaces"))
        }
    }
}

/// A URL of an endpoint: nothing in it but where it is.
pub(in crate::manifest) fn plain_url(field: &str, text: &str) -> Result<Url, String> {
    let wrong = |problem: &str| Err(format!("has `{field}` as `{text}`: {problem}"));
    let Ok(url) = Url::parse(text) else {
        return wrong("it is not a URL; write it like `https://auth.example.com/token`");
    };
    if url.host_str().is_none() || url.port_or_known_default().is_none() {
        return wrong("it names no host");
    }
    if !matches!(url.scheme(), "https" | "http") {
        return wrong("write an https URL");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return wrong("it has a user, a password or a fragment; leave that out");
    }
    Ok(url)
}

fn check_token_url(text: &str, hosts: &[WebRule]) -> Result<(), String> {
    let url = plain_url("token_url", text)?;
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let port = url.port_or_known_default().unwrap_or_default();
    let covers = |rule: &WebRule| {
        rule.host.matches(url.scheme(), host, port) && rule.path.covers(url.path())
    };
    if hosts.iter().any(covers) {
        return Ok(());
    }
    Err(format!(
        "has `token_url` as `{text}`: `hosts` does not cover it, and the credential is sent there; add its host to `hosts`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(attach: Option<&str>, table: &str) -> Result<Signer, String> {
        let hosts = ["api.example".parse().unwrap(), "auth.example/oauth".parse().unwrap()];
        read(attach, table.parse().unwrap(), &hosts)
    }

    #[track_caller]
    fn refused(attach: Option<&str>, table: &str, expect: &str) {
        let error = parse(attach, table).unwrap_err();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn a_webhook_signature_needs_few_words() {
        let signer =
            parse(Some("header:X-Hub-Signature-256:sha256="), "kind = \"hmac\"\ntext = \"{body}\"")
                .unwrap();
        let expect = Hmac {
            hash: Hash::Sha256,
            key: KeyForm::Text,
            text: "{body}".parse().unwrap(),
            form: SignatureForm::Hex,
            place: "header:X-Hub-Signature-256:sha256=".parse().unwrap(),
            timestamp: None,
            id: None,
        };
        assert_eq!(signer, Signer::Hmac(expect));
        assert_eq!(
            signer.to_string(),
            "never sent; signs `{body}` by HMAC-SHA-256 into header:x-hub-signature-256:sha256="
        );
    }

    #[test]
    fn what_a_signer_sets_and_uses_is_known() {
        let signer = parse(
            Some("query:signature"),
            "kind = \"hmac\"\ntext = \"{query}\"\ntimestamp = \"query:timestamp\"\ntimestamp_unit = \"milliseconds\"\nid = \"key-id\"\nid_attach = \"header:X-MBX-APIKEY\"",
        )
        .unwrap();
        assert_eq!(signer.parts(), ["key-id"]);
        assert_eq!(signer.headers(), ["x-mbx-apikey"]);
        assert_eq!(signer.queries(), ["signature", "timestamp"]);
    }

    #[test]
    fn a_wrong_kind_or_field_gets_a_suggestion() {
        refused(None, "text = \"{body}\"", "has no `kind`; it is one of hmac, aws-sigv4");
        refused(None, "kind = \"aws-sig4\"", "did you mean `aws-sigv4`");
        refused(Some("query:s"), "kind = \"hmac\"\ntexte = \"{body}\"", "did you mean `text`");
        refused(
            Some("query:s"),
            "kind = \"hmac\"\ntext = \"{body}\"\nhash = \"sha-256\"",
            "did you mean `sha256`",
        );
    }

    #[test]
    fn an_hmac_that_could_not_be_verified_is_refused() {
        refused(None, "kind = \"hmac\"\ntext = \"{body}\"", "header:X-Signature");
        refused(Some("bearer"), "kind = \"hmac\"\ntext = \"{body}\"", "`header:NAME`");
        refused(Some("body:/s"), "kind = \"hmac\"\ntext = \"{body}\"", "`header:NAME`");
        refused(Some("query:s"), "kind = \"hmac\"", "has no `text`");
        refused(Some("query:s"), "kind = \"hmac\"\ntext = \"{timestamp}{body}\"", "add `timestamp");
        refused(Some("query:s"), "kind = \"hmac\"\ntext = \"{id}{body}\"", "add `id`");
        refused(
            Some("query:s"),
            "kind = \"hmac\"\ntext = \"{body}\"\nid = \"k\"",
            "belong together",
        );
    }

    #[test]
    fn aws_has_its_own_place_and_names_its_scope() {
        let whole = "kind = \"aws-sigv4\"\nregion = \"eu-west-1\"\nservice = \"s3\"\naccess_key = \"id\"\nsession_token = \"st\"";
        let signer = parse(None, whole).unwrap();
        assert_eq!(signer.parts(), ["id", "st"]);
        assert!(signer.headers().contains(&"authorization"));
        assert!(signer.to_string().ends_with("in `eu-west-1`"), "{signer}");
        let open = parse(None, &whole.replace("eu-west-1", "{region}")).unwrap();
        assert!(open.to_string().ends_with("in the region of the request"), "{open}");
        refused(None, &whole.replace("s3", "{region}"), "write it like");
        refused(None, &whole.replace("eu-west-1", ""), "region");
        refused(Some("bearer"), whole, "leave `attach` out");
        refused(None, "kind = \"aws-sigv4\"\nservice = \"s3\"", "region = \"eu-central-1\"");
        refused(
            None,
            "kind = \"aws-sigv4\"\nregion = \"EU West\"\nservice = \"s3\"\naccess_key = \"id\"",
            "write it like",
        );
    }

    #[test]
    fn a_token_is_fetched_only_where_the_credential_may_go() {
        let with = |url: &str| {
            format!(
                "kind = \"oauth2-client-credentials\"\nclient_id = \"id\"\ntoken_url = \"{url}\""
            )
        };
        let signer = parse(None, &with("https://auth.example/oauth/token")).unwrap();
        assert_eq!(signer.headers(), ["authorization"]);
        assert_eq!(
            signer.to_string(),
            "a client secret, sent only to https://auth.example/oauth/token for a token that is sent as bearer"
        );
        refused(None, &with("https://auth.example/other"), "add its host to `hosts`");
        refused(None, &with("http://auth.example/oauth/token"), "add its host to `hosts`");
        refused(None, &with("https://a@auth.example/oauth"), "leave that out");
        refused(None, &with("nonsense"), "it is not a URL");
        refused(
            None,
            &format!("{}\nclient_secret = \"s\"", with("https://auth.example/oauth")),
            "unknown field `client_secret`",
        );
        refused(
            None,
            &format!("{}\nscopes = [\"a b\"]", with("https://auth.example/oauth")),
            "without spaces",
        );
    }

    #[test]
    fn a_refresh_token_may_have_a_client_secret_beside_it() {
        let signer = parse(
            Some("header:X-Token"),
            "kind = \"oauth2-refresh-token\"\nclient_id = \"id\"\nclient_secret = \"cs\"\nclient_auth = \"body\"\ntoken_url = \"https://auth.example/oauth/token\"\nscopes = [\"mail.read\"]\naudience = \"https://api.example\"",
        )
        .unwrap();
        assert_eq!(signer.parts(), ["id", "cs"]);
        assert_eq!(signer.headers(), ["x-token"]);
    }
}
