//! Nobody can compute a suppressed cell from what is published: random small tables, attacked in two ways.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use goyong_disclosure::{
    Cell, CellValue, Dimension, DisclosureError, RawTable, Reason, Rules, protect,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MIN_COUNT: u64 = 5;

/// A two-way table of counts; `with_totals` adds its row totals, column totals and grand total as rows.
fn table(counts: &[Vec<i64>], with_totals: bool) -> RawTable {
    let mut rows = Vec::new();
    let mut push = |left: String, right: String, count: i64| {
        rows.push(vec![
            CellValue::Text(left),
            CellValue::Text(right),
            CellValue::Integer(count),
        ]);
    };
    for (left, line) in counts.iter().enumerate() {
        for (right, count) in line.iter().enumerate() {
            push(left.to_string(), right.to_string(), *count);
        }
        if with_totals {
            push(left.to_string(), "total".into(), line.iter().sum());
        }
    }
    if with_totals {
        for right in 0..counts[0].len() {
            let sum = counts.iter().map(|line| line[right]).sum();
            push("total".into(), right.to_string(), sum);
        }
        push(
            "total".into(),
            "total".into(),
            counts.iter().flatten().sum(),
        );
    }
    RawTable {
        name: "random".into(),
        columns: vec!["left".into(), "right".into(), "persons".into()],
        rows,
    }
}

fn rules() -> Rules {
    Rules {
        min_count: MIN_COUNT,
        dimensions: vec![
            Dimension::additive("left").with_total("total"),
            Dimension::additive("right").with_total("total"),
        ],
        counts: vec!["persons".into()],
        ..Rules::default()
    }
}

fn random_counts(random: &mut ChaCha8Rng) -> Vec<Vec<i64>> {
    let (height, width) = (random.random_range(2..6), random.random_range(2..6));
    let largest = [4, 9, 30, 1000][random.random_range(0..4)];
    (0..height)
        .map(|_| {
            (0..width)
                .map(|_| {
                    if random.random_bool(0.15) {
                        0
                    } else {
                        random.random_range(0..=largest)
                    }
                })
                .collect()
        })
        .collect()
}

/// The equations an attacker can write down, over the suppressed cells: coefficients and known sum.
fn equations(
    counts: &[Vec<i64>],
    published: &BTreeMap<(String, String), Cell>,
) -> Vec<(Vec<f64>, usize)> {
    let hidden: Vec<&(String, String)> = published
        .iter()
        .filter(|(_, cell)| **cell == Cell::Suppressed)
        .map(|(key, _)| key)
        .collect();
    let mut lines: Vec<Vec<(String, String)>> = Vec::new();
    let lefts: Vec<String> = (0..counts.len()).map(|index| index.to_string()).collect();
    let rights: Vec<String> = (0..counts[0].len())
        .map(|index| index.to_string())
        .collect();
    let with = |members: &[String]| -> Vec<String> {
        members
            .iter()
            .cloned()
            .chain(["total".to_owned()])
            .collect()
    };
    for left in with(&lefts) {
        lines.push(
            with(&rights)
                .into_iter()
                .map(|right| (left.clone(), right))
                .collect(),
        );
    }
    for right in with(&rights) {
        lines.push(
            with(&lefts)
                .into_iter()
                .map(|left| (left, right.clone()))
                .collect(),
        );
    }
    lines
        .iter()
        .map(|line| {
            let row: Vec<f64> = hidden
                .iter()
                .map(|key| match line.iter().position(|member| member == *key) {
                    // The last member of a line is its total.
                    Some(position) if position + 1 == line.len() => -1.0,
                    Some(_) => 1.0,
                    None => 0.0,
                })
                .collect();
            let filled = row.iter().filter(|value| **value != 0.0).count();
            (row, filled)
        })
        .filter(|(_, filled)| *filled > 0)
        .collect()
}

