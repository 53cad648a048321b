//! A secret in every form in which it could lie in a file, and a search for all of them.

use std::collections::BTreeSet;
use std::path::Path;

use aho_corasick::AhoCorasick;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use crate::support::files;

/// What must not be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    /// Thirteen digits.
    ResidentNumber(String),
    /// Three syllables or more; shorter ones are ordinary words too.
    Name(String),
    /// Digits of a telephone.
    Telephone(String),
}

/// Forms shorter than this are looked for where nothing is compressed: in compressed or encrypted
/// bytes they stand by chance.
const CERTAIN_BYTES: usize = 8;

impl Secret {
    /// The secret as it is written, with and without hyphens.
    fn spellings(&self) -> Vec<String> {
        match self {
            Self::ResidentNumber(digits) => {
                vec![digits.clone(), format!("{}-{}", &digits[..6], &digits[6..])]
            }
            Self::Name(name) => vec![name.clone()],
            Self::Telephone(digits) => {
                let middle = digits.len() - 4;
                vec![
                    digits.clone(),
                    format!(
                        "{}-{}-{}",
                        &digits[..3],
                        &digits[3..middle],
                        &digits[middle..]
                    ),
                ]
            }
        }
    }

    /// Every form with its name.
    pub fn forms(&self) -> Vec<(String, Vec<u8>)> {
        let mut forms = Vec::new();
        for text in self.spellings() {
            let mut add =
                |form: &str, bytes: Vec<u8>| forms.push((format!("{form} of a secret"), bytes));
            add("text", text.clone().into_bytes());
            add(
                "reversed text",
                text.chars().rev().collect::<String>().into_bytes(),
            );
            let (cp949, _, lost) = encoding_rs::EUC_KR.encode(&text);
            if !text.is_ascii() && !lost {
                add("CP949", cp949.into_owned());
            }
            add(
                "UTF-16LE",
                text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            );
            add(
                "UTF-16BE",
                text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            );
            for before in 0..3 {
                add("base64", base64_inside(text.as_bytes(), before));
            }
            let digest = Sha256::digest(text.as_bytes());
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            add("SHA-256", digest.to_vec());
            add("SHA-256 in upper case", hex.to_uppercase().into_bytes());
            add("SHA-256 in lower case", hex.into_bytes());
            let coded = base64_inside(&digest, 0);
            add(
                "base64 for addresses of SHA-256",
                coded
                    .iter()
                    .map(|byte| match byte {
                        b'+' => b'-',
                        b'/' => b'_',
                        byte => *byte,
                    })
                    .collect(),
            );
            add("base64 of SHA-256", coded);
        }
        if let Self::ResidentNumber(digits) | Self::Telephone(digits) = self {
            forms.push((
                "packed decimal of a secret".to_owned(),
                packed_decimal(digits),
            ));
        }
        if let Self::ResidentNumber(digits) = self {
            let number: i64 = digits.parse().unwrap();
            forms.push((
                "number of a secret".to_owned(),
                number.to_le_bytes().to_vec(),
            ));
            forms.push((
                "number of a secret".to_owned(),
                number.to_be_bytes().to_vec(),
            ));
        }
        forms
    }
}

/// The letters of base64 that stand for `bytes` alone when so many bytes stand before them and
/// others behind.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| -> usize {
        let byte = bytes[at / 8 - before];
        usize::from(byte >> (7 - at % 8) & 1)
    };
    let first = (before * 8).div_ceil(6);
    let end = (before + bytes.len()) * 8 / 6;
    (first..end)
        .map(|letter| {
            LETTERS[(0..6).fold(0, |value, offset| value << 1 | bit(letter * 6 + offset))]
        })
        .collect()
}

/// Two digits to a byte, a zero in front of an odd number of them.
fn packed_decimal(digits: &str) -> Vec<u8> {
    let even = if digits.len() % 2 == 1 {
        format!("0{digits}")
    } else {
        digits.to_owned()
    };
    even.as_bytes()
        .chunks(2)
        .map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0'))
        .collect()
}

