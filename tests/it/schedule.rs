//! Plans by the clock: `goyong schedule` and `goyong runs`, with steps as processes that die and pause.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::support::{goyong, goyong_ok, planned_project};

const PLAN: &str = r#"
schedule = "30 2 * * *"
calendar = "kr"
on_holiday = "skip"
retries = 5
retry_backoff = "1s"
"#;

fn csv(arguments: &[&str]) -> Vec<Vec<String>> {
    csv::Reader::from_reader(goyong_ok(arguments).as_bytes())
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn run_states(dir: &str) -> Vec<Vec<String>> {
    csv(&["--dir", dir, "runs", "ls", "--format", "csv"])
}

/// A scheduler in a process group of its own, so that a signal meets its steps as well.
struct Scheduler {
    process: Child,
    says: std::io::Lines<BufReader<ChildStderr>>,
}

impl Scheduler {
    fn start(dir: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_goyong"))
            .args(["--dir", dir, "schedule", "start", "--lease", "3s"])
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let says = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, says }
    }

    /// Reads its log up to a line with all these words.
    fn until(&mut self, words: &[&str]) {
        let mut heard = String::new();
        for line in self.says.by_ref() {
            let line = line.unwrap();
            if words.iter().all(|word| line.contains(word)) {
                return;
            }
            heard.push_str(&line);
            heard.push('\n');
        }
        panic!("the scheduler ended without saying {words:?}:\n{heard}");
    }

    fn signal(&self, signal: Signal) {
        killpg(Pid::from_raw(self.process.id() as i32), signal).unwrap();
    }

    fn ends(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

#[test]
fn a_triggered_run_works_in_processes_with_logs_and_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let dir = planned_project(folder.path(), PLAN);
    let at = "2026-01-05T02:30";
    let queued = csv(&[
        "--dir", &dir, "schedule", "trigger", "--at", at, "--here", "--format", "csv",
    ]);
    let run = "night-20260104T173000Z";
    assert_eq!(queued, [[run, "yes"]]);
    let rows = run_states(&dir);
    assert_eq!(
        (
            rows.len(),
            rows[0][0].as_str(),
            rows[0][3].as_str(),
            rows[0][4].as_str()
        ),
        (1, run, "trigger", "success")
    );
    assert_eq!(rows[0][2], "2026-01-05T02:30:00+09:00");
    let steps = csv(&["--dir", &dir, "runs", "show", "--format", "csv"]);
    let states: Vec<(&str, &str)> = steps
        .iter()
        .map(|row| (row[0].as_str(), row[1].as_str()))
        .collect();
    assert_eq!(
        states,
        [
            ("ingest_deliveries", "success"),
            ("publish_release", "success")
        ]
    );
    // Every row delivered was accepted, put into quarantine or refused, and the step's process counted it.
    let figure = |column: usize| steps[0][column].parse::<u64>().unwrap();
    let (rows_in, rows_out, bytes, quarantined) = (figure(7), figure(8), figure(9), figure(11));
    assert!(rows_in > 0 && rows_out > 0 && bytes > 0, "{steps:?}");
    assert_eq!(steps[1][12], "none");
    let figures = csv(&[
        "--dir",
        &dir,
        "runs",
        "show",
        "--figures",
        "--format",
        "csv",
    ]);
    let value = |step: &str, part: &str, figure: &str| {
        let mut rows = figures
            .iter()
            .filter(|row| row[0] == step && row[1].starts_with(part) && row[2] == figure);
        rows.try_fold(0u64, |sum, row| {
            row[3].parse::<u64>().map(|value| sum + value)
        })
        .unwrap()
    };
    let ingest = |figure| value("ingest_deliveries", "source/", figure);
    assert_eq!(ingest("rows_in"), rows_in);
    assert_eq!(ingest("rows_quarantined"), quarantined);
    assert_eq!(rows_in, rows_out + quarantined + ingest("rows_rejected"));
    let released = value("publish_release", "", "rows_released");
    assert!(released >= rows_out, "{released}");
    let log = goyong_ok(&["--dir", &dir, "runs", "logs", "--step", "ingest_deliveries"]);
    assert!(
        log.contains(&format!(
            "step ingest_deliveries of run {run}, attempt 1, token 1"
        )),
        "{log}"
    );
    let releases = csv(&["--dir", &dir, "releases", "ls", "--format", "csv"]);
    assert_eq!(releases.len(), 1);

    // The occurrence is decided; a second trigger changes nothing and says what to do.
    let again = goyong(&["--dir", &dir, "schedule", "trigger", "--at", at, "--here"]);
    assert_eq!(again.status.code(), Some(2));
    let error = String::from_utf8(again.stderr).unwrap();
    assert!(
        error.contains("was decided before; `goyong runs show night-20260104T173000Z`"),
        "{error}"
    );
    assert_eq!(
        goyong(&["--dir", &dir, "runs", "retry", run]).status.code(),
        Some(2)
    );
}

#[test]
fn plans_are_paused_resumed_filled_back_cancelled_and_shown_with_holidays() {
    let folder = tempfile::tempdir().unwrap();
    let dir = planned_project(folder.path(), PLAN);
    let next = csv(&[
        "--dir", &dir, "schedule", "next", "--count", "8", "--format", "csv",
    ]);
    assert_eq!(next.len(), 8);
    // A week and a day holds a weekend.
    assert!(
        next.iter()
            .any(|row| row[3] == "holiday" && row[2].is_empty()),
        "{next:?}"
    );
    assert!(
        next.iter().all(|row| row[1].ends_with("T02:30:00+09:00")),
        "{next:?}"
    );

    goyong_ok(&[
        "--dir",
        &dir,
        "schedule",
        "pause",
        "night",
        "--reason",
        "the room is rebuilt",
    ]);
    let next = csv(&[
        "--dir", &dir, "schedule", "next", "--count", "1", "--format", "csv",
    ]);
    assert_eq!(next[0][3], "paused");
    goyong_ok(&["--dir", &dir, "schedule", "resume"]);

    let interval = [
        "--event-time-start",
        "2026-01-05",
        "--event-time-end",
        "2026-01-08",
    ];
    let mut arguments = vec![
        "--dir", &dir, "schedule", "backfill", "night", "--format", "csv",
    ];
    arguments.extend(interval);
    let queued = csv(&arguments);
    assert_eq!(queued.len(), 3);
    assert!(
        csv(&arguments)
            .iter()
            .all(|row| row[1] == "no, decided before")
    );
    goyong_ok(&["--dir", &dir, "runs", "cancel", &queued[0][0]]);
    let mut states: Vec<String> = run_states(&dir).iter().map(|row| row[4].clone()).collect();
    states.sort();
    assert_eq!(states, ["cancelled", "queued", "queued"]);

    let unknown = goyong(&["--dir", &dir, "schedule", "trigger", "nigth"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        String::from_utf8(unknown.stderr)
            .unwrap()
            .contains("no plan `nigth`; there are night")
    );
}

/// One run, taken up twice, that made one release of sound files.
fn assert_ran_once(dir: &str) {
    let rows = run_states(dir);
    assert_eq!(
        (rows.len(), rows[0][4].as_str(), rows[0][7].as_str()),
        (1, "success", "2")
    );
    assert_eq!(
        csv(&["--dir", dir, "releases", "ls", "--format", "csv"]).len(),
        1
    );
    goyong_ok(&["--dir", dir, "verify"]);
}

#[test]
fn a_killed_schedulers_run_goes_on_in_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let dir = planned_project(folder.path(), PLAN);
    goyong_ok(&["--dir", &dir, "schedule", "trigger"]);
    let mut first = Scheduler::start(&dir);
    first.until(&["step=ingest_deliveries", "state=\"running\""]);
    // Only the scheduler: its step has to notice by itself.
    first.process.kill().unwrap();
    first.ends();
    let mut second = Scheduler::start(&dir);
    second.until(&["run taken up", "taken_over=true"]);
    second.until(&["run succeeded"]);
    second.signal(Signal::SIGTERM);
    assert_eq!(second.ends(), Some(0));
    assert_ran_once(&dir);
}

#[test]
fn a_stopped_schedulers_late_work_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = planned_project(folder.path(), PLAN);
    goyong_ok(&["--dir", &dir, "schedule", "trigger"]);
    let mut first = Scheduler::start(&dir);
    first.until(&["step=ingest_deliveries", "state=\"running\""]);
    first.signal(Signal::SIGSTOP);
    let mut second = Scheduler::start(&dir);
    second.until(&["run taken up", "taken_over=true"]);
    second.until(&["step=ingest_deliveries", "state=\"running\""]);
    first.signal(Signal::SIGCONT);
    first.until(&["another worker has taken the run over"]);
    second.until(&["run succeeded"]);
    for scheduler in [first, second] {
        scheduler.signal(Signal::SIGTERM);
        assert_eq!(scheduler.ends(), Some(0));
    }
    assert_ran_once(&dir);
}

