//! What a night brings is merged into the cases, set by set: however often the same night is merged, each row of evidence
//! is raised once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use goyong_database::{ColumnKind, DatabaseError, Load, Row, Transaction, Value};
use serde_json::json;

use crate::book::{CaseBook, text_of};
use crate::chain::{self, Draft};
use crate::digests::{self, Told, evidence_columns};
use crate::draw::{ActiveClaim, Capacity, Drawn, draw};
use crate::error::CaseError;
use crate::permit;
use crate::record::{CASE_COLUMNS, Case, STATE_COLUMNS, case_columns, day_value, state_values};
use crate::score::IncomingScore;
use crate::state::{CaseState, Severity, State};

/// Who merges, in events.
pub const NIGHT: &str = "night";

/// A row of evidence that nothing on record explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingEvidence {
    /// The case it belongs to.
    pub pivot_key: String,
    /// The rule.
    pub rule_id: String,
    /// Its version.
    pub rule_version: i64,
    /// What is questioned.
    pub subject_kind: String,
    /// Which one.
    pub subject_key: String,
    /// What speaks for it.
    pub evidence_kind: String,
    /// Which one.
    pub evidence_key: String,
    /// Whom it is about.
    pub person_key: Option<i64>,
    /// The claim, where there is one.
    pub claim_no: Option<String>,
    /// How urgent.
    pub severity: String,
    /// First questioned day.
    pub subject_from: Option<NaiveDate>,
    /// Last questioned day.
    pub subject_to: Option<NaiveDate>,
    /// First day of the evidence.
    pub evidence_from: Option<NaiveDate>,
    /// Last day of the evidence.
    pub evidence_to: Option<NaiveDate>,
    /// Won at risk.
    pub amount_at_risk_won: i64,
    /// When it became known.
    pub known_on: NaiveDate,
}

/// A group of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingCandidate {
    /// What it is about.
    pub pivot_key: String,
    /// `person`, `workplace` or `ring`.
    pub pivot_kind: String,
    /// The person, for a case about one.
    pub person_key: Option<i64>,
    /// The centre that will look.
    pub centre: String,
    /// Rules, joined by commas.
    pub rules: String,
    /// How urgent.
    pub severity: Severity,
    /// Won at risk.
    pub amount_at_risk_won: i64,
    /// First day in question.
    pub first_on: Option<NaiveDate>,
    /// Last day in question.
    pub last_on: Option<NaiveDate>,
    /// When the newest evidence became known.
    pub known_on: Option<NaiveDate>,
}

/// All a night brings.
#[derive(Debug, Clone, Default)]
pub struct Incoming {
    /// The night's day.
    pub as_of: NaiveDate,
    /// Evidence that counts.
    pub evidence: Vec<IncomingEvidence>,
    /// Its groups.
    pub candidates: Vec<IncomingCandidate>,
    /// Every active claim, whether anything speaks against it or not.
    pub active_claims: Vec<ActiveClaim>,
    /// What the centres can do.
    pub capacity: Capacity,
    /// Makes the draw one that nobody foretells.
    pub secret: String,
    /// Order cases of one severity; none where no model serves.
    pub scores: Vec<IncomingScore>,
}

/// What a merge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergeSummary {
    /// Cases that are new.
    pub opened: u64,
    /// Closed cases that new evidence reopened.
    pub reopened: u64,
    /// Open cases whose evidence changed.
    pub updated: u64,
    /// Rows of evidence that are new.
    pub evidence: u64,
    /// Rows that are no longer raised.
    pub withdrawn: u64,
    /// Claims newly drawn at random.
    pub drawn: u64,
    /// Cases on the list of the night.
    pub listed: u64,
    /// Cases held back by a suppression.
    pub suppressed: u64,
}

static INCOMING: LazyLock<Load> = LazyLock::new(|| {
    use ColumnKind::{Integer, Text};
    Load::into(
        "case_incoming",
        &[
            ("pivot_key", Text),
            ("pivot_kind", Text),
            ("person_key", Integer),
            ("centre", Text),
            ("rules", Text),
            ("severity", Text),
            ("amount_at_risk_won", Integer),
            ("first_on", Text),
            ("last_on", Text),
            ("known_on", Text),
            ("is_drawn", Integer),
        ],
    )
});

