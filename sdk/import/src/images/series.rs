//! Nodes of recurrent networks: their layers, what turns and picks the axes of a series, and zeros of a computed shape.

use noema_model::ops::MAX_HIDDEN;

use super::{
    net::{Cell, Op, Product, Recurrent, Step, Way},
    nodes::Read,
    read::Value,
    site::Site,
};

/// An axis of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Batch,
    Steps,
    /// The directions of a layer.
    Ways,
    Channels,
}

/// As an activation has them: then it is one like any other.
const ROWS: [Axis; 3] = [Axis::Batch, Axis::Steps, Axis::Channels];
const ROW: [Axis; 2] = [Axis::Batch, Axis::Channels];

fn value(at: usize, axes: Vec<Axis>) -> Value {
    if axes == ROWS || axes == ROW { Value::Real(at) } else { Value::Series(at, axes) }
}

pub(super) fn is_recurrent(operator: &str) -> bool {
    matches!(operator, "LSTM" | "GRU")
}

/// The function of an operator, if it can be imported.
pub(super) fn reader_of(operator: &str) -> Option<Read> {
    Some(match operator {
        // Read by `recurrent`, because it can have several results.
        "LSTM" | "GRU" => |_| Err("has several results".into()),
        "Transpose" => transpose,
        "Squeeze" => squeeze,
        "Gather" => gather,
        "Slice" => slice,
        "Shape" => |_| Ok(Value::Shape),
        "Unsqueeze" | "ConstantOfShape" | "Expand" => |_| Err("can be imported where it makes zeros of a shape".into()),
        _ => return None,
    })
}

/// What comes of the shape of something: other numbers of it, and zeros.
pub(super) fn of_shapes(site: &Site<'_>) -> Result<Option<Value>, String> {
    let inputs = (0..site.node.input.len()).filter_map(|index| site.optional(index));
    let (mut shape, mut zeros, mut others) = (false, false, false);
    for input in inputs {
        match input {
            Value::Shape => shape = true,
            Value::Zeros => zeros = true,
            Value::Constant(..) => {}
            _ => others = true,
        }
    }
    let is_zero = |values: &[f32]| values.iter().all(|value| *value == 0.0);
    match site.operator {
        "ConstantOfShape" if !others && !zeros => {
            let value = site.attribute("value").and_then(|attribute| attribute.t.clone());
            let value = value.map(|tensor| crate::constant::Constant::read(tensor).map_err(|error| error.to_string()));
            let zero = match &value.transpose()? {
                None => true,
                Some(constant) => constant.floats().is_ok_and(is_zero),
            };
            if zero { Ok(Some(Value::Zeros)) } else { Err("of a shape with another value than 0".into()) }
        }
        "Expand" if shape && !others => match site.value(0)? {
            Value::Zeros => Ok(Some(Value::Zeros)),
            Value::Constant(constant, _) if constant.floats().is_ok_and(is_zero) => Ok(Some(Value::Zeros)),
            _ => Err("expands other numbers than zeros to a computed shape".into()),
        },
        "Gather" | "Slice" | "Concat" | "Unsqueeze" | "Squeeze" | "Cast" | "Identity" | "Mul"
            if shape && !others && !zeros =>
        {
            Ok(Some(Value::Shape))
        }
        "Unsqueeze" | "Squeeze" | "Identity" | "Transpose" | "Slice" if zeros && !others && !shape => {
            Ok(Some(Value::Zeros))
        }
        _ if shape || zeros && !is_recurrent(site.operator) => {
            Err("computes with the shape of a value; only zeros of such a shape can be imported".into())
        }
        _ => Ok(None),
    }
}

