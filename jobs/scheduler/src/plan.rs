//! What shall be run, when, and in what order: one TOML file per plan.

mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;

use crate::error::{Problem, Result, SchedulerError};
use crate::schedule::{Schedule, instant, local_time};

/// The pool of steps that name none.
pub const DEFAULT_POOL: &str = "default";

/// Steps with the times they are due.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it is due; none for plans that are only triggered by hand.
    pub schedule: Option<Schedule>,
    /// The wall clock of schedule and deadline.
    pub timezone: Tz,
    /// The calendar that says which days are business days.
    pub calendar: Option<String>,
    /// What becomes of an occurrence on a day that is none.
    pub on_holiday: OnHoliday,
    /// What becomes of occurrences that were missed.
    pub catchup: Catchup,
    /// Occurrences older than this are not caught up; none for no limit.
    pub catchup_window: Option<Duration>,
    /// What becomes of an occurrence while another one of the plan runs.
    pub overlap: Overlap,
    /// Longest time a run may take.
    pub timeout: Option<Duration>,
    /// When a run shall have succeeded.
    pub deadline: Option<Deadline>,
    /// Whether a failed run pauses the plan.
    pub pause_on_failure: bool,
    /// Who is told; addresses are for whoever sends them.
    pub notify: Vec<String>,
    /// Figures of a step, by name, with the limit above which somebody is told.
    pub notify_above: BTreeMap<String, i64>,
    /// What is run, each step after those it names.
    pub steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Unique in its plan.
    pub name: String,
    /// What the runner shall do; the step's name where the file does not say.
    pub job: String,
    /// Why it runs, and why here.
    pub reason: String,
    /// What it needs, as other steps name it.
    pub inputs: Vec<String>,
    /// What it makes.
    pub outputs: Vec<String>,
    /// Places in the plan of the steps that make its inputs.
    pub upstream: Vec<usize>,
    /// The pool that limits how many steps run side by side.
    pub pool: String,
    /// Longest time one attempt may take.
    pub timeout: Option<Duration>,
    /// Attempts after the first, for errors that may pass.
    pub retries: u32,
    /// Time before the first retry; doubled for each later one, an hour at most.
    pub retry_backoff: Duration,
}

/// On a day that is no business day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHoliday {
    /// Run nevertheless.
    Run,
    /// Do not run.
    Skip,
    /// Run at the same local time on the next business day, unless that day has a run of its own.
    NextBusinessDay,
}

/// After a time in which nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Catchup {
    /// Run the newest missed occurrence.
    Latest,
    /// Run every missed occurrence, in order.
    All,
    /// Run none of them.
    Skip,
}

/// While a run of the plan is not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Do not run the new occurrence.
    Skip,
    /// Run it afterwards.
    Queue,
    /// Cancel what runs, then run it.
    Replace,
    /// Run both.
    Allow,
}

/// When a run shall have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// The first time the wall clock shows this after the run was due.
    At(NaiveTime),
    /// So long after the run was due.
    After(Duration),
}

/// Longest time between two attempts.
const LONGEST_BACKOFF: Duration = Duration::from_secs(3600);

impl Plan {
    /// Reads a plan. `file` is how problems name it.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, Problem> {
        read::plan(name, file, text)
    }

    /// Whether every step's pool exists.
    pub fn check_pools(&self, pools: &BTreeMap<String, usize>) -> Result<()> {
        match self
            .steps
            .iter()
            .find(|step| !pools.contains_key(&step.pool))
        {
            None => Ok(()),
            Some(step) => Err(SchedulerError::unknown(
                "pool",
                &step.pool,
                pools.keys().map(String::as_str),
            )),
        }
    }

    /// When a run that is due at an instant shall have succeeded.
    pub fn deadline_of(&self, due_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.deadline? {
            Deadline::After(time) => {
                due_at.checked_add_signed(chrono::TimeDelta::from_std(time).ok()?)
            }
            Deadline::At(time) => {
                let day = local_time(self.timezone, due_at).date();
                [Some(day), day.succ_opt()]
                    .into_iter()
                    .flatten()
                    .filter_map(|day| instant(self.timezone, day.and_time(time)))
                    .find(|at| *at > due_at)
            }
        }
    }

    /// The name of the run of an occurrence; fit for a file's name.
    pub fn run_id(&self, scheduled_at: DateTime<Utc>) -> String {
        format!("{}-{}", self.name, scheduled_at.format("%Y%m%dT%H%M%SZ"))
    }
}

impl Step {
    /// Time to wait after a failed attempt, counted from 1.
    pub fn backoff(&self, attempt: u32) -> Duration {
        let doubled = 2u32.saturating_pow(attempt.saturating_sub(1));
        self.retry_backoff
            .saturating_mul(doubled)
            .min(LONGEST_BACKOFF)
    }
}