/// Plain floating-point elimination: which unknowns have a unique solution. Independent of the crate's own arithmetic.
fn solved(mut system: Vec<Vec<f64>>) -> usize {
    let width = system.first().map_or(0, Vec::len);
    let mut next = 0;
    for column in 0..width {
        let Some(pivot) = (next..system.len())
            .max_by(|left, right| {
                system[*left][column]
                    .abs()
                    .total_cmp(&system[*right][column].abs())
            })
            .filter(|row| system[*row][column].abs() > 1e-9)
        else {
            continue;
        };
        system.swap(next, pivot);
        let divisor = system[next][column];
        system[next].iter_mut().for_each(|value| *value /= divisor);
        let pivot_row = system[next].clone();
        for (index, row) in system.iter_mut().enumerate() {
            if index != next {
                let factor = row[column];
                row.iter_mut()
                    .zip(&pivot_row)
                    .for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        next += 1;
    }
    system
        .iter()
        .filter(|row| row.iter().filter(|value| value.abs() > 1e-7).count() == 1)
        .count()
}

fn publish(counts: &[Vec<i64>]) -> Result<BTreeMap<(String, String), Cell>, DisclosureError> {
    let safe = protect(table(counts, true), &rules())?;
    Ok(safe
        .rows()
        .iter()
        .map(|row| {
            (
                (row[0].to_plain_text(), row[1].to_plain_text()),
                row[2].clone(),
            )
        })
        .collect())
}

#[test]
fn no_suppressed_cell_is_determined_by_the_totals() {
    let mut random = ChaCha8Rng::seed_from_u64(20_241_231);
    let (mut tables, mut suppressed) = (0, 0);
    for _ in 0..2_000 {
        let counts = random_counts(&mut random);
        let Ok(published) = publish(&counts) else {
            continue;
        };
        let system: Vec<Vec<f64>> = equations(&counts, &published)
            .into_iter()
            .map(|(row, _)| row)
            .collect();
        assert_eq!(solved(system), 0, "{counts:?}\n{published:?}");
        tables += 1;
        suppressed += published
            .values()
            .filter(|cell| **cell == Cell::Suppressed)
            .count();
    }
    assert!(
        tables > 1_900 && suppressed > 5_000,
        "{tables} {suppressed}"
    );
}

/// The strongest attack: list every table of whole numbers that agrees with what is published, and see whether a cell
/// that was suppressed for being small has the same value in all of them.
#[test]
fn small_cells_have_several_possible_values() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut attacked = 0;
    for _ in 0..1_000 {
        let (height, width) = (random.random_range(2..4), random.random_range(2..4));
        let counts: Vec<Vec<i64>> = (0..height)
            .map(|_| (0..width).map(|_| random.random_range(0..9)).collect())
            .collect();
        let Ok(published) = publish(&counts) else {
            continue;
        };
        let hidden: Vec<(usize, usize)> = (0..height)
            .flat_map(|left| (0..width).map(move |right| (left, right)))
            .filter(|(left, right)| {
                published[&(left.to_string(), right.to_string())] == Cell::Suppressed
            })
            .collect();
        if hidden.is_empty() || hidden.len() > 5 {
            continue;
        }
        let mut values: Vec<Vec<i64>> = vec![Vec::new(); hidden.len()];
        let mut guess = counts.clone();
        let known = known_totals(&counts, &published);
        enumerate(&mut guess, &counts, &known, &hidden, 0, &mut values);
        for (index, (left, right)) in hidden.iter().enumerate() {
            let truth = counts[*left][*right];
            if (1..MIN_COUNT as i64).contains(&truth) {
                assert!(
                    values[index].len() > 1,
                    "{counts:?}\n{published:?}\n{left},{right}"
                );
                attacked += 1;
            }
        }
    }
    assert!(attacked > 200, "{attacked}");
}

/// The totals a reader sees: of each row, of each column, of all.
struct KnownTotals {
    rows: Vec<Option<i64>>,
    columns: Vec<Option<i64>>,
    all: Option<i64>,
}

fn known_totals(counts: &[Vec<i64>], published: &BTreeMap<(String, String), Cell>) -> KnownTotals {
    let known = |left: String, right: String, sum: i64| {
        (published[&(left, right)] != Cell::Suppressed).then_some(sum)
    };
    KnownTotals {
        rows: counts
            .iter()
            .enumerate()
            .map(|(left, line)| known(left.to_string(), "total".into(), line.iter().sum()))
            .collect(),
        columns: (0..counts[0].len())
            .map(|right| {
                known(
                    "total".into(),
                    right.to_string(),
                    counts.iter().map(|line| line[right]).sum(),
                )
            })
            .collect(),
        all: known(
            "total".into(),
            "total".into(),
            counts.iter().flatten().sum(),
        ),
    }
}

impl KnownTotals {
    fn allow(&self, guess: &[Vec<i64>]) -> bool {
        let rows = self
            .rows
            .iter()
            .zip(guess)
            .all(|(total, line)| total.is_none_or(|total| line.iter().sum::<i64>() == total));
        rows && self.columns.iter().enumerate().all(|(right, total)| {
            total.is_none_or(|total| guess.iter().map(|line| line[right]).sum::<i64>() == total)
        }) && self
            .all
            .is_none_or(|total| guess.iter().flatten().sum::<i64>() == total)
    }
}

fn enumerate(
    guess: &mut Vec<Vec<i64>>,
    counts: &[Vec<i64>],
    known: &KnownTotals,
    hidden: &[(usize, usize)],
    depth: usize,
    values: &mut [Vec<i64>],
) {
    let Some((left, right)) = hidden.get(depth).copied() else {
        if known.allow(guess) {
            for (index, (left, right)) in hidden.iter().enumerate() {
                let value = guess[*left][*right];
                if !values[index].contains(&value) {
                    values[index].push(value);
                }
            }
        }
        return;
    };
    for value in 0..=9 {
        guess[left][right] = value;
        enumerate(guess, counts, known, hidden, depth + 1, values);
    }
    guess[left][right] = counts[left][right];
}

#[test]
fn totals_published_elsewhere_are_taken_as_known() {
    let mut random = ChaCha8Rng::seed_from_u64(99);
    for _ in 0..500 {
        let counts = random_counts(&mut random);
        let Ok(safe) = protect(table(&counts, false), &rules()) else {
            continue;
        };
        for (left, line) in counts.iter().enumerate() {
            let hidden = safe
                .rows()
                .iter()
                .filter(|row| {
                    row[0].to_plain_text() == left.to_string() && row[2] == Cell::Suppressed
                })
                .count();
            let total: i64 = line.iter().sum();
            assert!(hidden != 1 || total < MIN_COUNT as i64, "{counts:?}");
        }
    }
}

#[test]
fn the_report_names_every_suppressed_cell_and_its_reason() {
    let safe = protect(table(&[vec![100, 3, 40], vec![70, 60, 50]], true), &rules()).unwrap();
    let report = safe.report();
    let shown = safe
        .rows()
        .iter()
        .filter(|row| row[2] == Cell::Suppressed)
        .count();
    assert_eq!(report.suppressed.len(), shown);
    assert_eq!(report.count(Reason::SmallCount), 1);
    assert!(report.count(Reason::Complementary) >= 3);
    assert_eq!(report.cells, 12);
}
