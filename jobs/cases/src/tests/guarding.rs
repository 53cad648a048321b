//! People with a database client: what they try is refused, or found where they took the guards away.

use std::collections::HashSet;

use goyong_database::{Database, Dialects, Migrations, Transaction, Value};

use super::moving::{close, to, with_cases};
use super::{Place, act, claims, day, evidence, later, night, on_both};
use crate::book::{MIGRATIONS, read_case, text_of};
use crate::chain::{self, Draft};
use crate::verify::verify;
use crate::{CaseBook, ChainHead, Outcome, Renaming, Scope, State};

on_both!(
    statements_of_a_client_are_refused_or_found,
    forged_rows_are_refused_and_found_without_guards,
    a_permit_of_a_client_hides_nothing,
    what_was_forged_before_a_rotation_or_an_erasure_is_found_behind_it,
    an_older_book_verifies_and_is_covered_from_its_seal_on,
);

/// What somebody with a database client may try on case `$1`.
pub(super) const ATTEMPTS: [&str; 23] = [
    "update cases set state = 'closed' where case_no = $1 and state <> 'closed'",
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
    "insert into case_permits (work) select 'night' where cast($1 as bigint) > 0",
];

/// Tries a statement in a transaction that is dropped: it must fail, change nothing, or be found. Answers whether it was
/// refused.
pub(super) async fn attempt(place: &Place, sql: &'static str, case_no: i64) -> bool {
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

/// Takes away the guard of events.
pub(super) async fn unguard_events(transaction: &mut Transaction) {
    let script = transaction.text_of(Dialects {
        sqlite: "drop trigger case_event_refuses_update",
        postgres: "drop trigger case_event_refuses_update on case_events",
    });
    transaction.script(script).await.unwrap();
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
    unguard_events(&mut transaction).await;
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

/// What would change a decision or an estimate, and what verifying says of it.
const FORGERIES: [(&str, &str); 31] = [
    // evidence
    (
        "update case_evidence set amount_at_risk_won = amount_at_risk_won + 1 where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "update case_evidence set evidence_key = 'W9/2024-01-01' where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "update case_evidence set subject_from = '2023-01-01' where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "update case_evidence set evidence_to = '2024-01-04' where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "update case_evidence set person_key = 77 where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "update case_evidence set withdrawn_on = '2024-03-02' where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "update case_evidence set severity = 'low' where evidence_no = 3",
        "evidence 3 is not what event",
    ),
    (
        "update case_evidence set decided_in = 1 where evidence_no = 1",
        "evidence 1 is not what event",
    ),
    (
        "insert into case_evidence (evidence_no, case_no, rule_id, rule_version, subject_kind, subject_key, evidence_kind, \
      evidence_key, severity, amount_at_risk_won, known_on, first_seen_on) \
      values (99, 1, 'F01', 1, 'round', 'C0/9', 'insured_spell', 'W9', 'high', 1, '2024-02-10', '2024-03-01')",
        "evidence 99 stands in no event",
    ),
    (
        "delete from case_evidence where evidence_no = 3",
        "evidence 3 is missing",
    ),
    // openings
    (
        "insert into case_openings (evidence_no, account, at_ms) values (4, 'lee', 0)",
        "the opening of evidence 4 by lee stands in no event",
    ),
    (
        "update case_openings set account = 'choi' where evidence_no = 1",
        "the opening of evidence 1 by choi stands in no event",
    ),
    (
        "update case_openings set at_ms = 0 where evidence_no = 1",
        "the opening of evidence 1 by kim is not what event",
    ),
    (
        "delete from case_openings",
        "the opening of evidence 1 by kim is missing",
    ),
    // draws
    (
        "delete from case_draws",
        "what was drawn at random on 2024-03-01 is missing",
    ),
    (
        "delete from case_draws where claim_no = 'C3'",
        "what was drawn at random on 2024-03-01 is not what event",
    ),
    (
        "update case_draws set inclusion_ppb = 1 where claim_no = 'C3'",
        "what was drawn at random on 2024-03-01 is not what event",
    ),
    (
        "insert into case_draws (night, claim_no, centre, case_no, population, inclusion_ppb) \
      values ('2024-02-01', 'C9', '1101', 1, 1, 1)",
        "what was drawn at random on 2024-02-01 stands in no event",
    ),
    // lists
    ("delete from case_list", "the list of 2024-03-01 is missing"),
    (
        "update case_list set centre = '9999'",
        "the list of 2024-03-01 is not what event",
    ),
    (
        "insert into case_list (night, centre, place, case_no) values ('2024-03-02', '1101', 1, 1)",
        "the list of 2024-03-02 stands in no event",
    ),
    // suppressions
    (
        "insert into case_suppressions (suppression_no, owner, reason, scope, value, from_on, expires_on) \
      values (2, 'x', 'a favour', 'person', 'person/0', '2024-01-01', '2199-01-01')",
        "suppression 2 stands in no event",
    ),
    (
        "update case_suppressions set owner = 'somebody'",
        "suppression 1 is not what event",
    ),
    (
        "update case_suppressions set expires_on = '2199-01-01'",
        "suppression 1 is not what event",
    ),
    (
        "update case_suppressions set lifted_on = '2024-03-02'",
        "suppression 1 is not what event",
    ),
    ("delete from case_suppressions", "suppression 1 is missing"),
    // decisions
    (
        "update case_decisions set reason = 'another reason'",
        "decision 1, with its reason and the evidence it names, is not what event",
    ),
    (
        "delete from case_decisions",
        "decision 1, with its reason and the evidence it names, is missing",
    ),
    (
        "insert into case_citations (decision_no, evidence_no) values (1, 4)",
        "decision 1, with its reason and the evidence it names, is not what event",
    ),
    // whom a case is about
    (
        "update cases set person_key = 77 where case_no = 1",
        "whom case 1 is about is not what event",
    ),
    (
        "update cases set pivot_key = 'person/77' where case_no = 1",
        "whom case 1 is about is not what event",
    ),
];

/// A book with a row of every kind: case 1 is opened by kim, case 2 closed, everybody is drawn, a rule suppressed.
async fn with_rows_of_every_kind(place: &Place) {
    let book = &place.book;
    let rows = (0..2).flat_map(|person| [evidence(person, 0), evidence(person, 1)]);
    let mut incoming = night("2024-03-01", rows.collect());
    incoming.active_claims = claims(4);
    incoming.capacity.random_basis_points = 10_000;
    assert_eq!(book.merge(&incoming).await.unwrap().drawn, 4);
    let on = day("2024-03-01");
    book.open_evidence(1, &act("kim", on)).await.unwrap();
    let scope = Scope::Rule("F05".to_owned());
    book.suppress(&scope, "the source is late", later(on, 9), &act("park", on))
        .await
        .unwrap();
    for (account, command) in [
        ("kim", to(State::Investigating)),
        ("kim", to(State::AwaitingVerification)),
        ("lee", close(Outcome::FalsePositive, &[])),
    ] {
        book.apply(2, &command, &act(account, on)).await.unwrap();
    }
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

/// Takes away every guard of the tables that are forged.
async fn unguard(transaction: &mut Transaction) {
    let script = transaction.text_of(Dialects {
        sqlite: "drop trigger case_changes_with_event; drop trigger case_subject_stays; \
            drop trigger case_evidence_is_raised; drop trigger case_evidence_stays; drop trigger case_evidence_facts_stay; \
            drop trigger case_evidence_keys_stay; drop trigger case_evidence_decided_stays; \
            drop trigger case_evidence_is_decided; drop trigger case_opening_is_made; \
            drop trigger case_opening_refuses_update; drop trigger case_opening_refuses_delete; \
            drop trigger case_decision_refuses_update; drop trigger case_decision_refuses_delete; \
            drop trigger case_citation_is_made; drop trigger case_citation_was_opened; \
            drop trigger case_suppression_is_made; drop trigger case_suppression_stays; \
            drop trigger case_suppression_is_lifted; drop trigger case_suppression_goes_with_person; \
            drop trigger case_draw_is_made; drop trigger case_draw_stays; drop trigger case_draw_goes_with_person; \
            drop trigger case_list_is_written; drop trigger case_list_stays; drop trigger case_list_is_written_anew",
        postgres: "alter table cases disable trigger user; alter table case_evidence disable trigger user; \
            alter table case_openings disable trigger user; alter table case_decisions disable trigger user; \
            alter table case_citations disable trigger user; alter table case_suppressions disable trigger user; \
            alter table case_draws disable trigger user; alter table case_list disable trigger user",
    });
    transaction.script(script).await.unwrap();
}

async fn forged_rows_are_refused_and_found_without_guards(place: Place) {
    with_rows_of_every_kind(&place).await;
    for (sql, expected) in FORGERIES {
        let mut transaction = place.book.database.begin().await.unwrap();
        let refused = transaction.execute(sql, &[]).await;
        assert!(refused.is_err(), "not refused: {sql}");
        drop(transaction);
        let mut transaction = place.book.database.begin().await.unwrap();
        unguard(&mut transaction).await;
        let forged = transaction.execute(sql, &[]).await.unwrap();
        assert!(forged > 0, "nothing to forge: {sql}");
        let problems = verify(&mut transaction, &[]).await.unwrap().problems;
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{sql}: {problems:?}"
        );
    }
    if place.is_postgres() {
        let mut transaction = place.book.database.begin().await.unwrap();
        let emptied = transaction.execute("truncate case_draws", &[]).await;
        assert!(emptied.is_err(), "no trigger of a row sees that");
    }
    assert!(place.book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn a_permit_of_a_client_hides_nothing(place: Place) {
    with_rows_of_every_kind(&place).await;
    let mut transaction = place.book.database.begin().await.unwrap();
    for sql in [
        "insert into case_permits (work) values ('night')",
        "update case_evidence set amount_at_risk_won = 1 where evidence_no = 1",
        "delete from case_permits",
    ] {
        assert_eq!(transaction.execute(sql, &[]).await.unwrap(), 1);
    }
    let problems = verify(&mut transaction, &[]).await.unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("evidence 1 is not what event"),
        "{problems:?}"
    );
}

async fn what_was_forged_before_a_rotation_or_an_erasure_is_found_behind_it(place: Place) {
    with_rows_of_every_kind(&place).await;
    let book = &place.book;
    let mut transaction = book.database.begin().await.unwrap();
    unguard(&mut transaction).await;
    let sql = "update case_evidence set amount_at_risk_won = 1 where evidence_no = 1";
    assert_eq!(transaction.execute(sql, &[]).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let renaming = Renaming {
        person: &|key| (key < 100).then_some(key + 1_000),
        opaque: &|_| None,
    };
    assert!(book.rename_pseudonyms(&renaming).await.unwrap() > 0);
    assert!(book.forget(&HashSet::from([1_001])).await.unwrap() > 0);
    let actions: Vec<String> = book
        .events(None)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.action)
        .collect();
    assert!(
        actions.ends_with(&["rename".to_owned(), "forget".to_owned()]),
        "{actions:?}"
    );
    let problems = book.verify(&[]).await.unwrap().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].contains("evidence 1 is not what event"),
        "{problems:?}"
    );
}

/// Rows as they were written before events told digests.
const OLDER: [&str; 6] = [
    "insert into cases (case_no, pivot_kind, pivot_key, person_key, opened_on, state, centre, severity, rules, \
     evidence_count, undecided_count, evidence_sum, amount_at_risk_won, worked_by, appeal, last_event_no) \
     values (1, 'person', 'person/0', 0, '2024-02-01', 'pending', '1101', 'high', 'F01', 1, 1, 1, 5, '', 'none', 0)",
    "insert into case_evidence (evidence_no, case_no, rule_id, rule_version, subject_kind, subject_key, evidence_kind, \
     evidence_key, person_key, claim_no, severity, amount_at_risk_won, known_on, first_seen_on) \
     values (1, 1, 'F01', 2, 'round', 'C0/0', 'insured_spell', 'W0', 0, 'C0', 'high', 5, '2024-01-10', '2024-02-01')",
    "insert into case_openings (evidence_no, account, at_ms) values (1, 'kim', 0)",
    "insert into case_draws (night, claim_no, centre, case_no, population, inclusion_ppb) \
     values ('2024-02-01', 'C0', '1101', 1, 9, 5)",
    "insert into case_list (night, centre, place, case_no) values ('2024-02-01', '1101', 1, 1)",
    "insert into case_suppressions (suppression_no, owner, reason, scope, value, from_on, expires_on) \
     values (1, 'park', 'late', 'rule', 'F05', '2024-02-01', '2024-03-01')",
];

async fn an_older_book_verifies_and_is_covered_from_its_seal_on(place: Place) {
    let location = place.elsewhere();
    let database = Database::open(&location).await.unwrap();
    let older = Migrations {
        steps: &MIGRATIONS.steps[..4],
        ..MIGRATIONS
    };
    database.migrate(&older).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    for sql in OLDER {
        transaction.execute(sql, &[]).await.unwrap();
    }
    let case = read_case(&mut transaction, 1).await.unwrap();
    let opened = Draft {
        case_no: Some(1),
        at_ms: 0,
        account: "night".to_owned(),
        action: "open",
        before: "null".to_owned(),
        after: text_of(&case.state).unwrap(),
        detail: "{}".to_owned(),
    };
    chain::append(&mut transaction, vec![opened]).await.unwrap();
    let sql = "update cases set last_event_no = 1";
    transaction.execute(sql, &[]).await.unwrap();
    transaction.commit().await.unwrap();
    database.close().await;

    let book = CaseBook::open(&location).await.unwrap();
    let report = book.verify(&[]).await.unwrap();
    assert_eq!((report.events, report.problems), (2, Vec::new()));
    assert_eq!(book.events(None).await.unwrap()[1].action, "seal");
    book.close().await;
    let book = CaseBook::open(&location).await.unwrap();
    assert_eq!(book.events(None).await.unwrap().len(), 2, "sealed once");
    let merged = book
        .merge(&night("2024-03-01", vec![evidence(5, 0)]))
        .await
        .unwrap();
    assert_eq!((merged.opened, merged.withdrawn), (1, 1));
    assert_eq!(
        book.verify(&[]).await.unwrap().problems,
        Vec::<String>::new()
    );

    let mut transaction = book.database.begin().await.unwrap();
    unguard(&mut transaction).await;
    for sql in [
        "update case_evidence set amount_at_risk_won = 1 where evidence_no = 1",
        "delete from case_draws",
    ] {
        transaction.execute(sql, &[]).await.unwrap();
    }
    let problems = verify(&mut transaction, &[]).await.unwrap().problems;
    assert_eq!(
        problems,
        [
            "evidence 1 is not what event 3 left",
            "what was drawn at random on 2024-02-01 is missing: event 2 left it"
        ]
    );
    // Nobody seals again what was forged.
    transaction
        .execute("insert into case_unsealed (event_no) values (1)", &[])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    book.close().await;
    let book = CaseBook::open(&location).await.unwrap();
    assert_eq!(book.verify(&[]).await.unwrap().problems, problems);
}
