//! A container taken apart, and what can be changed in it.

use borsh::BorshDeserialize;
use noema_abi::DType;

use crate::{
    Manifest,
    bounds::{self, Certificate},
    container,
    graph::{Graph, MAX_SEQUENCE, SEQUENCE},
    ops::{Op, ParameterSpec},
    parameters::{ALIGNMENT, Array, Layout, NodeParameters},
    sample::{Numbers, Sample},
};

/// Most elements that the parameters of a node are stretched to. What is wanted beyond that is left as it was, and refused.
const MAX_STRETCHED: u64 = 1 << 20;

/// Everything in a container.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) manifest: Manifest,
    pub(super) graph: Graph,
    pub(super) certificate: Certificate,
    pub(super) parameters: Vec<NodeParameters>,
}

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Dims,
    InputType,
    Inputs,
    Attribute,
    Operator,
    Read,
    Arity,
    Order,
    Nodes,
    Outputs,
    Parameter,
    // These are made last, when everything else fits again.
    ParameterLength,
    Bound,
    Bounds,
    Manifest,
}

impl Kind {
    pub(super) const ALL: [Kind; 15] = [
        Kind::Dims,
        Kind::InputType,
        Kind::Inputs,
        Kind::Attribute,
        Kind::Operator,
        Kind::Read,
        Kind::Arity,
        Kind::Order,
        Kind::Nodes,
        Kind::Outputs,
        Kind::Parameter,
        Kind::ParameterLength,
        Kind::Bound,
        Kind::Bounds,
        Kind::Manifest,
    ];

    /// Whether it is the disagreement itself, which nothing may put right afterwards.
    pub(super) fn is_last(self) -> bool {
        self >= Kind::ParameterLength
    }
}

impl Parts {
    pub(super) fn of(bytes: &[u8]) -> Parts {
        let decoded = container::decode(bytes).unwrap();
        let weights = &bytes[decoded.weights_start..];
        let arrays = |(index, node): (usize, &crate::graph::Node)| {
            let parameters = decoded.layout.parameters(index, weights);
            let specs = node.op.parameters(&node.input_edges(&decoded.edges).unwrap()).unwrap();
            let array = |(at, spec): (usize, ParameterSpec)| match spec.dtype {
                DType::I8 => Array::I8(parameters.i8s(at).to_vec()),
                DType::U8 => Array::U8(parameters.u8s(at).to_vec()),
                DType::I16 => Array::I16(parameters.i16s(at).collect()),
                DType::I32 => Array::I32(parameters.i32s(at).collect()),
                DType::I64 => Array::I64(parameters.i64s(at).collect()),
            };
            specs.into_iter().enumerate().map(array).collect()
        };
        let parameters = decoded.graph.nodes.iter().enumerate().map(arrays).collect();
        Parts { manifest: decoded.manifest, graph: decoded.graph, certificate: decoded.certificate, parameters }
    }

    /// The container, whatever is in it; nothing where its header is too long for one.
    pub(super) fn container(&self) -> Option<Vec<u8>> {
        let mut weights = vec![];
        for array in self.parameters.iter().flatten() {
            weights.extend(array.to_le_bytes());
            weights.resize(weights.len().next_multiple_of(usize::try_from(ALIGNMENT).unwrap()), 0);
        }
        container::write(&self.manifest, &self.graph, &self.certificate, &weights).ok()
    }

    /// Lets manifest, parameters and certificate follow the graph, as far as it goes: what its author would have done.
    pub(super) fn follow(&mut self) {
        let Ok(edges) = self.graph.edges() else { return };
        if self.graph.longest().is_ok() && self.graph.edges_at(1).is_ok() {
            self.manifest = Sample { graph: self.graph.clone(), parameters: vec![] }.manifest();
        }
        self.parameters.resize(self.graph.nodes.len(), vec![]);
        for (node, arrays) in self.graph.nodes.iter().zip(&mut self.parameters) {
            let specs = node.op.parameters(&node.input_edges(&edges).unwrap()).unwrap();
            if specs.iter().any(|spec| spec.elements > MAX_STRETCHED) {
                return;
            }
            *arrays = specs.iter().enumerate().map(|(at, spec)| stretched(arrays.get(at), spec)).collect();
        }
        let Ok(layout) = Layout::new(&self.graph, &edges) else { return };
        let Ok(weights) = layout.write(&self.graph, &self.parameters) else { return };
        if let Ok(certificate) = bounds::prove(&self.graph, &edges, &layout, &weights) {
            self.certificate = certificate;
        }
    }

