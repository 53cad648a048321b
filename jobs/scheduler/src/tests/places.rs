//! Databases to test on: a SQLite file, and a PostgreSQL server that the tests start and stop.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

use crate::{Ledger, Location};

/// An empty database; gone when dropped.
pub struct Place {
    pub location: Location,
    _keeps: (Option<TempDir>, Option<Arc<Server>>),
}

impl Place {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            location: Location::Sqlite(folder.path().join("runs.db")),
            _keeps: (Some(folder), None),
        }
    }

    pub fn postgres() -> Self {
        let server = Server::shared();
        Self {
            location: Location::Postgres(server.new_database()),
            _keeps: (None, Some(server)),
        }
    }

    pub async fn ledger(&self) -> Arc<Ledger> {
        Arc::new(Ledger::open(&self.location).await.unwrap())
    }
}

/// A PostgreSQL server that listens on a socket in a temporary folder only.
pub struct Server {
    process: Child,
    programs: PathBuf,
    folder: TempDir,
    databases: AtomicUsize,
}

impl Server {
    /// The server of this process; started when nobody has it, stopped when nobody has it any more.
    fn shared() -> Arc<Self> {
        static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SERVER.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap();
        // The server refuses to run as root.
        let user = is_root().then(unprivileged_user);
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let command = |name: &str| {
            let mut command = Command::new(programs.join(name));
            command.current_dir(folder.path()).env("LC_ALL", "C.UTF-8");
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command
        };
        let made = command("initdb")
            .args([
                "-D",
                "data",
                "-A",
                "trust",
                "-U",
                "goyong",
                "-E",
                "UTF8",
                "--no-sync",
            ])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let mut process = command("postgres")
            .args([
                "-D",
                "data",
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-k",
            ])
            .arg(folder.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let is_ready = log.by_ref().any(|line| {
            line.is_ok_and(|line| line.contains("database system is ready to accept connections"))
        });
        assert!(is_ready, "the server ended before it was ready");
        // Nobody else reads what it says, and a full pipe would stop it.
        std::thread::spawn(move || log.for_each(drop));
        Self {
            process,
            programs,
            folder,
            databases: AtomicUsize::new(0),
        }
    }

    fn new_database(&self) -> String {
        let name = format!("runs_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let folder = self.folder.path().display();
        let made = Command::new(self.programs.join("createdb"))
            .args(["-h", &folder.to_string(), "-U", "goyong", &name])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        format!("host={folder} user=goyong dbname={name}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let server = nix::unistd::Pid::from_raw(self.process.id() as i32);
        // Immediate shutdown: what it stored goes with its folder.
        nix::sys::signal::kill(server, nix::sys::signal::Signal::SIGQUIT).unwrap();
        self.process.wait().unwrap();
    }
}

fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|programs| programs.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .expect("no PostgreSQL server in /usr/lib/postgresql; tests/setup.sh installs it")
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(Path::new("/proc/self")).unwrap()) == 0
}

/// User and group of the package, or of nobody.
fn unprivileged_user() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let numbers = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    numbers("postgres")
        .or_else(|| numbers("nobody"))
        .expect("a user to run the server as")
}
