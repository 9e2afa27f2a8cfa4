use noema_abi::{DType, ProtocolVersion};
use noema_tensor::{Kernels, Level, Shape, Tensor};

use super::{Forest, MAX_DECISIONS, MAX_TREE_DEPTH, MAX_TREES, TreeEnsemble};
use crate::{
    ModelError, container,
    graph::{Edge, EdgeId},
    parameters::{Array, NodeParameters},
    prices::{Opcode, PRICES},
    sample::Sample,
};

/// The children of each decision, and the leaves.
type Grown<'a> = (&'a [(i32, i32)], &'a [i64]);

/// Trees of one output over two features of `i32`; each tree is its children and its leaves.
fn ensemble(trees: &[Grown<'_>]) -> (TreeEnsemble, NodeParameters) {
    let count = |(children, _): &Grown<'_>| i32::try_from(children.len()).unwrap();
    let children: Vec<(i32, i32)> = trees.iter().flat_map(|(children, _)| children.iter().copied()).collect();
    let decisions = children.len();
    let depths: Vec<u32> = trees.iter().map(|(children, _)| depth(children, 0)).collect();
    let op = TreeEnsemble {
        outputs: 1,
        trees: u32::try_from(trees.len()).unwrap(),
        decisions: u32::try_from(decisions).unwrap(),
        depth: *depths.iter().max().unwrap(),
        steps: depths.iter().sum(),
    };
    let parameters = vec![
        Array::I32(trees.iter().map(count).collect()),
        Array::I32(vec![0; trees.len()]),
        Array::I32((0..op.decisions).map(|at| i32::try_from(at % 2).unwrap()).collect()),
        Array::I32(vec![5; decisions]),
        Array::I32(children.iter().map(|child| child.0).collect()),
        Array::I32(children.iter().map(|child| child.1).collect()),
        Array::U8(vec![0; decisions]),
        Array::I64(trees.iter().flat_map(|(_, leaves)| leaves.iter().copied()).collect()),
        Array::I64(vec![100]),
    ];
    (op, parameters)
}

/// The longest way below a node, for children that are a tree; 0 for anything else.
fn depth(children: &[(i32, i32)], at: i32) -> u32 {
    let Some((left, right)) = usize::try_from(at).ok().and_then(|at| children.get(at)) else { return 0 };
    if *left == at || *right == at || (*left >= 0 && *left < at) || (*right >= 0 && *right < at) {
        return 0;
    }
    1 + depth(children, *left).max(depth(children, *right))
}

fn sample(op: TreeEnsemble, parameters: NodeParameters) -> Sample {
    let mut sample = Sample::new(Edge::new(DType::I32, &[2]));
    let node = sample.node(op, &[EdgeId(0)], parameters);
    sample.graph.outputs = vec![node];
    sample
}

fn encode(op: TreeEnsemble, parameters: NodeParameters) -> Result<Vec<u8>, ModelError> {
    let sample = sample(op, parameters);
    container::encode(&sample.manifest(), &sample.graph, &sample.parameters)
}

fn refused((op, parameters): (TreeEnsemble, NodeParameters), words: &str) {
    let error = encode(op, parameters).unwrap_err();
    let ModelError::Bound { edge: 1, name, reason } = &error else { panic!("{error}") };
    assert!(name == "TreeEnsemble 0" && reason.contains(words), "{error}");
}

/// A tree of three decisions and one of none.
const GOOD: [Grown<'_>; 2] = [(&[(1, 2), (-1, -2), (-3, -4)], &[10, -20, 30, -40]), (&[], &[7])];

#[test]
fn sums_and_bounds_of_a_small_ensemble() {
    let (op, parameters) = ensemble(&GOOD);
    assert_eq!((op.depth, op.steps, op.decisions, op.leaves()), (2, 2, 3, 5));
    let model = sample(op, parameters).model();
    let bound = model.certificate().edges[1];
    assert_eq!((bound.interval.lo, bound.interval.hi, bound.peak), (67, 137, 147));
    let rows: Vec<i32> = vec![5, 5, 5, 6, 6, 5, 6, 6, i32::MIN, 0];
    let x = Tensor::from_vec(Shape::new(&[5, 2]).unwrap(), rows).unwrap();
    // The first asks feature 0; the second, on its left, feature 1; the third feature 0 again, which went right already.
    for level in Level::available() {
        let outputs = model.run(&Kernels::new(level, 1).unwrap(), &[&x]).unwrap();
        assert_eq!(outputs[0].to_vec::<i64>().unwrap(), [117, 87, 67, 67, 67], "{level}");
    }
}

#[test]
fn what_is_no_tree_is_refused_with_its_place() {
    let with = |children: &[(i32, i32)], leaves: &[i64]| ensemble(&[(&[], &[1]), (children, leaves)]);
    refused(with(&[(0, -1)], &[1, 2]), "tree 1: decision 0 leads back to decision 0");
    refused(with(&[(1, -1), (-2, 0)], &[1, 2, 3]), "tree 1: decision 1 leads back to decision 0");
    refused(with(&[(1, -1)], &[1, 2]), "tree 1: decision 0 leads to decision 1, which it lacks");
    refused(with(&[(-1, -1)], &[1, 2]), "tree 1: decision 0 leads to leaf 0, as another way does");
    refused(with(&[(-1, -3)], &[1, 2]), "tree 1: decision 0 leads to leaf 2, which it lacks");
    refused(with(&[(-1, i32::MIN)], &[1, 2]), "leads to leaf 2147483647, which it lacks");
    refused(with(&[(1, 1), (-1, -2)], &[1, 2, 3]), "tree 1: decision 0 leads to decision 1, as another way does");
    refused(with(&[(-1, -2), (-3, -1)], &[1, 2, 3]), "tree 1: no decision before decision 1 leads to it");
    // Children of the second tree that lie in the first.
    refused(ensemble(&[(&[(-1, -2)], &[1, 2]), (&[(-1, 1)], &[1, 2])]), "tree 1: decision 0 leads to decision 1");
}

#[test]
fn parameters_outside_the_rules_are_refused() {
    let altered = |index: usize, array: Array| {
        let (op, mut parameters) = ensemble(&GOOD);
        parameters[index] = array;
        (op, parameters)
    };
    refused(altered(0, Array::I32(vec![-1, 3])), "tree 0: -1 decisions");
    refused(altered(0, Array::I32(vec![4, 0])), "tree 0: 4 decisions, 3 are left");
    refused(altered(0, Array::I32(vec![0, 0])), "3 decisions belong to no tree");
    refused(altered(0, Array::I32(vec![i32::MAX, 0])), "2147483647 decisions, 3 are left");
    refused(altered(1, Array::I32(vec![0, 1])), "tree 1: adds to none of 1 outputs");
    refused(altered(1, Array::I32(vec![-1, 0])), "tree 0: adds to none of 1 outputs");
    refused(altered(2, Array::I32(vec![0, 2, 0])), "decision 1 asks for feature 2 of 2");
    refused(altered(2, Array::I32(vec![0, -1, 0])), "decision 1 asks for feature -1 of 2");
    refused(altered(6, Array::U8(vec![0, 0, 4])), "decision 2 has flags 0x4");
    // Sums at the edge of 64 bits, and one beyond: the base 100 and the largest leaves.
    let edge = |leaf: i64| altered(7, Array::I64(vec![leaf, -20, 30, -40, 7]));
    let (op, parameters) = edge(i64::MAX - 107);
    assert_eq!(sample(op, parameters).model().certificate().edges[1].peak, i64::MAX.unsigned_abs());
    refused(edge(i64::MAX - 106), "output 0 can reach 9223372036854775808 on the way");
    refused(altered(7, Array::I64(vec![i64::MIN, -20, 30, -40, 7])), "on the way");
}

#[test]
fn attributes_say_exactly_what_the_trees_have() {
    let (op, parameters) = ensemble(&GOOD);
    for wrong in [
        TreeEnsemble { depth: 1, ..op.clone() },
        TreeEnsemble { depth: 3, ..op.clone() },
        TreeEnsemble { steps: 1, ..op.clone() },
        TreeEnsemble { steps: 3, ..op.clone() },
    ] {
        refused((wrong, parameters.clone()), "the trees have depth 2 and 2 steps");
    }
}

#[test]
fn attributes_outside_the_limits_are_refused() {
    let (op, parameters) = ensemble(&GOOD);
    for (wrong, words) in [
        (TreeEnsemble { trees: MAX_TREES + 1, ..op.clone() }, "65537 trees, the limit is 65536"),
        (TreeEnsemble { decisions: MAX_DECISIONS + 1, ..op.clone() }, "16777217 decisions"),
        (TreeEnsemble { depth: MAX_TREE_DEPTH + 1, ..op.clone() }, "1025 decisions on the longest way"),
        (TreeEnsemble { outputs: 1 << 21, ..op.clone() }, "2097152 outputs"),
        (TreeEnsemble { trees: 0, ..op.clone() }, "0 trees for 1 outputs"),
        (TreeEnsemble { outputs: 0, ..op.clone() }, "2 trees for 0 outputs"),
    ] {
        let mut sample = Sample::new(Edge::new(DType::I32, &[2]));
        sample.graph.outputs = vec![EdgeId(0)];
        let manifest = sample.manifest();
        let node = sample.node(wrong, &[EdgeId(0)], parameters.clone());
        sample.graph.outputs = vec![node];
        let error = container::encode(&manifest, &sample.graph, &sample.parameters).unwrap_err();
        assert!(matches!(error, ModelError::Node { index: 0, .. }) && error.to_string().contains(words), "{error}");
    }
    for input in [Edge::new(DType::I16, &[2]), Edge::new(DType::I32, &[]), Edge::new(DType::I32, &[1 << 21])] {
        let mut sample = Sample::new(input);
        let node = sample.node(op.clone(), &[EdgeId(0)], parameters.clone());
        sample.graph.outputs = vec![node];
        assert!(matches!(sample.graph.edges(), Err(ModelError::Node { index: 0, .. })));
    }
}

#[test]
fn the_price_is_the_longest_ways_times_the_rows() {
    let (op, parameters) = ensemble(&GOOD);
    let model = sample(op, parameters).model();
    let list = PRICES[0];
    for batch in [0, 1, 7] {
        // Two features of four bytes, a sum of eight; two steps, two trees, one output.
        let row = list.port_byte * 16 + 5_000 * (2 + 2 + 1);
        let expected = list.run + list.node + u64::from(batch) * row;
        assert_eq!(model.cost(ProtocolVersion::V1, batch), Ok(expected));
    }
    let sized = |decisions: u32, features: u32| {
        TreeEnsemble { outputs: 1, trees: 3, decisions, depth: 1, steps: 1 }.forest(features)
    };
    assert_eq!((sized((1 << 14) - 6, 2), sized((1 << 14) - 5, 2)), (Forest::Small, Forest::Medium));
    assert_eq!((sized(2, 1 << 14), sized((1 << 18) - 6, 2)), (Forest::Medium, Forest::Medium));
    assert_eq!((sized((1 << 18) - 5, 2), sized(u32::MAX, u32::MAX)), (Forest::Large, Forest::Large));
}

#[test]
fn the_specification_has_these_prices() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec/trees.md");
    let text = std::fs::read_to_string(path).unwrap();
    let price = |line: &str| {
        let row = text.lines().find(|row| row.starts_with(&format!("| {line} |"))).unwrap();
        row.split('|').nth(2).unwrap().trim().replace(',', "").parse::<u64>().unwrap()
    };
    let found = ["up to 16,384", "up to 262,144", "more"].map(price);
    let opcodes = [Opcode::SmallForest, Opcode::MediumForest, Opcode::LargeForest];
    assert_eq!(found, opcodes.map(PRICES[0].per_work));
}
