//! Runs and steps told to others: OpenLineage events and OpenTelemetry traces, as JSON over HTTP. What is sent and where
//! to is said by the variables of these standards; without them nothing is.
//!
//! Traces are OTLP 1 in its JSON mapping: identifiers in hexadecimal, 64-bit numbers as texts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use chrono::{DateTime, Utc};
use goyong_scheduler::{Claim, Event, Plan, RunEnd, State, StepChange};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::lineage_events::{run_event, step_event};
use super::post::post;

/// Messages that wait to be sent; more are dropped, so that a receiver that hangs costs no memory.
const MOST_WAITING: usize = 1024;
/// How long the last messages may take when the process ends.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(5);

/// Where something is posted to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Receiver {
    url: String,
    headers: Vec<(String, String)>,
}

/// What the environment asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TelemetryOptions {
    lineage: Option<Receiver>,
    traces: Option<Receiver>,
    /// Namespace of OpenLineage's jobs and data sets.
    namespace: String,
    /// Attributes of OpenTelemetry's resource.
    resource: BTreeMap<String, String>,
}

impl TelemetryOptions {
    /// Reads the variables of the standards.
    pub(crate) fn from_environment(
        project: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let is_true =
            |name: &str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let joined = |base: String, path: &str| {
            format!(
                "{}/{}",
                base.trim_end_matches('/'),
                path.trim_start_matches('/')
            )
        };
        let lineage = variable("OPENLINEAGE_URL")
            .filter(|_| !is_true("OPENLINEAGE_DISABLED"))
            .map(|url| Receiver {
                url: joined(
                    url,
                    &variable("OPENLINEAGE_ENDPOINT")
                        .unwrap_or_else(|| "api/v1/lineage".to_owned()),
                ),
                headers: variable("OPENLINEAGE_API_KEY")
                    .map(|key| ("authorization".to_owned(), format!("Bearer {key}")))
                    .into_iter()
                    .collect(),
            });
        let is_off = is_true("OTEL_SDK_DISABLED")
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|exporter| exporter != "otlp");
        let headers = variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS")
            .or_else(|| variable("OTEL_EXPORTER_OTLP_HEADERS"))
            .unwrap_or_default();
        let traces = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
            .or_else(|| {
                variable("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| joined(base, "v1/traces"))
            })
            .filter(|_| !is_off)
            .map(|url| Receiver {
                url,
                headers: pairs(&headers),
            });
        let attributes = variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let mut resource: BTreeMap<String, String> = pairs(&attributes).into_iter().collect();
        let service = variable("OTEL_SERVICE_NAME");
        if let Some(service) = service {
            resource.insert("service.name".to_owned(), service);
        }
        resource
            .entry("service.name".to_owned())
            .or_insert_with(|| "goyong".to_owned());
        resource.insert(
            "service.version".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        );
        Self {
            lineage,
            traces,
            namespace: variable("OPENLINEAGE_NAMESPACE").unwrap_or_else(|| project.to_owned()),
            resource,
        }
    }

    /// Posts OpenLineage events that were made elsewhere, if anybody wants them.
    pub(crate) async fn post_lineage(&self, events: &[Value]) -> Result<()> {
        if let Some(receiver) = &self.lineage {
            for event in events {
                post(&receiver.url, &receiver.headers, event).await?;
            }
        }
        Ok(())
    }

    /// Namespace of OpenLineage's jobs and data sets.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Whether anybody wants lineage.
    pub(crate) fn wants_lineage(&self) -> bool {
        self.lineage.is_some()
    }
}

/// `name=value,name=value`, as OpenTelemetry writes lists.
fn pairs(text: &str) -> Vec<(String, String)> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), decoded(value.trim())))
        .collect()
}

/// `%2C` for what may not stand in a list (W3C Baggage, as OpenTelemetry has it).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A run under way.
struct Running {
    claim: Claim,
    began: BTreeMap<String, DateTime<Utc>>,
}

/// Sends what happens, in the background.
pub(crate) struct Telemetry {
    options: TelemetryOptions,
    plans: Vec<Plan>,
    runs: Mutex<BTreeMap<String, Running>>,
    queue: mpsc::Sender<(Receiver, Value)>,
}

