//! Shapes of two operands: aligned at their last axes, an axis that is missing or 1 is repeated, as opcodes do.

use super::lengths;

/// The common shape of two rows.
pub(super) fn shape(a: &[u32], b: &[u32]) -> Result<Vec<u32>, String> {
    let rank = a.len().max(b.len());
    let axis = |dims: &[u32], at: usize| (at + dims.len()).checked_sub(rank).map_or(1, |at| dims[at]);
    let both = |at: usize| match (axis(a, at), axis(b, at)) {
        (x, y) if x == y || y == 1 => Ok(x),
        (1, y) => Ok(y),
        _ => Err(format!("rows of shape {a:?} and {b:?}")),
    };
    (0..rank).map(both).collect()
}

/// How far an operand with the rows `dims` moves along the batch and each axis of a result with the rows `result`.
pub(super) fn strides(dims: &[u32], result: &[u32]) -> Vec<usize> {
    let mut strides = vec![0; result.len() + 1];
    let mut step = 1;
    for (stride, dim) in strides.iter_mut().rev().zip(lengths(dims).into_iter().rev()) {
        *stride = if dim == 1 { 0 } else { step };
        step *= dim;
    }
    strides[0] = step;
    strides
}

#[cfg(test)]
mod tests {
    use super::{shape, strides};

    #[test]
    fn shapes_and_strides() {
        assert_eq!(shape(&[4, 1], &[3]), Ok(vec![4, 3]));
        assert_eq!(shape(&[], &[2, 2]), Ok(vec![2, 2]));
        assert!(shape(&[2], &[3]).is_err());
        assert_eq!(strides(&[4, 1], &[4, 3]), [4, 1, 0]);
        assert_eq!(strides(&[3], &[4, 3]), [3, 0, 1]);
        assert_eq!(strides(&[], &[2, 2]), [1, 0, 0]);
    }
}
