//! Temporary.
#![allow(warnings, unsafe_code, reason = "temporary")]
use std::time::{Duration, Instant};
use wasmtime::component::{Component, HasSelf, Linker, Resource, ResourceTable};
use wasmtime::*;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

mod tools {
    wasmtime::component::bindgen!({
        inline: "package hydroid:bench; world bare { include hydroid:tool/tool-world@0.1.0; }",
        path: "../../wit/host",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}
mod prov {
    wasmtime::component::bindgen!({
        inline: "package hydroid:bench; world prov { include hydroid:cap/web-client@0.1.0; include hydroid:provider/provider-world@0.1.0; }",
        path: "../../wit/host",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "hydroid:core/types": crate::tools::hydroid::core::types,
            "hydroid:core/log": crate::tools::hydroid::core::log,
            "hydroid:core/config": crate::tools::hydroid::core::config,
            "hydroid:core/control": crate::tools::hydroid::core::control,
            "hydroid:cap/secrets.secret": crate::Sec,
            "hydroid:cap/web.response": crate::Resp,
        },
    });
}
use tools::hydroid::core;
use prov::hydroid::cap;
pub struct Sec;
pub struct Resp { at: usize }
struct St { wasi: WasiCtx, table: ResourceTable, body: std::sync::Arc<Vec<Vec<u8>>> }
impl WasiView for St { fn ctx(&mut self) -> WasiCtxView<'_> { WasiCtxView { ctx: &mut self.wasi, table: &mut self.table } } }
impl core::types::Host for St {}
impl core::log::Host for St { async fn emit(&mut self, _: core::log::Level, _: String, _: Option<String>) -> Result<()> { Ok(()) } }
impl core::config::Host for St { async fn get(&mut self) -> Result<String> { Ok(r#"{"api_key_secret":""}"#.into()) } }
impl core::control::Host for St {
    async fn cancelled(&mut self) -> Result<bool> { Ok(false) }
    async fn remaining_ms(&mut self) -> Result<u32> { Ok(1000000) }
    async fn progress(&mut self, _: Option<f32>, _: String) -> Result<()> { Ok(()) }
}
impl cap::secrets::HostSecret for St { async fn name(&mut self, _: Resource<Sec>) -> Result<String> { Ok("x".into()) } async fn drop(&mut self, r: Resource<Sec>) -> Result<()> { Ok(()) } }
impl cap::secrets::Host for St { async fn open(&mut self, _: String) -> Result<std::result::Result<Resource<Sec>, core::types::Error>> { Ok(Ok(self.table.push(Sec)?)) } }
impl cap::web::HostResponse for St {
    async fn status(&mut self, _: Resource<Resp>) -> Result<u16> { Ok(200) }
    async fn headers(&mut self, _: Resource<Resp>) -> Result<Vec<cap::web::Header>> { Ok(vec![]) }
    async fn url(&mut self, _: Resource<Resp>) -> Result<String> { Ok("u".into()) }
    async fn read(&mut self, r: Resource<Resp>, max: u32) -> Result<std::result::Result<Option<Vec<u8>>, core::types::Error>> {
        let x = self.table.get_mut(&r)?; let at = x.at; x.at += 1;
        Ok(Ok(self.body.get(at).cloned()))
    }
    async fn drop(&mut self, r: Resource<Resp>) -> Result<()> { self.table.delete(r)?; Ok(()) }
}
impl cap::web::Host for St {
    async fn fetch(&mut self, _: cap::web::Request, _: Option<(Resource<Sec>, cap::web::Attach)>) -> Result<std::result::Result<Resource<Resp>, core::types::Error>> { Ok(Ok(self.table.push(Resp { at: 0 })?)) }
}
fn cfg(f: impl FnOnce(&mut Config, &mut PoolingAllocationConfig)) -> Engine {
    let mut c = Config::new();
    c.cranelift_opt_level(OptLevel::Speed).memory_init_cow(true).epoch_interruption(true).concurrency_support(false)
     .wasm_backtrace_details(WasmBacktraceDetails::Disable).generate_address_map(true).max_wasm_stack(512 << 10).async_stack_size(1 << 20)
     .memory_reservation(256 << 20).memory_guard_size(32 << 20).wasm_memory64(false).wasm_gc(false);
    let mut p = PoolingAllocationConfig::new();
    p.total_component_instances(256).total_stacks(256).total_core_instances(1024).total_tables(1024).total_memories(768)
     .max_memory_size(256 << 20).table_elements(20_000).max_unused_warm_slots(64).linear_memory_keep_resident(64 << 10).table_keep_resident(16 << 10);
    f(&mut c, &mut p);
    c.allocation_strategy(InstanceAllocationStrategy::Pooling(p));
    Engine::new(&c).unwrap()
}
fn st(body: &std::sync::Arc<Vec<Vec<u8>>>) -> St { St { wasi: WasiCtxBuilder::new().build(), table: ResourceTable::new(), body: body.clone() } }
fn med(mut v: Vec<Duration>) -> f64 { v.sort(); v[v.len() / 2].as_secs_f64() * 1e6 }
fn linker(e: &Engine) -> Linker<St> {
    let mut l = Linker::new(e);
    wasmtime_wasi::p2::add_to_linker_async(&mut l).unwrap();
    core::types::add_to_linker::<_, HasSelf<St>>(&mut l, |s| s).unwrap();
    core::log::add_to_linker::<_, HasSelf<St>>(&mut l, |s| s).unwrap();
    core::config::add_to_linker::<_, HasSelf<St>>(&mut l, |s| s).unwrap();
    core::control::add_to_linker::<_, HasSelf<St>>(&mut l, |s| s).unwrap();
    l
}
fn main() {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/");
    let echo = std::fs::read(format!("{root}test-components/test-tool-pure.wasm")).unwrap();
    let openai = std::fs::read(std::env::var("OPENAI").unwrap_or(format!("{root}components/provider-openai.wasm"))).unwrap();
    let json = std::fs::read(format!("{root}components/tool-json.wasm")).unwrap();
    let ev = |n: usize| format!("data: {{\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"m-2026-10-01\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_0123456789\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" word{}\"}},\"logprobs\":null,\"finish_reason\":null}}]}}\n\n", n % 10);
    let mut all: Vec<String> = (0..10000).map(ev).collect();
    all.push("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".into());
    let b64 = std::sync::Arc::new(all.chunks(64).map(|c| c.concat().into_bytes()).collect::<Vec<_>>());
    let b1 = std::sync::Arc::new(all.iter().map(|c| c.clone().into_bytes()).collect::<Vec<_>>());
    let none = std::sync::Arc::new(vec![]);
    // native
    for b in [&b64, &b1] {
        #[derive(serde::Deserialize)] struct D { content: Option<String> }
        #[derive(serde::Deserialize)] struct C { delta: D }
        #[derive(serde::Deserialize)] struct K { choices: Vec<C> }
        let mut v = vec![];
        for _ in 0..20 { let t = Instant::now(); let mut n = 0; for c in b.iter() { let c = c.clone(); for l in c.split(|b| *b == b'\n') { if let Some(j) = l.strip_prefix(b"data: ") { if j != b"[DONE]" { let k: K = serde_json::from_slice(j).unwrap(); n += std::hint::black_box(k).choices.len(); } } } } v.push(t.elapsed() / 10000); }
        println!("native parse: {:.3} us/event", med(v));
    }
    for (name, e) in [
        ("as is", cfg(|_, _| ())),
        ("4 GiB reservation", cfg(|c, p| { c.memory_reservation(4 << 30); p.max_memory_size(256 << 20); })),
        ("no epoch", cfg(|c, _| { c.epoch_interruption(false); })),
        ("4 GiB, no epoch", cfg(|c, p| { c.memory_reservation(4 << 30).epoch_interruption(false); })),
        ("keep resident 1 MiB", cfg(|c, p| { p.linear_memory_keep_resident(1 << 20).table_keep_resident(1 << 20); })),
        ("keep resident 0", cfg(|c, p| { p.linear_memory_keep_resident(0).table_keep_resident(0); })),
        ("pagemap scan", cfg(|c, p| { p.pagemap_scan(Enabled::Auto).linear_memory_keep_resident(1 << 20).table_keep_resident(1<<20); })),
        ("4k tables", cfg(|c, p| { p.table_elements(20000).table_keep_resident(0); })),
    ] {
        let l = linker(&e);
        let c = Component::from_binary(&e, &echo).unwrap();
        let pre = tools::BarePre::new(l.instantiate_pre(&c).unwrap()).unwrap();
        let call = tools::exports::hydroid::tool::tool::Call { id: "c".into(), name: "echo".into(), args_json: r#"{"text":"hello"}"#.into() };
        let mut ph: [Vec<Duration>; 5] = Default::default();
        for i in 0..3000 {
            let t0 = Instant::now();
            let s = st(&none);
            let t1 = Instant::now();
            let mut store = Store::new(&e, s);
            store.set_epoch_deadline(1 << 40);
            let t2 = Instant::now();
            let b = rt.block_on(pre.instantiate_async(&mut store)).unwrap();
            let t3 = Instant::now();
            let r = rt.block_on(b.hydroid_tool_tool().call_invoke(&mut store, &call)).unwrap().unwrap();
            let t4 = Instant::now();
            drop(store);
            let t5 = Instant::now();
            if i > 200 { for (v, d) in ph.iter_mut().zip([t1 - t0, t2 - t1, t3 - t2, t4 - t3, t5 - t4]) { v.push(d); } }
        }
        let p: Vec<f64> = ph.into_iter().map(med).collect();
        print!("{name}: state {:.2} store {:.2} instantiate {:.2} call {:.2} drop {:.2} = {:.1} us;", p[0], p[1], p[2], p[3], p[4], p.iter().sum::<f64>());
        let mut l = linker(&e);
        cap::secrets::add_to_linker::<_, HasSelf<St>>(&mut l, |s| s).unwrap();
        cap::web::add_to_linker::<_, HasSelf<St>>(&mut l, |s| s).unwrap();
        let c = Component::from_binary(&e, &openai).unwrap();
        print!(" code {} KiB;", c.serialize().unwrap().len() >> 10);
        let pre = prov::ProvPre::new(l.instantiate_pre(&c).unwrap()).unwrap();
        use prov::exports::hydroid::provider::provider as wit;
        for (what, b) in [("64", &b64), ("1", &b1)] {
            let mut v = vec![];
            for _ in 0..12 {
                let mut store = Store::new(&e, st(b));
                store.set_epoch_deadline(1 << 40);
                let req = wit::Request { model: "m".into(), messages: vec![], tools: vec![], tool_choice: None, max_tokens: None, temperature: None, stop: vec![], response_schema: None, options_json: None };
                let t = Instant::now();
                let n = rt.block_on(async {
                    let b = pre.instantiate_async(&mut store).await.unwrap();
                    let done = b.hydroid_provider_provider().call_complete(&mut store, &req).await.unwrap().unwrap();
                    let mut n = 0;
                    loop { let evs = b.hydroid_provider_provider().completion().call_next(&mut store, done, 32).await.unwrap().unwrap(); if evs.is_empty() { break } n += evs.len(); }
                    n
                });
                v.push(t.elapsed() / 10000);
                assert!(n >= 10000, "{n}");
            }
            print!(" stream {what}: {:.3} us/event", med(v));
        }
        println!();
    }
    // cache
    let e = cfg(|_, _| ());
    for wasm in [&openai, &json] {
        let c = Component::from_binary(&e, wasm).unwrap();
        let code = c.serialize().unwrap();
        let path = "/tmp/probe.cwasm";
        std::fs::write(path, &code).unwrap();
        let (mut r, mut h, mut d, mut f) = (vec![], vec![], vec![], vec![]);
        for _ in 0..40 {
            let t = Instant::now(); let bytes = std::fs::read(path).unwrap(); r.push(t.elapsed());
            let t = Instant::now(); std::hint::black_box(blake3::keyed_hash(&[1; 32], &bytes)); h.push(t.elapsed());
            let t = Instant::now(); let c = unsafe { Component::deserialize(&e, &bytes).unwrap() }; d.push(t.elapsed()); drop(c);
            let t = Instant::now(); let c = unsafe { Component::deserialize_file(&e, path).unwrap() }; f.push(t.elapsed()); drop(c);
        }
        println!("cache {} KiB: read {:.0} hash {:.0} deserialize {:.0} deserialize_file {:.0} us", code.len() >> 10, med(r), med(h), med(d), med(f));
        let rss = || { let s = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap(); let l = s.lines().find(|l| l.starts_with("Rss:")).unwrap().split_whitespace().nth(1).unwrap().parse::<i64>().unwrap(); l };
        let bytes = std::fs::read(path).unwrap();
        let a = rss(); let c = unsafe { Component::deserialize(&e, &bytes).unwrap() }; let b = rss(); drop(c);
        let a2 = rss(); let c = unsafe { Component::deserialize_file(&e, path).unwrap() }; let b2 = rss();
        println!("   rss: deserialize {} kB, deserialize_file {} kB", b - a, b2 - a2);
    }
}
