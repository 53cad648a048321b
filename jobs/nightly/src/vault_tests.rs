//! Rotation and erasure on a small project, interrupted wherever they can be.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail};
use chrono::{Days, NaiveDate, Utc};
use goyong_intake::{Access, ForgetSubject, Keys, NewKeys, has_person, person_key};
use goyong_types::PersonKey;

use crate::{
    ForgetOptions, IngestOptions, InitOptions, NightOptions, OpenProject, RotateOptions,
    initialise_project,
};

const PAY: &str = "\
source: pay
title: pay
description: pay
provider: somebody
cadence: monthly
due_days: 15
files: [\"pay_*.csv\"]
manifest: none
period: {from: filename, pattern: '_(\\d{6})\\.'}
revision: append
key: [person_key]
reject_threshold: 0.5
control_totals: [paid_won]
format: {kind: csv}
columns:
  - {name: person_key, from: rrn, type: rrn, tags: [pseudonym]}
  - {name: account_digest, from: account, type: digest, nullable: true, tags: [account]}
  - {name: holder, from: holder, type: name, nullable: true}
  - {name: paid_won, from: won, type: won}
";

const INCOME: &str = "\
/*---
description: pay by month
grain: [person_key, month]
materialized: partitioned
partition_by: month
reads: {pay: [0, 0]}
sort_by: [person_key, month]
columns:
  person_key: {tags: [pseudonym]}
---*/
select person_key, _period as month, max(account_digest) as account_digest, sum(paid_won) as paid_won
from {{ source('pay') }}
group by person_key, _period
";

/// Persons who share an account: the join must give the same pairs whatever the keys.
const SHARED: &str = "\
/*---
description: persons of one account
grain: [pivot]
materialized: table
columns:
  person_key: {tags: [pseudonym]}
  pivot: {tags: [pseudonym]}
---*/
select
  'person/' || cast(income.person_key as varchar) || '/' || cast(other.person_key as varchar) as pivot,
  income.person_key,
  sum(other.paid_won) as paid_won
from {{ ref('income') }} as income
inner join {{ ref('income') }} as other
  on other.account_digest = income.account_digest and other.person_key <> income.person_key
group by income.person_key, other.person_key
";

const MONTHS: [&str; 2] = ["202408", "202409"];
const PERSONS: u64 = 40;
/// Person 3 is the one who is forgotten.
const FORGOTTEN: u64 = 3;

pub(crate) fn number(person: u64) -> String {
    format!("2101{:02}3{person:06}", person % 28 + 1)
}

fn holder(person: u64) -> String {
    format!("예금주이름{person}")
}

fn delivery(month: &str) -> String {
    let mut text = "rrn,account,holder,won\n".to_owned();
    for person in 0..PERSONS {
        let won = 1000 + person;
        text.push_str(&format!(
            "{},account-{},{},{won}\n",
            number(person),
            person / 2,
            holder(person)
        ));
    }
    // A row for quarantine, different in each month.
    text + &format!("not a number,x,,{month}\n")
}

fn access() -> Access {
    Access::new("officer", "test", "1").unwrap()
}

pub(crate) fn nothing(_: crate::NightEvent) {}

/// A project with its keys, nothing delivered.
pub(crate) async fn empty_project(folder: &Path, keys: Option<&Path>) {
    fs::create_dir_all(folder.join("sql/sources")).unwrap();
    for (path, text) in [
        ("sources/pay.yml", PAY),
        ("core/income.sql", INCOME),
        ("marts/shared.sql", SHARED),
    ] {
        let path = folder.join("sql").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    if let Some(keys) = keys {
        copy(keys, &folder.join("keys"));
    }
    fs::write(
        folder.join("goyong.toml"),
        "project = \"test\"\nsql = \"sql\"\nthreads = 1\nsimulated = true\n",
    )
    .unwrap();
    initialise_project(folder, &InitOptions::default())
        .await
        .unwrap();
}

pub(crate) async fn deliver(folder: &Path, months: &[&str]) -> Vec<crate::IntakeSummary> {
    let project = open(folder).await;
    let mut summaries = Vec::new();
    for month in months {
        let path = folder.join(format!("pay_{month}.csv"));
        fs::write(&path, delivery(month)).unwrap();
        let options = IngestOptions {
            path: Some(path),
            source: None,
            known_on: NaiveDate::from_ymd_opt(2024, 10, 5),
        };
        summaries.push(project.ingest(&options, &nothing).await.unwrap());
    }
    project
        .run_night(&NightOptions::default(), &nothing)
        .await
        .unwrap();
    summaries
}

async fn filled_project(folder: &Path, keys: Option<&Path>) {
    empty_project(folder, keys).await;
    deliver(folder, &MONTHS).await;
}

pub(crate) async fn open(folder: &Path) -> OpenProject {
    OpenProject::open(folder, Some(1)).await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Rows and content of every table but the account of deliveries.
pub(crate) async fn contents(folder: &Path) -> BTreeMap<String, (u64, String)> {
    let project = open(folder).await;
    let mut contents = BTreeMap::new();
    for table in project.warehouse().table_names().await.unwrap() {
        let snapshot = project.warehouse().snapshot(&table).await.unwrap().unwrap();
        contents.insert(
            table.to_string(),
            (snapshot.rows(), snapshot.content_hash()),
        );
    }
    contents
}

fn keys_of(folder: &Path) -> Keys {
    Keys::load(&folder.join("keys")).unwrap()
}

fn key_under(keys: &Keys, person: u64) -> i64 {
    let digits = number(person);
    person_key(&keys.hasher().person(digits.as_bytes().try_into().unwrap()))
}

async fn holds_any(folder: &Path, sought: &[i64]) -> Vec<String> {
    let project = open(folder).await;
    let mut found = Vec::new();
    for table in project.warehouse().table_names().await.unwrap() {
        let contract = project.contract_of(&table);
        let is_sought = |key| sought.contains(&key);
        if has_person(project.warehouse(), contract, &table, is_sought)
            .await
            .unwrap()
        {
            found.push(table.to_string());
        }
    }
    found
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Every data file of the lake belongs to the newest version of its table.
async fn only_live_files(folder: &Path) {
    let project = open(folder).await;
    let mut live = 0;
    for table in project.warehouse().table_names().await.unwrap() {
        let snapshot = project.warehouse().snapshot(&table).await.unwrap().unwrap();
        live += snapshot.files.len();
    }
    let on_disk = files(&folder.join("warehouse/lake"))
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
        .count();
    assert_eq!(on_disk, live);
    let report = project.warehouse().verify(None).await.unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    assert!(report.orphans.is_empty(), "{:?}", report.orphans);
}

/// Files, Parquet left out, in which one of the texts or numbers stands as it is.
fn traces(folder: &Path, sought: &[Vec<u8>]) -> Vec<PathBuf> {
    let mut found = files(folder);
    found.retain(|path| path.extension().is_none_or(|ending| ending != "parquet"));
    found.retain(|path| {
        let bytes = match fs::read(path) {
            // The database's journal goes away when its last connection is closed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return false,
            read => read.unwrap(),
        };
        sought
            .iter()
            .any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
    });
    found
}

fn rotation() -> RotateOptions {
    RotateOptions {
        new: NewKeys {
            pepper: true,
            vault: true,
            recipient: None,
        },
        resume: false,
    }
}

/// Fails at the n-th point where a process could die.
fn dying_at(n: usize, passed: &AtomicUsize) -> impl Fn(&str) -> Result<()> + Sync + Send + '_ {
    move |place| {
        if passed.fetch_add(1, Ordering::Relaxed) == n {
            bail!("died at {place}");
        }
        Ok(())
    }
}

#[tokio::test]
async fn warehouse_rotated_twice_is_the_one_the_new_keys_would_have_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rotated");
    filled_project(&path, None).await;
    let before = contents(&path).await;
    let mut old: Vec<i64> = Vec::new();
    for _ in 0..2 {
        let keys = keys_of(&path);
        // The search finds what it looks for while it is there: the vault's index.
        let index = key_under(&keys, 0).to_be_bytes().to_vec();
        assert!(!traces(&path.join("warehouse"), &[index]).is_empty());
        old.extend((0..PERSONS).map(|person| key_under(&keys, person)));
        open(&path)
            .await
            .rotate_keys(&rotation(), &access(), &nothing)
            .await
            .unwrap();
        let again = open(&path)
            .await
            .rotate_keys(&rotation(), &access(), &nothing)
            .await;
        let message = again.unwrap_err().to_string();
        assert!(message.contains("earlier rotation"), "{message}");
        fs::remove_dir_all(path.join("keys/previous")).unwrap();
    }
    let after = contents(&path).await;
    let rows = |contents: &BTreeMap<String, (u64, String)>| -> Vec<(String, u64)> {
        let pairs = contents.iter();
        pairs
            .map(|(table, found)| (table.clone(), found.0))
            .collect()
    };
    assert_eq!(rows(&before), rows(&after));
    assert_ne!(before["marts.shared"], after["marts.shared"]);
    let fresh = folder.path().join("fresh");
    filled_project(&fresh, Some(&path.join("keys"))).await;
    assert_eq!(after, contents(&fresh).await);
    assert!(holds_any(&path, &old).await.is_empty());
    only_live_files(&path).await;
    let old_texts: Vec<Vec<u8>> = old
        .iter()
        .flat_map(|key| {
            [
                key.to_string().into_bytes(),
                key.to_be_bytes().to_vec(),
                key.to_le_bytes().to_vec(),
            ]
        })
        .collect();
    assert_eq!(
        traces(&path.join("warehouse"), &old_texts),
        Vec::<PathBuf>::new()
    );
    assert_eq!(open(&path).await.list_releases().await.unwrap().len(), 1);
    // The same bytes are known from before, and a new month finds its persons.
    let summaries = deliver(&path, &[MONTHS[0], "202410"]).await;
    assert_eq!(summaries[0].outcomes[0].rows_accepted, 0);
    assert_eq!(summaries[1].outcomes[0].rows_accepted, PERSONS);
    assert_eq!(summaries[1].outcomes[0].new_persons, 0);
    assert!(
        open(&path)
            .await
            .verify_audit()
            .await
            .unwrap()
            .problems
            .is_empty()
    );
}

#[tokio::test]
async fn rotation_interrupted_anywhere_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    filled_project(&original, None).await;
    let mut interrupted = 0;
    for n in 0.. {
        let path = folder.path().join(n.to_string());
        copy(&original, &path);
        let passed = AtomicUsize::new(0);
        let died = open(&path)
            .await
            .rotate_with(&rotation(), &access(), &nothing, &dying_at(n, &passed))
            .await;
        if died.is_ok() {
            break;
        }
        interrupted += 1;
        let project = open(&path).await;
        let refused = project.run_night(&NightOptions::default(), &nothing).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("vault rotate --resume"), "{n}: {message}");
        let resume = RotateOptions {
            resume: true,
            ..RotateOptions::default()
        };
        let resumed = project.rotate_keys(&resume, &access(), &nothing).await;
        resumed.unwrap_or_else(|error| panic!("resume after point {n}: {error:#}"));
        fs::remove_dir_all(path.join("keys/previous")).unwrap();
        let fresh = folder.path().join(format!("{n}-fresh"));
        filled_project(&fresh, Some(&path.join("keys"))).await;
        assert_eq!(contents(&path).await, contents(&fresh).await, "point {n}");
        only_live_files(&path).await;
        assert!(!path.join("warehouse/vault.previous").exists());
        assert!(!path.join("warehouse/vault.next").exists());
        fs::remove_dir_all(&path).unwrap();
        fs::remove_dir_all(&fresh).unwrap();
    }
    assert!(interrupted > 12, "{interrupted} points");
}

