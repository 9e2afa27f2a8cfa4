//! Recurrent networks on series: the numbers of sunspots by an LSTM, digits row by row by GRUs; as near to onnxruntime as the documentation
//! says, and the same at every level.

mod levels;

use std::{fs, path::PathBuf};

use levels::everywhere;
use noema_import::{FloatModel, ImportOptions, Imported, Precision, Table, compare, import_onnx};
use noema_model::Model;
use noema_tensor::{Kernels, Level};

/// Rows that run at the reference level, and alone.
const FEW: usize = 10;

fn table(name: &str) -> Table {
    Table::read_csv(&file(name)[..]).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn import(name: &str, calibration: &str, heldout: Option<&str>) -> Imported {
    let options = ImportOptions {
        calibration: table(calibration).rows,
        heldout: heldout.map(table),
        precision: Precision::Auto { tolerance: 0.01 },
        ..ImportOptions::new("series", "CC-BY-4.0")
    };
    import_onnx(&file(name), &options).unwrap()
}

fn root_of_mean(errors: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = errors.len() as f64;
    (errors.map(|error| error * error).sum::<f64>() / count).sqrt()
}

#[test]
fn the_next_number_of_sunspots() {
    let heldout = table("series/sunspots.heldout.csv").rows;
    let expected = table("series/sunspots.expected.csv").rows;
    assert_eq!((heldout.len(), expected.len()), (59, 59));
    let original = FloatModel::from_onnx(&file("series/sunspots.lstm.onnx")).unwrap();
    for (ours, row) in original.predict(&heldout).unwrap().iter().zip(&expected) {
        assert!((f64::from(ours.logits[0]) - row[2]).abs() < 1e-2, "the original in float is onnxruntime's");
    }

    let imported = import("series/sunspots.lstm.onnx", "series/sunspots.calibration.csv", None);
    println!("{}", imported.report);
    let model = Model::from_bytes(imported.container.clone()).unwrap();
    let outputs = everywhere(&model, &heldout, FEW);
    let unit = 2.0_f64.powi(-i32::from(model.manifest().outputs[0].fraction_bits));
    let ours: Vec<f64> = outputs[0].to_vec::<i32>().unwrap().iter().map(|q| f64::from(*q) * unit).collect();
    let largest = ours.iter().zip(&expected).map(|(ours, row)| (ours - row[2]).abs()).fold(0.0, f64::max);
    let ours = root_of_mean(ours.iter().zip(&expected).map(|(ours, row)| ours - row[1]));
    let theirs = root_of_mean(expected.iter().map(|row| row[2] - row[1]));
    println!("error {ours:.3}, in float {theirs:.3}; at most {largest:.3} apart");
    // Sunspots, of up to 190.
    assert!(largest < 1.5 && (ours - theirs).abs() < 0.3, "{ours} {theirs} {largest}");

    let kernels = Kernels::new(Level::best(), 1).unwrap();
    let comparison = compare(&original, &imported.container, &heldout, &kernels).unwrap();
    println!("{:?}", comparison.layers);
    assert_eq!(comparison.layers.len(), 2);
    assert!(comparison.layers.iter().all(|layer| layer.relative < 0.02), "{:?}", comparison.layers);
}

#[test]
fn digits_row_by_row() {
    let heldout = table("digits/heldout.csv");
    let expected = table("series/digits.expected.csv").rows;
    assert_eq!((heldout.rows.len(), expected.len()), (600, 600));
    let largest = |row: &[f64]| (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
    let original = FloatModel::from_onnx(&file("series/digits.gru.onnx")).unwrap();
    for (ours, row) in original.predict(&heldout.rows).unwrap().iter().zip(&expected) {
        let near = |(ours, theirs): (&f32, &f64)| (f64::from(*ours) - theirs).abs() < 1e-3;
        assert!(ours.logits.iter().zip(row).all(near), "the original in float is onnxruntime's");
    }

    let imported = import("series/digits.gru.onnx", "digits/calibration.csv", Some("digits/heldout.csv"));
    println!("{}", imported.report);
    let model = Model::from_bytes(imported.container.clone()).unwrap();
    let outputs = everywhere(&model, &heldout.rows, FEW);
    let classes = outputs[2].to_vec::<i32>().unwrap();
    let right = |of: &dyn Fn(usize) -> usize| (0..600).filter(|row| of(*row) == heldout.labels[*row]).count();
    let ours = right(&|row| usize::try_from(classes[row]).unwrap());
    let theirs = right(&|row| largest(&expected[row]));
    println!("right in {ours}, in float {theirs}");
    assert_eq!(theirs, 585);
    // 0.3 points of 600 rows are 1.8.
    assert!(ours.abs_diff(theirs) <= 1, "{ours} of 600, in float {theirs}");
    assert!(imported.report.calibration.largest_difference <= 0.01, "{}", imported.report);

    let kernels = Kernels::new(Level::best(), 1).unwrap();
    let comparison = compare(&original, &imported.container, &heldout.rows[..100], &kernels).unwrap();
    println!("{:?}", comparison.layers);
    assert_eq!(comparison.layers.len(), 3);
    assert!(comparison.layers.iter().all(|layer| layer.relative < 0.02), "{:?}", comparison.layers);
}
