//! What a job really comes to: one run of its model, on chain.

use noema_sdk::prelude::*;

use crate::{Job, MarketError};

/// What the model says; `None` where it takes no such input, or has no such output: then every answer is a lie.
///
/// # Errors
/// [`MarketError::CannotJudge`] where that is not known: the chain has the model no more, or this transaction has too little
/// gas or memory left. Nobody must win or lose by how a challenge was sent.
pub(crate) fn run(job: &Job) -> Result<Option<Vec<i32>>> {
    let model = Model::open(&job.model).map_err(|_| MarketError::CannotJudge)?;
    ensure!(model.cost(1)? < env::gas_left(), MarketError::CannotJudge);
    let length = u32::try_from(job.input.len()).unwrap_or(u32::MAX);
    match says(&model, length, job) {
        Ok(values) => Ok(Some(values)),
        Err(Status::ShapeMismatch | Status::TypeMismatch | Status::IndexOutOfRange) => Ok(None),
        Err(_) => bail!(MarketError::CannotJudge),
    }
}

fn says(model: &Model, length: u32, job: &Job) -> Result<Vec<i32>, Status> {
    let input = Tensor::from_slice(&[1, length], &job.input)?;
    let outputs = model.run(&[&input])?;
    let wanted = usize::try_from(job.output).ok().and_then(|at| outputs.get(at));
    wanted.ok_or(Status::IndexOutOfRange)?.read()
}