#[tokio::test]
async fn vault_key_alone_changes_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    filled_project(&path, None).await;
    let before = contents(&path).await;
    let old = keys_of(&path);
    let options = RotateOptions {
        new: NewKeys {
            vault: true,
            recipient: Some(None),
            ..NewKeys::default()
        },
        resume: false,
    };
    let project = open(&path).await;
    project
        .rotate_keys(&options, &access(), &nothing)
        .await
        .unwrap();
    assert_eq!(contents(&path).await, before);
    let new = keys_of(&path);
    assert_eq!(new.pepper_id(), old.pepper_id());
    assert_ne!(new.vault_key_id(), old.vault_key_id());
    assert_ne!(new.recipient_id(), old.recipient_id());
    let person = PersonKey(key_under(&new, 5));
    let found = project
        .look_up_person(person, &access())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*found.resident_number, number(5));
    assert_eq!(found.names.len(), 1);
    assert!(goyong_intake::Vault::open(&path.join("warehouse/vault"), &old).is_err());
}

/// What could lead to the person: number, name, digest and key in the forms they are stored in.
fn needles(keys: &Keys) -> Vec<Vec<u8>> {
    let digits = number(FORGOTTEN);
    let digest = keys.hasher().person(digits.as_bytes().try_into().unwrap());
    let packed = digits.parse::<u64>().unwrap().to_be_bytes();
    let key = person_key(&digest);
    vec![
        digits.into_bytes(),
        holder(FORGOTTEN).into_bytes(),
        packed[2..].to_vec(),
        digest[..8].to_vec(),
        key.to_string().into_bytes(),
        key.to_le_bytes().to_vec(),
    ]
}

