//! `--store`: chosen when a chain is created, remembered by the chain.

mod program;

use program::{Workplace, assert_error, number, text};

#[test]
fn a_chain_remembers_its_store() {
    let workplace = Workplace::new();
    let init = workplace.init();
    assert_eq!(text(&init, "/store"), "redb");
    assert_eq!(number(&workplace.json(0, &["block", "--store", "redb"]), "/height"), 0);
    let error = workplace.json(2, &["--store", "rocksdb", "block"]);
    assert_error(&error, "other-store", &["has the store redb, not rocksdb", "leave --store"]);
    let error = workplace.json(2, &["init", "--store", "etcd", "--chain", "other"]);
    assert_error(&error, "usage", &["etcd"]);
    let run = workplace.run(&["init", "--store", "etcd", "--chain", "other"]);
    assert_eq!(run.exit, Some(2));
    assert!(run.stderr.contains("there is no store `etcd`; there are redb, rocksdb"), "{run:?}");
    assert!(!workplace.path("other").exists());
    assert!(workplace.run(&["init", "--help"]).stdout.contains("--store <STORE>"));
}

#[cfg(not(feature = "rocksdb"))]
#[test]
fn a_build_without_rocksdb_says_how_to_get_it() {
    let workplace = Workplace::new();
    for command in [&["init"][..], &["demo", "--dir", "demo"]] {
        let error = workplace.json(2, &[&["--store", "rocksdb"], command].concat());
        let words = ["built without the store `rocksdb`", "cargo build --release -p noema-cli --features rocksdb"];
        assert_error(&error, "no-such-store", &words);
    }
    assert!(!workplace.chain().exists() && !workplace.path("demo").exists(), "nothing was written");
    // A chain that another build made.
    workplace.init();
    std::fs::write(workplace.chain().join("noema-chain"), "format 2\nstore rocksdb\n").unwrap();
    assert_error(&workplace.json(2, &["block"]), "no-such-store", &["rocksdb", "libclang-dev"]);
}

#[cfg(feature = "rocksdb")]
mod rocksdb {
    use super::*;
    use program::{Run, notes_contract};

    #[test]
    fn a_chain_works_like_one_in_the_default_store() {
        let roots = ["redb", "rocksdb"].map(|store| {
            let workplace = Workplace::new();
            noema_cli::keys::write(&workplace.path("key.json"), &[7; 32]).unwrap();
            let init = ["init", "--store", store, "--time-ms", "1000", "--key", "key.json"];
            assert_eq!(text(&workplace.json(0, &init), "/store"), store);
            workplace.write("notes.wasm", notes_contract());
            let send = ["--key", "key.json", "--time-ms", "2000"];
            let deployed = workplace.json(0, &[&["deploy", "notes.wasm"][..], &send].concat());
            let contract = text(&deployed, "/contract").to_owned();
            for n in 0..5 {
                let line = format!("[\"line {n}\"]");
                workplace.json(0, &[&["call", &contract, "put", &line][..], &send].concat());
            }
            assert_eq!(text(&workplace.json(0, &["view", &contract, "get"]), "/result"), "line 4");
            let replay = workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"]);
            assert_eq!((number(&replay, "/height"), replay["identical"].as_bool()), (6, Some(true)));
            assert_eq!(workplace.chain().join("state.rocksdb").is_dir(), store == "rocksdb");
            text(&workplace.json(0, &["block"]), "/state_root").to_owned()
        });
        assert_eq!(roots[0], roots[1]);
    }

