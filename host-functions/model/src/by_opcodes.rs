//! Running a graph opcode by opcode, as a contract would: the oracle of the operators.

use noema_abi::DType;
use noema_tensor::{Kernels, OpError, Shape, Tensor, ops, ops::Arg};

use crate::{
    Extent, Model,
    graph::{Edge, EdgeId},
    ops::{Op, TreeEnsemble, Window},
    parameters::Parameters,
};

mod recurrent;

/// Runs the graph opcode by opcode, as a contract would.
pub(crate) fn by_opcodes(model: &Model, kernels: &Kernels, inputs: &[&Tensor]) -> Result<Vec<Tensor>, OpError> {
    let tensors = edges_by_opcodes(model, kernels, inputs)?;
    let output = |id: &EdgeId| tensors[usize::try_from(id.0).unwrap()].clone();
    Ok(model.graph().outputs.iter().map(output).collect())
}

/// The same, with what flows on every edge.
pub(crate) fn edges_by_opcodes(model: &Model, kernels: &Kernels, inputs: &[&Tensor]) -> Result<Vec<Tensor>, OpError> {
    let mut tensors: Vec<Tensor> = inputs.iter().map(|x| (*x).clone()).collect();
    let Extent { batch, length } = model.extent_of(inputs)?;
    let edges = model.graph().edges_at(length).unwrap();
    for (index, node) in model.graph().nodes.iter().enumerate() {
        let output = &edges[inputs.len() + index];
        let with_batch = |dims: &[u32]| Shape::new(&[&[batch], dims].concat()).unwrap().to_le_bytes();
        let read = |input: usize| &tensors[usize::try_from(node.inputs[input].0).unwrap()];
        let parameters = model.parameters(index);
        let y = match &node.op {
            Op::Linear(linear) => {
                let (n, k) = (linear.outputs, *read(0).shape().dims().last().unwrap());
                let rows: Vec<_> = parameters.i8s(0).chunks(usize::try_from(k).unwrap()).collect();
                let columns = (0..rows[0].len()).flat_map(|j| rows.iter().map(move |row| row[j])).collect();
                let weights = Tensor::from_vec::<i8>(Shape::new(&[k, n])?, columns)?;
                let plan = ops::matmul::plan(read(0), &weights)?;
                let sums = ops::matmul::run(kernels, &plan, read(0), &weights)?;
                let shape = Shape::new(&[n])?;
                // Sums that the opcode has in 64 bits and the model, by its proof, in 32, or the other way round.
                let sums = cast(&sums, linear.accumulator);
                let bias = match sums.dtype() {
                    DType::I64 => Tensor::from_vec(shape, parameters.i32s(1).map(i64::from).collect())?,
                    _ => Tensor::from_vec(shape, parameters.i32s(1).collect())?,
                };
                let plan = ops::add::plan(&sums, &bias)?;
                ops::add::run(kernels, &plan, &sums, &bias)?
            }
            Op::Requantise(requantise) => {
                let channels = u32::try_from(parameters.u8s(1).len()).unwrap();
                let shape = if requantise.per_channel { Shape::new(&[channels])? } else { Shape::default() };
                let multiplier = Tensor::from_vec(shape.clone(), parameters.i32s(0).collect())?;
                let shift = Tensor::from_vec(shape, parameters.u8s(1).to_vec())?;
                let (zero_point, dtype) = (requantise.zero_point, requantise.dtype.code());
                let plan = ops::requantise::plan(read(0), &multiplier, &shift, zero_point, dtype)?;
                ops::requantise::run(kernels, &plan, read(0), &multiplier, &shift, zero_point, dtype)?
            }
            Op::AddConst(_) => {
                let constants: Vec<i32> = parameters.i32s(0).collect();
                let shape = Shape::new(&[u32::try_from(constants.len()).unwrap()])?;
                let constants = Tensor::from_vec(shape, constants)?;
                let plan = ops::add::plan(read(0), &constants)?;
                ops::add::run(kernels, &plan, read(0), &constants)?
            }
            Op::Relu(_) => ops::relu::run(kernels, &ops::relu::plan(read(0))?, read(0))?,
            Op::Softmax(softmax) => {
                let (shift, bits) = (softmax.shift.into(), softmax.fraction_bits.into());
                let plan = ops::softmax::plan(read(0), softmax.multiplier, shift, bits)?;
                ops::softmax::run(kernels, &plan, read(0), softmax.multiplier, shift, bits)?
            }
            Op::Argmax(_) => ops::argmax::run(kernels, &ops::argmax::plan(read(0))?, read(0))?,
            Op::TreeEnsemble(trees) => followed(trees, &parameters, read(0)),
            Op::Add(_) => ops::add::run(kernels, &ops::add::plan(read(0), read(1))?, read(0), read(1))?,
            other => {
                let reads: Vec<&Tensor> = (0..node.inputs.len()).map(read).collect();
                Composed { kernels, parameters, reads, output, with_batch: &with_batch }.of(other)?
            }
        };
        tensors.push(y);
    }
    Ok(tensors)
}

