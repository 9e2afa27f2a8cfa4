//! Prices of operators, in picoseconds of the reference machine: the table of `docs/spec/gas.md`.
//!
//! Calibrated with `noema-bench gas` (`docs/decisions/0010-prices.md`). Every price is a multiple of [`ENTRY_PRICE`], so that the fuel
//! counter of another engine, set to the same table, is an independent check of the sums.

use wasmparser::{BrTable, MemArg, Operator};

/// Entering a function. All else that a call costs is in the price of the calling operator.
pub(super) const ENTRY_PRICE: u64 = 25;
/// Every 8 bytes of locals that a function declares besides its parameters: they are set to zero.
pub(super) const LOCAL_PRICE: u64 = 300;

const FREE: u64 = 0;
/// Locals, `drop`.
const MOVE: u64 = 50;
/// Constants, which are bytes of code.
const CONSTANT: u64 = 100;
/// `select`, globals, references.
const CHOOSE: u64 = 300;
/// Integer arithmetic without multiplication, comparison, shifts, conversion between integers, reinterpretation.
const INTEGER: u64 = 125;
const ROTATE: u64 = 175;
const MULTIPLY: u64 = 650;
const COUNT_BITS: u64 = 725;
const DIVIDE: u64 = 2_700;
/// A load in a near memory; one that something may have to wait for. A store; one that may lie across two pages.
const NEAR_LOAD: u64 = 1_000;
const NEAR_AWAITED: u64 = 8_000;
const NEAR_STORE: u64 = 2_800;
const NEAR_ACROSS: u64 = 6_500;
/// The same in a middle one.
const MIDDLE_LOAD: u64 = 4_000;
const MIDDLE_AWAITED: u64 = 33_000;
const MIDDLE_STORE: u64 = 2_800;
const MIDDLE_ACROSS: u64 = 8_500;
/// The same in a far one, which no cache holds.
const FAR_LOAD: u64 = 140_000;
const FAR_STORE: u64 = 16_000;
const FAR_ACROSS: u64 = 24_000;
/// An element of a table.
const TABLE: u64 = 2_500;
/// Sums, comparisons and signs of floats, including what makes NaN canonical.
const FLOAT: u64 = 800;
const FLOAT_MULTIPLY: u64 = 900;
/// The smaller or larger of two.
const FLOAT_CHOOSE: u64 = 1_000;
/// Conversion to and between floats.
const CONVERT: u64 = 1_500;
/// Division and roots: with numbers that are subnormal they take ten times as long as with others.
const FLOAT_DIVIDE: u64 = 47_000;
/// Conversion from float to integer.
const TRUNCATE: u64 = 2_000;
/// Rounding to an integer that stays a float.
const ROUND: u64 = 2_200;
const JUMP: u64 = 100;
/// A conditional branch, mispredicted now and then.
const BRANCH: u64 = 2_500;
/// A branch one way of which is unlikely, and the beginning of that way, to which it is mispredicted.
pub(super) const FORESEEN: u64 = 400;
pub(super) const UNLIKELY: u64 = 5_000;
/// Mispredicted, with the load of its target.
const BRANCH_TABLE: u64 = 8_000;
/// With the return, which is mispredicted where calls are deep.
const CALL: u64 = 5_000;
/// Mispredicted, with the loads that check the type.
const CALL_INDIRECT: u64 = 10_000;
/// What a branch or call costs more in a module that has more of them than a processor remembers: none is foreseen, and where it leads
/// has to come from a cache far away.
pub(super) const UNFORESEEN: u64 = 7_000;
/// An operator that leaves compiled code, without what its length costs.
const BULK: u64 = 20_000;
/// Most vector operators.
const VECTOR: u64 = 800;
/// Vector operators that take several instructions, or are slow.
const VECTOR_LONG: u64 = 3_000;
const VECTOR_PRODUCT: u64 = 4_000;
/// Sums and products, which one instruction does, including what makes NaN canonical.
const VECTOR_ARITHMETIC: u64 = 2_700;
/// Other vectors of floats.
const VECTOR_FLOAT: u64 = 4_300;
const VECTOR_DIVIDE: u64 = 65_000;

/// Every byte that is copied or filled.
const PER_BYTE: u32 = 200;
/// Every element that is copied or filled.
const PER_ELEMENT: u32 = 2_000;
/// Every page of 64 KiB that is asked for, granted or not.
const PER_PAGE: u32 = 32_000_000;

