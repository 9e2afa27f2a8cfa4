//! Executing the whole chain again, on every kernel level, and comparing every bit of every result.

use std::fmt;
use std::sync::Arc;

use noema_model::MemoryModelStore;
use noema_state::{Batch, MemoryStore, StateStore};
use noema_tensor::{Kernels, Level};
use noema_vm::{Event, GasUsed, Receipt, Vm};

use crate::block::transactions_root;
use crate::chain::{seal, seal_genesis, vm_config};
use crate::ledger::{self, BlockParameters};
use crate::{Block, Chain, ChainError, Header, TransactionReceipt};

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Which configuration is running, from 0.
    pub configuration: usize,
    /// How many there are.
    pub configurations: usize,
    /// Its level.
    pub level: Level,
    /// Its threads.
    pub threads: usize,
    /// The block that was just compared.
    pub height: u64,
    /// The newest block of the chain.
    pub last_height: u64,
}

/// The first place where a replay and the chain are not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Height of the block.
    pub height: u64,
    /// Place of the transaction in the block, or `None` where the block itself differs.
    pub transaction: Option<usize>,
    /// Name of the field.
    pub field: String,
    /// What the chain has.
    pub expected: String,
    /// What the replay got.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}, ", self.height)?;
        if let Some(transaction) = self.transaction {
            write!(f, "transaction {transaction}, ")?;
        }
        write!(f, "{}: the chain has {}, the replay got {}", self.field, self.expected, self.got)
    }
}

/// What one configuration found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayResult {
    /// Its kernels.
    pub level: Level,
    /// Their threads.
    pub threads: usize,
    /// Blocks that were executed and found to be the same, block 0 included.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Root of the state after the last of these blocks, as the replay got it.
    pub root: [u8; 32],
    /// Where it stopped, if it did not reach the end.
    pub difference: Option<Difference>,
}

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// One result for each configuration.
    pub results: Vec<ReplayResult>,
}

impl ReplayReport {
    /// Whether every configuration, of at least one, got every bit of the chain.
    #[must_use]
    pub fn identical(&self) -> bool {
        !self.results.is_empty() && self.first_difference().is_none()
    }

    /// The first difference, with the configuration that found it.
    #[must_use]
    pub fn first_difference(&self) -> Option<(&ReplayResult, &Difference)> {
        self.results.iter().find_map(|result| Some((result, result.difference.as_ref()?)))
    }
}

impl Chain {
    /// Executes every block again from the genesis on, in memory, once for each level with each number of threads, and
    /// compares every field of every receipt and header with what is stored. A configuration stops at its first
    /// difference; the others still run. `progress` is called after every block.
    ///
    /// # Errors
    /// `Kernels`, `Vm`, `Store`: this node could not do it. A difference is no error: the report has it.
    pub fn replay(
        &self,
        levels: &[Level],
        threads: &[usize],
        progress: &mut dyn FnMut(ReplayProgress),
    ) -> Result<ReplayReport, ChainError> {
        let configurations: Vec<_> =
            levels.iter().flat_map(|level| threads.iter().map(|threads| (*level, *threads))).collect();
        let mut report = ReplayReport::default();
        for (configuration, (level, threads)) in configurations.iter().copied().enumerate() {
            let result = self.replay_one(level, threads, &mut |height| {
                progress(ReplayProgress {
                    configuration,
                    configurations: configurations.len(),
                    level,
                    threads,
                    height,
                    last_height: self.height(),
                });
            })?;
            report.results.push(result);
        }
        Ok(report)
    }

