//! The machine and its state.

use std::collections::BTreeMap;
use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::ProtocolVersion;
use noema_model::{MemoryModelStore, merkle};
use noema_sdk::{Address, Hash};
use noema_tensor::{Kernels, Level};
use noema_vm::{
    Action, Address as VmAddress, BlockContext, Deposit, Extension, MAX_GAS, Message, Outcome, Vm, VmConfig, code_hash,
    deposit, layout,
};

use crate::faults::{Failing, ReadFaults};
use crate::{Done, Failure};

/// Gas that a message may use where a test does not say: a second of the reference machine.
const GAS: u64 = 1_000_000_000_000;

type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// The machine, its state, and the block in which messages run.
pub struct TestChain {
    pub(crate) vm: Vm,
    state: Arc<State>,
    pub(crate) block: BlockContext,
    salt: u64,
    /// Which reads of the state fail.
    read_faults: Option<ReadFaults>,
}

/// A chain as it was: balances, contracts and what they have stored, height and time. Taking one and going back to it takes
/// no time that depends on how much there is.
///
/// ```
/// use noema_testing::TestChain;
///
/// let mut chain = TestChain::new();
/// let alice = chain.account("alice", 7);
/// let before = chain.snapshot();
/// chain.account("alice", 1_000);
/// chain.advance(10, 60_000);
/// assert_ne!(chain.snapshot(), before);
/// chain.restore(&before);
/// assert_eq!((chain.balance(alice), chain.height()), (7, 1));
/// assert_eq!(chain.snapshot(), before);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    state: Arc<State>,
    block: BlockContext,
    salt: u64,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("height", &self.block.height).field("entries", &self.state.len()).finish()
    }
}

/// A contract of the chain, about to be called.
#[derive(Debug)]
#[must_use = "nothing runs before `call` or `view`"]
pub struct At<'a> {
    pub(crate) chain: &'a mut TestChain,
    contract: Address,
    from: Address,
    value: u128,
    gas: u64,
}

impl Default for TestChain {
    fn default() -> TestChain {
        TestChain::new()
    }
}

impl std::fmt::Debug for TestChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestChain").field("block", &self.block).finish_non_exhaustive()
    }
}

impl TestChain {
    /// An empty chain with the fastest kernels of this machine.
    ///
    /// # Panics
    /// Where this machine cannot set up the VM.
    #[must_use]
    pub fn new() -> TestChain {
        TestChain::with_level(Level::best())
    }

    /// An empty chain that computes tensors at this level, the same bits at any.
    ///
    /// # Panics
    /// Where this machine cannot set up the VM, or lacks the level.
    #[must_use]
    pub fn with_level(level: Level) -> TestChain {
        TestChain::set_up(level, Vec::new())
    }

    /// An empty chain that has host functions of its own.
    ///
    /// # Panics
    /// Where this machine cannot set up the VM, or the extension cannot be part of one.
    #[must_use]
    pub fn with_extension(extension: Extension) -> TestChain {
        TestChain::set_up(Level::best(), vec![extension])
    }

    fn set_up(level: Level, extensions: Vec<Extension>) -> TestChain {
        let kernels = Kernels::new(level, 1).unwrap_or_else(|error| panic!("kernels at level {level}: {error}"));
        let mut config = VmConfig::new(Arc::new(kernels), Arc::new(MemoryModelStore::new()));
        config.concurrent_messages = 1;
        config.extensions = extensions;
        let vm = Vm::new(config).unwrap_or_else(|error| panic!("the VM does not start here: {error}"));
        let block = BlockContext {
            chain_id: "noema-testing".into(),
            height: 1,
            time_ms: 1_700_000_000_000,
            version: ProtocolVersion::LATEST,
            deposit_per_byte: 0,
        };
        TestChain { vm, state: Arc::default(), block, salt: 0, read_faults: None }
    }

