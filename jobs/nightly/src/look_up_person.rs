//! The audited way from a person key to a person, and the audit chain itself.

use anyhow::Result;
use goyong_intake::{Access, AuditLog, AuditReport, IdentifiedPerson, Vault};
use goyong_types::PersonKey;

use crate::project::OpenProject;

impl OpenProject {
    /// Who stands behind a person key; in the audit chain before the vault is opened.
    pub async fn look_up_person(
        &self,
        person: PersonKey,
        access: &Access,
    ) -> Result<Option<IdentifiedPerson>> {
        let vault = Vault::open_to_read(&self.configuration().vault(), &self.keys()?)?;
        let audit = AuditLog::of(self.warehouse());
        Ok(vault.look_up(&audit, access, person).await?)
    }

    /// Compares the audit chain with itself and with the state database.
    pub async fn verify_audit(&self) -> Result<AuditReport> {
        Ok(AuditLog::of(self.warehouse()).verify().await?)
    }
}
