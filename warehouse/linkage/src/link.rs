//! The passes over blocks: deterministic first, then probabilistic on what is left.

use crate::blocks::{Blocks, Rows};
use crate::compare::Comparer;
use crate::dictionary::NULL;
use crate::error::LinkageError;
use crate::keys::{Keys, PairCheck};
use crate::linker::Linker;
use crate::pairs::{PairBatch, Pass, ScoredPair};
use crate::parallel::run_ordered;
use crate::parameters::{Parameters, Weights, probability_of_weight, weight_of_probability};
use crate::rule::Rule;
use crate::settings::Ambiguous;

/// Pairs handed out at once, at least, unless there are no more.
const BATCH_PAIRS: usize = 1 << 16;

/// What a linkage did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pairs handed out and pairs compared, for each deterministic pass and each blocking rule.
    pub rules: Vec<RuleSummary>,
    /// Blocks that were not looked at.
    pub skipped_blocks: Vec<SkippedBlock>,
    /// Pairs in them; some may have been found by another rule.
    pub skipped_pairs: u64,
}

/// What one rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSummary {
    /// How its pairs are found.
    pub pass: Pass,
    /// The rule as written.
    pub rule: String,
    /// Pairs of the rule that no earlier rule had found.
    pub compared: u64,
    /// Pairs handed out.
    pub pairs: u64,
}

/// A block with more pairs than the settings allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedBlock {
    /// The rule as written.
    pub rule: String,
    /// The values the records of the block agree on. They are data: where a column is personal,
    /// they belong in no log.
    pub key: String,
    /// Records that would stand on the left.
    pub left_rows: u64,
    /// Records that would stand on the right.
    pub right_rows: u64,
    /// Pairs left out.
    pub pairs: u64,
}

/// Rules in order; a pair belongs to the first that holds.
pub(crate) struct RuleSet<'a> {
    linker: &'a Linker,
    rules: &'a [Rule],
    keys: Vec<Keys>,
    skipped: Vec<Rows>,
    taken: &'a Rows,
}

impl<'a> RuleSet<'a> {
    pub(crate) fn new(linker: &'a Linker, rules: &'a [Rule], taken: &'a Rows) -> Self {
        Self {
            linker,
            rules,
            keys: linker.keys_of(rules),
            skipped: vec![Rows::default(); rules.len()],
            taken,
        }
    }

    /// The blocks of a rule; those above the limit are noted and will be skipped.
    pub(crate) fn note_explosions(&mut self, rule: usize) -> Vec<SkippedBlock> {
        let limit = self.linker.settings.max_block_pairs;
        let blocks = self.blocks(rule);
        let large: Vec<_> = blocks.sizes().filter(|size| size.pairs > limit).collect();
        drop(blocks);
        let mut skipped = Vec::new();
        for size in large {
            self.skipped[rule].insert(size.key);
            skipped.push(SkippedBlock {
                rule: self.rules[rule].text.clone(),
                key: self.key_text(rule, size.key),
                left_rows: size.left_rows,
                right_rows: size.right_rows,
                pairs: size.pairs,
            });
        }
        skipped
    }

    fn key_text(&self, rule: usize, key: u32) -> String {
        let row = self.keys[rule].left.iter().position(|&held| held == key);
        let texts = self.rules[rule].equalities.iter().map(|(left, _)| {
            let records = &self.linker.records;
            let value = left.value(&|column| records.columns[column].text(row? as u32));
            value.map_or_else(String::new, |text| text.into_owned())
        });
        texts.collect::<Vec<_>>().join(" · ")
    }

