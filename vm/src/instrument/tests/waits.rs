//! What stretches of operators wait.

use std::collections::BTreeMap;

use noema_abi::ProtocolVersion;
use proptest::prelude::*;
use wasmparser::{FuncToValidate, Operator, Parser, ValidPayload, Validator, ValidatorResources};

use super::super::Findings;
use super::super::blocks::Blocks;
use super::super::costs::{Cost, Reach, by_itself, load_cost, store_cost};
use super::super::operators::{Access, access};
use crate::admission::findings;

/// Text of a module with one function, in which `$p` is a parameter.
fn module(body: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1 1) (global $g (mut i32) (i32.const 1)) (global $h (mut i32) (i32.const 1))
             (func (export "call"))
             (func $f (export "f") (param $p i32) (local $a i32) (local $b i32) (local $x i64) (local $y i64) {body}))"#
    )
}

const NEVER: [u64; 0] = [];

/// What the stretches of a function wait, without where they begin.
fn waits(body: &str) -> Vec<u64> {
    let wasm = wat::parse_str(module(body)).unwrap_or_else(|error| panic!("{error}: {body}"));
    let found = findings(ProtocolVersion::V1, &wasm).unwrap().pop().unwrap().waits;
    assert_eq!(Some(found.clone()), naive(&wasm).pop(), "{body}");
    found.into_iter().map(|(_, wait)| wait).collect()
}

#[test]
fn a_chain_waits_and_what_goes_on_beside_it_does_not() {
    let product = "(local.set $x (i64.mul (local.get $x) (local.get $y)))";
    let other = "(local.set $y (i64.mul (local.get $y) (local.get $y)))";
    // Two reads, the product and what sets the local take 225 together.
    assert_eq!(waits(product), [575 - 225]);
    assert_eq!(waits(&product.repeat(4)), [4 * 575 - 4 * 225]);
    assert_eq!(waits(&format!("{product} {other}")), [575 - 2 * 225]);
    // Set to something else, which is there at once.
    assert_eq!(waits(&format!("{product} (local.set $x (i64.const 1)) {product}")), [575 - (2 * 225 + 75)]);
    // What an operator leaves on the stack, and what nobody needs.
    assert_eq!(waits("(drop (i64.mul (i64.mul (local.get $x) (local.get $y)) (local.get $y)))"), [2 * 575 - 400]);
    assert_eq!(waits("(local.get $x) (i64.mul (local.get $x) (local.get $y)) (drop) (drop)"), [575 - 275]);
    // Through `local.tee`, blocks that no branch names, and a choice.
    assert_eq!(
        waits("(drop (i32.add (local.tee $a (i32.add (local.get $p) (local.get $p))) (local.get $a)))"),
        [450 - 275]
    );
    assert_eq!(waits("(drop (i64.eqz (block (result i64) (i64.mul (local.get $x) (local.get $y)))))"), [1_000 - 325]);
    assert_eq!(
        waits("(drop (select (local.get $x) (local.get $y) (i32.mul (local.get $p) (local.get $p))))"),
        [800 - 400]
    );
}

#[test]
fn what_is_stored_is_loaded_later() {
    let store = "(i32.store (i32.const 8) (local.get $p))";
    let load = |at: i32| format!("(local.set $a (i32.load (i32.const {at})))");
    // Whatever the addresses are, and not the other way round.
    for at in [8, 400] {
        assert_eq!(waits(&format!("{store} {}", load(at))), [3_300 - (625 + 300)]);
        assert_eq!(waits(&format!("{} {store}", load(at))), [2_300 - (625 + 300)]);
    }
    // Stores do not wait for each other, but for what they store, and where.
    assert_eq!(waits(&store.repeat(2)), [2_300 - 2 * 625]);
    assert_eq!(waits(&format!("{} (i32.store (i32.const 8) (local.get $a))", load(8))), [3_300 - (625 + 300)]);
    let awaited = "(i32.store8 (i32.load (local.get $p)) (local.get $p))";
    assert_eq!(waits(awaited), [5_000 + 2_300 - (25 + 225 + 25 + 550)]);
    let across = "(i64.store (local.get $p) (i64.load (local.get $p)))";
    assert_eq!(waits(across), [1_000 + 8_000 - (25 + 25 + 225 + 6_000)]);
    // Globals are there for each other, as one.
    let global = |name: &str| format!("(global.set {name} (i32.add (global.get $g) (local.get $p)))");
    assert_eq!(waits(&global("$g").repeat(2)), [2 * 825 - 2 * 300]);
    assert_eq!(waits(&global("$h").repeat(2)), [2 * 825 - 2 * 300]);
}

