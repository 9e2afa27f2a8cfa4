//! Models without a chain: checked, run, timed, and compared with their originals.

mod program;

use program::{Workplace, assert_error, number, repository, text};

fn digits(name: &str) -> String {
    repository().join("sdk/import/tests/digits").join(name).to_string_lossy().into_owned()
}

fn screening(name: &str) -> String {
    repository().join("examples/screening").join(name).to_string_lossy().into_owned()
}

/// The convolutional network of the importer's tests, with names for its classes.
fn with_digits() -> Workplace {
    let workplace = Workplace::new();
    let (onnx, calibration) = (digits("digits.onnx"), digits("calibration.csv"));
    let labels = "zero,one,two,three,four,five,six,seven,eight,nine";
    let import = ["model", "import", &onnx, "--calibration", &calibration, "-o", "digits.noema", "--labels", labels];
    let imported = workplace.json(0, &import);
    assert_eq!(number(&imported, "/features"), 64);
    assert_eq!(imported["layers"].as_array().map(Vec::len), Some(5));
    workplace
}

#[test]
fn a_convolutional_network_from_its_file_to_answers() {
    let workplace = with_digits();
    let inspected = workplace.json(0, &["model", "inspect", "digits.noema"]);
    assert_eq!(inspected["inputs"][0]["shape"], serde_json::json!([1, 8, 8]));
    let heldout = digits("heldout.csv");
    let answers = workplace.json(0, &["model", "run", "digits.noema", "--input", &heldout]);
    assert_eq!(number(&answers, "/rows"), 600);
    assert!(number(&answers, "/gas") > 1_000_000 && number(&answers, "/arena_bytes") > 600 * 64);
    let table = std::fs::read_to_string(&heldout).unwrap();
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let wanted = table.lines().skip(1).map(|line| names[line.rsplit(',').next().unwrap().parse::<usize>().unwrap()]);
    let class = answers["outputs"].as_array().unwrap().iter().find(|output| output["name"] == "class").unwrap();
    let found = class["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap());
    let right = wanted.zip(found).filter(|(wanted, found)| wanted == found).count();
    assert!(right >= 590, "{right} of 600");

    // The same first row as JSON, as NumPy's array, and as the integers themselves; at another level.
    let first: Vec<f64> =
        table.lines().nth(1).unwrap().split(',').take(64).map(|pixel| pixel.parse().unwrap()).collect();
    workplace.write("row.json", serde_json::to_string(&[&first]).unwrap());
    workplace.write("named.json", serde_json::json!({ "features": [first.chunks(8).collect::<Vec<_>>()] }).to_string());
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 8, 8), }\n";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    npy.extend(header.as_bytes());
    first.iter().for_each(|pixel| npy.extend((*pixel as f32).to_le_bytes()));
    workplace.write("row.npy", npy);
    let bits = number(&inspected, "/inputs/0/fraction_bits");
    let raw: Vec<f64> = first.iter().map(|pixel| pixel * 2_f64.powi(i32::try_from(bits).unwrap())).collect();
    workplace.write("raw.json", serde_json::to_string(&[raw]).unwrap());
    let expected = &answers["outputs"][0]["integers"][0];
    for arguments in [
        &["--input", "row.json"][..],
        &["--input", "features=row.json", "--level", "reference"],
        &["--input", "named.json", "--threads", "2"],
        &["--input", "row.npy", "--level", "portable"],
        &["--input", "raw.json", "--raw"],
    ] {
        let answer = workplace.json(0, &[&["model", "run", "digits.noema"], arguments].concat());
        assert_eq!(&answer["outputs"][0]["integers"][0], expected, "{arguments:?}");
        assert_eq!(number(&answer, "/rows"), 1);
    }
    let people = workplace.run(&["model", "run", "digits.noema", "--input", "row.json"]);
    assert!(people.stdout.contains("probabilities") && people.stdout.contains("nine: "), "{people:?}");
}

