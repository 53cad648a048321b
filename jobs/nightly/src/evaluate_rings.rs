//! Holds the rings that were raised against those that the simulator planted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use crate::evaluate_against_truth::{read_truth, row, share};
use crate::project::OpenProject;

/// Fewest claims that make a ring, in the truth as in the alerts.
const SMALLEST_RING: usize = 3;

/// Claims by the ring they belong to.
type Rings = BTreeMap<String, BTreeSet<String>>;

/// Rings of the truth.
#[derive(Default)]
struct PlantedRings {
    /// Every claim of a ring, whether the deliveries can prove it or not.
    committed: Rings,
    /// Rings of which the deliveries can prove enough members, with these.
    evident: Rings,
    /// Honest claims that resemble members.
    look_alikes: BTreeSet<String>,
}

/// How the rings raised meet those planted: counts of cases and of members.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meeting {
    raised: usize,
    /// Raised rings of which most members are of one planted ring.
    right: usize,
    planted: usize,
    /// Planted rings of which most evident members are in one raised ring.
    found: usize,
    /// Planted rings whose members lie in several raised ones.
    split: usize,
    members_raised: usize,
    members_right: usize,
    members_planted: usize,
    members_found: usize,
    look_alikes_raised: usize,
}

impl OpenProject {
    /// Precision and recall of rings as cases and of their members, each with its 95 % interval,
    /// and how many honest look-alikes are members.
    ///
    /// # Errors
    /// When a file of the truth cannot be read or the alerts are not built.
    pub async fn evaluate_rings(&self, truth: &Path) -> Result<Vec<Vec<String>>> {
        let planted = read_rings(truth)?;
        let mut raised = Rings::new();
        for [ring, claim] in self
            .texts(
                "select member.ring_id, member.claim_no from alerts.ring_member as member \
                 inner join alerts.ring as ring on ring.ring_id = member.ring_id \
                 where not ring.cleared",
                ["ring_id", "claim_no"],
            )
            .await?
        {
            raised.entry(ring).or_default().insert(claim);
        }
        Ok(describe(
            &meet(&raised, &planted),
            planted.look_alikes.len(),
        ))
    }
}

fn describe(met: &Meeting, look_alikes: usize) -> Vec<Vec<String>> {
    let line = |subject, measure, value: String, detail: String| {
        row(&format!("rings, {subject}"), measure, &value, &detail)
    };
    vec![
        line(
            "cases",
            "precision",
            share(met.right, met.raised),
            format!(
                "{} of {} raised are mostly one planted ring",
                met.right, met.raised
            ),
        ),
        line(
            "cases",
            "recall",
            share(met.found, met.planted),
            format!(
                "{} of {} that the deliveries can prove; {} lie in several cases",
                met.found, met.planted, met.split
            ),
        ),
        line(
            "members",
            "precision",
            share(met.members_right, met.members_raised),
            format!(
                "{} of {} members are of a planted ring",
                met.members_right, met.members_raised
            ),
        ),
        line(
            "members",
            "recall",
            share(met.members_found, met.members_planted),
            format!(
                "{} of {} that the deliveries can prove",
                met.members_found, met.members_planted
            ),
        ),
        line(
            "members",
            "look-alikes raised",
            met.look_alikes_raised.to_string(),
            format!("of {look_alikes} honest ones"),
        ),
    ]
}

fn meet(raised: &Rings, planted: &PlantedRings) -> Meeting {
    let mut met = Meeting {
        raised: raised.len(),
        planted: planted.evident.len(),
        ..Meeting::default()
    };
    let guilty: BTreeSet<&String> = planted.committed.values().flatten().collect();
    for members in raised.values() {
        let largest = planted
            .committed
            .values()
            .map(|ring| ring.intersection(members).count())
            .max()
            .unwrap_or_default();
        met.right += usize::from(2 * largest > members.len());
        met.members_raised += members.len();
        met.members_right += members.iter().filter(|one| guilty.contains(one)).count();
        met.look_alikes_raised += members
            .intersection(&planted.look_alikes)
            .filter(|one| !guilty.contains(one))
            .count();
    }
    for ring in planted.evident.values() {
        let parts: Vec<usize> = raised
            .values()
            .map(|members| members.intersection(ring).count())
            .filter(|common| *common > 0)
            .collect();
        let largest = parts.iter().copied().max().unwrap_or_default();
        met.found += usize::from(2 * largest > ring.len());
        met.split += usize::from(parts.len() > 1);
        met.members_planted += ring.len();
        met.members_found += parts.iter().sum::<usize>();
    }
    met
}

fn read_rings(truth: &Path) -> Result<PlantedRings> {
    let mut planted = PlantedRings::default();
    for [claim, ring, evident] in read_truth(truth, "fraud.csv", ["subject_no", "ring", "evident"])?
    {
        if ring.is_empty() {
            continue;
        }
        if evident == "1" {
            let members = planted.evident.entry(ring.clone()).or_default();
            members.insert(claim.clone());
        }
        planted.committed.entry(ring).or_default().insert(claim);
    }
    planted
        .evident
        .retain(|_, members| members.len() >= SMALLEST_RING);
    for [claim, resembles] in read_truth(truth, "look_alikes.csv", ["subject_no", "resembles"])? {
        if ["F05", "F07", "F08", "F10"].contains(&resembles.as_str()) {
            planted.look_alikes.insert(claim);
        }
    }
    Ok(planted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rings(list: &[(&str, &[&str])]) -> Rings {
        list.iter()
            .map(|(ring, claims)| {
                let claims = claims.iter().map(|claim| (*claim).to_owned()).collect();
                ((*ring).to_owned(), claims)
            })
            .collect()
    }

    #[test]
    fn a_ring_is_right_and_found_when_most_members_are_the_same() {
        let planted = PlantedRings {
            committed: rings(&[("a", &["1", "2", "3", "4"]), ("b", &["5", "6", "7"])]),
            evident: rings(&[("a", &["1", "2", "3"]), ("b", &["5", "6", "7"])]),
            look_alikes: BTreeSet::from(["8".to_owned(), "1".to_owned(), "99".to_owned()]),
        };
        let raised = rings(&[
            ("x", &["1", "2", "4", "8"]),
            ("y", &["3", "9", "10"]),
            ("z", &["11", "12", "13"]),
        ]);
        let met = meet(&raised, &planted);
        let expected = Meeting {
            raised: 3,
            right: 1,
            planted: 2,
            found: 1,
            split: 1,
            members_raised: 10,
            members_right: 4,
            members_planted: 6,
            members_found: 3,
            look_alikes_raised: 1,
        };
        assert_eq!(met, expected);
    }

    #[test]
    fn rings_of_two_and_those_who_act_alone_are_not_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("fraud.csv"),
            "subject_no,typology,from,to,overpaid_won,detected,ring,evident\n\
             C1,F10,,,1,0,a,1\nC2,F10,,,1,0,a,1\nC3,F10,,,1,0,a,0\n\
             C4,F01,,,1,0,,1\nC5,F05,,,1,0,b,1\nC6,F05,,,1,0,b,1\nC7,F05,,,1,0,b,1\n",
        )
        .unwrap();
        std::fs::write(
            folder.path().join("look_alikes.csv"),
            "subject_no,resembles,reason,from,to\nC8,F10,family_device,,\nC9,F01,declared_work,,\n",
        )
        .unwrap();
        let planted = read_rings(folder.path()).unwrap();
        assert_eq!(planted.committed.len(), 2);
        assert_eq!(planted.evident.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(planted.look_alikes, BTreeSet::from(["C8".to_owned()]));
    }
}
