//! Where in the source something in a module is: function names from the `name` section, files and lines from DWARF.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::ops::Range;

use addr2line::Context;
use gimli::{Dwarf, EndianSlice, LittleEndian};
use wasmparser::{KnownCustom, Name, Operator, Parser, Payload, TypeRef};

type Slice<'w> = EndianSlice<'w, LittleEndian>;

/// What a module says about its functions. It comes with code that anybody may have made, so that it is only for people:
/// what is broken in it is as good as missing.
pub struct Symbols<'w> {
    /// Where offsets of DWARF begin.
    code_start: usize,
    /// Names of the functions that are imported, as `group.name`.
    imports: Vec<String>,
    /// The bodies of the others.
    bodies: Vec<Range<usize>>,
    names: BTreeMap<u32, String>,
    dwarf: Option<Context<Slice<'w>>>,
    wasm: &'w [u8],
}

/// A place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function, without generics and hashes.
    pub function: String,
    /// File and line, where they are known.
    pub line: Option<(String, u32)>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.line {
            Some((file, line)) => write!(f, "{file}:{line} in {}", self.function),
            None => f.write_str(&self.function),
        }
    }
}

impl std::fmt::Debug for Symbols<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Symbols").field("bodies", &self.bodies.len()).field("names", &self.names.len()).finish()
    }
}

impl<'w> Symbols<'w> {
    /// Reads what there is.
    #[must_use]
    pub fn of_wasm(wasm: &'w [u8]) -> Symbols<'w> {
        let mut symbols = Symbols {
            code_start: 0,
            imports: Vec::new(),
            bodies: Vec::new(),
            names: BTreeMap::new(),
            dwarf: None,
            wasm,
        };
        let mut sections: BTreeMap<&str, &'w [u8]> = BTreeMap::new();
        for payload in Parser::new(0).parse_all(wasm) {
            let Ok(payload) = payload else { break };
            match payload {
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports().flatten() {
                        if let TypeRef::Func(_) = import.ty {
                            symbols.imports.push(format!("{}.{}", import.module, import.name));
                        }
                    }
                }
                Payload::CodeSectionStart { range, .. } => symbols.code_start = range.start,
                Payload::CodeSectionEntry(body) => symbols.bodies.push(body.range()),
                Payload::CustomSection(section) => {
                    sections.insert(section.name(), section.data());
                    if let KnownCustom::Name(names) = section.as_known() {
                        for name in names.flatten() {
                            if let Name::Function(functions) = name {
                                let all = functions.into_iter().flatten();
                                symbols.names.extend(all.map(|naming| (naming.index, demangled(naming.name))));
                            }
                        }
                    }
                }
                _ => {}
            }
        }
        let load = |id: gimli::SectionId| -> Result<Slice<'w>, gimli::Error> {
            Ok(EndianSlice::new(sections.get(id.name()).copied().unwrap_or_default(), LittleEndian))
        };
        if sections.contains_key(".debug_info") {
            symbols.dwarf = Dwarf::load(load).ok().and_then(|dwarf| Context::from_dwarf(dwarf).ok());
        }
        symbols
    }

    /// Whether files and lines are known.
    #[must_use]
    pub fn has_lines(&self) -> bool {
        self.dwarf.is_some()
    }

    /// The name of a function, imports counted; its number where it has none.
    #[must_use]
    pub fn function(&self, index: u32) -> String {
        let imported = usize::try_from(index).ok().and_then(|index| self.imports.get(index));
        imported.or_else(|| self.names.get(&index)).cloned().unwrap_or_else(|| format!("function {index}"))
    }

    /// The function that an offset of the module lies in, imports counted.
    #[must_use]
    pub fn function_at(&self, offset: usize) -> Option<u32> {
        let body = self.bodies.iter().position(|body| body.contains(&offset))?;
        u32::try_from(self.imports.len() + body).ok()
    }

    /// Name and bytes of every function of the module itself.
    pub fn sizes(&self) -> impl Iterator<Item = (String, usize)> {
        let first = u32::try_from(self.imports.len()).unwrap_or(u32::MAX);
        (first..).zip(&self.bodies).map(|(index, body)| (self.function(index), body.len()))
    }

    /// The places of an offset of the module: the innermost inlined function first, the function itself last.
    #[must_use]
    pub fn places(&self, offset: usize) -> Vec<Place> {
        let whole = self.function_at(offset).map(|index| self.function(index));
        let mut places = Vec::new();
        if let Some(context) = &self.dwarf
            && let Some(address) = offset.checked_sub(self.code_start).and_then(|address| u64::try_from(address).ok())
            && let Ok(mut frames) = context.find_frames(address).skip_all_loads()
        {
            while let Ok(Some(frame)) = frames.next() {
                let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
                let function = name.map(|name: Cow<'_, str>| demangled(&name)).or_else(|| whole.clone());
                let line = frame.location.and_then(|at| Some((at.file?.to_owned(), at.line?)));
                places.push(Place { function: function.unwrap_or_default(), line });
            }
        }
        if places.is_empty() {
            places.extend(whole.map(|function| Place { function, line: None }));
        }
        places
    }

    /// The place where a function begins.
    #[must_use]
    pub fn start_of(&self, function: u32) -> Vec<Place> {
        let body = usize::try_from(function).ok().and_then(|index| index.checked_sub(self.imports.len()));
        body.and_then(|body| self.bodies.get(body)).map_or_else(Vec::new, |body| self.places(body.start))
    }

    /// Where an import is called, the first few times.
    #[must_use]
    pub fn callers(&self, module: &str, name: &str) -> Vec<Place> {
        let wanted = format!("{module}.{name}");
        let Some(import) = self.imports.iter().position(|known| *known == wanted) else { return Vec::new() };
        let mut callers = Vec::new();
        for payload in Parser::new(0).parse_all(self.wasm).flatten() {
            let Payload::CodeSectionEntry(body) = payload else { continue };
            let Ok(operators) = body.get_operators_reader() else { continue };
            for operator in operators.into_iter_with_offsets() {
                let Ok((Operator::Call { function_index }, offset)) = operator else { continue };
                if usize::try_from(function_index).is_ok_and(|index| index == import) && callers.len() < 4 {
                    callers.extend(self.author(offset));
                }
            }
        }
        callers
    }

    /// The place that an author would look for: the innermost in a file of the contract's own workspace, which are the relative
    /// ones that are no dependency's, or else the innermost of all.
    #[must_use]
    pub fn author(&self, offset: usize) -> Option<Place> {
        let places = self.places(offset);
        let own = |place: &&Place| {
            place.line.as_ref().is_some_and(|(file, _)| {
                !file.starts_with('/') && !file.starts_with("registry/") && !file.contains("sdk/contract/")
            })
        };
        places.iter().find(own).or_else(|| places.first()).cloned()
    }
}

