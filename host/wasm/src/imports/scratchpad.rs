//! `hydroid:cap/scratchpad`: the short text of the session whose call it is.

use super::memory::recall_error;
use super::records;
use crate::bindings::cap::scratchpad::Host;
use crate::bindings::core::types::Error;
use crate::instance::{Equipment, State};
use hydroid_core::ports::{CallContext, check_scratchpad};
use wasmtime::Result;

impl Host for State {
    async fn read(&mut self) -> Result<Result<String, Error>> {
        Ok(read(&self.equipment, &self.call).await)
    }

    async fn write(&mut self, text: String) -> Result<Result<(), Error>> {
        Ok(write(&self.equipment, &self.call, text).await)
    }
}

async fn read(equipment: &Equipment, call: &CallContext) -> Result<String, Error> {
    let records = records(equipment)?;
    records.recall.scratchpad(&call.user, &call.session).await.map_err(recall_error)
}

async fn write(equipment: &Equipment, call: &CallContext, text: String) -> Result<(), Error> {
    let records = records(equipment)?;
    check_scratchpad(&text).map_err(recall_error)?;
    records.recall.write_scratchpad(&call.user, &call.session, text).await.map_err(recall_error)
}
