//! Random contracts on every engine: receipts, writes, reads and logs must be equal.
//!
//! ```text
//! seed --> program.rs  wasm-smith, made to end and to call the host
//!      --> deploy, call with much gas, call with about as much as it took   (on each machine)
//!      --> compare outcomes; the output has in it a hash of memory, every global, every result
//! ```

mod program;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_model::MemoryModelStore;
use noema_tensor::{DType, Level};
use noema_vm::{Action, Address, BlockContext, EngineKind, Message, Outcome, ReceiptStatus, Vm, VmConfig, code_hash};
use serde::Serialize;

use crate::random::draw::Draw;
use crate::report::{ConformanceError, Difference, Report};
use crate::vectors::kernels;

/// The engines that are compared on this machine: what they must agree on is whatever the first one gives. wasmi does not pass its
/// known-answer test where numbers begin with their highest byte.
pub fn kinds() -> impl Iterator<Item = EngineKind> {
    let all = [
        EngineKind::Cranelift,
        EngineKind::CraneliftPerBlock,
        EngineKind::CraneliftUnoptimized,
        EngineKind::Pulley,
        EngineKind::Wasmi,
    ];
    all.into_iter().filter(|kind| cfg!(target_endian = "little") || *kind != EngineKind::Wasmi)
}

/// Gas for the first call: 20 milliseconds of the reference machine.
const GAS: u64 = 20_000_000_000;
/// Gas for deploying: whatever it takes.
const DEPLOY_GAS: u64 = 1 << 60;
const SENDER: Address = Address([0x5e; 32]);
/// Differences that are kept in full.
const MAX_DIFFERENCES: usize = 16;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the programs come from: the same seed gives the same ones, in the same order.
    pub seed: u64,
    /// Where modules with different outcomes are written, if anywhere.
    pub save: Option<PathBuf>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Found {
    /// Programs run, each on all engines, with two limits of gas.
    pub cases: u64,
    /// Of the calls with much gas: those that returned.
    pub completed: u64,
    /// Those that the contract aborted.
    pub aborted: u64,
    /// Those that trapped or ran out of gas.
    pub faulted: u64,
    /// Those that returned, with calls of the host from inside the random code.
    pub host_calls: u64,
    /// Those whose second call, with about as much gas as the first one took, faulted.
    pub short_of_gas: u64,
    /// Programs that admission refused, and that were drawn again.
    pub inadmissible: u64,
    /// Median of the gas that operators took, of those that returned.
    pub median_gas: u64,
    /// Outcomes compared, and those that differ.
    pub report: Report,
    #[serde(skip)]
    gas: Vec<u64>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |part: u64| part * 100 / self.cases.max(1);
        writeln!(
            f,
            "{} programs on {} engines: {} ({}%) completed, {} aborted, {} faulted; {} ({}%) called the host; {} of the \
             second calls fell short of gas; {} drawn again",
            self.cases,
            kinds().count(),
            self.completed,
            share(self.completed),
            self.aborted,
            self.faulted,
            self.host_calls,
            share(self.host_calls),
            self.short_of_gas,
            self.inadmissible,
        )?;
        writeln!(f, "median gas of operators, of those that completed: {}", self.median_gas)?;
        write!(f, "{}", self.report)
    }
}

type State = BTreeMap<Vec<u8>, Vec<u8>>;

struct Machines {
    machines: Vec<(EngineKind, Vm)>,
    state: State,
    /// A contract that programs call.
    callee: Address,
}

/// Runs programs for as long as `go_on` says, which is asked with the number of cases so far.
///
/// # Errors
/// This machine cannot run them, or a module cannot be written.
pub fn run(plan: &Plan, go_on: &mut dyn FnMut(u64) -> bool) -> Result<Found, ConformanceError> {
    let machines = Machines::new()?;
    let mut found = Found::default();
    while go_on(found.cases) {
        // One stream of numbers for each case, so that a case can be had again without those before it.
        let mut draw =
            Draw::new(plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ found.cases.wrapping_add(1), DType::I8);
        machines.case(plan, &mut draw, &mut found)?;
    }
    found.gas.sort_unstable();
    found.median_gas = found.gas.get(found.gas.len() / 2).copied().unwrap_or(0);
    Ok(found)
}

impl Machines {
    fn new() -> Result<Machines, ConformanceError> {
        let machine = |kind: EngineKind| {
            let kernels = Arc::new(kernels(Level::Portable, 1)?);
            let mut config = VmConfig::new(kernels, Arc::new(MemoryModelStore::new()));
            (config.concurrent_messages, config.module_cache_bytes, config.engine) = (1, 1 << 20, kind);
            Ok((kind, Vm::new(config).map_err(node)?))
        };
        let machines = kinds().map(machine).collect::<Result<Vec<_>, ConformanceError>>()?;
        let code = wat::parse_str(program::CALLEE).map_err(node)?;
        let mut machines = Machines { machines, state: State::new(), callee: Address([0; 32]) };
        let deploy = Action::Deploy { code: code.clone(), salt: 0, input: Vec::new() };
        let outcome = machines.execute(0, &State::new(), deploy, DEPLOY_GAS).map_err(node)?;
        if outcome.receipt.status != ReceiptStatus::Success {
            return Err(ConformanceError::Node(format!("the callee is not deployed: {:?}", outcome.diagnostic)));
        }
        apply(&mut machines.state, &outcome);
        machines.callee = Address::of_contract(SENDER, 0, &code_hash(&code));
        Ok(machines)
    }

