//! Scheduling and working, watched.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use goyong_scheduler::{
    DEFAULT_POOL, Event, Listener, Notice, NoticeKind, NoticeSender, Options, Plan, RunEnd,
    Scheduler, State, new_holder,
};
use goyong_types::nearest_name;
use tokio::sync::{Notify, watch};

use super::log::write_to_log;
use super::page_process::PageProcess;
use super::processes::{StepCommand, StepProcesses};
use super::{DEFAULT_LEASE, ScheduledProject};
use crate::watch::{
    Endpoints, Pulse, Sender, ServiceManager, Telemetry, TelemetryEnd, TelemetryOptions,
};

/// Steps that run side by side where `goyong.toml` names no pool.
const DEFAULT_POOL_SIZE: usize = 2;
/// How often others' triggers are looked for.
const POLL: Duration = Duration::from_secs(5);
/// Turns of the loop without news after which it is taken to rest.
const QUIET_TURNS: u32 = 2;
/// After such a turn, until what it began beside the loop is done.
const REST_AFTER: Duration = Duration::from_secs(1);
/// Runs of one process at the same time; each is a night of its own.
const MOST_RUNS: usize = 4;

/// Columns of `goyong schedule notify-test`.
pub const NOTIFY_HEADER: [&str; 3] = ["target", "state", "problem"];

/// What a scheduler is told beside its plans.
#[derive(Debug, Clone, Copy)]
pub struct StartOptions {
    /// How long a silent worker keeps its run.
    pub lease: Duration,
    /// Called between two turns of the loop that find nothing to do.
    pub rest: fn(),
    /// Where `/healthz`, `/readyz` and `/metrics` are served; a port of 0 lets the system choose.
    pub listen: Option<SocketAddr>,
}

impl ScheduledProject {
    fn scheduler(
        &self,
        command: StepCommand,
        lease: Duration,
        poll: Duration,
        listener: Listener,
    ) -> Result<Scheduler> {
        let mut pools: BTreeMap<String, usize> = self.configuration.pools.clone();
        pools
            .entry(DEFAULT_POOL.to_owned())
            .or_insert(DEFAULT_POOL_SIZE);
        let options = Options {
            holder: new_holder(),
            lease,
            poll,
            pools,
            most_runs: MOST_RUNS,
        };
        let runner = StepProcesses::new(&self.folder, self.logs(), command);
        let scheduler = Scheduler::new(
            Arc::clone(&self.ledger),
            self.plans.clone(),
            self.calendars.clone(),
            Arc::clone(&self.clock),
            Arc::new(runner),
            options,
            listener,
        )?;
        Ok(scheduler.with_sender(Arc::new(self.sender())))
    }

    fn sender(&self) -> Sender {
        let zones = self
            .plans
            .iter()
            .map(|plan| (plan.name.clone(), plan.timezone));
        Sender::new(
            &self.configuration.project,
            self.configuration.notify.clone(),
            zones.collect(),
        )
    }

    /// Writes events to the log and tells them to whoever the environment names. What is returned beside the listener
    /// sends the last of it.
    fn listener(
        &self,
        also: impl Fn(&Event) + Send + Sync + 'static,
    ) -> (Listener, Option<TelemetryEnd>) {
        let variable = |name: &str| std::env::var(name).ok();
        let options = TelemetryOptions::from_environment(&self.configuration.project, variable);
        let (telemetry, end) = Telemetry::start(options, self.plans.clone()).unzip();
        let clock = Arc::clone(&self.clock);
        let listener = move |event: &Event| {
            write_to_log(event);
            if let Some(telemetry) = &telemetry {
                telemetry.hear(event, clock.now());
            }
            also(event);
        };
        (Arc::new(listener), end)
    }

