//! What `noema new` begins with: crates of this repository, whose tests run with all others, under another name.

use clap::ValueEnum;

/// A contract to begin from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// A guest book: state, a map, an event, an owner.
    Blank,
    /// A fungible token with allowances.
    Token,
    /// A model decides, and the contract keeps what it decided.
    Classifier,
    /// A policy network spends the contract's money within limits.
    Agent,
}

/// One file of a template, as it stands in this repository.
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) text: &'static str,
}

impl Template {
    /// The sources.
    pub(crate) fn files(self) -> [File; 2] {
        macro_rules! files {
            ($dir:literal, $tests:literal) => {
                [
                    File { path: "src/lib.rs", text: include_str!(concat!("../", $dir, "/src/lib.rs")) },
                    File {
                        path: concat!("tests/", $tests),
                        text: include_str!(concat!("../", $dir, "/tests/", $tests)),
                    },
                ]
            };
        }
        match self {
            Template::Blank => files!("templates/blank", "contract.rs"),
            Template::Token => files!("../../examples/token", "token.rs"),
            Template::Classifier => files!("templates/classifier", "contract.rs"),
            Template::Agent => files!("templates/agent", "contract.rs"),
        }
    }

    /// The name of its crate in this repository, as Rust spells it.
    pub(crate) fn crate_name(self) -> &'static str {
        match self {
            Template::Blank => "noema_template_blank",
            Template::Token => "token",
            Template::Classifier => "noema_template_classifier",
            Template::Agent => "noema_template_agent",
        }
    }

    /// How it takes the SDK, beside the path.
    pub(crate) fn sdk_features(self) -> &'static str {
        match self {
            Template::Token => ", default-features = false, features = [\"allocator\", \"panic-handler\"]",
            _ => "",
        }
    }

    /// Crates that its tests need beside the harness.
    pub(crate) fn test_dependencies(self) -> &'static str {
        match self {
            Template::Token => "proptest = \"1\"\n",
            _ => "",
        }
    }
}
