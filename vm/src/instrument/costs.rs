//! What operators cost, in picoseconds of the reference machine: the table of `docs/spec/gas.md`.
//!
//! Calibrated with `noema-bench gas` (`docs/decisions/0010-prices.md`). Every price is a multiple of [`ENTRY_PRICE`], so that the fuel
//! counter of another engine, set to the same table, is an independent check of the sums.

use wasmparser::Operator;

use super::operators::{Access, access};

/// Entering a function. All else that a call costs is in the price of the calling operator.
pub(super) const ENTRY_PRICE: u64 = 25;
/// Every 8 bytes of locals that a function declares besides its parameters: they are set to zero.
pub(super) const LOCAL_PRICE: u64 = 100;

/// What an operator costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// For how long it keeps a processor from something else.
    pub(super) time: u64,
    /// How long after its operands its results are there. `None` where nothing behind it begins before it has ended: branches, calls,
    /// and what leaves compiled code.
    pub(super) delay: Option<u64>,
}

const fn cost(time: u64, delay: u64) -> Cost {
    Cost { time, delay: Some(delay) }
}

const fn barrier(time: u64) -> Cost {
    Cost { time, delay: None }
}

const FREE: Cost = cost(0, 0);
/// Locals, which are registers, or places on the stack where there are many.
const MOVE: Cost = cost(25, 0);
/// Constants that are part of an instruction, and those that need one of their own.
const CONSTANT: Cost = cost(50, 0);
const LONG_CONSTANT: Cost = cost(150, 0);
/// `select`; globals, references.
const CHOOSE: Cost = cost(125, 225);
const GLOBAL: Cost = cost(100, 300);
/// Integer arithmetic without multiplication, conversion between integers.
const INTEGER: Cost = cost(75, 225);
const SHIFT: Cost = cost(75, 300);
const ROTATE: Cost = cost(75, 250);
/// Comparison of integers, whose result as a number takes another instruction.
const COMPARE: Cost = cost(100, 425);
/// From registers for floats to others, and back.
const REINTERPRET: Cost = cost(100, 375);
const MULTIPLY: Cost = cost(150, 575);
const COUNT_BITS: Cost = cost(200, 600);
const DIVIDE: Cost = cost(750, 2_100);
/// An element of a table.
const TABLE: Cost = cost(2_500, 2_500);
/// Sums and signs of floats, including what makes NaN canonical.
const FLOAT: Cost = cost(150, 500);
const FLOAT_COMPARE: Cost = cost(200, 750);
const FLOAT_MULTIPLY: Cost = cost(150, 600);
/// The smaller or larger of two.
const FLOAT_CHOOSE: Cost = cost(300, 800);
/// Conversion to and between floats.
const CONVERT: Cost = cost(350, 1_250);
/// Division and roots: with numbers that are subnormal they take ten times as long as with others, and one after the other.
const FLOAT_DIVIDE: Cost = cost(30_000, 30_000);
/// Conversion from float to integer.
const TRUNCATE: Cost = cost(450, 1_450);
/// Rounding to an integer that stays a float.
const ROUND: Cost = cost(250, 1_600);
/// Most vector operators.
const VECTOR: Cost = cost(75, 575);
/// Vector operators that take several instructions, or are slow.
const VECTOR_LONG: Cost = cost(600, 2_150);
const VECTOR_PRODUCT: Cost = cost(350, 2_800);
/// Sums and products, which one instruction does, including what makes NaN canonical.
const VECTOR_ARITHMETIC: Cost = cost(450, 2_000);
/// Other vectors of floats.
const VECTOR_FLOAT: Cost = cost(1_000, 3_000);
const VECTOR_DIVIDE: Cost = cost(45_000, 45_000);

const JUMP: Cost = barrier(75);
/// A conditional branch, mispredicted now and then.
const BRANCH: Cost = barrier(1_900);
/// Mispredicted, with the load of its target.
const BRANCH_TABLE: Cost = barrier(7_000);
/// With the return, which is mispredicted where calls are deep.
const CALL: Cost = barrier(4_000);
/// Mispredicted, with the loads that check the type.
const CALL_INDIRECT: Cost = barrier(10_500);
/// An operator that leaves compiled code, without what its length costs.
const BULK: Cost = barrier(20_000);
/// A branch one way of which is unlikely, and the beginning of that way, to which it is mispredicted.
pub(super) const FORESEEN: u64 = 300;
pub(super) const UNLIKELY: u64 = 4_000;
/// What a branch or call costs more in a large module, of which a processor remembers too little: none is foreseen, and where it leads
/// has to come from a cache far away.
pub(super) const UNFORESEEN: u64 = 5_000;
/// What every other operator that has a delay costs more there: the code of it has to come from there too.
pub(super) const FAR_CODE: u64 = 75;

