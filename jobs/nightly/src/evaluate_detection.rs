//! Holds the alerts of each rule against the frauds that the simulator planted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::evaluate_against_truth::{read_truth, row, share};
use crate::project::OpenProject;

/// Frauds of one kind in the truth, by the claim or decision they concern.
#[derive(Default)]
struct Planted {
    committed: BTreeSet<String>,
    /// Those that the deliveries can prove, once all are there.
    evident: BTreeSet<String>,
    /// Honest subjects that resemble the kind, by why they do.
    look_alikes: BTreeMap<String, BTreeSet<String>>,
}

impl OpenProject {
    /// Per rule what it raised, how much of it is fraud, how much of the fraud it found, each with
    /// its 95 % interval, and how many of the honest look-alikes it raised.
    ///
    /// # Errors
    /// When a file of the truth cannot be read or the alerts are not built.
    pub async fn evaluate_detection(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let mut rows = Vec::new();
        let planted = read_planted(truth)?;
        let fraudulent: BTreeSet<&String> = planted
            .values()
            .flat_map(|planted| &planted.committed)
            .collect();
        let mut raised: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for [rule, subject] in self
            .texts(
                "select distinct rule_id, coalesce(claim_no, subject_key) as subject \
                 from alerts.evidence where not cleared",
                ["rule_id", "subject"],
            )
            .await?
        {
            raised.entry(rule).or_default().insert(subject);
        }
        // A ring is judged whole, behind the rules.
        raised.remove("R01");
        for (rule, planted) in &planted {
            let raised = raised.remove(rule).unwrap_or_default();
            let proven = raised
                .iter()
                .filter(|subject| fraudulent.contains(subject))
                .count();
            let of_this_kind = raised.intersection(&planted.committed).count();
            let found = raised.intersection(&planted.evident).count();
            let is_accused =
                |subject: &&String| raised.contains(*subject) && !fraudulent.contains(*subject);
            let honest: BTreeSet<&String> = planted.look_alikes.values().flatten().collect();
            let accused = honest.iter().copied().filter(is_accused).count();
            let by_reason: Vec<String> = planted
                .look_alikes
                .iter()
                .map(|(reason, honest)| {
                    let accused = honest.iter().filter(is_accused).count();
                    format!("{reason} {accused} of {}", honest.len())
                })
                .collect();
            let subject = format!("alerts {rule}");
            let mut add = |measure, value: String, detail: String| {
                rows.push(row(&subject, measure, &value, &detail));
            };
            add(
                "raised",
                raised.len().to_string(),
                format!("claims or decisions; {of_this_kind} with a fraud of this kind"),
            );
            add(
                "precision",
                share(proven, raised.len()),
                format!("{proven} of {} raised are fraudulent", raised.len()),
            );
            add(
                "recall",
                share(found, planted.evident.len()),
                format!(
                    "{found} of {} that the deliveries can prove; {} were committed",
                    planted.evident.len(),
                    planted.committed.len()
                ),
            );
            add(
                "look-alikes raised",
                accused.to_string(),
                format!("of {} honest ones: {}", honest.len(), by_reason.join(", ")),
            );
        }
        for (rule, raised) in raised {
            rows.push(row(
                &format!("alerts {rule}"),
                "raised",
                &raised.len().to_string(),
                "the truth knows no fraud of this kind",
            ));
        }
        self.evaluate_cases(&fraudulent, &mut rows).await?;
        rows.extend(self.evaluate_rings(truth).await?);
        Ok(rows)
    }

    /// Cases, whatever rules they rest on: is anything in one of them a fraud?
    async fn evaluate_cases(
        &self,
        fraudulent: &BTreeSet<&String>,
        rows: &mut Vec<Vec<String>>,
    ) -> Result<()> {
        let mut cases: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
        for [kind, pivot, subject] in self
            .texts(
                "select distinct split_part(pivot_key, '/', 1) as kind, pivot_key, \
                 coalesce(claim_no, subject_key) as subject \
                 from alerts.evidence where not cleared",
                ["kind", "pivot_key", "subject"],
            )
            .await?
        {
            *cases.entry(kind).or_default().entry(pivot).or_default() |=
                fraudulent.contains(&subject);
        }
        for (kind, cases) in cases {
            let right = cases.values().filter(|is_fraud| **is_fraud).count();
            rows.push(row(
                &format!("alerts, cases by {kind}"),
                "precision",
                &share(right, cases.len()),
                &format!("{right} of {} cases contain a fraud", cases.len()),
            ));
        }
        Ok(())
    }
}

fn read_planted(truth: &Path) -> Result<BTreeMap<String, Planted>> {
    let mut planted: BTreeMap<String, Planted> = BTreeMap::new();
    for [subject, typology, evident] in
        read_truth(truth, "fraud.csv", ["subject_no", "typology", "evident"])?
    {
        let kind = planted.entry(typology).or_default();
        if evident == "1" {
            kind.evident.insert(subject.clone());
        }
        kind.committed.insert(subject);
    }
    for [subject, resembles, reason] in read_truth(
        truth,
        "look_alikes.csv",
        ["subject_no", "resembles", "reason"],
    )? {
        let kind = planted.entry(resembles).or_default();
        kind.look_alikes.entry(reason).or_default().insert(subject);
    }
    Ok(planted)
}
