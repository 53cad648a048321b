//! Registered residents by sigungu, sex and age group: counts of all blocks together.

use crate::SimulationError;
use crate::calendar::first_of;
use crate::deliver::{Buffer, Landing, Source, push_number};
use crate::scenario::Scenario;
use crate::world::Block;

const AGE_GROUPS: [(&[u8], i32); 7] = [
    (b"0-14", 0),
    (b"15-29", 15),
    (b"30-39", 30),
    (b"40-49", 40),
    (b"50-59", 50),
    (b"60-64", 60),
    (b"65+", 65),
];

/// Counts by month, place, sex and age group.
pub(crate) struct Residents {
    counts: Vec<u32>,
}

const CELLS: usize = 2 * AGE_GROUPS.len();

impl Residents {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            counts: vec![0; scenario.months * scenario.reference.places.len() * CELLS],
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(sum, count)| *sum += count);
    }

    /// Writes the residents of every month; places without any are left out.
    pub(crate) fn write(
        &self,
        scenario: &Scenario,
        landing: &mut Landing<'_>,
    ) -> Result<(), SimulationError> {
        let places = scenario.reference.places.len();
        for month in 0..scenario.months {
            let mut buffer = Buffer::default();
            let number = scenario.start_month + month as i32;
            for place in 0..places {
                for cell in 0..CELLS {
                    let persons = self.counts[(month * places + place) * CELLS + cell];
                    if persons == 0 {
                        continue;
                    }
                    let bytes = &mut buffer.bytes;
                    let month_text = number.div_euclid(12) * 100 + number.rem_euclid(12) + 1;
                    push_number(bytes, i64::from(month_text));
                    bytes.push(b',');
                    bytes.extend_from_slice(scenario.reference.places[place].code.as_bytes());
                    bytes.push(b',');
                    bytes.push(if cell % 2 == 0 { b'm' } else { b'f' });
                    bytes.push(b',');
                    bytes.extend_from_slice(AGE_GROUPS[cell / 2].0);
                    bytes.push(b',');
                    push_number(bytes, i64::from(persons));
                    bytes.push(b'\n');
                    buffer.rows += 1;
                    buffer.control += i128::from(persons);
                }
            }
            landing.append_rows(Source::Population, month, &buffer)?;
        }
        Ok(())
    }
}

impl Block<'_> {
    pub(super) fn count_residents(&self) -> Residents {
        let mut residents = Residents::new(self.scenario);
        let places = self.scenario.reference.places.len();
        for month in 0..self.scenario.months {
            let last = first_of(self.scenario.start_month + month as i32 + 1) - 1;
            for who in &self.persons {
                let age = who.age(last).max(0);
                let group = AGE_GROUPS
                    .iter()
                    .rposition(|(_, from)| age >= *from)
                    .unwrap_or(0);
                let place = self.places[who.place as usize] as usize;
                let cell = 2 * group + usize::from(!who.male);
                residents.counts[(month * places + place) * CELLS + cell] += 1;
            }
        }
        residents
    }
}
