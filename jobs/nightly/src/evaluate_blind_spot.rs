//! Holds the estimates of the blind spot and their intervals against the simulator's truth.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::evaluate_against_truth::{read_truth, row, share};
use crate::project::OpenProject;

/// Classes whose persons the law covers and no insured day covers: the blind spot in the narrow
/// sense. `marts.blind_spot_part` adds them up as the class of this name.
const OUTSIDE: [&str; 3] = [
    "covered_uninsured",
    "daily_unreported",
    "contractor_outside",
];
const ALL_OUTSIDE: &str = "outside";

/// One figure: month, dimension, member, class.
type Place = (String, String, String, String);

/// An estimate beside the truth.
struct Compared {
    estimate: f64,
    low: f64,
    high: f64,
    truth: f64,
}

impl Compared {
    fn relative_error(&self) -> f64 {
        (self.estimate - self.truth).abs() / self.truth.max(1.0)
    }

    fn is_covered(&self) -> bool {
        (self.low..=self.high).contains(&self.truth)
    }
}

impl OpenProject {
    /// Error of the estimates for the nation and by dimension, and how many of their intervals
    /// hold the truth.
    ///
    /// # Errors
    /// When a file of the truth cannot be read or the marts are not built.
    pub async fn evaluate_blind_spot(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let truth = read_coverage(truth)?;
        let mut compared: BTreeMap<(String, String), Vec<Compared>> = BTreeMap::new();
        let first = self.first_judged_month().await?;
        for [month, dimension, member, class, estimate, low, high] in self
            .texts(
                "select month, dimension, member, class, estimate_persons, estimate_low, estimate_high \
                 from marts.blind_spot_part \
                 union all \
                 select month, 'class' as dimension, '' as member, class, estimate_persons, estimate_low, estimate_high \
                 from marts.blind_spot_monthly",
                [
                    "month",
                    "dimension",
                    "member",
                    "class",
                    "estimate_persons",
                    "estimate_low",
                    "estimate_high",
                ],
            )
            .await?
        {
            let month = month.get(..7).unwrap_or(&month).to_owned();
            if month < first {
                continue;
            }
            let place = (month, dimension.clone(), member, class.clone());
            let (Some(truth), Ok(estimate), Ok(low), Ok(high)) =
                (truth.get(&place), estimate.parse(), low.parse(), high.parse())
            else {
                continue;
            };
            compared.entry((dimension, class)).or_default().push(Compared {
                estimate,
                low,
                high,
                truth: *truth,
            });
        }
        Ok(compared
            .into_iter()
            .flat_map(|((dimension, class), found)| describe(&dimension, &class, &found))
            .collect())
    }

    /// The first month whose look-back was delivered: short hours are covered from the third month
    /// on, which the first two months cannot know. With fewer than three months, the first.
    async fn first_judged_month(&self) -> Result<String> {
        let mut months: Vec<String> = self
            .texts(
                "select distinct month from marts.blind_spot_monthly order by month",
                ["month"],
            )
            .await?
            .into_iter()
            .map(|[month]| month.get(..7).unwrap_or(&month).to_owned())
            .collect();
        months.sort();
        Ok(months
            .get(2)
            .or(months.first())
            .cloned()
            .unwrap_or_default())
    }
}

