//! What only the simulator knows. Written to a folder that no job reads, for evaluation.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::SimulationError;
use crate::deliver::{BlockOutput, ErrorKind, Source, period_text};
use crate::scenario::Scenario;

/// A file of the truth with one line per event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TruthFile {
    Fraud,
    LookAlike,
    SeekerOracle,
    VacancyOracle,
    Claim,
    VacancyDefect,
    PortalAd,
}

/// Frauds and look-alikes name the claim they concern, or the decision on a subsidy. A fraud is
/// evident when all that proves it is among the deliveries. Those who act together have the same
/// ring, a name that is one in the whole country.
const FILES: [(&str, &str); 7] = [
    (
        "fraud.csv",
        "subject_no,typology,from,to,overpaid_won,detected,ring,evident",
    ),
    ("look_alikes.csv", "subject_no,resembles,reason,from,to"),
    (
        "seeker_oracle.csv",
        "seeker_no,registered_on,oracle_probability,acquired_on,within_180_days,probability_without_drive",
    ),
    (
        "vacancy_oracle.csv",
        "vacancy_no,opened_on,closes_on,oracle_probability,filled_on,within_period,probability_without_appeal",
    ),
    ("claim.csv", "claim_no,applied_on,claims_in_five_years"),
    ("vacancy_defect.csv", "vacancy_no,defect"),
    (
        "portal_ad.csv",
        "ad_no,vacancy_no,duplicate_of,defect,obfuscated,look_alike,is_vague",
    ),
];

/// A monthly figure of the whole country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Population,
    InsuredEmployees,
    InsuredContractors,
    WageWorkers,
    RegularWageWorkers,
    Workplaces,
    NewClaims,
    Recipients,
    BenefitWon,
    DaysPaid,
    SeekersRegistered,
    RegistrationsSucceeding,
    Openings,
    Vacancies,
    DefectiveVacancies,
    DailyWorkers,
    DailyUnreported,
    DailyFirstOfYear,
    SmallEmployees,
    SmallInsured,
    MiddleEmployees,
    MiddleInsured,
    LargeEmployees,
    LargeInsured,
    ContractorsOutside,
    OwnAccount,
    RepeatClaims,
    SanctionsDecided,
    SanctionWon,
    Acquisitions,
    Losses,
    Frauds,
}

impl Measure {
    const NAMES: [&'static str; 32] = [
        "population",
        "insured_employees",
        "insured_contractors",
        "wage_workers",
        "regular_wage_workers",
        "workplaces",
        "new_claims",
        "recipients",
        "benefit_won",
        "days_paid",
        "seekers_registered",
        "registrations_succeeding",
        "openings",
        "vacancies",
        "defective_vacancies",
        "daily_workers",
        "daily_unreported",
        "daily_first_of_year",
        "employees_under_10",
        "insured_under_10",
        "employees_10_to_29",
        "insured_10_to_29",
        "employees_30_and_over",
        "insured_30_and_over",
        "contractors_outside",
        "own_account",
        "repeat_claims",
        "sanctions_decided",
        "sanction_won",
        "acquisitions",
        "losses",
        "frauds_begun",
    ];
}

/// Class of a person-month at work, as in `sql/seeds/coverage_class.csv`, with the uninsured by
/// size of workplace and the exempt by reason; the most protected first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Coverage {
    Insured,
    UninsuredSmall,
    UninsuredMiddle,
    UninsuredLarge,
    DailyUnreported,
    ContractorOutside,
    SelfEmployed,
    ExemptCivil,
    ExemptHours,
    ExemptAge,
    ExemptPay,
}

impl Coverage {
    const NAMES: [(&'static str, &'static str); 11] = [
        ("insured", ""),
        ("covered_uninsured", "under_10"),
        ("covered_uninsured", "10_to_29"),
        ("covered_uninsured", "30_and_over"),
        ("daily_unreported", ""),
        ("contractor_outside", ""),
        ("self_employed", ""),
        ("exempt", "civil_service"),
        ("exempt", "short_hours"),
        ("exempt", "new_hire_65_and_over"),
        ("exempt", "pay_below_threshold"),
    ];
}

/// Truth of one block, or of all of them added up.
pub(crate) struct Truth {
    pub files: [Vec<u8>; FILES.len()],
    measures: Vec<[i64; Measure::NAMES.len()]>,
    coverage: Vec<[i64; Coverage::NAMES.len()]>,
    /// Persons by month, class, dimension and member.
    parts: BTreeMap<(usize, &'static str, &'static str, String), i64>,
    pub frauds: u64,
}

