use noema_abi::DType;
use proptest::prelude::*;

use super::plan::{ArenaPlan, Home, Place, Taken, Uses};
use crate::{
    graph::{Edge, EdgeId},
    ops::{Add, Concat, LayerNorm, Linear, Lookup, Relu, Requantise, Reshape},
    parameters::Array,
    sample::{Sample, larger, samples},
};

fn plan(sample: &Sample) -> ArenaPlan {
    ArenaPlan::new(&sample.graph, &sample.graph.edges().unwrap())
}

fn apart(sample: &Sample) -> ArenaPlan {
    ArenaPlan::laid_out(&sample.graph, &sample.graph.edges().unwrap(), false)
}

#[test]
fn memory_of_a_chain_is_used_again() {
    let mut sample = Sample::new(Edge::new(DType::I32, &[100]));
    let mut last = EdgeId(0);
    for _ in 0..50 {
        last = sample.node(Relu {}, &[last], vec![]);
    }
    sample.graph.outputs = vec![last];
    assert_eq!(plan(&sample).row_bytes(), 400);
    assert_eq!(apart(&sample).row_bytes(), 2 * 400);
    // An edge that is needed later keeps its place.
    let sum = sample.node(Add {}, &[EdgeId(1), last], vec![]);
    sample.graph.outputs = vec![sum];
    assert_eq!(plan(&sample).row_bytes(), 2 * 400);
    assert_eq!(apart(&sample).row_bytes(), 3 * 400);
}

#[test]
fn rows_are_rounded_to_words() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[3]));
    let relu = sample.node(Relu {}, &[EdgeId(0)], vec![]);
    let sum = sample.node(Add {}, &[EdgeId(0), relu], vec![]);
    sample.graph.outputs = vec![relu, sum];
    let plan = plan(&sample);
    assert_eq!(plan.row_bytes(), 16);
    assert_eq!((plan.words(EdgeId(0), 5), plan.words(EdgeId(1), 5)), ((0, 5), (5, 5)));
    assert_eq!(plan.words(EdgeId(2), 5), (0, 5));
}

/// What writes where.
#[test]
fn results_lie_over_what_is_read_last() {
    let norm = |dtype| LayerNorm { epsilon: 1, shift: 11, dtype };
    let gains = || vec![Array::I32(vec![1; 8]), Array::I32(vec![0; 8])];
    // To a narrower type, not to a wider one.
    for (dtype, bytes) in [(DType::I8, 16), (DType::I16, 16), (DType::I32, 16 + 32)] {
        let mut sample = Sample::new(Edge::new(DType::I16, &[8]));
        let y = sample.node(norm(dtype), &[EdgeId(0)], gains());
        sample.graph.outputs = vec![y];
        assert_eq!(plan(&sample).row_bytes(), bytes, "{dtype}");
    }
    // Not over what is an output, and not where a view of it is.
    let mut sample = Sample::new(Edge::new(DType::I16, &[8]));
    let y = sample.node(norm(DType::I16), &[EdgeId(0)], gains());
    sample.graph.outputs = vec![EdgeId(0), y];
    assert_eq!(plan(&sample).row_bytes(), 32);
    let mut sample = Sample::new(Edge::new(DType::I16, &[8]));
    let view = sample.node(Reshape { dims: vec![2, 4] }, &[EdgeId(0)], vec![]);
    let y = sample.node(norm(DType::I16), &[EdgeId(0)], gains());
    sample.graph.outputs = vec![y];
    assert_eq!(plan(&sample).row_bytes(), 16, "nobody needs the view");
    sample.graph.outputs = vec![view, y];
    assert_eq!(plan(&sample).row_bytes(), 32);
    // The second of two, and both where they are the same.
    let mut sample = Sample::new(Edge::new(DType::I16, &[8]));
    let one = sample.node(norm(DType::I16), &[EdgeId(0)], gains());
    let sum = sample.node(Add {}, &[EdgeId(0), one], vec![]);
    let twice = sample.node(Add {}, &[sum, sum], vec![]);
    sample.graph.outputs = vec![EdgeId(0), twice];
    let found = plan(&sample);
    assert_eq!(found.row_bytes(), 32);
    assert!(matches!(found.homes[2..], [Home::Over(_), Home::Over(_)]));
}

