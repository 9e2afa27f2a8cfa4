//! A chain on disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use noema_model::{DirModelStore, ModelId, ModelStore, ModelStoreError, merkle};
use noema_state::root::{self, Proof};
use noema_state::{Batch, Column, DEFAULT_CACHE_BYTES, StateStore, StateView, StoreError, StoreKind};
use noema_tensor::{Kernels, Level};
use noema_vm::layout::ModelRecord;
use noema_vm::{
    Action, Address, ArtifactCache, BlockContext, CompilerProcess, Deposit, EngineKind, Message, Observer, Outcome,
    ReceiptStatus, Vm, VmConfig, layout,
};

use crate::block::{receipts_root, transactions_root};
use crate::directory::{Directory, exists};
use crate::ledger::{self, Account, BlockParameters, Executed};
use crate::rows::{self, Head};
use crate::{Block, ChainError, Genesis, Header, SignedTransaction, TransactionReceipt};

/// How often, and after what time, a chain in use is tried again.
const MOMENTS: u32 = 10;
const MOMENT: Duration = Duration::from_millis(50);

/// How this process runs a chain. Nothing of it changes a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainConfig {
    /// Which kernels compute.
    pub level: Level,
    /// Their threads.
    pub threads: usize,
    /// What runs contracts.
    pub engine: EngineKind,
    /// What compiles them; this process, if `None`.
    pub compiler_process: Option<CompilerProcess>,
    /// Memory for pages of the store, in bytes.
    pub cache_bytes: usize,
    /// The store of a new chain, redb where nothing is said. A chain that is there must have this one, if one is named.
    pub store: Option<StoreKind>,
}

impl Default for ChainConfig {
    fn default() -> ChainConfig {
        ChainConfig {
            level: Level::best(),
            threads: 1,
            engine: EngineKind::default(),
            compiler_process: None,
            cache_bytes: DEFAULT_CACHE_BYTES,
            store: None,
        }
    }
}

/// What the node knows about an executed transaction beyond its receipt. Never part of consensus, not stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What contracts logged.
    pub logs: Vec<String>,
    /// What went wrong, where, in words.
    pub diagnostic: Option<String>,
}

/// A block that was just committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// The block.
    pub block: Block,
    /// What became of its transactions, in their order.
    pub receipts: Vec<TransactionReceipt>,
    /// Logs and diagnostics, in the same order.
    pub notes: Vec<Notes>,
}

/// A chain in a directory, locked for this process.
///
/// ```
/// use noema_chain::{Action, Chain, ChainConfig, Genesis, KeyPair, Transaction};
///
/// let directory = tempfile::tempdir()?;
/// let alice = KeyPair::from_seed([1; 32]);
/// let bob = KeyPair::from_seed([2; 32]).address();
/// let genesis = Genesis { balances: [(alice.address(), 1_000)].into(), ..Genesis::new("local", 0) };
/// let mut chain = Chain::init(directory.path(), &genesis, &ChainConfig::default())?;
///
/// let transaction = alice.sign(Transaction {
///     chain_id: "local".into(), nonce: chain.next_nonce(&alice.address())?, gas_limit: 1_000_000_000_000, gas_price: 0,
///     value: 400, action: Action::Transfer { to: bob },
/// });
/// chain.check_transaction(&transaction)?;
/// let executed = chain.execute_block(1_000, vec![transaction])?;
/// assert_eq!(executed.block.header.height, 1);
/// assert_eq!(chain.account(&bob)?.balance, 400);
///
/// drop(chain);
/// let chain = Chain::open(directory.path(), &ChainConfig::default())?;
/// assert_eq!(chain.root(), executed.block.header.state_root);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Chain {
    // Dropped in this order: the lock goes last.
    vm: Vm,
    models: Arc<dyn ModelStore>,
    store: Box<dyn StateStore>,
    genesis: Genesis,
    head: Header,
    head_hash: [u8; 32],
    failed: bool,
    directory: Directory,
}

