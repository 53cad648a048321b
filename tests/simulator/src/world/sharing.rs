//! Accounts and devices that claimants share who are no household: rings that use one device,
//! institutions that manage the money of their residents, and families whom the register has as
//! two households at one address.
//!
//! Who shares is chosen among claims that are there already, from a stream of random numbers of its
//! own, so that the country around them stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use crate::calendar::{Day, month_of, next_weekday};
use crate::random::{Random, splitmix};
use crate::scenario::{Scenario, magnitude};
use crate::truth::Measure;
use crate::world::Block;
use crate::world::fraud::{Plan, Settled};

/// Claimants of one ring, fewest and most.
const RING: (i32, i32) = (4, 7);
/// Months in which an institution is seen at least: with fewer, nobody could tell that its
/// residents come over time.
const INSTITUTION_MONTHS: usize = 24;

/// Claimants of a family who are paid to one account.
const FAMILY: u8 = 3;

/// A family at one address, parents and a grown child with a household of their own.
struct Family {
    place: u8,
    /// Claimants paid to the family's account.
    paid: u8,
    /// Whether one of the family claims this month.
    claims: bool,
}

/// Who shares what in a block.
pub(super) struct Sharing {
    random: Random,
    /// Rings to form, and those that were found, whole once they reach one.
    rings_due: f64,
    found_due: f64,
    /// Claims by the ring that uses one device.
    rings: Vec<Vec<u32>>,
    /// Institutions that manage the money of residents who claim: the employers that these left.
    employers: Vec<BTreeSet<u32>>,
    /// Families to form, those there are, and who belongs to which in which household.
    families_due: f64,
    families: Vec<Family>,
    kin: BTreeMap<u32, (u32, u8)>,
    /// Claims that were there before this month.
    seen: usize,
}

impl Sharing {
    pub(super) fn new(scenario: &Scenario, index: u32) -> Self {
        let mut random = Random::new(scenario.seed, 0x5a4e_0000_0000 + u64::from(index));
        let (rings_due, found_due, families_due) = (random.unit(), random.unit(), random.unit());
        let institutions = if scenario.months >= INSTITUTION_MONTHS {
            random.round(0.04 * scenario.fraud_rate)
        } else {
            0
        };
        Self {
            random,
            rings_due,
            found_due,
            rings: Vec::new(),
            employers: vec![BTreeSet::new(); institutions],
            families_due,
            families: Vec::new(),
            kin: BTreeMap::new(),
            seen: 0,
        }
    }
}

