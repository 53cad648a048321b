//! The draft as YAML: a guess for each column and the evidence beside it.

use std::collections::BTreeMap;
use std::fmt::Write;

use goyong_catalog::contract::Contract;

use super::names::{Names, ascii_name};
use super::profile::{DATES, MOMENTS, MONTHS, Profile};
use super::sample::{Kind, Sample};
use super::{Layout, Seen};

/// What a column seems to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Guess {
    pub column_type: String,
    pub formats: Vec<&'static str>,
    pub tags: Vec<&'static str>,
    pub range: Option<(i64, i64)>,
    pub domain: Vec<String>,
    pub pattern: Option<String>,
    pub strip: bool,
    pub evidence: Vec<String>,
}

impl Guess {
    fn of(column_type: impl Into<String>) -> Self {
        Self {
            column_type: column_type.into(),
            ..Self::default()
        }
    }

    fn because(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    fn tagged(mut self, tag: &'static str) -> Self {
        self.tags.push(tag);
        self
    }

    /// Whether values of the column may identify a person, so that none is written down.
    fn is_personal(&self) -> bool {
        !self.tags.is_empty()
            || matches!(
                self.column_type.as_str(),
                "rrn" | "name" | "contact" | "digest"
            )
    }
}

pub(super) fn write(
    sample: &Sample,
    layout: &Layout,
    file_name: &str,
    contracts: &BTreeMap<String, Contract>,
) -> String {
    let source = source_name(file_name);
    let has_number = layout
        .columns
        .iter()
        .any(|column| is_resident_number(column));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let out = &mut text;
    let _ = writeln!(
        out,
        "# Drafted from {} of {} rows{}. Complete what is marked with ?, then check it with",
        if sample_is_whole(sample) {
            "all"
        } else {
            "the first"
        },
        layout.rows,
        if sample_is_whole(sample) {
            String::new()
        } else {
            format!(", a sample of a file of {} MiB", sample.file_bytes >> 20)
        },
    );
    let _ = writeln!(out, "# `goyong contract check FILE --source {source}`.");
    for note in &layout.notes {
        let _ = writeln!(out, "# {note}.");
    }
    let _ = writeln!(out, "source: {source}");
    let _ = writeln!(out, "title: {{ko: \"?\", en: \"?\"}}");
    let _ = writeln!(out, "description: {{ko: \"?\", en: \"one row per ?\"}}");
    let _ = writeln!(out, "provider: {{ko: \"?\", en: \"?\"}}");
    if has_number {
        let _ = writeln!(out, "legal_basis: \"?\"  # resident numbers are processed");
    }
    let _ = writeln!(out, "cadence: irregular  # ?");
    let _ = writeln!(out, "files: [{}]", quoted(&glob_of(file_name)));
    let _ = writeln!(out, "manifest: none  # ?");
    if let Some(pattern) = period_pattern(file_name) {
        let _ = writeln!(
            out,
            "period: {{from: filename, pattern: {}}}  # the file's name holds digits of a month or year",
            quoted(pattern)
        );
        let _ = writeln!(out, "revision: replace_period  # ?");
    } else {
        let _ = writeln!(out, "revision: append  # ?");
    }
    let _ = writeln!(out, "key: []  # ? the columns that identify a row");
    let _ = writeln!(out, "format:");
    let mut first = true;
    for (name, value, evidence) in &layout.options {
        write_line(out, "  ", &format!("{name}: {value}"), evidence);
        if first && !matches!(sample.kind, Kind::Parquet | Kind::Xlsx) {
            let encoding = format!("encoding: {}", sample.encoding.as_str());
            write_line(out, "  ", &encoding, &sample.encoding_evidence);
            if let Some(compression) = sample.compression {
                write_line(out, "  ", &format!("compression: {compression}"), "");
            }
        }
        first = false;
    }
    let _ = writeln!(out, "columns:");
    let mut names = Names::new(contracts);
    for (position, column) in layout.columns.iter().enumerate() {
        let mut guess = guess(column, has_number);
        let (name, lender) = names.name(&column.from, position);
        if let Some(lender) = lender {
            guess.evidence.push(format!("named as in {lender}"));
        }
        write_column(out, &name, column, &guess);
    }
    text
}

fn sample_is_whole(sample: &Sample) -> bool {
    sample.is_whole
}

fn write_line(out: &mut String, indent: &str, line: &str, evidence: &str) {
    let comment = if evidence.is_empty() {
        String::new()
    } else {
        format!("  # {evidence}")
    };
    let _ = writeln!(out, "{indent}{line}{comment}");
}

fn write_column(out: &mut String, name: &str, column: &Seen, guess: &Guess) {
    let profile = &column.profile;
    let mut keys = vec![format!("name: {name}")];
    if !column.from.is_empty() && column.at.is_none() && column.from != name {
        keys.push(format!("from: {}", quoted(&column.from)));
    }
    keys.push(if guess.column_type.contains('(') {
        format!("type: {}", quoted(&guess.column_type))
    } else {
        format!("type: {}", guess.column_type)
    });
    match guess.formats.as_slice() {
        [] => {}
        [one] => keys.push(format!("format: {}", quoted(one))),
        several => keys.push(format!("format: {}", list(several.iter().copied()))),
    }
    let markers: u64 = profile.markers.values().sum();
    if profile.empty + markers > 0 {
        keys.push("nullable: true".to_owned());
    }
    if markers > 0 {
        let markers = std::iter::once("").chain(profile.markers.keys().copied());
        keys.push(format!("null_values: {}", list(markers)));
    }
    if let Some(pattern) = &guess.pattern {
        keys.push(format!("pattern: {}", quoted(pattern)));
    }
    if !guess.domain.is_empty() {
        keys.push(format!(
            "domain: {}",
            list(guess.domain.iter().map(String::as_str))
        ));
    }
    if let Some((minimum, _)) = guess.range.filter(|(minimum, _)| *minimum >= 0) {
        let _ = minimum;
        keys.push("range: [0, null]".to_owned());
    }
    if guess.strip {
        keys.push("strip: [\",\"]".to_owned());
    }
    if !guess.tags.is_empty() {
        keys.push(format!("tags: [{}]", guess.tags.join(", ")));
    }
    if let Some((start, length)) = column.at {
        keys.push(format!("at: [{start}, {length}]"));
    }
    let mut evidence = guess.evidence.clone();
    if profile.empty > 0 {
        evidence.push(format!("{} of {} empty", profile.empty, profile.rows));
    }
    if let Some((minimum, maximum)) = guess.range.filter(|_| !guess.is_personal()) {
        evidence.push(format!("{minimum} to {maximum}"));
    }
    let line = format!("- {{{}}}", keys.join(", "));
    write_line(out, "  ", &line, &evidence.join("; "));
}

/// Decides what a column is. The order matters: what may identify a person comes first.
pub(super) fn guess(column: &Seen, has_number: bool) -> Guess {
    let profile = &column.profile;
    let header = column.from.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| header.contains(word));
    if profile.values == 0 {
        let personal = says(&[
            "성명",
            "이름",
            "name",
            "연락처",
            "전화",
            "주소",
            "phone",
            "mail",
        ]);
        let empty = Guess::of("string").because("no value in the sample");
        return if personal {
            empty.tagged("direct_identifier")
        } else {
            empty
        };
    }
    if is_resident_number(column) {
        return Guess::of("rrn").tagged("pseudonym").because(format!(
            "{} of {} are shaped like resident numbers, the check digit is right in {}",
            profile.resident, profile.values, profile.resident_checked
        ));
    }
    if let Some(guess) = personal(profile, &says, has_number) {
        return guess;
    }
    let is_business = profile.mostly(profile.business)
        && (profile.business_checked * 10 >= profile.values * 9
            || says(&["사업자등록번호", "사업자번호", "biz_no", "bizno"]));
    if is_business {
        return Guess::of("biz_no").because(format!(
            "10 digits, the check digit is right in {} of {}",
            profile.business_checked, profile.values
        ));
    }
    if profile.mostly(profile.digests) {
        return Guess::of("digest").because("hexadecimal digests");
    }
    if let Some(guess) = moment(profile) {
        return guess;
    }
    if profile.mostly(profile.booleans) && profile.digits_only == 0 {
        return with_misfits(Guess::of("boolean"), profile, profile.booleans).because("yes and no");
    }
    if let Some(guess) = code(profile, &says) {
        return guess;
    }
    if let Some(guess) = number(profile, &says) {
        return guess;
    }
    words(profile, &says)
}

