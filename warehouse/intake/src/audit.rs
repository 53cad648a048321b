//! The audit chain: who saw or changed what about identities, when and why.
//!
//! `audit/chain.ndjson` is append-only. Each line carries the SHA-256 of the line before, so that a
//! changed, removed or reordered entry is noticed; the number and hash of the newest entry also
//! stand in the state database, so that a shortened file is. An entry is on the disk before what it
//! records happens. It holds no personal value: a person is named by a digest of the person key,
//! which whoever has the key can compare.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use goyong_store::{Warehouse, files};
use goyong_types::{PersonKey, holds_resident_number};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::deliver::store_error;
use crate::error::IntakeError;
use crate::identity::{hex, sync_folder};

const CHAIN: &str = "chain.ndjson";
/// Scope and key of the newest entry in the state database: `<number> <hash>`.
const HEAD: (&str, &str) = ("audit", "head");
/// What stands before the first entry.
const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// No entry is longer.
const ENTRY_BYTES: u64 = 16 << 10;
const TEXT_CHARACTERS: usize = 500;

/// Who asks, why, and for which case. All three are demanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    account: String,
    purpose: String,
    case: String,
    origin: Option<String>,
}

impl Access {
    /// Refuses empty or long texts, and digits that could be a resident number: the audit is read
    /// by people who may not see one.
    pub fn new(account: &str, purpose: &str, case: &str) -> Result<Self, IntakeError> {
        Ok(Self {
            account: checked("account", account)?,
            purpose: checked("purpose", purpose)?,
            case: checked("case", case)?,
            origin: None,
        })
    }

    /// The same with where it comes from: the machine, or the address of a client.
    pub fn with_origin(mut self, origin: &str) -> Result<Self, IntakeError> {
        self.origin = Some(checked("origin", origin)?);
        Ok(self)
    }
}

fn checked(name: &str, text: &str) -> Result<String, IntakeError> {
    let text = text.trim();
    let problem = if text.is_empty() {
        Some("is empty: say who asks, why and for which case")
    } else if text.chars().count() > TEXT_CHARACTERS || text.chars().any(char::is_control) {
        Some("is no plain text of one line and at most 500 characters")
    } else if holds_resident_number(text) {
        Some("holds what looks like a resident number: leave it out, the audit is no place for it")
    } else {
        None
    };
    match problem {
        None => Ok(text.to_owned()),
        Some(problem) => Err(IntakeError::Audit {
            message: format!("the {name} of the access {problem}"),
        }),
    }
}

/// What an entry is about.
#[derive(Clone, Debug, Default)]
pub struct AuditAction<'a> {
    /// A verb: `look_up`, `forget`, `rotate`, `show_record`.
    pub action: &'a str,
    /// The person, stored as a digest.
    pub person: Option<PersonKey>,
    /// Anything else worth keeping; never a personal value.
    pub note: String,
}

/// One entry of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Its number, from 1.
    pub number: u64,
    /// Coordinated universal time, for people.
    pub at: String,
    /// What was done.
    pub action: String,
    /// Who did it.
    pub account: String,
    /// What for.
    pub purpose: String,
    /// In which case.
    pub case: String,
    /// Where it came from, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Digest of the person key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Anything else; never a personal value.
    pub note: String,
    /// Hash of the entry before.
    pub before: String,
}

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Entries read.
    pub entries: u64,
    /// What is wrong, by line. Empty means sound.
    pub problems: Vec<String>,
}

/// The audit chain of a warehouse.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: PathBuf,
    warehouse: Warehouse,
}

impl AuditLog {
    /// The chain in `audit/` of a warehouse; made with the first entry.
    pub fn of(warehouse: &Warehouse) -> Self {
        Self {
            path: warehouse.root().join("audit").join(CHAIN),
            warehouse: warehouse.clone(),
        }
    }

    /// Appends an entry. When this returns, the entry survives a power cut; only then may happen
    /// what it records. Answers its number.
    ///
    /// # Errors
    ///
    /// A chain that lacks entries or whose newest entry is not the one known takes no more.
    pub async fn append(
        &self,
        access: &Access,
        action: &AuditAction<'_>,
    ) -> Result<u64, IntakeError> {
        let error = |source| IntakeError::file("write the audit chain", &self.path, source);
        let folder = self.path.parent().unwrap_or(Path::new("."));
        files::create_folders(folder).map_err(error)?;
        let mut file = open_private(&self.path).map_err(error)?;
        // Held until the file is dropped: two commands append one after the other.
        file.lock().map_err(error)?;
        let (number, before) = self.continue_from(&mut file).await?;
        let entry = AuditEntry {
            number,
            at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            action: action.action.to_owned(),
            account: access.account.clone(),
            purpose: access.purpose.clone(),
            case: access.case.clone(),
            origin: access.origin.clone(),
            person: action.person.map(subject),
            note: action.note.clone(),
            before,
        };
        let mut line = serde_json::to_string(&entry).map_err(|source| IntakeError::Audit {
            message: format!("an audit entry could not be written: {source}"),
        })?;
        let hash = hash_of(&line);
        line.push('\n');
        file.write_all(line.as_bytes())
            .and_then(|()| files::sync(&file, &self.path))
            .map_err(error)?;
        sync_folder(folder)?;
        self.warehouse
            .memo_put(HEAD.0, HEAD.1, &format!("{number} {hash}"))
            .await
            .map_err(|error| store_error("remember the audit head", error))?;
        Ok(number)
    }

