//! Runs from due to done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::at;
use super::machine::{Machine, Steps, ended, never, run_id};
use super::on_both;
use super::places::Place;
use crate::{Event, FakeClock, Finding, Plan, RunEnd, State, StepAccount, StepDone, StepError};

on_both!(
    a_night_runs_its_steps_in_order_and_once,
    nine_days_off_then_one_hour_back_runs_once_and_lists_the_rest,
    errors_that_may_pass_are_tried_again_and_others_are_not,
    what_a_step_did_is_kept_in_figures,
    what_failed_stops_what_needs_it_and_nothing_else,
    a_step_and_a_run_have_limits_of_time,
    a_panic_fails_the_step_alone,
    a_waiting_run_is_cancelled_at_once_and_a_running_one_with_the_next_heartbeat,
    a_retried_run_goes_on_behind_the_steps_that_succeeded,
    a_missed_deadline_is_told_once_even_when_nothing_ever_started,
    a_failed_run_pauses_its_plan_until_it_is_resumed,
    queued_runs_follow_each_other_and_a_newer_one_replaces_an_older,
    a_pool_limits_how_many_steps_run_side_by_side,
    a_stopping_scheduler_gives_its_runs_back,
    two_triggers_of_one_occurrence_are_one_run,
);

const DUE: &str = "2026-06-01T17:30:00Z";

/// load → build → report, and side by side with build, learn.
pub(super) fn night(keys: &str) -> Plan {
    let text = format!(
        r#"
        schedule = "30 2 * * *"
        timezone = "Asia/Seoul"
        {keys}
        [[step]]
        name = "load"
        outputs = ["staging"]
        [[step]]
        name = "build"
        inputs = ["staging"]
        outputs = ["core"]
        [[step]]
        name = "learn"
        inputs = ["staging"]
        [[step]]
        name = "report"
        inputs = ["core"]
        "#
    );
    Plan::parse("night", "night.toml", &text).unwrap()
}

/// A machine that has seen the plan before it is due, with the clock at the time it is.
async fn machine(place: &Place, keys: &str, steps: &Steps) -> Machine {
    let clock = FakeClock::new(at("2026-06-01T12:00:00Z"));
    let machine = Machine::new(
        "one",
        &place.ledger().await,
        &clock,
        vec![night(keys)],
        steps,
    );
    assert_eq!(machine.tick_and_work().await, []);
    clock.set(at(DUE));
    machine
}

/// A machine with a run of a plan that was triggered.
async fn triggered(place: &Place, plan: &Plan, steps: &Steps) -> Machine {
    let clock = FakeClock::new(at(DUE));
    let ledger = place.ledger().await;
    let machine = Machine::new("one", &ledger, &clock, vec![plan.clone()], steps);
    let queued = ledger
        .trigger(plan, &[at(DUE)], "trigger", "operations", at(DUE))
        .await;
    assert!(queued.unwrap()[0].is_new);
    machine
}

async fn a_night_runs_its_steps_in_order_and_once(place: &Place) {
    let machine = machine(place, "", &Steps::easy()).await;
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Success, "", "")]
    );
    let begun = machine.steps.begun();
    assert_eq!(
        (begun.len(), begun[0].as_str(), begun[3].as_str()),
        (4, "load", "report")
    );
    let run = machine.ledger.run(&run_id(at(DUE))).await.unwrap();
    assert_eq!(
        (run.state, run.attempt, run.finished_at),
        (State::Success, 1, Some(at(DUE)))
    );
    // Nothing is due a minute later, for this scheduler or one that starts anew.
    machine.clock.advance(Duration::from_secs(60));
    assert_eq!(machine.tick_and_work().await, []);
    let again = Machine::new(
        "two",
        &place.ledger().await,
        &machine.clock,
        vec![night("")],
        &machine.steps,
    );
    assert_eq!(again.tick_and_work().await, []);
}

