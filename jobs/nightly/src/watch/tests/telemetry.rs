//! Lineage events and traces.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use goyong_scheduler::{Event, RunEnd, State, StepAccount};
use serde_json::Value;

use super::super::telemetry::{Telemetry, TelemetryOptions, traceparent};
use super::{account, at, change, claim, plan, receiver};

/// One run with one step, told to receivers that the variables name.
async fn tell(variables: BTreeMap<&'static str, String>, end: State) {
    let options = TelemetryOptions::from_environment("demo", |name| variables.get(name).cloned());
    let (telemetry, sending) = Telemetry::start(options, vec![plan()]).unwrap();
    let began = at("2026-06-01T17:30:01Z");
    telemetry.hear(&Event::RunStarted(claim()), began);
    telemetry.hear(&change(State::Running, "", StepAccount::default()), began);
    let later = began + TimeDelta::seconds(30);
    let reason = if end == State::Failed {
        "check_failed"
    } else {
        ""
    };
    telemetry.hear(&change(end, reason, account()), later);
    let end = RunEnd::Ended {
        state: end,
        reason,
        detail: String::new(),
    };
    let run_id = claim().lease.run_id;
    telemetry.hear(&Event::RunEnded { run_id, end }, later);
    drop(telemetry);
    sending.finish().await;
}

#[tokio::test]
async fn runs_and_steps_are_told_as_open_lineage_events() {
    for (state, last) in [(State::Success, "COMPLETE"), (State::Failed, "FAIL")] {
        let (address, mut posted) = receiver(&[201]).await;
        let variables = BTreeMap::from([
            ("OPENLINEAGE_URL", format!("http://{address}/")),
            ("OPENLINEAGE_API_KEY", "key".to_owned()),
        ]);
        tell(variables, state).await;
        let mut events = Vec::new();
        while let Ok(post) = posted.try_recv() {
            assert_eq!(post.path, "/api/v1/lineage");
            assert_eq!(post.headers["authorization"], "Bearer key");
            assert!(!post.body.to_string().contains("a text that stays here"));
            events.push(post.body);
        }
        let kinds: Vec<(&str, &str)> = events
            .iter()
            .map(|event| {
                (
                    event["job"]["name"].as_str().unwrap(),
                    event["eventType"].as_str().unwrap(),
                )
            })
            .collect();
        let step = "night.build_tables";
        assert_eq!(
            kinds,
            [
                ("night", "START"),
                (step, "START"),
                (step, last),
                ("night", last)
            ]
        );
        for event in &events {
            let run = event["run"]["runId"].as_str().unwrap();
            let lengths: Vec<usize> = run.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{run}");
            DateTime::parse_from_rfc3339(event["eventTime"].as_str().unwrap()).unwrap();
            assert!(event["schemaURL"].as_str().unwrap().ends_with("RunEvent"));
            assert!(event["producer"].is_string());
            assert_eq!(event["job"]["namespace"], "demo");
        }
        assert_eq!(events[1]["run"]["runId"], events[2]["run"]["runId"]);
        let parent = &events[2]["run"]["facets"]["parent"];
        assert_eq!(parent["run"]["runId"], events[0]["run"]["runId"]);
        assert_eq!(parent["job"]["name"], "night");
        assert_eq!(events[2]["inputs"][0]["name"], "staging.pension");
        assert_eq!(events[2]["inputs"].as_array().unwrap().len(), 1);
        let output = &events[2]["outputs"][0];
        assert_eq!(output["name"], "core.person");
        assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], 7);
        let error = &events[2]["run"]["facets"]["errorMessage"]["message"];
        match state {
            State::Failed => assert_eq!(error, "check_failed"),
            _ => assert!(error.is_null()),
        }
    }
}

#[tokio::test]
async fn a_span_for_each_step_and_run_is_sent_over_otlp() {
    let (address, mut posted) = receiver(&[200]).await;
    let variables = BTreeMap::from([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")),
        ("OTEL_SERVICE_NAME", "night watch".to_owned()),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "api-key=a%20secret".to_owned(),
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "deployment.environment.name=test%2Cone,site=Seoul".to_owned(),
        ),
    ]);
    tell(variables, State::Failed).await;
    let mut spans = Vec::new();
    while let Ok(post) = posted.try_recv() {
        assert_eq!(post.path, "/v1/traces");
        assert_eq!(post.headers["api-key"], "a secret");
        let of_one = &post.body["resourceSpans"][0];
        let attributes = of_one["resource"]["attributes"].as_array().unwrap();
        let attribute = |name: &str| {
            let found = attributes
                .iter()
                .find(|attribute| attribute["key"] == name)
                .unwrap();
            found["value"]["stringValue"].as_str().unwrap().to_owned()
        };
        assert_eq!(attribute("service.name"), "night watch");
        assert_eq!(attribute("deployment.environment.name"), "test,one");
        spans.push(of_one["scopeSpans"][0]["spans"][0].clone());
    }
    let [step, run] = spans.as_slice() else {
        panic!("{spans:?}")
    };
    assert_eq!(
        (&step["name"], &run["name"]),
        (&"night.build_tables".into(), &"night".into())
    );
    assert_eq!(step["traceId"], run["traceId"]);
    assert_eq!(step["parentSpanId"], run["spanId"]);
    assert!(run["parentSpanId"].is_null());
    let hexadecimal = |value: &Value, length: usize| {
        let text = value.as_str().unwrap();
        assert!(
            text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit()),
            "{text}"
        );
    };
    hexadecimal(&step["traceId"], 32);
    hexadecimal(&step["spanId"], 16);
    let time = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<i64>().unwrap();
    let took = time(step, "endTimeUnixNano") - time(step, "startTimeUnixNano");
    assert_eq!(took, 30_000_000_000);
    assert_eq!(step["status"]["code"], 2);
    let rows = step["attributes"].as_array().unwrap().iter();
    let mut rows = rows.filter(|attribute| attribute["key"] == "goyong.rows_in");
    assert_eq!(rows.next().unwrap()["value"]["intValue"], "9");
    // The step's process is told the same span.
    let context = traceparent("night-20260601T173000Z", "build_tables", 1);
    let expected = format!(
        "00-{}-{}-01",
        step["traceId"].as_str().unwrap(),
        step["spanId"].as_str().unwrap()
    );
    assert_eq!(context, expected);
}

#[test]
fn without_the_variables_nothing_is_sent() {
    let start = |variables: BTreeMap<&str, &str>| {
        let options = TelemetryOptions::from_environment("demo", |name| {
            variables.get(name).map(|value| (*value).to_owned())
        });
        Telemetry::start(options, Vec::new()).is_some()
    };
    assert!(!start(BTreeMap::new()));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    assert!(!start(BTreeMap::from([
        endpoint,
        ("OTEL_TRACES_EXPORTER", "none")
    ])));
    assert!(!start(BTreeMap::from([
        endpoint,
        ("OTEL_SDK_DISABLED", "true")
    ])));
    let url = ("OPENLINEAGE_URL", "http://127.0.0.1:1");
    assert!(!start(BTreeMap::from([
        url,
        ("OPENLINEAGE_DISABLED", "true")
    ])));
}
