//! Runs scenarios on a virtual machine.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;

use noema_abi::ProtocolVersion;
use noema_model::merkle;
use noema_state::StoreError;
use noema_vm::{
    Action, Address, BlockContext, Event, MAX_GAS, Message as VmMessage, Outcome, Receipt, ReceiptStatus, StateView,
    Vm, WriteSet, code_hash, intrinsic_gas, layout,
};

use super::assemble::{Program, assemble};
use super::format::{Case, Contract, Expect, Message};
use super::literal::{Names, bytes};
use super::records::{Known, read};
use crate::report::{ConformanceError, Report};

/// Gas limit of a message that does not say its own: one second of the reference machine.
const GAS_LIMIT: u64 = 1_000_000_000_000;
/// Who sends messages, and an address where nothing is.
const ACCOUNTS: [(&str, [u8; 32]); 2] = [("@sender", [0xa1; 32]), ("@nobody", [0x0b; 32])];

/// Chain state in a map: all that the virtual machine needs of an embedder.
#[derive(Clone, Debug, Default)]
pub struct State(BTreeMap<Vec<u8>, Vec<u8>>);

impl State {
    /// Applies what a message wrote.
    pub fn apply(&mut self, writes: &WriteSet) {
        for (key, value) in writes {
            match value {
                Some(value) => self.0.insert(key.clone(), value.clone()),
                None => self.0.remove(key),
            };
        }
    }

    fn balance(&self, address: &[u8]) -> Option<u128> {
        let address = Address(address.try_into().ok()?);
        layout::decode_balance(self.0.get(&layout::balance_key(&address)).map(Vec::as_slice))
    }
}

impl StateView for State {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], start: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let from = Bound::Included(prefix.max(start).to_vec());
        let found = self.0.range((from, Bound::Unbounded)).take_while(|(key, _)| key.starts_with(prefix));
        Ok(found.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// A case whose contracts are assembled.
#[derive(Debug)]
pub struct Prepared {
    case: Case,
    contracts: Vec<Module>,
    programs: Vec<Program>,
    names: Names,
    models: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Module {
    name: String,
    code: Vec<u8>,
    address: Address,
    /// Numbers of its programs, by entry point; none for a module in the text format.
    programs: Vec<usize>,
    text: bool,
}

/// A message that was executed, and its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// What the message did, for people.
    pub message: String,
    /// Its receipt.
    pub receipt: Receipt,
}

/// Assembles the contracts of a case. Text modules are read from `directory`.
///
/// # Errors
/// A case that is not in the format, or a file that cannot be read.
pub fn prepare(case: &Case, directory: &Path) -> Result<Prepared, ConformanceError> {
    let wrong = |what: String| ConformanceError::format(&case.name, what);
    let mut names: Names = ACCOUNTS.iter().map(|(name, address)| ((*name).to_owned(), address.to_vec())).collect();
    let mut models = Vec::new();
    for name in &case.models {
        let file = Path::new(name);
        let container = match file.extension() {
            Some(extension) if extension == "hex" || extension == "noema" => {
                crate::models::container(&directory.join(file))?
            }
            _ => crate::sample_model(name)?,
        };
        names.insert(format!("model:{name}"), merkle::root(&container).0.to_vec());
        models.push(container);
    }
    let sender = Address(ACCOUNTS[0].1);
    let mut programs = Vec::new();
    let mut contracts = Vec::new();
    for contract in &case.contracts {
        let first = programs.len();
        let code = match &contract.wat {
            None => {
                let (code, made) = assemble(contract, first, &names).map_err(wrong)?;
                programs.extend(made);
                code
            }
            Some(file) => {
                let path = directory.join(file);
                wat::parse_file(&path).map_err(|error| ConformanceError::format(path.display(), error))?
            }
        };
        let address = Address::of_contract(sender, 0, &code_hash(&code));
        if names.insert(format!("@{}", contract.name), address.0.to_vec()).is_some() {
            return Err(wrong(format!("the name {} is taken", contract.name)));
        }
        let text = contract.wat.is_some();
        let programs = (first..programs.len()).collect();
        contracts.push(Module { name: contract.name.clone(), code, address, programs, text });
    }
    Ok(Prepared { case: case.clone(), contracts, programs, names, models })
}

impl Prepared {
    /// The name of the case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.case.name
    }

    /// The contracts as they stand in the file.
    pub fn contracts(&self) -> &[Contract] {
        &self.case.contracts
    }

    fn module(&self, name: &str) -> Result<&Module, ConformanceError> {
        let found = self.contracts.iter().find(|module| module.name == name);
        found.ok_or_else(|| ConformanceError::format(self.name(), format!("there is no contract {name}")))
    }

    fn address(&self, name: &str) -> Result<Address, ConformanceError> {
        let address = self.names.get(&format!("@{name}")).and_then(|bytes| bytes.as_slice().try_into().ok());
        address.map(Address).ok_or_else(|| ConformanceError::format(self.name(), format!("nothing is called {name}")))
    }

    fn program(&self, module: &Module, entry: &str) -> Option<usize> {
        let name = format!("{}.{entry}", module.name);
        module.programs.iter().copied().find(|number| self.programs[*number].name == name)
    }
}