async fn nine_days_off_then_one_hour_back_runs_once_and_lists_the_rest(place: &Place) {
    let machine = machine(place, "", &Steps::easy()).await;
    machine.tick_and_work().await;
    // Off until the evening of the tenth, when nine nights have passed; back for one hour.
    machine.clock.set(at("2026-06-10T18:00:00Z"));
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Success, "", "")]
    );
    for _ in 0..60 {
        machine.clock.advance(Duration::from_secs(60));
        assert_eq!(machine.tick_and_work().await, []);
    }
    let listed = machine
        .ledger
        .occurrences(Some("night"), 100)
        .await
        .unwrap();
    let mut days: Vec<String> = listed
        .iter()
        .map(|occurrence| {
            let outcome = match &occurrence.outcome {
                Ok(run) => format!("{} {}", occurrence.origin, run.state.word()),
                Err((reason, _)) => reason.clone(),
            };
            format!("{} {outcome}", occurrence.scheduled_at.format("%d"))
        })
        .collect();
    days.reverse();
    let mut expected = vec!["01 schedule success".to_owned()];
    expected.extend((2..10).map(|day| format!("{day:02} superseded")));
    expected.push("10 catchup success".to_owned());
    assert_eq!(days, expected);
}

/// Fails with an error that may pass until the given attempt.
fn flaky(step: &'static str, succeeds_at: u32) -> Steps {
    Steps::new(move |context| async move {
        if context.step.name == step && context.attempt < succeeds_at {
            return Err(StepError::Retryable {
                reason: "busy",
                message: "the table is being written".to_owned(),
            });
        }
        Ok(StepDone::default())
    })
}

async fn errors_that_may_pass_are_tried_again_and_others_are_not(place: &Place) {
    let machine = machine(
        place,
        "retries = 2\nretry_backoff = \"5m\"",
        &flaky("build", 3),
    )
    .await;
    machine.scheduler.tick().await.unwrap();
    let work = {
        let scheduler = Arc::clone(&machine.scheduler);
        tokio::spawn(async move { scheduler.work_once(None, never()).await })
    };
    // Five minutes to the second attempt, ten to the third.
    for minutes in [5, 10] {
        machine.until_step("build", State::UpForRetry).await;
        let run = run_id(at(DUE));
        let step = machine.ledger.steps(&run).await.unwrap().remove(1);
        let now = crate::Clock::now(&machine.clock);
        assert_eq!(step.reason, "busy");
        assert_eq!(
            step.not_before,
            Some(now + chrono::TimeDelta::minutes(minutes))
        );
        machine.events.lock().unwrap().clear();
        // The lease is shorter than the wait, so it is kept by heartbeats.
        for _ in 0..minutes * 60 / 5 {
            machine.clock.advance(Duration::from_secs(5));
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(
        work.await.unwrap().unwrap(),
        Some(ended(State::Success, "", ""))
    );
    let run = run_id(at(DUE));
    let attempts = machine.ledger.attempts(&run).await.unwrap();
    let of_build = attempts.iter().filter(|attempt| attempt.step == "build");
    let shown: Vec<_> = of_build
        .map(|attempt| (attempt.number, attempt.state, attempt.reason.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            (1, State::UpForRetry, "busy"),
            (2, State::UpForRetry, "busy"),
            (3, State::Success, ""),
        ]
    );
    assert!(attempts.iter().all(|attempt| attempt.finished_at.is_some()));

    let final_error = Steps::new(|_| async {
        Err(StepError::Final {
            reason: "check_failed",
            message: "two rows per person".to_owned(),
            account: account(2),
        })
    });
    let machine = Machine::new(
        "two",
        &machine.ledger,
        &machine.clock,
        vec![night("retries = 2")],
        &final_error,
    );
    machine.clock.set(at("2026-06-02T17:30:00Z"));
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Failed, "step_failed", "step load")]
    );
    assert_eq!(machine.steps.begun(), ["load"]);
    let failed = machine.ledger.steps("night-20260602T173000Z").await;
    let accounts: Vec<StepAccount> = failed.unwrap().into_iter().map(|s| s.account).collect();
    assert_eq!(accounts[0], account(2));
    assert!(accounts[1].is_empty());
}

async fn what_a_step_did_is_kept_in_figures(place: &Place) {
    let steps = Steps::new(|context| async move {
        let account = match context.step.name.as_str() {
            "load" => account(7),
            _ => StepAccount::default(),
        };
        Ok(StepDone {
            account,
            ..StepDone::default()
        })
    });
    let machine = machine(place, "", &steps).await;
    machine.tick_and_work().await;
    let kept = place.ledger().await.steps(&run_id(at(DUE))).await.unwrap();
    assert_eq!(kept[0].account, account(7));
    assert!(kept[1].account.is_empty());
}

