//! Officers, people with a database client, and what neither can do.

use goyong_database::Value;

use super::{Place, act, all, day, evidence, later, night, on_both};
use crate::verify::verify;
use crate::{Appeal, CaseError, ChainHead, Command, Finding, Outcome, State};

/// Whether somebody was burdened who could not answer.
fn is_unheard(state: &crate::CaseState) -> bool {
    let is_adverse = state.outcome.is_some_and(Outcome::is_adverse);
    let had_time = state.reply_due_on.is_some() && state.reply_due_on < state.closed_on;
    is_adverse
        && (state.notice_sent_on.is_none() || (state.reply_received_on.is_none() && !had_time))
}

on_both!(
    a_case_goes_its_way_and_every_step_is_kept,
    an_adverse_outcome_needs_notice_reply_reason_and_opened_evidence,
    statements_of_a_client_are_refused_or_found,
    what_no_rule_raised_is_recorded_and_decided,
    random_sequences_break_no_rule_and_lose_no_event,
);

const REASON: &str = "worked at the shop on days certified as unemployed";

fn close(outcome: Outcome, evidence: &[i64]) -> Command {
    Command::Close {
        outcome,
        reason: REASON.to_owned(),
        evidence: evidence.to_vec(),
    }
}

fn to(state: State) -> Command {
    Command::Move { to: state }
}

async fn with_cases(place: &Place, persons: i64) {
    let rows = (0..persons).flat_map(|person| [evidence(person, 0), evidence(person, 1)]);
    place
        .book
        .merge(&night("2024-03-01", rows.collect()))
        .await
        .unwrap();
}

async fn refused(
    place: &Place,
    case_no: i64,
    command: &Command,
    account: &str,
    on: &str,
) -> String {
    match place
        .book
        .apply(case_no, command, &act(account, day(on)))
        .await
    {
        Err(CaseError::Refused(why)) => why,
        other => panic!("{command:?} by {account}: {other:?}"),
    }
}

async fn a_case_goes_its_way_and_every_step_is_kept(place: Place) {
    with_cases(&place, 1).await;
    let book = &place.book;
    assert!(
        refused(
            &place,
            1,
            &to(State::AwaitingVerification),
            "kim",
            "2024-03-02"
        )
        .await
        .contains("pending")
    );
    assert!(
        refused(&place, 1, &to(State::Closed), "kim", "2024-03-02")
            .await
            .contains("alerts close")
    );
    let assign = Command::Assign {
        investigator: "kim".to_owned(),
    };
    book.apply(1, &assign, &act("chief", day("2024-03-02")))
        .await
        .unwrap();
    assert!(
        refused(&place, 1, &to(State::Investigating), "choi", "2024-03-02")
            .await
            .contains("kim")
    );
    book.apply(1, &to(State::Investigating), &act("kim", day("2024-03-02")))
        .await
        .unwrap();
    let assign = Command::Assign {
        investigator: "choi".to_owned(),
    };
    book.apply(1, &assign, &act("chief", day("2024-03-03")))
        .await
        .unwrap();
    book.apply(
        1,
        &to(State::AwaitingVerification),
        &act("choi", day("2024-03-04")),
    )
    .await
    .unwrap();
    for account in ["choi", "kim"] {
        let why = refused(
            &place,
            1,
            &close(Outcome::FalsePositive, &[]),
            account,
            "2024-03-05",
        )
        .await;
        assert!(why.contains("somebody else verifies"), "{why}");
    }
    let closed = book
        .apply(
            1,
            &close(Outcome::FalsePositive, &[]),
            &act("lee", day("2024-03-05")),
        )
        .await
        .unwrap();
    assert_eq!(
        (closed.state.state, closed.state.decision_no),
        (State::Closed, Some(1))
    );
    let actions: Vec<String> = book
        .events(Some(1))
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.action)
        .collect();
    assert_eq!(
        actions,
        ["open", "assign", "move", "assign", "move", "close"]
    );
    let report = book.verify(&[book.head().await.unwrap()]).await.unwrap();
    assert_eq!(
        (report.events, report.cases, report.problems.len()),
        (6, 1, 0)
    );
}

