//! What every way to run a model must agree on.

use noema_import::input_tensor;
use noema_model::Model;
use noema_tensor::{Kernels, Level, Tensor};

/// The outputs for some rows, the same at every level, with every number of threads, and row by row. The reference level takes its time:
/// it runs the first `few`, which are also the ones that run alone.
pub(crate) fn everywhere(model: &Model, rows: &[Vec<f64>], few: usize) -> Vec<Tensor> {
    let port = &model.manifest().inputs[0];
    let bytes = |outputs: &[Tensor]| outputs.iter().map(|output| output.to_le_bytes().unwrap()).collect::<Vec<_>>();
    let all = input_tensor(port, rows).unwrap();
    let part = input_tensor(port, &rows[..few]).unwrap();
    let first = model.run(&Kernels::new(Level::best(), 1).unwrap(), &[&all]).unwrap();
    for level in Level::available() {
        for threads in [1, 2] {
            let kernels = Kernels::new(level, threads).unwrap();
            let (x, count) = if level == Level::Reference { (&part, few) } else { (&all, rows.len()) };
            let found = model.run(&kernels, &[x]).unwrap();
            for (found, first) in bytes(&found).iter().zip(bytes(&first)) {
                assert_eq!(found, &first[..first.len() / rows.len() * count], "{level} with {threads} threads");
            }
            for (at, row) in rows.iter().take(few).enumerate() {
                let found = model.run(&kernels, &[&input_tensor(port, std::slice::from_ref(row)).unwrap()]).unwrap();
                for (found, first) in bytes(&found).iter().zip(bytes(&first)) {
                    let length = first.len() / rows.len();
                    assert_eq!(found, &first[at * length..][..length], "{level}, row {at} alone");
                }
            }
        }
    }
    first
}
