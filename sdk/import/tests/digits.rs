//! A convolutional network on digits, in float and as onnxruntime quantised it: as accurate, and the same at every level.

mod levels;

use std::{fs, path::PathBuf};

use levels::everywhere;
use noema_import::{FloatModel, ImportOptions, Imported, Precision, Table, Width, Widths, import_onnx};
use noema_model::Model;
use proptest::prelude::*;

/// Rows that run at the reference level, and alone.
const FEW: usize = 40;

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/digits").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table(name: &str) -> Table {
    Table::read_csv(&file(name)[..]).unwrap()
}

/// What onnxruntime says about the held-out rows, in the columns that begin like this.
fn expected(prefix: &str) -> Vec<Vec<f64>> {
    let table = table("expected.csv");
    let columns: Vec<usize> = (0..table.features.len()).filter(|at| table.features[*at].starts_with(prefix)).collect();
    assert_eq!(columns.len(), 10);
    table.rows.iter().map(|row| columns.iter().map(|at| row[*at]).collect()).collect()
}

fn import(name: &str, precision: Precision) -> Imported {
    let options = ImportOptions {
        calibration: table("calibration.csv").rows,
        heldout: Some(table("heldout.csv")),
        precision,
        ..ImportOptions::new("digits", "CC-BY-4.0")
    };
    import_onnx(&file(name), &options).unwrap()
}

const AUTO: Precision = Precision::Auto { tolerance: 0.01 };

fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

#[test]
fn a_convolutional_network_is_as_accurate_as_in_float() {
    let heldout = table("heldout.csv");
    assert_eq!((heldout.rows.len(), heldout.labels.len()), (600, 600));
    let float = FloatModel::from_onnx(&file("digits.onnx")).unwrap().predict(&heldout.rows).unwrap();
    for (ours, theirs) in float.iter().zip(expected("float")) {
        let near = |(a, b): (&f32, f64)| (f64::from(*a) - b).abs() < 1e-3;
        assert!(ours.logits.iter().zip(theirs).all(near), "the original in float is onnxruntime's");
    }
    let float_right = float.iter().zip(&heldout.labels).filter(|(float, label)| float.class == **label).count();
    let all = [Width::Eight, Width::Sixteen];
    let mut precisions: Vec<Precision> =
        all.map(|width| Precision::Fixed(Widths { features: width, hidden: width })).to_vec();
    precisions.push(AUTO);
    for precision in precisions {
        let imported = import("digits.onnx", precision);
        println!("{precision:?}\n{}", imported.report);
        let model = Model::from_bytes(imported.container).unwrap();
        assert_eq!(model.manifest().inputs[0].shape, [1, 8, 8], "in the axes of the file");
        let class = model.manifest().output("class").unwrap();
        let classes = everywhere(&model, &heldout.rows, FEW)[class].to_vec::<i32>().unwrap();
        let right =
            classes.iter().zip(&heldout.labels).filter(|(class, label)| usize::try_from(**class) == Ok(**label));
        let right = right.count();
        // 0.3 points of 600 rows are 1.8 rows.
        assert!(right + 1 >= float_right && float_right >= 585, "{right} right, {float_right} in float");
        let accuracy = imported.report.heldout.unwrap();
        assert_eq!((accuracy.integer_right, accuracy.float_right), (right, float_right));
    }
}

#[test]
fn quantised_files_say_what_onnxruntime_says() {
    let heldout = table("heldout.csv");
    for (name, prefix) in [("digits.qdq.onnx", "qdq"), ("digits.qlinear.onnx", "qlinear")] {
        let imported = import(name, AUTO);
        println!("{name}\n{}", imported.report);
        let model = Model::from_bytes(imported.container).unwrap();
        let outputs = everywhere(&model, &heldout.rows, FEW);
        let index = |name| model.manifest().output(name).unwrap();
        let probabilities = outputs[index("probabilities")].to_vec::<i32>().unwrap();
        let (mut same, mut worst) = (0, 0.0_f64);
        for (ours, theirs) in probabilities.chunks(10).zip(expected(prefix)) {
            let ours: Vec<f64> = ours.iter().map(|p| f64::from(*p) / 65_536.0).collect();
            same += usize::from(largest(&ours) == largest(&theirs));
            worst = ours.iter().zip(theirs).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
        }
        println!("{name}: {same} of 600 classes, probabilities at most {worst:.4} away from onnxruntime's");
        assert!(same >= 599, "{same} of 600 classes as onnxruntime says");
        assert!(worst < 0.08, "{worst}");
        let accuracy = imported.report.heldout.unwrap();
        assert!(accuracy.integer_right.abs_diff(accuracy.float_right) <= 1);
        // Through the whole network, where a difference at the beginning can grow.
        let integers = imported.report.integers.unwrap();
        assert!(integers.all > 100_000 && integers.equal * 100 >= integers.all * 97, "{integers:?}");
    }
}

#[test]
fn integer_products_are_exact() {
    let heldout = table("heldout.csv");
    let imported = import("digits.integer.onnx", AUTO);
    let model = Model::from_bytes(imported.container).unwrap();
    let port = &model.manifest().inputs[0];
    assert_eq!((port.dtype.name(), port.fraction_bits, model.manifest().outputs[0].fraction_bits), ("u8", 0, 0));
    let sums = everywhere(&model, &heldout.rows, FEW)[0].to_vec::<i32>().unwrap();
    let expected: Vec<i32> = expected("integer").concat().into_iter().map(|sum| sum as i32).collect();
    assert_eq!(sums, expected, "600 rows of 10 sums");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn altered_files_never_panic(
        which in 0..4_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4), 1..6),
    ) {
        let name = ["digits.onnx", "digits.qdq.onnx", "digits.qlinear.onnx", "digits.integer.onnx"][which];
        let mut bytes = file(name);
        // Weights are most of a file; what is worth altering lies in the first and the last part.
        let length = bytes.len();
        for (at, value, kind) in edits {
            let at = if value % 2 == 0 { at.index(bytes.len().min(6000)) } else { bytes.len() - 1 - at.index(length.min(6000)) };
            match kind {
                0 => bytes.insert(at, value),
                1 => drop(bytes.remove(at)),
                2 => bytes[at] ^= 1 << (value % 8),
                _ => bytes[at] = value,
            }
        }
        let options = ImportOptions { calibration: table("calibration.csv").rows[..2].to_vec(), ..ImportOptions::new("digits", "CC-BY-4.0") };
        if let Ok(imported) = import_onnx(&bytes, &options) {
            Model::from_bytes(imported.container).unwrap();
        }
    }
}
