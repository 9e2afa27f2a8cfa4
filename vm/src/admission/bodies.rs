//! The bodies of a module, until all of them are known: what one stores where depends on what others pass to it.

use wasmparser::{ExternalKind, Payload, TypeRef};

use super::AdmissionError;
use super::body::Body;
use crate::instrument::{Findings, Parameters, Reach, named_by_elements, named_by_globals};

#[derive(Default)]
pub(super) struct Bodies<'a> {
    /// Functions that are imported.
    imports: u32,
    /// Functions that are named outside of bodies: what is passed to them is not known.
    named: Vec<u32>,
    bodies: Vec<Body<'a>>,
}

impl<'a> Bodies<'a> {
    /// Takes what a valid section says of functions.
    pub(super) fn section(&mut self, payload: &Payload<'_>) -> Result<(), AdmissionError> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    self.imports += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::GlobalSection(section) => named_by_globals(section, &mut self.named)?,
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    self.named.extend((export.kind == ExternalKind::Func).then_some(export.index));
                }
            }
            Payload::ElementSection(section) => named_by_elements(section, &mut self.named)?,
            _ => {}
        }
        Ok(())
    }

    /// The index of the function whose body comes next.
    pub(super) fn next_function(&self) -> u32 {
        self.imports + u32::try_from(self.bodies.len()).expect("functions are limited")
    }

    pub(super) fn push(&mut self, body: Body<'a>) {
        self.bodies.push(body);
    }

    /// What was found of each, in a memory of this reach.
    pub(super) fn finish(self, reach: Reach) -> Vec<Findings> {
        let counts = self.bodies.iter().map(|body| body.parameters);
        let mut parameters = Parameters::new(self.imports, counts);
        self.named.iter().for_each(|function| parameters.open(*function));
        for (function, body) in (self.imports..).zip(&self.bodies) {
            parameters.pass(function, &body.alignment.arguments);
        }
        parameters.settle();
        let settled = |(function, mut body): (u32, Body<'a>)| {
            if let Some(steps) = body.steps.take() {
                body.settle(&steps, reach, parameters.of(function));
            }
            body.findings
        };
        (self.imports..).zip(self.bodies).map(settled).collect()
    }
}
