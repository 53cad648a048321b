//! Compares the linkage of workplaces with what the simulator knows.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::evaluate_against_truth::{read_truth, row};
use crate::project::OpenProject;

/// Sources whose rows are compared pairwise.
const PAIRS: [(&str, &str); 4] = [
    ("ei_workplace", "nps_workplace"),
    ("ei_workplace", "kcomwel_workplace"),
    ("kcomwel_workplace", "nps_workplace"),
    ("alio_institution", "nps_workplace"),
];

/// Rows of two sources by business.
#[derive(Default)]
struct Counts {
    left: u64,
    right: u64,
}

impl OpenProject {
    /// Precision and recall of the pairs that two sources make.
    pub(crate) async fn evaluate_linkage(
        &self,
        truth: &Path,
        rows: &mut Vec<Vec<String>>,
    ) -> Result<()> {
        let file = truth.join("workplace_entity.csv");
        if !file.exists() {
            return Ok(());
        }
        let columns = ["source", "source_id", "entity"];
        let actual: BTreeMap<(String, String), String> =
            read_truth(truth, "workplace_entity.csv", columns)?
                .into_iter()
                .map(|[source, id, entity]| ((source, id), entity))
                .collect();
        let found = self
            .texts(
                "select source, source_id, entity_id from linkage.workplace_cluster",
                ["source", "source_id", "entity_id"],
            )
            .await;
        let Ok(found) = found else {
            rows.push(row("linkage", "–", "–", "no workplaces were linked"));
            return Ok(());
        };
        let known: Vec<(String, String, String)> = found
            .into_iter()
            .filter_map(|[source, id, entity]| {
                let key = (source, id);
                let actual = actual.get(&key)?.clone();
                Some((key.0, entity, actual))
            })
            .collect();
        for (left, right) in PAIRS {
            let pairs = |name: fn(&(String, String, String)) -> String| -> u64 {
                let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
                for one in &known {
                    if one.0 == left {
                        counts.entry(name(one)).or_default().left += 1;
                    } else if one.0 == right {
                        counts.entry(name(one)).or_default().right += 1;
                    }
                }
                counts.values().map(|count| count.left * count.right).sum()
            };
            let predicted = pairs(|one| one.1.clone());
            let actual = pairs(|one| one.2.clone());
            let right_pairs = pairs(|one| format!("{} {}", one.1, one.2));
            let subject = format!("linkage {left} – {right}");
            let of = |all: u64| match all {
                0 => "–".to_owned(),
                all => format!("{:.4}", right_pairs as f64 / all as f64),
            };
            rows.push(row(
                &subject,
                "precision",
                &of(predicted),
                &format!("{right_pairs} of {predicted} pairs found are one business"),
            ));
            rows.push(row(
                &subject,
                "recall",
                &of(actual),
                &format!("{right_pairs} of {actual} true pairs found"),
            ));
            let f1 = match predicted + actual {
                0 => "–".to_owned(),
                all => format!("{:.4}", 2.0 * right_pairs as f64 / all as f64),
            };
            rows.push(row(&subject, "F1", &f1, "harmonic mean of the two"));
        }
        Ok(())
    }
}
