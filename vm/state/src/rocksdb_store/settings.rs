//! How RocksDB is set up. Nothing of it changes what is read; why it is like this: `docs/decisions/0007-rocksdb.md`.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, LogLevel, Options,
    WriteOptions,
};

use crate::Column;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What holds for the whole database.
pub(super) fn database() -> Options {
    let mut options = Options::default();
    // The log: one for all columns. What a power cut tore is cut off; a log that is missing as a whole is an error.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    // Columns that seldom change do not keep old logs alive, so opening after a crash reads at most this much.
    options.set_max_total_wal_size(64 * 1024 * 1024);
    options.set_db_write_buffer_size(64 * MIB);
    options.set_max_background_jobs(2);
    options.set_bytes_per_sync(1024 * 1024);
    // A process has a thousand or so by default.
    options.set_max_open_files(256);
    // Words of RocksDB about itself, in its directory.
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(MIB);
    options.set_stats_dump_period_sec(0);
    options
}

/// Every column, as a family with a cache that all share.
pub(super) fn columns(cache_bytes: usize) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(cache_bytes);
    let family = |column: Column| ColumnFamilyDescriptor::new(column.name(), family(column, &cache));
    Column::ALL.map(family).into()
}

fn family(column: Column, cache: &Cache) -> Options {
    // (bytes of a block, of a write buffer)
    let (block, buffer) = match column {
        // Small values, read one by one by keys that are hashes or as good as.
        Column::State | Column::Tree => (8 * KIB, 16 * MIB),
        // Whole blocks of a chain, written once, read in their order.
        Column::Chain => (32 * KIB, 16 * MIB),
        Column::Meta => (4 * KIB, MIB),
    };
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(block);
    // Looking for what is not there is as common as for what is: new keys, first versions of nodes.
    blocks.set_bloom_filter(10.0, false);
    // Filters and indexes count as cache, so that memory has one bound.
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);

    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(buffer);
    // Hashes, keys and signatures do not get smaller.
    options.set_compression_type(DBCompressionType::None);
    options
}

/// A commit is on the disk when it returns.
pub(super) fn durable() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options.disable_wal(false);
    options
}
