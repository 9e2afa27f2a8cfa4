//! A TypeScript client from the interface of a contract.
//!
//! The text has no imports and nothing that has to be compiled: a browser, Deno, Bun and Node run it with the types taken
//! out. Values are what `noema call` takes as JSON, but for what JavaScript has a better type for: integers of 64 and 128 bits are
//! `bigint`, bytes `Uint8Array`, maps `Map`.

use std::fmt::Write;

use crate::{Body, ContractError, MAX_DEPTH, Method, MethodKind, Schema, SchemaError, TypeRef, codec};

const RUNTIME: &str = include_str!("typescript/runtime.ts");

/// Names of types that the text itself needs, or that TypeScript does not give away.
const TAKEN: [&str; 24] = [
    "any",
    "bigint",
    "boolean",
    "class",
    "const",
    "enum",
    "function",
    "interface",
    "never",
    "null",
    "number",
    "object",
    "string",
    "symbol",
    "type",
    "undefined",
    "unknown",
    "void",
    "Promise",
    "RangeError",
    "BigInt",
    "Number",
    "JSON",
    "export",
];

/// Words that no variable may be called by.
const RESERVED: [&str; 46] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
];

/// The client: types, codecs, a class with a method for each call and view, `init` arguments, events and errors.
///
/// ```
/// use noema_schema::{Schema, typescript};
///
/// let schema = Schema::from_json(
///     br#"{"noema":1,"contract":"Tally","events":[],"types":[],
///          "methods":[{"name":"vote","kind":"call","args":[["yes","bool"]],"returns":"u64"}]}"#,
/// )?;
/// let text = typescript::client(&schema)?;
/// assert!(text.contains("export class TallyClient"));
/// assert!(text.contains("async vote(yes: boolean, $value: bigint = 0n): Promise<bigint>"));
/// # Ok::<(), noema_schema::SchemaError>(())
/// ```
///
/// # Errors
/// Where a name is no identifier: a schema is not trusted, and its names become code.
pub fn client(schema: &Schema) -> Result<String, SchemaError> {
    let contract = identifier(&schema.contract)?;
    let mut out =
        format!("// The client of the contract {contract}, made by `noema client --lang ts`: changes are lost.\n\n");
    out += RUNTIME;
    for (name, body) in schema.definitions() {
        let ty = type_name(name)?;
        let _ = write!(
            out,
            "\nexport type {ty} = {};\nexport const ${name}: $Codec<{ty}> = $lazy(() => {});\n",
            body_type(schema, body)?,
            body_codec(schema, body)?
        );
    }
    for (kind, name) in [(MethodKind::Init, "init"), (MethodKind::Migrate, "migrate")] {
        let none = Method {
            name: name.into(),
            kind,
            payable: true,
            reentrant: false,
            args: Vec::new(),
            returns: TypeRef::Unit,
        };
        match schema.entry(kind) {
            Some(method) => entry(schema, name, method, &mut out)?,
            None if kind == MethodKind::Init => entry(schema, name, &none, &mut out)?,
            None => {}
        }
    }
    let _ = write!(
        out,
        "\n/** A deployed {contract}. */\nexport class {contract}Client {{\n  $transport: $Transport;\n  $contract: string;\n  \
         constructor(transport: $Transport, contract: string) {{\n    this.$transport = transport;\n    \
         this.$contract = contract;\n  }}\n"
    );
    for method in schema.methods.iter().filter(|method| matches!(method.kind, MethodKind::Call | MethodKind::View)) {
        class_method(schema, method, &mut out)?;
    }
    out += "}\n";
    events(schema, &mut out)?;
    out += "\n/** Names and messages of the errors that the contract itself aborts with, by code. */\n";
    out += "export const errors: Record<number, { name: string; message: string }> = {\n";
    for ContractError(code, name, message) in &schema.errors {
        let _ = writeln!(out, "  {code}: {{ name: {}, message: {} }},", quoted(name), quoted(message));
    }
    out += "};\n";
    Ok(out)
}

/// A function that makes the input of `init` or `migrate`, which a deployment carries.
fn entry(schema: &Schema, name: &str, method: &Method, out: &mut String) -> Result<(), SchemaError> {
    let Arguments { parameters, names, codecs } = Arguments::of(schema, method)?;
    let _ = write!(
        out,
        "\n/** The input of `{name}`. */\nexport const {name} = ({}): globalThis.Uint8Array => $input(\"\", [{codecs}], [{names}]);\n",
        parameters.join(", ")
    );
    Ok(())
}

