//! What was recorded long ago goes, what goes on or could be decided anew stays.

use super::places::Place;
use super::{at, on_both, plan};
use crate::{Ledger, State};

on_both!(
    runs_that_ended_long_ago_are_forgotten_and_counted_on,
    a_run_that_was_retried_meanwhile_stays,
);

const BEFORE: &str = "2026-02-01T00:00:00Z";

/// Decides what is due a minute after half past two on a day; answers how many decisions there were.
async fn decide(ledger: &Ledger, plan: &crate::Plan, day: &str) -> usize {
    let now = at(&format!("{day}T02:31:00Z"));
    let decided = ledger.decide(plan, None, now).await.unwrap();
    decided.decisions.len()
}

async fn runs_that_ended_long_ago_are_forgotten_and_counted_on(place: &Place) {
    let ledger = place.ledger().await;
    let plan = plan("schedule = \"30 2 * * *\"\ntimezone = \"UTC\"\ndeadline = \"06:00\"");
    let begin = at("2026-01-01T00:00:00Z");
    ledger.decide(&plan, None, begin).await.unwrap();
    assert_eq!(decide(&ledger, &plan, "2026-01-01").await, 1);
    let first = plan.run_id(at("2026-01-01T02:30:00Z"));
    let cancelled = ledger.cancel(&first, at("2026-01-01T03:00:00Z")).await;
    assert_eq!(cancelled.unwrap(), State::Cancelled);
    let late = at("2026-01-01T07:00:00Z");
    assert_eq!(
        ledger.miss_deadlines(&[&plan], late).await.unwrap().len(),
        1
    );
    ledger.pause(&plan, "a holiday", late).await.unwrap();
    assert_eq!(decide(&ledger, &plan, "2026-01-02").await, 1);
    let resumed = at("2026-01-02T08:00:00Z");
    ledger.resume(&plan, resumed).await.unwrap();
    assert_eq!(decide(&ledger, &plan, "2026-01-03").await, 1);
    let waiting = plan.run_id(at("2026-01-03T02:30:00Z"));

    let old = ledger.ended_before(at(BEFORE)).await.unwrap();
    let runs: Vec<_> = old
        .iter()
        .map(|old| old.run.as_ref().map(|run| run.run_id.as_str()))
        .collect();
    assert_eq!(runs, [Some(first.as_str()), None]);
    // Nothing is old yet on the day before.
    assert_eq!(ledger.ended_before(begin).await.unwrap(), []);

    let before = ledger.figures().await.unwrap();
    ledger.forget(&old).await.unwrap();
    assert_eq!(ledger.run_ids().await.unwrap(), [waiting]);
    assert_eq!(ledger.steps(&first).await.unwrap(), []);
    assert_eq!(ledger.occurrences(None, 9).await.unwrap().len(), 1);
    let after = ledger.figures().await.unwrap();
    assert_eq!(after.occurrences, before.occurrences);
    assert_eq!(after.deadlines_missed, before.deadlines_missed);
    assert_eq!(ledger.ended_before(at(BEFORE)).await.unwrap(), []);
    // What was forgotten is not due again.
    let again = at("2026-01-03T02:32:00Z");
    let decided = ledger.decide(&plan, None, again).await.unwrap();
    assert_eq!(decided.decisions, []);
}

async fn a_run_that_was_retried_meanwhile_stays(place: &Place) {
    let ledger = place.ledger().await;
    let plan = plan("");
    let asked = at("2026-01-01T00:00:00Z");
    let triggered = ledger
        .trigger(&plan, &[asked], "trigger", "tester", asked)
        .await;
    let run = triggered.unwrap().remove(0).run_id;
    ledger.cancel(&run, asked).await.unwrap();
    let old = ledger.ended_before(at(BEFORE)).await.unwrap();
    assert_eq!(old.len(), 1);
    ledger.retry(&run, at(BEFORE)).await.unwrap();
    ledger.forget(&old).await.unwrap();
    assert_eq!(ledger.run(&run).await.unwrap().state, State::Queued);
}