fn account(rows: i64) -> StepAccount {
    let figures = BTreeMap::from([("rows_in".to_owned(), rows)]);
    StepAccount {
        parts: BTreeMap::from([("한글 'part'".to_owned(), figures.clone())]),
        figures,
        findings: vec![Finding {
            name: "grain".to_owned(),
            passed: false,
            detail: "two rows per person".to_owned(),
        }],
    }
}

async fn what_failed_stops_what_needs_it_and_nothing_else(place: &Place) {
    let steps = flaky("build", 9);
    let machine = machine(place, "", &steps).await;
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Failed, "step_failed", "step build")]
    );
    assert_eq!(
        machine.standing(&run_id(at(DUE))).await,
        [
            "load success",
            "build failed busy",
            "learn success",
            "report upstream_failed upstream_failed"
        ]
    );
}

async fn a_step_and_a_run_have_limits_of_time(place: &Place) {
    let plan = Plan::parse(
        "night",
        "night.toml",
        "timeout = \"10m\"\n[[step]]\nname = \"slow\"\ntimeout = \"2m\"\n[[step]]\nname = \"endless\"",
    )
    .unwrap();
    let steps = Steps::new(|_| futures::future::pending());
    let machine = triggered(place, &plan, &steps).await;
    let clock = machine.clock.clone();
    let work = {
        let scheduler = Arc::clone(&machine.scheduler);
        tokio::spawn(async move { scheduler.work_once(None, never()).await })
    };
    machine.until_step("endless", State::Running).await;
    clock.advance(Duration::from_secs(120));
    machine.until_step("slow", State::Failed).await;
    clock.advance(Duration::from_secs(480));
    assert_eq!(
        work.await.unwrap().unwrap(),
        Some(ended(State::Failed, "timed_out", ""))
    );
    assert_eq!(
        machine.standing(&run_id(at(DUE))).await,
        ["slow failed timed_out", "endless failed timed_out"]
    );
    let steps = machine.ledger.steps(&run_id(at(DUE))).await.unwrap();
    assert_eq!(steps[0].detail, "took longer than 120 s");
}

async fn a_panic_fails_the_step_alone(place: &Place) {
    let steps = Steps::new(|context| async move {
        assert_ne!(context.step.name, "learn", "on purpose");
        Ok(StepDone::default())
    });
    let machine = machine(place, "retries = 3", &steps).await;
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Failed, "step_failed", "step learn")]
    );
    assert_eq!(
        machine.standing(&run_id(at(DUE))).await,
        [
            "load success",
            "build success",
            "learn failed panicked",
            "report success"
        ]
    );
}

async fn a_waiting_run_is_cancelled_at_once_and_a_running_one_with_the_next_heartbeat(
    place: &Place,
) {
    let machine = machine(place, "overlap = \"queue\"", &Steps::stuck_at("build")).await;
    machine.scheduler.tick().await.unwrap();
    let run = run_id(at(DUE));
    assert_eq!(
        machine.ledger.cancel(&run, at(DUE)).await.unwrap(),
        State::Cancelled
    );
    assert_eq!(machine.work().await, []);
    assert_eq!(machine.standing(&run).await[0], "load cancelled cancelled");
    let twice = machine.ledger.cancel(&run, at(DUE)).await.unwrap_err();
    assert!(
        twice.to_string().contains("has ended already (cancelled)"),
        "{twice}"
    );

    let due = at("2026-06-02T17:30:00Z");
    machine.clock.set(due);
    machine.scheduler.tick().await.unwrap();
    let work = {
        let scheduler = Arc::clone(&machine.scheduler);
        tokio::spawn(async move { scheduler.work_once(None, never()).await })
    };
    machine.until_step("build", State::Running).await;
    assert_eq!(
        machine.ledger.cancel(&run_id(due), due).await.unwrap(),
        State::Running
    );
    machine.clock.advance(Duration::from_secs(5));
    assert_eq!(
        work.await.unwrap().unwrap(),
        Some(ended(State::Cancelled, "cancelled", ""))
    );
    assert_eq!(
        machine.standing(&run_id(due)).await[1],
        "build cancelled cancelled"
    );
}

