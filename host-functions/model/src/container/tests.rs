use noema_abi::DType;
use proptest::prelude::*;

use super::{MAGIC, MAX_HEADER_BYTES, PREFIX, decode, encode, write};
use crate::{
    Model, ModelError,
    bounds::Certificate,
    graph::{Edge, EdgeId, Graph, MAX_NODES, MAX_PORTS, Node},
    ops::{Add, AddConst, Argmax, Linear, Op, Relu, Requantise, Softmax},
    parameters::Array,
    sample::{Sample, network, samples},
};

/// What a decoded container gives back.
fn rewrite(bytes: &[u8]) -> Vec<u8> {
    let decoded = decode(bytes).unwrap();
    write(&decoded.manifest, &decoded.graph, &decoded.certificate, &bytes[decoded.weights_start..]).unwrap()
}

fn small() -> Vec<u8> {
    network(DType::I32, vec![], 3, &[2], 5).container()
}

/// A container around a graph that nothing has looked at, without weights.
fn unchecked(graph: &Graph) -> Vec<u8> {
    // Where the graph itself is refused, no manifest fits it.
    let fitting = graph.edges().is_ok().then(|| Sample { graph: graph.clone(), parameters: vec![] });
    let mut other = Sample::new(Edge::new(DType::I8, &[1]));
    other.graph.outputs = vec![EdgeId(0)];
    write(&fitting.unwrap_or(other).manifest(), graph, &Certificate { edges: vec![] }, &[]).unwrap()
}

fn graph(input: Edge, nodes: Vec<(Op, Vec<u32>)>, outputs: &[u32]) -> Graph {
    let node = |(index, (op, inputs)): (usize, (Op, Vec<u32>))| Node {
        name: format!("n{index}"),
        op,
        inputs: inputs.into_iter().map(EdgeId).collect(),
    };
    Graph {
        inputs: vec![input],
        nodes: nodes.into_iter().enumerate().map(node).collect(),
        outputs: outputs.iter().copied().map(EdgeId).collect(),
    }
}

#[test]
fn every_cut_is_named() {
    let bytes = small();
    decode(&bytes).unwrap();
    for length in 0..bytes.len() {
        let error = decode(&bytes[..length]).unwrap_err();
        let ModelError::Truncated { needed, have, .. } = error else { panic!("{length}: {error}") };
        assert!(have == length as u64 && needed > have);
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(decode(&longer), Err(ModelError::Trailing(1)));
}

#[test]
fn every_byte_outside_the_contents_is_fixed() {
    let bytes = small();
    let decoded = decode(&bytes).unwrap();
    let header_end = PREFIX + usize::try_from(u32::from_le_bytes(bytes[12..16].try_into().unwrap())).unwrap();
    let altered = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        decode(&bytes).unwrap_err()
    };
    (0..8).for_each(|at| assert_eq!(altered(at), ModelError::Magic));
    (8..12).for_each(|at| assert!(matches!(altered(at), ModelError::Version(_))));
    assert!(header_end < decoded.weights_start);
    (header_end..decoded.weights_start).for_each(|at| assert_eq!(altered(at), ModelError::Padding(at as u64)));
    // The constants of the first node: three numbers of four bytes, then padding to 64.
    let padding = decoded.weights_start + 12..decoded.weights_start + 64;
    padding.for_each(|at| assert_eq!(altered(at), ModelError::Padding(at as u64)));
}

#[test]
fn lengths_of_headers_are_limited() {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(u32::MAX.to_le_bytes());
    let limit = ModelError::Limit { what: "length of the header", value: u64::from(u32::MAX), limit: MAX_HEADER_BYTES };
    assert_eq!(decode(&bytes), Err(limit));

    let mut sample = Sample::new(Edge::new(DType::I8, &[1]));
    sample.graph.outputs = vec![EdgeId(0)];
    let mut manifest = sample.manifest();
    manifest.accuracy = "x".repeat(usize::try_from(MAX_HEADER_BYTES).unwrap());
    let error = encode(&manifest, &sample.graph, &[]).unwrap_err();
    assert!(matches!(error, ModelError::Limit { what: "length of the header", .. }), "{error}");
}

