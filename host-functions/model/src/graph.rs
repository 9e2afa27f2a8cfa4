//! The integer-only graph of a model.
//!
//! Edges are numbered: first the inputs, then the output of each node in order. A node can only read edges with a
//! smaller number, so a graph is always in topological order and has no cycles, and nothing about an edge is
//! written twice: the element type and shape of every edge but the inputs follow from the operators.
//!
//! Inputs may have one kind of axis whose length a call chooses, the sequence axis ([`sequence`]): a graph is then
//! checked, proven and laid out for the longest sequence, and a shorter one is the same graph with smaller edges.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::{DType, limits};

use crate::{ModelError, ops::Op, parameters::Layout};

/// Most nodes of a graph.
pub const MAX_NODES: usize = 4096;
/// Most inputs, and most outputs, of a graph.
pub const MAX_PORTS: usize = 16;
/// Most axes of an edge beside the batch axis.
pub const MAX_ROW_RANK: usize = limits::MAX_RANK - 1;
/// Most bytes of one row of an edge: what a transaction may hold in tensors.
pub const MAX_ROW_BYTES: u64 = limits::MAX_TENSOR_BYTES;

/// Set in an axis of an input: the sequence axis. The other bits are the longest sequence.
pub const SEQUENCE: u32 = 1 << 31;
/// The longest sequence that there may be.
pub const MAX_SEQUENCE: u32 = 65_536;

/// The sequence axis, for sequences of 1 to `longest`: an axis of the inputs of a graph (and of the ports of a manifest)
/// whose length is that of the call.
///
/// ```
/// use noema_model::graph::{Edge, sequence};
/// use noema_tensor::DType;
/// let tokens = Edge::new(DType::I32, &[sequence(128)]);
/// assert_eq!(tokens.at(5).dims, [5]);
/// ```
#[must_use]
pub const fn sequence(longest: u32) -> u32 {
    SEQUENCE | longest
}

/// The number of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct EdgeId(pub u32);

/// What flows between nodes: a tensor of shape `[N, dims..]`, where `N` is the batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Edge {
    /// Element type.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
    /// Shape of one row: every axis but the batch axis. No axis is 0.
    pub dims: Vec<u32>,
}

impl Edge {
    /// An edge of this element type and row shape; [`Graph::edges`] checks it.
    #[must_use]
    pub fn new(dtype: DType, dims: &[u32]) -> Edge {
        Edge { dtype, dims: dims.to_vec() }
    }

    /// Elements of one row, saturating: [`Graph::edges`] refuses a saturated one.
    #[must_use]
    pub fn row_elements(&self) -> u64 {
        self.dims.iter().fold(1, |product: u64, dim| product.saturating_mul(u64::from(*dim)))
    }

    /// Bytes of one row, saturating.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.row_elements().saturating_mul(self.dtype.size() as u64)
    }

    /// Length of the last axis; 1 for a row that is a scalar.
    #[must_use]
    pub fn last(&self) -> u32 {
        self.dims.last().copied().unwrap_or(1)
    }

    /// The same for a sequence of this length: every sequence axis has it.
    #[must_use]
    pub fn at(&self, length: u32) -> Edge {
        let dims = self.dims.iter().map(|dim| if dim & SEQUENCE == 0 { *dim } else { length });
        Edge { dtype: self.dtype, dims: dims.collect() }
    }

    /// The same for the longest sequence.
    pub(crate) fn longest(&self) -> Edge {
        Edge { dtype: self.dtype, dims: self.dims.iter().map(|dim| dim & !SEQUENCE).collect() }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if self.dims.len() > MAX_ROW_RANK {
            return Err(format!("{} axes beside the batch, the limit is {MAX_ROW_RANK}", self.dims.len()));
        }
        if self.dims.contains(&0) {
            return Err(format!("row shape {:?} has an axis of length 0", self.dims));
        }
        if self.row_bytes() > MAX_ROW_BYTES {
            return Err(format!("a row of shape {:?} has more than {MAX_ROW_BYTES} bytes", self.dims));
        }
        Ok(())
    }
}

/// An operator applied to edges.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Node {
    /// Its name, for messages.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// What it reads; each before this node's own edge.
    pub inputs: Vec<EdgeId>,
}

/// A graph. See the module documentation.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Graph {
    /// The input edges.
    pub inputs: Vec<Edge>,
    /// The nodes, in topological order.
    pub nodes: Vec<Node>,
    /// Which edges are results, in order.
    pub outputs: Vec<EdgeId>,
}

impl Graph {
    /// The longest sequence; 1 for a graph without a sequence axis.
    ///
    /// # Errors
    /// [`ModelError::Input`] for one that is not 1 to [`MAX_SEQUENCE`], or not that of the other inputs.
    pub fn longest(&self) -> Result<u32, ModelError> {
        let mut longest = None;
        for (index, edge) in (0..).zip(&self.inputs) {
            for dim in edge.dims.iter().filter(|dim| *dim & SEQUENCE != 0) {
                let length = dim & !SEQUENCE;
                if !(1..=MAX_SEQUENCE).contains(&length) || *longest.get_or_insert(length) != length {
                    let reason =
                        format!("sequences of up to {length}: one length of 1 to {MAX_SEQUENCE} for all inputs");
                    return Err(ModelError::Input { index, reason });
                }
            }
        }
        Ok(longest.unwrap_or(1))
    }

    /// Whether an input has a sequence axis.
    #[must_use]
    pub fn has_sequence(&self) -> bool {
        self.inputs.iter().any(|edge| edge.dims.iter().any(|dim| dim & SEQUENCE != 0))
    }

