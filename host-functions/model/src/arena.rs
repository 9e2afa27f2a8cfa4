//! The memory of a run: one allocation, with places as the plan says, and the elements of edges in it.

use std::ops::Range;

use noema_abi::{DType, Status};
use noema_tensor::{Element, OpError};

use crate::graph::{Edge, EdgeId};

pub(crate) use plan::ArenaPlan;

mod plan;

/// Bytes of an edge that are set aside at once where a node writes over it. With several threads each has work for more.
const BLOCK: usize = 32 << 10;
const BLOCK_OF_THREAD: usize = 256 << 10;

/// The memory of one run.
pub(crate) struct Arena<'p> {
    plan: &'p ArenaPlan,
    rows: usize,
    memory: Vec<u64>,
    /// What a node reads of the edge that it writes over.
    aside: Vec<u64>,
}

impl<'p> Arena<'p> {
    /// An arena for `batch` rows.
    pub(crate) fn allocate(plan: &'p ArenaPlan, batch: u32) -> Result<Arena<'p>, OpError> {
        let rows = usize::try_from(batch).map_err(|_| Status::LimitExceeded)?;
        let words = usize::try_from(plan.row_bytes() / 8).ok().and_then(|words| words.checked_mul(rows));
        let words = words.ok_or(Status::LimitExceeded)?;
        let mut memory = Vec::new();
        enlarge(&mut memory, words)?;
        Ok(Arena { plan, rows, memory, aside: Vec::new() })
    }

    /// The elements of an edge.
    pub(crate) fn read(&self, id: EdgeId, edge: &Edge) -> Source<'_> {
        let (offset, length) = self.plan.words(id, self.rows);
        Source::of(edge.dtype, &self.memory[offset..offset + length], 0..elements(edge, self.rows))
    }

    /// The elements of an edge, to write.
    pub(crate) fn write(&mut self, id: EdgeId, edge: &Edge) -> Sink<'_> {
        let (offset, length) = self.plan.words(id, self.rows);
        Sink::of(edge.dtype, &mut self.memory[offset..offset + length], 0..elements(edge, self.rows))
    }

    /// Calls `f` with the inputs of a node and its output, `edges` being all edges; the plan keeps them apart. A node that writes over one of
    /// its inputs is given both part by part, from the first to the last element, each part of the input from where it was set aside:
    /// what is written is never longer than what was set aside until then.
    pub(crate) fn with(
        &mut self,
        inputs: &[EdgeId],
        edges: &[Edge],
        output: EdgeId,
        threads: usize,
        mut f: impl FnMut(&[Source<'_>], &mut Sink<'_>) -> Result<(), OpError>,
    ) -> Result<(), OpError> {
        let (rows, plan) = (self.rows, self.plan);
        let edge = |id: &EdgeId| &edges[index(*id)];
        let made = edge(&output);
        let total = elements(made, rows);
        let over = plan.over(output);
        // Where several nodes can read one place, all of them do: these are the same elements.
        let (target, unit) = over.map_or((output, total), |over| (inputs[over.input], over.unit(made)));
        let (start, length) = plan.words(target, rows);
        let (before, rest) = self.memory.split_at_mut(start);
        let (own, after) = rest.split_at_mut(length);
        let parts = total / unit;
        let size = edge(&target).dtype.size();
        let block = if threads > 1 { BLOCK_OF_THREAD.saturating_mul(threads) } else { BLOCK };
        let step = if over.is_some() { (block / size / unit).clamp(1, parts) } else { parts };
        if over.is_some() {
            enlarge(&mut self.aside, (step * unit * size).div_ceil(8))?;
        }
        for first in (0..parts).step_by(step) {
            let count = step.min(parts - first);
            if over.is_some() {
                let (from, bytes) = (first * unit * size, count * unit * size);
                let aside: &mut [u8] = bytemuck::cast_slice_mut(&mut self.aside);
                aside[..bytes].copy_from_slice(&bytemuck::cast_slice(own)[from..from + bytes]);
            }
            let aside = &self.aside;
            let source = |id: &EdgeId| {
                let (edge, (offset, length)) = (edge(id), plan.words(*id, rows));
                let each = elements(edge, rows) / parts;
                let range = first * each..(first + count) * each;
                match offset.checked_sub(start + own.len()) {
                    _ if over.is_some() && offset == start => Source::of(edge.dtype, aside, 0..count * unit),
                    None => Source::of(edge.dtype, &before[offset..offset + length], range),
                    Some(offset) => Source::of(edge.dtype, &after[offset..offset + length], range),
                }
            };
            let range = first * unit..(first + count) * unit;
            // No operator has many inputs; the usual ones need no allocation.
            match inputs {
                [a] => {
                    let a = source(a);
                    f(&[a], &mut Sink::of(made.dtype, own, range))?;
                }
                [a, b] => {
                    let sources = [source(a), source(b)];
                    f(&sources, &mut Sink::of(made.dtype, own, range))?;
                }
                many => {
                    let sources: Vec<_> = many.iter().map(source).collect();
                    f(&sources, &mut Sink::of(made.dtype, own, range))?;
                }
            }
        }
        Ok(())
    }
}

