//! Looking for a secret in the component's own memory, all of it.

use hydroid_component::tool::{Tool, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "peek_memory",
            "Looks through its whole linear memory for a text, which is given reversed so that \
             the question is not its own answer.",
            peek_memory,
        )
        .read_only(),
    ]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PeekMemory {
    /// The text to look for, last byte first.
    reversed: String,
    /// A text to hold meanwhile, so that a test sees that what is there is found.
    plant: Option<String>,
}

fn peek_memory(arguments: PeekMemory) -> Result<String, ToolError> {
    let found = peek(&arguments.reversed);
    std::hint::black_box(&arguments.plant);
    found
}

/// `found: N times in M bytes of memory`.
pub(crate) fn peek(reversed: &str) -> Result<String, ToolError> {
    let needle = reversed.as_bytes();
    if needle.len() < 4 || needle.iter().eq(needle.iter().rev()) {
        return Err(ToolError::failed(
            "`reversed` must have at least 4 bytes and not be the same both ways",
        ));
    }
    let size = memory_size();
    let mut found = 0;
    for address in 0..size.saturating_sub(needle.len()) {
        let is_here = (0..needle.len())
            .all(|index| byte_at(address + index) == needle[needle.len() - 1 - index]);
        found += usize::from(is_here);
    }
    Ok(format!("found: {found} times in {size} bytes of memory"))
}

#[cfg(target_arch = "wasm32")]
fn memory_size() -> usize {
    const PAGE: usize = 64 * 1024;
    core::arch::wasm32::memory_size(0) * PAGE
}

#[cfg(target_arch = "wasm32")]
fn byte_at(address: usize) -> u8 {
    // SAFETY: every address below the size of the linear memory can be read, and a byte may
    // hold anything. JUSTIFICATION: the test is of the memory itself, not of any object in it.
    unsafe { std::ptr::without_provenance::<u8>(address).read_volatile() }
}

/// A native build has no linear memory to look through.
#[cfg(not(target_arch = "wasm32"))]
fn memory_size() -> usize {
    0
}

#[cfg(not(target_arch = "wasm32"))]
fn byte_at(_: usize) -> u8 {
    0
}
