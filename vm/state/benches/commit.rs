//! How long a block takes to commit on redb and on RocksDB, block by block in turns on the same disk.
//!
//! ```sh
//! cargo bench -p noema-state --features rocksdb --bench commit [-- DIRECTORY]
//! ```
//!
//! Times depend on the disk; what is meant to be read is the last column, the median on redb divided by that on RocksDB.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::print_stdout, reason = "a bench measures time")]
#![allow(clippy::cast_precision_loss, clippy::float_arithmetic, reason = "ratios for people")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use noema_state::{Batch, Column, DEFAULT_CACHE_BYTES, StateStore, StoreKind, WriteSet, root};

/// Accounts in the state, written before anything is measured.
const ACCOUNTS: u64 = 50_000;
/// Bytes of a block's row for each transaction, and of a receipt.
const TRANSACTION: usize = 250;
const RECEIPT: usize = 340;

struct Contestant {
    kind: StoreKind,
    store: Box<dyn StateStore>,
    version: u64,
    /// Of each block: reading the tree and computing the root, and the commit.
    times: Vec<(Duration, Duration)>,
}

impl Contestant {
    /// The rows of a block in which so many transactions move something between accounts.
    fn block(&mut self, random: &mut Random, transactions: u64) {
        let mut writes = WriteSet::new();
        for _ in 0..transactions {
            for name in *b"bbn" {
                let key = [&[name][..], &account(random.below(ACCOUNTS))].concat();
                writes.insert(key, Some(random.below(u64::MAX).to_le_bytes().to_vec()));
            }
        }
        self.commit(random, &writes, transactions);
    }

    fn commit(&mut self, random: &mut Random, writes: &WriteSet, transactions: u64) {
        let mut batch = Batch::new();
        batch.write_state(writes);
        let start = Instant::now();
        root::apply(&*self.store, self.version, writes, &mut batch).expect("the tree grows");
        let applied = start.elapsed();
        let height = self.version.to_be_bytes();
        let size = usize::try_from(transactions).expect("small");
        batch.put(Column::Chain, [&b"b"[..], &height].concat(), random.bytes(TRANSACTION * size + 200));
        for index in 0..transactions {
            let place = [&height[..], &index.to_be_bytes()].concat();
            batch.put(Column::Chain, [&b"r"[..], &place].concat(), random.bytes(RECEIPT));
            batch.put(Column::Chain, [b"t".to_vec(), random.bytes(32)].concat(), place);
        }
        batch.put(Column::Meta, b"head".to_vec(), random.bytes(40));
        let start = Instant::now();
        self.store.commit(batch).expect("the disk has room");
        self.times.push((applied, start.elapsed()));
        self.version += 1;
    }
}

fn account(number: u64) -> [u8; 32] {
    let mut random = Random(number + 1);
    random.bytes(32).try_into().expect("32 bytes")
}

fn median(times: &[(Duration, Duration)], of: fn(&(Duration, Duration)) -> Duration) -> Duration {
    let mut times: Vec<_> = times.iter().map(of).collect();
    times.sort();
    times[times.len() / 2]
}

fn main() {
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let directory = directory.unwrap_or_else(std::env::temp_dir);
    let directory = tempfile::tempdir_in(directory).expect("a directory to write to");
    let contestant = |kind: StoreKind| {
        let path = directory.path().join(kind.file_name());
        let store = kind.create(&path, DEFAULT_CACHE_BYTES).expect("an empty directory");
        Contestant { kind, store, version: 0, times: Vec::new() }
    };
    let mut contestants = StoreKind::available().into_iter().map(contestant).collect::<Vec<_>>();
    for contestant in &mut contestants {
        let mut random = Random(7);
        for accounts in (0..ACCOUNTS).collect::<Vec<_>>().chunks(5_000) {
            let writes = accounts.iter().map(|number| ([&b"b"[..], &account(*number)].concat(), Some(vec![1; 16])));
            contestant.commit(&mut random, &writes.collect(), 0);
        }
    }
    println!("{:>12} {:>8} {:>14} {:>14} {:>22}", "transactions", "blocks", "redb", "rocksdb", "redb / rocksdb");
    for (transactions, blocks) in [(1, 300), (10, 300), (100, 200), (1_000, 60)] {
        for contestant in &mut contestants {
            contestant.times.clear();
        }
        // Both see the same blocks.
        let mut seeds = Random(99 + transactions);
        for number in 0..blocks {
            let seed = seeds.below(u64::MAX) | 1;
            let order: [usize; 2] = if number % 2 == 0 { [0, 1] } else { [1, 0] };
            for index in order {
                contestants[index].block(&mut Random(seed), transactions);
            }
        }
        type Part = (&'static str, fn(&(Duration, Duration)) -> Duration);
        let parts: [Part; 2] = [("root", |times| times.0), ("commit", |times| times.1)];
        for (name, part) in parts {
            let [redb, rocksdb] = [0, 1].map(|index| median(&contestants[index].times, part));
            let ratio = redb.as_secs_f64() / rocksdb.as_secs_f64();
            println!("{transactions:>12} {blocks:>8} {redb:>14.2?} {rocksdb:>14.2?} {ratio:>15.2} {name}");
        }
    }
    let [first, second] = &contestants[..] else { panic!("two stores") };
    let roots = [first, second].map(|contestant| {
        root::root_of(&*contestant.store, contestant.version - 1).unwrap_or_else(|error| panic!("{error}"))
    });
    assert_eq!(roots[0], roots[1], "{} and {} have the same root", first.kind, second.kind);
}

/// A small fixed generator (xorshift64*), so that every run writes the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length.div_ceil(8)).flat_map(|_| self.below(u64::MAX).to_le_bytes()).take(length).collect()
    }
}