/// A layer: what it gives under each name.
pub(super) fn recurrent(site: &mut Site<'_>) -> Result<Vec<(String, Value)>, String> {
    let is_lstm = site.operator == "LSTM";
    site.count(3, if is_lstm { 8 } else { 6 })?;
    let cell = match is_lstm {
        true if site.int("input_forget", 0) != 0 => return Err("input_forget must be 0".into()),
        true => Cell::Lstm,
        false => Cell::Gru { reset_after: site.int("linear_before_reset", 0) != 0 },
    };
    if site.attribute("clip").is_some() {
        return Err("clips its sums".into());
    }
    let batch_first = match site.int("layout", 0) {
        0 => false,
        1 => true,
        layout => return Err(format!("layout {layout}")),
    };
    let ways = match site.text("direction") {
        "" | "forward" => vec![false],
        "reverse" => vec![true],
        "bidirectional" => vec![false, true],
        other => return Err(format!("direction `{other}`")),
    };
    let functions: &[&[u8]] = if is_lstm { &[b"Sigmoid", b"Tanh", b"Tanh"] } else { &[b"Sigmoid", b"Tanh"] };
    if let Some(given) = site.attribute("activations").filter(|given| !given.strings.is_empty()) {
        let wanted = functions.iter().cycle().take(ways.len() * functions.len());
        if !given.strings.iter().map(Vec::as_slice).eq(wanted.copied()) {
            return Err("has other activations than Sigmoid and Tanh".into());
        }
    }
    let x = match (site.value(0)?, batch_first) {
        (Value::Series(at, axes), false) if *axes == [Axis::Steps, Axis::Batch, Axis::Channels] => *at,
        (Value::Series(_, axes), _) => return Err(format!("reads a series of axes {axes:?}")),
        (_, true) => site.real(0)?,
        (_, false) => {
            return Err(
                "reads steps before the batch; turn the input with a Transpose, as exporters do with batch_first"
                    .into(),
            );
        }
    };
    let [steps, channels] = site.dims(x)[..] else {
        return Err(format!("reads rows of shape {:?}, not steps and channels", site.dims(x)));
    };
    let (layer, products) = weights(site, cell, &ways, channels)?;
    states_are_zero(site, steps, is_lstm)?;

    let hidden = layer.hidden;
    let width = ways.len() * hidden;
    let last = layer.last_steps(steps);
    let products = products.saturating_mul(steps);
    let all = site.push(Op::Recurrent(layer), vec![x], vec![steps, width], products)?;
    let mut made = vec![];
    let names: Vec<String> = site.node.output.clone();
    for (index, name) in names.into_iter().enumerate().filter(|(_, name)| !name.is_empty()) {
        use Axis::{Batch, Channels, Steps, Ways};
        made.push((
            name,
            match index {
                0 if batch_first => value(all, vec![Batch, Steps, Ways, Channels]),
                0 => value(all, vec![Steps, Ways, Batch, Channels]),
                1 => {
                    let (node, operator) = (format!("{} last", site.name), site.operator.to_owned());
                    let step = Step { node, operator, op: Op::Pick(last.clone()), from: vec![all], dims: vec![width] };
                    let at = site.reader.push(step, 0)?;
                    value(at, if batch_first { vec![Batch, Ways, Channels] } else { vec![Ways, Batch, Channels] })
                }
                // Exporters name them whether somebody reads them or not.
                2 if is_lstm => Value::Cells,
                _ => return Err(format!("has {} results", site.node.output.len())),
            },
        ));
    }
    Ok(made)
}

