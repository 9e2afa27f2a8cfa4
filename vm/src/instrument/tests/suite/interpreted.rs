//! The suite on wasmi.

use wasmi::errors::{ErrorKind, InstantiationError, MemoryError, TableError};
use wasmi::{
    Caller, Engine, Error, Func, FuncType, Global, Instance, Linker, Memory, MemoryType, Module, Mutability, Ref,
    Store, Table, TableType, TrapCode, Val, ValType,
};

use super::{Failure, GAS, Runner, Value, room};
use crate::engine::interpreter_config;
use crate::instrument::FAULT;
use crate::rules::Rules;

pub(super) struct Interpreted {
    store: Store<()>,
    linker: Linker<()>,
    /// An instance has failed that may have left functions in a table of another. wasmi 1.1 keeps no instance for them:
    /// they would read globals through a null pointer. With one instance in a store, as here, nobody can call them.
    unsound: bool,
}

fn native(value: Value, store: &mut Store<()>) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::Function(false) => Val::FuncRef(Ref::Null),
        Value::Function(true) => Val::FuncRef(Ref::Val(Func::wrap(store, || {}))),
    }
}

fn value(value: &Val) -> Option<Value> {
    Some(match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(function) => Value::Function(!function.is_null()),
        _ => return None,
    })
}

fn failure(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::TrapCode(TrapCode::StackOverflow) => Failure::NativeStack,
        ErrorKind::TrapCode(trap) => Failure::Trap(trap.to_string()),
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. })
        | ErrorKind::Memory(MemoryError::OutOfBoundsAccess)
        | ErrorKind::Table(
            TableError::InitOutOfBounds
            | TableError::CopyOutOfBounds
            | TableError::FillOutOfBounds
            | TableError::SetOutOfBounds,
        ) => Failure::Trap(error.to_string()),
        _ => Failure::Link(error.to_string()),
    }
}

impl Runner for Interpreted {
    type Instance = Instance;

    fn new() -> Interpreted {
        let engine = Engine::new(&interpreter_config(&Rules::of(noema_abi::ProtocolVersion::V1).machine));
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        linker.allow_shadowing(true);
        let prints: [(&str, &[ValType]); 7] = [
            ("print", &[]),
            ("print_i32", &[ValType::I32]),
            ("print_i64", &[ValType::I64]),
            ("print_f32", &[ValType::F32]),
            ("print_f64", &[ValType::F64]),
            ("print_i32_f32", &[ValType::I32, ValType::F32]),
            ("print_f64_f64", &[ValType::F64, ValType::F64]),
        ];
        for (name, parameters) in prints {
            let gas_at = parameters.len();
            let parameters: Vec<ValType> = parameters.iter().copied().chain([ValType::I64, ValType::I64]).collect();
            let print = move |_: Caller<'_, ()>, arguments: &[Val], results: &mut [Val]| {
                results[0] = arguments[gas_at].clone();
                Ok(())
            };
            linker.func_new("spectest", name, FuncType::new(parameters, [ValType::I64]), print).unwrap();
        }
        let globals = [
            ("global_i32", Val::I32(666)),
            ("global_i64", Val::I64(666)),
            ("global_f32", Val::F32(666.6f32.into())),
            ("global_f64", Val::F64(666.6f64.into())),
        ];
        for (name, value) in globals {
            let global = Global::new(&mut store, value, Mutability::Const);
            linker.define("spectest", name, global).unwrap();
        }
        let table =
            Table::new(&mut store, TableType::new(ValType::FuncRef, 10, Some(20)), Ref::<Func>::Null.into()).unwrap();
        linker.define("spectest", "table", table).unwrap();
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
        linker.define("spectest", "memory", memory).unwrap();
        Interpreted { store, linker, unsound: false }
    }

    fn instantiate(&mut self, wasm: &[u8]) -> Result<Instance, Failure> {
        let module = Module::new(self.store.engine(), wasm).expect("instrumented modules are valid");
        self.linker.instantiate_and_start(&mut self.store, &module).map_err(|error| {
            let failure = failure(&error);
            let shares_tables = module.imports().any(|import| import.ty().table().is_some());
            self.unsound |= shares_tables && matches!(failure, Failure::Trap(_));
            failure
        })
    }

    fn register(&mut self, name: &str, instance: &Instance) {
        for export in instance.exports(&self.store) {
            self.linker.define(name, export.name(), export.clone().into_extern()).unwrap();
        }
    }

    fn has(&mut self, instance: &Instance, name: &str) -> bool {
        instance.get_func(&self.store, name).is_some()
    }

    fn invoke(&mut self, instance: &Instance, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Failure> {
        let unknown = || Failure::Unknown(format!("no function {name} with such arguments"));
        if self.unsound {
            return Err(Failure::Unknown("functions of an instance that failed may be in a table".into()));
        }
        let function = instance.get_func(&self.store, name).ok_or_else(unknown)?;
        let mut arguments: Vec<Val> = arguments.iter().map(|value| native(*value, &mut self.store)).collect();
        arguments.extend([Val::I64(GAS), Val::I64(room())]);
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &arguments, &mut results).map_err(|error| failure(&error))?;
        let Some(Val::I64(gas)) = results.pop() else { return Err(unknown()) };
        assert!((0..=GAS).contains(&gas), "gas goes down and does not run out: {gas}");
        results.iter().map(value).collect::<Option<_>>().ok_or_else(unknown)
    }

    fn global(&mut self, instance: &Instance, name: &str) -> Option<Value> {
        let global = instance.get_global(&self.store, name)?;
        value(&global.get(&self.store))
    }

    fn clear(&mut self, instance: &Instance) {
        let global = instance.get_global(&self.store, FAULT).expect("the accounts are exported");
        global.set(&mut self.store, Val::I32(0)).unwrap();
    }
}
