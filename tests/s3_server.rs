//! A real S3-compatible server that the tests start on loopback and that ends with them.
//!
//! SeaweedFS, because it decides conditional puts under a lock (of writers of one key, one succeeds), takes uploads in
//! parts, and comes as one program in a registry package, which `tests/setup.sh` installs. A server that looks and then
//! writes lets two writers win.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const ACCESS_KEY_ID: &str = "goyong-tests";
/// Looked for in everything that is printed.
pub const SECRET_ACCESS_KEY: &str = "hush-hush-of-the-tests";

/// Ends the server and removes its files when the tests end, however they end: then their end of the pipe closes.
const WATCHDOG: &str = r#"
program=$1; folder=$2; ports=$3; shift 3
"$program" "$@" </dev/null &
server=$!
exec 2>/dev/null
cat >/dev/null
kill -9 $server
wait $server
rm -rf "$folder"
for port in $ports; do rm -f /tmp/seaweedfs-*-"$port".sock; done
"#;

/// A server that lasts as long as this process.
pub struct S3Server {
    endpoint: String,
    /// Holds the end of the pipe that the watchdog listens to.
    _watchdog: Child,
}

static SERVER: OnceLock<S3Server> = OnceLock::new();

impl S3Server {
    /// The server of this process.
    pub fn shared() -> &'static Self {
        SERVER.get_or_init(Self::start)
    }

    /// What a program needs that a test of an object store runs; nothing where no test has asked for the server.
    #[allow(dead_code, reason = "the tests of the store run no programs")]
    pub fn variables_if_started() -> BTreeMap<String, String> {
        SERVER.get().map(Self::variables).unwrap_or_default()
    }

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let identities = serde_json::json!({"identities": [{
            "name": "tests",
            "credentials": [{"accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }]});
        let config = folder.join("identities.json");
        std::fs::write(&config, identities.to_string()).unwrap();
        let ports = free_ports();
        let port = |number: usize| ports[number].to_string();
        let names = ports.map(|port| port.to_string()).join(" ");
        let mut process = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(program())
            .arg(&folder)
            .arg(&names)
            .args(["-logtostderr=true", "server", "-filer", "-s3"])
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .arg("-master.telemetry=false")
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=200"])
            .arg(format!("-dir={}", folder.display()))
            .arg(format!("-s3.config={}", config.display()))
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
            .arg(format!("-master.port={}", port(0)))
            .arg(format!("-master.port.grpc={}", port(1)))
            .arg(format!("-volume.port={}", port(2)))
            .arg(format!("-volume.port.grpc={}", port(3)))
            .arg(format!("-filer.port={}", port(4)))
            .arg(format!("-filer.port.grpc={}", port(5)))
            .arg(format!("-s3.port={}", port(6)))
            .arg(format!("-s3.port.grpc={}", port(7)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // An interrupt from the terminal ends the tests; the watchdog cleans up after them.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).split(b'\n');
        let is_ready = log.by_ref().any(|line| {
            line.is_ok_and(|line| {
                String::from_utf8_lossy(&line).contains("Start Seaweed S3 API Server")
            })
        });
        assert!(is_ready, "the S3 server ended before it was ready");
        // Nobody else reads what it says, and a full pipe would stop it.
        std::thread::spawn(move || log.for_each(drop));
        create_bucket(ports[4]);
        Self {
            endpoint: format!("http://127.0.0.1:{}", port(6)),
            _watchdog: process,
        }
    }

    /// The variables that a client needs.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let endpoint = self.endpoint.as_str();
        [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// A prefix that nobody else uses.
    pub fn new_place(&self) -> String {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        format!(
            "s3://goyong/test-{}",
            NUMBER.fetch_add(1, Ordering::Relaxed)
        )
    }
}

/// A bucket is a folder of the server's file layer.
fn create_bucket(filer: u16) {
    let mut filer = TcpStream::connect(("127.0.0.1", filer)).unwrap();
    let request = "POST /buckets/goyong/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    filer.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    filer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

fn free_ports() -> [u16; 8] {
    let listeners = [(); 8].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache");
    let program = cache.unwrap_or_else(home).join("goyong-tests/s3/bin/weed");
    assert!(
        program.is_file(),
        "no S3 server in {}; tests/setup.sh installs it",
        program.display()
    );
    program
}
