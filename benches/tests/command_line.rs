//! The program as people and scripts call it.

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_noema-bench")).args(arguments).output().unwrap()
}

const QUICK: [&str; 4] = ["--rounds", "1", "--sample-ms", "1"];

/// The one line of JSON.
fn line(arguments: &[&str]) -> serde_json::Value {
    let output = bench(&[arguments, &QUICK].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn names(object: &serde_json::Value) -> Vec<&str> {
    let object = object.as_object().unwrap();
    assert!(object.values().all(|ratio| ratio.as_f64().is_some_and(|ratio| ratio > 0.0)), "{object:?}");
    let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn products_of_every_peer_and_thread_count() {
    let line = line(&["gemm", "--json", "--shapes", "5x64x33,1x32x48,3x10x4"]);
    assert_eq!(line["bench"], "gemm");
    let rows = names(&line["rows"]);
    // The quantised product takes whole blocks of 32 inputs.
    assert_eq!(rows.len(), 2 * (3 + 3 + 2), "{rows:?}");
    assert!(rows.contains(&"5x64x33 vs candle-f32 1t") && rows.contains(&"1x32x48 vs candle-q8_0 2t"), "{rows:?}");
    let means = ["candle-f32 1t", "candle-f32 2t", "candle-q8_0 1t", "candle-q8_0 2t", "rten-u8i8 1t", "rten-u8i8 2t"];
    assert_eq!(names(&line["geomean"]), means);
}

#[test]
fn a_level_and_peers_can_be_chosen() {
    let chosen =
        ["gemm", "--json", "--level", "portable", "--threads", "1", "--peers", "candle-f32", "--shapes", "2x8x8"];
    assert_eq!(names(&line(&chosen)["rows"]), ["2x8x8 vs candle-f32 1t"]);
}

#[test]
fn calls_are_overheads() {
    let line = line(&["calls", "--json"]);
    let expected = ["cold call from disk", "cold compile", "hot empty call", "hot storage call"];
    let overheads = expected.map(|case| format!("{case} overhead vs wasmtime 1t"));
    let others = [
        "a row from bytes to class overhead vs the model alone 1t",
        "model.run overhead vs the model alone 1t",
        "hot storage call vs 1 thread 2t",
        "hot storage call vs 2 threads 16t",
        "on plain wasmtime vs 1 thread on it 2t",
        "on plain wasmtime vs 2 threads on it 16t",
        "on two machines vs 1 thread on one of them 2t",
    ]
    .map(str::to_owned);
    let mut expected = [&overheads[..], &others].concat();
    expected.sort_unstable();
    assert_eq!(names(&line["rows"]), expected);
    assert!(names(&line["geomean"]).contains(&"overhead vs wasmtime 1t"));
}

#[test]
fn gas_is_compared_with_time() {
    let line = line(&["gas", "--json", "--only", "i8 1x768x768"]);
    assert_eq!(names(&line["rows"]), ["matmul i8 1x768x768 ps/gas, tensor 1t"]);
    let line = self::line(&["gas", "--json", "--only", "input_len"]);
    assert_eq!(names(&line["geomean"]), ["ps/gas, adversarial 1t"]);
}

#[test]
fn trees_without_the_library_are_compared_with_our_own_level() {
    let line = line(&["trees", "--json", "--rows", "50"]);
    assert_eq!(names(&line["rows"]), ["full, 50 rows vs portable 1t", "full, one row vs portable 1t"]);
    let output = bench(&["trees", "--lightgbm", "/nowhere/lib_lightgbm.so"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("/nowhere/lib_lightgbm.so"));
}

#[test]
fn opcodes_have_rows_of_their_own() {
    let line = line(&["ops", "--json", "--only", "128x768, axis 0"]);
    let rows = names(&line["rows"]);
    assert_eq!(rows.len(), 8, "{rows:?}");
    assert!(rows.contains(&"reduce_max i16 128x768, axis 0 vs candle-f32 1t"), "{rows:?}");
    let line = self::line(&["ops", "--json", "--only", "1x768x768"]);
    assert_eq!(names(&line["rows"]), ["linear i8 1x768x768 vs read 1t"]);
    let line = self::line(&["ops", "--json", "--only", "14x14"]);
    let expected =
        ["conv2d i8 mobilenet 14x14x512, depthwise vs candle-f32 1t", "conv2d i8 resnet 14x14x256 vs candle-f32 1t"];
    assert_eq!(names(&line["rows"]), expected);
    let line = self::line(&["ops", "--json", "--only", "linear i16"]);
    assert_eq!(names(&line["rows"]).len(), 2);
}

#[test]
fn people_get_a_table() {
    let output = bench(&[&["gemm", "--threads", "1", "--shapes", "2x32x8"], &QUICK[..]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    for part in ["gemm on ", "2x32x8", "rten-u8i8", "geometric mean", "above 1 we are faster"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let cases: [(&[&str], &str); 8] = [
        (&["gemm", "--shapes", "1x2"], "such as 128x768x3072"),
        (&["gemm", "--level", "avx3"], "avx512-vnni"),
        (&["gemm", "--threads", "0"], "1 to 1024"),
        (&["gemm", "--peers", "blas"], "rten-u8i8"),
        (&["calls", "--module", "/nowhere.wasm"], "cannot read /nowhere.wasm"),
        (&["calls", "--rounds", "0"], "rounds"),
        (&["ops", "--only", "nothing like this"], "no row is called like that"),
        (&["model", "--folder", "a", "--container", "b", "--onnx", "c"], "--python"),
    ];
    for (arguments, why) in cases {
        let output = bench(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(why), "{arguments:?}: {text}");
    }
}