    /// Number and predecessor of the next entry; what a crash left of an entry that was never
    /// acknowledged is cut off.
    async fn continue_from(&self, file: &mut File) -> Result<(u64, String), IntakeError> {
        let error = |source| IntakeError::file("read the audit chain", &self.path, source);
        let broken = |message: String| IntakeError::Audit {
            message: format!(
                "{message}: run `goyong audit verify`, and restore the chain from its backup"
            ),
        };
        let head = self.head().await?;
        let length = file.metadata().map_err(error)?.len();
        let start = length.saturating_sub(2 * ENTRY_BYTES);
        file.seek(SeekFrom::Start(start)).map_err(error)?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail).map_err(error)?;
        let complete = tail
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if complete < tail.len() {
            file.set_len(start + complete as u64).map_err(error)?;
        }
        file.seek(SeekFrom::End(0)).map_err(error)?;
        let last = tail[..complete]
            .split(|byte| *byte == b'\n')
            .rfind(|line| !line.is_empty());
        let (number, hash, follows) = match last {
            None => (0, START.to_owned(), String::new()),
            Some(line) => {
                let line = String::from_utf8_lossy(line).into_owned();
                let entry: AuditEntry = serde_json::from_str(&line)
                    .map_err(|_| broken("the newest audit entry cannot be read".to_owned()))?;
                (entry.number, hash_of(&line), entry.before)
            }
        };
        let (known, known_hash) = head.unwrap_or((0, START.to_owned()));
        // One more than known: the crash came between writing the entry and remembering it.
        let is_known = number == known && hash == known_hash;
        if is_known || (number == known + 1 && follows == known_hash) {
            Ok((number + 1, hash))
        } else {
            Err(broken(format!(
                "the audit chain ends with entry {number}, entry {known} is known"
            )))
        }
    }

    async fn head(&self) -> Result<Option<(u64, String)>, IntakeError> {
        let memo = self
            .warehouse
            .memo_get(HEAD.0, HEAD.1)
            .await
            .map_err(|error| store_error("look up the audit head", error))?;
        Ok(memo.as_deref().and_then(|text| {
            let (number, hash) = text.split_once(' ')?;
            Some((number.parse().ok()?, hash.to_owned()))
        }))
    }

    /// Every entry in order.
    ///
    /// # Errors
    /// A line that is no entry.
    pub fn entries(&self) -> Result<Vec<AuditEntry>, IntakeError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(IntakeError::file(
                    "read the audit chain",
                    &self.path,
                    source,
                ));
            }
        };
        let entry = |(position, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|_| IntakeError::Audit {
                message: format!(
                    "line {} is no entry: run `goyong audit verify`",
                    position + 1
                ),
            })
        };
        text.lines().enumerate().map(entry).collect()
    }

    /// Reads the whole chain and compares it with itself and with the state database.
    pub async fn verify(&self) -> Result<AuditReport, IntakeError> {
        let error = |source| IntakeError::file("read the audit chain", &self.path, source);
        let mut report = AuditReport::default();
        let mut before = START.to_owned();
        let head = self.head().await?;
        let file = match File::open(&self.path) {
            Ok(file) => Some(file),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => None,
            Err(other) => return Err(error(other)),
        };
        if let Some(file) = file {
            let mut reader = BufReader::new(file);
            let mut line = String::new();
            loop {
                line.clear();
                if reader.read_line(&mut line).map_err(error)? == 0 {
                    break;
                }
                report.entries += 1;
                let position = report.entries;
                let text = line.trim_end_matches('\n');
                match serde_json::from_str::<AuditEntry>(text) {
                    Err(_) => report.problems.push(format!("line {position} is no entry")),
                    Ok(entry) => {
                        if entry.number != position {
                            report.problems.push(format!(
                                "line {position} is entry {}: entries are missing or out of order",
                                entry.number
                            ));
                        }
                        if entry.before != before {
                            report.problems.push(format!(
                                "line {position} does not follow the line before: one of the two was changed, removed or moved"
                            ));
                        }
                    }
                }
                before = hash_of(text);
                if let Some((number, hash)) = &head
                    && *number == position
                    && *hash != before
                {
                    report.problems.push(format!(
                        "line {position} is not the entry the state database knows"
                    ));
                }
            }
        }
        if let Some((number, _)) = head
            && report.entries < number
        {
            report.problems.push(format!(
                "the chain ends after {} entries, {number} were written",
                report.entries
            ));
        }
        Ok(report)
    }
}

