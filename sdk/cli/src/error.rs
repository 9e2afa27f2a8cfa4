//! What a command can fail with: what went wrong, what to do next, and the exit status.

use std::io;
use std::path::{Path, PathBuf};

use noema_build::BuildError;
use noema_chain::ChainError;
use noema_import::ImportError;
use noema_model::ModelStoreError;
use noema_state::StoreError;
use noema_state::root::RootError;
use noema_tensor::KernelError;
use noema_vm::{AdmissionError, VmError};
use serde_json::{Value, json};

/// Exit status of a run that ended well.
pub const EXIT_OK: u8 = 0;
/// Exit status where something was checked and is not as it should be: a replay or self-test that differs, a
/// transaction that the chain refused or that failed on it, a proof that does not hold.
pub const EXIT_DIFFERENCE: u8 = 1;
/// Exit status of a wrong command line, wrong input or an environment that does not allow the work.
pub const EXIT_USAGE: u8 = 2;

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// An argument that reads but makes no sense.
    #[error("{argument}: {problem}")]
    Argument {
        /// The argument, as it is called on the command line.
        argument: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// The command line itself is wrong.
    #[error("{message}")]
    Usage {
        /// What clap said, on one line.
        message: String,
    },
    /// A file or directory that could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// "read", "write", "create".
        action: &'static str,
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that does not hold what it should.
    #[error("{}: {problem}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// Code that a chain would not take.
    #[error("{} is not admitted: {error}", path.display())]
    Inadmissible {
        /// The file.
        path: PathBuf,
        /// Why.
        error: AdmissionError,
    },
    /// A network that cannot be imported.
    #[error("{}: {error}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// Why.
        error: ImportError,
    },
    /// A contract that was not built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Kernels that cannot be used.
    #[error(transparent)]
    Kernels(#[from] KernelError),
    /// The chain.
    #[error("{}", chain_message(.0))]
    Chain(#[from] ChainError),
    /// A panic: this program has a bug, or something that it is built on.
    #[error("this is a bug of the program: {message}")]
    Bug {
        /// What was said, and where.
        message: String,
    },
    /// Something was checked and is not as it should be.
    #[error("{message}")]
    Check {
        /// Which check, as one word for scripts.
        code: &'static str,
        /// What was found.
        message: String,
        /// What to do.
        hint: String,
        /// Everything known about it, for scripts.
        details: Value,
    },
}

impl CliError {
    /// A file that could not be read, written or created.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> CliError {
        CliError::Io { action, path: path.to_path_buf(), source }
    }

    /// A file that does not hold what it should.
    pub fn file(path: &Path, problem: impl ToString, hint: impl Into<String>) -> CliError {
        CliError::File { path: path.to_path_buf(), problem: problem.to_string(), hint: hint.into() }
    }

    /// An argument that reads but makes no sense.
    pub fn argument(argument: &'static str, problem: impl ToString, hint: impl Into<String>) -> CliError {
        CliError::Argument { argument, problem: problem.to_string(), hint: hint.into() }
    }

    /// Code that a chain would not take.
    pub fn inadmissible(path: &Path, error: AdmissionError) -> CliError {
        CliError::Inadmissible { path: path.to_path_buf(), error }
    }

    /// A file that cannot be imported.
    pub fn import(path: &Path, error: ImportError) -> CliError {
        CliError::Import { path: path.to_path_buf(), error }
    }

    /// One word for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            CliError::Argument { .. } => "argument",
            CliError::Usage { .. } => "usage",
            CliError::Io { .. } => "io",
            CliError::File { .. } => "file",
            CliError::Inadmissible { .. } => "inadmissible",
            CliError::Import { .. } => "import",
            CliError::Build(_) => "build",
            CliError::Kernels(_) => "kernels",
            CliError::Chain(error) => chain_code(error),
            CliError::Bug { .. } => "bug",
            CliError::Check { code, .. } => code,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            CliError::Argument { hint, .. } | CliError::File { hint, .. } | CliError::Check { hint, .. } => {
                Some(hint.clone())
            }
            CliError::Usage { .. } => {
                Some("`noema --help` lists the commands, `noema COMMAND --help` has an example".into())
            }
            CliError::Io { source, .. } => io_hint(source).map(str::to_owned),
            CliError::Inadmissible { .. } => Some(
                "contracts are made by `noema build`; docs/spec says what a module may have: nothing was sent".into(),
            ),
            CliError::Import { error, .. } => import_hint(error),
            // Says by itself what to install or correct.
            CliError::Build(_) => None,
            CliError::Kernels(_) => Some("`noema selftest` shows which levels this machine can use".into()),
            CliError::Chain(error) => chain_hint(error).map(str::to_owned),
            CliError::Bug { .. } => Some(
                "please report it with the command; what was committed before is safe, and NOEMA_LOG=debug shows where it was"
                    .into(),
            ),
        }
        .filter(|hint| !hint.is_empty())
    }

    /// The exit status of the process.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            CliError::Check { .. } | CliError::Chain(ChainError::Refused { .. }) => EXIT_DIFFERENCE,
            _ => EXIT_USAGE,
        }
    }

    /// The object that `--json` prints.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code(), "message": self.to_string(), "exit": self.exit() });
        if let Some(hint) = self.hint() {
            error["hint"] = json!(hint);
        }
        if let CliError::Check { details, .. } = self
            && !details.is_null()
        {
            error["details"] = details.clone();
        }
        json!({ "error": error })
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> CliError {
        CliError::Chain(error.into())
    }
}

