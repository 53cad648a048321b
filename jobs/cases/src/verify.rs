//! Finds what was changed past the book: the chain is hashed again, every case is replayed from its events, and the rows
//! that decisions and estimates rest on are compared with the digests that events tell ([`crate::digests`]).

use std::collections::BTreeMap;

use goyong_database::Transaction;

use crate::book::{CaseBook, text_of};
use crate::chain::{ChainHead, Event, event_query};
use crate::digests::Ledger;
use crate::error::CaseError;
use crate::record::{Case, case_columns};
use crate::state::{CaseState, State, is_among, may_follow};

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseAudit {
    /// Events read.
    pub events: u64,
    /// Cases read.
    pub cases: u64,
    /// What is wrong, by event or case. Empty means sound.
    pub problems: Vec<String>,
}

impl CaseBook {
    /// Verifies chain and cases. `known` are ends of the chain that were written down elsewhere: an event that was then
    /// the newest must still be what it was.
    pub async fn verify(&self, known: &[ChainHead]) -> Result<CaseAudit, CaseError> {
        let error = CaseError::database("verify the cases");
        // One picture of events and rows, whoever writes meanwhile.
        let mut transaction = self.database.begin().await.map_err(error)?;
        let report = verify(&mut transaction, known).await?;
        transaction.commit().await.map_err(error)?;
        Ok(report)
    }
}

pub(crate) async fn verify(
    transaction: &mut Transaction,
    known: &[ChainHead],
) -> Result<CaseAudit, CaseError> {
    let error = CaseError::database("verify the cases");
    let mut report = CaseAudit::default();
    let rows = transaction
        .query(concat!(event_query!(), " order by event_no"), &[])
        .await
        .map_err(error)?;
    let mut replayed: BTreeMap<i64, (i64, String)> = BTreeMap::new();
    let mut ledger = Ledger::default();
    let mut previous = ChainHead::default();
    let mut written_down: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for head in known.iter().filter(|head| head.event_no > 0) {
        written_down
            .entry(head.event_no)
            .or_default()
            .push(&head.hash);
    }
    for row in &rows {
        let event = Event::of(row).map_err(error)?;
        report.events += 1;
        check_link(&event, &previous, &mut report.problems);
        check_step(&event, &mut replayed, &mut report.problems);
        ledger.follow(&event, &mut report.problems);
        let expected = written_down.get(&event.event_no);
        if expected.is_some_and(|hashes| hashes.iter().any(|hash| *hash != event.hash)) {
            report.problems.push(format!(
                "event {} is not the one the access log knows",
                event.event_no
            ));
        }
        previous = ChainHead {
            event_no: event.event_no,
            hash: event.hash,
        };
    }
    if let Some(newest) = known.iter().map(|head| head.event_no).max()
        && newest > previous.event_no
    {
        report.problems.push(format!(
            "the chain ends with event {}, the access log knows event {newest}",
            previous.event_no
        ));
    }
    let sql = concat!("select ", case_columns!(), " from cases order by case_no");
    for row in transaction.query(sql, &[]).await.map_err(error)? {
        report.cases += 1;
        let case = match Case::of(&row) {
            Ok(case) => case,
            Err(unreadable) => {
                report.problems.push(unreadable.to_string());
                continue;
            }
        };
        let found = (case.last_event_no, text_of(&case.state)?);
        match replayed.remove(&case.case_no) {
            None => report
                .problems
                .push(format!("case {} has no event", case.case_no)),
            Some(expected) if expected != found => report.problems.push(format!(
                "case {} is not what its newest event, {}, left",
                case.case_no, expected.0
            )),
            Some(_) => {}
        }
    }
    for case_no in replayed.keys() {
        report
            .problems
            .push(format!("case {case_no} has events and is not there"));
    }
    check_decisions(transaction, &mut report.problems).await?;
    ledger.check(transaction, &mut report.problems).await?;
    Ok(report)
}