impl Truth {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self {
            files: Default::default(),
            measures: vec![[0; Measure::NAMES.len()]; scenario.months],
            coverage: vec![[0; Coverage::NAMES.len()]; scenario.months],
            parts: BTreeMap::new(),
            frauds: 0,
        }
    }

    /// Adds to a figure of a delivered month; other months are not counted.
    pub(crate) fn add(&mut self, scenario: &Scenario, month: i32, measure: Measure, amount: i64) {
        if let Some(index) = scenario.index(month) {
            self.measures[index][measure as usize] += amount;
        }
    }

    /// Adds a person-month at work to its class.
    pub(crate) fn cover(&mut self, scenario: &Scenario, month: i32, class: Coverage) {
        if let Some(index) = scenario.index(month) {
            self.coverage[index][class as usize] += 1;
        }
    }

    /// Adds a person-month at work to its class in parts of the country, as (dimension, member).
    pub(crate) fn cover_by(
        &mut self,
        scenario: &Scenario,
        month: i32,
        class: Coverage,
        members: Vec<(&'static str, String)>,
    ) {
        let Some(index) = scenario.index(month) else {
            return;
        };
        let class = Coverage::NAMES[class as usize].0;
        for (dimension, member) in members {
            *self
                .parts
                .entry((index, class, dimension, member))
                .or_default() += 1;
        }
    }

    /// Appends a line to a file.
    pub(crate) fn line(&mut self, file: TruthFile, fields: std::fmt::Arguments<'_>) {
        // Writing to a vector cannot fail.
        let _ = writeln!(self.files[file as usize], "{fields}");
    }
}

/// The truth of the country being written.
pub(crate) struct TruthFolder<'s> {
    scenario: &'s Scenario,
    folder: std::path::PathBuf,
    files: Vec<BufWriter<File>>,
    total: Truth,
    injected: BTreeMap<(Source, usize, ErrorKind), u64>,
}

impl<'s> TruthFolder<'s> {
    pub(crate) fn create(scenario: &'s Scenario, folder: &Path) -> Result<Self, SimulationError> {
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut files = Vec::new();
        for (name, header) in FILES {
            let path = folder.join(name);
            let mut file = BufWriter::new(File::create(&path).map_err(failed(&path))?);
            writeln!(file, "{header}").map_err(failed(&path))?;
            files.push(file);
        }
        Ok(Self {
            scenario,
            folder: folder.to_owned(),
            files,
            total: Truth::new(scenario),
            injected: BTreeMap::new(),
        })
    }

    pub(crate) fn append(&mut self, output: &BlockOutput) -> Result<(), SimulationError> {
        for (file, bytes) in self.files.iter_mut().zip(&output.truth.files) {
            file.write_all(bytes).map_err(failed(&self.folder))?;
        }
        let totals = self.total.measures.iter_mut().zip(&output.truth.measures);
        for (total, block) in totals {
            total
                .iter_mut()
                .zip(block)
                .for_each(|(sum, value)| *sum += value);
        }
        let totals = self.total.coverage.iter_mut().zip(&output.truth.coverage);
        for (total, block) in totals {
            total
                .iter_mut()
                .zip(block)
                .for_each(|(sum, value)| *sum += value);
        }
        for (part, count) in &output.truth.parts {
            *self.total.parts.entry(part.clone()).or_default() += count;
        }
        for (key, count) in &output.injected {
            *self.injected.entry(*key).or_default() += count;
        }
        self.total.frauds += output.truth.frauds;
        Ok(())
    }

    /// Writes the aggregates and returns the number of frauds.
    pub(crate) fn finish(mut self) -> Result<u64, SimulationError> {
        for file in &mut self.files {
            file.flush().map_err(failed(&self.folder))?;
        }
        let mut marginals = String::from("month,measure,value\n");
        let mut coverage = String::from("month,class,detail,persons\n");
        for index in 0..self.scenario.months {
            let (month, _) = period_text(self.scenario, crate::deliver::Cadence::Monthly, index);
            for (name, value) in Measure::NAMES.iter().zip(self.total.measures[index]) {
                marginals.push_str(&format!("{month},{name},{value}\n"));
            }
            for ((class, detail), value) in Coverage::NAMES.iter().zip(self.total.coverage[index]) {
                coverage.push_str(&format!("{month},{class},{detail},{value}\n"));
            }
        }
        let mut parts = String::from("month,class,dimension,member,persons\n");
        for ((index, class, dimension, member), persons) in &self.total.parts {
            let (month, _) = period_text(self.scenario, crate::deliver::Cadence::Monthly, *index);
            parts.push_str(&format!("{month},{class},{dimension},{member},{persons}\n"));
        }
        let mut injected = String::from("source,period,kind,rows\n");
        for ((source, period, kind), rows) in &self.injected {
            let layout = source.layout();
            let (period, _) = period_text(self.scenario, layout.cadence, *period);
            injected.push_str(&format!(
                "{},{period},{},{rows}\n",
                layout.name,
                kind.name()
            ));
        }
        for (name, text) in [
            ("marginals.csv", marginals),
            ("coverage_gap.csv", coverage),
            ("coverage_by.csv", parts),
            ("injected_errors.csv", injected),
        ] {
            let path = self.folder.join(name);
            std::fs::write(&path, text).map_err(failed(&path))?;
        }
        Ok(self.total.frauds)
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SimulationError + '_ {
    move |source| SimulationError::Write {
        path: path.to_owned(),
        source,
    }
}