    fn replay_one(
        &self,
        level: Level,
        threads: usize,
        progress: &mut dyn FnMut(u64),
    ) -> Result<ReplayResult, ChainError> {
        let kernels = Arc::new(Kernels::new(level, threads)?);
        let vm = Vm::new(vm_config(Arc::clone(&kernels), Arc::new(MemoryModelStore::new())))?;
        let store = MemoryStore::new();
        let mut result = ReplayResult { level, threads, blocks: 0, transactions: 0, root: [0; 32], difference: None };
        let mut parent = self.genesis().hash();
        for height in 0..=self.height() {
            let mut comparison = Comparison { height, difference: None };
            let step = self.replay_block(&vm, &store, parent, &mut comparison)?;
            let Some(step) = step.filter(|_| comparison.difference.is_none()) else {
                result.difference = comparison.difference;
                return Ok(result);
            };
            parent = step.block.hash();
            result.root = step.block.header.state_root;
            result.blocks = result.blocks.saturating_add(1);
            let transactions = u64::try_from(step.block.transactions.len()).unwrap_or(u64::MAX);
            result.transactions = result.transactions.saturating_add(transactions);
            store.commit(step.batch)?;
            progress(height);
        }
        match kernels.accelerator().map(|device| device.alarms()).unwrap_or_default().first() {
            Some(alarm) => Err(ChainError::Device { alarm: alarm.to_string() }),
            None => Ok(result),
        }
    }

