//! Hostile core modules, written by hand: what no compiler would produce.

use super::{context, scene};
use crate::component::LoadError;
use crate::instance;
use hydroid_core::capability::Grant;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::component::Component;

/// Instantiates a component whose start function misbehaves; returns the sentence.
fn instantiate(core: &str) -> Result<(), String> {
    let scene = scene(
        &["tool-json"],
        "[limits]\nmemory = \"32MiB\"\ntable_elements = 10000\ninstances = 8",
    );
    let loaded = scene.loaded("tool-json");
    let engine = loaded.engine.engine();
    let component = Component::new(engine, wat::parse_str(core).unwrap())
        .map_err(|error| format!("{error:#}"))?;
    let linkers = crate::linker::Linkers::new(engine);
    let linker = linkers.get(&Grant::default()).unwrap();
    let pre = linker.instantiate_pre(&component).map_err(|error| format!("{error:#}"))?;
    let time = Duration::from_secs(1);
    let mut store =
        instance::store(engine, &loaded.equipment, context(), Instant::now() + time).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime
        .block_on(async { tokio::time::timeout(time, pre.instantiate_async(&mut store)).await });
    match done {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(crate::trap::sentence(&store, crate::trap::Cause::Error(error))),
        Err(_) => Err(crate::trap::sentence(&store, crate::trap::Cause::Deadline(time))),
    }
}

#[test]
fn memories_are_limited_in_sum() {
    // Four memories of 16 MiB: each is small enough, together they are not.
    let module = |number: u32| {
        format!("(core module $m{number} (memory 256)) (core instance (instantiate $m{number}))")
    };
    let core: String = (0..4).map(module).collect();
    let said = instantiate(&format!("(component {core})")).unwrap_err();
    assert!(said.contains("more memory than its 32MiB"), "{said}");
    assert!(instantiate(&format!("(component {})", module(0))).is_ok());
}

#[test]
fn growth_in_many_memories_is_limited_in_sum() {
    let module = "(core module $m (memory 1) (func $s (if (i32.eq (memory.grow (i32.const 200)) (i32.const -1)) (then unreachable))) (start $s))";
    let instances = "(core instance (instantiate $m))".repeat(4);
    let said = instantiate(&format!("(component {module} {instances})")).unwrap_err();
    assert!(said.contains("more memory than its 32MiB"), "{said}");
}

#[test]
fn tables_are_limited_in_sum() {
    let module = "(core module $m (table 1 funcref) (func $s (if (i32.eq (table.grow (ref.null func) (i32.const 4000)) (i32.const -1)) (then unreachable))) (start $s))";
    let instances = "(core instance (instantiate $m))".repeat(4);
    let said = instantiate(&format!("(component {module} {instances})")).unwrap_err();
    assert!(said.contains("more than 10000 table elements"), "{said}");
}

#[test]
fn instances_are_limited() {
    let instances = "(core instance (instantiate $m))".repeat(40);
    assert!(instantiate(&format!("(component (core module $m) {instances})")).is_err());
}

#[test]
fn a_loop_at_start_is_stopped() {
    let said = instantiate("(component (core module $m (func $s (loop (br 0))) (start $s)) (core instance (instantiate $m)))").unwrap_err();
    assert!(said.contains("took longer than 1 s"), "{said}");
}

/// The guest's allocator traps while the host writes a result into it.
#[test]
fn a_trap_in_the_middle_of_a_host_call_is_contained() {
    let component = r#"(component
        (import "hydroid:core/config@0.1.0" (instance $config (export "get" (func (result string)))))
        (core module $libc (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
        (core instance $libc (instantiate $libc))
        (alias export $config "get" (func $get))
        (core func $get-core (canon lower (func $get) (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
        (core module $m (import "host" "get" (func $get (param i32))) (func $s (call $get (i32.const 8))) (start $s))
        (core instance (instantiate $m (with "host" (instance (export "get" (func $get-core)))))))"#;
    let said = instantiate(component).unwrap_err();
    assert!(said.contains("failed"), "{said}");
}

/// The guest hands out a text that lies outside its memory, and one that is not UTF-8.
#[test]
fn lying_pointers_and_invalid_utf8_are_contained() {
    for (data, pointer, length) in
        [("", -16, 64), ("(data (i32.const 0) \"\\ff\\fe\\80\")", 0, 3), ("", 0, -1)]
    {
        let component = format!(
            r#"(component
            (import "hydroid:core/log@0.1.0" (instance $log
                (type $level' (enum "trace" "debug" "info" "warn" "error"))
                (export "level" (type $level (eq $level')))
                (export "emit" (func (param "level" $level) (param "message" string) (param "fields-json" (option string))))))
            (core module $libc (memory (export "memory") 1) {data})
            (core instance $libc (instantiate $libc))
            (alias export $log "emit" (func $emit))
            (core func $emit-core (canon lower (func $emit) (memory (core memory $libc "memory"))))
            (core module $m (import "host" "emit" (func $emit (param i32 i32 i32 i32 i32 i32)))
                (func $s (call $emit (i32.const 2) (i32.const {pointer}) (i32.const {length}) (i32.const 0) (i32.const 0) (i32.const 0))) (start $s))
            (core instance (instantiate $m (with "host" (instance (export "emit" (func $emit-core)))))))"#
        );
        let said = instantiate(&component).unwrap_err();
        assert!(said.contains("failed"), "{said}");
    }
}

#[test]
fn a_component_of_the_async_abi_is_told_how_to_be_rebuilt() {
    let scene = scene(&["tool-json"], "");
    let wasm = wat::parse_str("(component (core func (canon task.cancel)))").unwrap();
    let error = scene.catalog.examine(wasm, "later").unwrap_err();
    assert!(
        matches!(&error, LoadError::NotAComponent(text) if text.contains("async ABI")),
        "{error}"
    );
}
