//! Rows of features, from CSV files and to integers.

use std::io::Read;

use noema_model::Port;
use noema_tensor::{DType, Shape, Tensor};

use crate::{ImportError, quantise_features, scale};

/// Rows of features, with the class of each where there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Names of the features.
    pub features: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<f64>>,
    /// The class of each row; empty where the table has no such column.
    pub labels: Vec<usize>,
}

impl Table {
    /// Reads comma-separated values with a header line. The column called `label`, if it is there, holds the class
    /// as a number from 0; every other column is a feature.
    ///
    /// # Errors
    /// [`ImportError::Table`] naming line and column of what is not a finite number, or where the header is missing.
    ///
    /// ```
    /// let table = noema_import::Table::read_csv("size,age,label\n1.5,40,1\n0.5,20,0\n".as_bytes()).unwrap();
    /// assert_eq!(table.rows, [[1.5, 40.0], [0.5, 20.0]]);
    /// assert_eq!(table.labels, [1, 0]);
    /// ```
    pub fn read_csv(reader: impl Read) -> Result<Table, ImportError> {
        let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(reader);
        let broken = |error: csv::Error| ImportError::Table(error.to_string());
        let header = csv.headers().map_err(broken)?.clone();
        // Rows without a header would lose the first of them. Numbers that only count the columns are names, as pandas gives.
        let counted = |from: usize| header.iter().enumerate().all(|(column, name)| name.parse() == Ok(column + from));
        let numbers = !header.is_empty() && header.iter().all(|name| name.parse::<f64>().is_ok());
        if numbers && !counted(0) && !counted(1) {
            let reason = "line 1 has numbers, where the names of the columns should be";
            return Err(ImportError::Table(reason.to_owned()));
        }
        let label = header.iter().position(|name| name == "label");
        let features = header.iter().enumerate().filter(|(column, _)| Some(*column) != label);
        let mut table = Table { features: features.map(|(_, name)| name.to_owned()).collect(), ..Table::default() };
        for (index, record) in csv.records().enumerate() {
            let record = record.map_err(broken)?;
            let line = index + 2;
            let mut row = Vec::with_capacity(table.features.len());
            for (column, (field, name)) in record.iter().zip(&header).enumerate() {
                let refused = || ImportError::Table(format!("line {line}, column `{name}`: `{field}` cannot be read"));
                if Some(column) == label {
                    table.labels.push(field.parse().map_err(|_| refused())?);
                } else {
                    row.push(field.parse().ok().filter(|value: &f64| value.is_finite()).ok_or_else(refused)?);
                }
            }
            table.rows.push(row);
        }
        Ok(table)
    }
}

/// A row of real features as the integers that an input takes: `rne(x * 2^fraction_bits)`.
///
/// # Errors
/// [`ImportError::Options`] for a row of another length or a feature that does not fit 32 bits.
///
/// ```
/// use noema_model::{Port, graph::Edge};
/// let port = Port::new("x", &Edge::new(noema_tensor::DType::I32, &[2]), 8);
/// assert_eq!(noema_import::quantise_input(&port, &[1.0, -0.25]).unwrap(), [256, -64]);
/// assert!(noema_import::quantise_input(&port, &[1.0, 1.0e9]).is_err());
/// ```
pub fn quantise_input(port: &Port, row: &[f64]) -> Result<Vec<i32>, ImportError> {
    let width: u64 = port.shape.iter().fold(1, |width: u64, dim| width.saturating_mul(u64::from(*dim)));
    if row.len() as u64 != width {
        let reason = format!("a row of {} features for input `{}`, which takes {width}", row.len(), port.name);
        return Err(ImportError::Options(reason));
    }
    let factor = 2.0_f64.powi(port.fraction_bits.into());
    let quantised = row.iter().enumerate().map(|(feature, value)| {
        let integer = scale::integer(value * factor);
        integer.ok_or_else(|| {
            let bits = port.fraction_bits;
            ImportError::Options(format!("feature {feature} is {value}, too large for {bits} fraction bits in 32 bits"))
        })
    });
    quantised.collect()
}

/// Real rows as the tensor that an input of any type takes: [`quantise_input`] of each, in the axes of the input.
///
/// # Errors
/// [`ImportError::Row`] for a row of another length or a number that does not fit the type.
///
/// ```
/// use noema_model::{Port, graph::Edge};
/// let port = Port::new("pixels", &Edge::new(noema_tensor::DType::U8, &[1, 2, 2]), 0);
/// let images = noema_import::input_tensor(&port, &[vec![0.0, 16.0, 255.0, 1.0]])?;
/// assert_eq!(images.shape().dims(), [1, 1, 2, 2]);
/// assert!(noema_import::input_tensor(&port, &[vec![0.0, 16.0, 256.0, 1.0]]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn input_tensor(port: &Port, rows: &[Vec<f64>]) -> Result<Tensor, ImportError> {
    if port.dtype == DType::I64 {
        return quantise_features(port, rows);
    }
    let mut integers = Vec::new();
    for (row, values) in rows.iter().enumerate() {
        let refused = |reason: String| ImportError::Row { row, reason };
        let quantised = quantise_input(port, values).map_err(|error| refused(error.to_string()))?;
        let dtype = port.dtype;
        if let Some(wrong) = quantised.iter().find(|q| !(dtype.min()..=dtype.max()).contains(&i64::from(**q))) {
            return Err(refused(format!("the integer {wrong} does not fit {dtype}")));
        }
        integers.extend(quantised);
    }
    let batch = u32::try_from(rows.len()).map_err(|_| ImportError::Options("too many rows".into()))?;
    let dims: Vec<u32> = std::iter::once(batch).chain(port.shape.iter().copied()).collect();
    let shape = Shape::new(&dims).map_err(|status| ImportError::Compute(status.to_string()))?;
    let tensor = match port.dtype {
        DType::U8 => Tensor::from_vec(shape, fitting::<u8>(&integers)),
        DType::I8 => Tensor::from_vec(shape, fitting::<i8>(&integers)),
        DType::I16 => Tensor::from_vec(shape, fitting::<i16>(&integers)),
        _ => Tensor::from_vec(shape, integers),
    };
    Ok(tensor?)
}

/// Integers that were found to fit.
fn fitting<T: TryFrom<i32>>(integers: &[i32]) -> Vec<T> {
    integers.iter().filter_map(|integer| T::try_from(*integer).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_a_header_is_refused_and_counted_columns_are_one() {
        let read = |text: &str| Table::read_csv(text.as_bytes());
        for text in ["1.5,2\n3,4\n", "0,2\n3,4\n", "1,0\n3,4\n", "5\n6\n", "nan,inf\n1,2\n"] {
            let Err(ImportError::Table(reason)) = read(text) else { panic!("{text}") };
            assert!(reason.contains("line 1"), "{reason}");
        }
        for text in ["0,1\n3,4\n", "1,2\n3,4\n", "a,1.5\n3,4\n", "0,1,label\n3,4,0\n"] {
            assert_eq!(read(text).unwrap().rows, [[3.0, 4.0]], "{text}");
        }
        assert!(read("").unwrap().rows.is_empty());
    }
}
