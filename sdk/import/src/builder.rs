//! A graph under construction, and how every classifier ends.

use noema_model::{
    graph::{Edge, EdgeId, Graph, Node},
    ops::{Argmax, Op, Softmax},
    parameters::NodeParameters,
};

use crate::quantise::{PROBABILITY_BITS, Quantised};

/// A graph and the parameters of its nodes.
#[derive(Debug)]
pub(crate) struct GraphBuilder {
    pub(crate) graph: Graph,
    pub(crate) parameters: Vec<NodeParameters>,
}

impl GraphBuilder {
    /// A graph with nothing but its inputs.
    pub(crate) fn new(inputs: Vec<Edge>) -> GraphBuilder {
        GraphBuilder { graph: Graph { inputs, nodes: vec![], outputs: vec![] }, parameters: vec![] }
    }

    /// Adds a node; the edge that it makes.
    pub(crate) fn node(
        &mut self,
        name: &str,
        op: impl Into<Op>,
        inputs: &[EdgeId],
        parameters: NodeParameters,
    ) -> EdgeId {
        // What is imported has few nodes: they are limited when it is read.
        let edge = EdgeId(u32::try_from(self.graph.inputs.len() + self.graph.nodes.len()).unwrap_or(u32::MAX));
        self.graph.nodes.push(Node { name: name.into(), op: op.into(), inputs: inputs.to_vec() });
        self.parameters.push(parameters);
        edge
    }

    /// Ends with scores of so many fraction bits, their probabilities where there is a softmax, and the class.
    pub(crate) fn classifier(mut self, scores: EdgeId, score_bits: u8, softmax: bool) -> Quantised {
        let mut outputs = vec![("logits", score_bits)];
        self.graph.outputs.push(scores);
        if softmax {
            let softmax = Softmax { multiplier: 1 << 30, shift: 30 + score_bits, fraction_bits: PROBABILITY_BITS };
            let probabilities = self.node("probabilities", softmax, &[scores], vec![]);
            self.graph.outputs.push(probabilities);
            outputs.push(("probabilities", PROBABILITY_BITS));
        }
        let class = self.node("class", Argmax {}, &[scores], vec![]);
        self.graph.outputs.push(class);
        outputs.push(("class", 0));
        Quantised { graph: self.graph, parameters: self.parameters, outputs }
    }
}