#[test]
fn shape_bombs_are_refused() {
    let huge = 1 << 31;
    let refused = |graph: Graph, words: &str| {
        let error = Model::from_bytes(unchecked(&graph)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let small = Edge::new(DType::I8, &[4]);
    let linear = |outputs| Op::from(Linear { outputs, accumulator: DType::I32 });
    refused(graph(Edge::new(DType::I8, &[1 << 14, 1 << 13, 1 << 13]), vec![], &[0]), "input 0");
    refused(graph(Edge::new(DType::I64, &[u32::MAX; 7]), vec![], &[0]), "input 0");
    refused(graph(Edge::new(DType::I8, &[1; 8]), vec![], &[0]), "8 axes");
    refused(graph(Edge::new(DType::I8, &[0]), vec![], &[0]), "length 0");
    refused(graph(small.clone(), vec![(linear(huge), vec![0])], &[1]), "node 0 `n0` (Linear)");
    refused(graph(small.clone(), vec![(linear(0), vec![0])], &[1]), "length 0");
    // Fits as an edge, but the weights are not there.
    refused(graph(small, vec![(linear(1 << 20), vec![0])], &[1]), "weights section needs");
    let wide = Edge::new(DType::I8, &[1 << 28]);
    refused(graph(wide, vec![(linear(1 << 26), vec![0])], &[1]), "weights section needs");
}

#[test]
fn weights_beyond_counting_are_a_limit() {
    let wide = Edge::new(DType::I8, &[1 << 28]);
    let mut nodes = vec![];
    for _ in 0..MAX_NODES {
        nodes.push((Op::from(Linear { outputs: 1 << 26, accumulator: DType::I32 }), vec![0]));
    }
    let error = decode(&unchecked(&graph(wide, nodes, &[1]))).unwrap_err();
    assert!(matches!(error, ModelError::Limit { what: "size of the weights", .. }), "{error}");
}

#[test]
fn graphs_that_do_not_fit_are_refused_by_name() {
    let i8x4 = Edge::new(DType::I8, &[4]);
    let i32x4 = Edge::new(DType::I32, &[4]);
    let relu = |from: u32| (Op::from(Relu {}), vec![from]);
    let softmax = |multiplier, shift, fraction_bits| Op::from(Softmax { multiplier, shift, fraction_bits });
    let requantise = |dtype| Op::from(Requantise { per_channel: true, zero_point: 0, dtype });
    let scalar = Edge::new(DType::I32, &[]);
    let cases: Vec<(Graph, &str)> = vec![
        (graph(i8x4.clone(), vec![relu(1)], &[1]), "node 0 `n0` (Relu): reads edge 1"),
        (graph(i8x4.clone(), vec![relu(0), relu(u32::MAX)], &[1]), "node 1 `n1` (Relu): reads edge 4294967295"),
        (graph(i8x4.clone(), vec![(Relu {}.into(), vec![])], &[1]), "takes 1 inputs, 0 are given"),
        (graph(i8x4.clone(), vec![(Relu {}.into(), vec![0, 0])], &[1]), "takes 1 inputs, 2 are given"),
        (graph(i8x4.clone(), vec![relu(0)], &[2]), "output 0"),
        (graph(i8x4.clone(), vec![relu(0)], &[]), "needs an input and an output"),
        (graph(i8x4.clone(), vec![], &[0; MAX_PORTS + 1]), "number of outputs is 17"),
        (graph(i8x4.clone(), vec![relu(0); MAX_NODES + 1], &[1]), "number of nodes is 4097"),
        (graph(i8x4.clone(), vec![(AddConst {}.into(), vec![0])], &[1]), "takes i32, not i8"),
        (graph(i8x4.clone(), vec![(requantise(DType::I8), vec![0])], &[1]), "takes i32 or i64"),
        (graph(i32x4.clone(), vec![(requantise(DType::I64), vec![0])], &[1]), "does not give i64"),
        (graph(scalar.clone(), vec![(requantise(DType::I8), vec![0])], &[1]), "no axis"),
        (graph(scalar, vec![(Argmax {}.into(), vec![0])], &[1]), "no axis"),
        (graph(i32x4.clone(), vec![(softmax(1, 0, 16), vec![0])], &[1]), "multiplier 1"),
        (graph(i32x4.clone(), vec![(softmax(1 << 30, 63, 16), vec![0])], &[1]), "shift 63"),
        (graph(i32x4.clone(), vec![(softmax(1 << 30, 0, 31), vec![0])], &[1]), "fraction bits 31"),
        (
            graph(i32x4.clone(), vec![(Linear { outputs: 1, accumulator: DType::I64 }.into(), vec![0])], &[1]),
            "i32 inputs",
        ),
        (graph(i8x4.clone(), vec![(Linear { outputs: 1, accumulator: DType::I8 }.into(), vec![0])], &[1]), "sum to i8"),
        (
            graph(
                i8x4,
                vec![(Linear { outputs: 1, accumulator: DType::I64 }.into(), vec![0]), (Add {}.into(), vec![0, 1])],
                &[1],
            ),
            "adds i8 [4] and i64 [1]",
        ),
    ];
    for (graph, words) in cases {
        let error = graph.edges().unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(decode(&unchecked(&graph)), Err(error));
    }
}

#[test]
fn manifests_must_describe_the_graph() {
    let sample = network(DType::I8, vec![], 4, &[3], 1);
    let good = sample.manifest();
    let refused = |change: &dyn Fn(&mut crate::Manifest), words: &str| {
        let mut manifest = good.clone();
        change(&mut manifest);
        let error = encode(&manifest, &sample.graph, &sample.parameters).unwrap_err().to_string();
        assert!(error.starts_with("manifest: ") && error.contains(words), "{error}");
    };
    encode(&good, &sample.graph, &sample.parameters).unwrap();
    refused(&|manifest| drop(manifest.inputs.pop()), "describes 0 inputs");
    refused(&|manifest| drop(manifest.outputs.pop()), "describes 2 outputs");
    refused(&|manifest| manifest.inputs[0].dtype = DType::U8, "is u8 [4], the graph has i8 [4]");
    refused(&|manifest| manifest.outputs[1].shape = vec![3], "output 1");
    refused(&|manifest| manifest.outputs[1].fraction_bits = 63, "63 fraction bits");
    refused(&|manifest| manifest.outputs[1].name = manifest.outputs[0].name.clone(), "the name is taken");
}

#[test]
fn parameters_must_fit_the_graph() {
    let sample = network(DType::I8, vec![], 4, &[3], 1);
    let refused = |change: &dyn Fn(&mut Vec<Vec<Array>>), words: &str| {
        let mut parameters = sample.parameters.clone();
        change(&mut parameters);
        let error = encode(&sample.manifest(), &sample.graph, &parameters).unwrap_err();
        assert!(matches!(error, ModelError::Parameters { .. }) && error.to_string().contains(words), "{error}");
    };
    refused(&|all| drop(all.pop()), "parameters for");
    refused(&|all| all.push(vec![]), "parameters for");
    refused(&|all| drop(all[0].pop()), "2 arrays are needed, 1 are given");
    refused(&|all| all[0][0] = Array::I8(vec![1; 11]), "11 bytes of i8, not 12 of i8");
    refused(&|all| all[0][0] = Array::U8(vec![1; 12]), "12 bytes of u8, not 12 of i8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn containers_survive_reading_and_writing(sample in samples()) {
        let bytes = sample.container();
        prop_assert_eq!(rewrite(&bytes), bytes.clone());
        let decoded = decode(&bytes).unwrap();
        prop_assert_eq!(&decoded.graph, &sample.graph);
        prop_assert_eq!(&decoded.manifest, &sample.manifest());
        prop_assert_eq!(decoded.layout.write(&sample.graph, &sample.parameters).unwrap(), &bytes[decoded.weights_start..]);
        prop_assert_eq!((bytes.len() % 64, decoded.weights_start % 64), (0, 0));
    }

    #[test]
    fn what_decodes_is_the_only_form(
        sample in samples(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..6), 1..4),
        // Most edits go where the structure is.
        near in any::<bool>(),
    ) {
        let mut bytes = sample.container();
        let reach = if near { bytes.len().min(600) } else { bytes.len() };
        for (at, value, kind) in edits {
            let at = at.index(reach.min(bytes.len()));
            match kind {
                0 => bytes.insert(at, value),
                1 => drop(bytes.remove(at)),
                2 => bytes[at] ^= 1 << (value % 8),
                3 => bytes[at] = bytes[at].wrapping_add(1),
                4 => bytes[at] = 0,
                _ => bytes[at] = value,
            }
        }
        if decode(&bytes).is_ok() {
            prop_assert_eq!(rewrite(&bytes), bytes.clone());
        }
        let _ = Model::from_bytes(bytes);
    }

    #[test]
    fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..300), length in any::<u32>()) {
        prop_assert!(decode(&noise).is_err());
        let mut bytes = MAGIC.to_vec();
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend((length % 400).to_le_bytes());
        bytes.extend(&noise);
        prop_assert!(decode(&bytes).is_err());
    }
}
