//! Workplace lists of other agencies, and labels given by clerks, as files.
//!
//! One list of each kind, as of the last delivered month: `nps_workplace` is the pension's open
//! list, `kcomwel_workplace` the accident insurance's, `linkage_label` a random sample looked up by
//! hand. `truth/workplace_entity.csv` says which rows are the same business.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::calendar::{Day, first_of, text};
use crate::deliver::{Manifest, file_name, hex, iso, write_manifest};
use crate::national::{INSTITUTIONS, institution_name};
use crate::random::Random;
use crate::reference::cp949;
use crate::scenario::Scenario;
use crate::world::iso_or_empty;
use crate::{SimulationConfig, SimulationError, SimulationSummary};

pub(crate) const EI: &str = "ei_workplace";
pub(crate) const NPS: &str = "nps_workplace";
pub(crate) const KCOMWEL: &str = "kcomwel_workplace";
const ALIO: &str = "alio_institution";
const LABELS: &str = "linkage_label";

/// Rows of the pension's list that clerks look up, whatever the size of the country.
const LABELLED_ROWS: f64 = 1_500.0;
/// Rows of the pension's list per resident, roughly.
const ROWS_PER_RESIDENT: f64 = 0.04;

/// Share of pension rows that clerks look up.
pub(crate) fn label_share(persons: u64) -> f64 {
    (LABELLED_ROWS / (persons as f64 * ROWS_PER_RESIDENT)).min(0.4)
}

/// What one block adds to the lists.
#[derive(Default)]
pub(crate) struct BlockRegisters {
    pension: Rows,
    accident: Rows,
    labels: Rows,
    truth: Vec<u8>,
}

#[derive(Default)]
struct Rows {
    bytes: Vec<u8>,
    rows: u64,
}

/// A row of the pension's list.
pub(crate) struct NpsRow {
    pub name: String,
    /// First six digits of the business number.
    pub prefix: String,
    /// Index of the reference's places.
    pub place: u16,
    pub road: String,
    pub tax_industry: String,
    pub has_number: bool,
    pub joined: Day,
    pub left: Option<Day>,
    pub members: i64,
}

/// A row of the accident insurance's list.
pub(crate) struct KcomwelRow {
    pub number: String,
    pub name: String,
    pub place: u16,
    pub road: String,
    pub house: usize,
    pub industry: String,
    pub persons: i64,
    pub established: Day,
    /// Kinds of insurance: 1 accident only, 2 both.
    pub kinds: usize,
}

impl BlockRegisters {
    /// Says that a row of a source is of a business.
    pub(crate) fn entity(&mut self, source: &str, key: &str, number: &[u8]) {
        // Writing to a vector cannot fail.
        let _ = writeln!(
            self.truth,
            "{source},{key},{}",
            String::from_utf8_lossy(number)
        );
    }

    /// Adds a row to the pension's list; returns its key, which is made of what stands in it,
    /// because the list numbers nothing.
    pub(crate) fn pension(
        &mut self,
        scenario: &Scenario,
        month: i32,
        row: &NpsRow,
        number: &[u8],
    ) -> String {
        let place = &scenario.reference.places[row.place as usize];
        let (industry, industry_name) = if row.has_number {
            (row.tax_industry.as_str(), "모의업종")
        } else {
            ("999999", "BIZ_NO미존재사업장")
        };
        let line = format!(
            "{},{},{},{},{} {} {},{} {},{},{},{industry},{industry_name},{},,{},{},0,0\n",
            iso(first_of(month)).get(..7).unwrap_or_default(),
            row.name,
            row.prefix,
            if row.left.is_some() { 2 } else { 1 },
            place.sido_full_name,
            place.name,
            row.road,
            place.sido_full_name,
            place.name,
            &place.code[..2],
            &place.code[2..],
            iso(row.joined),
            iso_or_empty(row.left),
            row.members,
        );
        self.pension.bytes.extend(cp949(&line));
        self.pension.rows += 1;
        let key = format!(
            "{}:{}:{}:{}",
            row.prefix,
            String::from_utf8_lossy(text(row.joined)),
            place.code,
            row.name
        );
        self.entity(NPS, &key, number);
        key
    }

    /// Adds the rows of a workplace to the accident insurance's list.
    pub(crate) fn accident(&mut self, scenario: &Scenario, row: &KcomwelRow, number: &[u8]) {
        let place = &scenario.reference.places[row.place as usize];
        let post = format!("{}{:03}", &place.code[..2], row.house % 1_000);
        for kind in 1..=row.kinds {
            let item = serde_json::json!({
                "addr": format!("{} {} {} {}", place.sido_name, place.name, row.road, row.house),
                "gyEopjongCd": row.industry,
                "opaBoheomFg": kind,
                "post": post,
                "saeopjaDrno": row.number.parse::<u64>().unwrap_or_default(),
                "saeopjangNm": row.name,
                "sangsiInwonCnt": row.persons,
                "seongripDt": String::from_utf8_lossy(text(row.established))
                    .parse::<u64>()
                    .unwrap_or_default(),
            });
            if self.accident.rows > 0 {
                self.accident.bytes.extend_from_slice(b",\n");
            }
            self.accident
                .bytes
                .extend_from_slice(item.to_string().as_bytes());
            self.accident.rows += 1;
        }
        self.entity(KCOMWEL, &row.number, number);
    }

