//! Random models and inputs for the tests.

use noema_abi::DType;
use noema_tensor::{Shape, Tensor, kernel};
use proptest::prelude::*;

use crate::{
    Manifest, Port,
    graph::{Edge, EdgeId, Graph, Node, sequence},
    ops::{
        Add, AddConst, Argmax, Function, LayerNorm, Linear, Lookup, Op, Relu, Requantise, Reshape, Softmax,
        TreeEnsemble,
    },
    parameters::{Array, NodeParameters},
};

pub(crate) mod larger;

/// Numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A byte-sized value, often an extreme one.
    fn i8(&mut self) -> i8 {
        match self.below(4) {
            0 => [i8::MIN, i8::MAX, 0][usize::try_from(self.below(3)).unwrap()],
            _ => self.next().to_le_bytes()[0].cast_signed(),
        }
    }

    fn i32(&mut self, magnitude: u32) -> i32 {
        let span = 2 * u64::from(magnitude) + 1;
        i32::try_from(i64::try_from(self.below(span)).unwrap() - i64::from(magnitude)).unwrap()
    }
}

/// A model under construction.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) graph: Graph,
    pub(crate) parameters: Vec<NodeParameters>,
}

impl Sample {
    pub(crate) fn new(input: Edge) -> Sample {
        Sample { graph: Graph { inputs: vec![input], nodes: vec![], outputs: vec![] }, parameters: vec![] }
    }

    /// Adds a node; its edge.
    pub(crate) fn node(&mut self, op: impl Into<Op>, inputs: &[EdgeId], parameters: NodeParameters) -> EdgeId {
        let op = op.into();
        let index = self.graph.nodes.len();
        let name = format!("{} {index}", op.name());
        self.graph.nodes.push(Node { name, op, inputs: inputs.to_vec() });
        self.parameters.push(parameters);
        EdgeId(u32::try_from(self.graph.inputs.len() + index).unwrap())
    }

    pub(crate) fn edge(&self, id: EdgeId) -> Edge {
        let graph = Graph { outputs: vec![id], ..self.graph.clone() };
        graph.edges().unwrap().swap_remove(usize::try_from(id.0).unwrap())
    }

    pub(crate) fn manifest(&self) -> Manifest {
        let edges = self.graph.edges().unwrap();
        // An axis that is another one for shorter sequences is the sequence axis.
        let shortest = self.graph.edges_at(1).unwrap();
        let longest = self.graph.longest().unwrap();
        let port = |(index, id): (usize, &EdgeId)| {
            let (edge, short) = (&edges[id.0 as usize], &shortest[id.0 as usize]);
            let all = self.graph.has_sequence() && longest == 1;
            let axis = |(dim, short): (&u32, &u32)| if dim == short && !all { *dim } else { sequence(*dim) };
            let shape: Vec<u32> = match self.graph.inputs.get(id.0 as usize) {
                Some(input) => input.dims.clone(),
                None if all => edge.dims.clone(),
                None => edge.dims.iter().zip(&short.dims).map(axis).collect(),
            };
            Port::with_sequence(&format!("port {index}"), edge.dtype, &shape, 0)
        };
        let inputs: Vec<_> = (0..u32::try_from(self.graph.inputs.len()).unwrap()).map(EdgeId).collect();
        Manifest {
            name: "sample".into(),
            licence: "CC0-1.0".into(),
            version: "1".into(),
            inputs: inputs.iter().enumerate().map(port).collect(),
            outputs: self.graph.outputs.iter().enumerate().map(port).collect(),
            labels: vec!["no".into(), "yes".into()],
            accuracy: "made up".into(),
        }
    }

    pub(crate) fn container(&self) -> Vec<u8> {
        crate::container::encode(&self.manifest(), &self.graph, &self.parameters).unwrap()
    }

    pub(crate) fn model(&self) -> crate::Model {
        crate::Model::from_bytes(self.container()).unwrap()
    }

