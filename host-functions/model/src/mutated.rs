//! Real containers with something changed in them: refused with a reason, or a model like any other. A changed graph is
//! written anew, mostly with a manifest, parameters and a certificate that follow it, so that what is refused is refused for what
//! it says and not for its form.

use std::{cell::RefCell, collections::BTreeMap, path::Path};

use noema_abi::{DType, ProtocolVersion};
use noema_tensor::{Kernels, Level, OpError, Shape, Tensor};
use proptest::{prelude::*, test_runner::TestCaseError};

use crate::{
    Extent, Model, ModelError,
    by_opcodes::edges_by_opcodes,
    container,
    graph::Edge,
    ops::Op,
    sample::{self, Numbers, forest, values},
};

mod by_hand;
mod parts;

use parts::{Kind, Parts};

/// Models that would run longer than this (in picoseconds of the reference machine) are only loaded.
const MAX_GAS: u64 = 3_000_000_000;

/// The models of the conformance vectors, and trees, which none of them has.
fn containers() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance-tests/vectors/models");
    let mut found = vec![("trees".to_owned(), forest(DType::I32, vec![], 3, &[4, 0, 7], 2, 11).container())];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("refused") || name.ends_with(".json") {
            continue;
        }
        let bytes = match name.ends_with(".hex") {
            false => std::fs::read(&path).unwrap(),
            true => digits(&std::fs::read_to_string(&path).unwrap()),
        };
        found.push((name, bytes));
    }
    found.sort();
    found
}

fn digits(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    ProptestConfig::default().cases.max(4096)
}

/// What became of a changed container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Its bytes are what they were.
    Same,
    Refused,
    /// Loaded; not run, as it takes too long.
    Large,
    /// Run, and the answer was a status.
    Status,
    /// Run, and the answer was tensors.
    Ran,
}

/// How many of each.
#[derive(Default)]
struct Tally(RefCell<BTreeMap<(String, Fate), u32>>);

impl Tally {
    fn count(&self, of: String, fate: Fate) {
        *self.0.borrow_mut().entry((of, fate)).or_default() += 1;
    }

    fn of(&self, what: impl Fn(&str) -> bool, fates: &[Fate]) -> u32 {
        let tally = self.0.borrow();
        tally.iter().filter(|((of, fate), _)| what(of) && fates.contains(fate)).map(|(_, count)| count).sum()
    }
}

struct Machines {
    reference: Kernels,
    best: Vec<Kernels>,
}

impl Machines {
    fn new() -> Machines {
        let best = [Level::Portable, Level::best()].map(|level| Kernels::new(level, 1).unwrap());
        Machines { reference: Kernels::new(Level::Reference, 1).unwrap(), best: best.into() }
    }

    /// Whether the bytes are refused, or a model whose certificate is right and which computes what it should.
    fn judge(&self, bytes: &[u8], seed: u64) -> Result<Fate, TestCaseError> {
        let loaded = Model::from_bytes(bytes.to_vec());
        let model = match loaded {
            Ok(model) => model,
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                prop_assert_eq!(Model::from_bytes(bytes.to_vec()).unwrap_err(), error, "refused for another reason");
                return Ok(Fate::Refused);
            }
        };
        let decoded = container::decode(bytes).unwrap();
        let weights = &bytes[decoded.weights_start..];
        let again = container::write(&decoded.manifest, &decoded.graph, &decoded.certificate, weights).unwrap();
        prop_assert_eq!(again.as_slice(), bytes, "another form of the same");
        for (edge, bound) in by_hand::bounds(&model) {
            prop_assert_eq!(model.certificate().edges[edge], bound, "edge {}", edge);
        }
        let mut numbers = Numbers(seed);
        let batch = 1 + u32::try_from(numbers.below(3)).unwrap();
        let length = 1 + u32::try_from(numbers.below(model.longest().into())).unwrap();
        let extent = Extent { batch, length };
        let small = model.arena_bytes(batch).is_ok_and(|bytes| bytes < 1 << 24);
        if !small || model.cost_of(ProtocolVersion::LATEST, extent).is_ok_and(|gas| gas > MAX_GAS) {
            return Ok(Fate::Large);
        }
        self.run(&model, extent, &mut numbers)
    }

    fn run(&self, model: &Model, extent: Extent, numbers: &mut Numbers) -> Result<Fate, TestCaseError> {
        let inputs: Vec<Tensor> = (0..model.graph().inputs.len()).map(|at| input(model, at, extent, numbers)).collect();
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let expected = answer(model.run(&self.reference, &inputs))?;
        for kernels in &self.best {
            prop_assert_eq!(&answer(model.run(kernels, &inputs))?, &expected, "at {}", kernels.level());
        }
        let Ok(outputs) = expected else { return Ok(Fate::Status) };
        let tokenizes = |op: &Op| matches!(op, Op::WordPiece(_) | Op::BytePairs(_));
        let edges: Vec<(u32, Tensor)> = if model.graph().nodes.iter().any(|node| tokenizes(&node.op)) {
            // No opcode does that; what can be seen are the outputs.
            let found = model.run(&self.reference, &inputs).unwrap();
            model.graph().outputs.iter().map(|id| id.0).zip(found).collect()
        } else {
            let edges = edges_by_opcodes(model, &self.reference, &inputs);
            (0..).zip(edges.map_err(|error| TestCaseError::fail(format!("its opcodes answer {error}")))?).collect()
        };
        for (edge, tensor) in &edges {
            let interval = model.certificate().edges[usize::try_from(*edge).unwrap()].interval;
            for value in values(tensor) {
                prop_assert!((interval.lo..=interval.hi).contains(&value), "{value} outside {interval:?} at {edge}");
            }
        }
        for (id, output) in model.graph().outputs.iter().zip(outputs) {
            let (_, tensor) = edges.iter().find(|(edge, _)| *edge == id.0).unwrap();
            prop_assert_eq!(bits(tensor), output, "edge {} by its opcodes", id.0);
        }
        Ok(Fate::Ran)
    }
}

