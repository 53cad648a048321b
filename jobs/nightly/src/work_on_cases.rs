//! What officers do with cases: each access stands in the audit chain before it happens, with the end of the chain of
//! events as it was then.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, Utc};
use goyong_cases::{
    Act, Capacity, CapacityTrial, Case, CaseBook, CaseFilter, ChainHead, Command, Estimates,
    Evidence, Location, Scope, Suppression,
};
use goyong_intake::{Access, AuditAction, AuditEntry, AuditLog};
use goyong_types::PersonKey;

use crate::project::OpenProject;
use crate::scheduled::location;

/// What a note about the chain of events begins with.
const HEAD: &str = "case events ";

/// Who works, and why.
#[derive(Debug, Clone)]
pub struct Officer {
    /// The account.
    pub account: String,
    /// What for.
    pub purpose: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Which day that is where the office is.
    pub on: NaiveDate,
}

impl Officer {
    fn act(&self) -> Act<'_> {
        Act {
            account: &self.account,
            at: self.at,
            on: self.on,
        }
    }
}

impl OpenProject {
    /// Where the cases are: the database of the runs where that is PostgreSQL, a file of their own otherwise.
    fn case_location(&self) -> Result<Location> {
        let configuration = self.configuration();
        Ok(match location(configuration)? {
            Location::Sqlite(_) => Location::Sqlite(configuration.warehouse.join("state/cases.db")),
            location @ Location::Postgres(_) => location,
        })
    }

    /// The book of cases.
    pub(crate) async fn open_cases(&self) -> Result<CaseBook> {
        Ok(CaseBook::open(&self.case_location()?).await?)
    }

    /// The book, where there can be one: a file is made by the first night that merges.
    pub(crate) async fn existing_cases(&self) -> Result<Option<CaseBook>> {
        match self.case_location()? {
            Location::Sqlite(file) if !file.is_file() => Ok(None),
            _ => Ok(Some(self.open_cases().await?)),
        }
    }

    /// Makes draws that nobody foretells and pseudonyms of officers.
    pub(crate) fn case_secret(&self) -> Result<String> {
        Ok(self.keys()?.hasher().secret("cases"))
    }

    pub(crate) async fn cases_or_nothing_yet(&self) -> Result<CaseBook> {
        self.existing_cases()
            .await?
            .context("there are no cases yet; `goyong night` makes them from the alerts")
    }

    /// Cases, the most urgent first. Names nobody.
    pub async fn list_cases(&self, filter: &CaseFilter) -> Result<Vec<Case>> {
        let Some(book) = self.existing_cases().await? else {
            return Ok(Vec::new());
        };
        Ok(book.cases(filter).await?)
    }

    /// A case and its evidence, kept as opened by the officer.
    pub async fn show_case(
        &self,
        case_no: i64,
        officer: &Officer,
    ) -> Result<(Case, Vec<Evidence>)> {
        let book = self.cases_or_nothing_yet().await?;
        let case = book.case(case_no).await?;
        self.audit_case(&book, &case, "show_case", officer).await?;
        let evidence = book.open_evidence(case_no, &officer.act()).await?;
        Ok((case, evidence))
    }

    /// Does something to a case.
    pub async fn work_on_case(
        &self,
        case_no: i64,
        command: &Command,
        officer: &Officer,
    ) -> Result<Case> {
        let book = self.cases_or_nothing_yet().await?;
        let case = book.case(case_no).await?;
        let action = format!("{}_case", command.action());
        self.audit_case(&book, &case, &action, officer).await?;
        Ok(book.apply(case_no, command, &officer.act()).await?)
    }

    /// Suppresses; answers the number.
    pub async fn suppress_alerts(
        &self,
        scope: &Scope,
        reason: &str,
        expires_on: NaiveDate,
        officer: &Officer,
    ) -> Result<i64> {
        let book = self.cases_or_nothing_yet().await?;
        Ok(book
            .suppress(scope, reason, expires_on, &officer.act())
            .await?)
    }

