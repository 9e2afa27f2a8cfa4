//! The commands, one file for each.

pub mod account;
pub mod block;
pub mod build;
pub mod call;
pub mod check;
pub mod client;
pub mod demo;
pub mod deploy;
pub mod init;
pub mod key;
pub mod model;
pub mod new;
pub mod profile;
pub mod proof;
pub mod receipt;
pub mod replay;
pub mod schema;
pub mod selftest;
pub mod submit;
pub mod test;
pub mod trace;
pub mod transfer;
pub mod verify;
pub mod view;

use clap::Subcommand;

use crate::{CliError, Context};

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Create a chain: a directory with a genesis block and a funded key
    #[command(
        after_help = "Example:\n  noema init\n  noema --chain /tmp/test init --chain-id test --key alice.json\n  \
        noema init --store rocksdb   # every later command finds the store by itself"
    )]
    Init(init::InitArgs),
    /// Make and show key files
    #[command(after_help = "Example:\n  noema key new alice.json\n  noema key show alice.json")]
    Key(key::KeyArgs),
    /// Begin a contract: a crate with tests, from a template
    #[command(after_help = "Example:\n  noema new greeter\n  noema new coin --template token\n  \
        noema new triage --template classifier")]
    New(new::NewArgs),
    /// Build a contract crate to WebAssembly and check that the chain admits it
    #[command(after_help = "Example:\n  noema build examples/screening -o screening.wasm")]
    Build(build::BuildArgs),
    /// Run the tests of a contract crate, and show what its calls cost
    #[command(after_help = "Example:\n  noema test examples/token\n  noema test --gas\n  noema test --gas --accept")]
    Test(test::TestArgs),
    /// Say whether a chain would take a module, and which lines stand in the way
    #[command(after_help = "Example:\n  noema check examples/token\n  noema check contract.wasm")]
    Check(check::CheckArgs),
    /// Say whether a contract is what a source builds to
    #[command(
        after_help = "Example:\n  noema verify examples/token CONTRACT\n  noema verify examples/token token.wasm"
    )]
    Verify(verify::VerifyArgs),
    /// Show one call of a contract host call by host call, with the gas of each; nothing is sent
    #[command(after_help = "Example:\n  noema trace CONTRACT vote '[\"Yes\"]'\n  noema trace CONTRACT votes --view")]
    Trace(trace::TraceArgs),
    /// Show where the gas of one call goes, as a flame graph; nothing is sent
    #[command(after_help = "Example:\n  noema profile CONTRACT vote '[\"Yes\"]' --source examples/token -o vote.svg")]
    Profile(profile::ProfileArgs),
    /// Show the interface of a contract as JSON
    #[command(after_help = "Example:\n  noema schema examples/token\n  noema schema CONTRACT")]
    Schema(schema::SchemaArgs),
    /// Make a typed client of a contract for another language
    #[command(after_help = "Example:\n  noema client --lang ts examples/token -o token.ts\n  noema client CONTRACT")]
    Client(client::ClientArgs),
    /// Import, inspect and upload models
    #[command(after_help = "Example:\n  \
        noema model import screening.onnx --calibration calibration.csv -o screening.noema\n  \
        noema model add screening.noema")]
    Model(model::ModelArgs),
    /// Deploy a contract
    #[command(after_help = "Example:\n  noema deploy screening.wasm '{\"model\": \"MODEL_ID\"}'")]
    Deploy(deploy::DeployArgs),
    /// Send transactions that run a method of a contract
    #[command(after_help = "Example:\n  noema call CONTRACT vote '[\"Yes\"]'\n  \
        noema call CONTRACT vote --batch ballots.jsonl --block-size 50")]
    Call(call::CallArgs),
    /// Ask a contract without a transaction
    #[command(after_help = "Example:\n  noema view CONTRACT votes")]
    View(view::ViewArgs),
    /// Send native units to an account, or to a contract that needs more for its deposit
    #[command(after_help = "Example:\n  noema transfer CONTRACT 1000000000000000")]
    Transfer(transfer::TransferArgs),
    /// Send a transaction that was signed elsewhere
    #[command(after_help = "Example:\n  noema call CONTRACT vote '[\"Yes\"]' --sign-only | noema submit -")]
    Submit(submit::SubmitArgs),
    /// Show what became of a transaction
    #[command(after_help = "Example:\n  noema --json receipt TRANSACTION")]
    Receipt(receipt::ReceiptArgs),
    /// Show nonce and balance of an account or contract, what of it is locked and free, and the models it holds
    #[command(after_help = "Example:\n  noema account\n  noema account ADDRESS")]
    Account(account::AccountArgs),
    /// Show a block and its transactions
    #[command(after_help = "Example:\n  noema block\n  noema block 0")]
    Block(block::BlockArgs),
    /// Prove what the state holds, and check such proofs
    #[command(after_help = "Example:\n  noema --json proof make --balance ADDRESS > proof.json\n  \
        noema proof check proof.json --root STATE_ROOT")]
    Proof(proof::ProofArgs),
    /// Execute the whole chain again and compare every receipt and every root
    #[command(after_help = "Example:\n  noema replay\n  noema replay --levels reference,avx2 --threads 1,2,4")]
    Replay(replay::ReplayArgs),
    /// Run the known-answer tests of the kernels
    #[command(after_help = "Example:\n  noema selftest\n  noema selftest --levels portable --threads 1")]
    Selftest(selftest::SelftestArgs),
    /// The main job in one go: a contract that screens patients with a neural network, and its replay; or one of the economies
    #[command(after_help = "Example:\n  noema demo\n  noema demo --dir screening-chain   # keeps the chain\n  \
        noema demo compute-market          # an economy of `examples/`\n  \
        noema demo --all                   # all of them\n  \
        noema demo --list\n  \
        noema demo --store rocksdb         # in builds with the feature `rocksdb`")]
    Demo(demo::DemoArgs),
}

