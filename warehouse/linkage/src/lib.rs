//! Record linkage: which records of several sources are one workplace, or one person, where no
//! number says so.
//!
//! Pure: Arrow batches in, pairs with probabilities out; no I/O, no clock, no query engine. The
//! model is Fellegi and Sunter's (1969): every comparison falls into a level of agreement, a level
//! has a probability m among true pairs and u among others, and the weights log2(m/u) of all
//! comparisons are added to the prior log odds. `docs/linkage.md` says how settings are written.
//!
//! Why it is built as it is:
//! - Every distinct text is held once and known by a number. Equality, blocking and term
//!   frequencies are comparisons of numbers; what is derived from a text (its date, its words, the
//!   bits of its letters) is derived once.
//! - Pairs are never materialised. A blocking rule groups the records of both sides; threads walk
//!   through ranges of groups and hand out only pairs above the threshold. Memory is that of the
//!   records, whatever the number of pairs.
//! - A pair is dropped as soon as what is left to compare cannot lift it over the threshold. Cheap
//!   comparisons come first, so most pairs never reach the one that reads letters.
//! - Threads change nothing in the output: work is cut by the data, random draws are seeded by
//!   part, and results are handed out in the order of the parts.
//!
//! ```
//! use std::sync::Arc;
//! use arrow_array::{ArrayRef, RecordBatch, StringArray};
//! use goyong_linkage::{LinkageError, LinkerBuilder, Settings, firm_name::FirmName};
//!
//! let settings = Settings::from_yaml("
//! link_type: link_only
//! threshold: 0.5
//! blocking: [l.name = r.name, l.post = r.post]
//! comparisons:
//!   - {name: name, column: name, levels: [{when: exact}, {when: jaro_winkler, at_least: 0.85}]}
//!   - {name: post, column: post, levels: [{when: exact}, {when: prefix, length: 3}]}
//! estimate:
//!   prior: {probability: 0.3}
//! ")?;
//! let firms = |rows: &[[&str; 3]]| {
//!     let names = rows.iter().map(|row| FirmName::parse(row[1]).core);
//!     let column = |at: usize| Arc::new(rows.iter().map(|row| Some(row[at])).collect::<StringArray>());
//!     RecordBatch::try_from_iter([
//!         ("id", column(0) as ArrayRef),
//!         ("name", Arc::new(StringArray::from_iter_values(names))),
//!         ("post", column(2)),
//!     ])
//! };
//! let mut builder = LinkerBuilder::new(settings)?;
//! let pension = builder.add_source("pension");
//! builder.push(pension, &firms(&[["1", "(주)SK가온", "04553"], ["2", "나래식품", "22786"]])?)?;
//! let insured = builder.add_source("insured");
//! builder.push(insured, &firms(&[["a", "에스케이가온 주식회사", "04553"], ["b", "다솜", "55801"]])?)?;
//! let linker = builder.finish(2)?;
//! let parameters = linker.estimate()?;
//! let mut pairs = Vec::new();
//! linker.link(&parameters, |batch| {
//!     pairs.extend(batch.scored());
//!     Ok::<(), LinkageError>(())
//! })?;
//! assert_eq!(pairs.len(), 1);
//! assert_eq!((linker.id(pairs[0].left), linker.id(pairs[0].right)), ("1", "a"));
//! println!("{}", linker.explain(&parameters, pairs[0].left, pairs[0].right)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod address;
mod blocks;
mod cluster;
mod compare;
mod comparison;
mod dictionary;
mod error;
mod estimate;
pub mod evaluate;
mod explain;
pub mod firm_name;
pub mod hangul;
mod keys;
mod link;
mod linker;
mod pairs;
mod parallel;
mod parameters;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod real_files;
mod records;
mod rule;
mod settings;
mod similarity;
#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod text;

pub use cluster::{Clusters, Refusal, RefusedJoin};
pub use error::LinkageError;
pub use explain::{Explanation, Step};
pub use link::{RuleSummary, SkippedBlock, Summary};
pub use linker::{Linker, LinkerBuilder};
pub use pairs::{PairBatch, Pass, ScoredPair};
pub use parameters::{
    ComparisonParameters, LevelParameters, Parameters, Session, probability_of_weight,
    weight_of_probability,
};
pub use records::SourceNo;
pub use settings::{
    Ambiguous, ClusterSettings, ComparisonSettings, DeterministicPass, EstimateSettings,
    FixedWeights, LevelSettings, LinkType, Prior, Settings, TermFrequency, When,
};
