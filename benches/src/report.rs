//! What comes out: a table for people, one line of JSON for programs.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::{Deserialize, Serialize};

use crate::measure::Spread;

/// Whether a ratio is a speed or a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Sense {
    /// Their time by ours: above 1 we are faster.
    Speed,
    /// Our time by theirs, where they do less: 1 would be free. The name of the row says `overhead`.
    Overhead,
    /// Picoseconds for each unit of gas: 1 where a price is the time on this machine. The name of the row says `ps/gas`.
    Gas,
}

/// One ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was done.
    pub case: String,
    /// Who did it beside us.
    pub peer: String,
    /// Threads that each of us had.
    pub threads: usize,
    /// What the ratio means.
    pub sense: Sense,
    /// The ratio.
    pub ratio: Spread,
}

impl Row {
    /// The name in the line of JSON: `CASE vs PEER THREADSt`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.sense {
            Sense::Speed => format!("{} vs {}", self.case, self.group()),
            Sense::Overhead | Sense::Gas => format!("{} {}", self.case, self.group()),
        }
    }

    /// The name of the geometric mean that it belongs to.
    fn group(&self) -> String {
        match self.sense {
            Sense::Speed => format!("{} {}t", self.peer, self.threads),
            Sense::Overhead => format!("overhead vs {} {}t", self.peer, self.threads),
            Sense::Gas => format!("ps/gas, {} {}t", self.peer, self.threads),
        }
    }
}

/// All ratios of one subcommand.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    bench: &'static str,
    /// What else a reader of the table should know: levels, versions of peers.
    notes: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Line {
    bench: &'static str,
    cpu: String,
    rows: BTreeMap<String, f64>,
    geomean: BTreeMap<String, f64>,
}

impl Report {
    /// A report of the subcommand of this name.
    #[must_use]
    pub fn new(bench: &'static str) -> Report {
        Report { bench, notes: Vec::new(), rows: Vec::new() }
    }

    /// Adds a remark for people.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds ratios.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }

    /// The ratios so far.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Exactly one line: `{"bench":..,"cpu":..,"rows":{NAME:RATIO,..},"geomean":{GROUP:RATIO,..}}`.
    #[must_use]
    pub fn json(&self) -> String {
        let line = Line {
            bench: self.bench,
            cpu: cpu(),
            rows: self.rows.iter().map(|row| (row.name(), rounded(row.ratio.median))).collect(),
            geomean: self.geomeans().into_iter().map(|(group, mean)| (group, rounded(mean))).collect(),
        };
        serde_json::to_string(&line).expect("names and numbers")
    }

    /// The table.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["case", "peer", "threads", "ratio", "quartiles"]);
        for row in &self.rows {
            let case = match row.sense {
                Sense::Speed => row.case.clone(),
                Sense::Overhead => format!("{} (overhead)", row.case),
                Sense::Gas => format!("{} (ps/gas)", row.case),
            };
            let Spread { low, median, high } = row.ratio;
            table.add_row([
                case,
                row.peer.clone(),
                row.threads.to_string(),
                format!("{median:.2}"),
                format!("{low:.2} .. {high:.2}"),
            ]);
        }
        for (group, mean) in self.geomeans() {
            table.add_row(["geometric mean".to_owned(), group, String::new(), format!("{mean:.2}"), String::new()]);
        }
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text = format!("{} on {}\n", self.bench, cpu());
        for note in &self.notes {
            text.push_str(note);
            text.push('\n');
        }
        let speed = self.rows.iter().any(|row| row.sense == Sense::Speed);
        let overhead = self.rows.iter().any(|row| row.sense == Sense::Overhead);
        let gas = self.rows.iter().any(|row| row.sense == Sense::Gas);
        if speed {
            text.push_str("ratio: their time by ours, above 1 we are faster\n");
        }
        if overhead {
            text.push_str("overhead: our time by theirs, 1 would be free\n");
        }
        if gas {
            text.push_str("ps/gas: picoseconds of this machine for a unit of gas\n");
        }
        format!("{text}\n{table}\n")
    }

    fn geomeans(&self) -> BTreeMap<String, f64> {
        let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for row in &self.rows {
            groups.entry(row.group()).or_default().push(row.ratio.median.ln());
        }
        let mean = |logs: Vec<f64>| {
            #[allow(clippy::as_conversions, clippy::cast_precision_loss, reason = "a handful of rows")]
            let count = logs.len() as f64;
            (logs.into_iter().sum::<f64>() / count).exp()
        };
        groups.into_iter().map(|(group, logs)| (group, mean(logs))).collect()
    }
}

/// Three decimals, or three digits where the number is small.
fn rounded(ratio: f64) -> f64 {
    let scale = if ratio.abs() < 1.0 { 1e4 } else { 1e3 };
    (ratio * scale).round() / scale
}

/// The name of the processor, and the best kernel level that it has.
#[must_use]
pub fn cpu() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores, {}", model.unwrap_or(std::env::consts::ARCH).trim(), noema_tensor::Level::best())
}

#[cfg(test)]
mod tests {
    use super::{Report, Row, Sense};
    use crate::measure::Spread;

    fn row(case: &str, threads: usize, sense: Sense, ratio: f64) -> Row {
        let ratio = Spread { low: ratio * 0.9, median: ratio, high: ratio * 1.1 };
        Row { case: case.into(), peer: "peer".into(), threads, sense, ratio }
    }

    #[test]
    fn the_line_has_the_promised_form() {
        let mut report = Report::new("test");
        report.extend([row("2x2", 1, Sense::Speed, 2.0), row("4x4", 1, Sense::Speed, 8.0)]);
        report.extend([row("2x2", 2, Sense::Speed, 1.23456), row("call", 1, Sense::Overhead, 1.5)]);
        let line = report.json();
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let mut names: Vec<&String> = value.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["bench", "cpu", "geomean", "rows"]);
        assert_eq!(value["bench"], "test");
        assert_eq!(
            value["rows"],
            serde_json::json!({
                "2x2 vs peer 1t": 2.0, "4x4 vs peer 1t": 8.0, "2x2 vs peer 2t": 1.235, "call overhead vs peer 1t": 1.5
            })
        );
        let means = serde_json::json!({"peer 1t": 4.0, "peer 2t": 1.235, "overhead vs peer 1t": 1.5});
        assert_eq!(value["geomean"], means);
    }

    #[test]
    fn people_see_the_spread_and_what_a_ratio_means() {
        let mut report = Report::new("test");
        report.note("peer 1.2.3");
        report.extend([row("2x2", 1, Sense::Speed, 2.0), row("call", 1, Sense::Overhead, 1.5)]);
        let table = report.table();
        for part in ["peer 1.2.3", "1.80 .. 2.20", "call (overhead)", "above 1 we are faster", "1 would be free"] {
            assert!(table.contains(part), "{part} is not in\n{table}");
        }
    }
}
