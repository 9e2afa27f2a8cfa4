//! Where the parameters of each node lie in the weights section.
//!
//! The arrays of the nodes follow each other in the order of the nodes, little-endian, each at a multiple of 64
//! bytes; the bytes between are zero and the section ends at a multiple of 64. So offsets follow from the graph
//! and are not written down.

use noema_abi::DType;

use crate::{
    ModelError,
    graph::{Edge, Graph},
};

/// Alignment of every parameter array in the container.
pub const ALIGNMENT: u64 = 64;

/// One array in the weights section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    dtype: DType,
    offset: u64,
    bytes: u64,
}

/// The places of all parameter arrays of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    nodes: Vec<Vec<Slot>>,
    total: u64,
}

impl Layout {
    /// The layout for a graph whose edges are `edges` ([`Graph::edges`]).
    ///
    /// # Errors
    /// [`ModelError::Node`] for a graph that does not fit its edges, [`ModelError::Limit`] for one whose weights
    /// pass 2^62 bytes.
    pub fn new(graph: &Graph, edges: &[Edge]) -> Result<Layout, ModelError> {
        let mut total: u64 = 0;
        let mut nodes = Vec::with_capacity(graph.nodes.len());
        for (index, node) in (0..).zip(&graph.nodes) {
            let refused = |reason| node.error(index, reason);
            let specs = node.op.parameters(&node.input_edges(edges).map_err(refused)?).map_err(refused)?;
            let mut slots = Vec::with_capacity(specs.len());
            for spec in specs {
                let bytes = spec.elements.saturating_mul(spec.dtype.size() as u64);
                slots.push(Slot { dtype: spec.dtype, offset: total, bytes });
                total = total.saturating_add(bytes).checked_next_multiple_of(ALIGNMENT).unwrap_or(u64::MAX);
                if total > 1 << 62 {
                    return Err(ModelError::Limit { what: "size of the weights", value: total, limit: 1 << 62 });
                }
            }
            nodes.push(slots);
        }
        Ok(Layout { nodes, total })
    }

    /// Bytes of the weights section.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total
    }

    /// The parameters of node `index` in a weights section that has [`Layout::total_bytes`] bytes.
    #[must_use]
    pub fn parameters<'a>(&'a self, index: usize, weights: &'a [u8]) -> Parameters<'a> {
        Parameters { slots: self.nodes.get(index).map_or(&[], Vec::as_slice), weights }
    }

    /// Writes the weights section.
    ///
    /// # Errors
    /// [`ModelError::Parameters`] where `data` does not match the layout.
    pub fn write(&self, graph: &Graph, data: &[NodeParameters]) -> Result<Vec<u8>, ModelError> {
        let mut section = Vec::new();
        for (index, (slots, node)) in (0..).zip(self.nodes.iter().zip(&graph.nodes)) {
            let refused = |reason| ModelError::Parameters { index, name: node.name.clone(), reason };
            let arrays = usize::try_from(index).ok().and_then(|index| data.get(index)).map_or(&[][..], Vec::as_slice);
            if arrays.len() != slots.len() {
                return Err(refused(format!("{} arrays are needed, {} are given", slots.len(), arrays.len())));
            }
            for (slot, array) in slots.iter().zip(arrays) {
                let bytes = array.to_le_bytes();
                if array.dtype() != slot.dtype || bytes.len() as u64 != slot.bytes {
                    let (have, need) = (array.dtype(), slot.dtype);
                    return Err(refused(format!("{} bytes of {have}, not {} of {need}", bytes.len(), slot.bytes)));
                }
                section.extend_from_slice(&bytes);
                section.resize(section.len().next_multiple_of(64), 0);
            }
        }
        if data.len() != graph.nodes.len() {
            let reason = format!("parameters for {} nodes are given", data.len());
            return Err(ModelError::Parameters { index: u32::MAX, name: "graph".into(), reason });
        }
        Ok(section)
    }

    /// The first byte of padding that is not zero, by its place in the section.
    pub(crate) fn dirty_padding(&self, weights: &[u8]) -> Option<u64> {
        let slots = self.nodes.iter().flatten();
        slots.map(|slot| slot.offset + slot.bytes).find_map(|end| {
            let padding = end..end.next_multiple_of(ALIGNMENT);
            padding.into_iter().find(|at| usize::try_from(*at).is_ok_and(|at| weights.get(at).is_some_and(|b| *b != 0)))
        })
    }
}

/// The arrays of one node, in the order that its operator names them.
pub type NodeParameters = Vec<Array>;

/// A parameter array as an importer makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Array {
    /// Signed 8-bit.
    I8(Vec<i8>),
    /// Unsigned 8-bit.
    U8(Vec<u8>),
    /// Signed 16-bit.
    I16(Vec<i16>),
    /// Signed 32-bit.
    I32(Vec<i32>),
    /// Signed 64-bit.
    I64(Vec<i64>),
}

impl Array {
    /// Its element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self {
            Array::I8(_) => DType::I8,
            Array::U8(_) => DType::U8,
            Array::I16(_) => DType::I16,
            Array::I32(_) => DType::I32,
            Array::I64(_) => DType::I64,
        }
    }

    pub(crate) fn to_le_bytes(&self) -> Vec<u8> {
        match self {
            Array::I8(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Array::U8(values) => values.clone(),
            Array::I16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Array::I32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Array::I64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

/// The arrays of one node in a weights section. Asking for an array or a type that the operator did not declare
/// gives nothing.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    slots: &'a [Slot],
    weights: &'a [u8],
}

impl<'a> Parameters<'a> {
    pub(crate) fn bytes(&self, index: usize, dtype: DType) -> &'a [u8] {
        let slot = self.slots.get(index).filter(|slot| slot.dtype == dtype);
        let range = slot.and_then(|slot| {
            let start = usize::try_from(slot.offset).ok()?;
            Some(start..start.checked_add(usize::try_from(slot.bytes).ok()?)?)
        });
        range.and_then(|range| self.weights.get(range)).unwrap_or(&[])
    }

    /// Array `index`, of `i8`.
    #[must_use]
    pub fn i8s(&self, index: usize) -> &'a [i8] {
        bytemuck::cast_slice(self.bytes(index, DType::I8))
    }

    /// Array `index`, of `u8`.
    #[must_use]
    pub fn u8s(&self, index: usize) -> &'a [u8] {
        self.bytes(index, DType::U8)
    }

    /// Array `index`, of `i16`.
    pub fn i16s(&self, index: usize) -> impl ExactSizeIterator<Item = i16> + use<'a> {
        let words = self.bytes(index, DType::I16).as_chunks::<2>().0;
        words.iter().map(|word| i16::from_le_bytes(*word))
    }

    /// Array `index`, of `i32`.
    pub fn i32s(&self, index: usize) -> impl ExactSizeIterator<Item = i32> + use<'a> {
        let words = self.bytes(index, DType::I32).as_chunks::<4>().0;
        words.iter().map(|word| i32::from_le_bytes(*word))
    }

    /// Array `index`, of `i64`.
    pub fn i64s(&self, index: usize) -> impl ExactSizeIterator<Item = i64> + use<'a> {
        let words = self.bytes(index, DType::I64).as_chunks::<8>().0;
        words.iter().map(|word| i64::from_le_bytes(*word))
    }
}
