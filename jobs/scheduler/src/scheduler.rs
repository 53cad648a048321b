//! The loop: decide what is due, take up runs, work on them, sleep until something may be due.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::calendar::Calendar;
use crate::clock::Clock;
use crate::due::Decision;
use crate::error::{Result, SchedulerError};
use crate::executor::{RunEnd, execute};
use crate::ledger::{Claim, Ledger, MissedDeadline, SIGN_OF_LIFE, StepChange};
use crate::notice::{Notice, NoticeSender};
use crate::plan::Plan;
use crate::pools::Pools;
use crate::step::StepRunner;

/// What a scheduler is told beside its plans.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who holds the leases; different for every process.
    pub holder: String,
    /// How long a silent worker keeps its run.
    pub lease: Duration,
    /// How often to look for what others put into the ledger, and for workers that went silent. A third of the
    /// lease at most, so that a dead worker's run goes on within twice the lease.
    pub poll: Duration,
    /// The pools with the number of steps that run side by side in each.
    pub pools: BTreeMap<String, usize>,
    /// Runs this process works on at the same time.
    pub most_runs: usize,
}

/// Something that happened, after it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An occurrence was decided.
    Decided {
        /// The plan.
        plan: String,
        /// What becomes of the occurrence.
        decision: Decision,
    },
    /// A run was taken up.
    RunStarted(Claim),
    /// A step changed its state.
    Step {
        /// The run.
        run_id: String,
        /// What was written.
        change: StepChange,
    },
    /// This process is done with a run.
    RunEnded {
        /// The run.
        run_id: String,
        /// How.
        end: RunEnd,
    },
    /// A run should have succeeded by now. It may never have started.
    DeadlineMissed(MissedDeadline),
    /// A failed run paused its plan.
    PlanPaused {
        /// The plan.
        plan: String,
        /// The run that failed.
        run_id: String,
    },
    /// A notice was delivered, or could not be.
    NoticeSent {
        /// The notice.
        notice: Notice,
        /// Why it could not be delivered; it is tried again later.
        problem: Option<String>,
    },
    /// The loop has turned once.
    Turned {
        /// Whether the ledger answered.
        answers: bool,
    },
}

/// Told of every event, in order.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// What works on runs.
pub(crate) struct Worker {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runner: Arc<dyn StepRunner>,
    pub(crate) pools: Pools,
    pub(crate) lease: Duration,
    listener: Listener,
}

impl Worker {
    pub(crate) fn tell(&self, event: &Event) {
        (self.listener)(event);
    }
}

/// Plans with everything needed to run them. Several processes may have one each on the same ledger.
pub struct Scheduler {
    worker: Arc<Worker>,
    plans: Vec<Arc<Plan>>,
    calendars: BTreeMap<String, Calendar>,
    options: Options,
    sender: Option<Arc<dyn NoticeSender>>,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scheduler")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Scheduler {
    /// Checks that every plan's calendar and pools are there.
    pub fn new(
        ledger: Arc<Ledger>,
        plans: Vec<Plan>,
        calendars: BTreeMap<String, Calendar>,
        clock: Arc<dyn Clock>,
        runner: Arc<dyn StepRunner>,
        options: Options,
        listener: Listener,
    ) -> Result<Self> {
        for plan in &plans {
            plan.check_pools(&options.pools)?;
            if let Some(calendar) = &plan.calendar
                && !calendars.contains_key(calendar)
            {
                let known = calendars.keys().map(String::as_str);
                return Err(SchedulerError::unknown("calendar", calendar, known));
            }
        }
        let worker = Worker {
            ledger,
            clock,
            runner,
            pools: Pools::new(&options.pools),
            lease: options.lease,
            listener,
        };
        Ok(Self {
            worker: Arc::new(worker),
            plans: plans.into_iter().map(Arc::new).collect(),
            calendars,
            options,
            sender: None,
        })
    }

    /// The same scheduler, which delivers notices as well. Without a sender they wait in the ledger for one that does.
    #[must_use]
    pub fn with_sender(mut self, sender: Arc<dyn NoticeSender>) -> Self {
        self.sender = Some(sender);
        self
    }

