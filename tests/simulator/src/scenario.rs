//! What every block shares: parameters, code tables, the calendar of the economy, and the
//! national magnitudes per person.

use crate::calendar::{Day, civil, first_of, is_weekday};
use crate::reference::Reference;
use crate::{SimulationConfig, SimulationError};

/// Months played before the first delivered one, so that claims, registrations and stocks are in
/// their steady state when it starts.
pub(crate) const BURN_IN: i32 = 12;

/// Months of the hazard calendar after the last delivered one: outcomes of the last registrations
/// are known to the truth.
const AFTER: i32 = 8;

/// Residents of the nation that the magnitudes below refer to.
pub(crate) const NATION: f64 = 51_700_000.0;

/// National magnitudes, persons unless said otherwise.
pub(crate) mod magnitude {
    /// Insured contractors, artists and platform workers.
    pub(crate) const CONTRACTORS_INSURED: f64 = 850_000.0;
    /// Contractors outside the insurance.
    pub(crate) const CONTRACTORS_OUTSIDE: f64 = 1_430_000.0;
    /// Own-account self-employed, all outside; with the contractors 3.43 million.
    pub(crate) const OWN_ACCOUNT: f64 = 2_000_000.0;
    /// Civil servants, soldiers and teachers of public and private schools, exempt by law.
    pub(crate) const CIVIL: f64 = 1_400_000.0;
    /// Day labourers in the tax data of a year.
    pub(crate) const DAILY_IN_A_YEAR: f64 = 5_100_000.0;
    /// Share of day labour that is not reported to the insurance.
    pub(crate) const DAILY_UNREPORTED: f64 = 0.538;
    /// Employees of workplaces under 10, from 10 to 29, and from 30 persons, day labour and civil
    /// service not counted.
    pub(crate) const EMPLOYEES: [f64; 3] = [4_600_000.0, 3_000_000.0, 10_850_000.0];
    /// Share of them that is insured; together 15.48 million in the eleventh delivered month.
    pub(crate) const INSURED_SHARE: [f64; 3] = [0.497, 0.817, 0.990];
    /// Workplaces.
    pub(crate) const WORKPLACES: f64 = 2_600_000.0;
    /// New benefit claims in a month other than January.
    pub(crate) const CLAIMS: f64 = 89_500.0;
    /// New registrations of seekers in an average month.
    pub(crate) const SEEKERS: f64 = 424_000.0;
    /// Openings of new vacancies in an average month.
    pub(crate) const OPENINGS: f64 = 195_000.0;
    /// Departures from the country in an average month.
    pub(crate) const DEPARTURES: f64 = 2_300_000.0;
    /// Training enrolments in a month.
    pub(crate) const ENROLMENTS: f64 = 85_000.0;
    /// Claims in a year by persons with three or more in five years.
    pub(crate) const REPEAT_CLAIMS: f64 = 112_000.0;
}

/// Parameters and tables that all blocks read.
pub(crate) struct Scenario {
    pub seed: u64,
    /// Residents of the simulated country.
    pub persons: u64,
    /// First delivered month, counted from year 0.
    pub start_month: i32,
    /// Delivered months.
    pub months: usize,
    /// Frauds per fraud of the nation.
    pub fraud_rate: f64,
    /// One household in this many is surveyed.
    pub survey_one_in: u32,
    pub reference: Reference,
    /// First simulated day.
    pub first_day: Day,
    /// `effort[i]`: sum of the hazard weights of the first `i` days.
    effort: Vec<f64>,
}

impl Scenario {
    pub(crate) fn new(config: &SimulationConfig) -> Result<Self, SimulationError> {
        let start_month = config.start.year() * 12 + config.start.month() as i32 - 1;
        let mut scenario = Self {
            seed: config.seed,
            persons: config.persons,
            start_month,
            months: config.months as usize,
            fraud_rate: config.fraud_rate,
            survey_one_in: config.survey_one_in,
            reference: Reference::load()?,
            first_day: first_of(start_month - BURN_IN),
            effort: vec![0.0],
        };
        let end = first_of(start_month + config.months as i32 + AFTER);
        let mut total = 0.0;
        for day in scenario.first_day..end {
            total += scenario.hazard_weight(day);
            scenario.effort.push(total);
        }
        Ok(scenario)
    }

