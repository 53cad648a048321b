//! Cases: what becomes of an alert once somebody is to look at it.
//!
//! - A **case** is about a person, a workplace or a ring. It goes `pending → investigating → awaiting_verification →
//!   closed` and back to `investigating` on new evidence; what an officer may do is a pure function ([`CaseState::after`]),
//!   and both databases refuse the rest by constraints and triggers.
//! - Every change is an **event** with the state before and after, in a chain of hashes ([`Event`]); a change without its
//!   event is refused by the database, and found by [`CaseBook::verify`] where somebody took the guards away. Evidence,
//!   openings, draws, lists, suppressions and decisions are covered by digests in the events that made them.
//! - A **night** is merged by sets ([`CaseBook::merge`]): each row of evidence is raised once, decided evidence never
//!   again.
//! - The **list** of a night is capped by what a centre can do; a small part of it is drawn at random from all active
//!   claims, so that precision and prevalence can be estimated ([`Estimates`]).
//! - A **score** orders cases of one severity ([`CaseScore`]). It raises and closes none.
//!
//! Nothing here names an amount to pay, a bank or a source system: no path leads from a case to a payment.
//!
//! ```
//! use goyong_cases::{State, may_follow};
//!
//! assert!(may_follow(State::Closed, State::Investigating));
//! assert!(!may_follow(State::Pending, State::Closed));
//! ```

mod book;
mod capacity;
mod chain;
mod digests;
mod draw;
mod error;
mod estimate;
mod finding;
mod merge;
mod permit;
mod pseudonyms;
mod record;
mod score;
mod state;
mod suppress;
mod verify;

pub use book::{Act, CaseBook, CaseFilter, Label, officer_pseudonym};
pub use capacity::CapacityTrial;
pub use chain::{ChainHead, Event};
pub use draw::{ActiveClaim, Capacity};
pub use error::CaseError;
pub use estimate::{DecidedDraw, DrawnClaim, Estimates, Interval, ratio, weighted_share, wilson};
pub use finding::{FINDING, Finding};
pub use goyong_database::Location;
pub use merge::{Incoming, IncomingCandidate, IncomingEvidence, MergeSummary, NIGHT};
pub use pseudonyms::Renaming;
pub use record::{Case, Evidence};
pub use score::{CaseScore, IncomingScore};
pub use state::{
    Appeal, By, CaseState, Command, Outcome, REPLY_DAYS, Severity, State, check_account,
    check_text, may_follow,
};
pub use suppress::{Scope, Suppression};
pub use verify::CaseAudit;

#[cfg(test)]
mod tests;
