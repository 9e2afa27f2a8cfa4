//! Recurrent networks, step by step.

use noema_abi::DType;
use noema_tensor::{OpError, Shape, Tensor, ops::Arg};

use super::{Composed, words};
use crate::ops::{Gru, Lstm};

const I16: u32 = 2;
const I32: u32 = 3;

impl Composed<'_> {
    /// Axis 1 of `x` from `first` on, as far as `count`.
    fn part(&self, x: &Tensor, first: u32, count: u32) -> Result<Tensor, OpError> {
        let dims = x.shape().dims();
        let (starts, sizes) = (words(&[0, first]), words(&[dims[0], count]));
        self.call("slice", &[Arg::Tensor(x), Arg::Bytes(&starts), Arg::Bytes(&sizes)])
    }

    /// What is read in a step: `[batch, gates * hidden]`.
    fn step(&self, t: u32) -> Result<Tensor, OpError> {
        let x = self.reads[0];
        let dims = x.shape().dims();
        let (starts, sizes) = (words(&[0, t, 0]), words(&[dims[0], 1, dims[2]]));
        let one = self.call("slice", &[Arg::Tensor(x), Arg::Bytes(&starts), Arg::Bytes(&sizes)])?;
        Ok(one.reshape(Shape::new(&[dims[0], dims[2]])?)?)
    }

    /// The requantised products of a state with rows of the weights.
    fn products(&self, h: &Tensor, hidden: u32, (first, gates): (u32, u32)) -> Result<Tensor, OpError> {
        let (skip, rows) = (first * hidden, gates * hidden);
        let take = |index: usize| self.parameters.i32s(index).skip(skip as usize).take(rows as usize);
        let weights: Vec<&[i8]> = self.parameters.i8s(0).chunks(hidden as usize).collect();
        let of_gates = &weights[skip as usize..][..rows as usize];
        let columns = (0..hidden as usize).flat_map(|j| of_gates.iter().map(move |row| row[j])).collect();
        let columns = Tensor::from_vec::<i8>(Shape::new(&[hidden, rows])?, columns)?;
        let sums = super::cast(&self.call("matmul", &[Arg::Tensor(h), Arg::Tensor(&columns)])?, DType::I64);
        let shape = Shape::new(&[rows])?;
        let bias = Tensor::from_vec::<i64>(shape.clone(), take(1).map(i64::from).collect())?;
        let sums = self.call("add", &[Arg::Tensor(&sums), Arg::Tensor(&bias)])?;
        let multipliers = Tensor::from_vec::<i32>(shape.clone(), take(2).collect())?;
        let shifts = Tensor::from_vec(shape, self.parameters.u8s(3)[skip as usize..][..rows as usize].to_vec())?;
        let scales = [Arg::Tensor(&sums), Arg::Tensor(&multipliers), Arg::Tensor(&shifts)];
        self.call("requantise", &[&scales[..], &[Arg::I32(0), Arg::U32(I32)]].concat())
    }

    /// `x / 2^bits` as `i16`.
    fn narrow(&self, x: &Tensor, bits: u8) -> Result<Tensor, OpError> {
        let multiplier = Tensor::from_vec::<i32>(Shape::default(), vec![1 << 30])?;
        let shift = Tensor::from_vec(Shape::default(), vec![30 + bits])?;
        let scales = [Arg::Tensor(x), Arg::Tensor(&multiplier), Arg::Tensor(&shift)];
        self.call("requantise", &[&scales[..], &[Arg::I32(0), Arg::U32(I16)]].concat())
    }

    fn gate(&self, name: &str, sums: &Tensor, in_bits: u8) -> Result<Tensor, OpError> {
        let x = self.narrow(sums, 16 - in_bits)?;
        self.call(name, &[Arg::Tensor(&x), Arg::U32(in_bits.into()), Arg::U32(24), Arg::U32(I32)])
    }

    fn sigmoid(&self, sums: &Tensor) -> Result<Tensor, OpError> {
        self.gate("sigmoid", sums, 11)
    }

    fn tanh(&self, sums: &Tensor) -> Result<Tensor, OpError> {
        self.gate("tanh", sums, 12)
    }

    fn sum(&self, name: &str, a: &Tensor, b: &Tensor) -> Result<Tensor, OpError> {
        self.call(name, &[Arg::Tensor(a), Arg::Tensor(b)])
    }

    /// `a * b / 2^bits`.
    fn times(&self, a: &Tensor, b: &Tensor, bits: u32, dtype: u32) -> Result<Tensor, OpError> {
        let numbers = [Arg::I32(1 << 30), Arg::U32(30 + bits), Arg::I32(0), Arg::U32(dtype)];
        self.call("mul_requantise", &[&[Arg::Tensor(a), Arg::Tensor(b)], &numbers[..]].concat())
    }

    /// Runs `step` for every step, from states of zeros, and puts together what it gives.
    fn steps(
        &self,
        hidden: u32,
        (reverse, all): (bool, bool),
        mut step: impl FnMut(Tensor, &Tensor) -> Result<Tensor, OpError>,
    ) -> Result<Tensor, OpError> {
        let dims = self.reads[0].shape().dims().to_vec();
        let zeros = vec![0_i16; (dims[0] * hidden) as usize];
        let mut h = Tensor::from_vec(Shape::new(&[dims[0], hidden])?, zeros)?;
        let mut states = vec![];
        for t in 0..dims[1] {
            h = step(self.step(if reverse { dims[1] - 1 - t } else { t })?, &h)?;
            states.push(h.reshape(Shape::new(&[dims[0], 1, hidden])?)?);
        }
        if !all {
            return Ok(h);
        }
        if reverse {
            states.reverse();
        }
        let first = states.remove(0);
        states
            .iter()
            .try_fold(first, |so_far, one| self.call("concat", &[Arg::Tensor(&so_far), Arg::Tensor(one), Arg::U32(1)]))
    }

    pub(super) fn lstm(&self, op: &Lstm) -> Result<Tensor, OpError> {
        let hidden = op.hidden;
        let batch = self.reads[0].shape().dims()[0];
        let zeros = vec![0_i32; (batch * hidden) as usize];
        let mut c = Tensor::from_vec(Shape::new(&[batch, hidden])?, zeros)?;
        self.steps(hidden, (op.reverse, op.all), |x, h| {
            let sums = self.sum("add", &x, &self.products(h, hidden, (0, 4))?)?;
            let part = |gate: u32| self.part(&sums, gate * hidden, hidden);
            let (input, output, forget) =
                (self.sigmoid(&part(0)?)?, self.sigmoid(&part(1)?)?, self.sigmoid(&part(2)?)?);
            let new = self.tanh(&part(3)?)?;
            c = self.sum("add", &self.times(&forget, &c, 24, I32)?, &self.times(&input, &new, 28, I32)?)?;
            let bent =
                self.call("tanh", &[Arg::Tensor(&self.narrow(&c, 8)?), Arg::U32(12), Arg::U32(24), Arg::U32(I32)])?;
            self.times(&output, &bent, 33, I16)
        })
    }

    pub(super) fn gru(&self, op: &Gru) -> Result<Tensor, OpError> {
        let hidden = op.hidden;
        let batch = self.reads[0].shape().dims()[0];
        let zeros = vec![0_i32; (batch * hidden) as usize];
        let mut wide = Tensor::from_vec(Shape::new(&[batch, hidden])?, zeros)?;
        self.steps(hidden, (op.reverse, op.all), |x, h| {
            let sums = self.products(h, hidden, (0, 2))?;
            let sums = self.sum("add", &self.part(&x, 0, 2 * hidden)?, &sums)?;
            let update = self.sigmoid(&self.part(&sums, 0, hidden)?)?;
            let reset = self.sigmoid(&self.part(&sums, hidden, hidden)?)?;
            let of_state = if op.reset_after {
                self.times(&reset, &self.products(h, hidden, (2, 1))?, 24, I32)?
            } else {
                self.products(&self.times(&reset, h, 24, I16)?, hidden, (2, 1))?
            };
            let new = self.tanh(&self.sum("add", &self.part(&x, 2 * hidden, hidden)?, &of_state)?)?;
            wide = self.sum("add", &new, &self.times(&update, &self.sum("sub", &wide, &new)?, 24, I32)?)?;
            self.narrow(&wide, 9)
        })
    }
}
