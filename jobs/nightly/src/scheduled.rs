//! The night by the clock: plans and calendars of a project, its ledger of runs, and steps as processes of their own.

mod log;
mod page_process;
mod plans;
mod processes;
pub(crate) mod run_pages;
mod show;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Days, NaiveDate, Timelike, Utc};
use goyong_scheduler::{
    Calendar, Clock, Ledger, Location, Plan, SchedulerError, SystemClock, Triggered, instant,
    parse_duration,
};

use crate::configuration::Configuration;

pub(crate) use plans::built_in_night;
pub use plans::{BUILT_IN_CALENDAR, BUILT_IN_PLAN};
pub use processes::{StepCommand, StepVerdict};
pub use show::{FIGURES_HEADER, NEXT_HEADER, RUN_HEADER, RUNS_HEADER, TRIGGERED_HEADER};
pub use start::{NOTIFY_HEADER, StartOptions};

/// How long a silent worker keeps its run.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(60);
/// A lease must outlast a pause of the disk.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);

/// The plans of a project with their ledger.
pub struct ScheduledProject {
    folder: PathBuf,
    configuration: Configuration,
    plans: Vec<Plan>,
    calendars: BTreeMap<String, Calendar>,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
}

impl ScheduledProject {
    /// Reads plans and calendars and opens the ledger of runs. Opens no table.
    pub async fn open(folder: &Path) -> Result<Self> {
        let configuration = Configuration::load(folder)?;
        let plans = plans::plans(&configuration)?;
        let calendars = plans::calendars(&configuration)?;
        let location = location(&configuration)?;
        if let Location::Sqlite(file) = &location
            && let Some(state) = file.parent()
            && !state.is_dir()
        {
            bail!("{} not found; run `goyong init` first", state.display());
        }
        let ledger = open_at(&location).await?;
        Ok(Self {
            folder: folder.to_owned(),
            configuration,
            plans,
            calendars,
            ledger: Arc::new(ledger),
            clock: Arc::new(SystemClock),
        })
    }

    /// The plans.
    pub fn plans(&self) -> &[Plan] {
        &self.plans
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn calendar(&self, name: &str) -> Option<&Calendar> {
        self.calendars.get(name)
    }

    /// The plan of a name, or the only one there is.
    pub fn plan(&self, name: Option<&str>) -> Result<&Plan> {
        let names = || {
            let names: Vec<&str> = self.plans.iter().map(|plan| plan.name.as_str()).collect();
            names.join(", ")
        };
        match (name, self.plans.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => bail!("name the plan: there are {}", names()),
            (Some(name), plans) => plans
                .iter()
                .find(|plan| plan.name == name)
                .with_context(|| format!("no plan `{name}`; there are {}", names())),
        }
    }

    /// Queues a run for an instant, the present one when none is given. `account` asks for it.
    pub async fn trigger(
        &self,
        plan: &Plan,
        at: Option<DateTime<Utc>>,
        account: &str,
    ) -> Result<Triggered> {
        let now = self.clock.now();
        let at = at.unwrap_or(now);
        // Runs are named to the second.
        let at = at.with_nanosecond(0).unwrap_or(at);
        let mut triggered = self
            .ledger
            .trigger(plan, &[at], "trigger", account, now)
            .await?;
        triggered.pop().context("a trigger queues a run")
    }

    /// Queues runs for every occurrence on days of the plan's calendar, the last excluded. `account` asks for them.
    pub async fn backfill(
        &self,
        plan: &Plan,
        from: NaiveDate,
        to: NaiveDate,
        account: &str,
    ) -> Result<Vec<Triggered>> {
        let Some(schedule) = &plan.schedule else {
            bail!(
                "plan {} has no schedule to be filled back; trigger it",
                plan.name
            );
        };
        if from >= to {
            bail!("the interval from {from} to before {to} holds no day");
        }
        let now = self.clock.now();
        let days = std::iter::successors(Some(from), |day| day.checked_add_days(Days::new(1)));
        let occurrences: Vec<DateTime<Utc>> = days
            .take_while(|day| *day < to)
            .flat_map(|day| schedule.on_day(day))
            .map(|occurrence| occurrence.at)
            .collect();
        if let Some(future) = occurrences.iter().find(|at| **at > now) {
            bail!(
                "{} lies ahead; only what is past is filled back",
                future.to_rfc3339()
            );
        }
        Ok(self
            .ledger
            .trigger(plan, &occurrences, "backfill", account, now)
            .await?)
    }

    /// Pauses a plan. Answers whether it was not paused yet.
    pub async fn pause(&self, plan: &Plan, reason: &str) -> Result<bool> {
        Ok(self.ledger.pause(plan, reason, self.clock.now()).await?)
    }

    /// Ends a pause. Answers whether there was one.
    pub async fn resume(&self, plan: &Plan) -> Result<bool> {
        Ok(self.ledger.resume(plan, self.clock.now()).await?)
    }

    /// Cancels a run; answers how it stands then.
    pub async fn cancel(&self, run_id: &str) -> Result<&'static str> {
        Ok(self.ledger.cancel(run_id, self.clock.now()).await?.word())
    }