    /// Ends a suppression.
    pub async fn lift_suppression(
        &self,
        number: i64,
        reason: &str,
        officer: &Officer,
    ) -> Result<()> {
        let book = self.cases_or_nothing_yet().await?;
        Ok(book.lift(number, reason, &officer.act()).await?)
    }

    /// Every suppression.
    pub async fn list_suppressions(&self) -> Result<Vec<Suppression>> {
        Ok(match self.existing_cases().await? {
            Some(book) => book.suppressions().await?,
            None => Vec::new(),
        })
    }

    /// Capacities tried on what waits now.
    pub async fn simulate_capacity(
        &self,
        on: NaiveDate,
        per_centre: &[u32],
        random_basis_points: Option<u32>,
    ) -> Result<Vec<CapacityTrial>> {
        let book = self.cases_or_nothing_yet().await?;
        let configured = self.configuration().cases.capacity();
        let random_basis_points = random_basis_points.unwrap_or(configured.random_basis_points);
        let trials: Vec<Capacity> = per_centre
            .iter()
            .map(|per_centre| Capacity {
                per_centre: *per_centre,
                random_basis_points,
                ..Capacity::default()
            })
            .collect();
        Ok(book.simulate_capacity(on, &trials).await?)
    }

    /// Precision, prevalence and lift.
    pub async fn estimate_precision(&self) -> Result<Estimates> {
        Ok(self.cases_or_nothing_yet().await?.estimates().await?)
    }

    async fn audit_case(
        &self,
        book: &CaseBook,
        case: &Case,
        action: &str,
        officer: &Officer,
    ) -> Result<()> {
        let by = (officer.account.as_str(), officer.purpose.as_str());
        self.audit_access(book, case, action, by).await
    }

    /// Writes an access to a case into the audit chain: by which account, and what for.
    pub(crate) async fn audit_access(
        &self,
        book: &CaseBook,
        case: &Case,
        action: &str,
        (account, purpose): (&str, &str),
    ) -> Result<()> {
        let about = format!("case {}", case.case_no);
        let access = Access::new(account, purpose, &about)?.with_origin(&origin())?;
        let action = AuditAction {
            action,
            person: case.person_key.map(PersonKey),
            note: head_note(&book.head().await?),
        };
        AuditLog::of(self.warehouse())
            .append(&access, &action)
            .await?;
        Ok(())
    }

    /// Writes the end of the chain of events into the audit chain.
    pub(crate) async fn write_down(&self, head: &ChainHead, as_of: NaiveDate) -> Result<()> {
        let access = Access::new(
            goyong_cases::NIGHT,
            "merge alerts into cases",
            &format!("night of {as_of}"),
        )?
        .with_origin(&origin())?;
        let action = AuditAction {
            action: "merge_cases",
            person: None,
            note: head_note(head),
        };
        AuditLog::of(self.warehouse())
            .append(&access, &action)
            .await?;
        Ok(())
    }

    /// What the events of cases say against themselves and against the audit chain.
    pub(crate) async fn verify_cases(
        &self,
        entries: &[AuditEntry],
    ) -> Result<Option<goyong_cases::CaseAudit>> {
        let Some(book) = self.existing_cases().await? else {
            return Ok(None);
        };
        let known: Vec<ChainHead> = entries
            .iter()
            .filter_map(|entry| head_of(&entry.note))
            .collect();
        Ok(Some(book.verify(&known).await?))
    }
}

fn head_note(head: &ChainHead) -> String {
    format!("{HEAD}{} {}", head.event_no, head.hash)
}

fn head_of(note: &str) -> Option<ChainHead> {
    let (event_no, hash) = note.strip_prefix(HEAD)?.split_once(' ')?;
    Some(ChainHead {
        event_no: event_no.parse().ok()?,
        hash: hash.to_owned(),
    })
}

/// The machine a command was typed on.
pub(crate) fn origin() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    format!(
        "command line on {}",
        if name.is_empty() {
            "an unnamed machine"
        } else {
            name
        }
    )
}
