//! A commit of the ledger fails, its answer is lost, or the process dies there: the night ends as one that nothing
//! happened to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use super::at;
use super::machine::{LEASE, Machine, Steps, run_id};
use super::on_both;
use super::places::Place;
use super::running::night;
use crate::ledger::faults::{Fault, during};
use crate::{FakeClock, Ledger, State};

on_both!(a_fault_at_any_commit_leaves_a_run_that_the_next_process_completes);

async fn a_fault_at_any_commit_leaves_a_run_that_the_next_process_completes(place: &Place) {
    let mut due = at("2026-06-01T17:30:00Z");
    let clock = FakeClock::new(due - TimeDelta::hours(1));
    let machine =
        |ledger: Arc<Ledger>| Machine::new("one", &ledger, &clock, vec![night("")], &Steps::easy());
    // A plan begins when it is seen for the first time.
    assert_eq!(machine(place.ledger().await).tick_and_work().await, []);
    let mut commits = Vec::new();
    for fault in [Fault::Die, Fault::Fail, Fault::Lost] {
        for number in 1.. {
            clock.set(due);
            let first = machine(place.ledger().await);
            let work = async {
                if first.scheduler.tick().await.is_ok() {
                    let _left = first
                        .scheduler
                        .work_once(None, super::machine::never())
                        .await;
                }
            };
            let advance = || clock.advance(Duration::from_secs(1));
            let is_hit = during(fault, number, work, advance).await;

            // Past the lease, so that another process may go on.
            clock.set(due + LEASE * 2);
            let ledger = place.ledger().await;
            let done: BTreeSet<String> = ledger
                .steps(&run_id(due))
                .await
                .unwrap_or_default()
                .into_iter()
                .filter(|step| step.state == State::Success)
                .map(|step| step.step)
                .collect();
            let second = machine(Arc::clone(&ledger));
            second.tick_and_work().await;
            let run = ledger.run(&run_id(due)).await.unwrap();
            assert_eq!(run.state, State::Success, "{fault:?} at commit {number}");
            assert_eq!(
                second.standing(&run_id(due)).await,
                [
                    "load success",
                    "build success",
                    "learn success",
                    "report success"
                ],
                "{fault:?} at commit {number}"
            );
            let again: Vec<String> = second.steps.begun();
            assert!(
                again.iter().all(|step| !done.contains(step)),
                "{fault:?} at commit {number}: {again:?} again, done were {done:?}"
            );
            due += TimeDelta::days(1);
            if !is_hit {
                commits.push(number - 1);
                break;
            }
        }
    }
    assert!(commits.iter().all(|commits| *commits > 4), "{commits:?}");
}
