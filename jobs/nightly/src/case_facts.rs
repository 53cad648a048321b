//! What the release and the book of cases say of some cases, read together: in as many queries as for one.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use chrono::NaiveDate;
use goyong_cases::{Case, CaseBook, CaseFilter, CaseScore, Evidence, State};
use goyong_engine::ReadSession;
use goyong_store::Release;
use goyong_types::TableName;

use crate::case_days::PersonDays;
use crate::case_scores::ScoreFacts;
use crate::evaluate_against_truth::texts_of;
use crate::project::OpenProject;
use crate::trace_evidence::{Asked, Traced};

/// The table of all evidence, cleared or not.
pub(crate) const EVIDENCE: &str = "alerts.evidence";
/// Keys that one query asks for.
pub(crate) const TERMS_OF_A_QUERY: usize = 4_000;

/// What dossiers need in common: the release they are computed from and the cases that are closed.
pub(crate) struct Desk<'a> {
    pub(crate) project: &'a OpenProject,
    pub(crate) book: &'a CaseBook,
    pub(crate) session: Option<(ReadSession, Release)>,
    pub(crate) closed: Vec<Case>,
    pub(crate) scores: BTreeMap<i64, CaseScore>,
}

/// What the release says of some cases.
pub(crate) struct CaseFacts {
    /// What the rules raised about the same person, workplace or ring, cleared or not.
    pub(crate) raised: BTreeMap<String, BTreeMap<RowKey, Raised>>,
    pub(crate) delivered: BTreeMap<i64, Traced>,
    pub(crate) days: PersonDays,
    pub(crate) scores: ScoreFacts,
}

/// What the release says of a row that a rule raised.
pub(crate) struct Raised {
    pub(crate) is_cleared: bool,
    pub(crate) cleared_by: String,
    pub(crate) overlap_days: Option<i64>,
    pub(crate) person_key: String,
    /// The day on which the rule turns.
    pub(crate) fact_on: Option<NaiveDate>,
    /// The lowest probability of the links it rests on, where some are not by number.
    pub(crate) link_probability: Option<f64>,
}

/// Rule, kind and key of what is questioned, kind and key of what speaks for it.
pub(crate) type RowKey = [String; 5];

impl<'a> Desk<'a> {
    /// Opens the newest release.
    pub(crate) async fn open(project: &'a OpenProject, book: &'a CaseBook) -> Result<Self> {
        let session = match project.warehouse().latest_release().await? {
            Some(release) => Some(project.list_session(&release.id).await?),
            None => None,
        };
        let closed = CaseFilter {
            state: Some(State::Closed),
            limit: u32::MAX,
            ..CaseFilter::default()
        };
        Ok(Self {
            project,
            book,
            session,
            closed: book.cases(&closed).await?,
            scores: book.scores().await?,
        })
    }

    /// Whether the release has a table.
    pub(crate) fn has(&self, table: &TableName) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|(_, release)| release.tables.contains_key(table))
    }

    /// The day up to which the release knows.
    pub(crate) fn known_until(&self) -> Option<NaiveDate> {
        self.session
            .as_ref()
            .map(|(_, release)| release.business_date)
    }

    /// The answer to a query on the release, as text; nothing before the first one.
    pub(crate) async fn texts<const N: usize>(
        &self,
        sql: &str,
        columns: [&str; N],
    ) -> Result<Vec<[String; N]>> {
        let mut rows = Vec::new();
        if let Some((session, _)) = &self.session {
            for batch in session.query(sql).await? {
                texts_of(&batch, columns, &mut rows)?;
            }
        }
        Ok(rows)
    }

    /// Reads what the release says of cases, in as many queries as for one.
    pub(crate) async fn facts(&self, cases: &[(&Case, &[Evidence])]) -> Result<CaseFacts> {
        let pivots: BTreeSet<&str> = cases
            .iter()
            .map(|(case, _)| case.pivot_key.as_str())
            .collect();
        let persons: BTreeSet<i64> = cases
            .iter()
            .filter_map(|(case, _)| case.person_key)
            .collect();
        let raised = self.raised(&pivots).await?;
        let mut asked = Vec::new();
        for (case, rows) in cases {
            let raised = raised.get(&case.pivot_key);
            for row in *rows {
                let fact_on = raised.and_then(|rows| rows.get(&key_of(row))?.fact_on);
                asked.push(Asked { row, fact_on });
            }
        }
        let delivered = self.trace_evidence(&asked).await?;
        Ok(CaseFacts {
            raised,
            delivered,
            days: PersonDays::read(self, &Vec::from_iter(persons)).await?,
            scores: self.score_facts(cases).await?,
        })
    }

    async fn raised(
        &self,
        pivots: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, BTreeMap<RowKey, Raised>>> {
        let mut found: BTreeMap<String, BTreeMap<RowKey, Raised>> = BTreeMap::new();
        if pivots.is_empty() || !self.has(&EVIDENCE.parse()?) {
            return Ok(found);
        }
        let pivots: Vec<String> = pivots
            .iter()
            .map(|pivot| format!("'{}'", pivot.replace('\'', "''")))
            .collect();
        let sql = format!(
            "select pivot_key, rule_id, subject_kind, subject_key, evidence_kind, evidence_key, \
             cast(cleared as varchar) as cleared, coalesce(cleared_by, '') as cleared_by, \
             coalesce(cast(overlap_days as varchar), '') as overlap_days, \
             coalesce(cast(person_key as varchar), '') as person_key, \
             coalesce(cast(fact_on as varchar), '') as fact_on, \
             coalesce(cast(link_probability as varchar), '') as link_probability \
             from {EVIDENCE} where pivot_key in ({})",
            pivots.join(", ")
        );
        let columns = [
            "pivot_key",
            "rule_id",
            "subject_kind",
            "subject_key",
            "evidence_kind",
            "evidence_key",
            "cleared",
            "cleared_by",
            "overlap_days",
            "person_key",
            "fact_on",
            "link_probability",
        ];
        for row in self.texts(&sql, columns).await? {
            let [
                pivot,
                rule,
                subject_kind,
                subject,
                kind,
                key,
                cleared,
                by,
                overlap,
                person,
                fact_on,
                link_probability,
            ] = row;
            let raised = Raised {
                is_cleared: cleared == "true",
                cleared_by: by,
                overlap_days: overlap.parse().ok(),
                person_key: person,
                fact_on: fact_on.parse().ok(),
                link_probability: link_probability.parse().ok(),
            };
            let of_pivot = found.entry(pivot).or_default();
            of_pivot.insert([rule, subject_kind, subject, kind, key], raised);
        }
        Ok(found)
    }
}

pub(crate) fn key_of(row: &Evidence) -> RowKey {
    [
        row.rule_id.clone(),
        row.subject_kind.clone(),
        row.subject_key.clone(),
        row.evidence_kind.clone(),
        row.evidence_key.clone(),
    ]
}