#[test]
fn a_layer_and_its_requantisation_hold_no_sums() {
    let mut sample = Sample::new(Edge::new(DType::I8, &[16]));
    let layer = |sample: &mut Sample, x| {
        let parameters = vec![Array::I8(vec![1; 16 * 16]), Array::I32(vec![0; 16])];
        sample.node(Linear { outputs: 16, accumulator: DType::I32 }, &[x], parameters)
    };
    let scale = |sample: &mut Sample, x| {
        let requantise = Requantise { per_channel: false, zero_point: 0, dtype: DType::I8 };
        sample.node(requantise, &[x], vec![Array::I32(vec![1 << 30]), Array::U8(vec![32])])
    };
    let sums = layer(&mut sample, EdgeId(0));
    let y = scale(&mut sample, sums);
    let z = sample.node(Lookup { dtype: DType::I8 }, &[y], vec![Array::I8(vec![1; 256])]);
    sample.graph.outputs = vec![z];
    assert_eq!((plan(&sample).row_bytes(), apart(&sample).row_bytes()), (32, 16 + 64));
    sample.graph.outputs = vec![z, sums];
    assert_eq!(plan(&sample).row_bytes(), 16 + 64, "sums that are an output are made");
    // Another node between them.
    let mut sample = Sample::new(Edge::new(DType::I8, &[16]));
    let sums = layer(&mut sample, EdgeId(0));
    let other = sample.node(Relu {}, &[EdgeId(0)], vec![]);
    let y = scale(&mut sample, sums);
    sample.graph.outputs = vec![other, y];
    let found = plan(&sample);
    assert!(found.homes.iter().all(|home| *home != Home::Passed));
    assert_eq!(found.row_bytes(), 16 + 64);
}

fn all_samples() -> impl Strategy<Value = Sample> {
    prop_oneof![samples(), larger::encoders(), larger::classifiers(), larger::recurrents(), shuffled()]
}

