//! From steps to a contract that makes them, and reports what every one of them answered.
//!
//! Each step has a record in memory: its program and step number, its result, and its output ranges, filled with
//! [`FILLER`] beforehand. After the step, the record goes to the log in hexadecimal digits, behind [`MARK`]: the log is
//! there in views and in frames that fail, and it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use noema_abi::{HostFunction, Kind, Return, find};
use serde_json::Value;

use super::format::{Contract, Step};
use super::literal::{Names, bytes};

/// What output ranges hold before a call.
pub(crate) const FILLER: u8 = 0xaa;
/// Begins the log lines of records.
pub(crate) const MARK: char = '~';
/// Bytes of a record before its result: program, step and part, 16 bits each.
const HEADER: usize = 6;
/// Bytes of a record, after its header, that go into one log line.
pub(crate) const PART: usize = 1500;

/// A program: one entry point of one contract.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// For people.
    pub(crate) name: String,
    pub(crate) steps: Vec<Assembled>,
}

/// A step with everything that its check needs.
#[derive(Clone, Debug)]
pub(crate) struct Assembled {
    pub(crate) row: &'static HostFunction,
    pub(crate) step: Step,
    /// Bytes that the price counts.
    pub(crate) priced_bytes: u64,
    /// Output arguments in the order of the record: name and capacity.
    pub(crate) outputs: Vec<(&'static str, usize)>,
}

impl Assembled {
    /// Lengths of the log lines that report it.
    pub(crate) fn line_lengths(&self) -> Vec<u64> {
        let mut rest = 8 + self.outputs.iter().map(|(_, capacity)| capacity).sum::<usize>();
        let mut lengths = Vec::new();
        loop {
            let part = rest.min(PART);
            lengths.push(u64::try_from(1 + 2 * (HEADER + part)).expect("a line is short"));
            rest -= part;
            if rest == 0 {
                return lengths;
            }
        }
    }
}

/// An argument as WebAssembly operands.
enum Operand {
    /// A constant.
    Number(i64),
    /// The result of an earlier step, whose record is here.
    Result(usize),
}

/// Memory of a contract under construction.
struct Memory {
    end: usize,
    data: String,
    fills: String,
}

impl Memory {
    fn place(&mut self, length: usize) -> usize {
        let at = self.end;
        self.end = (at + length).next_multiple_of(8);
        at
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        let at = self.place(bytes.len());
        match bytes {
            [] => {}
            [first, rest @ ..] if bytes.len() > 256 && rest.iter().all(|byte| byte == first) => {
                self.fill(at, *first, bytes.len());
            }
            _ => {
                let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
                let _ = writeln!(self.data, "  (data (i32.const {at}) \"{escaped}\")");
            }
        }
        at
    }

    fn fill(&mut self, at: usize, byte: u8, length: usize) {
        let _ = writeln!(self.fills, "    (memory.fill (i32.const {at}) (i32.const {byte}) (i32.const {length}))");
    }
}

/// Where a labelled step has its record and its outputs.
struct Label {
    record: usize,
    outputs: BTreeMap<&'static str, (usize, usize)>,
}

/// Assembles a contract. `program` is the number of its first program; `names` knows the addresses of the contracts
/// that are deployed before it.
pub(crate) fn assemble(contract: &Contract, program: usize, names: &Names) -> Result<(Vec<u8>, Vec<Program>), String> {
    let mut memory = Memory { end: 64, data: String::new(), fills: String::new() };
    let mut imports = BTreeSet::from([("control", "log")]);
    let mut functions = String::new();
    let mut programs = Vec::new();
    for (entry, steps) in
        [("init", &contract.init), ("call", &contract.call), ("view", &contract.view), ("migrate", &contract.migrate)]
    {
        let Some(steps) = steps else { continue };
        let name = format!("{}.{entry}", contract.name);
        memory.fills.clear();
        let number = program + programs.len();
        let mut body = String::new();
        let mut labels = BTreeMap::new();
        let mut assembled = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let at = || format!("{name}, step {index} ({})", step.call);
            let step = assemble_step(step, (number, index), names, &mut memory, &mut labels, &mut body)
                .map_err(|what| format!("{}: {what}", at()))?;
            imports.insert((step.row.group, step.row.name));
            assembled.push(step);
        }
        let _ = write!(functions, "  (func (export \"{entry}\")\n{}{body}  )\n", memory.fills);
        programs.push(Program { name, steps: assembled });
    }
    let mut wat = String::from("(module\n");
    for (group, name) in imports {
        let row = find(group, name).ok_or_else(|| format!("there is no {group}.{name}"))?;
        let params: Vec<&str> = row.wasm_params().map(noema_abi::WasmType::name).collect();
        let _ = writeln!(
            wat,
            "  (import \"{group}\" \"{name}\" (func ${group}.{name} (param {}) (result i64)))",
            params.join(" ")
        );
    }
    let line = memory.place(1 + 2 * (HEADER + PART));
    let pages = memory.end.div_ceil(0x1_0000);
    let _ = write!(wat, "  (memory (export \"memory\") {pages})\n{}{}{functions})\n", memory.data, report(line));
    let wasm = wat::parse_str(&wat).map_err(|error| format!("{}: {error}", contract.name))?;
    Ok((wasm, programs))
}

