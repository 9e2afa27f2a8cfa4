//! The README shows this example, and it runs.

use std::path::Path;
use std::process::Command;

#[test]
fn the_readme_shows_this_program() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = std::fs::read_to_string(home.join("src/main.rs")).unwrap();
    let readme = std::fs::read_to_string(home.join("../../README.md")).unwrap();
    // Without the documentation of the crate, which an example in a page cannot have.
    let (_, program) = program.split_once("\n\n").unwrap();
    assert!(
        readme.contains(&format!("```rust\n{program}```\n")),
        "README.md shows another program than examples/embed/src/main.rs: copy it there"
    );
}

#[test]
fn it_prints_its_receipt() {
    let output = Command::new(env!("CARGO_BIN_EXE_embed")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("Receipt {") && text.contains("status: Success"), "{text}");
    // H, E, L, L, O: what the host function made of the contract's text.
    let spaceless: String = text.split_whitespace().collect();
    assert!(spaceless.contains("output:[72,69,76,76,79,]"), "{text}");
}
