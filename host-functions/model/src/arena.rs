//! Where every edge lives while a graph runs: one allocation, laid out when the model is loaded.
//!
//! The layout is part of the protocol, because a transaction is charged for its size. Every edge takes the bytes
//! of one row, rounded up to 8, times the batch. Edges are placed in their order, inputs first; each at the lowest
//! place where it overlaps no edge that is still needed: an edge is needed until the last node that reads it has
//! run, an output until the end. As all sizes grow with the batch alike, the places for one row, times the batch,
//! are the places for any batch.

use std::collections::BTreeMap;

use noema_abi::{DType, Status};
use noema_tensor::OpError;

use crate::graph::{Edge, EdgeId, Graph};

/// Place and size of one row of an edge, in bytes; multiples of 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    bytes: u64,
}

/// The places of all edges for one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArenaPlan {
    places: Vec<Place>,
    row_bytes: u64,
}

impl ArenaPlan {
    /// Plans a graph whose edges are `edges`. Quadratic in the number of nodes, which is limited.
    pub(crate) fn new(graph: &Graph, edges: &[Edge]) -> ArenaPlan {
        ArenaPlan::without(graph, edges, &BTreeMap::new())
    }

    /// The same where some nodes are computed together with a later one: each of the edges that never are is given with the
    /// one that is made instead, until when what it is made of is needed.
    pub(crate) fn without(graph: &Graph, edges: &[Edge], absorbed: &BTreeMap<usize, usize>) -> ArenaPlan {
        let last_use = last_uses(graph, edges.len(), absorbed);
        let mut places: Vec<Place> = Vec::with_capacity(edges.len());
        // What is still needed, by rising offset.
        let mut live: Vec<(Place, usize)> = Vec::new();
        let mut row_bytes = 0;
        for (index, edge) in edges.iter().enumerate() {
            if absorbed.contains_key(&index) {
                places.push(Place { offset: 0, bytes: 0 });
                continue;
            }
            // An edge that an earlier node read last is free; inputs are all there before the first node runs.
            let made_by = index.max(graph.inputs.len());
            live.retain(|(_, needed_until)| *needed_until >= made_by);
            let bytes = edge.row_bytes().saturating_add(7) / 8 * 8;
            let mut offset: u64 = 0;
            let mut at = live.len();
            for (position, (taken, _)) in live.iter().enumerate() {
                if taken.offset.saturating_sub(offset) >= bytes {
                    at = position;
                    break;
                }
                offset = taken.offset.saturating_add(taken.bytes);
            }
            let place = Place { offset, bytes };
            live.insert(at, (place, last_use[index].max(made_by)));
            row_bytes = row_bytes.max(offset.saturating_add(bytes));
            places.push(place);
        }
        ArenaPlan { places, row_bytes }
    }

    /// Bytes of the arena for one row, saturating.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// An arena for `batch` rows.
    pub(crate) fn allocate(&self, batch: u32) -> Result<Arena<'_>, OpError> {
        let rows = usize::try_from(batch).map_err(|_| Status::LimitExceeded)?;
        let words = usize::try_from(self.row_bytes / 8).ok().and_then(|words| words.checked_mul(rows));
        let words = words.ok_or(Status::LimitExceeded)?;
        let mut memory = Vec::new();
        memory
            .try_reserve_exact(words)
            .map_err(|_| OpError::Node(format!("no memory for an arena of {words} words")))?;
        memory.resize(words, 0);
        Ok(Arena { plan: self, rows, memory })
    }

    /// The bytes of the words of an edge for `rows` rows.
    fn words(&self, edge: EdgeId, rows: usize) -> (usize, usize) {
        let place = usize::try_from(edge.0).ok().and_then(|index| self.places.get(index)).expect("a planned edge");
        let scaled = |bytes: u64| usize::try_from(bytes / 8).ok().and_then(|words| words.checked_mul(rows));
        let (offset, length) = (scaled(place.offset), scaled(place.bytes));
        (offset.expect("inside the arena"), length.expect("inside the arena"))
    }
}

/// For each edge the edge number of the last node that reads it, `usize::MAX` for outputs.
fn last_uses(graph: &Graph, edges: usize, absorbed: &BTreeMap<usize, usize>) -> Vec<usize> {
    let mut last_use = vec![0; edges];
    let mut set = |id: &EdgeId, value: usize| {
        if let Some(slot) = usize::try_from(id.0).ok().and_then(|id| last_use.get_mut(id)) {
            *slot = value.max(*slot);
        }
    };
    for (index, node) in graph.nodes.iter().enumerate() {
        let edge = graph.inputs.len() + index;
        node.inputs.iter().for_each(|id| set(id, absorbed.get(&edge).copied().unwrap_or(edge)));
    }
    graph.outputs.iter().for_each(|id| set(id, usize::MAX));
    last_use
}

