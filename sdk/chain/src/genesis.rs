//! How a chain begins.

use std::collections::BTreeMap;
use std::io;

use borsh::{BorshDeserialize, BorshSerialize};
use noema_abi::ProtocolVersion;
use noema_state::WriteSet;
use noema_vm::{Address, BlockContext, MAX_GAS, layout};

use crate::hash::hash;
use crate::transaction::bytes;

/// Longest name of a chain, in bytes.
pub const MAX_CHAIN_ID_BYTES: usize = 64;

/// Gas of a block unless the genesis says otherwise: 60 seconds of the reference machine.
pub const DEFAULT_BLOCK_GAS: u64 = 60_000_000_000_000;

/// Deposit for every byte on a chain that people create to try things, in native units.
pub const DEFAULT_DEPOSIT_PER_BYTE: u128 = 1_000_000_000_000;

/// Everything that all nodes of a chain must agree on before the first block.
///
/// ```
/// use noema_chain::{Genesis, KeyPair};
/// let rich = KeyPair::from_seed([1; 32]).address();
/// let genesis = Genesis { balances: [(rich, 1_000_000)].into(), ..Genesis::new("local", 1_700_000_000_000) };
/// genesis.check()?;
/// # Ok::<(), noema_chain::GenesisError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Genesis {
    /// Name of the chain: 1 to [`MAX_CHAIN_ID_BYTES`] printable ASCII characters without spaces.
    pub chain_id: String,
    /// The protocol version of its blocks.
    #[borsh(serialize_with = "write_version", deserialize_with = "read_version")]
    pub version: ProtocolVersion,
    /// Time of block 0, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Most gas of a block; a transaction may not ask for more.
    pub block_gas: u64,
    /// Deposit for every byte that contracts and models take, in native units; 0 for none ([`noema_vm::deposit`]).
    pub deposit_per_byte: u128,
    /// Who has what. Nothing is ever added to the sum.
    pub balances: BTreeMap<Address, u128>,
}

/// A genesis that no chain can begin with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// The name is empty, too long, or has other characters.
    #[error(
        "`{chain_id}` cannot be the name of a chain: 1 to {MAX_CHAIN_ID_BYTES} printable ASCII characters without spaces"
    )]
    ChainId {
        /// The name.
        chain_id: String,
    },
    /// The gas of a block is zero, or more than has a meaning.
    #[error("the gas of a block must be between 1 and {MAX_GAS}, not {block_gas}")]
    BlockGas {
        /// The gas.
        block_gas: u64,
    },
    /// The balances add up to more than the largest number.
    #[error("the balances add up to more than {}", u128::MAX)]
    Supply,
}

impl Genesis {
    /// A chain of the newest protocol version in which nobody has anything, and nothing needs a deposit.
    #[must_use]
    pub fn new(chain_id: impl Into<String>, time_ms: u64) -> Genesis {
        Genesis {
            chain_id: chain_id.into(),
            version: ProtocolVersion::LATEST,
            time_ms,
            block_gas: DEFAULT_BLOCK_GAS,
            deposit_per_byte: 0,
            balances: BTreeMap::new(),
        }
    }

    /// Checks that a chain can begin with it.
    ///
    /// # Errors
    /// [`GenesisError`]
    pub fn check(&self) -> Result<(), GenesisError> {
        let name = self.chain_id.as_bytes();
        if name.is_empty() || name.len() > MAX_CHAIN_ID_BYTES || !name.iter().all(u8::is_ascii_graphic) {
            return Err(GenesisError::ChainId { chain_id: self.chain_id.clone() });
        }
        if self.block_gas == 0 || self.block_gas > MAX_GAS {
            return Err(GenesisError::BlockGas { block_gas: self.block_gas });
        }
        let supply = self.balances.values().try_fold(0_u128, |sum, balance| sum.checked_add(*balance));
        supply.map(|_| ()).ok_or(GenesisError::Supply)
    }

    /// The domain-separated Keccak-256 of the canonical bytes: what block 0 names as its parent.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash("noema genesis", &[&bytes(self)])
    }

    /// What messages see of a block of this chain.
    pub(crate) fn context(&self, height: u64, time_ms: u64) -> BlockContext {
        BlockContext {
            chain_id: self.chain_id.clone(),
            height,
            time_ms,
            version: self.version,
            deposit_per_byte: self.deposit_per_byte,
        }
    }

    /// What the state contains before the first transaction.
    pub(crate) fn writes(&self) -> WriteSet {
        self.balances
            .iter()
            .filter_map(|(address, balance)| {
                Some((layout::balance_key(address), Some(layout::encode_balance(*balance)?)))
            })
            .collect()
    }
}

fn write_version<W: io::Write>(version: &ProtocolVersion, writer: &mut W) -> io::Result<()> {
    version.number().serialize(writer)
}

fn read_version<R: io::Read>(reader: &mut R) -> io::Result<ProtocolVersion> {
    let number = u32::deserialize_reader(reader)?;
    ProtocolVersion::from_number(number).ok_or_else(|| {
        let newest = ProtocolVersion::LATEST;
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("protocol version {number} is not known; the newest here is {newest}"),
        )
    })
}
