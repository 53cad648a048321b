//! Records that explain what looks like fraud: corrections with their documents, households,
//! seasonal closures, and the devices of the centres.

use crate::calendar::{Day, month_of};
use crate::deliver::Source;
use crate::law::delivery_month;
use crate::random::splitmix;
use crate::world::Block;
use crate::world::benefit::hex16;

/// Days of a seasonal closure, a quarter of a year.
pub(super) const SEASON_DAYS: Day = 92;

impl Block<'_> {
    /// The device that a place's centre puts up for claimants.
    pub(super) fn kiosk(&self, place: u8) -> u64 {
        splitmix(0xc105_0000 + u64::from(self.places[place as usize]))
    }

    /// A correction of a loss reason and the document it was filed with.
    pub(super) fn deliver_correction(&mut self, index: u32, from: u8, filed: Day, document: &[u8]) {
        let job = &self.jobs[index as usize];
        let (rrn, workplace) = (
            self.persons[job.person as usize].rrn,
            self.workplaces[job.workplace as usize].number,
        );
        let (acquired, to) = (job.first, job.reason);
        let month = delivery_month(filed);
        let row = self.out.row(self.scenario, Source::Correction, month, true);
        if let Some(row) = row {
            row.text(&rrn)
                .text(&workplace)
                .day(acquired)
                .number(i64::from(from))
                .number(i64::from(to))
                .day(filed)
                .text(document)
                .finish(0);
        }
    }

    /// The household a claimant is registered in.
    pub(super) fn deliver_household(&mut self, person: u32, applied: Day) {
        let who = &self.persons[person as usize];
        let own = splitmix(
            self.scenario.seed
                ^ splitmix(4 << 40 ^ u64::from(self.index))
                ^ u64::from(who.household),
        );
        let (household, address) = self
            .registered_with_kin(person)
            .unwrap_or((own, splitmix(own)));
        let rrn = who.rrn;
        let since = self.scenario.first_day - 30 - (who.household % 4_000) as Day;
        let month = month_of(applied);
        let row = self.out.row(self.scenario, Source::Household, month, true);
        if let Some(row) = row {
            row.text(&rrn)
                .text(&hex16(household))
                .text(&hex16(address))
                .day(since)
                .finish(0);
        }
    }

    /// What an employer told its centre of a seasonal closure, ten days before it began.
    pub(super) fn deliver_closure(&mut self, workplace: u32, last: Day) {
        let number = self.workplaces[workplace as usize].number;
        let filed = last - 10;
        let month = month_of(filed);
        let row = self
            .out
            .row(self.scenario, Source::CentreClosure, month, true);
        if let Some(row) = row {
            row.text(&number)
                .day(last + 1)
                .day(last + SEASON_DAYS)
                .day(filed)
                .finish(0);
        }
    }

    /// The kiosks of the centres in the block's places, listed once.
    pub(super) fn record_kiosks(&mut self) {
        let month = self.scenario.start_month;
        for position in 0..self.places.len() as u8 {
            let place = self.places[position as usize];
            let installed = self.scenario.first_day - 200 - (place % 900) as Day;
            let device = hex16(self.kiosk(position));
            let reference = &self.scenario.reference.places[place as usize];
            let centre = reference.centres.first().map_or("", |one| one.as_str());
            let row = self
                .out
                .row(self.scenario, Source::CentreDevice, month, true);
            if let Some(row) = row {
                row.text(&device)
                    .text(centre.as_bytes())
                    .day(installed)
                    .finish(0);
            }
        }
    }
}