/// The rows about one class in one dimension.
fn describe(dimension: &str, class: &str, found: &[Compared]) -> Vec<Vec<String>> {
    let subject = format!("blind spot {dimension} {class}");
    let figures = found.len();
    let (estimated, actual) = found.iter().fold((0.0, 0.0), |(estimated, actual), one| {
        (estimated + one.estimate, actual + one.truth)
    });
    let mut errors: Vec<f64> = found.iter().map(Compared::relative_error).collect();
    errors.sort_by(f64::total_cmp);
    let median = errors.get(figures / 2).copied().unwrap_or_default();
    let mean = errors.iter().sum::<f64>() / figures as f64;
    let mut rows = vec![
        row(
            &subject,
            "estimate / truth",
            &format!("{:.3}", estimated / actual.max(1.0)),
            &format!(
                "{figures} figures, mean {:.0} persons estimated, {:.0} true",
                estimated / figures as f64,
                actual / figures as f64
            ),
        ),
        row(
            &subject,
            "median error",
            &format!("{median:.4}"),
            &format!("relative to the truth, mean {mean:.4}"),
        ),
    ];
    let has_interval = found.iter().any(|one| one.low < one.high);
    if has_interval {
        let covered = found.iter().filter(|one| one.is_covered()).count();
        rows.push(row(
            &subject,
            "intervals that hold the truth",
            &share(covered, figures),
            &format!("{covered} of {figures}"),
        ));
    }
    rows
}

/// The truth by month, dimension, member and class; `outside` adds up the three classes of the
/// blind spot.
fn read_coverage(folder: &Path) -> Result<BTreeMap<Place, f64>> {
    let mut truth: BTreeMap<Place, f64> = BTreeMap::new();
    let mut add = |month: &str, dimension: &str, member: &str, class: &str, persons: f64| {
        let key = (
            month.get(..7).unwrap_or(month).to_owned(),
            dimension.to_owned(),
            member.to_owned(),
            class.to_owned(),
        );
        *truth.entry(key).or_default() += persons;
    };
    for [month, class, persons] in
        read_truth(folder, "coverage_gap.csv", ["month", "class", "persons"])?
    {
        let persons: f64 = persons.parse().context("persons in coverage_gap.csv")?;
        add(&month, "class", "", &class, persons);
        if OUTSIDE.contains(&class.as_str()) {
            add(&month, "nation", "-", ALL_OUTSIDE, persons);
        }
    }
    for [month, class, dimension, member, persons] in read_truth(
        folder,
        "coverage_by.csv",
        ["month", "class", "dimension", "member", "persons"],
    )? {
        let persons: f64 = persons.parse().context("persons in coverage_by.csv")?;
        if OUTSIDE.contains(&class.as_str()) {
            add(&month, &dimension, &member, ALL_OUTSIDE, persons);
        }
        add(&month, &dimension, &member, &class, persons);
    }
    Ok(truth)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn compared(estimate: f64, low: f64, high: f64, truth: f64) -> Compared {
        Compared {
            estimate,
            low,
            high,
            truth,
        }
    }

    #[test]
    fn an_interval_that_misses_the_truth_is_counted_as_missing() {
        let rows = describe(
            "nation",
            ALL_OUTSIDE,
            &[
                compared(110.0, 95.0, 120.0, 100.0),
                compared(90.0, 85.0, 95.0, 100.0),
            ],
        );
        let held = rows.last().unwrap();
        assert_eq!(held[1], "intervals that hold the truth");
        assert_eq!(held[3], "1 of 2");
        assert_eq!(rows[1][2], "0.1000");
    }

    #[test]
    fn the_three_classes_of_the_blind_spot_are_added_up() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("coverage_gap.csv"),
            "month,class,detail,persons\n2024-01,insured,,9\n2024-01,covered_uninsured,a,2\n2024-01,covered_uninsured,b,3\n2024-01,daily_unreported,,4\n",
        )
        .unwrap();
        std::fs::write(
            folder.path().join("coverage_by.csv"),
            "month,class,dimension,member,persons\n2024-01,daily_unreported,sex,f,4\n",
        )
        .unwrap();
        let truth = read_coverage(folder.path()).unwrap();
        let of = |dimension: &str, member: &str, class: &str| {
            let key = ["2024-01", dimension, member, class].map(str::to_owned);
            truth.get(&key.into()).copied()
        };
        assert_eq!(of("nation", "-", ALL_OUTSIDE), Some(9.0));
        assert_eq!(of("class", "", "covered_uninsured"), Some(5.0));
        assert_eq!(of("sex", "f", ALL_OUTSIDE), Some(4.0));
    }
}
