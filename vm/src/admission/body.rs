//! One function body: validation, limits, and the price of its frame (`docs/spec/stack.md`).

use wasmparser::{FuncValidator, FunctionBody, Operator, ValType, ValidatorResources};

use super::shape::Shape;
use super::{AdmissionError, check_in};
use crate::instrument::{
    Alignment, Awaited, Blocks, Findings, Reach, Step, Trace, UnlikelyFinder, Zeros, by_itself, fixes, is_branch,
    makes_raw, may_fix, stores_and_waits,
};
use crate::rules::Rules;

/// What is known about a body that is valid and within the limits.
pub(super) struct Measure<'a> {
    /// Price of compiling it.
    pub(super) compile_gas: u64,
    /// The most bytes that instrumentation adds to it.
    pub(super) added_bytes: u64,
    pub(super) body: Body<'a>,
}

/// What has been found of a body, until all bodies are known.
pub(super) struct Body<'a> {
    pub(super) parameters: u32,
    /// Parameters included.
    pub(super) locals: u32,
    /// What it stores where, and passes.
    pub(super) alignment: Alignment,
    /// Its operators, if what it stores where depends on its parameters. Then which stores may lie across pages, and what operators wait,
    /// has not been found yet.
    pub(super) steps: Option<Vec<Step<'a>>>,
    /// What instrumentation needs of it.
    pub(super) findings: Findings,
}

impl Body<'_> {
    /// Finds which stores may lie across pages, and what operators wait, where parameters are these multiples.
    pub(super) fn settle(&mut self, steps: &[Step<'_>], reach: Reach, parameters: &[Zeros]) {
        let aligned = self.alignment.stores(parameters);
        let Findings { awaited, across, waits, .. } = &mut self.findings;
        (*across, *waits) = stores_and_waits(steps, reach, self.locals, &aligned, awaited);
    }
}

/// Units of 8 bytes that a value takes on the logical stack. An operand of unknown type, which only dead code has,
/// takes one.
fn units(ty: Option<ValType>) -> u64 {
    if ty == Some(ValType::V128) { 2 } else { 1 }
}

/// Validates a body operator by operator. `stack_pointer` says that the first global is a multiple of sixteen; `trace` is for
/// use in here: it is handed on from body to body.
pub(super) fn measure<'a>(
    rules: &Rules,
    reach: Reach,
    stack_pointer: bool,
    validator: &mut FuncValidator<ValidatorResources>,
    body: &FunctionBody<'a>,
    trace: &mut Trace<'a>,
) -> Result<Measure<'a>, AdmissionError> {
    let function = validator.index();
    let limits = &rules.limits;
    let parameters = validator.len_locals();

    // Counted before they are declared: one group of two bytes can ask for four billion locals.
    let mut locals = u64::from(parameters);
    for group in body.get_locals_reader()? {
        locals = locals.saturating_add(u64::from(group?.0));
        check_in(function, "locals", locals, limits.locals)?;
    }
    check_in(function, "locals", locals, limits.locals)?;
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let local_units: u64 = (0..validator.len_locals()).map(|index| units(validator.get_local_type(index))).sum();

    let mut heights = Heights::default();
    let mut shape = Shape::new(function, locals, limits);
    let (mut has_floats, mut branches) = (false, 0);
    let mut awaited = Awaited::new(reach, validator.len_locals());
    let (mut unlikely, mut blocks) = (UnlikelyFinder::default(), Blocks::default());
    trace.clear();
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        let Some((cost, access)) = by_itself(&operator) else {
            return Err(AdmissionError::Operator { operator: name_of(&operator), function, offset });
        };
        let arity = operator.operator_arity(validator);
        has_floats |= makes_raw(&operator);
        branches += u64::from(is_branch(&operator));
        let takes = arity.map(|(popped, _)| popped);
        let (floor, is_dead) =
            validator.get_control_frame(0).map_or((0, true), |frame| (frame.height, frame.unreachable));
        let mut types = 0;
        if may_fix(&operator) {
            let depths = 0..usize::try_from(takes.unwrap_or(0)).unwrap_or(usize::MAX);
            types = trace.types(depths.map_while(|depth| validator.get_operand_type(depth)).flatten());
            shape.floats(trace.types_from(types));
        }
        validator.op(offset, &operator)?;
        let popped = takes.unwrap_or(u32::MAX);
        let height = validator.operand_stack_height();
        heights.step(validator, popped);
        check_in(function, "units of operands", heights.largest, limits.operand_units)?;
        let ends_block = blocks.step(&operator);
        let step = Step { operator, cost, access, popped, floor, height, ends_block, is_dead, types };
        shape.step(&step, arity)?;
        awaited.step(&step);
        unlikely.step(&step);
        trace.steps.push(step);
    }
    operators.finish()?;
    shape.finish()?;
    let fixes = if has_floats { fixes(trace, validator.len_locals(), parameters) } else { Vec::new() };
    let alignment = if awaited.has_too_many_paths() {
        Alignment::unknown(&trace.steps)
    } else {
        Alignment::of(&trace.steps, validator.len_locals(), parameters, stack_pointer)
    };
    let (awaited, locals) = (awaited.finish(), validator.len_locals());
    let compile_gas = shape.gas(&rules.prices.compile, body.as_bytes().len());
    let findings = Findings {
        frame_units: rules.machine.frame_units + local_units + heights.largest,
        fixes,
        awaited,
        across: Vec::new(),
        waits: Vec::new(),
        unlikely: unlikely.finish(),
        branches,
    };
    let mut body = Body { parameters, locals, alignment, steps: None, findings };
    if body.alignment.depends_on_parameters() {
        body.steps = Some(std::mem::take(&mut trace.steps));
    } else {
        body.settle(&trace.steps, reach, &[]);
    }
    Ok(Measure { compile_gas, added_bytes: shape.added_bytes(has_floats), body })
}

/// The operator without its immediates.
fn name_of(operator: &Operator<'_>) -> String {
    let text = format!("{operator:?}");
    text.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
}

/// Follows the height of the operand stack in units: `sums[i]` is the height of its lowest `i + 1` operands.
#[derive(Default)]
struct Heights {
    sums: Vec<u64>,
    largest: u64,
}

impl Heights {
    /// Goes on behind an operator that has popped at most `popped` operands: what lies below them is as before.
    fn step(&mut self, validator: &FuncValidator<ValidatorResources>, popped: u32) {
        let height = usize::try_from(validator.operand_stack_height()).unwrap_or(usize::MAX);
        let unchanged = self.sums.len().saturating_sub(usize::try_from(popped).unwrap_or(usize::MAX)).min(height);
        self.sums.truncate(unchanged);
        let mut sum = self.sums.last().copied().unwrap_or(0);
        for from_top in (0..height - unchanged).rev() {
            sum += units(validator.get_operand_type(from_top).flatten());
            self.sums.push(sum);
        }
        self.largest = self.largest.max(sum);
    }
}
