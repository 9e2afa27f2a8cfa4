//! In which order and how the nodes of a graph are computed at one kernel level.
//!
//! What the plan of the arena gives no place is not computed by itself: the sums of a linear layer are requantised as they are made, and a
//! view of another edge is no work at all. That changes no bit.

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

/// Everything to do, in order.
pub(crate) struct Schedule {
    pub(crate) entries: Vec<Entry>,
}

impl Schedule {
    /// Prepares every node of a graph whose edges are `edges` and lie where `plan` says; `parameters` gives those of a node.
    pub(crate) fn new<'p>(
        level: Level,
        graph: &Graph,
        edges: &[Edge],
        plan: &ArenaPlan,
        parameters: impl Fn(usize) -> Parameters<'p>,
    ) -> Result<Schedule, OpError> {
        let inputs = graph.inputs.len();
        let read = |index: usize| graph.nodes[index].input_edges(edges).expect("checked when loaded");
        let mut entries = Vec::with_capacity(graph.nodes.len());
        for (index, node) in graph.nodes.iter().enumerate() {
            let output = inputs + index;
            if plan.is_view(output) || plan.is_passed(output) {
                continue;
            }
            let before = index.checked_sub(1).filter(|before| plan.is_passed(inputs + before));
            let pair = before.map(|before| (before, &graph.nodes[before].op, &node.op));
            let (reads, step) = match pair {
                Some((before, Op::Linear(linear), Op::Requantise(requantise))) => {
                    let all = (&parameters(before), &parameters(index));
                    let step = linear_requantised::prepare(level, (linear, requantise), read(before)[0], all)?;
                    (&graph.nodes[before].inputs, step)
                }
                _ => (&node.inputs, node.op.operator().prepare(level, &read(index), &parameters(index))?),
            };
            entries.push(Entry { reads: reads.clone(), output, step });
        }
        Ok(Schedule { entries })
    }
}

#[cfg(test)]
mod tests;