/// The weights of a layer, and the products of one step.
fn weights(site: &Site<'_>, cell: Cell, ways: &[bool], channels: usize) -> Result<(Recurrent, usize), String> {
    let gates = cell.gates();
    let (of_input, of_state) = (site.constant(1)?, site.constant(2)?);
    let [count, rows, width] = of_input.dims[..] else {
        return Err(format!("weights of shape {:?}", of_input.dims));
    };
    let hidden = rows / gates;
    let shapes_fit = count == ways.len()
        && width == channels
        && hidden > 0
        && rows == gates * hidden
        && of_state.dims == [count, rows, hidden];
    let stated = site.attribute("hidden_size").map_or(Some(hidden), |size| usize::try_from(size.i).ok());
    if !shapes_fit || stated != Some(hidden) {
        let (w, r) = (&of_input.dims, &of_state.dims);
        return Err(format!(
            "weights of shapes {w:?} and {r:?} for {} ways, {channels} channels and a state of {stated:?}",
            ways.len()
        ));
    }
    if u32::try_from(hidden).map_or(true, |hidden| hidden > MAX_HIDDEN) {
        return Err(format!("a state of {hidden} numbers; the limit is {MAX_HIDDEN}"));
    }
    let biases: Vec<f64> = match site.optional(3) {
        None => vec![0.0; count * 2 * rows],
        Some(_) => site.constant(3)?.floats()?.iter().map(|bias| f64::from(*bias)).collect(),
    };
    if biases.len() != count * 2 * rows {
        return Err(format!("{} biases for {count} ways of {rows} gates", biases.len()));
    }
    // What is added to a gate anyhow is added where the input is; behind the reset gate it is not.
    let apart = if cell == (Cell::Gru { reset_after: true }) { 2 * hidden } else { rows };
    let (w, r) = (of_input.floats()?, of_state.floats()?);
    let way = |(at, reverse): (usize, &bool)| {
        let (own, of_state) = biases[at * 2 * rows..][..2 * rows].split_at(rows);
        let both = own.iter().zip(of_state).enumerate();
        let product = |weights: &[f32], bias: Vec<f64>| Product { weights: weights.to_vec(), bias, integers: None };
        Way {
            reverse: *reverse,
            input: product(
                &w[at * rows * width..][..rows * width],
                both.map(|(row, (a, b))| if row < apart { a + b } else { *a }).collect(),
            ),
            state: product(
                &r[at * rows * hidden..][..rows * hidden],
                of_state.iter().enumerate().map(|(row, bias)| if row < apart { 0.0 } else { *bias }).collect(),
            ),
        }
    };
    let ways = ways.iter().enumerate().map(way).collect();
    let products = count.saturating_mul(rows).saturating_mul(width.saturating_add(hidden));
    Ok((Recurrent { cell, hidden, ways }, products))
}

/// Only series of the whole length, from states of zeros.
fn states_are_zero(site: &Site<'_>, steps: usize, is_lstm: bool) -> Result<(), String> {
    if site.optional(4).is_some() {
        let lengths = site.constant(4)?;
        let whole = match &lengths.data {
            crate::constant::Data::I32(lengths) => lengths.iter().all(|length| usize::try_from(*length) == Ok(steps)),
            _ => false,
        };
        if !whole {
            return Err(format!("has sequence_lens that are not all {steps}"));
        }
    }
    for index in [5, 6].into_iter().take(if is_lstm { 2 } else { 1 }) {
        let zero = match site.optional(index) {
            None | Some(Value::Zeros) => true,
            Some(Value::Constant(constant, _)) => constant.floats()?.iter().all(|value| *value == 0.0),
            Some(_) => false,
        };
        if !zero {
            return Err("begins with another state than zeros".into());
        }
    }
    if is_lstm && site.optional(7).is_some() {
        return Err("has peepholes".into());
    }
    Ok(())
}

/// A series and its axes, however they lie.
fn axes_of(site: &Site<'_>) -> Result<(usize, Vec<Axis>), String> {
    match site.value(0)? {
        Value::Series(at, axes) => Ok((*at, axes.clone())),
        _ => {
            let at = site.real(0)?;
            match site.dims(at).len() {
                1 => Ok((at, ROW.to_vec())),
                2 => Ok((at, ROWS.to_vec())),
                _ => Err("works on images; series can be imported".into()),
            }
        }
    }
}

