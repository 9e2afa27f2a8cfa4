use std::collections::BTreeMap;

use noema_sdk::entry::Contract;
use noema_sdk::schema::{json, json_len};
use noema_sdk::{self as noema, Address, Amount, Fixed, Hash};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_SCHEMA_BYTES, MethodKind, SECTION, Schema, SchemaError, explain_abort};

/// Has a value of every kind.
#[noema::data]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Everything {
    flag: bool,
    small: u8,
    signed: i8,
    large: u64,
    negative: i64,
    huge: u128,
    deep: i128,
    text: String,
    raw: Vec<u8>,
    fixed: [u8; 3],
    row: Vec<i32>,
    pair: (u16, i16),
    who: Address,
    what: Hash,
    maybe: Option<u32>,
    twice: Option<Option<bool>>,
    kind: Kind,
    wrapped: Wrapped,
    by_name: BTreeMap<String, u8>,
    by_number: BTreeMap<i16, Kind>,
    price: Fixed<16>,
    paid: Amount,
}

#[noema::data]
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Plain,
    Number(u32),
    Pair(u8, bool),
    Fields { left: i32, right: Option<u8> },
}

#[noema::data]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrapped(u32);

#[noema::event("seen")]
struct Seen {
    kind: Kind,
}

#[noema::error]
enum Refusal {
    /// the sample is used up.
    UsedUp,
    /// nobody asked
    Unasked = 40,
}

#[noema::state]
struct Sample;

#[noema::contract(events(Seen), errors(Refusal))]
impl Sample {
    #[init(payable)]
    fn new(owner: Address) -> Self {
        let _ = owner;
        Sample
    }
    #[call]
    fn echo(everything: Everything) -> noema::Result<Everything> {
        Ok(everything)
    }
    #[call]
    fn three(a: u8, b: Vec<i32>, c: Option<u64>) {
        let _ = (a, b, c);
    }
    #[view]
    fn nothing() {}
}

const JSON: [u8; json_len(&Sample::INTERFACE)] = json(&Sample::INTERFACE);

pub(crate) fn sample() -> Schema {
    Schema::from_json(&JSON).unwrap()
}

/// A schema of one view `f` that takes and returns the type.
fn schema_of(ty: &Value, types: &Value) -> Schema {
    let method = json!({"name": "f", "kind": "view", "args": [["x", ty]], "returns": ty});
    let file = json!({"noema": 1, "contract": "C", "methods": [method], "events": [], "types": types});
    Schema::from_json(file.to_string().as_bytes()).unwrap()
}

pub(crate) fn everything() -> (Everything, Value) {
    let value = Everything {
        flag: true,
        small: 255,
        signed: -128,
        large: u64::MAX,
        negative: i64::MIN,
        huge: u128::MAX,
        deep: i128::MIN,
        text: "häl\"lo".into(),
        raw: vec![0, 255],
        fixed: [1, 2, 3],
        row: vec![-1, 0, i32::MAX],
        pair: (7, -7),
        who: Address([0xab; 32]),
        what: Hash([1; 32]),
        maybe: None,
        twice: Some(None),
        kind: Kind::Fields { left: -5, right: Some(6) },
        wrapped: Wrapped(9),
        by_name: BTreeMap::from([("b".into(), 2), ("aa".into(), 1)]),
        by_number: BTreeMap::from([(-2, Kind::Plain), (-10, Kind::Number(4)), (3, Kind::Pair(1, false))]),
        price: Fixed::from_ratio(-5, 2).unwrap(),
        paid: Amount(12),
    };
    let json = json!({
        "flag": true, "small": 255, "signed": -128, "large": u64::MAX, "negative": i64::MIN,
        "huge": u128::MAX.to_string(), "deep": i128::MIN.to_string(), "text": "häl\"lo", "raw": "0x00ff",
        "fixed": "0x010203", "row": [-1, 0, i32::MAX], "pair": [7, -7], "who": "ab".repeat(32), "what": "01".repeat(32),
        "maybe": null, "twice": [null], "kind": {"Fields": {"left": -5, "right": 6}}, "wrapped": 9,
        "by_name": {"aa": 1, "b": 2},
        "by_number": {"-10": {"Number": 4}, "-2": "Plain", "3": {"Pair": [1, false]}},
        "price": "-2.5", "paid": "12",
    });
    (value, json)
}

