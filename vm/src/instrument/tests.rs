//! Exact gas and stack numbers of hand-written modules, and an independent counter as the oracle for random ones.

mod across;
mod alignment;
mod awaited;
mod floats;
mod native;
mod oracle;
mod random;
mod suite;
mod unlikely;
mod waits;

use noema_abi::ProtocolVersion;
use wasmparser::{Operator, Parser, Payload};
use wasmtime::{Engine, Global, Instance, Module, Store, Trap, Val};

use super::operators::{Access, access};
use super::{FAULT, FAULT_GAS, FAULT_STACK, Findings, LEAST_ROOM, Placement};
use crate::admission::{AdmissionError, Admitted, admit, admit_placed, findings};
use crate::rules::Rules;

const ENTRY: i64 = 25;
const CONSTANT: i64 = 50;
const INTEGER: i64 = 75;
const DROP: i64 = 25;
const BRANCH: i64 = 1_900;
/// Delays, which count where something waits.
const INTEGER_DELAY: i64 = 225;
const GLOBAL_DELAY: i64 = 300;
const DIVISION: i64 = 2_100;
/// In [`Ran::fault`].
const OTHER_TRAP: i32 = -1;

pub(super) fn admitted(wat: &str) -> Result<Admitted, AdmissionError> {
    admit(ProtocolVersion::V1, &wat::parse_str(wat).expect("the text is well-formed"))
}

/// The module, instrumented in every way there is.
pub(super) fn instrumented(wat: &str) -> Result<[Vec<u8>; 2], AdmissionError> {
    let wasm = wat::parse_str(wat).expect("the text is well-formed");
    let placed = |placement| {
        admit_placed(ProtocolVersion::V1, &noema_host::Extensions::default(), &wasm, placement)
            .map(|admitted| admitted.instrumented)
    };
    Ok([placed(Placement::Merged)?, placed(Placement::PerBlock)?])
}

/// Of the operators of the last function that count, whether each is among those that admission found.
pub(super) fn found_in(
    wat: &str,
    counts: impl Fn(&Operator<'_>) -> bool,
    found: impl Fn(Findings) -> Vec<u32>,
) -> Vec<bool> {
    found_of(wat, 0, counts, found)
}

/// The same for the function that so many others follow.
pub(super) fn found_of(
    wat: &str,
    behind: usize,
    counts: impl Fn(&Operator<'_>) -> bool,
    found: impl Fn(Findings) -> Vec<u32>,
) -> Vec<bool> {
    let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}: {wat}"));
    let found = found(findings(ProtocolVersion::V1, &wasm).unwrap().into_iter().nth_back(behind).unwrap());
    let bodies: Vec<_> = Parser::new(0)
        .parse_all(&wasm)
        .filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(body),
            _ => None,
        })
        .collect();
    let body = bodies.iter().nth_back(behind).unwrap();
    let operators = body.get_operators_reader().unwrap().into_iter().map(Result::unwrap);
    let counted = (0..).zip(operators).filter(|(_, operator)| counts(operator));
    counted.map(|(number, _)| found.contains(&number)).collect()
}

/// Of the stores of the function that so many others follow, whether each may lie across two pages.
pub(super) fn stores_across(wat: &str, behind: usize) -> Vec<bool> {
    let is_store = |operator: &Operator<'_>| matches!(access(operator), Some(Access::Store { .. }));
    found_of(wat, behind, is_store, |findings| findings.across)
}

/// What a run leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ran {
    /// Gas used, if the run returned and had enough.
    pub(super) gas: Option<i64>,
    /// What it faulted for: a number of the accounting, or another trap.
    pub(super) fault: Option<i32>,
    /// Deepest logical stack, in units.
    pub(super) depth: i64,
}

/// Runs the export `call` of an instrumented module without imports.
pub(super) fn run(instrumented: &[u8], limit: i64) -> Ran {
    let engine = Engine::default();
    let module = Module::new(&engine, instrumented).expect("instrumented modules are valid");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("it has no imports");
    let room = i64::try_from(Rules::of(ProtocolVersion::V1).machine.stack_units).unwrap();
    global(&instance, &mut store, LEAST_ROOM).set(&mut store, Val::I64(room)).unwrap();
    let function = instance.get_typed_func::<(i64, i64), i64>(&mut store, "call").unwrap();
    let result = function.call(&mut store, (limit, room));
    let mut value = |name| global(&instance, &mut store, name).get(&mut store);
    let fault = match &result {
        Ok(left) => (*left < 0).then_some(FAULT_GAS),
        Err(error) if error.downcast_ref() == Some(&Trap::UnreachableCodeReached) => Some(value(FAULT).unwrap_i32()),
        Err(_) => Some(OTHER_TRAP),
    };
    let gas = if fault.is_none() { result.ok().map(|left| limit - left) } else { None };
    Ran { gas, fault, depth: room - value(LEAST_ROOM).unwrap_i64() }
}

