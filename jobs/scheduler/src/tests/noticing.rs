//! Who is told what, once, however often it has to be tried and however many schedulers there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::at;
use super::machine::{Machine, Steps, ended, run_id};
use super::on_both;
use super::places::Place;
use crate::{
    Clock, FakeClock, Notice, NoticeSender, Plan, Scheduler, State, StepAccount, StepDone,
    StepError,
};

on_both!(
    a_failure_and_the_recovery_are_told_once_to_each_target,
    a_deadline_is_told_although_the_scheduler_was_off_and_comes_back_late,
    a_figure_above_the_limit_is_told,
    a_notice_is_tried_again_until_it_is_taken_and_given_up_after_days,
    two_schedulers_deliver_a_notice_once,
    a_notice_whose_sender_died_is_sent_by_another,
    a_plan_that_names_nobody_tells_nobody,
);

const DUE: &str = "2026-06-01T17:30:00Z";

/// Keeps what it is given; refuses the first so many.
#[derive(Debug, Clone, Default)]
struct Inbox {
    got: Arc<Mutex<Vec<Notice>>>,
    refuses: Arc<Mutex<u32>>,
}

#[async_trait]
impl NoticeSender for Inbox {
    async fn send(&self, notice: &Notice) -> Result<(), String> {
        let mut refuses = self.refuses.lock().unwrap();
        if *refuses > 0 {
            *refuses -= 1;
            return Err("the server is away".to_owned());
        }
        self.got.lock().unwrap().push(notice.clone());
        Ok(())
    }
}

impl Inbox {
    fn lines(&self) -> Vec<String> {
        let got = self.got.lock().unwrap();
        got.iter()
            .map(|notice| {
                let facts: Vec<String> = notice
                    .facts
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect();
                format!(
                    "{} to {} {}",
                    notice.kind.word(),
                    notice.target,
                    facts.join(" ")
                )
                .trim_end()
                .to_owned()
            })
            .collect()
    }
}

fn plan(keys: &str) -> Plan {
    let text = format!(
        "schedule = \"30 2 * * *\"\ndeadline = \"06:00\"\n{keys}\n[[step]]\nname = \"load\"\n"
    );
    Plan::parse("night", "night.toml", &text).unwrap()
}

/// A machine that has seen the plan, at the time it is due, and a scheduler on it that delivers.
async fn machine(place: &Place, keys: &str, steps: &Steps, inbox: &Inbox) -> (Machine, Scheduler) {
    let clock = FakeClock::new(at("2026-06-01T12:00:00Z"));
    let machine = Machine::new(
        "one",
        &place.ledger().await,
        &clock,
        vec![plan(keys)],
        steps,
    );
    assert_eq!(machine.tick_and_work().await, []);
    clock.set(at(DUE));
    let scheduler = delivering(&machine, keys, inbox);
    (machine, scheduler)
}

fn delivering(machine: &Machine, keys: &str, inbox: &Inbox) -> Scheduler {
    let other = Machine::new(
        "sender",
        &machine.ledger,
        &machine.clock,
        vec![plan(keys)],
        &machine.steps,
    );
    let scheduler = Arc::into_inner(other.scheduler).unwrap();
    scheduler.with_sender(Arc::new(inbox.clone()))
}

/// Fails on the first days, succeeds from then on.
fn failing_for(runs: usize) -> Steps {
    let left = Arc::new(Mutex::new(runs));
    Steps::new(move |_| {
        let mut left = left.lock().unwrap();
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        async move {
            match fails {
                false => Ok(StepDone::default()),
                true => Err(StepError::Final {
                    reason: "check_failed",
                    message: "a text that is told to nobody".to_owned(),
                    account: StepAccount::default(),
                }),
            }
        }
    })
}

async fn a_failure_and_the_recovery_are_told_once_to_each_target(place: &Place) {
    let inbox = Inbox::default();
    let keys = "notify = [\"ops\", \"hook\"]";
    let (machine, sender) = machine(place, keys, &failing_for(1), &inbox).await;
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Failed, "step_failed", "step load")]
    );
    sender.deliver_notices().await.unwrap();
    sender.deliver_notices().await.unwrap();
    let failed = ["hook", "ops"].map(|to| format!("failed to {to} reason=step_failed steps=load"));
    assert_eq!(inbox.lines(), failed);
    let notice = inbox.got.lock().unwrap()[0].clone();
    assert_eq!(notice.run_id, Some(run_id(at(DUE))));
    assert!(!format!("{notice:?}").contains("told to nobody"));
    // The next night succeeds, and the one after it is no news.
    for day in ["2026-06-02T17:30:00Z", "2026-06-03T17:30:00Z"] {
        machine.clock.set(at(day));
        assert_eq!(
            machine.tick_and_work().await,
            [ended(State::Success, "", "")]
        );
        sender.deliver_notices().await.unwrap();
    }
    let told = inbox.lines();
    // The deadline of the failed night has passed as well.
    let count = |what: &str| told.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(
        (
            count("failed"),
            count("deadline_missed"),
            count("recovered")
        ),
        (2, 2, 2),
        "{told:?}"
    );
}

