//! In which order and how the nodes of a graph are computed at one kernel level.
//!
//! A linear layer that only a requantisation reads is computed together with it: the sums never reach memory. That changes no
//! bit, no gas and no charge. The charge is for the arena of a graph of which every node is computed by itself
//! ([`ArenaPlan::new`]); what is done together never takes more, or it is not done.

use std::{borrow::Cow, collections::BTreeMap};

use noema_tensor::{Level, OpError};

use crate::{
    arena::ArenaPlan,
    graph::{Edge, EdgeId, Graph},
    ops::{Op, Step, linear_requantised},
    parameters::Parameters,
};

/// One thing to do.
pub(crate) struct Entry {
    /// What it reads.
    pub(crate) reads: Vec<EdgeId>,
    /// The number of the edge that it makes.
    pub(crate) output: usize,
    pub(crate) step: Box<dyn Step>,
}

/// Everything to do, and where its edges lie.
pub(crate) struct Schedule {
    plan: ArenaPlan,
    /// As [`ArenaPlan::without`] takes them.
    absorbed: BTreeMap<usize, usize>,
    pub(crate) entries: Vec<Entry>,
}

impl Schedule {
    /// Prepares every node of a graph whose edges are `edges`; `parameters` gives those of a node, and `plan` is the arena that is
    /// charged for.
    pub(crate) fn new<'p>(
        level: Level,
        graph: &Graph,
        edges: &[Edge],
        plan: &ArenaPlan,
        parameters: impl Fn(usize) -> Parameters<'p>,
    ) -> Result<Schedule, OpError> {
        let inputs = graph.inputs.len();
        let read = |index: usize| graph.nodes[index].input_edges(edges).expect("checked when loaded");
        // For each linear layer, as a node, the requantisation that it is computed with.
        let mut pairs = BTreeMap::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let Op::Requantise(requantise) = &node.op else { continue };
            let Some(before) = only_reader(graph, node.inputs[0]) else { continue };
            let Op::Linear(linear) = &graph.nodes[before].op else { continue };
            if linear_requantised::is_possible(level, linear, requantise) {
                pairs.insert(before, index);
            }
        }
        let mut absorbed: BTreeMap<usize, usize> =
            pairs.iter().map(|(one, other)| (one + inputs, other + inputs)).collect();
        let mut together = ArenaPlan::without(graph, edges, &absorbed);
        if together.row_bytes() > plan.row_bytes() {
            (pairs, absorbed, together) = (BTreeMap::new(), BTreeMap::new(), plan.clone());
        }
        let mut firsts: BTreeMap<usize, usize> = pairs.iter().map(|(one, other)| (*other, *one)).collect();
        let mut entries = Vec::with_capacity(graph.nodes.len());
        for (index, node) in graph.nodes.iter().enumerate() {
            if pairs.contains_key(&index) {
                continue;
            }
            let (reads, step) = match (firsts.remove(&index), &node.op) {
                (Some(first), Op::Requantise(requantise)) => {
                    let Op::Linear(linear) = &graph.nodes[first].op else { unreachable!("a pair has a linear layer") };
                    let all = (&parameters(first), &parameters(index));
                    let step = linear_requantised::prepare(level, (linear, requantise), read(first)[0], all)?;
                    (&graph.nodes[first].inputs, step)
                }
                _ => (&node.inputs, node.op.operator().prepare(level, &read(index), &parameters(index))?),
            };
            entries.push(Entry { reads: reads.clone(), output: inputs + index, step });
        }
        Ok(Schedule { plan: together, absorbed, entries })
    }

    /// Where the edges lie; for sequences of another length than the longest, these are `shorter`.
    pub(crate) fn plan(&self, graph: &Graph, shorter: Option<&[Edge]>) -> Cow<'_, ArenaPlan> {
        let own = shorter.map(|edges| ArenaPlan::without(graph, edges, &self.absorbed));
        // Places are not found by a rule that always needs less for less; what is charged for is that of the longest.
        match own.filter(|own| own.row_bytes() <= self.plan.row_bytes()) {
            Some(own) => Cow::Owned(own),
            None => Cow::Borrowed(&self.plan),
        }
    }
}

/// The node that makes an edge, where one other node reads it and nobody else.
fn only_reader(graph: &Graph, edge: EdgeId) -> Option<usize> {
    let reads = graph.nodes.iter().flat_map(|node| &node.inputs).chain(&graph.outputs);
    let node = usize::try_from(edge.0).ok()?.checked_sub(graph.inputs.len())?;
    (reads.filter(|read| **read == edge).count() == 1).then_some(node)
}

#[cfg(test)]
mod tests;