    /// Executes one block. `None`: the comparison says why it could not be.
    fn replay_block(
        &self,
        vm: &Vm,
        store: &MemoryStore,
        parent: [u8; 32],
        comparison: &mut Comparison,
    ) -> Result<Option<Step>, ChainError> {
        let height = comparison.height;
        let Some(block) = comparison.read(None, "block", self.block(height))?.flatten() else {
            comparison.differ(None, "block", "no block", "a block");
            return Ok(None);
        };
        let Some(receipts) = comparison.read(None, "receipts", self.receipts(height))? else { return Ok(None) };
        let mut batch = Batch::new();
        let header = if height == 0 {
            seal_genesis(store, self.genesis(), &mut batch)?
        } else {
            let parameters = BlockParameters { genesis: self.genesis(), height, time_ms: block.header.time_ms };
            let executed = match ledger::execute(vm, &parameters, &store.snapshot()?, &block.transactions) {
                Ok(executed) => executed,
                Err(ChainError::Refused { index, error }) => {
                    comparison.differ(Some(index), "transaction", "it included", error);
                    return Ok(None);
                }
                Err(ChainError::BlockTooLarge) => {
                    comparison.differ(None, "transactions", "them included", ChainError::BlockTooLarge);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            comparison.receipts(&receipts, &executed.receipts);
            seal(store, &parameters, parent, transactions_root(&block.transactions), &executed, &mut batch)?
        };
        if height == 0 {
            comparison.field(None, "number of transactions", &block.transactions.len(), &0);
            comparison.field(None, "number of receipts", &receipts.len(), &0);
        }
        comparison.header(&block.header, &header);
        if height == self.height() {
            comparison.bytes(None, "hash", &self.head_hash(), &header.hash());
        }
        Ok(Some(Step { block, batch }))
    }
}

/// A block that was executed, and what it changes.
struct Step {
    block: Block,
    batch: Batch,
}

/// Keeps the first difference of a block.
struct Comparison {
    height: u64,
    difference: Option<Difference>,
}

impl Comparison {
    fn differ(&mut self, transaction: Option<usize>, field: &str, expected: impl fmt::Display, got: impl fmt::Display) {
        self.difference.get_or_insert_with(|| Difference {
            height: self.height,
            transaction,
            field: field.to_owned(),
            expected: expected.to_string(),
            got: got.to_string(),
        });
    }

    fn field<T: PartialEq + fmt::Debug>(&mut self, transaction: Option<usize>, field: &str, expected: &T, got: &T) {
        if expected != got {
            self.differ(transaction, field, format_args!("{expected:?}"), format_args!("{got:?}"));
        }
    }

    fn bytes(&mut self, transaction: Option<usize>, field: &str, expected: &[u8], got: &[u8]) {
        if expected != got {
            let same = expected.iter().zip(got).take_while(|(expected, got)| expected == got).count();
            let from = if expected.len().max(got.len()) > Hex::SHOWN { same } else { 0 };
            self.differ(transaction, field, Hex { bytes: expected, from }, Hex { bytes: got, from });
        }
    }

    /// What is stored but cannot be read is a difference too.
    fn read<T>(
        &mut self,
        transaction: Option<usize>,
        field: &str,
        stored: Result<T, ChainError>,
    ) -> Result<Option<T>, ChainError> {
        match stored {
            Ok(value) => Ok(Some(value)),
            Err(error @ ChainError::Damaged { .. }) => {
                self.differ(transaction, field, error, "something readable");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn header(&mut self, expected: &Header, got: &Header) {
        // Named one by one, so that a new field cannot be forgotten.
        let Header { version, height, time_ms, parent, transactions_root, receipts_root, state_root, gas_used } =
            expected;
        self.field(None, "version", version, &got.version);
        self.field(None, "height", height, &got.height);
        self.bytes(None, "parent", parent, &got.parent);
        self.field(None, "time", time_ms, &got.time_ms);
        self.bytes(None, "transactions root", transactions_root, &got.transactions_root);
        self.field(None, "gas used", gas_used, &got.gas_used);
        self.bytes(None, "receipts root", receipts_root, &got.receipts_root);
        self.bytes(None, "state root", state_root, &got.state_root);
    }

    fn receipts(&mut self, expected: &[TransactionReceipt], got: &[TransactionReceipt]) {
        for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
            let at = Some(index);
            let TransactionReceipt { transaction, height, index, sender, fee, receipt } = expected;
            self.bytes(at, "transaction hash", transaction, &got.transaction);
            self.field(at, "height", height, &got.height);
            self.field(at, "index", index, &got.index);
            self.field(at, "sender", sender, &got.sender);
            self.receipt(at, receipt, &got.receipt);
            self.field(at, "fee", fee, &got.fee);
        }
        self.field(None, "number of receipts", &expected.len(), &got.len());
    }

    fn receipt(&mut self, at: Option<usize>, expected: &Receipt, got: &Receipt) {
        let Receipt { version, status, gas_limit, gas, output, events, write_hash, depth, tensor_bytes } = expected;
        self.field(at, "version", version, &got.version);
        self.field(at, "status", status, &got.status);
        self.field(at, "gas limit", gas_limit, &got.gas_limit);
        self.bytes(at, "output", output, &got.output);
        self.events(at, events, &got.events);
        self.bytes(at, "write hash", write_hash, &got.write_hash);
        let GasUsed { wasm, host, tensor, state, code, forfeited } = gas;
        self.field(at, "gas of wasm", wasm, &got.gas.wasm);
        self.field(at, "gas of host functions", host, &got.gas.host);
        self.field(at, "gas of tensors and models", tensor, &got.gas.tensor);
        self.field(at, "gas of state", state, &got.gas.state);
        self.field(at, "gas of code", code, &got.gas.code);
        self.field(at, "forfeited gas", forfeited, &got.gas.forfeited);
        self.field(at, "depth", depth, &got.depth);
        self.field(at, "tensor bytes", tensor_bytes, &got.tensor_bytes);
    }

    fn events(&mut self, at: Option<usize>, expected: &[Event], got: &[Event]) {
        for (number, (expected, got)) in expected.iter().zip(got).enumerate() {
            let Event { contract, topic, data } = expected;
            self.field(at, &format!("contract of event {number}"), contract, &got.contract);
            self.bytes(at, &format!("topic of event {number}"), topic, &got.topic);
            self.bytes(at, &format!("data of event {number}"), data, &got.data);
        }
        self.field(at, "number of events", &expected.len(), &got.len());
    }
}

/// Bytes for people: all of them, or those around the place that matters.
struct Hex<'a> {
    bytes: &'a [u8],
    from: usize,
}

impl Hex<'_> {
    const SHOWN: usize = 64;
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.bytes.iter().skip(self.from).take(Hex::SHOWN);
        if self.from > 0 {
            write!(f, "from byte {} on ", self.from)?;
        }
        f.write_str("0x")?;
        shown.clone().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        if self.bytes.len() > Hex::SHOWN {
            write!(f, " ({} of {} bytes)", shown.len(), self.bytes.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