/// A module as it is deployed, and the same one with names and places: the operators of both are the same, in another number of
/// bytes.
#[derive(Debug)]
pub struct Twin<'w> {
    symbols: Symbols<'w>,
    /// For each function: offsets of its body and its operators, in the one and in the other.
    functions: Vec<Vec<(usize, usize)>>,
}

impl<'w> Twin<'w> {
    /// Finds out what belongs together; `None` where these are not the same operators. The order of functions may be another: which
    /// function is which is said by its operators, those that name functions aside.
    #[must_use]
    pub fn new(bare: &[u8], debug: &'w [u8]) -> Option<Twin<'w>> {
        let ours = bodies(bare)?;
        let mut theirs: BTreeMap<String, VecDeque<Vec<usize>>> = BTreeMap::new();
        for body in bodies(debug)? {
            let (operators, offsets) = outline(&body)?;
            theirs.entry(operators).or_default().push_back(offsets);
        }
        let mut functions = Vec::with_capacity(ours.len());
        for body in &ours {
            let (operators, offsets) = outline(body)?;
            // Of several that are alike the next one: they are alike in the source, too.
            let their = theirs.get_mut(&operators).and_then(VecDeque::pop_front)?;
            functions.push(offsets.into_iter().zip(their).collect());
        }
        theirs.values().all(VecDeque::is_empty).then(|| Twin { symbols: Symbols::of_wasm(debug), functions })
    }

    /// The same place in the module with names.
    fn there(&self, offset: usize) -> Option<usize> {
        let function =
            self.functions.partition_point(|offsets| offsets.first().is_some_and(|(first, _)| *first <= offset));
        let offsets = self.functions.get(function.checked_sub(1)?)?;
        let at = offsets.partition_point(|(our, _)| *our <= offset).checked_sub(1)?;
        offsets.get(at).map(|(_, their)| *their)
    }

    /// The places of an offset of the deployed module, as [`Symbols::places`].
    #[must_use]
    pub fn places(&self, offset: usize) -> Vec<Place> {
        self.there(offset).map_or_else(Vec::new, |offset| self.symbols.places(offset))
    }

    /// The name of the function that it lies in.
    #[must_use]
    pub fn function_at(&self, offset: usize) -> Option<String> {
        let index = self.symbols.function_at(self.there(offset)?)?;
        Some(self.symbols.function(index))
    }
}

/// The operators of a body as text, without the numbers of functions, and the offsets of the body and of each operator.
fn outline(body: &wasmparser::FunctionBody<'_>) -> Option<(String, Vec<usize>)> {
    let (mut text, mut offsets) = (String::new(), vec![body.range().start]);
    for operator in body.get_operators_reader().ok()?.into_iter_with_offsets() {
        let (operator, offset) = operator.ok()?;
        offsets.push(offset);
        match operator {
            Operator::Call { .. } => text.push_str("call;"),
            Operator::RefFunc { .. } => text.push_str("ref.func;"),
            operator => {
                let _ = write!(text, "{operator:?};");
            }
        }
    }
    Some((text, offsets))
}

fn bodies(wasm: &[u8]) -> Option<Vec<wasmparser::FunctionBody<'_>>> {
    let mut bodies = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload.ok()? {
            bodies.push(body);
        }
    }
    Some(bodies)
}

/// A Rust name as it is written, without its hash.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
