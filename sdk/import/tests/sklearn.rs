//! Models of scikit-learn by way of ONNX: the classes that onnxruntime gives, for every row.

use std::{fs, path::PathBuf};

use noema_import::{
    FileKind, FloatTrees, ImportOptions, Table, TreeOptions, import_onnx, import_onnx_trees, input_tensor,
    quantise_features,
};
use noema_model::Model;
use noema_tensor::{Kernels, Level};

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sklearn").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn table(name: &str) -> Table {
    Table::read_csv(&file(name)[..]).unwrap()
}

fn real(model: &Model, outputs: &[noema_tensor::Tensor], name: &str) -> Vec<f64> {
    let index = model.manifest().output(name).unwrap();
    let unit = 0.5_f64.powi(model.manifest().outputs[index].fraction_bits.into());
    let integers: Vec<i64> = match outputs[index].dtype() {
        noema_tensor::DType::I64 => outputs[index].to_vec().unwrap(),
        _ => outputs[index].to_vec::<i32>().unwrap().into_iter().map(i64::from).collect(),
    };
    integers.into_iter().map(|value| value as f64 * unit).collect()
}

#[test]
fn trees_give_the_classes_of_onnxruntime() {
    for (data, kind, rows) in [
        ("cancer", "forest", 285),
        ("cancer", "boosting", 285),
        ("cancer", "tree", 285),
        ("wine", "forest", 89),
        ("wine", "boosting", 89),
    ] {
        let name = format!("{data}.{kind}");
        let bytes = file(&format!("{name}.onnx"));
        assert_eq!(FileKind::of(&bytes), FileKind::OnnxTrees);
        let held = table(&format!("{data}.csv"));
        let options = TreeOptions { heldout: Some(held.clone()), ..TreeOptions::new(&name, "CC-BY-4.0") };
        let imported = import_onnx_trees(&bytes, &options).unwrap();
        let report = &imported.report;
        assert!(report.heldout.as_ref().is_some_and(|accuracy| accuracy.different == 0), "{report}");
        assert!(report.input_fraction_bits >= 10, "the features are the same numbers: {report}");
        let expected = table(&format!("{name}.expected.csv")).rows;
        assert_eq!((expected.len(), held.rows.len()), (rows, rows));
        let model = Model::from_bytes(imported.container).unwrap();
        let input = quantise_features(&model.manifest().inputs[0], &held.rows).unwrap();
        let mut first: Option<Vec<Vec<u8>>> = None;
        for level in Level::available() {
            for threads in [1, 2] {
                let outputs = model.run(&Kernels::new(level, threads).unwrap(), &[&input]).unwrap();
                let bits: Vec<Vec<u8>> = outputs.iter().map(|output| output.to_le_bytes().unwrap()).collect();
                assert_eq!(first.get_or_insert(bits.clone()), &bits, "{name} at {level}");
                let classes = real(&model, &outputs, "class");
                for (row, (class, expected)) in classes.iter().zip(&expected).enumerate() {
                    assert!((class - expected[0]).abs() < 0.5, "{name}, row {row}: class {class} for {}", expected[0]);
                }
            }
        }
        let outputs = model.run(&Kernels::new(Level::best(), 1).unwrap(), &[&input]).unwrap();
        // Probabilities, where the file ends in one; otherwise sums of leaves, of two classes less one half.
        let (found, shift) = match (model.manifest().output("probabilities"), data) {
            (Some(_), _) => (real(&model, &outputs, "probabilities"), 0.0),
            (None, "cancer") => (real(&model, &outputs, "logits"), 0.5),
            _ => (real(&model, &outputs, "logits"), 0.0),
        };
        let classes = found.len() / rows;
        for (row, expected) in found.chunks(classes).zip(&expected) {
            let skip = usize::from(shift > 0.0);
            for (ours, theirs) in row.iter().zip(&expected[1..]).skip(skip) {
                assert!((ours + shift - theirs).abs() < 2e-4, "{name}: {ours} for {theirs}");
            }
        }
    }
}