#[test]
fn recorded_runs_expire_but_not_the_one_that_a_kept_release_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let dir = planned_project(folder.path(), PLAN);
    let trigger = ["--dir", &dir, "schedule", "trigger", "--at"];
    goyong_ok(&[&trigger[..], &["2026-01-05T02:30", "--here"]].concat());
    for day in ["2026-01-06", "2026-01-07"] {
        goyong_ok(&[&trigger[..], &[&format!("{day}T02:30")]].concat());
    }
    let [released, cancelled, waiting] =
        ["20260104", "20260105", "20260106"].map(|day| format!("night-{day}T173000Z"));
    goyong_ok(&["--dir", &dir, "runs", "cancel", &cancelled]);
    let project = folder.path().join("project");
    let logs = project.join("warehouse/logs");
    assert!(logs.join(&released).is_dir());
    // Of a run that the ledger does not know any more.
    std::fs::create_dir(logs.join("night-20200101T173000Z")).unwrap();
    let file = project.join("goyong.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("run_days = 365", "run_days = 0");
    std::fs::write(&file, text).unwrap();

    let expire = ["--dir", &dir, "-q", "releases", "expire", "--format", "csv"];
    let would = csv(&[&expire[..], &["--dry-run"]].concat());
    assert_eq!(run_states(&dir).len(), 3);
    let removed = csv(&expire);
    assert_eq!(removed, would);
    let gone = logs.join("night-20200101T173000Z");
    let expected = [
        ["run".to_owned(), cancelled],
        ["file".to_owned(), gone.display().to_string()],
    ];
    assert_eq!(removed, expected);
    let mut left: Vec<String> = run_states(&dir).iter().map(|row| row[0].clone()).collect();
    left.sort();
    assert_eq!(left, [released.as_str(), waiting.as_str()]);
    assert!(logs.join(&released).is_dir() && !gone.exists());
    let steps = csv(&["--dir", &dir, "runs", "show", &released, "--format", "csv"]);
    assert_eq!(steps.len(), 2);
    assert_eq!(csv(&expire), Vec::<Vec<String>>::new());
}
