//! The scheduler as whoever watches it sees it: the service manager, Prometheus, webhooks, lineage, the doctor.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::crash::{AS_OF, delivered_project, small_project};
use crate::s3_server::{S3Server, SECRET_ACCESS_KEY};
use crate::support::{goyong, goyong_ok};

/// One step that fails as long as nothing was ever delivered.
const PLAN: &str = r#"
notify = ["hook"]

[[step]]
name = "publish_release"
"#;

/// An HTTP server that takes everything; what is posted comes out of the channel, with its path.
fn receiver() -> (String, mpsc::Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, posted) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut path, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(rest) = line.strip_prefix("post ") {
                    path = rest.split(' ').next().unwrap().to_owned();
                }
                if let Some(rest) = line.strip_prefix("content-length: ") {
                    length = rest.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            stream.get_mut().write_all(answer).unwrap();
            if told
                .send((path, serde_json::from_slice(&body).unwrap()))
                .is_err()
            {
                return;
            }
        }
    });
    (address, posted)
}

fn project(folder: &Path, address: &str) -> String {
    let dir = folder.join("project").to_str().unwrap().to_owned();
    goyong_ok(&["--dir", &dir, "init", "--built-in-sql"]);
    let plans = folder.join("project/warehouse/jobs/plans");
    std::fs::create_dir_all(&plans).unwrap();
    std::fs::write(plans.join("night.toml"), PLAN).unwrap();
    let file = folder.join("project/goyong.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let notify = format!("\n[notify.hook]\nwebhook = \"http://{address}/hook\"\n");
    std::fs::write(file, text + &notify).unwrap();
    dir
}

fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

struct Watched(Child);

impl Drop for Watched {
    fn drop(&mut self) {
        // It has ended by itself unless the test failed.
        let _ended = self.0.kill();
        let _ended = self.0.wait();
    }
}

/// A service manager that always listens; the lines it is told come out of the channel.
fn service_manager(socket: &Path) -> mpsc::Receiver<String> {
    let manager = UnixDatagram::bind(socket).unwrap();
    let (told, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        loop {
            let length = manager.recv(&mut buffer).unwrap();
            let said = std::str::from_utf8(&buffer[..length]).unwrap();
            if said.lines().any(|line| told.send(line.to_owned()).is_err()) {
                return;
            }
        }
    });
    lines
}

/// Reads what the service manager is told up to a line.
fn hear(manager: &mpsc::Receiver<String>, wanted: &str) {
    while manager.recv().unwrap() != wanted {}
}

