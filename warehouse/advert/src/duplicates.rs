//! Advertisements that offer the same job of the same employer in other words.
//!
//! One-permutation MinHash (Li, Owen and Zhang 2012) with rotation over empty bins (Shrivastava and Li
//! 2014) in bands of two rows; the key of a band contains the employer, so that boilerplate many
//! employers share fills no bucket. The exact Jaccard index of the shingle sets decides.

use crate::fold::Folded;
use crate::shingles::{jaccard, mixed, shingles};
use crate::workers::in_parts;

/// Bins of a signature.
const BINS: usize = 64;
/// Rows of a band.
const ROWS: usize = 2;

/// What must agree before texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// The employer, as a number of its identity.
    pub employer: u64,
    /// What makes another job of it: kind of pay, lowest pay, place, contract, as a number of them.
    pub conditions: u64,
    /// First day on which it is open, in days of any calendar.
    pub opened: i32,
    /// Last day.
    pub closes: i32,
}

/// An advertisement to compare.
#[derive(Debug, Clone, Copy)]
pub struct DuplicateText<'a> {
    /// What must agree.
    pub terms: Terms,
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// How duplicates are looked for.
#[derive(Debug, Clone, Copy)]
pub struct DuplicateOptions {
    /// Smallest Jaccard index of a pair.
    pub least_similarity: f64,
    /// Days that may lie between the end of one and the beginning of the other.
    pub days_apart: i32,
    /// Members of a bucket that each member is compared with at most.
    pub bucket_cap: usize,
    /// Threads; they change nothing in the result.
    pub threads: usize,
}

impl Default for DuplicateOptions {
    fn default() -> Self {
        Self {
            least_similarity: 0.4,
            days_apart: 14,
            bucket_cap: 200,
            threads: 1,
        }
    }
}

/// Which advertisement belongs to which group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Clusters {
    /// Index of the first advertisement of the group; its own for one that stands alone.
    pub first_of: Vec<u32>,
    /// Similarity with the most similar other member; 0 for one that stands alone.
    pub similarity: Vec<f64>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Duplicates {
    /// Pairs of indices with their similarity, in order.
    pub pairs: Vec<(u32, u32, f64)>,
    /// Groups that the pairs make.
    pub clusters: Clusters,
    /// Candidate pairs whose shingles were compared.
    pub compared: u64,
    /// Pairs of buckets above the cap that were not.
    pub skipped: u64,
}

/// Finds pairs and groups. Cost grows with the number of letters and of candidates; memory holds four
/// bytes for each shingle.
pub fn find_duplicates(texts: &[DuplicateText<'_>], options: &DuplicateOptions) -> Duplicates {
    let sets: Vec<Box<[u32]>> = in_parts(texts, options.threads, |_, part| {
        part.iter()
            .map(|one| {
                let mut both = String::with_capacity(one.title.len() + one.text.len() + 1);
                both.push_str(one.title);
                both.push('\n');
                both.push_str(one.text);
                shingles(&Folded::new(&both))
            })
            .collect()
    });
    let signatures: Vec<[u32; BINS]> = in_parts(&sets, options.threads, |_, part| {
        part.iter().map(|set| signature(set)).collect()
    });
    let bands: Vec<usize> = (0..BINS / ROWS).collect();
    let found = in_parts(&bands, options.threads, |_, part| {
        part.iter()
            .map(|band| candidates(*band, texts, &sets, &signatures, options))
            .collect::<Vec<_>>()
    });
    drop(signatures);
    let skipped = found.iter().map(|(_, skipped)| skipped).sum();
    let mut candidates: Vec<(u32, u32)> = found.into_iter().flat_map(|(pairs, _)| pairs).collect();
    candidates.sort_unstable();
    candidates.dedup();
    let pairs: Vec<(u32, u32, f64)> = in_parts(&candidates, options.threads, |_, part| {
        part.iter()
            .filter_map(|(left, right)| {
                let similarity = jaccard(&sets[*left as usize], &sets[*right as usize]);
                (similarity >= options.least_similarity).then_some((*left, *right, similarity))
            })
            .collect()
    });
    Duplicates {
        clusters: join(texts.len(), &pairs),
        compared: candidates.len() as u64,
        pairs,
        skipped,
    }
}

/// Smallest value of each bin; an empty bin takes that of the next one that is not.
fn signature(set: &[u32]) -> [u32; BINS] {
    let mut bins = [u32::MAX; BINS];
    for shingle in set {
        let hash = mixed(u64::from(*shingle)) as u32;
        let bin = (hash >> 26) as usize;
        bins[bin] = bins[bin].min(hash & 0x03ff_ffff);
    }
    let filled = bins;
    for (bin, value) in bins.iter_mut().enumerate() {
        let next = (0..BINS).find(|step| filled[(bin + step) % BINS] != u32::MAX);
        if let Some(step) = next {
            *value = filled[(bin + step) % BINS].wrapping_add(step as u32 * 0x0400_0001);
        }
    }
    bins
}

/// Pairs of one band that terms allow, and how many were left out because of the cap.
fn candidates(
    band: usize,
    texts: &[DuplicateText<'_>],
    sets: &[Box<[u32]>],
    signatures: &[[u32; BINS]],
    options: &DuplicateOptions,
) -> (Vec<(u32, u32)>, u64) {
    let mut keys: Vec<(u64, u32)> = (0..texts.len())
        .filter(|index| !sets[*index].is_empty())
        .map(|index| {
            let terms = &texts[index].terms;
            let start = mixed(terms.employer) ^ mixed(terms.conditions.rotate_left(17));
            let rows = &signatures[index][band * ROWS..(band + 1) * ROWS];
            let key = rows
                .iter()
                .fold(start, |key, value| mixed(key ^ u64::from(*value)));
            (key, index as u32)
        })
        .collect();
    keys.sort_unstable();
    let mut pairs = Vec::new();
    let mut skipped = 0;
    for bucket in keys.chunk_by(|left, right| left.0 == right.0) {
        for (at, (_, left)) in bucket.iter().enumerate() {
            let others = &bucket[at + 1..];
            let compared = others.len().min(options.bucket_cap);
            skipped += (others.len() - compared) as u64;
            for (_, right) in &others[..compared] {
                let (one, two) = (texts[*left as usize].terms, texts[*right as usize].terms);
                if one.employer == two.employer
                    && one.conditions == two.conditions
                    && one.opened <= two.closes.saturating_add(options.days_apart)
                    && two.opened <= one.closes.saturating_add(options.days_apart)
                {
                    pairs.push((*left, *right));
                }
            }
        }
    }
    (pairs, skipped)
}

fn join(count: usize, pairs: &[(u32, u32, f64)]) -> Clusters {
    let mut parent: Vec<u32> = (0..count as u32).collect();
    fn root(parent: &mut [u32], mut one: u32) -> u32 {
        while parent[one as usize] != one {
            let above = parent[parent[one as usize] as usize];
            parent[one as usize] = above;
            one = above;
        }
        one
    }
    let mut similarity = vec![0.0_f64; count];
    for (left, right, value) in pairs {
        let (one, two) = (root(&mut parent, *left), root(&mut parent, *right));
        // The smaller index stays on top, so that the first advertisement names the group.
        parent[one.max(two) as usize] = one.min(two);
        for end in [*left, *right] {
            let best = &mut similarity[end as usize];
            *best = best.max(*value);
        }
    }
    let first_of = (0..count as u32)
        .map(|one| root(&mut parent, one))
        .collect();
    Clusters {
        first_of,
        similarity,
    }
}