async fn an_adverse_outcome_needs_notice_reply_reason_and_opened_evidence(place: Place) {
    with_cases(&place, 1).await;
    let book = &place.book;
    let fraud = close(Outcome::ConfirmedFraud, &[1]);
    book.apply(1, &to(State::Investigating), &act("kim", day("2024-03-02")))
        .await
        .unwrap();
    let notice = |due: &str| Command::SendNotice {
        sent_on: day("2024-03-03"),
        reply_due_on: day(due),
    };
    let why = refused(&place, 1, &notice("2024-03-10"), "kim", "2024-03-03").await;
    assert!(why.contains("10 days"), "{why}");
    book.apply(
        1,
        &to(State::AwaitingVerification),
        &act("kim", day("2024-03-03")),
    )
    .await
    .unwrap();
    assert!(
        refused(&place, 1, &fraud, "lee", "2024-03-04")
            .await
            .contains("no notice")
    );
    book.apply(1, &notice("2024-03-13"), &act("kim", day("2024-03-03")))
        .await
        .unwrap();
    assert!(
        refused(&place, 1, &fraud, "lee", "2024-03-13")
            .await
            .contains("until 2024-03-13")
    );
    assert!(
        refused(&place, 1, &fraud, "lee", "2024-03-14")
            .await
            .contains("opened")
    );
    // The verifier's own look is none of the investigator's.
    book.open_evidence(1, &act("lee", day("2024-03-14")))
        .await
        .unwrap();
    assert!(
        refused(&place, 1, &fraud, "lee", "2024-03-14")
            .await
            .contains("opened")
    );
    book.open_evidence(1, &act("kim", day("2024-03-14")))
        .await
        .unwrap();
    let short = Command::Close {
        outcome: Outcome::ConfirmedFraud,
        reason: "worked".to_owned(),
        evidence: vec![1],
    };
    assert!(
        refused(&place, 1, &short, "lee", "2024-03-14")
            .await
            .contains("20 characters")
    );
    assert!(
        refused(
            &place,
            1,
            &close(Outcome::ConfirmedFraud, &[99]),
            "lee",
            "2024-03-14"
        )
        .await
        .contains("belong")
    );
    let appeal = |state| Command::Appeal {
        state,
        reason: "appeal 17".to_owned(),
    };
    assert!(
        book.apply(1, &appeal(Appeal::Filed), &act("lee", day("2024-03-14")))
            .await
            .is_err()
    );
    book.apply(1, &fraud, &act("lee", day("2024-03-14")))
        .await
        .unwrap();
    assert!(
        book.apply(
            1,
            &appeal(Appeal::Overturned),
            &act("lee", day("2024-04-01"))
        )
        .await
        .is_err()
    );
    book.apply(1, &appeal(Appeal::Filed), &act("lee", day("2024-04-01")))
        .await
        .unwrap();
    book.apply(
        1,
        &appeal(Appeal::Overturned),
        &act("lee", day("2024-05-01")),
    )
    .await
    .unwrap();
    let labels = book.labels().await.unwrap();
    assert_eq!(labels.len(), 2, "all evidence of the case is decided");
    assert!(
        labels
            .iter()
            .all(|label| label.outcome == "confirmed_fraud" && label.appeal == "overturned")
    );
    assert_eq!(
        book.estimates().await.unwrap().precision.unwrap().value,
        0.0
    );
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

/// What somebody with a database client may try on case `$1`.
const ATTEMPTS: [&str; 22] = [
    "update cases set state = 'closed' where case_no = $1",
    "update cases set state = 'closed', outcome = 'confirmed_fraud', closed_on = '2024-03-02', verifier = 'x', \
     investigator = 'y', decision_no = 1 where case_no = $1",
    "update cases set state = 'awaiting_verification', investigator = 'y' where case_no = $1 and state = 'pending'",
    "update cases set severity = 'low', rules = 'F99' where case_no = $1",
    "update cases set verifier = investigator where case_no = $1 and state = 'closed'",
    "update cases set worked_by = 'nobody' where case_no = $1",
    "update cases set outcome = 'valuable_alert' where case_no = $1 and outcome = 'false_positive'",
    "update cases set notice_sent_on = '2024-01-01' where case_no = $1 and notice_sent_on is null",
    "update cases set last_event_no = 0 where case_no = $1",
    "update cases set last_event_no = last_event_no + 100000, severity = 'low' where case_no = $1",
    "update cases set amount_at_risk_won = amount_at_risk_won + 1 where case_no = $1",
    "delete from cases where case_no = $1",
    "delete from case_evidence where case_no = $1",
    "update case_evidence set decided_in = null where case_no = $1 and decided_in is not null",
    "update case_evidence set rule_id = 'F99' where case_no = $1",
    "delete from case_events where case_no = $1",
    "update case_events set account = 'somebody' where case_no = $1",
    "update case_events set after = before where case_no = $1",
    "insert into case_events (event_no, case_no, at_ms, account, action, before, after, detail, previous_hash, hash) \
     select 1 + max(event_no), cast($1 as bigint), 0, 'x', 'note', '{}', '{}', '{}', '', 'forged' from case_events",
    "insert into case_events (event_no, case_no, at_ms, account, action, before, after, detail, previous_hash, hash) \
     select event_no + 1, case_no, at_ms, 'x', action, before, after, detail, hash, 'forged' from case_events \
     where event_no = (select max(event_no) from case_events) and cast($1 as bigint) > 0",
    "insert into case_decisions (decision_no, case_no, decided_on, outcome, reason, investigator, verifier) \
     values (9999, $1, '2024-03-02', 'confirmed_fraud', 'because it must be so, clearly', 'x', 'y')",
    "insert into case_decisions (decision_no, case_no, decided_on, outcome, reason, investigator, verifier) \
     values (9999, $1, '2024-03-02', 'false_positive', 'a favour', 'x', 'y')",
];

/// Tries a statement in a transaction that is dropped: it must fail, change nothing, or be found. Answers whether it was
/// refused.
async fn attempt(place: &Place, sql: &'static str, case_no: i64) -> bool {
    let mut transaction = place.book.database.begin().await.unwrap();
    match transaction.execute(sql, &[Value::Integer(case_no)]).await {
        Err(_) => true,
        Ok(0) => false,
        Ok(_) => {
            let report = verify(&mut transaction, &[]).await.unwrap();
            assert!(
                !report.problems.is_empty(),
                "neither refused nor found: {sql}"
            );
            false
        }
    }
}

async fn statements_of_a_client_are_refused_or_found(place: Place) {
    with_cases(&place, 2).await;
    let mut refused = 0;
    for sql in ATTEMPTS {
        refused += usize::from(attempt(&place, sql, 1).await);
    }
    assert!(
        refused >= 12,
        "{refused} attempts were refused by the database itself"
    );
    assert!(place.book.verify(&[]).await.unwrap().problems.is_empty());
    // Somebody takes the guards away and edits one letter: the event is named.
    let mut transaction = place.book.database.begin().await.unwrap();
    let unguard = transaction.text_of(goyong_database::Dialects {
        sqlite: "drop trigger case_event_refuses_update",
        postgres: "drop trigger case_event_refuses_update on case_events",
    });
    transaction.script(unguard).await.unwrap();
    let edit = "update case_events set account = 'nigh7' where event_no = 2";
    assert_eq!(transaction.execute(edit, &[]).await.unwrap(), 1);
    let problems = verify(&mut transaction, &[]).await.unwrap().problems;
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].starts_with("event 2 was changed"),
        "{problems:?}"
    );
    drop(transaction);
    // Or hashes it again, which no longer is what was written down elsewhere.
    let known = ChainHead {
        event_no: 2,
        hash: "of another day".to_owned(),
    };
    let problems = place.book.verify(&[known]).await.unwrap().problems;
    assert!(problems[0].contains("event 2"), "{problems:?}");
    let cut = ChainHead {
        event_no: 3,
        hash: String::new(),
    };
    assert!(!place.book.verify(&[cut]).await.unwrap().problems.is_empty());
}

