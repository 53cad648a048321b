//! Members of a zip archive: which one holds the data, and which archives are not opened at all.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use goyong_catalog::contract::Format;
use zip::ZipArchive;

use super::{Budget, Expanded};
use crate::encoding::TextDecoder;
use crate::error::{IntakeError, Refusal, RefusalRule};
use crate::glob::matches_glob;

/// Most members of an archive.
pub(crate) const MEMBERS: u64 = 10_000;

/// An archive whose directory has been checked.
pub(crate) struct Members {
    archive: ZipArchive<File>,
    /// Index and name of each member that holds data.
    data: Vec<(usize, String)>,
}

impl Members {
    /// Opens the archive and finds the data in it. Nothing is expanded yet, and nothing is ever
    /// written out.
    pub fn open(mut file: File, format: &Format) -> Result<Self, IntakeError> {
        refuse_many_members(&mut file)?;
        let mut archive = ZipArchive::new(file).map_err(|error| malformed(&error.to_string()))?;
        let mut data = Vec::new();
        let mut others = 0usize;
        for index in 0..archive.len() {
            let member = archive
                .by_index_raw(index)
                .map_err(|error| malformed(&error.to_string()))?;
            let name = member_name(member.name_raw());
            if leads_outside(&name) {
                return Err(refuse(
                    RefusalRule::Malformed,
                    "a member's name leads out of the archive: ask the provider for a clean one",
                ));
            }
            if member.is_symlink() {
                return Err(refuse(
                    RefusalRule::Malformed,
                    "a member is a link: ask the provider for the file itself",
                ));
            }
            if member.is_dir() || is_clutter(&name) {
                continue;
            }
            let is_wanted = match &format.member {
                None => true,
                Some(glob) => matches_glob(glob, &name) || matches_glob(glob, base_name(&name)),
            };
            if !is_wanted {
                others += 1;
                continue;
            }
            if member.encrypted() {
                return Err(refuse(
                    RefusalRule::Malformed,
                    "the archive is encrypted: ask the provider for one without a password",
                ));
            }
            data.push((index, name));
        }
        if data.is_empty() {
            let message = match &format.member {
                Some(glob) => {
                    format!("no member of the archive matches `{glob}`, it has {others} others")
                }
                None => "the archive holds no file".to_owned(),
            };
            return Err(refuse(RefusalRule::Malformed, &message));
        }
        data.sort_by(|left, right| left.1.cmp(&right.1));
        Ok(Self { archive, data })
    }

    /// Names of the members that hold data, in order.
    pub fn names(&self) -> Vec<String> {
        self.data.iter().map(|(_, name)| name.clone()).collect()
    }

    /// The content of the member at a position of [`names`](Self::names).
    pub fn read<'a>(
        &'a mut self,
        position: usize,
        budget: &'a Budget,
    ) -> Result<impl Read + Send + 'a, IntakeError> {
        let (index, _) = self.data[position];
        let member = self
            .archive
            .by_index(index)
            .map_err(|error| malformed(&error.to_string()))?;
        Ok(Expanded::new(member, budget))
    }
}

/// The refusal of an archive with several members where one is wanted.
pub(crate) fn ambiguous(names: &[String]) -> IntakeError {
    let mut shown: Vec<String> = names
        .iter()
        .take(5)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.len() > shown.len() {
        shown.push("…".to_owned());
    }
    refuse(
        RefusalRule::Malformed,
        &format!(
            "the archive holds {} files, {}: say which with `member`",
            names.len(),
            shown.join(", ")
        ),
    )
}

/// Korean archivers write names in CP949 without saying so.
fn member_name(raw: &[u8]) -> String {
    match std::str::from_utf8(raw) {
        Ok(name) => name.to_owned(),
        Err(_) => TextDecoder::Cp949
            .decode(raw)
            .unwrap_or_else(|| String::from_utf8_lossy(raw).into_owned()),
    }
}

fn leads_outside(name: &str) -> bool {
    let is_drive = name.as_bytes().get(1) == Some(&b':');
    name.starts_with(['/', '\\'])
        || is_drive
        || name.contains('\0')
        || name.split(['/', '\\']).any(|step| step == "..")
}

/// What archivers of other systems leave behind.
fn is_clutter(name: &str) -> bool {
    let base = base_name(name);
    name.starts_with("__MACOSX/") || base.starts_with('.') || base.eq_ignore_ascii_case("thumbs.db")
}

fn base_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// Reads how many members the archive's directory says it has, before the directory is read.
pub(crate) fn refuse_many_members<R: Read + Seek>(reader: &mut R) -> Result<(), IntakeError> {
    /// The end record without comment, and the longest comment.
    const END_BYTES: u64 = 22;
    const TAIL_BYTES: u64 = END_BYTES + 0xFFFF;
    const LOCATOR_BYTES: usize = 20;
    let failed = |source| IntakeError::Stream { source };
    let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
    let tail_from = length.saturating_sub(TAIL_BYTES + LOCATOR_BYTES as u64);
    reader.seek(SeekFrom::Start(tail_from)).map_err(failed)?;
    let mut tail = Vec::new();
    reader.read_to_end(&mut tail).map_err(failed)?;
    let mut count = None;
    if let Some(end) = memchr::memmem::rfind(&tail, b"PK\x05\x06") {
        count = number(&tail, end + 10, 2);
        let locator = end
            .checked_sub(LOCATOR_BYTES)
            .filter(|at| tail[*at..].starts_with(b"PK\x06\x07"));
        let record = locator.and_then(|at| number(&tail, at + 8, 8));
        if let Some(record) = record.filter(|record| *record < length) {
            reader.seek(SeekFrom::Start(record)).map_err(failed)?;
            let mut large = Vec::new();
            (&mut *reader)
                .take(56)
                .read_to_end(&mut large)
                .map_err(failed)?;
            count = number(&large, 32, 8).or(count);
        }
    }
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    match count {
        Some(count) if count > MEMBERS => Err(refuse(
            RefusalRule::TooLarge,
            &format!("the archive has {count} members, {MEMBERS} are allowed"),
        )),
        _ => Ok(()),
    }
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

fn malformed(what: &str) -> IntakeError {
    refuse(
        RefusalRule::Malformed,
        &format!("not a readable zip archive: {what}"),
    )
}

fn refuse(rule: RefusalRule, message: &str) -> IntakeError {
    Refusal::new(rule, message).into()
}
