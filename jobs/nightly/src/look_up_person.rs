//! The audited way from a person key to a person, and the audit chain itself.

use anyhow::{Context, Result};
use goyong_intake::{Access, AuditEntry, AuditLog, AuditReport, IdentifiedPerson, Vault};
use goyong_types::PersonKey;

use crate::case_members::CaseMembers;
use crate::project::OpenProject;

impl OpenProject {
    /// The person a case is about; of a case about several, the one a row of its evidence is about.
    pub async fn person_of_case(
        &self,
        case_no: i64,
        evidence_no: Option<i64>,
    ) -> Result<PersonKey> {
        let book = self.cases_or_nothing_yet().await?;
        let case = book.case(case_no).await?;
        let person = match evidence_no {
            None => case.person_key.with_context(|| {
                format!(
                    "case {case_no} is about no single person; name a row of its evidence with --evidence"
                )
            })?,
            Some(evidence_no) => {
                let evidence = book.evidence(case_no).await?;
                CaseMembers::of(&case, &evidence)
                    .person_of(evidence_no)
                    .with_context(|| {
                        format!("evidence {evidence_no} of case {case_no} is about nobody known")
                    })?
            }
        };
        Ok(PersonKey(person))
    }

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
