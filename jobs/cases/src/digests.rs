//! Digests of the rows that decisions and estimates rest on. The event that makes, changes or removes such rows tells their
//! digests in its detail, so that the chain of hashes covers them: `{"rows": {"evidence/31": "…", "suppression/2": null}}`.
//!
//! What stands under one key is one row, or all rows of a night or of a decision. `null` says that it was removed.
//!
//! A book from before has rows that no event tells. It is sealed when it is opened first: events with the action
//! [`SEAL`] tell what is there then. From these on every digest is demanded; what was done to rows earlier is not found.

use std::collections::BTreeMap;

use chrono::Utc;
use goyong_database::{DatabaseError, Row, Transaction, Value};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::book::CaseBook;
use crate::chain::{self, Draft, Event, event_query};
use crate::error::CaseError;
use crate::merge::NIGHT;

/// The action of events that tell what an older book holds.
const SEAL: &str = "seal";
/// Keys that one event tells at most, where all of the book is told.
const KEYS: usize = 5_000;

/// A digest for each key, none for what is gone.
pub(crate) type Told = BTreeMap<String, Option<String>>;

/// Columns of evidence that are told, qualified so that `returning` takes them, too. The number comes first, then the case.
macro_rules! evidence_columns {
    () => {
        "case_evidence.evidence_no, case_evidence.case_no, case_evidence.rule_id, case_evidence.rule_version, \
         case_evidence.subject_kind, case_evidence.subject_key, case_evidence.evidence_kind, \
         case_evidence.evidence_key, case_evidence.person_key, case_evidence.claim_no, case_evidence.severity, \
         case_evidence.subject_from, case_evidence.subject_to, case_evidence.evidence_from, \
         case_evidence.evidence_to, case_evidence.amount_at_risk_won, case_evidence.known_on, \
         case_evidence.first_seen_on, case_evidence.withdrawn_on, case_evidence.decided_in"
    };
}
pub(crate) use evidence_columns;

/// Rows of a kind: the key first, then all that is told.
macro_rules! rows_of {
    (case) => {
        "select case_no, pivot_kind, pivot_key, person_key, opened_on from cases"
    };
    (evidence) => {
        concat!(
            "select ",
            crate::digests::evidence_columns!(),
            " from case_evidence"
        )
    };
    (opening) => {
        "select evidence_no || '/' || account, at_ms from case_openings"
    };
    (decision) => {
        "select d.decision_no, d.case_no, d.decided_on, d.outcome, d.reason, d.investigator, d.verifier, \
         d.notice_sent_on, d.reply_due_on, d.reply_received_on, c.evidence_no \
         from case_decisions d left join case_citations c on c.decision_no = d.decision_no"
    };
    (suppression) => {
        "select suppression_no, owner, reason, scope, value, from_on, expires_on, lifted_on from case_suppressions"
    };
    (draws) => {
        "select night, claim_no, centre, case_no, population, inclusion_ppb from case_draws"
    };
    (list) => {
        "select night, centre, place, case_no from case_list"
    };
}
pub(crate) use rows_of;

/// Every kind, with the query of all its rows.
const KINDS: [(&str, &str); 7] = [
    ("case", rows_of!(case)),
    ("evidence", rows_of!(evidence)),
    ("opening", rows_of!(opening)),
    ("decision", rows_of!(decision)),
    ("suppression", rows_of!(suppression)),
    ("draws", rows_of!(draws)),
    ("list", rows_of!(list)),
];

/// The digests of rows whose first column is their key. The order of rows of one key does not matter.
pub(crate) fn digests_of<'a>(
    kind: &str,
    rows: impl IntoIterator<Item = &'a Row>,
) -> Result<Told, DatabaseError> {
    let mut by_key: BTreeMap<String, Vec<[u8; 32]>> = BTreeMap::new();
    for row in rows {
        let (key, told) = row.values().split_first().ok_or(DatabaseError::Column(0))?;
        let key = match key {
            Value::Integer(number) => format!("{kind}/{number}"),
            Value::Text(text) => format!("{kind}/{text}"),
            Value::Null => return Err(DatabaseError::Column(0)),
        };
        by_key.entry(key).or_default().push(digest_of_row(told));
    }
    Ok(by_key
        .into_iter()
        .map(|(key, mut rows)| {
            rows.sort_unstable();
            let digest: String = Sha256::digest(rows.concat())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            (key, Some(digest))
        })
        .collect())
}

