//! A generator of typed WebAssembly text: expressions and statements in the folded form, chosen by the bytes of a cursor.
//! Where the bytes end it chooses the first alternative everywhere, and those are leaves.

use noema_abi::WasmType;

use crate::contract::functions;
use crate::cursor::Cursor;

/// Operators of a module, roughly: compiling is what takes time.
const BUDGET: usize = 700;
/// Nesting of expressions and statements.
const MAX_DEPTH: usize = 7;
/// Functions besides the entry points.
const FUNCTIONS: usize = 4;
/// Imported host functions.
const IMPORTS: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    I32,
    I64,
    F32,
    F64,
    V128,
}

use Type::{F32, F64, I32, I64, V128};

const TYPES: [Type; 5] = [I32, I64, F32, F64, V128];

impl Type {
    const fn name(self) -> &'static str {
        match self {
            I32 => "i32",
            I64 => "i64",
            F32 => "f32",
            F64 => "f64",
            V128 => "v128",
        }
    }
}

/// The types of the functions, and what they return.
const SIGNATURES: [(&[Type], Type); FUNCTIONS] =
    [(&[I32], I32), (&[I64, F64], I64), (&[F32, I32, V128], F32), (&[I32, I64, F32, F64], F64)];

pub(super) struct Generator<'a> {
    cursor: Cursor<'a>,
    budget: usize,
    depth: usize,
    /// Labels around, innermost last: what they take.
    labels: Vec<Option<Type>>,
    /// Chosen rows of the table.
    imports: Vec<usize>,
    /// The function that is being written, unless it is the entry point.
    function: Option<usize>,
}