static INCOMING_EVIDENCE: LazyLock<Load> = LazyLock::new(|| {
    use ColumnKind::{Integer, Text};
    Load::into(
        "case_incoming_evidence",
        &[
            ("rule_id", Text),
            ("subject_kind", Text),
            ("subject_key", Text),
            ("evidence_kind", Text),
            ("evidence_key", Text),
            ("pivot_key", Text),
            ("rule_version", Integer),
            ("person_key", Integer),
            ("claim_no", Text),
            ("severity", Text),
            ("subject_from", Text),
            ("subject_to", Text),
            ("evidence_from", Text),
            ("evidence_to", Text),
            ("amount_at_risk_won", Integer),
            ("known_on", Text),
        ],
    )
});

static TOUCHED_CASES: LazyLock<Load> =
    LazyLock::new(|| Load::into("case_touched", &[("case_no", ColumnKind::Integer)]));

static CHANGES: LazyLock<Load> = LazyLock::new(|| {
    use ColumnKind::{Integer, Text};
    let mut columns = vec![("case_no", Integer), ("event_no", Integer)];
    for column in STATE_COLUMNS {
        let is_number =
            column.ends_with("_count") || column.ends_with("_won") || column.ends_with("_no");
        let is_number = is_number || column == "evidence_sum";
        columns.push((column, if is_number { Integer } else { Text }));
    }
    Load::into("case_changes", &columns)
});

/// The row of evidence is the incoming row `i`. It has no alias, as SQLite knows none behind `returning`.
macro_rules! same_evidence {
    () => {
        "case_evidence.rule_id = i.rule_id and case_evidence.subject_kind = i.subject_kind \
         and case_evidence.subject_key = i.subject_key and case_evidence.evidence_kind = i.evidence_kind \
         and case_evidence.evidence_key = i.evidence_key"
    };
}

/// A case for each pivot that nobody knows and that brings evidence nobody knows, or was drawn.
const OPEN: &str = concat!(
    "insert into cases (case_no, pivot_kind, pivot_key, person_key, opened_on, state, centre, severity, rules, \
     evidence_count, undecided_count, evidence_sum, amount_at_risk_won, worked_by, appeal, last_event_no) \
     select (select coalesce(max(case_no), 0) from cases) + row_number() over (order by n.pivot_key), \
     n.pivot_kind, n.pivot_key, n.person_key, cast($1 as text), 'pending', n.centre, n.severity, n.rules, \
     0, 0, 0, 0, '', 'none', 0 \
     from case_incoming n \
     where not exists (select 1 from cases c where c.pivot_key = n.pivot_key) \
     and (n.is_drawn = 1 or exists (select 1 from case_incoming_evidence i where i.pivot_key = n.pivot_key \
     and not exists (select 1 from case_evidence where ",
    same_evidence!(),
    ")))"
);

const APPEND: &str = concat!(
    "insert into case_evidence (evidence_no, case_no, rule_id, rule_version, subject_kind, subject_key, evidence_kind, \
     evidence_key, person_key, claim_no, severity, subject_from, subject_to, evidence_from, evidence_to, \
     amount_at_risk_won, known_on, first_seen_on) \
     select (select coalesce(max(evidence_no), 0) from case_evidence) + row_number() over (order by c.case_no, i.rule_id, \
     i.subject_kind, i.subject_key, i.evidence_kind, i.evidence_key), c.case_no, i.rule_id, i.rule_version, \
     i.subject_kind, i.subject_key, i.evidence_kind, i.evidence_key, i.person_key, i.claim_no, i.severity, \
     i.subject_from, i.subject_to, i.evidence_from, i.evidence_to, i.amount_at_risk_won, i.known_on, cast($1 as text) \
     from case_incoming_evidence i join cases c on c.pivot_key = i.pivot_key \
     where not exists (select 1 from case_evidence where ",
    same_evidence!(),
    ") returning ",
    evidence_columns!()
);

const WITHDRAW: &str = concat!(
    "update case_evidence set withdrawn_on = $1 where case_evidence.withdrawn_on is null and case_evidence.decided_in is null \
     and case_evidence.evidence_kind <> 'finding' \
     and not exists (select 1 from case_incoming_evidence i where ",
    same_evidence!(),
    ") returning ",
    evidence_columns!()
);

const RAISE_AGAIN: &str = concat!(
    "update case_evidence set withdrawn_on = null where case_evidence.withdrawn_on is not null and case_evidence.decided_in is null \
     and exists (select 1 from case_incoming_evidence i where ",
    same_evidence!(),
    ") returning ",
    evidence_columns!()
);

