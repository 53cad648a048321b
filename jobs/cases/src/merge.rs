//! What a night brings is merged into the cases, set by set: however often the same night is merged, each row of evidence
//! is raised once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::NaiveDate;
use goyong_database::{ColumnKind, Load, Transaction, Value};

use crate::book::{CaseBook, text_of};
use crate::chain::{self, Draft};
use crate::draw::{ActiveClaim, Capacity, Drawn, draw};
use crate::error::CaseError;
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

/// The row of evidence `k` is the incoming row `i`.
macro_rules! same_evidence {
    () => {
        "k.rule_id = i.rule_id and k.subject_kind = i.subject_kind and k.subject_key = i.subject_key \
         and k.evidence_kind = i.evidence_kind and k.evidence_key = i.evidence_key"
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
     and not exists (select 1 from case_evidence k where ",
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
     where not exists (select 1 from case_evidence k where ",
    same_evidence!(),
    ")"
);

const WITHDRAW: &str = concat!(
    "update case_evidence as k set withdrawn_on = $1 where k.withdrawn_on is null and k.decided_in is null \
     and k.evidence_kind <> 'finding' \
     and not exists (select 1 from case_incoming_evidence i where ",
    same_evidence!(),
    ")"
);

const RAISE_AGAIN: &str = concat!(
    "update case_evidence as k set withdrawn_on = null where k.withdrawn_on is not null and k.decided_in is null \
     and exists (select 1 from case_incoming_evidence i where ",
    same_evidence!(),
    ")"
);

/// What was corrected about a row that nobody has decided yet.
const CORRECT: &str = concat!(
    "update case_evidence as k set rule_version = i.rule_version, severity = i.severity, subject_from = i.subject_from, \
     subject_to = i.subject_to, evidence_from = i.evidence_from, evidence_to = i.evidence_to, \
     amount_at_risk_won = i.amount_at_risk_won, known_on = i.known_on \
     from case_incoming_evidence i where ",
    same_evidence!(),
    " and k.decided_in is null and (k.rule_version <> i.rule_version or k.amount_at_risk_won <> i.amount_at_risk_won \
     or k.known_on <> i.known_on or coalesce(k.subject_from, '') <> coalesce(i.subject_from, '') \
     or coalesce(k.subject_to, '') <> coalesce(i.subject_to, '') \
     or coalesce(k.evidence_from, '') <> coalesce(i.evidence_from, '') \
     or coalesce(k.evidence_to, '') <> coalesce(i.evidence_to, ''))"
);

/// Cases that are no longer what their evidence says, with what it says.
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
        let on = [Value::from(&night)];
        summary.opened = transaction.execute(OPEN, &on).await.map_err(error)?;
        summary.evidence = transaction.execute(APPEND, &on).await.map_err(error)?;
        summary.withdrawn = transaction.execute(WITHDRAW, &on).await.map_err(error)?;
        transaction.execute(RAISE_AGAIN, &[]).await.map_err(error)?;
        transaction.execute(CORRECT, &[]).await.map_err(error)?;
        follow_evidence(&mut transaction, incoming.as_of, &mut summary).await?;
        summary.drawn = crate::draw::keep(&mut transaction, &night, &drawn).await?;
        crate::score::keep(&mut transaction, &incoming.scores).await?;
        let listed = crate::draw::list(&mut transaction, &night, &incoming.capacity).await?;
        (summary.listed, summary.suppressed) = listed;
        for table in [
            "delete from case_incoming",
            "delete from case_incoming_evidence",
            "delete from case_changes",
        ] {
            transaction.execute(table, &[]).await.map_err(error)?;
        }
        transaction.commit().await.map_err(error)?;
        Ok(summary)
    }
}

async fn load(
    transaction: &mut Transaction,
    incoming: &Incoming,
    drawn: &[Drawn],
) -> Result<(), CaseError> {
    let error = CaseError::database("load the night");
    for table in [
        "delete from case_incoming",
        "delete from case_incoming_evidence",
        "delete from case_changes",
    ] {
        transaction.execute(table, &[]).await.map_err(error)?;
    }
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

/// Brings the cases to what their evidence says, each change with its event.
async fn follow_evidence(
    transaction: &mut Transaction,
    as_of: NaiveDate,
    summary: &mut MergeSummary,
) -> Result<(), CaseError> {
    let error = CaseError::database("follow the evidence");
    let rows = transaction.query(TOUCHED, &[]).await.map_err(error)?;
    let at_ms = as_of
        .and_time(chrono::NaiveTime::MIN)
        .and_utc()
        .timestamp_millis();
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
        drafts.push(Draft {
            case_no: Some(case.case_no),
            at_ms,
            account: NIGHT.to_owned(),
            action,
            before: if is_new {
                "null".to_owned()
            } else {
                text_of(&case.state)?
            },
            after: text_of(&after)?,
            detail: "{}".to_owned(),
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

fn follow_candidate(
    row: &goyong_database::Row,
    after: &mut CaseState,
) -> Result<(), goyong_database::DatabaseError> {
    let at = |column: usize| CASE_COLUMNS + 3 + column;
    let day = |column: usize| -> Result<Option<NaiveDate>, goyong_database::DatabaseError> {
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
        .map_err(|_| goyong_database::DatabaseError::Column(at(1)))?;
    after.rules = row.text(at(2))?;
    after.amount_at_risk_won = row.integer(at(3))?;
    (after.first_on, after.last_on, after.known_on) = (day(4)?, day(5)?, day(6)?);
    Ok(())
}