fn finding(record: &str) -> Finding {
    Finding {
        rule_id: "F02".to_owned(),
        claim_no: "C0".to_owned(),
        record: record.to_owned(),
        from_on: day("2024-01-10"),
        to_on: day("2024-01-20"),
        amount_at_risk_won: 640_000,
    }
}

async fn what_no_rule_raised_is_recorded_and_decided(place: Place) {
    let book = &place.book;
    let mut incoming = night("2024-03-01", Vec::new());
    incoming.active_claims = super::claims(4);
    incoming.capacity.random_basis_points = 10_000;
    assert_eq!(book.merge(&incoming).await.unwrap().drawn, 4);
    let apply = async |command: &Command, account: &str, on: &str| {
        book.apply(1, command, &act(account, day(on))).await
    };
    let find = |record: &str| Command::Find(finding(record));
    let why = refused(&place, 1, &find("protocol 7"), "kim", "2024-03-02").await;
    assert!(why.contains("nobody investigates"), "{why}");
    apply(&to(State::Investigating), "kim", "2024-03-02")
        .await
        .unwrap();
    for (command, part) in [
        (find("letter of 1234567890123"), "resident number"),
        (find(" "), "is empty"),
        (
            Command::Find(Finding {
                rule_id: "fraud".to_owned(),
                ..finding("a")
            }),
            "no kind of fraud",
        ),
        (
            Command::Find(Finding {
                to_on: day("2024-01-09"),
                ..finding("a")
            }),
            "lies after",
        ),
        (
            Command::Find(Finding {
                to_on: day("2024-03-09"),
                ..finding("a")
            }),
            "in the future",
        ),
    ] {
        let why = refused(&place, 1, &command, "kim", "2024-03-02").await;
        assert!(why.contains(part), "{why}");
    }
    let why = refused(&place, 1, &find("protocol 7"), "lee", "2024-03-02").await;
    assert!(why.contains("kim investigates"), "{why}");
    let found = apply(&find("protocol 7"), "kim", "2024-03-02")
        .await
        .unwrap();
    assert_eq!(
        (found.state.evidence_count, found.state.undecided_count),
        (1, 1)
    );
    assert_eq!(found.state.amount_at_risk_won, 640_000);
    let why = refused(&place, 1, &find("protocol 7"), "kim", "2024-03-02").await;
    assert!(why.contains("already"), "{why}");

    // A night that does not raise it does not withdraw it either.
    let mut next = night("2024-03-03", Vec::new());
    next.capacity.random_basis_points = 0;
    let merged = book.merge(&next).await.unwrap();
    assert_eq!((merged.withdrawn, merged.updated), (0, 0));
    let rows = book.evidence(1).await.unwrap();
    assert_eq!(
        (rows[0].evidence_kind.as_str(), rows[0].opened_by.as_str()),
        ("finding", "kim")
    );

    let notice = Command::SendNotice {
        sent_on: day("2024-03-03"),
        reply_due_on: day("2024-03-13"),
    };
    apply(&notice, "kim", "2024-03-03").await.unwrap();
    apply(&to(State::AwaitingVerification), "kim", "2024-03-14")
        .await
        .unwrap();
    let decision = close(Outcome::ConfirmedFraud, &[rows[0].evidence_no]);
    apply(&decision, "lee", "2024-03-14").await.unwrap();
    let labels = book.labels().await.unwrap();
    assert_eq!(
        (labels[0].rule_id.as_str(), labels[0].subject_key.as_str()),
        ("F02", "C0")
    );
    let estimates = book.estimates().await.unwrap();
    assert_eq!(
        (estimates.drawn_decided, estimates.decided),
        (1, 0),
        "no alert was right or wrong"
    );
    assert!((estimates.prevalence.unwrap().value - 1.0).abs() < 1e-9);
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

/// A small generator: the sequence is the same on every machine.
struct Dice(u64);

impl Dice {
    fn of(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.of(of.len() as u64) as usize].clone()
    }
}