/// What was corrected about a row that nobody has decided yet.
const CORRECT: &str = concat!(
    "update case_evidence set rule_version = i.rule_version, severity = i.severity, subject_from = i.subject_from, \
     subject_to = i.subject_to, evidence_from = i.evidence_from, evidence_to = i.evidence_to, \
     amount_at_risk_won = i.amount_at_risk_won, known_on = i.known_on \
     from case_incoming_evidence i where ",
    same_evidence!(),
    " and case_evidence.decided_in is null and (case_evidence.rule_version <> i.rule_version or case_evidence.amount_at_risk_won <> i.amount_at_risk_won \
     or case_evidence.known_on <> i.known_on or coalesce(case_evidence.subject_from, '') <> coalesce(i.subject_from, '') \
     or coalesce(case_evidence.subject_to, '') <> coalesce(i.subject_to, '') \
     or coalesce(case_evidence.evidence_from, '') <> coalesce(i.evidence_from, '') \
     or coalesce(case_evidence.evidence_to, '') <> coalesce(i.evidence_to, '')) returning ",
    evidence_columns!()
);

/// Cases that are no longer what their evidence says, or whose evidence changed, with what it says.
const TOUCHED: &str = concat!(
    "select ",
    case_columns!(),
    ", coalesce(a.live, 0), coalesce(a.undecided, 0), coalesce(a.numbers, 0), \
     n.centre, n.severity, n.rules, n.amount_at_risk_won, n.first_on, n.last_on, n.known_on \
     from cases \
     left join (select case_no, count(*) as live, \
     cast(sum(case when decided_in is null then 1 else 0 end) as bigint) as undecided, \
     cast(sum(evidence_no) as bigint) as numbers \
     from case_evidence where withdrawn_on is null group by case_no) a on a.case_no = cases.case_no \
     left join case_incoming n on n.pivot_key = cases.pivot_key and n.rules <> '' \
     where cases.last_event_no = 0 \
     or exists (select 1 from case_touched t where t.case_no = cases.case_no) \
     or coalesce(a.undecided, 0) <> cases.undecided_count \
     or coalesce(a.numbers, 0) <> cases.evidence_sum \
     or (a.undecided > 0 and (n.severity <> cases.severity or n.rules <> cases.rules \
     or n.amount_at_risk_won <> cases.amount_at_risk_won or n.known_on <> coalesce(cases.known_on, '') \
     or n.first_on <> coalesce(cases.first_on, '') or n.last_on <> coalesce(cases.last_on, ''))) \
     order by cases.case_no"
);

const CHANGE: &str = "update cases set last_event_no = h.event_no, state = h.state, centre = h.centre, \
    severity = h.severity, rules = h.rules, evidence_count = h.evidence_count, undecided_count = h.undecided_count, \
    evidence_sum = h.evidence_sum, amount_at_risk_won = h.amount_at_risk_won, first_on = h.first_on, \
    last_on = h.last_on, known_on = h.known_on, investigator = h.investigator, worked_by = h.worked_by, \
    verifier = h.verifier, snoozed_until = h.snoozed_until, notice_sent_on = h.notice_sent_on, \
    reply_due_on = h.reply_due_on, reply_received_on = h.reply_received_on, outcome = h.outcome, \
    closed_on = h.closed_on, decision_no = h.decision_no, appeal = h.appeal \
    from case_changes h where cases.case_no = h.case_no";

impl CaseBook {
    /// Merges what a night brings: new evidence appends, what nobody decided follows its corrections, a closed case
    /// reopens on new evidence only, and what was decided is raised never again. Then lists what each centre is to do.
    ///
    /// All of it is one transaction: a night that dies is merged again.
    pub async fn merge(&self, incoming: &Incoming) -> Result<MergeSummary, CaseError> {
        let error = CaseError::database("merge the night");
        let night = incoming.as_of.to_string();
        let mut summary = MergeSummary::default();
        let mut transaction = self.database.begin().await.map_err(error)?;
        let drawn = draw(&mut transaction, incoming).await?;
        load(&mut transaction, incoming, &drawn).await?;
        permit::grant(&mut transaction, "night").await?;
        let on = [Value::from(&night)];
        summary.opened = transaction.execute(OPEN, &on).await.map_err(error)?;
        let appended = transaction.query(APPEND, &on).await.map_err(error)?;
        let withdrawn = transaction.query(WITHDRAW, &on).await.map_err(error)?;
        let raised_again = transaction.query(RAISE_AGAIN, &[]).await.map_err(error)?;
        let corrected = transaction.query(CORRECT, &[]).await.map_err(error)?;
        summary.evidence = appended.len() as u64;
        summary.withdrawn = withdrawn.len() as u64;
        // In order: a row that is raised again and corrected is told as it is then.
        let told = told_by_case([appended, withdrawn, raised_again, corrected]).map_err(error)?;
        follow_evidence(&mut transaction, incoming.as_of, told, &mut summary).await?;
        let before = told_of_night(&mut transaction, &night).await?;
        summary.drawn = crate::draw::keep(&mut transaction, &night, &drawn).await?;
        crate::score::keep(&mut transaction, &incoming.scores, &night).await?;
        let listed = crate::draw::list(&mut transaction, &night, &incoming.capacity).await?;
        (summary.listed, summary.suppressed) = listed;
        permit::revoke(&mut transaction).await?;
        let after = told_of_night(&mut transaction, &night).await?;
        let rows = digests::changed(&before, after);
        if !rows.is_empty() {
            let draft = Draft {
                case_no: None,
                at_ms: at_ms(incoming.as_of),
                account: NIGHT.to_owned(),
                action: "list",
                before: "null".to_owned(),
                after: json!({ "night": night, "cases": summary.listed }).to_string(),
                detail: json!({ "rows": rows }).to_string(),
            };
            chain::append(&mut transaction, vec![draft]).await?;
        }
        empty_what_comes(&mut transaction).await?;
        transaction.commit().await.map_err(error)?;
        Ok(summary)
    }
}

