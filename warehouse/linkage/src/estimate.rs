//! Learning the parameters: u from random pairs, m by expectation–maximisation, the prior.

mod em;
mod random_pairs;

use hashbrown::HashMap;

use crate::blocks::Rows;
use crate::comparison::NULL_LEVEL;
use crate::dictionary::{NULL, mix};
use crate::error::LinkageError;
use crate::keys::PairCheck;
use crate::link::RuleSet;
use crate::linker::Linker;
use crate::parallel::run_ordered;
use crate::parameters::{ComparisonParameters, LevelParameters, Parameters};
use crate::rule::Rule;

/// The prior without anything known.
const UNKNOWN_PRIOR: f64 = 0.0001;
/// No probability is learned to be 0 or 1: what was not seen may still happen.
const LEAST: f64 = 1e-6;

impl Linker {
    /// Learns the parameters from the records: the same records, settings and seed give the same
    /// parameters on any number of threads.
    ///
    /// u comes from pairs drawn at random, except that exact agreement is counted. m comes from
    /// expectation–maximisation on the pairs of each rule of `em_rules`, where the comparisons
    /// that the rule does not look at are taken to be independent given match or no match
    /// (Fellegi & Sunter 1969; Winkler 1988; Enamorado, Fifield & Imai 2019); of several
    /// estimates of one comparison the mean weighted by expected true pairs is taken.
    ///
    /// # Errors
    /// Fixed weights that do not fit the levels, or no records to learn from.
    pub fn estimate(&self) -> Result<Parameters, LinkageError> {
        let estimate = &self.settings.estimate;
        let comparisons = &self.plan.comparisons;
        let mut u = self.u()?;
        let mut m: Vec<Vec<f64>> = u.iter().map(|u| em::first_m(u.len())).collect();
        for (number, comparison) in comparisons.iter().enumerate() {
            let Some(fixed) = estimate.fixed.get(&comparison.name) else {
                continue;
            };
            for (stated, held) in [(&fixed.m, &mut m[number]), (&fixed.u, &mut u[number])] {
                if stated.is_empty() {
                    continue;
                }
                let fits = stated.len() == held.len()
                    && stated.iter().all(|value| *value > 0.0 && *value <= 1.0);
                if !fits {
                    return Err(LinkageError::settings(
                        format!("estimate.fixed.{}", comparison.name),
                        format!("write {} probabilities above 0", held.len()),
                    ));
                }
                held.clone_from(stated);
            }
        }
        let stated_prior = match estimate.prior.probability {
            Some(probability) => Some(probability),
            None => self.counted_prior(),
        };
        let start = stated_prior
            .unwrap_or(UNKNOWN_PRIOR)
            .clamp(1e-12, 1.0 - 1e-6);
        let learned = self.learn_m(start, &u, &m);
        for (number, comparison) in comparisons.iter().enumerate() {
            let is_fixed = estimate
                .fixed
                .get(&comparison.name)
                .is_some_and(|fixed| !fixed.m.is_empty());
            if let (false, Some(mean)) = (is_fixed, em::mean_m(&learned, number)) {
                m[number] = mean;
            }
        }
        let prior = match estimate.prior.from_em {
            true => em::mean_prior(&learned, &u, &m).unwrap_or(start),
            false => start,
        };
        let parameters = |(number, comparison): (usize, &crate::comparison::Comparison)| {
            let labels = comparison.levels.iter().map(|level| level.label.clone());
            let labels = labels.chain([format!("{} differs", comparison.name)]);
            let levels = labels.zip(m[number].iter().zip(&u[number]));
            ComparisonParameters {
                name: comparison.name.clone(),
                levels: levels
                    .map(|(label, (&m, &u))| LevelParameters { label, m, u })
                    .collect(),
            }
        };
        Ok(Parameters {
            prior,
            comparisons: comparisons.iter().enumerate().map(parameters).collect(),
            sessions: learned.into_iter().map(|learned| learned.session).collect(),
        })
    }