/// `$report(at, length)`: the record of `length` bytes after the header at `at`, to the log, part by part.
fn report(line: usize) -> String {
    format!(
        r#"  (func $digit (param i32) (result i32)
    (i32.add (local.get 0) (select (i32.const 87) (i32.const 48) (i32.gt_u (local.get 0) (i32.const 9)))))
  (func $hex (param $from i32) (param $to i32) (param $length i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $length)))
        (i32.store8 (local.get $to) (call $digit (i32.shr_u (i32.load8_u (local.get $from)) (i32.const 4))))
        (i32.store8 offset=1 (local.get $to) (call $digit (i32.and (i32.load8_u (local.get $from)) (i32.const 15))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $to (i32.add (local.get $to) (i32.const 2)))
        (local.set $length (i32.sub (local.get $length) (i32.const 1)))
        (br $next))))
  (func $report (param $at i32) (param $length i32) (local $from i32) (local $part i32)
    (local.set $from (i32.add (local.get $at) (i32.const {HEADER})))
    (loop $next
      (local.set $part (select (local.get $length) (i32.const {PART}) (i32.lt_u (local.get $length) (i32.const {PART}))))
      (i32.store8 (i32.const {line}) (i32.const {mark}))
      (call $hex (local.get $at) (i32.const {header_at}) (i32.const {HEADER}))
      (call $hex (local.get $from) (i32.const {part_at}) (local.get $part))
      (drop (call $control.log (i32.const {line})
        (i32.add (i32.const {before}) (i32.mul (local.get $part) (i32.const 2)))))
      (i32.store16 offset=4 (local.get $at) (i32.add (i32.load16_u offset=4 (local.get $at)) (i32.const 1)))
      (local.set $from (i32.add (local.get $from) (local.get $part)))
      (local.set $length (i32.sub (local.get $length) (local.get $part)))
      (br_if $next (local.get $length))))
"#,
        mark = u32::from(MARK),
        header_at = line + 1,
        part_at = line + 1 + 2 * HEADER,
        before = 1 + 2 * HEADER,
    )
}

