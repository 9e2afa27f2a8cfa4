//! Tree files that claim much, or nest deeply, must be refused without using memory for what they claim. One test in its
//! own process, so that nothing else moves the high-water mark.

#![cfg(target_os = "linux")]

use noema_import::{ImportError, MAX_TREE_FILE_BYTES, TreeOptions, import_lightgbm, import_xgboost};

/// The most memory that this process has used so far, in bytes.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

const LIGHTGBM: &str = "tree\nversion=v4\nnum_tree_per_iteration=1\nmax_feature_idx=1048575\nobjective=binary\n";

fn lightgbm(rest: &str) -> ImportError {
    import_lightgbm([LIGHTGBM, rest].concat().as_bytes(), &TreeOptions::new("hostile", "none")).unwrap_err()
}

fn xgboost(file: &str) -> ImportError {
    import_xgboost(file.as_bytes(), &TreeOptions::new("hostile", "none")).unwrap_err()
}

#[test]
fn claims_are_not_believed() {
    const COUNT: usize = 2_000_000;
    let many = "1 ".repeat(COUNT);
    let tree = |lists: &str| format!("Tree=0\nnum_leaves=16777215\n{lists}");
    let (of_leaves, cut) = (tree(&format!("leaf_value={many}\nend of trees\n")), tree(&format!("leaf_value={many}")));
    let lines: String = (0..400_000).map(|line| format!("key{line}=\n")).collect();
    let names = format!("feature_names={many}\nend of trees\n");
    let titles = "Tree=0\n".repeat(COUNT / 4);
    let list = |value: &str| format!("[{}{value}]", format!("{value},").repeat(COUNT));
    let learner = |inside: &str| format!("{{\"learner\":{{{inside}}}}}");
    let booster = |model: &str| learner(&format!("\"gradient_booster\":{{\"name\":\"gbtree\",\"model\":{{{model}}}}}"));
    let files = [
        (learner(&format!("\"feature_names\":{}", list("\"\""))), "at most 1048576 names"),
        (booster(&format!("\"tree_info\":{}", list("0"))), "missing field"),
        (booster(&format!("\"trees\":[{{\"left_children\":{}}}]", list("1"))), "missing field"),
        (booster(&format!("\"trees\":[{{\"split_conditions\":{}}}]", list("1"))), "missing field"),
        (booster(&format!("\"trees\":{}", list("{}"))), "missing field"),
        (format!("{{\"a\":{}", "[".repeat(COUNT)), " at line 1 column "),
        (learner(&format!("\"x\":{}", "{\"a\":".repeat(COUNT / 4))), " at line 1 column "),
        (format!("{{\"{}", "a".repeat(2 * COUNT)), " at line 1 column "),
    ];

    // All files are in memory from here on.
    let before = high_water();
    assert!(lightgbm(&of_leaves).to_string().contains("`leaf_value` has 2000000 numbers, 16777215 are needed"));
    assert!(lightgbm(&cut).to_string().contains("cut"));
    assert!(matches!(lightgbm(&lines), ImportError::Limit { what: "number of lines of a block", .. }));
    assert!(lightgbm(&names).to_string().contains("0 trees"));
    assert!(lightgbm(&titles).to_string().contains("num_leaves"));
    for (file, words) in files {
        let error = xgboost(&file).to_string();
        assert!(error.contains(words), "{error}");
    }
    let used = high_water() - before;
    assert!(used < 64 << 20, "{used} bytes");

    let large = vec![b' '; MAX_TREE_FILE_BYTES + 1];
    let options = TreeOptions::new("hostile", "none");
    for refused in [import_lightgbm(&large, &options), import_xgboost(&large, &options)] {
        assert!(matches!(refused, Err(ImportError::Limit { what: "size of the file", .. })));
    }
}