    #[test]
    fn trouble_with_a_chain_has_the_same_words() {
        let workplace = Workplace::new();
        workplace.json(0, &["init", "--store", "rocksdb"]);
        let error = workplace.json(2, &["block", "--store", "redb"]);
        assert_error(&error, "other-store", &["has the store rocksdb, not redb"]);

        let held = noema_chain::Chain::open(&workplace.chain(), &noema_chain::ChainConfig::default()).unwrap();
        assert_error(&workplace.json(2, &["block"]), "in-use", &["in use by another process"]);
        drop(held);

        let store = workplace.chain().join("state.rocksdb");
        let away = workplace.path("away");
        std::fs::rename(&store, &away).unwrap();
        assert_error(&workplace.json(2, &["block"]), "damaged", &["there is no store"]);
        std::fs::create_dir(&store).unwrap();
        assert_error(&workplace.json(2, &["block"]), "damaged", &["is not a state store", "backup"]);
        std::fs::remove_dir(&store).unwrap();
        std::fs::rename(&away, &store).unwrap();
        std::fs::rename(store.join("CURRENT"), &away).unwrap();
        assert_error(&workplace.json(2, &["block"]), "damaged", &["is damaged", "backup"]);
        std::fs::rename(&away, store.join("CURRENT")).unwrap();
        assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 0);
    }

    /// A chain with the notes contract.
    #[cfg(unix)]
    fn with_contract() -> (Workplace, String) {
        let workplace = Workplace::new();
        workplace.json(0, &["init", "--store", "rocksdb", "--time-ms", "1000"]);
        workplace.write("notes.wasm", notes_contract());
        let deployed = workplace.json(0, &["deploy", "notes.wasm", "--time-ms", "2000"]);
        let contract = text(&deployed, "/contract").to_owned();
        (workplace, contract)
    }

    #[cfg(unix)]
    fn assert_nothing_lost(workplace: &Workplace, contract: &str, height: u64) {
        assert_eq!(number(&workplace.json(0, &["block"]), "/height"), height);
        workplace.json(0, &["call", contract, "put", r#"["and on"]"#]);
        assert_eq!(workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"])["identical"], true);
    }

    /// Runs the program where no file may grow beyond `blocks` of 512 bytes: what a full disk looks like to it.
    #[cfg(unix)]
    fn with_small_disk(workplace: &Workplace, blocks: u64, arguments: &[&str]) -> Run {
        let mut command = std::process::Command::new("sh");
        workplace.prepare(&mut command);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_noema"), "--json", "--chain"]).arg(workplace.chain());
        Run::from(command.args(arguments).output().unwrap())
    }

    #[cfg(unix)]
    #[test]
    fn a_full_disk_loses_no_block() {
        let (workplace, contract) = with_contract();
        let lines: String = (0..400).map(|n| format!("[\"{}\"]\n", format!("{n:08}").repeat(2_000))).collect();
        workplace.write("lines.jsonl", lines);
        let call = ["call", &contract, "put", "--batch", "lines.jsonl", "--block-size", "1"];
        let run = with_small_disk(&workplace, 2_048, &call);
        assert_eq!(run.exit, Some(2), "{run:#?}");
        assert_error(&run.object(), "disk-full", &["no space", "free some space"]);
        let height = number(&workplace.json(0, &["block"]), "/height");
        assert!(height > 2, "some blocks fit before the disk was full");
        assert_nothing_lost(&workplace, &contract, height);
    }

    #[cfg(unix)]
    #[test]
    fn a_disk_that_is_full_from_the_start_leaves_no_half_chain() {
        let workplace = Workplace::new();
        let init = ["init", "--store", "rocksdb", "--time-ms", "1000"];
        let run = with_small_disk(&workplace, 1, &init);
        assert_eq!(run.exit, Some(2), "{run:#?}");
        assert_error(&run.object(), "disk-full", &["no space"]);
        // With space again the same command works: what was left is taken over.
        workplace.json(0, &init);
        assert_eq!(number(&workplace.json(0, &["block"]), "/height"), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_cannot_be_written_is_refused() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        use std::os::unix::process::CommandExt;
        use std::path::{Path, PathBuf};

        fn all(path: &Path) -> Vec<PathBuf> {
            let mut paths = vec![];
            if path.is_dir() {
                paths.extend(std::fs::read_dir(path).unwrap().flat_map(|entry| all(&entry.unwrap().path())));
            }
            paths.push(path.to_path_buf());
            paths
        }

        let (workplace, contract) = with_contract();
        let program = workplace.path("noema");
        std::fs::copy(env!("CARGO_BIN_EXE_noema"), &program).unwrap();
        let root = workplace.path(".");
        // The superuser may write anywhere, so the program runs as somebody else, from a place that they can reach.
        let superuser = std::fs::metadata(&root).unwrap().uid() == 0;
        let mode_of = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        let protect = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let modes: Vec<_> = all(&workplace.chain()).into_iter().map(|path| (mode_of(&path), path)).collect();
        for (mode, path) in &modes {
            protect(path, (mode | if path.is_dir() { 0o555 } else { 0o444 }) & !0o222);
        }
        // The lock of the chain may be taken: it is the store that cannot be written.
        protect(&workplace.chain().join("lock"), 0o666);
        protect(&root, 0o555);
        let mut command = std::process::Command::new(&program);
        workplace.prepare(&mut command);
        if superuser {
            command.uid(65_534).gid(65_534);
        }
        let arguments = ["--json", "call", "--chain", "chain", &contract, "put", "[\"x\"]"];
        let run = Run::from(command.args(arguments).output().unwrap());
        assert_eq!(run.exit, Some(2), "{run:#?}");
        assert_error(&run.object(), "read-only", &["state.rocksdb", "permissions"]);
        protect(&root, 0o755);
        for (mode, path) in modes.iter().rev() {
            protect(path, *mode);
        }
        assert_nothing_lost(&workplace, &contract, 1);
    }

    #[test]
    fn the_demo_is_the_same_chain_in_both_stores() {
        let workplace = Workplace::new();
        let roots = ["redb", "rocksdb"].map(|store| {
            let demo = ["demo", "--dir", store, "--store", store, "--levels", "portable", "--threads", "1"];
            let report = workplace.json(0, &demo);
            assert_eq!(report["demo"], "ok");
            assert!(workplace.path(store).join(format!("state.{store}")).exists());
            (text(&report, "/state_root").to_owned(), text(&report, "/block_hash").to_owned())
        });
        assert_eq!(roots[0], roots[1]);
    }
}
