//! Models from ONNX files to the chain: whole, interrupted, damaged and forged.

mod program;

use std::process::Stdio;
use std::time::Duration;

use noema_chain::{Action, Chain, Transaction};
use noema_cli::keys;
use noema_model::graph::{Edge, EdgeId, Graph, Node};
use noema_model::manifest::{Manifest, Port};
use noema_model::merkle::{self, CHUNK_BYTES};
use noema_model::ops::Linear;
use noema_model::parameters::Array;
use noema_model::{ModelId, container};
use noema_tensor::DType;
use program::{Workplace, assert_error, number, repository, text};

/// A container of one layer with `outputs` times 1024 weights.
fn layer(outputs: u32) -> Vec<u8> {
    let inputs = 1024;
    let graph = Graph {
        inputs: vec![Edge::new(DType::I8, &[inputs])],
        nodes: vec![Node {
            name: "layer".into(),
            op: Linear { outputs, accumulator: DType::I32 }.into(),
            inputs: vec![EdgeId(0)],
        }],
        outputs: vec![EdgeId(1)],
    };
    let edges = graph.edges().expect("a graph");
    let manifest = Manifest {
        name: "layer".into(),
        licence: "CC0-1.0".into(),
        version: "1".into(),
        inputs: vec![Port::new("x", &edges[0], 0)],
        outputs: vec![Port::new("y", &edges[1], 0)],
        labels: vec![],
        accuracy: String::new(),
    };
    let mut state = 1_u32;
    let weights = (0..inputs * outputs).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i8::from_le_bytes([state.to_le_bytes()[3]])
    });
    let bias = vec![0; usize::try_from(outputs).expect("small")];
    container::encode(&manifest, &graph, &[vec![Array::I8(weights.collect()), Array::I32(bias)]]).expect("it encodes")
}

/// Sends an action as the owner of the chain; expects this exit status.
fn send(workplace: &Workplace, exit: i32, action: Action) -> serde_json::Value {
    let key = keys::read(&keys::default_path(&workplace.chain())).expect("the chain's key");
    let nonce = number(&workplace.json(0, &["account"]), "/nonce");
    let transaction = key.sign(Transaction {
        chain_id: "noema-local".into(),
        nonce,
        gas_limit: 1_000_000_000_000,
        gas_price: 0,
        value: 0,
        action,
    });
    // Too long for a command line.
    let file = workplace.write("transaction.hex", hex::encode(transaction.to_bytes()));
    let output = workplace
        .command()
        .args(["--json", "submit", "-", "--time-ms", "2000"])
        .stdin(std::fs::File::open(file).expect("just written"))
        .output();
    let run = program::Run::from(output.expect("the program starts"));
    assert_eq!(run.exit, Some(exit), "{run:#?}");
    run.object()
}

fn screening(name: &str) -> String {
    repository().join("examples/screening/model").join(name).to_string_lossy().into_owned()
}

