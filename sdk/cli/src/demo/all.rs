//! The menu of the demos: all of them in sequence, and the list.

use std::io::{self, Write};

use serde::Serialize;

use super::economies::{ECONOMIES, Economy, EconomyReport, replayed};
use super::{DemoOptions, DemoReport, Totals};
use crate::output::{Report, table};
use crate::receipts::amount;
use crate::{CliError, Output};

const SCREENING: &str = "screening";
const SCREENING_TITLE: &str = "a network and trees decide about patients, and everybody can check that they did";

/// What there is to show.
#[derive(Serialize, Debug)]
pub struct List {
    /// Names of demos and what they are: screening, then the economies.
    pub demos: Vec<Entry>,
}

/// A line of the menu.
#[derive(Serialize, Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
}

/// All demos in sequence.
#[derive(Serialize, Debug)]
pub struct AllReport {
    /// `ok`: all of them were.
    pub demo: &'static str,
    /// What screening found out.
    pub screening: Box<DemoReport>,
    /// What each economy showed.
    pub economies: Vec<EconomyReport>,
    /// The table at the end.
    pub closing: Vec<Closing>,
}

/// A line of the table at the end.
#[derive(Serialize, Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The name of the demo.
    pub name: &'static str,
    /// What happened on its chain.
    #[serde(flatten)]
    pub totals: Totals,
    /// Whether every replay got every bit.
    pub replay_identical: bool,
    /// How many there were.
    pub replays: usize,
    /// `ok`: it went as it says.
    pub verdict: &'static str,
}

/// The menu.
#[must_use]
pub fn list() -> List {
    let economies = ECONOMIES.iter().map(|&Economy { name, title, .. }| Entry { name, title });
    List { demos: std::iter::once(Entry { name: SCREENING, title: SCREENING_TITLE }).chain(economies).collect() }
}

/// Runs screening and every economy, each on a chain of its own: in folders of their names where a directory was asked for.
///
/// # Errors
/// That of the first demo that does not go as it says.
pub fn all(output: Output, options: &DemoOptions) -> Result<AllReport, CliError> {
    let names = || list().demos.into_iter().map(|entry| entry.name);
    if let Some(dir) = &options.dir {
        // Before an hour is spent on the ones before it.
        names().try_for_each(|name| super::refuse_other_files(&dir.join(name)))?;
        std::fs::create_dir_all(dir).map_err(|error| CliError::io("create", dir, error))?;
    }
    let of = |name: &str| DemoOptions { dir: options.dir.as_ref().map(|dir| dir.join(name)), ..options.clone() };
    let count = names().count();

    output.say(&format!("[1/{count}] {SCREENING}: {SCREENING_TITLE}"));
    // Its own screens are two; here it has the space of one.
    let screening = super::run(Output::new(true), &of(SCREENING), &mut |_| {})?;
    output.say(&screen(&screening));
    let mut closing = vec![closing_line(SCREENING, screening.totals, screening.replay.as_ref())];
    let mut economies = Vec::new();
    for (place, economy) in (2..).zip(ECONOMIES) {
        let report = economy.run(output, &of(economy.name), &mut |_| {})?;
        output.say(&format!("\n[{place}/{count}] {}", text(&report)));
        closing.push(closing_line(economy.name, report.totals, Some(&report.replay)));
        economies.push(report);
    }
    Ok(AllReport { demo: "ok", screening: Box::new(screening), economies, closing })
}

fn closing_line(
    name: &'static str,
    totals: Totals,
    replay: Option<&crate::commands::replay::ReplaySummary>,
) -> Closing {
    let replay_identical = replay.is_some_and(|replay| replay.identical);
    Closing { name, totals, replay_identical, replays: replay.map_or(0, |replay| replay.results.len()), verdict: "ok" }
}

/// Screening on one screen.
fn screen(report: &DemoReport) -> String {
    let mut text = format!("{}\n", report.accuracies());
    let gas = report.gas_per_decision.last().map_or(0, |line| line.mean);
    text += &format!("{} decisions, {} gas each in the mean\n", report.decisions, amount(gas));
    text += &format!("{} transactions in {} blocks", report.totals.transactions, report.totals.blocks);
    if let Some(replay) = &report.replay {
        text += &format!("\n{}", replayed(replay));
    }
    text
}

/// The screen of an economy; `demo: ok` is said once, at the end of all.
fn text(report: &EconomyReport) -> String {
    let mut bytes = Vec::new();
    let _ = report.write_screen(&mut bytes);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

impl Report for List {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for Entry { name, title } in &self.demos {
            writeln!(out, "{name:<18} {title}")?;
        }
        writeln!(out, "\n`noema demo` runs screening, `noema demo NAME` an economy, `noema demo --all` all of them")
    }
}

impl Report for AllReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut closing = table(&["demo", "transactions", "refused", "blocks", "gas", "replay", "verdict"]);
        for line in &self.closing {
            let replay = if line.replay_identical { "identical" } else { "none" };
            closing.add_row([
                line.name,
                &line.totals.transactions.to_string(),
                &line.totals.refused.to_string(),
                &line.totals.blocks.to_string(),
                &amount(line.totals.gas),
                &format!("{} x {replay}", line.replays),
                line.verdict,
            ]);
        }
        writeln!(out, "\n{closing}\n")?;
        writeln!(out, "demo: ok")
    }
}