impl Chain {
    /// Creates a chain in a new or empty directory. Block 0 has the balances of the genesis and no transactions.
    ///
    /// # Errors
    /// `Genesis`, `Exists`, `NotEmpty`, `OtherStore`, `Busy`, `Kernels`, `Store` (not writable, full, not in this build).
    pub fn init(path: &Path, genesis: &Genesis, config: &ChainConfig) -> Result<Chain, ChainError> {
        genesis.check()?;
        let kind = config.store.unwrap_or_default();
        let directory = Directory::create(path, kind)?;
        let store = match exists(&directory.store())? {
            false => kind.create(&directory.store(), config.cache_bytes)?,
            true => kind.open(&directory.store(), config.cache_bytes)?,
        };
        match (rows::genesis(&*store)?, rows::head(&*store)?) {
            (None, None) => begin(&*store, genesis)?,
            // An earlier creation was interrupted at its last step.
            (Some(found), Some(head)) if found == *genesis && head.height == 0 => {}
            _ => return Err(ChainError::Exists { path: path.to_path_buf() }),
        }
        directory.finish()?;
        Chain::start(directory, store, config)
    }

    /// Opens a chain. After a crash it is at the last block that was committed. Where it is in use it waits for half a second: who has
    /// been killed, or started another process, may hold the lock a moment longer than the chain.
    ///
    /// # Errors
    /// `Missing`, `NotAChain`, `Version`, `OtherStore`, `Busy`, `Kernels`, `Damaged`, `Store`.
    pub fn open(path: &Path, config: &ChainConfig) -> Result<Chain, ChainError> {
        for _ in 0..MOMENTS {
            match Chain::open_at_once(path, config) {
                Err(ChainError::Busy { .. } | ChainError::Store(StoreError::Busy { .. })) => thread::sleep(MOMENT),
                opened_or_refused => return opened_or_refused,
            }
        }
        Chain::open_at_once(path, config)
    }

    fn open_at_once(path: &Path, config: &ChainConfig) -> Result<Chain, ChainError> {
        let directory = Directory::open(path, config.store)?;
        let store = directory.store_kind().open(&directory.store(), config.cache_bytes)?;
        Chain::start(directory, store, config)
    }

    fn start(directory: Directory, store: Box<dyn StateStore>, config: &ChainConfig) -> Result<Chain, ChainError> {
        let genesis = rows::genesis(&*store)?.ok_or_else(|| ChainError::damaged("it has no genesis"))?;
        let Head { height, hash } =
            rows::head(&*store)?.ok_or_else(|| ChainError::damaged("it does not say which block is the newest"))?;
        let head = rows::block(&*store, height)?
            .ok_or_else(|| ChainError::damaged(format!("its newest block, {height}, is missing")))?
            .header;
        if head.height != height || head.hash() != hash {
            return Err(ChainError::damaged(format!("block {height} is not the one that was committed as the newest")));
        }
        if root::root_of(&*store, height)? != head.state_root {
            return Err(ChainError::damaged(format!("the state tree is not that of block {height}")));
        }
        let models: Arc<dyn ModelStore> = Arc::new(DirModelStore::open_dir(directory.models())?);
        let vm = Vm::new(VmConfig {
            engine: config.engine,
            compiler_process: config.compiler_process.clone(),
            artifacts: Some(ArtifactCache::new(directory.compiled())),
            ..vm_config(Arc::new(Kernels::new(config.level, config.threads)?), Arc::clone(&models))
        })?;
        let chain = Chain { vm, models, store, genesis, head, head_hash: hash, failed: false, directory };
        // What a crash between a block and the removal left.
        let _ = chain.remove_withdrawn_models();
        Ok(chain)
    }

