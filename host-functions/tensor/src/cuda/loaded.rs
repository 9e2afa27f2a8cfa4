//! A program on the card.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::{CudaGraph, CudaSlice, sys, sys::CUdeviceptr};

use super::{
    Card,
    gemm::Gemm,
    launch::{address, long},
    recorder::{Recorder, Value},
    steps::{Parameters, Step},
};
use crate::{
    device::{DeviceError, Loaded},
    program::{Extent, Program, ValueId},
};

/// Every value begins at a multiple of this.
pub(super) const ALIGNMENT: usize = 256;

/// A program whose parameters are on the card.
pub struct LoadedProgram {
    card: Arc<Card>,
    program: Program<'static>,
    steps: Vec<Step>,
    parameters: Parameters,
    memory: Mutex<Option<Memory>>,
}

/// The memory of runs of one extent.
struct Memory {
    extent: Extent,
    values: CudaSlice<u8>,
    offsets: Vec<usize>,
    scratch: CudaSlice<u8>,
    /// Set by checks: the number of the instruction that was wrong, from 1.
    wrong: CudaSlice<u32>,
    /// Whether the program ran once, so that nothing is left to prepare.
    warm: bool,
    graph: Option<CudaGraph>,
}

// SAFETY: graphs may be used from any thread, one at a time; this is used behind a lock.
unsafe impl Send for Memory {}

impl std::fmt::Debug for LoadedProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedProgram").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

impl LoadedProgram {
    pub(super) fn new(card: Arc<Card>, program: &Program<'_>) -> Result<LoadedProgram, DeviceError> {
        let mut loaded = LoadedProgram {
            parameters: Parameters::new(Arc::clone(&card)),
            card,
            // Shapes alone: parameters go to the card.
            program: program.without_parameters(),
            steps: Vec::new(),
            memory: Mutex::new(None),
        };
        // What is uploaded must not come between the launches that another program records on the stream. (Let go before the program, which
        // takes the lock when it is dropped.)
        let card = Arc::clone(&loaded.card);
        let mut gemm = card.lock();
        loaded.steps = loaded.parameters.steps(&mut gemm, program)?;
        card.stream.synchronize()?;
        Ok(loaded)
    }

