//! Code tables and dated values, read once from `sql/seeds`, and the few distributions that the
//! small country draws its people and firms from.

use encoding_rs::EUC_KR;

use crate::SimulationError;
use crate::calendar::Day;

/// One sigungu with its share of the population.
pub(crate) struct Place {
    pub code: String,
    pub sido: [u8; 2],
    /// Cumulative share of the national population up to and including this sigungu.
    pub cumulative: f64,
    /// Employment centres of the sido.
    pub centres: Vec<String>,
    /// Short Korean name of the sido.
    pub sido_name: String,
    /// Full Korean name of the sido.
    pub sido_full_name: String,
    /// Korean name of the sigungu.
    pub name: String,
}

/// One industry that workplaces are drawn from.
pub(crate) struct Industry {
    pub ksic: String,
    pub name: String,
    pub section: u8,
    /// Share of workplaces.
    pub weight: f64,
    /// How strongly it employs day labourers.
    pub daily: f64,
}

/// One occupation, KECO minor group.
pub(crate) struct Occupation {
    pub code: String,
    pub name: String,
    /// Name cut at 20 bytes of CP949 and padded with spaces.
    pub name_20: [u8; 20],
    /// Log wage relative to the mean.
    pub log_wage: f64,
    /// Log of the job-finding hazard relative to the mean.
    pub log_finding: f64,
    pub weight: f64,
}

struct BenefitRule {
    from: Day,
    to: Day,
    ceiling_won: i64,
    rate_percent: i64,
    floor_percent: i64,
    floor_hours: i64,
}

/// All code tables.
pub(crate) struct Reference {
    pub places: Vec<Place>,
    pub industries: Vec<Industry>,
    pub occupations: Vec<Occupation>,
    minimum_wage: Vec<(i32, i64)>,
    benefit_rules: Vec<BenefitRule>,
    /// (insured days from, to, 50 or over, entitled days)
    entitlement: Vec<(i32, i32, bool, i32)>,
}

/// Encodes in CP949, the encoding of the insurance and tax extracts.
pub(crate) fn cp949(text: &str) -> Vec<u8> {
    EUC_KR.encode(text).0.into_owned()
}

fn broken(table: &str) -> SimulationError {
    SimulationError::Reference {
        table: table.to_owned(),
    }
}

/// Splits one CSV line with optional double quotes; the seeds hold no quoted quote.
fn fields(line: &str) -> Vec<String> {
    let mut result = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => result.push(String::new()),
            _ => {
                if let Some(last) = result.last_mut() {
                    last.push(character);
                }
            }
        }
    }
    result
}

/// Rows of a seed as the named columns.
fn rows<const N: usize>(
    table: &str,
    text: &str,
    columns: [&str; N],
) -> Result<Vec<[String; N]>, SimulationError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header = fields(lines.next().ok_or_else(|| broken(table))?);
    let mut positions = [0; N];
    for (position, column) in positions.iter_mut().zip(columns) {
        *position = header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| broken(table))?;
    }
    let mut result = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let mut values = fields(line);
        let mut row: [String; N] = std::array::from_fn(|_| String::new());
        for (value, position) in row.iter_mut().zip(positions) {
            *value = std::mem::take(values.get_mut(position).ok_or_else(|| broken(table))?);
        }
        result.push(row);
    }
    Ok(result)
}

fn number<T: std::str::FromStr>(table: &str, text: &str) -> Result<T, SimulationError> {
    text.trim().parse().map_err(|_| broken(table))
}

fn date(table: &str, text: &str) -> Result<Day, SimulationError> {
    let mut parts = text.split('-');
    let mut next = || number(table, parts.next().unwrap_or_default());
    let year = next()?;
    Ok(crate::calendar::day(year, next()? as u32, next()? as u32))
}

/// Share of employment by KSIC section and how much of it is day labour; Statistics Korea's
/// shape, rounded.
const SECTIONS: [(u8, f64, f64); 17] = [
    (b'A', 0.6, 1.0),
    (b'C', 17.0, 0.7),
    (b'D', 0.4, 0.0),
    (b'E', 0.8, 0.3),
    (b'F', 9.0, 9.0),
    (b'G', 15.0, 0.8),
    (b'H', 6.0, 1.5),
    (b'I', 12.0, 2.5),
    (b'J', 4.5, 0.2),
    (b'K', 3.0, 0.1),
    (b'L', 3.5, 0.2),
    (b'M', 6.0, 0.3),
    (b'N', 6.5, 2.0),
    (b'P', 5.0, 0.3),
    (b'Q', 7.5, 0.2),
    (b'R', 2.5, 1.0),
    (b'S', 4.0, 0.6),
];

