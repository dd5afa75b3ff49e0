//! Who asks a registry: credentials as a person's other tools keep them, and the challenge a
//! registry answers with. Where they are kept is the caller's business.

use hydroid_core::ports::SecretValue;

/// How a person is known to a registry.
#[derive(Clone, Debug)]
pub enum Login {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: SecretValue,
    },
    /// A token that is exchanged for others.
    Identity(SecretValue),
}

/// Where credentials are kept.
pub trait Logins: Send + Sync {
    /// Those for a host with its port, if there are any; an error says what could not be read.
    fn login(&self, host: &str) -> Result<Option<Login>, String>;
}

/// What a registry wants to be shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password with each request.
    Basic,
    /// A token, obtained there.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// The first challenge that can be met, of what a `WWW-Authenticate` line says.
pub(super) fn challenge(lines: &[String]) -> Option<Challenge> {
    lines.iter().find_map(|line| {
        let (scheme, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        for (name, value) in parameters(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value),
                "service" => service = Some(value),
                "scope" => scope = Some(value),
                _ => {}
            }
        }
        Some(Challenge::Bearer { realm: realm?, service, scope })
    })
}

/// `name="value"` pairs; inside quotes a comma is a comma and a backslash takes the next as it is.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        while characters.peek().is_some_and(|c| c.is_whitespace() || *c == ',') {
            characters.next();
        }
        let mut name = String::new();
        while let Some(character) = characters.next_if(|c| *c != '=' && *c != ',') {
            name.push(character);
        }
        if name.is_empty() {
            return found;
        }
        if characters.next_if_eq(&'=').is_none() {
            continue;
        }
        let mut value = String::new();
        if characters.next_if_eq(&'"').is_some() {
            while let Some(character) = characters.next() {
                match character {
                    '"' => break,
                    '\\' => value.extend(characters.next()),
                    other => value.push(other),
                }
            }
        } else {
            while let Some(character) = characters.next_if(|c| *c != ',' && !c.is_whitespace()) {
                value.push(character);
            }
        }
        found.push((name.trim().to_owned(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Challenge> {
        challenge(&[line.to_owned()])
    }

    #[test]
    fn a_challenge_is_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            Some(Challenge::Bearer {
                realm: realm.into(),
                service: service.map(Into::into),
                scope: scope.map(Into::into),
            })
        };
        assert_eq!(
            of(
                r#"Bearer realm="https://a.example/token",service="a.example",scope="repository:x:pull,push""#
            ),
            bearer("https://a.example/token", Some("a.example"), Some("repository:x:pull,push"))
        );
        assert_eq!(
            of(r#"bearer realm=https://a.example/t"#),
            bearer("https://a.example/t", None, None)
        );
        assert_eq!(of(r#"Basic realm="x""#), Some(Challenge::Basic));
        assert_eq!(challenge(&["Negotiate".into(), "basic".into()]), Some(Challenge::Basic));
    }

    #[test]
    fn nonsense_is_no_challenge() {
        for line in ["", "Bearer", "Bearer realm", "Bearer =", "Bearer ,,,", "Digest realm=\"x\""] {
            assert_eq!(of(line), None, "{line}");
        }
        assert!(of("Bearer realm=\"never closed \\").is_some());
    }
}