#[test]
fn a_stretch_ends() {
    let product = "(local.set $x (i64.mul (local.get $x) (local.get $y)))";
    let wait = 575 - 225;
    // With the metering block, and behind what nothing begins before.
    for between in [
        "(if (local.get $p) (then))",
        "(block (br_if 0 (local.get $p)))",
        "(call 0)",
        "(call $f (local.get $p))",
        "(memory.fill (local.get $p) (local.get $p) (local.get $p))",
    ] {
        // Reading the operands takes a little of what the first one waits.
        let read = 25 * u64::try_from(between.matches("local.get").count()).unwrap();
        assert_eq!(waits(&format!("{product} {between} {product}")), [wait - read, wait], "{between}");
    }
    assert_eq!(waits(&format!("{product} (block) (nop) {product}")), [2 * wait]);
    // The time of what ends it does not count against what is waited for.
    assert_eq!(waits("(block (br_if 0 (i64.eqz (i64.mul (local.get $x) (local.get $y)))))"), [1_000 - 300]);
    // With its 64th operator: sixteen products, and one more.
    assert_eq!(waits(&product.repeat(16)), [16 * wait]);
    assert_eq!(waits(&product.repeat(17)), [16 * wait, wait]);
    assert_eq!(waits(&format!("{product} {} {product}", "(nop)".repeat(59))), [wait - 25, 575 - 200]);
    // Dead code counts, and nothing waits for it.
    assert_eq!(waits(&format!("(block (br 0) {product})")), NEVER);
    assert_eq!(waits(&format!("(block (br 0) {product} {}) {product}", "(nop)".repeat(57))), [wait]);
}

/// What the stretches of every function wait, by the words of the specification: a graph of operators, and the longest way through it.
fn naive(wasm: &[u8]) -> Vec<Vec<(u32, u64)>> {
    let found = findings(ProtocolVersion::V1, wasm).unwrap();
    let mut found = found.iter();
    let mut validator = Validator::new();
    let mut all = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let ValidPayload::Func(function, body) = validator.payload(&payload.unwrap()).unwrap() {
            all.push(naive_of(function, &body, found.next().expect("one for each")));
        }
    }
    all
}

/// An operator that gives something: its delay, and what it begins behind.
struct Node {
    delay: u64,
    behind: Vec<usize>,
}

#[derive(Default)]
struct Stretch {
    first: u32,
    operators: u32,
    times: u64,
    nodes: Vec<Node>,
    locals: BTreeMap<u32, Option<usize>>,
    stores: Vec<usize>,
    sets: Vec<usize>,
}

impl Stretch {
    fn wait(&self) -> Option<(u32, u64)> {
        // Each begins behind nodes that stand before it.
        let mut there: Vec<u64> = Vec::new();
        for Node { delay, behind } in &self.nodes {
            there.push(delay + behind.iter().map(|before| there[*before]).max().unwrap_or(0));
        }
        let last = there.into_iter().max().unwrap_or(0);
        last.checked_sub(self.times).filter(|wait| *wait != 0).map(|wait| (self.first, wait))
    }
}

fn naive_of(
    function: FuncToValidate<ValidatorResources>,
    body: &wasmparser::FunctionBody<'_>,
    found: &Findings,
) -> Vec<(u32, u64)> {
    let mut validator = function.into_validator(Default::default());
    validator.read_locals(&mut body.get_binary_reader()).unwrap();
    let (mut waits, mut blocks, mut stretch) = (Vec::new(), Blocks::default(), Stretch::default());
    // Which node of the stretch gave each operand.
    let mut stack: Vec<Option<usize>> = Vec::new();
    let mut operators = body.get_operators_reader().unwrap();
    let mut number = 0;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset().unwrap();
        let arity = operator.operator_arity(&validator);
        let (floor, dead) = validator.get_control_frame(0).map_or((0, true), |frame| (frame.height, frame.unreachable));
        validator.op(offset, &operator).unwrap();
        let taken = arity.map_or(usize::MAX, |(taken, _)| usize::try_from(taken).unwrap());
        let operands = stack.split_off(stack.len().saturating_sub(taken).max(floor.min(stack.len())));
        let cost = match access(&operator) {
            Some(Access::Load) => load_cost(Reach::Near, found.awaited.contains(&number)),
            Some(Access::Store { .. }) => store_cost(Reach::Near, found.across.contains(&number)),
            None => by_itself(&operator).unwrap().0,
        };
        let Cost { time, delay } = cost;
        stretch.times += if delay.is_some() { time } else { 0 };
        let result = if dead { None } else { node(&mut stretch, &operator, delay.unwrap_or(0), &operands) };
        stack.resize(usize::try_from(validator.operand_stack_height()).unwrap(), result);
        number += 1;
        stretch.operators += 1;
        if blocks.step(&operator) || delay.is_none() || stretch.operators == 64 {
            waits.extend(stretch.wait());
            stretch = Stretch { first: number, ..Stretch::default() };
            stack.fill(None);
        }
    }
    waits.extend(stretch.wait());
    waits
}