impl<'a> Generator<'a> {
    pub(super) fn new(mut cursor: Cursor<'a>) -> Generator<'a> {
        let mut imports: Vec<usize> = (0..IMPORTS).map(|_| cursor.below(functions().len())).collect();
        imports.sort_unstable();
        imports.dedup();
        Generator { cursor, budget: BUDGET, depth: 0, labels: Vec::new(), imports, function: None }
    }

    /// A contract with `call` and `view`, which run the same.
    pub(super) fn module(mut self) -> String {
        let imports: String = self
            .imports
            .iter()
            .map(|index| {
                let row = &functions()[*index];
                let params: String = row.wasm_params().map(|kind| format!(" {}", kind.name())).collect();
                let (group, name) = (row.group, row.name);
                format!("(import \"{group}\" \"{name}\" (func $h{index} (param{params}) (result i64)))\n")
            })
            .collect();
        let types: String = SIGNATURES
            .iter()
            .enumerate()
            .map(|(index, (params, result))| {
                let params: String = params.iter().map(|kind| format!(" {}", kind.name())).collect();
                format!("(type $t{index} (func (param{params}) (result {})))\n", result.name())
            })
            .collect();
        let globals: String =
            TYPES.map(|kind| format!("(global $g_{0} (mut {0}) {1})\n", kind.name(), zero(kind))).concat();
        let entry = self.body(None);
        let bodies: String = (0..FUNCTIONS)
            .map(|index| {
                let body = self.body(Some(index));
                format!("(func $f{index} (type $t{index}) {body})\n")
            })
            .collect();
        format!(
            "(module {types} {imports} (memory (export \"memory\") 1 3) (table $t 8 12 funcref)
             (elem (i32.const 1) $f0 $f1 $f2 $f3) {globals} (data $d \"some passive data\") (data (i32.const 16) \"\\01\\02key\")
             {bodies} (func $run {entry})
             (func (export \"call\") (call $run)) (func (export \"view\") (call $run)))"
        )
    }

    /// Locals and body. Locals have fixed names, so that any expression can use them: `$a_TYPE` and `$b_TYPE`.
    fn body(&mut self, function: Option<usize>) -> String {
        let locals = TYPES.map(|kind| format!("(local $a_{0} {0}) (local $b_{0} {0}) ", kind.name())).concat();
        let params = function.map_or(&[][..], |index| SIGNATURES[index].0);
        self.function = function;
        let copied: String = params
            .iter()
            .enumerate()
            .map(|(index, kind)| format!("(local.set $a_{} (local.get {index})) ", kind.name()))
            .collect();
        let statements = self.statements(8);
        let result = function.map_or(String::new(), |index| self.expression(SIGNATURES[index].1));
        format!("{locals}{copied}{statements}{result}")
    }

    /// Goes one level down, if there is anything left to spend.
    fn nested(&mut self, leaf: impl FnOnce(&mut Self) -> String, inner: impl FnOnce(&mut Self) -> String) -> String {
        if self.depth == MAX_DEPTH || self.budget == 0 || self.cursor.is_empty() {
            return leaf(self);
        }
        self.budget -= 1;
        self.depth += 1;
        let text = inner(self);
        self.depth -= 1;
        text
    }

    fn labelled(&mut self, takes: Option<Type>, inner: impl FnOnce(&mut Self) -> String) -> String {
        self.labels.push(takes);
        let text = inner(self);
        self.labels.pop();
        text
    }

    fn local(&mut self, kind: Type) -> String {
        format!("${}_{}", self.cursor.choose(&["a", "b"]), kind.name())
    }

    fn leaf(&mut self, kind: Type) -> String {
        match self.cursor.byte() % 4 {
            0 | 1 => format!("(local.get {})", self.local(kind)),
            2 => format!("(global.get $g_{})", kind.name()),
            _ => self.constant(kind),
        }
    }

    fn constant(&mut self, kind: Type) -> String {
        match kind {
            I32 => {
                let any = i32::from_le_bytes(self.cursor.array());
                format!("(i32.const {})", self.cursor.choose(&[any, 0, 1, -1, i32::MIN, i32::MAX, 64, 0x7f]))
            }
            I64 => {
                let any = i64::from_le_bytes(self.cursor.array());
                format!("(i64.const {})", self.cursor.choose(&[any, 0, 1, -1, i64::MIN, i64::MAX, 1 << 32]))
            }
            F32 | F64 => {
                let value =
                    self.cursor.choose(&["nan", "-nan", "inf", "-inf", "0", "-0", "1.5", "-1e9", "3e-39", "1e19"]);
                format!("({}.const {value})", kind.name())
            }
            V128 => {
                let words: [i32; 4] = std::array::from_fn(|_| i32::from_le_bytes(self.cursor.array()));
                format!("(v128.const i32x4 {} {} {} {})", words[0], words[1], words[2], words[3])
            }
        }
    }

    fn expression(&mut self, kind: Type) -> String {
        self.nested(|this| this.leaf(kind), |this| this.inner_expression(kind))
    }

    fn inner_expression(&mut self, kind: Type) -> String {
        let name = kind.name();
        match self.cursor.byte() % 12 {
            0 | 1 => self.leaf(kind),
            2 | 3 => self.binary(kind),
            4 => self.unary(kind),
            5 => {
                let condition = self.expression(I32);
                self.labelled(Some(kind), |this| {
                    let (then, other) = (this.expression(kind), this.expression(kind));
                    format!("(if (result {name}) {condition} (then {then}) (else {other}))")
                })
            }
            6 => self.labelled(Some(kind), |this| {
                let (statements, value) = (this.statements(3), this.expression(kind));
                format!("(block (result {name}) {statements} {value})")
            }),
            7 => {
                let value = self.expression(kind);
                format!("(local.tee {} {value})", self.local(kind))
            }
            8 => {
                let (one, other, which) = (self.expression(kind), self.expression(kind), self.expression(I32));
                format!("(select {one} {other} {which})")
            }
            9 => self.call(kind),
            10 => self.load(kind),
            _ => match kind {
                I32 => {
                    self.cursor.choose(&["(memory.size)", "(table.size $t)", "(memory.grow (i32.const 1))"]).to_owned()
                }
                I64 => self.host(),
                _ => self.conversion(kind),
            },
        }
    }

    fn binary(&mut self, kind: Type) -> String {
        let operator = match kind {
            I32 | I64 => self.cursor.choose(&[
                "add", "sub", "mul", "div_s", "div_u", "rem_s", "rem_u", "and", "or", "xor", "shl", "shr_s", "shr_u",
                "rotl", "rotr",
            ]),
            F32 | F64 => self.cursor.choose(&["add", "sub", "mul", "div", "min", "max", "copysign"]),
            V128 => {
                let operator = self.cursor.choose(&[
                    "v128.and",
                    "v128.xor",
                    "i8x16.add_sat_s",
                    "i16x8.mul",
                    "i32x4.dot_i16x8_s",
                    "i64x2.mul",
                    "f32x4.div",
                    "f64x2.min",
                    "f32x4.pmax",
                    "i8x16.swizzle",
                    "i16x8.q15mulr_sat_s",
                    "i8x16.narrow_i16x8_u",
                    "f64x2.add",
                ]);
                let (one, other) = (self.expression(V128), self.expression(V128));
                return format!("({operator} {one} {other})");
            }
        };
        let (one, mut other) = (self.expression(kind), self.expression(kind));
        if (operator.starts_with("div_") || operator.starts_with("rem_")) && !self.cursor.byte().is_multiple_of(16) {
            other = format!("({0}.or {other} ({0}.const 1))", kind.name());
        }
        format!("({}.{operator} {one} {other})", kind.name())
    }

    fn unary(&mut self, kind: Type) -> String {
        let name = kind.name();
        let operator = match kind {
            I32 => self.cursor.choose(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "eqz"]),
            I64 => self.cursor.choose(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s", "extend32_s"]),
            F32 | F64 => self.cursor.choose(&["abs", "neg", "sqrt", "ceil", "floor", "trunc", "nearest"]),
            V128 => {
                let operator = self.cursor.choose(&[
                    "v128.not",
                    "i8x16.abs",
                    "i8x16.popcnt",
                    "f32x4.sqrt",
                    "f64x2.nearest",
                    "i32x4.trunc_sat_f32x4_s",
                    "f64x2.convert_low_i32x4_u",
                    "i16x8.extadd_pairwise_i8x16_s",
                ]);
                return format!("({operator} {})", self.expression(V128));
            }
        };
        if self.cursor.byte().is_multiple_of(3) {
            self.conversion(kind)
        } else {
            format!("({name}.{operator} {})", self.expression(kind))
        }
    }

    fn conversion(&mut self, kind: Type) -> String {
        let (operator, from) = match kind {
            I32 => self.cursor.choose(&[
                ("i32.wrap_i64", I64),
                ("i32.trunc_sat_f64_s", F64),
                ("i32.trunc_sat_f32_u", F32),
                ("i32.reinterpret_f32", F32),
                ("i64.eqz", I64),
                ("v128.any_true", V128),
                ("i8x16.bitmask", V128),
                ("i16x8.extract_lane_s 3", V128),
            ]),
            I64 => self.cursor.choose(&[
                ("i64.extend_i32_s", I32),
                ("i64.extend_i32_u", I32),
                ("i64.trunc_sat_f32_u", F32),
                ("i64.trunc_sat_f64_s", F64),
                ("i64.reinterpret_f64", F64),
                ("i64x2.extract_lane 1", V128),
            ]),
            F32 => self.cursor.choose(&[
                ("f32.convert_i64_u", I64),
                ("f32.demote_f64", F64),
                ("f32.reinterpret_i32", I32),
                ("f32x4.extract_lane 2", V128),
            ]),
            F64 => self.cursor.choose(&[
                ("f64.convert_i32_s", I32),
                ("f64.promote_f32", F32),
                ("f64.reinterpret_i64", I64),
                ("f64x2.extract_lane 0", V128),
            ]),
            V128 => self.cursor.choose(&[
                ("i8x16.splat", I32),
                ("i32x4.splat", I32),
                ("i64x2.splat", I64),
                ("f32x4.splat", F32),
                ("f64x2.splat", F64),
            ]),
        };
        let operator =
            if self.cursor.byte() % 32 == 31 { operator.replace("trunc_sat", "trunc") } else { operator.to_owned() };
        format!("({operator} {})", self.expression(from))
    }

    /// An address that usually lies inside.
    fn address(&mut self) -> String {
        let value = self.expression(I32);
        if self.cursor.byte() % 64 == 63 { value } else { format!("(i32.and {value} (i32.const 0x7fff))") }
    }

    fn load(&mut self, kind: Type) -> String {
        let operator = match kind {
            I32 => self.cursor.choose(&["i32.load", "i32.load8_s", "i32.load16_u"]),
            I64 => self.cursor.choose(&["i64.load", "i64.load8_u", "i64.load32_s"]),
            F32 => "f32.load",
            F64 => "f64.load",
            V128 => self.cursor.choose(&["v128.load", "v128.load8_splat", "v128.load32x2_s", "v128.load64_zero"]),
        };
        let offset = u32::from(self.cursor.byte()) * 8;
        format!("({operator} offset={offset} {})", self.address())
    }

    fn call(&mut self, kind: Type) -> String {
        let index = SIGNATURES.iter().position(|(_, result)| *result == kind);
        // Functions call later ones, and seldom themselves or earlier ones.
        let later = |index: &usize| self.function.is_none_or(|own| *index > own);
        let backwards = self.cursor.byte() % 16 == 15;
        let Some(index) = index.filter(|index| backwards || later(index)) else { return self.conversion(kind) };
        let arguments: String = SIGNATURES[index].0.iter().map(|kind| self.expression(*kind)).collect();
        if self.cursor.byte().is_multiple_of(3) {
            // Any element: some are null, some of another type.
            let element =
                if self.cursor.byte() % 32 == 31 { self.expression(I32) } else { format!("(i32.const {})", index + 1) };
            format!("(call_indirect $t (type $t{index}) {arguments} {element})")
        } else {
            format!("(call $f{index} {arguments})")
        }
    }

    fn host(&mut self) -> String {
        let index = self.imports[self.cursor.below(self.imports.len())];
        let kinds: Vec<WasmType> = functions()[index].wasm_params().collect();
        let arguments: String = kinds
            .into_iter()
            .map(|kind| match kind {
                // Small numbers are pointers, lengths and handles that mean something.
                WasmType::I32 if self.cursor.byte() % 32 < 31 => format!("(i32.const {})", self.cursor.byte() % 48),
                WasmType::I32 => self.expression(I32),
                WasmType::I64 => self.expression(I64),
            })
            .collect();
        format!("(call $h{index} {arguments})")
    }

    fn statements(&mut self, most: usize) -> String {
        (0..self.cursor.below(most + 1)).map(|_| self.statement()).collect()
    }

    fn statement(&mut self) -> String {
        self.nested(|_| String::new(), Self::inner_statement)
    }

    fn inner_statement(&mut self) -> String {
        let kind = self.cursor.choose(&TYPES);
        let name = kind.name();
        match self.cursor.byte() % 14 {
            0 | 1 => {
                let value = self.expression(kind);
                format!("(local.set {} {value})", self.local(kind))
            }
            2 => format!("(global.set $g_{name} {})", self.expression(kind)),
            3 => {
                let operator = match kind {
                    I32 => "i32.store8",
                    I64 => "i64.store32",
                    F32 => "f32.store",
                    F64 => "f64.store",
                    V128 => "v128.store",
                };
                let (address, value) = (self.address(), self.expression(kind));
                format!("({operator} {address} {value})")
            }
            4 => format!("(drop {})", self.expression(kind)),
            5 => format!("(drop {})", self.host()),
            6 => {
                let condition = self.expression(I32);
                self.labelled(None, |this| {
                    let (then, other) = (this.statements(3), this.statements(3));
                    format!("(if {condition} (then {then}) (else {other}))")
                })
            }
            // A loop that ends, as far as its body lets it: `$b_i32` counts.
            7 | 8 => {
                let times = self.cursor.byte() % 20;
                self.labelled(None, |this| {
                    let body = this.statements(4);
                    format!(
                        "(local.set $b_i32 (i32.const {times}))
                         (loop {body} (br_if 0 (i32.gt_s (local.tee $b_i32 (i32.sub (local.get $b_i32) (i32.const 1))) (i32.const 0))))"
                    )
                })
            }
            9 => self.labelled(None, |this| format!("(block {})", this.statements(4))),
            10 => self.branch(),
            11 => {
                let (to, value) = (self.address(), self.expression(I32));
                let length = self.cursor.byte();
                match self.cursor.byte() % 3 {
                    0 => format!("(memory.fill {to} {value} (i32.const {length}))"),
                    1 => format!("(memory.copy {to} (i32.and {value} (i32.const 0xfff)) (i32.const {length}))"),
                    _ => format!("(memory.init $d {to} (i32.and {value} (i32.const 15)) (i32.const 2))"),
                }
            }
            12 => {
                let at = self.expression(I32);
                let function = self.cursor.below(FUNCTIONS);
                match self.cursor.byte() % 3 {
                    0 => format!("(table.set $t (i32.and {at} (i32.const 7)) (ref.func $f{function}))"),
                    1 => format!("(drop (table.grow $t (ref.null func) (i32.and {at} (i32.const 3))))"),
                    _ => format!("(drop (ref.is_null (table.get $t (i32.and {at} (i32.const 7)))))"),
                }
            }
            _ => match self.cursor.byte() % 16 {
                0 => "(unreachable)".to_owned(),
                1 => {
                    let value = self.function.map_or(String::new(), |index| self.leaf(SIGNATURES[index].1));
                    format!("(return {value})")
                }
                _ => "(nop)".to_owned(),
            },
        }
    }

    /// Forward out of a block, or back to a loop: conditional, so that what follows is reached sometimes.
    fn branch(&mut self) -> String {
        let empty: Vec<usize> =
            (0..self.labels.len()).filter(|depth| self.labels[self.labels.len() - 1 - depth].is_none()).collect();
        if empty.is_empty() {
            return "(nop)".to_owned();
        }
        let (first, second) = (self.cursor.choose(&empty), self.cursor.choose(&empty));
        match self.cursor.byte() % 3 {
            0 => {
                let index = self.expression(I32);
                // In a block of its own, so that what follows is not dead.
                let (first, second) = (first + 1, second + 1);
                format!("(local.set $a_i32 {index}) (block (br_table {first} {second} 0 (local.get $a_i32)))")
            }
            _ => format!("(br_if {first} {})", self.expression(I32)),
        }
    }
}

fn zero(kind: Type) -> &'static str {
    match kind {
        I32 => "(i32.const 0)",
        I64 => "(i64.const 0)",
        F32 => "(f32.const 0)",
        F64 => "(f64.const 0)",
        V128 => "(v128.const i64x2 0 0)",
    }
}
