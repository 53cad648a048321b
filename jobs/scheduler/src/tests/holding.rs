//! Who may commit: leases, tokens, workers that die or pause, and races.

use std::sync::Arc;
use std::time::Duration;

use super::at;
use super::machine::{LEASE, Machine, Steps, ended, never, run_id};
use super::on_both;
use super::places::Place;
use crate::{
    Event, FakeClock, Lease, Ledger, Plan, RunEnd, SchedulerError, State, StepAccount, StepChange,
    StepDone, StepError, Value,
};
use goyong_database::Statement;

on_both!(
    statements_sent_together_answer_in_order_and_are_undone_when_dropped,
    a_dead_workers_run_goes_on_within_twice_the_lease_behind_what_succeeded,
    a_paused_workers_late_commit_is_refused,
    two_schedulers_and_a_trigger_race_two_hundred_times_and_commit_once_each,
    a_step_that_kills_its_workers_fails_in_the_end,
    tokens_only_grow,
    a_newer_ledger_is_refused,
);

const DUE: &str = "2026-06-01T17:30:00Z";

fn night() -> Plan {
    let text = "schedule = \"30 2 * * *\"\n[[step]]\nname = \"load\"\noutputs = [\"staging\"]\n\
                [[step]]\nname = \"build\"\ninputs = [\"staging\"]\n";
    Plan::parse("night", "night.toml", text).unwrap()
}

/// A table of the application in the same database: what a step commits under its lease.
async fn create_commits(ledger: &Ledger) {
    let mut transaction = ledger.begin("test").await.unwrap();
    transaction
        .execute(
            "create table commits (run_id text not null, token bigint not null)",
            &[],
        )
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

async fn commit(ledger: &Ledger, lease: &Lease) -> Result<StepDone, SchedulerError> {
    let mut transaction = ledger.begin_verified(lease).await?;
    let values: [Value; 2] = [(&lease.run_id).into(), lease.token.into()];
    transaction
        .execute(
            "insert into commits (run_id, token) values ($1, $2)",
            &values,
        )
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    Ok(StepDone::default())
}

async fn commits(ledger: &Ledger) -> Vec<(String, i64)> {
    let rows = ledger
        .database
        .query(
            "select run_id, token from commits order by run_id, token",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.text(0).unwrap(), row.integer(1).unwrap()))
        .collect()
}

async fn statements_sent_together_answer_in_order_and_are_undone_when_dropped(place: &Place) {
    let ledger = place.ledger().await;
    create_commits(&ledger).await;
    let statements: Vec<Statement> = (1..=20i64)
        .flat_map(|token| {
            let insert = Statement {
                sql: "insert into commits (run_id, token) values ($2, $1)",
                values: vec![token.into(), "many".into()],
            };
            let count = Statement {
                sql: "select count(*) from commits where run_id = $1",
                values: vec!["many".into()],
            };
            [insert, count]
        })
        .collect();
    for is_committed in [false, true] {
        let (transaction, rows) = ledger.database.begin_with(&statements).await.unwrap();
        assert_eq!(rows.len(), statements.len());
        let counts: Vec<_> = rows
            .concat()
            .iter()
            .map(|row| row.integer(0).unwrap())
            .collect();
        assert_eq!(counts, (1..=20).collect::<Vec<i64>>());
        match is_committed {
            true => transaction.commit().await.unwrap(),
            false => drop(transaction),
        }
        let kept = if is_committed { 20 } else { 0 };
        let reader = place.ledger().await;
        assert_eq!(commits(&reader).await.len(), kept);
    }
}

/// Steps that commit something of theirs.
fn committing(ledger: &Arc<Ledger>) -> Steps {
    let ledger = Arc::clone(ledger);
    Steps::new(move |context| {
        let ledger = Arc::clone(&ledger);
        async move {
            match commit(&ledger, &context.lease).await {
                Ok(done) => Ok(done),
                Err(error) => Err(StepError::Final {
                    reason: "refused",
                    message: error.to_string(),
                    account: StepAccount::default(),
                }),
            }
        }
    })
}

