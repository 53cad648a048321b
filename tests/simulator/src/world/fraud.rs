//! Frauds by a known minority.

use crate::calendar::{Day, NEVER, first_of, month_of, next_weekday};
use crate::deliver::Source;
use crate::law::PAID_AFTER_LEAVING;
use crate::random::splitmix;
use crate::truth::{Measure, TruthFile};
use crate::world::benefit::{Claim, Round};
use crate::world::case_files::SEASON_DAYS;
use crate::world::employment::{Cover, Kind};
use crate::world::person::{Activity, NONE};
use crate::world::search::iso;
use crate::world::{Block, Flow};

/// What a claimant intends beyond the ordinary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    None,
    /// F01: certifies on while in an insured job.
    HiddenJob,
    /// F02: an unreported job that only the tax office sees.
    HiddenPay,
    /// F03: certifies online from abroad.
    Abroad,
    /// F04: certifies during military service.
    Service,
    /// F05: laid off together and rehired by the same employer.
    Collusion,
    /// F06: loss reason changed to an entitling one.
    ReasonChanged,
    /// F06: made redundant while others are hired for the same occupation.
    Replaced,
    /// F07: employment that existed on paper.
    Fictitious,
    /// F08: loss reported months late.
    LateLoss,
    /// F09: business opened and not declared.
    Business,
    /// F10: account shared by a ring.
    Ring,
    /// Honest: short job, declared.
    DeclaredPay,
    /// Honest: laid off for the season.
    Seasonal,
    /// Honest: loss reason corrected with documents.
    Corrected,
    /// Honest: business registered as declared preparation.
    Preparation,
    /// Honest: a short job whose wage statements came late.
    FilesLate,
    /// Honest: made redundant, and fewer are hired for the same occupation.
    FewerHired,
    /// Honest: made redundant where people come and go in that occupation.
    UsualTurnover,
    /// Honest: the plant closed for good.
    PlantClosed,
    /// Honest: the plant closed for good, and its owner reported who left only months later.
    ReportsClosingLate,
    /// Honest: the owner of several businesses closed one of them.
    OneOfSeveralClosed,
}

impl Plan {
    fn typology(self) -> Option<&'static str> {
        Some(match self {
            Self::HiddenJob => "F01",
            Self::HiddenPay => "F02",
            Self::Abroad => "F03",
            Self::Service => "F04",
            Self::Collusion => "F05",
            Self::ReasonChanged | Self::Replaced => "F06",
            Self::Fictitious => "F07",
            Self::LateLoss => "F08",
            Self::Business => "F09",
            Self::Ring => "F10",
            _ => return None,
        })
    }

    /// Share of such frauds that an investigation finds.
    pub(super) fn detected(self) -> f64 {
        match self {
            Self::HiddenJob | Self::HiddenPay => 0.40,
            Self::Abroad | Self::Service => 0.40,
            _ => 0.14,
        }
    }
}

/// A fraud as the truth tells it.
pub(super) struct Settled<'r> {
    pub typology: &'static str,
    pub from: Day,
    pub to: Day,
    pub amount: i64,
    pub detected: bool,
    pub ring: &'r str,
    pub evident: bool,
}

