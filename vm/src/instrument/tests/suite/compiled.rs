//! The suite on wasmtime.

use wasmtime::{
    AsContext, Caller, Engine, Extern, Func, FuncType, Global, GlobalType, Instance, Linker, Memory, MemoryType,
    Module, Mutability, Ref, RefType, Store, Table, TableType, Trap, Val, ValType,
};

use super::{Failure, GAS, Runner, Value, room};
use crate::engine::config_on_demand;
use crate::instrument::FAULT;
use crate::rules::Rules;

pub(super) struct Compiled {
    store: Store<()>,
    linker: Linker<()>,
}

fn native(value: Value, store: &mut Store<()>) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::Function(false) => Val::FuncRef(None),
        Value::Function(true) => Val::FuncRef(Some(Func::wrap(store, || {}))),
    }
}

fn value(value: &Val) -> Option<Value> {
    Some(match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(bits) => Value::V128(bits.as_u128()),
        Val::FuncRef(function) => Value::Function(function.is_some()),
        _ => return None,
    })
}

fn failure(error: &wasmtime::Error) -> Failure {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Failure::NativeStack,
        Some(trap) => Failure::Trap(trap.to_string()),
        None => Failure::Link(format!("{error:#}")),
    }
}

impl Runner for Compiled {
    type Instance = Instance;

    fn new() -> Compiled {
        let engine = Engine::new(&config_on_demand(&Rules::of(noema_abi::ProtocolVersion::V1).machine)).unwrap();
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
            let parameters = parameters.iter().cloned().chain([ValType::I64, ValType::I64]);
            let ty = FuncType::new(&engine, parameters, [ValType::I64]);
            let print = move |_: Caller<'_, ()>, arguments: &[Val], results: &mut [Val]| {
                results[0] = arguments[gas_at];
                Ok(())
            };
            linker.func_new("spectest", name, ty, print).unwrap();
        }
        let globals = [
            ("global_i32", Val::I32(666)),
            ("global_i64", Val::I64(666)),
            ("global_f32", Val::F32(666.6f32.to_bits())),
            ("global_f64", Val::F64(666.6f64.to_bits())),
        ];
        for (name, value) in globals {
            let ty = GlobalType::new(value.ty(&store).unwrap(), Mutability::Const);
            let global = Global::new(&mut store, ty, value).unwrap();
            linker.define(store.as_context(), "spectest", name, global).unwrap();
        }
        let table = Table::new(&mut store, TableType::new(RefType::FUNCREF, 10, Some(20)), Ref::Func(None)).unwrap();
        linker.define(store.as_context(), "spectest", "table", table).unwrap();
        let memory = Memory::new(&mut store, MemoryType::new(1, Some(2))).unwrap();
        linker.define(store.as_context(), "spectest", "memory", memory).unwrap();
        Compiled { store, linker }
    }

    fn instantiate(&mut self, wasm: &[u8]) -> Result<Instance, Failure> {
        let module = Module::new(self.store.engine(), wasm).expect("instrumented modules are valid");
        self.linker.instantiate(&mut self.store, &module).map_err(|error| failure(&error))
    }

    fn register(&mut self, name: &str, instance: &Instance) {
        self.linker.instance(&mut self.store, name, *instance).unwrap();
    }

    fn has(&mut self, instance: &Instance, name: &str) -> bool {
        instance.get_func(&mut self.store, name).is_some()
    }

    fn invoke(&mut self, instance: &Instance, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Failure> {
        let unknown = || Failure::Unknown(format!("no function {name} with such arguments"));
        let function = instance.get_func(&mut self.store, name).ok_or_else(unknown)?;
        let mut arguments: Vec<Val> = arguments.iter().map(|value| native(*value, &mut self.store)).collect();
        arguments.extend([Val::I64(GAS), Val::I64(room())]);
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &arguments, &mut results).map_err(|error| failure(&error))?;
        let Some(Val::I64(gas)) = results.pop() else { return Err(unknown()) };
        assert!((0..=GAS).contains(&gas), "gas goes down and does not run out: {gas}");
        results.iter().map(value).collect::<Option<_>>().ok_or_else(unknown)
    }

    fn global(&mut self, instance: &Instance, name: &str) -> Option<Value> {
        let global = instance.get_export(&mut self.store, name).and_then(Extern::into_global)?;
        value(&global.get(&mut self.store))
    }

    fn clear(&mut self, instance: &Instance) {
        let global = instance.get_global(&mut self.store, FAULT).expect("the accounts are exported");
        global.set(&mut self.store, Val::I32(0)).unwrap();
    }
}
