//! Killing the program at any moment loses no committed block.
#![cfg(unix)]

mod program;

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use program::{Workplace, notes_contract, number, text};

/// `kill -9`, after which the program must not have ended by itself.
fn kill(mut child: Child) {
    use std::os::unix::process::ExitStatusExt;
    child.kill().expect("it can be killed");
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(9), "it was still committing blocks when it was killed: {status}");
}

#[test]
fn kill_while_blocks_are_committed() {
    let workplace = Workplace::new();
    workplace.init();
    workplace.write("notes.wasm", notes_contract());
    let deployed = workplace.json(0, &["deploy", "notes.wasm", "--time-ms", "2000"]);
    let contract = text(&deployed, "/contract").to_owned();

    // Line n is the n-th since the deployment, whichever run sends it.
    let (mut height, mut rounds_with_blocks) = (1, 0);
    for round in 0..40 {
        let lines: String = (height..height + 100_000).map(|n| format!("[\"line {n}\"]\n")).collect();
        workplace.write("lines.jsonl", lines);
        let child = workplace
            .command()
            .args(["call", &contract, "put", "--batch", "lines.jsonl", "--block-size", "1", "--time-ms", "3000"])
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Not a round number of anything: the kill falls into every phase of a commit over the rounds.
        sleep(Duration::from_millis(150 + round * 17));
        kill(child);

        let now = number(&workplace.json(0, &["block"]), "/height");
        assert!(now >= height, "round {round}: block {height} was committed and is lost, the newest is {now}");
        assert_eq!(number(&workplace.json(0, &["account"]), "/nonce"), now, "round {round}: nonce and blocks agree");
        if now > 1 {
            let last = text(&workplace.json(0, &["view", &contract, "get"]), "/result").to_owned();
            assert_eq!(last, format!("line {}", now - 1), "round {round}: the state is that of block {now}");
        }
        rounds_with_blocks += u32::from(now > height);
        height = now;
        if rounds_with_blocks == 8 {
            break;
        }
    }
    assert_eq!(rounds_with_blocks, 8, "the kills fell between blocks, not before them");
    let replay = workplace.json(0, &["replay", "--levels", "portable", "--threads", "1"]);
    assert_eq!((number(&replay, "/height"), replay["identical"].as_bool()), (height, Some(true)));
}
