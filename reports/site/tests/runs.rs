//! The run pages from a made-up ledger: lists, one run's page, escaping, what stays and what goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use goyong_site::{
    Attempt, DeadlineState, Figure, GateLine, LateSource, LocalTime, LogTail, NotRunReason,
    Occurrence, Outcome, PlanRuns, ReleaseChange, RunPage, RunsInputs, StepPage, TableChange,
    render_runs, rendered_runs,
};

const HOSTILE: &str = "<script>alert(1)</script> \"&'";

fn at(text: &str) -> LocalTime {
    format!("2026-11-{text}+09:00").parse().unwrap()
}

fn outcome(run: &str, state: &str, reason: &str) -> Outcome {
    Outcome::Run {
        run: run.into(),
        state: state.into(),
        reason: reason.into(),
        detail: String::new(),
        attempt: 1,
        started_at: Some(at("23T02:30:00")),
        finished_at: Some(at("23T02:41:00")),
    }
}

fn occurrence(due: &str, outcome: Outcome) -> Occurrence {
    Occurrence {
        scheduled_at: at(due),
        origin: "trigger".into(),
        requested_by: "operations".into(),
        outcome,
        deadline: Some(DeadlineState::Missed(at("23T02:40:00"))),
    }
}

fn not_run(due: &str, code: &str, detail: &str) -> Occurrence {
    let reason = NotRunReason {
        code: code.into(),
        detail: detail.into(),
        at: None,
    };
    occurrence(due, Outcome::NotRun(reason))
}

fn failed_run() -> RunPage {
    let attempt = Attempt {
        number: 1,
        started_at: at("23T02:30:00"),
        finished_at: Some(at("23T02:41:00")),
        state: "failed".into(),
        reason: "check_failed".into(),
        detail: HOSTILE.into(),
    };
    RunPage {
        run: "night-20261122T173000Z".into(),
        plan: "night".into(),
        timezone: "Asia/Seoul".into(),
        occurrence: occurrence(
            "23T02:30:00",
            outcome("night-20261122T173000Z", "failed", "step_failed"),
        ),
        queued_at: Some(at("23T02:30:00")),
        holder: "machine:7:ab".into(),
        steps: vec![
            StepPage {
                name: "build_tables".into(),
                purpose: "core, marts".into(),
                state: "failed".into(),
                reason: "check_failed".into(),
                detail: HOSTILE.into(),
                attempts: vec![attempt],
                figures: vec![Figure {
                    name: "partitions_fresh".into(),
                    value: 1234,
                }],
                parts: vec![(
                    "core.person".into(),
                    vec![Figure {
                        name: "bytes_written".into(),
                        value: 12_345,
                    }],
                )],
                gates: vec![GateLine {
                    name: "core.person unique".into(),
                    passed: false,
                    detail: "2 rows fail".into(),
                }],
                log: Some(LogTail {
                    lines: vec!["a line".into(), HOSTILE.into()],
                    is_cut: true,
                }),
                ..StepPage::default()
            },
            StepPage {
                name: "publish_release".into(),
                state: "upstream_failed".into(),
                reason: "upstream_failed".into(),
                detail: "step build_tables did not succeed".into(),
                ..StepPage::default()
            },
        ],
        release: Some(ReleaseChange {
            id: "2026-11-22.1".into(),
            before: Some("2026-11-21.1".into()),
            tables: vec![TableChange {
                table: "marts.claims".into(),
                change: "changed".into(),
                rows_added: "17".into(),
                columns: "+region".into(),
                ..TableChange::default()
            }],
            unchanged: 41,
            problem: String::new(),
        }),
        late_sources: vec![LateSource {
            source: "ei_workplace".into(),
            state: "overdue".into(),
            due_on: "2026-11-15".into(),
            days_late: "8".into(),
            last_known_on: "2026-10-14".into(),
        }],
        as_of: at("23T02:41:02"),
        fingerprint: "one".into(),
    }
}

fn inputs(occurrences: Vec<Occurrence>, runs: Vec<RunPage>, kept: &[&str]) -> RunsInputs {
    RunsInputs {
        project: HOSTILE.into(),
        notice: None,
        as_of: at("23T02:41:02"),
        site: Some("..".into()),
        plans: vec![PlanRuns {
            name: "night".into(),
            description: "the night".into(),
            schedule: Some("30 2 * * *".into()),
            timezone: "Asia/Seoul".into(),
            next: Some(at("24T02:30:00")),
            paused: None,
            occurrences,
            left_out: 3,
        }],
        runs,
        kept: kept.iter().map(|run| (*run).to_owned()).collect(),
    }
}