    /// Changes one thing.
    pub(super) fn change(&mut self, kind: Kind, numbers: &mut Numbers) {
        match kind {
            Kind::Dims => self.dims(numbers),
            Kind::InputType => {
                let input = pick(numbers, &mut self.graph.inputs);
                input.into_iter().for_each(|edge| edge.dtype = dtype(numbers));
            }
            Kind::Inputs => lengthened(numbers, &mut self.graph.inputs),
            Kind::Attribute => self.attribute(numbers),
            Kind::Operator => self.operator(numbers),
            Kind::Read => {
                let most = self.graph.inputs.len() + self.graph.nodes.len() + 1;
                let read = pick(numbers, &mut self.graph.nodes).and_then(|node| pick(numbers, &mut node.inputs));
                read.into_iter().for_each(|read| read.0 = edge(numbers, most, read.0));
            }
            Kind::Arity => {
                pick(numbers, &mut self.graph.nodes).into_iter().for_each(|node| lengthened(numbers, &mut node.inputs));
            }
            Kind::Order => {
                let nodes = self.graph.nodes.len();
                if nodes > 1 {
                    let at = place(numbers, nodes - 1);
                    let other = if numbers.below(2) == 0 { at + 1 } else { place(numbers, nodes) };
                    self.graph.nodes.swap(at, other);
                    self.parameters.swap(at, other);
                }
            }
            Kind::Nodes => {
                let mut both: Vec<_> = self.graph.nodes.drain(..).zip(self.parameters.drain(..)).collect();
                lengthened(numbers, &mut both);
                (self.graph.nodes, self.parameters) = both.into_iter().unzip();
            }
            Kind::Outputs => {
                let most = self.graph.inputs.len() + self.graph.nodes.len() + 1;
                if numbers.below(2) == 0 {
                    lengthened(numbers, &mut self.graph.outputs);
                }
                let output = pick(numbers, &mut self.graph.outputs);
                output.into_iter().for_each(|id| id.0 = edge(numbers, most, id.0));
            }
            Kind::Parameter => {
                let mut arrays: Vec<_> = self.parameters.iter_mut().flatten().collect();
                pick(numbers, &mut arrays).into_iter().for_each(|array| element(numbers, array));
            }
            Kind::ParameterLength => {
                let mut arrays: Vec<_> = self.parameters.iter_mut().flatten().collect();
                pick(numbers, &mut arrays).into_iter().for_each(|array| match array {
                    Array::I8(values) => lengthened(numbers, values),
                    Array::U8(values) => lengthened(numbers, values),
                    Array::I16(values) => lengthened(numbers, values),
                    Array::I32(values) => lengthened(numbers, values),
                    Array::I64(values) => lengthened(numbers, values),
                });
            }
            Kind::Bound => {
                let bound = pick(numbers, &mut self.certificate.edges);
                bound.into_iter().for_each(|bound| match numbers.below(4) {
                    0 => bound.interval.lo = near(numbers, bound.interval.lo),
                    1 => bound.interval.hi = near(numbers, bound.interval.hi),
                    2 => std::mem::swap(&mut bound.interval.lo, &mut bound.interval.hi),
                    _ => bound.peak = near(numbers, bound.peak.cast_signed()).cast_unsigned(),
                });
            }
            Kind::Bounds => lengthened(numbers, &mut self.certificate.edges),
            Kind::Manifest => {
                let Manifest { inputs, outputs, .. } = &mut self.manifest;
                let ports = if numbers.below(2) == 0 { inputs } else { outputs };
                match numbers.below(5) {
                    0 => lengthened(numbers, ports),
                    1 => pick(numbers, ports).into_iter().for_each(|port| port.dtype = dtype(numbers)),
                    2 => pick(numbers, ports).into_iter().for_each(|port| lengthened(numbers, &mut port.shape)),
                    3 => pick(numbers, ports).into_iter().for_each(|port| port.fraction_bits = byte(numbers)),
                    _ => {
                        let dim = pick(numbers, ports).and_then(|port| pick(numbers, &mut port.shape));
                        dim.into_iter().for_each(|dim| *dim = word(near(numbers, i64::from(*dim))));
                    }
                }
            }
        }
    }

    fn dims(&mut self, numbers: &mut Numbers) {
        let Some(edge) = pick(numbers, &mut self.graph.inputs) else { return };
        match numbers.below(8) {
            0 => lengthened(numbers, &mut edge.dims),
            1 => pick(numbers, &mut edge.dims).into_iter().for_each(|dim| *dim ^= SEQUENCE),
            2 => pick(numbers, &mut edge.dims)
                .into_iter()
                .for_each(|dim| *dim = SEQUENCE | word(near(numbers, i64::from(MAX_SEQUENCE)))),
            _ => {
                let dim = pick(numbers, &mut edge.dims);
                dim.into_iter().for_each(|dim| {
                    *dim = (*dim & SEQUENCE) ^ word(near(numbers, i64::from(*dim & !SEQUENCE)));
                });
            }
        }
    }

    /// The attributes are the bytes behind the code of the operator.
    fn attribute(&mut self, numbers: &mut Numbers) {
        // An operator without attributes is not worth a case.
        for _ in 0..16 {
            let Some(node) = pick(numbers, &mut self.graph.nodes) else { return };
            let mut bytes = borsh::to_vec(&node.op).unwrap();
            if bytes.len() == 1 {
                continue;
            }
            let at = 1 + place(numbers, bytes.len() - 1);
            match bytes[at..].first_chunk::<4>() {
                Some(old) if numbers.below(2) == 0 => {
                    let new = word(near(numbers, i64::from(u32::from_le_bytes(*old))));
                    bytes[at..at + 4].copy_from_slice(&new.to_le_bytes());
                }
                _ => bytes[at] = near(numbers, i64::from(bytes[at])).to_le_bytes()[0],
            }
            if let Ok(op) = Op::try_from_slice(&bytes)
                && op != node.op
            {
                node.op = op;
                return;
            }
        }
    }

