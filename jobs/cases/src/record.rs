//! Rows of cases and evidence as they are read and written.

use chrono::NaiveDate;
use goyong_database::{DatabaseError, Row, Value};

use crate::error::CaseError;
use crate::state::CaseState;

/// A case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its number.
    pub case_no: i64,
    /// `person`, `workplace` or `ring`.
    pub pivot_kind: String,
    /// What it is about: a pseudonym.
    pub pivot_key: String,
    /// The person, for a case about one.
    pub person_key: Option<i64>,
    /// The night it came from.
    pub opened_on: String,
    /// All that can change.
    pub state: CaseState,
    /// The event that made it so.
    pub last_event_no: i64,
}

/// A row of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its number.
    pub evidence_no: i64,
    /// The case it belongs to.
    pub case_no: i64,
    /// The rule that raised it, and its version.
    pub rule_id: String,
    /// Version of the rule.
    pub rule_version: i64,
    /// What is questioned.
    pub subject_kind: String,
    /// Which one.
    pub subject_key: String,
    /// What speaks for it.
    pub evidence_kind: String,
    /// Which one; may be a pseudonym.
    pub evidence_key: String,
    /// Whom it is about: a pseudonym.
    pub person_key: Option<i64>,
    /// How urgent.
    pub severity: String,
    /// First questioned day.
    pub subject_from: Option<String>,
    /// Last questioned day.
    pub subject_to: Option<String>,
    /// First day of the evidence.
    pub evidence_from: Option<String>,
    /// Last day of the evidence.
    pub evidence_to: Option<String>,
    /// Won at risk.
    pub amount_at_risk_won: i64,
    /// When it became known.
    pub known_on: String,
    /// The night that raised it.
    pub first_seen_on: String,
    /// The night that raised it no more.
    pub withdrawn_on: Option<String>,
    /// The decision that covers it.
    pub decided_in: Option<i64>,
    /// Accounts that opened it, joined by commas.
    pub opened_by: String,
}

/// Columns of a state in the order of [`state_values`].
pub(crate) const STATE_COLUMNS: [&str; 22] = [
    "state",
    "centre",
    "severity",
    "rules",
    "evidence_count",
    "undecided_count",
    "evidence_sum",
    "amount_at_risk_won",
    "first_on",
    "last_on",
    "known_on",
    "investigator",
    "worked_by",
    "verifier",
    "snoozed_until",
    "notice_sent_on",
    "reply_due_on",
    "reply_received_on",
    "outcome",
    "closed_on",
    "decision_no",
    "appeal",
];

/// The columns of a case: seven of its own, then those of its state.
macro_rules! case_columns {
    () => {
        "cases.case_no, cases.pivot_kind, cases.pivot_key, cases.person_key, cases.opened_on, cases.last_event_no, \
         cases.state, cases.centre, cases.severity, cases.rules, cases.evidence_count, cases.undecided_count, \
         cases.evidence_sum, cases.amount_at_risk_won, cases.first_on, cases.last_on, cases.known_on, \
         cases.investigator, cases.worked_by, cases.verifier, cases.snoozed_until, cases.notice_sent_on, \
         cases.reply_due_on, cases.reply_received_on, cases.outcome, cases.closed_on, cases.decision_no, cases.appeal"
    };
}
pub(crate) use case_columns;

/// Columns of a case before its state.
const OWN: usize = 6;
/// Columns of a case.
pub(crate) const CASE_COLUMNS: usize = OWN + STATE_COLUMNS.len();

impl Case {
    pub(crate) fn of(row: &Row) -> Result<Self, CaseError> {
        let error = CaseError::database("read cases");
        let case_no = row.integer(0).map_err(error)?;
        Ok(Self {
            case_no,
            pivot_kind: row.text(1).map_err(error)?,
            pivot_key: row.text(2).map_err(error)?,
            person_key: row.optional_integer(3).map_err(error)?,
            opened_on: row.text(4).map_err(error)?,
            last_event_no: row.integer(5).map_err(error)?,
            state: state_of(row, case_no)?,
        })
    }
}