fn forget_by_number() -> ForgetOptions {
    ForgetOptions {
        subjects: vec![ForgetSubject::parse_number(&number(FORGOTTEN)).unwrap()],
        list: None,
    }
}

#[tokio::test]
async fn forgotten_person_leaves_no_trace_after_the_horizon_and_stays_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    filled_project(&path, None).await;
    let keys = keys_of(&path);
    let key = key_under(&keys, FORGOTTEN);
    assert_eq!(holds_any(&path, &[key]).await.len(), 3);
    assert!(!traces(&path.join("warehouse"), &needles(&keys)).is_empty());
    let today = Utc::now().date_naive();
    let project = open(&path).await;
    let summary = project
        .forget_persons(&forget_by_number(), &access(), today, &nothing)
        .await
        .unwrap();
    assert_eq!(
        (summary.new_on_list, summary.erased, summary.rows_removed),
        (1, 1, 2)
    );
    assert_eq!(summary.archive_gone_on, today + Days::new(91));
    assert!(holds_any(&path, &[key]).await.is_empty());
    assert_eq!(project.forget_status().unwrap().len(), 1);

    // Deliveries of many persons, hers among them: the account balances and she stays out.
    let summaries = deliver(&path, &["202410"]).await;
    let outcome = &summaries[0].outcomes[0];
    assert_eq!(outcome.rows_delivered, PERSONS + 1);
    assert_eq!(
        (
            outcome.rows_accepted,
            outcome.rows_quarantined,
            outcome.rows_rejected
        ),
        (PERSONS - 1, 1, 1)
    );
    assert_eq!(outcome.won_rejected, 1000 + i128::from(FORGOTTEN));
    assert_eq!(
        outcome.won_delivered,
        outcome.won_accepted + outcome.won_quarantined + outcome.won_rejected
    );
    assert_eq!(outcome.new_persons, 0);
    assert!(holds_any(&path, &[key]).await.is_empty());

    let project = open(&path).await;
    let originals = files(&path.join("warehouse/archive")).len() as u64;
    assert!(originals > 0);
    let horizon = Utc::now() + Days::new(91);
    let expired = project.expire_history(horizon, false).await.unwrap();
    assert_eq!(expired.originals.len() as u64, originals);
    assert!(!expired.history.releases.is_empty() && !expired.history.removed.is_empty());
    only_live_files(&path).await;
    assert_eq!(
        traces(&path.join("warehouse"), &needles(&keys)),
        Vec::<PathBuf>::new()
    );

    // A rotation keeps the list: nobody could hash the number again.
    project
        .rotate_keys(&rotation(), &access(), &nothing)
        .await
        .unwrap();
    let summaries = deliver(&path, &["202411"]).await;
    assert_eq!(summaries[0].outcomes[0].rows_rejected, 1);
    let new_key = key_under(&keys_of(&path), FORGOTTEN);
    assert!(holds_any(&path, &[key, new_key]).await.is_empty());
}

