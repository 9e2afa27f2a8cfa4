//! Growth of memories and tables, decided by the limits and by nothing else.

use wasmi_core::LimiterError;

use crate::rules::Machine;

/// Says yes to whatever the limits allow. If this machine then cannot do it, that is this node's fault and not a -1.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes: usize,
    table_elements: usize,
    /// Whether the growth in progress was allowed.
    allowed: bool,
    /// A growth that was allowed and failed, where the engine cannot stop the guest because of it.
    failure: Option<GrowthFailed>,
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
            failure: None,
        }
    }

    /// The limiter for one growth. wasmtime reports a failure also for a size that the type of the memory excludes,
    /// then without having asked: nothing has been allowed in that case.
    pub(crate) fn begin(&mut self) -> &mut dyn wasmtime::ResourceLimiter {
        self.allowed = false;
        self
    }

    /// A growth that failed although it was allowed.
    pub(super) fn into_failure(self) -> Option<GrowthFailed> {
        self.failure
    }

    fn allows_memory(&self, desired: usize, maximum: Option<usize>) -> bool {
        desired <= self.memory_bytes && maximum.is_none_or(|maximum| desired <= maximum)
    }

    fn allows_table(&self, desired: usize, maximum: Option<usize>) -> bool {
        desired <= self.table_elements && maximum.is_none_or(|maximum| desired <= maximum)
    }

    fn failed(&self, error: &wasmtime::Error) -> wasmtime::Result<()> {
        if self.allowed { Err(GrowthFailed(format!("{error:#}")).into()) } else { Ok(()) }
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.allowed = self.allows_memory(desired, maximum);
        Ok(self.allowed)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(&error)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.allowed = self.allows_table(desired, maximum);
        Ok(self.allowed)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.failed(&error)
    }
}

/// wasmi asks only about growth that the types allow, and answers the guest with -1 where the machine cannot do it. So
/// the failure is kept for the end of the run.
impl wasmi::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.allows_memory(desired, maximum))
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> Result<bool, LimiterError> {
        Ok(self.allows_table(desired, maximum))
    }

    fn memory_grow_failed(&mut self, error: &LimiterError) {
        self.failure = Some(GrowthFailed(error.to_string()));
    }

    fn table_grow_failed(&mut self, error: &LimiterError) {
        self.failure = Some(GrowthFailed(error.to_string()));
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        1
    }
}
