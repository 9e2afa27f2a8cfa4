//! Known-answer tests, run before a level is used.
//!
//! The answers stand in `known.rs`; a script computed them with Python integers and `mpmath`
//! (`conformance-tests/scripts`), so they do not come from the code that they test.

use std::fmt;

use crate::{
    DType, Element, KernelError, Kernels, Level, OpError,
    kernel::{self, Decision, PackedTrees, PackedWeights, PackedWeights16, Scales, Softmax, Tree},
};

mod composed;
mod device;
mod images;
mod known;
mod known_rows;
mod rows;

pub(crate) use device::device;

#[cfg(test)]
mod fault;
#[cfg(test)]
pub(crate) use fault::{Fault, Primitive};

/// What a level answered to its known-answer test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfTestReport {
    /// The level.
    pub level: Level,
    /// Threads that it ran on.
    pub threads: usize,
    /// Cases that were run.
    pub cases: usize,
    /// The first wrong answer, if there was one.
    pub difference: Option<Difference>,
}

/// A wrong answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub case: &'static str,
    /// What was wrong.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case `{}`: {}", self.case, self.detail)
    }
}

/// Runs the known-answer test of a level.
///
/// ```
/// use noema_tensor::{Level, selftest};
/// let report = selftest(Level::Reference, 1)?;
/// assert!(report.cases > 20 && report.difference.is_none());
/// # Ok::<(), noema_tensor::KernelError>(())
/// ```
///
/// # Errors
/// [`KernelError`] where the level cannot be started here at all.
pub fn selftest(level: Level, threads: usize) -> Result<SelfTestReport, KernelError> {
    #[cfg(feature = "cuda")]
    if level == Level::Cuda {
        let refused = |error| KernelError::Device { device: "the first CUDA device".to_owned(), error };
        let (cases, difference) = device(&crate::cuda::Cuda::shared().map_err(refused)?).map_err(refused)?;
        return Ok(SelfTestReport { level, threads, cases, difference });
    }
    Ok(check(&Kernels::untested(level, threads)?))
}

/// The test itself.
pub(crate) fn check(kernels: &Kernels) -> SelfTestReport {
    let mut report = SelfTestReport { level: kernels.level(), threads: kernels.threads(), cases: 0, difference: None };
    let products = known::PRODUCTS.iter().map(|case| (case.name, product(kernels, case)));
    let requantised = known::REQUANTISE.iter().map(|case| (case.name, requantise(kernels, case)));
    let softmax = known::SOFTMAX.iter().map(|case| (case.name, softmax(kernels, case)));
    let elementwise =
        [("add", add(kernels)), ("relu", relu(kernels)), ("argmax", argmax(kernels)), ("trees", trees(kernels))];
    for (case, result) in products
        .chain(requantised)
        .chain(softmax)
        .chain(elementwise)
        .chain(rows::cases(kernels))
        .chain(images::cases(kernels))
        .chain(composed::cases(kernels))
    {
        report.cases += 1;
        if let Err(detail) = result {
            report.difference = Some(Difference { case, detail });
            break;
        }
    }
    report
}

/// Where operands of a case come from.
enum Fill {
    /// The same value everywhere.
    Value(i16),
    /// The upper bits of `s = s * 6364136223846793005 + 1442695040888963407`, beginning with this `s`.
    Seed(u64),
}

/// A linear product; `checksum` is the sum of `(2 i + 1) * out_i` modulo `2^64`, which every single
/// wrong bit changes.
struct Product {
    name: &'static str,
    x: DType,
    w: DType,
    out: DType,
    rows: usize,
    k: usize,
    n: usize,
    x_fill: Fill,
    w_fill: Fill,
    checksum: u64,
}

/// A requantisation of one row.
struct Requantise {
    name: &'static str,
    x: &'static [i64],
    multipliers: &'static [i32],
    shifts: &'static [u8],
    zero_point: i32,
    out: DType,
    expected: &'static [i64],
}

/// A softmax of one row.
struct SoftmaxRow {
    name: &'static str,
    x: &'static [i32],
    multiplier: i32,
    shift: u32,
    fraction_bits: u32,
    expected: &'static [i32],
}

