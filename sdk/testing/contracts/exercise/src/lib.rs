//! A contract whose methods use every part of the SDK, one after the other. It decides nothing and
//! protects nothing.
#![no_std]
#![forbid(unsafe_code)]

mod compute;

use noema_sdk::{self as noema, prelude::*};

/// The state.
#[noema::state]
pub struct Exercise {
    owner: Address,
    count: u64,
    generation: u32,
}

/// Emitted by `Exercise::add`.
#[noema::event]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// What was added.
    pub amount: u64,
    /// What it is now.
    pub count: u64,
}

/// What the contract sees of its call.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The caller.
    pub caller: Address,
    /// The contract.
    pub self_address: Address,
    /// The value sent along.
    pub value: u128,
    /// The block's height.
    pub height: u64,
    /// The block's time.
    pub time_ms: u64,
    /// The chain.
    pub chain_id: String,
    /// The contract's balance.
    pub balance: u128,
    /// Gas left before and after these questions.
    pub gas: (u64, u64),
}

/// How a nested call ended.
#[noema::data]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nested {
    /// With this result.
    Returned(u64),
    /// With an abort.
    Aborted {
        /// Its code.
        code: u32,
        /// Its message.
        message: String,
    },
    /// With a status.
    Status(u16),
    /// With something else.
    Other,
}

/// Refused by `Exercise::add`.
pub const ZERO: u32 = 1;
/// Only the owner may do this.
pub const NOT_OWNER: u32 = 2;

const NOTE: Item<String> = Item::new("note");
const PASSING: transient::Item<u64> = transient::Item::new("note");
const SCORES: Map<(Address, i32), u64> = Map::new("scores");
const BLOBS: Map<u32, Vec<u8>> = Map::new("blobs");

#[noema::contract(events(Added))]
impl Exercise {
    #[init(payable)]
    fn new(count: u64) -> Self {
        Exercise { owner: env::caller(), count, generation: 1 }
    }

    #[migrate]
    fn next_generation(count: u64) -> Result<Self> {
        let old: Exercise = storage::read_state_as()?;
        ensure!(env::caller() == old.owner, NOT_OWNER, "only the owner");
        Ok(Exercise { count, generation: old.generation + 1, ..old })
    }

    #[call]
    fn add(&mut self, amount: u64) -> Result<u64> {
        ensure!(amount > 0, ZERO, "nothing to add to {}", self.count);
        self.count += amount;
        event::emit(&Added { amount, count: self.count })?;
        Ok(self.count)
    }

    #[view]
    fn count(&self) -> u64 {
        self.count
    }

    #[view]
    fn generation(&self) -> u32 {
        self.generation
    }

    #[call(payable)]
    fn surroundings() -> Surroundings {
        let before = env::gas_left();
        let self_address = env::self_address();
        Surroundings {
            caller: env::caller(),
            value: env::value(),
            height: env::block_height(),
            time_ms: env::block_time_ms(),
            chain_id: env::chain_id(),
            balance: env::balance(&self_address),
            gas: (before, env::gas_left()),
            self_address,
        }
    }

    #[call]
    fn log_twice(text: String) {
        log!("fixed");
        log!("text {text:?}");
    }

    #[call]
    fn pay(to: Address, value: u128) -> Result<()> {
        Ok(call::transfer(&to, value)?)
    }

    #[call]
    fn note(note: Option<String>) -> Result<Option<String>> {
        let old = NOTE.get()?;
        match note {
            Some(note) => NOTE.set(&note)?,
            None => ensure!(NOTE.remove()? == old.is_some(), NOT_OWNER, "what was read is what is removed"),
        }
        Ok(old)
    }

    #[call]
    fn score(player: Address, level: i32, points: u64) -> Result<Option<u64>> {
        let old = SCORES.get(&(player, level))?;
        if points == 0 {
            SCORES.remove(&(player, level))?;
        } else {
            SCORES.set(&(player, level), &points)?;
        }
        Ok(old)
    }

    #[view]
    fn scores(from: Option<(Address, i32)>, limit: u32) -> Result<Vec<((Address, i32), u64)>> {
        SCORES.range(from.as_ref(), limit as usize)
    }

    #[call]
    fn put_blobs(sizes: Vec<u32>) -> Result<()> {
        for (key, size) in (0..).zip(sizes) {
            BLOBS.set(&key, &vec![key.to_le_bytes()[0]; size as usize])?;
        }
        Ok(())
    }

    #[view]
    fn blob_sizes(limit: u32) -> Result<Vec<(u32, u32)>> {
        let sizes = BLOBS.range(None, limit as usize)?.into_iter();
        Ok(sizes.map(|(key, blob)| (key, u32::try_from(blob.len()).unwrap_or(u32::MAX))).collect())
    }

    #[call]
    fn raw_storage(key: Vec<u8>, value: Vec<u8>) -> Result<(bool, Option<Vec<u8>>, bool, bool)> {
        let before = storage::contains(&key)?;
        storage::set(&key, &value)?;
        let read = storage::get(&key)?;
        let removed = storage::remove(&key)?;
        Ok((before, read, removed, storage::remove(&key)?))
    }

    /// Writes, and then fails: nothing of it remains.
    #[call]
    fn write_and_fail(&mut self) -> Result<()> {
        self.count = 0;
        NOTE.set(&"gone".to_owned())?;
        event::emit_raw(b"gone", b"")?;
        bail!(99, "on purpose");
    }

