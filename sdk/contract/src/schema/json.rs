//! The interface as JSON, written by the compiler.

use super::{Body, Definition, Interface, Method, MethodKind, Shape};

/// Structs and enums in one interface.
const MAX_TYPES: usize = 128;

/// Writes the first `N` bytes and counts all.
struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

/// Every struct and enum once, in the order of first use.
struct Types {
    list: [Option<&'static Definition>; MAX_TYPES],
    len: usize,
}

/// The length of [`json`].
#[must_use]
pub const fn json_len(interface: &Interface) -> usize {
    write::<0>(interface).len
}

/// The interface as JSON text; `N` is [`json_len`].
#[must_use]
pub const fn json<const N: usize>(interface: &Interface) -> [u8; N] {
    let writer = write::<N>(interface);
    assert!(writer.len == N, "N is the length of the JSON");
    writer.bytes
}

const fn write<const N: usize>(interface: &Interface) -> Writer<N> {
    let mut types = Types { list: [None; MAX_TYPES], len: 0 };
    let mut w = Writer { bytes: [0; N], len: 0 };
    w.text("{\"noema\":1,\"contract\":");
    w.quoted(interface.name);
    w.text(",\"methods\":[");
    let mut i = 0;
    while i < interface.methods.len() {
        w.comma(i);
        w.method(&interface.methods[i]);
        types.method(&interface.methods[i]);
        i += 1;
    }
    w.text("],\"events\":");
    w.fields(interface.events);
    types.fields(interface.events);
    w.errors(interface.errors);
    w.text(",\"types\":[");
    i = 0;
    while i < types.len {
        if let Some(definition) = types.list[i] {
            w.comma(i);
            w.text("{\"name\":");
            w.quoted(definition.name);
            w.text(",");
            w.body(&definition.body);
            w.text("}");
        }
        i += 1;
    }
    w.text("]}");
    w
}

impl<const N: usize> Writer<N> {
    const fn byte(&mut self, byte: u8) {
        if self.len < N {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
    }

    const fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self.byte(bytes[i]);
            i += 1;
        }
    }

    const fn comma(&mut self, index: usize) {
        if index > 0 {
            self.text(",");
        }
    }