    /// The share of true pairs by the rules that are taken for true, `None` without rules.
    fn counted_prior(&self) -> Option<f64> {
        let recall = self.settings.estimate.prior.recall?;
        let none_taken = Rows::default();
        let mut rules = RuleSet::new(self, &self.plan.prior_rules, &none_taken);
        let mut found = 0_u64;
        for rule in 0..self.plan.prior_rules.len() {
            rules.note_explosions(rule);
            let blocks = rules.blocks(rule);
            let mut check = PairCheck::default();
            for position in rules.tasks(rule, &blocks).into_iter().flatten() {
                let left = blocks.left_rows()[position];
                for &right in blocks.partners(position) {
                    let new = !rules.found_before(rule, left, right, &mut check)
                        && rules.holds(rule, left, right, &mut check);
                    found += u64::from(new);
                }
            }
        }
        Some(found.max(1) as f64 / recall / self.possible_pairs().max(1.0))
    }

    /// Number of pairs that could be compared.
    fn possible_pairs(&self) -> f64 {
        let all = self.records.len() as f64;
        match self.settings.link_type {
            crate::settings::LinkType::LinkOnly => {
                let inside = self.records.sources.iter();
                let inside: f64 = inside.map(|s| f64::from(s.end - s.start).powi(2)).sum();
                (all * all - inside) / 2.0
            }
            _ => all * (all - 1.0) / 2.0,
        }
    }

    /// One estimation of m for each rule.
    fn learn_m(&self, prior: f64, u: &[Vec<f64>], m: &[Vec<f64>]) -> Vec<em::Learned> {
        let names: Vec<&str> = self
            .plan
            .comparisons
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        let mut learned = Vec::new();
        for rule in &self.plan.em_rules {
            let looked_at = rule.columns();
            let free = |columns: &[usize]| columns.iter().all(|column| !looked_at.contains(column));
            let comparisons: Vec<usize> = (0..self.plan.comparisons.len())
                .filter(|&number| free(&self.plan.comparisons[number].columns))
                .collect();
            if comparisons.is_empty() {
                continue;
            }
            // within the rule the exact level of what it looks at holds for every pair
            let mut odds = prior / (1.0 - prior);
            for number in 0..self.plan.comparisons.len() {
                if !comparisons.contains(&number) {
                    odds *= m[number][0] / u[number][0];
                }
            }
            let start = (odds / (1.0 + odds)).clamp(0.001, 0.95);
            let counts = self.count_patterns(rule, &comparisons);
            learned.extend(em::learn(
                &counts,
                start,
                u,
                m,
                &comparisons,
                &self.settings.estimate,
                rule,
                &names,
            ));
        }
        learned
    }

    /// How often each vector of levels occurs among the pairs of a rule, a sample of the left
    /// records if there are too many pairs.
    fn count_patterns(&self, rule: &Rule, comparisons: &[usize]) -> Vec<(u64, u64)> {
        let none_taken = Rows::default();
        let mut rules = RuleSet::new(self, std::slice::from_ref(rule), &none_taken);
        rules.note_explosions(0);
        let blocks = rules.blocks(0);
        let limit = self.settings.max_block_pairs;
        let sizes = blocks.sizes().map(|size| size.pairs);
        let pairs: u64 = sizes.filter(|&pairs| pairs <= limit).sum();
        let share = self.settings.estimate.em_pairs as f64 / pairs.max(1) as f64;
        let sampled = (share.min(1.0) * u64::MAX as f64) as u64;
        let seed = mix(self.settings.estimate.seed);
        let tasks = rules.tasks(0, &blocks);
        let mut counts: HashMap<u64, u64> = HashMap::new();
        let done: Result<(), std::convert::Infallible> = run_ordered(
            self.threads,
            tasks.len(),
            || {
                let (rules, blocks, tasks) = (&rules, &blocks, &tasks);
                let mut comparer = self.comparer();
                let mut check = PairCheck::default();
                move |task: usize| {
                    let mut counts: HashMap<u64, u64> = HashMap::new();
                    for position in tasks[task].clone() {
                        let left = blocks.left_rows()[position];
                        if mix(seed ^ u64::from(left)) > sampled {
                            continue;
                        }
                        for &right in blocks.partners(position) {
                            if !rules.holds(0, left, right, &mut check) {
                                continue;
                            }
                            let pattern = comparisons.iter().fold(0, |pattern, &number| {
                                let level = comparer.level(number, left, right);
                                pattern | u64::from(level) << (4 * number)
                            });
                            *counts.entry(pattern).or_default() += 1;
                        }
                    }
                    counts
                }
            },
            |found| {
                for (pattern, count) in found {
                    *counts.entry(pattern).or_default() += count;
                }
                Ok(())
            },
        );
        match done {
            Ok(()) => {}
            Err(never) => match never {},
        }
        let mut counts: Vec<(u64, u64)> = counts.into_iter().collect();
        counts.sort_unstable();
        counts
    }

