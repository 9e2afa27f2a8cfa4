//! Two ways to say the same: text for people, one JSON object for scripts.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::CliError;

/// What a command found out. It serialises to the one JSON object of `--json` and writes itself as text.
pub trait Report: Serialize {
    /// Writes the text for people.
    ///
    /// # Errors
    /// Only those of `out`.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Where a command's words go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Text for people, or JSON.
    #[must_use]
    pub fn new(json: bool) -> Output {
        Output { json }
    }

    /// Whether scripts are listening.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Writes the result of a command to standard output. A reader that has gone away is not an error.
    pub fn report<R: Report>(self, report: &R) {
        let mut out = io::stdout().lock();
        if self.json {
            // A report is plain data with string keys, which always serialises.
            let text =
                serde_json::to_string_pretty(report).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
            let _ = writeln!(out, "{text}");
        } else {
            let _ = report.write(&mut out);
        }
        let _ = out.flush();
    }

    /// Writes an error: as text to standard error, as JSON to standard output.
    pub fn error(self, error: &CliError) {
        if self.json {
            let _ = writeln!(io::stdout().lock(), "{:#}", error.to_json());
            return;
        }
        let mut out = io::stderr().lock();
        let _ = writeln!(out, "error: {error}");
        if let Some(hint) = error.hint() {
            let _ = writeln!(out, " hint: {hint}");
        }
    }

    /// A line that tells a person how a long command gets on. Scripts do not see it.
    pub fn say(self, line: &str) {
        if !self.json {
            let mut out = io::stdout().lock();
            let _ = writeln!(out, "{line}");
            let _ = out.flush();
        }
    }

    /// A progress bar over `steps`, shown only to a person at a terminal.
    #[must_use]
    pub fn progress(self, steps: u64, what: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(steps), self.target());
        if let Ok(style) = ProgressStyle::with_template("  {msg:<22} [{bar:32}] {pos}/{len} {elapsed}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        bar
    }

    /// A spinner for work of unknown length, shown only to a person at a terminal.
    #[must_use]
    pub fn spinner(self, what: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, self.target());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn target(self) -> ProgressDrawTarget {
        if !self.json && io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        }
    }
}

/// A path in a report: JSON is text, which a path need not be; what is no text in it is replaced.
pub(crate) fn path<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Several of them.
pub(crate) fn paths<S: serde::Serializer>(paths: &[std::path::PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// A table for people: no borders but a line under the header, so that it can be cut with text tools.
#[must_use]
pub(crate) fn table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.to_vec());
    table
}