    const fn quoted(&mut self, name: &str) {
        let bytes = name.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                bytes[i] >= b' ' && bytes[i] != b'"' && bytes[i] != b'\\',
                "names in an interface hold no quotes, backslashes or control characters"
            );
            i += 1;
        }
        self.text("\"");
        self.text(name);
        self.text("\"");
    }

    const fn number(&mut self, number: usize) {
        if number >= 10 {
            self.number(number / 10);
        }
        self.byte(b"0123456789"[number % 10]);
    }

    const fn method(&mut self, method: &Method) {
        self.text("{\"name\":");
        self.quoted(method.name);
        self.text(match method.kind {
            MethodKind::Init => ",\"kind\":\"init\"",
            MethodKind::Call => ",\"kind\":\"call\"",
            MethodKind::View => ",\"kind\":\"view\"",
            MethodKind::Migrate => ",\"kind\":\"migrate\"",
        });
        if method.payable {
            self.text(",\"payable\":true");
        }
        if method.reentrant {
            self.text(",\"reentrant\":true");
        }
        self.text(",\"args\":");
        self.fields(method.args);
        self.text(",\"returns\":");
        self.shape(method.returns);
        self.text("}");
    }

    /// Nothing for a contract without typed errors.
    const fn errors(&mut self, types: &[&[(u32, &str, &str)]]) {
        let (mut count, mut i) = (0, 0);
        while i < types.len() {
            let mut j = 0;
            while j < types[i].len() {
                self.text(if count == 0 { ",\"errors\":[[" } else { ",[" });
                self.number(types[i][j].0 as usize);
                self.text(",");
                self.quoted(types[i][j].1);
                self.text(",");
                self.quoted(types[i][j].2);
                self.text("]");
                count += 1;
                j += 1;
            }
            i += 1;
        }
        if count > 0 {
            self.text("]");
        }
    }

    const fn fields(&mut self, fields: &[(&str, &Shape)]) {
        self.text("[");
        let mut i = 0;
        while i < fields.len() {
            self.comma(i);
            self.text("[");
            self.quoted(fields[i].0);
            self.text(",");
            self.shape(fields[i].1);
            self.text("]");
            i += 1;
        }
        self.text("]");
    }

    const fn shapes(&mut self, shapes: &[&Shape]) {
        self.text("[");
        let mut i = 0;
        while i < shapes.len() {
            self.comma(i);
            self.shape(shapes[i]);
            i += 1;
        }
        self.text("]");
    }

    const fn shape(&mut self, shape: &Shape) {
        let end = match shape {
            Shape::Unit => "\"unit\"",
            Shape::Bool => "\"bool\"",
            Shape::U8 => "\"u8\"",
            Shape::U16 => "\"u16\"",
            Shape::U32 => "\"u32\"",
            Shape::U64 => "\"u64\"",
            Shape::U128 => "\"u128\"",
            Shape::I8 => "\"i8\"",
            Shape::I16 => "\"i16\"",
            Shape::I32 => "\"i32\"",
            Shape::I64 => "\"i64\"",
            Shape::I128 => "\"i128\"",
            Shape::String => "\"string\"",
            Shape::Address => "\"address\"",
            Shape::Hash => "\"hash\"",
            Shape::Fixed(bits) => {
                self.text("{\"fixed\":");
                self.number(*bits as usize);
                "}"
            }
            Shape::Option(inner) => return self.wrapped("{\"option\":", inner),
            Shape::List(inner) => return self.wrapped("{\"list\":", inner),
            Shape::Array(inner, len) => {
                self.text("{\"array\":[");
                self.shape(inner);
                self.text(",");
                self.number(*len);
                "]}"
            }
            Shape::Tuple(shapes) => {
                self.text("{\"tuple\":");
                self.shapes(shapes);
                "}"
            }
            Shape::Map(key, value) => {
                self.text("{\"map\":");
                self.shapes(&[*key, *value]);
                "}"
            }
            Shape::Named(definition) => {
                self.text("{\"type\":");
                self.quoted(definition.name);
                "}"
            }
        };
        self.text(end);
    }

    const fn wrapped(&mut self, open: &str, inner: &Shape) {
        self.text(open);
        self.shape(inner);
        self.text("}");
    }

    const fn body(&mut self, body: &Body) {
        match body {
            Body::Struct(fields) => {
                self.text("\"struct\":");
                self.fields(fields);
            }
            Body::Tuple(shapes) => {
                self.text("\"tuple\":");
                self.shapes(shapes);
            }
            Body::Enum(variants) => {
                self.text("\"enum\":[");
                let mut i = 0;
                while i < variants.len() {
                    self.comma(i);
                    self.text("[");
                    self.quoted(variants[i].name);
                    self.text(",{");
                    self.body(&variants[i].body);
                    self.text("}]");
                    i += 1;
                }
                self.text("]");
            }
        }
    }
}

impl Types {
    const fn method(&mut self, method: &Method) {
        self.fields(method.args);
        self.shape(method.returns);
    }

    const fn fields(&mut self, fields: &[(&str, &'static Shape)]) {
        let mut i = 0;
        while i < fields.len() {
            self.shape(fields[i].1);
            i += 1;
        }
    }

    const fn shapes(&mut self, shapes: &[&'static Shape]) {
        let mut i = 0;
        while i < shapes.len() {
            self.shape(shapes[i]);
            i += 1;
        }
    }

    const fn shape(&mut self, shape: &'static Shape) {
        match shape {
            Shape::Option(inner) | Shape::List(inner) | Shape::Array(inner, _) => self.shape(inner),
            Shape::Tuple(shapes) => self.shapes(shapes),
            Shape::Map(key, value) => {
                self.shape(key);
                self.shape(value);
            }
            Shape::Named(definition) => self.definition(definition),
            _ => {}
        }
    }

    const fn definition(&mut self, definition: &'static Definition) {
        let mut i = 0;
        while i < self.len {
            if let Some(known) = self.list[i]
                && equal(known.name, definition.name)
            {
                assert!(equal(known.path, definition.path), "two types of one name in one interface: rename one");
                return;
            }
            i += 1;
        }
        assert!(self.len < MAX_TYPES, "more than 128 types in one interface");
        self.list[self.len] = Some(definition);
        self.len += 1;
        self.body(&definition.body);
    }

    const fn body(&mut self, body: &'static Body) {
        match body {
            Body::Struct(fields) => self.fields(fields),
            Body::Tuple(shapes) => self.shapes(shapes),
            Body::Enum(variants) => {
                let mut i = 0;
                while i < variants.len() {
                    self.body(&variants[i].body);
                    i += 1;
                }
            }
        }
    }
}

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}
