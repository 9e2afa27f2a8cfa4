//! `noema new`: a contract crate to begin from.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::CliError;
use crate::output::{self, Report};
use crate::templates::Template;

/// Arguments of `noema new`.
#[derive(Args, Debug)]
pub struct NewArgs {
    /// Directory to make; its last part becomes the name of the crate
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// What to begin from
    #[arg(short, long, value_enum, default_value = "blank")]
    template: Template,
    /// A checkout of Noema, for the SDK and the test harness [default: the one that this program was built from]
    #[arg(long, value_name = "DIR", env = "NOEMA_SOURCE")]
    noema: Option<PathBuf>,
}

/// A crate that was made.
#[derive(Serialize, Debug)]
pub struct NewReport {
    #[serde(serialize_with = "output::path")]
    directory: PathBuf,
    name: String,
    #[serde(serialize_with = "output::paths")]
    files: Vec<PathBuf>,
}

impl Report for NewReport {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let dir = self.directory.display();
        writeln!(out, "made {dir}: {}", self.name)?;
        for file in &self.files {
            writeln!(out, "  {}", file.display())?;
        }
        writeln!(
            out,
            "next:\n  noema build {dir}\n  noema test {dir}    # the first time this compiles the VM, which takes minutes"
        )
    }
}

/// Names of crates that could not be used, or would be in the way of others.
const UNFIT: [&str; 12] = [
    "alloc",
    "borsh",
    "build",
    "core",
    "crate",
    "noema-sdk",
    "noema-testing",
    "self",
    "std",
    "super",
    "test",
    "proptest",
];

/// Words of Rust, which no path in a test could begin with.
const KEYWORDS: [&str; 49] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum",
    "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move",
    "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "proc",
];

/// Runs the command.
///
/// # Errors
/// The name is none for a crate, the directory has something in it, there is no checkout of Noema, or files cannot be
/// written.
pub fn run(arguments: &NewArgs) -> Result<NewReport, CliError> {
    let dir = &arguments.dir;
    let name = crate_name(dir)?;
    let noema = checkout(arguments.noema.as_deref())?;
    match fs::read_dir(dir) {
        Ok(entries) => {
            if entries.count() > 0 {
                return Err(CliError::file(dir, "it is not empty", "nothing was written: name another directory"));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(CliError::io("read", dir, error)),
    }
    let template = arguments.template;
    let ident = name.replace('-', "_");
    let mut files = vec![
        (PathBuf::from("Cargo.toml"), manifest(&name, template, &noema)),
        (PathBuf::from(".gitignore"), "/target\n".to_owned()),
        (PathBuf::from("README.md"), readme(&name)),
    ];
    for file in template.files() {
        files.push((
            file.path.into(),
            file.text.replace(&format!("use {}::", template.crate_name()), &format!("use {ident}::")),
        ));
    }
    for (path, text) in &files {
        let path = dir.join(path);
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder).map_err(|error| CliError::io("create", folder, error))?;
        fs::write(&path, text).map_err(|error| CliError::io("write", &path, error))?;
    }
    Ok(NewReport { directory: dir.clone(), name, files: files.into_iter().map(|(path, _)| path).collect() })
}

fn crate_name(dir: &Path) -> Result<String, CliError> {
    let refuse = |problem: String| {
        CliError::argument(
            "DIR",
            problem,
            "a name has small letters, digits and hyphens, and begins with a letter: my-contract",
        )
    };
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let letters = name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if !letters || !name.starts_with(|letter: char| letter.is_ascii_lowercase()) || name.len() > 64 {
        return Err(refuse(format!("`{}` cannot be the name of a crate", dir.display())));
    }
    if KEYWORDS.contains(&name) {
        return Err(refuse(format!("`{name}` is a word of Rust, which no crate can be called")));
    }
    if UNFIT.contains(&name) {
        return Err(refuse(format!("a crate `{name}` would be in the way of another")));
    }
    Ok(name.to_owned())
}

/// A folder with the SDK and the harness in it.
fn checkout(given: Option<&Path>) -> Result<PathBuf, CliError> {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = given.unwrap_or(&built_from);
    let has = |part: &str| dir.join(part).join("Cargo.toml").is_file();
    if !has("sdk/contract") || !has("sdk/testing") {
        let problem = format!("{} is no checkout of Noema", dir.display());
        return Err(CliError::argument("--noema", problem, "name the folder that holds sdk/contract and sdk/testing"));
    }
    dir.canonicalize().map_err(|error| CliError::io("read", dir, error))
}

fn manifest(name: &str, template: Template, noema: &Path) -> String {
    // A path in a TOML text: what JSON escapes, TOML reads.
    let path = |part: &str| serde_json::Value::from(noema.join(part).to_string_lossy()).to_string();
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\nrust-version = \"1.95\"\n\n\
         # A crate of its own, wherever it lies.\n[workspace]\n\n\
         [dependencies]\nnoema-sdk = {{ path = {sdk}{features} }}\n\n\
         [dev-dependencies]\nnoema-testing = {{ path = {testing} }}\n{more}\n\
         [profile.release]\n# As contracts are built: a sum that does not fit ends the test.\noverflow-checks = true\n",
        sdk = path("sdk/contract"),
        testing = path("sdk/testing"),
        features = template.sdk_features(),
        more = template.test_dependencies(),
    )
}

fn readme(name: &str) -> String {
    format!(
        "# {name}\n\nA contract for Noema.\n\n```sh\nnoema build            # WebAssembly, and how large it is\n\
         noema test             # the tests, on the real VM\nnoema test --gas       # what its calls cost\n\
         noema init             # a chain of your own\nnoema deploy . '[]'    # with the arguments of init\n```\n"
    )
}
