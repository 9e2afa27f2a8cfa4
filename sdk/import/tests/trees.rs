//! The files that the libraries wrote, on rows for which the libraries said what they decide.

use std::{fs, path::PathBuf};

use noema_import::{
    FileKind, FloatTrees, ImportedTrees, MISSING_FEATURE, Table, TreeOptions, import_lightgbm, import_xgboost,
    quantise_features, quantise_input,
};
use noema_model::Model;
use noema_tensor::{DType, Kernels, Level, Shape, Tensor};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn file(name: &str) -> Vec<u8> {
    let path = path(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn import(bytes: &[u8], options: &TreeOptions) -> ImportedTrees {
    match FileKind::of(bytes) {
        FileKind::LightGbm => import_lightgbm(bytes, options).unwrap(),
        FileKind::XgBoost => import_xgboost(bytes, options).unwrap(),
        _ => panic!("neither"),
    }
}

fn float(bytes: &[u8]) -> FloatTrees {
    match FileKind::of(bytes) {
        FileKind::LightGbm => FloatTrees::from_lightgbm(bytes).unwrap(),
        _ => FloatTrees::from_xgboost(bytes).unwrap(),
    }
}

fn kernels() -> Vec<Kernels> {
    let levels = Level::available().into_iter();
    levels.flat_map(|level| [1, 2].map(|threads| Kernels::new(level, threads).unwrap())).collect()
}

/// The rows of `trees/rows.bin`: ten features with 16 fraction bits.
fn rows() -> Vec<i32> {
    file("tests/trees/rows.bin").as_chunks().0.iter().map(|word| i32::from_le_bytes(*word)).collect()
}

const FEATURES: usize = 10;
const BITS: u8 = 16;

/// For each row and score what the library predicts, and the exact sum of its leaves.
fn expected(name: &str) -> Vec<[f64; 2]> {
    let bytes = file(&format!("tests/trees/{name}.expected.bin"));
    let number = |word: &[u8; 8]| f64::from_le_bytes(*word);
    bytes
        .as_chunks::<16>()
        .0
        .iter()
        .map(|pair| [0, 1].map(|at| number(pair.as_chunks().0[at..].first().unwrap())))
        .collect()
}

const MODELS: [(&str, &str, usize); 9] = [
    ("lightgbm-binary", "txt", 1),
    ("lightgbm-zero", "txt", 1),
    ("lightgbm-full", "txt", 1),
    ("lightgbm-three", "txt", 3),
    ("lightgbm-number", "txt", 1),
    ("xgboost-binary", "json", 1),
    ("xgboost-pruned", "json", 1),
    ("xgboost-three", "json", 3),
    ("xgboost-number", "json", 1),
];

/// The raw sums of every row as integers, whatever the outputs of the model are.
fn sums(model: &Model, kernels: &Kernels, x: &Tensor) -> Vec<Vec<i64>> {
    let outputs = model.run(kernels, &[x]).unwrap();
    let scores = match outputs[0].dtype() {
        DType::I64 => outputs[0].to_vec::<i64>().unwrap(),
        _ => outputs[0].to_vec::<i32>().unwrap().into_iter().map(i64::from).collect(),
    };
    let width = usize::try_from(model.manifest().outputs[0].shape[0]).unwrap();
    scores.chunks(width).map(<[i64]>::to_vec).collect()
}

#[test]
fn thousands_of_rows_score_as_the_libraries_do() {
    let rows = rows();
    let count = rows.len() / FEATURES;
    assert_eq!(count, 2000);
    let narrow = Tensor::from_vec(Shape::new(&[2000, 10]).unwrap(), rows.clone()).unwrap();
    let wide = rows.iter().map(|q| if *q == i32::MIN { i64::MIN } else { i64::from(*q) }).collect();
    let wide = Tensor::from_vec::<i64>(Shape::new(&[2000, 10]).unwrap(), wide).unwrap();
    for (name, suffix, scores) in MODELS {
        let bytes = file(&format!("tests/trees/{name}.{suffix}"));
        let expected = expected(name);
        assert_eq!(expected.len(), count * scores, "{name}");
        for (input_type, x) in [(DType::I32, &narrow), (DType::I64, &wide)] {
            let options =
                TreeOptions { input_type, input_fraction_bits: Some(BITS), ..TreeOptions::new(name, "CC0-1.0") };
            let ImportedTrees { container, report } = import(&bytes, &options);
            let model = Model::from_bytes(container).unwrap();
            let reference = sums(&model, &Kernels::new(Level::Reference, 1).unwrap(), x);
            let first = usize::from(scores == 1 && !name.ends_with("number"));
            let port = &model.manifest().outputs[0];
            let unit = 0.5_f64.powi(port.fraction_bits.into());
            // Leaves are rounded, then the sums where they become logits; f64 itself holds 53 bits.
            let rounded = if port.dtype == DType::I64 { 0.0 } else { unit / 2.0 };
            let mut worst: f64 = 0.0;
            for (at, [raw, leaves]) in expected.iter().enumerate() {
                let score = reference[at / scores][at % scores + first] as f64 * unit;
                let error = (score - leaves).abs();
                assert!(
                    error <= report.rounding + rounded + leaves.abs() * 1e-15,
                    "{name}, row {at}: {score}, {leaves}"
                );
                worst = worst.max(error);
                // The library adds in its own float type: a leaf that differs would show far above that.
                let library = if suffix == "json" { raw.abs().max(1.0) * 2.0_f64.powi(-20) } else { raw.abs() * 1e-13 };
                assert!((score - raw).abs() <= report.rounding + rounded + library, "{name}, row {at}: {score}, {raw}");
            }
            println!(
                "{name} in {input_type}: at most {worst:.3e} from the leaves, {:.3e} allowed",
                report.rounding + rounded
            );

            // Classes: as the library's, except within one step of the threshold.
            if let Some(class) = model.manifest().output("class") {
                let outputs = model.run(&Kernels::new(Level::best(), 1).unwrap(), &[x]).unwrap();
                let classes = outputs[class].to_vec::<i32>().unwrap();
                for (row, scores_of) in expected.chunks(scores).enumerate() {
                    let mut raw: Vec<f64> = scores_of.iter().map(|[raw, _]| *raw).collect();
                    if first == 1 {
                        raw.insert(0, 0.0);
                    }
                    let largest = raw.iter().copied().fold(f64::MIN, f64::max);
                    let class = usize::try_from(classes[row]).unwrap();
                    assert!(raw[class] >= largest - unit, "{name}, row {row}: class {class} of {raw:?}");
                }
            }
            for kernels in kernels() {
                let found = sums(&model, &kernels, x);
                assert_eq!(found, reference, "{name} at {} with {} threads", kernels.level(), kernels.threads());
            }
        }

        // The importer's own reading of the file, on real rows.
        let real: Vec<Vec<f64>> = rows
            .chunks(FEATURES)
            .map(|row| {
                let real = |q: &i32| if *q == i32::MIN { MISSING_FEATURE } else { f64::from(*q) / 65536.0 };
                row.iter().map(real).collect()
            })
            .collect();
        let float = float(&bytes);
        for (at, scores_of) in float.scores(&real).unwrap().into_iter().enumerate() {
            for (score, [_, leaves]) in scores_of.iter().zip(&expected[at * scores..]) {
                assert!((score - leaves).abs() <= leaves.abs().max(1.0) * 1e-12, "{name}, row {at}: {score}, {leaves}");
            }
        }
        // Writing real rows in fixed point gives the rows again.
        let port =
            &Model::from_bytes(import(&bytes, &options_with_bits()).container).unwrap().manifest().inputs[0].clone();
        assert_eq!(quantise_features(port, &real).unwrap().to_vec::<i32>().unwrap(), rows);
    }
}

fn options_with_bits() -> TreeOptions {
    TreeOptions { input_fraction_bits: Some(BITS), ..TreeOptions::new("sample", "CC0-1.0") }
}

struct Screening {
    rows: Vec<Vec<f64>>,
    labels: Vec<usize>,
    /// Raw score, probability and class of each library and row.
    expected: [Vec<(f64, f64, i32)>; 2],
}

fn screening() -> Screening {
    let table = Table::read_csv(&file("../../examples/screening/model/heldout.csv")[..]).unwrap();
    let text = String::from_utf8(file("../../examples/screening/trees/expected.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("lightgbm_raw,lightgbm_probability,lightgbm_class,xgboost_raw,xgboost_probability,xgboost_class")
    );
    let mut expected = [vec![], vec![]];
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        for (fields, expected) in fields.chunks(3).zip(&mut expected) {
            expected.push((fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[2].parse().unwrap()));
        }
    }
    Screening { rows: table.rows, labels: table.labels, expected }
}

#[test]
fn held_out_patients_are_classed_as_the_libraries_do() {
    let Screening { rows, labels, expected } = screening();
    assert_eq!((rows.len(), labels.len(), expected[0].len()), (114, 114, 114));
    for (name, expected) in ["screening.lightgbm.txt", "screening.xgboost.json"].into_iter().zip(expected) {
        let bytes = file(&format!("../../examples/screening/trees/{name}"));
        let heldout = Table { rows: rows.clone(), labels: labels.clone(), features: vec![] };
        let options = TreeOptions {
            heldout: Some(heldout),
            labels: vec!["benign".into(), "malignant".into()],
            input_fraction_bits: Some(16),
            ..TreeOptions::new("screening", "CC-BY-4.0")
        };
        let imported = import(&bytes, &options);
        println!("{}", imported.report);
        let model = Model::from_bytes(imported.container.clone()).unwrap();
        assert_eq!((model.id(), imported.container), (imported.report.id, import(&bytes, &options).container));
        let port = &model.manifest().inputs[0];
        let x = quantise_features(port, &rows).unwrap();
        assert_eq!(x.to_vec::<i32>().unwrap()[..30], quantise_input(port, &rows[0]).unwrap());
        let unit = 0.5_f64.powi(model.manifest().outputs[0].fraction_bits.into());

        // The rows are decimals: on the grid, a feature within a step of a threshold may fall on its other side.
        let on_grid = |row: &Vec<f64>| row.iter().map(|x| (x * 65536.0).round_ties_even() / 65536.0).collect();
        let float = float(&bytes);
        let [exact, moved] =
            [rows.clone(), rows.iter().map(on_grid).collect()].map(|rows| float.scores(&rows).unwrap());
        let moved_rows = exact.iter().zip(&moved).filter(|(exact, moved)| exact != moved).count();
        println!("{name}: {moved_rows} rows change on the grid");
        assert!(moved_rows <= 5);
        for kernels in kernels() {
            let outputs = model.run(&kernels, &[&x]).unwrap();
            let logits = outputs[0].to_vec::<i32>().unwrap();
            let probabilities = outputs[1].to_vec::<i32>().unwrap();
            let classes = outputs[2].to_vec::<i32>().unwrap();
            for (row, (raw, probability, class)) in expected.iter().enumerate() {
                // The class is the library's for the row as it is, not as the grid has it.
                assert!(classes[row] == *class || raw.abs() <= unit, "{name}, row {row}");
                // XGBoost adds 40 leaves in f32.
                assert!((exact[row][0] - raw).abs() < 4.0e-6, "{name}, row {row}: {raw}");
                let logit = f64::from(logits[2 * row + 1]) * unit;
                assert!((logit - moved[row][0]).abs() <= 0.51 * unit, "{name}, row {row}: {logit}, {moved:?}");
                let found = f64::from(probabilities[2 * row + 1]) / 65536.0;
                if exact[row] == moved[row] {
                    assert!((found - probability).abs() < 2.0 / 65536.0, "{name}, row {row}: {found}, {probability}");
                }
            }
        }
        let right = expected
            .iter()
            .zip(&labels)
            .filter(|((_, _, class), label)| usize::try_from(*class) == Ok(**label))
            .count();
        let accuracy = imported.report.heldout.unwrap();
        assert_eq!((accuracy.float_right, accuracy.integer_right, accuracy.different), (right, right, 0));
        assert!(model.manifest().accuracy.contains("114 held-out rows"), "{}", model.manifest().accuracy);
    }
}
