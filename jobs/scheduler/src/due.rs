//! What is due, as a pure function of the plan, what was decided before, the calendar and the time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::calendar::Calendar;
use crate::plan::{Catchup, OnHoliday, Overlap, Plan};
use crate::schedule::{Occurrence, Schedule, instant, local_time};

/// An occurrence that is decided within this time is on time; later it is caught up, or missed.
pub const ON_TIME: TimeDelta = TimeDelta::minutes(5);

/// What was decided of a plan so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Every occurrence up to this instant has been decided.
    pub decided_through: DateTime<Utc>,
    /// Occurrences after it that have been decided as well.
    pub decided: BTreeSet<DateTime<Utc>>,
    /// Since when the plan is paused.
    pub paused_since: Option<DateTime<Utc>>,
    /// Occurrences whose run is queued or running.
    pub active: BTreeSet<DateTime<Utc>>,
}

/// What becomes of one occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// When it was due by the schedule: its identity.
    pub scheduled_at: DateTime<Utc>,
    /// When it is due, which a calendar may have moved.
    pub run_at: DateTime<Utc>,
    /// Run or not.
    pub verdict: Verdict,
}

/// Run or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is run.
    Run {
        /// Whether it is later than [`ON_TIME`].
        late: bool,
    },
    /// It is not run.
    NotRun(NotRun),
}

/// Why an occurrence is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRun {
    /// The plan is paused.
    Paused {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The day is no business day.
    Holiday {
        /// What people call the day.
        name: String,
    },
    /// Moved to a business day that has a run of its own.
    MovedOnto {
        /// The other occurrence.
        scheduled_at: DateTime<Utc>,
    },
    /// It was missed longer ago than the plan catches up.
    OutsideWindow,
    /// It was missed, and a later one is run instead.
    Superseded {
        /// The later one.
        by: DateTime<Utc>,
    },
    /// It was missed, and the plan does not catch up.
    Missed,
    /// Another run of the plan was not finished.
    Overlap {
        /// The other occurrence.
        active: DateTime<Utc>,
    },
}

impl NotRun {
    /// The word for it in tables.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Paused { .. } => "paused",
            Self::Holiday { .. } => "holiday",
            Self::MovedOnto { .. } => "moved_onto",
            Self::OutsideWindow => "outside_catchup_window",
            Self::Superseded { .. } => "superseded",
            Self::Missed => "missed",
            Self::Overlap { .. } => "overlap",
        }
    }

    /// What a reader wants to know beside the word.
    pub fn detail(&self) -> String {
        match self {
            Self::Paused { since } => format!("since {}", stamp(*since)),
            Self::Holiday { name } => name.clone(),
            Self::MovedOnto { scheduled_at } => format!("onto {}", stamp(*scheduled_at)),
            Self::Superseded { by } => format!("by {}", stamp(*by)),
            Self::Overlap { active } => format!("with {}", stamp(*active)),
            Self::OutsideWindow | Self::Missed => String::new(),
        }
    }

    /// Whether somebody waits for a result that will not come.
    pub fn misses_deadline(&self) -> bool {
        matches!(
            self,
            Self::OutsideWindow | Self::Missed | Self::Overlap { .. }
        )
    }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// What is to be recorded now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// In order of `scheduled_at`.
    pub decisions: Vec<Decision>,
    /// Runs that make way for a newer one.
    pub replaced: Vec<DateTime<Utc>>,
    /// Every occurrence up to here has been decided then.
    pub decided_through: DateTime<Utc>,
    /// When something may be due next; none without a schedule.
    pub next: Option<DateTime<Utc>>,
}

/// Decides every occurrence that is due. Each one is decided once: run, or not with a reason.
pub fn due(plan: &Plan, history: &History, calendar: Option<&Calendar>, now: DateTime<Utc>) -> Due {
    let Some(schedule) = &plan.schedule else {
        return Due {
            decisions: Vec::new(),
            replaced: Vec::new(),
            decided_through: history.decided_through,
            next: None,
        };
    };
    let today = local_time(plan.timezone, now).date();
    let mut decided: BTreeMap<DateTime<Utc>, Decision> = BTreeMap::new();
    let mut open: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    let mut waiting: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for occurrence in schedule.between(history.decided_through, now) {
        let scheduled_at = occurrence.at;
        if history.decided.contains(&scheduled_at) {
            continue;
        }
        match placed(plan, schedule, calendar, occurrence, today) {
            Place::NotRun(reason) => not_run(&mut decided, scheduled_at, scheduled_at, reason),
            Place::At(run_at) if run_at > now => waiting.push((scheduled_at, run_at)),
            Place::At(run_at) => open.push((scheduled_at, run_at)),
        }
    }
    if let Some(since) = history.paused_since {
        for (scheduled_at, run_at) in open.drain(..) {
            not_run(&mut decided, scheduled_at, run_at, NotRun::Paused { since });
        }
    }
    let open = merged(plan, open, &mut decided);
    let open = caught_up(plan, open, now, &mut decided);
    let replaced = overlapped(plan, history, open, now, &mut decided);
    let decided_through = waiting
        .iter()
        .map(|(scheduled_at, _)| *scheduled_at - TimeDelta::milliseconds(1))
        .min()
        .unwrap_or(now)
        .max(history.decided_through);
    let next = waiting
        .iter()
        .map(|(_, run_at)| *run_at)
        .chain(schedule.next_after(now).map(|occurrence| occurrence.at))
        .min();
    Due {
        decisions: decided.into_values().collect(),
        replaced,
        decided_through,
        next,
    }
}

