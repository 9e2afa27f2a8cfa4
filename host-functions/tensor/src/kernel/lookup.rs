//! Tables with an entry for every value of a type.

use super::{Kernels, vectors::low};
use crate::Element;

/// How many values an 8- or 16-bit type has.
pub(super) fn values<X: Element>() -> usize {
    1 << (8 * X::DTYPE.size())
}

/// The place of a value: the lowest of its type is 0.
#[inline(always)]
pub(super) fn index<X: Element>(x: X) -> usize {
    let x: i64 = x.into();
    let place = u64::from(low(x.wrapping_sub(X::DTYPE.min())).cast_unsigned());
    // At most 16 bits, which the compiler sees best where it is said.
    usize::try_from(place).unwrap_or(0) & (values::<X>() - 1)
}

/// `out_i = table[x_i - lowest value of x's type]`, for `x` of 8 or 16 bits. All levels read the table alike.
///
/// # Panics
/// Where the lengths differ or the table is not 256 or 65536 long, as the type has values.
pub fn lookup<X: Element, Y: Element>(k: &Kernels, x: &[X], table: &[Y], out: &mut [Y]) {
    assert_eq!(x.len(), out.len(), "results of another shape");
    assert!(X::DTYPE.size() <= 2 && table.len() == values::<X>(), "a table of another length");
    // An element costs about as much as this many multiplications of a product.
    const WORK: usize = 4;
    k.split_rows((x, 1), (out, 1), WORK, |x, out| {
        let table = &table[..values::<X>()];
        for (x, out) in x.iter().zip(out) {
            *out = table[index(*x)];
        }
    });
    #[cfg(test)]
    k.inject(crate::selftest::Primitive::Lookup, out);
}