/// The digest that stands for a person in the chain.
fn subject(person: PersonKey) -> String {
    let mut state = Sha256::new();
    state.update(b"goyong audit subject\0");
    state.update(person.0.to_be_bytes());
    hex(&state.finalize()[..16])
}

fn hash_of(line: &str) -> String {
    hex(&Sha256::digest(line.as_bytes()))
}

fn open_private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use goyong_store::StoreConfig;

    async fn chain(entries: usize) -> (tempfile::TempDir, AuditLog) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let warehouse = Warehouse::create(&StoreConfig::in_folder(root))
            .await
            .unwrap();
        let audit = AuditLog::of(&warehouse);
        for index in 0..entries {
            append(&audit, index).await.unwrap();
        }
        (folder, audit)
    }

    async fn append(audit: &AuditLog, index: usize) -> Result<u64, IntakeError> {
        let access = Access::new("investigator", "overpayment", &format!("case {index}"))?;
        let action = AuditAction {
            action: "look_up",
            person: Some(PersonKey(index as i64)),
            note: String::new(),
        };
        audit.append(&access, &action).await
    }

    fn lines(audit: &AuditLog) -> Vec<String> {
        let text = fs::read_to_string(&audit.path).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn write(audit: &AuditLog, lines: &[String]) {
        fs::write(&audit.path, lines.join("\n") + "\n").unwrap();
    }

    #[tokio::test]
    async fn removed_changed_reordered_and_cut_entries_are_found() {
        let (_folder, audit) = chain(5).await;
        let sound = audit.verify().await.unwrap();
        assert_eq!((sound.entries, sound.problems.len()), (5, 0));
        let original = lines(&audit);

        let mut removed = original.clone();
        removed.remove(2);
        let mut changed = original.clone();
        changed[1] = changed[1].replace("case 1", "case 9");
        let mut reordered = original.clone();
        reordered.swap(1, 2);
        let cut = original[..4].to_vec();
        let mut last_changed = original.clone();
        last_changed[4] = last_changed[4].replace("case 4", "case 9");
        for damaged in [&removed, &changed, &reordered, &cut, &last_changed] {
            write(&audit, damaged);
            assert!(!audit.verify().await.unwrap().problems.is_empty());
        }
        write(&audit, &cut);
        assert!(
            append(&audit, 5).await.is_err(),
            "a cut chain takes no more"
        );
        fs::remove_file(&audit.path).unwrap();
        assert!(!audit.verify().await.unwrap().problems.is_empty());
    }

    #[tokio::test]
    async fn entry_torn_by_a_crash_is_cut_off_and_the_chain_goes_on() {
        let (_folder, audit) = chain(2).await;
        let whole = fs::read(&audit.path).unwrap();
        let mut torn = whole.clone();
        torn.extend_from_slice(b"{\"number\":3,\"at\"");
        fs::write(&audit.path, &torn).unwrap();
        assert!(!audit.verify().await.unwrap().problems.is_empty());
        assert_eq!(append(&audit, 2).await.unwrap(), 3);
        assert!(audit.verify().await.unwrap().problems.is_empty());
    }

    #[tokio::test]
    async fn entry_written_before_a_crash_but_not_remembered_stays() {
        let (_folder, audit) = chain(2).await;
        let head = audit.head().await.unwrap().unwrap();
        append(&audit, 2).await.unwrap();
        let earlier = format!("{} {}", head.0, head.1);
        audit
            .warehouse
            .memo_put(HEAD.0, HEAD.1, &earlier)
            .await
            .unwrap();
        assert_eq!(append(&audit, 3).await.unwrap(), 4);
        assert!(audit.verify().await.unwrap().problems.is_empty());
    }

    #[test]
    fn access_demands_three_texts_without_a_resident_number() {
        assert!(Access::new("a", "b", " ").is_err());
        assert!(Access::new("a", "about 000000-0000000", "c").is_err());
        assert!(Access::new("a", "b\nc", "d").is_err());
        assert!(Access::new("a", "b", "2026-11-000123").is_ok());
    }
}