#[test]
fn from_an_onnx_file_to_the_chain() {
    let workplace = Workplace::new();
    let (onnx, calibration, heldout) =
        (screening("screening.onnx"), screening("calibration.csv"), screening("heldout.csv"));
    let arguments = [
        "model",
        "import",
        &onnx,
        "--calibration",
        &calibration,
        "--heldout",
        &heldout,
        "-o",
        "screening.noema",
        "--licence",
        "CC-BY-4.0",
        "--labels",
        "benign,malignant",
    ];
    let imported = workplace.json(0, &arguments);
    assert_eq!(number(&imported, "/heldout/rows"), 114);
    assert_eq!(number(&imported, "/calibration_rows"), 64);
    let bytes = std::fs::read(workplace.path("screening.noema")).unwrap();
    let id = merkle::root(&bytes).to_string();
    assert_eq!(text(&imported, "/model"), id);
    // The same file gives the same bytes; an existing file is not overwritten.
    assert_error(&workplace.json(2, &arguments), "io", &["screening.noema", "nothing is overwritten"]);
    let mut again = arguments;
    again[8] = "again.noema";
    workplace.json(0, &again);
    assert_eq!(std::fs::read(workplace.path("again.noema")).unwrap(), bytes);

    let inspected = workplace.json(0, &["model", "inspect", "screening.noema"]);
    assert_eq!(text(&inspected, "/model"), id);
    assert_eq!(inspected["labels"], serde_json::json!(["benign", "malignant"]));
    assert!(number(&inspected, "/gas") > 0 && number(&inspected, "/arena_bytes") > 0);
    for node in inspected["nodes"].as_array().expect("nodes") {
        assert!(node["lowest"].as_i64() <= node["highest"].as_i64(), "{node}");
    }
    let people = workplace.run(&["model", "inspect", "screening.noema"]);
    assert!(people.stdout.contains("proven bounds") && people.stdout.contains(&id), "{people:?}");

    workplace.init();
    let added = workplace.json(0, &["model", "add", "screening.noema"]);
    assert_eq!((text(&added, "/model"), number(&added, "/sent")), (&*id, number(&added, "/chunks")));
    let again = workplace.json(0, &["model", "add", "screening.noema"]);
    assert_eq!((again["already_there"].as_bool(), number(&again, "/sent")), (Some(true), 0));
    assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 3, "adding it again sends nothing");
}

fn trees(name: &str) -> String {
    repository().join("examples/screening/trees").join(name).to_string_lossy().into_owned()
}

#[test]
fn from_the_files_of_tree_libraries_to_the_chain() {
    let workplace = Workplace::new();
    workplace.init();
    let heldout = screening("heldout.csv");
    for (file, library, right) in
        [("screening.lightgbm.txt", "LightGBM", 113), ("screening.xgboost.json", "XGBoost", 112)]
    {
        let (file, out) = (trees(file), format!("{library}.noema"));
        let arguments = ["model", "import", &file, "--heldout", &heldout, "-o", &out, "--labels", "benign,malignant"];
        let imported = workplace.json(0, &arguments);
        assert_eq!((text(&imported, "/library"), number(&imported, "/trees")), (library, 40));
        assert_eq!((number(&imported, "/heldout/model_right"), number(&imported, "/heldout/different")), (right, 0));
        assert_error(&workplace.json(2, &arguments), "io", &[&out, "nothing is overwritten"]);

        let inspected = workplace.json(0, &["model", "inspect", &out]);
        let ensemble = &inspected["nodes"][0]["ensemble"];
        let [decisions, leaves] = ["/decisions", "/leaves"].map(|field| number(ensemble, field));
        assert_eq!((number(ensemble, "/trees"), leaves), (40, decisions + 40));
        assert!(number(ensemble, "/depth") >= 3 && number(ensemble, "/steps") <= 40 * number(ensemble, "/depth"));
        let people = workplace.run(&["model", "inspect", &out]);
        let words = format!("trees: 40 trees, {decisions} decisions, {leaves} leaves, depth");
        assert!(people.stdout.contains(&words), "{people:?}");
        let added = workplace.json(0, &["model", "add", &out]);
        assert_eq!(added["model"], imported["model"]);
    }
    let wide = ["model", "import", &trees("screening.lightgbm.txt"), "-o", "wide.noema", "--input-type", "i64"];
    let imported = workplace.json(0, &wide);
    assert_eq!((text(&imported, "/input_type"), number(&imported, "/input_fraction_bits")), ("i64", 40));
}