    /// Every edge as an output, as many as there may be.
    pub(crate) fn with_all_outputs(mut self) -> Sample {
        let last = u32::try_from(self.graph.inputs.len() + self.graph.nodes.len()).unwrap();
        let first = last.saturating_sub(u32::try_from(crate::graph::MAX_PORTS).unwrap());
        self.graph.outputs = (first..last).map(EdgeId).collect();
        self
    }
}

/// Random networks and random trees.
pub(crate) fn samples() -> impl Strategy<Value = Sample> {
    prop_oneof![2 => networks(), 1 => forests()]
}

fn shapes() -> impl Strategy<Value = Vec<u32>> {
    prop_oneof![3 => Just(vec![]), 1 => (1_u32..4).prop_map(|inner| vec![inner])]
}

/// A random network on a random input: standardisation for `i32` features, some linear layers with every kind of
/// requantisation, then scores, probabilities and class.
pub(crate) fn networks() -> impl Strategy<Value = Sample> {
    let input = prop::sample::select(vec![DType::I8, DType::U8, DType::I16, DType::I32]);
    (input, shapes(), 1_u32..40, prop::collection::vec(1_u32..40, 1..4), any::<u64>())
        .prop_map(|(dtype, before, width, layers, seed)| network(dtype, before, width, &layers, seed))
}

/// A random ensemble of trees, then scores and class.
pub(crate) fn forests() -> impl Strategy<Value = Sample> {
    let features = prop::sample::select(vec![DType::I32, DType::I64]);
    let sizes = prop::collection::vec(prop_oneof![3 => 0_usize..12, 1 => 20_usize..40], 1..20);
    (features, shapes(), 1_u32..9, sizes, 1_u32..4, any::<u64>())
        .prop_map(|(dtype, before, width, sizes, outputs, seed)| forest(dtype, before, width, &sizes, outputs, seed))
}

/// Trees of as many decisions as `sizes` says, then their scores in 32 bits and the class.
pub(crate) fn forest(dtype: DType, before: Vec<u32>, width: u32, sizes: &[usize], outputs: u32, seed: u64) -> Sample {
    let mut numbers = Numbers(seed);
    let mut dims = before;
    dims.push(width);
    let mut sample = Sample::new(Edge::new(dtype, &dims));
    let sums = trees(&mut sample, &mut numbers, sizes, outputs);
    let scores = requantise(&mut sample, &mut numbers, sums, 10, [DType::I32; 3]);
    let class = sample.node(Argmax {}, &[sums], vec![]);
    sample.graph.outputs = vec![sums, scores, class];
    sample
}