#[test]
fn a_watched_scheduler_tells_of_trouble_and_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posted) = receiver();
    let dir = project(folder.path(), &address);
    let socket = folder.path().join("notify");
    let manager = service_manager(&socket);
    let tried = goyong_ok(&["--dir", &dir, "schedule", "notify-test", "--format", "csv"]);
    assert!(tried.contains("hook,taken"), "{tried}");
    assert_eq!(posted.recv().unwrap().1["kind"], "test");

    let mut process = Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", &dir, "--log-format", "json", "schedule", "start"])
        .args(["--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "3000000")
        .env_remove("WATCHDOG_PID")
        .env("OPENLINEAGE_URL", format!("http://{address}"))
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    stdout.read_line(&mut ready).unwrap();
    let log = BufReader::new(process.stderr.take().unwrap());
    let log = std::thread::spawn(move || log.lines().map(Result::unwrap).collect::<Vec<_>>());
    let watched = Watched(process);
    let endpoint = ready.trim().split("http://").nth(1).unwrap();
    let endpoint = endpoint.strip_suffix("/metrics").unwrap();
    hear(&manager, "READY=1");
    // Once at the start and once a turn later: the loop really turns.
    hear(&manager, "WATCHDOG=1");
    hear(&manager, "WATCHDOG=1");
    assert_eq!(get(endpoint, "/healthz").0, 200);
    assert_eq!(get(endpoint, "/readyz"), (200, "ready\n".to_owned()));

    let told = |wanted: &str| loop {
        let (path, body) = posted.recv().unwrap();
        let kind = body["kind"]
            .as_str()
            .or(body["eventType"].as_str())
            .unwrap_or("span");
        if format!("{path} {kind}") == wanted {
            return body;
        }
    };
    goyong_ok(&["--dir", &dir, "schedule", "trigger"]);
    assert_eq!(told("/api/v1/lineage START")["job"]["name"], "night");
    let failed = told("/hook failed");
    assert_eq!(failed["facts"]["steps"], "publish_release");
    let run = failed["run"].as_str().unwrap();
    // The steps' logs have lines with run, plan, step and attempt.
    let step_log = goyong_ok(&["--dir", &dir, "runs", "logs", run]);
    for line in step_log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        let fields = if line["run_id"].is_null() {
            &line["span"]
        } else {
            &line
        };
        assert_eq!(fields["run_id"], run, "{line}");
        assert_eq!(
            (&fields["plan"], &fields["attempt"]),
            (&"night".into(), &1.into())
        );
        assert_eq!(fields["step"], "publish_release");
    }

    let simulate = ["-q", "simulate", "--persons", "600", "--months", "2"];
    goyong_ok(&[&["--dir", &dir], simulate.as_slice()].concat());
    goyong_ok(&["--dir", &dir, "-q", "ingest"]);
    // Whatever is overdue: the calendar of deliveries becomes a table.
    goyong(&["--dir", &dir, "freshness"]);
    goyong_ok(&["--dir", &dir, "runs", "retry", run]);
    assert_eq!(told("/hook recovered")["run"], run);
    let wanted = [
        "goyong_runs{plan=\"night\",state=\"success\"} 1",
        "goyong_gate_passed{plan=\"night\",step=\"publish_release\",gate=\"files_sound\"} 1",
        "goyong_notices_waiting 0",
    ];
    // A notice is noted as delivered after whoever receives it has answered.
    let mut page = String::new();
    for _ in 0..100 {
        let (status, now) = get(endpoint, "/metrics");
        assert_eq!(status, 200);
        page = now;
        if wanted
            .iter()
            .all(|line| page.lines().any(|found| found == *line))
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    for line in wanted {
        assert!(
            page.lines().any(|found| found == line),
            "no {line} in\n{page}"
        );
    }
    let has = |name: &str| page.lines().any(|line| line.starts_with(name));
    assert!(
        has("goyong_run_last_success_timestamp_seconds{plan=\"night\"} "),
        "{page}"
    );
    assert!(
        has("goyong_source_last_known_timestamp_seconds{source=\""),
        "{page}"
    );

    kill(Pid::from_raw(watched.0.id() as i32), Signal::SIGTERM).unwrap();
    hear(&manager, "STOPPING=1");
    let lines = log.join().unwrap();
    let ended = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert_eq!(ended.clone().count(), lines.len(), "{lines:?}");
    let mut succeeded = ended.filter(|line| line["message"] == "run succeeded");
    let line = succeeded.next().unwrap();
    assert_eq!(
        (&line["run_id"], &line["plan"]),
        (&run.into(), &"night".into())
    );
}

#[test]
fn an_unknown_target_and_an_unknown_figure_are_refused_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let dir = project(folder.path(), "127.0.0.1:1");
    let plan = folder
        .path()
        .join("project/warehouse/jobs/plans/night.toml");
    for (text, message) in [
        (PLAN.replace("hook", "hok"), "did you mean `hook`?"),
        (
            format!(
                "[notify_above]\nrows_quarantine = 1\n{}",
                PLAN.replace("notify", "#")
            ),
            "did you mean `rows_quarantined`?",
        ),
    ] {
        std::fs::write(&plan, text).unwrap();
        let refused = goyong(&["--dir", &dir, "schedule", "next"]);
        assert_eq!(refused.status.code(), Some(2));
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(error.contains(message), "{error}");
    }
}

/// The rows of the doctor by check, and its exit code.
fn examined(dir: &str) -> (Vec<(String, String, String)>, Option<i32>) {
    examined_with(dir, &BTreeMap::new())
}