#[test]
fn trees_that_cannot_be_imported_say_why() {
    let workplace = Workplace::new();
    let import = |file: &str| workplace.json(2, &["model", "import", file, "-o", "out.noema"]);
    let lightgbm = std::fs::read_to_string(trees("screening.lightgbm.txt")).unwrap();
    workplace.write("cut.txt", &lightgbm[..lightgbm.len() / 2]);
    assert_error(&import("cut.txt"), "import", &["cut.txt", "LightGBM"]);
    workplace.write("poisson.txt", lightgbm.replace("objective=binary", "objective=poisson"));
    assert_error(&import("poisson.txt"), "import", &["poisson", "multiclass", "train or save"]);
    let xgboost = std::fs::read_to_string(trees("screening.xgboost.json")).unwrap();
    workplace.write("cut.json", &xgboost[..xgboost.len() / 2]);
    assert_error(&import("cut.json"), "import", &["cut.json", "not a XGBoost model file", "EOF"]);
    workplace.write("dart.json", xgboost.replace("\"name\":\"gbtree\"", "\"name\":\"dart\""));
    assert_error(&import("dart.json"), "import", &["the booster `dart`", "gbtree"]);
    workplace.write("model.ubj", b"{L\0\0\0\0\0\0\0\x07learner{".as_slice());
    assert_error(&import("model.ubj"), "import", &["UBJ", "model.json"]);
    let error = import(&screening("screening.onnx"));
    assert_error(&error, "argument", &["--calibration", "network", "rows like those"]);
    assert!(!workplace.path("out.noema").exists(), "nothing half done is left");
}

#[test]
fn an_operator_that_cannot_be_imported_is_named() {
    let workplace = Workplace::new();
    // Another operator with as many letters: everything else in the file stays right.
    let mut onnx = std::fs::read(screening("screening.onnx")).unwrap();
    let at = onnx.windows(6).position(|bytes| bytes == b"\x22\x04Relu").expect("an operator Relu");
    onnx[at + 2..at + 6].copy_from_slice(b"Tanh");
    workplace.write("tanh.onnx", onnx);
    let import = |file: &str, calibration: &str| {
        workplace.json(2, &["model", "import", file, "--calibration", calibration, "-o", "out.noema"])
    };
    let error = import("tanh.onnx", &screening("calibration.csv"));
    assert_error(&error, "import", &["tanh.onnx", "relu1", "Tanh", "Gemm", "other operators"]);

    workplace.write("text.onnx", "this is no network");
    assert_error(&import("text.onnx", &screening("calibration.csv")), "import", &["text.onnx", "not an ONNX file"]);
    workplace.write("short.csv", "a,b\n1,2\n");
    assert_error(&import(&screening("screening.onnx"), "short.csv"), "import", &["row 0", "30"]);
    workplace.write("empty.csv", "a,b\n");
    assert_error(&import(&screening("screening.onnx"), "empty.csv"), "import", &["empty.csv", "no rows"]);
    workplace.write("words.csv", "a,b\n1,many\n");
    assert_error(&import(&screening("screening.onnx"), "words.csv"), "import", &["line 2", "`b`", "many"]);
    assert_error(&import("absent.onnx", &screening("calibration.csv")), "io", &["absent.onnx"]);
    assert!(!workplace.path("out.noema").exists(), "nothing half done is left");
}

#[test]
fn a_damaged_container_is_refused_before_anything_is_sent() {
    let workplace = Workplace::new();
    workplace.init();
    let bytes = layer(8);
    let mut altered = bytes.clone();
    altered[0] ^= 1;
    for (name, bytes) in [
        ("half.noema", &bytes[..bytes.len() / 2]),
        ("short.noema", &bytes[..bytes.len() - 1]),
        ("longer.noema", &[&bytes[..], &[0]].concat()),
        ("altered.noema", &altered),
        ("text.noema", b"hello"),
        ("empty.noema", b""),
    ] {
        workplace.write(name, bytes);
        for command in ["inspect", "add"] {
            let error = workplace.json(2, &["model", command, name]);
            assert_error(&error, "file", &[name, "not a valid model container", "import it again"]);
        }
    }
    assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 0);
}