#[test]
fn rows_that_do_not_fit_say_why() {
    let workplace = with_digits();
    let run = |file: &str| workplace.json(2, &["model", "run", "digits.noema", "--input", file]);
    workplace.write("short.json", "[[1, 2, 3]]");
    assert_error(&run("short.json"), "file", &["rows of 3 numbers", "[N, 1, 8, 8]"]);
    workplace.write("text.json", "[[\"a\"]]");
    assert_error(&run("text.json"), "file", &["where a number should be"]);
    workplace.write("ragged.json", "[[1], [1, 2]]");
    assert_error(&run("ragged.json"), "file", &["several lengths"]);
    workplace.write("none.json", "[]");
    assert_error(&run("none.json"), "file", &["no rows"]);
    workplace.write("big.json", serde_json::to_string(&[vec![1e9; 64]]).unwrap());
    assert_error(&run("big.json"), "file", &["row 0, number 0", "does not fit i32"]);
    workplace.write("other.json", "{\"pixels\": [[1]]}");
    assert_error(&run("other.json"), "file", &["no input `pixels`", "features"]);
    workplace.write("no.json", "{");
    assert_error(&run("no.json"), "file", &["not JSON", "NumPy"]);
    assert_error(&run("nowhere.json"), "io", &["nowhere.json"]);
}

#[test]
fn containers_are_verified() {
    let workplace = with_digits();
    let verified = workplace.json(0, &["model", "verify", "digits.noema"]);
    let id = text(&verified, "/model").to_owned();
    assert!(number(&verified, "/proven_edges") > 10 && number(&verified, "/peak") > 1000);
    let as_expected = workplace.json(0, &["model", "verify", "digits.noema", "--id", &id]);
    assert_eq!(as_expected["is_expected"], true);
    let other = workplace.json(1, &["model", "verify", "digits.noema", "--id", &"11".repeat(32)]);
    assert_error(&other, "model", &[&id, "another model"]);
    // A weight that another bound follows from, and a container that is cut.
    let bytes = std::fs::read(workplace.path("digits.noema")).unwrap();
    let certificate_is_noticed = (0..bytes.len()).rev().step_by(97).any(|at| {
        let mut altered = bytes.clone();
        altered[at] ^= 0x40;
        workplace.write("altered.noema", altered);
        let run = workplace.run(&["--json", "model", "verify", "altered.noema"]);
        run.exit == Some(1) && run.stdout.contains("bound")
    });
    assert!(certificate_is_noticed);
    workplace.write("cut.noema", &bytes[..bytes.len() / 2]);
    assert_error(&workplace.json(1, &["model", "verify", "cut.noema"]), "model", &["not a valid model container"]);
    assert_error(&workplace.json(2, &["model", "verify", "nowhere.noema"]), "io", &["nowhere.noema"]);
}

#[test]
fn every_level_is_timed() {
    let workplace = with_digits();
    let arguments = [
        "model",
        "bench",
        "digits.noema",
        "--ms",
        "1",
        "--batch",
        "1,5",
        "--threads",
        "1",
        "--levels",
        "reference,portable",
    ];
    let timed = workplace.json(0, &arguments);
    let lines = timed["lines"].as_array().unwrap();
    let of: Vec<_> = lines.iter().map(|line| (line["level"].as_str().unwrap(), number(line, "/rows"))).collect();
    assert_eq!(of, [("reference", 1), ("reference", 5), ("portable", 1), ("portable", 5)]);
    assert!(lines.iter().all(|line| line["microseconds"].as_f64() > Some(0.0)));
    let error = workplace.json(2, &["model", "bench", "digits.noema", "--batch", "0"]);
    assert_error(&error, "file", &["0 rows"]);
}

