//! Compile bombs: modules made to cost a compiler more than they look like. Each class is made at a size that admission
//! refuses, and at the largest size that it accepts; that one is compiled within the limits of the compiler process, or
//! interpreted, and the receipt is the same.

use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_vm::rules::{Limits, Rules};
use noema_vm::{AdmissionError, EngineKind, Outcome, Vm, VmConfig, admit};

use super::compiler::{Kept, process};
use super::world::{GAS, World, config, succeeded};

/// A class: what it is, and the fields of a module by size, with a size that is refused and the largest that is not.
struct Bomb {
    name: &'static str,
    fields: Box<dyn Fn(u64) -> String>,
    largest: u64,
    refused: u64,
}

fn limits() -> &'static Limits {
    &Rules::of(ProtocolVersion::V1).limits
}

fn repeat(count: u64, text: &str) -> String {
    text.repeat(usize::try_from(count).unwrap())
}

fn each(count: u64, text: impl Fn(u64) -> String) -> String {
    (0..count).map(text).collect()
}

/// One function of this many locals (the parameter is one), called by `call` if it is to run.
fn function(locals: u64, body: &str) -> String {
    format!("(func $bomb (param i32) (local {}) {body})", repeat(locals - 1, "i32 "))
}

impl Bomb {
    fn new(name: &'static str, largest: u64, fields: impl Fn(u64) -> String + 'static) -> Bomb {
        Bomb { name, fields: Box::new(fields), largest, refused: largest * 2 }
    }

    /// A class whose limit is the length of the body or the module.
    fn as_long_as_it_fits(
        name: &'static str,
        largest: u64,
        refused: u64,
        fields: impl Fn(u64) -> String + 'static,
    ) -> Bomb {
        Bomb { name, fields: Box::new(fields), largest, refused }
    }