async fn a_dead_workers_run_goes_on_within_twice_the_lease_behind_what_succeeded(place: &Place) {
    let clock = FakeClock::new(at("2026-06-01T12:00:00Z"));
    let dying = Machine::new(
        "one",
        &place.ledger().await,
        &clock,
        vec![night()],
        &Steps::stuck_at("build"),
    );
    dying.scheduler.tick().await.unwrap();
    clock.set(at(DUE));
    dying.scheduler.tick().await.unwrap();
    let work = {
        let scheduler = Arc::clone(&dying.scheduler);
        tokio::spawn(async move { scheduler.work_once(None, never()).await })
    };
    dying.until_step("build", State::Running).await;
    work.abort();
    assert!(work.await.unwrap_err().is_cancelled());

    // Another machine looks for work all the time, on the same clock.
    let standby = Machine::new(
        "two",
        &place.ledger().await,
        &clock,
        vec![night()],
        &Steps::easy(),
    );
    let stop = tokio::sync::watch::Sender::new(false);
    let scheduling = {
        let (scheduler, stop) = (Arc::clone(&standby.scheduler), stop.subscribe());
        tokio::spawn(async move { scheduler.run(stop).await })
    };
    let died_at = crate::Clock::now(&clock);
    clock.advance(LEASE - Duration::from_secs(1));
    let started = |event: &Event| matches!(event, Event::RunStarted(_));
    assert!(!standby.events.lock().unwrap().iter().any(started));
    // The standby looks every five seconds, so this is the latest it can come.
    clock.advance(Duration::from_secs(6));
    standby
        .until(|event| matches!(event, Event::RunEnded { .. }))
        .await;
    let silent = crate::Clock::now(&clock) - died_at;
    assert!(silent.to_std().unwrap() < 2 * LEASE);
    stop.send_replace(true);
    scheduling.await.unwrap().unwrap();
    assert_eq!(standby.steps.begun(), ["build"]);
    let run = standby.ledger.run(&run_id(at(DUE))).await.unwrap();
    assert_eq!((run.attempt, run.lease.unwrap().0.as_str()), (2, "two"));
}

async fn a_paused_workers_late_commit_is_refused(place: &Place) {
    let clock = FakeClock::new(at(DUE));
    let ledger = place.ledger().await;
    create_commits(&ledger).await;
    let plan = night();
    ledger
        .trigger(&plan, &[at(DUE)], "trigger", "operations", at(DUE))
        .await
        .unwrap();
    let claim = ledger
        .claim(&[&plan], None, "paused", LEASE, at(DUE))
        .await
        .unwrap()
        .unwrap();
    commit(&ledger, &claim.lease).await.unwrap();

    // Past its lease nobody else has come: it may still go on.
    clock.advance(LEASE * 2);
    commit(&ledger, &claim.lease).await.unwrap();
    let heartbeat = ledger
        .heartbeat(&claim.lease, LEASE, crate::Clock::now(&clock))
        .await
        .unwrap();
    assert_eq!(heartbeat.cancel, None);

    clock.advance(LEASE * 2);
    let next = Machine::new(
        "two",
        &place.ledger().await,
        &clock,
        vec![plan],
        &committing(&ledger),
    );
    assert_eq!(next.work().await, [ended(State::Success, "", "")]);

    let before = (
        commits(&ledger).await,
        next.standing(&run_id(at(DUE))).await,
    );
    let refused = commit(&ledger, &claim.lease).await.unwrap_err();
    assert!(refused.is_lease_lost(), "{refused}");
    let change = StepChange {
        step: "build".to_owned(),
        state: State::Failed,
        reason: "late",
        detail: String::new(),
        attempt: 7,
        not_before: None,
        account: StepAccount::default(),
    };
    let now = crate::Clock::now(&clock);
    let late = ledger
        .progress(
            &claim.lease,
            &night(),
            &[change],
            Some((State::Failed, "late", "")),
            now,
        )
        .await;
    assert!(late.unwrap_err().is_lease_lost());
    assert!(
        ledger
            .heartbeat(&claim.lease, LEASE, now)
            .await
            .unwrap_err()
            .is_lease_lost()
    );
    assert!(
        ledger
            .give_back(&claim.lease, now)
            .await
            .unwrap_err()
            .is_lease_lost()
    );
    assert_eq!(
        (
            commits(&ledger).await,
            next.standing(&run_id(at(DUE))).await
        ),
        before
    );
}