/// Which axis a number means.
fn axis(axes: &[Axis], axis: i64) -> Result<usize, String> {
    let rank = axes.len();
    let from_end = axis.checked_add(i64::try_from(rank).unwrap_or(i64::MAX)).filter(|_| axis < 0).unwrap_or(axis);
    usize::try_from(from_end).ok().filter(|axis| *axis < rank).ok_or_else(|| format!("axis {axis} of {rank}"))
}

/// How long an axis is that has a length of its own, given the shape of the activation.
fn length(site: &Site<'_>, at: usize, axes: &[Axis], axis: usize) -> Option<usize> {
    let dims = site.dims(at);
    let ways = ways(site, at, axes);
    match axes[axis] {
        Axis::Batch => None,
        Axis::Steps => Some(dims[0]),
        Axis::Ways => Some(ways),
        Axis::Channels => dims.last().map(|width| width / ways),
    }
}

/// How many ways lie side by side in the channels of an activation whose axes name them.
fn ways(site: &Site<'_>, mut at: usize, axes: &[Axis]) -> usize {
    if !axes.contains(&Axis::Ways) {
        return 1;
    }
    // Nothing but picking stands between a layer and a value with an axis of ways.
    while let Some(step) = at.checked_sub(1).map(|step| &site.reader.net.steps[step]) {
        if let Op::Recurrent(layer) = &step.op {
            return layer.ways.len();
        }
        at = step.from[0];
    }
    1
}

fn transpose(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(1, 1)?;
    let (at, axes) = axes_of(site)?;
    let perm = match site.ints("perm") {
        Some(perm) => perm.to_vec(),
        None => (0..i64::try_from(axes.len()).unwrap_or(0)).rev().collect(),
    };
    let places = perm.iter().map(|place| axis(&axes, *place).ok().filter(|_| *place >= 0));
    let places: Vec<usize> = places.collect::<Option<_>>().ok_or_else(|| format!("perm {perm:?}"))?;
    let mut sorted = places.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..axes.len()) {
        return Err(format!("perm {perm:?} of {} axes", axes.len()));
    }
    Ok(value(at, places.iter().map(|place| axes[*place]).collect()))
}

/// Without axes of length 1.
fn squeeze(site: &mut Site<'_>) -> Result<Value, String> {
    let count = site.count(1, 2)?;
    let (at, axes) = axes_of(site)?;
    let named =
        if count == 2 { site.constant(1)?.integers()?.to_vec() } else { site.ints("axes").unwrap_or(&[]).to_vec() };
    if named.is_empty() {
        return Err("names no axes".into());
    }
    let gone = named.iter().map(|named| axis(&axes, *named)).collect::<Result<Vec<_>, _>>()?;
    for gone in &gone {
        if length(site, at, &axes, *gone) != Some(1) || axes[*gone] == Axis::Channels {
            return Err(format!("axis {gone} is not one of length 1"));
        }
    }
    let at = if gone.iter().any(|gone| axes[*gone] == Axis::Steps) {
        let width = site.dims(at)[1];
        site.push(Op::Flatten, vec![at], vec![width], 0)?
    } else {
        at
    };
    let left = axes.iter().enumerate().filter(|(index, _)| !gone.contains(index)).map(|(_, axis)| *axis);
    Ok(value(at, left.collect()))
}