#[test]
fn a_forest_of_numbers() {
    let bytes = file("friedman.forest.onnx");
    let held = table("friedman.csv");
    // The last column is the number itself.
    let rows: Vec<Vec<f64>> = held.rows.iter().map(|row| row[..10].to_vec()).collect();
    let expected = table("friedman.forest.expected.csv").rows;
    let imported = import_onnx_trees(&bytes, &TreeOptions::new("friedman", "CC0-1.0")).unwrap();
    let model = Model::from_bytes(imported.container).unwrap();
    let input = quantise_features(&model.manifest().inputs[0], &rows).unwrap();
    let outputs = model.run(&Kernels::new(Level::best(), 1).unwrap(), &[&input]).unwrap();
    let found = real(&model, &outputs, "score");
    assert_eq!((found.len(), expected.len()), (200, 200));
    let float = FloatTrees::from_onnx(&bytes).unwrap().scores(&rows).unwrap();
    for ((ours, theirs), float) in found.iter().zip(&expected).zip(&float) {
        // onnxruntime adds in 32 bits.
        assert!((ours - theirs[0]).abs() < 2e-5 && (ours - float[0]).abs() < 1e-9, "{ours} for {}", theirs[0]);
    }
}

#[test]
fn linear_models_with_their_scalers() {
    let kernels = Kernels::new(Level::best(), 1).unwrap();
    for (data, classes) in [("cancer", 2), ("wine", 3)] {
        let held = table(&format!("{data}.csv"));
        let expected = table(&format!("{data}.logistic.expected.csv")).rows;
        let calibration = table(&format!("{data}.calibration.csv")).rows;
        let options =
            ImportOptions { calibration, heldout: Some(held.clone()), ..ImportOptions::new(data, "CC-BY-4.0") };
        let bytes = file(&format!("{data}.logistic.onnx"));
        assert_eq!(FileKind::of(&bytes), FileKind::Onnx);
        let imported = import_onnx(&bytes, &options).unwrap();
        println!("{}", imported.report);
        let model = Model::from_bytes(imported.container).unwrap();
        let input = input_tensor(&model.manifest().inputs[0], &held.rows).unwrap();
        let outputs = model.run(&kernels, &[&input]).unwrap();
        let probabilities = real(&model, &outputs, "probabilities");
        let found = real(&model, &outputs, "class");
        let mut different = 0;
        for ((class, row), expected) in found.iter().zip(probabilities.chunks(classes)).zip(&expected) {
            for (ours, theirs) in row.iter().zip(&expected[1..]) {
                assert!((ours - theirs).abs() < 0.04, "{data}: {ours} for {theirs}");
            }
            // Weights have 8 bits: a class may differ where both are nearly as probable.
            if (class - expected[0]).abs() > 0.5 {
                different += 1;
                assert!(expected[1..].iter().all(|p| *p < 0.52), "{data}: class {class} for {expected:?}");
            }
        }
        println!("{data}: {different} of {} classes differ", found.len());
    }
    let held = table("friedman.csv");
    let rows: Vec<Vec<f64>> = held.rows.iter().map(|row| row[..10].to_vec()).collect();
    let expected = table("friedman.linear.expected.csv").rows;
    let options = ImportOptions { calibration: rows.clone(), ..ImportOptions::new("friedman", "CC0-1.0") };
    let imported = import_onnx(&file("friedman.linear.onnx"), &options).unwrap();
    let model = Model::from_bytes(imported.container).unwrap();
    let input = input_tensor(&model.manifest().inputs[0], &rows).unwrap();
    let found = real(&model, &model.run(&kernels, &[&input]).unwrap(), "logits");
    for (ours, theirs) in found.iter().zip(&expected) {
        assert!((ours - theirs[0]).abs() < 0.3, "{ours} for {}, of up to 30", theirs[0]);
    }
}