fn fill<T: Element>(fill: &Fill, count: usize, from_bytes: impl Fn([u8; 2]) -> T) -> Vec<T> {
    let mut state = match fill {
        Fill::Value(value) => return vec![T::saturate_i64(i64::from(*value)); count],
        Fill::Seed(seed) => *seed,
    };
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [first, second, ..] = state.to_be_bytes();
            from_bytes([first, second])
        })
        .collect()
}

fn product(kernels: &Kernels, case: &Product) -> Result<(), String> {
    let (x, w) = (case.rows * case.k, case.k * case.n);
    let x_i8 = || fill(&case.x_fill, x, |[byte, _]| byte.cast_signed());
    let x_u8 = || fill(&case.x_fill, x, |[byte, _]| byte);
    let x_i16 = || fill(&case.x_fill, x, i16::from_be_bytes);
    match (case.x, case.w, case.out) {
        (DType::I8, DType::I8, DType::I32) => linear(kernels, case, &x_i8(), kernel::linear_i8, kernel::matmul_i8),
        (DType::I8, DType::I8, _) => linear(kernels, case, &x_i8(), kernel::linear_i8_wide, kernel::matmul_i8_wide),
        (DType::U8, DType::I8, DType::I32) => linear(kernels, case, &x_u8(), kernel::linear_u8, kernel::matmul_u8),
        (DType::U8, DType::I8, _) => linear(kernels, case, &x_u8(), kernel::linear_u8_wide, kernel::matmul_u8_wide),
        (_, DType::I8, _) => linear(kernels, case, &x_i16(), kernel::linear_i16, kernel::matmul_i16),
        _ => {
            let w = fill(&case.w_fill, w, i16::from_be_bytes);
            let w = PackedWeights16::pack(kernels.level(), case.k, case.n, &w).map_err(text)?;
            let mut out = vec![0; case.rows * case.n];
            kernel::linear_i16_i16(kernels, &x_i16(), case.rows, &w, &mut out).map_err(text)?;
            product_checksum(case, &out)
        }
    }
}

fn linear<X: Element, A: Element>(
    kernels: &Kernels,
    case: &Product,
    x: &[X],
    run: impl Fn(&Kernels, &[X], usize, &PackedWeights, &mut [A]) -> Result<(), OpError>,
    matmul: impl Fn(&Kernels, &[X], &[i8], (usize, usize, usize), &mut [A]) -> Result<(), OpError>,
) -> Result<(), String> {
    let rows = fill(&case.w_fill, case.k * case.n, |[byte, _]| byte.cast_signed());
    let w = PackedWeights::pack(kernels.level(), case.k, case.n, &rows).map_err(text)?;
    // What was there before must not shine through.
    let mut out = vec![A::saturate_i64(-77); case.rows * case.n];
    run(kernels, x, case.rows, &w, &mut out).map_err(text)?;
    product_checksum(case, &out)?;
    // Row by row, which goes another way than all of them together.
    let columns: Vec<i8> =
        (0..case.k).flat_map(|i| (0..case.n).map(move |j| j * case.k + i)).map(|at| rows[at]).collect();
    out.fill(A::saturate_i64(-77));
    for (x, out) in x.chunks_exact(case.k.max(1)).zip(out.chunks_exact_mut(case.n.max(1))) {
        matmul(kernels, x, &columns, (1, case.k, case.n), out).map_err(text)?;
    }
    product_checksum(case, &out)
}

fn product_checksum<A: Element>(case: &Product, out: &[A]) -> Result<(), String> {
    let mut weight = 1u64;
    let mut sum = 0u64;
    for value in out {
        let value: i64 = (*value).into();
        sum = sum.wrapping_add(value.cast_unsigned().wrapping_mul(weight));
        weight = weight.wrapping_add(2);
    }
    if sum == case.checksum {
        return Ok(());
    }
    Err(format!("checksum {sum:#018x} of [{}, {}] results, not {:#018x}", case.rows, case.n, case.checksum))
}

fn requantise(kernels: &Kernels, case: &Requantise) -> Result<(), String> {
    crate::element::with_element!(case.out, T => {
        let scales =
            Scales { multipliers: case.multipliers, shifts: case.shifts, zero_point: case.zero_point };
        let mut out = vec![T::default(); case.x.len()];
        kernel::requantise_rows(kernels, case.x, case.x.len(), scales, &mut out);
        compare(&out, case.expected)?;
        // The same from 32 bits, where the values fit.
        let narrow: Result<Vec<i32>, _> = case.x.iter().map(|x| i32::try_from(*x)).collect();
        if let Ok(narrow) = narrow {
            kernel::requantise_rows(kernels, &narrow, narrow.len(), scales, &mut out);
            compare(&out, case.expected)?;
        }
        Ok(())
    })
}

