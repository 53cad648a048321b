//! A PostgreSQL server that tests start and stop; crates that test on one include this file.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

/// A PostgreSQL server that listens on a socket in a temporary folder only.
pub struct Server {
    process: Child,
    programs: PathBuf,
    folder: TempDir,
    databases: AtomicUsize,
}

impl Server {
    /// The server of this process; started when nobody has it, stopped when nobody has it any more.
    pub fn shared() -> Arc<Self> {
        static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SERVER.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// With settings besides, whose files `prepare` writes into the server's folder.
    pub fn start_with(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap();
        let settings = prepare(folder.path());
        // The server refuses to run as root.
        let user = is_root().then(unprivileged_user);
        if let Some((user, group)) = user {
            let files = std::fs::read_dir(folder.path()).unwrap();
            let files = files.map(|file| file.unwrap().path());
            for path in files.chain([folder.path().to_owned()]) {
                chown(path, Some(user), Some(group)).unwrap();
            }
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
            .args(settings)
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

    /// Where a new, empty database is.
    pub fn new_database(&self) -> String {
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
