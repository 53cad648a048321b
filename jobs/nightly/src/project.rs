//! A project that is open: configuration, warehouse, contracts and models, query engine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use goyong_catalog::{Project, Vars};
use goyong_engine::{Engine, EngineConfig, ReadLimits, ReadSession, Rows};
use goyong_intake::{ARCHIVE_IDENTITY, Keys, Vault};
use goyong_store::{LockGuard, Release, StoreError, Warehouse};

use crate::configuration::{CONFIGURATION_FILE, Configuration, SQL_FOLDER, configuration_template};

/// Operators and commas of a statement that lists keys: a thousand rows of a few values each.
const LISTED_TERMS: usize = 10_000;

/// Scope and key of the latest day a delivery became known.
pub(crate) const LATEST_KNOWN_ON: (&str, &str) = ("intake", "latest_known_on");

/// Everything a job needs, opened once.
pub struct OpenProject {
    folder: PathBuf,
    configuration: Configuration,
    warehouse: Warehouse,
    engine: Engine,
}

/// What a new project is.
#[derive(Debug, Clone, Default)]
pub struct InitOptions {
    /// Keep to the contracts and models of the binary instead of writing them out to be edited.
    pub built_in_sql: bool,
    /// Its deliveries will come from the simulator.
    pub simulated: bool,
    /// Whom originals are encrypted to (`age1…`); a new pair is made when absent.
    pub archive_recipient: Option<String>,
}

/// Creates a project folder: configuration, warehouse folders, key files. What exists stays.
pub async fn initialise_project(folder: &Path, options: &InitOptions) -> Result<Vec<String>> {
    let mut done = Vec::new();
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let file = folder.join(CONFIGURATION_FILE);
    if !file.exists() {
        let name = folder.canonicalize()?.file_name().map_or_else(
            || "goyong".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        std::fs::write(&file, configuration_template(&name, options.simulated))
            .with_context(|| format!("write {}", file.display()))?;
        done.push(format!("wrote {}", file.display()));
    }
    let configuration = Configuration::load(folder)?;
    Warehouse::create(&configuration.store()).await?;
    let landing = configuration.landing();
    std::fs::create_dir_all(&landing).with_context(|| format!("create {}", landing.display()))?;
    done.push(format!(
        "warehouse in {}",
        configuration.warehouse.display()
    ));
    let environment = |variable: &str| std::env::var(variable).ok();
    let keys = if Keys::are_given(&configuration.keys, environment) {
        done.push("keys are those that the service manager gives".to_owned());
        Keys::find(&configuration.keys, environment)?
    } else if configuration.keys.is_dir() {
        done.push(format!("keys in {} stay", configuration.keys.display()));
        Keys::load(&configuration.keys)?
    } else {
        done.push(format!(
            "keys in {}: keep them apart from the warehouse, and keep a copy",
            configuration.keys.display()
        ));
        let keys = Keys::create_for(&configuration.keys, options.archive_recipient.as_deref())?;
        if keys.has_archive_identity() {
            done.push(format!(
                "{} opens the archive: move it off this machine, nothing here needs it",
                configuration.keys.join(ARCHIVE_IDENTITY).display()
            ));
        }
        keys
    };
    Vault::create(&configuration.warehouse.join("vault"), &keys)?;
    if !options.built_in_sql && configuration.sql.is_none() {
        let folder = folder.join(SQL_FOLDER);
        let files = Project::embedded()?
            .write_out(&folder)
            .with_context(|| format!("write {}", folder.display()))?;
        done.push(format!(
            "wrote {files} contracts, models and tests to {}; they are yours to edit",
            folder.display()
        ));
    }
    Ok(done)
}

/// The contracts, models and tests of a folder, which needs no warehouse: its `goyong.toml` says where
/// they are, otherwise they lie in `sql` or in the folder itself.
pub fn load_project(folder: &Path) -> Result<(Project, Vars)> {
    load_project_with(folder, &[])
}

pub(crate) fn load_project_with(folder: &Path, vars: &[String]) -> Result<(Project, Vars)> {
    let configuration = if folder.join(CONFIGURATION_FILE).is_file() {
        Configuration::load(folder)?
    } else {
        let beside = folder.join(SQL_FOLDER);
        let sql = if beside.is_dir() {
            beside
        } else {
            folder.to_owned()
        };
        Configuration {
            sql: Some(sql),
            ..Configuration::default()
        }
    };
    let project = match &configuration.sql {
        Some(folder) => Project::load(folder)?,
        None => Project::embedded()?,
    };
    let vars = values_of_vars(&project, &configuration, vars)?;
    Ok((project, vars))
}

/// What `goyong.toml` says of variables, overlaid by `name=value` words.
fn values_of_vars(
    project: &Project,
    configuration: &Configuration,
    words: &[String],
) -> Result<Vars> {
    let mut vars = Vars::new();
    for (name, value) in &configuration.vars {
        let known = project.check_var(name).map_err(anyhow::Error::msg);
        known.with_context(|| format!("[vars] of {CONFIGURATION_FILE}"))?;
        vars.insert(name.clone(), value.0.clone());
    }
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            bail!("`--vars {word}` is no name=value");
        };
        project.check_var(name.trim()).map_err(anyhow::Error::msg)?;
        vars.insert(name.trim().to_owned(), value.to_owned());
    }
    Ok(vars)
}

