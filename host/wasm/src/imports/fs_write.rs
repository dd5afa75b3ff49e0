//! `hydroid:cap/fs-write`: changing files under `/shared` and `/tmp`.

use super::fs_read::{file_error, workspace};
use crate::bindings::cap::fs_write::{Host, WriteMode};
use crate::bindings::core::types::Error;
use crate::files;
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
            WriteMode::Create => files::WriteMode::Create,
            WriteMode::Replace => files::WriteMode::Replace,
            WriteMode::Append => files::WriteMode::Append,
        };
        Ok(workspace(&self.equipment)
            .and_then(|workspace| workspace.write(&path, &data, mode).map_err(file_error)))
    }

    async fn make_directory(&mut self, path: String) -> Result<Result<(), Error>> {
        Ok(workspace(&self.equipment)
            .and_then(|workspace| workspace.make_directory(&path).map_err(file_error)))
    }

    async fn remove_file(&mut self, path: String) -> Result<Result<(), Error>> {
        Ok(workspace(&self.equipment)
            .and_then(|workspace| workspace.remove_file(&path).map_err(file_error)))
    }

    async fn remove_directory(&mut self, path: String) -> Result<Result<(), Error>> {
        Ok(workspace(&self.equipment)
            .and_then(|workspace| workspace.remove_directory(&path).map_err(file_error)))
    }

    async fn rename(&mut self, source: String, target: String) -> Result<Result<(), Error>> {
        Ok(workspace(&self.equipment)
            .and_then(|workspace| workspace.rename(&source, &target).map_err(file_error)))
    }
}
