//! `noema profile`: where the gas of one call goes, as a flame graph.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use inferno::flamegraph::{self, Options};
use noema_chain::{Address, Chain, Notes};
use noema_vm::{FrameEnd, FrameStart, HostCallEnd, Observer, Place, code_hash};
use serde::Serialize;

use crate::arguments::KernelArgs;
use crate::dry_run::DryRunArgs;
use crate::output::{self, Report, table};
use crate::receipts::{ResultReport, amount};
use crate::symbols::{Symbols, Twin};
use crate::{CliError, Context, arguments, contract_code};

/// Arguments of `noema profile`.
#[derive(Args, Debug)]
pub struct ProfileArgs {
    #[command(flatten)]
    call: DryRunArgs,
    /// Directory of the crate that the contract was built from, for names, files and lines; once for each contract that is called
    #[arg(long, value_name = "DIR")]
    source: Vec<PathBuf>,
    /// Where to write the flame graph
    #[arg(short, long, value_name = "FILE", default_value = "profile.svg")]
    out: PathBuf,
    #[command(flatten)]
    kernels: KernelArgs,
}

/// Where gas went.
#[derive(Serialize, Debug)]
pub struct ProfileReport {
    #[serde(serialize_with = "output::path")]
    file: PathBuf,
    /// All that the call took.
    gas: u64,
    status: String,
    /// What took the most by itself: name and gas.
    most: Vec<(String, u64)>,
    /// Contracts of which no source was given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unnamed: Vec<String>,
}

/// Lines that the report shows; all are in the file.
const SHOWN: usize = 15;

impl Report for ProfileReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut lines = table(&["gas", "share", "place"]);
        for (name, gas) in &self.most {
            let tenths = u128::from(*gas) * 1000 / u128::from(self.gas.max(1));
            lines.add_row(vec![amount(*gas), format!("{}.{} %", tenths / 10, tenths % 10), name.clone()]);
        }
        writeln!(out, "{lines}")?;
        writeln!(
            out,
            "{} gas in all, {}; the flame graph is in {}",
            amount(self.gas),
            self.status,
            self.file.display()
        )?;
        if !self.unnamed.is_empty() {
            writeln!(out, "functions of {} have numbers: give its sources with --source DIR", self.unnamed.join(", "))?;
        }
        Ok(())
    }
}

/// One level of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Contract(Address, &'static str),
    /// A function that begins at this offset of the contract's module.
    Function(Address, usize),
    /// Where in it.
    Place(Address, usize),
    Host(&'static str, &'static str),
    Named(String),
}

/// Takes gas down by stack.
#[derive(Default)]
struct Profiler {
    stack: Vec<Level>,
    frames: Vec<Frame>,
    spent: BTreeMap<Vec<Level>, u64>,
    /// The model that `model.run` is running.
    model: Option<(String, Vec<(String, u64)>)>,
}

struct Frame {
    contract: Address,
    limit: u64,
    /// Gas left when it was last told.
    last: u64,
    /// What contracts have taken in host functions that have not ended, innermost last.
    inside: Vec<u64>,
    /// Where in the running function, for each of the functions that are running.
    places: Vec<usize>,
}

impl Profiler {
    /// What was spent since the last time belongs to where the code is.
    fn spend(&mut self, now: u64) {
        let Some(frame) = self.frames.last_mut() else { return };
        let gas = frame.last.saturating_sub(now);
        frame.last = now;
        if gas > 0 {
            let place = frame.places.last().map(|place| Level::Place(frame.contract, *place));
            let in_code = matches!(self.stack.last(), Some(Level::Function(..)));
            self.add(place.filter(|_| in_code).into_iter().collect(), gas);
        }
    }

    fn add(&mut self, more: Vec<Level>, gas: u64) {
        let stack: Vec<Level> = self.stack.iter().cloned().chain(more).collect();
        let sum = self.spent.entry(stack).or_default();
        *sum = sum.saturating_add(gas);
    }
}

impl Observer for Profiler {
    fn begin(&mut self) {
        *self = Profiler::default();
    }

    fn enter(&mut self, frame: &FrameStart<'_>) {
        self.stack.push(Level::Contract(frame.contract, frame.export));
        let (contract, gas) = (frame.contract, frame.gas);
        self.frames.push(Frame { contract, limit: gas, last: gas, inside: Vec::new(), places: Vec::new() });
    }

    fn leave(&mut self, gas_left: u64, end: &FrameEnd<'_>) {
        if let (FrameEnd::Fault(_), Some(frame)) = (end, self.frames.last_mut()) {
            let lost = frame.last.saturating_sub(gas_left);
            frame.last = gas_left;
            self.add(vec![Level::Named("lost with the fault".to_owned())], lost);
        }
        self.spend(gas_left);
        // A frame that aborts or faults leaves its functions without a word.
        while let Some(level) = self.stack.pop() {
            if matches!(level, Level::Contract(..)) {
                break;
            }
        }
        let taken = self.frames.pop().map_or(0, |frame| frame.limit.saturating_sub(gas_left));
        if let Some(inside) = self.frames.last_mut().and_then(|frame| frame.inside.last_mut()) {
            *inside = inside.saturating_add(taken);
        }
    }

