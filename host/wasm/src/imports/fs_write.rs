//! `hydroid:cap/fs-write`: changing files under `/shared` and `/tmp`. What was changed is audited,
//! unless it was only tried out.

use super::fs_read::{file_error, files};
use crate::bindings::cap::fs_write::{Host, WriteMode};
use crate::bindings::core::types::Error;
use crate::files::WriteMode as Mode;
use crate::guard;
use crate::instance::State;
use wasmtime::Result;

impl Host for State {
    async fn write(
        &mut self,
        path: String,
        data: Vec<u8>,
        mode: WriteMode,
    ) -> Result<Result<(), Error>> {
        let mode = match mode {
            WriteMode::Create => Mode::Create,
            WriteMode::Replace => Mode::Replace,
            WriteMode::Append => Mode::Append,
        };
        let done =
            files(self).and_then(|mut files| files.write(&path, &data, mode).map_err(file_error));
        let bytes = Some(data.len() as u64);
        Ok(audited(self, done, &format!("write {path}"), bytes).await)
    }

    async fn make_directory(&mut self, path: String) -> Result<Result<(), Error>> {
        let done =
            files(self).and_then(|mut files| files.make_directory(&path).map_err(file_error));
        Ok(audited(self, done, &format!("make directory {path}"), None).await)
    }

    async fn remove_file(&mut self, path: String) -> Result<Result<(), Error>> {
        let done = files(self).and_then(|mut files| files.remove_file(&path).map_err(file_error));
        Ok(audited(self, done, &format!("remove {path}"), None).await)
    }

    async fn remove_directory(&mut self, path: String) -> Result<Result<(), Error>> {
        let done =
            files(self).and_then(|mut files| files.remove_directory(&path).map_err(file_error));
        Ok(audited(self, done, &format!("remove directory {path}"), None).await)
    }

    async fn rename(&mut self, source: String, target: String) -> Result<Result<(), Error>> {
        let done =
            files(self).and_then(|mut files| files.rename(&source, &target).map_err(file_error));
        Ok(audited(self, done, &format!("rename {source} to {target}"), None).await)
    }
}

async fn audited(
    state: &mut State,
    done: std::result::Result<(), Error>,
    resource: &str,
    bytes: Option<u64>,
) -> std::result::Result<(), Error> {
    if done.is_ok() && state.staged.is_none() {
        let (equipment, call) = (state.equipment.clone(), state.call.clone());
        guard::file_changed(&equipment, &call, resource, bytes).await;
    }
    done
}