fn cast(x: &Tensor, dtype: DType) -> Tensor {
    match (x.dtype(), dtype) {
        (DType::I64, DType::I32) => {
            let values = x.to_vec::<i64>().unwrap().into_iter().map(|value| i32::try_from(value).unwrap());
            Tensor::from_vec(x.shape().clone(), values.collect()).unwrap()
        }
        (DType::I32, DType::I64) => {
            let values = x.to_vec::<i32>().unwrap().into_iter().map(i64::from);
            Tensor::from_vec::<i64>(x.shape().clone(), values.collect()).unwrap()
        }
        _ => x.clone(),
    }
}

/// The leaves that each row leads to, from the documentation of the operator, one way at a time.
fn followed(trees: &TreeEnsemble, parameters: &Parameters<'_>, x: &Tensor) -> Tensor {
    let place = |value: i32| usize::try_from(value).unwrap();
    let column = |index: usize| parameters.i32s(index).collect::<Vec<_>>();
    let (feature, left, right) = (column(2), column(4), column(5));
    let (thresholds, values): (Vec<i64>, Vec<i64>) = match x.dtype() {
        DType::I64 => (parameters.i64s(3).collect(), x.to_vec().unwrap()),
        _ => {
            let values: Vec<i32> = x.to_vec().unwrap();
            (column(3).into_iter().map(i64::from).collect(), values.into_iter().map(i64::from).collect())
        }
    };
    let x_min = x.dtype().min();
    let leaves: Vec<i64> = parameters.i64s(7).collect();
    let width = place(i32::try_from(*x.shape().dims().last().unwrap()).unwrap());
    let mut sums = Vec::new();
    for row in values.chunks(width) {
        let mut of_row: Vec<i128> = parameters.i64s(8).map(i128::from).collect();
        let (mut first, mut first_leaf) = (0, 0);
        for (decisions, output) in column(0).into_iter().zip(column(1)) {
            let mut way = if decisions == 0 { -1 } else { 0 };
            while way >= 0 {
                let at = first + place(way);
                let x = row[place(feature[at])];
                let flags = parameters.u8s(6)[at];
                let goes_left =
                    if x == x_min || (x == 0 && flags & 2 == 2) { flags & 1 == 1 } else { x <= thresholds[at] };
                way = if goes_left { left[at] } else { right[at] };
            }
            of_row[place(output)] += i128::from(leaves[first_leaf + place(-1 - way)]);
            first += place(decisions);
            first_leaf += place(decisions) + 1;
        }
        sums.extend(of_row.into_iter().map(|sum| i64::try_from(sum).unwrap()));
    }
    let mut dims = x.shape().dims().to_vec();
    *dims.last_mut().unwrap() = trees.outputs;
    Tensor::from_vec(Shape::new(&dims).unwrap(), sums).unwrap()
}

/// An operator as its documentation composes it.
struct Composed<'a> {
    kernels: &'a Kernels,
    parameters: Parameters<'a>,
    reads: Vec<&'a Tensor>,
    output: &'a Edge,
    with_batch: &'a dyn Fn(&[u32]) -> Vec<u8>,
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn counts(tensor: &Tensor) -> Vec<u8> {
    tensor.to_vec::<i32>().unwrap().into_iter().flat_map(i32::to_le_bytes).collect()
}

