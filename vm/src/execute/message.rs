//! One message: what it costs before anything happens, what it does, and its receipt.

use std::sync::Arc;

use noema_abi::ProtocolVersion;
use noema_abi::limits::MAX_INPUT_BYTES;
use noema_host::{CallInfo, CallKind, GasClass, Stop};

use super::frame::{self, End, Task};
use super::transaction::{Transaction, TransferRefused, charge, load_gas};
use super::{Core, Outcome, models};
use crate::layout::{self, ContractRecord};
use crate::message::{Action, Address, BlockContext, MAX_GAS, Message, code_hash};
use crate::receipt::{Receipt, ReceiptStatus, Rejection, write_hash};
use crate::rules::Rules;
use crate::{VmError, engine::Runnable};

/// Why a message does not go on.
pub(crate) enum Halt {
    /// The limit does not pay for the next step.
    OutOfGas,
    /// Refused, with what a person may want to know.
    Rejected(Rejection, String),
    /// This node.
    Failed(VmError),
}

impl<E: Into<VmError>> From<E> for Halt {
    fn from(error: E) -> Halt {
        Halt::Failed(error.into())
    }
}

/// Refuses, in the words of the reason.
pub(super) fn reject<T>(reason: Rejection) -> Result<T, Halt> {
    Err(Halt::Rejected(reason, reason.to_string()))
}

/// A message under way.
pub(super) struct Run<'m> {
    pub(super) core: &'m Arc<Core>,
    pub(super) rules: &'static Rules,
    pub(super) block: &'m BlockContext,
    pub(super) tx: Transaction,
    left: u64,
    least_room: i64,
}

/// Gas of a message before its action begins: a part for every message and one for every byte of its payload.
///
/// ```
/// use noema_abi::ProtocolVersion;
/// use noema_vm::{Action, Address, intrinsic_gas};
/// let transfer = Action::Transfer { to: Address([0; 32]) };
/// let call = Action::Call { contract: Address([0; 32]), input: vec![0; 100] };
/// assert!(intrinsic_gas(ProtocolVersion::V1, &transfer) < intrinsic_gas(ProtocolVersion::V1, &call));
/// ```
#[must_use]
pub fn intrinsic_gas(version: ProtocolVersion, action: &Action) -> u64 {
    let bytes = match action {
        Action::Deploy { code, input, .. } | Action::Migrate { code, input, .. } => {
            code.len().saturating_add(input.len())
        }
        Action::Call { input, .. } => input.len(),
        Action::ModelChunk { bytes, proof, .. } => bytes.len().saturating_add(proof.len().saturating_mul(32)),
        Action::Transfer { .. }
        | Action::BeginModel { .. }
        | Action::FinishModel { .. }
        | Action::WithdrawModel { .. } => 0,
    };
    let prices = &Rules::of(version).prices;
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    prices.message.saturating_add(prices.message_byte.saturating_mul(bytes))
}

/// Executes a message.
pub(super) fn execute(core: &Arc<Core>, block: &BlockContext, message: &Message) -> Result<Outcome, VmError> {
    let mut run = Run::new(core, block, message.gas_limit);
    let end = run.start(message);
    run.finish(message.gas_limit, end)
}

/// Runs a view.
pub(super) fn view(
    core: &Arc<Core>,
    block: &BlockContext,
    contract: Address,
    input: &[u8],
    gas_limit: u64,
) -> Result<Outcome, VmError> {
    let mut run = Run::new(core, block, gas_limit);
    let end = run.view(contract, input);
    run.finish(gas_limit, end)
}

