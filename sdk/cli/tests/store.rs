//! `--store`: chosen when a chain is created, remembered by the chain.

mod program;

use program::{Workplace, assert_error, notes_contract, number, text};

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
    std::fs::write(workplace.chain().join("noema-chain"), "format 1\nstore rocksdb\n").unwrap();
    assert_error(&workplace.json(2, &["block"]), "no-such-store", &["rocksdb", "libclang-dev"]);
}

#[cfg(feature = "rocksdb")]
mod rocksdb {
    use super::*;

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
