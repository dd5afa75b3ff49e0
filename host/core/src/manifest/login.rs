//! How a person obtains the value of a credential by signing in elsewhere, as a manifest declares
//! it: OAuth's device authorization (RFC 8628). Not what is done with the value afterwards.

use super::fields::Fields;
use super::secret::Attach;
use super::signer::{ClientAuth, OAuthGrant, Signer, check_scopes, plain_url};
use url::Host;

/// Where a person signs in, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLogin {
    /// Where a code for the person is obtained.
    pub device_url: String,
    /// Where it is asked whether the person has signed in.
    pub token_url: String,
    /// As whom.
    pub client: LoginClient,
    /// Scopes asked for.
    pub scopes: Vec<String>,
    /// What of the answer becomes the credential.
    pub obtains: Obtains,
}

/// The client a person signs in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginClient {
    /// A public client with this id.
    Public(String),
    /// The client of the credential's signer: parts of the manifest.
    Parts {
        /// The part that is its id.
        id: String,
        /// The part that is its secret, if it has one.
        secret: Option<String>,
        /// How it says who it is.
        auth: ClientAuth,
    },
}

/// What of an answer becomes the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obtains {
    /// The access token.
    AccessToken,
    /// The refresh token, which the signer exchanges.
    RefreshToken,
}

/// Reads a `login` table of a credential that is used like this. The error is what follows `the
/// manifest's [secrets.NAME]`.
pub(super) fn read(attach: &Attach, table: toml::Table) -> Result<DeviceLogin, String> {
    read_inside(attach, table).map_err(|problem| format!("has a `login` table that {problem}"))
}

fn read_inside(attach: &Attach, table: toml::Table) -> Result<DeviceLogin, String> {
    let mut fields = Fields::of(table, &["client_id", "device_url", "scopes", "token_url"])?;
    let device_url =
        fields.required("device_url", "device_url = \"https://auth.example.com/device\"")?;
    check_url("device_url", &device_url)?;
    let mut scopes = fields.texts("scopes")?;
    check_scopes(&scopes)?;
    let (token_url, client_id) = (fields.text("token_url")?, fields.text("client_id")?);
    let oauth = match attach {
        Attach::Place(_) => None,
        Attach::Sign(Signer::OAuth2(oauth)) => Some(oauth),
        Attach::Sign(Signer::Hmac(_) | Signer::AwsSigV4(_)) | Attach::Part => {
            return Err("obtains a token, which is no key for a signature; leave it out".into());
        }
    };
    match oauth.map(|oauth| (oauth, &oauth.grant)) {
        Some((_, OAuthGrant::ClientCredentials)) => {
            Err("obtains a token, and the credential is a client's secret; leave it out".into())
        }
        Some((oauth, OAuthGrant::RefreshToken { client_secret })) => {
            if token_url.is_some() || client_id.is_some() {
                return Err(
                    "names a `token_url` or a `client_id`; those of `sign` are used, leave them out"
                        .into(),
                );
            }
            if scopes.is_empty() {
                scopes.clone_from(&oauth.scopes);
            }
            Ok(DeviceLogin {
                device_url,
                token_url: oauth.token_url.clone(),
                client: LoginClient::Parts {
                    id: oauth.client_id.clone().unwrap_or_default(),
                    secret: client_secret.clone(),
                    auth: oauth.client_auth,
                },
                scopes,
                obtains: Obtains::RefreshToken,
            })
        }
        Some((_, OAuthGrant::Exchange { .. })) | None => {
            let missing = |field, example| {
                format!("has no `{field}`; add one like `{field} = \"{example}\"`")
            };
            let token_url =
                token_url.ok_or_else(|| missing("token_url", "https://auth.example.com/token"))?;
            check_url("token_url", &token_url)?;
            let client_id = client_id.ok_or_else(|| missing("client_id", "acme-app"))?;
            Ok(DeviceLogin {
                device_url,
                token_url,
                client: LoginClient::Public(client_id),
                scopes,
                obtains: Obtains::AccessToken,
            })
        }
    }
}

/// What is obtained is as good as a password, so it goes without TLS to this machine and its
/// neighbours only.
fn check_url(field: &str, text: &str) -> Result<(), String> {
    let url = plain_url(field, text)?;
    let near = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "https" || near {
        return Ok(());
    }
    Err(format!(
        "has `{field}` as `{text}`: what is obtained could be read on the way; write https"
    ))
}

