use std::collections::HashSet;

use super::{Place, act, all, claims, day, evidence, later, night, on_both};
use crate::{Command, IncomingScore, MergeSummary, Outcome, Renaming, Scope, Severity, State};

on_both!(
    a_night_merged_again_changes_nothing,
    new_evidence_appends_and_corrections_follow,
    a_closed_case_reopens_on_new_evidence_only,
    a_list_is_capped_and_a_suppression_counts,
    a_score_orders_cases_of_one_severity_and_does_nothing_else,
    a_draw_is_the_same_again_and_nothing_tells_of_it,
    some_draws_lead_to_the_workplace_and_sums_over_them_are_of_workplaces,
    pseudonyms_follow_a_rotation_and_a_forgotten_person_leaves,
    a_hundred_thousand_rows_are_merged,
);

/// Takes case 1 to its end without accusing anybody.
async fn close(place: &Place, case_no: i64, on: chrono::NaiveDate) {
    let book = &place.book;
    for (account, command) in [
        (
            "kim",
            Command::Move {
                to: State::Investigating,
            },
        ),
        (
            "kim",
            Command::Move {
                to: State::AwaitingVerification,
            },
        ),
        (
            "lee",
            Command::Close {
                outcome: Outcome::FalsePositive,
                reason: "declared at the counter".to_owned(),
                evidence: Vec::new(),
            },
        ),
    ] {
        book.apply(case_no, &command, &act(account, on))
            .await
            .unwrap();
    }
}

async fn a_night_merged_again_changes_nothing(place: Place) {
    let incoming = night(
        "2024-03-01",
        vec![evidence(1, 0), evidence(1, 1), evidence(2, 0)],
    );
    let first = place.book.merge(&incoming).await.unwrap();
    assert_eq!((first.opened, first.evidence, first.listed), (2, 3, 2));
    let events = place.book.events(None).await.unwrap();
    let again = place.book.merge(&incoming).await.unwrap();
    assert_eq!(
        again,
        MergeSummary {
            listed: 2,
            ..MergeSummary::default()
        }
    );
    assert_eq!(place.book.events(None).await.unwrap(), events);
    assert_eq!(
        place.book.verify(&[]).await.unwrap().problems,
        Vec::<String>::new()
    );
}

