use noema_abi::DType;
use proptest::prelude::*;

use super::{ArenaPlan, last_uses};
use crate::{
    graph::{Edge, EdgeId},
    ops::{Add, Relu},
    sample::{Sample, samples},
};

#[test]
fn memory_of_a_chain_is_used_again() {
    let mut sample = Sample::new(Edge::new(DType::I32, &[100]));
    let mut last = EdgeId(0);
    for _ in 0..50 {
        last = sample.node(Relu {}, &[last], vec![]);
    }
    sample.graph.outputs = vec![last];
    let edges = sample.graph.edges().unwrap();
    assert_eq!(ArenaPlan::new(&sample.graph, &edges).row_bytes(), 2 * 400);
    // An edge that is needed later keeps its place.
    let sum = sample.node(Add {}, &[EdgeId(1), last], vec![]);
    sample.graph.outputs = vec![sum];
    let edges = sample.graph.edges().unwrap();
    assert_eq!(ArenaPlan::new(&sample.graph, &edges).row_bytes(), 3 * 400);
}

#[test]
fn rows_are_rounded_to_words() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[3]));
    let relu = sample.node(Relu {}, &[EdgeId(0)], vec![]);
    sample.graph.outputs = vec![relu];
    let edges = sample.graph.edges().unwrap();
    let plan = ArenaPlan::new(&sample.graph, &edges);
    assert_eq!(plan.row_bytes(), 16);
    assert_eq!((plan.words(EdgeId(0), 5), plan.words(EdgeId(1), 5)), ((0, 5), (5, 5)));
}

proptest! {
    #[test]
    fn edges_that_are_needed_together_never_overlap(sample in samples()) {
        let edges = sample.graph.edges().unwrap();
        let plan = ArenaPlan::new(&sample.graph, &edges);
        let inputs = sample.graph.inputs.len();
        let last = last_uses(&sample.graph, edges.len(), &std::collections::BTreeMap::new());
        for a in 0..edges.len() {
            let place = plan.places[a];
            prop_assert!(place.offset + place.bytes <= plan.row_bytes());
            prop_assert!(place.bytes >= edges[a].row_bytes());
            prop_assert_eq!((place.bytes % 8, place.offset % 8), (0, 0));
            for b in a + 1..edges.len() {
                // `b` is written by the node with its number, which may still read `a`; inputs are all there at once.
                if last[a] >= b || b < inputs {
                    let other = plan.places[b];
                    prop_assert!(place.offset + place.bytes <= other.offset || other.offset + other.bytes <= place.offset);
                }
            }
        }
    }
}
