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

use std::ops::Range;

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
    /// Plans a graph whose edges are `edges`.
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
        let mut taken = Taken::default();
        // Which edges have a place that no other one has been written over, and all in the order in which they become free.
        let mut has_place = vec![false; edges.len()];
        let mut by_last: Vec<usize> = (0..edges.len()).collect();
        by_last.sort_by_key(|edge| last[*edge]);
        let mut by_last = by_last.into_iter().peekable();
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
            while let Some(free) = by_last.next_if(|edge| last[*edge] < made_by) {
                if has_place[free] {
                    taken.remove(places[free].offset);
                }
            }
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
            has_place[index] = true;
            let place = if let Some((over, root)) = over
                && has_place[root]
            {
                has_place[root] = false;
                homes[index] = Home::Over(over);
                let place = Place { bytes, ..places[root] };
                taken.resize(place);
                place
            } else {
                taken.first_fit(bytes)
            };
            row_bytes = row_bytes.max(place.offset.saturating_add(bytes));
            places.push(place);
        }
        ArenaPlan { places, homes, row_bytes, shared }
    }
}

/// What is needed at a time, by rising offset, none of it empty, in pieces of which each knows its widest gap: a graph has thousands of
/// nodes, all of whose edges may be needed at once, and each length of sequences has places of its own.
#[derive(Default)]
pub(super) struct Taken {
    pieces: Vec<Piece>,
}

#[derive(Default)]
struct Piece {
    places: Vec<Place>,
    /// The widest gap before one of its places.
    widest: u64,
}

impl Place {
    fn end(self) -> u64 {
        self.offset.saturating_add(self.bytes)
    }
}

impl Piece {
    /// Most places of one.
    const MOST: usize = 64;

    /// Where what is before ends, for each place, with the place.
    fn with_ends(&self, before: u64) -> impl Iterator<Item = (u64, &Place)> {
        let ends = self.places.iter().map(|place| place.end());
        std::iter::once(before).chain(ends).zip(&self.places)
    }
}

impl Taken {
    /// Takes the lowest place with room.
    pub(super) fn first_fit(&mut self, bytes: u64) -> Place {
        let piece = self.pieces.iter().position(|piece| piece.widest >= bytes);
        let piece = piece.unwrap_or(self.pieces.len().saturating_sub(1));
        if self.pieces.is_empty() {
            self.pieces.push(Piece::default());
        }
        let mut at = self.pieces[piece].places.len();
        let mut offset = self.end_before(piece + 1);
        for (index, (before, next)) in self.pieces[piece].with_ends(self.end_before(piece)).enumerate() {
            if next.offset.saturating_sub(before) >= bytes {
                (at, offset) = (index, before);
                break;
            }
        }
        let place = Place { offset, bytes };
        let places = &mut self.pieces[piece].places;
        places.insert(at, place);
        if places.len() > Piece::MOST {
            let places = places.split_off(Piece::MOST / 2);
            self.pieces.insert(piece + 1, Piece { places, widest: 0 });
        }
        // Up to the gap behind the new place, which may be before the next piece.
        self.measure(piece..piece + 3);
        place
    }

    /// Gives a place up.
    pub(super) fn remove(&mut self, offset: u64) {
        let (piece, at) = self.find(offset);
        self.pieces[piece].places.remove(at);
        if self.pieces[piece].places.is_empty() {
            self.pieces.remove(piece);
        }
        self.measure(piece..piece + 2);
    }

    /// Gives up the end of the place at the same offset.
    pub(super) fn resize(&mut self, place: Place) {
        let (piece, at) = self.find(place.offset);
        self.pieces[piece].places[at] = place;
        self.measure(piece..piece + 2);
    }

    fn find(&self, offset: u64) -> (usize, usize) {
        let behind = self.pieces.partition_point(|piece| piece.places[0].offset <= offset);
        let piece = behind.saturating_sub(1);
        (piece, self.pieces[piece].places.partition_point(|place| place.offset < offset))
    }

    /// Where the pieces before one end.
    fn end_before(&self, piece: usize) -> u64 {
        let last = piece.checked_sub(1).and_then(|before| self.pieces[before].places.last());
        last.map_or(0, |place| place.end())
    }

    fn measure(&mut self, pieces: Range<usize>) {
        for piece in pieces.start..pieces.end.min(self.pieces.len()) {
            let ends = self.pieces[piece].with_ends(self.end_before(piece));
            let widest = ends.map(|(before, place)| place.offset.saturating_sub(before)).max();
            self.pieces[piece].widest = widest.unwrap_or(0);
        }
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
