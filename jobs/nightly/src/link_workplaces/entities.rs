//! Which business a workplace belongs to.

use std::collections::BTreeMap;

use goyong_linkage::{Clusters, Linker, ScoredPair};
use sha2::{Digest, Sha256};

use super::hex;
use super::records::{SOURCES, Workplace};

/// How a workplace came to its business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Its own number, or nothing else is the same business.
    Own,
    /// A number that another source gave first.
    BusinessNumber,
    /// An institution's name that one business alone carries.
    InstitutionName,
    /// Weighed.
    Probabilistic,
}

impl Pass {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::BusinessNumber => "business_number",
            Self::InstitutionName => "institution_name",
            Self::Probabilistic => "probabilistic",
        }
    }
}

/// A workplace's place among the businesses.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Membership {
    pub entity_id: String,
    pub pass: Pass,
    /// Of the best pair when weighed, otherwise 1.
    pub probability: f64,
}

/// A cluster of the linker that holds more than one record.
struct Cluster {
    biz_no: Option<String>,
    /// Key of its first record in alphabetical order.
    first_key: String,
}

/// The businesses found.
pub(super) struct Entities {
    linker: Option<Linker>,
    cluster_of: Vec<u32>,
    /// Clusters of two and more, by their smallest row.
    clusters: BTreeMap<u32, Cluster>,
    /// Best probability of a record with another of its cluster.
    best: BTreeMap<u32, f64>,
}

impl Entities {
    /// Nothing was compared: only numbers join.
    pub(super) fn without_linkage() -> Self {
        Self {
            linker: None,
            cluster_of: Vec::new(),
            clusters: BTreeMap::new(),
            best: BTreeMap::new(),
        }
    }

    pub(super) fn of(linker: Linker, clusters: &Clusters, kept: &[ScoredPair]) -> Self {
        let cluster_of = clusters.cluster_of.clone();
        let mut found: BTreeMap<u32, Cluster> = BTreeMap::new();
        let mut best: BTreeMap<u32, f64> = BTreeMap::new();
        for pair in kept {
            let root = cluster_of[pair.left as usize];
            if root != cluster_of[pair.right as usize] {
                continue;
            }
            for row in [pair.left, pair.right] {
                let known = best.entry(row).or_insert(0.0);
                *known = known.max(pair.probability);
                let key = linker.id(row);
                let biz_no = linker.value(row, "biz_no");
                found
                    .entry(root)
                    .and_modify(|cluster| {
                        if cluster.first_key.as_str() > key {
                            cluster.first_key = key.to_owned();
                        }
                        if cluster.biz_no.is_none() {
                            cluster.biz_no = biz_no.map(str::to_owned);
                        }
                    })
                    .or_insert_with(|| Cluster {
                        biz_no: biz_no.map(str::to_owned),
                        first_key: key.to_owned(),
                    });
            }
        }
        Self {
            linker: Some(linker),
            cluster_of,
            clusters: found,
            best,
        }
    }

    /// The business of a workplace: its valid number's, or the one it was found to belong to.
    pub(super) fn membership(&self, workplace: &Workplace) -> Membership {
        let key = workplace.key();
        let own = |entity_id| Membership {
            entity_id,
            pass: Pass::Own,
            probability: 1.0,
        };
        if let Some(number) = workplace.valid_biz_no() {
            let gave_it_first =
                workplace.source == "ei_workplace" || self.row(SOURCES[0], &key).is_some();
            return Membership {
                pass: if gave_it_first {
                    Pass::Own
                } else {
                    Pass::BusinessNumber
                },
                ..own(numbered_entity(number))
            };
        }
        let alone = || own(unnumbered_entity(&key));
        let Some(row) = SOURCES[1..]
            .iter()
            .find_map(|source| self.row(source, &key))
        else {
            return alone();
        };
        let Some(cluster) = self
            .cluster_of
            .get(row as usize)
            .and_then(|root| self.clusters.get(root))
        else {
            return alone();
        };
        let entity_id = match &cluster.biz_no {
            Some(number) => numbered_entity(number),
            None => unnumbered_entity(&cluster.first_key),
        };
        if cluster.biz_no.is_none() && cluster.first_key == key {
            return own(entity_id);
        }
        Membership {
            entity_id,
            pass: Pass::Probabilistic,
            probability: self.best.get(&row).copied().unwrap_or_default(),
        }
    }

    fn row(&self, source: &str, key: &str) -> Option<u32> {
        let linker = self.linker.as_ref()?;
        let number = SOURCES.iter().position(|one| *one == source)?;
        linker.row(u8::try_from(number).ok()?, key)
    }
}

/// A business with a number is known by it: the same id every night, whoever lists it.
fn numbered_entity(number: &str) -> String {
    format!("B{number}")
}

/// A business without a number is known by its first record.
pub(super) fn unnumbered_entity(first_key: &str) -> String {
    let digest = hex(&Sha256::digest(first_key)[..8]);
    format!("R{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_linkage_a_number_alone_makes_a_business() {
        let entities = Entities::without_linkage();
        let mut workplace = Workplace {
            source: "ei_workplace".to_owned(),
            source_id: "12481009980".to_owned(),
            biz_no: Some("1248100998".to_owned()),
            ..Workplace::default()
        };
        let insured = entities.membership(&workplace);
        assert_eq!(insured.entity_id, "B1248100998");
        assert_eq!(insured.pass, Pass::Own);
        workplace.source = "kcomwel_workplace".to_owned();
        let accident = entities.membership(&workplace);
        assert_eq!(accident.entity_id, insured.entity_id);
        assert_eq!(accident.pass, Pass::BusinessNumber);
        workplace.biz_no = Some("1248100997".to_owned());
        let mistyped = entities.membership(&workplace);
        assert!(mistyped.entity_id.starts_with('R'));
        assert_eq!(mistyped, entities.membership(&workplace));
    }
}
