#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../../tests/postgres_server.rs"]
mod postgres_server;

mod guarding;
mod merging;
mod moving;
mod random;

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, Utc};
use postgres_server::Server;
use tempfile::TempDir;

use crate::{
    Act, ActiveClaim, Capacity, CaseBook, CaseFilter, Incoming, IncomingCandidate,
    IncomingEvidence, Location, Severity,
};

/// Each scenario once on SQLite and once on PostgreSQL.
macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario(crate::tests::Place::sqlite().await).await;
                }
            )*
        }
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::$scenario(crate::tests::Place::postgres().await).await;
                }
            )*
        }
    };
}
use on_both;

/// An empty book; gone when dropped.
struct Place {
    book: CaseBook,
    keeps: (Option<TempDir>, Option<Arc<Server>>),
}

impl Place {
    async fn sqlite() -> Self {
        Self::sqlite_in(tempfile::tempdir().unwrap()).await
    }

    async fn sqlite_in(folder: TempDir) -> Self {
        let location = Location::Sqlite(folder.path().join("state.db"));
        Self {
            book: CaseBook::open(&location).await.unwrap(),
            keeps: (Some(folder), None),
        }
    }

    async fn postgres() -> Self {
        let server = Server::shared();
        let location = Location::Postgres(server.new_database());
        Self {
            book: CaseBook::open(&location).await.unwrap(),
            keeps: (None, Some(server)),
        }
    }

    fn is_postgres(&self) -> bool {
        self.keeps.1.is_some()
    }

    /// Another empty book on the same kind of database.
    async fn another(&self) -> Self {
        match &self.keeps.0 {
            // In memory where that is a folder: thousands of commits need no disk.
            Some(_) => {
                let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
                Self::sqlite_in(folder.unwrap()).await
            }
            None => Self::postgres().await,
        }
    }

    /// Where no book is yet; gone when this one is.
    fn elsewhere(&self) -> Location {
        match &self.keeps {
            (Some(folder), _) => Location::Sqlite(folder.path().join("elsewhere.db")),
            (None, server) => Location::Postgres(server.as_ref().unwrap().new_database()),
        }
    }
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Noon of a day.
fn act(account: &str, on: NaiveDate) -> Act<'_> {
    let at: DateTime<Utc> = on.and_hms_opt(12, 0, 0).unwrap().and_utc();
    Act { account, at, on }
}

fn later(on: NaiveDate, days: u64) -> NaiveDate {
    on.checked_add_days(Days::new(days)).unwrap()
}

/// Evidence number `number` against person `person`.
fn evidence(person: i64, number: i64) -> IncomingEvidence {
    IncomingEvidence {
        pivot_key: format!("person/{person}"),
        rule_id: "F01".to_owned(),
        rule_version: 2,
        subject_kind: "round".to_owned(),
        subject_key: format!("C{person}/{number}"),
        evidence_kind: "insured_spell".to_owned(),
        evidence_key: format!("W{number}/2024-01-01"),
        person_key: Some(person),
        claim_no: Some(format!("C{person}")),
        severity: "high".to_owned(),
        subject_from: Some(day("2024-01-01")),
        subject_to: Some(day("2024-01-28")),
        evidence_from: Some(day("2024-01-03")),
        evidence_to: None,
        amount_at_risk_won: 100_000 * (number + 1),
        known_on: day("2024-02-10"),
    }
}

/// A night with this evidence, grouped by person.
fn night(as_of: &str, evidence: Vec<IncomingEvidence>) -> Incoming {
    let mut candidates: Vec<IncomingCandidate> = Vec::new();
    for row in &evidence {
        let known = candidates
            .iter_mut()
            .find(|candidate| candidate.pivot_key == row.pivot_key);
        match known {
            Some(candidate) => candidate.amount_at_risk_won += row.amount_at_risk_won,
            None => candidates.push(IncomingCandidate {
                pivot_key: row.pivot_key.clone(),
                pivot_kind: "person".to_owned(),
                person_key: row.person_key,
                centre: "1101".to_owned(),
                rules: "F01".to_owned(),
                severity: Severity::High,
                amount_at_risk_won: row.amount_at_risk_won,
                first_on: row.subject_from,
                last_on: row.subject_to,
                known_on: Some(row.known_on),
            }),
        }
    }
    Incoming {
        as_of: day(as_of),
        evidence,
        candidates,
        active_claims: Vec::new(),
        capacity: Capacity::default(),
        secret: "of the tests".to_owned(),
        scores: Vec::new(),
    }
}

fn claims(count: i64) -> Vec<ActiveClaim> {
    (0..count)
        .map(|person| ActiveClaim {
            claim_no: format!("C{person}"),
            person_key: person,
            centre: format!("11{:02}", person % 4),
            workplace_no: None,
        })
        .collect()
}

fn all() -> CaseFilter {
    CaseFilter {
        limit: 1_000_000,
        ..CaseFilter::default()
    }
}
