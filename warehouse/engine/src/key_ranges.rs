//! A sorted table cut into ranges of its first sort column, one for each thread.
//!
//! Files of a sorted table hold their rows in order, and the footer of each says which keys every row group begins and
//! ends with. Where one row group ends with a lower key than the next begins with, the table can be cut: rows of one
//! key stay together, every part is in order, and the parts follow each other. Declared so, work by key (spells,
//! joins, groups, windows) needs neither an exchange nor a sort.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef};
use datafusion::arrow::array::make_comparator;
use datafusion::arrow::compute::concat;
use datafusion::common::stats::Precision;
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::physical_expr::{LexOrdering, Partitioning, RangePartitioning, SplitPoint};

use crate::file_footers::{Footer, KeyBounds};
use crate::storage::SORT_OPTIONS;

/// Fewer rows than this are not worth a thread.
const LEAST_ROWS: usize = 64 << 10;

/// Parts of a table, in the order of their keys.
#[derive(Debug)]
pub(crate) struct KeyRanges {
    pub groups: Vec<FileGroup>,
    pub partitioning: Option<Partitioning>,
}

/// A file and what its footer says.
pub(crate) struct OpenFile {
    pub file: PartitionedFile,
    pub footer: Arc<Footer>,
}

/// A row group in the order of the table.
struct Piece {
    file: usize,
    /// Where it begins in the file, as the reader of a part of a file sees it.
    offset: i64,
    rows: usize,
    has_nulls: bool,
}

/// Cuts files with a declared order into up to `parts` ranges. `None` where files overlap or say too
/// little: then each file is in order by itself and nothing more is known.
pub(crate) fn cut(
    open: &[OpenFile],
    order: &LexOrdering,
    parts: usize,
) -> Result<Option<KeyRanges>> {
    let Some(keys) = open
        .iter()
        .map(|open| open.footer.keys.as_ref())
        .collect::<Option<Vec<&KeyBounds>>>()
    else {
        return Ok(None);
    };
    let lowest = concat_columns(keys.iter().map(|keys| keys.lowest.slice(0, 1)))?;
    let compare = make_comparator(&lowest, &lowest, SORT_OPTIONS)?;
    let mut in_order: Vec<usize> = (0..open.len()).collect();
    in_order.sort_by(|&left, &right| compare(left, right));

    let mut pieces = Vec::new();
    for &file in &in_order {
        let nulls = keys[file].nulls.as_primitive::<UInt64Type>();
        for (position, group) in open[file].footer.row_groups.iter().enumerate() {
            pieces.push(Piece {
                file,
                offset: group.offset,
                rows: group.rows,
                has_nulls: nulls.is_null(position) || nulls.value(position) > 0,
            });
        }
    }
    let lowest = concat_columns(in_order.iter().map(|&file| Arc::clone(&keys[file].lowest)))?;
    let highest = concat_columns(in_order.iter().map(|&file| Arc::clone(&keys[file].highest)))?;
    let compare = make_comparator(&highest, &lowest, SORT_OPTIONS)?;
    // Whether a key may end at a piece and no row of it come later.
    let is_border =
        |piece: usize| !pieces[piece].has_nulls && compare(piece, piece + 1) == Ordering::Less;
    let files_follow_each_other = (0..pieces.len().saturating_sub(1))
        .filter(|&piece| pieces[piece].file != pieces[piece + 1].file)
        .all(is_border);
    if !files_follow_each_other {
        return Ok(None);
    }
    let borders = choose_borders(&pieces, parts, is_border);
    let mut split_points = Vec::with_capacity(borders.len());
    for &border in &borders {
        let value = ScalarValue::try_from_array(&lowest, border + 1)?;
        split_points.push(SplitPoint::new(vec![value]));
    }
    let groups = group_files(&pieces, &borders, open);
    let by_key = LexOrdering::new([order.first().clone()]);
    let partitioning = match by_key {
        Some(by_key) if !split_points.is_empty() => Some(Partitioning::Range(
            RangePartitioning::try_new(by_key, split_points)?,
        )),
        _ => None,
    };
    Ok(Some(KeyRanges {
        groups,
        partitioning,
    }))
}

fn concat_columns(columns: impl Iterator<Item = ArrayRef>) -> Result<ArrayRef> {
    let columns: Vec<ArrayRef> = columns.collect();
    let columns: Vec<&dyn Array> = columns.iter().map(AsRef::as_ref).collect();
    Ok(concat(&columns)?)
}

/// The borders closest to equal shares of the rows; a border is the last piece before it.
fn choose_borders(pieces: &[Piece], parts: usize, is_border: impl Fn(usize) -> bool) -> Vec<usize> {
    let total: usize = pieces.iter().map(|piece| piece.rows).sum();
    let parts = parts.min(total / LEAST_ROWS).max(1);
    let mut before = 0;
    let mut candidates = Vec::new();
    let last = pieces.len().saturating_sub(1);
    for (position, piece) in pieces.iter().enumerate().take(last) {
        before += piece.rows;
        if is_border(position) {
            candidates.push((position, before));
        }
    }
    let mut borders = Vec::new();
    for part in 1..parts {
        let wanted = total / parts * part;
        let nearest = candidates
            .iter()
            .min_by_key(|(_, before)| before.abs_diff(wanted));
        if let Some((piece, _)) = nearest
            && borders.last().is_none_or(|last| last < piece)
        {
            borders.push(*piece);
        }
    }
    borders
}

/// The files of each part, those that are cut by the bytes where a row group begins.
fn group_files(pieces: &[Piece], borders: &[usize], open: &[OpenFile]) -> Vec<FileGroup> {
    let mut groups = Vec::with_capacity(borders.len() + 1);
    let mut from = 0;
    let ends = borders
        .iter()
        .map(|border| border + 1)
        .chain([pieces.len()]);
    for end in ends {
        let mut files: Vec<PartitionedFile> = Vec::new();
        while from < end {
            let file = pieces[from].file;
            let mut to = from;
            while to < end && pieces[to].file == file {
                to += 1;
            }
            files.push(part_of(&open[file], pieces, from, to));
            from = to;
        }
        groups.push(FileGroup::new(files));
    }
    groups
}

/// The pieces `from..to`, which are of one file.
fn part_of(open: &OpenFile, pieces: &[Piece], from: usize, to: usize) -> PartitionedFile {
    let mut file = open.file.clone();
    let begins = from == 0 || pieces[from - 1].file != pieces[from].file;
    let ends = to == pieces.len() || pieces[to].file != pieces[from].file;
    if !(begins && ends) {
        let size = i64::try_from(file.object_meta.size).unwrap_or(i64::MAX);
        file.range = Some(FileRange {
            start: if begins { 0 } else { pieces[from].offset },
            end: if ends { size } else { pieces[to].offset },
        });
        // The lowest and highest values of the file hold for a part of it, the number of rows does not.
        let mut statistics = Statistics::clone(&open.footer.statistics).to_inexact();
        statistics.num_rows = Precision::Absent;
        statistics.total_byte_size = Precision::Absent;
        file.statistics = Some(Arc::new(statistics));
    }
    file
}