fn softmax(kernels: &Kernels, case: &SoftmaxRow) -> Result<(), String> {
    let softmax = Softmax::new(case.multiplier, case.shift, case.fraction_bits).map_err(text)?;
    let mut out = vec![0; case.x.len()];
    kernel::softmax_rows(kernels, case.x, case.x.len(), softmax, &mut out);
    compare(&out, case.expected)
}

fn add(kernels: &Kernels) -> Result<(), String> {
    let mut out = [0i8; 4];
    kernel::add(kernels, &[127, -128, -1, 100], &[1, -1, 1, 27], &mut out);
    compare(&out, &[127, -128, 0, 127])?;
    let mut out = [0i64; 4];
    kernel::add_broadcast(kernels, &[2, 2], (&[i64::MAX, i64::MIN], &[0, 1]), (&[1, -1], &[1, 0]), &mut out);
    compare(&out, &[i64::MAX, i64::MIN + 1, i64::MAX - 1, i64::MIN])
}

fn relu(kernels: &Kernels) -> Result<(), String> {
    let mut out = [0i16; 4];
    kernel::relu(kernels, &[-32_768, -1, 1, 32_767], &mut out);
    compare(&out, &[0, 0, 1, 32_767])?;
    let mut out = [0u8; 2];
    kernel::relu(kernels, &[0, 255], &mut out);
    compare(&out, &[0, 255])
}

fn argmax(kernels: &Kernels) -> Result<(), String> {
    let mut out = [0; 3];
    kernel::argmax_rows(kernels, &[-5i32, 7, 7, i32::MIN, i32::MIN, i32::MIN, 1, 2, 3], 3, &mut out);
    compare(&out, &[1, 0, 2])?;
    kernel::argmin_rows(kernels, &[5i32, -7, -7, i32::MAX, i32::MAX, i32::MAX, 3, 2, 1], 3, &mut out);
    compare(&out, &[1, 0, 2])
}

/// Nine trees of three kinds, worked out by hand: more than run in step, and a leaf alone.
fn trees(kernels: &Kernels) -> Result<(), String> {
    let decision = |feature, threshold, left, right, missing_left, zero_is_missing| Decision {
        feature,
        threshold,
        left,
        right,
        missing_left,
        zero_is_missing,
    };
    let stump = [decision(0, -5, -1, -2, true, false)];
    let deep = [decision(1, 10, 1, -1, false, true), decision(0, 7, -2, -3, false, false)];
    let (mut all, mut decisions, mut leaves) = (vec![], vec![], vec![]);
    for scale in [1, 10, 100, 1000] {
        all.extend([Tree { decisions: 1, output: 0 }, Tree { decisions: 2, output: 1 }]);
        decisions.extend_from_slice(&stump);
        decisions.extend_from_slice(&deep);
        leaves.extend([scale, 2 * scale, 3 * scale, 4 * scale, 5 * scale]);
    }
    all.push(Tree { decisions: 0, output: 1 });
    leaves.push(-1 << 40);
    let packed = PackedTrees::pack(kernels.level(), 2, vec![50_000, 0], all, decisions, leaves).map_err(text)?;
    let rows = [[-5_i32, 10], [-4, 11], [i32::MIN, 0], [7, -1], [8, i32::MIN], [i32::MAX, i32::MAX]];
    let mut out = [0; 12];
    kernel::tree_sums(kernels, rows.as_flattened(), &packed, &mut out);
    let leaf = |first: i64, second: i64| [50_000 + 1111 * first, 1111 * second - (1 << 40)];
    compare(&out, [leaf(1, 4), leaf(2, 3), leaf(1, 3), leaf(2, 4), leaf(2, 3), leaf(2, 3)].as_flattened())
}

fn compare<T: Element, E: Element>(found: &[T], expected: &[E]) -> Result<(), String> {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected): (i64, i64) = ((*found).into(), (*expected).into());
        if found != expected {
            return Err(format!("{found} at index {index}, not {expected}"));
        }
    }
    if found.len() == expected.len() { Ok(()) } else { Err(format!("{} results", found.len())) }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