type Bits = (DType, Vec<u32>, Vec<u8>);

fn bits(tensor: &Tensor) -> Bits {
    (tensor.dtype(), tensor.shape().dims().to_vec(), tensor.to_le_bytes().unwrap())
}

/// What was computed, or the status; anything else is an error of this machine.
fn answer(found: Result<Vec<Tensor>, OpError>) -> Result<Result<Vec<Bits>, noema_abi::Status>, TestCaseError> {
    match found {
        Ok(outputs) => Ok(Ok(outputs.iter().map(bits).collect())),
        Err(OpError::Status(status)) => Ok(Err(status)),
        Err(other) => Err(TestCaseError::fail(format!("{other}"))),
    }
}

/// Random elements; mostly such as those who read them want: tokens of a table, text, lengths.
fn input(model: &Model, at: usize, extent: Extent, numbers: &mut Numbers) -> Tensor {
    let edge = model.graph().inputs[at].at(extent.length);
    let wanted = model.graph().nodes.iter().find_map(|node| {
        let place = node.inputs.iter().position(|id| usize::try_from(id.0) == Ok(at))?;
        match (&node.op, place) {
            (Op::Embedding(op), 0) => Some(op.rows),
            (Op::WordPiece(_) | Op::BytePairs(_), 0) => Some(128),
            (Op::WordPiece(_) | Op::BytePairs(_), _) => Some(reach(model, node.inputs[0].0, extent)),
            (Op::Attention(_), 3) | (Op::MeanPool(_), 1) => Some(reach(model, node.inputs[0].0, extent)),
            _ => None,
        }
    });
    match wanted.filter(|_| numbers.below(8) > 0) {
        Some(limit) if matches!(edge.dtype, DType::U8 | DType::I32) => {
            let count = u64::from(extent.batch) * edge.row_elements();
            // Lengths of 0 are allowed for some, and of no use.
            let least = u64::from(edge.dims.is_empty());
            let values: Vec<u64> = (0..count).map(|_| least + numbers.below(limit.into())).collect();
            let bytes: Vec<u8> =
                values.iter().flat_map(|value| value.to_le_bytes().into_iter().take(edge.dtype.size())).collect();
            let shape = Shape::new(&[&[extent.batch], &edge.dims[..]].concat()).unwrap();
            Tensor::from_le_bytes(edge.dtype, shape, &bytes).unwrap()
        }
        _ => sample::input(&edge, extent.batch, numbers.next()),
    }
}

/// The first axis of an edge in this run.
fn reach(model: &Model, id: u32, extent: Extent) -> u32 {
    let id = usize::try_from(id).unwrap();
    let edges = model.graph().edges_at(extent.length);
    let edge = edges.ok().and_then(|edges: Vec<Edge>| edges.get(id).cloned());
    edge.and_then(|edge| edge.dims.first().copied()).unwrap_or(1).max(1)
}