#[test]
fn a_chunk_that_is_not_the_models_is_rejected_with_its_gas() {
    let workplace = Workplace::new();
    workplace.init();
    let bytes = layer(256);
    let ModelId(id) = merkle::root(&bytes);
    let total_len = u64::try_from(bytes.len()).unwrap();
    let chunk = |index: u32| bytes.chunks(CHUNK_BYTES).nth(usize::try_from(index).unwrap()).unwrap().to_vec();
    let proof = |index: u32| merkle::proof(&bytes, u64::from(index)).unwrap();
    let rejected = |action: Action, reason: &str| {
        let error = send(&workplace, 1, action);
        assert_error(&error, "transaction-failed", &["rejected", reason]);
        assert!(number(&error, "/error/details/gas/used") > 0, "{error:#}");
    };
    let own = |index| Action::ModelChunk { id, index, bytes: chunk(index), proof: proof(index) };
    rejected(own(0), "announced");
    send(&workplace, 0, Action::BeginModel { total_len, top: merkle::MerkleTree::new(&bytes).top() });

    let mut wrong = chunk(1);
    wrong[77] ^= 1;
    rejected(Action::ModelChunk { id, index: 1, bytes: wrong, proof: proof(1) }, "does not belong");
    rejected(Action::ModelChunk { id, index: 2, bytes: chunk(1), proof: proof(1) }, "does not belong");
    rejected(Action::ModelChunk { id, index: 1, bytes: chunk(1)[1..].to_vec(), proof: proof(1) }, "does not belong");
    rejected(Action::ModelChunk { id, index: 1, bytes: chunk(1), proof: proof(2) }, "does not belong");
    rejected(Action::ModelChunk { id, index: 1, bytes: chunk(1), proof: vec![] }, "does not belong");
    rejected(Action::FinishModel { id }, "chunks of the model are missing");

    // The right chunk still goes, and an upload goes on from there.
    send(&workplace, 0, own(1));
    workplace.write("layer.noema", &bytes);
    let added = workplace.json(0, &["model", "add", "layer.noema", "--time-ms", "2000"]);
    let chunks = merkle::chunk_count(total_len);
    assert_eq!((number(&added, "/chunks"), number(&added, "/sent")), (chunks, chunks - 1));
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
}

#[test]
fn an_upload_goes_on_where_it_was_killed() {
    let workplace = Workplace::new();
    workplace.init();
    let bytes = layer(4096);
    let chunks = merkle::chunk_count(u64::try_from(bytes.len()).unwrap());
    workplace.write("layer.noema", &bytes);
    let mut child = workplace
        .command()
        .args(["model", "add", "layer.noema", "--block-size", "1", "--time-ms", "2000"])
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    // Until the first chunks are there, one behind the other.
    let staged = || {
        let models = walk(&workplace.chain().join("models"));
        let bytes: u64 = models.iter().filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum();
        bytes / u64::try_from(merkle::CHUNK_BYTES).unwrap()
    };
    for _ in 0..3_000 {
        if staged() >= 3 {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("it can be killed");
    assert_eq!(child.wait().expect("it ends").code(), None, "it was still uploading when it was killed");

    let height = number(&workplace.json(0, &["block"]), "/height");
    assert!(height >= 2, "some chunks were committed");
    let added = workplace.json(0, &["model", "add", "layer.noema", "--time-ms", "2000"]);
    assert_eq!(number(&added, "/sent"), chunks - (height - 1), "only what was missing was sent");
    let again = workplace.json(0, &["model", "add", "layer.noema"]);
    assert_eq!((again["already_there"].as_bool(), again["restored"].as_bool()), (Some(true), Some(false)));
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);

    // Who added it holds it, until it is given up: then chain and node forget it.
    let id = text(&added, "/model").to_owned();
    let account = workplace.json(0, &["account"]);
    assert_eq!(
        (text(&account, "/models/0/model"), text(&account, "/models/0/deposit")),
        (&*id, text(&added, "/deposit"))
    );

    // This node loses or damages the bytes: the file gives them back, and nothing is sent.
    let before = number(&workplace.json(0, &["block"]), "/height");
    let file = workplace.chain().join("models").join(format!("{}.model", merkle::root(&bytes)));
    std::fs::remove_file(&file).expect("the model is there");
    assert_eq!(workplace.json(0, &["model", "add", "layer.noema"])["restored"], true);
    let mut damaged = bytes.clone();
    damaged[100] ^= 1;
    std::fs::remove_file(&file).expect("the model is there again");
    std::fs::write(&file, damaged).unwrap();
    assert_eq!(workplace.json(0, &["model", "add", "layer.noema"])["restored"], true);
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(number(&workplace.json(0, &["block"]), "/height"), before);
    assert!(Chain::open(&workplace.chain(), &noema_chain::ChainConfig::default()).is_ok());

    let given_up = workplace.json(0, &["model", "withdraw", &id, "--time-ms", "9000000000000"]);
    assert_eq!((text(&given_up, "/deposit"), given_up["on_chain"].as_bool()), (text(&added, "/deposit"), Some(false)));
    assert!(!file.exists());
    assert_eq!(workplace.json(0, &["account"])["models"].as_array().map(Vec::len), Some(0));
    let error = workplace.json(1, &["model", "withdraw", &id, "--time-ms", "9000000000000"]);
    assert_error(&error, "transaction-failed", &["no such model"]);
    assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
}

/// Every file and directory below a directory; none where it is not there.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| [walk(&path), vec![path]].concat()).collect()
}

