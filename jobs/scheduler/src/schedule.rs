//! A five-field cron expression on the wall clock of a place.

use chrono::{
    DateTime, Days, LocalResult, NaiveDate, NaiveDateTime, SubsecRound, TimeDelta, TimeZone, Utc,
};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// When a plan is due: the local times that match a cron expression.
///
/// A local time that does not exist, because clocks were put forward over it, is due at the first instant after.
/// One that exists twice is due the first time only. Several local times that fall on one instant are due once.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    timezone: Tz,
}

/// A time a plan is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// The instant; with the plan's name it is the identity of what is run.
    pub at: DateTime<Utc>,
    /// The local time the expression names, which `at` may not show when clocks were put forward.
    pub local: NaiveDateTime,
}

impl Schedule {
    /// Reads `minute hour day-of-month month day-of-week`. Answers what is wrong otherwise.
    pub fn parse(expression: &str, timezone: Tz) -> Result<Self, String> {
        let fields = expression.split_whitespace().count();
        if fields != 5 {
            return Err(format!(
                "a schedule has five fields (minute, hour, day of month, month, day of week), `{expression}` has {fields}"
            ));
        }
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(expression)
            .map_err(|error| format!("`{expression}` is no schedule: {error}"))?;
        let schedule = Self { cron, timezone };
        let epoch = DateTime::<Utc>::UNIX_EPOCH.naive_utc();
        if schedule.matching_after(epoch, true).is_none() {
            return Err(format!("`{expression}` never comes"));
        }
        Ok(schedule)
    }

    /// The five fields.
    pub fn expression(&self) -> String {
        self.cron.pattern.to_string()
    }

    /// The place whose wall clock counts.
    pub fn timezone(&self) -> Tz {
        self.timezone
    }

    /// The first time due after an instant.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        // Clocks put forward move an earlier local time to a later instant, so the search begins before. It begins at
        // a whole second, because what is found has the fraction of where the search began.
        let mut local = local_time(self.timezone, after)
            .trunc_subsecs(0)
            .checked_sub_signed(TimeDelta::hours(26))?;
        let mut inclusive = true;
        loop {
            local = self.matching_after(local, inclusive)?;
            inclusive = false;
            let at = instant(self.timezone, local)?;
            if at > after {
                return Some(Occurrence { at, local });
            }
        }
    }

    /// The times due after one instant and up to another, in order, each instant once.
    pub fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Occurrence> {
        let mut found = Vec::new();
        let mut next = self.next_after(after);
        while let Some(occurrence) = next.filter(|occurrence| occurrence.at <= until) {
            found.push(occurrence);
            next = self.following(occurrence);
        }
        found
    }

    /// The time due after another one.
    fn following(&self, occurrence: Occurrence) -> Option<Occurrence> {
        let mut local = occurrence.local;
        loop {
            local = self.matching_after(local, false)?;
            let at = instant(self.timezone, local)?;
            if at > occurrence.at {
                return Some(Occurrence { at, local });
            }
        }
    }

    /// The times due on a day of the local calendar.
    pub fn on_day(&self, day: NaiveDate) -> Vec<Occurrence> {
        let midnight = day.and_time(chrono::NaiveTime::MIN);
        let mut found: Vec<Occurrence> = Vec::new();
        let mut next = self.matching_after(midnight, true);
        while let Some(local) = next.filter(|local| local.date() == day) {
            if let Some(at) = instant(self.timezone, local)
                && found.last().is_none_or(|last| last.at < at)
            {
                found.push(Occurrence { at, local });
            }
            next = self.matching_after(local, false);
        }
        found
    }

    /// The expression is matched without any time zone; what a zone makes of it is decided here.
    fn matching_after(&self, local: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        self.cron
            .find_next_occurrence(&local.and_utc(), inclusive)
            .ok()
            .map(|found| found.naive_utc())
    }
}

/// What the wall clock of a place shows.
pub fn local_time(timezone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&timezone).naive_local()
}

/// The instant a local time stands for: the first of two, the first after a gap.
pub fn instant(timezone: Tz, local: NaiveDateTime) -> Option<DateTime<Utc>> {
    // A gap is an hour as a rule and was a whole day where a country changed sides of the date line.
    let limit = local.checked_add_days(Days::new(2))?;
    let mut candidate = local;
    while candidate < limit {
        match timezone.from_local_datetime(&candidate) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return Some(at.to_utc()),
            LocalResult::None => candidate += TimeDelta::minutes(1),
        }
    }
    None
}
