//! Components and values that nobody wrote: neither ends the host, whatever they are.

#[path = "../../../../fuzz/src/component.rs"]
mod component;

use super::{ENGINE, Scene, built, context, mutate, scene};
use crate::authoring::{finished, with_world};
use crate::instance;
use crate::tool::Ended;
use flate2::read::DeflateDecoder;
use hydroid_core::id::CallId;
use hydroid_core::ports::Tools;
use hydroid_core::tool::ToolCall;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;
use wasmtime::component::{Component, Linker};

/// A test's share of the time that a run of all tests may take; each is compiled.
const COMPONENTS: u32 = 200;

/// Values that are lifted from a memory somebody filled at will.
const VALUES: u32 = 3_000;

/// Components and modules that `wasm-smith` made, each valid; see `tests/fixtures/random`.
fn made_at_random() -> Vec<Vec<u8>> {
    let packed = include_bytes!("../../../../tests/fixtures/random/components.deflate");
    let mut raw = Vec::new();
    DeflateDecoder::new(&packed[..]).read_to_end(&mut raw).unwrap();
    let mut rest = &raw[..];
    let mut made = Vec::new();
    while let Some((length, more)) = rest.split_first_chunk::<4>() {
        let (one, others) = more.split_at(u32::from_be_bytes(*length) as usize);
        made.push(one.to_vec());
        rest = others;
    }
    made
}

#[test]
fn whatever_bytes_are_handed_in_there_is_a_sentence_or_a_component() {
    let mut seeds = made_at_random();
    for whole in &seeds {
        component::holds_for(whole);
    }
    seeds.push(built("test-tool-pure")[..4096].to_vec());
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let pieces: [&[u8]; 6] =
        [b"\0asm\x0d\0\x01\0", b"hydroid:manifest", &[0xff; 9], &[0x80, 0x01], &[7; 30], b"\x41"];
    mutate::run(&seeds, &pieces, COMPONENTS, component::holds_for);
}

/// Started with every import missing: what they do at their start is theirs, and it ends.
#[tokio::test]
async fn whatever_a_component_does_at_its_start_it_ends() {
    let scene = scene(&["tool-json"], "[limits]\ncall = \"1s\"\n");
    let equipment = scene.loaded("tool-json").equipment.clone();
    let engine = ENGINE.engine();
    let mut started = 0;
    for bytes in made_at_random() {
        let Ok(component) = Component::new(engine, bytes) else { continue };
        let mut linker = Linker::new(engine);
        if linker.define_unknown_imports_as_traps(&component).is_err() {
            continue;
        }
        let deadline = Instant::now() + Duration::from_secs(1);
        let mut store = instance::store(engine, &equipment, context(), deadline).unwrap();
        let starting = linker.instantiate_async(&mut store, &component);
        drop(tokio::time::timeout_at(deadline, starting).await);
        started += 1;
    }
    assert!(started > 0, "only {started} random components could be started");
}

/// A tool that gives back the bytes of its arguments as whatever the contract expects there:
/// pointers, lengths, cases and texts.
fn echoing_memory() -> Vec<u8> {
    let module = wat::parse_str(
        r#"(module
            (memory (export "memory") 4)
            (global $next (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.const 4)))))
                (local.get $at))
            ;; One definition: name "raw", description "Gives back memory", an object's schema.
            (data (i32.const 16) "raw")
            (data (i32.const 32) "Gives back memory.")
            (data (i32.const 64) "{\"type\":\"object\"}")
            (func (export "hydroid:tool/tool@0.1.0#definitions") (result i32)
                (i32.store (i32.const 1024) (i32.const 0))
                (i32.store (i32.const 1028) (i32.const 2048))
                (i32.store (i32.const 1032) (i32.const 1))
                (i32.store (i32.const 2048) (i32.const 16))
                (i32.store (i32.const 2052) (i32.const 3))
                (i32.store (i32.const 2068) (i32.const 32))
                (i32.store (i32.const 2072) (i32.const 18))
                (i32.store (i32.const 2076) (i32.const 64))
                (i32.store (i32.const 2080) (i32.const 17))
                (i32.const 1024))
            (func (export "hydroid:tool/tool@0.1.0#invoke")
                (param i32 i32 i32 i32 i32 i32) (result i32)
                (memory.copy (i32.const 4096) (local.get 4)
                    (select (local.get 5) (i32.const 16384) (i32.lt_u (local.get 5) (i32.const 16384))))
                (i32.const 4096)))"#,
    )
    .unwrap();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/tool");
    let module = with_world(&module, &wit, "tool-world").unwrap();
    finished(&module, "name = \"raw\"\nversion = \"1.0.0\"\n").unwrap()
}

#[test]
fn whatever_a_tool_gives_back_is_an_answer_or_a_sentence() {
    let scene: Scene = scene(&[], "[limits]\noutput = \"64KiB\"\n");
    let folder = scene.directory.path().join("components");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("raw.wasm"), echoing_memory()).unwrap();
    scene.catalog.refresh().unwrap();
    assert_eq!(scene.catalog.specs().len(), 1, "{:?}", scene.catalog.installed());
    let loaded = scene.loaded("raw");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counts = std::cell::Cell::new([0_u32; 3]);
    let seeds: [&[u8]; 4] = [
        &[0; 64],
        // `ok`, content at 4112, one of them, no structure, no error.
        b"\0\0\0\0\x10\x10\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\x02\0\0\0\x10\x10\0\0\x04\0\0\0\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\x7f\x7f\x7f\x7f",
    ];
    let pieces: [&[u8]; 6] = [
        &[0; 8],
        b"\x10\x10\0\0",
        b"\x7f\x7f\x7f\x7f",
        b"\x01\0\0\0",
        b"\xff\xff\xff\xff",
        b"text",
    ];
    mutate::run(&seeds, &pieces, VALUES, |input| {
        // Arguments are a text; a byte above 127 goes as two.
        let text: String = input.iter().map(|byte| char::from(*byte)).collect();
        let call = ToolCall { id: CallId::new("c"), name: "raw".into(), arguments: text };
        let ended = runtime.block_on(scene.catalog.try_out(&loaded, &call, context()));
        let mut seen = counts.get();
        seen[match ended {
            Ended::Answered(_) => 0,
            Ended::Refused { .. } => 1,
            Ended::Stopped(_) => 2,
        }] += 1;
        counts.set(seen);
    });
    assert!(counts.get().iter().all(|seen| *seen > 0), "each way happened: {:?}", counts.get());
}
