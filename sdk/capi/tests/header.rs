//! `noema.h` is what the sources say. `NOEMA_BLESS=1` writes it.

use std::path::Path;

#[test]
fn the_header_is_not_stale() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(home.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in ["lib", "guard", "types", "config", "vm", "state", "function", "outcome"] {
        builder = builder.with_src(home.join(format!("src/{source}.rs")));
    }
    let mut made = Vec::new();
    builder.generate().expect("cbindgen reads the sources").write(&mut made);
    let made = String::from_utf8(made).expect("a header is text");
    let path = home.join("noema.h");
    if std::env::var_os("NOEMA_BLESS").is_some() {
        std::fs::write(&path, &made).expect("noema.h can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "noema.h is stale. Run:  NOEMA_BLESS=1 cargo test --release -p noema-capi --test header"
    );
}
