//! A loaded model: decoded, proven, ready to run at any kernel level.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use noema_abi::{ProtocolVersion, Status};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor};

use crate::{
    ModelError, ModelId,
    arena::{Arena, ArenaPlan, Sink, Source},
    bounds::{self, Certificate},
    container::{self, Decoded},
    graph::{Edge, EdgeId, Graph},
    manifest::Manifest,
    merkle,
    ops::Step,
    prices::PriceList,
};

/// The bytes of a container, in memory or mapped from a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ModelBytes {
    /// In memory.
    Shared(Arc<[u8]>),
    /// Mapped from a file that nobody writes.
    Mapped(Arc<memmap2::Mmap>),
}

impl AsRef<[u8]> for ModelBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            ModelBytes::Shared(bytes) => bytes,
            ModelBytes::Mapped(map) => map,
        }
    }
}

impl From<Arc<[u8]>> for ModelBytes {
    fn from(bytes: Arc<[u8]>) -> ModelBytes {
        ModelBytes::Shared(bytes)
    }
}

impl From<Vec<u8>> for ModelBytes {
    fn from(bytes: Vec<u8>) -> ModelBytes {
        ModelBytes::Shared(bytes.into())
    }
}

/// A model whose container was decoded and whose certificate was checked.
///
/// Weights are packed for a kernel level when it runs there for the first time, and shared from then on.
pub struct Model {
    id: ModelId,
    bytes: ModelBytes,
    decoded: Decoded,
    plan: ArenaPlan,
    steps: Mutex<BTreeMap<Level, Steps>>,
    on_device: on_device::Slot,
}

/// Every node of a graph, ready to run.
type Steps = Arc<[Box<dyn Step>]>;

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).field("name", &self.decoded.manifest.name).finish_non_exhaustive()
    }
}

impl Model {
    /// Loads a container. Whether this succeeds depends on the bytes alone.
    ///
    /// # Errors
    /// [`ModelError`] for bytes that are no container, a graph that does not fit, or a certificate that the weights
    /// do not bear out; any bytes may be passed.
    pub fn from_bytes(bytes: impl Into<ModelBytes>) -> Result<Model, ModelError> {
        let bytes = bytes.into();
        let id = merkle::root(bytes.as_ref());
        Model::from_bytes_of(id, bytes)
    }

    /// [`Model::from_bytes`] for bytes whose id was computed already.
    pub(crate) fn from_bytes_of(id: ModelId, bytes: ModelBytes) -> Result<Model, ModelError> {
        let decoded = container::decode(bytes.as_ref())?;
        let Decoded { graph, edges, layout, certificate, .. } = &decoded;
        bounds::check(graph, edges, layout, &bytes.as_ref()[decoded.weights_start..], certificate)?;
        let plan = ArenaPlan::new(graph, edges);
        let model = Model { id, bytes, plan, decoded, steps: Mutex::default(), on_device: on_device::Slot::default() };
        let row = model.row_bytes();
        if row > noema_abi::limits::MAX_TENSOR_BYTES {
            let limit = noema_abi::limits::MAX_TENSOR_BYTES;
            return Err(ModelError::Limit { what: "memory for one row", value: row, limit });
        }
        Ok(model)
    }

    /// The name of the model on every chain.
    #[must_use]
    pub fn id(&self) -> ModelId {
        self.id
    }