/// In which caches of a processor a memory fits, by the pages that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// At most [`crate::rules::Machine::near_pages`].
    Near,
    /// At most [`crate::rules::Machine::middle_pages`].
    Middle,
    /// More.
    Far,
}

/// What prices depend on besides operators and where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Of the memory.
    pub(super) reach: Reach,
    /// Whether the module has more branches than [`crate::rules::Machine::foreseen_branches`].
    pub(super) unforeseen: bool,
}

/// Whether an operator leads elsewhere: a branch, also the one at the end of a first arm, or a call.
pub(crate) fn is_branch(operator: &Operator<'_>) -> bool {
    use Operator::{Br, BrIf, BrTable, Call, CallIndirect, Else, If};
    matches!(operator, Br { .. } | BrIf { .. } | BrTable { .. } | If { .. } | Else | Call { .. } | CallIndirect { .. })
}

/// The depths to which a table of branches leads, each once.
pub(super) fn different_targets(table: &BrTable<'_>) -> Vec<u32> {
    let mut depths: Vec<u32> = table.targets().flatten().chain([table.default()]).collect();
    depths.sort_unstable();
    depths.dedup();
    depths
}

/// How an operator uses the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
}

/// What a bulk operator costs: a fixed part, and one for every unit of the length on top of the stack.
pub(super) fn bulk_price(operator: &Operator<'_>) -> Option<(u64, u32)> {
    match operator {
        Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => {
            Some((BULK, PER_BYTE))
        }
        Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::TableGrow { .. } => Some((BULK, PER_ELEMENT)),
        Operator::MemoryGrow { .. } => Some((BULK, PER_PAGE)),
        _ => None,
    }
}

/// Whether an operator is priced by its length.
pub(crate) fn is_bulk(operator: &Operator<'_>) -> bool {
    bulk_price(operator).is_some()
}

/// The price of an operator by itself, a load being one in a near memory that nothing waits for, and a store one that lies in one
/// page; `None` for one that no version allows. In a body it may be another one: [`super::pricing`].
pub(crate) fn operator_price(operator: &Operator<'_>) -> Option<u64> {
    if let Some((fixed, _)) = bulk_price(operator) {
        return Some(fixed);
    }
    let price = access(operator).map(|access| match access {
        Access::Load => load_price(Reach::Near, false),
        Access::Store => store_price(Reach::Near, false),
    });
    price.or_else(|| scalar_price(operator)).or_else(|| vector_price(operator))
}

/// What a load costs; whether something may have to wait for it says [`super::Awaited`].
pub(super) fn load_price(reach: Reach, is_awaited: bool) -> u64 {
    match (reach, is_awaited) {
        (Reach::Near, false) => NEAR_LOAD,
        (Reach::Near, true) => NEAR_AWAITED,
        (Reach::Middle, false) => MIDDLE_LOAD,
        (Reach::Middle, true) => MIDDLE_AWAITED,
        (Reach::Far, _) => FAR_LOAD,
    }
}

/// What a store costs; whether it may lie across two pages says [`super::Across`].
pub(super) fn store_price(reach: Reach, is_across: bool) -> u64 {
    match (reach, is_across) {
        (Reach::Near, false) => NEAR_STORE,
        (Reach::Near, true) => NEAR_ACROSS,
        (Reach::Middle, false) => MIDDLE_STORE,
        (Reach::Middle, true) => MIDDLE_ACROSS,
        (Reach::Far, false) => FAR_STORE,
        (Reach::Far, true) => FAR_ACROSS,
    }
}

/// What a call costs more if its result may become an address: somewhere in it may be the load that brought it.
pub(super) fn awaited_call(reach: Reach) -> u64 {
    load_price(reach, true) - load_price(reach, false)
}

/// Whether an operator loads from the memory or stores to it.
#[rustfmt::skip]
pub(super) fn access(operator: &Operator<'_>) -> Option<Access> {
    use Operator::*;
    Some(match operator {
        I32Load { .. } | I64Load { .. } | F32Load { .. } | F64Load { .. }
        | I32Load8S { .. } | I32Load8U { .. } | I32Load16S { .. } | I32Load16U { .. }
        | I64Load8S { .. } | I64Load8U { .. } | I64Load16S { .. } | I64Load16U { .. }
        | I64Load32S { .. } | I64Load32U { .. }
        | V128Load { .. } | V128Load8x8S { .. } | V128Load8x8U { .. } | V128Load16x4S { .. }
        | V128Load16x4U { .. } | V128Load32x2S { .. } | V128Load32x2U { .. } | V128Load8Splat { .. }
        | V128Load16Splat { .. } | V128Load32Splat { .. } | V128Load64Splat { .. } | V128Load32Zero { .. }
        | V128Load64Zero { .. } | V128Load8Lane { .. } | V128Load16Lane { .. } | V128Load32Lane { .. }
        | V128Load64Lane { .. } => Access::Load,
        _ if stored(operator).is_some() => Access::Store,
        _ => return None,
    })
}

