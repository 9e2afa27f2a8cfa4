//! Does what the book says: types its commands, in order, and compares what they print with what the page shows.
//!
//! The rules are in `page.rs` and `expected.rs`, and for readers in docs/book/README.md.

mod expected;
mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expected::{Names, compare, fill};
use page::{Step, steps};

/// The chapters of the tutorial: one reader, one folder, in this order.
const TUTORIAL: [&str; 7] = [
    "docs/book/1-first-contract.md",
    "docs/book/2-testing.md",
    "docs/book/3-storage-and-money.md",
    "docs/book/4-a-local-chain.md",
    "docs/book/5-a-model.md",
    "docs/book/6-an-agent.md",
    "docs/book/7-looking-inside.md",
];

/// Pages that a reader may begin with, in a folder that has the examples of a checkout.
const GUIDES: [&str; 4] = ["docs/book/models.md", "docs/book/operations.md", "docs/contracts.md", "docs/networks.md"];

/// The one command that is not run: it compiles the program under test once more.
const INSTALLATION: &str = "cargo install --locked --path sdk/cli\n";

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A reader's machine: a folder, the program on the path, and words of the book that have a meaning by now.
struct Reader {
    folder: tempfile::TempDir,
    names: Names,
}

impl Reader {
    fn new() -> Reader {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let reader = Reader { folder, names: Names::new() };
        // What a reader's first test compiles for minutes has been compiled for the tests of this repository: the same
        // profile, so that it is the same.
        fs::create_dir(reader.path(".cargo")).expect("a folder");
        fs::write(reader.path(".cargo/config.toml"), profiles()).expect("a file");
        for name in ["examples", "sdk"] {
            #[cfg(unix)]
            std::os::unix::fs::symlink(repository().join(name).canonicalize().expect("it is there"), reader.path(name))
                .expect("a link");
        }
        reader
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&mut self, page: &str) {
        let text = fs::read_to_string(repository().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        for step in steps(&text) {
            match step {
                Step::File { path, text, .. } => {
                    let path = self.path(&path);
                    fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder");
                    fs::write(path, text).expect("a file");
                }
                Step::Skipped { line, script } => {
                    assert!(script.starts_with(INSTALLATION), "{page}:{line}: not run\n{script}");
                }
                Step::Commands { line, script, output, fails } => {
                    self.run(&format!("{page}:{line}"), &script, output.as_deref(), fails);
                }
            }
        }
    }

    fn run(&mut self, place: &str, script: &str, shown: Option<&str>, fails: bool) {
        let script = fill(script, &self.names);
        let program = Path::new(env!("CARGO_BIN_EXE_noema"));
        let folder = program.parent().expect("a program is in a folder").display();
        let mut command = Command::new("bash");
        for name in ["NOEMA_CHAIN", "NOEMA_STORE", "NOEMA_KEY", "NOEMA_LEVEL", "NOEMA_THREADS", "NOEMA_LOG"] {
            command.env_remove(name);
        }
        let done = command
            .args(["-eu", "-o", "pipefail", "-c", &format!("exec 2>&1\nexport PATH=\"{folder}:$PATH\"\n{script}")])
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", program.ancestors().nth(2).expect("target/release/noema"))
            .env("CARGO_TERM_COLOR", "never")
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let output = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.success(), !fails, "{place}: {}\n{script}\n{output}", done.status);
        if let Some(shown) = shown
            && let Err(difference) = compare(shown, &output, &mut self.names)
        {
            panic!("{place}: {difference}\n--- the page\n{shown}--- the program\n{output}");
        }
        self.settle();
    }

    /// Crates that `noema new` has made get the versions of this repository, and its set of features, so that what it has compiled is used.
    fn settle(&self) {
        for entry in fs::read_dir(self.folder.path()).expect("a folder") {
            let dir = entry.expect("an entry").path();
            let manifest = dir.join("Cargo.toml");
            if dir.is_symlink() || !manifest.is_file() || dir.join("Cargo.lock").is_file() {
                continue;
            }
            fs::copy(repository().join("Cargo.lock"), dir.join("Cargo.lock")).expect("a copy");
            let text = fs::read_to_string(&manifest).expect("a manifest");
            let features = repository().join(".ci/features").canonicalize().expect("it is there");
            let with = format!("[dev-dependencies]\nnoema-features = {{ path = {:?} }}\n", features.to_string_lossy());
            fs::write(&manifest, text.replace("[dev-dependencies]\n", &with)).expect("a manifest");
        }
    }
}

/// The profiles of this repository as settings of cargo; and our own crates compiled fast, because nothing here is timed.
fn profiles() -> String {
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).expect("the manifest");
    let from = manifest.find("[profile.release]").expect("the manifest has profiles");
    let mut profiles = manifest[from..].to_owned();
    for ours in ["noema-build", "noema-host", "noema-model", "noema-state", "noema-tensor", "noema-testing", "noema-vm"]
    {
        profiles.push_str(&format!("[profile.release.package.{ours}]\nopt-level = 0\n"));
    }
    profiles
}

#[test]
fn the_tutorial_from_its_first_page_to_its_last() {
    let mut reader = Reader::new();
    for page in TUTORIAL {
        println!("{page}");
        reader.read(page);
    }
}

#[test]
fn each_guide_by_itself() {
    for page in GUIDES {
        println!("{page}");
        Reader::new().read(page);
    }
}

/// Where the links of a page go, but for those to other sites.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|behind| behind.split(')').next());
    targets
        .filter(|target| !target.starts_with("http"))
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}

#[test]
fn every_link_of_the_book_goes_somewhere() {
    let pages = TUTORIAL.iter().chain(&GUIDES).chain(&["docs/book/README.md", "docs/tools.md"]);
    for page in pages {
        let path = repository().join(page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        for link in links(&text).into_iter().filter(|link| !link.is_empty()) {
            assert!(path.parent().expect("a folder").join(link).exists(), "{page}: {link}");
        }
    }
}

#[test]
fn every_page_of_the_book_is_read() {
    let entries = fs::read_dir(repository().join("docs/book")).expect("the book");
    let mut found: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
    found.retain(|name| name != "README.md");
    found.sort();
    let known = TUTORIAL.iter().chain(&GUIDES).filter_map(|page| page.strip_prefix("docs/book/"));
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    assert_eq!(found, known);
    let contents = fs::read_to_string(repository().join("docs/book/README.md")).expect("the contents");
    for page in known {
        assert!(contents.contains(&format!("({page})")), "{page} is not in the contents");
    }
}