    /// Asks for a deposit from now on: so many native units for every byte that contracts and models take. Without it,
    /// nothing needs one.
    pub fn set_deposit_per_byte(&mut self, units: u128) {
        self.block.deposit_per_byte = units;
    }

    /// What is locked and free of the balance of an account or contract.
    #[must_use]
    pub fn deposit(&self, address: Address) -> Deposit {
        Deposit::of(&*self.state, &self.block, &VmAddress(address.0)).expect("the VM writes what it reads")
    }

    /// The address of somebody, with this balance. The same name is always the same address.
    ///
    /// # Panics
    /// For an empty name or one longer than 32 bytes.
    pub fn account(&mut self, name: &str, balance: u128) -> Address {
        assert!(!name.is_empty() && name.len() <= 32, "a name has 1 to 32 bytes: {name:?}");
        let mut address = [0; 32];
        address[..name.len()].copy_from_slice(name.as_bytes());
        self.set_balance(Address(address), balance);
        Address(address)
    }

    /// Lets an account or contract have this balance from now on, out of nothing.
    pub fn set_balance(&mut self, address: Address, balance: u128) {
        self.write([(layout::balance_key(&VmAddress(address.0)), layout::encode_balance(balance))]);
    }

    /// The balance of an account or contract.
    #[must_use]
    pub fn balance(&self, address: Address) -> u128 {
        let bytes = self.read(&layout::balance_key(&VmAddress(address.0)));
        layout::decode_balance(bytes.as_deref()).expect("the VM writes balances")
    }

    /// What a contract has stored under a raw key.
    #[must_use]
    pub fn stored(&self, contract: Address, key: &[u8]) -> Option<Vec<u8>> {
        self.read(&layout::storage_key(&VmAddress(contract.0), key))
    }

