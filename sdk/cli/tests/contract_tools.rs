//! The tools around a contract, from `noema new` to a flame graph of a call.

mod program;

use std::fs;
use std::path::{Path, PathBuf};

use program::{Workplace, assert_error, number, repository, text};
use serde_json::{Value, json};

/// A crate from a template, with the versions of this repository.
fn new(workplace: &Workplace, name: &str, template: &str) -> PathBuf {
    workplace.json(0, &["new", name, "--template", template]);
    let dir = workplace.path(name);
    fs::copy(repository().join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
    dir
}

/// Where crates outside of the workspace are built: `<target>/cli-tests`, so that nothing of the workspace is built anew.
fn target_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("cli-tests")
}

/// The program, with that target folder.
fn run(workplace: &Workplace, exit: i32, arguments: &[&str]) -> Value {
    let mut command = workplace.command();
    command.arg("--json").args(arguments).env("CARGO_TARGET_DIR", target_dir());
    let run = program::Run::from(command.output().unwrap());
    assert_eq!(run.exit, Some(exit), "{run:#?}");
    run.object()
}

#[test]
fn templates_are_crates_of_this_repository() {
    let workplace = Workplace::new();
    for (template, origin, crate_name) in [
        ("blank", "sdk/cli/templates/blank", "noema_template_blank"),
        ("token", "examples/token", "token"),
        ("classifier", "sdk/cli/templates/classifier", "noema_template_classifier"),
        ("agent", "sdk/cli/templates/agent", "noema_template_agent"),
    ] {
        let dir = new(&workplace, &format!("my-{template}"), template);
        let tests = if template == "token" { "tests/token.rs" } else { "tests/contract.rs" };
        for file in ["src/lib.rs", tests] {
            let origin = fs::read_to_string(repository().join(origin).join(file)).unwrap();
            let origin = origin.replace(&format!("use {crate_name}::"), &format!("use my_{template}::"));
            assert_eq!(fs::read_to_string(dir.join(file)).unwrap(), origin, "{template} {file}");
        }
        // It builds where it lies, and a chain would take it. Its tests run as those of the crate that it comes from.
        let built = run(&workplace, 0, &["build", dir.to_str().unwrap()]);
        assert!(number(&built, "/bytes") > 1000 && !built["methods"].as_array().unwrap().is_empty(), "{built}");
        let sizes = ["code", "data", "schema", "record", "other"].map(|part| number(&built, &format!("/size/{part}")));
        assert_eq!(sizes.iter().sum::<u64>(), number(&built, "/bytes"), "{built}");
        assert!(sizes[0] > 0 && sizes[2] > 0 && sizes[3] > 0, "{built}");
    }
}

#[test]
fn new_refuses_what_would_not_work() {
    let workplace = Workplace::new();
    for name in ["Upper", "1st", "std", "test", "fn", "with space", "ünder", "."] {
        assert_error(&workplace.json(2, &["new", name]), "argument", &["crate"]);
    }
    assert_error(&workplace.json(2, &["new", "fine", "--noema", "."]), "argument", &["no checkout", "sdk/contract"]);
    workplace.json(0, &["new", "fine"]);
    assert_error(&workplace.json(2, &["new", "fine"]), "file", &["not empty", "nothing was written"]);
}

