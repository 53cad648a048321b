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