    /// Height of the block in which messages run.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.block.height
    }

    /// Time of that block, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.block.time_ms
    }

    /// Goes on to the next block, this much later.
    pub fn next_block(&mut self, milliseconds: u64) {
        self.advance(1, milliseconds);
    }

    /// Goes on by so many blocks, and so much time in all.
    pub fn advance(&mut self, blocks: u64, milliseconds: u64) {
        self.travel_to(self.block.height + blocks, self.block.time_ms + milliseconds);
    }

    /// Goes to a block of any height and time, later or earlier; what contracts have stored stays as it is.
    pub fn travel_to(&mut self, height: u64, time_ms: u64) {
        (self.block.height, self.block.time_ms) = (height, time_ms);
    }

    /// What there is now, for [`TestChain::restore`]. Models are not part of it: what has been added once stays.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { state: Arc::clone(&self.state), block: self.block.clone(), salt: self.salt }
    }

    /// Goes back to (or on to) what there was.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        let Snapshot { state, block, salt } = snapshot.clone();
        (self.state, self.block, self.salt) = (state, block, salt);
    }

    /// From now on the state cannot be read after this many more reads, as if the disk of this node had failed; `None` makes it
    /// well again. A message that meets it ends as [`Failure::Node`], and nothing of it stays.
    pub fn fail_reads_after(&mut self, reads: Option<u64>) {
        self.read_faults = reads.map(ReadFaults::after);
    }

    /// Gives the chain a model, chunk by chunk as a transaction sender would. The zero address holds it; where there are
    /// deposits it gets the value for its own out of nothing.
    ///
    /// # Errors
    /// Where the bytes are no acceptable model.
    pub fn add_model(&mut self, container: &[u8]) -> Result<Hash, Failure> {
        let tree = merkle::MerkleTree::new(container);
        let id = tree.id().0;
        let total_len = u64::try_from(container.len()).unwrap_or(u64::MAX);
        let nobody = Address([0; 32]);
        let deposit = deposit::for_model(&self.block, total_len);
        let funded = layout::encode_balance(self.balance(nobody).saturating_add(deposit));
        self.write([(layout::balance_key(&VmAddress(nobody.0)), funded)]);
        self.act(Action::BeginModel { total_len, top: tree.top() })?;
        for (index, chunk) in (0u32..).zip(merkle::chunks(container)) {
            let proof = tree.proof(u64::from(index)).expect("the chunk is there");
            self.act(Action::ModelChunk { id, index, bytes: chunk.to_vec(), proof })?;
        }
        self.act(Action::FinishModel { id })?;
        Ok(Hash(id))
    }

    /// Takes a model away again, as whoever holds one on a chain may: contracts do not find it any more.
    ///
    /// # Errors
    /// Where the chain does not have it.
    pub fn withdraw_model(&mut self, id: Hash) -> Result<(), Failure> {
        self.act(Action::WithdrawModel { id: id.0 })
    }

    /// Deploys code and runs its `init`, without value; `deployer` may migrate it later.
    ///
    /// # Errors
    /// Where the code is not admitted or `init` fails.
    pub fn deploy<A: BorshSerialize>(
        &mut self,
        deployer: Address,
        wasm: &[u8],
        args: &A,
    ) -> Result<Done<Address>, Failure> {
        self.deploy_with_value(deployer, wasm, 0, args)
    }

    /// As [`TestChain::deploy`], sending value to the new contract.
    ///
    /// # Errors
    /// As [`TestChain::deploy`].
    pub fn deploy_with_value<A: BorshSerialize>(
        &mut self,
        deployer: Address,
        wasm: &[u8],
        value: u128,
        args: &A,
    ) -> Result<Done<Address>, Failure> {
        self.salt += 1;
        let sender = VmAddress(deployer.0);
        let address = VmAddress::of_contract(sender, self.salt, &code_hash(wasm));
        let action = Action::Deploy { code: wasm.to_vec(), salt: self.salt, input: encode(args)? };
        let done = self.execute(&Message { sender, value, gas_limit: GAS, action })?;
        Ok(Done { value: Address(address.0), receipt: done.receipt, logs: done.logs })
    }

    /// Replaces the code of a contract and runs the new code's `migrate`.
    ///
    /// # Errors
    /// Where `sender` did not deploy it, the code is not admitted or `migrate` fails.
    pub fn migrate<A: BorshSerialize>(
        &mut self,
        sender: Address,
        contract: Address,
        wasm: &[u8],
        args: &A,
    ) -> Result<Done<()>, Failure> {
        let contract = VmAddress(contract.0);
        let action = Action::Migrate { contract, code: wasm.to_vec(), input: encode(args)? };
        let done = self.execute(&Message { sender: VmAddress(sender.0), value: 0, gas_limit: GAS, action })?;
        Ok(Done { value: (), receipt: done.receipt, logs: done.logs })
    }

    /// A contract to call: from the zero address, without value, with a second's gas, until told
    /// otherwise.
    pub fn at(&mut self, contract: Address) -> At<'_> {
        At { chain: self, contract, from: Address([0; 32]), value: 0, gas: GAS }
    }

    /// Runs a message and keeps what it writes.
    fn execute(&mut self, message: &Message) -> Result<Done<Vec<u8>>, Failure> {
        let outcome = self.vm.execute(&self.readable(), &self.block, message)?;
        self.write(outcome.writes.clone());
        done(outcome)
    }

    /// A message that nobody pays for.
    fn act(&mut self, action: Action) -> Result<(), Failure> {
        self.execute(&Message { sender: VmAddress([0; 32]), value: 0, gas_limit: MAX_GAS, action }).map(|_| ())
    }

    fn readable(&self) -> Failing<'_, State> {
        Failing { state: &self.state, faults: self.read_faults.as_ref() }
    }

    pub(crate) fn read(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.state.get(key).cloned()
    }

    pub(crate) fn write(&mut self, writes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>) {
        let state = Arc::make_mut(&mut self.state);
        for (key, value) in writes {
            match value {
                Some(value) => state.insert(key, value),
                None => state.remove(&key),
            };
        }
    }
}

