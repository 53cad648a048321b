//! From a provider's file to checked rows: contract, decode, check, pseudonymise, quarantine,
//! reconcile.
//!
//! A delivery is read once, in bounded memory. Every record ends accepted, quarantined with row,
//! column and rule, or rejected with its whole delivery; nothing else can happen to it. Resident
//! numbers, names and contacts leave this crate only encrypted, in the vault and the archive.
//!
//! Reading knows no table (`read`, `rows`, `format`); [`ingest_landing`], [`ingest_folder`]
//! and [`ingest_path`] commit to the store: identities first, then quarantine, then staging, then
//! the account of the delivery in `ops.deliveries`.

mod archive;
mod audit;
mod buffer;
mod chunks;
mod crash;
mod deliver;
mod delivery;
mod drift;
mod encoding;
mod error;
mod examine;
mod expand;
mod format;
mod glob;
mod header;
#[cfg(test)]
mod hostile;
mod identity;
mod infer;
mod input;
mod landing;
mod ledger;
mod pages;
mod pattern;
mod plan;
mod quarantine;
mod read;
#[cfg(test)]
mod real_figures;
#[cfg(test)]
mod real_files;
mod revision;
mod rewrite;
mod row_checks;
mod rows;
mod shown;
mod staging;
mod store_access;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_warehouse;
mod unique;
mod value;

pub use audit::{Access, AuditAction, AuditEntry, AuditLog, AuditReport};
pub use chunks::ReadLimits;
pub use deliver::IntakeContext;
pub use delivery::{DeliveryOutcome, DeliveryStatus};
pub use error::{IntakeError, Refusal, RefusalRule};
pub use examine::{ColumnPlace, ControlLine, Examination, RuleCount, examine_file};
pub use identity::{
    ARCHIVE_IDENTITY, ForgetSubject, Forgotten, IdentifiedPerson, Keys, NEXT, NewKeys, PREVIOUS,
    PersonDigest, PersonHasher, Pseudonyms, Vault, VaultBatch, VaultReceipt, forget_records,
    person_key, read_private_file, reseal_records,
};
pub use infer::infer_contract;
pub use landing::{
    IntakeEvent, IntakeProgress, IntakeSummary, ingest_folder, ingest_landing, ingest_path,
};
pub use ledger::{deliveries, deliveries_schema};
pub use plan::{Plan, arrow_type};
pub use quarantine::{
    Corrections, DecisionBy, QuarantineCount, QuarantineEntry, ReleaseReport, RowState, StillBad,
    discard, quarantine_counts, quarantine_schema, quarantined_record, quarantined_rows, release,
};
pub use rewrite::{Rewritten, RowChange, has_person, rewrite_table};