/// Searches for secrets.
pub struct Search {
    all: AhoCorasick,
    names: Vec<String>,
    certain: AhoCorasick,
    certain_names: Vec<String>,
    plain: AhoCorasick,
    numbers: BTreeSet<i64>,
}

impl Search {
    pub fn new(secrets: &BTreeSet<Secret>) -> Self {
        let forms: Vec<(String, Vec<u8>)> = secrets.iter().flat_map(Secret::forms).collect();
        let certain: Vec<&(String, Vec<u8>)> = forms
            .iter()
            .filter(|(_, form)| form.len() >= CERTAIN_BYTES)
            .collect();
        let plain: Vec<String> = secrets.iter().flat_map(Secret::spellings).collect();
        Self {
            all: AhoCorasick::new(forms.iter().map(|(_, form)| form)).unwrap(),
            certain: AhoCorasick::new(certain.iter().map(|(_, form)| form)).unwrap(),
            plain: AhoCorasick::new(plain).unwrap(),
            certain_names: certain.iter().map(|(name, _)| name.clone()).collect(),
            names: forms.into_iter().map(|(name, _)| name).collect(),
            numbers: secrets
                .iter()
                .filter_map(|secret| match secret {
                    Secret::ResidentNumber(digits) => digits.parse().ok(),
                    _ => None,
                })
                .collect(),
        }
    }

    /// Which form stands in bytes that are neither compressed nor encrypted.
    pub fn in_bytes(&self, bytes: &[u8]) -> Option<&str> {
        let found = self.all.find(bytes)?;
        Some(&self.names[found.pattern().as_usize()])
    }

    /// Which form stands in a file, found with its place.
    pub fn in_file(&self, path: &Path) -> Vec<String> {
        // A file may be gone since the folder was listed.
        let Ok(bytes) = std::fs::read(path) else {
            return Vec::new();
        };
        let place = path.display();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if !matches!(ending, Some("parquet" | "xlsx" | "gz")) {
            let found = self.in_bytes(&bytes);
            return found
                .map(|form| format!("{form} in {place}"))
                .into_iter()
                .collect();
        }
        let mut findings = Vec::new();
        if let Some(found) = self.certain.find(&bytes) {
            let form = &self.certain_names[found.pattern().as_usize()];
            findings.push(format!("{form} in the bytes of {place}"));
        }
        if ending == Some("parquet") {
            findings.extend(self.in_columns(path));
        }
        findings
    }

    /// What is found anywhere below a folder.
    pub fn in_folder(&self, folder: &Path) -> Vec<String> {
        let mut findings = Vec::new();
        for path in files(folder) {
            findings.extend(self.in_file(&path));
        }
        findings
    }

    /// Vault and archive hold the secrets encrypted, and never as they are written.
    pub fn in_sealed_folder(&self, folder: &Path) -> Vec<String> {
        files(folder)
            .iter()
            .filter(|path| self.plain.is_match(&std::fs::read(path).unwrap()))
            .map(|path| format!("a secret in the clear in {}", path.display()))
            .collect()
    }

    fn in_columns(&self, path: &Path) -> Vec<String> {
        let mut findings = BTreeSet::new();
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap())
            .unwrap()
            .build()
            .unwrap();
        for batch in reader {
            let batch = batch.unwrap();
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                let place = format!("column {} of {}", field.name(), path.display());
                if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
                    if numbers
                        .iter()
                        .flatten()
                        .any(|number| self.numbers.contains(&number))
                    {
                        findings.insert(format!("number of a secret in {place}"));
                    }
                    // A key is a number of nineteen digits that may contain thirteen of anything.
                    continue;
                }
                let text = arrow_cast::cast(column, &DataType::Utf8).unwrap();
                for value in text.as_string::<i32>().iter().flatten() {
                    if let Some(form) = self.in_bytes(value.as_bytes()) {
                        findings.insert(format!("{form} in {place}"));
                    }
                }
                assert!(!text.is_empty() || batch.num_rows() == 0);
            }
        }
        findings.into_iter().collect()
    }
}