    /// Queues a failed or cancelled run again, behind the steps that succeeded.
    pub async fn retry(&self, run_id: &str) -> Result<()> {
        Ok(self.ledger.retry(run_id, self.clock.now()).await?)
    }

    /// The run of a name, the newest without one.
    pub async fn run_id(&self, run_id: Option<&str>) -> Result<String> {
        match run_id {
            Some(run_id) => Ok(self.ledger.run(run_id).await?.run_id),
            None => {
                let newest = self.ledger.newest_run(None).await?;
                Ok(newest
                    .context("no run yet; `goyong schedule next` tells when")?
                    .run_id)
            }
        }
    }

    /// The logs of a run, step by step in the plan's order; of one step when it is named.
    pub async fn log_files(
        &self,
        run_id: &str,
        step: Option<&str>,
    ) -> Result<Vec<(String, PathBuf)>> {
        let steps = self.ledger.steps(run_id).await?;
        if let Some(step) = step
            && !steps.iter().any(|row| row.step == step)
        {
            let names: Vec<&str> = steps.iter().map(|row| row.step.as_str()).collect();
            bail!(
                "run {run_id} has no step `{step}`; it has {}",
                names.join(", ")
            );
        }
        let folder = self.logs().join(run_id);
        Ok(steps
            .into_iter()
            .filter(|row| step.is_none_or(|step| row.step == step))
            .map(|row| {
                let file = folder.join(format!("{}.log", row.step));
                (row.step, file)
            })
            .filter(|(_, file)| file.is_file())
            .collect())
    }

    /// An instant as a person writes it: with an offset, or on the plan's wall clock.
    pub fn instant_of(plan: &Plan, text: &str) -> Result<DateTime<Utc>> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(at.to_utc());
        }
        let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
        local
            .and_then(|local| instant(plan.timezone, local))
            .with_context(|| {
                format!(
                    "`{text}` is no time; write 2026-11-23T02:30 for {}, or 2026-11-22T17:30:00Z",
                    plan.timezone
                )
            })
    }

    /// What is scheduled, in one line.
    pub async fn ready_line(&self) -> Result<String> {
        let next = self.next(None, 1).await?;
        let next = next.first().map_or_else(
            || "nothing is due by itself".to_owned(),
            |row| format!("next is {} at {}", row[0], row[1]),
        );
        Ok(format!(
            "scheduler ready: {} plans, {next}",
            self.plans.len()
        ))
    }

    fn logs(&self) -> PathBuf {
        self.configuration.warehouse.join("logs")
    }

    fn warn_of_ended_calendars(&self) {
        for plan in &self.plans {
            let calendar = plan
                .calendar
                .as_ref()
                .and_then(|name| self.calendars.get(name));
            let until = calendar.and_then(Calendar::listed_until);
            let today = self.clock.now().with_timezone(&plan.timezone).date_naive();
            if let (Some(calendar), Some(until)) = (calendar, until)
                && until < today
            {
                tracing::warn!(
                    "calendar {} lists holidays until {until} only; later ones count as business days",
                    calendar.name
                );
            }
        }
    }
}

/// A lease as a person writes it.
pub fn lease(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Some(lease) if lease >= SHORTEST_LEASE => Ok(lease),
        Some(_) => Err("is too short, take 3s at least".to_owned()),
        None => Err("is no length of time such as 60s or 5m".to_owned()),
    }
}

/// Whether anything was ever scheduled here: a ledger that is a file is made when it is first opened.
pub(crate) fn has_ledger(configuration: &Configuration) -> Result<bool> {
    Ok(match location(configuration)? {
        Location::Sqlite(file) => file.is_file(),
        Location::Postgres(_) => true,
    })
}

/// The ledger of runs, where anything was ever scheduled.
pub(crate) async fn open_ledger(configuration: &Configuration) -> Result<Option<Ledger>> {
    match has_ledger(configuration)? {
        true => Ok(Some(open_at(&location(configuration)?).await?)),
        false => Ok(None),
    }
}

async fn open_at(location: &Location) -> Result<Ledger> {
    let opened = Ledger::open(location).await;
    opened.context("open the ledger of runs")
}

/// Where the ledger of runs lies: `state` of `goyong.toml`, a file in the warehouse folder otherwise.
pub(crate) fn location(configuration: &Configuration) -> Result<Location> {
    if configuration.state.is_empty() {
        return Ok(Location::Sqlite(
            configuration.warehouse.join("state/scheduler.db"),
        ));
    }
    configuration
        .state
        .parse()
        .with_context(|| format!("`state` of {}", crate::CONFIGURATION_FILE))
}

/// Whether an error means that waiting may help: the ledger is busy.
pub fn is_busy(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<SchedulerError>())
        .any(SchedulerError::is_retryable)
}