/// A load that nothing waits for, in memories of each reach.
const LOADS: [Cost; 3] = [cost(225, 1_000), cost(1_500, 1_000), cost(18_000, 18_000)];
/// One that something may have to wait for.
const AWAITED: [Cost; 3] = [cost(225, 5_000), cost(1_500, 33_000), cost(18_000, 150_000)];
/// A store in one page of the processor; one that may lie across two.
const STORES: [Cost; 3] = [cost(550, 2_300), cost(2_500, 2_500), cost(13_000, 13_000)];
const ACROSS: [Cost; 3] = [cost(6_000, 8_000), cost(10_000, 10_000), cost(28_000, 28_000)];

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

impl Reach {
    fn index(self) -> usize {
        match self {
            Reach::Near => 0,
            Reach::Middle => 1,
            Reach::Far => 2,
        }
    }
}

/// What prices depend on besides operators and where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// Of the memory.
    pub(super) reach: Reach,
    /// Whether the module is large: more branches and functions than [`crate::rules::Machine::foreseen_branches`], or more code
    /// than [`crate::rules::Machine::near_code_bytes`].
    pub(super) is_large: bool,
}

/// What every unit of the length of an operator costs, if it has one.
pub(super) fn per_unit(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } | Operator::MemoryInit { .. } => Some(PER_BYTE),
        Operator::TableFill { .. }
        | Operator::TableCopy { .. }
        | Operator::TableInit { .. }
        | Operator::TableGrow { .. } => Some(PER_ELEMENT),
        Operator::MemoryGrow { .. } => Some(PER_PAGE),
        _ => None,
    }
}

/// Whether an operator is priced by its length.
pub(crate) fn is_bulk(operator: &Operator<'_>) -> bool {
    per_unit(operator).is_some()
}

/// What an operator costs by itself, a load being one in a near memory that nothing waits for, and a store one that lies in one
/// page, and how it uses the memory; `None` for one that no version allows. In a body it may cost something else: [`cost_in`],
/// [`super::pricing`].
pub(crate) fn by_itself(operator: &Operator<'_>) -> Option<(Cost, Option<Access>)> {
    if let Some(cost) = scalar_cost(operator) {
        return Some((cost, None));
    }
    match access(operator) {
        Some(access) => Some((accessing(Reach::Near, access, Found::default()), Some(access))),
        None => vector_cost(operator).map(|cost| (cost, None)),
    }
}

/// What was found of an operator in a body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Of a load or call, by [`super::Awaited`].
    pub(super) is_awaited: bool,
    /// Of a store, by [`super::across`].
    pub(super) is_across: bool,
}

/// What an operator costs in a memory of this reach, with what was found of it, that costs this [`by_itself`].
pub(super) fn cost_in(reach: Reach, (cost, access): (Cost, Option<Access>), found: Found) -> Cost {
    access.map_or(cost, |access| accessing(reach, access, found))
}

/// What a load or store costs.
fn accessing(reach: Reach, access: Access, found: Found) -> Cost {
    match access {
        Access::Load => load_cost(reach, found.is_awaited),
        Access::Store { .. } => store_cost(reach, found.is_across),
    }
}

/// What a load costs.
pub(super) fn load_cost(reach: Reach, is_awaited: bool) -> Cost {
    let costs = if is_awaited { AWAITED } else { LOADS };
    costs[reach.index()]
}

/// What a store costs.
pub(super) fn store_cost(reach: Reach, is_across: bool) -> Cost {
    let costs = if is_across { ACROSS } else { STORES };
    costs[reach.index()]
}

/// What a call costs more if its result may become an address: somewhere in it may be the load that brought it.
pub(super) fn awaited_call(reach: Reach) -> u64 {
    let delay = |is_awaited| load_cost(reach, is_awaited).delay.unwrap_or(0);
    delay(true) - delay(false)
}

