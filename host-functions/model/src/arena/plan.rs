//! Where every edge lives while a graph runs, laid out when the model is loaded.
//!
//! The layout is part of the protocol, because a transaction is charged for its size. Every edge takes the bytes
//! of one row, rounded up to 8, times the batch. Edges are placed in their order, inputs first; each at the lowest
//! place where it overlaps no edge that is still needed: an edge is needed until the last node that reads it has
//! run, an output until the end. As all sizes grow with the batch alike, the places for one row, times the batch,
//! are the places for any batch.
//!
//! Some edges take no place, or that of another one ([`Home`]). First fit does not always need less for less, so a graph that would need
//! more with that is laid out without it.

use crate::{
    graph::{Edge, EdgeId, Graph},
    ops::Op,
};

/// Longest last axis of what is set aside row by row where a node writes over what it reads.
const MAX_ROW: u32 = 65_536;

/// Place and size of one row of an edge, in bytes; multiples of 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Whose place an edge has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// One of its own.
    Own,
    /// That of an edge which it shows under another shape.
    View,
    /// That of an edge which its node reads as the last one.
    Over(Over),
    /// None: sums that the next node, which alone reads them, requantises as they are made.
    Passed,
}

/// The input of a node that it writes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    /// Its number among the inputs of the node.
    pub(crate) input: usize,
    by_row: bool,
}

impl Over {
    /// How many elements must be computed together.
    pub(super) fn unit(self, edge: &Edge) -> usize {
        if self.by_row { usize::try_from(edge.last()).unwrap_or(usize::MAX) } else { 1 }
    }
}

/// The places of all edges for one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArenaPlan {
    pub(super) places: Vec<Place>,
    pub(super) homes: Vec<Home>,
    row_bytes: u64,
    shared: bool,
}

impl ArenaPlan {
    /// Plans a graph whose edges are `edges`. Quadratic in the number of nodes, which is limited.
    pub(crate) fn new(graph: &Graph, edges: &[Edge]) -> ArenaPlan {
        let (shared, apart) = (ArenaPlan::laid_out(graph, edges, true), ArenaPlan::laid_out(graph, edges, false));
        if shared.row_bytes <= apart.row_bytes { shared } else { apart }
    }

    /// The plan for other lengths of sequences, of the same kind; nothing where that would need more.
    pub(crate) fn at(&self, graph: &Graph, edges: &[Edge]) -> Option<ArenaPlan> {
        let plan = ArenaPlan::laid_out(graph, edges, self.shared);
        (plan.row_bytes <= self.row_bytes).then_some(plan)
    }

    /// Bytes of the arena for one row, saturating.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// Whether a node has nothing to do, as its edge is another one under another shape.
    pub(crate) fn is_view(&self, edge: usize) -> bool {
        self.homes[edge] == Home::View
    }

    /// Whether an edge is never made, as the next node is computed together with its own.
    pub(crate) fn is_passed(&self, edge: usize) -> bool {
        self.homes[edge] == Home::Passed
    }

    pub(super) fn over(&self, edge: EdgeId) -> Option<Over> {
        match self.homes[super::index(edge)] {
            Home::Over(over) => Some(over),
            _ => None,
        }
    }

    /// The place of the words of an edge for `rows` rows, and how many they are.
    pub(super) fn words(&self, edge: EdgeId, rows: usize) -> (usize, usize) {
        let place = self.places.get(super::index(edge)).expect("a planned edge");
        let scaled = |bytes: u64| usize::try_from(bytes / 8).ok().and_then(|words| words.checked_mul(rows));
        let (offset, length) = (scaled(place.offset), scaled(place.bytes));
        (offset.expect("inside the arena"), length.expect("inside the arena"))
    }

