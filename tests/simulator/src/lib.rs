//! A small country with a known truth, for tests and demonstrations.
//!
//! [`simulate`] plays a country of a given number of persons month by month and writes what its
//! agencies would deliver: one delivery per source and period in the format of the contracts in
//! `sql/sources`, each with its manifest, and in a separate folder, which no job reads, the truth
//! (frauds, oracle probabilities, coverage gaps, injected errors).
//!
//! # Shape
//!
//! The population is divided into blocks of [`BLOCK_PERSONS`] persons with workplaces of their
//! own. A block depends on nothing but (seed, block number, its persons, the calendar), so blocks
//! are simulated on any number of threads and appended to the deliveries in block order: the
//! bytes do not depend on the threads, and memory holds a few blocks whatever the population.
//!
//! # The oracle
//!
//! When a person registers as a job seeker the day of the next insured job is drawn at once from
//! the person's own hazard: a rate from observed traits (age, education, licences, career, time
//! without work, wished wage, occupation, region, contract wished, children) and one unobserved
//! trait, times a known calendar of weekdays, seasons and the recession, times the effect of the
//! benefit (lower while it lasts, higher before and after it ends). Nothing else can give that
//! person an insured job during the 180 days. `1 − exp(−Λ)` over those days is therefore exactly
//! P(insured spell acquired within 180 days | all traits, observed and not), and it is what
//! `truth/seeker_oracle.csv` states. Plans that fix the outcome (collusive rehire, undeclared
//! military service) are traits too: their oracle is 1 or 0.
//!
//! When a vacancy opens the day of its filling is drawn from the vacancy's own hazard in the same
//! way: pay, occupation, region, size, contract, career, education, openings, defects, and one
//! unobserved trait of the employer, times the same calendar. Hires through the service never take
//! the last opening of a vacancy that stays unfilled, so `1 − exp(−Λ)` over its period is exactly
//! P(filled within its period), which `truth/vacancy_oracle.csv` states. Both files also state the
//! probability without the unobserved trait: the ranking no model of the deliveries can beat.

mod calendar;
mod config;
#[cfg(test)]
mod country_tests;
mod deliver;
mod identity;
mod inventory;
mod law;
mod national;
mod random;
mod recruitment;
mod reference;
mod registers;
mod run;
mod scenario;
mod truth;
mod world;

pub use config::{BLOCK_PERSONS, Progress, SimulationConfig, SimulationError, SimulationSummary};
pub use run::simulate;
