//! What a contract says about how it was built, so that somebody else can build it again.

use serde::{Deserialize, Serialize};

use crate::toolchain::{Toolchain, Way};

/// The custom section that holds it, as JSON.
pub const RECORD_SECTION: &str = "noema.build";

/// Which compiler made a contract. With the same sources, lock file and compiler anybody gets the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRecord {
    /// The version of the compiler: `1.95.0`.
    pub rustc: String,
    /// The commit it was made of, its first nine digits.
    pub commit: String,
    /// Where the standard library came from: `installed`, or `source` where it was compiled along.
    pub library: String,
}

impl BuildRecord {
    pub(crate) fn of(toolchain: &Toolchain) -> BuildRecord {
        let library = match toolchain.way {
            Way::Installed => "installed",
            Way::Source => "source",
        };
        BuildRecord {
            rustc: toolchain.release.clone(),
            commit: toolchain.commit.chars().take(9).collect(),
            library: library.to_owned(),
        }
    }

    /// The record in a module, if it has one that can be read. It is what the module says of itself: only building it again
    /// shows whether it is true.
    #[must_use]
    pub fn of_wasm(wasm: &[u8]) -> Option<BuildRecord> {
        let mut rest = wasm.get(8..)?;
        while let [id, behind @ ..] = rest {
            let (length, behind) = number(behind)?;
            let (content, next) = behind.split_at_checked(length)?;
            if *id == 0 {
                let (name, data) = number(content).and_then(|(length, rest)| rest.split_at_checked(length))?;
                if name == RECORD_SECTION.as_bytes() {
                    return serde_json::from_slice(data).ok();
                }
            }
            rest = next;
        }
        None
    }

    pub(crate) fn append(&self, wasm: &mut Vec<u8>) {
        // Three texts, which always serialise.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut content = Vec::new();
        length(RECORD_SECTION.len(), &mut content);
        content.extend_from_slice(RECORD_SECTION.as_bytes());
        content.extend(json);
        wasm.push(0);
        length(content.len(), wasm);
        wasm.extend(content);
    }
}

/// A number of WebAssembly, seven bits a byte, and what is behind it.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().take(5).position(|byte| byte & 0x80 == 0)?.checked_add(1)?;
    let (digits, rest) = bytes.split_at_checked(end)?;
    let value =
        digits.iter().rev().try_fold(0u32, |sum, byte| sum.checked_mul(128).map(|sum| sum | u32::from(byte & 0x7f)))?;
    Some((usize::try_from(value).ok()?, rest))
}

fn length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 128 {
        out.push(u8::try_from(length % 128).unwrap_or_default() | 0x80);
        length /= 128;
    }
    out.push(u8::try_from(length).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::BuildRecord;

    fn record() -> BuildRecord {
        BuildRecord { rustc: "1.95.0".into(), commit: "59807616e".into(), library: "installed".into() }
    }

    #[test]
    fn what_is_appended_is_found() {
        let mut wasm = b"\0asm\x01\0\0\0\x00\x05\x04name".to_vec();
        assert_eq!(BuildRecord::of_wasm(&wasm), None);
        record().append(&mut wasm);
        assert_eq!(BuildRecord::of_wasm(&wasm), Some(record()));
    }

    #[test]
    fn broken_modules_have_none() {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        record().append(&mut wasm);
        for end in 0..wasm.len() {
            assert_eq!(BuildRecord::of_wasm(&wasm[..end]), None, "{end}");
        }
        assert_eq!(BuildRecord::of_wasm(b"\0asm\x01\0\0\0\x00\xff\xff\xff\xff\xff\x01"), None);
    }
}