    /// Executes transactions as the next block and commits it, durably and as a whole, before it returns: state, tree,
    /// block, receipts and indexes. Files of models are durable before that.
    ///
    /// # Errors
    /// `Refused` where a transaction cannot be included, `Time`, `BlockTooLarge`, `Vm`, `Models`, `Store`: nothing is
    /// committed then.
    pub fn execute_block(
        &mut self,
        time_ms: u64,
        transactions: Vec<SignedTransaction>,
    ) -> Result<ExecutedBlock, ChainError> {
        if self.failed {
            return Err(ChainError::Failed);
        }
        if time_ms < self.head.time_ms {
            return Err(ChainError::Time { time_ms, parent_ms: self.head.time_ms });
        }
        let height = self.next_height()?;
        let parameters = BlockParameters { genesis: &self.genesis, height, time_ms };
        let snapshot = self.store.snapshot()?;
        let executed = ledger::execute(&self.vm, &parameters, &snapshot, &transactions)?;
        drop(snapshot);

        let mut batch = Batch::new();
        let transactions_root = transactions_root(&transactions);
        let header = seal(&*self.store, &parameters, self.head_hash, transactions_root, &executed, &mut batch)?;
        let block = Block { header, transactions };
        rows::record(&mut batch, &block, &executed.receipts);
        // The state may say that chunks and models are there.
        self.models.sync()?;
        if let Err(error) = self.store.commit(batch) {
            // Whether the very last step reached the disk is not known before it is opened again.
            self.failed = true;
            return Err(error.into());
        }
        self.head_hash = block.hash();
        self.head = block.header.clone();
        let withdrawn =
            |transaction: &SignedTransaction| matches!(transaction.transaction.action, Action::WithdrawModel { .. });
        if block.transactions.iter().any(withdrawn) {
            // The block stands. Files that are left take space and nothing else, and the next time they go.
            let _ = self.remove_withdrawn_models();
        }
        Ok(ExecutedBlock { block, receipts: executed.receipts, notes: executed.notes })
    }

    /// Whether a transaction could be the only one of the next block.
    ///
    /// # Errors
    /// `Refused`, `Store`.
    pub fn check_transaction(&self, transaction: &SignedTransaction) -> Result<(), ChainError> {
        let sender = self.account(&transaction.sender())?;
        ledger::check(&self.genesis, &sender, 0, transaction, transaction.to_bytes().len())
            .map_err(|error| ChainError::Refused { index: 0, error })
    }

    /// Runs the `view` export of a contract on the state of the newest block. Nothing is changed, nobody pays.
    ///
    /// # Errors
    /// `Vm`, `Store`.
    pub fn view(&self, contract: Address, input: &[u8], gas_limit: u64) -> Result<Outcome, ChainError> {
        let context = self.context();
        let snapshot = self.store.snapshot()?;
        Ok(self.vm.view(&snapshot, &context, contract, input, gas_limit)?)
    }

    /// Executes a message as if it were in the next block, and tells an observer what happens. Nothing is committed, nobody pays.
    ///
    /// # Errors
    /// `Vm`, `Store`.
    pub fn observe(&self, time_ms: u64, message: &Message, observer: &mut dyn Observer) -> Result<Outcome, ChainError> {
        let context = self.genesis.context(self.next_height()?, time_ms);
        let snapshot = self.store.snapshot()?;
        Ok(self.vm.execute_observed(&snapshot, &context, message, observer)?)
    }

    /// As [`Chain::view`], and tells an observer what happens.
    ///
    /// # Errors
    /// `Vm`, `Store`.
    pub fn observe_view(
        &self,
        contract: Address,
        input: &[u8],
        gas_limit: u64,
        observer: &mut dyn Observer,
    ) -> Result<Outcome, ChainError> {
        let context = self.context();
        let snapshot = self.store.snapshot()?;
        Ok(self.vm.view_observed(&snapshot, &context, contract, input, gas_limit, observer)?)
    }

    /// What a view of the newest block sees of it: also what queries of [`noema_vm::deposit`] go by.
    #[must_use]
    pub fn context(&self) -> BlockContext {
        self.genesis.context(self.head.height, self.head.time_ms)
    }

    /// Balance, locked and free, of an account or contract.
    ///
    /// # Errors
    /// `Vm`, `Store`.
    pub fn deposit(&self, address: &Address) -> Result<Deposit, ChainError> {
        Ok(Deposit::of(&self.store.snapshot()?, &self.context(), address)?)
    }