    pub(crate) fn blocks(&self, rule: usize) -> Blocks<'_> {
        Blocks::of(
            &self.keys[rule],
            &self.linker.records,
            self.linker.settings.link_type,
            self.taken,
        )
    }

    pub(crate) fn tasks(&self, rule: usize, blocks: &Blocks<'_>) -> Vec<std::ops::Range<usize>> {
        blocks.tasks(&self.skipped[rule])
    }

    /// Whether an earlier rule finds the pair as well.
    pub(crate) fn found_before(
        &self,
        rule: usize,
        left: u32,
        right: u32,
        check: &mut PairCheck,
    ) -> bool {
        (0..rule).any(|earlier| {
            let keys = &self.keys[earlier];
            let key = keys.left[left as usize];
            key != NULL
                && key == keys.right()[right as usize]
                && !self.skipped[earlier].contains(key)
                && self.holds(earlier, left, right, check)
        })
    }

    /// Whether what a rule looks at pair by pair holds.
    pub(crate) fn holds(&self, rule: usize, left: u32, right: u32, check: &mut PairCheck) -> bool {
        check.holds(&self.rules[rule], &self.linker.records, left, right)
    }
}

/// What a task of the probabilistic pass found.
struct Found {
    pairs: PairBatch,
    compared: u64,
}

impl Linker {
    /// Finds the pairs of all passes and hands them out in batches, always in the same order.
    ///
    /// # Errors
    /// The parameters do not fit the settings, or `sink` returned an error.
    pub fn link<E: From<LinkageError>>(
        &self,
        parameters: &Parameters,
        mut sink: impl FnMut(PairBatch) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let weights = Weights::of(parameters, &self.plan.comparisons, &self.records)?;
        let mut summary = Summary::default();
        let mut taken = Rows::default();
        for (number, pass) in self.settings.deterministic.iter().enumerate() {
            let rule = std::slice::from_ref(&self.plan.deterministic[number]);
            let weight = weight_of_probability(pass.probability);
            let leave = pass.ambiguous == Ambiguous::Leave;
            let linked = {
                let mut rules = RuleSet::new(self, rule, &taken);
                summary.skipped_blocks.extend(rules.note_explosions(0));
                self.deterministic_pass(&rules, number, weight, leave, &mut sink, &mut summary)?
            };
            for row in linked {
                taken.insert(row);
            }
        }
        let mut rules = RuleSet::new(self, &self.plan.blocking, &taken);
        for rule in 0..self.plan.blocking.len() {
            summary.skipped_blocks.extend(rules.note_explosions(rule));
            let blocks = rules.blocks(rule);
            let tasks = rules.tasks(rule, &blocks);
            let mut ready = PairBatch::new(Pass::Probabilistic);
            let mut compared = 0;
            let mut pairs = 0;
            run_ordered(
                self.threads,
                tasks.len(),
                || {
                    let mut scorer = Scorer::new(self, &weights, &rules, &blocks, rule);
                    let tasks = &tasks;
                    move |task: usize| scorer.score(tasks[task].clone())
                },
                |mut found: Found| {
                    compared += found.compared;
                    pairs += found.pairs.len() as u64;
                    ready.append(&mut found.pairs);
                    if ready.len() < BATCH_PAIRS {
                        return Ok(());
                    }
                    sink(std::mem::replace(
                        &mut ready,
                        PairBatch::new(Pass::Probabilistic),
                    ))
                },
            )?;
            if !ready.is_empty() {
                sink(ready)?;
            }
            summary.rules.push(RuleSummary {
                pass: Pass::Probabilistic,
                rule: self.plan.blocking[rule].text.clone(),
                compared,
                pairs,
            });
        }
        summary.skipped_pairs = summary.skipped_blocks.iter().map(|block| block.pairs).sum();
        Ok(summary)
    }

