//! The C and the Go example, built and run: both get the receipts that Rust gets.
//!
//! A C compiler is needed anyway. Go is not: without it that test says so and is skipped.

mod build;
mod expected;

use std::io::Write;

use build::{Program, contract_wasm, examples};
use expected::{Printed, receipts};

#[test]
fn the_contract_is_the_text_beside_it() {
    let text = std::fs::read(examples().join("embed-c/contract.wat")).unwrap();
    let made = wat::parse_bytes(&text).unwrap();
    let path = examples().join("embed-c/contract.wasm");
    if std::env::var_os("NOEMA_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(
        std::fs::read(path).unwrap_or_default() == *made,
        "contract.wasm is stale. Run:  NOEMA_BLESS=1 cargo test --release -p noema-capi --test languages"
    );
}

#[test]
fn a_c_program_gets_the_receipts_of_rust() {
    for library in build::libraries() {
        let program = Program::c(&library, &[]);
        let output = program.run(&[contract_wasm().as_os_str()]);
        assert_eq!(Printed::read(&output), receipts());
    }
}

#[test]
fn a_go_program_gets_the_receipts_of_rust() {
    let Some(program) = Program::go() else {
        // Not through `println!`, which a test that passes keeps for itself.
        let text = "SKIPPED: the Go example; there is no `go` on this machine (Debian: apt-get install golang-go)";
        writeln!(std::io::stderr(), "{text}").expect("standard error is open");
        return;
    };
    let output = program.run(&[contract_wasm().as_os_str()]);
    assert_eq!(Printed::read(&output), receipts());
    assert!(output.contains("failing: state: the callback `get` failed: the disk is gone"), "{output}");
}

#[test]
fn a_program_without_its_file_says_so() {
    let library = build::libraries().into_iter().next().expect("there is a library");
    let program = Program::c(&library, &[]);
    let failed = program.output(&["no-such-file.wasm".as_ref()]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("no-such-file.wasm"));
}
