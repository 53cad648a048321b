use std::fmt;

use serde::{Deserialize, Serialize};

/// The pseudonym of a person: the first 64 bits of a keyed hash of the resident number.
///
/// Stored as `Int64`; only the vault can lead from it back to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PersonKey(pub i64);

impl fmt::Display for PersonKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// Names one delivery for ever: `<source>/<period or ->/r<revision>/<12 hex digits of sha256>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// Builds the id from its parts; `sha256` is the file's digest in hexadecimal.
    pub fn new(source: &str, period: Option<&str>, revision: u32, sha256: &str) -> Self {
        let digest = sha256.get(..12).unwrap_or(sha256);
        Self(format!(
            "{source}/{}/r{revision}/{digest}",
            period.unwrap_or("-")
        ))
    }

    /// The id as stored in `_delivery_id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