fn read(folder: &Path, address: &str) -> String {
    std::fs::read_to_string(folder.join(address)).unwrap_or_else(|_| panic!("no {address}"))
}

#[test]
fn the_list_tells_what_ran_and_why_the_rest_did_not_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![
        failed_run().occurrence,
        not_run("22T02:30:00", "holiday", "추석"),
        not_run("21T02:30:00", "superseded", ""),
    ];
    render_runs(&inputs(rows, vec![failed_run()], &[]), folder.path()).unwrap();
    let english = read(folder.path(), "en/index.html");
    for expected in [
        "../en/runs/night-20261122T173000Z/index.html",
        "a step failed",
        "holiday: 추석",
        "a later one was run instead",
        "deadline missed",
        "2026-11-24 02:30:00 +09:00",
        "../../en/index.html",
    ] {
        assert!(english.contains(expected), "{expected}");
    }
    let korean = read(folder.path(), "ko/index.html");
    assert!(korean.contains("휴일: 추석") && korean.contains("기한을 넘김"));
    for page in ["en/index.html", "en/runs/night-20261122T173000Z/index.html"] {
        assert!(!read(folder.path(), page).contains("<script"), "{page}");
    }
}

#[test]
fn a_run_s_page_holds_its_steps_figures_gates_log_release_and_what_was_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![failed_run().occurrence];
    render_runs(&inputs(rows, vec![failed_run()], &[]), folder.path()).unwrap();
    let page = read(folder.path(), "en/runs/night-20261122T173000Z/index.html");
    for expected in [
        "✕ 11 min",
        "partitions not rebuilt <b>1,234</b>",
        "bytes written 12.3 kB",
        "core.person unique – 2 rows fail",
        "&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;&#39;",
        "goyong runs logs night-20261122T173000Z --step build_tables",
        "<code>publish_release</code>",
        "step build_tables did not succeed",
        "compared with 2026-11-21.1",
        "+region",
        "Tables unchanged: 41",
        "ei_workplace",
        "class=\"deadline\"",
        "triggered by a person · operations",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("This run has not ended"));
}

#[test]
fn a_page_that_is_kept_is_not_written_again_and_one_that_is_not_goes() {
    let folder = tempfile::tempdir().unwrap();
    let rows = || vec![failed_run().occurrence];
    let first = render_runs(&inputs(rows(), vec![failed_run()], &[]), folder.path()).unwrap();
    assert!(first.written > 4);
    assert_eq!(
        rendered_runs(folder.path())["night-20261122T173000Z"],
        "one"
    );
    let kept = inputs(rows(), Vec::new(), &["night-20261122T173000Z"]);
    let again = render_runs(&kept, folder.path()).unwrap();
    assert_eq!((again.runs, again.written, again.removed), (0, 0, 0));
    let gone = render_runs(&inputs(rows(), Vec::new(), &[]), folder.path()).unwrap();
    assert_eq!(gone.removed, 2);
    assert!(rendered_runs(folder.path()).is_empty());
    let list = read(folder.path(), "en/index.html");
    assert!(!list.contains("runs/night-20261122T173000Z"), "a dead link");
}

#[test]
fn thousands_of_occurrences_stand_on_pages_of_a_hundred() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |count: usize| vec![not_run("22T02:30:00", "paused", ""); count];
    render_runs(&inputs(rows(250), Vec::new(), &[]), folder.path()).unwrap();
    let rows_of = |address: &str| {
        read(folder.path(), address)
            .matches("<tr><th scope=\"row\"")
            .count()
    };
    assert_eq!(rows_of("ko/index.html"), 15);
    assert_eq!(rows_of("ko/plans/night/index.html"), 100);
    assert_eq!(rows_of("ko/plans/night/3/index.html"), 50);
    let last = read(folder.path(), "en/plans/night/3/index.html");
    assert!(last.contains("plans/night/2/index.html") && last.contains("not listed here: 3"));
    render_runs(&inputs(rows(150), Vec::new(), &[]), folder.path()).unwrap();
    assert!(!folder.path().join("ko/plans/night/3").exists());
    assert!(folder.path().join("ko/plans/night/2").exists());
}

#[test]
fn a_run_under_way_says_as_of_when() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = failed_run();
    if let Outcome::Run {
        state, finished_at, ..
    } = &mut run.occurrence.outcome
    {
        *state = "running".into();
        *finished_at = None;
    }
    render_runs(
        &inputs(vec![run.occurrence.clone()], vec![run], &[]),
        folder.path(),
    )
    .unwrap();
    let page = read(folder.path(), "en/runs/night-20261122T173000Z/index.html");
    assert!(page.contains(
        "This run has not ended.</b> Read from the ledger at 2026-11-23 02:41:02 +09:00"
    ));
}