fn any_command(dice: &mut Dice, on: chrono::NaiveDate, case_no: i64) -> Command {
    let accounts = ["kim", "lee"];
    match dice.of(15) {
        0 => Command::Assign {
            investigator: dice.one(&accounts).to_owned(),
        },
        1..=5 => to(dice.one(State::ALL)),
        6 => Command::Note {
            text: "called back".to_owned(),
        },
        7 => Command::SendNotice {
            sent_on: on,
            reply_due_on: later(on, 5 + dice.of(10)),
        },
        8 => Command::ReceiveReply { received_on: on },
        9 => Command::Snooze {
            until: later(on, dice.of(5)),
            reason: "waits for a file".to_owned(),
        },
        10 => Command::Wake,
        12 => Command::Find(finding(&format!("protocol {case_no} of {on}"))),
        11 => Command::Appeal {
            state: dice.one(Appeal::ALL),
            reason: "a letter came".to_owned(),
        },
        _ => close(dice.one(Outcome::ALL), &[2 * case_no - 1]),
    }
}

async fn random_sequences_break_no_rule_and_lose_no_event(place: Place) {
    const CASES: i64 = 4;
    with_cases(&place, CASES).await;
    let book = &place.book;
    let mut dice = Dice(20_240_101);
    let mut on = day("2024-03-02");
    let mut expected = book.events(None).await.unwrap().len();
    let (mut done, mut closed, mut reopened) = (0, 0, 0);
    let mut brought = 2;
    for step in 0..1_200 {
        let case_no = 1 + dice.of(CASES as u64) as i64;
        let account = dice.one(&["kim", "lee", "choi", "park"]);
        if dice.of(6) == 0 {
            on = later(on, dice.of(8));
        }
        match dice.of(12) {
            0 => {
                attempt(&place, dice.one(&ATTEMPTS), case_no).await;
            }
            1 => {
                book.open_evidence(case_no, &act(account, on))
                    .await
                    .unwrap();
            }
            2 if step % 5 == 0 => {
                brought += 1;
                let rows = (0..CASES)
                    .flat_map(|person| (0..brought).map(move |number| evidence(person, number)));
                let merged = book
                    .merge(&night(&on.to_string(), rows.collect()))
                    .await
                    .unwrap();
                reopened += merged.reopened;
                expected += (merged.opened + merged.updated + merged.reopened) as usize;
            }
            _ => {
                let command = any_command(&mut dice, on, case_no);
                let before = book.case(case_no).await.unwrap();
                match book.apply(case_no, &command, &act(account, on)).await {
                    Ok(after) => {
                        expected += 1;
                        done += 1;
                        closed += u32::from(
                            after.state.state == State::Closed
                                && before.state.state != State::Closed,
                        );
                        assert!(crate::may_follow(before.state.state, after.state.state));
                        assert!(!is_unheard(&after.state));
                        assert_eq!(book.case(case_no).await.unwrap(), after);
                    }
                    Err(CaseError::Refused(_)) => {
                        assert_eq!(book.case(case_no).await.unwrap(), before);
                    }
                    Err(other) => panic!("{command:?}: {other:?}"),
                }
            }
        }
    }
    assert_eq!(
        book.events(None).await.unwrap().len(),
        expected,
        "no event is lost"
    );
    let report = book.verify(&[book.head().await.unwrap()]).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(book.cases(&all()).await.unwrap().len(), CASES as usize);
    assert!(
        done > 100 && closed > 2 && reopened > 0,
        "{done} done, {closed} closed, {reopened} reopened"
    );
}
