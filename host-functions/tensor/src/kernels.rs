//! The chosen level and its threads.

use std::{ops::Range, sync::Arc};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use crate::{
    Difference, Level, OpError, Plan, Tensor,
    device::{Accelerator, Device, DeviceError, Settings},
    program::{Extent, Operation, Program, ValueType},
    selftest,
};

/// Work below which splitting costs more than it saves, in multiplications.
const MIN_SPLIT_WORK: usize = 1 << 19;

/// A level that passed its known-answer test, and its own threads. Results never depend on either.
///
/// ```
/// use noema_tensor::{Kernels, Level};
/// let kernels = Kernels::new(Level::Portable, 2)?;
/// assert_eq!((kernels.level(), kernels.threads()), (Level::Portable, 2));
/// # Ok::<(), noema_tensor::KernelError>(())
/// ```
#[derive(Debug)]
pub struct Kernels {
    level: Level,
    requested: Level,
    threads: usize,
    /// Absent with one thread, which then never meets rayon; candle's product always runs in it, so
    /// that it cannot use more threads than it was given.
    pool: Option<ThreadPool>,
    accelerator: Option<Arc<Accelerator>>,
    #[cfg(test)]
    fault: Option<crate::selftest::Fault>,
}

/// Why a level cannot be used on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The machine lacks the instructions.
    #[error("this machine has no kernels of level {0}; it has {names}", names = names(&Level::available()))]
    Unavailable(Level),
    /// The level computed a wrong bit.
    #[error("kernels of level {level} fail their known-answer test: {difference}")]
    SelfTest {
        /// The level.
        level: Level,
        /// The first wrong answer.
        difference: Difference,
    },
    /// A device cannot be used.
    #[error("cannot use {device}: {error}")]
    Device {
        /// The device.
        device: String,
        /// What went wrong.
        error: DeviceError,
    },
    /// A device computed a wrong bit.
    #[error("{device} fails its known-answer test: {difference}")]
    DeviceSelfTest {
        /// The device.
        device: String,
        /// The first wrong answer.
        difference: Difference,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} kernel threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What went wrong.
        reason: String,
    },
}

fn names(levels: &[Level]) -> String {
    levels.iter().map(|level| level.name()).collect::<Vec<_>>().join(", ")
}

impl Kernels {
    /// Starts exactly `threads` threads (none where it is 1: the caller's does the work) and runs
    /// the level's known-answer test. For [`Level::Cuda`] these are kernels of [`Level::best`] with the first
    /// device, which is given everything, however small.
    ///
    /// # Errors
    /// [`KernelError`]: the level is not available here, it gives a wrong answer, or the threads
    /// cannot be started.
    pub fn new(level: Level, threads: usize) -> Result<Kernels, KernelError> {
        #[cfg(feature = "cuda")]
        if level == Level::Cuda {
            let settings = Settings { min_work: 0, ..Settings::default() };
            let device = crate::cuda::Cuda::shared()
                .map_err(|error| KernelError::Device { device: "the first CUDA device".to_owned(), error })?;
            let kernels = Kernels::new(Level::best(), threads)?.with_device(Box::new(device), settings)?;
            return Ok(Kernels { requested: level, ..kernels });
        }
        Kernels::untested(level, threads)?.tested()
    }

    /// The same kernels with a device beside them, which passes the known-answer test first. Results
    /// are the same; see [`crate::device`].
    ///
    /// # Errors
    /// [`KernelError::Device`] and [`KernelError::DeviceSelfTest`].
    pub fn with_device(self, device: Box<dyn Device>, settings: Settings) -> Result<Kernels, KernelError> {
        let name = device.name();
        match selftest::device(&*device) {
            Err(error) => Err(KernelError::Device { device: name, error }),
            Ok((_, Some(difference))) => Err(KernelError::DeviceSelfTest { device: name, difference }),
            Ok((_, None)) => Ok(Kernels { accelerator: Some(Arc::new(Accelerator::new(device, settings))), ..self }),
        }
    }

