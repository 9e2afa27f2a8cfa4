//! A program that is measured, and what its text is made of.

/// What a program is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// To take longer than its gas says.
    Adversarial,
    /// To do what contracts do.
    Ordinary,
    /// To compute with tensors.
    Tensor,
}

impl Class {
    pub(super) const ALL: [Class; 3] = [Class::Adversarial, Class::Ordinary, Class::Tensor];

    pub(super) fn name(self) -> &'static str {
        match self {
            Class::Adversarial => "adversarial",
            Class::Ordinary => "ordinary",
            Class::Tensor => "tensor",
        }
    }
}

/// A contract and what it is for.
pub(super) struct Program {
    pub(super) name: String,
    pub(super) class: Class,
    pub(super) code: Vec<u8>,
    /// Whether the memory that it begins with is the point; it is left out of account otherwise, because most of it is never used.
    pub(super) with_instance: bool,
}

impl Program {
    pub(super) fn new(name: impl Into<String>, class: Class, text: &str) -> Program {
        let name = name.into();
        let code = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
        Program { name, class, code, with_instance: false }
    }
}

/// The most that a memory can have; that a middle one can have, and a near one.
pub(super) const PAGES: u32 = 1024;
pub(super) const MIDDLE_PAGES: u32 = 64;
pub(super) const NEAR_PAGES: u32 = 16;

/// Declared as large as it is.
pub(super) fn module(pages: u32, fields: &str) -> String {
    format!(r#"(module (memory (export "memory") {pages} {pages}) {fields})"#)
}

pub(super) fn hostile(name: &str, text: &str) -> Program {
    Program::new(name, Class::Adversarial, text)
}

/// `body`, so many times.
pub(super) fn looped(times: u32, body: &str) -> String {
    format!(
        "(local.set $i (i32.const {times}))
         (loop $again {body} (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))"
    )
}

/// The next random number in `$r`.
pub(super) const RANDOM: &str =
    "(local.set $r (i64.add (i64.mul (local.get $r) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))";
