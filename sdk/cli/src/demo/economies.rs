//! The economies of `examples/`, each a story of people, contracts and models on a [`Stage`].
//!
//! A file here owns one story: its cast, what happens, and the screen that tells it. The list below is all that knows them.

mod agents;
mod compute_market;
mod data_market;
mod fraud_screening;
mod model_incentives;
mod private_health;
mod supply_chain;
mod trading;

use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::stage::{Stage, Totals};
use super::{DemoOptions, in_directory};
use crate::commands::replay::ReplaySummary;
use crate::output::Report;
use crate::receipts::amount;
use crate::{CliError, Output};

/// An economy: a folder of `examples/`, and its story.
#[derive(Clone, Copy, Debug)]
pub struct Economy {
    /// The name of its folder.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Who plays, and how many native units they begin with.
    cast: &'static [(&'static str, u128)],
    /// What happens.
    play: fn(&mut Stage<'_>) -> Result<Story, CliError>,
}

/// All of them, in the order of the menu.
pub const ECONOMIES: &[Economy] = &[
    compute_market::ECONOMY,
    data_market::ECONOMY,
    model_incentives::ECONOMY,
    agents::ECONOMY,
    trading::ECONOMY,
    fraud_screening::ECONOMY,
    private_health::ECONOMY,
    supply_chain::ECONOMY,
];

/// What a story tells at its end.
#[derive(Clone, Debug, Default)]
pub struct Story {
    lines: Vec<String>,
    facts: Value,
}

impl Story {
    /// A story with these facts, for scripts and tests: numbers that were read from the chain.
    #[must_use]
    pub fn new(facts: Value) -> Story {
        Story { lines: Vec::new(), facts }
    }

    /// Adds a line, or the lines of a table, to the screen. A screen has [`Story::LINES`] of [`Story::COLUMNS`].
    #[must_use]
    pub fn say(mut self, text: impl Display) -> Story {
        self.lines.extend(text.to_string().lines().map(|line| line.trim_end().to_owned()));
        self
    }

    /// Most lines of a screen, with the four that every economy ends with.
    pub const LINES: usize = 24;
    /// Most columns.
    pub const COLUMNS: usize = 100;
}

/// What an economy showed.
#[derive(Serialize, Debug)]
pub struct EconomyReport {
    /// `ok`: the story went as it says, and every receipt and every root agree.
    pub demo: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Where the chain is; none where it was temporary.
    pub chain: Option<PathBuf>,
    /// The screen, for people.
    #[serde(skip)]
    pub lines: Vec<String>,
    /// What was found out, from the chain.
    pub facts: Value,
    /// What happened on the chain, in numbers.
    pub totals: Totals,
    /// What every level with every number of threads found.
    pub replay: ReplaySummary,
}

impl Economy {
    /// The economy of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn find(name: &str) -> Result<&'static Economy, CliError> {
        ECONOMIES.iter().find(|economy| economy.name == name).ok_or_else(|| {
            let mut known = "the economies are".to_owned();
            for economy in ECONOMIES {
                let _ = write!(known, " {}", economy.name);
            }
            let hint = format!("{known}; `noema demo --list` says what they are");
            CliError::argument("NAME", format!("there is no economy `{name}`"), hint)
        })
    }

    /// Tells the story and replays its chain. `closed` is called with the directory of the chain after it was closed and
    /// before it is opened again.
    ///
    /// # Errors
    /// Something goes otherwise than the story says, or the replay differs.
    pub fn run(
        &self,
        output: Output,
        options: &DemoOptions,
        closed: &mut dyn FnMut(&Path),
    ) -> Result<EconomyReport, CliError> {
        in_directory(options, &mut |dir| {
            let mut stage = Stage::begin(dir, self.name, self.cast, output, options)?;
            let Story { lines, facts } = (self.play)(&mut stage)?;
            let (totals, replay) = stage.finish(closed)?;
            let (name, title, chain) = (self.name, self.title, options.dir.clone());
            Ok(EconomyReport { demo: "ok", name, title, chain, lines, facts, totals, replay })
        })
    }
}

impl EconomyReport {
    /// The screen, but for its last line, which says that the demo is over.
    pub(super) fn write_screen(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}: {}", self.name, self.title)?;
        for line in &self.lines {
            writeln!(out, "{line}")?;
        }
        let Totals { blocks, transactions, refused, gas, tensor_gas, .. } = self.totals;
        writeln!(
            out,
            "{transactions} transactions in {blocks} blocks, {refused} of them refused; gas {}, models {} of it",
            amount(gas),
            amount(tensor_gas)
        )?;
        writeln!(out, "{}", replayed(&self.replay))?;
        if let Some(chain) = &self.chain {
            writeln!(out, "the chain is kept in {}", chain.display())?;
        }
        Ok(())
    }
}

impl Report for EconomyReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_screen(out)?;
        writeln!(out, "demo: ok")
    }
}

/// A replay in one line. Whoever holds the summary has seen it agree.
pub(super) fn replayed(replay: &ReplaySummary) -> String {
    let mut levels: Vec<&str> = replay.results.iter().map(|result| result.level.as_str()).collect();
    levels.dedup();
    let (count, levels) = (replay.results.len(), levels.len());
    format!("closed, opened, replayed {count} times on {levels} kernel levels: every receipt and every root identical")
}