    fn host_call_begins(&mut self, group: &'static str, name: &'static str, gas_left: u64) {
        self.spend(gas_left);
        self.stack.push(Level::Host(group, name));
        self.model = None;
        if let Some(frame) = self.frames.last_mut() {
            frame.inside.push(0);
        }
    }

    fn model_runs(&mut self, model: &str, nodes: &[(&str, u64)]) {
        let nodes = nodes.iter().map(|(name, gas)| ((*name).to_owned(), *gas)).collect();
        self.model = Some((model.to_owned(), nodes));
    }

    fn host_call_ends(&mut self, _: &'static str, _: &'static str, gas_left: u64, _: &HostCallEnd<'_>) {
        let model = self.model.take();
        if let Some(frame) = self.frames.last_mut() {
            let inside = frame.inside.pop().unwrap_or(0);
            // Without what contracts that it has called took, which stand in stacks of their own.
            let mut gas = frame.last.saturating_sub(gas_left).saturating_sub(inside);
            frame.last = gas_left;
            for (name, node) in model.iter().flat_map(|(_, nodes)| nodes) {
                let node_gas = (*node).min(gas);
                gas -= node_gas;
                let model = model.as_ref().map(|(model, _)| model.clone()).unwrap_or_default();
                self.add(vec![Level::Named(format!("model {model}")), Level::Named(name.clone())], node_gas);
            }
            if gas > 0 {
                self.add(Vec::new(), gas);
            }
        }
        self.stack.pop();
    }

    fn place(&mut self, place: Place, gas_left: u64) {
        self.spend(gas_left);
        let Some(frame) = self.frames.last_mut() else { return };
        match place {
            Place::Enter(offset) => {
                frame.places.push(offset);
                self.stack.push(Level::Function(frame.contract, offset));
            }
            Place::Block(offset) => {
                if let Some(place) = frame.places.last_mut() {
                    *place = offset;
                }
            }
            Place::Leave => {
                frame.places.pop();
                self.stack.pop();
            }
        }
    }
}

/// The source of a contract, built twice: what is deployed, and with names and places.
struct Source {
    contract: Address,
    name: String,
    bare: Vec<u8>,
    debug: Vec<u8>,
}

impl Source {
    /// Which of the contracts that ran was built from this folder.
    fn find(
        context: &Context,
        chain: &Chain,
        dir: &std::path::Path,
        contracts: &[Address],
    ) -> Result<Vec<Source>, CliError> {
        let built = contract_code::build(context.output, dir, false)?;
        let hash = code_hash(&built.wasm);
        let mut of = Vec::new();
        for contract in contracts {
            if code_hash(&contract_code::deployed(chain, *contract)?) == hash {
                of.push(*contract);
            }
        }
        if of.is_empty() {
            let problem = format!(
                "{} builds to {}, which is none of the contracts that ran",
                dir.display(),
                arguments::show(hash)
            );
            return Err(CliError::argument("--source", problem, "`noema verify DIR CONTRACT` says how they differ"));
        }
        let debug = contract_code::build(context.output, dir, true)?.wasm;
        let name = built.package().to_owned();
        let source = |contract| Source { contract, name: name.clone(), bare: built.wasm.clone(), debug: debug.clone() };
        Ok(of.into_iter().map(source).collect())
    }
}

/// What levels of stacks are called.
struct Names<'s> {
    twins: BTreeMap<Address, (&'s str, Twin<'s>)>,
    bare: BTreeMap<Address, Symbols<'s>>,
}

