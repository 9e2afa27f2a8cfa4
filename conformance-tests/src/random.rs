//! Random arguments for every opcode, through every kernel level, against the reference.
//!
//! ```text
//!   ops::NAMES x element types --generators--> arguments --spoil (1 in 8)--> reference level: the answer
//!                                                                              |
//!                                  every other level, every number of threads --+--> differences
//! ```
//!
//! A case is a function of the seed, the opcode, the element type and its number, so that a new opcode leaves the cases
//! of the others as they are. Where a level differs, the case is printed as a vector file, which
//! `noema-conformance vectors` runs again.

pub(crate) mod draw;
mod generators;
mod spoil;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use noema_tensor::ops::{self, Arg};
use noema_tensor::{DType, Kernels, Level, OpError, Status, Tensor};
use serde::Serialize;

use crate::ops::{Argument, Case, Elements, File, Value, difference};
use crate::report::{ConformanceError, Report, write};
use crate::vectors;
use draw::Draw;
use generators::Generator;

/// Fewest cases of every opcode and element type, whatever number was asked for.
pub const LEAST: u64 = 16;
/// Differences of an opcode that are kept as vectors.
const KEPT: usize = 8;
/// Draws of one case before it is given up: a result that would take long is drawn again.
const DRAWS: u64 = 64;
/// Most bytes of a result, and most work, of a case that is run.
const MAX_RESULT_BYTES: u64 = 4 << 20;
const MAX_WORK: u64 = 1 << 23;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many cases, over all opcodes.
    pub cases: u64,
    /// What they are drawn from.
    pub seed: u64,
    /// What is compared with the reference level on one thread: level and threads.
    pub machines: Vec<(Level, usize)>,
}

/// What was found about one opcode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OpcodeReport {
    /// Cases by the element type that they are about.
    pub cases: BTreeMap<String, u64>,
    /// Those whose answer is a tensor; that of the others is a status.
    pub tensors: u64,
    /// Those that every level answered like the reference.
    pub same: u64,
    /// Comparisons by level.
    pub compared: BTreeMap<String, u64>,
}

/// What a run found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RandomReport {
    /// What the cases were drawn from.
    pub seed: u64,
    /// By opcode.
    pub opcodes: BTreeMap<String, OpcodeReport>,
    /// Comparisons, and the differences.
    #[serde(flatten)]
    pub report: Report,
    /// The first differing cases of each opcode as vectors, with the answer of the reference.
    #[serde(skip)]
    files: Vec<File>,
}

impl RandomReport {
    /// The opcodes as a table, the vectors of what differs, and the sum.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{:<24} {:>9} {:>9} {:>9} {:>10} {:>9}\n",
            "opcode", "cases", "tensors", "compared", "least/type", "differ"
        );
        for (opcode, row) in &self.opcodes {
            let cases: u64 = row.cases.values().sum();
            let least = row.cases.values().min().copied().unwrap_or(0);
            let compared: u64 = row.compared.values().sum();
            let differ = cases - row.same;
            let _ = writeln!(text, "{opcode:<24} {cases:>9} {:>9} {compared:>9} {least:>10} {differ:>9}", row.tensors);
        }
        for file in &self.files {
            let json = serde_json::to_string(file).unwrap_or_default();
            let _ = writeln!(text, "\nop.{}.json, to run again:\n{json}", file.row.trim_start_matches("op."));
        }
        let _ = write!(text, "\nseed {}: {}", self.seed, self.report);
        text
    }

    /// Writes the vectors of what differs into a directory, for `noema-conformance vectors`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), ConformanceError> {
        self.files.iter().try_for_each(|file| {
            let text = serde_json::to_string(file).map_err(|error| ConformanceError::format(&file.row, error))?;
            write(&directory.join(format!("{}.json", file.row)), &(text + "\n"))
        })
    }
}