#[path = "../../import/src/encoder/tiny.rs"]
#[allow(dead_code, reason = "the importer's own tests use all of it")]
mod tiny;

#[test]
fn from_the_folder_of_an_encoder_to_the_chain() {
    let workplace = Workplace::new();
    let folder = workplace.path("encoder");
    std::fs::create_dir(&folder).unwrap();
    tiny::write(&folder, 8, "pooling_mode_mean_tokens");
    workplace.write("calibration.txt", tiny::sentences(50, 1).join("\n"));
    workplace.write("others.txt", tiny::sentences(50, 2).join("\n\n"));

    let arguments = [
        "model",
        "import",
        "encoder",
        "--calibration",
        "calibration.txt",
        "--compare",
        "others.txt",
        "-o",
        "encoder.noema",
    ];
    let imported = workplace.json(0, &arguments);
    assert_eq!((imported["is_within"].as_bool(), number(&imported, "/max_tokens")), (Some(true), 12));
    assert_eq!((number(&imported, "/calibration/sentences"), number(&imported, "/compared/sentences")), (25, 50));
    assert!(imported["compared"]["mean_cosine"].as_f64() > Some(0.998), "{imported}");
    assert_eq!(imported["layers"].as_array().map(Vec::len), Some(3));
    let people = workplace.run(&["model", "inspect", "encoder.noema"]);
    assert!(
        people.stdout.contains("tokens: i32 [1 to 12]") && people.stdout.contains("embedding: i16 [12]"),
        "{people:?}"
    );

    let tokenizer = workplace.json(0, &["model", "import", "encoder/tokenizer.json", "-o", "tokenizer.noema"]);
    assert_eq!((number(&tokenizer, "/vocabulary"), number(&tokenizer, "/max_tokens")), (24, 256));
    let inspected = workplace.json(0, &["model", "inspect", "tokenizer.noema"]);
    assert_eq!(text(&inspected, "/model"), text(&tokenizer, "/model"));

    workplace.init();
    for (file, imported) in [("encoder.noema", &imported), ("tokenizer.noema", &tokenizer)] {
        let added = workplace.json(0, &["model", "add", file]);
        assert_eq!(text(&added, "/model"), text(imported, "/model"));
    }

    let refused = |code: &str, arguments: &[&str], words: &[&str]| {
        let all = [&["model", "import"], arguments, &["-o", "not.noema"]].concat();
        assert_error(&workplace.json(2, &all), code, words);
        assert!(!workplace.path("not.noema").exists());
    };
    refused("argument", &["encoder"], &["--calibration", "sentences"]);
    refused("argument", &["encoder", "--calibration", "calibration.txt", "--max-error", "0"], &["--max-error"]);
    refused("argument", &["encoder/tokenizer.json", "--max-tokens", "1"], &["--max-tokens"]);
    refused(
        "argument",
        &["encoder", "--calibration", "calibration.txt", "--precision", "8"],
        &["--precision", "encoder"],
    );
    refused("argument", &["encoder/tokenizer.json", "--compare", "others.txt"], &["--compare", "tokenizer"]);
    refused("file", &["encoder/model.safetensors"], &["safetensors", "folder"]);
    workplace.write("encoder/model.safetensors", b"\x08\0\0\0\0\0\0\0{\"a\": 1}");
    refused("import", &["encoder", "--calibration", "calibration.txt"], &["model.safetensors"]);
    workplace.write("encoder/tokenizer.json", b"{}");
    refused("import", &["encoder/tokenizer.json"], &["tokenizer.json"]);
}

