//! Cases of the rows that have no list of their own in `known.rs`.

use super::{compare, known_rows as known};
use crate::{
    Element, Kernels,
    kernel::{
        self, Axis, Binary, Format, Function, Head, Norm, Numbers, Operand, Order, ProductScale, Reduction, Relation,
        Softmax, Unary,
    },
};

/// A normalisation of one row.
pub(super) struct NormRow {
    pub(super) name: &'static str,
    pub(super) x: &'static [i32],
    pub(super) gain: &'static [i32],
    pub(super) bias: Option<&'static [i32]>,
    pub(super) epsilon: u64,
    pub(super) shift: u32,
    pub(super) expected: &'static [i32],
}

/// Values of a function.
pub(super) struct Values {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) in_bits: u32,
    pub(super) out_bits: u32,
    pub(super) x: &'static [i16],
    pub(super) expected: &'static [i32],
}

/// Attention of one head.
pub(super) struct AttentionHead {
    pub(super) name: &'static str,
    pub(super) q: &'static [i8],
    pub(super) k: &'static [i8],
    pub(super) v: &'static [i8],
    /// Queries, keys, depth, width.
    pub(super) sizes: [usize; 4],
    pub(super) length: usize,
    pub(super) position: Option<u32>,
    pub(super) softmax: (i32, u32),
    pub(super) scale: (i32, u32),
    pub(super) expected: &'static [i8],
}

/// How many cases there are.
#[cfg(test)]
pub(super) const CASES: usize = known::NORMS.len() + known::FUNCTIONS.len() + known::ATTENTION.len() + 1 + ELEMENTWISE;

/// Every case with its result.
pub(super) fn cases(kernels: &Kernels) -> impl Iterator<Item = (&'static str, Result<(), String>)> {
    let norms = known::NORMS.iter().map(|case| (case.name, norm(kernels, case)));
    let functions = known::FUNCTIONS.iter().map(|case| (case.name, function(kernels, case)));
    let attention = known::ATTENTION.iter().map(|case| (case.name, attention(kernels, case)));
    norms.chain(functions).chain(attention).chain([("lookup", lookup(kernels))]).chain(elementwise(kernels))
}

fn norm(kernels: &Kernels, case: &NormRow) -> Result<(), String> {
    let norm = Norm { gain: case.gain, bias: case.bias, epsilon: case.epsilon, shift: case.shift };
    let mut out = vec![-77i32; case.x.len()];
    kernel::norm_rows(kernels, case.x, case.x.len(), norm, &mut out);
    compare(&out, case.expected)?;
    // The same from 16 bits, where the values fit.
    let narrow: Result<Vec<i16>, _> = case.x.iter().map(|x| i16::try_from(*x)).collect();
    if let Ok(narrow) = narrow {
        kernel::norm_rows(kernels, &narrow, narrow.len(), norm, &mut out);
        compare(&out, case.expected)?;
    }
    Ok(())
}

fn function(kernels: &Kernels, case: &Values) -> Result<(), String> {
    let format = Format { in_bits: case.in_bits, out_bits: case.out_bits };
    let mut out = vec![-77i32; case.x.len()];
    kernel::apply_function(kernels, case.function, format, case.x, &mut out);
    compare(&out, case.expected)
}

fn attention(kernels: &Kernels, case: &AttentionHead) -> Result<(), String> {
    let [queries, keys, depth, width] = case.sizes;
    let AttentionHead { q, k, v, length, position, .. } = *case;
    let head = Head { q, k, v, queries, keys, depth, width, length, position };
    let softmax = Softmax::new(case.softmax.0, case.softmax.1, 0).map_err(super::text)?;
    let mut out = vec![77i8; case.expected.len()];
    kernel::attention_head(kernels, &head, softmax, case.scale, &mut out).map_err(super::text)?;
    compare(&out, case.expected)
}

fn lookup(kernels: &Kernels) -> Result<(), String> {
    let table: Vec<i16> = (0..256).map(|i: i64| i16::saturate_i64(i * i / 2 - 77)).collect();
    let mut out = vec![0i16; 4];
    kernel::lookup(kernels, &[-128i8, -1, 0, 127], &table, &mut out);
    compare(&out, &[-77i16, 7987, 8115, 32435])?;
    let bytes: Vec<u8> = (0..=255).map(|i: u8| i.reverse_bits()).collect();
    let mut out = vec![0u8; 3];
    kernel::lookup(kernels, &[0u8, 1, 254], &bytes, &mut out);
    compare(&out, &[0u8, 128, 127])?;
    let wide: Vec<i32> = (i32::from(i16::MIN)..=i32::from(i16::MAX)).map(|i| i * 3).collect();
    let mut out = vec![0i32; 3];
    kernel::lookup(kernels, &[i16::MIN, -1, i16::MAX], &wide, &mut out);
    compare(&out, &[-98_304i32, -3, 98_301])
}

