//! Compiled code on disk. A file is native code, so it is taken only if this user's host wrote
//! it: named by the component's digest and the engine's compatibility hash, authenticated by a
//! key that only this user can read, rebuilt without a word on any mismatch.

use crate::engine::WasmEngine;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use wasmtime::component::Component;

/// Bytes of the authentication tag behind the code.
const TAG: usize = 32;

/// The cache directory.
#[derive(Debug)]
pub struct CompiledCache {
    directory: PathBuf,
    key: [u8; 32],
    max_bytes: u64,
}

/// Where a compiled component came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the cache.
    Cached,
    /// Compiled now.
    Compiled,
}

impl CompiledCache {
    /// Opens the directory, creating it and its key, both private to the user.
    pub fn open(directory: PathBuf, max_bytes: u64) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let key = key(&directory)?;
        Ok(Self { directory, key, max_bytes })
    }

    /// The compiled form of a component, from the cache if it is there and authentic.
    /// `wasm` is asked for the bytes only when they are needed.
    pub fn get(
        &self,
        engine: &WasmEngine,
        digest: &str,
        wasm: impl FnOnce() -> Result<Vec<u8>, wasmtime::Error>,
    ) -> Result<(Component, Origin), wasmtime::Error> {
        let path = self.path(engine, digest);
        if let Some(component) = self.read(engine, &path) {
            return Ok((component, Origin::Cached));
        }
        let component = compile(engine, &wasm()?)?;
        if let Err(error) = component
            .serialize()
            .map_err(std::io::Error::other)
            .and_then(|code| self.write(&path, &code))
        {
            tracing::warn!(%error, "compiled code could not be kept; it is compiled again next time");
        }
        Ok((component, Origin::Compiled))
    }

    /// True if authentic code for this component is on disk.
    pub fn has(&self, engine: &WasmEngine, digest: &str) -> bool {
        self.path(engine, digest).exists()
    }

    /// Size of the compiled code on disk in bytes, if it is there.
    pub fn size(&self, engine: &WasmEngine, digest: &str) -> Option<u64> {
        std::fs::metadata(self.path(engine, digest)).ok().map(|metadata| metadata.len())
    }

    fn path(&self, engine: &WasmEngine, digest: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.engine().precompile_compatibility_hash().hash(&mut hasher);
        self.directory.join(format!("{digest}-{:016x}.cwasm", hasher.finish()))
    }

    fn read(&self, engine: &WasmEngine, path: &Path) -> Option<Component> {
        let mut file = std::fs::File::open(path).ok()?;
        let length = file.metadata().ok()?.len().checked_sub(TAG as u64)?;
        let mut hasher = self.hasher(path);
        // In large pieces, which it hashes several times as fast as small ones.
        hasher.update_reader((&mut file).take(length)).ok()?;
        let mut tag = [0; TAG];
        file.read_exact(&mut tag).ok()?;
        // blake3's comparison takes the same time wherever the two differ.
        if hasher.finalize() != blake3::Hash::from_bytes(tag) {
            tracing::warn!(
                "a file in the cache of compiled code is not ours; it is compiled again"
            );
            return None;
        }
        let _ = file.set_modified(SystemTime::now());
        deserialize(engine, &file)
    }

    fn write(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        self.make_room(code.len() as u64)?;
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.write_all(code)?;
        // Behind the code, which has to begin at a page to be mapped.
        file.write_all(self.hasher(path).update(code).finalize().as_bytes())?;
        drop(file);
        std::fs::rename(&partial, path)
    }

    /// Binds the code to its file name, so that one component's code cannot stand in for another's.
    fn hasher(&self, path: &Path) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
        hasher.update(&(name.len() as u64).to_le_bytes()).update(name);
        hasher
    }

    fn make_room(&self, needed: u64) -> std::io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = std::fs::read_dir(&self.directory)?
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let metadata = entry.metadata().ok()?;
                let is_code = entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == "cwasm" || extension == "partial");
                is_code.then(|| Some((metadata.modified().ok()?, metadata.len(), entry.path())))?
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total.saturating_add(needed) <= self.max_bytes {
                break;
            }
            std::fs::remove_file(path)?;
            total -= size;
        }
        Ok(())
    }
}

