//! A question that an engine answers before it is used. What it asks is where engines depend on the machine that they were
//! built for: the order of bytes in memories, globals and vectors, and rounding. (wasmi 1.1 answers wrongly on big-endian machines, where it
//! keeps vectors the other way round.)

use wasm_encoder::{
    CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection, GlobalSection, GlobalType, Ieee64,
    InstructionSink, MemArg, MemorySection, MemoryType, Module, TypeSection, ValType,
};

use super::{EngineKind, float_state};
use crate::VmError;

/// The export that is asked; it takes nothing and gives an `i64`.
pub(super) const QUESTION: &str = "question";

/// What the global of the module is, and what is added to it byte by byte.
const ONE: [u8; 16] = [1, 3, 7, 15, 31, 63, 127, 255, 254, 252, 248, 240, 224, 192, 128, 77];
const OTHER: [u8; 16] = [200, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 5];
/// A float that a product rounds.
const FLOAT: f64 = 1.000_000_000_000_000_2;

/// The module that is asked.
pub(super) fn module() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I64]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: Some(1), memory64: false, shared: false, page_size_log2: None });
    let mut globals = GlobalSection::new();
    let ty = GlobalType { val_type: ValType::V128, mutable: true, shared: false };
    globals.global(ty, &ConstExpr::v128_const(i128::from_le_bytes(ONE)));
    let mut exports = ExportSection::new();
    exports.export(QUESTION, ExportKind::Func, 0);
    let mut function = Function::new([(1, ValType::I64)]);
    write(&mut function.instructions());
    let mut code = CodeSection::new();
    code.function(&function);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&globals).section(&exports).section(&code);
    module.finish()
}

/// The sum of a vector and the global, stored over the edge of two words, seen as integers and as lanes.
fn write(code: &mut InstructionSink<'_>) {
    let at = |offset| MemArg { offset, align: 0, memory_index: 0 };
    code.i32_const(0).global_get(0).v128_const(i128::from_le_bytes(OTHER)).i8x16_add().v128_store(at(5));
    code.i32_const(0).i64_load(at(5));
    code.i32_const(0).i64_load32_s(at(12)).i64_const(7).i64_rotl().i64_xor();
    // Through the global, and as lanes.
    code.i32_const(0).v128_load(at(6)).global_set(0);
    code.global_get(0).i32x4_extract_lane(1).i64_extend_i32_u().i64_add();
    code.global_get(0).global_get(0).i16x8_mul().i64x2_extract_lane(1).i64_xor();
    code.global_get(0).i16x8_extract_lane_s(7).i64_extend_i32_s().i64_add().local_set(0);
    // A product that is rounded, and its bits.
    code.i32_const(0).f64_const(Ieee64::from(FLOAT)).f64_const(Ieee64::from(FLOAT)).f64_mul().f64_store(at(40));
    code.i32_const(0).i64_load(at(40)).local_get(0).i64_xor().end();
}

/// What the answer has to be.
fn answer() -> i64 {
    let mut memory = [0; 48];
    for (at, (one, other)) in ONE.iter().zip(OTHER).enumerate() {
        memory[5 + at] = one.wrapping_add(other);
    }
    let bytes = |at: usize| -> [u8; 8] { memory[at..at + 8].try_into().expect("eight") };
    let [a, b, c, d, ..] = bytes(12);
    let mut found = i64::from_le_bytes(bytes(5)) ^ i64::from(i32::from_le_bytes([a, b, c, d])).rotate_left(7);
    let [a, b, c, d, ..] = bytes(6 + 4);
    found = found.wrapping_add(i64::from(u32::from_le_bytes([a, b, c, d])));
    let lanes = bytes(6 + 8);
    let mut squares = [0; 8];
    for (square, lane) in squares.chunks_exact_mut(2).zip(lanes.chunks_exact(2)) {
        let lane = i16::from_le_bytes([lane[0], lane[1]]);
        square.copy_from_slice(&lane.wrapping_mul(lane).to_le_bytes());
    }
    found ^= i64::from_le_bytes(squares);
    found = found.wrapping_add(i64::from(i16::from_le_bytes([lanes[6], lanes[7]])));
    // The square of `1 + 2^-52` is `1 + 2^-51` and a bit that is rounded away.
    found ^ (1.0f64.to_bits() + 2).cast_signed()
}

/// Asks an engine, with floats as contracts have them.
pub(super) fn ask<E: std::fmt::Display>(answer: impl FnOnce() -> Result<i64, E>) -> Result<i64, String> {
    float_state::with_default(answer).map_err(|error| format!("{error:#}"))
}

/// Whether an engine may be used, by what it answers.
pub(super) fn check(engine: EngineKind, found: &Result<i64, String>) -> Result<(), VmError> {
    match found {
        Ok(found) if *found == answer() => Ok(()),
        Ok(_) => Err(VmError::Engine(format!("{engine} gives a wrong answer on this machine and is not used"))),
        Err(error) => Err(VmError::Engine(format!("{engine} does not pass its known-answer test: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{EngineKind, answer, check};
    use crate::VmError;

    #[test]
    fn only_the_right_answer_counts() {
        check(EngineKind::Wasmi, &Ok(answer())).unwrap();
        for found in [Ok(answer().swap_bytes()), Ok(answer() ^ 1), Err("a trap".to_owned())] {
            assert!(matches!(check(EngineKind::Wasmi, &found), Err(VmError::Engine(_))));
        }
    }
}
