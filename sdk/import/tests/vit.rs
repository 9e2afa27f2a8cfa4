//! A vision transformer on digits: as accurate as in float, and the same at every level.

mod levels;

use std::{fs, path::PathBuf};

use levels::everywhere;
use noema_import::{FloatModel, ImportOptions, Precision, Table, Width, Widths, compare, import_vision};
use noema_model::Model;
use noema_tensor::{Kernels, Level};

/// Rows that run at the reference level, and alone.
const FEW: usize = 8;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vit")
}

fn table(name: &str) -> Table {
    Table::read_csv(fs::File::open(folder().join(name)).unwrap()).unwrap()
}

#[test]
fn a_vision_transformer_is_as_accurate_as_in_float() {
    let heldout = table("../digits/heldout.csv");
    let original = FloatModel::from_folder(&folder()).unwrap();
    let float = original.predict(&heldout.rows).unwrap();
    for (ours, theirs) in float.iter().zip(table("expected.csv").rows) {
        let near = |(a, b): (&f32, f64)| (f64::from(*a) - b).abs() < 1e-3;
        assert!(
            ours.logits.len() == 10 && ours.logits.iter().zip(theirs).all(near),
            "the original is that of transformers"
        );
    }
    let float_right = float.iter().zip(&heldout.labels).filter(|(float, label)| float.class == **label).count();
    let all = [Width::Eight, Width::Sixteen];
    let mut precisions: Vec<Precision> =
        all.map(|width| Precision::Fixed(Widths { features: width, hidden: width })).to_vec();
    precisions.push(Precision::Auto { tolerance: 0.01 });
    for precision in precisions {
        let options = ImportOptions {
            calibration: table("../digits/calibration.csv").rows,
            heldout: Some(heldout.clone()),
            precision,
            ..ImportOptions::new("digits", "CC-BY-4.0")
        };
        let imported = import_vision(&folder(), &options).unwrap();
        println!("{precision:?}\n{}", imported.report);
        assert_eq!(imported.report.layers.len(), 20, "every layer of weights is in the report");
        let kernels = Kernels::new(Level::best(), 1).unwrap();
        let apart = compare(&original, &imported.container, &heldout.rows[..50], &kernels).unwrap();
        assert_eq!((apart.layers.len(), apart.layers[6].name.as_str()), (7, "layer 2 out added"));
        assert!(apart.layers.iter().all(|layer| layer.relative < 0.05) && apart.scores < 0.05, "{apart:?}");
        let model = Model::from_bytes(imported.container).unwrap();
        let manifest = model.manifest();
        assert_eq!((&manifest.inputs[0].shape[..], manifest.inputs[0].dtype.name()), (&[1, 8, 8][..], "u8"));
        assert_eq!(manifest.labels, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        let class = manifest.output("class").unwrap();
        let classes = everywhere(&model, &heldout.rows, FEW)[class].to_vec::<i32>().unwrap();
        let right =
            classes.iter().zip(&heldout.labels).filter(|(class, label)| usize::try_from(**class) == Ok(**label));
        let right = right.count();
        // 0.3 points of 600 rows are 1.8 rows: for what the importer chooses.
        let allowed = if matches!(precision, Precision::Auto { .. }) { 1 } else { 2 };
        assert!(right + allowed >= float_right && float_right >= 580, "{right} right, {float_right} in float");
        let accuracy = imported.report.heldout.unwrap();
        assert_eq!((accuracy.integer_right, accuracy.float_right), (right, float_right));
    }
}