fn not_run(
    decided: &mut BTreeMap<DateTime<Utc>, Decision>,
    scheduled_at: DateTime<Utc>,
    run_at: DateTime<Utc>,
    reason: NotRun,
) {
    let decision = Decision {
        scheduled_at,
        run_at,
        verdict: Verdict::NotRun(reason),
    };
    decided.insert(scheduled_at, decision);
}

/// Where the calendar puts an occurrence.
enum Place {
    At(DateTime<Utc>),
    NotRun(NotRun),
}

fn placed(
    plan: &Plan,
    schedule: &Schedule,
    calendar: Option<&Calendar>,
    occurrence: Occurrence,
    known_on: NaiveDate,
) -> Place {
    let here = Place::At(occurrence.at);
    let Some(calendar) = calendar.filter(|_| plan.on_holiday != OnHoliday::Run) else {
        return here;
    };
    let day = local_time(plan.timezone, occurrence.at).date();
    let Some(name) = calendar.free_day(day, known_on) else {
        return here;
    };
    let target = match plan.on_holiday {
        OnHoliday::NextBusinessDay => calendar.next_business_day(day, known_on),
        OnHoliday::Skip | OnHoliday::Run => None,
    };
    let Some(target) = target else {
        return Place::NotRun(NotRun::Holiday { name });
    };
    if let Some(own) = schedule.on_day(target).first() {
        return Place::NotRun(NotRun::MovedOnto {
            scheduled_at: own.at,
        });
    }
    match instant(plan.timezone, target.and_time(occurrence.local.time())) {
        Some(run_at) => Place::At(run_at),
        None => Place::NotRun(NotRun::Holiday { name }),
    }
}

/// Occurrences that the calendar moved onto one day are one.
fn merged(
    plan: &Plan,
    open: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    decided: &mut BTreeMap<DateTime<Utc>, Decision>,
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let day = |at: DateTime<Utc>| local_time(plan.timezone, at).date();
    let mut kept: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (scheduled_at, run_at) in open {
        let was_moved = scheduled_at != run_at;
        if let Some((earlier, earlier_run_at)) = kept.last().copied()
            && was_moved
            && earlier != earlier_run_at
            && day(earlier_run_at) == day(run_at)
        {
            not_run(
                decided,
                earlier,
                earlier_run_at,
                NotRun::MovedOnto { scheduled_at },
            );
            kept.pop();
        }
        kept.push((scheduled_at, run_at));
    }
    kept
}

fn caught_up(
    plan: &Plan,
    open: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    now: DateTime<Utc>,
    decided: &mut BTreeMap<DateTime<Utc>, Decision>,
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let window = plan
        .catchup_window
        .and_then(|window| TimeDelta::from_std(window).ok());
    let mut kept = Vec::new();
    for (scheduled_at, run_at) in open {
        let late = now - run_at;
        let reason = if late > ON_TIME && window.is_some_and(|window| late > window) {
            Some(NotRun::OutsideWindow)
        } else if late > ON_TIME && plan.catchup == Catchup::Skip {
            Some(NotRun::Missed)
        } else {
            None
        };
        match reason {
            Some(reason) => not_run(decided, scheduled_at, run_at, reason),
            None => kept.push((scheduled_at, run_at)),
        }
    }
    if plan.catchup == Catchup::Latest
        && let Some((newest, _)) = kept.last().copied()
    {
        for (scheduled_at, run_at) in kept.drain(..kept.len() - 1) {
            not_run(
                decided,
                scheduled_at,
                run_at,
                NotRun::Superseded { by: newest },
            );
        }
    }
    kept
}

/// Decides what is left; answers the runs that make way.
fn overlapped(
    plan: &Plan,
    history: &History,
    open: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    now: DateTime<Utc>,
    decided: &mut BTreeMap<DateTime<Utc>, Decision>,
) -> Vec<DateTime<Utc>> {
    let mut replaced = Vec::new();
    if let Some(active) = history.active.last().copied() {
        match plan.overlap {
            Overlap::Skip => {
                for (scheduled_at, run_at) in open {
                    not_run(decided, scheduled_at, run_at, NotRun::Overlap { active });
                }
                return replaced;
            }
            Overlap::Replace if !open.is_empty() => replaced.extend(history.active.iter().copied()),
            Overlap::Replace | Overlap::Queue | Overlap::Allow => {}
        }
    }
    for (scheduled_at, run_at) in open {
        let decision = Decision {
            scheduled_at,
            run_at,
            verdict: Verdict::Run {
                late: now - run_at > ON_TIME,
            },
        };
        decided.insert(scheduled_at, decision);
    }
    replaced
}

/// A time a plan will be due, as far as it can be told today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    /// By the schedule.
    pub scheduled_at: DateTime<Utc>,
    /// When it will run, or why it will not.
    pub outcome: Result<DateTime<Utc>, NotRun>,
}

/// The next times a plan is due, with what the calendar makes of them as known now.
pub fn upcoming(
    plan: &Plan,
    calendar: Option<&Calendar>,
    now: DateTime<Utc>,
    count: usize,
) -> Vec<Upcoming> {
    let Some(schedule) = &plan.schedule else {
        return Vec::new();
    };
    let today = local_time(plan.timezone, now).date();
    let mut found = Vec::new();
    let mut after = now;
    while found.len() < count {
        let Some(occurrence) = schedule.next_after(after) else {
            break;
        };
        after = occurrence.at;
        found.push(Upcoming {
            scheduled_at: occurrence.at,
            outcome: match placed(plan, schedule, calendar, occurrence, today) {
                Place::At(run_at) => Ok(run_at),
                Place::NotRun(reason) => Err(reason),
            },
        });
    }
    found
}
