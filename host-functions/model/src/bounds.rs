//! The overflow proof: an interval for every edge, from the actual weights.
//!
//! Each operator carries intervals from its inputs to its output in 128-bit arithmetic; inputs of the graph start
//! with the whole range of their type. Where an operator sums, the proof also bounds every partial sum in every
//! order, so an accumulator of 32 bits is right whatever a kernel does first. The [`Certificate`] stands in the
//! container beside the model; [`check`] derives everything again in one pass over the weights and refuses a
//! certificate that differs in one number.

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::DType;

use crate::{
    ModelError,
    graph::{Edge, EdgeId, Graph},
    parameters::Layout,
};

/// Every value between `lo` and `hi`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Interval {
    /// The smallest value.
    pub lo: i64,
    /// The largest value.
    pub hi: i64,
}

impl Interval {
    /// Everything that an element type holds.
    #[must_use]
    pub fn of(dtype: DType) -> Interval {
        Interval { lo: dtype.min(), hi: dtype.max() }
    }

    /// The largest absolute value in it.
    #[must_use]
    pub fn magnitude(self) -> u64 {
        self.lo.unsigned_abs().max(self.hi.unsigned_abs())
    }

    /// What remains of `lo..=hi` after saturating to `dtype`.
    pub(crate) fn saturated(lo: i128, hi: i128, dtype: DType) -> Interval {
        let clamp = |value: i128| {
            let inside = value.clamp(i128::from(dtype.min()), i128::from(dtype.max()));
            i64::try_from(inside).expect("the range of an element type fits i64")
        };
        Interval { lo: clamp(lo), hi: clamp(hi) }
    }

    /// The smallest interval that holds both.
    pub(crate) fn hull(self, other: Interval) -> Interval {
        Interval { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }
}

/// What is proven about one edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct EdgeBound {
    /// Where all its values lie.
    pub interval: Interval,
    /// The largest absolute value that any partial sum on the way to it can take; where the operator does not sum,
    /// the largest absolute value of the edge.
    pub peak: u64,
}

impl From<Interval> for EdgeBound {
    fn from(interval: Interval) -> EdgeBound {
        EdgeBound { interval, peak: interval.magnitude() }
    }
}

/// The proof for a graph and its weights: a bound for every edge, in the order of the edges.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// One for each edge.
    pub edges: Vec<EdgeBound>,
}

/// Derives the bounds of every edge.
///
/// `edges` is what [`Graph::edges`] gives, `layout` what [`Layout::new`] gives for both, and `weights` the weights
/// section of that layout.
///
/// # Errors
/// [`ModelError::Bound`] for the first edge that has none.
pub fn prove(graph: &Graph, edges: &[Edge], layout: &Layout, weights: &[u8]) -> Result<Certificate, ModelError> {
    let mut bounds: Vec<EdgeBound> = graph.inputs.iter().map(|edge| Interval::of(edge.dtype).into()).collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        let edge = u32::try_from(bounds.len()).unwrap_or(u32::MAX);
        let refused = |reason| ModelError::Bound { edge, name: node.name.clone(), reason };
        let input_edges = node.input_edges(edges).map_err(refused)?;
        let intervals = node.inputs.iter().map(|id| {
            let bound = usize::try_from(id.0).ok().and_then(|id| bounds.get(id));
            bound.map(|bound| bound.interval).ok_or_else(|| refused(format!("reads edge {}", id.0)))
        });
        let intervals = intervals.collect::<Result<Vec<_>, _>>()?;
        let parameters = layout.parameters(index, weights);
        bounds.push(node.op.operator().bound(&input_edges, &intervals, &parameters).map_err(refused)?);
    }
    Ok(Certificate { edges: bounds })
}

/// Derives the bounds again, in one pass over the weights, and compares. Arguments as for [`prove`].
///
/// # Errors
/// [`ModelError::Bound`] where there is no bound, [`ModelError::Certificate`] for the first edge where the
/// certificate says something else.
pub fn check(
    graph: &Graph,
    edges: &[Edge],
    layout: &Layout,
    weights: &[u8],
    certificate: &Certificate,
) -> Result<(), ModelError> {
    let proven = prove(graph, edges, layout, weights)?;
    let differs = |edge: usize, reason| {
        let edge = u32::try_from(edge).unwrap_or(u32::MAX);
        Err(ModelError::Certificate { edge, name: graph.edge_name(EdgeId(edge)), reason })
    };
    for (edge, (derived, stated)) in proven.edges.iter().zip(&certificate.edges).enumerate() {
        if derived != stated {
            let reason = format!(
                "it states [{}, {}] with peak {}, the weights give [{}, {}] with peak {}",
                stated.interval.lo,
                stated.interval.hi,
                stated.peak,
                derived.interval.lo,
                derived.interval.hi,
                derived.peak
            );
            return differs(edge, reason);
        }
    }
    if proven.edges.len() != certificate.edges.len() {
        let reason = format!("it has {} bounds, the graph {} edges", certificate.edges.len(), proven.edges.len());
        return differs(proven.edges.len().min(certificate.edges.len()), reason);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
