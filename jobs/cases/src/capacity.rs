//! What another capacity would mean for the cases that wait now.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::book::CaseBook;
use crate::draw::{Capacity, WAITING};
use crate::error::CaseError;

/// One capacity tried on the cases that wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapacityTrial {
    /// Cases a centre takes up in a night.
    pub per_centre: u32,
    /// Places of a night that go to claims drawn at random, expected, in hundredths.
    pub random_hundredths: u64,
    /// Cases that wait and that no suppression holds back.
    pub waiting: u64,
    /// Cases on the first night's list.
    pub listed: u64,
    /// Those of them that are critical, of all critical ones that wait.
    pub critical_listed: u64,
    /// Critical cases that wait.
    pub critical_waiting: u64,
    /// Won at risk on the list.
    pub listed_won: i64,
    /// Won at risk in all that waits.
    pub waiting_won: i64,
    /// Nights until the last waiting case was listed, were nothing new to come; none with no place for it.
    pub nights_to_clear: Option<u64>,
}

impl CaseBook {
    /// Tries capacities on the cases that wait on a day. Nothing is written.
    pub async fn simulate_capacity(
        &self,
        on: NaiveDate,
        trials: &[Capacity],
    ) -> Result<Vec<CapacityTrial>, CaseError> {
        let error = CaseError::database("read the waiting cases");
        let rows = self
            .rows("read the waiting cases", WAITING, &[on.to_string().into()])
            .await?;
        let mut by_centre: BTreeMap<String, Vec<(i64, bool)>> = BTreeMap::new();
        for row in &rows {
            if row.integer(5).map_err(error)? == 0 {
                let case = (
                    row.integer(3).map_err(error)?,
                    row.text(4).map_err(error)? == "critical",
                );
                by_centre
                    .entry(row.text(1).map_err(error)?)
                    .or_default()
                    .push(case);
            }
        }
        Ok(trials
            .iter()
            .map(|capacity| tried(&by_centre, capacity))
            .collect())
    }
}

fn tried(by_centre: &BTreeMap<String, Vec<(i64, bool)>>, capacity: &Capacity) -> CapacityTrial {
    let mut trial = CapacityTrial {
        per_centre: capacity.per_centre,
        random_hundredths: 0,
        waiting: 0,
        listed: 0,
        critical_listed: 0,
        critical_waiting: 0,
        listed_won: 0,
        waiting_won: 0,
        nights_to_clear: Some(0),
    };
    for (centre, cases) in by_centre {
        let places = u64::from(capacity.of(centre));
        let random = places * u64::from(capacity.random_basis_points.min(10_000)) / 100;
        trial.random_hundredths += random;
        // Draws take their places first; a part of a place is a place in some nights.
        let for_rules = places.saturating_sub(random.div_ceil(100));
        for (place, (amount_won, is_critical)) in (0u64..).zip(cases) {
            trial.waiting += 1;
            trial.waiting_won += amount_won;
            trial.critical_waiting += u64::from(*is_critical);
            if place < for_rules {
                trial.listed += 1;
                trial.listed_won += amount_won;
                trial.critical_listed += u64::from(*is_critical);
            }
        }
        trial.nights_to_clear = match (trial.nights_to_clear, for_rules) {
            (Some(nights), 1..) => Some(nights.max((cases.len() as u64).div_ceil(for_rules))),
            _ => None,
        };
    }
    trial
}
