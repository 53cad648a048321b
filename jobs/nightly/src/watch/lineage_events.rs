//! Runs and steps as OpenLineage events: OpenLineage 2-0-2 with the facets ParentRun 1-0-1, OutputStatistics 1-0-2,
//! ErrorMessage 1-0-1 and NominalTime 1-0-1.

use chrono::{DateTime, SecondsFormat, Utc};
use goyong_scheduler::{Claim, Plan, StepAccount, StepChange};
use serde_json::{Map, Value, json};

use super::telemetry::digest;
use crate::figures::SOURCE_PREFIX;

const PRODUCER: &str = concat!(
    "https://openlineage.io/producers/goyong/",
    env!("CARGO_PKG_VERSION")
);
const RUN_EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// A UUID of our own making: version 8, variant 10 (RFC 9562).
fn uuid(parts: &[&str]) -> String {
    let digest = digest(parts);
    format!(
        "{}-{}-8{}-a{}-{}",
        &digest[0..8],
        &digest[8..12],
        &digest[13..16],
        &digest[17..20],
        &digest[20..32]
    )
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn facet(name: &str, version: &str, body: Value) -> Value {
    let mut facet = Map::new();
    facet.insert("_producer".to_owned(), json!(PRODUCER));
    let schema = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    facet.insert("_schemaURL".to_owned(), json!(schema));
    if let Value::Object(body) = body {
        facet.extend(body);
    }
    Value::Object(facet)
}

fn nominal_time(claim: &Claim) -> Value {
    let body = json!({"nominalStartTime": time(claim.scheduled_at)});
    facet("NominalTimeRunFacet", "1-0-1", body)
}

fn run_uuid(namespace: &str, claim: &Claim) -> String {
    uuid(&[namespace, &claim.lease.run_id])
}

pub(super) fn run_event(namespace: &str, kind: &str, claim: &Claim, now: DateTime<Utc>) -> Value {
    json!({
        "eventType": kind,
        "eventTime": time(now),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": {
            "runId": run_uuid(namespace, claim),
            "facets": {"nominalTime": nominal_time(claim)},
        },
        "job": {"namespace": namespace, "name": claim.plan, "facets": {}},
        "inputs": [],
        "outputs": [],
    })
}

pub(super) fn step_event(
    namespace: &str,
    plan: Option<&Plan>,
    kind: &str,
    claim: &Claim,
    change: &StepChange,
    now: DateTime<Utc>,
) -> Value {
    let mut facets = Map::new();
    facets.insert("nominalTime".to_owned(), nominal_time(claim));
    let parent = json!({
        "run": {"runId": run_uuid(namespace, claim)},
        "job": {"namespace": namespace, "name": claim.plan},
    });
    facets.insert(
        "parent".to_owned(),
        facet("ParentRunFacet", "1-0-1", parent),
    );
    if kind == "FAIL" {
        // The reason's word; the text may quote what nobody outside shall see.
        let body = json!({"message": change.reason, "programmingLanguage": "Rust"});
        facets.insert(
            "errorMessage".to_owned(),
            facet("ErrorMessageRunFacet", "1-0-1", body),
        );
    }
    let attempt = change.attempt.to_string();
    let (inputs, outputs) = datasets(namespace, plan, change);
    json!({
        "eventType": kind,
        "eventTime": time(now),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": {
            "runId": uuid(&[namespace, &claim.lease.run_id, &change.step, &attempt]),
            "facets": facets,
        },
        "job": {
            "namespace": namespace,
            "name": format!("{}.{}", claim.plan, change.step),
            "facets": {},
        },
        "inputs": inputs,
        "outputs": outputs,
    })
}

/// The tables a step read and wrote, as its account names them; before it has ended, what the plan says of it.
fn datasets(namespace: &str, plan: Option<&Plan>, change: &StepChange) -> (Vec<Value>, Vec<Value>) {
    let account: &StepAccount = &change.account;
    if account.parts.is_empty() {
        let step = plan.and_then(|plan| plan.steps.iter().find(|step| step.name == change.step));
        let named = |names: &[String]| -> Vec<Value> {
            names
                .iter()
                .map(|name| json!({"namespace": namespace, "name": name, "facets": {}}))
                .collect()
        };
        return step.map_or_else(Default::default, |step| {
            (named(&step.inputs), named(&step.outputs))
        });
    }
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (name, figures) in &account.parts {
        let is_source = name.starts_with(SOURCE_PREFIX);
        let is_read = match is_source {
            true => figures.contains_key("rows_in"),
            false => figures.contains_key("read"),
        };
        if is_read {
            inputs.push(json!({"namespace": namespace, "name": name, "facets": {}}));
        }
        if let Some(rows) = figures.get("rows_out").filter(|_| !is_source) {
            let body = json!({"rowCount": rows, "size": figures.get("bytes_written")});
            let statistics = facet("OutputStatisticsOutputDatasetFacet", "1-0-2", body);
            outputs.push(json!({
                "namespace": namespace,
                "name": name,
                "facets": {},
                "outputFacets": {"outputStatistics": statistics},
            }));
        }
    }
    (inputs, outputs)
}
