//! From the log of a message to the answers of its steps, and what is wrong with them.

use noema_abi::{Status, find};

use super::assemble::{Assembled, FILLER, MARK, Program};
use super::format::Stops;
use super::literal::{Names, bytes};

/// Gas that steps took, by what the receipt calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    pub(super) host: u64,
    pub(super) state: u64,
    pub(super) tensor: u64,
    /// Whether a step ran out of gas, so that nothing exact can be said.
    pub(super) unknown: bool,
}

/// What a log says.
pub(super) struct Answers {
    pub(super) spent: Spent,
    /// Lines that contracts wrote themselves.
    pub(super) lines: Vec<String>,
    /// Program and step of every answer.
    pub(super) answered: Vec<(usize, usize)>,
    /// Where, and what.
    pub(super) differences: Vec<(String, String)>,
}

/// A step's record, its parts put together.
struct Record {
    program: usize,
    step: usize,
    data: Vec<u8>,
}

/// One run of a program: which step is next.
struct Run {
    program: usize,
    next: usize,
}

/// What the file and the addresses mean.
pub(super) struct Known<'a> {
    pub(super) programs: &'a [Program],
    pub(super) names: &'a Names,
    /// Bytes of code of `@contract`.
    pub(super) code_len: &'a dyn Fn(&str) -> Option<u64>,
}

/// Reads the log of one message. `entered` is the program that the message runs.
pub(super) fn read(log: &[String], entered: Option<usize>, known: &Known<'_>) -> Answers {
    let mut answers =
        Answers { spent: Spent::default(), lines: Vec::new(), answered: Vec::new(), differences: Vec::new() };
    let mut records: Vec<Record> = Vec::new();
    for line in log {
        match line.strip_prefix(MARK) {
            None => answers.lines.push(line.clone()),
            Some(digits) => match part(digits) {
                Some((program, step, 0, data)) => records.push(Record { program, step, data }),
                Some((.., data)) => match records.last_mut() {
                    Some(last) => last.data.extend_from_slice(&data),
                    None => answers.differences.push((line.clone(), "a part without a beginning".to_owned())),
                },
                None => answers.differences.push((line.clone(), "no record".to_owned())),
            },
        }
    }
    let mut runs: Vec<Run> = entered.map(|program| Run { program, next: 0 }).into_iter().collect();
    for record in &records {
        follow(&mut runs, record, known, &mut answers);
        answers.answered.push((record.program, record.step));
        let Some(step) = known.programs.get(record.program).and_then(|program| program.steps.get(record.step)) else {
            answers.differences.push((format!("program {}", record.program), format!("no step {}", record.step)));
            continue;
        };
        spend(&mut answers.spent, step, known, true);
        if let Err(what) = check(step, &record.data, known.names) {
            answers.differences.push((place(known, record.program, record.step), what));
        }
    }
    while let Some(run) = runs.pop() {
        unfinished(&run, known, &mut answers);
    }
    answers
}

fn part(digits: &str) -> Option<(usize, usize, usize, Vec<u8>)> {
    let bytes = hex::decode(digits).ok()?;
    let (header, data) = bytes.split_at_checked(6)?;
    let number = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    Some((number(0), number(2), number(4), data.to_vec()))
}

/// Finds the run that a record belongs to; runs above it have ended.
fn follow(runs: &mut Vec<Run>, record: &Record, known: &Known<'_>, answers: &mut Answers) {
    let expects = |run: &Run| run.program == record.program && run.next == record.step;
    // A contract cannot be entered again while it runs, so no two runs expect the same record.
    if record.step == 0 && !runs.iter().any(expects) {
        runs.push(Run { program: record.program, next: 0 });
    }
    while let Some(run) = runs.last() {
        if expects(run) {
            break;
        }
        unfinished(run, known, answers);
        runs.pop();
    }
    match runs.last_mut() {
        Some(run) => run.next += 1,
        None => {
            answers.differences.push((place(known, record.program, record.step), "it answered out of order".to_owned()))
        }
    }
}