    /// What a clerk found for a row: its counterpart in another source, a look-alike that is not,
    /// or nothing.
    pub(crate) fn label(
        &mut self,
        left_source: &str,
        left: &str,
        right_source: &str,
        right: Option<&str>,
        is_match: bool,
    ) {
        let is_match = is_match && right.is_some();
        let _ = write!(
            self.labels.bytes,
            "{left_source},{left},{right_source},{},{}",
            right.unwrap_or_default(),
            if is_match { "Y" } else { "N" }
        );
        self.labels.bytes.push(b'\n');
        self.labels.rows += 1;
    }
}

/// Which agency spells a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// Typed from paper: typing errors, broken brackets.
    Pension,
    /// Registered electronically: regular, but in its own form.
    Accident,
}

/// A firm's name as an agency writes it: legal form in any place, spaces, Latin spellings,
/// typing errors.
pub(crate) fn spell(
    random: &mut Random,
    core: &str,
    is_corporation: bool,
    spelling: Spelling,
) -> String {
    const LATIN: [(&str, &str); 5] = [
        ("테크", "TECH"),
        ("시스템", "SYSTEM"),
        ("엠비", "MB"),
        ("엘케이", "LK"),
        ("디에스", "DS"),
    ];
    const SLIPS: [(&str, &str); 8] = [
        ("정밀", "정말"),
        ("물산", "믈산"),
        ("건설", "건셜"),
        ("유통", "유퉁"),
        ("산업", "산엄"),
        ("기업", "기엄"),
        ("개발", "게발"),
        ("보람", "보럄"),
    ];
    let is_typed = spelling == Spelling::Pension;
    let mut name = core.replace(' ', "");
    for (hangul, latin) in LATIN {
        if name.contains(hangul) && random.chance(0.3) {
            name = name.replace(hangul, latin);
        }
    }
    if is_typed && random.chance(0.05) {
        let slip = SLIPS[random.below(SLIPS.len())];
        name = name.replace(slip.0, slip.1);
    }
    if is_typed && random.chance(0.02) {
        name.pop();
    }
    if random.chance(0.12) {
        // After the second to fourth syllable.
        let at = 2 + random.below(3);
        if let Some((at, _)) = name.char_indices().nth(at) {
            name.insert(at, ' ');
        }
    }
    if is_typed && random.chance(0.03) {
        name.push_str(["본점", "(본사)", " 본사"][random.below(3)]);
    }
    if !is_corporation {
        return name;
    }
    let forms: [f64; 9] = if is_typed {
        [40.0, 18.0, 12.0, 12.0, 4.0, 3.0, 3.0, 4.0, 4.0]
    } else {
        [20.0, 10.0, 40.0, 10.0, 18.0, 0.0, 0.0, 2.0, 0.0]
    };
    match random.weighted(&forms) {
        0 => format!("(주){name}"),
        1 => format!("{name}(주)"),
        2 => format!("주식회사 {name}"),
        3 => format!("주식회사{name}"),
        4 => format!("{name} 주식회사"),
        5 => format!("(주)){name}"),
        6 => format!("주){name}"),
        7 => format!("㈜{name}"),
        _ => format!("(주) {name}"),
    }
}

/// A file that grows block by block.
struct GrowingFile {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    rows: u64,
    bytes: u64,
}

impl GrowingFile {
    fn create(path: PathBuf) -> Result<Self, SimulationError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed(folder))?;
        }
        let file = BufWriter::new(File::create(&path).map_err(failed(&path))?);
        Ok(Self {
            path,
            file,
            hash: Sha256::new(),
            rows: 0,
            bytes: 0,
        })
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), SimulationError> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(failed(&self.path))
    }

    fn append(&mut self, rows: &Rows, between: &[u8]) -> Result<(), SimulationError> {
        if rows.rows > 0 {
            if self.rows > 0 {
                self.push(between)?;
            }
            self.push(&rows.bytes)?;
            self.rows += rows.rows;
        }
        Ok(())
    }
}

/// The lists being written.
pub(crate) struct RegisterFiles<'s> {
    scenario: &'s Scenario,
    pension: GrowingFile,
    accident: GrowingFile,
    labels: GrowingFile,
    truth: GrowingFile,
}

const PENSION_HEADER: &str = "자료생성년월,사업장명,사업자등록번호,사업장가입상태코드,사업장도로명상세주소,사업장지번상세주소,법정동주소광역시도코드,법정동주소광역시시군구코드,사업장업종코드,사업장업종코드명,적용일자,재등록일자,탈퇴일자,가입자수,신규취득자수,상실가입자수\n";
const ACCIDENT_HEAD: &str = "{\"response\":{\"header\":{\"resultCode\":\"00\",\"resultMsg\":\"NORMAL SERVICE.\"},\"body\":{\"items\":{\"item\":[\n";