/// Names, telephone numbers, mail: to the vault when a resident number says whose they are.
fn personal(profile: &Profile, says: &dyn Fn(&[&str]) -> bool, has_number: bool) -> Option<Guess> {
    let is_name = profile.mostly(profile.names)
        && (says(&["성명", "이름", "성함", "대표자", "담당", "name"])
            || profile.few_values().is_none());
    let is_firm = says(&["사업장명", "기업명", "회사", "상호", "기관", "업체"]);
    let (column_type, evidence) =
        if profile.mostly(profile.emails) || says(&["이메일", "e-mail", "email"]) {
            ("contact", "mail addresses")
        } else if profile.mostly(profile.phones) && !profile.mostly(profile.business)
            || says(&["전화", "연락처", "휴대", "phone"])
        {
            ("contact", "telephone numbers")
        } else if (is_name || says(&["성명", "성함"])) && !is_firm {
            ("name", "names of persons")
        } else if says(&["주소", "address"]) && has_number && !is_firm {
            ("contact", "addresses")
        } else {
            return None;
        };
    let evidence = format!("{evidence} by header or shape");
    Some(if has_number {
        Guess::of(column_type)
            .tagged("direct_identifier")
            .because(evidence)
    } else {
        Guess::of("string")
            .tagged("direct_identifier")
            .because(format!(
                "{evidence}; no resident number says whose, so ask for one or leave the column out"
            ))
    })
}