/// One step of a series, or one way of a layer.
fn gather(site: &mut Site<'_>) -> Result<Value, String> {
    site.count(2, 2)?;
    let (at, axes) = axes_of(site)?;
    let named = axis(&axes, site.int("axis", 0))?;
    let constant = site.constant(1)?;
    let index = match constant.integers()? {
        [index] if constant.dims.is_empty() => *index,
        _ => return Err("picks several; one index without axes can be imported".into()),
    };
    let long = length(site, at, &axes, named).ok_or("picks rows of the batch")?;
    let signed = i64::try_from(long).unwrap_or(i64::MAX);
    let index = usize::try_from(if index < 0 { index.saturating_add(signed) } else { index }).ok();
    let index = index.filter(|index| *index < long).ok_or_else(|| format!("picks beyond {long}"))?;
    let dims = site.dims(at);
    let mut left = axes.clone();
    left.remove(named);
    match axes[named] {
        Axis::Steps => {
            // Which ways there are is known to those that look further than one axis.
            let parts = ways_below(site, at);
            let at = site.push(Op::Pick(vec![index; parts]), vec![at], vec![dims[1]], 0)?;
            Ok(value(at, left))
        }
        Axis::Ways if long == 1 => Ok(value(at, left)),
        Axis::Ways => {
            let count = dims.last().map_or(0, |width| width / long);
            let mut part = dims.clone();
            *part.last_mut().ok_or("has no axes")? = count;
            let at = site.push(Op::Part { first: index * count, count }, vec![at], part, 0)?;
            Ok(value(at, left))
        }
        other => Err(format!("picks along {other:?}; steps and ways can be imported")),
    }
}

/// Into how many parts picks of one step are cut: as many as the layer has ways whose states are picked.
fn ways_below(site: &Site<'_>, at: usize) -> usize {
    match at.checked_sub(1).map(|step| &site.reader.net.steps[step].op) {
        Some(Op::Recurrent(layer)) => layer.ways.len(),
        _ => 1,
    }
}

/// Some steps of a series.
fn slice(site: &mut Site<'_>) -> Result<Value, String> {
    let count = site.count(3, 5)?;
    let (at, axes) = axes_of(site)?;
    let number = |index: usize| match site.constant(index)?.integers()? {
        [number] => Ok(*number),
        numbers => Err(format!("cuts {} axes; one can be imported", numbers.len())),
    };
    let (start, end) = (number(1)?, number(2)?);
    let named = if count > 3 && site.optional(3).is_some() { number(3)? } else { 0 };
    let named = axis(&axes, named)?;
    if count > 4 && number(4)? != 1 {
        return Err("takes other steps than 1".into());
    }
    if axes[named] != Axis::Steps {
        return Err(format!("cuts along {:?}; steps can be imported", axes[named]));
    }
    let dims = site.dims(at);
    let long = i64::try_from(dims[0]).unwrap_or(i64::MAX);
    let place = |place: i64| {
        usize::try_from(if place < 0 { place.saturating_add(long) } else { place }.clamp(0, long)).unwrap_or(0)
    };
    let (first, end) = (place(start), place(end));
    let count =
        end.checked_sub(first).filter(|count| *count > 0).ok_or_else(|| format!("from {start} to {end} of {long}"))?;
    let at = site.push(Op::Steps { first, count }, vec![at], vec![count, dims[1]], 0)?;
    Ok(value(at, axes))
}

/// Ways and channels that stand next to each other as one axis, and axes of length 1 left out.
pub(super) fn reshape(site: &mut Site<'_>, at: usize, axes: Vec<Axis>, shape: &[i64]) -> Result<Value, String> {
    let refused = || format!("a series of axes {axes:?} to {shape:?}");
    let Some(place) = axes.iter().position(|axis| *axis == Axis::Ways) else { return Err(refused()) };
    if axes.get(place + 1) != Some(&Axis::Channels) || shape.len() + 1 != axes.len() {
        return Err(refused());
    }
    let mut left = axes.clone();
    left.remove(place);
    let width = site.dims(at).last().copied().unwrap_or(0);
    let mut open = 0;
    for (index, (wanted, axis)) in shape.iter().zip(&left).enumerate() {
        let long = if *axis == Axis::Channels { Some(width) } else { length(site, at, &left, index) };
        let same_place = index < place && *wanted == 0;
        open += usize::from(*wanted == -1);
        if !(same_place || *wanted == -1 || long.is_some_and(|long| usize::try_from(*wanted) == Ok(long))) {
            return Err(refused());
        }
    }
    if open > 1 {
        return Err(refused());
    }
    Ok(value(at, left))
}