/// What ends the sending.
pub(crate) struct TelemetryEnd(tokio::task::JoinHandle<()>);

impl TelemetryEnd {
    /// Waits a moment for what was not sent yet. The sender has to be gone.
    pub(crate) async fn finish(self) {
        if tokio::time::timeout(LAST_WORDS, self.0).await.is_err() {
            tracing::warn!("lineage events and traces of the last seconds were not sent");
        }
    }
}

impl Telemetry {
    /// Nothing when the environment asks for nothing.
    pub(crate) fn start(
        options: TelemetryOptions,
        plans: Vec<Plan>,
    ) -> Option<(Self, TelemetryEnd)> {
        if options.lineage.is_none() && options.traces.is_none() {
            return None;
        }
        let (queue, mut waiting) = mpsc::channel::<(Receiver, Value)>(MOST_WAITING);
        let sending = tokio::spawn(async move {
            while let Some((receiver, body)) = waiting.recv().await {
                if let Err(error) = post(&receiver.url, &receiver.headers, &body).await {
                    tracing::warn!("a lineage event or a trace was not taken: {error:#}");
                }
            }
        });
        let telemetry = Self {
            options,
            plans,
            runs: Mutex::default(),
            queue,
        };
        Some((telemetry, TelemetryEnd(sending)))
    }

    /// Sends what follows from an event of the scheduler.
    pub(crate) fn hear(&self, event: &Event, now: DateTime<Utc>) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::RunStarted(claim) => {
                let running = Running {
                    claim: claim.clone(),
                    began: BTreeMap::new(),
                };
                self.lineage(run_event(&self.options.namespace, "START", claim, now));
                runs.insert(claim.lease.run_id.clone(), running);
            }
            Event::Step { run_id, change } => {
                let Some(running) = runs.get_mut(run_id) else {
                    return;
                };
                self.hear_step(running, change, now);
            }
            Event::RunEnded { run_id, end } => {
                let Some(running) = runs.remove(run_id) else {
                    return;
                };
                let (kind, is_error) = match end {
                    RunEnd::Ended {
                        state: State::Success,
                        ..
                    } => ("COMPLETE", false),
                    RunEnd::Ended {
                        state: State::Failed,
                        ..
                    } => ("FAIL", true),
                    // Given back or taken over: it goes on elsewhere, and ends there.
                    RunEnd::LeaseLost | RunEnd::GivenBack => return,
                    RunEnd::Ended { .. } => ("ABORT", false),
                };
                self.lineage(run_event(
                    &self.options.namespace,
                    kind,
                    &running.claim,
                    now,
                ));
                let claim = &running.claim;
                self.span(Span {
                    trace: trace_of(run_id),
                    id: run_span(run_id),
                    parent: None,
                    name: claim.plan.clone(),
                    began: claim.started_at,
                    ended: now,
                    error: is_error.then(|| "the run failed".to_owned()),
                    attributes: vec![
                        ("goyong.plan", json!({"stringValue": claim.plan})),
                        ("goyong.run_id", json!({"stringValue": run_id})),
                        ("goyong.origin", json!({"stringValue": claim.origin})),
                        (
                            "goyong.run.attempt",
                            json!({"intValue": claim.attempt.to_string()}),
                        ),
                    ],
                });
            }
            _ => {}
        }
    }

    fn hear_step(&self, running: &mut Running, change: &StepChange, now: DateTime<Utc>) {
        let claim = &running.claim;
        let job = |kind| {
            step_event(
                &self.options.namespace,
                self.plan(&claim.plan),
                kind,
                claim,
                change,
                now,
            )
        };
        let is_error = match change.state {
            State::Running => {
                running.began.insert(change.step.clone(), now);
                self.lineage(job("START"));
                return;
            }
            State::Success => false,
            State::Failed | State::UpForRetry => true,
            _ => return,
        };
        // A step that failed without having run has no time of its own.
        let Some(began) = running.began.remove(&change.step) else {
            return;
        };
        self.lineage(job(if is_error { "FAIL" } else { "COMPLETE" }));
        let run_id = &claim.lease.run_id;
        let mut attributes = vec![
            ("goyong.plan", json!({"stringValue": claim.plan})),
            ("goyong.run_id", json!({"stringValue": run_id})),
            ("goyong.step", json!({"stringValue": change.step})),
            (
                "goyong.step.attempt",
                json!({"intValue": change.attempt.to_string()}),
            ),
            (
                "goyong.step.state",
                json!({"stringValue": change.state.word()}),
            ),
        ];
        for (name, attribute) in FIGURES {
            if let Some(figure) = change.account.figures.get(name) {
                attributes.push((attribute, json!({"intValue": figure.to_string()})));
            }
        }
        self.span(Span {
            trace: trace_of(run_id),
            id: step_span(run_id, &change.step, change.attempt),
            parent: Some(run_span(run_id)),
            name: format!("{}.{}", claim.plan, change.step),
            began,
            ended: now,
            error: is_error.then(|| change.reason.to_owned()),
            attributes,
        });
    }

    fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    fn lineage(&self, event: Value) {
        if let Some(receiver) = &self.options.lineage {
            self.send(receiver.clone(), event);
        }
    }

    fn span(&self, span: Span) {
        if let Some(receiver) = &self.options.traces {
            self.send(receiver.clone(), span.into_request(&self.options.resource));
        }
    }

    fn send(&self, receiver: Receiver, body: Value) {
        if self.queue.try_send((receiver, body)).is_err() {
            tracing::warn!("a lineage event or a trace was dropped: the receiver is too slow");
        }
    }
}