fn state_of(row: &Row, case_no: i64) -> Result<CaseState, CaseError> {
    let error = CaseError::database("read cases");
    let unreadable = |column: &str| CaseError::Stored {
        what: format!("case {case_no}, {column}"),
    };
    let text = |column: usize| row.text(OWN + column).map_err(error);
    let number = |column: usize| row.integer(OWN + column).map_err(error);
    let optional = |column: usize| row.optional_text(OWN + column).map_err(error);
    let day = |column: usize| -> Result<Option<NaiveDate>, CaseError> {
        optional(column)?
            .map(|day| day.parse().map_err(|_| unreadable("a day")))
            .transpose()
    };
    Ok(CaseState {
        state: text(0)?.parse().map_err(|_| unreadable("state"))?,
        centre: text(1)?,
        severity: text(2)?.parse().map_err(|_| unreadable("severity"))?,
        rules: text(3)?,
        evidence_count: number(4)?,
        undecided_count: number(5)?,
        evidence_sum: number(6)?,
        amount_at_risk_won: number(7)?,
        first_on: day(8)?,
        last_on: day(9)?,
        known_on: day(10)?,
        investigator: optional(11)?,
        worked_by: text(12)?,
        verifier: optional(13)?,
        snoozed_until: day(14)?,
        notice_sent_on: day(15)?,
        reply_due_on: day(16)?,
        reply_received_on: day(17)?,
        outcome: optional(18)?
            .map(|word| word.parse().map_err(|_| unreadable("outcome")))
            .transpose()?,
        closed_on: day(19)?,
        decision_no: row.optional_integer(OWN + 20).map_err(error)?,
        appeal: text(21)?.parse().map_err(|_| unreadable("appeal"))?,
    })
}

/// A day as it is stored.
pub(crate) fn day_value(day: Option<NaiveDate>) -> Value {
    day.map(|day| day.to_string())
        .map_or(Value::Null, Value::Text)
}

/// The values of [`STATE_COLUMNS`].
pub(crate) fn state_values(state: &CaseState) -> Vec<Value> {
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    vec![
        state.state.word().into(),
        (&state.centre).into(),
        state.severity.word().into(),
        (&state.rules).into(),
        state.evidence_count.into(),
        state.undecided_count.into(),
        state.evidence_sum.into(),
        state.amount_at_risk_won.into(),
        day_value(state.first_on),
        day_value(state.last_on),
        day_value(state.known_on),
        text(&state.investigator),
        (&state.worked_by).into(),
        text(&state.verifier),
        day_value(state.snoozed_until),
        day_value(state.notice_sent_on),
        day_value(state.reply_due_on),
        day_value(state.reply_received_on),
        state.outcome.map(|outcome| outcome.word()).into(),
        day_value(state.closed_on),
        state.decision_no.into(),
        state.appeal.word().into(),
    ]
}

impl Evidence {
    pub(crate) const QUERY: &str = "select e.evidence_no, e.case_no, e.rule_id, e.rule_version, e.subject_kind, \
        e.subject_key, e.evidence_kind, e.evidence_key, e.severity, e.subject_from, e.subject_to, e.evidence_from, \
        e.evidence_to, e.amount_at_risk_won, e.known_on, e.first_seen_on, e.withdrawn_on, e.decided_in, e.person_key \
        from case_evidence e where e.case_no = $1 order by e.evidence_no";

    pub(crate) fn of(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            evidence_no: row.integer(0)?,
            case_no: row.integer(1)?,
            rule_id: row.text(2)?,
            rule_version: row.integer(3)?,
            subject_kind: row.text(4)?,
            subject_key: row.text(5)?,
            evidence_kind: row.text(6)?,
            evidence_key: row.text(7)?,
            severity: row.text(8)?,
            subject_from: row.optional_text(9)?,
            subject_to: row.optional_text(10)?,
            evidence_from: row.optional_text(11)?,
            evidence_to: row.optional_text(12)?,
            amount_at_risk_won: row.integer(13)?,
            known_on: row.text(14)?,
            first_seen_on: row.text(15)?,
            withdrawn_on: row.optional_text(16)?,
            decided_in: row.optional_integer(17)?,
            person_key: row.optional_integer(18)?,
            opened_by: String::new(),
        })
    }
}