/// A run that came to its end, or should have.
fn unfinished(run: &Run, known: &Known<'_>, answers: &mut Answers) {
    let Some(step) = known.programs.get(run.program).and_then(|program| program.steps.get(run.next)) else {
        return;
    };
    match step.step.stops {
        Some(Stops::OutOfGas) => answers.spent.unknown = true,
        Some(Stops::Abort | Stops::Fault) => spend(&mut answers.spent, step, known, false),
        None => {
            answers.spent.unknown = true;
            answers.differences.push((place(known, run.program, run.next), "it did not answer".to_owned()));
        }
    }
    if step.step.stops.is_some() {
        answers.answered.push((run.program, run.next));
    }
}

fn place(known: &Known<'_>, program: usize, step: usize) -> String {
    let Some(of) = known.programs.get(program) else { return format!("program {program}, step {step}") };
    let row = of.steps.get(step).map_or("", |step| step.step.call.as_str());
    format!("{}, step {step} ({row})", of.name)
}

/// Adds the price of a step, and of the lines that report it.
fn spend(spent: &mut Spent, step: &Assembled, known: &Known<'_>, reported: bool) {
    let work = match &step.step.work {
        None => Some(0),
        Some(serde_json::Value::String(name)) => (known.code_len)(name),
        Some(value) => value.as_u64(),
    };
    let Some(work) = work else {
        spent.unknown = true;
        return;
    };
    let gas = step.row.price.gas(step.priced_bytes, work).saturating_mul(u64::from(step.step.repeat.unwrap_or(1)));
    let class = match step.row.group {
        "storage" => &mut spent.state,
        "tensor" | "op" | "model" => &mut spent.tensor,
        _ => &mut spent.host,
    };
    *class = class.saturating_add(gas);
    if let (true, Some(log)) = (reported, find("control", "log")) {
        for length in step.line_lengths() {
            spent.host = spent.host.saturating_add(log.price.gas(length, 0));
        }
    }
}

/// Compares an answer with what is expected.
fn check(step: &Assembled, data: &[u8], names: &Names) -> Result<(), String> {
    let (result, mut rest) = data.split_first_chunk::<8>().ok_or("the record is short")?;
    let result = i64::from_le_bytes(*result);
    let found = Status::from_return(result);
    let shown = match found {
        Ok(number) => number.to_string(),
        Err(status) => format!("{status} ({result})"),
    };
    match (&step.step.result, &step.step.status) {
        (Some(expected), _) if expected.as_str() == Some("any") && found.is_ok() => {}
        (Some(expected), _) if expected.as_u64().is_some() && expected.as_u64() == found.ok() => {}
        (_, Some(expected)) if found.is_err_and(|status| status.name() == expected) => {}
        (Some(expected), _) => return Err(format!("expected {expected}, found {shown}")),
        (_, Some(expected)) => return Err(format!("expected {expected}, found {shown}")),
        _ => return Err(format!("it should not have returned; found {shown}")),
    }
    for (name, capacity) in &step.outputs {
        let (found, after) = rest.split_at_checked(*capacity).ok_or("the record is short")?;
        rest = after;
        let mut expected = match step.step.out.get(*name) {
            Some(value) => bytes(value, names)?,
            None => Vec::new(),
        };
        if expected.len() > *capacity {
            return Err(format!("{name}: {} bytes are expected in a room of {capacity}", expected.len()));
        }
        // What is not written stays as it was.
        expected.resize(*capacity, FILLER);
        if found != expected {
            let first = found.iter().zip(&expected).position(|(a, b)| a != b).unwrap_or(0);
            return Err(format!(
                "{name}: expected {}, found {} (first at byte {first})",
                hex::encode(&expected),
                hex::encode(found)
            ));
        }
    }
    Ok(())
}
