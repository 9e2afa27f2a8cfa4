//! Another counter of the same prices: the fuel of wasmtime, set to our table. It counts one for every function that is
//! entered, and what an operator costs in its table, while it compiles the module that we have not touched.

use noema_abi::ProtocolVersion;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, Function, Instruction, Module};
use wasmparser::{FunctionBody, Operator, Parser};
use wasmtime::{Config, Engine, Instance, OperatorCost, Store};

use super::super::Findings;
use super::super::costs::{ENTRY_PRICE, FORESEEN, Reach, Setting, by_itself};
use super::super::pricing::Pricing;
use crate::admission::findings;

macro_rules! define_set_cost {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
        fn set_cost(table: &mut OperatorCost, operator: &Operator<'_>, cost: u8) {
            match operator {
                $( Operator::$op $({ $($arg: _),* })? => table.$op = cost, )*
                other => panic!("{other:?} is not in the list"),
            }
        }
    };
}
wasmparser::for_each_operator!(define_set_cost);

/// Random modules have a near memory and are not large.
const SETTING: Setting = Setting { reach: Reach::Near, is_large: false };

/// The module as the oracle can count it. A price in its table has 8 bits and is the same for every operator of a kind: what a
/// price is beyond that stands in front of the operator as so many `nop`, which cost one here, and nothing otherwise.
struct Padded<'a> {
    table: &'a mut OperatorCost,
    /// What was found of the functions to come.
    findings: std::slice::Iter<'a, Findings>,
}

impl Reencode for Padded<'_> {
    type Error = std::convert::Infallible;

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Result<(), Error> {
        assert_eq!(body.get_locals_reader().unwrap().get_count(), 0);
        let mut pricing = Pricing::new(SETTING, self.findings.next().expect("one for each body"));
        let mut function = Function::new([]);
        let mut operators = body.get_operators_reader().unwrap();
        while !operators.eof() {
            let operator = operators.read().unwrap();
            let price = pricing.price(&operator).expect("admitted modules have prices");
            let units = price / ENTRY_PRICE;
            // The least that one of its kind costs, and what is left as `nop`.
            let least = match operator {
                Operator::BrIf { .. } | Operator::If { .. } => Some(FORESEEN),
                Operator::I64Const { .. } => by_itself(&Operator::I64Const { value: 0 }).map(|(cost, _)| cost.time),
                _ => by_itself(&operator).map(|(cost, _)| cost.time),
            };
            let in_table = u8::try_from(least.expect("it has one") / ENTRY_PRICE).unwrap_or(0);
            if !matches!(operator, Operator::Nop) {
                set_cost(self.table, &operator, in_table);
                for _ in 0..units - u64::from(in_table) {
                    function.instruction(&Instruction::Nop);
                }
                function.instruction(&self.instruction(operator)?);
            }
        }
        code.function(&function);
        Ok(())
    }
}

/// Gas of the export `call` of a module without imports, counted by fuel; `None` if it traps. The module must have a near memory,
/// must not use `memory.grow`, whose price does not fit the oracle, and must not declare locals, which it does not price.
pub(super) fn gas(wasm: &[u8]) -> Option<i64> {
    let mut table = OperatorCost::new();
    table.Nop = 1;
    let findings = findings(ProtocolVersion::V1, wasm).unwrap();
    let mut padded = Module::new();
    Padded { table: &mut table, findings: findings.iter() }
        .parse_core_module(&mut padded, Parser::new(0), wasm)
        .unwrap();
    table.variable.memory_fill_per_byte = u8::try_from(200 / ENTRY_PRICE).unwrap();
    table.variable.memory_copy_per_byte = u8::try_from(200 / ENTRY_PRICE).unwrap();
    let engine = Engine::new(Config::new().consume_fuel(true).operator_cost(table)).unwrap();
    let module = wasmtime::Module::new(&engine, padded.finish()).unwrap();
    let mut store = Store::new(&engine, ());
    let limit = 1 << 40;
    store.set_fuel(limit).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "call").unwrap().call(&mut store, ()).ok()?;
    let used = limit - store.get_fuel().unwrap();
    Some(i64::try_from(used * ENTRY_PRICE).unwrap())
}
