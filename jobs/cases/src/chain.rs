//! The chain of events: each carries a hash over itself and the hash of the one before.

use sha2::{Digest, Sha256};

use crate::error::CaseError;
use goyong_database::{ColumnKind, DatabaseError, Load, Row, Transaction, Value};

/// One change, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1.
    pub event_no: i64,
    /// The case; none where it is about a suppression.
    pub case_no: Option<i64>,
    /// When, in milliseconds since 1970 in UTC; a night's events carry its day.
    pub at_ms: i64,
    /// Who.
    pub account: String,
    /// What was done.
    pub action: String,
    /// The state before, as JSON; `null` for the first event of a case.
    pub before: String,
    /// The state after, as JSON.
    pub after: String,
    /// What was said, as JSON.
    pub detail: String,
    /// Hash of the event before, empty for the first.
    pub previous_hash: String,
    /// Hash of all of this.
    pub hash: String,
}

/// An event that has no place in the chain yet.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) case_no: Option<i64>,
    pub(crate) at_ms: i64,
    pub(crate) account: String,
    pub(crate) action: &'static str,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) detail: String,
}

/// The end of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainHead {
    /// Number of the newest event, 0 where there is none.
    pub event_no: i64,
    /// Its hash.
    pub hash: String,
}

static EVENTS: std::sync::LazyLock<Load> = std::sync::LazyLock::new(|| {
    use ColumnKind::{Integer, Text};
    Load::into(
        "case_events",
        &[
            ("event_no", Integer),
            ("case_no", Integer),
            ("at_ms", Integer),
            ("account", Text),
            ("action", Text),
            ("before", Text),
            ("after", Text),
            ("detail", Text),
            ("previous_hash", Text),
            ("hash", Text),
        ],
    )
});

/// Events with their columns in the order of [`Event`].
macro_rules! event_query {
    () => {
        "select event_no, case_no, at_ms, account, action, before, after, detail, previous_hash, hash from case_events"
    };
}
pub(crate) use event_query;

impl Event {
    pub(crate) fn of(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            event_no: row.integer(0)?,
            case_no: row.optional_integer(1)?,
            at_ms: row.integer(2)?,
            account: row.text(3)?,
            action: row.text(4)?,
            before: row.text(5)?,
            after: row.text(6)?,
            detail: row.text(7)?,
            previous_hash: row.text(8)?,
            hash: row.text(9)?,
        })
    }

    /// The hash the event ought to have.
    pub(crate) fn computed_hash(&self) -> String {
        let mut state = Sha256::new();
        // Lengths first, so that no two events read the same.
        let numbers = format!("{} {:?} {}", self.event_no, self.case_no, self.at_ms);
        for part in [
            &self.previous_hash,
            &numbers,
            &self.account,
            &self.action,
            &self.before,
            &self.after,
            &self.detail,
        ] {
            state.update((part.len() as u64).to_be_bytes());
            state.update(part.as_bytes());
        }
        state
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn values(&self) -> Vec<Value> {
        vec![
            self.event_no.into(),
            self.case_no.into(),
            self.at_ms.into(),
            (&self.account).into(),
            (&self.action).into(),
            (&self.before).into(),
            (&self.after).into(),
            (&self.detail).into(),
            (&self.previous_hash).into(),
            (&self.hash).into(),
        ]
    }
}

/// The newest event.
pub(crate) const HEAD: &str =
    "select event_no, hash from case_events order by event_no desc limit 1";

/// What [`HEAD`] answers.
pub(crate) fn head_of(rows: &[Row]) -> Result<ChainHead, DatabaseError> {
    rows.first().map_or(Ok(ChainHead::default()), |row| {
        Ok(ChainHead {
            event_no: row.integer(0)?,
            hash: row.text(1)?,
        })
    })
}

/// Puts events at the end of the chain; answers the number of the first.
pub(crate) async fn append(
    transaction: &mut Transaction,
    drafts: Vec<Draft>,
) -> Result<i64, CaseError> {
    let error = CaseError::database("append events");
    let rows = transaction.query(HEAD, &[]).await.map_err(error)?;
    let mut end = head_of(&rows).map_err(error)?;
    let first = end.event_no + 1;
    let mut rows = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let mut event = Event {
            event_no: end.event_no + 1,
            case_no: draft.case_no,
            at_ms: draft.at_ms,
            account: draft.account,
            action: draft.action.to_owned(),
            before: draft.before,
            after: draft.after,
            detail: draft.detail,
            previous_hash: end.hash,
            hash: String::new(),
        };
        event.hash = event.computed_hash();
        end = ChainHead {
            event_no: event.event_no,
            hash: event.hash.clone(),
        };
        rows.push(event.values());
    }
    transaction.load(&EVENTS, &rows).await.map_err(error)?;
    Ok(first)
}
