//! A loaded model: decoded, proven, ready to run at any kernel level.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use noema_abi::{ProtocolVersion, Status};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor, device::Accelerator};

use crate::{
    ModelError, ModelId,
    arena::{Arena, ArenaPlan, Sink, Source},
    bounds::{self, Certificate},
    container::{self, Decoded},
    graph::{Edge, EdgeId, Graph, SEQUENCE},
    manifest::Manifest,
    merkle,
    ops::Shapes,
    prices::{Opcode, PriceList},
    schedule::{Entry, Schedule},
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

/// How large a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Rows of the batch.
    pub batch: u32,
    /// Length of the sequence axis; 1 for a graph without one.
    pub length: u32,
}

/// A model whose container was decoded and whose certificate was checked.
///
/// Weights are packed for a kernel level when it runs there for the first time, and shared from then on.
pub struct Model {
    id: ModelId,
    bytes: ModelBytes,
    decoded: Decoded,
    plan: ArenaPlan,
    longest: u32,
    /// What there is for the sequences that were run last.
    shorter: Mutex<Vec<(u32, Arc<Shorter>)>>,
    /// What a run costs, for each length that was asked for: contracts ask often, and pay little for it.
    costs: Mutex<BTreeMap<(ProtocolVersion, u32), Result<Cost, Status>>>,
    schedules: Mutex<BTreeMap<Level, Arc<Schedule>>>,
    on_device: on_device::Slot,
}

/// The graph for sequences of another length than the longest.
struct Shorter {
    edges: Vec<Edge>,
    /// Where that of the longest would need no less, there is none.
    plan: Option<ArenaPlan>,
}

/// What a run costs whatever the batch, and for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    fixed: u64,
    per_row: u64,
}