fn check_link(event: &Event, previous: &ChainHead, problems: &mut Vec<String>) {
    if event.hash != event.computed_hash() {
        problems.push(format!(
            "event {} was changed: its content does not have its hash",
            event.event_no
        ));
    }
    if event.event_no != previous.event_no + 1 {
        problems.push(format!(
            "event {} follows event {}: events are missing",
            event.event_no, previous.event_no
        ));
    }
    if event.previous_hash != previous.hash {
        problems.push(format!(
            "event {} does not follow event {}: one of the two was changed or moved",
            event.event_no, previous.event_no
        ));
    }
}

/// Looks at what an event did to its case.
fn check_step(
    event: &Event,
    replayed: &mut BTreeMap<i64, (i64, String)>,
    problems: &mut Vec<String>,
) {
    let Some(case_no) = event.case_no else {
        return;
    };
    let mut wrong = |what: &str| {
        problems.push(format!(
            "event {} of case {case_no}: {what}",
            event.event_no
        ));
    };
    let before = replayed
        .insert(case_no, (event.event_no, event.after.clone()))
        .map_or_else(|| "null".to_owned(), |(_, after)| after);
    if before != event.before {
        wrong("it begins with another state than the event before left");
    }
    let Ok(after) = serde_json::from_str::<CaseState>(&event.after) else {
        return wrong("it left no state");
    };
    if let Some(verifier) = &after.verifier
        && is_among(&after.worked_by, verifier)
    {
        wrong("its verifier investigated");
    }
    match serde_json::from_str::<Option<CaseState>>(&event.before) {
        Err(_) => wrong("it begins with no state"),
        Ok(None) if after.state != State::Pending => wrong("the case did not begin pending"),
        Ok(Some(before)) if !may_follow(before.state, after.state) => {
            wrong(&format!("{} does not become {}", before.state, after.state));
        }
        Ok(_) => {}
    }
}

/// Each decision stands in an event that closed its case, and the other way round.
async fn check_decisions(
    transaction: &mut Transaction,
    problems: &mut Vec<String>,
) -> Result<(), CaseError> {
    let error = CaseError::database("verify the decisions");
    let sql = "select case_no, after from case_events where action = 'close' order by event_no";
    let mut closed = BTreeMap::new();
    for row in transaction.query(sql, &[]).await.map_err(error)? {
        let text = row.text(1).map_err(error)?;
        if let Ok(state) = serde_json::from_str::<CaseState>(&text)
            && let Some(decision_no) = state.decision_no
        {
            closed.insert(decision_no, (row.integer(0).map_err(error)?, state));
        }
    }
    let sql = "select decision_no, case_no, outcome, investigator, verifier, notice_sent_on, reply_due_on, \
               reply_received_on, decided_on from case_decisions order by decision_no";
    for row in transaction.query(sql, &[]).await.map_err(error)? {
        let decision_no = row.integer(0).map_err(error)?;
        let Some((case_no, state)) = closed.remove(&decision_no) else {
            problems.push(format!("decision {decision_no} stands in no event"));
            continue;
        };
        let text = |column: usize| row.optional_text(column).map_err(error);
        let day = |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string());
        let found = [
            text(2)?,
            text(3)?,
            text(4)?,
            text(5)?,
            text(6)?,
            text(7)?,
            text(8)?,
        ];
        let expected = [
            state.outcome.map(|outcome| outcome.word().to_owned()),
            state.investigator.clone(),
            state.verifier.clone(),
            day(state.notice_sent_on),
            day(state.reply_due_on),
            day(state.reply_received_on),
            day(state.closed_on),
        ];
        if case_no != row.integer(1).map_err(error)? || found != expected {
            problems.push(format!(
                "decision {decision_no} is not what the event that closed case {case_no} says"
            ));
        }
    }
    for decision_no in closed.keys() {
        problems.push(format!("decision {decision_no} is missing"));
    }
    Ok(())
}
