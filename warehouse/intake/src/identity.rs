//! Pseudonyms, keys and the vault.

mod forgotten;
mod hash;
mod keys;
mod look_up;
mod records;
mod rekey;
mod run;
mod runs;
#[cfg(test)]
mod tests;
mod vault;

pub use forgotten::{ForgetSubject, Forgotten};
pub(crate) use hash::{OpaqueDigest, OpaqueInput, opaque_text};
pub use hash::{PersonDigest, PersonHasher, person_key};
pub use keys::{ARCHIVE_IDENTITY, Keys, read_private_file};
pub(crate) use keys::{hex, sync_folder};
pub use look_up::IdentifiedPerson;
pub(crate) use records::{RecordKeys, RecordReader, RecordWriter, open_record};
pub use records::{forget_records, reseal_records};
pub use rekey::{NEXT, NewKeys, PREVIOUS, Pseudonyms};
pub use vault::{Vault, VaultBatch, VaultReceipt};
