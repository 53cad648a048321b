//! The one way from a person key back to a person.

use goyong_types::PersonKey;
use zeroize::Zeroizing;

use super::vault::Vault;
use crate::audit::{Access, AuditAction, AuditLog};
use crate::error::IntakeError;
use crate::rows::{DETAIL_CONTACT, DETAIL_NAME};

/// Who stands behind a person key. Wiped when dropped; deliberately neither `Debug` nor `Clone`.
pub struct IdentifiedPerson {
    /// The 13 digits of the resident number.
    pub resident_number: Zeroizing<String>,
    /// Names as delivered.
    pub names: Vec<Zeroizing<String>>,
    /// Addresses, telephone numbers and mail addresses as delivered.
    pub contacts: Vec<Zeroizing<String>>,
}

impl Vault {
    /// Opens the entry of a person; `None` when the vault knows nobody by the key.
    ///
    /// The audit chain has the access before anything is opened, whether or not there is an entry.
    pub async fn look_up(
        &self,
        audit: &AuditLog,
        access: &Access,
        person: PersonKey,
    ) -> Result<Option<IdentifiedPerson>, IntakeError> {
        let action = AuditAction {
            action: "look_up",
            person: Some(person),
            note: String::new(),
        };
        audit.append(access, &action).await?;
        self.entry_of(person)
    }

    fn entry_of(&self, person: PersonKey) -> Result<Option<IdentifiedPerson>, IntakeError> {
        let stores = self.stores();
        let found = stores.numbers.with_prefix(&person.0.to_be_bytes())?;
        let Some((digest, number)) = found.first() else {
            return Ok(None);
        };
        let mut identified = IdentifiedPerson {
            resident_number: number_text(u64::from_be_bytes(**number)),
            names: Vec::new(),
            contacts: Vec::new(),
        };
        for (_, payload) in stores.details.with_prefix(digest)? {
            let length = usize::from(payload[1]).min(payload.len() - 2);
            let text = String::from_utf8_lossy(&payload[2..2 + length]).into_owned();
            match payload[0] {
                DETAIL_NAME => identified.names.push(Zeroizing::new(text)),
                DETAIL_CONTACT => identified.contacts.push(Zeroizing::new(text)),
                _ => {}
            }
        }
        Ok(Some(identified))
    }
}

/// The 13 digits of a number as the vault holds it.
pub(super) fn number_text(number: u64) -> Zeroizing<String> {
    Zeroizing::new(format!("{number:013}"))
}
