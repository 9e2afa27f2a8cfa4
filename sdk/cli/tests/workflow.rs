//! The single commands, one after the other, on a chain directory that lasts.

mod program;

use program::{Workplace, assert_error, notes_contract, number, text};
use serde_json::json;

#[test]
fn a_chain_from_its_first_key_to_its_replay() {
    let workplace = Workplace::new();
    let init = workplace.init();
    let owner = text(&init, "/address").to_owned();
    assert_eq!(text(&init, "/chain_id"), "noema-local");

    // Block 1: a contract from a wasm file.
    workplace.write("notes.wasm", notes_contract());
    let deployed = workplace.json(0, &["deploy", "notes.wasm", "--time-ms", "2000"]);
    let contract = text(&deployed, "/contract").to_owned();
    assert_eq!(number(&deployed, "/receipt/height"), 1);

    // Block 2: a call with JSON arguments; result and event are read by the contract's interface.
    let called = workplace.json(0, &["call", &contract, "put", r#"["grüß dich"]"#, "--time-ms", "3000"]);
    assert_eq!(text(&called, "/status"), "success");
    assert_eq!(text(&called, "/result"), "grüß dich");
    assert_eq!(
        called["events"],
        json!([{
            "contract": contract, "topic": "put", "value": "grüß dich", "data": "0b0000006772c3bcc39f2064696368",
        }])
    );
    let gas = &called["gas"];
    let parts: u64 = ["wasm", "host", "tensor", "state", "code", "forfeited", "transaction"]
        .map(|part| number(gas, &format!("/{part}")))
        .iter()
        .sum();
    assert_eq!(parts, number(gas, "/used"), "every unit is in one class: {gas}");
    assert!(number(gas, "/wasm") > 0 && number(gas, "/state") > 0 && number(gas, "/host") > 0, "{gas}");

    // The receipt is there for every later process, and names what the contract returned.
    let receipt = workplace.json(0, &["receipt", text(&called, "/transaction")]);
    assert_eq!(receipt["receipt_hash"], called["receipt_hash"]);
    assert_eq!(text(&receipt, "/result"), "grüß dich");

    // Arguments by name, raw input, a view.
    let named = workplace.json(0, &["call", &contract, "put", r#"{"text": "two"}"#, "--time-ms", "4000"]);
    assert_eq!(text(&named, "/result"), "two");
    let raw = workplace.json(
        0,
        &["call", &contract, "--hex", "03000000707574 03000000 726177".replace(' ', "").as_str(), "--time-ms", "4000"],
    );
    assert_eq!(text(&raw, "/output"), "03000000726177");
    let view = workplace.json(0, &["view", &contract, "get"]);
    assert_eq!(text(&view, "/result"), "raw");
    assert_eq!(number(&view, "/height"), 4);

    // Many transactions in blocks of three.
    let lines: String = (0..10).map(|n| format!("[\"line {n}\"]\n")).collect();
    workplace.write("lines.jsonl", lines);
    let batch = workplace
        .json(0, &["call", &contract, "put", "--batch", "lines.jsonl", "--block-size", "3", "--time-ms", "5000"]);
    assert_eq!((number(&batch, "/sent"), number(&batch, "/succeeded")), (10, 10));
    assert_eq!((number(&batch, "/first_block"), number(&batch, "/last_block")), (5, 8));
    let account = workplace.json(0, &["account"]);
    assert_eq!((text(&account, "/address"), number(&account, "/nonce")), (&*owner, 14));

    // Signed here, sent later.
    let signed = workplace.json(0, &["call", &contract, "put", r#"["later"]"#, "--sign-only"]);
    assert_eq!(number(&signed, "/nonce"), 14);
    let sent = workplace.json(0, &["submit", text(&signed, "/bytes"), "--time-ms", "6000"]);
    assert_eq!(sent["transaction"], signed["transaction"]);
    assert_eq!(text(&sent, "/result"), "later");

    // What the state holds can be proven against the root of the block.
    let block = workplace.json(0, &["block"]);
    assert_eq!(number(&block, "/height"), 9);
    let root = text(&block, "/state_root").to_owned();
    let proof = workplace.json(0, &["proof", "make", "--storage", &contract, "74657874"]);
    assert_eq!(text(&proof, "/value"), "050000006c61746572");
    assert_eq!(text(&proof, "/state_root"), root);
    workplace.write("proof.json", proof.to_string());
    workplace.json(0, &["proof", "check", "proof.json", "--root", &root]);
    let mut forged = proof.clone();
    forged["value"] = json!("00000000");
    workplace.write("forged.json", forged.to_string());
    let refused = workplace.json(1, &["proof", "check", "forged.json", "--root", &root]);
    assert_error(&refused, "proof-refused", &["forged.json", "do not believe it"]);

    // Everything again, on every level of this machine.
    let replay = workplace.json(0, &["replay", "--levels", "all", "--threads", "1,2"]);
    assert_eq!(replay["identical"], true);
    let levels = noema_tensor::Level::available();
    let results = replay["results"].as_array().expect("results");
    assert_eq!(results.len(), levels.len() * 2);
    for (result, (level, threads)) in results.iter().zip(levels.iter().flat_map(|level| [(level, 1), (level, 2)])) {
        assert_eq!((text(result, "/level"), number(result, "/threads")), (level.name(), threads));
        assert_eq!((number(result, "/blocks"), number(result, "/receipts")), (10, 15));
        assert_eq!(text(result, "/state_root"), root);
    }
}

#[test]
fn deposits_are_shown_asked_for_and_given_back() {
    let workplace = Workplace::new();
    assert_eq!(text(&workplace.init(), "/deposit_per_byte"), "1000000000000");
    workplace.write("notes.wasm", notes_contract());
    let amount = |value: &serde_json::Value, at: &str| text(value, at).parse::<u128>().unwrap();
    // Too little is refused with all its numbers, and sending what they say is enough.
    let error = workplace.json(1, &["deploy", "notes.wasm", "--value", "5", "--time-ms", "2000"]);
    assert_error(
        &error,
        "transaction-failed",
        &["insufficient-deposit", "which takes a deposit of", "and has 5", "value"],
    );
    assert_eq!(text(&error, "/error/details/status"), "insufficient-deposit");
    // By default there is room for a few entries.
    let deployed = workplace.json(0, &["deploy", "notes.wasm", "--time-ms", "3000"]);
    let contract = text(&deployed, "/contract").to_owned();
    let shown = workplace.json(0, &["account", &contract]);
    assert_eq!(amount(&shown, "/balance"), amount(&deployed, "/value"));
    assert_eq!(amount(&shown, "/locked") + amount(&shown, "/free"), amount(&shown, "/balance"));
    assert_eq!(amount(&shown, "/locked"), u128::from(number(&shown, "/kept_bytes")) * 1_000_000_000_000);
    // An entry binds value; more can be sent at any time.
    workplace.json(0, &["call", &contract, "put", r#"["twelve bytes"]"#, "--time-ms", "4000"]);
    let after = workplace.json(0, &["account", &contract]);
    assert!(amount(&after, "/locked") > amount(&shown, "/locked"));
    workplace.json(0, &["transfer", &contract, "1000", "--time-ms", "5000"]);
    assert_eq!(amount(&workplace.json(0, &["account", &contract]), "/free"), amount(&after, "/free") + 1_000);
    // A chain without deposits.
    let other = Workplace::new();
    other.json(0, &["init", "--deposit-per-byte", "0", "--time-ms", "1000"]);
    other.write("notes.wasm", notes_contract());
    assert_eq!(text(&other.json(0, &["deploy", "notes.wasm", "--time-ms", "2000"]), "/value"), "0");
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
}

#[test]
fn people_get_text_for_all_of_it() {
    let workplace = Workplace::new();
    let says = |arguments: &[&str], words: &[&str]| {
        let run = workplace.run(arguments);
        assert_eq!(run.exit, Some(0), "{run:?}");
        for word in words {
            assert!(run.stdout.contains(word), "`{word}` is not in:\n{}", run.stdout);
        }
        run.stdout
    };
    says(&["init", "--chain-id", "people"], &["chain       people in ", "key.json", "state root"]);
    workplace.write("notes.wasm", notes_contract());
    let deployed = says(&["deploy", "notes.wasm"], &["contract ", "status        success"]);
    let contract =
        deployed.lines().next().and_then(|line| line.split_whitespace().nth(1)).expect("an address").to_owned();
    says(&["call", &contract, "put", r#"["x"]"#], &["result        \"x\"", "event         put \"x\"", "  state "]);
    says(&["view", &contract, "get"], &["\"x\""]);
    says(&["account"], &["next nonce  2", "balance "]);
    says(&["block"], &["block         2 of people", "call", "success"]);
    says(&["replay", "--levels", "portable,reference", "--threads", "1"], &["portable", "reference", "identical"]);
    says(&["selftest", "--levels", "portable"], &["portable", "every answer right"]);
    says(&["key", "show"], &["address ", "public key "]);
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let workplace = Workplace::new();
    let made = workplace.json(0, &["key", "new", "alice.json"]);
    let before = std::fs::read(workplace.path("alice.json")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(workplace.path("alice.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = workplace.json(2, &["key", "new", "alice.json"]);
    assert_error(&again, "io", &["alice.json", "nothing is overwritten"]);
    assert_eq!(std::fs::read(workplace.path("alice.json")).unwrap(), before);

    let shown = workplace.run(&["key", "show", "alice.json"]);
    assert!(shown.stdout.contains(text(&made, "/address")));
    let secret = serde_json::from_slice::<serde_json::Value>(&before).unwrap()["secret"].as_str().unwrap().to_owned();
    assert!(!shown.stdout.contains(&secret) && !made.to_string().contains(&secret), "secrets are not shown");

    // A chain for that key: its funds are the key's.
    let init = workplace.json(0, &["init", "--key", "alice.json", "--balance", "12345"]);
    assert_eq!(init["address"], made["address"]);
    assert_eq!(text(&workplace.json(0, &["account", text(&made, "/address")]), "/balance"), "12345");
    assert!(!workplace.path("chain/key.json").exists());
}

#[test]
fn damaged_key_files_are_refused() {
    let workplace = Workplace::new();
    workplace.json(0, &["key", "new", "good.json"]);
    let good = std::fs::read_to_string(workplace.path("good.json")).unwrap();
    let mut key: serde_json::Value = serde_json::from_str(&good).unwrap();
    key["secret"] = json!("11".repeat(32));
    workplace.write("swapped.json", key.to_string());
    workplace.write("short.json", good.replace(key["address"].as_str().unwrap(), "zz"));
    workplace.write("text.json", "hello");
    for (file, words) in [
        ("swapped.json", "does not belong to the secret"),
        ("short.json", "does not belong to the secret"),
        ("text.json", "not a key file"),
        ("absent.json", "no such key file"),
    ] {
        assert_error(&workplace.json(2, &["key", "show", file]), "file", &[file, words]);
    }
}