impl Reference {
    /// Reads the seeds compiled into the program.
    pub(crate) fn load() -> Result<Self, SimulationError> {
        let sido = rows(
            "sido",
            include_str!("../../../sql/seeds/sido.csv"),
            ["sido", "name_ko", "short_ko", "residents"],
        )?;
        let occupations = occupations()?;
        Ok(Self {
            places: places(&sido)?,
            industries: industries()?,
            occupations,
            minimum_wage: rows(
                "minimum_wage",
                include_str!("../../../sql/seeds/minimum_wage.csv"),
                ["year", "hourly_won"],
            )?
            .into_iter()
            .map(|[year, won]| {
                Ok((
                    number("minimum_wage", &year)?,
                    number("minimum_wage", &won)?,
                ))
            })
            .collect::<Result<_, SimulationError>>()?,
            benefit_rules: benefit_rules()?,
            entitlement: rows(
                "entitled_days",
                include_str!("../../../sql/seeds/entitled_days.csv"),
                [
                    "insured_days_from",
                    "insured_days_to",
                    "age_band",
                    "entitled_days",
                ],
            )?
            .into_iter()
            .map(|[from, to, band, days]| {
                let table = "entitled_days";
                Ok((
                    number(table, &from)?,
                    number(table, &to)?,
                    band == "50_or_over",
                    number(table, &days)?,
                ))
            })
            .collect::<Result<_, SimulationError>>()?,
        })
    }

    /// Hourly minimum wage of a year; years outside the table take the nearest.
    pub(crate) fn minimum_wage(&self, year: i32) -> i64 {
        let nearest = self
            .minimum_wage
            .iter()
            .min_by_key(|(of, _)| ((of - year).abs(), *of));
        nearest.map_or(0, |(_, won)| *won)
    }

    /// Ceiling, replacement per cent, floor per cent and floor hours in force on a day.
    pub(crate) fn benefit_rule(&self, on: Day) -> (i64, i64, i64, i64) {
        let rule = self
            .benefit_rules
            .iter()
            .find(|rule| rule.from <= on && on <= rule.to)
            .or(self.benefit_rules.first());
        rule.map_or((0, 0, 0, 8), |rule| {
            (
                rule.ceiling_won,
                rule.rate_percent,
                rule.floor_percent,
                rule.floor_hours,
            )
        })
    }

    /// Entitled days of the table in force.
    pub(crate) fn entitled_days(&self, insured_days: i32, fifty_or_over: bool) -> i32 {
        self.entitlement
            .iter()
            .find(|(from, to, old, _)| {
                *from <= insured_days && insured_days < *to && *old == fifty_or_over
            })
            .map_or(120, |(_, _, _, days)| *days)
    }

    /// Index of the place at a point of the cumulative population, `point` in [0, 1).
    pub(crate) fn place_at(&self, point: f64) -> u16 {
        let index = self
            .places
            .partition_point(|place| place.cumulative <= point);
        index.min(self.places.len().saturating_sub(1)) as u16
    }
}

fn places(sido: &[[String; 4]]) -> Result<Vec<Place>, SimulationError> {
    let table = rows(
        "sigungu",
        include_str!("../../../sql/seeds/sigungu.csv"),
        ["sigungu", "sido", "name_ko"],
    )?;
    let centres = rows(
        "centre",
        include_str!("../../../sql/seeds/centre.csv"),
        ["centre", "sido"],
    )?;
    // A city that is divided into districts stands beside them in the table; people live in the
    // districts.
    let divided = |name: &str, of_sido: &str| {
        table.iter().any(|[_, other_sido, other]| {
            other_sido == of_sido
                && other
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(' '))
        })
    };
    let mut result = Vec::new();
    let mut total = 0.0;
    for [sido_code, sido_full_name, sido_name, residents] in sido {
        let members: Vec<_> = table
            .iter()
            .filter(|[_, of_sido, name]| of_sido == sido_code && !divided(name, of_sido))
            .collect();
        // Sigungu sizes within a sido are not in the seeds: towns and districts carry more than
        // rural counties.
        let weight = |name: &str| if name.ends_with('군') { 0.25 } else { 1.0 };
        let weights: f64 = members.iter().map(|[_, _, name]| weight(name)).sum();
        let residents: f64 = number("sido", residents)?;
        for [code, _, name] in members {
            total += residents * weight(name) / weights;
            let mut sido_bytes = [0; 2];
            sido_bytes.copy_from_slice(&sido_code.as_bytes()[..2]);
            result.push(Place {
                code: code.clone(),
                sido: sido_bytes,
                cumulative: total,
                centres: centres
                    .iter()
                    .filter(|[_, of_sido]| of_sido == sido_code)
                    .map(|[centre, _]| centre.clone())
                    .collect(),
                sido_name: sido_name.clone(),
                sido_full_name: sido_full_name.clone(),
                name: name.clone(),
            });
        }
    }
    for place in &mut result {
        place.cumulative /= total;
    }
    if result.is_empty() {
        Err(broken("sigungu"))
    } else {
        Ok(result)
    }
}

