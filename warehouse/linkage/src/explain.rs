//! Why a pair has its weight.

use std::fmt;

use crate::comparison::NULL_LEVEL;
use crate::error::LinkageError;
use crate::linker::Linker;
use crate::parameters::{Parameters, Weights, probability_of_weight};

/// The waterfall of a pair: where it starts, what each comparison adds, where it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// log2 odds before anything is compared.
    pub prior_weight: f64,
    /// In the order of the settings.
    pub steps: Vec<Step>,
    /// The sum.
    pub match_weight: f64,
    /// The probability of the sum.
    pub probability: f64,
}

/// What one comparison adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The comparison.
    pub comparison: String,
    /// The level in words.
    pub label: String,
    /// The level as in the output: -1 null, 0 nothing agrees, higher is stronger.
    pub level: i8,
    /// Probability of the level among true pairs, `None` if null.
    pub m: Option<f64>,
    /// Probability of the level among other pairs, `None` if null.
    pub u: Option<f64>,
    /// log2(m / u), 0 if null.
    pub weight: f64,
    /// What the frequency of the value adds.
    pub term_frequency_weight: f64,
    /// The sum so far.
    pub running_weight: f64,
}

impl Linker {
    /// The reasons for the weight of a pair, whether or not a rule finds it.
    ///
    /// # Errors
    /// A row is not there, or the parameters do not fit.
    pub fn explain(
        &self,
        parameters: &Parameters,
        left: u32,
        right: u32,
    ) -> Result<Explanation, LinkageError> {
        self.records.check_row(left)?;
        self.records.check_row(right)?;
        let comparisons = &self.plan.comparisons;
        let weights = Weights::of(parameters, comparisons, &self.records)?;
        let (left, right) = (left.min(right), left.max(right));
        let mut comparer = self.comparer();
        let mut running_weight = weights.prior;
        let mut steps = Vec::with_capacity(comparisons.len());
        for (number, comparison) in comparisons.iter().enumerate() {
            let level = comparer.level(number, left, right);
            let weight = weights.comparisons[number].levels[level as usize];
            let added = weights.comparisons[number].adjustment(&self.records, level, left, right);
            running_weight += weight;
            running_weight += added;
            let learned = parameters.comparisons[number].levels.get(level as usize);
            steps.push(Step {
                comparison: comparison.name.clone(),
                label: learned.map_or_else(
                    || format!("{} missing", comparison.name),
                    |learned| learned.label.clone(),
                ),
                level: match level {
                    NULL_LEVEL => -1,
                    level => comparison.levels.len() as i8 - level as i8,
                },
                m: learned.map(|learned| learned.m),
                u: learned.map(|learned| learned.u),
                weight,
                term_frequency_weight: added,
                running_weight,
            });
        }
        Ok(Explanation {
            prior_weight: weights.prior,
            steps,
            match_weight: running_weight,
            probability: probability_of_weight(running_weight),
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8.2}  prior", self.prior_weight)?;
        for step in &self.steps {
            write!(
                f,
                "{:>+8.2}  {}: {}",
                step.weight, step.comparison, step.label
            )?;
            if let (Some(m), Some(u)) = (step.m, step.u) {
                write!(f, " (m {m:.4}, u {u:.6})")?;
            }
            writeln!(f)?;
            if step.term_frequency_weight != 0.0 {
                let added = step.term_frequency_weight;
                writeln!(
                    f,
                    "{added:>+8.2}  {}: frequency of the value",
                    step.comparison
                )?;
            }
        }
        write!(
            f,
            "{:>8.2}  match weight, probability {:.6}",
            self.match_weight, self.probability
        )
    }
}
