//! Which rows of the table, and which of their statuses, vectors show.

use std::collections::BTreeSet;
use std::path::Path;

use noema_abi::{ROWS, Return, Status};

use crate::ConformanceError;
use crate::reference::statuses_of;
use crate::scenario::{Contract, Step};

/// What a set of vectors shows.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    answers: BTreeSet<String>,
    statuses: BTreeSet<(String, String)>,
}

impl Coverage {
    /// Notes a row that answered, or gave a status.
    pub fn note(&mut self, row: &str, status: Option<&str>) {
        match status {
            None => self.answers.insert(row.to_owned()),
            Some(status) => self.statuses.insert((row.to_owned(), status.to_owned())),
        };
    }

    /// Rows without an answer, and statuses that a row's documentation names and no vector shows.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for row in ROWS {
            let name = format!("{}.{}", row.group, row.name);
            if !self.answers.contains(&name) {
                missing.push(format!("{name} has no vector"));
            }
            for status in statuses_of(row) {
                if !self.statuses.contains(&(name.clone(), status.name().to_owned())) {
                    missing.push(format!("{name} has no vector that gives {status}"));
                }
            }
        }
        missing
    }
}

/// What the vectors of a directory show.
///
/// # Errors
/// A file cannot be read, or is not in the format.
pub fn of(directory: &Path) -> Result<Coverage, ConformanceError> {
    let mut coverage = Coverage::default();
    crate::ops::note(directory, &mut coverage)?;
    for (file, cases) in crate::vectors::scenarios(directory)? {
        for step in cases.iter().flat_map(|case| &case.contracts).flat_map(steps) {
            let known = ROWS.iter().find(|row| step.call == format!("{}.{}", row.group, row.name));
            let row = known
                .ok_or_else(|| ConformanceError::format(file.display(), format!("there is no row {}", step.call)))?;
            match &step.status {
                Some(status) if Status::ALL.iter().all(|(known, _)| known.name() != status) => {
                    return Err(ConformanceError::format(file.display(), format!("there is no status {status}")));
                }
                Some(status) => coverage.note(&step.call, Some(status)),
                None if step.stops.is_none() || row.result == Return::never => coverage.note(&step.call, None),
                None => {}
            }
        }
    }
    Ok(coverage)
}

fn steps(contract: &Contract) -> impl Iterator<Item = &Step> {
    [&contract.init, &contract.call, &contract.view, &contract.migrate].into_iter().flatten().flatten()
}

#[cfg(test)]
mod tests {
    use super::{Coverage, of};

    #[test]
    fn every_row_and_every_status_it_names_has_a_vector() {
        let missing = of(&crate::vectors::directory()).unwrap().missing();
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }

    #[test]
    fn a_row_without_vectors_is_named() {
        let mut coverage = Coverage::default();
        coverage.note("storage.get", None);
        coverage.note("storage.get", Some("NotFound"));
        let missing = coverage.missing();
        assert!(missing.contains(&"storage.get has no vector that gives LimitExceeded".to_owned()));
        assert!(missing.contains(&"storage.set has no vector".to_owned()));
        assert!(!missing.contains(&"storage.get has no vector".to_owned()));
    }
}