impl Block<'_> {
    /// Chooses among the claims of a month those that share.
    pub(super) fn stage_sharing(&mut self, month: i32) {
        let new = self.sharing.seen as u32..self.claims.len() as u32;
        self.sharing.seen = self.claims.len();
        for family in &mut self.sharing.families {
            family.claims = false;
        }
        if month < self.scenario.start_month {
            return;
        }
        let mut free: Vec<u32> = new
            .filter(|index| {
                let claim = &self.claims[*index as usize];
                claim.plan == Plan::None && !claim.shares
            })
            .collect();
        free.retain(|index| !self.pay_to_family(*index));
        self.sharing.random.shuffle(&mut free);
        let claims = magnitude::CLAIMS * self.scale * self.scenario.fraud_rate;
        self.sharing.families_due += claims * 0.0008 / f64::from(FAMILY);
        for institution in 0..self.sharing.employers.len() {
            for _ in 0..self.sharing.random.below(3) {
                self.pay_to_institution(institution, &mut free);
            }
        }
        self.sharing.rings_due += claims * 0.0015 / 5.5;
        if self.sharing.rings_due >= 1.0 {
            self.form_device_ring(&free);
        }
    }

    fn shared_value(&self, kind: u64, number: u64) -> u64 {
        splitmix(
            self.scenario.seed ^ splitmix(kind << 40 ^ u64::from(self.index)) ^ splitmix(number),
        )
    }

    /// Before the register is asked: whether a claimant is of a family that still lacks some, or
    /// the first of a new one.
    pub(super) fn join_family(&mut self, person: u32, applied: Day) {
        let (sharing, place) = (&mut self.sharing, self.persons[person as usize].place);
        let known = sharing.kin.contains_key(&person)
            || self.persons[person as usize].last_claim_separation > self.scenario.first_day - 800;
        if known || month_of(applied) < self.scenario.start_month {
            return;
        }
        let waiting =
            sharing.families.iter_mut().enumerate().find(|(_, family)| {
                family.place == place && family.paid < FAMILY && !family.claims
            });
        if let Some((number, family)) = waiting {
            family.claims = true;
            let household = u8::from(family.paid + 1 == FAMILY);
            sharing.kin.insert(person, (number as u32, household));
        } else if sharing.families_due >= 1.0 {
            sharing.families_due -= 1.0;
            sharing
                .kin
                .insert(person, (sharing.families.len() as u32, 0));
            sharing.families.push(Family {
                place,
                paid: 0,
                claims: true,
            });
        }
    }

    /// Household and address in the register of who is of such a family.
    pub(super) fn registered_with_kin(&self, person: u32) -> Option<(u64, u64)> {
        let (family, household) = *self.sharing.kin.get(&person)?;
        let address = self.shared_value(8, u64::from(family));
        Some((splitmix(address ^ (u64::from(household) + 1)), address))
    }

    /// Whether a claim is paid to the account of a family in two households.
    fn pay_to_family(&mut self, index: u32) -> bool {
        let person = self.claims[index as usize].person;
        let Some((family, _)) = self.sharing.kin.get(&person).copied() else {
            return false;
        };
        let account = self.shared_value(9, u64::from(family));
        let claim = &mut self.claims[index as usize];
        claim.account = account;
        claim.shares = true;
        let (applied, end) = (claim.applied, claim.expected_end);
        self.sharing.families[family as usize].paid += 1;
        self.note_look_alike(index, "F10", "family_in_two_households", applied, end);
        true
    }

    /// Another resident claims, who left an employer that no other resident left: a block has few
    /// employers, the towns that send people to an institution have many.
    fn pay_to_institution(&mut self, institution: usize, free: &mut Vec<u32>) {
        let employer = |block: &Self, index: u32| {
            block.jobs[block.claims[index as usize].job as usize].workplace
        };
        let position = free.iter().position(|index| {
            !self.sharing.employers[institution].contains(&employer(self, *index))
        });
        let Some(position) = position else { return };
        let index = free.remove(position);
        let left = employer(self, index);
        self.sharing.employers[institution].insert(left);
        let account = self.shared_value(7, institution as u64);
        let claim = &mut self.claims[index as usize];
        claim.account = account;
        claim.shares = true;
        let (applied, end) = (claim.applied, claim.expected_end);
        self.note_look_alike(index, "F10", "institution_account", applied, end);
    }

    /// Claimants of a month, each of another household and with an account of their own, whom
    /// somebody certifies from one device. With too few claims the ring waits for the next month.
    fn form_device_ring(&mut self, free: &[u32]) {
        let size = self.sharing.random.between(RING.0, RING.1) as usize;
        let mut households = BTreeSet::new();
        let members: Vec<u32> = free
            .iter()
            .copied()
            .filter(|index| {
                let person = self.claims[*index as usize].person;
                households.insert(self.persons[person as usize].household)
            })
            .take(size)
            .collect();
        if members.len() < RING.0 as usize {
            return;
        }
        let device = self.shared_value(6, self.sharing.rings.len() as u64);
        for index in &members {
            let claim = &mut self.claims[*index as usize];
            claim.device = device;
            claim.shares = true;
        }
        self.sharing.rings_due -= 1.0;
        self.sharing.rings.push(members);
    }

    /// Records the rings that used one device, and the decisions on those found. They can be
    /// proven when four of them certified online and were paid.
    pub(super) fn settle_device_rings(&mut self) {
        for (number, members) in std::mem::take(&mut self.sharing.rings)
            .into_iter()
            .enumerate()
        {
            let seen = |index: &&u32| self.claims[**index as usize].used_device;
            let is_evident = members.iter().filter(seen).count() >= RING.0 as usize;
            let ring = format!("{}-device-{number}", self.index);
            for index in members {
                let claim = &self.claims[index as usize];
                let amount = claim.daily_won * i64::from(claim.paid);
                let (from, to) = (claim.applied, claim.from - 1);
                if amount == 0 {
                    continue;
                }
                self.sharing.found_due += Plan::Ring.detected();
                let detected = self.sharing.found_due >= 1.0;
                if detected {
                    self.sharing.found_due -= 1.0;
                }
                let settled = Settled {
                    typology: "F10",
                    from,
                    to,
                    amount,
                    detected,
                    ring: &ring,
                    evident: is_evident && claim.used_device,
                };
                self.out
                    .truth
                    .add(self.scenario, month_of(from), Measure::Frauds, 1);
                self.tell_fraud(index, &settled);
                if detected {
                    let decided = next_weekday(to + self.sharing.random.between(40, 260));
                    // Of organised fraud only a part can be proven round by round.
                    self.decide(index, settled.typology, decided, amount * 22 / 100, b"none");
                }
            }
        }
    }
}
