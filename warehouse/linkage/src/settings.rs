//! How to link, as data: what a YAML text of linkage settings may hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::LinkageError;

/// Everything that decides a linkage except the records.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which pairs are looked at.
    pub link_type: LinkType,
    /// The column that identifies a record inside its source.
    #[serde(default = "default_id")]
    pub id: String,
    /// Pairs below this probability are not returned.
    #[serde(default = "default_threshold")]
    pub threshold: f64,
    /// A block with more pairs is skipped and listed in the summary.
    #[serde(default = "default_max_block_pairs")]
    pub max_block_pairs: u64,
    /// Passes that run first, in order.
    #[serde(default)]
    pub deterministic: Vec<DeterministicPass>,
    /// SQL conditions on `l` and `r`; a pair is compared if one of them holds.
    pub blocking: Vec<String>,
    /// What is compared, in the order of the output's level columns.
    pub comparisons: Vec<ComparisonSettings>,
    /// How the weights are learned.
    #[serde(default)]
    pub estimate: EstimateSettings,
    /// How pairs become clusters.
    #[serde(default)]
    pub cluster: ClusterSettings,
}

/// Which pairs are looked at.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LinkType {
    /// Only pairs of different sources.
    LinkOnly,
    /// All pairs of one source.
    Dedupe,
    /// All pairs, inside and between sources.
    LinkAndDedupe,
}

/// Records that agree on an identifying key are linked before anything is weighed.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct DeterministicPass {
    /// A rule like a blocking rule.
    pub rule: String,
    /// The probability a pair of this pass is given.
    #[serde(default = "default_pass_probability")]
    pub probability: f64,
    /// What happens to a key that several records of one source carry.
    #[serde(default)]
    pub ambiguous: Ambiguous,
}

/// A key that several records of one source carry.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Ambiguous {
    /// Every pair with the key is linked.
    #[default]
    Accept,
    /// None is; the records go to the next pass.
    Leave,
}

/// One thing that is compared, with its levels of agreement.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ComparisonSettings {
    /// Names the output column `level_<name>`.
    pub name: String,
    /// The column of levels that name none; null on either side makes the comparison null.
    #[serde(default)]
    pub column: Option<String>,
    /// Adjusts levels by how frequent the agreeing value is.
    #[serde(default)]
    pub term_frequency: Option<TermFrequency>,
    /// Strongest first; the first that holds counts, a last level "nothing agrees" is implied.
    pub levels: Vec<LevelSettings>,
}

/// Agreement on a rare value says more than agreement on a frequent one.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct TermFrequency {
    /// The column whose values are counted; the comparison's own by default.
    #[serde(default)]
    pub column: Option<String>,
    /// No value counts as rarer than this share of the records.
    #[serde(default)]
    pub minimum_u: f64,
}

/// One level of agreement: a condition and its numbers.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LevelSettings {
    /// The kind of condition.
    pub when: When,
    /// The column compared, if it is not the comparison's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The other column of `reversed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// The least similarity or overlap, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The largest edit distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// Characters of a prefix or a q-gram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Days between two dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// Months of 365.25 / 12 days between two dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<f64>,
    /// Years of 365.25 days between two dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub years: Option<f64>,
    /// Difference of two numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// Difference of two numbers as a share of the larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// The conditions of `all` and `any`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<LevelSettings>,
    /// How strongly the term frequency adjusts this level: 1 in full, 0 not at all.
    /// Without it, `exact` levels of a comparison with a term frequency are adjusted in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term_frequency: Option<f64>,
    /// Words for the waterfall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Kinds of conditions.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The same text.
    Exact,
    /// Jaro–Winkler similarity (Winkler 1990), prefix weight 0.1 above a Jaro of 0.7.
    JaroWinkler,
    /// Jaro similarity.
    Jaro,
    /// Levenshtein distance.
    Levenshtein,
    /// Damerau–Levenshtein distance, transpositions of neighbours count one.
    DamerauLevenshtein,
    /// Dates no further apart than `days`, `months` or `years`.
    DateWithin,
    /// Numbers no further apart than `difference` or `ratio`.
    NumberWithin,
    /// Jaccard overlap of the sets of words.
    TokenOverlap,
    /// Jaccard overlap of the sets of q-grams.
    QgramOverlap,
    /// The first `length` characters agree.
    Prefix,
    /// The shorter text, of at least `length` characters, begins the longer one.
    OneIsPrefix,
    /// `column` and `other` have changed places.
    Reversed,
    /// Null on either side.
    Null,
    /// Every condition of `of` holds.
    All,
    /// One condition of `of` holds.
    Any,
}

/// How the weights are learned.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EstimateSettings {
    /// The probability that two records drawn at random are one entity.
    #[serde(default)]
    pub prior: Prior,
    /// Pairs drawn at random to learn u.
    #[serde(default = "default_u_pairs")]
    pub u_pairs: u64,
    /// Seed of the draw.
    #[serde(default)]
    pub seed: u64,
    /// m is learned on the pairs of each of these rules; the blocking rules by default.
    #[serde(default)]
    pub em_rules: Vec<String>,
    /// Pairs looked at for each rule; of a rule with more a sample of the records is used.
    #[serde(default = "default_em_pairs")]
    pub em_pairs: u64,
    /// Iterations after which a rule's estimation ends in any case.
    #[serde(default = "default_em_iterations")]
    pub em_iterations: u32,
    /// The largest change of a probability that counts as settled.
    #[serde(default = "default_em_convergence")]
    pub em_convergence: f64,
    /// Weights that are stated and not learned, by comparison.
    #[serde(default)]
    pub fixed: BTreeMap<String, FixedWeights>,
}

