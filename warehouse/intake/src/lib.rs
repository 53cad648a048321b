//! From a provider's file to checked rows: contract, decode, check, pseudonymise, quarantine,
//! reconcile.
//!
//! A delivery is read once, in bounded memory. Every record ends accepted, quarantined with row,
//! column and rule, or rejected with its whole delivery; nothing else can happen to it. Resident
//! numbers, names and contacts leave this crate only encrypted, in the vault and the archive.

mod archive;
mod buffer;
mod chunks;
mod encoding;
mod error;
mod format;
mod header;
mod identity;
mod input;
mod pattern;
mod plan;
mod read;
mod rows;
#[cfg(test)]
mod testing;
mod value;

pub use chunks::ReadLimits;
pub use error::{IntakeError, Refusal, RefusalRule};
pub use identity::{Keys, PersonDigest, PersonHasher, Vault, VaultBatch, VaultReceipt, person_key};
pub use plan::{Plan, arrow_type};