    /// Schedules and works until `stop` turns true. `ready` is called once it does, with what to tell: a line, and where
    /// the endpoints listen.
    pub async fn start(
        &self,
        command: StepCommand,
        options: StartOptions,
        ready: impl FnOnce(&str),
        mut stop: watch::Receiver<bool>,
    ) -> Result<()> {
        let manager = Arc::new(ServiceManager::from_environment());
        let pulse = Arc::new(Pulse::default());
        let mut line = self.ready_line().await?;
        let mut serving = None;
        if let Some(address) = options.listen {
            let endpoints = Endpoints {
                ledger: Arc::clone(&self.ledger),
                plans: self.plans.clone(),
                calendars: self.calendars.clone(),
                clock: Arc::clone(&self.clock),
                pulse: Arc::clone(&pulse),
            };
            let (address, server) = endpoints.serve(address).await?;
            line.push_str(&format!("; http://{address}/metrics"));
            serving = Some(server);
        }
        let pages = PageProcess::start(&self.folder, &command.program);
        let quiet = Arc::new(Notify::new());
        let (listener, last_words) = {
            let ear = pages.ear();
            let (manager, pulse, clock) = (
                Arc::clone(&manager),
                Arc::clone(&pulse),
                Arc::clone(&self.clock),
            );
            let status = format!("{} plans scheduled", self.plans.len());
            let quiet_turns = AtomicU32::new(0);
            let quiet = Arc::clone(&quiet);
            self.listener(move |event| {
                ear(event);
                match event {
                    Event::Turned { answers } => {
                        pulse.beat(clock.now(), *answers);
                        manager.turned(if *answers {
                            &status
                        } else {
                            "the ledger of runs does not answer"
                        });
                        if quiet_turns.fetch_add(1, Ordering::Relaxed) >= QUIET_TURNS {
                            quiet.notify_one();
                        }
                    }
                    Event::RunStarted(_) | Event::RunEnded { .. } => {
                        quiet_turns.store(0, Ordering::Relaxed);
                    }
                    _ => {}
                }
            })
        };
        let poll = manager.longest_turn().map_or(POLL, |turn| turn.min(POLL));
        let scheduler = self.scheduler(command, options.lease, poll, listener)?;
        self.warn_of_ended_calendars();
        ready(&line);
        manager.ready(&line);
        let stopping = {
            let manager = Arc::clone(&manager);
            let mut stop = stop.clone();
            tokio::spawn(async move {
                if stop.wait_for(|stop| *stop).await.is_ok() {
                    manager.stopping();
                }
            })
        };
        let resting = tokio::spawn(async move {
            loop {
                quiet.notified().await;
                tokio::time::sleep(REST_AFTER).await;
                (options.rest)();
            }
        });
        let outcome = scheduler.run(stop.clone()).await;
        if !*stop.borrow_and_update() {
            manager.stopping();
        }
        stopping.abort();
        resting.abort();
        if let Some(serving) = serving {
            serving.abort();
        }
        // With the scheduler goes its listener, whose end lets the last events be sent and shown.
        drop(scheduler);
        pages.finish().await;
        if let Some(last_words) = last_words {
            last_words.finish().await;
        }
        Ok(outcome?)
    }

    /// Works on one run in this process until it ended. Answers whether it succeeded.
    pub async fn work_on(
        &self,
        run_id: &str,
        command: StepCommand,
        stop: watch::Receiver<bool>,
    ) -> Result<bool> {
        let pages = PageProcess::start(&self.folder, &command.program);
        let (listener, last_words) = self.listener(pages.ear());
        let scheduler = self.scheduler(command, DEFAULT_LEASE, POLL, listener)?;
        let outcome = scheduler.work_once(Some(run_id), stop).await;
        // What could not be sent now, a scheduler sends later.
        if let Err(error) = scheduler.deliver_notices().await {
            tracing::warn!("notices wait: {error}");
        }
        drop(scheduler);
        pages.finish().await;
        if let Some(last_words) = last_words {
            last_words.finish().await;
        }
        match outcome? {
            Some(RunEnd::Ended { state, .. }) => Ok(state == State::Success),
            Some(RunEnd::LeaseLost | RunEnd::GivenBack) => Ok(false),
            None => bail!(
                "run {run_id} is held by another process, or another run of its plan goes first; `goyong runs show {run_id}` tells"
            ),
        }
    }

    /// Sends a test notice to a target, or to each one the plan names; one row per target: its name and what became of
    /// it. A target that does not take it is not tried again.
    pub async fn notify_test(
        &self,
        plan: &Plan,
        target: Option<&str>,
    ) -> Result<(Vec<Vec<String>>, bool)> {
        let known = &self.configuration.notify;
        let targets: Vec<&str> = match target {
            Some(target) => vec![target],
            None if !plan.notify.is_empty() => plan.notify.iter().map(String::as_str).collect(),
            None => known.keys().map(String::as_str).collect(),
        };
        if targets.is_empty() {
            bail!("nobody to be told: add a [notify.NAME] to goyong.toml, see docs/watch.md");
        }
        let sender = self.sender();
        let now = self.clock.now();
        let (mut rows, mut all_taken) = (Vec::new(), true);
        for target in targets {
            if !known.contains_key(target) {
                let hint = nearest_name(target, known.keys().map(String::as_str))
                    .map_or_else(String::new, |nearest| {
                        format!("; did you mean `{nearest}`?")
                    });
                bail!("goyong.toml has no [notify.{target}]{hint}");
            }
            let notice = Notice {
                id: format!("test:{}:{target}", now.timestamp_millis()),
                kind: NoticeKind::Test,
                plan: plan.name.clone(),
                scheduled_at: now,
                run_id: None,
                target: target.to_owned(),
                facts: BTreeMap::new(),
                decided_at: now,
                attempts: 1,
            };
            let sent = sender.send(&notice).await;
            all_taken &= sent.is_ok();
            let (state, problem) = match sent {
                Ok(()) => ("taken", String::new()),
                Err(problem) => ("not taken", problem),
            };
            rows.push(vec![target.to_owned(), state.to_owned(), problem]);
        }
        Ok((rows, all_taken))
    }
}