impl<'m> Run<'m> {
    fn new(core: &'m Arc<Core>, block: &'m BlockContext, gas_limit: u64) -> Run<'m> {
        let rules = Rules::of(block.version);
        Run {
            core,
            rules,
            block,
            tx: Transaction::default(),
            left: gas_limit.min(MAX_GAS),
            least_room: i64::try_from(rules.machine.stack_units).expect("limited"),
        }
    }

    /// Takes gas.
    pub(super) fn take(&mut self, class: GasClass, gas: u64) -> Result<(), Halt> {
        charge(&mut self.left, &mut self.tx.gas, class, gas).map_err(|_: Stop| Halt::OutOfGas)
    }

    /// Pays for what has been read from the state and written to it.
    pub(super) fn pay_for_state(&mut self) -> Result<(), Halt> {
        let due = self.tx.due(self.rules);
        self.take(GasClass::State, due)
    }

    /// The record of a contract, once it is paid for.
    fn contract(&mut self, address: &Address) -> Result<Option<ContractRecord>, Halt> {
        let record = self.tx.contract(address)?;
        self.pay_for_state()?;
        Ok(record)
    }

    fn start(&mut self, message: &Message) -> Result<End, Halt> {
        self.take(GasClass::Host, intrinsic_gas(self.block.version, &message.action))?;
        let (sender, value) = (message.sender, message.value);
        match &message.action {
            Action::Deploy { code, salt, input } => self.deploy(sender, value, code, *salt, input),
            Action::Call { contract, input } => self.call(sender, value, *contract, input),
            Action::Migrate { contract, code, input } => self.migrate(sender, value, *contract, code, input),
            Action::Transfer { to } => {
                self.take(GasClass::State, self.rules.prices.transfer)?;
                self.transfer(&sender, to, value)?;
                Ok(End::Success { output: Vec::new() })
            }
            _ if value > 0 => reject(Rejection::UnexpectedValue),
            Action::BeginModel { total_len, top } => models::begin(self, sender, *total_len, top),
            Action::ModelChunk { id, index, bytes, proof } => models::chunk(self, *id, *index, bytes, proof),
            Action::FinishModel { id } => models::finish(self, *id),
            Action::WithdrawModel { id } => models::withdraw(self, sender, *id),
        }
    }

    fn deploy(&mut self, sender: Address, value: u128, code: &[u8], salt: u64, input: &[u8]) -> Result<End, Halt> {
        check_input(input)?;
        self.take(GasClass::State, self.rules.prices.contract_record)?;
        let hash = code_hash(code);
        let address = Address::of_contract(sender, salt, &hash);
        if self.contract(&address)?.is_some() {
            return reject(Rejection::ContractExists);
        }
        let module = self.install(address, sender, None, hash, code)?;
        self.transfer(&sender, &address, value)?;
        if !module.exports(CallKind::Init) {
            let shortfall = self.tx.shortfall(self.rules, self.block.deposit_per_byte, &address)?;
            return Ok(shortfall.map_or(End::Success { output: Vec::new() }, End::Short));
        }
        self.enter(CallKind::Init, sender, address, value, input, module)
    }

    fn call(&mut self, sender: Address, value: u128, contract: Address, input: &[u8]) -> Result<End, Halt> {
        check_input(input)?;
        let module = self.load(contract)?;
        self.transfer(&sender, &contract, value)?;
        self.enter(CallKind::Call, sender, contract, value, input, module)
    }

    fn view(&mut self, contract: Address, input: &[u8]) -> Result<End, Halt> {
        let action = Action::Call { contract, input: input.to_vec() };
        self.take(GasClass::Host, intrinsic_gas(self.block.version, &action))?;
        check_input(input)?;
        let module = self.load(contract)?;
        self.enter(CallKind::View, Address([0; 32]), contract, 0, input, module)
    }

    fn migrate(
        &mut self,
        sender: Address,
        value: u128,
        contract: Address,
        code: &[u8],
        input: &[u8],
    ) -> Result<End, Halt> {
        check_input(input)?;
        self.take(GasClass::State, self.rules.prices.contract_record)?;
        let Some(record) = self.contract(&contract)? else {
            return reject(Rejection::NoContract);
        };
        if record.administrator != sender {
            return reject(Rejection::NotAdministrator);
        }
        let module = self.install(contract, sender, Some(record.code_hash), code_hash(code), code)?;
        self.transfer(&sender, &contract, value)?;
        self.enter(CallKind::Migrate, sender, contract, value, input, module)
    }

    /// Admits and compiles code, and makes it the code of a contract, instead of what it had. Code that no contract has
    /// any more is removed.
    fn install(
        &mut self,
        address: Address,
        administrator: Address,
        old: Option<[u8; 32]>,
        hash: [u8; 32],
        code: &[u8],
    ) -> Result<Arc<Runnable>, Halt> {
        let code_len = u64::try_from(code.len()).unwrap_or(u64::MAX);
        // By size, before anything looks at the code.
        self.take(GasClass::Code, self.rules.prices.deploy_byte.saturating_mul(code_len))?;
        let core = Arc::clone(self.core);
        let module = core.compile(self.block.version, &hash, code, &mut |gas| self.take(GasClass::Code, gas))?;
        if old != Some(hash) {
            if self.count_users(&hash, |users| users.checked_add(1))? == 1 {
                self.tx.journal.set(layout::code_key(&hash), Some(code.to_vec()));
            }
            if let Some(old) = old
                && self.count_users(&old, |users| users.checked_sub(1))? == 0
            {
                self.tx.journal.set(layout::code_key(&old), None);
            }
        }
        let record = ContractRecord { administrator, code_hash: hash, code_len };
        self.tx.journal.set(layout::contract_key(&address), Some(record.to_bytes()));
        self.pay_for_state()?;
        Ok(module)
    }

    /// Changes how many contracts have a code; how many it is now.
    fn count_users(&mut self, hash: &[u8; 32], change: impl Fn(u64) -> Option<u64>) -> Result<u64, VmError> {
        let key = layout::code_users_key(hash);
        let users = change(self.tx.count(&key)?)
            .ok_or_else(|| VmError::CorruptState { what: format!("the users of code {}", Address(*hash)) })?;
        self.tx.journal.set(key, layout::encode_count(users));
        Ok(users)
    }

    /// Loads the code of a contract, priced by its length.
    fn load(&mut self, contract: Address) -> Result<Arc<Runnable>, Halt> {
        self.take(GasClass::Code, load_gas(self.rules, 0))?;
        let Some(record) = self.contract(&contract)? else {
            return reject(Rejection::NoContract);
        };
        self.take(GasClass::Code, load_gas(self.rules, record.code_len) - load_gas(self.rules, 0))?;
        Ok(self.core.load(self.block.version, &record.code_hash, &self.tx.journal)?)
    }

    pub(super) fn transfer(&mut self, from: &Address, to: &Address, value: u128) -> Result<(), Halt> {
        let moved = self.tx.transfer(from, to, value)?;
        self.pay_for_state()?;
        match moved {
            Ok(()) => Ok(()),
            Err(TransferRefused::Insufficient) => reject(Rejection::InsufficientBalance),
            Err(TransferRefused::Overflow) => reject(Rejection::BalanceOverflow),
        }
    }

    /// Runs an entry point.
    fn enter(
        &mut self,
        kind: CallKind,
        caller: Address,
        contract: Address,
        value: u128,
        input: &[u8],
        module: Arc<Runnable>,
    ) -> Result<End, Halt> {
        if !module.exports(kind) {
            return reject(Rejection::NoEntryPoint);
        }
        let task = Task {
            version: self.block.version,
            deposit_per_byte: self.block.deposit_per_byte,
            info: CallInfo {
                caller: caller.0,
                self_address: contract.0,
                value,
                input: input.into(),
                height: self.block.height,
                time_ms: self.block.time_ms,
                chain_id: self.block.chain_id.as_str().into(),
                kind,
                read_only: kind == CallKind::View,
            },
            module,
            gas: self.left,
            room: self.least_room,
        };
        let (tx, ended) = frame::run(self.core, std::mem::take(&mut self.tx), task)?;
        self.tx = tx;
        self.left = ended.left;
        self.least_room = ended.least_room;
        Ok(ended.end)
    }

    fn finish(mut self, gas_limit: u64, end: Result<End, Halt>) -> Result<Outcome, VmError> {
        let gas_limit = gas_limit.min(MAX_GAS);
        let mut output = Vec::new();
        let mut diagnostic = None;
        let status = match end {
            Ok(End::Success { output: returned }) => {
                output = returned;
                ReceiptStatus::Success
            }
            Ok(End::Abort { code, message }) => {
                // To its caller a fault is one word, which is mostly why the caller gives up too.
                diagnostic = self.tx.nested_fault.take();
                ReceiptStatus::Abort { code, message }
            }
            Ok(End::Fault { diagnostic: why }) => {
                diagnostic = Some(match self.tx.nested_fault.take() {
                    Some(nested) => format!("{why}; before, {nested}"),
                    None => why,
                });
                ReceiptStatus::Fault
            }
            Ok(End::Short(shortfall)) => {
                diagnostic = Some(shortfall.to_string());
                ReceiptStatus::InsufficientDeposit(shortfall)
            }
            Err(Halt::OutOfGas) => {
                diagnostic = Some("out of gas before any contract code ran".to_owned());
                ReceiptStatus::Fault
            }
            Err(Halt::Rejected(reason, why)) => {
                diagnostic = Some(why);
                ReceiptStatus::Rejected { reason }
            }
            Err(Halt::Failed(error)) => return Err(error),
        };
        if status == ReceiptStatus::Fault {
            self.tx.gas.forfeited += self.left;
            self.left = 0;
        }
        // Whatever this is, it is a bug of this program and not of a contract.
        assert_eq!(self.tx.gas.total(), gas_limit - self.left, "the gas books do not balance");
        let effects = self.tx.journal.finish();
        let (writes, events) = match status {
            ReceiptStatus::Success => (effects.writes, effects.events),
            _ => Default::default(),
        };
        let least_room = u64::try_from(self.least_room).unwrap_or(0);
        let receipt = Receipt {
            version: self.block.version.number(),
            status,
            gas_limit,
            gas: self.tx.gas,
            output,
            events,
            write_hash: write_hash(&writes),
            depth: self.rules.machine.stack_units.saturating_sub(least_room),
            tensor_bytes: self.tx.tensor_peak,
        };
        Ok(Outcome { receipt, writes, reads: effects.reads, scans: effects.scans, logs: self.tx.logs, diagnostic })
    }
}

fn check_input(input: &[u8]) -> Result<(), Halt> {
    if input.len() > MAX_INPUT_BYTES { reject(Rejection::InputTooLong) } else { Ok(()) }
}