async fn a_retried_run_goes_on_behind_the_steps_that_succeeded(place: &Place) {
    let failures = Arc::new(AtomicUsize::new(1));
    let left = Arc::clone(&failures);
    let steps = Steps::new(move |context| {
        let fails = context.step.name == "build" && left.swap(0, Ordering::Relaxed) > 0;
        async move {
            if fails {
                return Err(StepError::Final {
                    reason: "check_failed",
                    message: String::new(),
                    account: StepAccount::default(),
                });
            }
            Ok(StepDone::default())
        }
    });
    let machine = machine(place, "", &steps).await;
    machine.tick_and_work().await;
    let run = run_id(at(DUE));
    machine.ledger.retry(&run, at(DUE)).await.unwrap();
    machine.steps.begun.lock().unwrap().clear();
    assert_eq!(machine.work().await, [ended(State::Success, "", "")]);
    assert_eq!(machine.steps.begun(), ["build", "report"]);
    let error = machine.ledger.retry(&run, at(DUE)).await.unwrap_err();
    assert!(
        error.to_string().contains("is success; only a failed"),
        "{error}"
    );
    let error = machine.ledger.retry("nigth", at(DUE)).await.unwrap_err();
    assert!(error.to_string().contains("no run `nigth`"), "{error}");
}

async fn a_missed_deadline_is_told_once_even_when_nothing_ever_started(place: &Place) {
    let machine = machine(place, "deadline = \"06:00\"", &Steps::easy()).await;
    machine.scheduler.tick().await.unwrap();
    // The run waits; nobody takes it up.
    machine.clock.set(at("2026-06-01T20:59:00Z"));
    machine.scheduler.tick().await.unwrap();
    let missed = |event: &Event| matches!(event, Event::DeadlineMissed(_));
    assert!(!machine.events.lock().unwrap().iter().any(missed));
    machine.clock.set(at("2026-06-01T21:00:00Z"));
    for _ in 0..3 {
        machine.scheduler.tick().await.unwrap();
    }
    let told: Vec<Event> = machine
        .events
        .lock()
        .unwrap()
        .iter()
        .filter(|event| missed(event))
        .cloned()
        .collect();
    let [Event::DeadlineMissed(missed)] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert_eq!(
        (missed.scheduled_at, missed.standing.as_str()),
        (at(DUE), "queued")
    );
    // One that succeeds in time is not told.
    machine.work().await;
    machine.clock.set(at("2026-06-02T17:30:00Z"));
    machine.tick_and_work().await;
    machine.clock.set(at("2026-06-02T22:00:00Z"));
    machine.scheduler.tick().await.unwrap();
    let count = machine
        .events
        .lock()
        .unwrap()
        .iter()
        .filter(|event| matches!(event, Event::DeadlineMissed(_)))
        .count();
    assert_eq!(count, 1);
}

async fn a_failed_run_pauses_its_plan_until_it_is_resumed(place: &Place) {
    let machine = machine(place, "pause_on_failure = true", &flaky("load", 9)).await;
    machine.tick_and_work().await;
    let plan = machine.ledger.plans().await.unwrap().remove(0);
    assert_eq!(plan.pause_reason, format!("run {} failed", run_id(at(DUE))));
    machine.clock.set(at("2026-06-02T17:30:00Z"));
    assert_eq!(machine.tick_and_work().await, []);
    let listed = machine.ledger.occurrences(None, 1).await.unwrap().remove(0);
    assert_eq!(listed.outcome.unwrap_err().0, "paused");
    let night = night("pause_on_failure = true");
    let now = crate::Clock::now(&machine.clock);
    assert!(machine.ledger.resume(&night, now).await.unwrap());
    assert!(!machine.ledger.resume(&night, now).await.unwrap());
    machine.clock.set(at("2026-06-03T17:30:00Z"));
    assert_eq!(machine.tick_and_work().await.len(), 1);
}