/// Where a store failed, whoever asked it.
fn store_error(error: &ChainError) -> Option<&StoreError> {
    match error {
        ChainError::Store(error) | ChainError::Vm(VmError::Store(error)) => Some(error),
        ChainError::Root(RootError::Store(error)) => Some(error),
        _ => None,
    }
}

fn chain_message(error: &ChainError) -> String {
    match error {
        // One transaction at a time is what single commands send.
        ChainError::Refused { index: 0, error } => format!("the chain refused the transaction: {error}"),
        error => error.to_string(),
    }
}

fn chain_code(error: &ChainError) -> &'static str {
    if let Some(error) = store_error(error) {
        return match error {
            StoreError::Full { .. } => "disk-full",
            StoreError::ReadOnly { .. } => "read-only",
            StoreError::Busy { .. } => "in-use",
            StoreError::Version { .. } => "chain-version",
            StoreError::Unavailable { .. } => "no-such-store",
            StoreError::Missing { .. } | StoreError::NotAStore { .. } | StoreError::Corrupt { .. } => "damaged",
            _ => "store",
        };
    }
    match error {
        ChainError::Missing { .. } => "no-chain",
        ChainError::NotAChain { .. } => "not-a-chain",
        ChainError::Exists { .. } => "chain-exists",
        ChainError::NotEmpty { .. } => "not-empty",
        ChainError::Version { .. } => "chain-version",
        ChainError::OtherStore { .. } => "other-store",
        ChainError::Busy { .. } => "in-use",
        ChainError::Models(ModelStoreError::DiskFull(_)) => "disk-full",
        ChainError::Models(ModelStoreError::ReadOnly(_)) => "read-only",
        ChainError::Models(_) | ChainError::Vm(VmError::Model { .. }) => "models",
        ChainError::Kernels(_) => "kernels",
        ChainError::Genesis(_) => "genesis",
        ChainError::Refused { .. } => "refused",
        ChainError::Time { .. } => "block-time",
        ChainError::BlockTooLarge => "block-too-large",
        ChainError::Damaged { .. } | ChainError::Root(_) => "damaged",
        _ => "node",
    }
}

fn chain_hint(error: &ChainError) -> Option<&'static str> {
    Some(match chain_code(error) {
        "no-chain" => "`noema init` creates one; --chain DIR names another directory",
        "not-a-chain" => "--chain DIR names another directory; `noema init` creates a chain in an empty one",
        "chain-exists" => "use it as it is, or name another directory with --chain DIR",
        "not-empty" => "--chain DIR names another directory; nothing was written",
        "chain-version" => "nothing was changed; --chain DIR names another directory",
        "other-store" => {
            "leave --store (and NOEMA_STORE) out: the chain knows its store; --chain DIR names another directory"
        }
        "no-such-store" => {
            "build the program with it: cargo build --release -p noema-cli --features rocksdb (needs g++ and libclang-dev)"
        }
        "in-use" => "only one process can have a chain open: wait for the other, or end it (a kill loses no block)",
        "disk-full" => "free some space and run the command again; `noema block` shows the newest block",
        "read-only" => "check who owns the directory and its permissions; everything committed before is safe",
        "damaged" => "restore the directory from a backup, or create a new chain with --chain DIR",
        "models" => "`noema model add` with the container file gives this node the bytes again",
        "kernels" => "`noema selftest` shows which levels this machine can use",
        "genesis" => "choose another --chain-id or --balance",
        "refused" => "nothing was changed; `noema account` shows the next nonce and the balance",
        "block-time" => "give a later --time-ms, or none",
        "block-too-large" => "send fewer transactions in a block (--block-size)",
        _ => "NOEMA_LOG=debug shows more; nothing of the block was committed",
    })
}

fn import_hint(error: &ImportError) -> Option<String> {
    Some(
        match error {
            ImportError::UnsupportedOperator { .. } | ImportError::Node { .. } => {
                "export the network with other operators, or cut it at this node"
            }
            ImportError::Tree { .. } | ImportError::UnsupportedTrees { .. } => {
                "train or save the model again with what can be imported"
            }
            ImportError::Row { .. } | ImportError::Table(_) => {
                "a table has one row of numbers for each example, with a header; a last column `label` is the class"
            }
            _ => return None,
        }
        .to_owned(),
    )
}

fn io_hint(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::NotFound => "check the path; a relative one starts at the current directory",
        io::ErrorKind::PermissionDenied => "check who owns it and its permissions",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only: choose another directory",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free some space and run the command again; everything committed before is safe"
        }
        io::ErrorKind::AlreadyExists => "nothing is overwritten: choose another name or move the old one away",
        _ => return None,
    })
}