/// Most bytes of a function times its locals. Registers are chosen for a function as a whole, so
/// a large one with many locals takes minutes and gigabytes; the interpreter loops of CPython and
/// QuickJS are a tenth of this.
const MOST_EFFORT: u64 = 1 << 30;

/// Refuses a function that would keep the compiler busy for too long.
fn check_effort(wasm: &[u8]) -> Result<(), wasmtime::Error> {
    for payload in wasmparser::Parser::new(0).parse_all(wasm) {
        // What cannot be read is refused by the compiler, with its own words.
        let Ok(payload) = payload else { return Ok(()) };
        let wasmparser::Payload::CodeSectionEntry(body) = payload else { continue };
        let Ok(locals) = body.get_locals_reader() else { return Ok(()) };
        let count = locals
            .into_iter()
            .filter_map(Result::ok)
            .map(|(count, _)| u64::from(count))
            .sum::<u64>();
        let bytes = body.range().len() as u64;
        if bytes.saturating_mul(count) > MOST_EFFORT {
            return Err(wasmtime::Error::msg(format!(
                "one of its functions has {bytes} bytes and {count} locals, too much to compile; build it with optimisation"
            )));
        }
    }
    Ok(())
}

/// Compiles a component, with a sentence for what the engine does not take.
fn compile(engine: &WasmEngine, wasm: &[u8]) -> Result<Component, wasmtime::Error> {
    if Engine::detect_precompiled(wasm).is_some() {
        return Err(wasmtime::Error::msg(
            "this is compiled code, not a component; add the `.wasm` it was made from",
        ));
    }
    check_effort(wasm)?;
    Component::from_binary(engine.engine(), wasm).map_err(|error| {
        let text = format!("{error:#}");
        if text.contains("requires the component model async feature") {
            wasmtime::Error::msg("it was built with the async ABI; rebuild it with `--backend-qjs-disable-async` (jco) or `--sync` (componentize-qjs), or without `async` exports (Rust)")
        } else {
            error
        }
    })
}

use wasmtime::Engine;

/// Maps the code of an open file that was authenticated. By its descriptor, so that what is
/// mapped is what was read, whatever the path leads to by now.
#[expect(unsafe_code, reason = "wasmtime cannot check code it did not just compile")]
fn deserialize(engine: &WasmEngine, file: &std::fs::File) -> Option<Component> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: the file was authenticated with a key that only this user can read, so it is what
    // `Component::serialize` gave to a host of this user, and its directory is this user's alone;
    // wasmtime itself checks version and configuration.
    // JUSTIFICATION: compiling takes 50 ms to 10 s, mapping compiled code 0.1 ms, and what is
    // mapped takes memory only where it is used.
    let component = unsafe { Component::deserialize_file(engine.engine(), path) };
    component.inspect_err(|error| tracing::debug!(%error, "compiled code of another engine")).ok()
}