/// What a case needs while it runs.
struct Running<'a> {
    vm: &'a Vm,
    prepared: &'a Prepared,
    block: BlockContext,
    state: State,
    report: Report,
    received: Vec<Received>,
    answered: BTreeSet<(usize, usize)>,
}

/// Runs a case on a virtual machine by the rules of a protocol version: what differs from the file, and every receipt.
///
/// # Errors
/// A case that is not in the format, or a fault of this node.
pub fn run(
    vm: &Vm,
    prepared: &Prepared,
    version: ProtocolVersion,
) -> Result<(Report, Vec<Received>), ConformanceError> {
    let case = &prepared.case;
    let block = BlockContext {
        chain_id: case.block.chain_id.clone(),
        height: case.block.height,
        time_ms: case.block.time_ms,
        version,
        deposit_per_byte: case
            .block
            .deposit_per_byte
            .parse()
            .map_err(|error| ConformanceError::format(&case.name, error))?,
    };
    let mut running = Running {
        vm,
        prepared,
        block,
        state: State::default(),
        report: Report::default(),
        received: Vec::new(),
        answered: BTreeSet::new(),
    };
    for (name, balance) in &case.balances {
        let address = prepared.address(name.trim_start_matches('@'))?;
        let balance = balance.parse().map_err(|error| ConformanceError::format(&case.name, error))?;
        if let Some(bytes) = layout::encode_balance(balance) {
            running.state.0.insert(layout::balance_key(&address), bytes);
        }
    }
    for container in &prepared.models {
        running.add_model(container)?;
    }
    let by_default =
        vec![Message { call: case.contracts.last().map(|contract| contract.name.clone()), ..Message::default() }];
    let messages = case.messages.as_ref().unwrap_or(&by_default);
    for module in &prepared.contracts {
        let by_message = |message: &Message| {
            message.deploy.as_ref() == Some(&module.name) || message.code.as_ref() == Some(&module.name)
        };
        if !messages.iter().any(by_message) {
            running.message(&Message { deploy: Some(module.name.clone()), ..Message::default() })?;
        }
    }
    for message in messages {
        running.message(message)?;
    }
    running.every_step_answered();
    Ok((running.report, running.received))
}