    /// [`Graph::edges_at`] the longest sequence.
    ///
    /// # Errors
    /// As there, and as [`Graph::longest`].
    pub fn edges(&self) -> Result<Vec<Edge>, ModelError> {
        within("number of inputs", self.inputs.len(), MAX_PORTS)?;
        self.edges_at(self.longest()?)
    }

    /// Checks the whole graph and gives the element type and row shape of every edge for sequences of this length.
    ///
    /// # Errors
    /// [`ModelError::Limit`], [`ModelError::Input`], [`ModelError::Node`] or [`ModelError::Output`] for the first
    /// thing that does not fit. Memory is bounded by the size of the graph, whatever its shapes say.
    pub fn edges_at(&self, length: u32) -> Result<Vec<Edge>, ModelError> {
        within("number of inputs", self.inputs.len(), MAX_PORTS)?;
        within("number of outputs", self.outputs.len(), MAX_PORTS)?;
        within("number of nodes", self.nodes.len(), MAX_NODES)?;
        let mut edges = Vec::with_capacity(self.inputs.len() + self.nodes.len());
        for (index, edge) in (0..).zip(&self.inputs) {
            let edge = edge.at(length);
            edge.check().map_err(|reason| ModelError::Input { index, reason })?;
            edges.push(edge);
        }
        for (index, node) in (0..).zip(&self.nodes) {
            let edge = node.infer(&edges).map_err(|reason| node.error(index, reason))?;
            edges.push(edge);
        }
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return Err(ModelError::Manifest("a graph needs an input and an output".into()));
        }
        for (index, id) in (0..).zip(&self.outputs) {
            if usize::try_from(id.0).map_or(true, |id| id >= edges.len()) {
                return Err(ModelError::Output { index, reason: format!("there is no edge {}", id.0) });
            }
        }
        Ok(edges)
    }

    /// The edges for sequences of this length, where the graph is the same graph for them: no edge is larger than for the
    /// longest sequence, and the parameters are the same. `edges` and `layout` are those for the longest.
    ///
    /// # Errors
    /// [`ModelError`] where it is not; whether it is depends on graph and length alone.
    pub fn edges_for(&self, length: u32, edges: &[Edge], layout: &Layout) -> Result<Vec<Edge>, ModelError> {
        let shorter = self.edges_at(length)?;
        for ((index, node), (edge, longest)) in
            (0..).zip(&self.nodes).zip(shorter.iter().zip(edges).skip(self.inputs.len()))
        {
            let refused = |reason: &str| Err(node.error(index, format!("{reason} for a sequence of {length}")));
            if edge.row_bytes() > longest.row_bytes() || edge.dtype != longest.dtype {
                return refused("gives something else");
            }
            let last = |edges: &[Edge]| node.input_edges(edges).map(|inputs| inputs[0].last());
            if node.op.operator().needs_channels() && last(&shorter) != last(edges) {
                return refused("reads other channels");
            }
        }
        if Layout::new(self, &shorter)? != *layout {
            let reason = format!("parameters depend on the length of the sequence, here {length}");
            return Err(ModelError::Manifest(reason));
        }
        Ok(shorter)
    }

    /// Whether the shortest sequence can be run as the longest can; those between are looked at when they are run.
    pub(crate) fn check_lengths(&self, edges: &[Edge], layout: &Layout) -> Result<(), ModelError> {
        if self.has_sequence() {
            self.edges_for(1, edges, layout)?;
        }
        Ok(())
    }

    /// How an edge is called in messages: the name of the node that makes it, or `input N`.
    #[must_use]
    pub fn edge_name(&self, edge: EdgeId) -> String {
        let index = usize::try_from(edge.0).unwrap_or(usize::MAX);
        match index.checked_sub(self.inputs.len()) {
            None => format!("input {index}"),
            Some(node) => self.nodes.get(node).map_or_else(|| format!("edge {index}"), |node| node.name.clone()),
        }
    }
}

impl Node {
    /// The edges that it reads.
    pub(crate) fn input_edges<'e>(&self, edges: &'e [Edge]) -> Result<Vec<&'e Edge>, String> {
        let arity = self.op.arity();
        if self.inputs.len() != arity {
            return Err(format!("takes {arity} inputs, {} are given", self.inputs.len()));
        }
        let edge = |id: &EdgeId| {
            let found = usize::try_from(id.0).ok().and_then(|index| edges.get(index));
            found.ok_or_else(|| format!("reads edge {}, which is not made before it", id.0))
        };
        self.inputs.iter().map(edge).collect()
    }

    fn infer(&self, edges: &[Edge]) -> Result<Edge, String> {
        let edge = self.op.operator().infer(&self.input_edges(edges)?)?;
        edge.check()?;
        Ok(edge)
    }

    pub(crate) fn error(&self, index: u32, reason: String) -> ModelError {
        ModelError::Node { index, name: self.name.clone(), operator: self.op.name(), reason }
    }
}

fn within(what: &'static str, value: usize, limit: usize) -> Result<(), ModelError> {
    if value > limit {
        return Err(ModelError::Limit { what, value: value as u64, limit: limit as u64 });
    }
    Ok(())
}

/// An element type in the container: its code, one byte.
pub(crate) mod dtype_codec {
    use borsh::io::{Error, ErrorKind, Read, Result, Write};
    use noema_abi::DType;

    pub(crate) fn serialize<W: Write>(dtype: &DType, writer: &mut W) -> Result<()> {
        let code = u8::try_from(dtype.code()).map_err(|_| Error::new(ErrorKind::InvalidData, "element type"))?;
        writer.write_all(&[code])
    }

    pub(crate) fn deserialize<R: Read>(reader: &mut R) -> Result<DType> {
        let mut code = [0];
        reader.read_exact(&mut code)?;
        DType::from_code(u32::from(code[0])).ok_or_else(|| Error::new(ErrorKind::InvalidData, "unknown element type"))
    }
}
