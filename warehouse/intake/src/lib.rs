//! From a provider's file to checked rows: contract, decode, check, pseudonymise, quarantine,
//! reconcile.
//!
//! A delivery is read once, in bounded memory. Every record ends accepted, quarantined with row,
//! column and rule, or rejected with its whole delivery; nothing else can happen to it. Resident
//! numbers, names and contacts leave this crate only encrypted, in the vault and the archive.
//!
//! Reading knows no table (`read`, `rows`, `format`); [`ingest_file`], [`ingest_landing`] and
//! [`ingest_folder`] commit to the store: identities first, then quarantine, then staging, then
//! the account of the delivery in `ops.deliveries`.

mod archive;
mod buffer;
mod chunks;
mod deliver;
mod delivery;
mod encoding;
mod error;
mod format;
mod glob;
mod header;
#[cfg(test)]
mod hostile;
mod identity;
mod input;
mod landing;
mod pattern;
mod plan;
mod read;
#[cfg(test)]
mod real_files;
mod rows;
mod shown;
mod staging;
#[cfg(test)]
mod testing;
mod value;

pub use chunks::ReadLimits;
pub use deliver::{IntakeContext, ingest_file};
pub use delivery::{DeliveryOutcome, DeliveryStatus};
pub use error::{IntakeError, Refusal, RefusalRule};
pub use identity::{Keys, PersonDigest, PersonHasher, Vault, VaultBatch, VaultReceipt, person_key};
pub use landing::{
    IntakeEvent, IntakeProgress, IntakeSummary, ingest_folder, ingest_landing, ingest_path,
};
pub use plan::{Plan, arrow_type};
pub use staging::{deliveries_schema, quarantine_schema};
