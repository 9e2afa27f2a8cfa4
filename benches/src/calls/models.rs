//! What a contract pays for asking a model, beside the model alone.

use anyhow::{Context, ensure};
use noema_model::{Model, merkle};
use noema_tensor::{Kernels, Level, Shape, Tensor};
use noema_vm::Action;

use crate::deployed::Deployed;
use crate::measure::{Contender, Effort, compare};
use crate::report::{Report, Row, Sense};

/// Rows that a message asks about, one after the other.
const ROWS: u32 = 1000;

/// What happens to a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Loop {
    /// The model runs on a tensor that is there; its outputs are dropped.
    Run,
    /// The tensor is made of bytes before, and the class read behind.
    Whole,
}

/// The network of the screening example, row by row: in a loop of a contract, and in a loop here.
///
/// # Errors
/// The model cannot be imported or does not run.
pub(super) fn add(report: &mut Report, effort: Effort) -> anyhow::Result<()> {
    eprintln!("calls: a small network, row by row");
    let model = crate::screening::model()?;
    let kernels = Kernels::new(Level::best(), 1)?;
    let width = model.manifest().inputs[0].shape[0];
    let row: Vec<i32> = (0..width).map(|at| i32::try_from(at * 1000).unwrap_or(0)).collect();
    let x = Tensor::from_vec(Shape::new(&[1, width]).map_err(|status| anyhow::anyhow!("{status}"))?, row.clone())?;
    let alone = || (0..ROWS).for_each(|_| drop(std::hint::black_box(model.run(&kernels, &[&x]))));
    for (case, what) in [("model.run", Loop::Run), ("a row from bytes to class", Loop::Whole)] {
        let deployed = deployed(&model, &contract(&model, &row, what))?;
        let mut contenders = [Contender::new("noema", || deployed.call()), Contender::new("the model alone", alone)];
        let ratio = compare(effort, &mut contenders)[0].inverse();
        let alone = contenders[1].time(effort.clock, 20) / (20 * ROWS);
        let more = alone.mul_f64((ratio.median - 1.0).max(0.0));
        report.note(format!("{case}: {} ns beyond the {} ns of the model alone", more.as_nanos(), alone.as_nanos()));
        let peer = contenders[1].name().to_owned();
        report.extend([Row { case: case.into(), peer, threads: 1, sense: Sense::Overhead, ratio }]);
    }
    Ok(())
}

/// A machine with this contract and this model on it. The contract gives a byte that is 1.
///
/// # Errors
/// The model or the contract is refused, or the contract gives something else.
pub(crate) fn deployed(model: &Model, text: &str) -> anyhow::Result<Deployed> {
    let mut deployed = Deployed::of_code(&wat::parse_str(text)?).map_err(anyhow::Error::msg)?;
    let container = model.container();
    let id = model.id().0;
    let tree = merkle::MerkleTree::new(container);
    let total_len = u64::try_from(container.len())?;
    deployed.commit(Action::BeginModel { total_len, top: tree.top() })?;
    for (bytes, index) in container.chunks(merkle::CHUNK_BYTES).zip(0_u32..) {
        let proof = tree.proof(u64::from(index)).context("a chunk of the model")?;
        deployed.commit(Action::ModelChunk { id, index, bytes: bytes.to_vec(), proof })?;
    }
    deployed.commit(Action::FinishModel { id })?;
    let receipt = deployed.call().receipt;
    ensure!(receipt.output == [1], "the contract found no model or could not run it: {:?}", receipt.status);
    Ok(deployed)
}

fn contract(model: &Model, row: &[i32], what: Loop) -> String {
    let bytes = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let data: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape: Vec<u8> = [1, u32::try_from(row.len()).unwrap_or(0)].into_iter().flat_map(u32::to_le_bytes).collect();
    let outputs = model.manifest().outputs.len();
    let class = model.manifest().output("class").unwrap_or(0);
    let drops: String = (0..outputs)
        .map(|at| format!("(drop (call $drop (i32.load offset={} (i32.const 0))))", 2048 + 4 * at))
        .collect();
    let make = format!(
        "(i32.store (i32.const 2000) (i32.wrap_i64 (call $create (i32.const 3) (i32.const 32) (i32.const 8) (i32.const 64) (i32.const {}))))",
        data.len()
    );
    let (before, behind) = match what {
        Loop::Run => (String::new(), String::new()),
        Loop::Whole => (
            make.clone(),
            format!(
                "(drop (call $read (i32.load offset={} (i32.const 0)) (i32.const 3000) (i32.const 4))) (drop (call $drop (i32.load (i32.const 2000))))",
                2048 + 4 * class
            ),
        ),
    };
    format!(
        r#"(module
          (import "tensor" "create" (func $create (param i32 i32 i32 i32 i32) (result i64)))
          (import "tensor" "read" (func $read (param i32 i32 i32) (result i64)))
          (import "tensor" "drop" (func $drop (param i32) (result i64)))
          (import "model" "open" (func $open (param i32) (result i64)))
          (import "model" "run" (func $run (param i32 i32 i32 i32 i32) (result i64)))
          (import "context" "output_write" (func $output (param i32 i32) (result i64)))
          (memory (export "memory") 1)
          (data (i32.const 0) "{}") (data (i32.const 32) "{}") (data (i32.const 64) "{}") (data (i32.const 3100) "\01")
          (func (export "call") (local $model i32) (local $left i32)
            (local.set $model (i32.wrap_i64 (call $open (i32.const 0))))
            {make}
            (local.set $left (i32.const {ROWS}))
            (loop $again
              {before}
              (if (i64.lt_s (call $run (local.get $model) (i32.const 2000) (i32.const 4) (i32.const 2048) (i32.const {})) (i64.const 0)) (then return))
              {behind}
              {drops}
              (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (drop (call $output (i32.const 3100) (i32.const 1)))))"#,
        bytes(&model.id().0),
        bytes(&shape),
        bytes(&data),
        4 * outputs,
    )
}