/// How many bytes an operator stores, and how far behind its address.
#[rustfmt::skip]
pub(super) fn stored(operator: &Operator<'_>) -> Option<(u64, u64)> {
    use Operator::*;
    let of = |bytes: u64, memarg: &MemArg| Some((bytes, memarg.offset));
    match operator {
        I32Store8 { memarg } | I64Store8 { memarg } | V128Store8Lane { memarg, .. } => of(1, memarg),
        I32Store16 { memarg } | I64Store16 { memarg } | V128Store16Lane { memarg, .. } => of(2, memarg),
        I32Store { memarg } | F32Store { memarg } | I64Store32 { memarg } | V128Store32Lane { memarg, .. } => of(4, memarg),
        I64Store { memarg } | F64Store { memarg } | V128Store64Lane { memarg, .. } => of(8, memarg),
        V128Store { memarg } => of(16, memarg),
        _ => None,
    }
}

#[rustfmt::skip] // One line for each kind of operator reads as the table that it is.
fn scalar_price(operator: &Operator<'_>) -> Option<u64> {
    use Operator::*;
    Some(match operator {
        Nop | Block { .. } | Loop { .. } | Else | End => FREE,
        Unreachable => UNLIKELY,
        Drop | LocalGet { .. } | LocalSet { .. } | LocalTee { .. } => MOVE,
        I32Const { .. } | I64Const { .. } | F32Const { .. } | F64Const { .. } => CONSTANT,
        Select | TypedSelect { .. } | GlobalGet { .. } | GlobalSet { .. } => CHOOSE,
        RefNull { .. } | RefIsNull | MemorySize { .. } | TableSize { .. } => CHOOSE,
        Br { .. } | Return => JUMP,
        If { .. } | BrIf { .. } => BRANCH,
        BrTable { .. } => BRANCH_TABLE,
        Call { .. } => CALL,
        CallIndirect { .. } => CALL_INDIRECT,

        TableGet { .. } | TableSet { .. } => TABLE,
        RefFunc { .. } | DataDrop { .. } | ElemDrop { .. } => BULK,

        I32Eqz | I32Eq | I32Ne | I32LtS | I32LtU | I32GtS | I32GtU | I32LeS | I32LeU | I32GeS | I32GeU => INTEGER,
        I64Eqz | I64Eq | I64Ne | I64LtS | I64LtU | I64GtS | I64GtU | I64LeS | I64LeU | I64GeS | I64GeU => INTEGER,
        I32Add | I32Sub | I32And | I32Or | I32Xor | I32Shl | I32ShrS | I32ShrU => INTEGER,
        I64Add | I64Sub | I64And | I64Or | I64Xor | I64Shl | I64ShrS | I64ShrU => INTEGER,
        I32Rotl | I32Rotr | I64Rotl | I64Rotr => ROTATE,
        I32WrapI64 | I64ExtendI32S | I64ExtendI32U => INTEGER,
        I32Extend8S | I32Extend16S | I64Extend8S | I64Extend16S | I64Extend32S => INTEGER,
        I32ReinterpretF32 | I64ReinterpretF64 | F32ReinterpretI32 | F64ReinterpretI64 => INTEGER,
        I32Mul | I64Mul => MULTIPLY,
        I32Clz | I32Ctz | I32Popcnt | I64Clz | I64Ctz | I64Popcnt => COUNT_BITS,
        I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU => DIVIDE,

        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge | F64Eq | F64Ne | F64Lt | F64Gt | F64Le | F64Ge => FLOAT,
        F32Abs | F32Neg | F32Copysign | F64Abs | F64Neg | F64Copysign => FLOAT,
        F32Ceil | F32Floor | F32Trunc | F32Nearest | F64Ceil | F64Floor | F64Trunc | F64Nearest => ROUND,
        F32Add | F32Sub | F64Add | F64Sub => FLOAT,
        F32Mul | F64Mul => FLOAT_MULTIPLY,
        F32Min | F32Max | F64Min | F64Max => FLOAT_CHOOSE,
        F32ConvertI32S | F32ConvertI32U | F32ConvertI64S | F32ConvertI64U | F32DemoteF64 => CONVERT,
        F64ConvertI32S | F64ConvertI32U | F64ConvertI64S | F64ConvertI64U | F64PromoteF32 => CONVERT,
        F32Div | F32Sqrt | F64Div | F64Sqrt => FLOAT_DIVIDE,
        I32TruncF32S | I32TruncF32U | I32TruncF64S | I32TruncF64U => TRUNCATE,
        I64TruncF32S | I64TruncF32U | I64TruncF64S | I64TruncF64U => TRUNCATE,
        I32TruncSatF32S | I32TruncSatF32U | I32TruncSatF64S | I32TruncSatF64U => TRUNCATE,
        I64TruncSatF32S | I64TruncSatF32U | I64TruncSatF64S | I64TruncSatF64U => TRUNCATE,
        _ => return None,
    })
}

