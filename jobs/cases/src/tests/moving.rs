//! Officers, and what they cannot do.

use super::{Place, act, day, evidence, night, on_both};
use crate::{Appeal, CaseError, Command, Finding, Outcome, State};

on_both!(
    a_case_goes_its_way_and_every_step_is_kept,
    an_adverse_outcome_needs_notice_reply_reason_and_opened_evidence,
    what_no_rule_raised_is_recorded_and_decided,
);

const REASON: &str = "worked at the shop on days certified as unemployed";

pub(super) fn close(outcome: Outcome, evidence: &[i64]) -> Command {
    Command::Close {
        outcome,
        reason: REASON.to_owned(),
        evidence: evidence.to_vec(),
    }
}

pub(super) fn to(state: State) -> Command {
    Command::Move { to: state }
}

pub(super) async fn with_cases(place: &Place, persons: i64) {
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
        (7, 1, 0),
        "six of the case, one of the list"
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

pub(super) fn finding(record: &str) -> Finding {
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