    /// Delivers the notices that are to be sent now. What cannot be delivered is tried again later.
    pub async fn deliver_notices(&self) -> Result<()> {
        match &self.sender {
            Some(sender) => deliver(&self.worker, sender).await,
            None => Ok(()),
        }
    }

    /// Decides what is due of every plan and looks for missed deadlines. Answers when something may be due next.
    pub async fn tick(&self) -> Result<Option<DateTime<Utc>>> {
        let worker = &self.worker;
        let now = worker.clock.now();
        let mut next: Option<DateTime<Utc>> = None;
        for plan in &self.plans {
            let calendar = plan
                .calendar
                .as_ref()
                .and_then(|name| self.calendars.get(name));
            let decided = worker.ledger.decide(plan, calendar, now).await?;
            for decision in decided.decisions {
                worker.tell(&Event::Decided {
                    plan: plan.name.clone(),
                    decision,
                });
            }
            next = [next, decided.next].into_iter().flatten().min();
        }
        self.look_at_deadlines().await?;
        Ok(next)
    }

    async fn look_at_deadlines(&self) -> Result<()> {
        let now = self.worker.clock.now();
        let plans: Vec<&Plan> = self.plans.iter().map(Arc::as_ref).collect();
        for missed in self.worker.ledger.miss_deadlines(&plans, now).await? {
            self.worker.tell(&Event::DeadlineMissed(missed));
        }
        Ok(())
    }

    /// Takes up one run that may begin or go on, and works on it; `only_run` names the one to take up. Answers
    /// nothing when there is none.
    pub async fn work_once(
        &self,
        only_run: Option<&str>,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<RunEnd>> {
        match self.claim(only_run).await? {
            None => Ok(None),
            Some((plan, claim)) => work(Arc::clone(&self.worker), plan, claim, stop)
                .await
                .map(Some),
        }
    }

    async fn claim(&self, only_run: Option<&str>) -> Result<Option<(Arc<Plan>, Claim)>> {
        let plans: Vec<&Plan> = self.plans.iter().map(Arc::as_ref).collect();
        let claim = self
            .worker
            .ledger
            .claim(
                &plans,
                only_run,
                &self.options.holder,
                self.options.lease,
                self.worker.clock.now(),
            )
            .await?;
        let Some(claim) = claim else {
            return Ok(None);
        };
        let plan = self.plans.iter().find(|plan| plan.name == claim.plan);
        Ok(plan.map(|plan| (Arc::clone(plan), claim)))
    }

    /// Schedules and works until `stop` turns true; runs under way are given back then.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) -> Result<()> {
        let clock = Arc::clone(&self.worker.clock);
        let poll = TimeDelta::from_std(self.options.poll.min(self.options.lease / 3))
            .unwrap_or(TimeDelta::seconds(1));
        let mut runs: JoinSet<Result<RunEnd>> = JoinSet::new();
        // At most one at a time, beside the loop: a mail server that hangs holds nothing up.
        let mut deliveries: JoinSet<Result<()>> = JoinSet::new();
        let mut next: Option<DateTime<Utc>> = Some(clock.now());
        let mut seen_at = None;
        let mut outcome = Ok(());
        while !*stop.borrow_and_update() {
            let pass = self.pass(&mut next, &mut seen_at, &mut runs, &stop).await;
            let answers = pass.is_ok();
            if let Err(error) = pass {
                if !error.is_retryable() {
                    outcome = Err(error);
                    break;
                }
                tracing::warn!("the ledger of runs does not answer, trying again: {error}");
            }
            self.worker.tell(&Event::Turned { answers });
            while let Some(ended) = deliveries.try_join_next() {
                report_delivery(ended);
            }
            if let Some(sender) = self.sender.as_ref().filter(|_| deliveries.is_empty()) {
                let (worker, sender) = (Arc::clone(&self.worker), Arc::clone(sender));
                deliveries.spawn(async move { deliver(&worker, &sender).await });
            }
            let wake_at = clock.now() + poll;
            let wake_at = next.map_or(wake_at, |next| next.min(wake_at));
            tokio::select! {
                () = clock.sleep_until(wake_at) => {}
                Some(ended) = runs.join_next() => report(ended),
                Ok(()) = stop.changed() => {}
            }
        }
        if outcome.is_err() {
            runs.abort_all();
        }
        while let Some(ended) = runs.join_next().await {
            report(ended);
        }
        // A notice that is being sent is sent again by whoever comes next.
        deliveries.shutdown().await;
        if outcome.is_ok()
            && let Err(error) = self.say_seen(true).await
        {
            tracing::warn!("the ledger of runs does not know that this process ended: {error}");
        }
        outcome
    }

