//! The endpoints.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use goyong_scheduler::{Clock, Event, FakeClock, Ledger, Location, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::endpoints::{Endpoints, Pulse};
use super::super::exposition::problems;
use super::{account, at, change, plan};

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// A ledger with one successful run of two minutes whose step has an account.
async fn ledger(folder: &Path, clock: &FakeClock) -> Arc<Ledger> {
    let ledger = Ledger::open(&Location::Sqlite(folder.join("runs.db")))
        .await
        .unwrap();
    let plan = plan();
    let now = clock.now();
    let queued = ledger
        .trigger(&plan, &[now], "trigger", "operations", now)
        .await;
    assert!(queued.unwrap()[0].is_new);
    let lease = std::time::Duration::from_secs(60);
    let claim = ledger
        .claim(&[&plan], None, "test", lease, now)
        .await
        .unwrap()
        .unwrap();
    for (minutes, state) in [(0, State::Running), (2, State::Success)] {
        let Event::Step { change, .. } = change(state, "", account()) else {
            panic!("a step")
        };
        let end = (state == State::Success).then_some((state, "", ""));
        let at = now + TimeDelta::minutes(minutes);
        ledger
            .progress(&claim.lease, &plan, &[change], end, at)
            .await
            .unwrap();
    }
    Arc::new(ledger)
}

#[tokio::test]
async fn metrics_follow_the_rules_of_prometheus_and_show_what_the_ledger_knows() {
    let folder = tempfile::tempdir().unwrap();
    let clock = FakeClock::new(at("2026-06-01T17:30:00Z"));
    let pulse = Arc::new(Pulse::default());
    let endpoints = Endpoints {
        ledger: ledger(folder.path(), &clock).await,
        plans: vec![plan()],
        calendars: BTreeMap::new(),
        clock: Arc::new(clock.clone()),
        pulse: Arc::clone(&pulse),
    };
    let (address, serving) = endpoints
        .serve("127.0.0.1:0".parse().unwrap())
        .await
        .unwrap();
    let (status, why) = get(address, "/healthz").await;
    assert_eq!(
        (status, why.trim()),
        (503, "the scheduler has not turned yet")
    );
    assert_eq!(get(address, "/readyz").await.0, 503);
    pulse.beat(clock.now(), true);
    assert_eq!(get(address, "/healthz").await.0, 200);
    assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));
    pulse.beat(clock.now(), false);
    let (status, why) = get(address, "/readyz").await;
    assert!(
        status == 503 && why.contains("ledger of runs did not answer"),
        "{why}"
    );
    assert_eq!(get(address, "/else").await.0, 404);

    let (status, page) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    assert_eq!(problems(&page), Vec::<String>::new(), "{page}");
    for line in [
        "goyong_run_last_success_timestamp_seconds{plan=\"night\"} 1780335120",
        "goyong_run_last_success_duration_seconds{plan=\"night\"} 120",
        "goyong_runs{plan=\"night\",state=\"success\"} 1",
        "goyong_runs{plan=\"night\",state=\"failed\"} 0",
        "goyong_occurrences_total{plan=\"night\",outcome=\"run\"} 1",
        "goyong_deadlines_missed_total{plan=\"night\"} 0",
        "goyong_step_rows_in{plan=\"night\",step=\"build_tables\"} 9",
        "goyong_step_rows_quarantined{plan=\"night\",step=\"build_tables\"} 2",
        "goyong_gate_passed{plan=\"night\",step=\"build_tables\",gate=\"slope\"} 1",
        "goyong_source_last_known_timestamp_seconds{source=\"pension\"} 1790000000",
        "goyong_source_rows_quarantined{source=\"pension\"} 2",
        "goyong_plan_next_run_timestamp_seconds{plan=\"night\"} 1780421400",
        "goyong_notices_waiting 0",
    ] {
        assert!(
            page.lines().any(|found| found == line),
            "no {line} in\n{page}"
        );
    }
    clock.advance(std::time::Duration::from_secs(120));
    let (status, why) = get(address, "/healthz").await;
    assert!(
        status == 503 && why.contains("has not turned for 120 s"),
        "{why}"
    );
    serving.abort();
}