/// At least as many words, of which those that are new are 0.
fn enlarge(memory: &mut Vec<u64>, words: usize) -> Result<(), OpError> {
    if let Some(more) = words.checked_sub(memory.len()) {
        let error = |_| OpError::Node(format!("no memory for an arena of {words} words"));
        memory.try_reserve_exact(more).map_err(error)?;
        memory.resize(words, 0);
    }
    Ok(())
}

macro_rules! views {
    ($( $variant:ident $type:ident ),*) => {
        /// The elements of an edge.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Source<'a> { $( $variant(&'a [$type]) ),* }

        /// The elements of an edge, to write.
        #[derive(Debug)]
        pub(crate) enum Sink<'a> { $( $variant(&'a mut [$type]) ),* }

        impl<'a> Source<'a> {
            /// Some of the elements of that type that these words hold.
            fn of(dtype: DType, words: &'a [u64], range: Range<usize>) -> Source<'a> {
                match dtype { $( DType::$variant => Source::$variant(&bytemuck::cast_slice(words)[range]) ),* }
            }

            /// How many they are.
            pub(crate) fn len(self) -> usize {
                match self { $( Source::$variant(values) => values.len() ),* }
            }

            /// Their bytes, little-endian.
            pub(crate) fn to_le_bytes(self) -> Vec<u8> {
                match self { $( Source::$variant(values) => Element::write_le(values) ),* }
            }

            /// Some of them.
            pub(crate) fn part(self, range: Range<usize>) -> Source<'a> {
                match self { $( Source::$variant(values) => Source::$variant(&values[range]) ),* }
            }
        }

        impl<'a> Sink<'a> {
            fn of(dtype: DType, words: &'a mut [u64], range: Range<usize>) -> Sink<'a> {
                match dtype {
                    $( DType::$variant => Sink::$variant(&mut bytemuck::cast_slice_mut(words)[range]) ),*
                }
            }

            /// Takes them from as many little-endian bytes.
            pub(crate) fn copy_from_le_bytes(&mut self, bytes: &[u8]) {
                match self { $( Sink::$variant(values) => values.copy_from_slice(&Element::read_le(bytes)) ),* }
            }

            /// Some of them.
            pub(crate) fn part(&mut self, range: Range<usize>) -> Sink<'_> {
                match self { $( Sink::$variant(values) => Sink::$variant(&mut values[range]) ),* }
            }
        }
    };
}

views!(I8 i8, U8 u8, I16 i16, I32 i32, I64 i64);

impl<'a> Source<'a> {
    /// The elements of an edge of `i32`.
    pub(crate) fn i32s(self) -> Result<&'a [i32], OpError> {
        match self {
            Source::I32(values) => Ok(values),
            _ => Err(unexpected()),
        }
    }
}

impl Sink<'_> {
    /// The elements of an edge of `i64`.
    pub(crate) fn i64s(&mut self) -> Result<&mut [i64], OpError> {
        match self {
            Sink::I64(values) => Ok(values),
            _ => Err(unexpected()),
        }
    }

    /// The elements of an edge of `i32`.
    pub(crate) fn i32s(&mut self) -> Result<&mut [i32], OpError> {
        match self {
            Sink::I32(values) => Ok(values),
            _ => Err(unexpected()),
        }
    }
}

/// Only where an operator runs on types that it did not accept.
pub(crate) fn unexpected() -> OpError {
    OpError::Node("an operator was prepared for another element type".into())
}

fn index(id: EdgeId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX)
}

fn elements(edge: &Edge, rows: usize) -> usize {
    usize::try_from(edge.row_elements()).ok().and_then(|row| row.checked_mul(rows)).expect("inside the arena")
}

#[cfg(test)]
pub(crate) mod tests;
