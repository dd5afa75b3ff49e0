//! `wasi:filesystem`: the standard interface over the granted directories. It is wasmtime's own,
//! except that files with several hard links are refused, as they are by `hydroid:cap/fs-read`, and
//! that none are made, unless the operator allows them.

use crate::instance::State;
use std::os::unix::fs::MetadataExt;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, DescriptorType, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::filesystem::{preopens, types};

/// The instance as wasmtime names it; a test opens a hard link through it.
const TYPES: &str = "wasi:filesystem/types@0.2.12";

type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
type LinkAt = (Resource<Descriptor>, PathFlags, String, Resource<Descriptor>, String);

/// Links both interfaces; without preopened directories they reach nothing.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    types::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    preopens::add_to_linker::<State, WasiFilesystem>(linker, State::filesystem)?;
    linker.allow_shadowing(true);
    let mut instance = linker.instance(TYPES)?;
    instance.func_wrap_async(
        "[method]descriptor.open-at",
        |mut store: StoreContextMut<'_, State>,
         (fd, path_flags, path, open_flags, flags): OpenAt| {
            Box::new(async move {
                let opened =
                    open_at(store.data_mut(), fd, path_flags, path, open_flags, flags).await?;
                Ok((opened,))
            })
        },
    )?;
    instance.func_wrap_async(
        "[method]descriptor.link-at",
        |mut store: StoreContextMut<'_, State>, link: LinkAt| {
            Box::new(async move { Ok((link_at(store.data_mut(), link).await?,)) })
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn allows_hard_links(state: &State) -> bool {
    state.equipment.workspace.as_ref().is_some_and(|workspace| workspace.allows_hard_links())
}

/// Makes a second name of a file, where files with several may be opened.
async fn link_at(
    state: &mut State,
    (fd, path_flags, path, other, name): LinkAt,
) -> Result<Result<(), ErrorCode>> {
    if !allows_hard_links(state) {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    match state.filesystem().link_at(fd, path_flags, path, other, name).await {
        Ok(()) => Ok(Ok(())),
        Err(error) => Ok(Err(error.downcast()?)),
    }
}

/// Opens first and truncates only once the file turned out to be the workspace's alone.
async fn open_at(
    state: &mut State,
    fd: Resource<Descriptor>,
    path_flags: PathFlags,
    path: String,
    open_flags: OpenFlags,
    flags: DescriptorFlags,
) -> Result<Result<Resource<Descriptor>, ErrorCode>> {
    // Opening a named pipe would hold a thread until somebody opens its other end.
    let found =
        state.filesystem().stat_at(Resource::new_borrow(fd.rep()), path_flags, path.clone()).await;
    let opens = |kind| {
        matches!(
            kind,
            DescriptorType::RegularFile | DescriptorType::Directory | DescriptorType::SymbolicLink
        )
    };
    if found.is_ok_and(|found| !opens(found.type_)) {
        return Ok(Err(ErrorCode::NotPermitted));
    }
    let truncate = open_flags.contains(OpenFlags::TRUNCATE);
    let kept = open_flags & !OpenFlags::TRUNCATE;
    let opened = match state.filesystem().open_at(fd, path_flags, path, kept, flags).await {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(error.downcast()?)),
    };
    let allowed = allows_hard_links(state);
    let file = match state.table.get(&opened)? {
        Descriptor::File(file) => file.file.clone(),
        Descriptor::Dir(_) => return Ok(Ok(opened)),
    };
    let code = match file.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.nlink() > 1 && !allowed => {
            ErrorCode::NotPermitted
        }
        Ok(_) if truncate => match file.set_len(0) {
            Ok(()) => return Ok(Ok(opened)),
            Err(_) => ErrorCode::Io,
        },
        Ok(_) => return Ok(Ok(opened)),
        Err(_) => ErrorCode::Io,
    };
    state.table.delete(opened)?;
    Ok(Err(code))
}