fn digest_of_row(values: &[Value]) -> [u8; 32] {
    let mut state = Sha256::new();
    for value in values {
        // Kind and length first, so that no two rows read the same.
        match value {
            Value::Null => state.update(b"-"),
            Value::Integer(number) => {
                state.update(b"i");
                state.update(number.to_be_bytes());
            }
            Value::Text(text) => {
                state.update(b"t");
                state.update((text.len() as u64).to_be_bytes());
                state.update(text.as_bytes());
            }
        }
    }
    state.finalize().into()
}

/// The digests of what a query of [`rows_of`] answers.
pub(crate) async fn read(
    transaction: &mut Transaction,
    kind: &str,
    sql: &'static str,
    values: &[Value],
) -> Result<Told, CaseError> {
    let error = CaseError::database("read what events tell");
    let rows = transaction.query(sql, values).await.map_err(error)?;
    digests_of(kind, &rows).map_err(error)
}

/// The digests of the whole book.
async fn read_all(transaction: &mut Transaction) -> Result<Told, CaseError> {
    let mut all = Told::new();
    for (kind, sql) in KINDS {
        all.extend(read(transaction, kind, sql, &[]).await?);
    }
    Ok(all)
}

/// What is no longer, or not yet, what it was before.
pub(crate) fn changed(before: &Told, after: Told) -> Told {
    let mut changed: Told = before
        .keys()
        .filter(|key| !after.contains_key(*key))
        .map(|key| (key.clone(), None))
        .collect();
    changed.extend(
        after
            .into_iter()
            .filter(|(key, digest)| before.get(key) != Some(digest)),
    );
    changed
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    rows: Told,
}

/// What the events up to one of them tell.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By key: the event that told it last, and the digest.
    told: BTreeMap<String, (i64, String)>,
    is_told_by_others: bool,
}

impl Ledger {
    /// Takes in the next event.
    pub(crate) fn follow(&mut self, event: &Event, problems: &mut Vec<String>) {
        // Most notes and moves tell no row; to look is cheaper than to parse.
        if !event.detail.contains("\"rows\"") {
            return;
        }
        let Ok(Detail { rows }) = serde_json::from_str(&event.detail) else {
            problems.push(format!("event {} has no readable detail", event.event_no));
            return;
        };
        if event.action == SEAL && self.is_told_by_others {
            problems.push(format!(
                "event {} seals rows again: only an older book is sealed, once",
                event.event_no
            ));
        }
        self.is_told_by_others |= event.action != SEAL && !rows.is_empty();
        for (key, digest) in rows {
            match digest {
                Some(digest) => self.told.insert(key, (event.event_no, digest)),
                None => self.told.remove(&key),
            };
        }
    }

    /// Compares with the rows that are there.
    pub(crate) async fn check(
        mut self,
        transaction: &mut Transaction,
        problems: &mut Vec<String>,
    ) -> Result<(), CaseError> {
        for (kind, sql) in KINDS {
            for (key, found) in read(transaction, kind, sql, &[]).await? {
                match self.told.remove(&key) {
                    None => problems.push(format!("{} stands in no event", named(&key))),
                    Some((event_no, told)) if found.as_ref() != Some(&told) => {
                        problems.push(format!("{} is not what event {event_no} left", named(&key)))
                    }
                    Some(_) => {}
                }
            }
        }
        problems.extend(self.told.iter().map(|(key, (event_no, _))| {
            format!("{} is missing: event {event_no} left it", named(key))
        }));
        let sql = "select work from case_permits order by work";
        let error = CaseError::database("verify the permits");
        for row in transaction.query(sql, &[]).await.map_err(error)? {
            problems.push(format!(
                "a permit for `{}` was left behind: guards let statements of a client pass; delete it from case_permits",
                row.text(0).map_err(error)?
            ));
        }
        Ok(())
    }
}