    /// Probability of every level among pairs that are not one entity.
    fn u(&self) -> Result<Vec<Vec<f64>>, LinkageError> {
        let counts = self.random_levels()?;
        let comparisons = self.plan.comparisons.iter().zip(counts);
        Ok(comparisons
            .map(|(comparison, counts)| {
                let levels = comparison.levels.len() + 1;
                let seen: Vec<f64> = counts[..levels]
                    .iter()
                    .map(|&n| (n as f64).max(0.5))
                    .collect();
                let all: f64 = seen.iter().sum();
                let mut u: Vec<f64> = seen.iter().map(|seen| seen / all).collect();
                if let crate::comparison::Condition::Exact(column) = comparison.levels[0].condition
                {
                    let least = 0.5 / self.possible_pairs().max(1.0);
                    let exact = self.chance_agreement(column).clamp(least, 1.0 - LEAST);
                    let rest = (1.0 - exact) / (1.0 - u[0]).max(LEAST);
                    u[1..].iter_mut().for_each(|u| *u *= rest);
                    u[0] = exact;
                }
                u
            })
            .collect())
    }

    /// The probability that two records drawn at random hold the same value, of those with one.
    fn chance_agreement(&self, column: usize) -> f64 {
        let column = &self.records.columns[column];
        let link_only = self.settings.link_type == crate::settings::LinkType::LinkOnly;
        let mut all = vec![0_u64; column.dictionary.len()];
        let (mut values, mut inside_pairs, mut inside_equal) = (0.0, 0.0, 0.0);
        for source in &self.records.sources {
            let mut counts: HashMap<u32, u64> = HashMap::new();
            let rows = source.start as usize..source.end as usize;
            let mut held = 0_u64;
            for &number in &column.numbers[rows] {
                if number == NULL {
                    continue;
                }
                held += 1;
                all[number as usize] += 1;
                if link_only {
                    *counts.entry(number).or_default() += 1;
                }
            }
            values += held as f64;
            if link_only {
                inside_pairs += (held as f64).powi(2);
                let equal: u64 = counts.values().map(|count| count * count).sum();
                inside_equal += equal as f64;
            }
        }
        if !link_only {
            (inside_pairs, inside_equal) = (values, values);
        }
        let equal: u64 = all.iter().map(|count| count * count).sum();
        let pairs: f64 = values * values - inside_pairs;
        if pairs <= 0.0 {
            return 0.0;
        }
        (equal as f64 - inside_equal) / pairs
    }
}

/// The level of a comparison in a packed vector, `None` if null.
pub(crate) fn level_of(pattern: u64, comparison: usize) -> Option<usize> {
    match (pattern >> (4 * comparison) & 15) as u8 {
        NULL_LEVEL => None,
        level => Some(level as usize),
    }
}
