//! The product of rten-gemm, in a program of its own (`benches/peers/rten`).

use anyhow::Context;

use super::{Party, Peer, Shape, operands::Operands};
use crate::measure::{Contender, Effort};
use crate::peers;

pub(super) fn party(operands: &Operands, effort: Effort) -> anyhow::Result<Party> {
    let Shape { m, k, n } = operands.shape;
    let mut arguments = [m, k, n, usize::try_from(effort.sample_ms)?].map(|number| number.to_string()).to_vec();
    arguments.push(effort.clock.to_string());
    let mut process =
        peers::Peer::of_rust("rten", &arguments).with_context(|| format!("`--peers` can leave {} out", Peer::Rten))?;
    let product = process.ask("product")?;
    let product: Result<Vec<f64>, _> = product.split(' ').map(str::parse).collect();
    let product = product.context("rten's product is numbers")?;
    let time = move |clock, repetitions| process.time(clock, repetitions).unwrap_or_else(|error| panic!("{error:#}"));
    Ok(Party { contender: Contender::timed(Peer::Rten.name(), time), product })
}
