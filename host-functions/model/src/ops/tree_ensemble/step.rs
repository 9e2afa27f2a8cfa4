//! Running [`TreeEnsemble`](super::TreeEnsemble).

use noema_abi::{DType, Status};
use noema_tensor::{
    Element, Kernels, Level, OpError,
    kernel::{self, Decision, PackedTrees, Tree},
};

use super::{MISSING_LEFT, ZERO_IS_MISSING};
use crate::{
    arena::{self, Sink, Source},
    graph::Edge,
    ops::{Shapes, Step, length},
    parameters::Parameters,
};

enum TreeStep {
    Narrow(PackedTrees<i32>),
    Wide(PackedTrees<i64>),
}

pub(super) fn prepare(level: Level, x: &Edge, parameters: &Parameters<'_>) -> Result<Box<dyn Step>, OpError> {
    Ok(Box::new(match x.dtype {
        DType::I64 => TreeStep::Wide(pack(level, x, parameters, parameters.i64s(3))?),
        _ => TreeStep::Narrow(pack(level, x, parameters, parameters.i32s(3))?),
    }))
}

fn pack<K: Element>(
    level: Level,
    x: &Edge,
    parameters: &Parameters<'_>,
    thresholds: impl Iterator<Item = K>,
) -> Result<PackedTrees<K>, OpError> {
    let number = |value: i32| usize::try_from(value).map_err(|_| Status::BadArgument);
    let trees = parameters.i32s(0).zip(parameters.i32s(1));
    let trees = trees.map(|(decisions, output)| Ok(Tree { decisions: number(decisions)?, output: number(output)? }));
    let children = parameters.i32s(4).zip(parameters.i32s(5));
    let conditions = parameters.i32s(2).zip(thresholds).zip(parameters.u8s(6));
    let decisions = conditions.zip(children).map(|(((feature, threshold), flags), (left, right))| {
        Ok(Decision {
            feature: u32::try_from(feature).map_err(|_| Status::BadArgument)?,
            threshold,
            left,
            right,
            missing_left: flags & MISSING_LEFT != 0,
            zero_is_missing: flags & ZERO_IS_MISSING != 0,
        })
    });
    PackedTrees::pack(
        level,
        length(x.last()),
        parameters.i64s(8).collect(),
        trees.collect::<Result<_, Status>>()?,
        decisions.collect::<Result<_, Status>>()?,
        parameters.i64s(7).collect(),
    )
}

impl Step for TreeStep {
    fn run(&self, k: &Kernels, _: &Shapes<'_>, inputs: &[Source<'_>], output: &mut Sink<'_>) -> Result<(), OpError> {
        let y = output.i64s()?;
        match (self, inputs[0]) {
            (TreeStep::Narrow(trees), Source::I32(x)) => kernel::tree_sums(k, x, trees, y),
            (TreeStep::Wide(trees), Source::I64(x)) => kernel::tree_sums(k, x, trees, y),
            _ => return Err(arena::unexpected()),
        }
        Ok(())
    }
}