/// How many lengths of sequences a model keeps the edges of.
const KEPT_LENGTHS: usize = 16;

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
        let longest = graph.longest()?;
        let shorter = Mutex::default();
        let model = Model {
            id,
            bytes,
            plan,
            decoded,
            longest,
            shorter,
            costs: Mutex::default(),
            schedules: Mutex::default(),
            on_device: on_device::Slot::default(),
        };
        let row = model.row_bytes();
        if row > noema_abi::limits::MAX_TENSOR_BYTES {
            let limit = noema_abi::limits::MAX_TENSOR_BYTES;
            return Err(ModelError::Limit { what: "memory for one row", value: row, limit });
        }
        // `model.cost` pays for looking them up alone.
        for version in (1..=ProtocolVersion::LATEST.number()).filter_map(ProtocolVersion::from_number) {
            let cost = model.sum_of_costs(version, longest);
            model.costs.lock().unwrap_or_else(PoisonError::into_inner).insert((version, longest), cost);
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

    /// The longest sequence that it takes; 1 for a graph without a sequence axis.
    #[must_use]
    pub fn longest(&self) -> u32 {
        self.longest
    }

    /// Element type and row shape of every edge of the graph, for the longest sequence.
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

    /// The graph for sequences of this length; nothing for the longest.
    fn shorter(&self, length: u32) -> Result<Option<Arc<Shorter>>, Status> {
        if length == self.longest {
            return Ok(None);
        }
        let mut kept = self.shorter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, shorter)) = kept.iter().find(|(other, _)| *other == length) {
            return Ok(Some(Arc::clone(shorter)));
        }
        if length == 0 || length > self.longest {
            return Err(Status::ShapeMismatch);
        }
        let Decoded { graph, edges, layout, .. } = &self.decoded;
        let edges = graph.edges_for(length, edges, layout).map_err(|_| Status::ShapeMismatch)?;
        let plan = self.plan.at(graph, &edges);
        let shorter = Arc::new(Shorter { edges, plan });
        if kept.len() == KEPT_LENGTHS {
            kept.remove(0);
        }
        kept.push((length, Arc::clone(&shorter)));
        Ok(Some(shorter))
    }

    /// [`Model::cost_of`] sequences of the longest length.
    ///
    /// # Errors
    /// As there.
    pub fn cost(&self, version: ProtocolVersion, batch: u32) -> Result<u64, Status> {
        self.cost_of(version, Extent { batch, length: self.longest })
    }

    /// The gas of a run: for the run its base and the bytes of inputs and outputs, for each node its base and the work of
    /// its opcodes, each times its price ([`PriceList`]). Known from the shapes alone. A length that was not asked for yet takes time for
    /// each node, the longest never does.
    ///
    /// # Errors
    /// `ShapeMismatch` for a length that the graph does not take, `LimitExceeded` where the sum does not fit 63 bits.
    pub fn cost_of(&self, version: ProtocolVersion, extent: Extent) -> Result<u64, Status> {
        let key = (version, extent.length);
        let known = self.costs.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let cost = match known {
            Some(cost) => cost,
            // Not one of those that can be, of which there are many.
            None if extent.length == 0 || extent.length > self.longest => Err(Status::ShapeMismatch),
            None => {
                let cost = self.sum_of_costs(version, extent.length);
                self.costs.lock().unwrap_or_else(PoisonError::into_inner).insert(key, cost);
                cost
            }
        }?;
        let rows = cost.per_row.checked_mul(u64::from(extent.batch));
        let total = rows.and_then(|rows| rows.checked_add(cost.fixed));
        total.filter(|gas| i64::try_from(*gas).is_ok()).ok_or(Status::LimitExceeded)
    }

    /// The part of [`Model::cost_of`] that neither the batch nor the length of sequences changes: for the run, and for each node what is
    /// done before anything is computed.
    #[must_use]
    pub fn base_cost(&self, version: ProtocolVersion) -> u64 {
        let prices = PriceList::of(version);
        let nodes = u64::try_from(self.graph().nodes.len()).unwrap_or(u64::MAX);
        prices.node_of(self.graph()).saturating_mul(nodes).saturating_add(prices.run)
    }

    /// For how many nodes [`Model::cost_of`] may have to look at the edges: all, where they depend on the length of sequences.
    #[must_use]
    pub fn nodes_by_length(&self) -> u64 {
        if self.graph().has_sequence() { u64::try_from(self.graph().nodes.len()).unwrap_or(u64::MAX) } else { 0 }
    }

    /// [`Model::cost_of`] of all nodes for sequences of this length. No plan is made for them.
    fn sum_of_costs(&self, version: ProtocolVersion, length: u32) -> Result<Cost, Status> {
        let Decoded { graph, edges, layout, .. } = &self.decoded;
        let shorter = (length != self.longest)
            .then(|| graph.edges_for(length, edges, layout).map_err(|_| Status::ShapeMismatch))
            .transpose()?;
        let edges = shorter.as_ref().unwrap_or(edges);
        let prices = PriceList::of(version);
        let inputs = edges.iter().take(graph.inputs.len());
        let outputs = graph.outputs.iter().map(|id| &edges[place(*id)]);
        let ports = inputs.chain(outputs).map(Edge::row_bytes).fold(0, u64::saturating_add);
        let fixed = self.base_cost(version);
        let mut per_row = ports.checked_mul(prices.port_byte);
        for index in 0..graph.nodes.len() {
            for (opcode, work) in self.work_of(index, edges) {
                let gas = work.checked_mul((prices.per_work)(opcode));
                per_row = per_row.zip(gas).and_then(|(sum, gas)| sum.checked_add(gas));
            }
        }
        let per_row = per_row.ok_or(Status::LimitExceeded)?;
        Ok(Cost { fixed, per_row })
    }

    /// What of [`Model::cost_of`] each node costs, with its name, in the order of the nodes. What is left is the base of the run and the
    /// bytes of inputs and outputs. For people: profiles and reports.
    ///
    /// # Errors
    /// As [`Model::cost_of`].
    pub fn cost_by_node(&self, version: ProtocolVersion, extent: Extent) -> Result<Vec<(&str, u64)>, Status> {
        let shorter = self.shorter(extent.length)?;
        let edges = shorter.as_ref().map_or(self.edges(), |shorter| &shorter.edges);
        let prices = PriceList::of(version);
        let node = prices.node_of(self.graph());
        let node_gas = |index: usize| {
            let rows = self.work_of(index, edges).into_iter().try_fold(0u64, |sum, (opcode, work)| {
                work.checked_mul((prices.per_work)(opcode)).and_then(|gas| sum.checked_add(gas))
            });
            rows.and_then(|rows| rows.checked_mul(u64::from(extent.batch)))?.checked_add(node)
        };
        let nodes = self.graph().nodes.iter().enumerate();
        nodes.map(|(index, node)| Ok((node.name.as_str(), node_gas(index).ok_or(Status::LimitExceeded)?))).collect()
    }

    /// What a node does for one row: nothing where its edge is another one under another shape.
    fn work_of(&self, index: usize, edges: &[Edge]) -> Vec<(Opcode, u64)> {
        let node = &self.graph().nodes[index];
        if self.plan.is_view(self.graph().inputs.len() + index) {
            return vec![];
        }
        node.op.operator().work(&node.input_edges(edges).expect("checked when loaded"))
    }

    /// Bytes of memory that running a batch of this many rows is charged for: its arena and its outputs, with sequences
    /// of any length those of the longest.
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
    /// As [`Model::extent_of`].
    pub fn batch_of(&self, inputs: &[&Tensor]) -> Result<u32, Status> {
        self.extent_of(inputs).map(|extent| extent.batch)
    }

    /// Checks the inputs of a run and says how large it is.
    ///
    /// # Errors
    /// `TypeMismatch` for a wrong element type, `ShapeMismatch` for a wrong number of inputs and for a shape that is not
    /// `[N, dims..]` with one `N` above 0, and one length from 1 to the longest of the sequence axis, for all inputs.
    pub fn extent_of(&self, inputs: &[&Tensor]) -> Result<Extent, Status> {
        if inputs.len() != self.graph().inputs.len() {
            return Err(Status::ShapeMismatch);
        }
        let (mut batch, mut length) = (None, None);
        let mut fits = |dim: &u32, of_edge: &u32| {
            let mut found = |longest: u32| (1..=longest).contains(dim) && *length.get_or_insert(*dim) == *dim;
            if of_edge & SEQUENCE == 0 { dim == of_edge } else { found(of_edge & !SEQUENCE) }
        };
        for (tensor, edge) in inputs.iter().zip(&self.graph().inputs) {
            if tensor.dtype() != edge.dtype {
                return Err(Status::TypeMismatch);
            }
            match tensor.shape().dims().split_first() {
                Some((rows, dims)) if dims.len() == edge.dims.len() && *rows == *batch.get_or_insert(*rows) => {
                    if !dims.iter().zip(&edge.dims).all(|(dim, of_edge)| fits(dim, of_edge)) {
                        return Err(Status::ShapeMismatch);
                    }
                }
                _ => return Err(Status::ShapeMismatch),
            }
        }
        let batch = batch.filter(|rows| *rows > 0).ok_or(Status::ShapeMismatch)?;
        Ok(Extent { batch, length: length.unwrap_or(1) })
    }

    /// Runs the graph: one tensor for each output. The result depends on the inputs alone, never on the kernels,
    /// and each row of it on that row of the inputs alone.
    ///
    /// # Errors
    /// As [`Model::extent_of`]; what an operator answers for elements that it does not take (`IndexOutOfRange` for a token
    /// or a length); [`OpError::Node`] where this machine cannot do it.
    pub fn run(&self, kernels: &Kernels, inputs: &[&Tensor]) -> Result<Vec<Tensor>, OpError> {
        let extent = self.extent_of(inputs)?;
        match kernels.accelerator().filter(|accelerator| !accelerator.is_retired()) {
            Some(accelerator) => self.run_beside(accelerator, kernels, extent, inputs),
            None => Ok(self.compute(kernels, None, extent, inputs)?.0),
        }
    }

    /// Computes every node on the CPU, or on a device what that can, and says whether it did.
    fn compute(
        &self,
        kernels: &Kernels,
        accelerator: Option<&Accelerator>,
        extent: Extent,
        inputs: &[&Tensor],
    ) -> Result<(Vec<Tensor>, bool), OpError> {
        let batch = extent.batch;
        let rows = usize::try_from(batch).map_err(|_| Status::LimitExceeded)?;
        let shorter = self.shorter(extent.length)?;
        let edges = shorter.as_ref().map_or(self.edges(), |shorter| &shorter.edges);
        let plan = shorter.as_ref().and_then(|shorter| shorter.plan.as_ref()).unwrap_or(&self.plan);
        let schedule = self.schedule(kernels.level())?;
        let segment = accelerator.and_then(|beside| Some((beside, self.segment_for(beside, extent, edges)?)));
        let mut by_device = None;
        let mut arena = Arena::allocate(plan, batch)?;
        for ((index, tensor), edge) in (0..).zip(inputs).zip(edges) {
            copy_in(tensor, arena.write(EdgeId(index), edge))?;
        }
        for Entry { reads, output, step } in &schedule.entries {
            if let Some((accelerator, segment)) = segment
                && segment.made.contains(output)
                && *by_device.get_or_insert_with(|| self.run_segment(segment, accelerator, extent, edges, &mut arena))
            {
                continue;
            }
            let shapes = Shapes { rows, edges, reads, output: *output };
            let output = EdgeId(u32::try_from(*output).map_err(|_| Status::LimitExceeded)?);
            let run = |sources: &[Source<'_>], sink: &mut Sink<'_>| step.run(kernels, &shapes, sources, sink);
            arena.with(reads, edges, output, kernels.threads(), run)?;
        }
        let outputs = self.graph().outputs.iter().map(|id| copy_out(&arena, *id, &edges[place(*id)], batch));
        Ok((outputs.collect::<Result<_, _>>()?, by_device == Some(true)))
    }

    fn edge(&self, id: EdgeId) -> &Edge {
        usize::try_from(id.0).ok().and_then(|index| self.edges().get(index)).expect("checked when loaded")
    }

    /// Every node prepared for a level; made once.
    fn schedule(&self, level: Level) -> Result<Arc<Schedule>, OpError> {
        let mut levels = self.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schedule) = levels.get(&level) {
            return Ok(Arc::clone(schedule));
        }
        let parameters = |index| self.parameters(index);
        let schedule = Arc::new(Schedule::new(level, self.graph(), self.edges(), &self.plan, parameters)?);
        levels.insert(level, Arc::clone(&schedule));
        Ok(schedule)
    }
}

/// The index of an edge that was checked when the model was loaded.
fn place(id: EdgeId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
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
mod segment;
#[cfg(test)]
mod sequence_tests;
#[cfg(test)]
mod tests;
