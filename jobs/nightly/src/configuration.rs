use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goyong_cases::Capacity;
use goyong_engine::Backend;
use goyong_intake::read_private_file;
use goyong_store::StoreConfig;
use serde::{Deserialize, Serialize};

use crate::watch::NotifyTarget;

/// Name of the configuration file of a project folder.
pub const CONFIGURATION_FILE: &str = "goyong.toml";

/// Folder of the project's own contracts and models.
pub(crate) const SQL_FOLDER: &str = "sql";

/// A value of `var()`: text as it is put into the SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "toml::Value", into = "String")]
pub struct VarValue(pub String);

impl From<toml::Value> for VarValue {
    fn from(value: toml::Value) -> Self {
        Self(match value {
            toml::Value::String(text) => text,
            other => other.to_string(),
        })
    }
}

impl From<VarValue> for String {
    fn from(value: VarValue) -> Self {
        value.0
    }
}

/// Which releases outlive `history_days`, and how long a run may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionPolicy {
    /// The newest release of this many business dates.
    pub nights: usize,
    /// The last release of this many months.
    pub month_ends: usize,
    /// Releases by id.
    pub releases: Vec<String>,
    /// Longer than any run takes: younger files that no version knows may be a running writer's.
    pub longest_run_hours: u32,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self {
            nights: 0,
            month_ends: 0,
            releases: Vec::new(),
            longest_run_hours: 24,
        }
    }
}

/// What the centres can do with alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseSettings {
    /// Cases a centre takes up in a night.
    pub capacity: u32,
    /// Share of these that is drawn at random from all active claims, in percent: 5 to 10.
    pub random_percent: u32,
    /// Centres that take up another number, by code.
    pub centres: BTreeMap<String, u32>,
}

impl Default for CaseSettings {
    fn default() -> Self {
        Self {
            capacity: 10,
            random_percent: 8,
            centres: BTreeMap::new(),
        }
    }
}

impl CaseSettings {
    /// The same for the list of a night.
    pub(crate) fn capacity(&self) -> Capacity {
        Capacity {
            per_centre: self.capacity,
            centres: self.centres.clone(),
            random_basis_points: self.random_percent * 100,
        }
    }
}

/// What `goyong.toml` and `GOYONG_*` variables say; relative paths are relative to the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Configuration {
    /// Name of the project.
    pub project: String,
    /// Who publishes the reports.
    pub publisher: String,
    /// Where readers of the reports can ask.
    pub contact: String,
    /// Whether the deliveries come from the simulator; every page of the site then says so.
    pub simulated: bool,
    /// Time zone of business dates.
    pub timezone: String,
    /// The warehouse folder.
    pub warehouse: PathBuf,
    /// Where the tables are: empty for `lake` in the warehouse folder, or `s3://bucket/prefix`, reached by the standard
    /// AWS variables.
    pub lake: String,
    /// Folder of the key files; must lie outside the warehouse folder.
    pub keys: PathBuf,
    /// Folder of contracts and models; `sql` beside the file where that exists, otherwise the
    /// built-in project.
    pub sql: Option<PathBuf>,
    /// Values of `var()` in models, by name.
    pub vars: BTreeMap<String, VarValue>,
    /// Days that superseded versions of tables and their releases are kept.
    pub history_days: u32,
    /// Days that encrypted originals are kept.
    pub archive_days: u32,
    /// Days that ended runs are kept, with their logs.
    pub run_days: u32,
    /// Releases that are kept for longer.
    pub retention: RetentionPolicy,
    /// Worker threads; 0 takes every core.
    pub threads: usize,
    /// Memory that queries may use before they spill, in MiB.
    pub memory_limit_mib: usize,
    /// Where a build's queries run: `local`, or `ballista://host:port` of a scheduler.
    pub engine: String,
    /// Where runs are kept: empty for `state/scheduler.db` of the warehouse, or `postgresql://…` where several machines
    /// schedule.
    pub state: String,
    /// What the centres can do with alerts.
    pub cases: CaseSettings,
    /// Steps of plans that run side by side, by pool.
    pub pools: BTreeMap<String, usize>,
    /// Whom plans may name as told, by name.
    pub notify: BTreeMap<String, NotifyTarget>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            project: "goyong".to_owned(),
            publisher: "고용 Goyong".to_owned(),
            contact: String::new(),
            simulated: false,
            timezone: "Asia/Seoul".to_owned(),
            warehouse: PathBuf::from("warehouse"),
            lake: String::new(),
            keys: PathBuf::from("keys"),
            sql: None,
            vars: BTreeMap::new(),
            history_days: 30,
            archive_days: 90,
            run_days: 365,
            retention: RetentionPolicy::default(),
            threads: 0,
            memory_limit_mib: 6144,
            engine: Backend::Local.to_string(),
            state: String::new(),
            cases: CaseSettings::default(),
            pools: BTreeMap::new(),
            notify: BTreeMap::new(),
        }
    }
}