impl Running<'_> {
    fn at(&self, what: impl std::fmt::Display) -> String {
        format!("{}: {what}", self.prepared.name())
    }

    fn wrong(&self, what: impl std::fmt::Display) -> ConformanceError {
        ConformanceError::format(self.prepared.name(), what)
    }

    fn execute(&self, message: &VmMessage) -> Result<Outcome, ConformanceError> {
        let outcome = self.vm.execute(&self.state, &self.block, message);
        outcome.map_err(|error| ConformanceError::Node(self.at(error)))
    }

    /// Brings a model onto the chain, with the messages that anybody would send.
    fn add_model(&mut self, container: &[u8]) -> Result<(), ConformanceError> {
        let id = merkle::root(container).0;
        let top = merkle::MerkleTree::new(container).top();
        let total_len = u64::try_from(container.len()).map_err(|error| self.wrong(error))?;
        let mut actions = vec![Action::BeginModel { total_len, top }];
        for (index, chunk) in (0u32..).zip(merkle::chunks(container)) {
            let proof =
                merkle::proof(container, u64::from(index)).ok_or_else(|| self.wrong("a chunk without proof"))?;
            actions.push(Action::ModelChunk { id, index, bytes: chunk.to_vec(), proof });
        }
        actions.push(Action::FinishModel { id });
        for action in actions {
            let sender = Address(ACCOUNTS[0].1);
            let outcome = self.execute(&VmMessage { sender, value: 0, gas_limit: MAX_GAS, action })?;
            if outcome.receipt.status != ReceiptStatus::Success {
                return Err(self.wrong(format!("a model was refused: {:?}", outcome.receipt.status)));
            }
            self.state.apply(&outcome.writes);
        }
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<(), ConformanceError> {
        let (label, module, entry) = match (&message.call, &message.view, &message.deploy, &message.migrate) {
            (Some(name), None, None, None) => (format!("call {name}"), name, "call"),
            (None, Some(name), None, None) => (format!("view {name}"), name, "view"),
            (None, None, Some(name), None) => (format!("deploy {name}"), name, "init"),
            (None, None, None, Some(name)) => (format!("migrate {name}"), name, "migrate"),
            _ => return Err(self.wrong("a message does exactly one thing")),
        };
        let contract = self.prepared.module(module)?;
        let input = match &message.input {
            None => Vec::new(),
            Some(value) => bytes(value, &self.prepared.names).map_err(|what| self.wrong(what))?,
        };
        let value = match &message.value {
            None => 0,
            Some(value) => value.parse().map_err(|error| self.wrong(error))?,
        };
        let gas_limit = message.gas_limit.unwrap_or(GAS_LIMIT);
        let sender = self.prepared.address(message.sender.as_deref().unwrap_or("sender").trim_start_matches('@'))?;
        let mut entered = self.prepared.program(contract, entry);
        let action = match entry {
            "init" => Action::Deploy { code: contract.code.clone(), salt: 0, input },
            "migrate" => {
                let name = message.code.as_ref().ok_or_else(|| self.wrong("a migration has new code"))?;
                let new = self.prepared.module(name)?;
                entered = self.prepared.program(new, entry);
                Action::Migrate { contract: contract.address, code: new.code.clone(), input }
            }
            _ => Action::Call { contract: contract.address, input },
        };
        let outcome = match (entry, &action) {
            ("view", Action::Call { contract, input }) => {
                let outcome = self.vm.view(&self.state, &self.block, *contract, input, gas_limit);
                outcome.map_err(|error| ConformanceError::Node(self.at(error)))?
            }
            _ => self.execute(&VmMessage { sender, value, gas_limit, action: action.clone() })?,
        };
        self.state.apply(&outcome.writes);
        let lines = self.check_steps(&label, entered, &action, &outcome);
        self.check_receipt(&label, &message.expect, &outcome, &lines)?;
        self.received.push(Received { message: label, receipt: outcome.receipt });
        Ok(())
    }

    /// What the steps answered, and what they cost; returns the lines that contracts logged themselves.
    fn check_steps(&mut self, label: &str, entered: Option<usize>, action: &Action, outcome: &Outcome) -> Vec<String> {
        let prepared = self.prepared;
        let code_len = |name: &str| {
            let module = prepared.module(name.strip_prefix('@')?).ok()?;
            u64::try_from(module.code.len()).ok()
        };
        let known = Known { programs: &prepared.programs, names: &prepared.names, code_len: &code_len };
        let rejected = matches!(outcome.receipt.status, ReceiptStatus::Rejected { .. });
        let answers = read(&outcome.logs, entered.filter(|_| !rejected), &known);
        self.report.cases += u64::try_from(answers.answered.len()).unwrap_or(u64::MAX);
        self.answered.extend(answers.answered);
        for (at, what) in answers.differences {
            let at = self.at(format_args!("{label}: {at}"));
            let what = match &outcome.diagnostic {
                Some(diagnostic) => format!("{what}; the message ended with: {diagnostic}"),
                None => what,
            };
            self.report.compare(|| at, Some(what));
        }
        let gas = outcome.receipt.gas;
        let at = |class: &str| format!("{}: {label}: gas of {class}", prepared.name());
        let all_known = prepared.contracts.iter().all(|module| !module.text);
        if all_known && !answers.spent.unknown && matches!(action, Action::Call { .. }) && !rejected {
            let spent = answers.spent;
            let host = intrinsic_gas(self.block.version, action).saturating_add(spent.host);
            self.report.equal(|| at("host functions"), &host, &gas.host);
            let what = self.first_accesses(spent.state, outcome).err();
            self.report.compare(|| at("state"), what);
            self.report.equal(|| at("tensors"), &spent.tensor, &gas.tensor);
        }
        let total = gas.total();
        let limit = outcome.receipt.gas_limit;
        let fault = outcome.receipt.status == ReceiptStatus::Fault;
        let what = (total > limit || (fault && total != limit)).then(|| format!("{total} of {limit} used"));
        self.report.compare(|| at("everything"), what);
        answers.lines
    }

    /// Whether the gas of state is that of the rows, and of first reads and writes as the outcome lists them. Where frames may have
    /// failed, more was written than is left; where a message faulted, or deposits were checked, not all that was read is paid for.
    fn first_accesses(&self, rows: u64, outcome: &Outcome) -> Result<(), String> {
        let prices = &noema_vm::rules::Rules::of(self.block.version).prices;
        let status = &outcome.receipt.status;
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let most_reads = count(outcome.reads.len() + outcome.scans.len());
        let all_paid = *status != ReceiptStatus::Fault && self.block.deposit_per_byte == 0;
        let least_reads = if all_paid { most_reads } else { 0 };
        let mut steps = self.prepared.programs.iter().flat_map(|program| &program.steps);
        let flat = *status == ReceiptStatus::Success && !steps.any(|step| step.step.call == "call.contract");
        let left = count(outcome.writes.len());
        let found = outcome.receipt.gas.state;
        let fits = |reads: u64| {
            let writes = found.checked_sub(rows)?.checked_sub(reads * prices.state_read)?;
            let count = writes / prices.state_write;
            (writes % prices.state_write == 0 && count >= left && (count == left || !flat)).then_some(())
        };
        (least_reads..=most_reads).find_map(fits).ok_or_else(|| {
            format!("{found} is not {rows} with {least_reads} to {most_reads} first reads and {left} writes or more")
        })
    }

    /// Everything else that the file says about the message.
    fn check_receipt(
        &mut self,
        label: &str,
        expect: &Expect,
        outcome: &Outcome,
        lines: &[String],
    ) -> Result<(), ConformanceError> {
        let prepared = self.prepared;
        let literal = |value| bytes(value, &prepared.names).map_err(|what| self.wrong(what));
        let receipt = &outcome.receipt;
        let at = |what: &str| format!("{}: {label}: {what}", prepared.name());
        let (status, code, message) = match &receipt.status {
            ReceiptStatus::Success => ("success", None, None),
            ReceiptStatus::Abort { code, message } => ("abort", Some(*code), Some(message.clone())),
            ReceiptStatus::Fault => ("fault", None, None),
            ReceiptStatus::Rejected { .. } => ("rejected", None, None),
            ReceiptStatus::InsufficientDeposit(_) => ("insufficient-deposit", None, None),
        };
        let mut report = Report::default();
        let expected = expect.status.as_deref().unwrap_or("success");
        let what = (expected != status).then(|| {
            format!(
                "expected {expected}, found {:?} ({})",
                receipt.status,
                outcome.diagnostic.as_deref().unwrap_or("-")
            )
        });
        report.compare(|| at("status"), what);
        if let Some(expected) = expect.code {
            report.equal(|| at("code"), &Some(expected), &code);
        }
        if let Some(expected) = &expect.message {
            report.equal(|| at("message"), &Some(literal(expected)?), &message);
        }
        if let Some(expected) = &expect.output {
            report.equal(|| at("output"), &literal(expected)?, &receipt.output);
        }
        if let Some(events) = &expect.events {
            let expected = events.iter().map(|event| {
                let contract = prepared.address(event.contract.trim_start_matches('@'))?;
                Ok(Event { contract, topic: literal(&event.topic)?, data: literal(&event.data)? })
            });
            let expected = expected.collect::<Result<Vec<_>, ConformanceError>>()?;
            report.equal(|| at("events"), &expected, &receipt.events);
        }
        if let Some(expected) = &expect.logs {
            report.equal(|| at("log"), &expected.as_slice(), &lines);
        }
        for (name, expected) in &expect.balances {
            let address = prepared.address(name.trim_start_matches('@'))?;
            let expected: u128 = expected.parse().map_err(|error| self.wrong(error))?;
            report.equal(|| at(&format!("balance of {name}")), &Some(expected), &self.state.balance(&address.0));
        }
        if let Some(expected) = expect.tensor_bytes {
            report.equal(|| at("tensor bytes"), &expected, &receipt.tensor_bytes);
        }
        self.report.add(report);
        Ok(())
    }

    /// A step that never ran shows nothing.
    fn every_step_answered(&mut self) {
        for (number, program) in self.prepared.programs.iter().enumerate() {
            for (index, step) in program.steps.iter().enumerate() {
                if !self.answered.contains(&(number, index)) {
                    let at = format!("{}: {}, step {index} ({})", self.prepared.name(), program.name, step.step.call);
                    self.report.compare(|| at, Some("no message came here".to_owned()));
                }
            }
        }
    }
}