async fn queued_runs_follow_each_other_and_a_newer_one_replaces_an_older(place: &Place) {
    let machine = machine(
        place,
        "overlap = \"queue\"\ncatchup = \"all\"",
        &Steps::easy(),
    )
    .await;
    machine.clock.set(at("2026-06-03T17:30:00Z"));
    assert_eq!(machine.tick_and_work().await.len(), 3);
    let order: Vec<String> = machine
        .events
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::RunStarted(claim) => Some(claim.scheduled_at.format("%d").to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["01", "02", "03"]);

    let older = at("2026-06-04T17:30:00Z");
    let newer = at("2026-06-05T17:30:00Z");
    machine.clock.set(older);
    let plans = vec![night("overlap = \"replace\"")];
    let stuck = Machine::new(
        "two",
        &machine.ledger,
        &machine.clock,
        plans,
        &Steps::stuck_at("build"),
    );
    stuck.scheduler.tick().await.unwrap();
    let mut work = {
        let scheduler = Arc::clone(&stuck.scheduler);
        tokio::spawn(async move { scheduler.work_once(None, never()).await })
    };
    stuck.until_step("build", State::Running).await;
    stuck.clock.set(newer);
    stuck.scheduler.tick().await.unwrap();
    // A heartbeat sent between the two knew nothing yet: the next one does.
    let ended_as = loop {
        tokio::select! {
            end = &mut work => break end.unwrap().unwrap(),
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                stuck.clock.advance(Duration::from_secs(5));
            }
        }
    };
    assert_eq!(ended_as, Some(ended(State::Cancelled, "replaced", "")));
    let run = stuck.ledger.run(&run_id(newer)).await.unwrap();
    assert_eq!(run.state, State::Queued);
}

async fn a_pool_limits_how_many_steps_run_side_by_side(place: &Place) {
    let text: String = (0..12)
        .map(|number| format!("[[step]]\nname = \"step{number}\"\n"))
        .collect();
    let plan = Plan::parse("night", "night.toml", &format!("pool = \"one\"\n{text}")).unwrap();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let steps = {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        Steps::new(move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(StepDone::default())
            }
        })
    };
    let machine = triggered(place, &plan, &steps).await;
    assert_eq!(machine.work().await, [ended(State::Success, "", "")]);
    assert_eq!(
        (machine.steps.begun().len(), most.load(Ordering::SeqCst)),
        (12, 1)
    );
}

async fn a_stopping_scheduler_gives_its_runs_back(place: &Place) {
    let machine = machine(place, "", &Steps::stuck_at("build")).await;
    let stop = tokio::sync::watch::Sender::new(false);
    let scheduling = {
        let (scheduler, stop) = (Arc::clone(&machine.scheduler), stop.subscribe());
        tokio::spawn(async move { scheduler.run(stop).await })
    };
    machine.until_step("build", State::Running).await;
    stop.send_replace(true);
    scheduling.await.unwrap().unwrap();
    assert!(machine.events.lock().unwrap().iter().any(|event| {
        matches!(
            event,
            Event::RunEnded {
                end: RunEnd::GivenBack,
                ..
            }
        )
    }));
    // At once, without waiting for the lease to expire; load is not run again.
    let plans = vec![night("")];
    let next = Machine::new(
        "two",
        &place.ledger().await,
        &machine.clock,
        plans,
        &Steps::easy(),
    );
    assert_eq!(next.work().await, [ended(State::Success, "", "")]);
    assert!(!next.steps.begun().contains(&"load".to_owned()));
}

async fn two_triggers_of_one_occurrence_are_one_run(place: &Place) {
    let machine = machine(place, "", &Steps::easy()).await;
    let plan = night("");
    let by_hand = machine
        .ledger
        .trigger(&plan, &[at(DUE)], "trigger", "operations", at(DUE))
        .await
        .unwrap();
    assert_eq!(
        (by_hand[0].run_id.as_str(), by_hand[0].is_new),
        (run_id(at(DUE)).as_str(), true)
    );
    let again = machine
        .ledger
        .trigger(&plan, &[at(DUE)], "trigger", "operations", at(DUE))
        .await
        .unwrap();
    assert!(!again[0].is_new);
    assert_eq!(machine.tick_and_work().await.len(), 1);
    assert_eq!(machine.ledger.occurrences(None, 10).await.unwrap().len(), 1);
}
