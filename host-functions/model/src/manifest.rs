//! What people and programs need to know about a model beside its graph.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;

use crate::{
    ModelError,
    graph::{Edge, EdgeId, Graph, dtype_codec},
};

/// Most fraction bits of an input or output.
pub const MAX_FRACTION_BITS: u8 = 62;

/// Describes a model. The default says nothing: no names, no ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Manifest {
    /// What the model is called.
    pub name: String,
    /// The licence of model and weights, as an SPDX expression where there is one.
    pub licence: String,
    /// The version of the model, in its author's own scheme.
    pub version: String,
    /// The inputs of the graph, in order.
    pub inputs: Vec<Port>,
    /// The outputs of the graph, in order.
    pub outputs: Vec<Port>,
    /// Names of the classes, in the order of the last axis of the scores; empty where there are none.
    pub labels: Vec<String>,
    /// What is known about how accurate the model is, and how it was measured.
    pub accuracy: String,
}

/// An input or output: an integer `q` in it stands for `q * 2^-fraction_bits`.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Element type.
    #[borsh(serialize_with = "dtype_codec::serialize", deserialize_with = "dtype_codec::deserialize")]
    pub dtype: DType,
    /// Shape of one row: every axis but the batch axis, which comes first. An axis of [`sequence`](crate::graph::sequence)
    /// is the sequence axis, and says how long that may be.
    pub shape: Vec<u32>,
    /// How many bits of the integer stand for the fraction, at most [`MAX_FRACTION_BITS`].
    pub fraction_bits: u8,
}

impl Port {
    /// The port for an edge.
    #[must_use]
    pub fn new(name: &str, edge: &Edge, fraction_bits: u8) -> Port {
        Port { name: name.into(), dtype: edge.dtype, shape: edge.dims.clone(), fraction_bits }
    }

    /// The port of an edge with a sequence axis: `shape` has [`sequence`](crate::graph::sequence) in its place.
    #[must_use]
    pub fn with_sequence(name: &str, dtype: DType, shape: &[u32], fraction_bits: u8) -> Port {
        Port { name: name.into(), dtype, shape: shape.to_vec(), fraction_bits }
    }

    fn matches(&self, edge: &Edge, length: u32) -> bool {
        let shape = Edge { dtype: self.dtype, dims: self.shape.clone() };
        shape.at(length) == *edge
    }
}

impl Manifest {
    /// Checks the manifest against the graph whose edges are `edges`, for the longest sequence and for one of length 1.
    ///
    /// # Errors
    /// [`ModelError::Manifest`].
    pub fn check(&self, graph: &Graph, edges: &[Edge]) -> Result<(), ModelError> {
        let inputs: Vec<_> = (0..).map(EdgeId).take(graph.inputs.len()).collect();
        let longest = graph.longest()?;
        check_ports("input", &self.inputs, &inputs, edges, longest)?;
        check_ports("output", &self.outputs, &graph.outputs, edges, longest)?;
        if graph.has_sequence() {
            let shortest = graph.edges_at(1)?;
            check_ports("input", &self.inputs, &inputs, &shortest, 1)?;
            check_ports("output", &self.outputs, &graph.outputs, &shortest, 1)?;
            for (port, edge) in self.inputs.iter().zip(&graph.inputs) {
                if port.shape != edge.dims {
                    let reason = format!("input `{}`: is {:?}, the graph has {:?}", port.name, port.shape, edge.dims);
                    return Err(ModelError::Manifest(reason));
                }
            }
        }
        Ok(())
    }

    /// The index of the output with this name.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<usize> {
        self.outputs.iter().position(|port| port.name == name)
    }
}

fn check_ports(kind: &str, ports: &[Port], ids: &[EdgeId], edges: &[Edge], length: u32) -> Result<(), ModelError> {
    if ports.len() != ids.len() {
        let reason = format!("describes {} {kind}s, the graph has {}", ports.len(), ids.len());
        return Err(ModelError::Manifest(reason));
    }
    for (index, (port, id)) in ports.iter().zip(ids).enumerate() {
        let refused = |reason: String| Err(ModelError::Manifest(format!("{kind} {index} `{}`: {reason}", port.name)));
        let edge = usize::try_from(id.0).ok().and_then(|id| edges.get(id));
        let Some(edge) = edge else { return refused(format!("there is no edge {}", id.0)) };
        if !port.matches(edge, length) {
            let (have, need) = ((port.dtype, &port.shape), (edge.dtype, &edge.dims));
            return refused(format!("is {} {:?}, the graph has {} {:?}", have.0, have.1, need.0, need.1));
        }
        if port.fraction_bits > MAX_FRACTION_BITS {
            return refused(format!("{} fraction bits, the limit is {MAX_FRACTION_BITS}", port.fraction_bits));
        }
        if ports[..index].iter().any(|other| other.name == port.name) {
            return refused("the name is taken".into());
        }
    }
    Ok(())
}
