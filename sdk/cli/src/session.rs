//! Working with a chain directory: opening it, signing with the next nonce, blocks of transactions.

use std::time::{SystemTime, UNIX_EPOCH};

use noema_chain::{
    Action, Chain, ChainConfig, CompilerProcess, ExecutedBlock, KeyPair, SignedTransaction, StoreKind, Transaction,
};
use noema_state::StoreError;

use crate::arguments::{KernelArgs, SenderArgs};
use crate::{CliError, Context, keys};

/// Opens the chain of the command line.
///
/// # Errors
/// There is none, it is in use, of another format or store, damaged, or cannot be written.
pub fn open(context: &Context, kernels: &KernelArgs) -> Result<Chain, CliError> {
    Ok(Chain::open(&context.chain, &ChainConfig { store: context.store, ..config(kernels, &context.compiler) })?)
}

/// The store of a new chain.
///
/// # Errors
/// This build does not have it.
pub fn store(asked: Option<StoreKind>) -> Result<StoreKind, CliError> {
    let kind = asked.unwrap_or_default();
    if kind.is_available() { Ok(kind) } else { Err(StoreError::Unavailable { store: kind.name() }.into()) }
}

/// How this process runs a chain.
#[must_use]
pub fn config(kernels: &KernelArgs, compiler: &Option<CompilerProcess>) -> ChainConfig {
    ChainConfig {
        level: kernels.level(),
        threads: kernels.threads,
        engine: kernels.engine,
        compiler_process: compiler.clone(),
        ..ChainConfig::default()
    }
}

/// Milliseconds since 1970, as this machine's clock has it.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Somebody who sends transactions to a chain, one nonce after the other.
#[derive(Debug)]
pub struct Sender {
    key: KeyPair,
    chain_id: String,
    nonce: u64,
    gas_limit: u64,
    gas_price: u64,
    clock: Clock,
}

/// Where the times of blocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// This machine's clock, never before the last block.
    Wall,
    /// Always this time.
    Fixed(u64),
    /// So many milliseconds after the last block.
    Step(u64),
}

impl Sender {
    /// The sender of the command line.
    ///
    /// # Errors
    /// The key file cannot be read, or the account cannot.
    pub fn new(context: &Context, chain: &Chain, arguments: &SenderArgs) -> Result<Sender, CliError> {
        let path = arguments.key.clone().unwrap_or_else(|| keys::default_path(&context.chain));
        Sender::with_key(keys::read(&path)?, chain, arguments)
    }

    /// A sender whose key is known.
    ///
    /// # Errors
    /// The account cannot be read.
    pub fn with_key(key: KeyPair, chain: &Chain, arguments: &SenderArgs) -> Result<Sender, CliError> {
        let nonce = match arguments.nonce {
            Some(nonce) => nonce,
            None => chain.next_nonce(&key.address())?,
        };
        Ok(Sender {
            key,
            chain_id: chain.genesis().chain_id.clone(),
            nonce,
            gas_limit: arguments.gas_limit,
            gas_price: arguments.gas_price,
            clock: arguments.time_ms.map_or(Clock::Wall, Clock::Fixed),
        })
    }

    /// The same, with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Sender {
        Sender { clock, ..self }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// Signs the next transaction.
    pub fn sign(&mut self, value: u128, action: Action) -> SignedTransaction {
        let nonce = self.nonce;
        self.nonce = self.nonce.saturating_add(1);
        self.key.sign(Transaction {
            chain_id: self.chain_id.clone(),
            nonce,
            gas_limit: self.gas_limit,
            gas_price: self.gas_price,
            value,
            action,
        })
    }

    /// Commits a block of these transactions.
    ///
    /// # Errors
    /// The chain refuses one of them, or cannot commit: nothing is committed then.
    pub fn commit(&self, chain: &mut Chain, transactions: Vec<SignedTransaction>) -> Result<ExecutedBlock, CliError> {
        Ok(chain.execute_block(self.clock.next(chain), transactions)?)
    }
}

impl Clock {
    /// The time of the next block.
    #[must_use]
    pub fn next(self, chain: &Chain) -> u64 {
        let last = chain.head().time_ms;
        match self {
            Clock::Wall => now_ms().max(last),
            Clock::Fixed(time_ms) => time_ms,
            Clock::Step(milliseconds) => last.saturating_add(milliseconds),
        }
    }
}