/// Figures that spans carry.
const FIGURES: [(&str, &str); 5] = [
    ("rows_in", "goyong.rows_in"),
    ("rows_out", "goyong.rows_out"),
    ("bytes_written", "goyong.bytes_written"),
    ("partitions_rebuilt", "goyong.partitions_rebuilt"),
    ("rows_quarantined", "goyong.rows_quarantined"),
];

struct Span {
    trace: String,
    id: String,
    parent: Option<String>,
    name: String,
    began: DateTime<Utc>,
    ended: DateTime<Utc>,
    error: Option<String>,
    attributes: Vec<(&'static str, Value)>,
}

impl Span {
    fn into_request(self, resource: &BTreeMap<String, String>) -> Value {
        let nanoseconds =
            |at: DateTime<Utc>| at.timestamp_nanos_opt().unwrap_or_default().to_string();
        let attributes: Vec<Value> = self
            .attributes
            .into_iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect();
        let resource: Vec<Value> = resource
            .iter()
            .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
            .collect();
        // Status 1 is ok, 2 an error.
        let status = match &self.error {
            None => json!({"code": 1}),
            Some(message) => json!({"code": 2, "message": message}),
        };
        let mut span = json!({
            "traceId": self.trace,
            "spanId": self.id,
            "name": self.name,
            "kind": 1,
            "startTimeUnixNano": nanoseconds(self.began),
            "endTimeUnixNano": nanoseconds(self.ended),
            "attributes": attributes,
            "status": status,
        });
        if let (Some(parent), Some(span)) = (self.parent, span.as_object_mut()) {
            span.insert("parentSpanId".to_owned(), Value::String(parent));
        }
        let scope = json!({"name": "goyong", "version": env!("CARGO_PKG_VERSION")});
        json!({"resourceSpans": [{
            "resource": {"attributes": resource},
            "scopeSpans": [{"scope": scope, "spans": [span]}],
        }]})
    }
}

pub(super) fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The trace of a run: the same on whichever machine it goes on.
fn trace_of(run_id: &str) -> String {
    digest(&["trace", run_id])[..32].to_owned()
}

fn run_span(run_id: &str) -> String {
    digest(&["run", run_id])[..16].to_owned()
}

fn step_span(run_id: &str, step: &str, attempt: u32) -> String {
    digest(&["step", run_id, step, &attempt.to_string()])[..16].to_owned()
}

/// The trace context of a step's process (W3C Trace Context, level 1; sampled).
pub(crate) fn traceparent(run_id: &str, step: &str, attempt: u32) -> String {
    format!(
        "00-{}-{}-01",
        trace_of(run_id),
        step_span(run_id, step, attempt)
    )
}
