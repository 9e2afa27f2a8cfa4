//! Arguments that several commands share, and how single values are read.

use std::path::PathBuf;

use clap::Args;
use noema_chain::EngineKind;
use noema_tensor::Level;

use crate::CliError;

/// What executes: results are the same whatever is chosen.
#[derive(Args, Clone, Debug)]
pub struct KernelArgs {
    /// Kernel level to compute with [default: the fastest of this machine]
    #[arg(long, value_name = "LEVEL", env = "NOEMA_LEVEL")]
    pub level: Option<Level>,
    /// Threads of the kernels
    #[arg(long, value_name = "N", default_value_t = 1, env = "NOEMA_THREADS", value_parser = some_threads)]
    pub threads: usize,
    /// What runs contracts: cranelift, cranelift-unoptimized, pulley or wasmi
    #[arg(long, value_name = "ENGINE", default_value_t, env = "NOEMA_ENGINE")]
    pub engine: EngineKind,
}

/// The fastest level, one thread, Cranelift.
impl Default for KernelArgs {
    fn default() -> KernelArgs {
        KernelArgs { level: None, threads: 1, engine: EngineKind::default() }
    }
}

impl KernelArgs {
    /// The chosen level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level.unwrap_or_else(Level::best)
    }
}

/// Which kernels to try: every level with every number of threads.
#[derive(Args, Clone, Debug)]
pub struct LevelArgs {
    /// `all` of this machine, or a list such as `reference,avx2`
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub levels: String,
    /// Numbers of threads, each tried with every level
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2")]
    pub threads: Vec<usize>,
}

impl LevelArgs {
    /// The levels of the list, in its order.
    ///
    /// # Errors
    /// A name that is no level, or a level that this machine does not have.
    pub fn levels(&self) -> Result<Vec<Level>, CliError> {
        let available = Level::available();
        if self.levels == "all" {
            return Ok(available);
        }
        let known = || {
            let names: Vec<&str> = available.iter().map(|level| level.name()).collect();
            format!("this machine has {}", names.join(", "))
        };
        self.levels
            .split(',')
            .map(|name| {
                let level: Level = name
                    .trim()
                    .parse()
                    .map_err(|_| CliError::argument("--levels", format!("`{name}` is no kernel level"), known()))?;
                if !available.contains(&level) {
                    let problem = format!("this machine cannot run `{name}`");
                    return Err(CliError::argument("--levels", problem, known()));
                }
                Ok(level)
            })
            .collect()
    }

    /// The numbers of threads.
    ///
    /// # Errors
    /// Zero threads, or more than a machine has use for.
    pub fn threads(&self) -> Result<Vec<usize>, CliError> {
        let hint = format!("give numbers from 1 to {MAX_THREADS}");
        match self.threads.iter().find(|count| !(1..=MAX_THREADS).contains(*count)) {
            Some(0) => Err(CliError::argument("--threads", "0 threads compute nothing", hint)),
            Some(count) => Err(CliError::argument("--threads", format!("{count} threads are too many"), hint)),
            None => Ok(self.threads.clone()),
        }
    }
}

/// More threads than any machine has processors. Beyond it a slip of the finger would start threads for minutes.
const MAX_THREADS: usize = 1024;

fn some_threads(text: &str) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|error: std::num::ParseIntError| error.to_string())?;
    if (1..=MAX_THREADS).contains(&count) { Ok(count) } else { Err(format!("{count} is not in 1..={MAX_THREADS}")) }
}

/// Who sends a transaction, and with what.
#[derive(Args, Clone, Debug)]
pub struct SenderArgs {
    /// Key file of the sender [default: the chain's own, DIR/key.json]
    #[arg(long, value_name = "FILE", env = "NOEMA_KEY")]
    pub key: Option<PathBuf>,
    /// Most gas to spend (one unit is a picosecond of the reference machine)
    #[arg(long, value_name = "GAS", default_value_t = 1_000_000_000_000)]
    pub gas_limit: u64,
    /// What one unit of gas is worth to the sender
    #[arg(long, value_name = "PRICE", default_value_t = 0)]
    pub gas_price: u64,
    /// Nonce to sign [default: the next one of the sender's account]
    #[arg(long, value_name = "N")]
    pub nonce: Option<u64>,
    /// Time of the block, milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MS")]
    pub time_ms: Option<u64>,
}

/// Reads 32 bytes of hex, with or without `0x`.
///
/// ```
/// # use noema_cli::arguments::hash;
/// assert_eq!(hash(&"11".repeat(32)), Ok([0x11; 32]));
/// assert!(hash("0x11").unwrap_err().contains("32 bytes"));
/// ```
///
/// # Errors
/// What is wrong, in words.
pub fn hash(text: &str) -> Result<[u8; 32], String> {
    let bytes = bytes(text)?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| format!("32 bytes (64 hex digits) wanted, got {}", bytes.len()))
}

/// Reads hex, with or without `0x`.
///
/// # Errors
/// What is wrong, in words.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).map_err(|error| format!("not hex: {error}"))
}

/// Bytes as people and scripts see them.
#[must_use]
pub fn show(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(bytes)
}
