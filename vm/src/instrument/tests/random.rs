//! Random programs with every kind of control flow, against the oracle.

use std::fmt::Write;

use proptest::prelude::*;

use super::{instrumented, oracle, run};

/// A statement: it leaves the operand stack as it was.
#[derive(Clone, Debug)]
enum Statement {
    /// `value = value * 31 + number`
    Mix(i32),
    /// A store and a load.
    Memory(u16),
    Fill(u16),
    Block(Vec<Statement>),
    /// Runs while a budget that all loops share lasts.
    Loop(Vec<Statement>),
    If(Vec<Statement>, Option<Vec<Statement>>),
    /// Branch to the label this many outwards, if there are so many; loops are left alone, so that all of it ends.
    Br(u8),
    BrIf(u8),
    BrTable(Vec<u8>),
    Return,
    /// A block that passes three values.
    Values(Vec<Statement>),
    /// Call the next function, directly or through the table.
    Call(bool),
}

fn statements(depth: u32) -> BoxedStrategy<Vec<Statement>> {
    let leaf = prop_oneof![
        6 => any::<i32>().prop_map(Statement::Mix),
        2 => any::<u16>().prop_map(Statement::Memory),
        1 => (0u16..300).prop_map(Statement::Fill),
        2 => any::<u8>().prop_map(Statement::Br),
        4 => any::<u8>().prop_map(Statement::BrIf),
        2 => prop::collection::vec(any::<u8>(), 0..5).prop_map(Statement::BrTable),
        1 => Just(Statement::Return),
        2 => any::<bool>().prop_map(Statement::Call),
    ];
    if depth == 0 {
        return prop::collection::vec(leaf, 0..4).boxed();
    }
    let inner = move || statements(depth - 1);
    let statement = prop_oneof![
        4 => leaf,
        2 => inner().prop_map(Statement::Block),
        2 => inner().prop_map(Statement::Loop),
        2 => (inner(), prop::option::of(inner())).prop_map(|(then, other)| Statement::If(then, other)),
        1 => inner().prop_map(Statement::Values),
    ];
    prop::collection::vec(statement, 0..5).boxed()
}

/// Writes statements as text. `labels` are the open blocks, outermost first: whether each is one to branch to, which
/// a loop and a block with values are not.
fn write(text: &mut String, statements: &[Statement], labels: &mut Vec<bool>) {
    let target = |labels: &[bool], number: u8| {
        let open: Vec<usize> =
            (0..labels.len()).rev().filter(|at| labels[*at]).map(|at| labels.len() - 1 - at).collect();
        open.get(usize::from(number) % open.len().max(1)).copied()
    };
    for statement in statements {
        match statement {
            Statement::Mix(number) => {
                write!(text, "(global.set $v (i32.add (i32.mul (global.get $v) (i32.const 31)) (i32.const {number})))")
            }
            Statement::Memory(at) => write!(
                text,
                "(i32.store (i32.const {at}) (global.get $v)) (global.set $v (i32.xor (global.get $v) (i32.load offset=1 (i32.const {at}))))"
            ),
            Statement::Fill(length) => {
                write!(text, "(memory.fill (i32.const 9) (global.get $v) (i32.const {length}))")
            }
            Statement::Block(body) => nested(text, "(block ", body, labels, true),
            Statement::Loop(body) => {
                text.push_str("(loop ");
                labels.push(false);
                write(text, body, labels);
                labels.pop();
                write!(text, "(br_if 0 (call $more)))")
            }
            Statement::If(then, other) => {
                text.push_str("(if (i32.and (global.get $v) (i32.const 4)) ");
                nested(text, "(then ", then, labels, true).unwrap();
                if let Some(other) = other {
                    nested(text, "(else ", other, labels, true).unwrap();
                }
                write!(text, ")")
            }
            Statement::Br(number) => match target(labels, *number) {
                Some(label) => write!(text, "(br {label}) "),
                None => Ok(()),
            },
            Statement::BrIf(number) => match target(labels, *number) {
                Some(label) => write!(text, "(br_if {label} (i32.and (global.get $v) (i32.const 2)))"),
                None => Ok(()),
            },
            Statement::BrTable(numbers) => {
                let found: Vec<usize> = numbers.iter().filter_map(|number| target(labels, *number)).collect();
                if found.is_empty() {
                    continue;
                }
                text.push_str("(br_table ");
                for label in &found {
                    write!(text, "{label} ").unwrap();
                }
                write!(text, "(i32.and (global.get $v) (i32.const 3)))")
            }
            Statement::Return => write!(text, "(return (i64.const 1) (global.get $v))"),
            Statement::Values(body) => {
                text.push_str("(i32.const 1) (i64.const 2) (f32.const 3) (block (param i32 i64 f32) (result f32 i32) ");
                text.push_str("drop drop drop ");
                labels.push(false);
                write(text, body, labels);
                labels.pop();
                write!(text, "(f32.const 4) (i32.const 5)) (drop) (drop)")
            }
            Statement::Call(indirect) => {
                let callee = if *indirect { "(call_indirect (type $f) (i32.const 0) (i32.const NEXT))" } else { "(call $NEXT (i32.const 0))" };
                write!(text, "{callee} (drop) (drop)")
            }
        }
        .unwrap();
    }
}

fn nested(text: &mut String, head: &str, body: &[Statement], labels: &mut Vec<bool>, target: bool) -> std::fmt::Result {
    text.push_str(head);
    labels.push(target);
    write(text, body, labels);
    labels.pop();
    text.write_str(")")
}

fn program(functions: &[Vec<Statement>]) -> String {
    let mut text = String::from(
        r#"(module (memory (export "memory") 2 2)
             (type $f (func (param i32) (result i64 i32)))
             (global $v (mut i32) (i32.const 1)) (global $budget (mut i32) (i32.const 200))
             (func $more (result i32)
               (global.set $budget (i32.sub (global.get $budget) (i32.const 1)))
               (i32.gt_s (global.get $budget) (i32.const 0)))
             (func (export "call") (call $f0 (i32.const 0)) (drop) (drop))
        "#,
    );
    for (index, body) in functions.iter().enumerate() {
        let mut code = String::new();
        write(&mut code, body, &mut Vec::new());
        // Calls go forward only, and the last function calls nothing.
        let code = code.replace("$NEXT", &format!("$f{}", index + 1)).replace("NEXT", &(index + 1).to_string());
        write!(text, "(func $f{index} (type $f) {code} (i64.const 7) (i32.const 8))").unwrap();
    }
    let last = functions.len();
    write!(text, "(func $f{last} (type $f) (i64.const 0) (global.get $v))").unwrap();
    text.push_str("(table funcref (elem");
    for index in 0..=last {
        write!(text, " $f{index}").unwrap();
    }
    text.push_str(")))");
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn gas_equals_the_oracle(functions in prop::collection::vec(statements(3), 1..4)) {
        let text = program(&functions);
        let all = instrumented(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let oracle = oracle::gas(&wat::parse_str(&text).unwrap());
        for instrumented in &all {
            prop_assert_eq!(run(instrumented, 1 << 50).gas, oracle, "{}", text);
            if let Some(gas) = oracle {
                prop_assert_eq!(run(instrumented, gas).gas, Some(gas), "{}", text);
                prop_assert_eq!(run(instrumented, gas - 1).gas, None, "{}", text);
            }
        }
        prop_assert_eq!(run(&all[0], 1 << 50).depth, run(&all[1], 1 << 50).depth);
    }
}
