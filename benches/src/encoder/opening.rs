//! What it costs to open a model that the node has.

use anyhow::ensure;
use noema_model::{DirModelStore, Model, ModelStore};

use crate::calls;
use crate::measure::{Contender, Effort, compare};
use crate::report::{Row, Sense};

/// A message of a contract that opens the model, beside the same message without that, and beside one run of the model; and the store
/// alone, beside a store that has just been opened.
///
/// `run` runs the model once, `what` says on what.
///
/// # Errors
/// The model cannot be stored or opened.
pub(super) fn rows<T>(model: &Model, what: &str, run: impl FnMut() -> T, effort: Effort) -> anyhow::Result<Vec<Row>> {
    eprintln!("model: opening it");
    let opens = calls::with_model(model, &contract(model, true))?;
    let without = calls::with_model(model, &contract(model, false))?;
    let gas = opens.call().receipt.gas_used();
    ensure!(gas > without.call().receipt.gas_used(), "the contract does not open the model");
    let row =
        |case: &str, peer: &str, sense, ratio| Row { case: case.into(), peer: peer.into(), threads: 1, sense, ratio };

    let mut contenders = [
        Contender::new("a call that opens it", || opens.call()),
        Contender::new("the call without", || without.call()),
        Contender::new("a run", run),
    ];
    let ratios = compare(effort, &mut contenders);
    let call = contenders[0].time(effort.clock, 1000) / 1000;
    let more = call.mul_f64((1.0 - ratios[0].median).max(0.0));
    eprintln!("model: a call that opens it takes {} ns, {} of them for that", call.as_nanos(), more.as_nanos());

    let folder = tempfile::tempdir()?;
    let store = DirModelStore::open_dir(folder.path())?;
    std::fs::write(store.model_path(model.id()), model.container())?;
    store.open(model.id())?;
    let first = || DirModelStore::open_dir(folder.path()).and_then(|store| store.open(model.id()));
    let mut contenders = [
        Contender::new("open", || store.open(model.id()).expect("it did so before")),
        Contender::new("first open", || first().expect("it did so before")),
    ];
    let again = compare(effort, &mut contenders)[0];
    Ok(vec![
        row("a call that opens it", "the call without", Sense::Overhead, ratios[0].inverse()),
        row("a call that opens it", &format!("a run of {what}"), Sense::Speed, ratios[1]),
        row("the store, open", "first open of a process", Sense::Speed, again),
    ])
}

/// A contract that opens the model, if it does, and gives one byte.
fn contract(model: &Model, opens: bool) -> String {
    let id: String = model.id().0.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let open = if opens { "(if (i64.lt_s (call $open (i32.const 0)) (i64.const 0)) (then return))" } else { "" };
    format!(
        r#"(module
          (import "model" "open" (func $open (param i32) (result i64)))
          (import "context" "output_write" (func $output (param i32 i32) (result i64)))
          (memory (export "memory") 1)
          (data (i32.const 0) "{id}") (data (i32.const 32) "\01")
          (func (export "call") {open} (drop (call $output (i32.const 32) (i32.const 1)))))"#
    )
}