impl Configuration {
    /// Reads `goyong.toml` in a project folder, overlaid by the environment
    /// (`GOYONG_THREADS=1`).
    pub fn load(project_folder: &Path) -> Result<Self> {
        let file = project_folder.join(CONFIGURATION_FILE);
        if !file.is_file() {
            bail!(
                "{} not found; run `goyong init --dir {}` first, or name the project folder with --dir",
                file.display(),
                project_folder.display()
            );
        }
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("read configuration {}", file.display()))?;
        let mut configuration = Self::of_text(&text, project_folder)?;
        if let Some(file) = secret_file("state", |variable| std::env::var(variable).ok()) {
            let secret = read_private_file(&file)?;
            configuration.state = secret.trim().to_owned();
        }
        let beside = project_folder.join(SQL_FOLDER);
        if configuration.sql.is_none() && beside.is_dir() {
            configuration.sql = Some(beside);
        }
        for target in configuration.notify.values_mut() {
            target.resolve(project_folder);
        }
        configuration.check()?;
        Ok(configuration)
    }

    /// What the text of a `goyong.toml` in a project folder says, overlaid by the environment.
    pub(crate) fn of_text(text: &str, project_folder: &Path) -> Result<Self> {
        let file = project_folder.join(CONFIGURATION_FILE);
        let mut configuration = Self::parse(text, |variable| std::env::var(variable).ok())
            .with_context(|| format!("read configuration {}", file.display()))?;
        for path in [&mut configuration.warehouse, &mut configuration.keys]
            .into_iter()
            .chain(configuration.sql.as_mut())
        {
            *path = project_folder.join(&*path);
        }
        Ok(configuration)
    }

    fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut table: toml::Table = text.parse()?;
        for (key, default) in toml::Table::try_from(Self::default())? {
            let variable = format!("GOYONG_{}", key.to_uppercase());
            let Some(value) = environment(&variable) else {
                continue;
            };
            let value = match default {
                toml::Value::Table(_) => continue,
                toml::Value::Integer(_) => toml::Value::Integer(
                    value
                        .parse()
                        .with_context(|| format!("{variable} is not a whole number"))?,
                ),
                toml::Value::Boolean(_) => toml::Value::Boolean(
                    value
                        .parse()
                        .with_context(|| format!("{variable} is neither true nor false"))?,
                ),
                _ => toml::Value::String(value),
            };
            table.insert(key, value);
        }
        if let Some(folder) = environment("GOYONG_SQL") {
            table.insert("sql".to_owned(), toml::Value::String(folder));
        }
        Ok(table.try_into()?)
    }

    /// The warehouse as the store opens it.
    pub fn store(&self) -> StoreConfig {
        StoreConfig {
            root: self.warehouse.clone(),
            lake: Some(self.lake.clone()).filter(|lake| !lake.is_empty()),
        }
    }

    /// Where a build's queries run.
    pub fn backend(&self) -> Result<Backend> {
        self.engine.parse().map_err(anyhow::Error::msg)
    }

    /// Worker threads in number.
    pub fn worker_threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// The folder providers drop deliveries into.
    pub fn landing(&self) -> PathBuf {
        self.warehouse.join("landing")
    }

    /// The folder the report site is written to.
    pub fn site(&self) -> PathBuf {
        self.warehouse.join("site")
    }

    /// Where the pages of cases are written: apart from the site, so that no copy of the reports holds a case.
    pub fn case_pages(&self) -> PathBuf {
        self.warehouse.join("cases")
    }

    /// Encrypted originals.
    pub fn archive(&self) -> PathBuf {
        self.warehouse.join("archive")
    }

    /// Who stands behind the pseudonyms.
    pub fn vault(&self) -> PathBuf {
        self.warehouse.join("vault")
    }

    fn check(&self) -> Result<()> {
        // Links are followed: a folder that only looks as if it lay outside is inside.
        let resolved =
            |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if self.keys.starts_with(&self.warehouse)
            || resolved(&self.keys).starts_with(resolved(&self.warehouse))
        {
            bail!(
                "keys folder {} lies inside the warehouse; a copy of the warehouse must not carry its keys, \
                 set `keys` to a folder outside",
                self.keys.display()
            );
        }
        self.backend()?;
        if let Some((pool, _)) = self.pools.iter().find(|(_, places)| **places == 0) {
            bail!("pool `{pool}` has no place, so its steps would never run; give it 1 at least");
        }
        for (name, target) in &self.notify {
            target.check(name)?;
        }
        if self.timezone != "Asia/Seoul" {
            bail!(
                "timezone `{}` is not supported yet, use Asia/Seoul",
                self.timezone
            );
        }
        Ok(())
    }
}