impl Command {
    /// Runs the command and reports what it found.
    ///
    /// # Errors
    /// Those of the command.
    pub fn run(self, context: &Context) -> Result<(), CliError> {
        let output = context.output;
        match self {
            Command::Init(arguments) => output.report(&init::run(context, arguments)?),
            Command::Key(arguments) => output.report(&key::run(context, arguments)?),
            Command::Build(arguments) => output.report(&build::run(context, arguments)?),
            Command::New(arguments) => output.report(&new::run(&arguments)?),
            Command::Test(arguments) => output.report(&test::run(context, arguments)?),
            Command::Check(arguments) => output.report(&check::run(context, arguments)?),
            Command::Verify(arguments) => output.report(&verify::run(context, arguments)?),
            Command::Schema(arguments) => output.report(&schema::run(context, arguments)?),
            Command::Client(arguments) => output.report(&client::run(context, arguments)?),
            Command::Trace(arguments) => output.report(&trace::run(context, arguments)?),
            Command::Profile(arguments) => output.report(&profile::run(context, arguments)?),
            Command::Model(arguments) => model::run(context, arguments)?,
            Command::Deploy(arguments) => output.report(&deploy::run(context, arguments)?),
            Command::Call(arguments) => output.report(&call::run(context, arguments)?),
            Command::View(arguments) => output.report(&view::run(context, arguments)?),
            Command::Transfer(arguments) => output.report(&transfer::run(context, &arguments)?),
            Command::Submit(arguments) => output.report(&submit::run(context, arguments)?),
            Command::Receipt(arguments) => output.report(&receipt::run(context, arguments)?),
            Command::Account(arguments) => output.report(&account::run(context, arguments)?),
            Command::Block(arguments) => output.report(&block::run(context, arguments)?),
            Command::Proof(arguments) => output.report(&proof::run(context, arguments)?),
            Command::Replay(arguments) => output.report(&replay::run(context, arguments)?),
            Command::Selftest(arguments) => output.report(&selftest::run(context, arguments)?),
            Command::Demo(arguments) => output.report(&demo::run(context, arguments)?),
        }
        Ok(())
    }
}