impl Block<'_> {
    /// The day a planned outcome puts in place of a drawn one.
    pub(super) fn planned_find(
        &mut self,
        plan: Plan,
        job: u32,
        applied: Day,
        end: Day,
    ) -> Option<Day> {
        let job = &self.jobs[job as usize];
        match plan {
            Plan::Collusion => Some(self.weekday_between(applied + 55, applied + 100)),
            // Half of the seasonal employers reopen on the day they told the centre of.
            Plan::Seasonal if job.workplace.is_multiple_of(2) => {
                Some(next_weekday(job.last + SEASON_DAYS + 1))
            }
            Plan::Seasonal => Some(next_weekday(end + 5)),
            _ => None,
        }
    }

    /// The employer that a plan fixed.
    pub(super) fn planned_employer(&self, person: u32, planned: bool) -> Option<u32> {
        let who = &self.persons[person as usize];
        if !planned || who.last_job == NONE {
            return None;
        }
        let workplace = self.jobs[who.last_job as usize].workplace;
        (self.workplaces[workplace as usize].closed == NEVER).then_some(workplace)
    }

    /// Decides what a claimant intends. The next insured job is already drawn and is not touched:
    /// who happens to find one during the benefit has the occasion to hide it.
    pub(super) fn choose_plan(
        &mut self,
        plan: Plan,
        person: u32,
        _job: u32,
        applied: Day,
        end: Day,
    ) -> Plan {
        if plan != Plan::None {
            return plan;
        }
        if self.ring.0 > 0 {
            self.ring.0 -= 1;
            return Plan::Ring;
        }
        let who = &self.persons[person as usize];
        let (found, age, male) = (who.find_on, who.age(applied), who.male);
        if self.fraud_flow(Flow::Plans, 0.056) == 0 {
            if found > end && self.random.chance(0.03) {
                return Plan::DeclaredPay;
            }
            return if self.random.chance(0.004) {
                Plan::Preparation
            } else {
                Plan::None
            };
        }
        let conscript = male && (19..=27).contains(&age) && found > applied + 180;
        let plans = [
            (
                Plan::HiddenJob,
                if (applied + 20..end - 30).contains(&found) {
                    9.0
                } else {
                    0.0
                },
            ),
            (
                Plan::HiddenPay,
                if found > applied + 120 { 2.2 } else { 0.0 },
            ),
            (Plan::Abroad, if found > applied + 80 { 0.8 } else { 0.0 }),
            (Plan::Service, if conscript { 6.0 } else { 0.0 }),
            (
                Plan::Business,
                if found > applied + 120 { 0.3 } else { 0.0 },
            ),
            (Plan::Ring, 0.02),
        ];
        let weights = plans.map(|(_, weight)| weight);
        let plan = plans[self.random.weighted(&weights)].0;
        if plan == Plan::Ring {
            self.ring = (self.random.between(4, 7) as u32, self.ring.1 + 1);
        }
        plan
    }

    /// Account and device of a claimant, and why an honest one shares them: households sometimes
    /// have one account or device, centres have kiosks, the library of the neighbourhood has a
    /// computer, rings have one of each.
    pub(super) fn account_and_device(
        &mut self,
        person: u32,
        plan: Plan,
    ) -> (u64, u64, Option<&'static str>) {
        let digest = |kind: u64, number: u32| {
            splitmix(
                self.scenario.seed
                    ^ splitmix(kind << 40 ^ u64::from(self.index))
                    ^ u64::from(number),
            )
        };
        let who = &self.persons[person as usize];
        let (own, household) = (digest(1, person), digest(2, who.household));
        let kiosk = self.kiosk(who.place);
        let ring = digest(3, self.ring.1);
        if plan == Plan::Ring {
            return (ring, splitmix(ring), None);
        }
        let family_account = self.random.chance(0.06);
        let account = if family_account { household } else { own };
        let (device, shared) = match self.random.below(40) {
            0..=1 => (kiosk, Some("centre_kiosk")),
            2..=7 => (splitmix(household), Some("family_device")),
            8 => (digest(5, 0), Some("library_computer")),
            _ => (splitmix(own), family_account.then_some("family_account")),
        };
        (account, device, shared)
    }

    /// What a plan needs before the first certification.
    pub(super) fn prepare_plan(&mut self, index: u32) {
        let claim = &mut self.claims[index as usize];
        let (person, applied, plan, end) =
            (claim.person, claim.applied, claim.plan, claim.expected_end);
        match plan {
            Plan::Collusion
            | Plan::ReasonChanged
            | Plan::Replaced
            | Plan::Fictitious
            | Plan::LateLoss
            | Plan::Ring => {
                claim.fraud_from = applied;
            }
            Plan::HiddenPay | Plan::DeclaredPay => {
                let from = next_weekday(applied + self.random.between(24, 50));
                let to = (from + self.random.between(4, 24)).min(end - 1);
                if let Some(workplace) = self.filing_employer(from) {
                    self.side_job(person, workplace, from, to);
                    let claim = &mut self.claims[index as usize];
                    claim.fraud_from = from;
                    claim.fraud_to = to;
                }
            }
            Plan::Service => {
                let from = next_weekday(applied + self.random.between(30, 60));
                claim.fraud_from = from;
                claim.fraud_to = from + self.random.between(25, 60);
                self.deliver_service(person, from, from + 547, b"active");
                self.persons[person as usize].activity = Activity::Service;
            }
            Plan::Business | Plan::Preparation => {
                let from = next_weekday(applied + self.random.between(24, 50));
                claim.fraud_from = from;
                claim.fraud_to = from + 40;
                self.register_business(person, from);
            }
            Plan::Seasonal => self.note_look_alike(index, "F05", "seasonal_closure", applied, end),
            Plan::Corrected => {
                self.note_look_alike(index, "F06", "documented_correction", applied, end);
            }
            Plan::FilesLate => {
                let workplace = self.jobs[self.claims[index as usize].job as usize].workplace;
                let reason = if self.pays_on_leaving(workplace) {
                    "paid_on_leaving"
                } else {
                    "statements_filed_late"
                };
                self.note_look_alike(index, "F07", reason, applied, end);
            }
            Plan::UsualTurnover => {
                self.note_look_alike(index, "F06", "usual_turnover", applied, end);
            }
            Plan::PlantClosed => self.note_look_alike(index, "F05", "plant_closed", applied, end),
            Plan::ReportsClosingLate => {
                self.note_look_alike(index, "F08", "closing_reported_late", applied, end);
            }
            Plan::OneOfSeveralClosed => {
                self.note_look_alike(index, "F05", "one_of_several_closed", applied, end);
            }
            Plan::None => self.note_late_report(index),
            // Told once all hires are known.
            Plan::FewerHired => {}
            Plan::HiddenJob | Plan::Abroad => {}
        }
    }

    /// A job beside the benefit that no insurance sees.
    fn side_job(&mut self, person: u32, workplace: u32, from: Day, to: Day) {
        let who = &self.persons[person as usize];
        let (last_job, worked_until) = (who.last_job, who.worked_until);
        let job = self.start_job(person, workplace, from, Kind::PartTime, Cover::Unreported);
        self.jobs[job as usize].last = to;
        let who = &mut self.persons[person as usize];
        who.job = NONE;
        who.last_job = last_job;
        who.worked_until = worked_until;
        who.activity = Activity::Idle;
    }

    /// Whether a claimant keeps silent about a job that has begun.
    pub(super) fn hides_work(&mut self, index: u32, started: Day, to: Day) -> bool {
        let claim = &mut self.claims[index as usize];
        if claim.plan != Plan::HiddenJob {
            return false;
        }
        if claim.fraud_from == NEVER {
            claim.fraud_from = started;
        }
        claim.fraud_to = to;
        let days = i64::from(to - started + 1);
        let due = claim.due;
        self.overpay(index, due, days);
        true
    }

    /// What a plan changes in a certification.
    pub(super) fn act_on_plan(&mut self, index: u32, round: &mut Round) {
        let claim = &mut self.claims[index as usize];
        let days =
            |from: Day, to: Day| i64::from((to.min(round.to) - from.max(round.from) + 1).max(0));
        match claim.plan {
            Plan::HiddenJob if claim.fraud_from != NEVER => {
                round.last = self.random.chance(0.7);
            }
            Plan::HiddenPay | Plan::Business => {
                let hidden = days(claim.fraud_from, claim.fraud_to);
                if hidden > 0 {
                    round.declared_days = 0;
                    round.declared_won = 0;
                }
                self.overpay(index, round.certified, hidden);
            }
            Plan::DeclaredPay | Plan::Preparation => {
                let worked = days(claim.fraud_from, claim.fraud_to);
                if worked > 0 && claim.plan == Plan::DeclaredPay {
                    round.declared_days = worked as i32;
                    round.declared_won = worked * 80_000;
                    self.note_look_alike(index, "F02", "declared_work", round.from, round.to);
                } else if worked > 0 {
                    round.prepares = true;
                    self.note_look_alike(
                        index,
                        "F09",
                        "declared_preparation",
                        round.from,
                        round.to,
                    );
                }
            }
            Plan::Service => {
                round.online = true;
                round.last = round.to >= claim.fraud_to;
                let served = days(claim.fraud_from, claim.fraud_to);
                self.overpay(index, round.certified, served);
            }
            Plan::Abroad if claim.round >= 1 && claim.fraud_from == NEVER => {
                let (left, entered) = (
                    round.certified - self.random.between(1, 6),
                    round.certified + self.random.between(1, 9),
                );
                let claim = &mut self.claims[index as usize];
                claim.fraud_from = left;
                claim.fraud_to = entered;
                round.online = true;
                let person = claim.person;
                let away = i64::from((round.to - left + 1).clamp(1, 14));
                self.overpay(index, round.certified, away);
                self.deliver_border(person, left, Some(entered));
            }
            Plan::Abroad => {}
            Plan::None => self.travel_honestly(index, round),
            _ if claim.fraud_from != NEVER => {
                claim.fraud_to = round.to;
                let paid = days(round.from, round.to) - i64::from(round.declared_days);
                self.overpay(index, round.certified, paid);
            }
            _ => {}
        }
    }

    /// The name of a ring in the truth, one in the whole country; empty for who acts alone.
    fn ring_name(&self, plan: Plan, ring: u32, job: u32) -> String {
        match plan {
            Plan::Ring => format!("{}-account-{ring}", self.index),
            Plan::Fictitious => {
                let workplace = self.jobs[job as usize].workplace;
                format!("{}-workplace-{workplace}", self.index)
            }
            _ if ring != NONE => format!("{}-separation-{ring}", self.index),
            _ => String::new(),
        }
    }

    /// Adds days of a round to what a fraud was paid.
    fn overpay(&mut self, index: u32, certified: Day, days: i64) {
        let start = first_of(self.scenario.start_month);
        let claim = &mut self.claims[index as usize];
        claim.overpaid_won += claim.daily_won * days;
        claim.delivered |= days > 0 && certified >= start;
    }

    /// Whether the deliveries, once all are there, hold what proves a fraud. Facts before the
    /// first delivery and after the last are on nobody's record.
    fn is_evident(&self, claim: &Claim) -> bool {
        let start = first_of(self.scenario.start_month);
        let end = first_of(self.scenario.start_month + self.scenario.months as i32) - 1;
        let job = &self.jobs[claim.job as usize];
        let who = &self.persons[claim.person as usize];
        let on_record = match claim.plan {
            Plan::HiddenJob => {
                who.last_job != NONE
                    && self.jobs[who.last_job as usize].acquired_reported <= end + 15
            }
            Plan::Service => claim.fraud_from <= end,
            // Of the round in which it began it is on record that nothing was declared.
            Plan::HiddenPay | Plan::Business => (start..=end).contains(&claim.fraud_from),
            // All of them are back, and their employer has reported it.
            Plan::Collusion => claim.applied + 130 <= end,
            Plan::ReasonChanged => job.last >= start,
            Plan::Replaced => self.replaced_by(claim, end + 15),
            // Three months' wages are missing, and what is due on leaving too.
            Plan::Fictitious => {
                job.last >= first_of(self.scenario.start_month + 2)
                    && job.last + PAID_AFTER_LEAVING <= end
            }
            // The others have claimed too.
            Plan::LateLoss => claim.applied + 85 <= end,
            Plan::Ring => claim.applied + 60 <= end && claim.applied >= start - 60,
            _ => true,
        };
        claim.delivered && on_record
    }

    /// Records a fraud when its claim ends, and the decision when it is found.
    pub(super) fn settle_fraud(&mut self, index: u32) {
        let claim = &self.claims[index as usize];
        let (plan, from, ring) = (claim.plan, claim.fraud_from, claim.ring);
        let (to, amount) = (
            if claim.fraud_to == NEVER {
                from
            } else {
                claim.fraud_to
            },
            claim.overpaid_won,
        );
        let Some(typology) = plan.typology() else {
            return;
        };
        if from == NEVER || amount == 0 {
            return;
        }
        let alone = matches!(
            plan,
            Plan::HiddenJob | Plan::HiddenPay | Plan::Abroad | Plan::Service
        );
        let flow = if alone {
            Flow::Detected
        } else {
            Flow::DetectedOrganised
        };
        let detected = self.flow(flow, plan.detected()) > 0;
        let ring = self.ring_name(plan, ring, self.claims[index as usize].job);
        self.out
            .truth
            .add(self.scenario, month_of(from), Measure::Frauds, 1);
        let evident = self.is_evident(&self.claims[index as usize]);
        let start = first_of(self.scenario.start_month);
        let settled = Settled {
            typology,
            from,
            to,
            amount,
            detected,
            ring: &ring,
            evident,
        };
        if to >= start || self.claims[index as usize].delivered {
            self.tell_fraud(index, &settled);
        }
        if !detected {
            return;
        }
        let decided = next_weekday(to + self.random.between(40, 260));
        let appeal =
            [&b"none"[..], b"upheld", b"overturned"][self.random.weighted(&[90.0, 8.0, 2.0])];
        // Of organised fraud only a part can be proven round by round.
        let recovered = if alone { amount } else { amount * 22 / 100 };
        self.decide(index, typology, decided, recovered, appeal);
    }

    /// A fraud for the truth.
    pub(super) fn tell_fraud(&mut self, index: u32, settled: &Settled) {
        let number = &self.claims[index as usize].number;
        self.out.truth.frauds += 1;
        self.out.truth.line(
            TruthFile::Fraud,
            format_args!(
                "{},{},{},{},{},{},{},{}",
                String::from_utf8_lossy(number),
                settled.typology,
                iso(settled.from),
                iso(settled.to),
                settled.amount,
                u8::from(settled.detected),
                settled.ring,
                u8::from(settled.evident),
            ),
        );
    }

    /// The decision on a fraud that was found.
    pub(super) fn decide(
        &mut self,
        index: u32,
        typology: &str,
        decided: Day,
        recovered: i64,
        appeal: &[u8],
    ) {
        let claim = &self.claims[index as usize];
        let rrn = self.persons[claim.person as usize].rrn;
        let month = month_of(decided);
        if let Some(row) = self.out.row(self.scenario, Source::Sanction, month, false) {
            row.text(&claim.number)
                .text(&rrn)
                .text(typology.as_bytes())
                .day(decided)
                .number(recovered)
                .text(appeal)
                .finish(recovered);
            self.out
                .truth
                .add(self.scenario, month, Measure::SanctionsDecided, 1);
            self.out
                .truth
                .add(self.scenario, month, Measure::SanctionWon, recovered);
        }
    }

    /// Frauds of claims that still run when the simulation ends.
    pub(super) fn settle_open_frauds(&mut self) {
        for position in 0..self.active_claims.len() {
            self.settle_fraud(self.active_claims[position]);
        }
    }
}