    #[call]
    fn panic_at(values: Vec<u64>, index: u32) -> u64 {
        values[index as usize]
    }

    #[call]
    fn expect_some(value: Option<u64>) -> u64 {
        value.expect("there has to be a value")
    }

    #[call]
    fn overflow(a: u32, b: u32) -> u32 {
        a + b
    }

    #[call]
    fn recurse(depth: u64) -> u64 {
        if depth == 0 { 0 } else { core::hint::black_box(Self::recurse(depth - 1) + 1) }
    }

    #[call]
    fn spin() {
        let mut n = 0u64;
        while env::block_height() > 0 {
            n = core::hint::black_box(n.wrapping_add(1));
        }
    }

    /// Keeps blocks of doubling size alive, and checks that they do not overlap.
    #[call]
    fn allocate(rounds: u32) -> u64 {
        let mut blocks: Vec<Vec<u32>> = Vec::new();
        for round in 0..rounds {
            let mut block = Vec::new();
            (0..1u32 << round).for_each(|i| block.push(i ^ round));
            let text = format!("{round}");
            blocks.push(block.clone());
            drop(text);
            block.clear();
            block.shrink_to_fit();
        }
        let sum = |(round, block): (u32, &Vec<u32>)| block.iter().map(|n| u64::from(n ^ round)).sum::<u64>();
        (0..).zip(&blocks).map(sum).sum()
    }

    /// Takes a block of this size at once.
    #[call]
    fn take(bytes: u32) -> u32 {
        let block = vec![1u8; bytes as usize];
        block.iter().map(|byte| u32::from(*byte)).sum()
    }

    #[view]
    fn write_in_view() -> Result<()> {
        NOTE.set(&"never".to_owned())
    }

    #[call(payable)]
    fn nested(target: Address, method: String, amount: u64, gas: Option<u64>) -> Nested {
        let mut call = call::contract(&target).value(env::value());
        if let Some(gas) = gas {
            call = call.gas(gas);
        }
        match call.method::<_, u64>(&method, &(amount,)) {
            Ok(n) => Nested::Returned(n),
            Err(call::CallError::Aborted(abort)) => {
                Nested::Aborted { code: abort.code, message: String::from_utf8_lossy(&abort.message).into_owned() }
            }
            Err(call::CallError::Status(status)) => Nested::Status(status.code()),
            Err(_) => Nested::Other,
        }
    }

    /// What it keeps, and what is locked and free of its balance.
    #[view]
    fn deposit() -> (u64, u128, u128) {
        (env::kept_bytes(), env::locked_balance(), env::free_balance())
    }

    /// Writes a transient value, has another contract call back, and says what it is then.
    #[call]
    fn lend(through: Address, amount: u64) -> Result<Option<u64>> {
        PASSING.set(&amount)?;
        let back = (env::self_address(), "give_back".to_owned(), amount, None::<u64>);
        let nested: Nested = call::contract(&through).method("nested", &back)?;
        ensure!(nested == Nested::Returned(amount), NOT_OWNER, "{nested:?}");
        PASSING.get()
    }

    /// Called back: the transient value and half of it.
    #[call(reentrant)]
    fn give_back(amount: u64) -> Result<u64> {
        let lent = PASSING.get()?.unwrap_or(0);
        PASSING.set(&(lent / 2))?;
        Ok(if lent == amount { lent } else { 0 })
    }

    /// The transient value, which no transaction leaves.
    #[view(reentrant)]
    fn passing() -> Result<Option<u64>> {
        PASSING.get()
    }

    /// Counts itself, after a call back that may count as well.
    #[call]
    fn add_around(&mut self, through: Address, method: String) -> Result<Nested> {
        self.count += 1;
        Ok(call::contract(&through).method("nested", &(env::self_address(), method, 5u64, None::<u64>))?)
    }

    /// As `add`, while the contract is running.
    #[call(reentrant)]
    fn add_again(&mut self, amount: u64) -> u64 {
        self.count += amount;
        self.count
    }

    /// Asks another contract's view, from a call or from a view.
    #[view]
    fn ask(target: Address) -> Result<u64> {
        Ok(call::contract(&target).method("count", &())?)
    }

    /// Reads more back than fits into the first guess of the SDK.
    #[view]
    fn ask_blob_sizes(target: Address) -> Result<Vec<(u32, u32)>> {
        Ok(call::contract(&target).method("blob_sizes", &(1000u32,))?)
    }

    #[view]
    fn hashes(data: Vec<u8>) -> (Hash, Hash) {
        (crypto::keccak256(&data), crypto::sha256(&data))
    }

    #[view]
    fn verify(key: [u8; 32], signature: [u8; 64], message: Vec<u8>) -> bool {
        crypto::ed25519_verify(&key, &signature, &message)
    }

    #[view]
    fn recover(digest: Hash, signature: [u8; 64], recovery_id: u32) -> Result<[u8; 64]> {
        Ok(crypto::secp256k1_recover(&digest.0, &signature, recovery_id)?)
    }

    #[view]
    fn perceptron(row: Vec<i8>, weights: Vec<i8>, bias: Vec<i32>) -> Result<(Vec<i32>, i32)> {
        compute::perceptron(&row, &weights, &bias)
    }

    #[view]
    fn tensors() -> Result<()> {
        compute::tensors()
    }

    #[view]
    fn model(id: Hash, row: Vec<i32>) -> Result<(u64, u64, Vec<Vec<i32>>)> {
        compute::model(&id, &row)
    }
}