#[test]
fn originals_and_models_are_compared() {
    let workplace = with_digits();
    let (onnx, heldout) = (digits("digits.onnx"), digits("heldout.csv"));
    let diff = ["model", "diff", &onnx, "digits.noema", "--input", &heldout, "--svg", "error.svg"];
    let found = workplace.json(0, &diff);
    let names: Vec<_> =
        found["layers"].as_array().unwrap().iter().map(|layer| layer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["first", "second", "depthwise", "pointwise", "head"]);
    for layer in found["layers"].as_array().unwrap() {
        let relative = layer["relative"].as_f64().unwrap();
        assert!(relative > 0.0 && relative < 0.03, "{layer}");
    }
    assert!(number(&found, "/same_class") >= 599 && number(&found, "/rows") == 600);
    let right = found["right"].as_array().unwrap();
    assert!(right[0].as_u64().unwrap().abs_diff(right[1].as_u64().unwrap()) <= 1);
    let svg = std::fs::read_to_string(workplace.path("error.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("depthwise") && svg.matches("<rect").count() == 8, "{svg}");
    assert_error(&workplace.json(2, &diff), "io", &["error.svg", "nothing is overwritten"]);

    // 16 bits are nearer than 8.
    let calibration = digits("calibration.csv");
    let import = ["model", "import", &onnx, "--calibration", &calibration, "-o", "near.noema", "--max-error", "0.0001"];
    workplace.json(0, &import);
    let near = workplace.json(0, &["model", "diff", &onnx, "near.noema", "--input", &heldout]);
    let scores = |found: &serde_json::Value| found["ends"][0]["value"].as_f64().unwrap();
    assert!(scores(&near) < scores(&found), "{near} {found}");

    // Another network; trees; a dense network.
    let other =
        workplace.json(2, &["model", "diff", &digits("digits.integer.onnx"), "digits.noema", "--input", &heldout]);
    assert_error(&other, "import", &["not made of this original"]);
    let (trees, rows) = (screening("trees/screening.lightgbm.txt"), screening("model/heldout.csv"));
    workplace.json(0, &["model", "import", &trees, "-o", "trees.noema"]);
    let found = workplace.json(0, &["model", "diff", &trees, "trees.noema", "--input", &rows]);
    assert_eq!((number(&found, "/same_class"), number(&found, "/rows")), (114, 114));
    assert!(found["ends"][0]["value"].as_f64() < Some(1e-5), "{found}");
    let (onnx, calibration) = (screening("model/screening.onnx"), screening("model/calibration.csv"));
    workplace.json(0, &["model", "import", &onnx, "--calibration", &calibration, "-o", "screening.noema"]);
    let found = workplace.json(0, &["model", "diff", &onnx, "screening.noema", "--input", &rows]);
    assert!(found["layers"].as_array().is_some_and(|layers| layers.len() >= 2), "{found}");
    let people = workplace.run(&["model", "diff", &onnx, "screening.noema", "--input", &rows]);
    assert!(people.stdout.contains("the same class for") && people.stdout.contains("layers"), "{people:?}");
}

#[test]
fn a_vision_transformer_from_its_folder_to_answers() {
    let workplace = Workplace::new();
    let folder = repository().join("sdk/import/tests/vit").to_string_lossy().into_owned();
    let (calibration, heldout) = (digits("calibration.csv"), digits("heldout.csv"));
    let import = ["model", "import", &folder, "--calibration", &calibration, "--heldout", &heldout, "-o", "vit.noema"];
    let imported = workplace.json(0, &import);
    assert_eq!((number(&imported, "/features"), number(&imported, "/heldout/rows")), (64, 600));
    let right = number(&imported, "/heldout/model_right");
    assert!(right >= 580, "{right}");
    let answers = workplace.json(0, &["model", "run", "vit.noema", "--input", &heldout]);
    assert_eq!(number(&answers, "/rows"), 600);
    let found = workplace.json(0, &["model", "diff", &folder, "vit.noema", "--input", &heldout]);
    assert_eq!((found["layers"].as_array().map(Vec::len), number(&found, "/right/1")), (Some(7), right));
    // A folder that is none, and a container that was made of something else.
    std::fs::create_dir(workplace.path("empty")).unwrap();
    let error = workplace.json(2, &["model", "import", "empty", "--calibration", &calibration, "-o", "x.noema"]);
    assert_error(&error, "import", &["config.json"]);
    let other = ["model", "import", &digits("digits.onnx"), "--calibration", &calibration, "-o", "digits.noema"];
    workplace.json(0, &other);
    let error = workplace.json(2, &["model", "diff", &folder, "digits.noema", "--input", &heldout]);
    assert_error(&error, "import", &["not made of this original"]);
}
