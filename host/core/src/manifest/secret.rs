//! Credentials as a manifest declares them: for which hosts each is, and where it is put or what
//! is signed with it. No value is here.

use super::fields::Fields;
use super::login::{self, DeviceLogin};
use super::place::Place;
use super::signer::{self, Signer};
use crate::capability::WebRule;
use crate::config::is_name;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A credential the component lets the host attach to its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretWant {
    /// Where it, and what is obtained with it, may be sent: host patterns, each with a path where
    /// it is not for the whole host.
    pub hosts: Vec<String>,
    /// What is done with it.
    pub attach: Attach,
    /// A request through `wasi:http` goes without it while it is not set.
    pub optional: bool,
    /// Where a person gets one.
    pub help: String,
    /// How a person obtains it by signing in, where that is possible.
    pub login: Option<DeviceLogin>,
}

/// What the host does with a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// It is put there as it is.
    Place(Place),
    /// It signs the request, or is exchanged for a token; it is not sent with the request.
    Sign(Signer),
    /// It is used only by the signer of another credential, which names it.
    Part,
}

impl Attach {
    /// The header lines the host alone sets in a request with this credential, in lower case.
    pub fn headers(&self) -> Vec<&str> {
        match self {
            Self::Place(place) => place.header().into_iter().collect(),
            Self::Sign(signer) => signer.headers(),
            Self::Part => Vec::new(),
        }
    }

    /// The query parameters the host alone sets.
    pub fn queries(&self) -> Vec<&str> {
        match self {
            Self::Place(place) => place.query().into_iter().collect(),
            Self::Sign(signer) => signer.queries(),
            Self::Part => Vec::new(),
        }
    }
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Place(place) => write!(f, "sent as {place}"),
            Self::Sign(signer) => signer.fmt(f),
            Self::Part => f.write_str("used only by another credential's signer"),
        }
    }
}

/// All credentials of a manifest. The error is what follows `the manifest's [secrets.NAME]`.
pub(super) fn read(
    written: BTreeMap<String, toml::Table>,
) -> Result<BTreeMap<String, SecretWant>, (String, String)> {
    let mut secrets = BTreeMap::new();
    for (name, table) in written {
        let want = read_one(&name, table).map_err(|problem| (name.clone(), problem))?;
        secrets.insert(name, want);
    }
    check_parts(&secrets)?;
    Ok(secrets)
}

fn read_one(name: &str, table: toml::Table) -> Result<SecretWant, String> {
    if !is_name(name) {
        return Err("has a name that none can have; use letters, digits, `-` and `_`".into());
    }
    let mut fields = Fields::of(table, &["attach", "help", "hosts", "login", "optional", "sign"])?;
    let hosts = fields.texts("hosts")?;
    let rules = hosts
        .iter()
        .map(|host| audience(host).map_err(|problem| format!("has a wrong host: {problem}")))
        .collect::<Result<Vec<_>, _>>()?;
    let attach = match (fields.text("attach")?, fields.table("sign")?) {
        (attach, Some(sign)) => Attach::Sign(signer::read(attach.as_deref(), sign, &rules)?),
        (Some(attach), None) if attach == "part" => Attach::Part,
        (Some(attach), None) => {
            Attach::Place(attach.parse().map_err(|error| format!("has a wrong `attach`: {error}"))?)
        }
        (None, None) => {
            return Err("has neither `attach` nor a `sign` table; add `attach = \"bearer\"`".into());
        }
    };
    let optional = fields.flag("optional")?;
    let login = fields.table("login")?.map(|table| login::read(&attach, table)).transpose()?;
    let help = fields.text("help")?.unwrap_or_default();
    Ok(SecretWant { hosts, attach, optional, help, login })
}

/// A place a credential may be sent to: a host pattern, with a path where it is not for the whole
/// host.
pub fn audience(text: &str) -> Result<WebRule, String> {
    let rule: WebRule =
        text.parse().map_err(|error: crate::capability::BadWebRule| error.to_string())?;
    if rule.methods.is_empty() {
        return Ok(rule);
    }
    Err(format!("`{text}` has methods; a credential is for hosts and paths, leave them out"))
}

fn check_parts(secrets: &BTreeMap<String, SecretWant>) -> Result<(), (String, String)> {
    let mut used = BTreeSet::new();
    for (name, want) in secrets {
        let Attach::Sign(signer) = &want.attach else { continue };
        for part in signer.parts() {
            if !secrets.get(part).is_some_and(|want| want.attach == Attach::Part) {
                let problem = format!(
                    "signs with `{part}`, which is not declared; add `[secrets.{part}]` with `attach = \"part\"`"
                );
                return Err((name.clone(), problem));
            }
            used.insert(part);
        }
    }
    let unused = secrets
        .iter()
        .find(|(name, want)| want.attach == Attach::Part && !used.contains(name.as_str()));
    match unused {
        None => Ok(()),
        Some((name, _)) => Err((
            name.clone(),
            "is a part that no `sign` table names; name it there or leave it out".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BTreeMap<String, SecretWant>, String> {
        #[derive(serde::Deserialize)]
        struct Document {
            secrets: BTreeMap<String, toml::Table>,
        }
        let document: Document = toml::from_str(text).unwrap();
        read(document.secrets).map_err(|(name, problem)| format!("[secrets.{name}] {problem}"))
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn a_credential_says_where_it_goes() {
        let secrets = parse(
            "[secrets.k]\nhosts = [\"a.example/v1\"]\nattach = \"header:X-Key:Token \"\nhelp = \"there\"\n",
        )
        .unwrap();
        let place = Place::Header { name: "x-key".into(), prefix: "Token ".into() };
        let want = SecretWant {
            hosts: vec!["a.example/v1".into()],
            attach: Attach::Place(place),
            optional: false,
            help: "there".into(),
            login: None,
        };
        assert_eq!(secrets["k"], want);
        assert_eq!(want.attach.to_string(), "sent as header:x-key:Token ");
        assert_eq!(want.attach.headers(), ["x-key"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_a_remedy() {
        refused("[secrets.k]\nhosts = [\"a.example\"]", "add `attach = \"bearer\"`");
        refused("[secrets.k]\nattach = \"cookie\"", "one of bearer");
        refused("[secrets.k]\natach = \"bearer\"", "did you mean `attach`");
        refused("[secrets.k]\nattach = 3", "write a text");
        refused("[secrets.k]\nattach = \"bearer\"\noptional = \"yes\"", "neither `true` nor");
        refused("[secrets.k]\nattach = \"bearer\"\nhosts = \"a.example\"", "not a list of texts");
        refused("[secrets.k]\nattach = \"bearer\"\nhosts = [\"a.example/..\"]", "wrong host");
        refused("[secrets.k]\nattach = \"bearer\"\nhosts = [\"GET a.example\"]", "leave them out");
        refused("[secrets.k]\nattach = \"part\"", "no `sign` table names");
        refused("[secrets.\"a b\"]\nattach = \"bearer\"", "use letters");
    }

    #[test]
    fn what_a_signer_uses_is_declared_as_a_part() {
        let aws = "[secrets.k]\nhosts = [\"a.example\"]\n[secrets.k.sign]\nkind = \"aws-sigv4\"\nregion = \"eu-west-1\"\nservice = \"s3\"\naccess_key = \"id\"\n";
        refused(aws, "add `[secrets.id]`");
        refused(&format!("{aws}[secrets.id]\nattach = \"bearer\"\n"), "add `[secrets.id]`");
        assert!(parse(&format!("{aws}[secrets.id]\nattach = \"part\"\n")).is_ok());
    }
}