/// What stands under a key, in words.
fn named(key: &str) -> String {
    let (kind, of) = key.split_once('/').unwrap_or((key, ""));
    match kind {
        "case" => format!("whom case {of} is about"),
        "opening" => {
            let (evidence_no, account) = of.split_once('/').unwrap_or((of, ""));
            format!("the opening of evidence {evidence_no} by {account}")
        }
        "decision" => format!("decision {of}, with its reason and the evidence it names,"),
        "draws" => format!("what was drawn at random on {of}"),
        "list" => format!("the list of {of}"),
        _ => format!("{kind} {of}"),
    }
}

/// A change of all of the book that keeps to the rows: begun before it, ended behind it.
pub(crate) struct Restating {
    before: Told,
    ledger: Ledger,
}

impl Restating {
    /// Reads what is there and what events tell of it.
    pub(crate) async fn begin(transaction: &mut Transaction) -> Result<Self, CaseError> {
        let error = CaseError::database("read the events");
        let mut ledger = Ledger::default();
        let sql = concat!(event_query!(), " order by event_no");
        for row in transaction.query(sql, &[]).await.map_err(error)? {
            // Verifying is what tells problems.
            ledger.follow(&Event::of(&row).map_err(error)?, &mut Vec::new());
        }
        Ok(Self {
            before: read_all(transaction).await?,
            ledger,
        })
    }

    /// Tells what changed. A row that was changed past the book before keeps its digest, and so is still found.
    pub(crate) async fn end(
        self,
        transaction: &mut Transaction,
        action: &'static str,
    ) -> Result<(), CaseError> {
        let after = read_all(transaction).await?;
        let mut rows = changed(&self.before, after);
        rows.retain(|key, _| {
            let told = self.ledger.told.get(key).map(|(_, digest)| digest);
            told == self.before.get(key).and_then(Option::as_ref)
        });
        tell(transaction, action, rows).await
    }
}

/// Appends events of the book itself that tell rows, so many in each.
async fn tell(
    transaction: &mut Transaction,
    action: &'static str,
    rows: Told,
) -> Result<(), CaseError> {
    let rows: Vec<_> = rows.into_iter().collect();
    let at_ms = Utc::now().timestamp_millis();
    let drafts = rows.chunks(KEYS).map(|some| Draft {
        case_no: None,
        at_ms,
        account: NIGHT.to_owned(),
        action,
        before: "null".to_owned(),
        after: "null".to_owned(),
        detail: json!({ "rows": some.iter().cloned().collect::<Told>() }).to_string(),
    });
    let drafts = drafts.collect();
    chain::append(transaction, drafts).await?;
    Ok(())
}

impl CaseBook {
    /// Seals a book from before events told rows.
    pub(crate) async fn seal(&self) -> Result<(), CaseError> {
        let error = CaseError::database("seal the older rows of the cases");
        let mut transaction = self.database.begin().await.map_err(error)?;
        let sql = "select event_no from case_unsealed";
        if transaction.query(sql, &[]).await.map_err(error)?.is_empty() {
            return transaction.commit().await.map_err(error);
        }
        // Nobody has a book sealed again by saying that it is not.
        let sql = "select 1 from case_events where detail like '%\"rows\":%' limit 1";
        if transaction.query(sql, &[]).await.map_err(error)?.is_empty() {
            let rows = read_all(&mut transaction).await?;
            tell(&mut transaction, SEAL, rows).await?;
        }
        let sql = "delete from case_unsealed";
        transaction.execute(sql, &[]).await.map_err(error)?;
        transaction.commit().await.map_err(error)
    }
}
