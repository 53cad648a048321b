//! Holds the verification of advertisements against what the simulator planted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use goyong_learn::wilson;

use crate::evaluate_against_truth::{read_truth, row, share};
use crate::project::OpenProject;

/// A planted defect and the rules that name it.
const RULES_OF_DEFECT: [(&str, &[&str]); 8] = [
    ("age", &["age"]),
    ("sex", &["sex"]),
    ("looks", &["looks"]),
    ("family", &["family", "origin"]),
    ("birthplace", &["origin"]),
    ("false_ad", &["false_ad"]),
    ("banned_word", &["banned_word"]),
    ("below_minimum_wage", &["below_minimum_wage"]),
];

/// What the truth says of an ad of a portal.
struct Planted {
    ad_no: String,
    /// The job: the vacancy it repeats, or the first ad of it.
    job: String,
    defect: String,
    is_disguised: bool,
    look_alike: String,
}

impl OpenProject {
    /// Precision, recall and F1 of duplicates and of each rule, with 95 % intervals.
    ///
    /// # Errors
    /// When a file of the truth cannot be read or no advertisements were verified.
    pub async fn evaluate_advertisements(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let planted = read_planted(truth)?;
        let mut rows = Vec::new();
        self.evaluate_duplicates(&planted, &mut rows).await?;
        self.evaluate_rules(&planted, &mut rows).await?;
        Ok(rows)
    }

    async fn evaluate_duplicates(
        &self,
        planted: &[Planted],
        rows: &mut Vec<Vec<String>>,
    ) -> Result<()> {
        let accepted: BTreeSet<String> = self
            .texts(
                "select ad_no from core.portal_ad union select vacancy_no from core.vacancy",
                ["ad_no"],
            )
            .await?
            .into_iter()
            .map(|[number]| number)
            .collect();
        let mut jobs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for one in planted {
            let job = jobs.entry(&one.job).or_default();
            for number in [one.job.as_str(), one.ad_no.as_str()] {
                if accepted.contains(number) {
                    job.insert(number);
                }
            }
        }
        let job_of: BTreeMap<&str, &str> = jobs
            .iter()
            .flat_map(|(job, ads)| ads.iter().map(move |ad| (*ad, *job)))
            .collect();
        let groups = self
            .texts(
                "select ad_no, first_source, first_no from alerts.ad_duplicate",
                ["ad_no", "first_source", "first_no"],
            )
            .await?;
        let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for [ad, source, first] in groups {
            found.entry((source, first)).or_default().push(ad);
        }
        let pairs = |members: usize| members * members.saturating_sub(1) / 2;
        let actual: usize = jobs.values().map(|ads| pairs(ads.len())).sum();
        let (mut raised, mut right) = (0, 0);
        for members in found.values() {
            raised += pairs(members.len());
            let mut of_job: BTreeMap<&str, usize> = BTreeMap::new();
            for member in members {
                // An ad that the truth does not list repeats nothing.
                if let Some(job) = job_of.get(member.as_str()) {
                    *of_job.entry(job).or_default() += 1;
                }
            }
            right += of_job
                .values()
                .map(|members| pairs(*members))
                .sum::<usize>();
        }
        add(rows, "duplicates", right, raised, right, actual);
        Ok(())
    }