/// Graphs of few operators that share memory in all ways, with edges that are needed for long and short.
pub(crate) fn shuffled() -> impl Strategy<Value = Sample> {
    (prop::collection::vec((0_u8..6, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..30), 1_u32..9)
        .prop_map(|(nodes, channels)| shuffle(&nodes, channels))
}

fn shuffle(nodes: &[(u8, prop::sample::Index, prop::sample::Index)], channels: u32) -> Sample {
    let channels = 2 * channels;
    let size = usize::try_from(channels).unwrap();
    let mut sample = Sample::new(Edge::new(DType::I8, &[3, channels]));
    let mut made = vec![EdgeId(0)];
    for (kind, a, b) in nodes {
        // Late edges more often than early ones.
        let late = made.len().saturating_sub(4);
        let (a, b) = (made[late + a.index(made.len() - late)], made[b.index(made.len())]);
        let edge = sample.edge(a);
        let width = edge.last();
        match kind {
            0 => made.push(sample.node(Relu {}, &[a], vec![])),
            1 if edge == sample.edge(b) => made.push(sample.node(Add {}, &[a, b], vec![])),
            2 if width == channels => {
                let gain = Array::I32((0..channels).map(|i| i.cast_signed() * 3_000 - 9_000).collect());
                let dtype = [DType::I8, DType::I16][size / 2 % 2];
                let norm = LayerNorm { epsilon: 9, shift: 9, dtype };
                made.push(sample.node(norm, &[a], vec![gain, Array::I32(vec![700; size])]));
            }
            3 if edge.dims == [3, channels] => {
                made.push(sample.node(Reshape { dims: vec![6, channels / 2] }, &[a], vec![]));
            }
            3 if edge.dims == [6, channels / 2] => {
                made.push(sample.node(Reshape { dims: vec![3, channels] }, &[a], vec![]))
            }
            4 if width == channels && edge.dims[0] == 3 => {
                let weights = (0..size * size).map(|i| i8::try_from(i * 7 % 19).unwrap() - 9).collect();
                let accumulator = [DType::I32, DType::I64][size / 2 % 2];
                let parameters = vec![Array::I8(weights), Array::I32(vec![-40; size])];
                let sums = sample.node(Linear { outputs: channels, accumulator }, &[a], parameters);
                let requantise = Requantise { per_channel: size.is_multiple_of(4), zero_point: -1, dtype: DType::I16 };
                let count = if size.is_multiple_of(4) { size } else { 1 };
                let scale = vec![Array::I32(vec![1_200_000_000; count]), Array::U8(vec![33; count])];
                made.push(sample.node(requantise, &[sums], scale));
            }
            5 if edge.dtype == DType::I16 => {
                let table = (0..65_536).map(|i| i8::try_from(i / 256 - 128).unwrap()).collect();
                made.push(sample.node(Lookup { dtype: DType::I8 }, &[a], vec![Array::I8(table)]));
            }
            5 if edge == sample.edge(b) => made.push(sample.node(Concat { axis: 0 }, &[a, b], vec![])),
            _ => {}
        }
    }
    let last = *made.last().unwrap();
    sample.graph.outputs = if nodes.len().is_multiple_of(3) { vec![last, made[made.len() / 2]] } else { vec![last] };
    sample
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn edges_that_are_needed_together_never_overlap(sample in all_samples()) {
        let edges = sample.graph.edges().unwrap();
        let inputs = sample.graph.inputs.len();
        for shared in [false, true] {
            let plan = ArenaPlan::laid_out(&sample.graph, &edges, shared);
            let Uses { roots, last, .. } = Uses::of(&sample.graph, edges.len(), shared);
            for a in (0..edges.len()).filter(|a| roots[*a] == *a && !plan.is_passed(*a)) {
                let place = plan.places[a];
                prop_assert!(place.offset + place.bytes <= plan.row_bytes());
                prop_assert!(place.bytes >= edges[a].row_bytes());
                prop_assert_eq!((place.bytes % 8, place.offset % 8), (0, 0));
                for b in (a + 1..edges.len()).filter(|b| roots[*b] == *b && !plan.is_passed(*b)) {
                    // `b` is written by the node with its number, which may still read `a`; inputs are all there at once.
                    let over = plan.over(EdgeId(u32::try_from(b).unwrap()));
                    let over = over.is_some_and(|over| {
                        let read = sample.graph.nodes[b - inputs].inputs[over.input];
                        roots[usize::try_from(read.0).unwrap()] == a
                    });
                    let other = plan.places[b];
                    if over {
                        prop_assert!(last[a] == b && other.offset == place.offset && other.bytes <= place.bytes);
                    } else if last[a] >= b || b < inputs {
                        prop_assert!(place.offset + place.bytes <= other.offset || other.offset + other.bytes <= place.offset);
                    }
                }
            }
            for (edge, root) in roots.iter().enumerate() {
                prop_assert_eq!(plan.is_view(edge), *root != edge);
                prop_assert_eq!(plan.places[edge].offset, plan.places[*root].offset);
            }
        }
    }

    /// What is looked for by the widest gaps of pieces is what a look at every gap finds.
    #[test]
    fn the_lowest_place_with_room_is_found(
        steps in prop::collection::vec((0_u32..10, any::<prop::sample::Index>(), 1_u64..40), 1..1200),
    ) {
        let mut taken = Taken::default();
        let mut all: Vec<Place> = Vec::new();
        for (step, index, words) in steps {
            match step {
                0..6 => {
                    let bytes = 8 * words;
                    let mut offset = 0;
                    let fits = |place: &Place| {
                        let fits = place.offset - offset >= bytes;
                        offset = if fits { offset } else { place.offset + place.bytes };
                        fits
                    };
                    let at = all.iter().position(fits).unwrap_or(all.len());
                    all.insert(at, Place { offset, bytes });
                    prop_assert_eq!(taken.first_fit(bytes), all[at]);
                }
                6..9 if !all.is_empty() => taken.remove(all.remove(index.index(all.len())).offset),
                9 if !all.is_empty() => {
                    let at = index.index(all.len());
                    all[at].bytes = all[at].bytes.min(8 * words);
                    taken.resize(all[at]);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn sharing_never_needs_more(sample in all_samples()) {
        let (shared, apart) = (plan(&sample), apart(&sample));
        prop_assert!(shared.row_bytes() <= apart.row_bytes());
    }
}
