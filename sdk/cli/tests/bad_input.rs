//! Wrong input and hostile surroundings: a clear error, the right exit status, and nothing lost.

mod program;

use std::path::Path;
use std::process::Command;

use noema_chain::{Action, Chain, ChainConfig, KeyPair, Transaction};
use noema_cli::keys;
use program::{Run, Workplace, assert_error, notes_contract, number, text};
use serde_json::Value;

/// A chain with the notes contract, which holds `first`.
fn with_contract() -> (Workplace, String) {
    let workplace = Workplace::new();
    workplace.init();
    workplace.write("notes.wasm", notes_contract());
    let deployed = workplace.json(0, &["deploy", "notes.wasm", "--time-ms", "2000"]);
    let contract = text(&deployed, "/contract").to_owned();
    workplace.json(0, &["call", &contract, "put", r#"["first"]"#, "--time-ms", "3000"]);
    (workplace, contract)
}

/// That the chain is where [`with_contract`] left it, and goes on from there.
fn assert_nothing_lost(workplace: &Workplace, contract: &str) {
    assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 2);
    assert_eq!(number(&workplace.json(0, &["account"]), "/nonce"), 2);
    assert_eq!(text(&workplace.json(0, &["view", contract, "get"]), "/result"), "first");
    workplace.json(0, &["call", contract, "put", r#"["and on"]"#, "--time-ms", "4000"]);
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
}

#[test]
fn a_wrong_signature_is_refused() {
    let (workplace, contract) = with_contract();
    let signed = workplace.json(0, &["call", &contract, "put", r#"["forged"]"#, "--sign-only"]);
    let bytes = text(&signed, "/bytes");
    let (body, last) = bytes.split_at(bytes.len() - 1);
    let forged = format!("{body}{}", if last == "0" { "1" } else { "0" });
    let error = workplace.json(1, &["submit", &forged]);
    assert_error(&error, "refused", &["signature", text(&signed, "/sender"), "nothing was changed"]);

    // A changed amount, a cut and a longer transaction.
    let error = workplace.json(2, &["submit", &bytes[..bytes.len() - 2]]);
    assert_error(&error, "argument", &["not a transaction", "--sign-only"]);
    let error = workplace.json(2, &["submit", &format!("{bytes}00")]);
    assert_error(&error, "argument", &["not a transaction"]);
    assert_error(&workplace.json(2, &["submit", "xyz"]), "argument", &["not hex"]);
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn a_wrong_nonce_or_chain_is_refused() {
    let (workplace, contract) = with_contract();
    for nonce in ["1", "3", "18446744073709551615"] {
        let error = workplace.json(1, &["call", &contract, "put", r#"["x"]"#, "--nonce", nonce]);
        assert_error(&error, "refused", &["next nonce", " is 2", nonce]);
    }
    let key = keys::read(&keys::default_path(&workplace.chain())).unwrap();
    let foreign = key.sign(Transaction {
        chain_id: "elsewhere".into(),
        nonce: 2,
        gas_limit: 1_000_000_000_000,
        gas_price: 0,
        value: 0,
        action: Action::Transfer { to: key.address() },
    });
    let error = workplace.json(1, &["submit", &hex::encode(foreign.to_bytes())]);
    assert_error(&error, "refused", &["elsewhere", "noema-local"]);
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn an_account_that_cannot_pay_is_refused() {
    let (workplace, contract) = with_contract();
    workplace.json(0, &["key", "new", "poor.json"]);
    let error = workplace.json(1, &["call", &contract, "put", r#"["x"]"#, "--key", "poor.json", "--gas-price", "1"]);
    assert_error(&error, "refused", &["has 0", "gas limit"]);
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn unknown_contracts_methods_and_arguments_are_named() {
    let (workplace, contract) = with_contract();
    let nobody = "22".repeat(32);
    assert_error(&workplace.json(2, &["call", &nobody, "put", "[\"x\"]"]), "argument", &["no contract", &nobody]);
    assert_error(&workplace.json(2, &["view", &nobody, "get"]), "argument", &["no contract", &nobody]);
    assert_error(&workplace.json(2, &["call", &contract, "burn"]), "argument", &["burn", "put"]);
    assert_error(&workplace.json(2, &["call", &contract, "put"]), "argument", &["text"]);
    assert_error(&workplace.json(2, &["call", &contract, "put", "[5]"]), "argument", &["text", "5"]);
    assert_error(&workplace.json(2, &["call", &contract, "put", "5"]), "argument", &["one value"]);
    assert_error(&workplace.json(2, &["call", &contract, "put", "[\"x"]), "argument", &["not JSON"]);
    assert_error(&workplace.json(2, &["view", &contract, "put", "[\"x\"]"]), "argument", &["put", "noema call"]);
    assert_error(&workplace.json(2, &["receipt", &nobody]), "argument", &["no transaction", "noema block"]);
    assert_error(&workplace.json(2, &["block", "77"]), "argument", &["no block 77", "newest block is 2"]);
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn a_call_that_goes_wrong_has_a_receipt_and_its_gas() {
    let (workplace, contract) = with_contract();
    // The contract stops itself.
    let error = workplace.json(1, &["call", &contract, "put", r#"[""]"#, "--time-ms", "4000"]);
    assert_error(&error, "transaction-failed", &["abort", "code 7", "the text is empty"]);
    let used = number(&error, "/error/details/gas/used");
    assert!(used > 0 && used < number(&error, "/error/details/gas/limit"), "unspent gas comes back: {error:#}");
    // No contract there: a deterministic verdict for who sends raw input.
    let nobody = "22".repeat(32);
    let error = workplace.json(1, &["call", &nobody, "--hex", "00", "--time-ms", "4000"]);
    assert_error(&error, "transaction-failed", &["rejected", "no contract"]);
    // One unit of gas too little: all of it is gone.
    let put = |limit: &str, exit| {
        workplace.json(exit, &["call", &contract, "put", "[\"x\"]", "--gas-limit", limit, "--time-ms", "4000"])
    };
    // The first one writes over a longer text, which costs more.
    put("2000000000", 0);
    let needed = number(&put("2000000000", 0), "/gas/used");
    let error = put(&(needed - 1).to_string(), 1);
    assert_error(&error, "transaction-failed", &["fault", "--gas-limit"]);
    assert_eq!(number(&error, "/error/details/gas/used"), needed - 1);
    let receipt = workplace.json(0, &["receipt", text(&error, "/error/details/transaction")]);
    assert_eq!(text(&receipt, "/status"), "fault");
    // All are in the chain, the failed ones had no effect, and every level agrees on them.
    assert_eq!(number(&workplace.json(0, &["account"]), "/nonce"), 7);
    assert_eq!(text(&workplace.json(0, &["view", &contract, "get"]), "/result"), "x");
    assert_eq!(workplace.json(0, &["replay", "--threads", "1"])["identical"], true);
}

#[test]
fn an_endless_loop_and_endless_recursion_end() {
    let (workplace, contract) = with_contract();
    for (name, body) in [("loop", "(loop $l (br $l))"), ("recursion", "(call $f)")] {
        let wat = format!("(module (memory (export \"memory\") 1) (func $f (export \"call\") {body}))");
        workplace.write("endless.wasm", wat::parse_str(wat).unwrap());
        let deployed = workplace.json(0, &["deploy", "endless.wasm", "--time-ms", "3000"]);
        let endless = text(&deployed, "/contract");
        let error =
            workplace.json(1, &["call", endless, "--hex", "", "--gas-limit", "5000000000", "--time-ms", "3000"]);
        assert_error(&error, "transaction-failed", &["fault"]);
        assert_eq!(number(&error, "/error/details/gas/used"), 5_000_000_000, "{name}");
    }
    assert_eq!(text(&workplace.json(0, &["view", &contract, "get"]), "/result"), "first");
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
}

#[test]
fn code_that_is_not_admitted_is_never_sent() {
    let (workplace, contract) = with_contract();
    workplace.write("text.wasm", "this is no module");
    assert_error(&workplace.json(2, &["deploy", "text.wasm"]), "inadmissible", &["text.wasm", "not admitted"]);
    let foreign = r#"(module (import "env" "random" (func (result i64))) (memory (export "memory") 1))"#;
    workplace.write("foreign.wasm", wat::parse_str(foreign).unwrap());
    assert_error(&workplace.json(2, &["deploy", "foreign.wasm"]), "inadmissible", &["env", "random"]);
    let threads = r#"(module (memory (export "memory") 1 1 shared))"#;
    workplace.write("threads.wasm", wat::parse_str(threads).unwrap());
    assert_error(&workplace.json(2, &["deploy", "threads.wasm"]), "inadmissible", &["threads.wasm"]);
    assert_error(&workplace.json(2, &["deploy", "absent.wasm"]), "io", &["absent.wasm"]);
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn a_chain_directory_that_is_not_there_or_not_ours_is_refused() {
    let workplace = Workplace::new();
    assert_error(&workplace.json(2, &["block"]), "no-chain", &["no chain", "noema init", "--chain"]);
    workplace.init();
    assert_error(&workplace.json(2, &["init"]), "chain-exists", &["has a chain already", "--chain"]);

    // Somebody's files are left alone.
    std::fs::create_dir(workplace.path("documents")).unwrap();
    workplace.write("documents/letter.txt", "dear");
    let error = workplace.json(2, &["init", "--chain", "documents"]);
    assert_error(&error, "not-empty", &["letter.txt", "--chain"]);
    assert_eq!(std::fs::read_dir(workplace.path("documents")).unwrap().count(), 1);
    assert_error(&workplace.json(2, &["block", "--chain", "documents"]), "not-a-chain", &["documents"]);
    assert_error(&workplace.json(2, &["init", "--chain-id", "two words"]), "genesis", &["two words"]);
}

#[test]
fn a_chain_of_another_version_is_refused() {
    let (workplace, contract) = with_contract();
    let marker = workplace.chain().join("noema-chain");
    let before = std::fs::read(&marker).unwrap();
    std::fs::write(&marker, "format 99\n").unwrap();
    let error = workplace.json(2, &["block"]);
    assert_error(&error, "chain-version", &["format 99", "reads format 2", "version that wrote it"]);
    std::fs::write(&marker, before).unwrap();
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn a_chain_in_use_is_refused() {
    let (workplace, contract) = with_contract();
    let held = Chain::open(&workplace.chain(), &ChainConfig::default()).unwrap();
    assert_error(&workplace.json(2, &["block"]), "in-use", &["in use by another process"]);
    assert_error(&workplace.json(2, &["call", &contract, "put", "[\"x\"]"]), "in-use", &["in use"]);
    drop(held);
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn a_damaged_store_is_an_error_and_no_panic() {
    let (workplace, _) = with_contract();
    let store = workplace.chain().join("state.redb");
    let whole = std::fs::read(&store).unwrap();
    for bytes in [&whole[..whole.len() / 2], &whole[..100], b"not a database at all", b""] {
        std::fs::write(&store, bytes).unwrap();
        let run = Run::from(workplace.command().args(["--json", "block"]).output().unwrap());
        assert_eq!(run.exit, Some(2), "{run:#?}");
        assert!(run.object()["error"]["hint"].is_string(), "{run:#?}");
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
    }
    // Pages that redb panics on: 4096 bytes each, behind the header.
    for from in [0, 1] {
        let mut bytes = whole.clone();
        for page in bytes.chunks_mut(4096).skip(1) {
            page[from..64].fill(0xff);
        }
        std::fs::write(&store, bytes).unwrap();
        let run = Run::from(workplace.command().args(["--json", "block"]).output().unwrap());
        assert_eq!(run.exit, Some(2), "{run:#?}");
        assert_error(&run.object(), "damaged", &["state.redb", "backup"]);
        assert!(run.stderr.is_empty(), "{run:#?}");
    }
    std::fs::write(&store, whole).unwrap();
    assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 2);
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    let (workplace, contract) = with_contract();
    let root = workplace.path(".");
    // The superuser may write anywhere, so the program runs as somebody else, from a place that they can reach.
    let superuser = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&root).unwrap()) == 0;
    let program = workplace.path("noema");
    std::fs::copy(env!("CARGO_BIN_EXE_noema"), &program).unwrap();
    let json = |arguments: &[&str]| -> Value {
        let mut command = Command::new(&program);
        workplace.prepare(&mut command);
        if superuser {
            command.uid(65_534).gid(65_534);
        }
        let run = Run::from(command.arg("--json").args(arguments).output().unwrap());
        assert_eq!(run.exit, Some(2), "{run:#?}");
        run.object()
    };
    let protect = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let chain = workplace.chain();
    let files: Vec<_> = ["noema-chain", "lock", "state.redb", "key.json", "models", ""]
        .iter()
        .map(|name| (chain.join(name), std::fs::metadata(chain.join(name)).unwrap().permissions().mode()))
        .collect();
    for (path, mode) in &files {
        protect(path, (mode | 0o444) & !0o222);
    }
    protect(&root, 0o555);
    let error = json(&["call", "--chain", "chain", &contract, "put", "[\"x\"]"]);
    assert_error(&error, "read-only", &["chain", "permissions"]);
    let error = json(&["init", "--chain", "new"]);
    assert!(["read-only", "io"].contains(&text(&error, "/error/code")), "{error:#}");
    assert_error(&json(&["key", "new", "bob.json"]), "io", &["bob.json", "permissions"]);
    protect(&root, 0o755);
    for (path, mode) in files.iter().rev() {
        protect(path, *mode);
    }
    assert_nothing_lost(&workplace, &contract);
}

/// Runs the program where no file may grow beyond `blocks` of 512 bytes: what a full disk looks like to it.
#[cfg(unix)]
fn with_small_disk(workplace: &Workplace, blocks: u64, arguments: &[&str]) -> Run {
    let mut command = Command::new("sh");
    workplace.prepare(&mut command);
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_noema"), "--json", "--chain"]).arg(workplace.chain());
    Run::from(command.args(arguments).output().unwrap())
}

#[cfg(unix)]
#[test]
fn a_full_disk_loses_no_block() {
    let (workplace, contract) = with_contract();
    let size = std::fs::metadata(workplace.chain().join("state.redb")).unwrap().len();
    // Each line is different and long, so that the store must grow.
    let lines: String = (0..400).map(|n| format!("[\"{}\"]\n", format!("{n:08}").repeat(2_000))).collect();
    workplace.write("lines.jsonl", lines);
    let run = with_small_disk(
        &workplace,
        size / 512 + 4_096,
        &["call", &contract, "put", "--batch", "lines.jsonl", "--block-size", "1"],
    );
    assert_eq!(run.exit, Some(2), "{run:#?}");
    assert_error(&run.object(), "disk-full", &["no space", "free some space"]);
    assert!(!run.stderr.contains("panicked"), "{run:#?}");

    // Everything that was committed is there, and with space again the chain goes on.
    let height = number(&workplace.json(0, &["block"]), "/height");
    assert!(height > 2, "some blocks fit before the disk was full");
    let nonce = number(&workplace.json(0, &["account"]), "/nonce");
    assert_eq!(nonce, height);
    let last = format!("{:08}", height - 3).repeat(2_000);
    assert_eq!(text(&workplace.json(0, &["view", &contract, "get"]), "/result"), last);
    workplace.json(0, &["call", &contract, "put", r#"["and on"]"#]);
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_from_the_start_leaves_no_half_chain() {
    let workplace = Workplace::new();
    let run = with_small_disk(&workplace, 16, &["init", "--time-ms", "1000"]);
    assert_eq!(run.exit, Some(2), "{run:#?}");
    assert_error(&run.object(), "disk-full", &["no space"]);
    // With space again the same command works: what was left is taken over.
    workplace.init();
    assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 0);
}

#[test]
fn a_key_is_needed_to_sign() {
    let (workplace, contract) = with_contract();
    std::fs::rename(workplace.chain().join("key.json"), workplace.path("moved.json")).unwrap();
    let error = workplace.json(2, &["call", &contract, "put", "[\"x\"]"]);
    assert_error(&error, "file", &["key.json", "no such key file", "--key"]);
    let moved = keys::read(&workplace.path("moved.json")).unwrap();
    assert_eq!(moved.address(), KeyPair::from_seed(moved.seed()).address());
    std::fs::rename(workplace.path("moved.json"), workplace.chain().join("key.json")).unwrap();
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn a_line_of_a_batch_that_does_not_fit_is_named_and_nothing_is_sent() {
    let (workplace, contract) = with_contract();
    for (lines, words) in [
        ("[\"a\"]\n\n[\"b\n", ["line 3", "not JSON"]),
        ("[\"a\"]\n[5]\n", ["line 2", "found 5"]),
        ("[\"a\"]\n[]\n", ["line 2", "0 arguments given"]),
    ] {
        workplace.write("lines.jsonl", lines);
        let error = workplace.json(2, &["call", &contract, "put", "--batch", "lines.jsonl"]);
        assert_error(&error, "file", &["lines.jsonl", "nothing was sent", words[0], words[1]]);
    }
    assert_nothing_lost(&workplace, &contract);
}

#[test]
fn more_threads_than_any_machine_has_are_refused() {
    let (workplace, contract) = with_contract();
    let error = workplace.json(2, &["replay", "--threads", "1,9999999"]);
    assert_error(&error, "argument", &["9999999", "1 to 1024"]);
    let error = workplace.json(2, &["view", &contract, "get", "--threads", "9999999"]);
    assert_error(&error, "usage", &["9999999", "1..=1024"]);
    assert_error(&workplace.json(2, &["view", &contract, "get", "--threads", "0"]), "usage", &["1..=1024"]);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_a_path() {
    use std::os::unix::ffi::OsStrExt;
    let workplace = Workplace::new();
    let name = std::ffi::OsStr::from_bytes(b"key\xff.json");
    let run = Run::from(workplace.command().args(["--json", "key", "new"]).arg(name).output().unwrap());
    assert_eq!(run.exit, Some(0), "{run:#?}");
    assert_eq!(text(&run.object(), "/file"), "key\u{fffd}.json");
    assert!(workplace.path("").join(name).is_file());
}

#[test]
fn what_is_no_module_is_said_in_one_line() {
    let workplace = Workplace::new();
    workplace.write("text.wasm", "this is no module");
    let error = workplace.json(2, &["schema", "text.wasm"]);
    assert_error(&error, "file", &["text.wasm: this is not a WebAssembly module", "noema build"]);
}

#[test]
fn levels_that_do_not_exist_are_named() {
    let workplace = Workplace::new();
    assert_error(&workplace.json(2, &["selftest", "--levels", "avx3"]), "argument", &["avx3", "portable"]);
    assert_error(&workplace.json(2, &["selftest", "--threads", "0"]), "argument", &["--threads"]);
    let absent = noema_tensor::Level::ALL.into_iter().find(|level| !level.is_available());
    let absent = absent.expect("no machine has every level");
    let error = workplace.json(2, &["selftest", "--levels", absent.name()]);
    assert_error(&error, "argument", &["this machine", absent.name(), "portable"]);
}
