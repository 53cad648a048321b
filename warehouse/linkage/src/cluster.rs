//! Pairs → entities, without chaining two that are each well identified.

use crate::dictionary::NULL;
use crate::error::LinkageError;
use crate::linker::Linker;
use crate::pairs::ScoredPair;

/// Which rows are one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// For every row the smallest row of its cluster.
    pub cluster_of: Vec<u32>,
    /// Pairs above the threshold that would have joined what must not be joined.
    pub refused: Vec<RefusedJoin>,
}

/// A pair that was not joined.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedJoin {
    /// The pair.
    pub pair: ScoredPair,
    /// Why.
    pub reason: Refusal,
}

/// Why two clusters were not joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// They hold different values of this identifying column.
    Identified(String),
    /// Both hold a record of this source.
    SameSource(String),
}

struct Forest<'a> {
    linker: &'a Linker,
    parents: Vec<u32>,
    /// By identifying column and root: the value the cluster carries.
    values: Vec<Vec<u32>>,
    /// By root: the sources in the cluster, where only one record of each may be.
    sources: Option<Vec<[u64; 4]>>,
}

impl Forest<'_> {
    fn root(&mut self, row: u32) -> u32 {
        let mut at = row;
        while self.parents[at as usize] != at {
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at
    }

    fn refusal(&self, a: u32, b: u32) -> Option<Refusal> {
        for (values, &column) in self.values.iter().zip(&self.linker.plan.identifying) {
            let (a, b) = (values[a as usize], values[b as usize]);
            if a != NULL && b != NULL && a != b {
                let name = self.linker.records.names[column].clone();
                return Some(Refusal::Identified(name));
            }
        }
        let sources = self.sources.as_ref()?;
        let words = sources[a as usize].iter().zip(&sources[b as usize]);
        let shared = words
            .enumerate()
            .find(|(_, (a, b))| **a & **b != 0)
            .map(|(word, (a, b))| word as u32 * 64 + (a & b).trailing_zeros())?;
        let name = self.linker.source_name(shared as u8).to_owned();
        Some(Refusal::SameSource(name))
    }

    fn join(&mut self, a: u32, b: u32) {
        let (root, child) = (a.min(b), a.max(b));
        self.parents[child as usize] = root;
        for values in &mut self.values {
            if values[root as usize] == NULL {
                values[root as usize] = values[child as usize];
            }
        }
        if let Some(sources) = &mut self.sources {
            let added = sources[child as usize];
            let held = sources[root as usize].iter_mut().zip(added);
            held.for_each(|(held, added)| *held |= added);
        }
    }
}

impl Linker {
    /// Joins pairs into clusters, the most probable first, as `settings.cluster` allows: two
    /// clusters that carry different values of an identifying column are never joined, however
    /// many records without a value lie between them, nor are two that would put two records of
    /// one source together where only one may be.
    ///
    /// # Errors
    /// A pair names a row that is not there.
    pub fn cluster(&self, pairs: &[ScoredPair]) -> Result<Clusters, LinkageError> {
        let rows = self.records.len();
        for pair in pairs {
            self.records.check_row(pair.left.max(pair.right))?;
        }
        let threshold = self.settings.cluster.threshold;
        let above = pairs.iter().filter(|pair| pair.probability >= threshold);
        let mut ordered: Vec<&ScoredPair> = above.collect();
        ordered.sort_unstable_by(|a, b| {
            b.match_weight
                .total_cmp(&a.match_weight)
                .then((a.left, a.right).cmp(&(b.left, b.right)))
        });
        let identifying = &self.plan.identifying;
        let mut forest = Forest {
            linker: self,
            parents: (0..rows as u32).collect(),
            values: identifying
                .iter()
                .map(|&column| self.records.columns[column].numbers.clone())
                .collect(),
            sources: self.settings.cluster.one_per_source.then(|| {
                let bits = |row: u32| {
                    let source = self.records.source_of(row);
                    let mut bits = [0; 4];
                    bits[usize::from(source) / 64] = 1 << (source % 64);
                    bits
                };
                (0..rows as u32).map(bits).collect()
            }),
        };
        let mut refused = Vec::new();
        for pair in ordered {
            let (a, b) = (forest.root(pair.left), forest.root(pair.right));
            if a == b {
                continue;
            }
            match forest.refusal(a, b) {
                None => forest.join(a, b),
                Some(reason) => refused.push(RefusedJoin {
                    pair: *pair,
                    reason,
                }),
            }
        }
        let cluster_of = (0..rows as u32).map(|row| forest.root(row)).collect();
        Ok(Clusters {
            cluster_of,
            refused,
        })
    }
}
