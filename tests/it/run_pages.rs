//! The run pages that a scheduled run, a night by hand and the command leave.

use std::path::Path;

use crate::support::{demo, goyong, goyong_ok, planned_project};

const PLAN: &str = r#"
schedule = "30 2 * * *"
deadline = "06:00"
"#;

fn page(dir: &str, address: &str) -> String {
    let path = Path::new(dir).join("warehouse/site/ops").join(address);
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()))
}

#[test]
fn a_run_that_ended_has_a_page_that_tells_its_end_its_figures_and_its_release() {
    let folder = tempfile::tempdir().unwrap();
    let dir = &planned_project(folder.path(), PLAN);
    let trigger = |at: &str| {
        goyong_ok(&[
            "--dir",
            dir,
            "schedule",
            "trigger",
            "--at",
            at,
            "--here",
            "--account",
            "operations",
        ])
    };
    trigger("2026-01-05T02:30");
    let run = "night-20260104T173000Z";
    let english = page(dir, &format!("en/runs/{run}/index.html"));
    for expected in [
        "success",
        "triggered by a person · operations",
        "2026-01-05 02:30:00 +09:00",
        "deliveries accepted",
        "files_sound",
        &format!("step ingest_deliveries of run {run}, attempt 1"),
        "It is the first release.",
        // Queued long after the deadline of that day.
        "deadline missed",
    ] {
        assert!(english.contains(expected), "{expected}");
    }
    assert!(!english.contains("This run has not ended"));
    assert!(page(dir, &format!("ko/runs/{run}/index.html")).contains("단계별 시간"));

    // Nothing new is delivered: the second run publishes nothing, and says so.
    trigger("2026-01-06T02:30");
    let second = page(dir, "en/runs/night-20260105T173000Z/index.html");
    assert!(second.contains("This run published no release."));
    assert!(second.contains("nothing new"));
    let list = page(dir, "en/index.html");
    assert_eq!(list.matches("/index.html\">2026-01-0").count(), 2);

    // Rendering again changes nothing of what has ended.
    let before = std::fs::metadata(
        Path::new(dir).join(format!("warehouse/site/ops/en/runs/{run}/index.html")),
    );
    goyong_ok(&["--dir", dir, "runs", "report"]);
    let after = std::fs::metadata(
        Path::new(dir).join(format!("warehouse/site/ops/en/runs/{run}/index.html")),
    );
    assert_eq!(
        before.unwrap().modified().unwrap(),
        after.unwrap().modified().unwrap()
    );
}

#[test]
fn a_night_by_hand_has_a_page_without_a_scheduler_s_ledger_and_public_copies_have_none() {
    let dir = demo().to_str().unwrap();
    let list = page(dir, "en/index.html");
    assert!(list.contains("started by a person (goyong night)"));
    let address = list.split("en/runs/by-hand-").nth(1).unwrap();
    let name = address.split('/').next().unwrap();
    let night = page(dir, &format!("en/runs/by-hand-{name}/index.html"));
    for step in [
        "ingest_deliveries",
        "build_tables",
        "publish_release",
        "render_reports",
    ] {
        assert!(night.contains(&format!("<code>{step}</code>")), "{step}");
    }
    assert!(!Path::new(dir).join("warehouse/state/scheduler.db").exists());
    let elsewhere = tempfile::tempdir().unwrap();
    let public = elsewhere.path().join("public");
    goyong_ok(&["--dir", dir, "report", "--out", public.to_str().unwrap()]);
    assert!(public.join("index.html").exists() && !public.join("ops").exists());
}

#[test]
fn a_night_that_could_not_run_has_a_page_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("project");
    let dir = dir.to_str().unwrap();
    goyong_ok(&["--dir", dir, "init", "--built-in-sql"]);
    let failed = goyong(&["--dir", dir, "night"]);
    assert_eq!(failed.status.code(), Some(2));
    let list = page(dir, "en/index.html");
    assert!(list.contains("nothing was ever delivered"), "{list}");
    let address = list.split("en/runs/").nth(1).unwrap();
    let run = address.split('/').next().unwrap();
    let night = page(dir, &format!("en/runs/{run}/index.html"));
    assert!(night.contains("step before failed") || night.contains("upstream failed"));
    assert!(night.contains("This run published no release."));
}
