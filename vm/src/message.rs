//! What the virtual machine is asked to do.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::ProtocolVersion;

use crate::hash::hash;

/// An account or a contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Address(pub [u8; 32]);

impl Address {
    /// Where a contract lives: a hash of who deployed it, the salt and the hash of its code, so that nobody else can
    /// take the address and the deployer knows it beforehand.
    ///
    /// ```
    /// use noema_vm::Address;
    /// let code_hash = noema_vm::code_hash(b"some code");
    /// assert_ne!(Address::of_contract(Address([1; 32]), 0, &code_hash), Address::of_contract(Address([2; 32]), 0, &code_hash));
    /// ```
    #[must_use]
    pub fn of_contract(deployer: Address, salt: u64, code_hash: &[u8; 32]) -> Address {
        Address(hash("noema contract address", &[&deployer.0, &salt.to_le_bytes(), code_hash]))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The hash under which the code of contracts is stored.
#[must_use]
pub fn code_hash(code: &[u8]) -> [u8; 32] {
    hash("noema code", &[code])
}

/// Where in the chain a message is executed. All of it is visible to contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// Name of the chain.
    pub chain_id: String,
    /// Height of the block being executed.
    pub height: u64,
    /// Time of the block, in milliseconds since the Unix epoch, as its producer wrote it.
    pub time_ms: u64,
    /// The rules in force.
    pub version: ProtocolVersion,
    /// Deposit for every byte that contracts and models take, in native units; 0 for none. A rule of the chain, equal on
    /// all nodes: see [`crate::deposit`].
    pub deposit_per_byte: u128,
}

/// One message. Who may send it, and in which order, is decided by the chain: `sender` is taken as proven.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Message {
    /// Who sends it.
    pub sender: Address,
    /// Native value that goes with it, to the contract or account the action names. Actions on models take none.
    pub value: u128,
    /// Most gas it may use, in picoseconds of the reference machine. Above [`MAX_GAS`] it counts as [`MAX_GAS`].
    pub gas_limit: u64,
    /// What to do.
    pub action: Action,
}

/// The largest gas limit that has a meaning: 2^62 picoseconds, 53 days.
pub const MAX_GAS: u64 = 1 << 62;

/// What a message does.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Action {
    /// Admits `code`, creates the contract at [`Address::of_contract`] with the sender as its administrator, and runs
    /// its `init` export, if it has one.
    Deploy {
        /// The WebAssembly module.
        code: Vec<u8>,
        /// Distinguishes contracts of one deployer with the same code.
        salt: u64,
        /// Input of `init`.
        input: Vec<u8>,
    },
    /// Runs the `call` export of a contract.
    Call {
        /// The contract.
        contract: Address,
        /// Its input.
        input: Vec<u8>,
    },
    /// Replaces the code of a contract and runs the `migrate` export of the new code. Only its administrator may.
    Migrate {
        /// The contract.
        contract: Address,
        /// The new WebAssembly module.
        code: Vec<u8>,
        /// Input of `migrate`.
        input: Vec<u8>,
    },
    /// Sends the value to an address; no code runs.
    Transfer {
        /// The receiver.
        to: Address,
    },
    /// Announces a model: how many bytes it has and what they hash to, which together are its id
    /// ([`noema_model::merkle::id_of`]). Takes the deposit for it from the sender, who holds it from now on. Announcing
    /// what one holds changes nothing; several accounts may hold one model.
    BeginModel {
        /// Length of the container in bytes.
        total_len: u64,
        /// The top of the tree of its chunks.
        top: [u8; 32],
    },
    /// Brings one chunk of an announced model. A chunk that is already there changes nothing.
    ModelChunk {
        /// The model.
        id: [u8; 32],
        /// Which chunk, from 0.
        index: u32,
        /// Its bytes.
        bytes: Vec<u8>,
        /// The Merkle path of the chunk, leaf to root.
        proof: Vec<[u8; 32]>,
    },
    /// Puts the chunks together, checks the model and its bound certificate, and makes it usable by contracts.
    FinishModel {
        /// The model.
        id: [u8; 32],
    },
    /// Ends the sender's hold of a model and gives the deposit back. When nobody holds it any more the model is gone,
    /// finished or not: contracts do not find it.
    WithdrawModel {
        /// The model.
        id: [u8; 32],
    },
}