    async fn evaluate_rules(&self, planted: &[Planted], rows: &mut Vec<Vec<String>>) -> Result<()> {
        let mut raised: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let findings = self
            .texts(
                "select distinct ad_no, rule from alerts.ad_finding where decision = 'violation' and ad_source = 'portal'",
                ["ad_no", "rule"],
            )
            .await?;
        for [ad, rule] in findings {
            raised.entry(ad).or_default().insert(rule);
        }
        let accepted: BTreeSet<String> = self
            .texts("select ad_no from core.portal_ad", ["ad_no"])
            .await?
            .into_iter()
            .map(|[number]| number)
            .collect();
        let mut counts: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
        let (mut hidden, mut hidden_found) = (0, 0);
        let (mut lawful, mut accused) = (0, 0);
        let none = BTreeSet::new();
        for one in planted.iter().filter(|one| accepted.contains(&one.ad_no)) {
            let raised = raised.get(&one.ad_no).unwrap_or(&none);
            let expected = RULES_OF_DEFECT
                .iter()
                .find(|(defect, _)| *defect == one.defect)
                .map_or(&[] as &[&str], |(_, rules)| *rules);
            let is_found = expected.iter().any(|rule| raised.contains(*rule));
            if !one.defect.is_empty() {
                let [_, _, found, actual] = counts.entry(defect_name(&one.defect)).or_default();
                *found += usize::from(is_found);
                *actual += 1;
            }
            for rule in raised {
                let rule_name = rule_name(rule);
                let is_right = expected.contains(&rule.as_str());
                let name = if is_right {
                    defect_name(&one.defect)
                } else {
                    rule_name
                };
                let [right, all, _, _] = counts.entry(name).or_default();
                *right += usize::from(is_right);
                *all += 1;
            }
            if one.is_disguised {
                hidden += 1;
                hidden_found += usize::from(is_found);
            }
            if !one.look_alike.is_empty() {
                lawful += 1;
                accused += usize::from(!raised.is_empty());
            }
        }
        let mut total = [0; 4];
        for (name, [right, all, found, actual]) in &counts {
            for (sum, value) in total.iter_mut().zip([right, all, found, actual]) {
                *sum += value;
            }
            add(rows, &format!("rule {name}"), *right, *all, *found, *actual);
        }
        add(rows, "all rules", total[0], total[1], total[2], total[3]);
        rows.push(row(
            "disguised words",
            "recall",
            &share(hidden_found, hidden),
            &format!("{hidden_found} of {hidden} defects in disguise found"),
        ));
        rows.push(row(
            "look-alikes",
            "raised",
            &share(accused, lawful),
            &format!("{accused} of {lawful} lawful ads that resemble a defect"),
        ));
        Ok(())
    }
}

/// The kinds have the names of the truth.
fn defect_name(defect: &str) -> &'static str {
    let found = RULES_OF_DEFECT.iter().find(|(name, _)| *name == defect);
    found.map_or("unknown", |(name, _)| name)
}

/// A rule that was raised wrongly counts against the kind whose first rule it is.
fn rule_name(rule: &str) -> &'static str {
    let found = RULES_OF_DEFECT
        .iter()
        .find(|(_, rules)| rules.first() == Some(&rule));
    found.map_or("unknown", |(name, _)| name)
}

fn add(
    rows: &mut Vec<Vec<String>>,
    subject: &str,
    right: usize,
    raised: usize,
    found: usize,
    actual: usize,
) {
    rows.push(row(
        subject,
        "precision",
        &share(right, raised),
        &format!("{right} of {raised} raised are right"),
    ));
    rows.push(row(
        subject,
        "recall",
        &share(found, actual),
        &format!("{found} of {actual} planted found"),
    ));
    let harmonic = |precision: f64, recall: f64| {
        if precision + recall > 0.0 {
            2.0 * precision * recall / (precision + recall)
        } else {
            0.0
        }
    };
    let precision = wilson(right as f64, raised as f64);
    let recall = wilson(found as f64, actual as f64);
    let f1 = precision.zip(recall).map_or_else(
        || "–".to_owned(),
        |(one, two)| {
            format!(
                "{:.4} [{:.4}, {:.4}]",
                harmonic(one.value, two.value),
                harmonic(one.lower, two.lower),
                harmonic(one.upper, two.upper)
            )
        },
    );
    rows.push(row(
        subject,
        "F1",
        &f1,
        "harmonic mean of the two, and of the ends of their intervals",
    ));
}

fn read_planted(truth: &Path) -> Result<Vec<Planted>> {
    let columns = [
        "ad_no",
        "vacancy_no",
        "duplicate_of",
        "defect",
        "obfuscated",
        "look_alike",
    ];
    let rows = read_truth(truth, "portal_ad.csv", columns)?;
    let vacancy_of: BTreeMap<String, String> = rows
        .iter()
        .map(|[ad, vacancy, ..]| (ad.clone(), vacancy.clone()))
        .collect();
    Ok(rows
        .into_iter()
        .map(
            |[ad_no, vacancy, original, defect, disguised, look_alike]| {
                let job = [
                    vacancy,
                    vacancy_of.get(&original).cloned().unwrap_or_default(),
                    original,
                    ad_no.clone(),
                ]
                .into_iter()
                .find(|one| !one.is_empty())
                .unwrap_or_default();
                Planted {
                    ad_no,
                    job,
                    defect,
                    is_disguised: disguised == "1",
                    look_alike,
                }
            },
        )
        .collect())
}
