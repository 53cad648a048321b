//! A scheduler on a clock moved by hand, with steps that do what a test says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::{
    Calendar, Event, FakeClock, Ledger, Options, Plan, RunEnd, Scheduler, State, StepContext,
    StepDone, StepError, StepRunner,
};

pub const LEASE: Duration = Duration::from_secs(60);

type Work = dyn Fn(StepContext) -> BoxFuture<'static, Result<StepDone, StepError>> + Send + Sync;

/// Does what a closure says, and remembers which steps were begun.
#[derive(Clone)]
pub struct Steps {
    work: Arc<Work>,
    pub begun: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Steps")
    }
}

impl Steps {
    pub fn new<F>(work: impl Fn(StepContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<StepDone, StepError>> + Send + 'static,
    {
        Self {
            work: Arc::new(move |context| Box::pin(work(context))),
            begun: Arc::default(),
        }
    }

    /// Steps that succeed at once.
    pub fn easy() -> Self {
        Self::new(|_| async { Ok(StepDone::default()) })
    }

    /// Steps that succeed at once, except one that waits for ever.
    pub fn stuck_at(name: &'static str) -> Self {
        Self::new(move |context| async move {
            if context.step.name == name {
                futures::future::pending::<()>().await;
            }
            Ok(StepDone::default())
        })
    }

    pub fn begun(&self) -> Vec<String> {
        self.begun.lock().unwrap().clone()
    }
}

#[async_trait]
impl StepRunner for Steps {
    async fn run(&self, context: StepContext) -> Result<StepDone, StepError> {
        self.begun.lock().unwrap().push(context.step.name.clone());
        (self.work)(context).await
    }
}

/// One machine with a scheduler.
pub struct Machine {
    pub scheduler: Arc<Scheduler>,
    pub ledger: Arc<Ledger>,
    pub clock: FakeClock,
    pub steps: Steps,
    pub events: Arc<Mutex<Vec<Event>>>,
    told: watch::Sender<usize>,
}

impl Machine {
    pub fn new(
        holder: &str,
        ledger: &Arc<Ledger>,
        clock: &FakeClock,
        plans: Vec<Plan>,
        steps: &Steps,
    ) -> Self {
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let told = watch::Sender::new(0);
        let options = Options {
            holder: holder.to_owned(),
            lease: LEASE,
            poll: Duration::from_secs(5),
            pools: BTreeMap::from([("default".to_owned(), 4), ("one".to_owned(), 1)]),
            most_runs: 4,
        };
        let listener = {
            let (events, told) = (Arc::clone(&events), told.clone());
            Arc::new(move |event: &Event| {
                events.lock().unwrap().push(event.clone());
                told.send_modify(|count| *count += 1);
            })
        };
        let calendars: BTreeMap<String, Calendar> =
            BTreeMap::from([("test".to_owned(), super::calendar())]);
        let scheduler = Scheduler::new(
            Arc::clone(ledger),
            plans,
            calendars,
            Arc::new(clock.clone()),
            Arc::new(steps.clone()),
            options,
            listener,
        );
        Self {
            scheduler: Arc::new(scheduler.unwrap()),
            ledger: Arc::clone(ledger),
            clock: clock.clone(),
            steps: steps.clone(),
            events,
            told,
        }
    }

    /// Decides what is due now and works on everything that can be taken up.
    pub async fn tick_and_work(&self) -> Vec<RunEnd> {
        self.scheduler.tick().await.unwrap();
        self.work().await
    }

    pub async fn work(&self) -> Vec<RunEnd> {
        let mut ends = Vec::new();
        while let Some(end) = self.scheduler.work_once(None, never()).await.unwrap() {
            ends.push(end);
        }
        ends
    }

    /// Waits until something like this was told.
    pub async fn until(&self, wanted: impl Fn(&Event) -> bool) {
        let mut told = self.told.subscribe();
        loop {
            told.borrow_and_update();
            if self.events.lock().unwrap().iter().any(&wanted) {
                return;
            }
            told.changed().await.unwrap();
        }
    }

    /// Waits until a step's state was written.
    pub async fn until_step(&self, step: &str, state: State) {
        self.until(|event| matches!(event, Event::Step { change, .. } if change.step == step && change.state == state))
            .await;
    }

    /// Every step of a run with its state.
    pub async fn standing(&self, run_id: &str) -> Vec<String> {
        let steps = self.ledger.steps(run_id).await.unwrap();
        steps
            .iter()
            .map(|step| {
                format!("{} {} {}", step.step, step.state.word(), step.reason)
                    .trim_end()
                    .to_owned()
            })
            .collect()
    }
}

/// A stop that never comes.
pub fn never() -> watch::Receiver<bool> {
    watch::Sender::new(false).subscribe()
}

pub fn ended(state: State, reason: &'static str, detail: &str) -> RunEnd {
    RunEnd::Ended {
        state,
        reason,
        detail: detail.to_owned(),
    }
}

/// The run of the plan `night` at an instant.
pub fn run_id(at: DateTime<Utc>) -> String {
    format!("night-{}", at.format("%Y%m%dT%H%M%SZ"))
}