#[cfg(test)]
const ELEMENTWISE: usize = 9;

/// One axis, and two operands of as many elements.
const LINE: &[usize] = &[1];

fn line<T>(values: &[T]) -> Operand<'_, T> {
    Operand { values, strides: LINE }
}

fn elementwise(kernels: &Kernels) -> [(&'static str, Result<(), String>); 9] {
    [
        ("binary", binary(kernels)),
        ("comparison", comparison(kernels)),
        ("select", select(kernels)),
        ("product with a scale", mul_requantise(kernels)),
        ("unary", unary(kernels)),
        ("step of a row", row_step(kernels)),
        ("rows quantised", quantise_rows(kernels)),
        ("reductions", reductions(kernels)),
        ("order", order(kernels)),
    ]
}

fn binary(kernels: &Kernels) -> Result<(), String> {
    let (a, b) = ([-100i8, 127, -128, 100], [50i8, -1, -1, 3]);
    for (op, expected) in [
        (Binary::Add, [-50i8, 126, -128, 103]),
        (Binary::Sub, [-128, 127, -127, 97]),
        (Binary::Mul, [-128, -127, 127, 127]),
        (Binary::Min, [-100, -1, -128, 3]),
        (Binary::Max, [50, 127, -1, 100]),
        (Binary::And, [16, 127, -128, 0]),
        (Binary::Or, [-66, -1, -1, 103]),
        (Binary::Xor, [-82, -128, 127, 103]),
    ] {
        let mut out = [7i8; 4];
        kernel::binary(kernels, op, &[4], line(&a), line(&b), &mut out);
        compare(&out, &expected)?;
    }
    let mut out = [0i64; 2];
    let wide = ([i64::MIN, i64::MAX], [i64::MAX, 2]);
    kernel::binary(kernels, Binary::Mul, &[2], line(&wide.0), line(&wide.1), &mut out);
    compare(&out, &[i64::MIN, i64::MAX])?;
    if kernel::binary_checked(kernels, Binary::Mul, &[2], line(&wide.0), line(&wide.1), &mut out) {
        return Err("an overflow was not seen".to_owned());
    }
    let fits = kernel::binary_checked(kernels, Binary::Sub, &[4], line(&[5u8; 4]), line(&[5u8, 4, 0, 1]), &mut [0; 4]);
    if fits { Ok(()) } else { Err("an overflow where there is none".to_owned()) }
}

fn comparison(kernels: &Kernels) -> Result<(), String> {
    let (a, b) = ([1i32, 2, 3, i32::MIN], [2i32, 2, -2, i32::MAX]);
    for (relation, expected) in
        [(Relation::Equal, [0u8, 1, 0, 0]), (Relation::Less, [1, 0, 0, 1]), (Relation::LessOrEqual, [1, 1, 0, 1])]
    {
        let mut out = [7u8; 4];
        kernel::compare(kernels, relation, &[4], line(&a), line(&b), &mut out);
        compare(&out, &expected)?;
    }
    Ok(())
}

fn select(kernels: &Kernels) -> Result<(), String> {
    let mut out = [0i16; 4];
    let (a, b) = ([1i16, 2, 3, 4], [-1i16, -2, -3, -4]);
    kernel::select(kernels, &[4], line(&[0, 1, 255, 0]), line(&a), line(&b), &mut out);
    compare(&out, &[-1i16, 2, 3, -4])
}

fn mul_requantise(kernels: &Kernels) -> Result<(), String> {
    // Products of 5, 15, -25 and 2^53, halved: ties to even, then saturated.
    let scale = ProductScale { multiplier: 1 << 30, shift: 31, zero_point: 0 };
    let (a, b) = ([1i32, 3, -5, 1 << 22], [5i64, 5, 5, 1 << 31]);
    let mut out = [0i32; 4];
    let operands = ((Numbers::I32(&a), LINE), (Numbers::I64(&b), LINE));
    kernel::mul_requantise(kernels, scale, &[4], operands.0, operands.1, &mut out);
    compare(&out, &[2i32, 8, -12, i32::MAX])
}

fn unary(kernels: &Kernels) -> Result<(), String> {
    let x = [-128i8, -5, 0, 127];
    for (op, expected) in [
        (Unary::Neg, [127i8, 5, 0, -127]),
        (Unary::Abs, [127, 5, 0, 127]),
        (Unary::Not, [127, 4, -1, -128]),
        (Unary::Clamp(-7, 100), [-7, -5, 0, 100]),
        (Unary::Shift(1), [-128, -10, 0, 127]),
        (Unary::Shift(-1), [-64, -2, 0, 64]),
    ] {
        let mut out = [7i8; 4];
        kernel::unary(kernels, op, &x, &mut out);
        compare(&out, &expected)?;
    }
    Ok(())
}

fn row_step(kernels: &Kernels) -> Result<(), String> {
    let mut out = [0i64; 3];
    kernel::row_step(kernels, &[0i32, 0, -127, 5, i32::MIN, 1], 2, 127, &mut out);
    compare(&out, &[1i64, 1 << 32, 72_624_976_668_147_842])
}

fn quantise_rows(kernels: &Kernels) -> Result<(), String> {
    let mut out = [0i8; 4];
    kernel::quantise_rows(kernels, &[5i32, -7, i32::MIN, 0], 2, &[1 << 33, 72_624_976_668_147_842], &mut out);
    compare(&out, &[2i8, -4, -127, 0])
}

fn reductions(kernels: &Kernels) -> Result<(), String> {
    // [2][3][2], along the axis of 3.
    let x = [1i32, -7, 2, i32::MIN, 4, 5, 0, 1, 0, i32::MAX, 1, 3];
    let axis = Axis { count: 3, inner: 2 };
    for (reduction, expected) in [
        (Reduction::Mean, [2i32, -715_827_883, 0, 715_827_884]),
        (Reduction::Min, [1, i32::MIN, 0, 1]),
        (Reduction::Max, [4, 5, 1, i32::MAX]),
    ] {
        let mut out = [7i32; 4];
        kernel::reduce(kernels, reduction, axis, &x, &mut out);
        compare(&out, &expected)?;
    }
    let mut out = [0i64; 4];
    let fits = kernel::reduce_sum(kernels, axis, &x, &mut out);
    compare(&out, &[7i64, -2_147_483_650, 1, 2_147_483_651])?;
    let mut sums = [0i64; 4];
    let wide = kernel::cumulative_sum(kernels, Axis { count: 4, inner: 1 }, &[i64::MAX, -1, 1, 1], &mut sums);
    compare(&sums, &[i64::MAX, i64::MAX - 1, i64::MAX, i64::MAX])?;
    let products = kernel::reduce_prod(kernels, axis, &x, &mut out);
    compare(&out, &[8i64, 7 * 5 * (1 << 31), 0, 6_442_450_941])?;
    let mut product = [0i64; 3];
    let factors = [i64::MIN, i64::MAX, 0, -1, 1 << 62, -2, 3, i64::MAX, 1];
    let left = kernel::reduce_prod(kernels, Axis { count: 3, inner: 1 }, &factors, &mut product);
    compare(&product, &[0i64, i64::MAX, i64::MAX])?;
    let fits = fits && products && !left;
    if fits && !wide { Ok(()) } else { Err("an overflow was seen where there is none, or not seen".to_owned()) }
}

fn order(kernels: &Kernels) -> Result<(), String> {
    let x = [3i16, -1, 3, i16::MIN, i16::MAX, 0, 0, 0];
    let mut out = [7i16; 8];
    kernel::sort_rows(kernels, Order::Ascending, &x, 4, &mut out);
    compare(&out, &[i16::MIN, -1, 3, 3, 0, 0, 0, i16::MAX])?;
    kernel::sort_rows(kernels, Order::Descending, &x, 8, &mut out);
    compare(&out, &[i16::MAX, 3, 3, 0, 0, 0, -1, i16::MIN])?;
    // Enough short rows for several at a time.
    let (many, mut out) = ([x, x].concat(), [7i16; 16]);
    kernel::sort_rows(kernels, Order::Ascending, &many, 2, &mut out);
    compare(&out, &[[-1, 3, i16::MIN, 3, 0, i16::MAX, 0, 0]; 2].concat())?;
    let mut out = [77; 6];
    kernel::top_rows(kernels, Order::Descending, &x, 4, 3, &mut out);
    compare(&out, &[0, 2, 1, 0, 1, 2])?;
    kernel::top_rows(kernels, Order::Ascending, &x, 4, 3, &mut out);
    compare(&out, &[3, 1, 0, 1, 2, 3])?;
    let mut out = [77; 2];
    kernel::top_rows(kernels, Order::Descending, &[i64::MIN, i64::MAX], 2, 2, &mut out);
    compare(&out, &[1, 0])
}