/// The memory of one run.
pub(crate) struct Arena<'p> {
    plan: &'p ArenaPlan,
    rows: usize,
    memory: Vec<u64>,
}

impl Arena<'_> {
    /// The elements of an edge.
    pub(crate) fn read(&self, id: EdgeId, edge: &Edge) -> Source<'_> {
        let (offset, length) = self.plan.words(id, self.rows);
        Source::of(edge, self.rows, &self.memory[offset..offset + length])
    }

    /// The elements of an edge, to write.
    pub(crate) fn write(&mut self, id: EdgeId, edge: &Edge) -> Sink<'_> {
        let (offset, length) = self.plan.words(id, self.rows);
        Sink::of(edge, self.rows, &mut self.memory[offset..offset + length])
    }

    /// Calls `f` with the inputs of a node and its output; the plan keeps them apart. `edge` gives the edge with
    /// a number.
    pub(crate) fn with<'e, R>(
        &mut self,
        inputs: &[EdgeId],
        edge: impl Fn(&EdgeId) -> (EdgeId, &'e Edge),
        output: (EdgeId, &Edge),
        f: impl FnOnce(&[Source<'_>], &mut Sink<'_>) -> R,
    ) -> R {
        let (start, length) = self.plan.words(output.0, self.rows);
        let (before, rest) = self.memory.split_at_mut(start);
        let (own, after) = rest.split_at_mut(length);
        let source = |id: &EdgeId| {
            let (id, edge) = edge(id);
            let (offset, length) = self.plan.words(id, self.rows);
            let words = match offset.checked_sub(start + own.len()) {
                None => &before[offset..offset + length],
                Some(offset) => &after[offset..offset + length],
            };
            Source::of(edge, self.rows, words)
        };
        // No operator has many inputs; the usual ones need no allocation.
        match inputs {
            [a] => f(&[source(a)], &mut Sink::of(output.1, self.rows, own)),
            [a, b] => f(&[source(a), source(b)], &mut Sink::of(output.1, self.rows, own)),
            many => {
                let sources: Vec<_> = many.iter().map(source).collect();
                f(&sources, &mut Sink::of(output.1, self.rows, own))
            }
        }
    }
}

macro_rules! views {
    ($( $variant:ident $type:ident ),*) => {
        /// The elements of an edge.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Source<'a> { $( $variant(&'a [$type]) ),* }

        /// The elements of an edge, to write.
        #[derive(Debug)]
        pub(crate) enum Sink<'a> { $( $variant(&'a mut [$type]) ),* }

        impl<'a> Source<'a> {
            fn of(edge: &Edge, rows: usize, words: &'a [u64]) -> Source<'a> {
                let elements = elements(edge, rows);
                match edge.dtype { $( DType::$variant => Source::$variant(&bytemuck::cast_slice(words)[..elements]) ),* }
            }
        }

        impl<'a> Sink<'a> {
            fn of(edge: &Edge, rows: usize, words: &'a mut [u64]) -> Sink<'a> {
                let elements = elements(edge, rows);
                match edge.dtype {
                    $( DType::$variant => Sink::$variant(&mut bytemuck::cast_slice_mut(words)[..elements]) ),*
                }
            }
        }
    };
}

views!(I8 i8, U8 u8, I16 i16, I32 i32, I64 i64);

impl<'a> Source<'a> {
    /// The elements of an edge of `i32`.
    pub(crate) fn i32s(self) -> Result<&'a [i32], OpError> {
        match self {
            Source::I32(values) => Ok(values),
            _ => Err(unexpected()),
        }
    }
}

impl Sink<'_> {
    /// The elements of an edge of `i64`.
    pub(crate) fn i64s(&mut self) -> Result<&mut [i64], OpError> {
        match self {
            Sink::I64(values) => Ok(values),
            _ => Err(unexpected()),
        }
    }

    /// The elements of an edge of `i32`.
    pub(crate) fn i32s(&mut self) -> Result<&mut [i32], OpError> {
        match self {
            Sink::I32(values) => Ok(values),
            _ => Err(unexpected()),
        }
    }
}

/// Only where an operator runs on types that it did not accept.
pub(crate) fn unexpected() -> OpError {
    OpError::Node("an operator was prepared for another element type".into())
}

fn elements(edge: &Edge, rows: usize) -> usize {
    usize::try_from(edge.row_elements()).ok().and_then(|row| row.checked_mul(rows)).expect("inside the arena")
}

#[cfg(test)]
mod tests;
