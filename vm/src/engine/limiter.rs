//! Growth of memories and tables, decided by the limits and by nothing else.

use wasmtime::ResourceLimiter;

use crate::rules::Machine;

/// Says yes to whatever the limits allow. If this machine then cannot do it, that is this node's fault and not a -1.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    /// Whether the growth in progress was allowed.
    allowed: bool,
}

/// This machine could not provide what the limits allow.
#[derive(Debug, thiserror::Error)]
#[error("growth within the limits failed: {0}")]
pub(crate) struct GrowthFailed(String);

impl Limiter {
    pub(crate) fn new(machine: &Machine) -> Limiter {
        let bytes = machine.memory_pages.saturating_mul(65_536);
        Limiter {
            memory_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            table_elements: usize::try_from(machine.table_elements).unwrap_or(usize::MAX),
            allowed: false,
        }
    }

    /// The limiter for one growth. wasmtime reports a failure also for a size that the type of the memory excludes,
    /// then without having asked: nothing has been allowed in that case.
    pub(crate) fn begin(&mut self) -> &mut dyn ResourceLimiter {
        self.allowed = false;
        self
    }

    fn failed(&self, error: &wasmtime::Error) -> wasmtime::Result<()> {
        if self.allowed { Err(GrowthFailed(format!("{error:#}")).into()) } else { Ok(()) }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.allowed = desired <= self.memory_bytes && maximum.is_none_or(|maximum| desired <= maximum);
        Ok(self.allowed)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(&error)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.allowed = desired <= self.table_elements && maximum.is_none_or(|maximum| desired <= maximum);
        Ok(self.allowed)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(&error)
    }
}