impl Composed<'_> {
    fn call(&self, name: &str, args: &[Arg<'_>]) -> Result<Tensor, OpError> {
        ops::call(self.kernels, name, args)
    }

    fn window(&self, name: &str, x: &Tensor, window: &Window, more: Option<u32>) -> Result<Tensor, OpError> {
        let Window { kernel, strides, pads, dilations } = window;
        let (kernel, strides, pads, dilations) = (words(kernel), words(strides), words(pads), words(dilations));
        let mut args =
            vec![Arg::Tensor(x), Arg::Bytes(&kernel), Arg::Bytes(&strides), Arg::Bytes(&pads), Arg::Bytes(&dilations)];
        args.extend(more.map(Arg::U32));
        self.call(name, &args)
    }

    /// A parameter as a tensor.
    fn parameter(&self, index: usize, dtype: DType, shape: &[u32]) -> Tensor {
        let shape = Shape::new(shape).unwrap();
        match dtype {
            DType::I8 => Tensor::from_vec(shape, self.parameters.i8s(index).to_vec()),
            DType::I16 => Tensor::from_vec(shape, self.parameters.i16s(index).collect()),
            _ => Tensor::from_vec(shape, self.parameters.i32s(index).collect()),
        }
        .unwrap()
    }

    fn turned(&self, x: &Tensor, shape: &[u32], axes: &[u32]) -> Result<Tensor, OpError> {
        let split = self.call("reshape", &[Arg::Tensor(x), Arg::Bytes(&words(shape))])?;
        self.call("transpose", &[Arg::Tensor(&split), Arg::Bytes(&words(axes))])
    }

    fn of(&self, op: &Op) -> Result<Tensor, OpError> {
        let x = self.reads[0];
        let dims = x.shape().dims().to_vec();
        let last = dims.last().copied().unwrap_or(1);
        match op {
            Op::Embedding(op) => {
                let table = self.parameter(0, op.dtype, &[op.rows, op.columns]);
                self.call("gather", &[Arg::Tensor(&table), Arg::Tensor(x), Arg::U32(0)])
            }
            Op::AddRows(op) => {
                let table = self.parameter(0, x.dtype(), &[op.rows, last]);
                let (starts, sizes) = (words(&[0, 0]), words(&[dims[dims.len() - 2], last]));
                let used = self.call("slice", &[Arg::Tensor(&table), Arg::Bytes(&starts), Arg::Bytes(&sizes)])?;
                self.call("add", &[Arg::Tensor(x), Arg::Tensor(&used)])
            }
            Op::LayerNorm(op) => {
                let (gain, bias) = (self.parameter(0, DType::I32, &[last]), self.parameter(1, DType::I32, &[last]));
                let numbers = [Arg::U64(op.epsilon), Arg::U32(op.shift.into()), Arg::U32(op.dtype.code())];
                self.call(
                    "layer_norm",
                    &[&[Arg::Tensor(x), Arg::Tensor(&gain), Arg::Tensor(&bias)], &numbers[..]].concat(),
                )
            }
            Op::Function(op) => {
                let name = format!("{:?}", op.function().unwrap()).to_lowercase();
                let bits = [Arg::U32(op.in_bits.into()), Arg::U32(op.out_bits.into()), Arg::U32(op.dtype.code())];
                self.call(&name, &[&[Arg::Tensor(x)], &bits[..]].concat())
            }
            Op::Lookup(op) => {
                let table = self.parameter(0, op.dtype, &[1 << (8 * u32::try_from(x.dtype().size()).unwrap())]);
                self.call("lookup", &[Arg::Tensor(x), Arg::Tensor(&table)])
            }
            Op::MatMul(_) => self.call("matmul", &[Arg::Tensor(x), Arg::Tensor(self.reads[1])]),
            Op::Attention(op) => {
                let (k, v) = (self.reads[1], self.reads[2]);
                let (batch, heads, groups) = (dims[0], op.heads, op.key_heads);
                let split = |x: &Tensor, heads: u32| {
                    let dims = x.shape().dims();
                    self.turned(x, &[batch, dims[1], heads, dims[2] / heads], &[0, 2, 1, 3])
                };
                let (q, k, v) = (split(x, heads)?, split(k, groups)?, split(v, groups)?);
                let lengths = if op.masked { counts(self.reads[3]) } else { vec![] };
                let zeros = vec![0; 4 * usize::try_from(batch).unwrap()];
                let positions: &[u8] = if op.causal { &zeros } else { &[] };
                let y = self.call(
                    "attention",
                    &[
                        Arg::Tensor(&q),
                        Arg::Tensor(&k),
                        Arg::Tensor(&v),
                        Arg::Bytes(&lengths),
                        Arg::Bytes(positions),
                        Arg::I32(op.multiplier),
                        Arg::U32(op.shift.into()),
                        Arg::I32(op.out_multiplier),
                        Arg::U32(op.out_shift.into()),
                    ],
                )?;
                let back = self.call("transpose", &[Arg::Tensor(&y), Arg::Bytes(&words(&[0, 2, 1, 3]))])?;
                self.call("reshape", &[Arg::Tensor(&back), Arg::Bytes(&(self.with_batch)(&self.output.dims))])
            }
            Op::Reshape(_) => {
                self.call("reshape", &[Arg::Tensor(x), Arg::Bytes(&(self.with_batch)(&self.output.dims))])
            }
            Op::Transpose(op) => {
                let axes: Vec<u32> = [0].into_iter().chain(op.axes.iter().map(|axis| axis + 1)).collect();
                self.call("transpose", &[Arg::Tensor(x), Arg::Bytes(&words(&axes))])
            }
            Op::Concat(op) => self.call("concat", &[Arg::Tensor(x), Arg::Tensor(self.reads[1]), Arg::U32(op.axis + 1)]),
            Op::Slice(op) => {
                let starts = words(&[&[0], &op.starts[..]].concat());
                let sizes = (self.with_batch)(&self.output.dims);
                self.call("slice", &[Arg::Tensor(x), Arg::Bytes(&starts), Arg::Bytes(&sizes)])
            }
            Op::Mul(op) => {
                // Rows are broadcast for themselves: the shorter one gets axes of 1 behind the batch.
                let rank = x.shape().rank().max(self.reads[1].shape().rank());
                let full = |x: &Tensor| {
                    let (batch, dims) = x.shape().dims().split_first().unwrap();
                    let ones = vec![1; rank - 1 - dims.len()];
                    x.reshape(Shape::new(&[&[*batch], &ones[..], dims].concat()).unwrap()).unwrap()
                };
                let (a, b) = (full(x), full(self.reads[1]));
                let numbers = [Arg::I32(op.multiplier), Arg::U32(op.shift.into()), Arg::I32(op.zero_point)];
                let dtype = [Arg::U32(op.dtype.code())];
                self.call("mul_requantise", &[&[Arg::Tensor(&a), Arg::Tensor(&b)], &numbers[..], &dtype].concat())
            }
            Op::RowStep(op) => self.call("row_step", &[Arg::Tensor(x), Arg::U32(op.dtype.code())]),
            Op::QuantiseRows(op) => {
                self.call("quantise_rows", &[Arg::Tensor(x), Arg::Tensor(self.reads[1]), Arg::U32(op.dtype.code())])
            }
            Op::MeanPool(_) => {
                let mut bytes = vec![];
                for (row, count) in (0..).zip(self.reads[1].to_vec::<i32>().unwrap()) {
                    let count = u32::try_from(count).unwrap();
                    let (starts, sizes) = (words(&[row, 0, 0]), words(&[1, count, last]));
                    let part = self.call("slice", &[Arg::Tensor(x), Arg::Bytes(&starts), Arg::Bytes(&sizes)])?;
                    bytes.extend(self.call("reduce_mean", &[Arg::Tensor(&part), Arg::U32(1)])?.to_le_bytes()?);
                }
                Tensor::from_le_bytes(x.dtype(), Shape::new(&[dims[0], last])?, &bytes)
            }
            Op::L2Norm(op) => {
                let numbers = [Arg::U64(op.epsilon), Arg::U32(op.fraction_bits.into()), Arg::U32(op.dtype.code())];
                self.call("l2_norm", &[&[Arg::Tensor(x)], &numbers[..]].concat())
            }
            Op::Conv2d(op) => {
                let Window { kernel: [rows, columns], strides, pads, dilations } = &op.window;
                let weights = self.parameter(0, DType::I8, &[op.outputs, *rows, *columns, last / op.groups]);
                let moves = [words(strides), words(pads), words(dilations)];
                let [strides, pads, dilations] = [&moves[0], &moves[1], &moves[2]].map(|moves| Arg::Bytes(moves));
                let numbers = [strides, pads, dilations, Arg::U32(op.groups), Arg::I32(op.pad_value)];
                let sums = self.call("conv2d", &[&[Arg::Tensor(x), Arg::Tensor(&weights)], &numbers[..]].concat())?;
                let bias: Vec<i64> = self.parameters.i32s(1).map(i64::from).collect();
                // In 64 bits, whatever the opcode summed in: the proof says that both are the same.
                let wide: Vec<i64> = match sums.dtype() {
                    DType::I32 => sums.to_vec::<i32>()?.into_iter().map(i64::from).collect(),
                    _ => sums.to_vec()?,
                };
                let sums = wide.iter().zip(bias.iter().cycle()).map(|(sum, bias)| sum + bias);
                let shape = Shape::new(&[&[dims[0]], &self.output.dims[..]].concat())?;
                match op.accumulator {
                    DType::I32 => Tensor::from_vec(shape, sums.map(|y| i32::try_from(y).unwrap()).collect()),
                    _ => Tensor::from_vec::<i64>(shape, sums.collect()),
                }
            }
            Op::MaxPool(op) => self.window("max_pool", x, &op.window, None),
            Op::AveragePool(op) => self.window("average_pool", x, &op.window, Some(op.count_pads.into())),
            Op::GlobalAveragePool(_) => self.call("global_average_pool", &[Arg::Tensor(x)]),
            Op::Lstm(op) => self.lstm(op),
            Op::Gru(op) => self.gru(op),
            _ => unreachable!("{} is composed above", op.name()),
        }
    }
}