/// Empties the tables that are in use during a merge only.
async fn empty_what_comes(transaction: &mut Transaction) -> Result<(), CaseError> {
    for table in [
        "delete from case_incoming",
        "delete from case_incoming_evidence",
        "delete from case_changes",
        "delete from case_touched",
    ] {
        transaction
            .execute(table, &[])
            .await
            .map_err(CaseError::database("empty what a night brought"))?;
    }
    Ok(())
}

/// Digests of changed evidence, by case. Of a row that comes twice the later one counts.
fn told_by_case(changed: [Vec<Row>; 4]) -> Result<BTreeMap<i64, Told>, DatabaseError> {
    let mut newest: BTreeMap<i64, Row> = BTreeMap::new();
    for row in changed.into_iter().flatten() {
        newest.insert(row.integer(0)?, row);
    }
    let mut told: BTreeMap<i64, Told> = BTreeMap::new();
    for row in newest.values() {
        told.entry(row.integer(1)?)
            .or_default()
            .extend(digests::digests_of("evidence", [row])?);
    }
    Ok(told)
}

/// Digests of what was drawn and listed in a night.
async fn told_of_night(transaction: &mut Transaction, night: &str) -> Result<Told, CaseError> {
    let on = [night.into()];
    let sql = concat!(digests::rows_of!(draws), " where night = $1");
    let mut told = digests::read(transaction, "draws", sql, &on).await?;
    let sql = concat!(digests::rows_of!(list), " where night = $1");
    told.extend(digests::read(transaction, "list", sql, &on).await?);
    Ok(told)
}

/// The time of what a night did: its day.
fn at_ms(as_of: NaiveDate) -> i64 {
    as_of
        .and_time(chrono::NaiveTime::MIN)
        .and_utc()
        .timestamp_millis()
}

async fn load(
    transaction: &mut Transaction,
    incoming: &Incoming,
    drawn: &[Drawn],
) -> Result<(), CaseError> {
    let error = CaseError::database("load the night");
    empty_what_comes(transaction).await?;
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let evidence: Vec<Vec<Value>> = incoming
        .evidence
        .iter()
        .map(|row| {
            vec![
                (&row.rule_id).into(),
                (&row.subject_kind).into(),
                (&row.subject_key).into(),
                (&row.evidence_kind).into(),
                (&row.evidence_key).into(),
                (&row.pivot_key).into(),
                row.rule_version.into(),
                row.person_key.into(),
                text(&row.claim_no),
                (&row.severity).into(),
                day_value(row.subject_from),
                day_value(row.subject_to),
                day_value(row.evidence_from),
                day_value(row.evidence_to),
                row.amount_at_risk_won.into(),
                day_value(Some(row.known_on)),
            ]
        })
        .collect();
    let mut pivots: BTreeMap<String, Vec<Value>> = incoming
        .candidates
        .iter()
        .map(|candidate| {
            let row = vec![
                (&candidate.pivot_key).into(),
                (&candidate.pivot_kind).into(),
                candidate.person_key.into(),
                (&candidate.centre).into(),
                (&candidate.rules).into(),
                candidate.severity.word().into(),
                candidate.amount_at_risk_won.into(),
                day_value(candidate.first_on),
                day_value(candidate.last_on),
                day_value(candidate.known_on),
                0i64.into(),
            ];
            (candidate.pivot_key.clone(), row)
        })
        .collect();
    for claim in drawn {
        let pivot = claim.pivot_key();
        let row = pivots.entry(pivot.clone()).or_insert_with(|| {
            vec![
                pivot.into(),
                claim.pivot_kind().into(),
                claim.person_key().into(),
                (&claim.centre).into(),
                "".into(),
                Severity::Low.word().into(),
                0i64.into(),
                Value::Null,
                Value::Null,
                Value::Null,
                0i64.into(),
            ]
        });
        if let Some(is_drawn) = row.last_mut() {
            *is_drawn = 1i64.into();
        }
    }
    let pivots: Vec<Vec<Value>> = pivots.into_values().collect();
    transaction.load(&INCOMING, &pivots).await.map_err(error)?;
    transaction
        .load(&INCOMING_EVIDENCE, &evidence)
        .await
        .map_err(error)
}

