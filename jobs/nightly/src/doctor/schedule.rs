//! What the night by the clock needs: the clock itself, calendars, a scheduler that lives, notices that arrive.

use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, TimeDelta, Utc};
use goyong_scheduler::{Calendar, Clock, Ledger, Plan, SystemClock};

use super::{Examination, Health};
use crate::configuration::Configuration;
use crate::project::OpenProject;
use crate::scheduled::ScheduledProject;

/// Clocks of machines may differ by so much.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::seconds(60);
/// A scheduler that has not been seen for so long is taken for dead.
const SCHEDULER_SILENCE: TimeDelta = TimeDelta::seconds(120);
/// A calendar should reach so far into the future.
const CALENDAR_AHEAD: TimeDelta = TimeDelta::days(60);

/// The clock against everything that was written before now.
pub(super) async fn clock(
    found: &mut Examination,
    configuration: &Configuration,
    ledger: &Ledger,
    project: Option<&OpenProject>,
) {
    let now = SystemClock.now();
    let mut written: Vec<(String, DateTime<Utc>)> = Vec::new();
    for folder in ["state", "logs"] {
        let Ok(entries) = std::fs::read_dir(configuration.warehouse.join(folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            if let Ok(changed) = entry.metadata().and_then(|found| found.modified()) {
                written.push((entry.path().display().to_string(), changed.into()));
            }
        }
    }
    if let Some(project) = project
        && let Ok(Some(release)) = project.warehouse().latest_release().await
    {
        written.push((format!("release {}", release.id), release.published_at));
    }
    if let Ok(Some(run)) = ledger.newest_run(None).await {
        written.push((format!("run {}", run.run_id), run.queued_at));
    }
    let advice = "let the machine keep its time by NTP (chrony, systemd-timesyncd)";
    let later = written.iter().filter(|(_, at)| *at > now + CLOCK_TOLERANCE);
    if let Some((what, at)) = later.max_by_key(|(_, at)| *at) {
        let finding = format!(
            "the clock shows {}, but {what} is of {}",
            now.format("%Y-%m-%d %H:%M:%S UTC"),
            at.format("%Y-%m-%d %H:%M:%S UTC")
        );
        found.note("clock", Health::Fail, finding, advice);
        return;
    }
    match ledger.database_time().await {
        Ok(Some(there)) if (there - now).abs() > CLOCK_TOLERANCE => {
            let apart = (there - now).num_seconds().abs();
            let finding =
                format!("the clock is {apart} s apart from that of the ledger's database");
            found.note("clock", Health::Fail, finding, advice);
        }
        Ok(_) => found.note("clock", Health::Ok, "behind nothing that was written", ""),
        Err(error) => found.note(
            "clock",
            Health::Warn,
            error.to_string(),
            "look at the ledger's database",
        ),
    }
}

pub(super) fn calendars(found: &mut Examination, scheduled: &ScheduledProject) {
    let horizon = SystemClock.now() + CALENDAR_AHEAD;
    let mut named = 0;
    for plan in scheduled.plans() {
        let calendar = plan
            .calendar
            .as_ref()
            .and_then(|name| scheduled.calendar(name));
        let Some(calendar) = calendar else { continue };
        named += 1;
        let Some(until) = Calendar::listed_until(calendar) else {
            continue;
        };
        if until < horizon.with_timezone(&plan.timezone).date_naive() {
            let finding = format!(
                "calendar {} of plan {} lists holidays until {until} only",
                calendar.name, plan.name
            );
            let advice = "add the holidays of the coming year to the calendar; days without an entry count as business days";
            found.note("calendars", Health::Warn, finding, advice);
            return;
        }
    }
    found.note(
        "calendars",
        Health::Ok,
        format!("{named} in use, none ends soon"),
        "",
    );
}

pub(super) async fn scheduler(found: &mut Examination, ledger: &Ledger, plans: &[Plan]) {
    let now = SystemClock.now();
    let processes = match ledger.processes(now - TimeDelta::days(7)).await {
        Ok(processes) => processes,
        Err(error) => {
            let advice = "look at the ledger's database";
            found.note("scheduler", Health::Fail, error.to_string(), advice);
            return;
        }
    };
    let is_alive = |at: DateTime<Utc>| now - at <= SCHEDULER_SILENCE;
    let alive = processes
        .iter()
        .filter(|process| process.ended_at.is_none() && is_alive(process.seen_at))
        .count();
    let is_scheduled = plans.iter().any(|plan| plan.schedule.is_some());
    match (alive, processes.first()) {
        (0, _) if !is_scheduled => {
            found.note("scheduler", Health::Ok, "no plan runs by the clock", "");
        }
        (0, None) => found.note(
            "scheduler",
            Health::Warn,
            "none has ever run here, or not for a week",
            "start one: `goyong schedule start`",
        ),
        (0, Some(last)) => {
            let how = if last.ended_at.is_some() {
                "ended"
            } else {
                "was last seen"
            };
            let finding = format!(
                "none runs; {} {how} {}",
                last.holder,
                last.seen_at.format("%Y-%m-%d %H:%M:%S UTC")
            );
            let advice = "start one: `goyong schedule start`; its log tells why it is gone";
            found.note("scheduler", Health::Fail, finding, advice);
        }
        (alive, _) => found.note("scheduler", Health::Ok, format!("{alive} alive"), ""),
    }
    match ledger.undelivered().await {
        Ok(waiting) if waiting.is_empty() => {
            found.note("notices", Health::Ok, "none waits", "");
        }
        Ok(waiting) => {
            let tried = waiting.iter().find(|notice| !notice.last_error.is_empty());
            let why = tried.map_or_else(String::new, |notice| {
                format!(
                    "; {} to {}: {}",
                    notice.kind, notice.target, notice.last_error
                )
            });
            let finding = format!("{} not delivered{why}", waiting.len());
            let advice = "look at [notify] of goyong.toml; `goyong schedule notify-test` tries it";
            found.note("notices", Health::Warn, finding, advice);
        }
        Err(error) => found.note(
            "notices",
            Health::Fail,
            error.to_string(),
            "look at the ledger's database",
        ),
    }
}

/// Files of secrets that notices need.
pub(super) fn secrets(found: &mut Examination, configuration: &Configuration) {
    for (name, target) in &configuration.notify {
        let files = [
            &target.password_file,
            &target.webhook_file,
            &target.token_file,
        ];
        for file in files.into_iter().flatten() {
            let advice = "give the user that runs goyong, and nobody else, the right to read it";
            match std::fs::metadata(file) {
                Err(error) => {
                    let finding =
                        format!("[notify.{name}] cannot read {}: {error}", file.display());
                    found.note("notices", Health::Fail, finding, advice);
                }
                Ok(metadata) if metadata.permissions().mode() & 0o007 != 0 => {
                    let finding =
                        format!("{} is open to every user of this machine", file.display());
                    found.note("notices", Health::Warn, finding, advice);
                }
                Ok(_) => {}
            }
        }
    }
}