fn assemble_step(
    step: &Step,
    (program, index): (usize, usize),
    names: &Names,
    memory: &mut Memory,
    labels: &mut BTreeMap<String, Label>,
    body: &mut String,
) -> Result<Assembled, String> {
    let row = step
        .call
        .split_once('.')
        .and_then(|(group, name)| find(group, name))
        .ok_or_else(|| "there is no such row".to_owned())?;
    check_step(step, row)?;

    let capacities = row
        .params
        .iter()
        .filter(|param| param.kind.is_output())
        .filter_map(|param| Some((param.name, output_capacity(param.kind, step.args.get(param.name)).transpose()?)))
        .map(|(name, capacity)| capacity.map(|capacity| (name, capacity)))
        .collect::<Result<Vec<_>, String>>()?;
    // The record: header, then the result at a multiple of 8, then the outputs.
    let total = 8 + capacities.iter().map(|(_, capacity)| capacity).sum::<usize>();
    let result = memory.place(8 + total) + 8;
    let record = result - HEADER;
    let mut outputs = BTreeMap::new();
    let mut place = result + 8;
    for (name, capacity) in &capacities {
        outputs.insert(*name, (place, *capacity));
        memory.fill(place, FILLER, *capacity);
        place += capacity;
    }

    let mut operands = Vec::new();
    let mut before = String::new();
    let mut priced_bytes = 0u64;
    for param in row.params {
        let argument = step.args.get(param.name);
        let at = |what: String| format!("argument {}: {what}", param.name);
        let made =
            operand(param.kind, param.name, argument, names, memory, labels, &outputs, &mut before).map_err(at)?;
        if let (true, [_, Operand::Number(length)]) = (param.kind.has_length(), made.as_slice()) {
            priced_bytes = priced_bytes.saturating_add(length.unsigned_abs());
        }
        operands.extend(made);
    }

    body.push_str(&before);
    let arguments: String = row.wasm_params().zip(&operands).map(|(wasm, operand)| text(wasm, operand)).collect();
    let call = format!("    (i64.store (i32.const {result}) (call ${}.{}{arguments}))\n", row.group, row.name);
    match step.repeat {
        None | Some(1) => body.push_str(&call),
        // A counter in the first bytes of memory.
        Some(times) => {
            let _ = write!(
                body,
                "    (i32.store (i32.const 0) (i32.const {times}))\n    (loop\n{call}    \
                 (i32.store (i32.const 0) (i32.sub (i32.load (i32.const 0)) (i32.const 1)))\n    \
                 (br_if 0 (i32.load (i32.const 0))))\n"
            );
        }
    }
    let _ = write!(
        body,
        "    (i32.store16 (i32.const {record}) (i32.const {program}))\n    \
         (i32.store16 offset=2 (i32.const {record}) (i32.const {index}))\n    \
         (call $report (i32.const {record}) (i32.const {total}))\n"
    );
    if let Some(label) = &step.label {
        labels.insert(label.clone(), Label { record: result, outputs });
    }
    Ok(Assembled { row, step: step.clone(), priced_bytes, outputs: capacities })
}

/// What is wrong with a step before anything is made of it.
fn check_step(step: &Step, row: &HostFunction) -> Result<(), String> {
    let expectations =
        [step.result.is_some(), step.status.is_some(), step.stops.is_some()].into_iter().filter(|given| *given).count();
    if expectations != 1 {
        return Err("exactly one of `result`, `status` and `stops` says what is expected".to_owned());
    }
    if row.result == Return::never && step.stops.is_none() {
        return Err("it never returns".to_owned());
    }
    for name in step.args.keys().chain(step.out.keys()) {
        if row.params.iter().all(|param| param.name != name.as_str()) {
            return Err(format!("it has no argument `{name}`"));
        }
    }
    for name in step.out.keys() {
        if row.params.iter().any(|param| param.name == name.as_str() && !param.kind.is_output()) {
            return Err(format!("`{name}` is no output"));
        }
    }
    Ok(())
}

/// How much room an output has in the record; `None` for a forged one, which has none.
fn output_capacity(kind: Kind, argument: Option<&Value>) -> Result<Option<usize>, String> {
    match (kind.fixed_length(), argument) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some(Value::Number(capacity))) => {
            let capacity = capacity.as_u64().and_then(|capacity| usize::try_from(capacity).ok());
            capacity.map(Some).ok_or_else(|| "a capacity is a number".to_owned())
        }
        (_, Some(Value::Object(_))) => Ok(None),
        (None, None) => Err("an output needs its capacity".to_owned()),
        (_, Some(other)) => Err(format!("`{other}` is no capacity")),
    }
}