#[test]
fn the_interface_of_a_contract_arrives_whole() {
    let schema = sample();
    assert_eq!(schema.contract, "Sample");
    let methods: Vec<_> = schema.methods.iter().map(ToString::to_string).collect();
    assert_eq!(
        methods,
        [
            "new(owner: Address)",
            "echo(everything: Everything) -> Everything",
            "three(a: u8, b: Vec<i32>, c: Option<u64>)",
            "nothing()"
        ]
    );
    let init = schema.entry(MethodKind::Init).unwrap();
    assert!(init.payable && !schema.methods[1].payable);
    assert_eq!(schema.entry(MethodKind::Migrate), None);
    let mut types: Vec<_> = schema.definitions().map(|(name, _)| name).collect();
    types.sort_unstable();
    assert_eq!(types, ["Everything", "Kind", "Seen", "Wrapped"]);
}

#[test]
fn json_and_borsh_say_the_same() {
    let (value, json) = everything();
    let schema = sample();
    let input = schema.encode_args("echo", &json!({ "everything": json })).unwrap();
    assert_eq!(input, borsh::to_vec(&("echo", &value)).unwrap());
    assert_eq!(schema.encode_args("echo", &json!([json])).unwrap(), input);
    assert_eq!(schema.decode_result("echo", &borsh::to_vec(&value).unwrap()).unwrap(), json);
    let event = borsh::to_vec(&Seen { kind: Kind::Plain }).unwrap();
    assert_eq!(schema.decode_event(b"seen", &event).unwrap().unwrap(), json!({"kind": "Plain"}));
    assert!(schema.decode_event(b"other", &event).is_none());
}

#[test]
fn only_calls_and_views_carry_their_name() {
    let schema = sample();
    assert_eq!(schema.encode_args("new", &json!(["07".repeat(32)])).unwrap(), [7; 32]);
    assert_eq!(schema.encode_args("nothing", &Value::Null).unwrap(), borsh::to_vec("nothing").unwrap());
    assert_eq!(schema.decode_result("nothing", &[]).unwrap(), Value::Null);
}

#[test]
fn errors_say_where_and_what() {
    let schema = sample();
    let error = |method: &str, args: Value| schema.encode_args(method, &args).unwrap_err().to_string();
    assert_eq!(error("treble", json!([])), "the contract has no method `treble`; it has new, echo, three, nothing");
    assert_eq!(error("three", json!([256, [], null])), "a: expected u8, found 256");
    assert_eq!(error("three", json!([1, [1, "x"], null])), "b[1]: expected i32, found \"x\"");
    assert_eq!(error("three", json!([1, [1.5], null])), "b[0]: expected i32, found 1.5");
    assert!(error("three", json!([1])).ends_with("1 arguments given, 3 expected"));
    assert!(error("three", json!({"a": 1, "c": 1})).ends_with("the argument `b` is missing"));
    let without_option = schema.encode_args("three", &json!({"a": 1, "b": []})).unwrap();
    assert_eq!(without_option, schema.encode_args("three", &json!([1, [], null])).unwrap());
    assert!(error("three", json!({"a": 1, "b": [], "d": 1})).ends_with("there is no argument `d`"));
    assert!(error("three", Value::Null).ends_with("the argument `a` is missing"));
    assert!(error("three", json!("x")).ends_with("arguments are an object by name or an array in order"));

    let with = |field: &str, value: Value| {
        let (_, mut json) = everything();
        json[field] = value;
        error("echo", json!([json]))
    };
    assert_eq!(with("fixed", json!("0x01")), "everything.fixed: expected 3 bytes, found 1");
    assert_eq!(
        with("kind", json!("Odd")),
        "everything.kind: Kind has no variant `Odd`; it has Plain, Number, Pair, Fields"
    );
    assert_eq!(with("kind", json!({"Pair": [1, 2]})), "everything.kind.Pair[1]: expected bool, found 2");
    assert_eq!(with("who", json!("abc")), "everything.who: expected 64 hexadecimal digits, found \"abc\"");
    assert_eq!(with("twice", json!(true)), "everything.twice: expected null, or the value in brackets, found true");
    assert_eq!(
        with("by_number", json!({"1": "Plain", "01": "Plain"})),
        "everything.by_number: a key stands twice in the map"
    );
    assert_eq!(with("price", json!("1e3")), "everything.price: \"1e3\": expected digits such as 12 or -0.5");
    assert!(with("price", json!("999999999999999")).contains("outside the range"));
    assert_eq!(with("surplus", json!(1)), "everything: Everything has no field `surplus`");
}