/// The same with variables of the environment.
fn examined_with(
    dir: &str,
    variables: &BTreeMap<String, String>,
) -> (Vec<(String, String, String)>, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", dir, "doctor", "--format", "json"])
        .envs(variables)
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains(SECRET_ACCESS_KEY));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |row: &Value, column: &str| row[column].as_str().unwrap_or_default().to_owned();
    let rows = rows.iter().map(|row| {
        let advice = text(row, "advice");
        assert!(
            row["state"] == "ok" || !advice.is_empty(),
            "no advice: {row}"
        );
        (text(row, "check"), text(row, "state"), text(row, "finding"))
    });
    (rows.collect(), output.status.code())
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let dir = project(folder.path(), "127.0.0.1:1");
    let (rows, code) = examined(&dir);
    let state = |rows: &[(String, String, String)], check: &str| {
        let row = rows
            .iter()
            .find(|row| row.0 == check)
            .unwrap_or_else(|| panic!("{check}: {rows:?}"));
        row.1.clone()
    };
    for check in [
        "configuration",
        "folders",
        "lake",
        "warehouse",
        "keys",
        "release",
        "lock",
        "plans",
        "clock",
    ] {
        assert_eq!(state(&rows, check), "ok", "{rows:?}");
    }
    assert_eq!(code, Some(0), "{rows:?}");

    let project = folder.path().join("project");
    let key = project.join("keys/pepper.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let (rows, code) = examined(&dir);
    assert_eq!((state(&rows, "keys").as_str(), code), ("fail", Some(1)));
    std::fs::write(&key, kept).unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, open).unwrap();
    let (rows, code) = examined(&dir);
    assert_eq!((state(&rows, "keys").as_str(), code), ("fail", Some(1)));
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, private).unwrap();

    // A file of the future: the clock was set back.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(86_400);
    let written = std::fs::File::create(project.join("warehouse/state/sql_history")).unwrap();
    written.set_modified(later).unwrap();
    let (rows, code) = examined(&dir);
    assert_eq!((state(&rows, "clock").as_str(), code), ("fail", Some(1)));
    let file = project.join("goyong.toml");
    std::fs::write(&file, "treads = 2\n").unwrap();
    let (rows, code) = examined(&dir);
    assert_eq!(
        (rows.len(), state(&rows, "configuration").as_str(), code),
        (1, "fail", Some(1))
    );
}

#[test]
fn the_doctor_examines_an_object_store_and_tells_what_ails_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("project").to_str().unwrap().to_owned();
    let mut variables = S3Server::shared().variables();
    variables.insert("GOYONG_LAKE".to_owned(), S3Server::shared().new_place());
    let made = Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", &dir, "-q", "init", "--built-in-sql"])
        .envs(&variables)
        .status()
        .unwrap();
    assert!(made.success());
    let (rows, code) = examined_with(&dir, &variables);
    let sound: Vec<_> = rows.iter().map(|row| (&*row.0, &*row.1)).collect();
    assert!(sound.contains(&("lake", "ok")) && sound.contains(&("warehouse", "ok")));
    assert_eq!(code, Some(0), "{rows:?}");

    // Dead, a key that is not the store's, a bucket that is not there, variables that cannot work.
    let ailments = [
        (
            "AWS_ENDPOINT_URL",
            "http://127.0.0.1:1",
            "cannot be reached",
        ),
        ("AWS_SECRET_ACCESS_KEY", "another", "does not allow to list"),
        (
            "GOYONG_LAKE",
            "s3://no-such-bucket-of-the-tests/x",
            "no such",
        ),
        ("AWS_ALLOW_HTTP", "false", "http://"),
    ];
    for (variable, value, expected) in ailments {
        let mut ailing = variables.clone();
        ailing.insert(variable.to_owned(), value.to_owned());
        let (rows, code) = examined_with(&dir, &ailing);
        let lake: Vec<_> = rows.iter().filter(|row| row.0 == "lake").collect();
        let [(_, state, finding)] = lake.as_slice() else {
            panic!("{rows:?}");
        };
        assert_eq!((state.as_str(), code), ("fail", Some(1)), "{variable}");
        assert!(finding.contains(expected), "{variable}: {finding}");
        // Nothing is said of tables that could not be asked for.
        assert!(rows.iter().all(|row| row.0 != "warehouse"), "{rows:?}");
        assert!(rows.iter().any(|row| row.0 == "plans"), "{rows:?}");
    }
}