/// Whether an operator is one of fixed-width SIMD. Generated from the list of the parser, where each operator stands
/// under its proposal.
macro_rules! define_is_vector {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
        fn is_vector(operator: &Operator<'_>) -> bool {
            match operator {
                $( Operator::$op $({ $($arg: _),* })? => stringify!($proposal) == "simd", )*
                _ => false,
            }
        }
    };
}
wasmparser::for_each_operator!(define_is_vector);

#[rustfmt::skip]
fn vector_price(operator: &Operator<'_>) -> Option<u64> {
    use Operator::*;
    if !is_vector(operator) {
        return None;
    }
    Some(match operator {
        V128Const { .. } => CHOOSE,
        F32x4Add | F32x4Sub | F32x4Mul | F64x2Add | F64x2Sub | F64x2Mul => VECTOR_ARITHMETIC,
        F32x4Div | F32x4Sqrt | F64x2Div | F64x2Sqrt => VECTOR_DIVIDE,
        F32x4Eq | F32x4Ne | F32x4Lt | F32x4Gt | F32x4Le | F32x4Ge
        | F64x2Eq | F64x2Ne | F64x2Lt | F64x2Gt | F64x2Le | F64x2Ge
        | F32x4Ceil | F32x4Floor | F32x4Trunc | F32x4Nearest | F32x4Abs | F32x4Neg
        | F64x2Ceil | F64x2Floor | F64x2Trunc | F64x2Nearest | F64x2Abs | F64x2Neg
        | F32x4Min | F32x4Max | F32x4PMin | F32x4PMax | F64x2Min | F64x2Max | F64x2PMin | F64x2PMax
        | I32x4TruncSatF32x4S | I32x4TruncSatF32x4U | I32x4TruncSatF64x2SZero | I32x4TruncSatF64x2UZero
        | F32x4ConvertI32x4S | F32x4ConvertI32x4U | F64x2ConvertLowI32x4S | F64x2ConvertLowI32x4U
        | F32x4DemoteF64x2Zero | F64x2PromoteLowF32x4 => VECTOR_FLOAT,
        I8x16Shuffle { .. } | I8x16Swizzle | I8x16Popcnt | I8x16Shl | I8x16ShrS | I8x16ShrU | I64x2ShrS | I32x4DotI16x8S
        | I64x2LtS | I64x2GtS | I64x2LeS | I64x2GeS | I64x2Abs | I32x4Mul | I16x8Q15MulrSatS
        | I8x16ExtractLaneS { .. } | I8x16ExtractLaneU { .. } | I16x8ExtractLaneS { .. } | I16x8ExtractLaneU { .. }
        | I32x4ExtractLane { .. } | I64x2ExtractLane { .. } | F32x4ExtractLane { .. } | F64x2ExtractLane { .. }
        | I8x16Bitmask | I16x8Bitmask | I32x4Bitmask | I64x2Bitmask | V128AnyTrue
        | I8x16AllTrue | I16x8AllTrue | I32x4AllTrue | I64x2AllTrue => VECTOR_LONG,
        I64x2Mul => VECTOR_PRODUCT,
        _ => VECTOR,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_fit_the_oracle_and_cannot_wrap() {
        let scalar = [Operator::Nop, Operator::I64DivS, Operator::Call { function_index: 0 }, Operator::F64Sqrt];
        for operator in &scalar {
            let price = operator_price(operator).expect("it has a price");
            assert_eq!(price % ENTRY_PRICE, 0);
        }
        for price in [BULK, VECTOR_DIVIDE, DIVIDE, CALL_INDIRECT] {
            assert_eq!(price % ENTRY_PRICE, 0);
        }
        for per_unit in [PER_BYTE, PER_ELEMENT, PER_PAGE] {
            assert!(per_unit < 1 << 30, "a length of 32 bits times it must stay below 2^62");
        }
    }

    /// The operator with this name, with immediates that make it readable.
    fn operator_named<R>(name: &str, read: impl FnOnce(&Operator<'_>) -> R) -> R {
        let immediates = match name {
            "i32.const" | "i64.const" | "f32.const" | "f64.const" | "br" | "br_if" | "br_table" | "call"
            | "local.get" | "local.set" | "local.tee" | "global.get" | "global.set" | "ref.func" | "data.drop"
            | "elem.drop" | "memory.init" | "table.init" | "table.get" | "table.set" | "table.size" | "table.grow"
            | "table.fill" => " 0",
            "v128.const" => " i64x2 0 0",
            "i8x16.shuffle" => " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
            "call_indirect" => " (type 0)",
            "ref.null" => " func",
            "block" | "loop" | "if" => " end",
            "else" => "",
            "end" => "",
            name if name.contains("_lane") => " 0",
            _ => "",
        };
        // Operators that need one around them, or are one.
        let body = match name {
            "else" => "i32.const 0 if else end".to_owned(),
            "end" => String::new(),
            _ => format!("{name}{immediates}"),
        };
        let text = format!(
            r#"(module (type (func)) (memory 1) (table 1 funcref) (global (mut i32) (i32.const 0)) (data "") (elem func 0)
                 (func (local i32) unreachable {body}))"#
        );
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
            if let wasmparser::Payload::CodeSectionEntry(body) = payload.unwrap() {
                let operators: Vec<_> = body.get_operators_reader().unwrap().into_iter().map(Result::unwrap).collect();
                // Behind `unreachable`; `else` is the third of its text.
                let at = if name == "else" { 3 } else { 1 };
                return read(&operators[at]);
            }
        }
        panic!("there is one body")
    }

    #[test]
    fn the_specification_lists_these_prices() {
        let specification = include_str!("../../../docs/spec/gas.md");
        let rows = specification.lines().filter_map(|line| {
            let (price, names) = line.strip_prefix("| ")?.split_once(" | ")?;
            Some((price.parse::<u64>().ok()?, names))
        });
        let mut listed = std::collections::BTreeSet::new();
        let mut vectors = 0;
        for (price, names) in rows {
            for name in names.split('`').skip(1).step_by(2) {
                assert!(listed.insert(name), "{name} stands there twice");
                operator_named(name, |operator| {
                    assert_eq!(operator_price(operator), Some(price), "{name} is {operator:?}");
                    vectors += u64::from(is_vector(operator));
                });
            }
        }
        // Nothing is missing: as many as there are, and the vector operators at the price of "every other".
        let scalar = ["mvp", "sign_extension", "saturating_float_to_int", "bulk_memory", "reference_types"];
        let count = PROPOSALS.iter().filter(|proposal| scalar.contains(proposal)).count();
        // `select` has two forms under one name, and a third one that is never valid.
        assert_eq!(listed.len() - usize::try_from(vectors).unwrap(), count - 2);
        for name in ["i8x16.add", "v128.and", "i16x8.avgr_u", "i64x2.extend_low_i32x4_s", "i16x8.splat"] {
            assert!(!listed.contains(name));
            operator_named(name, |operator| assert_eq!(operator_price(operator), Some(VECTOR)));
        }
    }

    macro_rules! define_scalar_count {
        ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
            const PROPOSALS: &[&str] = &[$( stringify!($proposal) ),*];
        };
    }
    wasmparser::for_each_operator!(define_scalar_count);

    #[test]
    fn operators_of_other_proposals_have_no_price() {
        let memarg = wasmparser::MemArg { align: 2, max_align: 2, offset: 0, memory: 0 };
        for operator in [
            Operator::AtomicFence,
            Operator::I32AtomicLoad { memarg },
            Operator::ReturnCall { function_index: 0 },
            Operator::I8x16RelaxedSwizzle,
            Operator::ThrowRef,
            Operator::RefEq,
            Operator::I64Add128,
        ] {
            assert_eq!(operator_price(&operator), None, "{operator:?}");
        }
        assert_eq!(operator_price(&Operator::I8x16Add), Some(VECTOR));
    }
}