fn global(instance: &Instance, store: &mut Store<()>, name: &str) -> Global {
    instance.get_global(store, name).expect("the accounts are exported")
}

/// Gas of a module that returns, the same however it is instrumented, and checked at its boundary: one less is not
/// enough.
fn gas_of(wat: &str) -> i64 {
    let all = instrumented(wat).unwrap().map(|instrumented| {
        let gas = run(&instrumented, 1 << 40).gas.expect("it returns");
        assert_eq!(run(&instrumented, gas).gas, Some(gas), "its own gas is enough");
        assert_eq!(run(&instrumented, gas - 1).gas, None, "one less is not");
        gas
    });
    assert_eq!(all[0], all[1]);
    all[0]
}

/// Gas of the blocks that a module enters before it traps, when every block is charged for itself.
fn gas_before_trap(wat: &str, expected: i64) {
    let [_, per_block] = instrumented(wat).unwrap();
    let ran = run(&per_block, expected);
    assert!(ran.gas.is_none() && ran.fault != Some(FAULT_GAS), "it comes to the trap");
    assert_eq!(run(&per_block, expected - 1).fault, Some(FAULT_GAS), "one less is not enough to come to it");
}

fn contract(body: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0)) {body})"#)
}

fn call(body: &str) -> String {
    contract(&format!(r#"(func (export "call") {body})"#))
}

#[test]
fn straight_line_code_costs_the_sum_of_its_operators() {
    assert_eq!(gas_of(&call("")), ENTRY);
    // Two constants and two drops.
    assert_eq!(gas_of(&call("(drop (i32.const 1)) (drop (i32.const 2))")), ENTRY + 2 * CONSTANT + 2 * DROP);
    assert_eq!(gas_of(&call("nop (block) (block (block))")), ENTRY);
    // A declared local is set to zero; 16 bytes count twice.
    assert_eq!(gas_of(&call("(local i32)")), ENTRY + 100);
    assert_eq!(gas_of(&call("(local v128 i64)")), ENTRY + 300);
    // What waits for nothing but constants is there sooner than all of it is done.
    let adds = "(drop (i32.add (i32.const 1) (i32.const 2)))".repeat(7);
    assert_eq!(gas_of(&call(&adds)), ENTRY + 7 * (2 * CONSTANT + INTEGER + DROP));
}

#[test]
fn only_what_is_entered_is_charged() {
    let both = |condition: i32| {
        gas_of(&call(&format!("(if (i32.const {condition}) (then nop (drop (i32.const 1))) (else nop))")))
    };
    assert_eq!(both(1), ENTRY + CONSTANT + BRANCH + CONSTANT + DROP);
    assert_eq!(both(0), ENTRY + CONSTANT + BRANCH);
    let without_else =
        |condition: i32| gas_of(&call(&format!("(if (i32.const {condition}) (then (drop (i32.const 1))))")));
    assert_eq!(without_else(1), ENTRY + CONSTANT + BRANCH + CONSTANT + DROP);
    assert_eq!(without_else(0), ENTRY + CONSTANT + BRANCH);
}

#[test]
fn branches_leave_the_rest_of_a_block_unpaid() {
    let skip =
        |condition: i32| gas_of(&call(&format!("(block (br_if 0 (i32.const {condition})) (drop (i32.const 7)))")));
    assert_eq!(skip(1), ENTRY + CONSTANT + BRANCH);
    assert_eq!(skip(0), ENTRY + CONSTANT + BRANCH + CONSTANT + DROP);
    // Code behind an unconditional branch is dead and free.
    assert_eq!(gas_of(&call("(block (br 0) (drop (i32.div_u (i32.const 1) (i32.const 0))))")), ENTRY + 75);
    assert_eq!(gas_of(&call("(block (block (br 1)) (drop (i32.const 7)))")), ENTRY + 75);
}

#[test]
fn a_block_that_no_branch_names_is_part_of_the_run_around_it() {
    gas_before_trap(&call("(block (block unreachable)) (drop (i32.const 1))"), ENTRY + 4_000);
    // One metering block: if it were two, the trap would come before the last two operators are paid.
    gas_before_trap(
        &call("(drop (i32.div_u (i32.const 1) (i32.const 0))) (block) (drop (i32.const 1))"),
        ENTRY + DIVISION,
    );
}

#[test]
fn early_returns_and_branches_to_the_function_are_equal_but_for_their_price() {
    let with = |exit: &str| {
        gas_of(&contract(&format!(
            r#"(func $f (param i32) (result i32 i64)
                 (if (local.get 0) (then i32.const 1 i64.const 2 {exit}))
                 i32.const 3 i64.const 4)
               (func (export "call") (call $f (i32.const 1)) drop drop)"#
        )))
    };
    let chosen = 25 + BRANCH + 2 * CONSTANT + 75;
    let expected = 2 * ENTRY + chosen + (CONSTANT + 4_000) + 2 * DROP;
    assert_eq!(with("return"), expected);
    assert_eq!(with("br 1"), expected);
}

#[test]
fn loops_pay_for_every_round() {
    let rounds = |count: i32| {
        gas_of(&call(&format!(
            "(global.set $g (i32.const {count}))
             (loop (global.set $g (i32.sub (global.get $g) (i32.const 1))) (br_if 0 (global.get $g)))"
        )))
    };
    // The global is read, changed, set, and read again, one after the other.
    let round = GLOBAL_DELAY + INTEGER_DELAY + GLOBAL_DELAY + GLOBAL_DELAY + 300;
    assert_eq!(rounds(1), ENTRY + GLOBAL_DELAY + round + 4_000);
    assert_eq!(rounds(1000), ENTRY + GLOBAL_DELAY + 1000 * round + 4_000);
}

/// From one branch to the next in number, all of them cost more, and other operators that have a delay a little.
#[test]
fn operators_cost_more_in_a_large_module() {
    const MORE: i64 = 5_000;
    const LITTLE_MORE: i64 = 75;
    const FEW: usize = 6_144;
    // What runs: an `if` with both arms, one that is not taken, a loop of three rounds, calls, a branch and a table.
    let tried = r#"(if (i32.const 1) (then nop) (else nop)) (if (i32.const 0) (then))
        (local.set $i (i32.const 3))
        (loop (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if 0 (i32.and (local.get $i) (local.get $i))))
        (call $f) (call_indirect (i32.const 0)) (block (br 0)) (block (br_table 0 (i32.const 0)))
        (block (br_if 0 (i32.const 1)))"#;
    let branches = ["if", "else", "if", "br_if", "call", "call_indirect", "br", "br_table", "br_if"].len();
    let functions = 4;
    let gas = |others: usize| {
        // Dead code counts: it is code all the same. A function has at most 4,096 blocks.
        let others = ["(br 0)".repeat(3_000), "(br 0)".repeat(others - 3_000 - branches - functions)];
        let others: String = others.iter().map(|body| format!("(func {body})")).collect();
        gas_of(&contract(&format!(
            r#"(table 1 funcref) (elem (i32.const 0) $f) (func $f)
               {others}
               (func (export "call") (local $i i32) {tried})"#
        )))
    };
    // The first arm with the branch behind it, and the way out of the loop; not its two branches back.
    assert_eq!(gas(FEW + 1) - gas(FEW), 9 * MORE + 3 * 2 * LITTLE_MORE);
    assert_eq!(gas(FEW), gas(3_000 + branches + functions));
    // The same from one byte of code to the next.
    let gas = |bytes: usize| {
        let body = |bytes: usize| format!("(func {})", "nop ".repeat(bytes));
        // A body has a byte for its locals and one for its end.
        let others = body(bytes - 200_000 - 2) + &body(200_000 - 2);
        gas_of(&contract(&format!(r#"{others} (func (export "call") (drop (i32.add (i32.const 1) (i32.const 2))))"#)))
    };
    let own = 2 + 2 + 2 + 1 + 1;
    assert_eq!(gas(262_144 - own + 1) - gas(262_144 - own), LITTLE_MORE);
}

/// A loop whose local `$i` goes from `start` to `end` in steps.
fn counting(start: i32, step: i32, end: &str, update: &str) -> String {
    counting_from(&format!("(i32.const {start})"), step, end, update)
}

/// The same, where the code does not say where it starts.
fn counting_from_somewhere(start: i32, step: i32, end: &str, update: &str) -> String {
    counting_from(&format!("(i32.add (global.get $g) (i32.const {start}))"), step, end, update)
}

fn counting_from(start: &str, step: i32, end: &str, update: &str) -> String {
    let update = update.replace("STEP", &step.to_string()).replace("END", end);
    contract(&format!(
        r#"(func (export "call") (local $i i32) (local $end i32) (local $n i32)
             (local.set $i {start}) (local.set $end (i32.const {}))
             (loop $l (local.set $n (i32.add (local.get $n) (i32.const 1))) {update})
             (global.set $g (local.get $n)))"#,
        if end.contains("$end") { "77" } else { "0" }
    ))
}

const UPDATES: [&str; 6] = [
    "(br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const STEP))) END))",
    "(local.set $i (i32.add (i32.const STEP) (local.get $i))) (br_if $l (i32.ne END (local.get $i)))",
    "(local.set $i (i32.add (local.get $i) (i32.const STEP))) nop (block (drop (i32.const 1))) (br_if $l (i32.ne (local.get $i) END))",
    // Two locals grow, either way.
    "(local.set $end (i32.add (local.get $end) (i32.const 1))) (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const STEP))) END))",
    // Not counted: set twice, and a branch out.
    "(local.set $i (local.get $i)) (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const STEP))) END))",
    "(block (br_if 0 (i32.const 1))) (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const STEP))) END))",
];

#[test]
fn counted_loops_cost_what_their_rounds_cost() {
    for update in UPDATES {
        for step in [1, -1, 2, 8, -16, 3, 24, -12, 1000] {
            for rounds in [1, 2, 3, 77, 1000] {
                let end = 50 + rounds * step;
                let end = format!("(i32.const {end})");
                let known = gas_of(&counting(50, step, &end, update));
                let counted = gas_of(&counting_from_somewhere(50, step, &end, update));
                // The global and the sum, less the constant that both have and that took what is waited for now.
                assert_eq!(counted - known, GLOBAL_DELAY + INTEGER_DELAY - 2 * CONSTANT - 2 * 25);
            }
        }
    }
    // The end in a local, and the end zero.
    for from in [counting, counting_from_somewhere] {
        for update in &UPDATES[..3] {
            gas_of(&from(77 - 40, 8, "(local.get $end)", update));
        }
        gas_of(&from(-36, 12, "", "(br_if $l (local.tee $i (i32.add (local.get $i) (i32.const STEP))))"));
        gas_of(&from(36, 12, "", "(br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const STEP))))"));
    }
    // Charged in front of it: nothing is left of the loop but itself.
    let [merged, per_block] = instrumented(&counting(0, 8, "(i32.const 800)", UPDATES[0])).unwrap();
    assert!(merged.len() != per_block.len());
}

#[test]
fn loops_that_never_end_fault_at_once() {
    for (start, step, end) in [(0, 2, 7), (1, 8, 0), (0, -4, 2)] {
        let [merged, per_block] =
            instrumented(&counting(start, step, &format!("(i32.const {end})"), UPDATES[0])).unwrap();
        assert_eq!(run(&merged, 1 << 62).fault, Some(FAULT_GAS));
        assert_eq!(run(&per_block, 1 << 30).fault, Some(FAULT_GAS));
    }
    // All the way around, 2^32 rounds, cannot be paid either, and is not begun.
    let [merged, _] = instrumented(&counting(5, 1, "(i32.const 5)", UPDATES[0])).unwrap();
    assert_eq!(run(&merged, 1 << 40).fault, Some(FAULT_GAS));
    // A trap in a loop is a fault, paid or not.
    let trap = counting(
        0,
        8,
        "(i32.const 80000)",
        "(drop (i32.load (local.get $i))) (br_if $l (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const STEP))) END))",
    );
    for instrumented in instrumented(&trap).unwrap() {
        assert_eq!(run(&instrumented, 1 << 40).fault, Some(OTHER_TRAP));
        assert_eq!(run(&instrumented, 1 << 20).fault, Some(FAULT_GAS));
    }
}

#[test]
fn branch_tables_and_blocks_with_several_values() {
    let choose = |index: i32| {
        gas_of(&contract(&format!(
            r#"(type $two (func (param i32 i32) (result i32 i32)))
               (func (export "call")
                 i32.const 1 i32.const 2
                 (block $outer (type $two)
                   (block $inner (type $two)
                     (br_table $inner $outer (i32.const {index})))
                   nop i32.add i32.const 5)
                 drop drop)"#
        )))
    };
    let head = ENTRY + 3 * CONSTANT + 7_000;
    let tail = 2 * DROP;
    assert_eq!(choose(0), head + INTEGER_DELAY + tail);
    assert_eq!(choose(1), head + tail);
    assert_eq!(choose(9), head + tail);
}

#[test]
fn calls_charge_the_caller_and_the_entry() {
    assert_eq!(gas_of(&contract(r#"(func $f) (func (export "call") (call $f) (call $f))"#)), 3 * ENTRY + 2 * 4_000);
    assert_eq!(
        gas_of(&contract(
            r#"(type $t (func)) (table funcref (elem $f)) (func $f (type $t))
               (func (export "call") (call_indirect (type $t) (i32.const 0)))"#
        )),
        2 * ENTRY + CONSTANT + 10_500
    );
}

#[test]
fn lengths_are_paid_before_the_operator_runs() {
    let fill = |length: i64| call(&format!("(memory.fill (i32.const 0) (i32.const 7) (i32.const {length}))"));
    assert_eq!(gas_of(&fill(0)), ENTRY + 3 * CONSTANT + 20_000);
    assert_eq!(gas_of(&fill(65_536)), ENTRY + 3 * CONSTANT + 20_000 + 65_536 * 200);
    // A length of 2^32 - 1 cannot be paid and is not filled; with all gas there is, it traps outside memory.
    for instrumented in instrumented(&fill(-1)).unwrap() {
        assert_eq!(run(&instrumented, 1 << 39).fault, Some(FAULT_GAS));
        assert_eq!(run(&instrumented, 1 << 62).fault, Some(OTHER_TRAP));
    }
    gas_before_trap(&fill(-1), ENTRY + 3 * CONSTANT + 20_000 + 200 * i64::from(u32::MAX));

    let copy = call("(memory.copy (i32.const 0) (i32.const 100) (i32.const 50))");
    assert_eq!(gas_of(&copy), ENTRY + 3 * CONSTANT + 20_000 + 50 * 200);
    let init = contract(
        r#"(data $d "abcdef") (func (export "call") (memory.init $d (i32.const 0) (i32.const 1) (i32.const 3)) (data.drop $d))"#,
    );
    assert_eq!(gas_of(&init), ENTRY + 3 * CONSTANT + 20_000 + 3 * 200 + 20_000);
    let grow = |pages: i64| call(&format!("(drop (memory.grow (i32.const {pages})))"));
    assert_eq!(gas_of(&grow(2)), ENTRY + CONSTANT + 20_000 + 2 * 32_000_000 + DROP);
    let tables = contract(
        r#"(table $t 10 20 funcref) (elem $e func $f $f $f) (func $f)
           (func (export "call")
             (drop (table.grow $t (ref.null func) (i32.const 4)))
             (table.fill $t (i32.const 0) (ref.null func) (i32.const 5))
             (table.copy $t $t (i32.const 1) (i32.const 2) (i32.const 6))
             (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 3)))"#,
    );
    // `ref.null` is there later than the two have taken.
    let operators = 2 * (GLOBAL_DELAY + 20_000) + 2 * (3 * CONSTANT + 20_000);
    assert_eq!(gas_of(&tables), ENTRY + operators + (4 + 5 + 6 + 3) * 2_000);
}

#[test]
fn frames_are_locals_and_the_largest_height_and_eight() {
    let units = |wat: &str| admitted(wat).unwrap().frame_units;
    assert_eq!(units(&call("")), [8]);
    assert_eq!(units(&contract(r#"(func (param i32 i64 v128) (local f32 v128))"#)), [8 + 1 + 1 + 2 + 1 + 2]);
    assert_eq!(units(&call("(drop (i32.add (i32.const 1) (i32.add (i32.const 1) (i32.const 2))))")), [8 + 3]);
    assert_eq!(units(&call("v128.const i64x2 0 0 v128.const i64x2 0 0 i32.const 1 drop drop drop")), [8 + 5]);
    // Results count as operands, also those that the last `end` leaves; arguments are gone by then.
    assert_eq!(
        units(&contract(
            "(func $f (param i32 i32) (result i64 i64 i64) unreachable) (func (call $f (i32.const 1) (i32.const 1)) drop drop drop)"
        )),
        [8 + 2 + 3, 8 + 3]
    );
    // Dead code counts as the validation algorithm sees it.
    assert_eq!(units(&call("unreachable i32.const 1 i32.const 1 i32.const 1 drop drop drop")), [8 + 3]);
    assert_eq!(units(&call("(block unreachable select drop)")), [8 + 1]);
    // Parameters and results of blocks are where they were.
    assert_eq!(units(&call("i64.const 1 i64.const 2 (loop (param i64 i64) (result i64) i64.add) drop")), [8 + 2]);
}

#[test]
fn depth_is_the_sum_of_the_frames_that_are_active() {
    let recursion = |depth: i64| {
        contract(&format!(
            r#"(func $f (param i64) (if (i64.ne (local.get 0) (i64.const 0))
                 (then (call $f (i64.sub (local.get 0) (i64.const 1))))))
               (func (export "call") (call $f (i64.const {depth})) (call $f (i64.const 1)))"#
        ))
    };
    let outer = 8 + 1;
    let inner = 8 + 1 + 2;
    let run = |depth: i64| {
        let [merged, per_block] = instrumented(&recursion(depth)).unwrap().map(|module| run(&module, 1 << 40));
        assert_eq!(merged, per_block);
        merged
    };
    let ran = run(10);
    assert!(ran.gas.is_some());
    assert_eq!(ran.depth, outer + 11 * inner);
    // As deep as fits, and one more.
    let deepest = (131_072 - outer) / inner - 1;
    let ran = run(deepest);
    assert!(ran.gas.is_some());
    assert_eq!(ran.depth, outer + (deepest + 1) * inner);
    let ran = run(deepest + 1);
    assert_eq!(ran.fault, Some(FAULT_STACK));
}

#[test]
fn functions_below_a_counted_one_count_as_if_they_were_called() {
    let depth = |taken: i32| {
        let wat = contract(&format!(
            r#"(func $deep (local i64 i64 i64)) (func $middle (call $deep)) (func $flat (local i64))
               (func (export "call") (call $flat) (if (i32.const {taken}) (then (call $middle))))"#
        ));
        run(&instrumented(&wat).unwrap()[0], 1 << 40).depth
    };
    // The entry point with one operand; below it, eight units and eight with three locals.
    assert_eq!((depth(0), depth(1)), (9 + 8 + 11, 9 + 8 + 11));
    // What is in a table counts itself, so it counts only when it is entered.
    let indirect = |taken: i32| {
        let wat = contract(&format!(
            r#"(type $t (func)) (table funcref (elem $deep)) (func $deep (type $t) (local i64 i64 i64))
               (func $middle (call_indirect (type $t) (i32.const 0)))
               (func (export "call") (if (i32.const {taken}) (then (call $middle))))"#
        ));
        run(&instrumented(&wat).unwrap()[0], 1 << 40).depth
    };
    assert_eq!((indirect(0), indirect(1)), (9 + 9, 9 + 9 + 11));
}

#[test]
fn the_same_module_is_always_rewritten_the_same_way() {
    let wat = contract(
        r#"(func $a (result i32 i64) i32.const 1 i64.const 2) (func $b (result i64 i64) i64.const 1 i64.const 2)
           (func $c (result i32 i64) call $a) (func (export "call") call $c drop drop)"#,
    );
    let first = admitted(&wat).unwrap();
    assert_eq!(first, admitted(&wat).unwrap());
    assert!(run(&first.instrumented, 1 << 40).gas.is_some());
}

#[test]
fn the_accounts_are_out_of_reach() {
    // Behind the globals of the module, which cannot name them, because it was valid without them.
    let beyond = r#"(module (memory (export "memory") 1) (func (export "call") (global.set 0 (i64.const 1))))"#;
    let bytes = wat::parse_str(beyond).unwrap();
    assert!(matches!(admit(ProtocolVersion::V1, &bytes), Err(AdmissionError::Invalid { .. })));
    for name in [LEAST_ROOM, FAULT, "noema", "noema_anything"] {
        let shadow = contract(&format!(r#"(global (export "{name}") i64 (i64.const 0))"#));
        assert!(matches!(admitted(&shadow), Err(AdmissionError::Export { .. })), "{name}");
    }
}

#[test]
fn the_fingerprint_knows_every_source() {
    for (folder, besides) in [("instrument", &["tests.rs"][..]), ("admission", &["tests.rs", "error.rs"])] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_file() && !besides.contains(&name) {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(super::SOURCES.contains(&text.as_str()), "{} is not in the list", path.display());
            }
        }
    }
}