    /// The models that an account holds, each with its deposit, ascending by id.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn holds(&self, address: &Address) -> Result<Vec<(ModelId, u128)>, ChainError> {
        let prefix = layout::hold_key(address, None);
        let entries = self.state()?.scan(&prefix, b"", usize::MAX)?;
        let hold = |(key, deposit): (Vec<u8>, Vec<u8>)| {
            let id = key.get(prefix.len()..).and_then(|id| id.try_into().ok()).map(ModelId);
            let deposit = deposit.try_into().ok().map(u128::from_le_bytes);
            id.zip(deposit).ok_or_else(|| ChainError::damaged(format!("a deposit of {address} cannot be read")))
        };
        entries.into_iter().map(hold).collect()
    }

    /// Removes the bytes of models that the state does not know (any more) from this node. Returns which.
    ///
    /// # Errors
    /// `Models` where a file cannot be removed, `Store`.
    pub fn remove_withdrawn_models(&self) -> Result<Vec<ModelId>, ChainError> {
        let state = self.state()?;
        let mut removed = Vec::new();
        for id in self.models.ids()? {
            // One that is being uploaded has a record, too.
            if state.get(&layout::model_key(&id.0))?.is_none() {
                self.models.remove(id)?;
                removed.push(id);
            }
        }
        Ok(removed)
    }

    /// Brings back the bytes of models that this node has lost, out of the blocks that brought them. Returns which
    /// models it restored.
    ///
    /// # Errors
    /// `Models` where a file is damaged rather than missing (move it away first) or cannot be written, `Store`,
    /// `Damaged`.
    pub fn restore_models(&self) -> Result<Vec<ModelId>, ChainError> {
        let mut lost = BTreeMap::new();
        for (key, bytes) in self.state()?.scan(b"m", b"", usize::MAX)? {
            let id = key.get(1..).and_then(|id| id.try_into().ok()).map(ModelId);
            let id = id.ok_or_else(|| ChainError::damaged("the state has a model without an id"))?;
            let record: ModelRecord = rows::decode(&bytes, "the record of a model")?;
            match self.models.open(id) {
                Err(ModelStoreError::Missing(_)) => drop(lost.insert(id, record)),
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
        if lost.is_empty() {
            return Ok(Vec::new());
        }
        for height in 1..=self.head.height {
            let block = self.block(height)?;
            let block = block.ok_or_else(|| ChainError::damaged(format!("block {height} is missing")))?;
            for (transaction, receipt) in block.transactions.iter().zip(self.receipts(height)?) {
                let Action::ModelChunk { id, index, bytes, proof } = &transaction.transaction.action else { continue };
                let Some(record) = lost.get(&ModelId(*id)) else { continue };
                // A chunk that was there already succeeded without a look at its bytes.
                if receipt.receipt.status == ReceiptStatus::Success
                    && merkle::verify(ModelId(*id), record.total_len, u64::from(*index), bytes, proof)
                {
                    self.models.stage_chunk(ModelId(*id), *index, bytes)?;
                }
            }
        }
        // One that is not finished keeps its chunks staged.
        lost.retain(|_, record| record.active);
        for (id, record) in &lost {
            self.models.assemble(*id, record.total_len)?;
        }
        self.models.sync()?;
        Ok(lost.into_keys().collect())
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What its state is stored in.
    #[must_use]
    pub fn store_kind(&self) -> StoreKind {
        self.directory.store_kind()
    }

    /// How the chain began.
    #[must_use]
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Height of the newest block.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.head.height
    }

    /// Header of the newest block.
    #[must_use]
    pub fn head(&self) -> &Header {
        &self.head
    }

    /// Root of the state after the newest block.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.head.state_root
    }

    /// The models of this node.
    #[must_use]
    pub fn models(&self) -> &Arc<dyn ModelStore> {
        &self.models
    }

    /// The state after the newest block; `noema_vm::layout` says what its keys mean.
    ///
    /// # Errors
    /// `Store`
    pub fn state(&self) -> Result<Box<dyn StateView + Send + Sync>, ChainError> {
        Ok(self.store.snapshot()?)
    }

    /// Nonce and balance of an account or contract.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn account(&self, address: &Address) -> Result<Account, ChainError> {
        ledger::account(&self.store.snapshot()?, address)
    }

    /// The nonce that the next transaction of an account must have.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn next_nonce(&self, address: &Address) -> Result<u64, ChainError> {
        Ok(self.account(address)?.nonce)
    }

    /// A block by height.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn block(&self, height: u64) -> Result<Option<Block>, ChainError> {
        rows::block(&*self.store, height)
    }

    /// A block by hash.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn block_by_hash(&self, hash: &[u8; 32]) -> Result<Option<Block>, ChainError> {
        match rows::height_of(&*self.store, hash)? {
            Some(height) => self.block(height),
            None => Ok(None),
        }
    }

    /// The blocks from a height on, at most `limit` of them.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn blocks(&self, from: u64, limit: usize) -> Result<Vec<Block>, ChainError> {
        let entries = self.store.scan(Column::Chain, b"b", &rows::block_row(from), limit)?;
        entries.iter().map(|(_, bytes)| rows::decode(bytes, "a block")).collect()
    }

    /// The receipts of a block, in the order of its transactions; none where there is no such block.
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn receipts(&self, height: u64) -> Result<Vec<TransactionReceipt>, ChainError> {
        let entries = self.store.scan(Column::Chain, &rows::receipts_of(height), b"", usize::MAX)?;
        entries.iter().map(|(_, bytes)| rows::decode(bytes, "a receipt")).collect()
    }

    /// What became of a transaction, by its hash ([`SignedTransaction::hash`]).
    ///
    /// # Errors
    /// `Store`, `Damaged`.
    pub fn receipt(&self, transaction: &[u8; 32]) -> Result<Option<TransactionReceipt>, ChainError> {
        let Some((height, index)) = rows::transaction(&*self.store, transaction)? else { return Ok(None) };
        let receipt = rows::receipt(&*self.store, height, index)?;
        receipt.map(Some).ok_or_else(|| ChainError::damaged(format!("receipt {index} of block {height} is missing")))
    }

    /// Proves what the state after a block has under a key, or that it has nothing there, against the state root in the
    /// header of that block. The newest block and the [`root::KEPT_VERSIONS`] before it can be proven.
    ///
    /// # Errors
    /// `Root`, `Store`.
    pub fn prove(&self, height: u64, key: &[u8]) -> Result<Proof, ChainError> {
        Ok(root::prove(&*self.store, height, key)?)
    }

    pub(crate) fn head_hash(&self) -> [u8; 32] {
        self.head_hash
    }

    fn next_height(&self) -> Result<u64, ChainError> {
        self.head.height.checked_add(1).ok_or_else(|| ChainError::damaged("the last possible height is reached"))
    }
}

