//! What holds for all bytes that are taken as a component or as the module of one, whoever made
//! them.

use hydroid_wasm::authoring::finished;
use hydroid_wasm::component::{embedded_manifest, looked_at};
use hydroid_wasm::{LoadError, WasmEngine};
use std::sync::LazyLock;

static ENGINE: LazyLock<WasmEngine> =
    LazyLock::new(|| WasmEngine::new(false).expect("an engine can be made"));

const MANIFEST: &str = "name = \"x\"\nversion = \"1.0.0\"\n";

/// Whatever a component is, what is said about it can be read.
const LONGEST_ERROR: usize = 64_000;

/// Panics if it does not hold.
pub(crate) fn holds_for(bytes: &[u8]) {
    let _ = embedded_manifest(bytes).map_err(|error| can_be_read(&error));
    let _ = looked_at(&ENGINE, bytes).map_err(|error| can_be_read(&error));
    let Ok(complete) = finished(bytes, MANIFEST) else { return };
    let manifest = embedded_manifest(&complete).expect("what was finished can be read");
    assert_eq!(manifest.map(|manifest| manifest.name.to_string()).as_deref(), Some("x"));
    let again = finished(&complete, MANIFEST).expect("what was finished can be finished again");
    assert_eq!(again, complete, "finishing twice differs");
    if looked_at(&ENGINE, bytes).is_ok() {
        looked_at(&ENGINE, &complete).expect("a component that loads is one when it is finished");
    }
}

fn can_be_read(error: &LoadError) {
    assert!(
        error.to_string().len() <= LONGEST_ERROR,
        "an error of {} bytes",
        error.to_string().len()
    );
}