impl Names<'_> {
    /// The frames that a level stands for, outermost first.
    fn of(&self, level: &Level) -> Vec<String> {
        match level {
            Level::Contract(address, export) => {
                let name = self.twins.get(address).map_or("contract", |(name, _)| name);
                let address: String = address.to_string().chars().take(8).collect();
                vec![format!("{name} {address} {export}")]
            }
            Level::Function(address, offset) => vec![
                match (self.twins.get(address), self.bare.get(address)) {
                    (Some((_, twin)), _) => twin.function_at(*offset),
                    (None, Some(symbols)) => symbols.function_at(*offset).map(|index| symbols.function(index)),
                    _ => None,
                }
                .unwrap_or_else(|| format!("code at {offset:#x}")),
            ],
            Level::Place(address, offset) => {
                let Some((_, twin)) = self.twins.get(address) else { return Vec::new() };
                let mut places = twin.places(*offset);
                let line = places.first().and_then(|place| place.line.clone());
                // The last is the function itself, which stands in the stack; the others were inlined into it.
                places.pop();
                let inlined = places.into_iter().rev().map(|place| place.function);
                inlined.chain(line.map(|(file, line)| format!("{file}:{line}"))).collect()
            }
            Level::Host(group, name) => vec![format!("{group}.{name}")],
            Level::Named(name) => vec![name.clone()],
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The chain cannot be opened, has no such contract, the arguments do not fit the method, a source does not build or is
/// that of no contract that ran, or the file cannot be written.
pub fn run(context: &Context, arguments: ProfileArgs) -> Result<ProfileReport, CliError> {
    let mut profiler = Profiler::default();
    let (chain, watched) = arguments.call.run(context, &arguments.kernels, true, &mut profiler)?;
    let mut contracts: Vec<Address> = Vec::new();
    for level in profiler.spent.keys().flatten() {
        if let Level::Contract(address, _) = level
            && !contracts.contains(address)
        {
            contracts.push(*address);
        }
    }
    let mut sources = Vec::new();
    for dir in &arguments.source {
        sources.extend(Source::find(context, &chain, dir, &contracts)?);
    }
    let codes: Vec<(Address, Vec<u8>)> = contracts
        .iter()
        .map(|contract| Ok((*contract, contract_code::deployed(&chain, *contract)?)))
        .collect::<Result<_, CliError>>()?;
    let twins = sources
        .iter()
        .filter_map(|source| Some((source.contract, (source.name.as_str(), Twin::new(&source.bare, &source.debug)?))));
    let names = Names {
        twins: twins.collect(),
        bare: codes.iter().map(|(contract, code)| (*contract, Symbols::of_wasm(code))).collect(),
    };
    let receipt = &watched.outcome.receipt;
    let notes = Notes { logs: Vec::new(), diagnostic: watched.outcome.diagnostic.clone() };
    let interface = watched.interface.as_ref().map(|interface| (interface, &*watched.method));
    let status = ResultReport::new(receipt, &notes, interface).verdict();
    let in_contracts: u64 = profiler.spent.values().sum();
    let mut stacks: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    let before = vec!["the message, and loading its code".to_owned()];
    stacks.insert(before, receipt.gas_used().saturating_sub(in_contracts));
    for (stack, gas) in &profiler.spent {
        let shown: Vec<String> = stack.iter().flat_map(|level| names.of(level)).collect();
        *stacks.entry(shown).or_default() += gas;
    }
    let mut by_leaf: BTreeMap<String, u64> = BTreeMap::new();
    for (stack, gas) in &stacks {
        let leaf = match stack.as_slice() {
            // A line says little without its function.
            [.., function, line] if line.contains(':') && !line.contains("::") => format!("{line} in {function}"),
            [.., leaf] => leaf.clone(),
            [] => continue,
        };
        *by_leaf.entry(leaf).or_default() += gas;
    }
    let mut most: Vec<(String, u64)> = by_leaf.into_iter().collect();
    most.sort_by_key(|(_, gas)| std::cmp::Reverse(*gas));
    most.truncate(SHOWN);
    write(&arguments.out, &watched.method, &stacks)?;
    let unnamed = contracts.iter().filter(|contract| !names.twins.contains_key(contract));
    Ok(ProfileReport {
        file: arguments.out,
        gas: receipt.gas_used(),
        status,
        most,
        unnamed: unnamed.map(ToString::to_string).collect(),
    })
}

fn write(file: &std::path::Path, method: &str, stacks: &BTreeMap<Vec<String>, u64>) -> Result<(), CliError> {
    let lines: Vec<String> = stacks
        .iter()
        .filter(|(_, gas)| **gas > 0)
        .map(|(stack, gas)| {
            let frames: Vec<String> = stack.iter().map(|frame| frame.replace([';', '\n'], ",")).collect();
            let stack = frames.join(";");
            // A number at the end of a name would be read as one more count.
            let ends_in_number = stack.rsplit_once(' ').is_some_and(|(_, word)| word.parse::<f64>().is_ok());
            format!("{stack}{} {gas}", if ends_in_number { "." } else { "" })
        })
        .collect();
    let mut options = Options::default();
    options.title = if method.is_empty() { "gas of a call".to_owned() } else { format!("gas of `{method}`") };
    options.count_name = "gas".to_owned();
    options.name_type = "Function:".to_owned();
    // The state costs a thousand times what lines of code do, and who looks at these enlarges the picture.
    options.min_width = 0.0;
    // The same picture every time.
    options.hash = true;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .map_err(|error| CliError::file(file, error, "the call has used no gas that could be shown"))?;
    std::fs::write(file, svg).map_err(|error| CliError::io("write", file, error))
}

#[cfg(test)]
mod tests;