/// Runs `goyong` with OpenLineage sent to `address`; answers its exit code.
fn told_of(address: &str, dir: &Path, arguments: &[&str]) -> Option<i32> {
    let output = Command::new(env!("CARGO_BIN_EXE_goyong"))
        .args(["--dir", dir.to_str().unwrap(), "-q"])
        .args(arguments)
        .env("OPENLINEAGE_URL", format!("http://{address}"))
        .output()
        .unwrap();
    output.status.code()
}

/// The events of a run and its steps that were posted, up to its end; what tells of tables only is left out.
fn run_events(posted: &mpsc::Receiver<(String, Value)>, run: &str) -> Vec<Value> {
    let steps = format!("{run}.");
    let mut events = Vec::new();
    loop {
        let (path, event) = posted.recv().unwrap();
        assert_eq!(path, "/api/v1/lineage");
        let job = event["job"]["name"].as_str().unwrap_or_default();
        let is_end = job == run && event["eventType"] != "START";
        if job == run || job.starts_with(&steps) {
            events.push(event);
        }
        if is_end {
            return events;
        }
    }
}

fn kinds(events: &[Value]) -> Vec<String> {
    let kind = |event: &Value| {
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        format!(
            "{} {}",
            word(&event["eventType"]),
            word(&event["job"]["name"])
        )
    };
    events.iter().map(kind).collect()
}

#[test]
fn nights_and_builds_by_hand_are_told_as_scheduled_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (address, posted) = receiver();
    let project = delivered_project(folder.path());
    assert_eq!(told_of(&address, &project, &["night"]), Some(0));
    let events = run_events(&posted, "night");
    let steps = [
        "ingest_deliveries",
        "link_workplaces",
        "build_tables",
        "verify_advertisements",
        "train_models",
        "merge_cases",
        "publish_release",
        "render_reports",
        "render_cases",
    ];
    let mut expected = vec!["START night".to_owned()];
    for step in steps {
        expected.extend(["START", "COMPLETE"].map(|kind| format!("{kind} night.{step}")));
    }
    expected.push("COMPLETE night".to_owned());
    assert_eq!(kinds(&events), expected);
    // All of one run, and the build says what it wrote.
    let run = &events[0]["run"]["runId"];
    let of_steps = &events[1..events.len() - 1];
    assert!(
        of_steps
            .iter()
            .all(|event| event["run"]["facets"]["parent"]["run"]["runId"] == *run)
    );
    assert_eq!(events.last().unwrap()["run"]["runId"], *run);
    let wrote = |events: &[Value], job: &str| {
        let found = events
            .iter()
            .find(|event| event["job"]["name"] == job && event["eventType"] == "COMPLETE");
        found.unwrap()["outputs"].as_array().unwrap().len()
    };
    assert!(wrote(&events, "night.build_tables") > 0);

    // Without anything delivered it cannot go on.
    let empty = folder.path().join("empty");
    goyong_ok(&[
        "--dir",
        empty.to_str().unwrap(),
        "-q",
        "init",
        "--built-in-sql",
    ]);
    assert_eq!(told_of(&address, &empty, &["night"]), Some(2));
    let failed = run_events(&posted, "night");
    let failed_kinds = kinds(&failed);
    assert_eq!(failed_kinds.last().unwrap(), "FAIL night");
    let [.., step, _] = failed.as_slice() else {
        panic!("{failed_kinds:?}");
    };
    assert_eq!(step["eventType"], "FAIL");
    assert_eq!(step["run"]["facets"]["errorMessage"]["message"], "error");

    let shop = small_project(folder.path());
    assert_eq!(
        told_of(&address, &shop, &["build", "--as-of", AS_OF]),
        Some(0)
    );
    let built = run_events(&posted, "build");
    let step = "build.build_tables";
    let expected = [
        "START build",
        "START build.build_tables",
        "COMPLETE build.build_tables",
        "COMPLETE build",
    ];
    assert_eq!(kinds(&built), expected);
    assert!(wrote(&built, step) > 0);
}
