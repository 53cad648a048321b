//! The tables in an S3-compatible store: the same nights, the same accidents, the same answers.

use std::path::Path;
use std::process::Command;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{
    Draws, OTHER_FAULTS, at_every_operation, build, copy_folder, damaged, faults, publish,
    published_project, repetitions, small_project, state, text, try_all, walks_everything,
    with_fault,
};
use crate::s3_server::{S3Server, SECRET_ACCESS_KEY};
use crate::support::{MONTHS, PERSONS, SEED, copy_keys, demo, files, goyong, goyong_ok, query};

/// Gives a project without tables a lake of its own.
pub(crate) fn set_lake(project: &Path) -> String {
    let lake = S3Server::shared().new_place();
    let file = project.join("goyong.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("lake = \"{lake}\"\n{text}")).unwrap();
    lake
}

/// The objects of the test server's bucket.
pub(crate) struct Bucket {
    store: Box<dyn ObjectStore>,
    runtime: tokio::runtime::Runtime,
}

impl Bucket {
    pub(crate) fn open() -> Self {
        let mut builder = AmazonS3Builder::new().with_bucket_name("goyong");
        for (name, value) in S3Server::shared().variables() {
            builder = builder.with_config(name.to_lowercase().parse().unwrap(), value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            store: Box::new(builder.build().unwrap()),
            runtime,
        }
    }

    fn object(url: &str) -> ObjectPath {
        ObjectPath::from(url.strip_prefix("s3://goyong/").unwrap())
    }

    fn read(&self, url: &str) -> Vec<u8> {
        let found = async {
            let found = self.store.get(&Self::object(url)).await.unwrap();
            found.bytes().await.unwrap().to_vec()
        };
        self.runtime.block_on(found)
    }

    fn put(&self, url: &str, bytes: Vec<u8>) {
        let object = Self::object(url);
        let put = self.store.put(&object, bytes.into());
        self.runtime.block_on(put).unwrap();
    }

    fn remove(&self, url: &str) {
        let object = Self::object(url);
        let removed = self.store.delete(&object);
        self.runtime.block_on(removed).unwrap();
    }

    /// Names of the objects below a prefix.
    pub(crate) fn names(&self, url: &str) -> Vec<String> {
        use futures::TryStreamExt;
        let listed = self.store.list(Some(&Self::object(url)));
        let listed: Vec<_> = self.runtime.block_on(listed.try_collect()).unwrap();
        let names = listed.iter().map(|file| file.location.to_string());
        names.map(|name| format!("s3://goyong/{name}")).collect()
    }
}

fn said(project: &Path, arguments: &[&str]) -> (i32, String) {
    let output = goyong(&[&["--dir", text(project)], arguments].concat());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!said.contains(SECRET_ACCESS_KEY), "{said}");
    (output.status.code().unwrap_or(-1), said)
}

#[test]
fn whole_night_in_an_object_store_has_the_tables_of_a_local_one_and_moves_by_backup() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("demo");
    copy_keys(demo(), &project);
    let lake = S3Server::shared().new_place();
    let output = Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", text(&project), "--threads", "2", "demo"])
        .args(["--seed", SEED, "--persons", PERSONS, "--months", MONTHS])
        .envs(S3Server::shared().variables())
        .env("GOYONG_LAKE", &lake)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(!shown.contains(SECRET_ACCESS_KEY), "{shown}");
    assert!(!project.join("warehouse/lake").exists(), "nothing is local");

    // Without the setting it is not taken for an empty warehouse.
    let (code, without) = said(&project, &["releases", "ls"]);
    assert_eq!(code, 2);
    assert!(
        without.contains(&lake) && without.contains("`lake`"),
        "{without}"
    );

    let file = project.join("goyong.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("lake = \"{lake}\"\n{configuration}")).unwrap();
    assert_eq!(state(&project), state(demo()));
    assert_eq!(damaged(&project), (Vec::new(), 0));
    let months = "select * from marts.blind_spot_monthly order by month, class";
    assert_eq!(query(&project, months), query(demo(), months));
    let (code, night) = said(&project, &["night"]);
    assert!(code == 0 && night.contains("nothing new"), "{night}");

    // A backup in the store, restored to a folder and to another prefix.
    let place = S3Server::shared().new_place();
    goyong_ok(&["--dir", text(&project), "backup", &place]);
    let listed = goyong_ok(&["--dir", text(&project), "restore", "--list", &place]);
    assert!(listed.contains("(1 row)"), "{listed}");
    for is_remote in [false, true] {
        let restored = folder.path().join(format!("restored-{is_remote}"));
        std::fs::create_dir(&restored).unwrap();
        std::fs::write(restored.join("goyong.toml"), &configuration).unwrap();
        if is_remote {
            set_lake(&restored);
        }
        goyong_ok(&["--dir", text(&restored), "restore", &place]);
        assert_eq!(restored.join("warehouse/lake").exists(), !is_remote);
        assert_eq!(damaged(&restored), (Vec::new(), 0));
        assert_eq!(query(&restored, months), query(demo(), months));
    }
    for path in files(&project) {
        let bytes = std::fs::read(&path).unwrap();
        let secret = SECRET_ACCESS_KEY.as_bytes();
        let holds = bytes.windows(secret.len()).any(|part| part == secret);
        assert!(!holds, "{}", path.display());
    }
}

