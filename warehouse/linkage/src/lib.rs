//! Record linkage: which records of several sources are one workplace, or one person, where no
//! number says so.

mod blocks;
mod cluster;
mod compare;
mod comparison;
mod dictionary;
mod error;
mod estimate;
pub mod evaluate;
mod explain;
mod keys;
mod link;
mod linker;
mod pairs;
mod parallel;
mod parameters;
mod records;
mod rule;
mod settings;
mod similarity;
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
