//! `hydroid:cap/kv`: the component's own durable keys. It never says whose they are: that is the
//! user of the call and the component itself.

use super::{error, records, store_error};
use crate::bindings::cap::kv::Host;
use crate::bindings::core::types::{Error, ErrorKind};
use crate::instance::{Equipment, State};
use hydroid_core::ports::{
    CallContext, KeyError, KeyOwner, LARGEST_COMPONENT_STATE, LONGEST_KEY, MOST_KEYS, check_key,
    check_value,
};
use wasmtime::Result;

impl Host for State {
    async fn get(&mut self, key: String) -> Result<Result<Option<Vec<u8>>, Error>> {
        Ok(get(&self.equipment, &self.call, &key).await)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<Result<(), Error>> {
        Ok(set(&self.equipment, &self.call, &key, value).await)
    }

    async fn delete(&mut self, key: String) -> Result<Result<(), Error>> {
        Ok(delete(&self.equipment, &self.call, &key).await)
    }

    async fn keys(
        &mut self,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Result<Vec<String>, Error>> {
        Ok(keys(&self.equipment, &self.call, &prefix, after.as_deref(), limit).await)
    }
}

async fn get(
    equipment: &Equipment,
    call: &CallContext,
    key: &str,
) -> Result<Option<Vec<u8>>, Error> {
    let records = records(equipment)?;
    check_key(key).map_err(key_error)?;
    records.key_values.get(owner(equipment, call), key).await.map_err(key_error)
}

async fn set(
    equipment: &Equipment,
    call: &CallContext,
    key: &str,
    value: Vec<u8>,
) -> Result<(), Error> {
    let records = records(equipment)?;
    check_key(key).map_err(key_error)?;
    check_value(&value).map_err(key_error)?;
    records.key_values.set(owner(equipment, call), key, value).await.map_err(key_error)
}

async fn delete(equipment: &Equipment, call: &CallContext, key: &str) -> Result<(), Error> {
    let records = records(equipment)?;
    check_key(key).map_err(key_error)?;
    records.key_values.delete(owner(equipment, call), key).await.map_err(key_error)
}

async fn keys(
    equipment: &Equipment,
    call: &CallContext,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, Error> {
    let records = records(equipment)?;
    // No key is longer, so none begins like that.
    if prefix.len() > LONGEST_KEY {
        return Ok(Vec::new());
    }
    let limit = limit.min(MOST_KEYS);
    records.key_values.keys(owner(equipment, call), prefix, after, limit).await.map_err(key_error)
}

fn owner<'a>(equipment: &'a Equipment, call: &'a CallContext) -> KeyOwner<'a> {
    let quota = equipment.grant.state_quota.unwrap_or(LARGEST_COMPONENT_STATE);
    KeyOwner { user: &call.user, component: &equipment.component, quota }
}

fn key_error(problem: KeyError) -> Error {
    let kind = match &problem {
        KeyError::Key(_) | KeyError::Nul => ErrorKind::InvalidInput,
        KeyError::Value(_) | KeyError::Full { .. } => ErrorKind::TooLarge,
        KeyError::Store(problem) => return store_error(problem),
    };
    error(kind, problem.to_string())
}
