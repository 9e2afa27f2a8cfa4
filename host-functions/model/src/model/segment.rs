//! The part of a graph that a device runs: nodes that follow one another, all of which devices know.

use std::{collections::BTreeMap, ops::Range};

use noema_tensor::program::{Operation, Program, ValueId, ValueType};

use super::{Model, place};
use crate::{
    graph::{Edge, EdgeId, SEQUENCE, sequence},
    ops::Op,
};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Segment {
    /// The numbers of the edges that it makes.
    pub(super) made: Range<usize>,
    /// What it reads of others.
    pub(super) inputs: Vec<EdgeId>,
    /// What of its own is needed behind it.
    pub(super) outputs: Vec<EdgeId>,
    /// Every edge of the graph, as [`symbolic`] has it.
    edges: Vec<Option<Edge>>,
}

/// What a node is on a device.
enum Lowered<'m> {
    Operation(Operation<'m>),
    /// What it reads, under another shape.
    Same,
}

impl Segment {
    /// The part of a model with the most work, and its program; nothing where devices know no node of it.
    pub(super) fn of(model: &Model) -> Option<(Segment, Program<'_>)> {
        let edges = symbolic(model);
        let nodes = model.graph().nodes.len();
        let mut lowered: Vec<Option<Lowered<'_>>> = (0..nodes).map(|node| model.lowered(node, &edges)).collect();
        let work = |nodes: &Range<usize>| work(model, nodes.clone(), model.edges());
        let nodes = parts(model, &lowered).into_iter().max_by_key(work)?;
        let inputs = model.graph().inputs.len();
        let made = inputs + nodes.start..inputs + nodes.end;

        let mut program = Program::default();
        let mut segment = Segment { made, inputs: Vec::new(), outputs: Vec::new(), edges };
        let mut ids: BTreeMap<EdgeId, ValueId> = BTreeMap::new();
        for (node, edge) in nodes.zip(segment.made.clone()) {
            let reads = &model.graph().nodes[node].inputs;
            for id in reads {
                if !ids.contains_key(id) {
                    ids.insert(*id, program.input(segment.value(place(*id))?));
                    segment.inputs.push(*id);
                }
            }
            let operands: Vec<ValueId> = reads.iter().map(|id| ids[id]).collect();
            let value = match lowered[node].take()? {
                Lowered::Same => operands[0],
                Lowered::Operation(operation) => program.push(operation, &operands, segment.value(edge)?),
            };
            ids.insert(EdgeId(u32::try_from(edge).ok()?), value);
        }
        let later = model.graph().nodes.iter().skip(segment.made.end - inputs).flat_map(|node| &node.inputs);
        for id in later.chain(&model.graph().outputs) {
            if segment.made.contains(&place(*id)) && !segment.outputs.contains(id) {
                program.output(ids[id]);
                segment.outputs.push(*id);
            }
        }
        // Shapes alone are no work for a device.
        (!program.instructions().is_empty()).then_some((segment, program))
    }

    /// Whether the edges of the graph for sequences of this length are those of the program.
    pub(super) fn fits(&self, edges: &[Edge], length: u32) -> bool {
        let used = self.inputs.iter().map(|id| place(*id)).chain(self.made.clone());
        used.into_iter()
            .all(|edge| self.edges[edge].as_ref().is_some_and(|symbolic| symbolic.at(length) == edges[edge]))
    }

    /// The work of a row of its nodes, for sequences with these edges.
    pub(super) fn work(&self, model: &Model, edges: &[Edge]) -> u64 {
        let inputs = model.graph().inputs.len();
        work(model, self.made.start - inputs..self.made.end - inputs, edges)
    }

    fn value(&self, edge: usize) -> Option<ValueType> {
        let edge = self.edges[edge].as_ref()?;
        let per_token = edge.dims.first().is_some_and(|dim| dim & SEQUENCE != 0);
        let row = edge.dims.iter().skip(usize::from(per_token)).map(|dim| u64::from(*dim)).product::<u64>();
        Some(ValueType { dtype: edge.dtype, row: usize::try_from(row).ok()?, per_token })
    }
}

/// The runs of nodes that may be a segment each, as long as they can be.
fn parts(model: &Model, lowered: &[Option<Lowered<'_>>]) -> Vec<Range<usize>> {
    let inputs = model.graph().inputs.len();
    let passed = |node: usize| model.plan.is_passed(inputs + node);
    // Sums that are requantised as they are made belong to what requantises them.
    let known = |node: usize| lowered[node].is_some() && (!passed(node) || lowered[node + 1].is_some());
    let mut parts: Vec<Range<usize>> = Vec::new();
    for node in 0..lowered.len() {
        let with_before = node.checked_sub(1).is_some_and(passed);
        if !known(node) || with_before && !known(node - 1) {
            continue;
        }
        // What must be looked at on the CPU cannot be made on the device.
        let looked_at = model.looked_at(node, model.edges());
        match parts.last_mut() {
            Some(part) if part.end == node && looked_at.is_none_or(|(id, _)| place(id) < inputs + part.start) => {
                part.end += 1;
            }
            _ => parts.push(node..node + 1),
        }
    }
    parts
}

/// Every edge for sequences of any length, the sequence axis marked: the first axis or none. Nothing where that does not say it.
fn symbolic(model: &Model) -> Vec<Option<Edge>> {
    let longest = model.longest();
    let shortest = model.shorter(1).ok().flatten();
    let edge = |(index, edge): (usize, &Edge)| {
        let short = shortest.as_ref().map_or(edge, |shorter| &shorter.edges[index]);
        let mut symbolic = edge.clone();
        if short != edge {
            *symbolic.dims.first_mut()? = sequence(longest);
        }
        (symbolic.at(1) == *short && symbolic.at(longest) == *edge).then_some(symbolic)
    };
    model.edges().iter().enumerate().map(edge).collect()
}

impl Model {
    /// A node on a device, where devices know it.
    fn lowered(&self, node: usize, edges: &[Option<Edge>]) -> Option<Lowered<'_>> {
        let op = &self.graph().nodes[node].op;
        let reads: Option<Vec<&Edge>> =
            self.graph().nodes[node].inputs.iter().map(|id| edges[place(*id)].as_ref()).collect();
        let reads = reads?;
        edges[self.graph().inputs.len() + node].as_ref()?;
        if matches!(op, Op::Reshape(_)) {
            // The same elements in the same order.
            return Some(Lowered::Same);
        }
        let along_the_sequence = |edge: &&Edge| matches!(edge.dims[..], [only] if only & SEQUENCE != 0);
        if !op.operator().is_elementwise() && reads.iter().any(along_the_sequence) {
            return None;
        }
        op.operator().lower(&reads, &self.parameters(node)).map(Lowered::Operation)
    }
}

fn work(model: &Model, nodes: Range<usize>, edges: &[Edge]) -> u64 {
    nodes.flat_map(|node| model.work_of(node, edges)).fold(0, |sum, (_, work)| sum.saturating_add(work))
}