    pub(super) fn laid_out(graph: &Graph, edges: &[Edge], shared: bool) -> ArenaPlan {
        let inputs = graph.inputs.len();
        let Uses { mut homes, roots, last } = Uses::of(graph, edges.len(), shared);
        let mut places: Vec<Place> = Vec::with_capacity(edges.len());
        // What is still needed, by rising offset.
        let mut live: Vec<(Place, usize)> = Vec::new();
        let mut row_bytes = 0;
        for (index, edge) in edges.iter().enumerate() {
            match homes[index] {
                Home::Passed => {
                    places.push(Place { offset: 0, bytes: 0 });
                    continue;
                }
                Home::View => {
                    places.push(places[roots[index]]);
                    continue;
                }
                _ => {}
            }
            // An edge that an earlier node read last is free; inputs are all there before the first node runs.
            let made_by = index.max(inputs);
            live.retain(|(_, edge)| last[*edge] >= made_by);
            let bytes = edge.row_bytes().saturating_add(7) / 8 * 8;
            let node = index.checked_sub(inputs).filter(|_| shared).map(|node| &graph.nodes[node]);
            let over = node.and_then(|node| {
                let in_place = node.op.in_place()?;
                let fits = |input: &usize| {
                    let read = super::index(node.inputs[*input]);
                    let narrower = edge.dtype.size() <= edges[read].dtype.size();
                    narrower && homes[read] != Home::Passed && last[roots[read]] == index
                };
                let input = in_place.inputs.iter().copied().find(fits)?;
                let over = Over { input, by_row: in_place.by_row };
                (!over.by_row || edge.last() <= MAX_ROW).then_some((over, roots[super::index(node.inputs[input])]))
            });
            if let Some((over, root)) = over
                && let Some(taken) = live.iter_mut().find(|(_, edge)| *edge == root)
            {
                *taken = (Place { bytes, ..taken.0 }, index);
                homes[index] = Home::Over(over);
                places.push(taken.0);
                continue;
            }
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
            live.insert(at, (place, index));
            row_bytes = row_bytes.max(offset.saturating_add(bytes));
            places.push(place);
        }
        ArenaPlan { places, homes, row_bytes, shared }
    }
}

/// What the places of edges follow from.
pub(super) struct Uses {
    /// All but those that are written over others, which depends on the places of others.
    homes: Vec<Home>,
    /// For each edge the one whose elements it has: itself, but for views.
    pub(super) roots: Vec<usize>,
    /// For each edge that is one of these, the edge number of the last node that reads it, at least of its own or of the first; `usize::MAX`
    /// for outputs.
    pub(super) last: Vec<usize>,
}

impl Uses {
    pub(super) fn of(graph: &Graph, edges: usize, shared: bool) -> Uses {
        let inputs = graph.inputs.len();
        let mut roots: Vec<usize> = (0..edges).collect();
        let mut homes = vec![Home::Own; edges];
        if shared {
            let mut reads = vec![0_usize; edges];
            let all = graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs);
            all.for_each(|id| reads[super::index(*id)] += 1);
            for (node, edge) in graph.nodes.iter().zip(inputs..) {
                match &node.op {
                    Op::Reshape(_) => {
                        roots[edge] = roots[super::index(node.inputs[0])];
                        homes[edge] = Home::View;
                    }
                    Op::Requantise(_) => {
                        let before = super::index(node.inputs[0]);
                        let next = before + 1 == edge && before >= inputs && reads[before] == 1;
                        if next && matches!(graph.nodes[before - inputs].op, Op::Linear(_)) {
                            homes[before] = Home::Passed;
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut last: Vec<usize> = (0..edges).map(|edge| edge.max(inputs)).collect();
        for (node, edge) in graph.nodes.iter().zip(inputs..) {
            let reader = if homes[edge] == Home::Passed { edge + 1 } else { edge };
            for id in &node.inputs {
                let last = &mut last[roots[super::index(*id)]];
                *last = reader.max(*last);
            }
        }
        graph.outputs.iter().for_each(|id| last[roots[super::index(*id)]] = usize::MAX);
        Uses { homes, roots, last }
    }
}
