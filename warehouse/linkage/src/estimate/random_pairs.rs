//! Levels of pairs drawn at random.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::dictionary::mix;
use crate::error::LinkageError;
use crate::linker::Linker;
use crate::parallel::run_ordered;
use crate::settings::LinkType;

/// The draw is cut into this many parts, each with a seed of its own.
const PARTS: u64 = 64;

impl Linker {
    /// How often each level of each comparison occurs among random pairs.
    pub(super) fn random_levels(&self) -> Result<Vec<[u64; 16]>, LinkageError> {
        let filled = self
            .records
            .sources
            .iter()
            .filter(|s| s.end > s.start)
            .count();
        let link_only = self.settings.link_type == LinkType::LinkOnly;
        if self.records.len() < 2 || link_only && filled < 2 {
            return Err(LinkageError::Parameters(
                "there are no pairs to learn from, push records of both sources".to_owned(),
            ));
        }
        let comparisons = self.plan.comparisons.len();
        let each = self.settings.estimate.u_pairs.div_ceil(PARTS).max(1);
        let mut levels = vec![[0_u64; 16]; comparisons];
        let done: Result<(), std::convert::Infallible> = run_ordered(
            self.threads,
            PARTS as usize,
            || {
                let mut comparer = self.comparer();
                move |part: usize| {
                    let seed = mix(self.settings.estimate.seed).wrapping_add(part as u64);
                    let mut draw = ChaCha8Rng::seed_from_u64(seed);
                    let mut counts = vec![[0_u64; 16]; comparisons];
                    for _ in 0..each {
                        let (left, right) = self.random_pair(&mut draw, link_only);
                        for (number, counts) in counts.iter_mut().enumerate() {
                            counts[comparer.level(number, left, right) as usize] += 1;
                        }
                    }
                    counts
                }
            },
            |counts| {
                for (levels, counts) in levels.iter_mut().zip(counts) {
                    for (level, count) in levels.iter_mut().zip(counts) {
                        *level += count;
                    }
                }
                Ok(())
            },
        );
        match done {
            Ok(()) => Ok(levels),
            Err(never) => match never {},
        }
    }

    /// Every pair that may be compared is equally likely.
    fn random_pair(&self, draw: &mut ChaCha8Rng, link_only: bool) -> (u32, u32) {
        let rows = self.records.len() as u32;
        loop {
            let (a, b) = (draw.random_range(0..rows), draw.random_range(0..rows));
            let apart = match link_only {
                true => self.records.source_of(a) != self.records.source_of(b),
                false => a != b,
            };
            if apart {
                return (a.min(b), a.max(b));
            }
        }
    }
}