#[allow(clippy::too_many_arguments, reason = "what an argument may refer to")]
fn operand(
    kind: Kind,
    name: &str,
    argument: Option<&Value>,
    names: &Names,
    memory: &mut Memory,
    labels: &BTreeMap<String, Label>,
    outputs: &BTreeMap<&'static str, (usize, usize)>,
    before: &mut String,
) -> Result<Vec<Operand>, String> {
    let number = |value: usize| Operand::Number(i64::try_from(value).expect("memory is small"));
    if let Some(Value::Object(forged)) = argument {
        let field = |name: &str| {
            let value = forged.get(name).ok_or_else(|| format!("a forged range has a `{name}`"))?;
            integer(value).map(Operand::Number)
        };
        let mut made = vec![field("pointer")?];
        if kind.has_length() {
            made.push(field("length")?);
        }
        return Ok(made);
    }
    if let Some((place, capacity)) = outputs.get(name) {
        return Ok(if kind.has_length() { vec![number(*place), number(*capacity)] } else { vec![number(*place)] });
    }
    let argument = argument.ok_or_else(|| "it is missing".to_owned())?;
    match kind {
        Kind::u32 | Kind::i32 | Kind::u64 | Kind::i64 | Kind::tensor | Kind::model => {
            if let Some(label) = argument.as_str().and_then(|text| text.strip_prefix('$')) {
                let label = labels.get(label).ok_or_else(|| format!("no earlier step is called `{label}`"))?;
                return Ok(vec![Operand::Result(label.record)]);
            }
            Ok(vec![Operand::Number(integer(argument)?)])
        }
        // What is left are ranges to read.
        _ => {
            let text = argument.as_str().unwrap_or_default();
            let (place, length) = if let Some(rest) = text.strip_prefix('&') {
                // The output of an earlier step.
                let (label, output) = rest.split_once('.').ok_or_else(|| "`&step.output`".to_owned())?;
                let label = labels.get(label).ok_or_else(|| format!("no earlier step is called `{label}`"))?;
                *label.outputs.get(output).ok_or_else(|| format!("`{rest}` is no output"))?
            } else if let Some(rest) = text.strip_prefix("handles:") {
                let handles: Vec<&str> = rest.split(',').filter(|handle| !handle.is_empty()).collect();
                let place = memory.place(4 * handles.len());
                for (index, handle) in handles.iter().enumerate() {
                    let label = handle.strip_prefix('$').and_then(|label| labels.get(label));
                    let label = label.ok_or_else(|| format!("no earlier step is called `{handle}`"))?;
                    let _ = writeln!(
                        before,
                        "    (i64.store32 (i32.const {}) (i64.load (i32.const {})))",
                        place + 4 * index,
                        label.record
                    );
                }
                (place, 4 * handles.len())
            } else {
                let bytes = bytes(argument, names)?;
                (memory.bytes(&bytes), bytes.len())
            };
            match kind.fixed_length() {
                Some(fixed) if fixed != length => Err(format!("it has {length} bytes instead of {fixed}")),
                Some(_) => Ok(vec![number(place)]),
                None => Ok(vec![number(place), number(length)]),
            }
        }
    }
}

/// A number of up to 64 bits, signed or not; large ones may stand in quotes.
fn integer(value: &Value) -> Result<i64, String> {
    let parsed = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_u64().map(u64::cast_signed)),
        Value::String(text) => text.parse().ok().or_else(|| text.parse().ok().map(u64::cast_signed)),
        _ => None,
    };
    parsed.ok_or_else(|| format!("`{value}` is no integer"))
}

fn text(wasm: noema_abi::WasmType, operand: &Operand) -> String {
    match (wasm, operand) {
        (noema_abi::WasmType::I64, Operand::Number(number)) => format!(" (i64.const {number})"),
        (noema_abi::WasmType::I32, Operand::Number(number)) => {
            let [a, b, c, d, ..] = number.to_le_bytes();
            format!(" (i32.const {})", i32::from_le_bytes([a, b, c, d]))
        }
        (noema_abi::WasmType::I64, Operand::Result(place)) => format!(" (i64.load (i32.const {place}))"),
        (noema_abi::WasmType::I32, Operand::Result(place)) => {
            format!(" (i32.wrap_i64 (i64.load (i32.const {place})))")
        }
    }
}
