//! Functions that a module names outside of bodies: whoever finds one there can call it.

use wasmparser::{BinaryReaderError, ConstExpr, ElementItems, ElementSectionReader, GlobalSectionReader, Operator};

/// Adds those that globals begin with.
pub(crate) fn named_by_globals(
    section: &GlobalSectionReader<'_>,
    named: &mut impl Extend<u32>,
) -> Result<(), BinaryReaderError> {
    section.clone().into_iter().try_for_each(|global| named_by(&global?.init_expr, named))
}

/// Adds those in segments of elements.
pub(crate) fn named_by_elements(
    section: &ElementSectionReader<'_>,
    named: &mut impl Extend<u32>,
) -> Result<(), BinaryReaderError> {
    for element in section.clone() {
        match element?.items {
            ElementItems::Functions(items) => {
                for function in items {
                    named.extend([function?]);
                }
            }
            ElementItems::Expressions(_, items) => {
                for item in items {
                    named_by(&item?, named)?;
                }
            }
        }
    }
    Ok(())
}

fn named_by(expression: &ConstExpr<'_>, named: &mut impl Extend<u32>) -> Result<(), BinaryReaderError> {
    for operator in expression.get_operators_reader() {
        if let Operator::RefFunc { function_index } = operator? {
            named.extend([function_index]);
        }
    }
    Ok(())
}