/// What the store said, among the causes of an error. Other crates carry its errors in boxes.
pub(crate) fn of_store(error: &anyhow::Error) -> impl Iterator<Item = &StoreError> {
    error.chain().filter_map(|cause| {
        let boxed = || cause.downcast_ref::<Box<StoreError>>().map(AsRef::as_ref);
        cause.downcast_ref::<StoreError>().or_else(boxed)
    })
}

/// Whether an error means that another run holds a lock, so that trying later may help.
pub fn is_locked(error: &anyhow::Error) -> bool {
    of_store(error).any(StoreError::is_locked) || crate::scheduled::is_busy(error)
}

impl OpenProject {
    /// Opens the project in a folder; `threads` wins over the configuration.
    pub async fn open(folder: &Path, threads: Option<usize>) -> Result<Self> {
        Self::open_with(folder, threads, &[]).await
    }

    /// The same with values for variables, each as `name=value`.
    pub async fn open_with(folder: &Path, threads: Option<usize>, vars: &[String]) -> Result<Self> {
        let mut configuration = Configuration::load(folder)?;
        if let Some(threads) = threads {
            configuration.threads = threads;
        }
        let warehouse = Warehouse::open(&configuration.store()).await?;
        let project = match &configuration.sql {
            Some(folder) => Project::load(folder)?,
            None => Project::embedded()?,
        };
        let vars = values_of_vars(&project, &configuration, vars)?;
        let engine = Engine::new(
            warehouse.clone(),
            project,
            EngineConfig {
                threads: configuration.worker_threads(),
                memory_limit_bytes: configuration.memory_limit_mib << 20,
                backend: configuration.backend()?,
                vars,
                ..EngineConfig::default()
            },
        )?;
        Ok(Self {
            folder: folder.to_owned(),
            configuration,
            warehouse,
            engine,
        })
    }

    /// The project folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `goyong.toml` says.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// The tables.
    pub fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// The query engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Contracts, models, checks and reports.
    pub fn project(&self) -> &Project {
        self.engine.project()
    }

    /// The inbox of deliveries.
    pub fn landing(&self) -> PathBuf {
        self.configuration.landing()
    }

    /// The rendered reports.
    pub fn site(&self) -> PathBuf {
        self.configuration.site()
    }

    /// Where the interactive shell keeps its history.
    pub fn sql_history(&self) -> PathBuf {
        self.configuration.warehouse.join("state/sql_history")
    }

    /// A session on one release, the latest when none is named.
    pub async fn read_session(&self, release: Option<&str>) -> Result<(ReadSession, Release)> {
        self.open_session(release, ReadLimits::default()).await
    }

    /// The same for a job that asks for many keys in one statement.
    pub(crate) async fn list_session(&self, release: &str) -> Result<(ReadSession, Release)> {
        let limits = ReadLimits {
            most_terms: LISTED_TERMS,
            ..ReadLimits::default()
        };
        self.open_session(Some(release), limits).await
    }

    async fn open_session(
        &self,
        release: Option<&str>,
        limits: ReadLimits,
    ) -> Result<(ReadSession, Release)> {
        let release = self.release(release).await?;
        let limits = ReadLimits {
            threads: self.configuration.worker_threads(),
            ..limits
        };
        let session = ReadSession::open_with(&self.warehouse, &release, limits).await?;
        Ok((session, release))
    }

    /// Rows of the newest tables, released or not.
    pub(crate) async fn query_latest(&self, sql: &str) -> Result<Rows> {
        let as_of = self.as_of_or_latest(None).await?;
        Ok(self.engine.stream_latest(sql, as_of).await?)
    }

    /// The day asked for, or the latest day a delivery became known.
    pub(crate) async fn as_of_or_latest(&self, as_of: Option<NaiveDate>) -> Result<NaiveDate> {
        match as_of {
            Some(as_of) => Ok(as_of),
            None => self.latest_known_on().await?.context(
                "nothing was ever delivered; drop files into the landing folder and run `goyong night`",
            ),
        }
    }

    pub(crate) async fn latest_release_id(&self) -> Result<Option<String>> {
        Ok(self
            .warehouse
            .latest_release()
            .await?
            .map(|release| release.id))
    }

    /// The latest day a delivery became known.
    pub(crate) async fn latest_known_on(&self) -> Result<Option<NaiveDate>> {
        let memo = self
            .warehouse
            .memo_get(LATEST_KNOWN_ON.0, LATEST_KNOWN_ON.1)
            .await?;
        memo.map(|day| day.parse().context("latest_known_on in the ledger"))
            .transpose()
    }

    pub(crate) fn keys(&self) -> Result<Keys> {
        let environment = |variable: &str| std::env::var(variable).ok();
        Ok(Keys::find(&self.configuration.keys, environment)?)
    }

    pub(crate) fn vault(&self, keys: &Keys) -> Result<Vault> {
        Ok(Vault::open(&self.configuration.vault(), keys)?)
    }

    /// Takes the lock of everything that writes; refused while a rotation or an erasure is
    /// unfinished.
    pub(crate) async fn lock_night(&self) -> Result<LockGuard> {
        let lock = self.lock_vault_work()?;
        self.refuse_unfinished_rotation().await?;
        self.refuse_unfinished_erasure().await?;
        Ok(lock)
    }

    /// The same lock, for rotation and erasure themselves.
    pub(crate) fn lock_vault_work(&self) -> Result<LockGuard> {
        Ok(self.warehouse.lock("night")?)
    }

    /// Where runs leave what they say.
    pub(crate) fn logs(&self) -> PathBuf {
        self.configuration.warehouse.join("logs")
    }
}