fn class_method(schema: &Schema, method: &Method, out: &mut String) -> Result<(), SchemaError> {
    let Arguments { mut parameters, names, codecs } = Arguments::of(schema, method)?;
    let name = identifier(&method.name)?;
    let shown = if name == "constructor" { "constructor_" } else { name };
    let result = match method.returns {
        TypeRef::Unit => "void".to_owned(),
        _ => ts_type(schema, &method.returns)?,
    };
    let send = match method.kind {
        MethodKind::View => "view(this.$contract, $bytes)",
        _ => {
            parameters.push("$value: bigint = 0n".into());
            "call(this.$contract, $bytes, $value)"
        }
    };
    let codec = ts_codec(schema, &method.returns)?;
    let finish = if method.returns == TypeRef::Unit { "" } else { "return " };
    let _ = write!(
        out,
        "  async {shown}({}): Promise<{result}> {{\n    const $bytes = $input({}, [{codecs}], [{names}]);\n    \
         {finish}$output({codec}, await this.$transport.{send});\n  }}\n",
        parameters.join(", "),
        quoted(name)
    );
    Ok(())
}

fn events(schema: &Schema, out: &mut String) -> Result<(), SchemaError> {
    let mut types = Vec::new();
    let mut cases = String::new();
    for (topic, ty) in &schema.events {
        let topic = quoted(topic);
        types.push(format!("{{ topic: {topic}; value: {} }}", ts_type(schema, ty)?));
        let codec = ts_codec(schema, ty)?;
        let _ = writeln!(cases, "    case {topic}: return {{ topic: {topic}, value: $output({codec}, data) }};");
    }
    let event = if types.is_empty() { "never".to_owned() } else { types.join(" | ") };
    let _ = write!(
        out,
        "\n/** An event of the contract. */\nexport type $Event = {event};\n\n/** Reads an event; none where the contract has no such topic. */\n\
         export const event = (topic: string, data: globalThis.Uint8Array): $Event | undefined => {{\n  \
         switch (topic) {{\n{cases}    default: return undefined;\n  }}\n}};\n"
    );
    Ok(())
}

struct Arguments {
    parameters: Vec<String>,
    names: String,
    codecs: String,
}

impl Arguments {
    fn of(schema: &Schema, method: &Method) -> Result<Arguments, SchemaError> {
        let (mut parameters, mut names, mut codecs) = (Vec::new(), Vec::new(), Vec::new());
        for (name, ty) in &method.args {
            let name = identifier(name)?;
            let name = if RESERVED.contains(&name) { format!("{name}_") } else { name.to_owned() };
            parameters.push(format!("{name}: {}", ts_type(schema, ty)?));
            codecs.push(ts_codec(schema, ty)?);
            names.push(name);
        }
        Ok(Arguments { parameters, names: names.join(", "), codecs: codecs.join(", ") })
    }
}

/// Letters, digits and underscores: what becomes code.
fn identifier(name: &str) -> Result<&str, SchemaError> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    if first && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Ok(name);
    }
    Err(SchemaError::Invalid(format!("{} cannot be a name in TypeScript", quoted(name))))
}

fn type_name(name: &str) -> Result<String, SchemaError> {
    let name = identifier(name)?;
    Ok(if TAKEN.contains(&name) { format!("{name}_") } else { name.to_owned() })
}

/// A text as JavaScript reads it.
fn quoted(text: &str) -> String {
    // JSON is JavaScript; the two line separators are, too, since 2019, and are escaped all the same.
    serde_json::Value::from(text).to_string().replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn ts_type(schema: &Schema, ty: &TypeRef) -> Result<String, SchemaError> {
    Ok(match ty {
        TypeRef::Unit => "null".into(),
        TypeRef::Bool => "boolean".into(),
        TypeRef::U8 | TypeRef::U16 | TypeRef::U32 | TypeRef::I8 | TypeRef::I16 | TypeRef::I32 => "number".into(),
        TypeRef::U64 | TypeRef::U128 | TypeRef::I64 | TypeRef::I128 => "bigint".into(),
        TypeRef::String | TypeRef::Address | TypeRef::Hash | TypeRef::Fixed(_) => "string".into(),
        TypeRef::Option(inner) if codec::nullable(schema, inner, MAX_DEPTH)? => {
            format!("[{}] | null", ts_type(schema, inner)?)
        }
        TypeRef::Option(inner) => format!("{} | null", ts_type(schema, inner)?),
        TypeRef::List(inner) | TypeRef::Array(inner, _) if **inner == TypeRef::U8 => "globalThis.Uint8Array".into(),
        TypeRef::List(inner) | TypeRef::Array(inner, _) => format!("({})[]", ts_type(schema, inner)?),
        TypeRef::Tuple(inner) => tuple_type(schema, inner)?,
        TypeRef::Map(key, inner) => {
            format!("globalThis.Map<{}, {}>", ts_type(schema, key)?, ts_type(schema, inner)?)
        }
        TypeRef::Type(name) => type_name(name)?,
    })
}

fn tuple_type(schema: &Schema, inner: &[TypeRef]) -> Result<String, SchemaError> {
    let inner = inner.iter().map(|ty| ts_type(schema, ty)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[{}]", inner.join(", ")))
}

fn body_type(schema: &Schema, body: &Body) -> Result<String, SchemaError> {
    Ok(match body {
        Body::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|(name, ty)| Ok(format!("{}: {}", identifier(name)?, ts_type(schema, ty)?)))
                .collect::<Result<Vec<_>, SchemaError>>()?;
            format!("{{ {} }}", fields.join("; "))
        }
        Body::Tuple(fields) => match fields.as_slice() {
            [only] => ts_type(schema, only)?,
            _ => tuple_type(schema, fields)?,
        },
        Body::Enum(variants) => {
            let variants = variants
                .iter()
                .map(|(name, body)| {
                    let name = identifier(name)?;
                    Ok(match body {
                        Body::Struct(fields) if fields.is_empty() => format!("\"{name}\""),
                        body => format!("{{ {name}: {} }}", body_type(schema, body)?),
                    })
                })
                .collect::<Result<Vec<_>, SchemaError>>()?;
            if variants.is_empty() { "never".into() } else { variants.join(" | ") }
        }
    })
}

