//! The audited way from a person key to a person, and the audit chain itself.

use anyhow::Result;
use goyong_intake::{Access, AuditEntry, AuditLog, AuditReport, IdentifiedPerson, Vault};
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

    /// Compares the audit chain with itself and with the state database, and the events of cases with themselves, with
    /// the cases and with the audit chain.
    pub async fn verify_audit(&self) -> Result<AuditReport> {
        let audit = AuditLog::of(self.warehouse());
        let mut report = audit.verify().await?;
        // A damaged chain is told already; what it says of the cases counts as far as it can be read.
        let entries = audit.entries().unwrap_or_default();
        if let Some(cases) = self.verify_cases(&entries).await? {
            report.entries += cases.events;
            report.problems.extend(cases.problems);
        }
        Ok(report)
    }

    /// Every entry of the audit chain.
    pub fn export_audit(&self) -> Result<Vec<AuditEntry>> {
        Ok(AuditLog::of(self.warehouse()).entries()?)
    }
}