#[test]
fn one_contract_through_every_tool() {
    let workplace = Workplace::new();
    let dir = new(&workplace, "book", "blank");
    let dir = dir.to_str().unwrap();
    let built = run(&workplace, 0, &["build", dir, "-o", "book.wasm", "--sizes"]);
    let largest = built["largest"].as_array().unwrap();
    assert!(largest.iter().any(|entry| entry[0].as_str().unwrap().contains("GuestBook")), "{largest:?}");

    let checked = run(&workplace, 0, &["check", dir]);
    assert_eq!(checked["code_hash"], built["code_hash"]);
    assert_eq!(checked["entry_points"], json!(["init", "call", "view"]));

    let schema = run(&workplace, 0, &["schema", "book.wasm"]);
    assert_eq!(schema["errors"][1], json!([2, "Closed", "The guest book is closed"]));
    let client = run(&workplace, 0, &["client", "book.wasm", "--lang", "ts", "-o", "book.ts"]);
    assert_eq!(text(&client, "/contract"), "GuestBook");
    assert!(fs::read_to_string(workplace.path("book.ts")).unwrap().contains("async sign(line: string, "));

    // On a chain: the source is that of the contract, and another source is not.
    workplace.init();
    let deployed = run(&workplace, 0, &["deploy", "book.wasm", "--time-ms", "2000"]);
    let contract = text(&deployed, "/contract");
    let verified = run(&workplace, 0, &["verify", dir, contract]);
    assert_eq!(verified["code_hash"], built["code_hash"]);
    let other = new(&workplace, "other", "classifier");
    let refused = run(&workplace, 1, &["verify", other.to_str().unwrap(), contract]);
    assert_error(&refused, "other-code", &["is not what", "Cargo.lock"]);
    assert_eq!(refused["error"]["details"]["same_code"], json!(false));

    // A refusal has the name that the contract gave it.
    let refused = run(&workplace, 1, &["call", contract, "sign", r#"[""]"#, "--time-ms", "3000"]);
    assert!(text(&refused, "/error/message").contains("BadLine: A line has 1 to 200 bytes"), "{refused}");

    trace(&workplace, contract);
    profile(&workplace, contract, dir);
    // Nothing of all that was sent.
    let guests = run(&workplace, 0, &["view", contract, "guests"]);
    assert_eq!((number(&guests, "/result"), number(&guests, "/height")), (0, 2));
}

fn trace(workplace: &Workplace, contract: &str) {
    let traced = run(workplace, 0, &["trace", contract, "sign", r#"["hello"]"#]);
    let steps = traced["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| text(step, "/what")).filter(|name| name.contains('.')).collect();
    let expected = [
        "context.input_len",
        "context.input_read",
        "context.value",
        "storage.get",
        "context.caller",
        "storage.get",
        "storage.set",
        "event.emit",
        "storage.set",
        "context.output_write",
    ];
    assert_eq!(names, expected);
    let sum: u64 = steps.iter().map(|step| number(step, "/gas")).sum();
    let gas = &traced["result"]["gas"];
    // What is not in the steps is the message itself and loading the code.
    let before = number(gas, "/used") - sum;
    assert!((80_000_000..120_000_000).contains(&before), "{before}: {gas}");
    assert!(steps.iter().all(|step| !text(step, "/what").contains('.') || number(step, "/gas") > 0));
    assert_eq!(text(&traced, "/result/status"), "success");

    let failed = run(workplace, 0, &["trace", contract, "sign", r#"[""]"#]);
    let last = failed["steps"].as_array().unwrap().iter().rev().find(|step| text(step, "/what") == "control.abort");
    assert!(text(last.unwrap(), "/detail").contains("aborted with code 1"), "{failed:#}");
    let view = run(workplace, 0, &["trace", contract, "guests", "--view"]);
    assert_eq!(number(&view, "/result/result"), 0);
    let words = workplace.run(&["trace", contract, "guests", "--view"]);
    assert!(words.stdout.contains("storage.get") && words.stdout.contains("status        success"), "{words:?}");
}

fn profile(workplace: &Workplace, contract: &str, dir: &str) {
    let call = ["profile", contract, "sign", r#"["hello"]"#];
    let plain = run(workplace, 0, &call);
    assert_eq!(plain["unnamed"], json!([contract]));
    let named = run(workplace, 0, &[&call[..], &["--source", dir, "-o", "sign.svg"]].concat());
    assert_eq!(named["gas"], plain["gas"]);
    // The gas of a profile is that of the call.
    let traced = run(workplace, 0, &["trace", contract, "sign", r#"["hello"]"#]);
    assert_eq!(named["gas"], traced["result"]["gas"]["used"]);
    assert!(named["unnamed"].is_null(), "{named}");
    let svg = fs::read_to_string(workplace.path("sign.svg")).unwrap();
    for part in
        ["<svg", "gas of `sign`", "GuestBook", "src/lib.rs:", "storage.set", "the message, and loading its code"]
    {
        assert!(svg.contains(part), "{part} is not in the flame graph");
    }
    let most = named["most"].as_array().unwrap();
    assert!(most.iter().any(|entry| entry[0] == "storage.set"), "{most:?}");
    let error = run(workplace, 2, &[&call[..], &["--source", workplace.path("other").to_str().unwrap()]].concat());
    assert_error(&error, "argument", &["none of the contracts that ran", "noema verify"]);
}

/// A crate without the SDK, for what an author may do wrong below it.
fn bare_crate(workplace: &Workplace, name: &str, source: &str) -> PathBuf {
    let dir = workplace.path(name);
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::create_dir_all(dir.join("tests")).unwrap();
    let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    fs::write(dir.join("src/lib.rs"), source).unwrap();
    dir
}

#[test]
fn check_names_the_line_that_stands_in_the_way() {
    let workplace = Workplace::new();
    let source = r#"#![no_std]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn clock() -> i64;
}
#[unsafe(export_name = "call")]
pub extern "C" fn call() {
    core::hint::black_box(1);
    core::hint::black_box(unsafe { clock() });
}
"#;
    let dir = bare_crate(&workplace, "clockwork", source);
    let error = run(&workplace, 1, &["check", dir.to_str().unwrap()]);
    let line = source.lines().position(|line| line.contains("unsafe { clock() }")).unwrap() + 1;
    assert_error(&error, "inadmissible", &["import `env` `clock`", &format!("src/lib.rs:{line} in"), "admission.md"]);

    workplace.write("none.wasm", b"not a module");
    assert_error(&run(&workplace, 1, &["check", "none.wasm"]), "inadmissible", &["invalid at offset 0x"]);
    let start = wat::parse_str(r#"(module (memory (export "memory") 1) (func $f) (start $f))"#).unwrap();
    workplace.write("start.wasm", start);
    assert_error(&run(&workplace, 1, &["check", "start.wasm"]), "inadmissible", &["start functions", "function 0"]);
    assert_error(&run(&workplace, 2, &["check", "missing.wasm"]), "io", &["missing.wasm"]);
    assert_error(&run(&workplace, 2, &["schema", "start.wasm"]), "file", &["noema.schema"]);
    assert_error(&run(&workplace, 2, &["client", "start.wasm"]), "file", &["noema.schema"]);
}

/// A test that does what `check_gas` does, without compiling the VM for it.
const GAS_TEST: &str = r#"
#[test]
fn one_call() {
    let used = 1000 + include_str!("../extra.txt").len();
    match std::env::var_os("NOEMA_GAS_RECORD") {
        Some(folder) => std::fs::write(std::path::Path::new(&folder).join("1.txt"), format!("one call {used}\n")).unwrap(),
        None => {
            let text = std::fs::read_to_string("tests/gas.txt").unwrap();
            assert!(text.lines().any(|line| line == format!("one call {used}")), "{text}");
        }
    }
}
#[test]
#[should_panic]
fn sums_do_not_wrap() {
    let one = std::hint::black_box(1u8);
    let _ = std::hint::black_box(255u8 + one);
}
"#;

#[test]
fn tests_run_and_gas_is_reviewed() {
    let workplace = Workplace::new();
    let dir = bare_crate(&workplace, "counted", "");
    fs::write(dir.join("tests/gas.rs"), GAS_TEST).unwrap();
    let extra = |len: usize| fs::write(dir.join("extra.txt"), "x".repeat(len)).unwrap();
    let path = dir.to_str().unwrap();
    extra(0);
    // Nothing is known yet.
    let error = run(&workplace, 1, &["test", path]);
    assert_error(&error, "tests-failed", &["tests of", "counted"]);
    assert!(text(&error, "/error/details/output").contains("one_call ... FAILED"), "{error:#}");
    let first = run(&workplace, 0, &["test", path, "--gas"]);
    assert_eq!(first["gas"], json!([{"name": "one call", "before": null, "now": 1000}]));
    assert!(!dir.join("tests/gas.txt").exists());
    run(&workplace, 0, &["test", path, "--gas", "--accept"]);
    run(&workplace, 0, &["test", path]);
    run(&workplace, 0, &["test", path, "--", "sums_do_not_wrap"]);
    // A call has become dearer.
    extra(25);
    run(&workplace, 1, &["test", path]);
    let review = run(&workplace, 0, &["test", path, "--gas"]);
    assert_eq!(review["gas"], json!([{"name": "one call", "before": 1000, "now": 1025}]));
    let accepted = run(&workplace, 0, &["test", path, "--gas", "--accept"]);
    assert_eq!(accepted["accepted"], json!(true));
    run(&workplace, 0, &["test", path]);
    assert!(fs::read_to_string(dir.join("tests/gas.txt")).unwrap().ends_with("one call 1025\n"));

    assert_error(&run(&workplace, 2, &["test", "nowhere"]), "file", &["Cargo.toml", "noema new"]);
    fs::write(dir.join("tests/gas.txt"), "what\n").unwrap();
    assert_error(&run(&workplace, 2, &["test", path, "--gas"]), "file", &["`what` is no name and number"]);
    assert!(Path::new(path).is_dir());
}
