//! `hydroid:core/config`: the component's own configuration, never a secret.

use crate::bindings::core::config::Host;
use crate::instance::State;
use wasmtime::Result;

impl Host for State {
    async fn get(&mut self) -> Result<String> {
        Ok(self.equipment.config.clone())
    }
}