/// Two schedulers, each with connections of its own, and a person who triggers the same occurrence.
async fn two_schedulers_and_a_trigger_race_two_hundred_times_and_commit_once_each(place: &Place) {
    const ROUNDS: usize = 200;
    let clock = FakeClock::new(at("2026-06-01T12:00:00Z"));
    let plan = Plan::parse(
        "night",
        "night.toml",
        "schedule = \"30 2 * * *\"\n[[step]]\nname = \"only\"",
    )
    .unwrap();
    let person = place.ledger().await;
    create_commits(&person).await;
    let mut machines = Vec::new();
    for holder in ["one", "two"] {
        let ledger = place.ledger().await;
        let steps = committing(&ledger);
        machines.push(Arc::new(Machine::new(
            holder,
            &ledger,
            &clock,
            vec![plan.clone()],
            &steps,
        )));
    }
    machines[0].tick_and_work().await;
    let mut due = at(DUE);
    for round in 1..=ROUNDS {
        clock.set(due);
        let start = Arc::new(tokio::sync::Barrier::new(3));
        let mut racing = tokio::task::JoinSet::new();
        for machine in &machines {
            let (machine, start) = (Arc::clone(machine), Arc::clone(&start));
            racing.spawn(async move {
                start.wait().await;
                machine.tick_and_work().await
            });
        }
        {
            let (person, plan, start) = (Arc::clone(&person), plan.clone(), Arc::clone(&start));
            racing.spawn(async move {
                start.wait().await;
                let triggered = person
                    .trigger(&plan, &[due], "trigger", "operations", due)
                    .await
                    .unwrap();
                assert_eq!(triggered.len(), 1);
                Vec::new()
            });
        }
        let ends: Vec<RunEnd> = racing.join_all().await.into_iter().flatten().collect();
        assert_eq!(ends, [ended(State::Success, "", "")], "round {round}");
        due += chrono::TimeDelta::days(1);
    }
    let commits = commits(&person).await;
    let runs: std::collections::BTreeSet<_> = commits.iter().map(|(run, _)| run).collect();
    assert_eq!((commits.len(), runs.len()), (ROUNDS, ROUNDS));
    assert_eq!(person.occurrences(None, 1000).await.unwrap().len(), ROUNDS);
}

async fn a_step_that_kills_its_workers_fails_in_the_end(place: &Place) {
    let ledger = place.ledger().await;
    let plan = night();
    let mut now = at(DUE);
    ledger
        .trigger(&plan, &[now], "trigger", "operations", now)
        .await
        .unwrap();
    let running = StepChange {
        step: "load".to_owned(),
        state: State::Running,
        reason: "",
        detail: String::new(),
        attempt: 1,
        not_before: None,
        account: StepAccount::default(),
    };
    for attempt in 1..=3 {
        let claim = ledger
            .claim(&[&plan], None, "dies", LEASE, now)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((claim.attempt, claim.taken_over), (attempt, attempt > 1));
        ledger
            .progress(
                &claim.lease,
                &plan,
                std::slice::from_ref(&running),
                None,
                now,
            )
            .await
            .unwrap();
        now += chrono::TimeDelta::from_std(LEASE).unwrap();
    }
    let clock = FakeClock::new(now);
    let machine = Machine::new("lives", &ledger, &clock, vec![plan], &Steps::easy());
    assert_eq!(
        machine.work().await,
        [ended(State::Failed, "step_failed", "step load")]
    );
    assert_eq!(
        machine.standing(&run_id(at(DUE))).await,
        [
            "load failed worker_lost",
            "build upstream_failed upstream_failed"
        ]
    );
    let attempts = ledger.attempts(&run_id(at(DUE))).await.unwrap();
    let shown: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.number, attempt.reason.as_str(), attempt.finished_at))
        .collect();
    // Each ended when the next worker noticed.
    let noticed = |round| Some(at(DUE) + chrono::TimeDelta::from_std(LEASE * round).unwrap());
    assert_eq!(
        shown,
        [
            (1, "worker_lost", noticed(1)),
            (2, "worker_lost", noticed(2)),
            (3, "worker_lost", noticed(3)),
        ]
    );
}

async fn tokens_only_grow(place: &Place) {
    let ledger = place.ledger().await;
    let mut allowed = night();
    allowed.overlap = crate::Overlap::Allow;
    let due = [at(DUE), at("2026-06-02T17:30:00Z")];
    let now = at("2026-06-03T00:00:00Z");
    ledger
        .trigger(&allowed, &due, "backfill", "operations", now)
        .await
        .unwrap();
    let mut tokens = Vec::new();
    for later in 0..4 {
        let now = now + chrono::TimeDelta::from_std(LEASE * later).unwrap();
        while let Some(claim) = ledger
            .claim(&[&allowed], None, "one", LEASE, now)
            .await
            .unwrap()
        {
            tokens.push(claim.lease.token);
        }
    }
    assert_eq!(tokens, [1, 2, 3, 4, 5, 6, 7, 8]);
}

async fn a_newer_ledger_is_refused(place: &Place) {
    let ledger = place.ledger().await;
    let mut transaction = ledger.begin("test").await.unwrap();
    transaction
        .execute("insert into scheduler_migrations (number) values (99)", &[])
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    ledger.close().await;
    let error = Ledger::open(&place.location).await.unwrap_err();
    assert!(
        matches!(error, SchedulerError::NewerLedger { found: 99, .. }),
        "{error}"
    );
}