    /// The operator of another node, or another one with the same attributes.
    fn operator(&mut self, numbers: &mut Numbers) {
        let mut nodes = self.graph.nodes.clone();
        let other = pick(numbers, &mut nodes).map(|node| node.op.clone());
        let Some(node) = pick(numbers, &mut self.graph.nodes) else { return };
        for _ in 0..16 {
            let op = if numbers.below(4) == 0 { other.clone() } else { None };
            let op = op.or_else(|| {
                let mut bytes = borsh::to_vec(&node.op).unwrap();
                bytes[0] = u8::try_from(numbers.below(Op::NAMES.len() as u64)).unwrap();
                Op::try_from_slice(&bytes).ok()
            });
            if let Some(op) = op.filter(|op| *op != node.op) {
                node.op = op;
                return;
            }
        }
    }
}

fn place(numbers: &mut Numbers, count: usize) -> usize {
    usize::try_from(numbers.below(count as u64)).unwrap()
}

fn pick<'a, T>(numbers: &mut Numbers, things: &'a mut [T]) -> Option<&'a mut T> {
    if things.is_empty() { None } else { things.get_mut(place(numbers, things.len())) }
}

/// Takes one away, or one twice.
fn lengthened<T: Clone>(numbers: &mut Numbers, things: &mut Vec<T>) {
    let Some(one) = pick(numbers, things).cloned() else { return };
    let at = place(numbers, things.len());
    if numbers.below(2) == 0 { drop(things.remove(at)) } else { things.insert(at, one) }
}

fn dtype(numbers: &mut Numbers) -> DType {
    [DType::I8, DType::U8, DType::I16, DType::I32, DType::I64][place(numbers, 5)]
}

fn byte(numbers: &mut Numbers) -> u8 {
    numbers.next().to_le_bytes()[0]
}

/// Another number: often one beside it, sometimes an extreme one.
fn near(numbers: &mut Numbers, value: i64) -> i64 {
    match numbers.below(12) {
        0..4 => value.wrapping_add(1),
        4..7 => value.wrapping_sub(1),
        7 => value.wrapping_mul(2),
        8 => value / 2,
        9 => numbers.below(64).cast_signed(),
        10 => [0, -1, i64::MIN, i64::MAX, i32::MAX.into(), u32::MAX.into()][place(numbers, 6)],
        _ => numbers.next().cast_signed(),
    }
}

fn word(value: i64) -> u32 {
    u32::from_le_bytes(*value.to_le_bytes().first_chunk().unwrap())
}

/// Mostly an edge that there is.
fn edge(numbers: &mut Numbers, most: usize, old: u32) -> u32 {
    if numbers.below(6) == 0 { word(near(numbers, old.into())) } else { word(numbers.below(most as u64).cast_signed()) }
}

fn element(numbers: &mut Numbers, array: &mut Array) {
    macro_rules! change {
        ($values:expr, $type:ty) => {
            pick(numbers, $values).into_iter().for_each(|value| {
                let new = near(numbers, i64::from(*value));
                let inside = new.clamp(i64::from(<$type>::MIN), i64::from(<$type>::MAX));
                *value = <$type>::try_from(inside).unwrap();
            })
        };
    }
    match array {
        Array::I8(values) => change!(values, i8),
        Array::U8(values) => change!(values, u8),
        Array::I16(values) => change!(values, i16),
        Array::I32(values) => change!(values, i32),
        Array::I64(values) => change!(values, i64),
    }
}

/// The values again and again, in the type and as many as the operator wants.
fn stretched(array: Option<&Array>, spec: &ParameterSpec) -> Array {
    let mut values: Vec<i64> = match array {
        None => vec![],
        Some(Array::I8(values)) => values.iter().map(|value| i64::from(*value)).collect(),
        Some(Array::U8(values)) => values.iter().map(|value| i64::from(*value)).collect(),
        Some(Array::I16(values)) => values.iter().map(|value| i64::from(*value)).collect(),
        Some(Array::I32(values)) => values.iter().map(|value| i64::from(*value)).collect(),
        Some(Array::I64(values)) => values.clone(),
    };
    if values.is_empty() {
        values = vec![0, 1, -1];
    }
    let values = values.into_iter().cycle().take(usize::try_from(spec.elements).unwrap());
    let values = values.map(|value| value.clamp(spec.dtype.min(), spec.dtype.max()));
    match spec.dtype {
        DType::I8 => Array::I8(values.map(|value| i8::try_from(value).unwrap()).collect()),
        DType::U8 => Array::U8(values.map(|value| u8::try_from(value).unwrap()).collect()),
        DType::I16 => Array::I16(values.map(|value| i16::try_from(value).unwrap()).collect()),
        DType::I32 => Array::I32(values.map(|value| i32::try_from(value).unwrap()).collect()),
        DType::I64 => Array::I64(values.collect()),
    }
}
