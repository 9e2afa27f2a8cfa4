//! Other software in programs of its own.
//!
//! Not every peer can be a dependency: its features would change what all of us is built from, or it is written in
//! another language. Such a peer is a small program that waits for lines on its standard input and answers each with a
//! line: it measures itself when it is told to, so that the rounds stay interleaved and nothing else runs meanwhile.
//!
//! | line | answer |
//! |---|---|
//! | `wall N` | nanoseconds that `N` repetitions took |
//! | `processor N` | nanoseconds for which its threads ran meanwhile |
//! | what else a subcommand and its peer agree on | one line |

use std::io::{BufRead, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::clock::Clock;

/// A running peer. It ends when this is dropped.
pub struct Peer {
    name: String,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Peer {
    /// Builds the Rust program in `benches/peers/NAME`, into the folder of this program, and starts it.
    ///
    /// # Errors
    /// It cannot be built or started.
    #[allow(clippy::disallowed_methods, reason = "a program reads its environment")]
    pub fn of_rust(name: &str, arguments: &[String]) -> anyhow::Result<Peer> {
        let manifest: PathBuf = [env!("CARGO_MANIFEST_DIR"), "peers", name, "Cargo.toml"].iter().collect();
        let program = std::env::current_exe().context("cannot find this program")?;
        let target = program.with_file_name("peers");
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let status = Command::new(cargo)
            .args(["build", "--release", "--quiet", "--manifest-path"])
            .arg(&manifest)
            .arg("--target-dir")
            .arg(&target)
            .stdout(Stdio::null())
            .status()
            .with_context(|| format!("cannot run cargo for the peer {name}"))?;
        ensure!(status.success(), "the peer {name} ({}) cannot be built", manifest.display());
        Peer::start(name, Command::new(target.join("release").join(format!("noema-peer-{name}"))).args(arguments))
    }

    /// Starts any program that speaks this protocol.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(name: &str, command: &mut Command) -> anyhow::Result<Peer> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the peer {name}"))?;
        let to = child.stdin.take().context("its input is a pipe")?;
        let from = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        Ok(Peer { name: name.to_owned(), child, to, from })
    }

    /// Sends a line and waits for the answer.
    ///
    /// # Errors
    /// The peer has ended.
    pub fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        let ended = || format!("the peer {} has ended", self.name);
        writeln!(self.to, "{line}").and_then(|()| self.to.flush()).with_context(ended)?;
        let mut answer = String::new();
        let length = self.from.read_line(&mut answer).with_context(ended)?;
        ensure!(length > 0, ended());
        answer.truncate(answer.trim_end().len());
        Ok(answer)
    }

    /// How long so many repetitions take, as the peer itself measures it.
    ///
    /// # Errors
    /// The peer has ended, or does not answer with a number.
    pub fn time(&mut self, clock: Clock, repetitions: u64) -> anyhow::Result<Duration> {
        let answer = self.ask(&format!("{clock} {repetitions}"))?;
        let nanoseconds = answer.parse().with_context(|| format!("the peer {} says `{answer}`", self.name))?;
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Clock, Peer};

    #[test]
    fn lines_go_there_and_back_until_it_ends() {
        let script = "read a && echo 1500 && read b && echo \"$a, $b\"";
        let mut peer = Peer::start("test", Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(peer.time(Clock::Processor, 7).unwrap(), Duration::from_nanos(1500));
        assert_eq!(peer.ask("last").unwrap(), "processor 7, last");
        assert!(peer.ask("more").unwrap_err().to_string().contains("the peer test has ended"));
        assert!(Peer::start("none", &mut Command::new("/nowhere/none")).is_err());
    }
}