    /// The outcome without the words for people, which differ; or the fault of the node.
    fn execute(&self, machine: usize, state: &State, action: Action, gas_limit: u64) -> Result<Outcome, String> {
        let (_, vm) = &self.machines[machine];
        let block = BlockContext {
            chain_id: "diff".into(),
            height: 5,
            time_ms: 1_700_000_000_000,
            version: ProtocolVersion::V1,
            deposit_per_byte: 0,
        };
        let message = Message { sender: SENDER, value: 0, gas_limit, action };
        let outcome = vm.execute(state, &block, &message).map_err(|error| error.to_string())?;
        Ok(Outcome { diagnostic: None, ..outcome })
    }

    /// The outcome on all machines, if it is one and the same. A fault of a node is a difference, even where all agree.
    fn compare(&self, at: &str, state: &State, action: &Action, gas: u64, found: &mut Found) -> Option<Outcome> {
        let expected = self.execute(0, state, action.clone(), gas);
        let mut differences = Vec::new();
        if let Err(error) = &expected {
            differences.push((0, error.clone()));
        }
        for machine in 1..self.machines.len() {
            let other = self.execute(machine, state, action.clone(), gas);
            found.report.cases += 1;
            match (&expected, other) {
                (Ok(expected), Ok(other)) if other == *expected => {}
                (Ok(expected), Ok(other)) => differences.push((machine, differing(expected, &other))),
                (_, Err(error)) => differences.push((machine, error)),
                (Err(_), Ok(_)) => {}
            }
        }
        let equal = differences.is_empty();
        for (machine, what) in differences {
            if found.report.differences.len() < MAX_DIFFERENCES {
                let at = format!("{at}, {gas} gas, on {}", self.machines[machine].0);
                found.report.differences.push(Difference { at, what });
            } else {
                found.report.more += 1;
            }
        }
        expected.ok().filter(|_| equal)
    }

    fn case(&self, plan: &Plan, draw: &mut Draw, found: &mut Found) -> Result<(), ConformanceError> {
        let code = loop {
            let code = program::draw(draw, &self.callee);
            if self.machines[0].1.admit(ProtocolVersion::V1, &code).is_ok() {
                break code;
            }
            found.inadmissible += 1;
        };
        let number = found.cases;
        found.cases += 1;
        let at = format!("seed {}, case {number}", plan.seed);
        if self.calls(&at, draw, &code, found).is_none()
            && let Some(directory) = &plan.save
        {
            let path = directory.join(format!("seed-{}-case-{number}.wasm", plan.seed));
            std::fs::create_dir_all(directory).map_err(ConformanceError::file(directory))?;
            std::fs::write(&path, &code).map_err(ConformanceError::file(&path))?;
        }
        Ok(())
    }

    /// Deploys a program and calls it twice. `None` where something differs.
    fn calls(&self, at: &str, draw: &mut Draw, code: &[u8], found: &mut Found) -> Option<()> {
        let mut state = self.state.clone();
        let deploy = Action::Deploy { code: code.to_vec(), salt: 1, input: Vec::new() };
        let deployed = self.compare(&format!("{at}, deploying"), &state, &deploy, DEPLOY_GAS, found)?;
        apply(&mut state, &deployed);
        let contract = Address::of_contract(SENDER, 1, &code_hash(code));
        let input = (0..draw.below(64)).map(|_| draw.bits().to_le_bytes()[0]).collect();
        let call = Action::Call { contract, input };
        let first = self.compare(at, &state, &call, GAS, found)?;
        match &first.receipt.status {
            ReceiptStatus::Success => {
                found.completed += 1;
                found.gas.push(first.receipt.gas.wasm);
                found.host_calls += u64::from(program::called_host(&first.receipt.output));
            }
            ReceiptStatus::Abort { .. } => found.aborted += 1,
            _ => found.faulted += 1,
        }
        let used = first.receipt.gas_used();
        let near = 1 << draw.range(8, 28);
        let limit = match draw.below(4) {
            0 => used,
            1 => used.saturating_sub(1),
            2 => used.saturating_sub(draw.below(near)),
            _ => draw.below(used.max(1)),
        };
        let second = self.compare(at, &state, &call, limit, found)?;
        if first.receipt.status != ReceiptStatus::Fault && second.receipt.status == ReceiptStatus::Fault {
            found.short_of_gas += 1;
        }
        Some(())
    }
}

fn node(error: impl fmt::Display) -> ConformanceError {
    ConformanceError::Node(error.to_string())
}

fn apply(state: &mut State, outcome: &Outcome) {
    for (key, value) in &outcome.writes {
        match value {
            Some(value) => state.insert(key.clone(), value.clone()),
            None => state.remove(key),
        };
    }
}

/// Which part of two outcomes differs, and how.
fn differing(expected: &Outcome, found: &Outcome) -> String {
    let (a, b) = (&expected.receipt, &found.receipt);
    let gas = |receipt: &noema_vm::Receipt| format!("{:?}", receipt.gas);
    let parts: [(&str, String, String); 8] = [
        ("status", format!("{:?}", a.status), format!("{:?}", b.status)),
        ("gas", gas(a), gas(b)),
        ("output", hex::encode(&a.output), hex::encode(&b.output)),
        ("events", format!("{:?}", a.events), format!("{:?}", b.events)),
        ("depth", a.depth.to_string(), b.depth.to_string()),
        ("writes", format!("{:?}", expected.writes), format!("{:?}", found.writes)),
        ("reads", format!("{:?}", expected.reads), format!("{:?}", found.reads)),
        ("logs", format!("{:?}", expected.logs), format!("{:?}", found.logs)),
    ];
    match parts.into_iter().find(|(_, a, b)| a != b) {
        Some((name, a, b)) => format!("{name}: expected {a}, found {b}"),
        None => "something else".into(),
    }
}