/// What every machine of a chain has in common.
pub(crate) fn vm_config(kernels: Arc<Kernels>, models: Arc<dyn ModelStore>) -> VmConfig {
    // A block and a view.
    VmConfig { concurrent_messages: 2, ..VmConfig::new(kernels, models) }
}

/// Commits block 0.
fn begin(store: &dyn StateStore, genesis: &Genesis) -> Result<(), ChainError> {
    let mut batch = Batch::new();
    let header = seal_genesis(store, genesis, &mut batch)?;
    rows::record_genesis(&mut batch, genesis);
    rows::record(&mut batch, &Block { header, transactions: Vec::new() }, &[]);
    Ok(store.commit(batch)?)
}

/// Puts the state of the genesis and its tree into the batch. Returns the header of block 0.
pub(crate) fn seal_genesis(store: &dyn StateStore, genesis: &Genesis, batch: &mut Batch) -> Result<Header, ChainError> {
    let executed = Executed { receipts: Vec::new(), notes: Vec::new(), writes: genesis.writes(), gas_used: 0 };
    let parameters = BlockParameters { genesis, height: 0, time_ms: genesis.time_ms };
    seal(store, &parameters, genesis.hash(), transactions_root(&[]), &executed, batch)
}

/// Puts the writes of a block and the tree over them into the batch. Returns its header.
pub(crate) fn seal(
    store: &dyn StateStore,
    parameters: &BlockParameters<'_>,
    parent: [u8; 32],
    transactions_root: [u8; 32],
    executed: &Executed,
    batch: &mut Batch,
) -> Result<Header, ChainError> {
    batch.write_state(&executed.writes);
    Ok(Header {
        version: parameters.genesis.version.number(),
        height: parameters.height,
        time_ms: parameters.time_ms,
        parent,
        transactions_root,
        receipts_root: receipts_root(&executed.receipts),
        state_root: root::apply(store, parameters.height, &executed.writes, batch)?,
        gas_used: executed.gas_used,
    })
}
