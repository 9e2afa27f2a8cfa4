use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::client;
use crate::tests::{everything, sample};
use crate::{Schema, SchemaError};

/// What runs TypeScript on this machine: its compiler with Node, or a Node that takes types out by itself.
enum Runner {
    Compiler,
    Node,
}

fn runner() -> Option<Runner> {
    let output =
        |program: &str| Command::new(program).arg("--version").output().ok().filter(|run| run.status.success());
    let node = String::from_utf8(output("node")?.stdout).ok()?;
    if output("tsc").is_some() {
        return Some(Runner::Compiler);
    }
    let version: Vec<u32> =
        node.trim().trim_start_matches('v').split('.').filter_map(|part| part.parse().ok()).collect();
    (version >= vec![22, 18]).then_some(Runner::Node)
}

/// Compiles (where there is a compiler, strictly) and runs `program.ts` beside `client.ts`; what it prints.
fn run(runner: &Runner, dir: &Path) -> String {
    let finished = |command: &mut Command| {
        let output = command.current_dir(dir).output().unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    };
    let program: PathBuf = match runner {
        Runner::Compiler => {
            finished(Command::new("tsc").args([
                "--strict",
                "--target",
                "es2022",
                "--module",
                "es2022",
                "--moduleResolution",
                "bundler",
                "--lib",
                "es2022,dom",
                "--outDir",
                "out",
                "--rewriteRelativeImportExtensions",
                "program.ts",
            ]));
            std::fs::write(dir.join("out/package.json"), r#"{"type":"module"}"#).unwrap();
            "out/program.js".into()
        }
        Runner::Node => {
            std::fs::write(dir.join("package.json"), r#"{"type":"module"}"#).unwrap();
            "program.ts".into()
        }
    };
    finished(Command::new("node").arg(program))
}

/// Every kind of value, there and back: the bytes are those of borsh, and what TypeScript reads it writes again.
const PROGRAM: &str = r#"
import { SampleClient, init, event, errors } from "./client.ts";
import type { Everything } from "./client.ts";

declare const process: { stdout: { write(text: string): void } };
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const bytes = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

const value: Everything = {
  flag: true, small: 255, signed: -128, large: (1n << 64n) - 1n, negative: -(1n << 63n), huge: (1n << 128n) - 1n,
  deep: -(1n << 127n), text: "häl\"lo", raw: Uint8Array.of(0, 255), fixed: Uint8Array.of(1, 2, 3),
  row: [-1, 0, 2147483647], pair: [7, -7], who: "ab".repeat(32), what: "01".repeat(32), maybe: null, twice: [null],
  kind: { Fields: { left: -5, right: 6 } }, wrapped: 9, by_name: new Map([["b", 2], ["aa", 1]]),
  by_number: new Map<number, Everything["kind"]>([[-2, "Plain"], [-10, { Number: 4 }], [3, { Pair: [1, false] }]]),
  price: "-2.5", paid: 12n,
};

const sent: string[] = [];
const client = new SampleClient({
  // The reply of `echo` is its argument: what follows the name in the input.
  async call(contract, input, value) { sent.push(`call ${contract} ${hex(input)} ${value}`); return input.slice(8); },
  async view(contract, input) { sent.push(`view ${contract} ${hex(input)}`); return new Uint8Array(); },
}, "c0");

const refused = async (work: () => Promise<unknown>) => {
  try { await work(); return "not refused"; } catch (error) { return String((error as Error).message); }
};

const back = await client.echo(value, 5n);
const again = await client.echo(back);
await client.nothing();
const lines = [
  ...sent, hex(init("07".repeat(32))), String(JSON.stringify(errors)),
  `${back.price} ${back.deep} ${again.by_number.size} ${JSON.stringify(back.kind)}`,
  JSON.stringify(event("seen", bytes("00"))), String(event("other", bytes("00"))),
  await refused(() => client.echo({ ...value, small: 256 })),
  await refused(() => client.echo({ ...value, fixed: Uint8Array.of(1) })),
  await refused(() => client.echo({ ...value, price: "1e3" })),
  await refused(() => client.echo({ ...value, who: "ab" })),
  await refused(async () => event("seen", bytes("0001"))),
  await refused(async () => event("seen", bytes("07"))),
];
process.stdout.write(lines.join("\n") + "\n");
"#;

#[test]
fn typescript_and_borsh_say_the_same() {
    let Some(runner) = runner() else {
        eprintln!("neither TypeScript's compiler with Node nor Node 22.18 is here: the client is not run");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("client.ts"), client(&sample()).unwrap()).unwrap();
    std::fs::write(dir.path().join("program.ts"), PROGRAM).unwrap();
    let printed = run(&runner, dir.path());
    let (value, json) = everything();
    let input = hex::encode(sample().encode_args("echo", &json!([json])).unwrap());
    assert_eq!(input, hex::encode(borsh::to_vec(&("echo", &value)).unwrap()));
    let expected = [
        format!("call c0 {input} 5"),
        format!("call c0 {input} 0"),
        format!("view c0 {}", hex::encode(borsh::to_vec("nothing").unwrap())),
        "07".repeat(32),
        json!({"1": {"name": "UsedUp", "message": "the sample is used up"},
               "40": {"name": "Unasked", "message": "nobody asked"}})
        .to_string(),
        format!("-2.5 {} 3 {}", i128::MIN, r#"{"Fields":{"left":-5,"right":6}}"#),
        r#"{"topic":"seen","value":{"kind":"Plain"}}"#.into(),
        "undefined".into(),
        "256 is no u8".into(),
        "1 bytes, 3 are expected".into(),
        "\"1e3\" is no number such as 12 or -0.5".into(),
        "\"ab\" is not 64 hexadecimal digits".into(),
        "the bytes are longer than the value".into(),
        "there is no variant 7".into(),
    ];
    let printed: Vec<_> = printed.lines().map(str::to_owned).collect();
    // Object keys are written in another order by JSON of Rust.
    let sorted = |text: &str| serde_json::from_str::<serde_json::Value>(text).map(|value| value.to_string());
    for (line, expected) in printed.iter().zip(&expected) {
        match (sorted(line), sorted(expected)) {
            (Ok(line), Ok(expected)) => assert_eq!(line, expected),
            _ => assert_eq!(line, expected),
        }
    }
    assert_eq!(printed.len(), expected.len(), "{printed:#?}");
}

#[test]
fn the_text_has_every_method_once() {
    let text = client(&sample()).unwrap();
    for part in [
        "export class SampleClient {",
        "  async echo(everything: Everything, $value: bigint = 0n): Promise<Everything> {",
        "  async three(a: number, b: (number)[], c: bigint | null, $value: bigint = 0n): Promise<void> {",
        "  async nothing(): Promise<void> {",
        "export const init = (owner: string): globalThis.Uint8Array => $input(\"\", [$hex], [owner]);",
        "export type Kind = \"Plain\" | { Number: number } | { Pair: [number, boolean] } | \
         { Fields: { left: number; right: number | null } };",
        "export type Wrapped = number;",
        "export type $Event = { topic: \"seen\"; value: Seen };",
    ] {
        assert_eq!(text.matches(part).count(), 1, "{part}\n{text}");
    }
    assert!(!text.contains("migrate"));
}

#[test]
fn names_that_are_no_names_are_refused() {
    let schema = |method: &str, arg: &str, ty: &str| {
        let file = json!({"noema": 1, "contract": "C", "events": [], "types": [{"name": ty, "struct": [[arg, "u8"]]}],
                          "methods": [{"name": method, "kind": "call", "args": [[arg, {"type": ty}]], "returns": "unit"}]});
        Schema::from_json(file.to_string().as_bytes()).unwrap()
    };
    assert!(client(&schema("f", "x", "T")).is_ok());
    for (method, arg, ty) in [
        ("f() {}; evil", "x", "T"),
        ("f", "x: any = evil()", "T"),
        ("f", "x", "T = 1; evil"),
        ("", "x", "T"),
        ("f", "1", "T"),
        ("f", "é", "T"),
        ("f", "$value", "T"),
    ] {
        let error = client(&schema(method, arg, ty)).unwrap_err();
        assert!(matches!(error, SchemaError::Invalid(_)), "{method} {arg} {ty}: {error}");
    }
    // Words of the language become other names.
    let text = client(&schema("constructor", "new", "Promise")).unwrap();
    assert!(text.contains("async constructor_(new_: Promise_, "), "{text}");
    // A text is a text, whatever it holds.
    let file =
        json!({"noema": 1, "contract": "C", "types": [], "methods": [], "events": [["a\u{2028}\"+evil()+\"", "u8"]]});
    let text = client(&Schema::from_json(file.to_string().as_bytes()).unwrap()).unwrap();
    assert!(text.contains(r#"case "a\u2028\"+evil()+\"": return"#), "{text}");
}
