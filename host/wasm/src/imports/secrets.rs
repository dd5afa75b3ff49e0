//! `hydroid:cap/secrets`: handles on credentials. A value never crosses this line.

use super::error;
use crate::bindings::cap::secrets::{Host, HostSecret};
use crate::bindings::core::types::{Error, ErrorKind};
use crate::egress::Credential;
use crate::instance::{Equipment, State};
use hydroid_core::id::UserId;
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

/// A secret the component may attach, with its value; an error says what is missing.
pub(crate) fn credential(
    equipment: &Equipment,
    user: &UserId,
    name: &str,
) -> Result<Credential, Error> {
    let component = &equipment.component;
    let shown: String = name.chars().take(64).collect();
    let Some(rule) = equipment.secrets.get(name).filter(|_| equipment.grant.secrets.contains(name))
    else {
        return Err(error(
            ErrorKind::Denied,
            format!(
                "`{component}` may not use the secret `{shown}`: its manifest must name it, and a person can allow it with `hydroid component grant {component} web --secret {shown}`"
            ),
        ));
    };
    match equipment.values.value(user, name) {
        Ok(Some(value)) => Ok(Credential {
            name: name.to_owned(),
            audience: rule.audience.clone(),
            place: rule.place.clone(),
            value,
        }),
        Ok(None) => Err(error(
            ErrorKind::Unauthenticated,
            format!(
                "the secret `{shown}` is not set; a person can set it with `hydroid config set secrets.{shown}.env NAME_OF_A_VARIABLE`"
            ),
        )),
        Err(problem) => Err(error(ErrorKind::Unauthenticated, problem.to_string())),
    }
}
