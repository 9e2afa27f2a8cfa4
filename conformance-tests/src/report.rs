//! What a check found.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: file, case, step, level.
    pub at: String,
    /// What was expected and what was found.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many things were compared.
    pub cases: u64,
    /// Those that differ.
    pub differences: Vec<Difference>,
    /// Further ones that are counted and not listed.
    pub more: u64,
}

impl Report {
    /// Counts one comparison; a difference where there is one.
    pub fn compare(&mut self, at: impl FnOnce() -> String, what: Option<String>) {
        self.cases += 1;
        if let Some(what) = what {
            self.differences.push(Difference { at: at(), what });
        }
    }

    /// Counts one comparison of two values.
    pub fn equal<T: PartialEq + fmt::Debug>(&mut self, at: impl FnOnce() -> String, expected: &T, found: &T) {
        let what = (expected != found).then(|| format!("expected {expected:?}, found {found:?}"));
        self.compare(at, what);
    }

    /// Adds what another check found.
    pub fn add(&mut self, other: Report) {
        self.cases += other.cases;
        self.more += other.more;
        self.differences.extend(other.differences);
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.more == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.differences.iter().try_for_each(|difference| writeln!(f, "{difference}"))?;
        let listed = u64::try_from(self.differences.len()).unwrap_or(u64::MAX);
        write!(f, "{} compared, {} different", self.cases, self.more.saturating_add(listed))
    }
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConformanceError {
    /// A file that cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not in the format that it should be in.
    #[error("{at}: {what}")]
    Format {
        /// File, and where in it.
        at: String,
        /// What is wrong.
        what: String,
    },
    /// This machine cannot run the check.
    #[error("{0}")]
    Node(String),
}

impl ConformanceError {
    pub(crate) fn format(at: impl fmt::Display, what: impl fmt::Display) -> ConformanceError {
        ConformanceError::Format { at: at.to_string(), what: what.to_string() }
    }

    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> ConformanceError + '_ {
        move |source| ConformanceError::File { path: path.to_owned(), source }
    }
}

/// Reads a text file.
pub(crate) fn read(path: &std::path::Path) -> Result<String, ConformanceError> {
    std::fs::read_to_string(path).map_err(ConformanceError::file(path))
}

/// Writes a text file, with its directory.
pub(crate) fn write(path: &std::path::Path, text: &str) -> Result<(), ConformanceError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(ConformanceError::file(parent))?;
    }
    std::fs::write(path, text).map_err(ConformanceError::file(path))
}