    /// Milliseconds on the card for each of `times` runs in a row with what lies in the inputs' memory: for
    /// benches. Where nothing was recorded for this extent, it uploads `inputs` and runs twice before.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn time(&self, extent: Extent, inputs: &[&[u8]], times: u32) -> Result<f32, DeviceError> {
        // The second run records the graph; what was recorded before is used again.
        let recorded =
            |memory: &Memory| memory.extent == extent && (memory.graph.is_some() || !self.card.options.graphs);
        if !self.memory.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(recorded) {
            let mut outputs: Vec<Vec<u8>> = self.outputs(extent)?;
            self.run(extent, inputs, &mut outputs)?;
            self.run(extent, inputs, &mut outputs)?;
        }
        let mut gemm = self.card.lock();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.as_mut().ok_or_else(|| DeviceError::Lost("no memory after a run".to_owned()))?;
        let flags = Some(sys::CUevent_flags::CU_EVENT_DEFAULT);
        let start = self.card.stream.record_event(flags)?;
        for _ in 0..times {
            self.work(&mut gemm, memory)?;
        }
        let end = self.card.stream.record_event(flags)?;
        #[allow(clippy::as_conversions, clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a time")]
        let each = start.elapsed_ms(&end)? / times.max(1) as f32;
        Ok(each)
    }

    /// Outputs of the right lengths.
    ///
    /// # Errors
    /// [`DeviceError::Memory`] where they cannot be counted.
    pub fn outputs(&self, extent: Extent) -> Result<Vec<Vec<u8>>, DeviceError> {
        let bytes = |id: &ValueId| {
            let bytes = self.program.type_of(*id).bytes(extent);
            bytes.map(|bytes| vec![0; bytes]).ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))
        };
        self.program.outputs().iter().map(bytes).collect()
    }

    /// Memory for this extent; what is there is used again where it is enough.
    fn memory(&self, gemm: &mut Gemm, extent: Extent, slot: &mut Option<Memory>) -> Result<(), DeviceError> {
        if slot.as_ref().is_some_and(|memory| memory.extent == extent) {
            return Ok(());
        }
        let layout = self.program.layout(extent, ALIGNMENT);
        let (offsets, total) = layout.ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))?;
        let mut dry = Recorder::new(&self.card, gemm, None, 0, usize::MAX);
        self.record(&mut dry, extent, &offsets, 0)?;
        let (total, scratch) = (total.max(ALIGNMENT), dry.high.max(ALIGNMENT));
        if let Some(memory) = slot.take_if(|memory| memory.values.len() >= total && memory.scratch.len() >= scratch) {
            *slot = Some(Memory { extent, offsets, warm: false, graph: None, ..memory });
            return Ok(());
        }
        // The old memory goes first, so that both need not fit.
        *slot = None;
        // SAFETY: every value is written before it is read, and so is scratch.
        let (values, scratch) =
            unsafe { (self.card.stream.alloc::<u8>(total)?, self.card.stream.alloc::<u8>(scratch)?) };
        let wrong = self.card.stream.alloc_zeros::<u32>(1)?;
        *slot = Some(Memory { extent, values, offsets, scratch, wrong, warm: false, graph: None });
        Ok(())
    }

    /// Launches everything: from a graph once there is one.
    fn work(&self, gemm: &mut Gemm, memory: &mut Memory) -> Result<(), DeviceError> {
        let stream = &self.card.stream;
        if let Some(graph) = &memory.graph {
            return Ok(graph.launch()?);
        }
        let base = address(&memory.values, stream);
        let (scratch, room) = (address(&memory.scratch, stream), memory.scratch.len());
        let wrong = address(&memory.wrong, stream);
        let mut recorder = Recorder::new(&self.card, gemm, Some(wrong), scratch, room);
        if !(memory.warm && self.card.options.graphs) {
            self.record(&mut recorder, memory.extent, &memory.offsets, base)?;
            memory.warm = true;
            return Ok(());
        }
        stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)?;
        let recorded = self.record(&mut recorder, memory.extent, &memory.offsets, base);
        let flags = sys::CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = stream.end_capture(flags);
        recorded?;
        let graph = graph?.ok_or_else(|| DeviceError::Lost("a graph without launches".to_owned()))?;
        graph.launch()?;
        memory.graph = Some(graph);
        Ok(())
    }

    fn record(
        &self,
        recorder: &mut Recorder<'_>,
        extent: Extent,
        offsets: &[usize],
        base: CUdeviceptr,
    ) -> Result<(), DeviceError> {
        let value = |id: ValueId| {
            let value = self.program.type_of(id);
            let elements = value.elements(extent).ok_or_else(|| DeviceError::Memory(format!("{extent:?}")))?;
            Ok::<_, DeviceError>(Value { at: base + long(offsets[id.index()])?, dtype: value.dtype, elements })
        };
        for (instruction, step) in self.program.instructions().iter().zip(&self.steps) {
            recorder.used = 0;
            let operands = instruction.operands.iter().map(|id| value(*id)).collect::<Result<Vec<_>, _>>()?;
            let result = match step {
                Step::Linear { y, .. } => value(*y)?,
                _ => value(instruction.result)?,
            };
            if result.elements > 0 {
                recorder.step(step, &instruction.operation, extent, &operands, result)?;
            }
        }
        Ok(())
    }
}

impl Loaded for LoadedProgram {
    fn run(&self, extent: Extent, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), DeviceError> {
        let stream = &self.card.stream;
        stream.context().bind_to_thread()?;
        // The lock of the library is that of the card: one run at a time.
        let mut gemm = self.card.lock();
        let mut slot = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        self.memory(&mut gemm, extent, &mut slot)?;
        let memory = slot.as_mut().ok_or_else(|| DeviceError::Memory("no memory".to_owned()))?;
        for (id, input) in self.program.inputs().iter().zip(inputs) {
            if self.program.type_of(*id).bytes(extent) != Some(input.len()) {
                return Err(DeviceError::Unsupported("an input of another length".to_owned()));
            }
            if !input.is_empty() {
                let start = memory.offsets[id.index()];
                stream.memcpy_htod(*input, &mut memory.values.slice_mut(start..start + input.len()))?;
            }
        }
        stream.memset_zeros(&mut memory.wrong)?;
        self.work(&mut gemm, memory)?;
        for (id, output) in self.program.outputs().iter().zip(outputs) {
            if !output.is_empty() {
                let start = memory.offsets[id.index()];
                stream.memcpy_dtoh(&memory.values.slice(start..start + output.len()), &mut output[..])?;
            }
        }
        let mut wrong = [0u32];
        stream.memcpy_dtoh(&memory.wrong, &mut wrong[..])?;
        stream.synchronize()?;
        match wrong {
            [0] => Ok(()),
            [mark] => {
                let index = usize::try_from(mark - 1).unwrap_or(0);
                let name = self.program.instructions().get(index).map_or("unknown", |i| i.operation.name());
                Err(DeviceError::Wrong(format!("product of instruction {index} ({name})")))
            }
        }
    }
}

impl Drop for LoadedProgram {
    fn drop(&mut self) {
        // Freeing is work on the stream, too.
        let _gemm = self.card.lock();
        self.parameters.free();
        *self.memory.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Card {
    /// The lock of the card: who holds it alone works on its stream.
    pub(super) fn lock(&self) -> MutexGuard<'_, Gemm> {
        self.gemm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