#[cfg(test)]
mod tests {
    use crate::manifest::{LoginClient, Manifest, Obtains};

    fn manifest(secret: &str) -> Result<Manifest, String> {
        let parts = ["id", "cs"].map(|part| format!("[secrets.{part}]\nattach = \"part\"\n"));
        let parts = if secret.contains("client_secret") { parts.concat() } else { String::new() };
        let text = format!(
            "name = \"t\"\nversion = \"1.0.0\"\n{parts}[secrets.k]\nhosts = [\"api.example\", \"auth.example\"]\n{secret}"
        );
        Manifest::parse(&text).map_err(|error| error.to_string())
    }

    const LOGIN: &str = "[secrets.k.login]\ndevice_url = \"https://auth.example/device\"\n";
    const WHERE: &str = "token_url = \"https://auth.example/token\"\nclient_id = \"app\"\n";
    const REFRESH: &str = "[secrets.k.sign]\nkind = \"oauth2-refresh-token\"\nclient_id = \"id\"\nclient_secret = \"cs\"\ntoken_url = \"https://auth.example/token\"\nscopes = [\"a\"]\n";
    const EXCHANGE: &str = "[secrets.k.sign]\nkind = \"token-exchange\"\ntoken_url = \"https://auth.example/short\"\ntoken_attach = \"header:Authorization:token \"\nheaders = { Accept-Language = \"en\" }\n";

    #[track_caller]
    fn refused(secret: &str, expect: &str) {
        let error = manifest(secret).unwrap_err();
        assert!(error.contains(expect), "expected `{expect}` in: {error}");
    }

    #[test]
    fn a_token_that_is_sent_as_it_is_comes_from_a_public_client() {
        for how in ["attach = \"bearer\"\n", EXCHANGE] {
            let read = manifest(&format!("{how}{LOGIN}{WHERE}scopes = [\"read:user\"]\n")).unwrap();
            let login = read.secrets["k"].login.clone().unwrap();
            assert_eq!(login.client, LoginClient::Public("app".into()));
            assert_eq!(login.obtains, Obtains::AccessToken);
            assert_eq!(login.scopes, ["read:user"]);
        }
    }

    #[test]
    fn a_refresh_token_is_of_its_signers_client() {
        let read = manifest(&format!("{REFRESH}{LOGIN}")).unwrap();
        let login = read.secrets["k"].login.clone().unwrap();
        assert_eq!(login.obtains, Obtains::RefreshToken);
        assert_eq!(login.token_url, "https://auth.example/token");
        assert_eq!(login.scopes, ["a"]);
        refused(&format!("{REFRESH}{LOGIN}{WHERE}"), "those of `sign` are used");
    }

    #[test]
    fn what_is_wrong_is_named_with_a_remedy() {
        let bearer = "attach = \"bearer\"\n";
        refused(&format!("{bearer}[secrets.k.login]\n{WHERE}"), "has no `device_url`");
        refused(&format!("{bearer}{LOGIN}"), "has no `token_url`");
        refused(
            &format!("{bearer}{LOGIN}token_url = \"https://auth.example/token\"\n"),
            "client_id = \"acme-app\"",
        );
        refused(&format!("{bearer}{LOGIN}{WHERE}scope = \"a\"\n"), "did you mean `scopes`");
        refused(&format!("{bearer}{LOGIN}{WHERE}scopes = [\"a b\"]\n"), "without spaces");
        let odd = LOGIN.replace("https://auth", "ftp://auth");
        refused(&format!("{bearer}{odd}{WHERE}"), "write an https URL");
        refused(
            &format!(
                "attach = \"header:X-S\"\n[secrets.k.sign]\nkind = \"hmac\"\ntext = \"{{body}}\"\n{LOGIN}{WHERE}"
            ),
            "no key for a signature",
        );
        refused(&EXCHANGE.replace("auth.example", "other.example"), "add its host to `hosts`");
        let open = LOGIN.replace("https:", "http:");
        refused(&format!("{bearer}{open}{WHERE}"), "read on the way");
        let own = open.replace("auth.example", "127.0.0.1:9");
        assert!(manifest(&format!("{bearer}{own}{WHERE}")).is_ok());
        let header = EXCHANGE.replace("Accept-Language", "Authorization");
        refused(&header, "cannot be set here");
    }
}
