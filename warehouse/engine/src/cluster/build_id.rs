//! Which build of the program a node runs.
//!
//! A plan means what the operators, functions and types of one build make of it, and most changes to them change neither
//! a name nor a message. So nodes compare what they are made of: the digest of the executable.

use std::fs::File;
use std::io;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Hexadecimal digits kept of the digest.
const DIGITS: usize = 16;

/// What nodes that understand each other have in common. Read once per process.
pub(super) fn build_id() -> io::Result<&'static str> {
    static BUILD: OnceLock<String> = OnceLock::new();
    if let Some(build) = BUILD.get() {
        return Ok(build);
    }
    let build = digest(&mut executable()?)?;
    Ok(BUILD.get_or_init(|| build))
}

/// The file this process was started from, also where another one took its name since.
fn executable() -> io::Result<File> {
    File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))
}

fn digest(source: &mut impl io::Read) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer)? {
            0 => break,
            bytes => digest.update(&buffer[..bytes]),
        }
    }
    let text: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(text[..DIGITS].to_owned())
}

/// What is said where two builds meet.
pub(super) fn refusal(theirs: &str, ours: &str) -> String {
    format!(
        "build {theirs} does not work with build {ours} of this node: start every node of a cluster, and what uses it, \
         from the same goyong"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_more_byte_makes_another_build() {
        let first = digest(&mut &b"program"[..]).unwrap();
        assert_eq!(first.len(), DIGITS);
        assert_ne!(first, digest(&mut &b"program\0"[..]).unwrap());
        assert_eq!(build_id().unwrap(), build_id().unwrap());
    }
}