fn key(directory: &Path) -> std::io::Result<[u8; 32]> {
    let path = directory.join("key");
    let mut key = [0; 32];
    match std::fs::File::open(&path) {
        Ok(mut file) if file.metadata()?.len() == 32 => {
            file.read_exact(&mut key)?;
            return Ok(key);
        }
        Ok(_) => std::fs::remove_file(&path)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    getrandom::fill(&mut key)
        .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
    // Two hosts may start at once: whoever links the key first wins, the other reads it.
    let partial = directory.join(format!("key.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)?;
    file.write_all(&key)?;
    let linked = std::fs::hard_link(&partial, &path);
    std::fs::remove_file(&partial)?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::File::open(&path)?.read_exact(&mut key)?;
            Ok(key)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "(component)";

    fn get(cache: &CompiledCache, engine: &WasmEngine, digest: &str) -> Origin {
        cache
            .get(engine, digest, || {
                Ok(EMPTY.as_bytes().to_vec())
                    .map(|text: Vec<u8>| wat::parse_bytes(&text).unwrap().into_owned())
            })
            .unwrap()
            .1
    }

    fn code_file(directory: &Path) -> PathBuf {
        std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .unwrap()
    }

    #[test]
    fn the_second_time_comes_from_the_cache() {
        let directory = tempfile::tempdir().unwrap();
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(directory.path().join("c"), 1 << 20).unwrap();
        assert_eq!(get(&cache, &engine, "d"), Origin::Compiled);
        assert_eq!(get(&cache, &engine, "d"), Origin::Cached);
        let again = CompiledCache::open(directory.path().join("c"), 1 << 20).unwrap();
        assert_eq!(get(&again, &engine, "d"), Origin::Cached);
    }

    #[test]
    fn a_tampered_file_is_compiled_again() {
        let directory = tempfile::tempdir().unwrap();
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(directory.path().to_owned(), 1 << 20).unwrap();
        get(&cache, &engine, "d");
        let path = code_file(directory.path());
        let mut code = std::fs::read(&path).unwrap();
        let last = code.len() - 1;
        code[last] ^= 1;
        std::fs::write(&path, code).unwrap();
        assert_eq!(get(&cache, &engine, "d"), Origin::Compiled);
        assert_eq!(get(&cache, &engine, "d"), Origin::Cached);
    }

    #[test]
    fn code_of_another_user_or_component_is_compiled_again() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(ours.path().to_owned(), 1 << 20).unwrap();
        let other = CompiledCache::open(theirs.path().to_owned(), 1 << 20).unwrap();
        get(&other, &engine, "d");
        let foreign = code_file(theirs.path());
        std::fs::copy(&foreign, ours.path().join(foreign.file_name().unwrap())).unwrap();
        assert_eq!(get(&cache, &engine, "d"), Origin::Compiled);
        let own = code_file(ours.path());
        let renamed = own.file_name().unwrap().to_str().unwrap().replacen("d-", "e-", 1);
        std::fs::copy(&own, ours.path().join(renamed)).unwrap();
        assert_eq!(get(&cache, &engine, "e"), Origin::Compiled);
    }

    #[test]
    fn the_directory_and_its_files_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(directory.path().join("c"), 1 << 20).unwrap();
        get(&cache, &engine, "d");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.path().join("c")), 0o700);
        assert_eq!(mode(&directory.path().join("c/key")), 0o600);
        assert_eq!(mode(&code_file(&directory.path().join("c"))), 0o600);
    }

    #[test]
    fn the_least_recently_used_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(directory.path().to_owned(), 1).unwrap();
        get(&cache, &engine, "a");
        get(&cache, &engine, "b");
        assert!(!cache.has(&engine, "a"));
        assert!(cache.has(&engine, "b"));
    }

    #[test]
    fn a_function_that_would_take_minutes_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(directory.path().to_owned(), 1 << 20).unwrap();
        let locals = "(local i64) ".repeat(2_000);
        let body = "(local.set 0 (i64.const 1)) ".repeat(200_000);
        let text = format!("(component (core module (func {locals} {body})))");
        let error =
            cache.get(&engine, "x", || Ok(wat::parse_str(text).unwrap())).unwrap_err().to_string();
        assert!(error.contains("2000 locals"), "{error}");
    }

    #[test]
    fn compiled_code_is_refused_as_a_component() {
        let directory = tempfile::tempdir().unwrap();
        let engine = WasmEngine::new(false).unwrap();
        let cache = CompiledCache::open(directory.path().to_owned(), 1 << 20).unwrap();
        let code = Component::new(engine.engine(), wat::parse_str(EMPTY).unwrap())
            .unwrap()
            .serialize()
            .unwrap();
        let error = cache.get(&engine, "x", || Ok(code)).unwrap_err().to_string();
        assert!(error.contains("not a component"), "{error}");
    }
}