/// An ensemble of random trees: each decision after the first takes the place of a leaf.
fn trees(sample: &mut Sample, numbers: &mut Numbers, sizes: &[usize], outputs: u32) -> EdgeId {
    let Edge { dtype, dims } = sample.graph.inputs[0].clone();
    let small = |value: usize| i32::try_from(value).unwrap();
    let (mut ways, mut depth, mut steps) = ([vec![], vec![]], 0, 0);
    for size in sizes {
        let mut children = vec![[0; 2]; *size];
        let mut passed = vec![1; *size];
        let mut open: Vec<(usize, usize)> = vec![];
        for at in 0..*size {
            if !open.is_empty() {
                let pick = usize::try_from(numbers.below(open.len() as u64)).unwrap();
                let (parent, side) = open.swap_remove(pick);
                children[parent][side] = small(at);
                passed[at] = passed[parent] + 1;
            }
            open.extend([(at, 0), (at, 1)]);
        }
        open.iter().enumerate().for_each(|(leaf, (parent, side))| children[*parent][*side] = !small(leaf));
        children.iter().for_each(|[left, right]| {
            ways[0].push(*left);
            ways[1].push(*right);
        });
        let deepest = passed.into_iter().max().unwrap_or(0);
        depth = depth.max(deepest);
        steps += deepest;
    }
    let decisions = ways[0].len();
    let (trees, width) = (u32::try_from(sizes.len()).unwrap(), dims.last().copied().unwrap());
    let below = |numbers: &mut Numbers, limit: u32| i32::try_from(numbers.below(limit.into())).unwrap();
    let mut values = |count: usize| -> Vec<i64> { (0..count).map(|_| numbers.next().cast_signed() >> 20).collect() };
    let leaves = Array::I64(values(decisions + sizes.len()));
    let base = Array::I64(values(length_of(outputs)));
    let thresholds = match dtype {
        DType::I64 => Array::I64((0..decisions).map(|_| numbers.next().cast_signed()).collect()),
        _ => Array::I32((0..decisions).map(|_| numbers.i32(i32::MAX.unsigned_abs())).collect()),
    };
    let [left, right] = ways.map(Array::I32);
    let parameters = vec![
        Array::I32(sizes.iter().copied().map(small).collect()),
        Array::I32(sizes.iter().map(|_| below(numbers, outputs)).collect()),
        Array::I32((0..decisions).map(|_| below(numbers, width)).collect()),
        thresholds,
        left,
        right,
        Array::U8((0..decisions).map(|_| numbers.next().to_le_bytes()[0] & 3).collect()),
        leaves,
        base,
    ];
    let decisions = u32::try_from(decisions).unwrap();
    sample.node(TreeEnsemble { outputs, trees, decisions, depth, steps }, &[EdgeId(0)], parameters)
}

fn length_of(count: u32) -> usize {
    usize::try_from(count).unwrap()
}

pub(crate) fn network(dtype: DType, before: Vec<u32>, width: u32, layers: &[u32], seed: u64) -> Sample {
    let mut numbers = Numbers(seed);
    let mut dims = before;
    dims.push(width);
    let mut sample = Sample::new(Edge::new(dtype, &dims));
    let mut x = EdgeId(0);
    if dtype == DType::I32 {
        let constants = (0..width).map(|_| numbers.i32(1 << 30)).collect();
        x = sample.node(AddConst {}, &[x], vec![Array::I32(constants)]);
        x = requantise(&mut sample, &mut numbers, x, 22, [DType::I8, DType::U8, DType::I16]);
    }
    for outputs in layers {
        x = linear(&mut sample, &mut numbers, x, *outputs);
        x = requantise(&mut sample, &mut numbers, x, 8, [DType::I8, DType::U8, DType::I16]);
        x = between(&mut sample, &mut numbers, x);
    }
    x = linear(&mut sample, &mut numbers, x, 2);
    let scores = requantise(&mut sample, &mut numbers, x, 0, [DType::I32; 3]);
    let probabilities = sample.node(Softmax { multiplier: 1 << 30, shift: 42, fraction_bits: 16 }, &[scores], vec![]);
    let class = sample.node(Argmax {}, &[scores], vec![]);
    sample.graph.outputs = vec![scores, probabilities, class];
    sample
}

/// What may stand behind a layer: an activation of some kind, a normalisation, another shape, nothing.
fn between(sample: &mut Sample, numbers: &mut Numbers, x: EdgeId) -> EdgeId {
    let edge = sample.edge(x);
    let to = [DType::I8, DType::I16][usize::try_from(numbers.below(2)).unwrap()];
    match numbers.below(8) {
        0 | 1 => sample.node(Relu {}, &[x], vec![]),
        2 => {
            let relu = sample.node(Relu {}, &[x], vec![]);
            sample.node(Add {}, &[x, relu], vec![])
        }
        3 if edge.dtype != DType::U8 => {
            let functions = kernel::Function::ALL.into_iter().filter(|function| function.is_defined_everywhere());
            let functions: Vec<kernel::Function> = functions.collect();
            let function = functions[usize::try_from(numbers.below(functions.len() as u64)).unwrap()];
            sample.node(Function::new(function, 5, 6, to), &[x], vec![])
        }
        4 if edge.dtype != DType::I16 => {
            let table = (0..256).map(|_| numbers.i8()).collect();
            sample.node(Lookup { dtype: DType::I8 }, &[x], vec![Array::I8(table)])
        }
        5 if edge.dtype != DType::U8 => {
            let mut factors = || Array::I32((0..edge.last()).map(|_| numbers.i32(1 << 12)).collect());
            let parameters = vec![factors(), factors()];
            sample.node(LayerNorm { epsilon: 1, shift: 6, dtype: to }, &[x], parameters)
        }
        6 => {
            let dims = edge.dims.iter().copied().chain([1]).collect();
            let column = sample.node(Reshape { dims }, &[x], vec![]);
            sample.node(Reshape { dims: edge.dims }, &[column], vec![])
        }
        _ => x,
    }
}