    /// Kernels that nobody may use before their test.
    pub(crate) fn untested(level: Level, threads: usize) -> Result<Kernels, KernelError> {
        if !level.is_available() {
            return Err(KernelError::Unavailable(level));
        }
        if threads == 0 {
            return Err(KernelError::Threads { threads, reason: "at least one is needed".to_owned() });
        }
        let pool = if threads > 1 || level == Level::CandleF32 {
            let name = |index| format!("noema-kernel-{index}");
            let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(name).build();
            Some(pool.map_err(|error| KernelError::Threads { threads, reason: error.to_string() })?)
        } else {
            None
        };
        Ok(Kernels {
            level,
            requested: level,
            threads,
            pool,
            accelerator: None,
            #[cfg(test)]
            fault: None,
        })
    }

    fn tested(self) -> Result<Kernels, KernelError> {
        match selftest::check(&self).difference {
            Some(difference) => Err(KernelError::SelfTest { level: self.level, difference }),
            None => Ok(self),
        }
    }

    /// The level of the CPU's kernels, for which weights are packed.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The level that was asked for: [`Kernels::level`], or [`Level::Cuda`].
    #[must_use]
    pub fn requested(&self) -> Level {
        self.requested
    }

    /// How many threads work.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The device beside the CPU, if there is one.
    #[must_use]
    pub fn accelerator(&self) -> Option<&Accelerator> {
        self.accelerator.as_deref()
    }

    /// Runs one opcode: on the device where there is one and the work is worth it, else by `host`, which also
    /// checks the device at times.
    pub(crate) fn run<'a>(
        &self,
        plan: &Plan,
        operands: &[&Tensor],
        operation: impl FnOnce() -> Result<Operation<'a>, OpError>,
        host: impl Fn() -> Result<Tensor, OpError>,
    ) -> Result<Tensor, OpError> {
        let Some(accelerator) = self.accelerator() else { return host() };
        let elements = plan.shape.elements()?;
        if elements == 0 || plan.work < accelerator.settings().min_work || accelerator.is_retired() {
            return host();
        }
        let length = |elements: u64| usize::try_from(elements).map_err(|error| OpError::Node(error.to_string()));
        let mut program = Program::default();
        let mut ids = Vec::with_capacity(operands.len());
        for tensor in operands {
            ids.push(program.input(ValueType::of_row(tensor.dtype(), length(tensor.elements())?)));
        }
        let operation = operation()?;
        let name = operation.name();
        let result = program.push(operation, &ids, ValueType::of_row(plan.dtype, length(elements)?));
        program.output(result);
        let inputs = operands.iter().map(|tensor| tensor.to_le_bytes()).collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let mut output = vec![0; length(plan.bytes())?];
        let check = accelerator.spot_check();
        let answer = accelerator.attempt(name, |device| {
            device.load(&program)?.run(Extent::of_rows(1), &inputs, std::slice::from_mut(&mut output))
        });
        if answer.is_none() {
            return host();
        }
        let found = Tensor::from_le_bytes(plan.dtype, plan.shape.clone(), &output)?;
        if check.is_some() {
            let right = host()?;
            if right.to_le_bytes()? != output {
                accelerator.raise(name, DeviceError::Wrong(format!("a spot check of {name}")));
                return Ok(right);
            }
        }
        Ok(found)
    }

    /// Runs `f` where candle finds this pool and no other.
    pub(crate) fn install<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(f),
            None => f(),
        }
    }

    /// How many parts to cut `work` multiplications into.
    pub(crate) fn parts(&self, work: usize) -> usize {
        if self.threads == 1 || work < MIN_SPLIT_WORK { 1 } else { self.threads }
    }

    /// Calls `f(rows of x, rows of out)` for blocks of whole rows that cover all of them: `x` has
    /// `x_row` elements in a row and `out` has `out_row`.
    ///
    /// Both lengths must be at least 1 and the row counts equal.
    pub(crate) fn split_rows<X: Sync, Y: Send>(
        &self,
        (x, x_row): (&[X], usize),
        (out, out_row): (&mut [Y], usize),
        work_per_row: usize,
        f: impl Fn(&[X], &mut [Y]) + Sync,
    ) {
        let rows = out.len() / out_row;
        let parts = self.parts(rows.saturating_mul(work_per_row)).min(rows);
        match &self.pool {
            Some(pool) if parts > 1 => {
                let block = rows.div_ceil(parts);
                pool.install(|| {
                    x.par_chunks(block * x_row).zip(out.par_chunks_mut(block * out_row)).for_each(|(x, out)| f(x, out));
                });
            }
            _ => f(x, out),
        }
    }

    /// Calls `f(first row, rows of out)` for blocks of whole rows, of `row` elements each, that cover all of them.
    pub(crate) fn split_out<Y: Send>(
        &self,
        out: &mut [Y],
        row: usize,
        work_per_row: usize,
        f: impl Fn(usize, &mut [Y]) -> Result<(), OpError> + Sync,
    ) -> Result<(), OpError> {
        let rows = out.len() / row;
        let parts = self.parts(rows.saturating_mul(work_per_row)).min(rows);
        match &self.pool {
            Some(pool) if parts > 1 => {
                let block = rows.div_ceil(parts);
                let blocks = out.par_chunks_mut(block * row).enumerate();
                pool.install(|| blocks.try_for_each(|(index, out)| f(index * block, out)))
            }
            _ => f(0, out),
        }
    }

    /// Calls `f` for ranges that cover `0..count`, each a multiple of `unit` long except the last,
    /// and returns what it gave, in order.
    pub(crate) fn split_range<R: Send>(
        &self,
        count: usize,
        unit: usize,
        parts: usize,
        f: impl Fn(Range<usize>) -> R + Sync,
    ) -> Vec<R> {
        let step = count.div_ceil(unit).div_ceil(parts.max(1)).max(1) * unit;
        let ranges = (0..count).step_by(step).map(|start| start..count.min(start + step));
        match &self.pool {
            Some(pool) if parts > 1 => {
                let ranges: Vec<_> = ranges.collect();
                pool.install(|| ranges.into_par_iter().map(&f).collect())
            }
            _ => ranges.map(f).collect(),
        }
    }

    /// Where a test asked for it, changes one bit of what a primitive computed.
    #[cfg(test)]
    pub(crate) fn inject<T: crate::Element>(&self, primitive: crate::selftest::Primitive, out: &mut [T]) {
        if let Some(fault) = &self.fault {
            fault.strike(primitive, out);
        }
    }

    /// Kernels that compute a wrong bit, through the same door as honest ones.
    #[cfg(test)]
    pub(crate) fn faulty(level: Level, threads: usize, fault: crate::selftest::Fault) -> Result<Kernels, KernelError> {
        Kernels { fault: Some(fault), ..Kernels::untested(level, threads)? }.tested()
    }
}