#[tokio::test]
async fn erasure_interrupted_anywhere_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("original");
    filled_project(&original, None).await;
    let today = Utc::now().date_naive();
    let whole = folder.path().join("whole");
    copy(&original, &whole);
    open(&whole)
        .await
        .forget_persons(&forget_by_number(), &access(), today, &nothing)
        .await
        .unwrap();
    let expected = contents(&whole).await;
    let mut interrupted = 0;
    for n in 0.. {
        let path = folder.path().join(n.to_string());
        copy(&original, &path);
        let passed = AtomicUsize::new(0);
        let project = open(&path).await;
        let dying = dying_at(n, &passed);
        let options = forget_by_number();
        let died = project
            .forget_with(&options, &access(), today, &nothing, &dying)
            .await;
        if died.is_ok() {
            break;
        }
        interrupted += 1;
        let project = open(&path).await;
        let refused = project.run_night(&NightOptions::default(), &nothing).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("forget --replay"), "{n}: {message}");
        // Before the list had the person, the request has to be made again.
        let again = if n == 0 {
            forget_by_number()
        } else {
            ForgetOptions::default()
        };
        project
            .forget_persons(&again, &access(), today, &nothing)
            .await
            .unwrap();
        assert_eq!(contents(&path).await, expected, "point {n}");
        let key = key_under(&keys_of(&path), FORGOTTEN);
        assert!(
            project
                .look_up_person(PersonKey(key), &access())
                .await
                .unwrap()
                .is_none()
        );
    }
    assert!(interrupted > 4, "{interrupted} points");
}