#[rustfmt::skip] // One line for each kind of operator reads as the table that it is.
fn scalar_cost(operator: &Operator<'_>) -> Option<Cost> {
    use Operator::*;
    Some(match operator {
        Nop | Block { .. } | Loop { .. } | Else | End => FREE,
        Unreachable => barrier(UNLIKELY),
        Drop | LocalGet { .. } | LocalSet { .. } | LocalTee { .. } => MOVE,
        I32Const { .. } => CONSTANT,
        I64Const { value } if i32::try_from(*value).is_ok() => CONSTANT,
        I64Const { .. } | F32Const { .. } | F64Const { .. } => LONG_CONSTANT,
        Select | TypedSelect { .. } => CHOOSE,
        GlobalGet { .. } | GlobalSet { .. } | RefNull { .. } | RefIsNull | MemorySize { .. } | TableSize { .. } => GLOBAL,
        Br { .. } | Return => JUMP,
        If { .. } | BrIf { .. } => BRANCH,
        BrTable { .. } => BRANCH_TABLE,
        Call { .. } => CALL,
        CallIndirect { .. } => CALL_INDIRECT,

        TableGet { .. } | TableSet { .. } => TABLE,
        RefFunc { .. } | DataDrop { .. } | ElemDrop { .. } => BULK,
        MemoryFill { .. } | MemoryCopy { .. } | MemoryInit { .. } | MemoryGrow { .. } => BULK,
        TableFill { .. } | TableCopy { .. } | TableInit { .. } | TableGrow { .. } => BULK,

        I32Eqz | I32Eq | I32Ne | I32LtS | I32LtU | I32GtS | I32GtU | I32LeS | I32LeU | I32GeS | I32GeU => COMPARE,
        I64Eqz | I64Eq | I64Ne | I64LtS | I64LtU | I64GtS | I64GtU | I64LeS | I64LeU | I64GeS | I64GeU => COMPARE,
        I32Add | I32Sub | I32And | I32Or | I32Xor | I64Add | I64Sub | I64And | I64Or | I64Xor => INTEGER,
        I32Shl | I32ShrS | I32ShrU | I64Shl | I64ShrS | I64ShrU => SHIFT,
        I32Rotl | I32Rotr | I64Rotl | I64Rotr => ROTATE,
        I32WrapI64 | I64ExtendI32S | I64ExtendI32U => INTEGER,
        I32Extend8S | I32Extend16S | I64Extend8S | I64Extend16S | I64Extend32S => INTEGER,
        I32ReinterpretF32 | I64ReinterpretF64 | F32ReinterpretI32 | F64ReinterpretI64 => REINTERPRET,
        I32Mul | I64Mul => MULTIPLY,
        I32Clz | I32Ctz | I32Popcnt | I64Clz | I64Ctz | I64Popcnt => COUNT_BITS,
        I32DivS | I32DivU | I32RemS | I32RemU | I64DivS | I64DivU | I64RemS | I64RemU => DIVIDE,

        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge | F64Eq | F64Ne | F64Lt | F64Gt | F64Le | F64Ge => FLOAT_COMPARE,
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
fn vector_cost(operator: &Operator<'_>) -> Option<Cost> {
    use Operator::*;
    if !is_vector(operator) {
        return None;
    }
    Some(match operator {
        V128Const { .. } => LONG_CONSTANT,
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

    fn cost_of(operator: &Operator<'_>) -> Option<Cost> {
        by_itself(operator).map(|(cost, _)| cost)
    }

    #[test]
    fn prices_fit_the_oracle_and_cannot_wrap() {
        let memories = [LOADS, AWAITED, STORES, ACROSS].concat();
        for cost in [MOVE, CONSTANT, LONG_CONSTANT, INTEGER, DIVIDE, FLOAT_DIVIDE, VECTOR_DIVIDE, CALL_INDIRECT, BULK]
            .iter()
            .chain(&memories)
        {
            assert_eq!((cost.time % ENTRY_PRICE, cost.delay.unwrap_or(0) % ENTRY_PRICE), (0, 0), "{cost:?}");
        }
        for more in [FORESEEN, UNLIKELY, UNFORESEEN, FAR_CODE, LOCAL_PRICE] {
            assert_eq!(more % ENTRY_PRICE, 0);
        }
        for per_unit in [PER_BYTE, PER_ELEMENT, PER_PAGE] {
            assert!(per_unit < 1 << 30, "a length of 32 bits times it must stay below 2^62");
        }
    }

    /// Otherwise operators that wait for each other could cost less than those that do not.
    #[test]
    fn what_has_a_delay_has_no_longer_time() {
        for cost in [LOADS, AWAITED, STORES, ACROSS].concat() {
            assert!(cost.time > 0 && cost.delay.is_some_and(|delay| delay > 0));
        }
        for cost in [CHOOSE, INTEGER, SHIFT, ROTATE, COMPARE, MULTIPLY, DIVIDE, FLOAT, CONVERT, ROUND, VECTOR_LONG] {
            assert!(cost.delay.is_some_and(|delay| delay >= cost.time), "{cost:?}");
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

    /// A number of a table, or a dash.
    fn number(cell: &str) -> Option<Option<u64>> {
        if cell == "–" { Some(None) } else { cell.parse().ok().map(Some) }
    }

    #[test]
    fn the_specification_lists_these_costs() {
        let specification = include_str!("../../../docs/spec/gas.md");
        let rows = specification.lines().filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.splitn(3, " | ");
            let (time, delay) = (number(cells.next()?)??, number(cells.next()?)?);
            Some((Cost { time, delay }, cells.next()?))
        });
        let mut listed = std::collections::BTreeSet::new();
        let (mut vectors, mut others) = (0, 0);
        for (cost, names) in rows {
            others += u64::from(names.starts_with("every other") && cost == VECTOR);
            for name in names.split('`').skip(1).step_by(2) {
                assert!(listed.insert(name), "{name} stands there twice");
                operator_named(name, |operator| {
                    assert_eq!(cost_of(operator), Some(cost), "{name} is {operator:?}");
                    vectors += u64::from(is_vector(operator));
                });
            }
        }
        // Nothing is missing: as many as there are, and the vector operators of "every other".
        assert_eq!(others, 1);
        let scalar = ["mvp", "sign_extension", "saturating_float_to_int", "bulk_memory", "reference_types"];
        let count = PROPOSALS.iter().filter(|proposal| scalar.contains(proposal)).count();
        // `select` has two forms under one name, and a third one that is never valid.
        assert_eq!(listed.len() - usize::try_from(vectors).unwrap(), count - 2);
        for name in ["i8x16.add", "v128.and", "i16x8.avgr_u", "i64x2.extend_low_i32x4_s", "i16x8.splat"] {
            assert!(!listed.contains(name));
            operator_named(name, |operator| assert_eq!(cost_of(operator), Some(VECTOR)));
        }
        for (value, cost) in
            [(1 << 31, LONG_CONSTANT), ((1 << 31) - 1, CONSTANT), (-1 << 31, CONSTANT), (i64::MIN, LONG_CONSTANT)]
        {
            assert_eq!(cost_of(&Operator::I64Const { value }), Some(cost));
        }
    }

    /// In the order of the columns.
    #[test]
    fn the_specification_lists_what_memory_costs() {
        let specification = include_str!("../../../docs/spec/gas.md");
        for (name, costs) in
            [("load", LOADS), ("awaited load", AWAITED), ("store", STORES), ("store that may lie across pages", ACROSS)]
        {
            let cells = costs.map(|cost| format!("{}, {}", cost.time, cost.delay.unwrap_or(0)));
            let row = format!("| {name} | {} |", cells.join(" | "));
            assert!(specification.contains(&row), "{row}");
        }
        let more = [Reach::Near, Reach::Middle, Reach::Far].map(|reach| awaited_call(reach).to_string());
        assert!(specification.contains(&format!("| more for an awaited call | {} |", more.join(" | "))));
        for words in [
            format!("a time of {FORESEEN}, and that way costs {UNLIKELY}."),
            format!("In it each of these operators costs {UNFORESEEN} more"),
            format!("operator with a delay above 0 costs {FAR_CODE} more."),
            format!("{ENTRY_PRICE} for entering the function and {LOCAL_PRICE} for every 8 bytes"),
        ] {
            assert!(specification.contains(&words), "{words}");
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
            assert_eq!(cost_of(&operator), None, "{operator:?}");
        }
        assert_eq!(cost_of(&Operator::I8x16Add), Some(VECTOR));
    }
}