fn ts_codec(schema: &Schema, ty: &TypeRef) -> Result<String, SchemaError> {
    Ok(match ty {
        TypeRef::Unit => "$unit".into(),
        TypeRef::Bool => "$bool".into(),
        TypeRef::U8 => small(1, false),
        TypeRef::U16 => small(2, false),
        TypeRef::U32 => small(4, false),
        TypeRef::I8 => small(1, true),
        TypeRef::I16 => small(2, true),
        TypeRef::I32 => small(4, true),
        TypeRef::U64 => large(8, false),
        TypeRef::U128 => large(16, false),
        TypeRef::I64 => large(8, true),
        TypeRef::I128 => large(16, true),
        TypeRef::String => "$string".into(),
        TypeRef::Address | TypeRef::Hash => "$hex".into(),
        TypeRef::Fixed(bits) => format!("$fixed({bits})"),
        TypeRef::Option(inner) if codec::nullable(schema, inner, MAX_DEPTH)? => {
            format!("$nested({})", ts_codec(schema, inner)?)
        }
        TypeRef::Option(inner) => format!("$option({})", ts_codec(schema, inner)?),
        TypeRef::List(inner) if **inner == TypeRef::U8 => "$bytes()".into(),
        TypeRef::Array(inner, len) if **inner == TypeRef::U8 => format!("$bytes({len})"),
        TypeRef::List(inner) => format!("$list({})", ts_codec(schema, inner)?),
        TypeRef::Array(inner, len) => format!("$list({}, {len})", ts_codec(schema, inner)?),
        TypeRef::Tuple(inner) => tuple_codec(schema, inner)?,
        TypeRef::Map(key, inner) => {
            // Hexadecimal digits are in the order of the bytes, as long as they are of one case, which those read are.
            let order = match **key {
                TypeRef::String => "$text",
                TypeRef::Bool
                | TypeRef::Address
                | TypeRef::Hash
                | TypeRef::U8
                | TypeRef::U16
                | TypeRef::U32
                | TypeRef::U64
                | TypeRef::U128
                | TypeRef::I8
                | TypeRef::I16
                | TypeRef::I32
                | TypeRef::I64
                | TypeRef::I128 => "$natural",
                _ => {
                    return Err(SchemaError::Invalid(format!(
                        "a map with keys of type {key} has no form in TypeScript"
                    )));
                }
            };
            format!("$map({}, {}, {order})", ts_codec(schema, key)?, ts_codec(schema, inner)?)
        }
        TypeRef::Type(name) => format!("${}", identifier(name)?),
    })
}

fn small(bytes: u32, signed: bool) -> String {
    format!("$small({bytes}, {signed}, \"{}{}\")", if signed { 'i' } else { 'u' }, 8 * bytes)
}

fn large(bytes: u32, signed: bool) -> String {
    format!("$large({bytes}, {signed}, \"{}{}\")", if signed { 'i' } else { 'u' }, 8 * bytes)
}

fn tuple_codec(schema: &Schema, inner: &[TypeRef]) -> Result<String, SchemaError> {
    let inner = inner.iter().map(|ty| ts_codec(schema, ty)).collect::<Result<Vec<_>, _>>()?;
    Ok(format!("$tuple({})", inner.join(", ")))
}

fn body_codec(schema: &Schema, body: &Body) -> Result<String, SchemaError> {
    Ok(match body {
        Body::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|(name, ty)| Ok(format!("[\"{}\", {}]", identifier(name)?, ts_codec(schema, ty)?)))
                .collect::<Result<Vec<_>, SchemaError>>()?;
            format!("$struct([{}])", fields.join(", "))
        }
        Body::Tuple(fields) => match fields.as_slice() {
            [only] => ts_codec(schema, only)?,
            _ => tuple_codec(schema, fields)?,
        },
        Body::Enum(variants) => {
            let variants = variants
                .iter()
                .map(|(name, body)| {
                    let codec = match body {
                        Body::Struct(fields) if fields.is_empty() => "null".into(),
                        body => body_codec(schema, body)?,
                    };
                    Ok(format!("[\"{}\", {codec}]", identifier(name)?))
                })
                .collect::<Result<Vec<_>, SchemaError>>()?;
            format!("$enum([{}])", variants.join(", "))
        }
    })
}

#[cfg(test)]
mod tests;