    /// All simulated months, the burn-in first.
    pub(crate) fn calendar(&self) -> std::ops::Range<i32> {
        self.start_month - BURN_IN..self.start_month + self.months as i32
    }

    /// Index of a delivered month.
    pub(crate) fn index(&self, month: i32) -> Option<usize> {
        let since = month - self.start_month;
        (since >= 0 && since < self.months as i32).then_some(since as usize)
    }

    /// The recession: six months from the fifteenth delivered one.
    pub(crate) fn in_recession(&self, month: i32) -> bool {
        (14..20).contains(&(month - self.start_month))
    }

    /// How likely an insured job starts on a day, relative to others: jobs start on weekdays and
    /// on the first of the month, in spring, and less in the recession.
    fn hazard_weight(&self, day: Day) -> f64 {
        const SEASON: [f64; 12] = [
            0.90, 1.00, 1.25, 1.10, 1.05, 0.95, 0.95, 0.95, 1.10, 1.00, 0.95, 0.80,
        ];
        let (year, month, day_of_month) = civil(day);
        let weekday = if is_weekday(day) { 1.2 } else { 0.12 };
        let first = if day_of_month == 1 { 2.5 } else { 0.0 };
        let recession = if self.in_recession(year * 12 + month as i32 - 1) {
            0.78
        } else {
            1.0
        };
        (weekday + first) * SEASON[month as usize - 1] * recession
    }

    /// Sum of the hazard weights of the days after `from` up to and including `to`.
    pub(crate) fn effort(&self, from: Day, to: Day) -> f64 {
        self.effort_until(to) - self.effort_until(from)
    }

    fn effort_until(&self, day: Day) -> f64 {
        let index = (day - self.first_day + 1).clamp(0, self.effort.len() as i32 - 1);
        self.effort[index as usize]
    }

    /// First day by which the effort after `from` has reached `amount`; `None` when the calendar
    /// ends before.
    pub(crate) fn effort_reached(&self, from: Day, amount: f64) -> Option<Day> {
        let goal = self.effort_until(from) + amount;
        let index = self.effort.partition_point(|sum| *sum < goal);
        (index < self.effort.len()).then(|| self.first_day + index as i32 - 1)
    }

    /// Growth and season of the insured, 1 in the eleventh delivered month.
    pub(crate) fn insured_level(&self, month: i32) -> f64 {
        const SEASON: [f64; 12] = [
            0.992, 0.994, 0.998, 1.001, 1.003, 1.003, 1.002, 1.001, 1.002, 1.002, 1.000, 0.996,
        ];
        let since = f64::from(month - self.start_month - 10);
        let recession = if self.in_recession(month) { 0.992 } else { 1.0 };
        (1.0 + 0.0009 * since) * SEASON[month.rem_euclid(12) as usize] * recession
    }

    /// New claims of a month relative to an ordinary one: January doubles, the recession adds.
    pub(crate) fn claims_level(&self, month: i32) -> f64 {
        const SEASON: [f64; 12] = [
            2.245, 0.985, 1.010, 0.995, 0.970, 0.985, 1.015, 0.980, 0.990, 0.985, 0.990, 1.005,
        ];
        let recession = if self.in_recession(month) { 1.08 } else { 1.0 };
        SEASON[month.rem_euclid(12) as usize] * recession
    }

    /// New registrations of a month relative to the average.
    pub(crate) fn seekers_level(&self, month: i32) -> f64 {
        const SEASON: [f64; 12] = [
            1.18, 1.00, 1.08, 1.00, 0.98, 0.97, 1.00, 0.96, 0.97, 0.96, 0.95, 0.95,
        ];
        SEASON[month.rem_euclid(12) as usize]
    }

    /// New openings of a month relative to the average.
    pub(crate) fn openings_level(&self, month: i32) -> f64 {
        const SEASON: [f64; 12] = [
            1.00, 1.02, 1.18, 1.06, 1.00, 1.00, 1.02, 0.97, 0.99, 0.96, 0.92, 0.88,
        ];
        let recession = if self.in_recession(month) { 0.94 } else { 1.0 };
        SEASON[month.rem_euclid(12) as usize] * recession
    }
}