    async fn say_seen(&self, has_ended: bool) -> Result<()> {
        let (worker, holder) = (&self.worker, &self.options.holder);
        worker
            .ledger
            .seen(holder, has_ended, worker.clock.now())
            .await
    }

    async fn pass(
        &self,
        next: &mut Option<DateTime<Utc>>,
        seen_at: &mut Option<DateTime<Utc>>,
        runs: &mut JoinSet<Result<RunEnd>>,
        stop: &watch::Receiver<bool>,
    ) -> Result<()> {
        if next.is_some_and(|next| next <= self.worker.clock.now()) {
            *next = self.tick().await?;
        } else {
            self.look_at_deadlines().await?;
        }
        let now = self.worker.clock.now();
        if seen_at.is_none_or(|at| now < at || now - at >= SIGN_OF_LIFE) {
            self.say_seen(false).await?;
            *seen_at = Some(now);
        }
        while runs.len() < self.options.most_runs
            && let Some((plan, claim)) = self.claim(None).await?
        {
            runs.spawn(work(Arc::clone(&self.worker), plan, claim, stop.clone()));
        }
        Ok(())
    }
}

fn report(ended: std::result::Result<Result<RunEnd>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!("a run was left to whoever takes it up next: {error}"),
        Err(error) => tracing::error!("a run was left to whoever takes it up next: {error}"),
    }
}

fn report_delivery(ended: std::result::Result<Result<()>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!("notices wait, the ledger of runs does not answer: {error}")
        }
        Err(error) => tracing::warn!("notices wait for another attempt: {error}"),
    }
}

/// Delivers what is to be sent now, one after the other.
async fn deliver(worker: &Worker, sender: &Arc<dyn NoticeSender>) -> Result<()> {
    let ledger = &worker.ledger;
    while let Some(notice) = ledger.take_notice(worker.clock.now()).await? {
        let problem = sender.send(&notice).await.err();
        ledger
            .notice_sent(&notice, problem.as_deref(), worker.clock.now())
            .await?;
        worker.tell(&Event::NoticeSent { notice, problem });
    }
    Ok(())
}

async fn work(
    worker: Arc<Worker>,
    plan: Arc<Plan>,
    claim: Claim,
    stop: watch::Receiver<bool>,
) -> Result<RunEnd> {
    let run_id = claim.lease.run_id.clone();
    worker.tell(&Event::RunStarted(claim.clone()));
    let end = execute(&worker, &plan, claim, stop).await?;
    let has_failed = matches!(
        end,
        RunEnd::Ended {
            state: crate::ledger::State::Failed,
            ..
        }
    );
    worker.tell(&Event::RunEnded {
        run_id: run_id.clone(),
        end: end.clone(),
    });
    if has_failed && plan.pause_on_failure {
        let reason = format!("run {run_id} failed");
        if worker
            .ledger
            .pause(&plan, &reason, worker.clock.now())
            .await?
        {
            worker.tell(&Event::PlanPaused {
                plan: plan.name.clone(),
                run_id,
            });
        }
    }
    Ok(end)
}

/// A name for this process that no other process has: machine, process number, and a number by chance.
pub fn new_holder() -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let chance = uuid::Uuid::new_v4().simple().to_string();
    format!(
        "{}:{}:{}",
        machine.trim(),
        std::process::id(),
        chance.get(..8).unwrap_or_default()
    )
}