fn industries() -> Result<Vec<Industry>, SimulationError> {
    let divisions = rows(
        "ksic_division",
        include_str!("../../../sql/seeds/ksic_division.csv"),
        ["division", "section"],
    )?;
    let classes = rows(
        "ksic_class",
        include_str!("../../../sql/seeds/ksic_class.csv"),
        ["ksic", "division", "name_ko"],
    )?;
    let mut result: Vec<Industry> = Vec::new();
    for (section, share, daily) in SECTIONS {
        let members: Vec<_> = classes
            .iter()
            .filter(|[_, division, _]| {
                divisions
                    .iter()
                    .any(|[code, of]| code == division && of.as_bytes().first() == Some(&section))
            })
            .collect();
        // Industries within a section follow a power law of their order, so that a few are
        // common and most are rare.
        let weights: f64 = (0..members.len())
            .map(|rank| 1.0 / (rank as f64 + 3.0))
            .sum();
        for (rank, [ksic, _, name]) in members.iter().enumerate() {
            result.push(Industry {
                ksic: ksic.clone(),
                name: name.clone(),
                section,
                weight: share / (rank as f64 + 3.0) / weights,
                daily,
            });
        }
    }
    if result.is_empty() {
        Err(broken("ksic_class"))
    } else {
        Ok(result)
    }
}

fn occupations() -> Result<Vec<Occupation>, SimulationError> {
    /// By KECO major group: weight, log wage, log finding.
    const MAJOR: [(f64, f64, f64); 13] = [
        (20.0, 0.20, 0.05),
        (7.0, 0.35, 0.30),
        (9.0, 0.05, 0.10),
        (8.0, 0.10, 0.45),
        (4.0, -0.05, -0.30),
        (15.0, -0.30, 0.15),
        (15.0, -0.10, 0.00),
        (7.0, 0.05, -0.25),
        (7.0, 0.10, 0.15),
        (4.0, 0.10, 0.20),
        (4.0, -0.05, 0.05),
        (6.0, -0.20, -0.05),
        (1.0, -0.30, -0.50),
    ];
    let table = rows(
        "keco_minor",
        include_str!("../../../sql/seeds/keco_minor.csv"),
        ["occupation", "major", "name_ko"],
    )?;
    let mut result = Vec::new();
    for [code, major, name] in table {
        let index: usize = number("keco_minor", &major)?;
        let (weight, log_wage, log_finding) = *MAJOR
            .get(index.wrapping_sub(1))
            .ok_or_else(|| broken("keco_minor"))?;
        let spread =
            crate::random::splitmix(code.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte)));
        let shift = (spread % 1000) as f64 / 1000.0 - 0.5;
        let mut name_20 = [b' '; 20];
        let mut used = 0;
        for character in name.chars() {
            let encoded = cp949(character.encode_utf8(&mut [0; 4]));
            if used + encoded.len() > 20 {
                break;
            }
            name_20[used..used + encoded.len()].copy_from_slice(&encoded);
            used += encoded.len();
        }
        result.push(Occupation {
            code,
            name,
            name_20,
            log_wage: log_wage + shift * 0.3,
            log_finding: log_finding + shift * 0.4,
            weight,
        });
    }
    if result.is_empty() {
        Err(broken("keco_minor"))
    } else {
        Ok(result)
    }
}

fn benefit_rules() -> Result<Vec<BenefitRule>, SimulationError> {
    let table = "benefit_ceiling";
    let percent = |text: &str| -> Result<i64, SimulationError> {
        Ok((number::<f64>(table, text)? * 100.0).round() as i64)
    };
    rows(
        table,
        include_str!("../../../sql/seeds/benefit_ceiling.csv"),
        [
            "valid_from",
            "valid_to",
            "ceiling_daily_won",
            "replacement_rate",
            "floor_rate",
            "floor_hours",
        ],
    )?
    .into_iter()
    .map(|[from, to, ceiling, replacement, floor, hours]| {
        Ok(BenefitRule {
            from: date(table, &from)?,
            to: date(table, &to)?,
            ceiling_won: number(table, &ceiling)?,
            rate_percent: percent(&replacement)?,
            floor_percent: percent(&floor)?,
            floor_hours: number(table, &hours)?,
        })
    })
    .collect()
}