impl<'s> RegisterFiles<'s> {
    pub(crate) fn create(
        scenario: &'s Scenario,
        config: &SimulationConfig,
    ) -> Result<Self, SimulationError> {
        let period = period(scenario).replace('-', "");
        let file = |source: &str, ending: &str| {
            GrowingFile::create(
                config
                    .landing
                    .join(source)
                    .join(format!("{source}_{period}_r1.{ending}")),
            )
        };
        let mut files = Self {
            scenario,
            pension: file(NPS, "csv")?,
            accident: file(KCOMWEL, "json")?,
            labels: file(LABELS, "csv")?,
            truth: GrowingFile::create(config.truth.join("workplace_entity.csv"))?,
        };
        files.pension.push(&cp949(PENSION_HEADER))?;
        files.accident.push(ACCIDENT_HEAD.as_bytes())?;
        files
            .labels
            .push(b"left_source,left_id,right_source,right_id,is_match,labelled_on\n")?;
        files.truth.push(b"source,source_id,entity\n")?;
        Ok(files)
    }

    /// Appends what a block lists. Blocks must come in their order.
    pub(crate) fn append(&mut self, block: &BlockRegisters) -> Result<(), SimulationError> {
        self.pension.append(&block.pension, b"")?;
        self.accident.append(&block.accident, b",\n")?;
        let day = format!(",{}\n", iso(self.labelled_on()));
        let mut dated = Rows {
            bytes: Vec::with_capacity(block.labels.bytes.len() * 2),
            rows: block.labels.rows,
        };
        for line in block.labels.bytes.split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                dated.bytes.extend_from_slice(line);
                dated.bytes.extend_from_slice(day.as_bytes());
            }
        }
        self.labels.append(&dated, b"")?;
        self.truth.push(&block.truth)
    }

    fn labelled_on(&self) -> Day {
        first_of(self.last_month() + 1) + 22
    }

    fn last_month(&self) -> i32 {
        self.scenario.start_month + self.scenario.months as i32 - 1
    }

    /// Adds the public institutions, closes the files and writes their manifests.
    pub(crate) fn finish(mut self, summary: &mut SimulationSummary) -> Result<(), SimulationError> {
        let institutions = self.institutions();
        self.append(&institutions)?;
        let total = self.accident.rows;
        self.accident
            .push(format!("\n]}},\"totalCount\":{total}}}}}}}\n").as_bytes())?;
        let period = period(self.scenario);
        let known = first_of(self.last_month() + 1) + 25;
        for (source, mut list) in [
            (NPS, self.pension),
            (KCOMWEL, self.accident),
            (LABELS, self.labels),
        ] {
            list.file.flush().map_err(failed(&list.path))?;
            let manifest = Manifest {
                source: source.to_owned(),
                period: period.clone(),
                revision: 1,
                rows: list.rows,
                control: serde_json::Map::new(),
                sha256: hex(&list.hash.finalize()),
                known_on: iso(known),
                file: file_name(&list.path),
            };
            write_manifest(&list.path, &manifest)?;
            summary.deliveries += 1;
            summary.rows += list.rows;
            summary.bytes += list.bytes;
            summary.rows_by_source.push((source.to_owned(), list.rows));
        }
        self.truth.file.flush().map_err(failed(&self.truth.path))?;
        summary.rows_by_source.sort();
        Ok(())
    }

    /// Public institutions belong to no block and are known to the pension by name.
    fn institutions(&self) -> BlockRegisters {
        let scenario = self.scenario;
        let mut random = Random::new(scenario.seed, 0x7e61_a110);
        let mut out = BlockRegisters::default();
        for institution in 0..INSTITUTIONS {
            let name = institution_name(institution);
            out.entity(ALIO, &name, name.as_bytes());
            if random.chance(0.04) {
                continue;
            }
            let written = match random.below(6) {
                0 => format!("(재){name}"),
                1 => format!("{name}(재)"),
                2 => format!("재단법인 {name}"),
                3 => name.replace("공공", " 공공"),
                _ => name.clone(),
            };
            let row = NpsRow {
                name: written,
                prefix: format!("{:06}", 100_000 + random.below(20_000)),
                place: scenario.reference.place_at(random.unit()),
                road: "모의공공로".to_owned(),
                tax_industry: "751100".to_owned(),
                has_number: random.chance(0.7),
                joined: first_of(1988 * 12) + random.between(0, 9_000),
                left: None,
                members: i64::from(random.between(20, 4_000)),
            };
            out.pension(scenario, self.last_month(), &row, name.as_bytes());
        }
        out
    }
}

fn period(scenario: &Scenario) -> String {
    let last = scenario.start_month + scenario.months as i32 - 1;
    format!("{:04}-{:02}", last.div_euclid(12), last.rem_euclid(12) + 1)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> SimulationError + '_ {
    move |source| SimulationError::Write {
        path: path.to_owned(),
        source,
    }
}