#[test]
fn every_operator_is_in_a_container_that_is_changed() {
    let mut missing: Vec<&str> = Op::NAMES.to_vec();
    for (_, bytes) in containers() {
        let graph = container::decode(&bytes).unwrap().graph;
        missing.retain(|name| graph.nodes.iter().all(|node| node.op.name() != *name));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_changed_graph_is_refused_or_a_model() {
    let machines = Machines::new();
    let originals: Vec<Parts> = containers().iter().map(|(_, bytes)| Parts::of(bytes)).collect();
    let tally = Tally::default();
    let kinds = prop::collection::vec(prop::sample::select(Kind::ALL.to_vec()), 1..3);
    let config = ProptestConfig::with_cases(cases());
    proptest!(config, |(original in 0..originals.len(), kinds in kinds, follows in 0..8, seed in any::<u64>())| {
        let original = &originals[original];
        let (mut parts, mut numbers) = (original.clone(), Numbers(seed));
        let (last, first): (Vec<Kind>, Vec<Kind>) = kinds.iter().partition(|kind| kind.is_last());
        first.iter().for_each(|kind| parts.change(*kind, &mut numbers));
        if follows > 0 && parts != *original {
            parts.follow();
        }
        let fitting = parts.clone();
        last.iter().for_each(|kind| parts.change(*kind, &mut numbers));
        let Some(bytes) = parts.container() else { return Ok(()) };
        let fate = match parts == *original {
            true => Fate::Same,
            false => machines.judge(&bytes, seed)?,
        };
        // Of a right model with another certificate the edge that it is wrong at is named.
        let certified = Parts { certificate: fitting.certificate.clone(), ..parts.clone() };
        let right = |parts: &Parts| parts.container().is_some_and(|bytes| Model::from_bytes(bytes).is_ok());
        if parts.certificate != fitting.certificate && right(&certified) {
            let (found, proven) = (&parts.certificate.edges, &fitting.certificate.edges);
            let shorter = found.len().min(proven.len());
            let at = found.iter().zip(proven).position(|(found, proven)| found != proven).unwrap_or(shorter);
            match Model::from_bytes(bytes) {
                Err(ModelError::Certificate { edge, .. }) => prop_assert_eq!(usize::try_from(edge).unwrap(), at),
                other => prop_assert!(false, "{other:?}"),
            }
        }
        kinds.iter().for_each(|kind| tally.count(format!("{kind:?}"), fate));
    });
    let of = |kind: Kind, fates: &[Fate]| tally.of(|name| name == format!("{kind:?}"), fates);
    for kind in Kind::ALL {
        let counts = [Fate::Refused, Fate::Ran, Fate::Status, Fate::Large, Fate::Same].map(|fate| of(kind, &[fate]));
        println!("{kind:?}: refused, ran, answered a status, large, unchanged: {counts:?}");
        assert!(counts[0] > 0, "none of {kind:?} was refused");
        // What may be different in a model that is as good.
        let free = !matches!(kind, Kind::Arity | Kind::ParameterLength | Kind::Bound | Kind::Bounds);
        assert!(!free || counts[1] > 0, "none of {kind:?} ran");
    }
    let all = |fate| tally.of(|_| true, &[fate]);
    assert!(all(Fate::Refused) > 500 && all(Fate::Ran) > 500);
}

#[test]
fn changed_bytes_are_refused_or_a_model() {
    let machines = Machines::new();
    let originals: Vec<Vec<u8>> = containers().into_iter().map(|(_, bytes)| bytes).collect();
    let tally = Tally::default();
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 0_u8..8), 1..3);
    let config = ProptestConfig::with_cases(cases());
    proptest!(config, |(original in 0..originals.len(), edits in edits, reach in 0_usize..3, seed in any::<u64>())| {
        let mut bytes = originals[original].clone();
        let start = container::decode(&bytes).unwrap().weights_start;
        for (at, value, kind) in &edits {
            // Behind the header, in it, anywhere.
            let range = [start.min(bytes.len())..bytes.len(), 0..start.min(bytes.len()), 0..bytes.len()][reach].clone();
            if range.is_empty() {
                continue;
            }
            let at: usize = range.start + at.index(range.len());
            let [byte, count, ..] = value.to_le_bytes();
            match kind {
                0 => bytes.insert(at, byte),
                1 => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                3 => bytes.splice(at..at, vec![byte; usize::from(count)]).for_each(drop),
                4 => bytes[at] = bytes[at].wrapping_add(1),
                5 if at + 4 <= bytes.len() => bytes[at..at + 4].copy_from_slice(&value.to_le_bytes()),
                6 if at + 4 <= bytes.len() => bytes[at..at + 4].fill(0xff),
                _ => bytes[at] ^= 1 << (value % 8),
            }
        }
        let fate = if bytes == originals[original] { Fate::Same } else { machines.judge(&bytes, seed)? };
        tally.count(["weights", "header", "all"][reach].to_owned(), fate);
    });
    for reach in ["weights", "header", "all"] {
        let fates = [Fate::Refused, Fate::Ran, Fate::Status, Fate::Large, Fate::Same];
        let counts = fates.map(|fate| tally.of(|name| name == reach, &[fate]));
        println!("{reach}: refused, ran, answered a status, large, unchanged: {counts:?}");
        assert!(counts[0] > 100 && counts[1] > 10, "{reach}: {counts:?}");
    }
}