    /// Links records that agree on a key; returns the rows that were linked.
    fn deterministic_pass<E: From<LinkageError>>(
        &self,
        rules: &RuleSet<'_>,
        number: usize,
        match_weight: f64,
        leave: bool,
        sink: &mut impl FnMut(PairBatch) -> Result<(), E>,
        summary: &mut Summary,
    ) -> Result<Vec<u32>, E> {
        let blocks = rules.blocks(0);
        let mut comparer = self.comparer();
        let mut check = PairCheck::default();
        let mut ready = PairBatch::new(Pass::Deterministic);
        let mut linked = Vec::new();
        let mut found = RuleSummary {
            pass: Pass::Deterministic,
            rule: rules.rules[0].text.clone(),
            compared: 0,
            pairs: 0,
        };
        for position in rules.tasks(0, &blocks).into_iter().flatten() {
            let left = blocks.left_rows()[position];
            if leave && !blocks.unambiguous(position, &self.records) {
                continue;
            }
            for &right in blocks.partners(position) {
                found.compared += 1;
                if !rules.holds(0, left, right, &mut check) {
                    continue;
                }
                let pair = ScoredPair {
                    left,
                    right,
                    probability: probability_of_weight(match_weight),
                    match_weight,
                };
                ready.push(pair, number as u8 + 1, comparer.pattern(left, right));
                linked.extend([left, right]);
                found.pairs += 1;
            }
            if ready.len() >= BATCH_PAIRS {
                sink(std::mem::replace(
                    &mut ready,
                    PairBatch::new(Pass::Deterministic),
                ))?;
            }
        }
        if !ready.is_empty() {
            sink(ready)?;
        }
        summary.rules.push(found);
        Ok(linked)
    }
}

/// Weighs the pairs of a rule on one thread.
struct Scorer<'a> {
    linker: &'a Linker,
    weights: &'a Weights,
    rules: &'a RuleSet<'a>,
    blocks: &'a Blocks<'a>,
    rule: usize,
    comparer: Comparer<'a>,
    check: PairCheck,
    /// Comparisons, cheap ones first.
    order: Vec<usize>,
    /// What the comparisons from a place of the order on can still add.
    most: Vec<f64>,
    least_weight: f64,
}

impl<'a> Scorer<'a> {
    fn new(
        linker: &'a Linker,
        weights: &'a Weights,
        rules: &'a RuleSet<'a>,
        blocks: &'a Blocks<'a>,
        rule: usize,
    ) -> Self {
        let comparisons = &linker.plan.comparisons;
        let mut order: Vec<usize> = (0..comparisons.len()).collect();
        order.sort_by_key(|&comparison| comparisons[comparison].cost);
        Self {
            linker,
            weights,
            rules,
            blocks,
            rule,
            comparer: linker.comparer(),
            check: PairCheck::default(),
            most: vec![0.0; order.len() + 1],
            order,
            least_weight: weight_of_probability(linker.settings.threshold),
        }
    }

    fn score(&mut self, positions: std::ops::Range<usize>) -> Found {
        let records = &self.linker.records;
        let mut found = Found {
            pairs: PairBatch::new(Pass::Probabilistic),
            compared: 0,
        };
        for position in positions {
            let left = self.blocks.left_rows()[position];
            for place in (0..self.order.len()).rev() {
                let comparison = &self.weights.comparisons[self.order[place]];
                self.most[place] = self.most[place + 1] + comparison.most(records, left);
            }
            for &right in self.blocks.partners(position) {
                if self
                    .rules
                    .found_before(self.rule, left, right, &mut self.check)
                {
                    continue;
                }
                found.compared += 1;
                let Some(pattern) = self.promising(left, right) else {
                    continue;
                };
                let match_weight = self.weights.of_pair(records, pattern, left, right);
                if match_weight < self.least_weight
                    || !self.rules.holds(self.rule, left, right, &mut self.check)
                {
                    continue;
                }
                let pair = ScoredPair {
                    left,
                    right,
                    probability: probability_of_weight(match_weight),
                    match_weight,
                };
                found.pairs.push(pair, self.rule as u8 + 1, pattern);
            }
        }
        found
    }

    /// The levels of a pair, unless what is left cannot lift it over the threshold.
    fn promising(&mut self, left: u32, right: u32) -> Option<u64> {
        // the sum in another order may differ in the last bits
        const SLACK: f64 = 1e-9;
        let mut pattern = 0;
        let mut weight = self.weights.prior;
        for (place, &comparison) in self.order.iter().enumerate() {
            if weight + self.most[place] < self.least_weight - SLACK {
                return None;
            }
            let level = self.comparer.level(comparison, left, right);
            let weights = &self.weights.comparisons[comparison];
            weight += weights.levels[level as usize]
                + weights.adjustment(&self.linker.records, level, left, right);
            pattern |= u64::from(level) << (4 * comparison);
        }
        Some(pattern)
    }
}
