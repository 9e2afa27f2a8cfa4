//! 100,000 rows of a made-up fraud set: the class of the integer model is the library's.

use std::{fs, path::PathBuf};

use noema_import::{TreeOptions, import_lightgbm, import_xgboost};
use noema_model::Model;
use noema_tensor::{Kernels, Level, Shape, Tensor};

const ROWS: usize = 100_000;
const FEATURES: usize = 12;
const BITS: u8 = 16;

fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The finaliser of splitmix64.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// As `rows` of `trees/fraud.py`.
fn feature(row: usize, feature: usize) -> i32 {
    let z = mixed(u64::try_from(row * 64 + feature).unwrap());
    let part = |part: u32| i64::try_from(z >> (16 * part) & 0xffff).unwrap();
    let missing = (feature == 2 && part(3) < 6000) || (feature == 9 && part(3) < 9000);
    let value = match feature {
        _ if missing => i32::MIN.into(),
        0..3 => (part(0) * part(1)) >> 8,
        3..6 => (part(2) & 7) << 16,
        _ => (0..4).map(part).sum::<i64>() - (1 << 17),
    };
    i32::try_from(value).unwrap()
}

#[test]
fn a_hundred_thousand_rows_have_the_class_of_their_library() {
    let x: Vec<i32> = (0..ROWS).flat_map(|row| (0..FEATURES).map(move |at| feature(row, at))).collect();
    let x = Tensor::from_vec(Shape::new(&[100_000, 12]).unwrap(), x).unwrap();
    let options = TreeOptions { input_fraction_bits: Some(BITS), ..TreeOptions::new("fraud", "CC0-1.0") };
    for name in ["fraud-lightgbm", "fraud-xgboost"] {
        let imported = match name {
            "fraud-lightgbm" => import_lightgbm(&file("fraud-lightgbm.txt"), &options),
            _ => import_xgboost(&file("fraud-xgboost.json"), &options),
        };
        let model = Model::from_bytes(imported.unwrap().container).unwrap();
        let index = |name| model.manifest().output(name).unwrap();
        let outputs = model.run(&Kernels::new(Level::best(), 1).unwrap(), &[&x]).unwrap();
        let (logits, classes) =
            (outputs[index("logits")].to_vec::<i32>().unwrap(), outputs[index("class")].to_vec::<i32>().unwrap());
        let library = file(&format!("{name}.classes.bin"));
        let (mut different, mut fraud) = (0, 0);
        for (row, class) in classes.iter().enumerate() {
            let theirs = i32::from(library[row / 8] >> (7 - row % 8) & 1);
            fraud += theirs;
            if *class != theirs {
                // Only where the score is within a step of the threshold.
                assert!(
                    logits[2 * row + 1].abs() <= 1,
                    "{name}, row {row}: class {class}, logit {}",
                    logits[2 * row + 1]
                );
                different += 1;
            }
        }
        println!("{name}: {different} of {ROWS} classes differ; {fraud} are fraud");
        assert!(different <= 2 && (5_000..50_000).contains(&fraud));
        for level in Level::available().into_iter().filter(|level| *level != Level::Reference) {
            let found = model.run(&Kernels::new(level, 2).unwrap(), &[&x]).unwrap();
            assert_eq!(found[0].to_le_bytes().unwrap(), outputs[0].to_le_bytes().unwrap(), "{name} at {level}");
        }
    }
}