fn linear(sample: &mut Sample, numbers: &mut Numbers, x: EdgeId, outputs: u32) -> EdgeId {
    let edge = sample.edge(x);
    let wide = edge.dtype == DType::I16 || numbers.below(4) == 0;
    let accumulator = if wide { DType::I64 } else { DType::I32 };
    let weights = (0..outputs * edge.last()).map(|_| numbers.i8()).collect();
    let bias = (0..outputs).map(|_| numbers.i32(1 << 20)).collect();
    sample.node(Linear { outputs, accumulator }, &[x], vec![Array::I8(weights), Array::I32(bias)])
}

/// Requantises to one of three types, `bits` fewer bits or so.
fn requantise(sample: &mut Sample, numbers: &mut Numbers, x: EdgeId, bits: u8, to: [DType; 3]) -> EdgeId {
    let dtype = to[usize::try_from(numbers.below(3)).unwrap()];
    let per_channel = numbers.below(2) == 0;
    let channels = if per_channel { sample.edge(x).last() } else { 1 };
    let multipliers = (0..channels).map(|_| match numbers.below(8) {
        0 => 0,
        1 => i32::MAX,
        _ => i32::try_from((1 << 30) + numbers.below(1 << 30)).unwrap(),
    });
    let multipliers = multipliers.collect();
    let shifts = (0..channels).map(|_| 29 + bits + u8::try_from(numbers.below(4)).unwrap()).collect();
    let zero_point = numbers.i32(3);
    sample.node(Requantise { per_channel, zero_point, dtype }, &[x], vec![Array::I32(multipliers), Array::U8(shifts)])
}

/// Input rows, often extreme.
pub(crate) fn input(edge: &Edge, rows: u32, seed: u64) -> Tensor {
    let mut numbers = Numbers(seed);
    let mut dims = vec![rows];
    dims.extend(&edge.dims);
    let elements = usize::try_from(edge.row_elements()).unwrap() * usize::try_from(rows).unwrap();
    let (min, max) = (i128::from(edge.dtype.min()), i128::from(edge.dtype.max()));
    let bytes: Vec<u8> = (0..elements)
        .flat_map(|_| {
            let value = match numbers.below(6) {
                0 => min,
                1 => max,
                2 => 0,
                _ => min + i128::from(numbers.next()) % (max - min + 1),
            };
            value.to_le_bytes().into_iter().take(edge.dtype.size())
        })
        .collect();
    Tensor::from_le_bytes(edge.dtype, Shape::new(&dims).unwrap(), &bytes).unwrap()
}

/// Its elements, whatever their type.
pub(crate) fn values(tensor: &Tensor) -> Vec<i64> {
    fn wide<T: noema_tensor::Element>(tensor: &Tensor) -> Vec<i64> {
        tensor.to_vec::<T>().unwrap().into_iter().map(Into::into).collect()
    }
    match tensor.dtype() {
        DType::I8 => wide::<i8>(tensor),
        DType::U8 => wide::<u8>(tensor),
        DType::I16 => wide::<i16>(tensor),
        DType::I32 => wide::<i32>(tensor),
        DType::I64 => wide::<i64>(tensor),
    }
}
