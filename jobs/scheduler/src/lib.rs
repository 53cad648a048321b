//! Plans that are due, run once each, on one machine or several.
//!
//! - A **plan** is a TOML file: a five-field cron expression on the wall clock of a place, what to do on days that
//!   are no business days, after a time off, and when runs overlap; and steps with inputs and outputs ([`Plan`]).
//! - **What is due** is a pure function of plan, ledger, calendar and time ([`due::due`]). Each occurrence is decided
//!   once: it is run, or recorded as not run with the reason ([`due::NotRun`]).
//! - The **ledger** is a database, SQLite or PostgreSQL, one schema and one code for both ([`Ledger`]).
//! - A **lease** makes one worker the only one that can commit a run. It is kept by heartbeats and carries a token
//!   that only grows; whatever is committed under an older token is refused ([`Lease`]).
//! - Who is to be told of a failure, a missed deadline or a recovery is written in the transaction of the fact itself,
//!   and delivered later by a [`NoticeSender`], again and again until it was taken.
//! - Only a [`Clock`] knows the time, so all of this is tested with one that is moved by hand.
//!
//! What a step does is not known here: a [`StepRunner`] does it.
//!
//! ```
//! use goyong_scheduler::{Plan, due::upcoming};
//!
//! let text = r#"
//!     schedule = "30 2 * * *"
//!     timezone = "America/New_York"
//!     [[step]]
//!     name = "count"
//! "#;
//! let plan = Plan::parse("night", "night.toml", text)?;
//! // On the night clocks are put forward 02:30 does not exist: the run comes at 03:00, which is 07:00 in UTC.
//! let evening = "2026-03-08T00:00:00Z".parse()?;
//! let next = upcoming(&plan, None, evening, 1);
//! assert_eq!(next[0].scheduled_at.to_rfc3339(), "2026-03-08T07:00:00+00:00");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calendar;
mod clock;
mod document;
pub mod due;
mod error;
mod executor;
mod ledger;
mod notice;
mod plan;
mod pools;
mod schedule;
mod scheduler;
mod step;

pub use calendar::{Calendar, Holiday, HolidayKind};
pub use clock::{Clock, FakeClock, SystemClock};
pub use document::parse_duration;
pub use error::{Problem, Result, SchedulerError};
pub use executor::RunEnd;
pub use goyong_database::{DatabaseError, Location, Row, Transaction, Value};
pub use ledger::{
    AttemptRow, Claim, Heartbeat, Lease, Ledger, LedgerFigures, MissedDeadline, OccurrenceRow,
    OldOccurrence, OldRun, PlanRow, ProcessRow, RunRow, State, StepChange, StepProgress, StepRow,
    Triggered, UndeliveredRow,
};
pub use notice::{Notice, NoticeKind, NoticeSender};
pub use plan::{Catchup, DEFAULT_POOL, Deadline, OnHoliday, Overlap, Plan, Step};
pub use schedule::{Occurrence, Schedule, instant, local_time};
pub use scheduler::{Event, Listener, Options, Scheduler, new_holder};
pub use step::{Finding, StepAccount, StepContext, StepDone, StepError, StepRunner};

#[cfg(test)]
mod tests;