impl At<'_> {
    /// Who sends the call.
    pub fn from(self, sender: Address) -> Self {
        At { from: sender, ..self }
    }

    /// How much value goes with it.
    pub fn value(self, value: u128) -> Self {
        At { value, ..self }
    }

    /// How much gas it may use.
    pub fn gas(self, gas: u64) -> Self {
        At { gas, ..self }
    }

    /// Calls a method.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn call<R: BorshDeserialize, A: BorshSerialize>(self, method: &str, args: &A) -> Result<Done<R>, Failure> {
        reply(self.call_raw([encode(method)?, encode(args)?].concat())?)
    }

    /// Calls a method again and again with less gas than it needs, `steps` limits from nothing to one unit less than what it
    /// uses, and checks that each of these calls fails and changes nothing; then calls it with all the gas it had.
    /// This is how a call is found that leaves a half of its work behind when it runs out of gas, in the contract itself or in one
    /// that it calls and whose failure it takes for an answer.
    ///
    /// # Errors
    /// [`Failure`] of the last call.
    ///
    /// # Panics
    /// Where a call with too little gas succeeds with another result, or changes something and fails.
    pub fn call_starved<R: BorshDeserialize, A: BorshSerialize>(
        self,
        steps: u64,
        method: &str,
        args: &A,
    ) -> Result<Done<R>, Failure> {
        let input = [encode(method)?, encode(args)?].concat();
        let At { chain, contract, from, value, gas } = self;
        let before = chain.snapshot();
        let call = |chain: &mut TestChain, gas: u64| At { chain, contract, from, value, gas }.call_raw(input.clone());
        let whole = call(chain, gas)?;
        let after = chain.snapshot();
        let needed = whole.receipt.gas_used();
        for step in 0..steps {
            chain.restore(&before);
            let limit = u64::try_from(u128::from(needed) * u128::from(step) / u128::from(steps)).unwrap_or(needed);
            match call(chain, limit) {
                // A call that hands on less gas to a nested one may find another way to its end.
                Ok(_) => {
                    assert!(chain.snapshot() == after, "`{method}` with {limit} of {needed} gas did something else")
                }
                Err(Failure::Node(error)) => return Err(error.into()),
                Err(failure) => {
                    assert!(
                        chain.snapshot() == before,
                        "`{method}` with {limit} gas failed and left something: {failure}"
                    );
                }
            }
        }
        chain.restore(&after);
        reply(whole)
    }

    /// Calls with any input, and returns the output as it is.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn call_raw(self, input: Vec<u8>) -> Result<Done<Vec<u8>>, Failure> {
        let action = Action::Call { contract: VmAddress(self.contract.0), input };
        let sender = VmAddress(self.from.0);
        self.chain.execute(&Message { sender, value: self.value, gas_limit: self.gas, action })
    }

    /// Reads through a view. The sender and value that were set play no part.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn view<R: BorshDeserialize, A: BorshSerialize>(self, method: &str, args: &A) -> Result<Done<R>, Failure> {
        let input = [encode(method)?, encode(args)?].concat();
        let chain = self.chain;
        let contract = VmAddress(self.contract.0);
        reply(done(chain.vm.view(&chain.readable(), &chain.block, contract, &input, self.gas)?)?)
    }
}

fn done(outcome: Outcome) -> Result<Done<Vec<u8>>, Failure> {
    let receipt = Failure::of(outcome.receipt, outcome.diagnostic)?;
    Ok(Done { value: receipt.output.clone(), receipt, logs: outcome.logs })
}

fn reply<R: BorshDeserialize>(done: Done<Vec<u8>>) -> Result<Done<R>, Failure> {
    match R::try_from_slice(&done.value) {
        Ok(value) => Ok(Done { value, receipt: done.receipt, logs: done.logs }),
        Err(_) => Err(Failure::Reply { output: done.value }),
    }
}

fn encode<T: BorshSerialize + ?Sized>(value: &T) -> Result<Vec<u8>, Failure> {
    borsh::to_vec(value).map_err(|error| Failure::Arguments(error.to_string()))
}