#[test]
fn the_section_is_found_in_wasm() {
    let section =
        |name: &'static str, data: &'static [u8]| wasm_encoder::CustomSection { name: name.into(), data: data.into() };
    let mut module = wasm_encoder::Module::new();
    assert!(matches!(Schema::from_wasm(&module.clone().finish()), Err(SchemaError::NoSchema)));
    module.section(&section("other", b"x")).section(&section(SECTION, &JSON));
    assert_eq!(Schema::from_wasm(&module.clone().finish()).unwrap().contract, "Sample");
    module.section(&section(SECTION, &JSON));
    assert!(matches!(Schema::from_wasm(&module.finish()), Err(SchemaError::Invalid(_))));
    assert!(matches!(Schema::from_wasm(b"\0asm\x01\0\0\0\xff"), Err(SchemaError::NotWasm(_))));
    assert!(matches!(Schema::from_wasm(b"no"), Err(SchemaError::NotWasm(_))));
}

#[test]
fn hostile_schemas_are_errors() {
    let invalid = |json: &str| {
        let error = Schema::from_json(json.as_bytes()).unwrap_err();
        assert!(matches!(error, SchemaError::Invalid(_)), "{error}");
        error.to_string()
    };
    let deep = format!("{}\"u8\"{}", "{\"list\":".repeat(100_000), "}".repeat(100_000));
    invalid(&deep[..MAX_SCHEMA_BYTES]);
    let method = |ty: &str| {
        format!(
            r#"{{"noema":1,"contract":"C","methods":[{{"name":"f","kind":"view","args":[],"returns":{ty}}}],"events":[],"types":[]}}"#
        )
    };
    invalid(&method(&format!("{}\"u8\"{}", "{\"list\":".repeat(1000), "}".repeat(1000))));
    assert!(invalid(&method(r#"{"type":"Missing"}"#)).contains("`Missing`"));
    assert!(invalid(&method("\"float\"")).contains("float"));
    assert!(invalid(r#"{"noema":2,"contract":"C","methods":[],"events":[],"types":[]}"#).contains("format 2"));
    let twice = r#"{"noema":1,"contract":"C","methods":[],"events":[],"types":[{"name":"A","struct":[]},{"name":"A","struct":[]}]}"#;
    assert!(invalid(twice).contains("twice"));
    let large = " ".repeat(MAX_SCHEMA_BYTES + 1);
    assert!(matches!(Schema::from_json(large.as_bytes()), Err(SchemaError::TooLarge { .. })));
}

#[test]
fn hostile_types_ask_for_no_more_than_the_limits() {
    let limited = |schema: Schema, bytes: &[u8]| {
        let error = schema.decode_result("f", bytes).unwrap_err();
        assert!(matches!(error, SchemaError::Limit), "{error}");
    };
    let none = json!([]);
    limited(schema_of(&json!({"array": ["unit", u32::MAX]}), &none), &[]);
    limited(schema_of(&json!({"list": "unit"}), &none), &[255; 4]);
    // Contains itself: never ends, and takes no bytes to do so.
    limited(schema_of(&json!({"type": "A"}), &json!([{"name": "A", "struct": [["a", {"type": "A"}]]}])), &[]);
    let wrap = json!([{"name": "A", "tuple": [{"type": "A"}]}]);
    limited(schema_of(&json!({"type": "A"}), &wrap), &[]);
    limited(schema_of(&json!({"option": {"type": "A"}}), &wrap), &[1]);
    let error = schema_of(&json!({"option": {"type": "A"}}), &wrap).encode_args("f", &json!([5])).unwrap_err();
    assert!(matches!(error, SchemaError::Limit), "{error}");
    // Doubles with each of its forty levels.
    let level = |i: u32| json!({"name": format!("A{i}"), "tuple": [{"type": format!("A{}", i + 1)}, {"type": format!("A{}", i + 1)}]});
    let mut types: Vec<_> = (0..40).map(level).collect();
    types.push(json!({"name": "A40", "struct": []}));
    limited(schema_of(&json!({"type": "A0"}), &Value::Array(types)), &[]);
    // A length says nothing about what follows.
    let schema = schema_of(&json!({"list": "u8"}), &none);
    assert!(schema.decode_result("f", &[255, 255, 255, 255, 1]).unwrap_err().to_string().contains("end in the middle"));
}

#[test]
fn abort_codes_of_the_sdk_are_explained() {
    use noema_sdk::{Status, code};
    assert_eq!(explain_abort(7), None);
    assert_eq!(explain_abort(code::PANIC).unwrap(), "the contract panicked");
    assert_eq!(explain_abort(code::STATUS + 8).unwrap(), format!("a host function refused: {}", Status::NotFound));
    assert_eq!(explain_abort(code::STATUS), None);
    assert_eq!(explain_abort(u32::MAX), None);
    assert_eq!(explain_abort(code::PAUSED).unwrap(), "the contract is paused");
    // Errors of the contract itself.
    let schema = sample();
    let known: Vec<_> = schema.errors.iter().map(|error| (error.0, error.1.as_str())).collect();
    assert_eq!(known, [(1, "UsedUp"), (40, "Unasked")]);
    assert_eq!(schema.explain_abort(Refusal::UsedUp.code()).unwrap(), "UsedUp: the sample is used up");
    assert_eq!(schema.explain_abort(code::PANIC), explain_abort(code::PANIC));
    assert_eq!(schema.explain_abort(2), None);
}

proptest! {
    // Small bytes, so that many of the strings are values.
    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(0u8..3, 0..16)) {
        let ty = json!({"tuple": ["bool", {"option": {"option": "u8"}}, {"list": "i16"}, {"type": "K"}]});
        let types = json!([{"name": "K", "enum": [["A", {"struct": []}], ["B", {"tuple": ["u8", "bool"]}]]}]);
        let schema = schema_of(&ty, &types);
        if let Ok(value) = schema.decode_result("f", &bytes) {
            prop_assert_eq!(&schema.encode_args("f", &json!([value])).unwrap()[5..], &bytes[..]);
        }
    }

    #[test]
    fn variants_round_trip(kinds in proptest::collection::vec((0u8..4, any::<u32>(), any::<bool>()), 0..8)) {
        let schema = schema_of(
            &json!({"list": {"type": "Kind"}}),
            &json!([{"name": "Kind", "enum": [
                ["Plain", {"struct": []}], ["Number", {"tuple": ["u32"]}], ["Pair", {"tuple": ["u8", "bool"]}],
                ["Fields", {"struct": [["left", "i32"], ["right", {"option": "u8"}]]}],
            ]}]),
        );
        let kinds: Vec<Kind> = kinds
            .into_iter()
            .map(|(variant, n, b)| match variant {
                0 => Kind::Plain,
                1 => Kind::Number(n),
                2 => Kind::Pair(n.to_le_bytes()[0], b),
                _ => Kind::Fields { left: n.cast_signed(), right: b.then_some(n.to_le_bytes()[1]) },
            })
            .collect();
        let bytes = borsh::to_vec(&kinds).unwrap();
        let value = schema.decode_result("f", &bytes).unwrap();
        prop_assert_eq!(&schema.encode_args("f", &json!([value])).unwrap()[5..], &bytes[..]);
    }

    #[test]
    fn no_schema_text_panics(text in "[\\{\\}\\[\\]\",:a-z0-9]{0,80}") {
        let _ = Schema::from_json(text.as_bytes());
    }
}