#[tokio::test]
async fn restored_backup_is_noticed_and_the_list_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project");
    filled_project(&path, None).await;
    let backup = folder.path().join("backup");
    copy(&path.join("warehouse"), &backup);
    let today = Utc::now().date_naive();
    open(&path)
        .await
        .forget_persons(&forget_by_number(), &access(), today, &nothing)
        .await
        .unwrap();
    let kept = folder.path().join("vault-of-before");
    copy(&path.join("warehouse/vault"), &kept);
    let expected = contents(&path).await;

    // Everything but the vault comes from the backup.
    fs::remove_dir_all(path.join("warehouse")).unwrap();
    copy(&backup, &path.join("warehouse"));
    fs::remove_dir_all(path.join("warehouse/vault")).unwrap();
    copy(&kept, &path.join("warehouse/vault"));
    let key = key_under(&keys_of(&path), FORGOTTEN);
    let project = open(&path).await;
    let refused = project.ingest(&IngestOptions::default(), &nothing).await;
    let message = refused.unwrap_err().to_string();
    assert!(message.contains("a backup was restored"), "{message}");
    assert_eq!(holds_any(&path, &[key]).await.len(), 3);
    let summary = project
        .forget_persons(&ForgetOptions::default(), &access(), today, &nothing)
        .await
        .unwrap();
    assert_eq!((summary.erased, summary.rows_removed), (0, 2));
    assert!(holds_any(&path, &[key]).await.is_empty());
    assert_eq!(contents(&path).await, expected);

    // The vault too: its list is the older one, and the one of before is handed over.
    fs::remove_dir_all(path.join("warehouse")).unwrap();
    copy(&backup, &path.join("warehouse"));
    let project = open(&path).await;
    assert_eq!(holds_any(&path, &[key]).await.len(), 3);
    let replay = ForgetOptions {
        subjects: Vec::new(),
        list: Some(kept),
    };
    let summary = project
        .forget_persons(&replay, &access(), today, &nothing)
        .await
        .unwrap();
    assert_eq!((summary.new_on_list, summary.erased), (1, 1));
    assert!(holds_any(&path, &[key]).await.is_empty());
    assert_eq!(contents(&path).await, expected);
}