/// Brings the cases to what their evidence says, each change with its event. `told` are the digests of evidence that changed,
/// by case.
async fn follow_evidence(
    transaction: &mut Transaction,
    as_of: NaiveDate,
    mut told: BTreeMap<i64, Told>,
    summary: &mut MergeSummary,
) -> Result<(), CaseError> {
    let error = CaseError::database("follow the evidence");
    let touched: Vec<Vec<Value>> = told.keys().map(|case_no| vec![(*case_no).into()]).collect();
    transaction
        .load(&TOUCHED_CASES, &touched)
        .await
        .map_err(error)?;
    let sql = concat!(digests::rows_of!(case), " where last_event_no = 0");
    let mut subjects = digests::read(transaction, "case", sql, &[]).await?;
    let rows = transaction.query(TOUCHED, &[]).await.map_err(error)?;
    let (mut drafts, mut changes) = (Vec::new(), Vec::new());
    for row in &rows {
        let case = Case::of(row)?;
        let mut after = case.state.clone();
        let figure = |column: usize| row.integer(CASE_COLUMNS + column).map_err(error);
        (
            after.evidence_count,
            after.undecided_count,
            after.evidence_sum,
        ) = (figure(0)?, figure(1)?, figure(2)?);
        let has_candidate = !row.is_null(CASE_COLUMNS + 4);
        if has_candidate && (after.undecided_count > 0 || case.last_event_no == 0) {
            follow_candidate(row, &mut after).map_err(error)?;
        }
        let is_new = case.last_event_no == 0;
        let action = if is_new {
            "open"
        } else if after.state == State::Closed && after.undecided_count > 0 {
            after.reopen();
            summary.reopened += 1;
            "reopen"
        } else {
            summary.updated += 1;
            "update"
        };
        let mut rows = told.remove(&case.case_no).unwrap_or_default();
        rows.extend(subjects.remove_entry(&format!("case/{}", case.case_no)));
        drafts.push(Draft {
            case_no: Some(case.case_no),
            at_ms: at_ms(as_of),
            account: NIGHT.to_owned(),
            action,
            before: if is_new {
                "null".to_owned()
            } else {
                text_of(&case.state)?
            },
            after: text_of(&after)?,
            detail: if rows.is_empty() {
                "{}".to_owned()
            } else {
                json!({ "rows": rows }).to_string()
            },
        });
        changes.push((case.case_no, after));
    }
    let first = chain::append(transaction, drafts).await?;
    let rows: Vec<Vec<Value>> = changes
        .iter()
        .zip(first..)
        .map(|((case_no, after), event_no): (&(i64, CaseState), i64)| {
            let mut values = vec![(*case_no).into(), event_no.into()];
            values.extend(state_values(after));
            values
        })
        .collect();
    transaction.load(&CHANGES, &rows).await.map_err(error)?;
    transaction.execute(CHANGE, &[]).await.map_err(error)?;
    Ok(())
}

fn follow_candidate(row: &Row, after: &mut CaseState) -> Result<(), DatabaseError> {
    let at = |column: usize| CASE_COLUMNS + 3 + column;
    let day = |column: usize| -> Result<Option<NaiveDate>, DatabaseError> {
        Ok(row
            .optional_text(at(column))?
            .and_then(|day| day.parse().ok()))
    };
    // A case that somebody works on stays where it is worked on.
    if after.investigator.is_none() {
        after.centre = row.text(at(0))?;
    }
    after.severity = row
        .text(at(1))?
        .parse()
        .map_err(|_| DatabaseError::Column(at(1)))?;
    after.rules = row.text(at(2))?;
    after.amount_at_risk_won = row.integer(at(3))?;
    (after.first_on, after.last_on, after.known_on) = (day(4)?, day(5)?, day(6)?);
    Ok(())
}
