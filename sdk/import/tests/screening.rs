//! The committed network, on the committed rows, at every level.

use std::{fs, path::PathBuf};

use noema_import::{
    FloatModel, ImportOptions, Precision, Prediction, Table, Width, Widths, import_onnx, quantise_input,
};
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/screening/model").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table(name: &str) -> Table {
    Table::read_csv(&file(name)[..]).unwrap()
}

fn options() -> ImportOptions {
    ImportOptions {
        labels: vec!["benign".into(), "malignant".into()],
        calibration: table("calibration.csv").rows,
        heldout: Some(table("heldout.csv")),
        ..ImportOptions::new("screening", "CC-BY-4.0")
    }
}

/// The outputs for some rows: bytes of each output, then class and probabilities of each row.
fn run(model: &Model, kernels: &Kernels, rows: &[Vec<f64>]) -> (Vec<Vec<u8>>, Vec<i32>, Vec<Vec<f64>>) {
    let port = &model.manifest().inputs[0];
    let features: Vec<i32> = rows.iter().flat_map(|row| quantise_input(port, row).unwrap()).collect();
    let shape = Shape::new(&[u32::try_from(rows.len()).unwrap(), 30]).unwrap();
    let outputs = model.run(kernels, &[&Tensor::from_vec(shape, features).unwrap()]).unwrap();
    let bytes = outputs.iter().map(|output| output.to_le_bytes().unwrap()).collect();
    let index = |name| model.manifest().output(name).unwrap();
    let unit = 2.0_f64.powi(-i32::from(model.manifest().outputs[index("probabilities")].fraction_bits));
    let probabilities = outputs[index("probabilities")].to_vec::<i32>().unwrap();
    let probabilities = probabilities.chunks(2).map(|row| row.iter().map(|p| f64::from(*p) * unit).collect()).collect();
    (bytes, outputs[index("class")].to_vec().unwrap(), probabilities)
}

fn probability(prediction: &Prediction, class: usize) -> f64 {
    f64::from(prediction.probabilities.as_ref().unwrap()[class])
}

#[test]
fn the_integer_model_decides_as_the_float_original_at_every_level() {
    let onnx = file("screening.onnx");
    let imported = import_onnx(&onnx, &options()).unwrap();
    println!("{}", imported.report);
    let model = Model::from_bytes(imported.container.clone()).unwrap();
    assert_eq!(model.id(), imported.report.id);
    let heldout = table("heldout.csv");
    assert_eq!((heldout.rows.len(), heldout.features.len(), heldout.labels.len()), (114, 30, 114));

    let float = FloatModel::from_onnx(&onnx).unwrap().predict(&heldout.rows).unwrap();
    let mut reference: Option<Vec<Vec<u8>>> = None;
    for level in Level::available() {
        for threads in [1, 2] {
            let kernels = Kernels::new(level, threads).unwrap();
            let (bytes, classes, probabilities) = run(&model, &kernels, &heldout.rows);
            assert_eq!(reference.get_or_insert_with(|| bytes.clone()), &bytes, "{level} with {threads} threads");
            // Row by row gives the same as all at once.
            let single: Vec<i32> =
                heldout.rows.iter().flat_map(|row| run(&model, &kernels, std::slice::from_ref(row)).1).collect();
            assert_eq!(single, classes);

            for (row, (class, float)) in classes.iter().zip(&float).enumerate() {
                let margin = (probability(float, 0) - probability(float, 1)).abs();
                let class = usize::try_from(*class).unwrap();
                assert!(class == float.class || margin < 0.05, "row {row}: {class}, float {float:?}");
                for (at, probability_of) in probabilities[row].iter().enumerate() {
                    let difference = (probability_of - probability(float, at)).abs();
                    assert!(difference < 0.05, "row {row}: {probability_of}, float {float:?}");
                }
            }
            let right =
                |class: &dyn Fn(usize) -> usize| (0..114).filter(|row| class(*row) == heldout.labels[*row]).count();
            let float_right = right(&|row| float[row].class);
            let integer_right = right(&|row| usize::try_from(classes[row]).unwrap());
            println!("{level}, {threads} threads: float {float_right}, integer {integer_right} of 114");
            assert!(integer_right.abs_diff(float_right) <= 1);
            let accuracy = imported.report.heldout.unwrap();
            assert_eq!((accuracy.float_right, accuracy.integer_right), (float_right, integer_right));
            // A classifier that learnt nothing is right in 72 rows.
            assert!(float_right >= 105);
        }
    }
}

#[test]
fn every_width_gives_a_proven_model() {
    let onnx = file("screening.onnx");
    let all = [Width::Eight, Width::Sixteen];
    let mut differences = Vec::new();
    for (features, hidden) in all.into_iter().flat_map(|features| all.map(|hidden| (features, hidden))) {
        let widths = Widths { features, hidden };
        let imported = import_onnx(&onnx, &ImportOptions { precision: Precision::Fixed(widths), ..options() }).unwrap();
        assert_eq!(imported.report.widths, widths);
        println!("{widths:?}: {} | {}", imported.report.calibration, imported.report.heldout.unwrap());
        Model::from_bytes(imported.container).unwrap();
        assert!(imported.report.calibration.largest_difference < 0.2);
        differences.push(imported.report.calibration.largest_difference);
    }
    assert!(differences[3] < differences[0], "16 bits are nearer than 8");
}

#[test]
fn an_import_is_the_same_every_time() {
    let onnx = file("screening.onnx");
    let first = import_onnx(&onnx, &options()).unwrap();
    assert_eq!(first.container, import_onnx(&onnx, &options()).unwrap().container);
    let model = Model::from_bytes(first.container).unwrap();
    let manifest = model.manifest();
    assert_eq!((manifest.name.as_str(), manifest.licence.as_str()), ("screening", "CC-BY-4.0"));
    assert_eq!(manifest.labels, ["benign", "malignant"]);
    let names: Vec<_> = manifest.outputs.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["logits", "probabilities", "class"]);
    assert!(manifest.accuracy.contains("114 held-out rows"), "{}", manifest.accuracy);
}