fn moment(profile: &Profile) -> Option<Guess> {
    let kinds: [(&str, &[u64], &[&'static str]); 3] = [
        ("timestamp", &profile.moments, &MOMENTS),
        ("date", &profile.dates, &DATES),
        ("month", &profile.months, &MONTHS),
    ];
    for (column_type, counts, patterns) in kinds {
        let found: Vec<(&'static str, u64)> = patterns
            .iter()
            .copied()
            .zip(counts.iter().copied())
            .filter(|(_, count)| *count > 0)
            .collect();
        let total: u64 = found.iter().map(|(_, count)| count).sum();
        if profile.mostly(total) {
            let mut guess = Guess::of(column_type);
            guess.formats = found.iter().map(|(pattern, _)| *pattern).collect();
            return Some(with_misfits(guess, profile, total));
        }
    }
    None
}

fn code(profile: &Profile, says: &dyn Fn(&[&str]) -> bool) -> Option<Guess> {
    if profile.digits_only != profile.values {
        return None;
    }
    let says_amount = says(&["금액", "원", "won", "인원", "수량", "일수", "건수"]);
    let says_code = says(&["코드", "번호", "code", "_no", "_cd", "_id", "ksic"]);
    let evidence = if profile.leading_zeros > 0 {
        format!("{} values begin with 0", profile.leading_zeros)
    } else if says_code && !says_amount {
        "digits, a code by its header".to_owned()
    } else if profile.longest > 18 {
        "more digits than a number holds".to_owned()
    } else {
        return None;
    };
    let mut guess = Guess::of("code").because(evidence);
    if let Some(few) = profile.few_values() {
        guess.domain = few.into_iter().map(str::to_owned).collect();
    } else if let Some(digits) = profile.fixed_digits() {
        guess.pattern = Some(format!("^\\d{{{digits}}}$"));
    }
    Some(guess)
}

fn number(profile: &Profile, says: &dyn Fn(&[&str]) -> bool) -> Option<Guess> {
    let whole = profile.integers;
    let range = profile.minimum.zip(profile.maximum);
    let mut guess = if profile.mostly(whole) {
        let is_won = says(&[
            "금액",
            "급여",
            "임금",
            "보수",
            "won",
            "(원)",
            "지급액",
            "총액",
            "소득",
        ]);
        let is_small = range.is_some_and(|(minimum, maximum)| {
            i32::try_from(minimum).is_ok() && maximum < i64::from(i32::MAX) / 4
        });
        let word = if is_won {
            "won"
        } else if is_small {
            "int"
        } else {
            "bigint"
        };
        let mut guess = with_misfits(Guess::of(word), profile, whole);
        guess.range = range;
        guess
    } else if profile.mostly(whole + profile.decimals) {
        let scale = profile.scale.min(18);
        let precision = (profile.whole_digits + scale + 2).min(38);
        with_misfits(
            Guess::of(format!("decimal({precision},{scale})")),
            profile,
            whole + profile.decimals,
        )
    } else if profile.mostly(whole + profile.decimals + profile.floats) {
        Guess::of("float")
    } else {
        return None;
    };
    if profile.with_commas > 0 {
        guess.strip = true;
        guess = guess.because(format!(
            "{} values have thousands marks",
            profile.with_commas
        ));
    }
    Some(guess)
}

fn words(profile: &Profile, says: &dyn Fn(&[&str]) -> bool) -> Guess {
    // What looks like names of persons is only listed where the header calls it a category.
    let is_category = says(&[
        "형태", "구분", "상태", "여부", "종류", "유형", "kind", "type", "status",
    ]);
    let may_name = profile.names * 2 > profile.values && !is_category || profile.resident > 0;
    if let Some(few) = profile.few_values().filter(|_| !may_name) {
        let mut guess = Guess::of("code").because(format!("{} different values", few.len()));
        guess.domain = few.into_iter().map(str::to_owned).collect();
        return guess;
    }
    if profile.longest > 200 {
        return Guess::of("text")
            .tagged("free_text")
            .because(format!("up to {} letters", profile.longest));
    }
    let guess = Guess::of("string").because(format!("up to {} letters", profile.longest));
    if profile.resident > 0 {
        return guess.tagged("sensitive").because(format!(
            "{} values are shaped like resident numbers",
            profile.resident
        ));
    }
    guess
}

fn with_misfits(guess: Guess, profile: &Profile, fitting: u64) -> Guess {
    match profile.values.saturating_sub(fitting) {
        0 => guess,
        misfits => guess.because(format!(
            "{misfits} of {} do not fit and would be quarantined",
            profile.values
        )),
    }
}

fn is_resident_number(column: &Seen) -> bool {
    let profile = &column.profile;
    let says = ["주민등록번호", "주민번호", "외국인등록번호", "rrn"]
        .iter()
        .any(|word| column.from.to_lowercase().contains(word));
    profile.values > 0
        && ((says && profile.resident * 2 > profile.values)
            || (profile.mostly(profile.resident) && profile.resident_checked * 2 > profile.values))
}

fn source_name(file_name: &str) -> String {
    let stem = file_name.split('.').next().unwrap_or(file_name);
    // Behind a period stand revisions and parts.
    let stem = match regex::Regex::new(r"_(?:19|20)\d{2}") {
        Ok(period) => period.split(stem).next().unwrap_or(stem),
        Err(_) => stem,
    };
    let name = ascii_name(stem).unwrap_or_default();
    let name = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
    if name.len() < 2 {
        "new_source".to_owned()
    } else {
        name.to_owned()
    }
}

/// The file's name with its digits at the end left open.
fn glob_of(file_name: &str) -> String {
    let (stem, ending) = file_name.split_once('.').unwrap_or((file_name, ""));
    let stem = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if ending.is_empty() {
        format!("{stem}*")
    } else {
        format!("{stem}*.{ending}")
    }
}

fn period_pattern(file_name: &str) -> Option<&'static str> {
    const PATTERNS: [&str; 2] = [
        r"_((?:19|20)\d{2}-?(?:0[1-9]|1[0-2]))[_.]",
        r"_((?:19|20)\d{2})[_.]",
    ];
    PATTERNS.into_iter().find(|pattern| {
        regex::Regex::new(pattern).is_ok_and(|expression| expression.is_match(file_name))
    })
}

fn list<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    format!("[{}]", texts.map(quoted).collect::<Vec<_>>().join(", "))
}

/// A text in double quotes; JSON's escapes are YAML's too.
fn quoted(text: impl AsRef<str>) -> String {
    serde_json::to_string(text.as_ref()).unwrap_or_default()
}