    fn code(&self, size: u64) -> Vec<u8> {
        let fields = (self.fields)(size);
        let text = format!(
            r#"(module (import "context" "output_write" (func $output (param i32 i32) (result i64)))
               (memory (export "memory") 1) {fields}
               (func (export "call") (drop (call $output (i32.const 100) (i32.const 4)))))"#
        );
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

/// What an optimiser tries to put together, for a long time. The longest would be 87,000; it would make the tests as long.
fn additions() -> Bomb {
    Bomb::as_long_as_it_fits("additions in a row", 20_000, 90_000, |count| {
        function(
            2,
            &format!("(local.get 0) {} drop", each(count, |index| format!("(i32.add (i32.const {})) ", index % 64))),
        )
    })
}

fn bombs() -> Vec<Bomb> {
    let limits = limits();
    let locals = limits.locals;
    vec![
        // Every block may need a value for every local.
        Bomb::new("locals times blocks", limits.local_blocks / 512 - 1, |blocks| {
            let block = |index| {
                let local = index % 512;
                format!("(br_if 0 (local.tee {local} (i32.add (local.get {}) (local.get 0))))", (local + 1) % 512)
            };
            function(512, &each(blocks, block))
        }),
        Bomb::new("locals times loops", limits.local_loops / 1024, |loops| {
            let start = |index| {
                format!(
                    "(loop (local.set {} (i32.mul (local.get {}) (i32.const 3)))",
                    index % 1024,
                    (index * 7 + 1) % 1024
                )
            };
            function(1024, &format!("{} {}", each(loops, start), repeat(loops, "(br_if 0 (local.get 1)))")))
        }),
        Bomb::new("blocks in each other", limits.nesting, |count| {
            function(2, &format!("{} {}", repeat(count, "(block (br_if 0 (local.get 0))"), repeat(count, ")")))
        }),
        Bomb::new("blocks side by side", limits.blocks, |count| function(2, &repeat(count, "(block)"))),
        Bomb::new("loops in each other", limits.loop_nesting, |count| {
            function(
                64,
                &format!(
                    "{} {}",
                    repeat(count, "(loop (local.set 1 (i32.add (local.get 1) (local.get 2)))"),
                    repeat(count, "(br_if 0 (local.get 1)))")
                ),
            )
        }),
        Bomb::as_long_as_it_fits(
            "a tower of branch tables",
            limits.metering_blocks / 2 - 4,
            limits.metering_blocks,
            |count| {
                let table = format!("(block (br_table {} (local.get 0)))", repeat(40, "0 "));
                function(2, &repeat(count, &table))
            },
        ),
        Bomb::new("values of branch tables", limits.control_values / (2 * 8 * 9) - 1, |count| {
            let results = repeat(8, "i64 ");
            let table = format!(
                "(block (result {results}) {} (br_table 0 0 0 0 0 0 0 0 (local.get 0))) {}",
                repeat(8, "(i64.const 1) "),
                repeat(8, "drop ")
            );
            function(2, &repeat(count, &table))
        }),
        Bomb::new("arguments of calls", limits.call_values / 72, |count| {
            let call = format!("{} (call $wide) {}", repeat(64, "(local.get 0) "), repeat(8, "drop "));
            format!(
                "(func $wide (param {}) (result {}) unreachable) {}",
                repeat(64, "i32 "),
                repeat(8, "i32 "),
                function(2, &repeat(count, &call))
            )
        }),
        Bomb::new("functions with huge signatures", limits.total_locals / 64 - 1, |count| {
            format!("(type $wide (func (param {}))) {}", repeat(64, "i64 "), repeat(count, "(func (type $wide))"))
        }),
        Bomb::new("one price after the other", limits.metering_blocks - 1, |count| {
            function(2, &repeat(count, "return "))
        }),
        Bomb::new("locals of vectors", locals, |count| {
            let each_one = |index| {
                format!("(local.set {index} (i8x16.add (local.get {index}) (local.get {})))", (index + 1) % count)
            };
            format!("(func $bomb (local {}) {})", repeat(count, "v128 "), each(count, each_one))
        }),
        Bomb::as_long_as_it_fits("a chain of dependent operators", 80_000, 140_000, |count| {
            function(2, &format!("(local.get 0) {} drop", repeat(count, "(i32.add (local.get 1)) ")))
        }),
        Bomb::new("values alive at once", limits.operand_units, |count| {
            function(
                2,
                &format!("{} {} drop", repeat(count, "(i32.load (local.get 0)) "), repeat(count - 1, "i32.xor ")),
            )
        }),
        Bomb::new("different constants", limits.constants - 10, |count| {
            function(
                2,
                &format!(
                    "(local.get 0) {} drop",
                    each(count, |index| format!("(i32.xor (i32.const {})) ", 100_000 + index * 4))
                ),
            )
        }),
        Bomb::as_long_as_it_fits("shuffles", 10_900, 20_000, |count| {
            let shuffle =
                "(local.get 0) (local.get 1) (i8x16.shuffle 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31) (local.set 0) ";
            format!("(func $bomb (local v128 v128) {})", repeat(count, shuffle))
        }),
        Bomb::as_long_as_it_fits("divisions", 37_000, 70_000, |count| {
            function(2, &repeat(count, "(local.set 0 (i32.div_s (local.get 0) (local.get 1))) "))
        }),
        Bomb::new("different constants, compared", limits.constants - 10, |count| {
            function(
                2,
                &format!(
                    "(local.get 0) {} drop",
                    each(count, |index| format!("(i32.lt_u (i32.const {})) ", 100_000 + index * 4))
                ),
            )
        }),
        Bomb::new("different long constants", limits.constants - 10, |count| {
            function(
                2,
                &format!(
                    "(i64.const 0) {} drop",
                    each(count, |index| format!("(i64.mul (i64.const {})) ", (1u64 << 62) + index * 4))
                ),
            )
        }),
        Bomb::new("constants stored", limits.constants - 10, |count| {
            function(2, &each(count, |index| format!("(f64.store (local.get 0) (f64.const {})) ", index)))
        }),
        Bomb::new("constants returned", limits.constants - 10, |count| {
            function(2, &each(count, |index| format!("(local.set 0 (i32.const {})) ", 100_000 + index)))
        }),
        Bomb::as_long_as_it_fits("rotations in a row", 87_000, 90_000, |count| {
            function(2, &format!("(local.get 0) {} drop", repeat(count, "(i32.rotl (local.get 1)) ")))
        }),
        additions(),
        Bomb::new("globals", limits.globals, |count| repeat(count, "(global (mut i64) (i64.const 1))")),
        Bomb::new("element segments", limits.element_segments, |count| {
            format!("(func $f) {}", repeat(count, "(elem func $f $f $f $f)"))
        }),
        Bomb::new("data segments", limits.data_segments, |count| repeat(count, r#"(data (i32.const 0) "\00")"#)),
        Bomb::new("types", limits.types - 2, |count| {
            each(count, |index| {
                let bit = |at: u64| if index >> (at % 12) & 1 == 0 { "i32 " } else { "f64 " };
                format!(
                    "(type (func (param {}) (result {})))",
                    each(64, |at| bit(at).into()),
                    each(8, |at| bit(at).into())
                )
            })
        }),
    ]
}

/// What deploying and calling it gives on a machine.
fn outcomes(vm: Arc<Vm>, code: &[u8]) -> [Outcome; 2] {
    let mut world = World::on(vm);
    let action = noema_vm::Action::Deploy { code: code.to_vec(), salt: 1, input: vec![] };
    let deployed = world.send(super::world::ALICE, 0, 1000 * GAS, action);
    succeeded(&deployed);
    let contract = noema_vm::Address::of_contract(super::world::ALICE, 1, &noema_vm::code_hash(code));
    let called = world.call(contract, &[]);
    succeeded(&called);
    [deployed, called]
}

fn interpreted(code: &[u8]) -> [Outcome; 2] {
    outcomes(Arc::new(Vm::new(VmConfig { engine: EngineKind::Wasmi, ..config() }).unwrap()), code)
}

#[test]
fn compile_bombs_are_refused_above_the_limits() {
    for bomb in bombs() {
        match admit(ProtocolVersion::V1, &bomb.code(bomb.refused)) {
            Err(AdmissionError::Limit { .. }) => {}
            Err(other) => panic!("{}: {other}", bomb.name),
            Ok(_) => panic!("{} is admitted", bomb.name),
        }
    }
}

#[test]
fn compile_bombs_below_them_compile_within_the_limits_of_the_process() {
    let kept = Kept::new(process());
    for (number, bomb) in (1..).zip(bombs()) {
        let code = bomb.code(bomb.largest);
        assert_eq!(outcomes(kept.machine(), &code), interpreted(&code), "{}", bomb.name);
        assert_eq!(kept.compiled(), number, "{} was interpreted", bomb.name);
    }
}

#[test]
fn compile_bombs_that_take_too_long_are_interpreted_with_the_same_receipt() {
    // Compiling it takes many times as long as this.
    let kept = Kept::new(noema_vm::CompilerProcess { seconds: 1, ..process() });
    let code = additions().code(87_000);
    assert_eq!(outcomes(kept.machine(), &code), interpreted(&code));
    assert_eq!(kept.compiled(), 0, "it was compiled");
}

#[test]
fn compile_bombs_that_take_too_much_memory_are_interpreted_with_the_same_receipt() {
    // Enough for the compiler and a small module, which a machine tries first.
    let kept = Kept::new(noema_vm::CompilerProcess { memory_bytes: 16 << 20, ..process() });
    let small = super::world::calling("");
    succeeded(&World::on(kept.machine()).run(&small));
    assert_eq!(kept.compiled(), 1, "the small one was interpreted");
    let code = additions().code(20_000);
    assert_eq!(outcomes(kept.machine(), &code), interpreted(&code));
    assert_eq!(kept.compiled(), 1, "the large one was compiled");
}

#[test]
fn a_function_at_all_limits_at_once_is_interpreted_too() {
    // Locals, operands, constants, and a metering block price in each of its blocks: an interpreter has a register for each.
    let limits = limits();
    let blocks = limits.local_blocks / limits.locals - 8;
    let constants = each(limits.constants - limits.operand_units - 64, |index| format!("(drop (i64.const {index}))"));
    let operands =
        each(limits.operand_units - 2, |index| format!("(i64.const {}) ", -5 - i64::try_from(index).unwrap()));
    let drops = repeat(limits.operand_units - 2, "drop ");
    let block = |index: u64| format!("{}(br_if 0 (local.get 0))", repeat(index % 61 + 1, "nop (drop (local.get 1))"));
    let locals = repeat(limits.locals - 1, "i64 ");
    let body = format!("{constants} {} {operands} {drops}", each(blocks, block));
    let fields = format!("(func $bomb (param i32) (local {locals}) {body})");
    let bomb = Bomb::new("all limits", 0, move |_| fields.clone());
    interpreted(&bomb.code(0));
}