/// The file that holds the value of a key which may be a secret: named by `GOYONG_<KEY>_FILE`, or the credential
/// `goyong.<key>` of a service manager. It wins over the configuration file.
fn secret_file(key: &str, environment: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let variable = format!("GOYONG_{}_FILE", key.to_uppercase());
    let named = environment(&variable).filter(|file| !file.is_empty());
    named.map(PathBuf::from).or_else(|| {
        let folder = environment("CREDENTIALS_DIRECTORY")?;
        let credential = Path::new(&folder).join(format!("goyong.{key}"));
        credential.exists().then_some(credential)
    })
}

/// Text of a new project's `goyong.toml`.
pub fn configuration_template(project: &str, simulated: bool) -> String {
    format!(
        "# Flags win over GOYONG_* variables, which win over this file.\n\
         project = {project:?}\n\
         publisher = \"고용 Goyong\"   # on every page of the reports\n\
         contact = \"\"\n\
         simulated = {simulated}         # says on every page that the people are not real\n\
         timezone = \"Asia/Seoul\"\n\
         warehouse = \"warehouse\"\n\
         # lake = \"s3://bucket/prefix\"   # tables in an object store, see docs/object-stores.md; in the folder when absent\n\
         # The key files never lie inside the warehouse folder.\n\
         keys = \"keys\"\n\
         # sql = \"sql\"            # contracts and models; the built-in ones where there is no such folder\n\
         history_days = 30         # superseded versions and their releases; `goyong releases expire` removes them\n\
         archive_days = 90         # encrypted originals\n\
         run_days = 365            # recorded runs and their logs; never those that a kept release came from\n\
         threads = 0               # 0 takes every core\n\
         memory_limit_mib = 6144   # what queries may use before they spill to disk\n\
         # engine = \"ballista://127.0.0.1:50050\"   # builds on a cluster, see docs/cluster.md; local when absent\n\
         # state = \"postgresql://goyong@127.0.0.1/goyong\"   # runs of plans; state/scheduler.db when absent, see docs/scheduler.md\n\
         # [cases]                 # what the centres can do with alerts, see docs/cases.md\n\
         # capacity = 10           # cases a centre takes up in a night; [cases.centres] names others by code\n\
         # random_percent = 8      # of these drawn at random from all active claims, 5 to 10\n\
         # [pools]                 # steps of plans side by side, by pool: default = 2\n\
         # [notify.operations]     # who is told when a plan names `operations`, see docs/watch.md\n\
         # smtp = \"smtps://mail.example.org\"\n\
         # from = \"goyong@example.org\"\n\
         # to = [\"night@example.org\"]\n\
         # [vars]                  # values of var() in models\n\
         # [retention]             # releases that outlive history_days\n\
         # nights = 30             # the newest release of so many business dates\n\
         # month_ends = 24         # the last release of so many months\n\
         # releases = []           # releases by id\n"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_comes_from_the_file_named_by_the_environment_or_from_a_credential() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = folder.path().display().to_string();
        let named = |variable: &str, value: &str| {
            let value = value.to_owned();
            secret_file("state", |asked| (asked == variable).then(|| value.clone()))
        };
        assert_eq!(named("CREDENTIALS_DIRECTORY", &credentials), None);
        let credential = folder.path().join("goyong.state");
        std::fs::write(&credential, "postgresql://goyong:secret@127.0.0.1/goyong\n").unwrap();
        assert_eq!(
            named("CREDENTIALS_DIRECTORY", &credentials),
            Some(credential)
        );
        let file = PathBuf::from("/run/state");
        assert_eq!(named("GOYONG_STATE_FILE", "/run/state"), Some(file));
        assert_eq!(named("GOYONG_STATE_FILE", ""), None);
    }

    #[test]
    fn environment_wins_over_the_file_and_unknown_keys_are_refused() {
        let text = configuration_template("test", false);
        let parsed = Configuration::parse(&text, |variable| {
            (variable == "GOYONG_THREADS").then(|| "3".to_owned())
        })
        .unwrap();
        assert_eq!((parsed.threads, parsed.project.as_str()), (3, "test"));
        assert!(Configuration::parse("treads = 2", |_| None).is_err());
        let vars = Configuration::parse("[vars]\na = 3\nb = 2024-01-31\nc = \"x\"", |_| None)
            .unwrap()
            .vars;
        let values: Vec<&str> = vars.values().map(|value| value.0.as_str()).collect();
        assert_eq!(values, ["3", "2024-01-31", "x"]);
        assert!(
            Configuration::parse("", |variable| {
                (variable == "GOYONG_THREADS").then(|| "two".to_owned())
            })
            .is_err()
        );
    }
}