#[cfg(test)]
mod tests {
    use super::{KernelError, Kernels, Level};

    #[test]
    fn levels_of_other_machines_are_refused_by_name() {
        for level in Level::ALL.into_iter().filter(|level| !level.is_available()) {
            let error = Kernels::new(level, 1).unwrap_err();
            if level == Level::Cuda && cfg!(feature = "cuda") {
                assert!(matches!(error, KernelError::Device { .. }), "{error}");
                continue;
            }
            assert!(matches!(error, KernelError::Unavailable(refused) if refused == level));
            assert!(error.to_string().contains("reference, portable"), "{error}");
        }
        assert!(matches!(Kernels::new(Level::Portable, 0), Err(KernelError::Threads { .. })));
    }

    #[test]
    fn one_thread_has_no_pool() {
        assert!(Kernels::new(Level::Portable, 1).unwrap().pool.is_none());
        let two = Kernels::new(Level::Portable, 2).unwrap();
        assert_eq!(two.pool.as_ref().map(rayon::ThreadPool::current_num_threads), Some(2));
    }

    #[test]
    fn ranges_cover_everything_once() {
        let kernels = Kernels::new(Level::Portable, 3).unwrap();
        for count in [0, 1, 15, 16, 17, 100] {
            for parts in 1..5 {
                let ranges = kernels.split_range(count, 16, parts, |range| range);
                assert!(ranges.len() <= parts);
                assert_eq!(ranges.into_iter().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            }
        }
    }
}
