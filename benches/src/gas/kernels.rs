//! Ordinary programs: the kernels of `metering`, each with its number in the data of the module.

use anyhow::anyhow;
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{ConstExpr, DataSection};

use super::program::{Class, Program};
use crate::metering::kernels::{self, KERNELS, WHICH};

pub(super) fn programs() -> anyhow::Result<Vec<Program>> {
    let wasm = kernels::module()?;
    let program = |(number, name): (u32, &&str)| {
        let mut module = wasm_encoder::Module::new();
        Numbered(number)
            .parse_core_module(&mut module, wasmparser::Parser::new(0), &wasm)
            .map_err(|error| anyhow!("cannot write the kernels again: {error}"))?;
        Ok(Program { name: (*name).to_owned(), class: Class::Ordinary, code: module.finish(), with_instance: false })
    };
    (0..).zip(&KERNELS).map(program).collect()
}

/// Writes the module with one more piece of data.
struct Numbered(u32);

impl Reencode for Numbered {
    type Error = std::convert::Infallible;

    fn parse_data_section(
        &mut self,
        data: &mut DataSection,
        section: wasmparser::DataSectionReader<'_>,
    ) -> Result<(), Error> {
        wasm_encoder::reencode::utils::parse_data_section(self, data, section)?;
        let offset = ConstExpr::i32_const(i32::try_from(WHICH).expect("a small address"));
        data.active(0, &offset, self.0.to_le_bytes());
        Ok(())
    }

    fn data_count(&mut self, count: u32) -> Result<u32, Error> {
        Ok(count + 1)
    }
}