/// The file that is wrong is named, and an option that would do nothing is refused.
#[test]
fn what_stands_in_the_way_of_an_import_is_named() {
    let workplace = Workplace::new();
    let network = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/screening/model/screening.onnx");
    let rows = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/screening/model/calibration.csv");
    let table = std::fs::read_to_string(rows).unwrap();
    workplace.write("narrow.csv", "a,b,label\n1,2,0\n");
    workplace.write("headless.csv", table.lines().skip(1).collect::<Vec<_>>().join("\n"));
    workplace.write("unlabelled.csv", "a,b\n1,2\n");
    workplace.write("model.gguf", b"GGUF\x03\0\0\0");
    workplace.write("model.pt", b"PK\x03\x04 and so on");
    std::fs::create_dir(workplace.path("llama")).unwrap();
    workplace.write("llama/config.json", r#"{"model_type": "llama", "hidden_size": 4096}"#);

    let refused = |code: &str, arguments: &[&str], words: &[&str]| {
        let all = [&["model", "import"], arguments, &["-o", "not.noema"]].concat();
        assert_error(&workplace.json(2, &all), code, words);
        assert!(!workplace.path("not.noema").exists());
    };
    refused("import", &[network, "--calibration", "narrow.csv"], &["narrow.csv: row 0: it has 2 features"]);
    refused("import", &[network, "--calibration", "headless.csv"], &["headless.csv", "line 1", "header"]);
    refused("import", &[network, "--calibration", rows, "--heldout", "narrow.csv"], &["narrow.csv: row 0"]);
    refused("import", &[network, "--calibration", rows, "--heldout", "unlabelled.csv"], &["unlabelled.csv", "`label`"]);
    let forest = trees("screening.lightgbm.txt");
    refused("import", &[&forest, "--heldout", "narrow.csv"], &["narrow.csv: row 0"]);
    for option in [["--calibration", rows], ["--precision", "16"], ["--max-error", "0.1"], ["--compare", rows]] {
        let arguments = [&[forest.as_str()][..], &option].concat();
        refused("argument", &arguments, &[option[0], "no meaning for trees"]);
    }
    let with_rows = [network, "--calibration", rows];
    for option in [["--max-tokens", "5"], ["--compare", "narrow.csv"], ["--input-type", "i64"]] {
        refused("argument", &[&with_rows[..], &option].concat(), &[option[0], "no meaning for a network"]);
    }
    refused("file", &["model.gguf"], &["a GGUF file", "generative"]);
    refused("file", &["model.pt"], &["PyTorch", "ONNX"]);
    refused("import", &["llama", "--calibration", rows], &["model_type `llama`", "bert, vit"]);

    // What exists is not overwritten, and is seen before the work.
    workplace.write("there.noema", "precious");
    let error = workplace.json(2, &["model", "import", "nothing.onnx", "-o", "there.noema"]);
    assert_error(&error, "io", &["there.noema", "overwritten"]);
    assert_eq!(std::fs::read(workplace.path("there.noema")).unwrap(), b"precious");

    // Where no precision is near enough, the report says so.
    let near = [&["model", "import"], &with_rows[..], &["--max-error", "0.0000001", "-o", "near.noema"]].concat();
    assert_eq!(workplace.json(0, &near)["is_within"], false);
    let near = workplace.run(&[&near[..near.len() - 1], &["near2.noema"]].concat());
    assert!(near.stdout.contains("not as near as asked for (0.0000001)"), "{near:?}");
    let near = [&["model", "import"], &with_rows[..], &["-o", "good.noema"]].concat();
    assert_eq!(workplace.json(0, &near)["is_within"], true);
}
