//! Records grouped by the key of a rule, and the pairs inside the groups.

use std::ops::Range;

use crate::dictionary::NULL;
use crate::keys::Keys;
use crate::records::Records;
use crate::settings::LinkType;

/// Pairs looked at by one task.
const TASK_PAIRS: u64 = 1 << 17;

/// Records by key; a pair's left record is the one with the smaller row number.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    keys: &'a Keys,
    left: Grouped,
    /// `None` if both sides are grouped alike.
    right: Option<Grouped>,
    /// The end of the source of each row's source, for `link_only`.
    source_ends: Option<Vec<u32>>,
}

/// Rows in the order of their key, and of their number inside a key.
#[derive(Debug)]
struct Grouped {
    rows: Vec<u32>,
    starts: Vec<u32>,
}

impl Grouped {
    /// Rows without a key or taken out are left out.
    fn of(keys: &[u32], count: usize, taken: &Rows) -> Self {
        let mut starts = vec![0_u32; count + 1];
        let kept = |row: usize, key: u32| key != NULL && !taken.contains(row as u32);
        for (row, &key) in keys.iter().enumerate() {
            if kept(row, key) {
                starts[key as usize + 1] += 1;
            }
        }
        for key in 0..count {
            starts[key + 1] += starts[key];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; starts[count] as usize];
        for (row, &key) in keys.iter().enumerate() {
            if kept(row, key) {
                rows[next[key as usize] as usize] = row as u32;
                next[key as usize] += 1;
            }
        }
        Self { rows, starts }
    }

    fn group(&self, key: u32) -> Range<usize> {
        let key = key as usize;
        self.starts[key] as usize..self.starts[key + 1] as usize
    }
}

/// A set of rows or keys.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rows {
    bits: Vec<u64>,
}

impl Rows {
    pub(crate) fn insert(&mut self, row: u32) {
        let word = row as usize / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (row % 64);
    }

    pub(crate) fn contains(&self, row: u32) -> bool {
        let word = self.bits.get(row as usize / 64);
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }
}

/// The pairs of a key.
#[derive(Debug)]
pub(crate) struct BlockSize {
    pub(crate) key: u32,
    pub(crate) left_rows: u64,
    pub(crate) right_rows: u64,
    pub(crate) pairs: u64,
}

impl<'a> Blocks<'a> {
    pub(crate) fn of(keys: &'a Keys, records: &Records, link_type: LinkType, taken: &Rows) -> Self {
        let right = keys.right.as_ref();
        Self {
            left: Grouped::of(&keys.left, keys.count, taken),
            right: right.map(|right| Grouped::of(right, keys.count, taken)),
            keys,
            source_ends: (link_type == LinkType::LinkOnly)
                .then(|| records.sources.iter().map(|source| source.end).collect()),
        }
    }

    fn right(&self) -> &Grouped {
        self.right.as_ref().unwrap_or(&self.left)
    }

    /// The first row number that may stand on the right of a row.
    fn first_right(&self, row: u32) -> u32 {
        match &self.source_ends {
            None => row + 1,
            Some(ends) => ends[ends.partition_point(|&end| end <= row)],
        }
    }

    /// Left rows by position, grouped by key.
    pub(crate) fn left_rows(&self) -> &[u32] {
        &self.left.rows
    }

    /// The records that may stand on the right of the left row at a position.
    pub(crate) fn partners(&self, position: usize) -> &[u32] {
        let row = self.left.rows[position];
        let right = self.right();
        let group = &right.rows[right.group(self.keys.left[row as usize])];
        let first = self.first_right(row);
        &group[group.partition_point(|&other| other < first)..]
    }

    /// The size of each key's block, keys without pairs left out.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = BlockSize> + '_ {
        (0..self.keys.count as u32).filter_map(|key| {
            let left = &self.left.rows[self.left.group(key)];
            let right = &self.right().rows[self.right().group(key)];
            if left.is_empty() || right.is_empty() {
                return None;
            }
            // rows of one source are neighbours and have the same partners
            let mut pairs = 0_u64;
            let mut at = 0;
            while at < left.len() {
                let first = self.first_right(left[at]);
                let partners = right.len() - right.partition_point(|&other| other < first);
                let alike = match &self.source_ends {
                    None => 1,
                    Some(_) => left[at..].partition_point(|&row| row < first),
                };
                pairs += (alike * partners) as u64;
                at += alike;
            }
            (pairs > 0).then_some(BlockSize {
                key,
                left_rows: left.len() as u64,
                right_rows: right.len() as u64,
                pairs,
            })
        })
    }

    /// Ranges of positions with about the same number of pairs, skipped keys left out.
    pub(crate) fn tasks(&self, skipped: &Rows) -> Vec<Range<usize>> {
        let mut tasks = Vec::new();
        let mut open: Option<Range<usize>> = None;
        let mut pairs = 0;
        for size in self.sizes() {
            if skipped.contains(size.key) {
                continue;
            }
            let group = self.left.group(size.key);
            let adjoins = open.as_ref().is_some_and(|range| range.end == group.start);
            if !adjoins || pairs + size.pairs > TASK_PAIRS {
                tasks.extend(open.take());
                pairs = 0;
            }
            if size.pairs > TASK_PAIRS {
                let parts = size.pairs.div_ceil(TASK_PAIRS) as usize;
                let step = group.len().div_ceil(parts);
                let starts = group.clone().step_by(step);
                tasks.extend(starts.map(|start| start..(start + step).min(group.end)));
                continue;
            }
            pairs += size.pairs;
            let start = open.map_or(group.start, |range| range.start);
            open = Some(start..group.end);
        }
        tasks.extend(open);
        tasks
    }

    /// The key of the left row at a position.
    pub(crate) fn key(&self, position: usize) -> u32 {
        self.keys.left[self.left.rows[position] as usize]
    }
}

impl Blocks<'_> {
    /// Whether every source has at most one record with the key at a position.
    pub(crate) fn unambiguous(&self, position: usize, records: &Records) -> bool {
        let key = self.key(position);
        let alone = |grouped: &Grouped| {
            let rows = &grouped.rows[grouped.group(key)];
            rows.windows(2)
                .all(|two| records.source_of(two[0]) != records.source_of(two[1]))
        };
        alone(&self.left) && self.right.as_ref().is_none_or(alone)
    }
}
