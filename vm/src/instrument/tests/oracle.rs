//! Another counter of the same prices: the fuel of wasmtime, set to our table. It counts one for every function that is
//! entered, and what an operator costs in its table, while it compiles the module that we have not touched.

use wasmparser::{Operator, Parser, Payload};
use wasmtime::{Config, Engine, Instance, Module, OperatorCost, Store};

use super::super::operators::{ENTRY_PRICE, operator_price};

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

/// Gas of the export `call` of a module without imports, counted by fuel; `None` if it traps. The module must not use
/// `memory.grow`, whose price does not fit the oracle, and must not declare locals, which it does not price.
pub(super) fn gas(wasm: &[u8]) -> Option<i64> {
    let mut table = OperatorCost::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.unwrap() {
            assert_eq!(body.get_locals_reader().unwrap().get_count(), 0);
            for operator in body.get_operators_reader().unwrap() {
                let operator = operator.unwrap();
                let price = operator_price(&operator).expect("admitted modules have prices");
                let cost = u8::try_from(price / ENTRY_PRICE).expect("prices fit the oracle");
                set_cost(&mut table, &operator, cost);
            }
        }
    }
    table.variable.memory_fill_per_byte = 2;
    table.variable.memory_copy_per_byte = 2;
    let engine = Engine::new(Config::new().consume_fuel(true).operator_cost(table)).unwrap();
    let module = Module::new(&engine, wasm).unwrap();
    let mut store = Store::new(&engine, ());
    let limit = 1 << 40;
    store.set_fuel(limit).unwrap();
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    instance.get_typed_func::<(), ()>(&mut store, "call").unwrap().call(&mut store, ()).ok()?;
    let used = limit - store.get_fuel().unwrap();
    Some(i64::try_from(used * ENTRY_PRICE).unwrap())
}