/// The probability that two records drawn at random are one entity: one of three ways.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Prior {
    /// Stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Counted: the pairs of these rules are taken for true …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// … and for this share of all true pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<f64>,
    /// Learned with m.
    #[serde(default)]
    pub from_em: bool,
}

/// m and u of every level, strongest first, "nothing agrees" last.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FixedWeights {
    /// Probability of each level among true pairs.
    #[serde(default)]
    pub m: Vec<f64>,
    /// Probability of each level among other pairs.
    #[serde(default)]
    pub u: Vec<f64>,
}

/// How pairs become clusters.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ClusterSettings {
    /// Pairs below this probability join nothing.
    #[serde(default = "default_threshold")]
    pub threshold: f64,
    /// Two clusters that carry different values of one of these columns are never joined.
    #[serde(default)]
    pub identifying: Vec<String>,
    /// A cluster holds at most one record of each source.
    #[serde(default)]
    pub one_per_source: bool,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            threshold: default_threshold(),
            identifying: Vec::new(),
            one_per_source: false,
        }
    }
}

impl Default for EstimateSettings {
    fn default() -> Self {
        Self {
            prior: Prior::default(),
            u_pairs: default_u_pairs(),
            seed: 0,
            em_rules: Vec::new(),
            em_pairs: default_em_pairs(),
            em_iterations: default_em_iterations(),
            em_convergence: default_em_convergence(),
            fixed: BTreeMap::new(),
        }
    }
}

fn default_id() -> String {
    "id".to_owned()
}

fn default_threshold() -> f64 {
    0.5
}

fn default_max_block_pairs() -> u64 {
    20_000_000
}

fn default_pass_probability() -> f64 {
    0.99999
}

fn default_u_pairs() -> u64 {
    1_000_000
}

fn default_em_pairs() -> u64 {
    5_000_000
}

fn default_em_iterations() -> u32 {
    100
}

fn default_em_convergence() -> f64 {
    0.0001
}

impl Settings {
    /// Reads settings from YAML and checks what can be checked without records.
    ///
    /// # Errors
    /// The text is not YAML of this shape, or a value makes no sense.
    pub fn from_yaml(text: &str) -> Result<Self, LinkageError> {
        let settings: Self = serde_yaml_ng::from_str(text)?;
        settings.check()?;
        Ok(settings)
    }

    /// Values that no record can make right; levels and rules are checked when they are compiled.
    pub(crate) fn check(&self) -> Result<(), LinkageError> {
        let probability = |place: &str, value: f64| {
            if (0.0..=1.0).contains(&value) {
                return Ok(());
            }
            Err(LinkageError::settings(
                place,
                format!("{value} is no probability, write one from 0 to 1"),
            ))
        };
        probability("threshold", self.threshold)?;
        probability("cluster.threshold", self.cluster.threshold)?;
        for (number, pass) in self.deterministic.iter().enumerate() {
            let place = format!("deterministic pass {}", number + 1);
            probability(&place, pass.probability)?;
            if pass.probability <= 0.0 || pass.probability >= 1.0 {
                return Err(LinkageError::settings(
                    place,
                    "a probability of 0 or 1 has no weight, write one between them",
                ));
            }
            if pass.ambiguous == Ambiguous::Leave && self.link_type != LinkType::LinkOnly {
                return Err(LinkageError::settings(
                    place,
                    "'ambiguous: leave' needs link_type link_only",
                ));
            }
        }
        if self.blocking.is_empty() {
            return Err(LinkageError::settings(
                "blocking",
                "at least one rule is needed, such as l.name = r.name",
            ));
        }
        if self.blocking.len() + self.deterministic.len() > 200 {
            return Err(LinkageError::settings("blocking", "more than 200 rules"));
        }
        self.check_prior(probability)?;
        let mut names: Vec<&str> = self.comparisons.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(LinkageError::settings(
                format!("comparison {}", twice[0]),
                "the name is used twice",
            ));
        }
        for name in self.estimate.fixed.keys() {
            if !names.contains(&name.as_str()) {
                return Err(LinkageError::settings(
                    format!("estimate.fixed.{name}"),
                    "there is no comparison of this name",
                ));
            }
        }
        Ok(())
    }

    fn check_prior(
        &self,
        probability: impl Fn(&str, f64) -> Result<(), LinkageError>,
    ) -> Result<(), LinkageError> {
        let prior = &self.estimate.prior;
        let ways = usize::from(prior.probability.is_some())
            + usize::from(!prior.rules.is_empty())
            + usize::from(prior.from_em);
        if ways > 1 {
            return Err(LinkageError::settings(
                "estimate.prior",
                "write one of probability, rules with recall, from_em",
            ));
        }
        if let Some(value) = prior.probability {
            probability("estimate.prior.probability", value)?;
        }
        if prior.rules.is_empty() != prior.recall.is_none() {
            return Err(LinkageError::settings(
                "estimate.prior",
                "rules and recall belong together",
            ));
        }
        if let Some(recall) = prior.recall {
            probability("estimate.prior.recall", recall)?;
            if recall == 0.0 {
                return Err(LinkageError::settings(
                    "estimate.prior.recall",
                    "must be above 0",
                ));
            }
        }
        Ok(())
    }

    /// The rules m is learned on.
    pub(crate) fn em_rules(&self) -> &[String] {
        if self.estimate.em_rules.is_empty() {
            &self.blocking
        } else {
            &self.estimate.em_rules
        }
    }
}