/// Runs random cases of every opcode. `progress` is told after each opcode which one it was.
///
/// # Errors
/// An opcode without a generator, or a machine that has no such kernels.
pub fn run(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<RandomReport, ConformanceError> {
    let reference = vectors::kernels(Level::Reference, 1)?;
    let machines = plan
        .machines
        .iter()
        .filter(|machine| **machine != (Level::Reference, 1))
        .map(|(level, threads)| vectors::kernels(*level, *threads))
        .collect::<Result<Vec<_>, _>>()?;
    let generators = ops::NAMES
        .iter()
        .map(|opcode| {
            let missing = || ConformanceError::format(opcode, "the opcode has no generator of random arguments");
            generators::of(opcode).ok_or_else(missing)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let groups: u64 = generators.iter().map(|generator| generator.dtypes.len() as u64).sum();
    let each = plan.cases.div_ceil(groups.max(1)).max(LEAST);
    let mut found = RandomReport { seed: plan.seed, ..RandomReport::default() };
    for generator in generators {
        let mut opcode =
            Opcode { generator, row: OpcodeReport::default(), report: Report::default(), kept: Vec::new() };
        for dtype in generator.dtypes {
            for number in 0..each {
                opcode.case(plan.seed, *dtype, number, &reference, &machines)?;
            }
        }
        if !opcode.kept.is_empty() {
            found.files.push(File { row: format!("op.{}", generator.opcode), cases: opcode.kept });
        }
        found.report.add(opcode.report);
        found.opcodes.insert(generator.opcode.to_owned(), opcode.row);
        progress(generator.opcode);
    }
    Ok(found)
}

/// An opcode at work.
struct Opcode {
    generator: &'static Generator,
    row: OpcodeReport,
    report: Report,
    kept: Vec<Case>,
}

impl Opcode {
    fn case(
        &mut self,
        seed: u64,
        dtype: DType,
        number: u64,
        reference: &Kernels,
        machines: &[Kernels],
    ) -> Result<(), ConformanceError> {
        let name = self.generator.opcode;
        let arguments = arguments(self.generator, seed, dtype, number);
        let args: Vec<Arg<'_>> = arguments.iter().map(Argument::lend).collect();
        let at = format!("{name}, {dtype} {number}");
        let expected = answer(reference, name, &args)
            .map_err(|what| ConformanceError::Node(format!("{at}: the reference level {what}")))?;
        let mut same = true;
        for kernels in machines {
            let level = kernels.requested().to_string();
            let what = match answer(kernels, name, &args) {
                Ok(found) => difference(&expected, &found)?,
                Err(what) => Some(what),
            };
            let what = what.or_else(|| vectors::alarm(kernels));
            same &= what.is_none();
            // A broken level differs everywhere: the first differences say it.
            if what.is_none() || self.report.differences.len() < KEPT {
                self.report.compare(|| format!("{at}, {level} with {}", kernels.threads()), what);
            } else {
                self.report.cases += 1;
                self.report.more += 1;
            }
            *self.row.compared.entry(level).or_default() += 1;
        }
        *self.row.cases.entry(dtype.to_string()).or_default() += 1;
        self.row.tensors += u64::from(expected.is_ok());
        self.row.same += u64::from(same);
        if !same && self.kept.len() < KEPT {
            self.keep(&arguments, &expected, dtype, number, seed)?;
        }
        Ok(())
    }

    /// Keeps a case as a vector.
    fn keep(
        &mut self,
        arguments: &[Argument],
        expected: &Result<Tensor, Status>,
        dtype: DType,
        number: u64,
        seed: u64,
    ) -> Result<(), ConformanceError> {
        let failed = |error: OpError| ConformanceError::Node(error.to_string());
        let args = arguments.iter().map(Argument::value).collect::<Result<_, _>>().map_err(failed)?;
        let (result, status) = match expected {
            Ok(tensor) => (Some(Value::Tensor(Elements::of(tensor).map_err(failed)?)), None),
            Err(status) => (None, Some(status.name().to_owned())),
        };
        self.kept.push(Case { name: format!("random {dtype} {number} of seed {seed}"), args, result, status });
        Ok(())
    }
}

/// The arguments of a case: the first ones drawn whose result is not too large to be worth its time.
fn arguments(generator: &Generator, seed: u64, dtype: DType, number: u64) -> Vec<Argument> {
    let mut arguments = Vec::new();
    for again in 0..DRAWS {
        let mut d = Draw::new(seed_of(seed, generator.opcode, dtype, number, again), dtype);
        arguments = (generator.arguments)(&mut d);
        if d.once_in(8) {
            spoil::spoil(&mut d, &mut arguments);
        }
        let args: Vec<Arg<'_>> = arguments.iter().map(Argument::lend).collect();
        match ops::plan(generator.opcode, &args) {
            Ok(plan) if plan.bytes() > MAX_RESULT_BYTES || plan.work > MAX_WORK => {}
            _ => break,
        }
    }
    arguments
}

/// The element types of the first tensor that an opcode takes; none where there is no such opcode.
#[must_use]
pub fn dtypes(opcode: &str) -> &'static [DType] {
    generators::of(opcode).map_or(&[], |generator| generator.dtypes)
}

/// Arguments of an opcode with tensors of about `elements` elements at most, for timing: the reference level would take long.
///
/// ```
/// use noema_conformance::random;
/// use noema_tensor::{DType, ops};
/// let arguments = random::sized("add", DType::I8, 7, 4096).unwrap();
/// let args: Vec<_> = arguments.iter().map(|argument| argument.lend()).collect();
/// assert!(ops::plan("add", &args).is_ok());
/// ```
#[must_use]
pub fn sized(opcode: &str, dtype: DType, seed: u64, elements: u64) -> Option<Vec<Argument>> {
    let generator = generators::of(opcode)?;
    let seed = seed_of(seed, opcode, dtype, elements, 0);
    Some((generator.arguments)(&mut Draw::sized(seed, dtype, elements)))
}

/// FNV-1a over everything that names a case, which Draw then mixes.
fn seed_of(seed: u64, opcode: &str, dtype: DType, number: u64, again: u64) -> u64 {
    let parts = [
        &seed.to_le_bytes()[..],
        opcode.as_bytes(),
        dtype.name().as_bytes(),
        &number.to_le_bytes(),
        &again.to_le_bytes(),
    ];
    parts
        .concat()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// What a level answers, or what is wrong with it.
fn answer(kernels: &Kernels, opcode: &str, args: &[Arg<'_>]) -> Result<Result<Tensor, Status>, String> {
    match catch_unwind(AssertUnwindSafe(|| ops::call(kernels, opcode, args))) {
        Ok(Ok(tensor)) => Ok(Ok(tensor)),
        Ok(Err(OpError::Status(status))) => Ok(Err(status)),
        Ok(Err(error)) => Err(format!("cannot compute it: {error}")),
        Err(_) => Err("panics".to_owned()),
    }
}