    /// What the author says about it.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.decoded.manifest
    }

    /// Its graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.decoded.graph
    }

    /// Element type and row shape of every edge of the graph.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.decoded.edges
    }

    /// The proven bounds of every edge of the graph.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.decoded.certificate
    }

    /// The whole container.
    #[must_use]
    pub fn container(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// The parameter arrays of node `index` of the graph.
    #[must_use]
    pub fn parameters(&self, index: usize) -> crate::parameters::Parameters<'_> {
        self.decoded.layout.parameters(index, &self.bytes.as_ref()[self.decoded.weights_start..])
    }

    /// The gas of running a batch of this many rows: for the run its base and the bytes of inputs and outputs, for each
    /// node its base and the work of its opcodes, each times its price ([`PriceList`]). Known from the shapes alone.
    ///
    /// # Errors
    /// `LimitExceeded` where the sum does not fit 63 bits.
    pub fn cost(&self, version: ProtocolVersion, batch: u32) -> Result<u64, Status> {
        let prices = PriceList::of(version);
        let outputs = self.graph().outputs.iter().map(|id| self.edge(*id).row_bytes());
        let ports = self.graph().inputs.iter().map(Edge::row_bytes).chain(outputs).fold(0, u64::saturating_add);
        let mut fixed = Some(prices.run);
        let mut per_row = ports.checked_mul(prices.port_byte);
        for node in &self.graph().nodes {
            let inputs = node.input_edges(self.edges()).expect("checked when loaded");
            fixed = fixed.and_then(|fixed| fixed.checked_add(prices.node));
            for (opcode, work) in node.op.operator().work(&inputs) {
                let gas = work.checked_mul((prices.per_work)(opcode));
                per_row = per_row.zip(gas).and_then(|(sum, gas)| sum.checked_add(gas));
            }
        }
        let rows = per_row.and_then(|per_row| per_row.checked_mul(u64::from(batch)));
        let total = fixed.zip(rows).and_then(|(fixed, rows)| fixed.checked_add(rows));
        total.filter(|gas| i64::try_from(*gas).is_ok()).ok_or(Status::LimitExceeded)
    }

    /// Bytes of memory that running a batch of this many rows is charged for: its arena and its outputs.
    ///
    /// # Errors
    /// `LimitExceeded` where that does not fit 64 bits.
    pub fn arena_bytes(&self, batch: u32) -> Result<u64, Status> {
        self.row_bytes().checked_mul(u64::from(batch)).ok_or(Status::LimitExceeded)
    }

    fn row_bytes(&self) -> u64 {
        let outputs = self.graph().outputs.iter().map(|id| self.edge(*id).row_bytes());
        outputs.fold(self.plan.row_bytes(), u64::saturating_add)
    }

    /// Checks the inputs of a run and gives the batch.
    ///
    /// # Errors
    /// `TypeMismatch` for a wrong element type, `ShapeMismatch` for a wrong number of inputs and for a shape that is not
    /// `[N, dims..]` with one `N` above 0 for all inputs.
    pub fn batch_of(&self, inputs: &[&Tensor]) -> Result<u32, Status> {
        if inputs.len() != self.graph().inputs.len() {
            return Err(Status::ShapeMismatch);
        }
        let mut batch = None;
        for (tensor, edge) in inputs.iter().zip(&self.graph().inputs) {
            if tensor.dtype() != edge.dtype {
                return Err(Status::TypeMismatch);
            }
            match tensor.shape().dims().split_first() {
                Some((rows, dims)) if dims == edge.dims && *rows == *batch.get_or_insert(*rows) => {}
                _ => return Err(Status::ShapeMismatch),
            }
        }
        batch.filter(|rows| *rows > 0).ok_or(Status::ShapeMismatch)
    }

    /// Runs the graph: one tensor for each output. The result depends on the inputs alone, never on the kernels,
    /// and each row of it on that row of the inputs alone.
    ///
    /// # Errors
    /// As [`Model::batch_of`]; [`OpError::Node`] where this machine cannot do it.
    pub fn run(&self, kernels: &Kernels, inputs: &[&Tensor]) -> Result<Vec<Tensor>, OpError> {
        let batch = self.batch_of(inputs)?;
        let answer = kernels.accelerator().and_then(|accelerator| self.run_on(accelerator, kernels, batch, inputs));
        match answer {
            Some(outputs) => Ok(outputs),
            None => self.run_on_cpu(kernels, batch, inputs),
        }
    }

    fn run_on_cpu(&self, kernels: &Kernels, batch: u32, inputs: &[&Tensor]) -> Result<Vec<Tensor>, OpError> {
        let rows = usize::try_from(batch).map_err(|_| Status::LimitExceeded)?;
        let steps = self.steps(kernels.level())?;
        let mut arena = self.plan.allocate(batch)?;
        for (index, (tensor, edge)) in (0..).zip(inputs.iter().zip(&self.graph().inputs)) {
            copy_in(tensor, arena.write(EdgeId(index), edge))?;
        }
        for ((index, node), step) in (self.graph().inputs.len()..).zip(&self.graph().nodes).zip(steps.iter()) {
            let output = EdgeId(u32::try_from(index).map_err(|_| Status::LimitExceeded)?);
            let edge = |id: &EdgeId| (*id, self.edge(*id));
            arena.with(&node.inputs, edge, edge(&output), |sources, sink| step.run(kernels, rows, sources, sink))?;
        }
        self.graph().outputs.iter().map(|id| copy_out(&arena, *id, self.edge(*id), batch)).collect()
    }

    fn edge(&self, id: EdgeId) -> &Edge {
        usize::try_from(id.0).ok().and_then(|index| self.edges().get(index)).expect("checked when loaded")
    }

    /// Every node prepared for a level; made once.
    fn steps(&self, level: Level) -> Result<Steps, OpError> {
        let mut levels = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(steps) = levels.get(&level) {
            return Ok(Arc::clone(steps));
        }
        let nodes = self.graph().nodes.iter().enumerate();
        let prepared = nodes.map(|(index, node)| {
            let inputs = node.input_edges(self.edges()).expect("checked when loaded");
            node.op.operator().prepare(level, &inputs, &self.parameters(index))
        });
        let steps: Steps = prepared.collect::<Result<_, _>>()?;
        levels.insert(level, Arc::clone(&steps));
        Ok(steps)
    }
}

fn copy_in(tensor: &Tensor, sink: Sink<'_>) -> Result<(), OpError> {
    match sink {
        Sink::I8(to) => tensor.read(|from: &[i8]| to.copy_from_slice(from)),
        Sink::U8(to) => tensor.read(|from: &[u8]| to.copy_from_slice(from)),
        Sink::I16(to) => tensor.read(|from: &[i16]| to.copy_from_slice(from)),
        Sink::I32(to) => tensor.read(|from: &[i32]| to.copy_from_slice(from)),
        Sink::I64(to) => tensor.read(|from: &[i64]| to.copy_from_slice(from)),
    }
}

fn copy_out(arena: &Arena<'_>, id: EdgeId, edge: &Edge, batch: u32) -> Result<Tensor, OpError> {
    let mut dims = vec![batch];
    dims.extend_from_slice(&edge.dims);
    let shape = Shape::new(&dims)?;
    match arena.read(id, edge) {
        Source::I8(values) => Tensor::from_vec(shape, values.to_vec()),
        Source::U8(values) => Tensor::from_vec(shape, values.to_vec()),
        Source::I16(values) => Tensor::from_vec(shape, values.to_vec()),
        Source::I32(values) => Tensor::from_vec(shape, values.to_vec()),
        Source::I64(values) => Tensor::from_vec(shape, values.to_vec()),
    }
}

mod on_device;
#[cfg(test)]
mod tests;
