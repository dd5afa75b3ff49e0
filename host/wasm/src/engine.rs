//! The one engine: its configuration, and the clock behind every deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy, WasmBacktraceDetails,
};

/// How often a running guest is interrupted to let others run and deadlines pass. A stopped call
/// ends a tick or two after its deadline; five milliseconds keep that well below twenty, and cost
/// two hundred wake-ups a second that do next to nothing.
const TICK: Duration = Duration::from_millis(5);

/// Address space set aside for one memory; also the largest memory a component can have. The
/// default of 4 GiB would make the pool reserve terabytes, which containers refuse.
const MEMORY_RESERVATION: u64 = hydroid_core::config::MEMORY_CEILING;

/// Components alive at once. Each call has its own store, so this bounds calls side by side.
const COMPONENT_INSTANCES: u32 = 256;

/// The engine and its clock. Clones share both; the clock stops with the last clone.
#[derive(Clone)]
pub struct WasmEngine {
    engine: Engine,
    pooling: bool,
    _clock: Arc<Clock>,
}

/// Stops the ticking thread when dropped.
struct Clock {
    stop: Arc<AtomicBool>,
}

impl WasmEngine {
    /// Makes the engine. `fuel` turns on instruction counting for every component.
    pub fn new(fuel: bool) -> Result<Self, wasmtime::Error> {
        let mut config = base_config(fuel);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
        let (engine, pooling) = match Engine::new(&config) {
            Ok(engine) => (engine, true),
            // Where address space is limited the pool cannot be had; instances then cost a few
            // microseconds more.
            Err(error) => {
                tracing::info!(%error, "no pooling allocator, instances are allocated on demand");
                config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
                (Engine::new(&config)?, false)
            }
        };
        let clock = Clock::start(&engine);
        Ok(Self { engine, pooling, _clock: Arc::new(clock) })
    }

    /// wasmtime's engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// True if instances come from the pool.
    pub fn is_pooling(&self) -> bool {
        self.pooling
    }
}

impl std::fmt::Debug for WasmEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasmEngine").field("pooling", &self.pooling).finish_non_exhaustive()
    }
}

fn base_config(fuel: bool) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .parallel_compilation(true)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .consume_fuel(fuel)
        // Three to five times cheaper calls, and the async ABI stays out of the attack surface.
        .concurrency_support(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .generate_address_map(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .memory_reservation(MEMORY_RESERVATION)
        .memory_guard_size(32 << 20)
        // No guest toolchain needs these, so they are not in reach of a guest. Threads, function
        // references and exceptions are not compiled in at all.
        .wasm_memory64(false)
        .wasm_gc(false);
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(COMPONENT_INSTANCES)
        .total_stacks(COMPONENT_INSTANCES)
        .total_core_instances(COMPONENT_INSTANCES * 4)
        .total_tables(COMPONENT_INSTANCES * 4)
        .total_memories(COMPONENT_INSTANCES * 3)
        .max_memory_size(usize::try_from(MEMORY_RESERVATION).expect("256 MiB fit a usize"))
        .table_elements(20_000)
        .max_unused_warm_slots(64);
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        // The kernel tells which pages a call wrote, so only those are put back: a third off each
        // call. Without it the whole amount would be copied every time.
        pool.pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(1 << 20)
            .table_keep_resident(1 << 20);
    } else {
        pool.linear_memory_keep_resident(64 << 10).table_keep_resident(16 << 10);
    }
    pool
}

impl Clock {
    fn start(engine: &Engine) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let weak = engine.weak();
        let stopped = stop.clone();
        std::thread::Builder::new()
            .name("hydroid-epoch".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    match weak.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            })
            .expect("the process can start a thread");
        Self { stop }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
