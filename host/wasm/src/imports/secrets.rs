//! `hydroid:cap/secrets`: handles on credentials. A value never crosses this line.

use super::error;
use crate::bindings::cap::secrets::{Host, HostSecret};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::egress::{
    Credential, EgressError, Outgoing, Part, Spare, Target, check_supplied, covers,
};
use crate::instance::{Equipment, SecretRule, State};
use hydroid_core::capability::WebRule;
use hydroid_core::id::UserId;
use hydroid_core::manifest::Attach;
use hydroid_core::ports::SecretValue;
use wasmtime::Result;
use wasmtime::component::Resource;

/// A handle on a secret: its name, nothing more.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "bindgen! re-exports it")]
pub struct OpenSecret {
    pub(crate) name: String,
}

impl Host for State {
    async fn open(&mut self, name: String) -> Result<Result<Resource<OpenSecret>, Error>> {
        match credential(&self.equipment, &self.call.user, &name) {
            Ok(_) => Ok(Ok(self.table.push(OpenSecret { name })?)),
            Err(problem) => Ok(Err(problem)),
        }
    }
}

impl HostSecret for State {
    async fn name(&mut self, secret: Resource<OpenSecret>) -> Result<String> {
        Ok(self.table.get(&secret)?.name.clone())
    }

    async fn drop(&mut self, secret: Resource<OpenSecret>) -> Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

/// A credential the component may use, with its value and those its signer needs; an error says
/// what is missing.
pub(crate) fn credential(
    equipment: &Equipment,
    user: &UserId,
    name: &str,
) -> Result<Credential, Error> {
    let rule = granted(equipment, name)?;
    let part_names = match &rule.attach {
        Attach::Place(_) => Vec::new(),
        Attach::Sign(signer) => signer.parts(),
        Attach::Part => {
            return Err(error(
                ErrorKind::Denied,
                format!("the secret `{name}` is used only by the signer of another one; name that"),
            ));
        }
    };
    let (first, spares) = values(equipment, user, name, rule)?;
    let mut parts = Vec::new();
    for part in part_names {
        let rule = granted(equipment, part)?;
        match self::value(equipment, user, part)? {
            Some(value) => {
                let audience = rule.audience.clone();
                parts.push(Part { name: part.to_owned(), audience, value });
            }
            None if rule.optional => {}
            None => return Err(unset(part, rule)),
        }
    }
    Ok(Credential {
        name: first.name,
        user: user.clone(),
        audience: rule.audience.clone(),
        attach: rule.attach.clone(),
        value: first.value,
        parts,
        spares,
        login: rule.login,
        now_ms: equipment.records.as_ref().map_or(0, |records| records.clock.now_ms()),
        keeper: Some(equipment.values.clone()),
        scrubber: equipment.guard.as_ref().map(|guard| guard.scrubber.clone()),
    })
}

/// The credential for a request in which the guest could name none: of those for the target, the
/// one for the longest path, then for the most exact host.
pub(crate) fn fitting(
    equipment: &Equipment,
    user: &UserId,
    target: &Target,
) -> Result<Option<Credential>, Error> {
    let exactness = |rule: &WebRule| (rule.path.depth(), rule.host.exactness());
    let mut best: Vec<(&String, &SecretRule)> = Vec::new();
    let mut highest = None;
    for (name, rule) in &equipment.secrets {
        if rule.attach == Attach::Part || !equipment.grant.secrets.contains(name) {
            continue;
        }
        let covering = rule.audience.iter().filter(|rule| covers(rule, target));
        let Some(found) = covering.map(exactness).max() else { continue };
        if highest.is_none_or(|highest| found > highest) {
            best.clear();
            highest = Some(found);
        }
        if Some(found) == highest {
            best.push((name, rule));
        }
    }
    match best.as_slice() {
        [] => Ok(None),
        [(name, rule)] if rule.optional && value(equipment, user, name)?.is_none() => Ok(None),
        [(name, _)] => credential(equipment, user, name).map(Some),
        [(one, _), (other, _), ..] => Err(error(
            ErrorKind::Denied,
            format!(
                "the secrets `{one}` and `{other}` are both for `{}`; a person can tell them apart by a path, like `secrets.{one}.hosts = [\"{}/v1\"]` in the configuration",
                target.grantable(),
                target.grantable()
            ),
        )),
    }
}

/// Refuses a request that sets what the host sets for this host, whether or not a credential is
/// attached to it: with a key of its own, a component could send what it read to another account.
pub(crate) fn check_guest(equipment: &Equipment, outgoing: &Outgoing) -> Result<(), EgressError> {
    let target = &outgoing.target;
    for (name, rule) in &equipment.secrets {
        let at_its_host = rule
            .audience
            .iter()
            .any(|rule| rule.host.matches(target.scheme(), target.host(), target.port()));
        if at_its_host {
            check_supplied(name, &rule.attach, outgoing)?;
        }
    }
    Ok(())
}

fn granted<'a>(equipment: &'a Equipment, name: &str) -> Result<&'a SecretRule, Error> {
    let rule = equipment.secrets.get(name);
    rule.filter(|_| equipment.grant.secrets.contains(name)).ok_or_else(|| {
        let component = &equipment.component;
        let shown: String = name.chars().take(64).collect();
        error(
            ErrorKind::Denied,
            format!(
                "`{component}` may not use the secret `{shown}`: its manifest must name it, and a person can allow it with `hydroid component grant {component} web --secret {shown}`"
            ),
        )
    })
}

/// The value of a secret and those that may be sent instead. Where it has none itself, the first
/// of the others takes its place.
fn values(
    equipment: &Equipment,
    user: &UserId,
    name: &str,
    rule: &SecretRule,
) -> Result<(Spare, Vec<Spare>), Error> {
    let own = value(equipment, user, name)?;
    if !rule.rotate.is_empty() && !matches!(rule.attach, Attach::Place(_)) {
        return Err(error(
            ErrorKind::Denied,
            format!(
                "the secret `{name}` is used by a signer, whose parts belong together, so no other can stand in for it; a person can take `secrets.{name}.rotate` out of the configuration"
            ),
        ));
    }
    let own = own.map(|value| Spare { name: name.to_owned(), value });
    let mut spares: Vec<Spare> = own.into_iter().collect();
    for other in &rule.rotate {
        match equipment.values.value(user, other) {
            Ok(found) => {
                spares.extend(found.map(|value| Spare { name: other.clone(), value }));
            }
            // One that cannot be read must not keep the others from being used.
            Err(problem) => tracing::warn!(%problem, "a secret cannot stand in for `{name}`"),
        }
    }
    if spares.is_empty() {
        return Err(unset(name, rule));
    }
    Ok((spares.remove(0), spares))
}

fn value(equipment: &Equipment, user: &UserId, name: &str) -> Result<Option<SecretValue>, Error> {
    let value = equipment.values.value(user, name);
    value.map_err(|problem| error(ErrorKind::Unauthenticated, problem.to_string()))
}

fn unset(name: &str, rule: &SecretRule) -> Error {
    let how = if rule.login {
        format!("a person can sign in with `hydroid provider login {name}`")
    } else {
        format!("a person can set it with `hydroid secret set {name}`")
    };
    error(ErrorKind::Unauthenticated, format!("the secret `{name}` is not set; {how}"))
}