async fn a_deadline_is_told_although_the_scheduler_was_off_and_comes_back_late(place: &Place) {
    let inbox = Inbox::default();
    let (machine, sender) = machine(place, "notify = [\"ops\"]", &Steps::easy(), &inbox).await;
    // Off from before the night until noon of the same day in Seoul, six hours after the deadline.
    machine.clock.set(at("2026-06-02T03:00:00Z"));
    machine.scheduler.tick().await.unwrap();
    sender.deliver_notices().await.unwrap();
    let deadline = "deadline=2026-06-01T21:00:00+00:00";
    assert_eq!(
        inbox.lines(),
        [format!("deadline_missed to ops {deadline} standing=queued")]
    );
    assert_eq!(machine.work().await, [ended(State::Success, "", "")]);
    machine.scheduler.tick().await.unwrap();
    sender.deliver_notices().await.unwrap();
    assert_eq!(inbox.lines()[1..], ["recovered to ops"]);
}

async fn a_figure_above_the_limit_is_told(place: &Place) {
    let inbox = Inbox::default();
    let steps = Steps::new(|_| async {
        Ok(StepDone {
            account: StepAccount {
                figures: BTreeMap::from([
                    ("rows_quarantined".to_owned(), 101),
                    ("rows_in".to_owned(), 900),
                ]),
                ..StepAccount::default()
            },
            ..StepDone::default()
        })
    });
    let keys = "notify = [\"ops\"]\nnotify_above = { rows_quarantined = 100, rows_in = 900 }";
    let (machine, sender) = machine(place, keys, &steps, &inbox).await;
    machine.tick_and_work().await;
    sender.deliver_notices().await.unwrap();
    assert_eq!(
        inbox.lines(),
        ["over_limit to ops figure=rows_quarantined limit=100 step=load value=101"]
    );
}

async fn a_notice_is_tried_again_until_it_is_taken_and_given_up_after_days(place: &Place) {
    let inbox = Inbox::default();
    *inbox.refuses.lock().unwrap() = 2;
    let (machine, sender) = machine(place, "notify = [\"ops\"]", &failing_for(2), &inbox).await;
    // The run fails, and nothing but its notice does for it.
    assert_eq!(
        machine.tick_and_work().await,
        [ended(State::Failed, "step_failed", "step load")]
    );
    sender.deliver_notices().await.unwrap();
    let waiting = machine.ledger.undelivered().await.unwrap();
    assert_eq!((waiting.len(), waiting[0].attempts), (1, 1));
    assert_eq!(waiting[0].last_error, "the server is away");
    // Half a minute to the second attempt, a whole one to the third.
    for (seconds, told) in [(29, 0), (1, 0), (59, 0), (1, 1)] {
        machine.clock.advance(Duration::from_secs(seconds));
        sender.deliver_notices().await.unwrap();
        assert_eq!(inbox.lines().len(), told);
    }
    assert_eq!(inbox.got.lock().unwrap()[0].attempts, 3);
    assert!(machine.ledger.undelivered().await.unwrap().is_empty());

    // Nobody takes those of the next night.
    *inbox.refuses.lock().unwrap() = u32::MAX;
    machine.clock.set(at("2026-06-02T17:30:00Z"));
    machine.tick_and_work().await;
    for _ in 0..100 {
        machine.clock.advance(Duration::from_secs(3600));
        sender.deliver_notices().await.unwrap();
    }
    let waiting = machine.ledger.undelivered().await.unwrap();
    assert!(
        waiting[0].is_given_up && waiting[0].attempts > 70,
        "{waiting:?}"
    );
    let figures = machine.ledger.figures().await.unwrap().notices;
    let kind = |word: &str, delivered, given_up| (word.to_owned(), 0, delivered, given_up);
    assert_eq!(
        figures,
        [kind("deadline_missed", 0, 1), kind("failed", 1, 1)]
    );
}

async fn two_schedulers_deliver_a_notice_once(place: &Place) {
    let inbox = Inbox::default();
    let keys = "notify = [\"ops\", \"hook\", \"chat\"]";
    let (machine, one) = machine(place, keys, &failing_for(1), &inbox).await;
    let ledger = place.ledger().await;
    let elsewhere = Machine::new(
        "two",
        &ledger,
        &machine.clock,
        vec![plan(keys)],
        &machine.steps,
    );
    let two = delivering(&elsewhere, keys, &inbox);
    machine.tick_and_work().await;
    let (first, second) = tokio::join!(one.deliver_notices(), two.deliver_notices());
    first.unwrap();
    second.unwrap();
    let mut told = inbox.lines();
    told.sort();
    told.dedup();
    assert_eq!((told.len(), inbox.lines().len()), (3, 3));
}

async fn a_notice_whose_sender_died_is_sent_by_another(place: &Place) {
    let inbox = Inbox::default();
    let (machine, sender) = machine(place, "notify = [\"ops\"]", &failing_for(1), &inbox).await;
    machine.tick_and_work().await;
    // Taken, and then its process dies.
    let taken = machine
        .ledger
        .take_notice(machine.clock.now())
        .await
        .unwrap();
    assert_eq!(taken.unwrap().attempts, 1);
    machine.clock.advance(Duration::from_secs(60));
    sender.deliver_notices().await.unwrap();
    assert_eq!(inbox.lines().len(), 0);
    machine.clock.advance(Duration::from_secs(240));
    sender.deliver_notices().await.unwrap();
    assert_eq!(inbox.lines().len(), 1);
}

async fn a_plan_that_names_nobody_tells_nobody(place: &Place) {
    let (machine, sender) = machine(place, "", &failing_for(1), &Inbox::default()).await;
    machine.tick_and_work().await;
    machine.clock.set(at(DUE) + TimeDelta::hours(12));
    machine.scheduler.tick().await.unwrap();
    sender.deliver_notices().await.unwrap();
    let figures = machine.ledger.figures().await.unwrap();
    assert!(figures.notices.is_empty());
    assert_eq!(figures.deadlines_missed, [("night".to_owned(), 1)]);
}