#[test]
fn damaged_objects_are_named_repaired_and_old_ones_expire() {
    let folder = tempfile::tempdir().unwrap();
    let project = small_project(folder.path());
    let lake = set_lake(&project);
    build(&project);
    publish(&project);
    let clean = state(&project);
    let bucket = Bucket::open();
    let names = bucket.names(&lake);
    let named = |part: &str, ending: &str| {
        let found = names
            .iter()
            .find(|name| name.contains(part) && name.ends_with(ending));
        found.unwrap_or_else(|| panic!("{names:?}")).clone()
    };
    let (data, entry) = (named("/marts/", ".parquet"), named("/_delta_log/", ".json"));
    bucket.remove(&data);
    let mut bytes = bucket.read(&entry);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bucket.put(&entry, bytes);
    let (found, code) = damaged(&project);
    let mut found: Vec<_> = found
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    found.sort();
    let mut expected = [data, entry];
    expected.sort();
    assert_eq!((found, code), (expected.to_vec(), 1));
    let (code, repaired) = said(&project, &["-q", "repair"]);
    assert_eq!(code, 0, "{repaired}");
    assert_eq!(damaged(&project), (Vec::new(), 0));
    build(&project);
    publish(&project);
    assert_eq!(content(&state(&project)), content(&clean));

    // Left by a writer that died.
    let orphan = format!("{lake}/core/left/part-000000-dead-0000.zstd.parquet");
    bucket.put(&orphan, b"half a file".to_vec());
    let file = project.join("goyong.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    let retention = "[retention]\nlongest_run_hours = 0\n";
    std::fs::write(&file, format!("{configuration}\n{retention}")).unwrap();
    let (code, expired) = said(&project, &["releases", "expire"]);
    assert_eq!(code, 0, "{expired}");
    assert!(!bucket.names(&lake).contains(&orphan), "{expired}");
    assert_eq!(damaged(&project), (Vec::new(), 0));
}

/// Tables and content hashes, whatever their versions and releases.
fn content(state: &str) -> Vec<String> {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let tables = state.lines().map(words).filter(|words| words.len() == 4);
    let mut tables: Vec<_> = tables
        .map(|words| format!("{} {}", words[0], words[3]))
        .collect();
    tables.sort();
    tables
}

/// Whether the build got as far as the fault.
fn survive(fault: &str, at: u64, empty: &Path, clean: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("shop");
    copy_folder(empty, &project);
    set_lake(&project);
    let fault = format!("{fault}@{at}");
    let first = with_fault(&project, &super::BUILD, &fault);
    let (named, code) = damaged(&project);
    assert!(named.is_empty() && code == 0, "{fault}: {named:?}");
    build(&project);
    publish(&project);
    assert_eq!(state(&project), clean, "{fault}");
    let shown = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(!shown.contains(SECRET_ACCESS_KEY), "{shown}");
    !first.status.success()
}

#[test]
fn build_with_a_fault_at_an_object_is_completed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let empty = small_project(&folder.path().join("empty"));
    let clean = state(&published_project(&folder.path().join("clean")));
    let mut draws = Draws::seeded();
    let (kinds, length) = match walks_everything() {
        true => {
            let length = at_every_operation(|at| survive("die", at, &empty, &clean));
            println!("durable operations of a build in the object store: {length}");
            (&OTHER_FAULTS[..], length)
        }
        // Short of the end, so that none misses.
        false => (&["die", "lost", "fail"][..], 41),
    };
    let drawn = repetitions("GOYONG_FAULTS_S3", 6);
    try_all(faults(kinds, length, drawn, &mut draws), |(fault, at)| {
        survive(fault, at, &empty, &clean);
    });
}