async fn new_evidence_appends_and_corrections_follow(place: Place) {
    let book = &place.book;
    book.merge(&night("2024-03-01", vec![evidence(1, 0)]))
        .await
        .unwrap();
    book.merge(&night("2024-03-02", vec![evidence(1, 0), evidence(1, 1)]))
        .await
        .unwrap();
    let case = book.case(1).await.unwrap();
    assert_eq!(
        (case.state.evidence_count, case.state.amount_at_risk_won),
        (2, 300_000)
    );
    let mut corrected = evidence(1, 1);
    corrected.amount_at_risk_won = 50_000;
    let merged = book
        .merge(&night("2024-03-03", vec![corrected]))
        .await
        .unwrap();
    assert_eq!(
        (merged.updated, merged.withdrawn, merged.evidence),
        (1, 1, 0)
    );
    let case = book.case(1).await.unwrap();
    assert_eq!(
        (case.state.evidence_count, case.state.amount_at_risk_won),
        (1, 50_000)
    );
    // A day that leaves every sum as it was is a change with an event, too.
    let mut moved = evidence(1, 1);
    moved.amount_at_risk_won = 50_000;
    moved.evidence_to = Some(day("2024-01-20"));
    let merged = book.merge(&night("2024-03-03", vec![moved])).await.unwrap();
    assert_eq!((merged.updated, merged.evidence), (1, 0));
    // What is raised again is the same row.
    book.merge(&night("2024-03-04", vec![evidence(1, 0), evidence(1, 1)]))
        .await
        .unwrap();
    assert_eq!(book.evidence(1).await.unwrap().len(), 2);
    assert_eq!(book.case(1).await.unwrap().state.evidence_count, 2);
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn a_closed_case_reopens_on_new_evidence_only(place: Place) {
    let book = &place.book;
    book.merge(&night("2024-03-01", vec![evidence(1, 0)]))
        .await
        .unwrap();
    close(&place, 1, day("2024-03-05")).await;
    let same = book
        .merge(&night("2024-03-06", vec![evidence(1, 0)]))
        .await
        .unwrap();
    assert_eq!((same.reopened, same.updated, same.listed), (0, 0, 0));
    let again = Command::Move {
        to: State::Investigating,
    };
    let refused = book.apply(1, &again, &act("kim", day("2024-03-06"))).await;
    assert!(refused.unwrap_err().to_string().contains("new evidence"));
    let more = book
        .merge(&night("2024-03-07", vec![evidence(1, 0), evidence(1, 1)]))
        .await
        .unwrap();
    assert_eq!((more.reopened, more.opened), (1, 0));
    let case = book.case(1).await.unwrap();
    assert_eq!(case.state.state, State::Investigating);
    assert_eq!(
        (case.state.evidence_count, case.state.undecided_count),
        (2, 1)
    );
    let labels = book.labels().await.unwrap();
    assert_eq!(labels.len(), 1, "the decision of before stays");
    assert_eq!(
        (labels[0].outcome.as_str(), labels[0].decided_on.as_str()),
        ("false_positive", "2024-03-05")
    );
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn a_list_is_capped_and_a_suppression_counts(place: Place) {
    let book = &place.book;
    let mut incoming = night(
        "2024-03-01",
        (1..=5).map(|person| evidence(person, person)).collect(),
    );
    incoming.capacity.per_centre = 2;
    let merged = book.merge(&incoming).await.unwrap();
    assert_eq!((merged.opened, merged.listed, merged.suppressed), (5, 2, 0));
    let filter = crate::CaseFilter {
        is_listed: true,
        ..all()
    };
    let listed: Vec<i64> = book
        .cases(&filter)
        .await
        .unwrap()
        .iter()
        .map(|case| case.case_no)
        .collect();
    assert_eq!(listed, [5, 4], "the largest amounts");
    let on = day("2024-03-01");
    let number = book
        .suppress(
            &Scope::Case(5),
            "seen by the court already",
            later(on, 30),
            &act("park", on),
        )
        .await
        .unwrap();
    let merged = book.merge(&incoming).await.unwrap();
    assert_eq!((merged.listed, merged.suppressed), (2, 1));
    assert_eq!(book.suppressions().await.unwrap()[0].cases, 1);
    let expired = night("2024-04-05", incoming.evidence.clone());
    assert_eq!(book.merge(&expired).await.unwrap().suppressed, 0);
    book.lift(number, "the court is done", &act("park", on))
        .await
        .unwrap();
    assert_eq!(book.merge(&incoming).await.unwrap().suppressed, 0);
    let whole_rule = Scope::Rule("F01".to_owned());
    book.suppress(
        &whole_rule,
        "the source is late",
        later(on, 3),
        &act("park", on),
    )
    .await
    .unwrap();
    let merged = book.merge(&incoming).await.unwrap();
    assert_eq!((merged.listed, merged.suppressed), (0, 5));
    let forever = book
        .suppress(&whole_rule, "no", later(on, 1_000), &act("park", on))
        .await;
    assert!(forever.is_err(), "a suppression expires");
    let trials = [crate::Capacity {
        per_centre: 3,
        random_basis_points: 0,
        ..crate::Capacity::default()
    }];
    let trial = &book.simulate_capacity(later(on, 3), &trials).await.unwrap()[0];
    assert_eq!(
        (trial.waiting, trial.listed, trial.nights_to_clear),
        (5, 3, Some(2))
    );
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn a_score_orders_cases_of_one_severity_and_does_nothing_else(place: Place) {
    let book = &place.book;
    let mut incoming = night(
        "2024-03-01",
        (1..=4).map(|person| evidence(person, person)).collect(),
    );
    incoming.capacity.per_centre = 2;
    incoming.capacity.random_basis_points = 0;
    incoming.candidates[0].severity = Severity::Critical;
    book.merge(&incoming).await.unwrap();
    let order = async || -> Vec<i64> {
        let cases = book.cases(&all()).await.unwrap();
        cases.iter().map(|case| case.case_no).collect()
    };
    assert_eq!(order().await, [1, 4, 3, 2], "severity, then the amount");
    let told = async || {
        let mut events = book.events(None).await.unwrap();
        events.retain(|event| event.case_no.is_some());
        (events, book.case(2).await.unwrap())
    };
    let before = told().await;

    let score = |person: i64, risk: f64| IncomingScore {
        pivot_key: format!("person/{person}"),
        risk,
        model: "fraud_risk".to_owned(),
        entity: format!("C{person}"),
        entered_on: "2024-01-01".to_owned(),
        learned: risk / 2.0,
        model_version: "2024-03-01-abc".to_owned(),
        is_corrected: true,
    };
    // Somebody against whom nothing speaks becomes no case, however high the score.
    incoming.scores = vec![
        score(1, 0.001),
        score(2, 0.9),
        score(4, 0.25),
        score(9, 0.999),
    ];
    let merged = book.merge(&incoming).await.unwrap();
    assert_eq!((merged.opened, merged.updated, merged.listed), (0, 0, 2));
    assert_eq!(
        order().await,
        [1, 2, 4, 3],
        "severity, then the score; one without a score comes last"
    );
    let listed = crate::CaseFilter {
        is_listed: true,
        ..all()
    };
    let listed = book.cases(&listed).await.unwrap();
    let listed: Vec<i64> = listed.iter().map(|case| case.case_no).collect();
    assert_eq!(listed, [1, 2]);
    assert_eq!(before, told().await, "nothing happened to any case");
    let scores = book.scores().await.unwrap();
    assert_eq!(scores.keys().copied().collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!((scores[&2].risk, scores[&2].entity.as_str()), (0.9, "C2"));
    let of_night = incoming.as_of.to_string();
    assert_eq!(
        scores[&2].scored_on, of_night,
        "the night that ranked by it"
    );
    assert_eq!(
        (scores[&2].entered_on.as_str(), scores[&2].learned),
        ("2024-01-01", 0.45)
    );

    // A night without a model orders by the amount again.
    incoming.scores.clear();
    book.merge(&incoming).await.unwrap();
    assert_eq!(order().await, [1, 4, 3, 2]);
    incoming.scores = vec![score(2, 0.9)];
    book.merge(&incoming).await.unwrap();
    book.forget(&HashSet::from([2])).await.unwrap();
    assert!(book.scores().await.unwrap().is_empty());
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn a_draw_is_the_same_again_and_nothing_tells_of_it(place: Place) {
    let book = &place.book;
    let mut incoming = night("2024-03-01", vec![evidence(1, 0)]);
    incoming.active_claims = claims(400);
    incoming.capacity.per_centre = 25;
    incoming.capacity.random_basis_points = 800;
    let merged = book.merge(&incoming).await.unwrap();
    assert_eq!(merged.drawn, 8, "two of a hundred in each of four centres");
    let again = book.merge(&incoming).await.unwrap();
    assert_eq!(
        (again.drawn, again.opened, again.listed),
        (0, 0, merged.listed)
    );
    let events = book.events(None).await.unwrap();
    assert!(events.iter().all(|event| {
        let about = if event.case_no.is_some() {
            "open"
        } else {
            "list"
        };
        event.action == about && !event.after.contains("drawn") && !event.detail.contains("\"C")
    }));
    let estimates = book.estimates().await.unwrap();
    assert_eq!((estimates.drawn, estimates.drawn_decided), (8, 0));
    assert_eq!(estimates.prevalence, None);
    let drawn = book.cases(&all()).await.unwrap();
    let drawn: Vec<_> = drawn
        .iter()
        .filter(|case| case.state.evidence_count == 0)
        .collect();
    close(&place, drawn[0].case_no, day("2024-03-05")).await;
    let estimates = book.estimates().await.unwrap();
    assert_eq!(estimates.drawn_decided, 1);
    let prevalence = estimates.prevalence.unwrap();
    assert!(
        prevalence.value == 0.0 && prevalence.upper > 0.5,
        "one claim says little"
    );
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn some_draws_lead_to_the_workplace_and_sums_over_them_are_of_workplaces(place: Place) {
    let book = &place.book;
    let mut incoming = night("2024-03-01", vec![evidence(1, 0)]);
    incoming.active_claims = claims(400);
    for claim in &mut incoming.active_claims {
        claim.workplace_no = Some(format!("W{}", claim.person_key % 40));
    }
    incoming.capacity.per_centre = 60;
    incoming.capacity.random_basis_points = 10_000;
    let merged = book.merge(&incoming).await.unwrap();
    assert_eq!(merged.drawn, 240);
    let sql = "select c.pivot_kind, d.inclusion_ppb from case_draws d join cases c on c.case_no = d.case_no";
    let (mut claimants, mut workplaces, mut led_on) = (0.0, 0.0, 0);
    for row in book.rows("read the draws", sql, &[]).await.unwrap() {
        let weight = 1e9 / row.integer(1).unwrap() as f64;
        if row.text(0).unwrap() == "workplace" {
            workplaces += weight;
            led_on += 1;
        } else {
            claimants += weight;
        }
    }
    // A binomial number of 240 with probability 1/4 has a deviation of 6.7, so four of them are 27.
    assert!((33..=87).contains(&led_on), "{led_on} of 240");
    assert!((f64::from(240 - led_on) / 0.45 - claimants).abs() < 1e-3);
    assert!(
        (f64::from(led_on) / 1.5 - workplaces).abs() < 1e-3,
        "40 are expected of 60 draws"
    );
    let estimates = book.estimates().await.unwrap();
    assert_eq!(
        estimates.drawn,
        240 - led_on as u64,
        "of claims, not of workplaces"
    );
    let cases = book.cases(&all()).await.unwrap();
    let workplace = cases
        .iter()
        .find(|case| case.pivot_kind == "workplace")
        .unwrap();
    assert!(workplace.person_key.is_none() && workplace.state.evidence_count == 0);
    close(&place, workplace.case_no, day("2024-03-05")).await;
    let decided = book.decided_workplace_draws().await.unwrap();
    assert!(!decided.is_empty());
    let named = decided[0].workplace_no.as_deref().unwrap();
    assert_eq!(format!("workplace/{named}"), workplace.pivot_key);
    assert!(book.decided_draws().await.unwrap().is_empty());
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn pseudonyms_follow_a_rotation_and_a_forgotten_person_leaves(place: Place) {
    let book = &place.book;
    book.merge(&night("2024-03-01", vec![evidence(1, 0), evidence(2, 0)]))
        .await
        .unwrap();
    let renaming = Renaming {
        person: &|key| (key < 100).then_some(key + 1_000),
        opaque: &|_| None,
    };
    assert!(book.rename_pseudonyms(&renaming).await.unwrap() > 0);
    assert_eq!(
        book.rename_pseudonyms(&renaming).await.unwrap(),
        0,
        "done again it changes nothing"
    );
    let mut known = evidence(1_001, 0);
    known.subject_key = "C1/0".to_owned();
    known.claim_no = Some("C1".to_owned());
    let mut other = evidence(1_002, 0);
    other.subject_key = "C2/0".to_owned();
    let merged = book
        .merge(&night("2024-03-02", vec![known.clone(), other]))
        .await
        .unwrap();
    assert_eq!(
        (merged.opened, merged.evidence, merged.withdrawn),
        (0, 0, 0)
    );
    book.forget(&HashSet::from([1_002])).await.unwrap();
    let case = book.case(2).await.unwrap();
    assert_eq!(
        (case.person_key, case.pivot_key.as_str()),
        (None, "forgotten/2")
    );
    let merged = book.merge(&night("2024-03-03", vec![known])).await.unwrap();
    assert_eq!((merged.opened, merged.withdrawn, merged.listed), (0, 1, 1));
    assert!(book.verify(&[]).await.unwrap().problems.is_empty());
}

async fn a_hundred_thousand_rows_are_merged(place: Place) {
    let rows = (0..100_000)
        .map(|number| evidence(number / 3, number % 3))
        .collect();
    let incoming = night_of_sorted("2024-03-01", rows);
    let merged = place.book.merge(&incoming).await.unwrap();
    assert_eq!((merged.opened, merged.evidence), (33_334, 100_000));
    let again = place.book.merge(&incoming).await.unwrap();
    assert_eq!((again.opened, again.evidence, again.updated), (0, 0, 0));
    assert!(place.book.verify(&[]).await.unwrap().problems.is_empty());
}

/// The same as [`night`] for many rows that stand together by person.
fn night_of_sorted(as_of: &str, rows: Vec<crate::IncomingEvidence>) -> crate::Incoming {
    let mut all = night(as_of, Vec::new());
    for some in rows.chunk_by(|left, right| left.pivot_key == right.pivot_key) {
        all.candidates
            .extend(night(as_of, some.to_vec()).candidates);
    }
    all.evidence = rows;
    all
}
