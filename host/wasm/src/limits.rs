//! Limits of a component: what its manifest asks for, under the operator's caps, and the
//! wasmtime limiter that counts memory and tables in sum.

use hydroid_core::config::{self, LimitOverrides};
use hydroid_core::manifest::LimitWants;
use std::time::Duration;
use wasmtime::ResourceLimiter;

/// The limits in force for each call of one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory, all memories together.
    pub memory: usize,
    /// Elements of tables, all tables together.
    pub table_elements: usize,
    /// Core instances.
    pub instances: usize,
    /// Wall time of one call.
    pub call: Duration,
    /// Instructions in wasmtime's units, if counted.
    pub fuel: Option<u64>,
    /// Calls into the host.
    pub host_calls: u64,
    /// Bytes one call into the host may carry.
    pub host_call_bytes: usize,
    /// Bytes of a result.
    pub output: usize,
    /// Log lines.
    pub log_lines: u32,
    /// Bytes of log text.
    pub log_bytes: usize,
    /// Random bytes in one request.
    pub random: u64,
    /// Open handles.
    pub resources: usize,
}

impl Limits {
    /// What the manifest asks for, never above the operator's caps; an override for this
    /// component replaces the caps.
    pub fn resolve(caps: &config::Limits, overrides: &LimitOverrides, wants: &LimitWants) -> Self {
        let memory_cap = overrides.memory.unwrap_or(caps.memory);
        let call_cap = overrides.call.unwrap_or(caps.call);
        let bytes = |size: config::Size| usize::try_from(size.0).unwrap_or(usize::MAX);
        Self {
            memory: bytes(wants.memory.map_or(memory_cap, |want| want.min(memory_cap))),
            table_elements: caps.table_elements,
            instances: caps.instances,
            call: Duration::from_secs(wants.call.map_or(call_cap, |want| want.min(call_cap)).0),
            fuel: overrides.fuel.or(caps.fuel),
            host_calls: overrides.host_calls.unwrap_or(caps.host_calls),
            host_call_bytes: bytes(caps.host_call_bytes),
            output: bytes(overrides.output.unwrap_or(caps.output)),
            log_lines: caps.log_lines,
            log_bytes: bytes(caps.log),
            random: caps.random.0,
            resources: caps.resources,
        }
    }
}

/// Which limit stopped a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Memory,
    Table,
    HostCalls,
}

/// Counts memory and tables of one store in sum, and remembers what it refused.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_left: usize,
    tables_left: usize,
    instances: usize,
    pub(crate) exceeded: Option<Exceeded>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_left: limits.memory,
            tables_left: limits.table_elements,
            instances: limits.instances,
            exceeded: None,
        }
    }

    /// Bytes of memory and elements of tables that are left.
    pub(crate) fn left(&self) -> (usize, usize) {
        (self.memory_left, self.tables_left)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        match self.memory_left.checked_sub(desired.saturating_sub(current)) {
            Some(left) => {
                self.memory_left = left;
                Ok(true)
            }
            None => {
                self.exceeded = Some(Exceeded::Memory);
                Ok(false)
            }
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        match self.tables_left.checked_sub(desired.saturating_sub(current)) {
            Some(left) => {
                self.tables_left = left;
                Ok(true)
            }
            None => {
                self.exceeded = Some(Exceeded::Table);
                Ok(false)
            }
        }
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        // Bounded by the sum of elements and by the pool; the count alone costs nothing.
        self.instances.saturating_mul(4)
    }

    fn memories(&self) -> usize {
        self.instances.saturating_mul(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hydroid_core::config::{Seconds, Size};

    #[test]
    fn a_manifest_may_ask_for_less_and_never_gets_more() {
        let caps = config::Limits::default();
        let wants = LimitWants { memory: Some(Size(1 << 40)), call: Some(Seconds(5)) };
        let limits = Limits::resolve(&caps, &LimitOverrides::default(), &wants);
        assert_eq!(limits.memory, 64 << 20);
        assert_eq!(limits.call, Duration::from_secs(5));
    }

    #[test]
    fn an_override_replaces_the_cap() {
        let caps = config::Limits::default();
        let overrides =
            LimitOverrides { memory: Some(Size(128 << 20)), ..LimitOverrides::default() };
        let wants = LimitWants { memory: Some(Size(1 << 40)), call: None };
        assert_eq!(Limits::resolve(&caps, &overrides, &wants).memory, 128 << 20);
    }

    #[test]
    fn memory_is_counted_in_sum() {
        let caps = config::Limits::default();
        let limits = Limits::resolve(&caps, &LimitOverrides::default(), &LimitWants::default());
        let mut limiter = Limiter::new(&limits);
        assert!(limiter.memory_growing(0, 40 << 20, None).unwrap());
        assert!(!limiter.memory_growing(0, 40 << 20, None).unwrap());
        assert_eq!(limiter.exceeded, Some(Exceeded::Memory));
        assert!(limiter.memory_growing(0, 24 << 20, None).unwrap());
    }
}