/// The node whose result an operator gives, if it was not there before the stretch.
fn node(stretch: &mut Stretch, operator: &Operator<'_>, delay: u64, operands: &[Option<usize>]) -> Option<usize> {
    let mut behind: Vec<usize> = operands.iter().copied().flatten().collect();
    match operator {
        Operator::LocalGet { local_index } => return stretch.locals.get(local_index).copied().flatten(),
        Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
            stretch.locals.insert(*local_index, operands.first().copied().flatten());
            return operands.first().copied().flatten();
        }
        Operator::GlobalGet { .. } => behind.extend(&stretch.sets),
        _ if access(operator) == Some(Access::Load) => behind.extend(&stretch.stores),
        _ => {}
    }
    let node = stretch.nodes.len();
    stretch.nodes.push(Node { delay, behind });
    match operator {
        Operator::GlobalSet { .. } => stretch.sets.push(node),
        _ if matches!(access(operator), Some(Access::Store { .. })) => stretch.stores.push(node),
        _ => {}
    }
    Some(node)
}

/// Text of a number.
fn number() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(|value| format!("(i32.const {value})")),
        prop_oneof![Just("$a"), Just("$b"), Just("$p")].prop_map(|local| format!("(local.get {local})")),
        prop_oneof![Just("$g"), Just("$h")].prop_map(|global| format!("(global.get {global})")),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        let two = prop_oneof![Just("add"), Just("shl"), Just("mul"), Just("div_u"), Just("lt_u")];
        prop_oneof![
            (two, inner.clone(), inner.clone()).prop_map(|(name, a, b)| format!("(i32.{name} {a} {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("(select {a} {b} {c})")),
            inner.clone().prop_map(|a| format!("(i32.load {a})")),
            inner.clone().prop_map(|a| format!("(local.tee $a {a})")),
            inner.clone().prop_map(|a| format!("(block (result i32) (br_if 0 {a} (local.get $p)))")),
            inner.prop_map(|a| format!("(i32.wrap_i64 (i64.mul (i64.extend_i32_u {a}) (local.get $x)))")),
        ]
    })
}

fn statements() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (prop_oneof![Just("$a"), Just("$b")], number())
            .prop_map(|(local, value)| format!("(local.set {local} {value})")),
        (prop_oneof![Just("$g"), Just("$h")], number()).prop_map(|(to, value)| format!("(global.set {to} {value})")),
        (number(), number()).prop_map(|(at, value)| format!("(i32.store {at} {value})")),
        number().prop_map(|value| format!("(call $f {value})")),
        number().prop_map(|value| format!("(block (br 0) (drop {value}))")),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let several = proptest::collection::vec(inner, 1..8).prop_map(|all| all.concat());
        prop_oneof![
            (number(), several.clone(), several.clone())
                .prop_map(|(condition, then, other)| format!("(if {condition} (then {then}) (else {other}))")),
            several.clone().prop_map(|body| format!("(block {body})")),
            (number(), several).prop_map(|(again, round)| format!("(loop {round} (br_if 0 {again}))")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_longest_way_through_a_graph_is_what_is_waited_for(body in proptest::collection::vec(statements(), 1..12)) {
        let wasm = wat::parse_str(module(&body.concat())).expect("it is well-formed");
        let found: Vec<_> = findings(ProtocolVersion::V1, &wasm).unwrap().into_iter().map(|found| found.waits).collect();
        prop_assert_eq!(found, naive(&wasm), "{}", body.concat());
    }
}
