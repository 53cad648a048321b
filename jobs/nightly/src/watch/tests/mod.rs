//! Notices, events and figures as receivers on this machine get them.

#![allow(clippy::unwrap_used, clippy::panic)]

mod metrics;
mod notices;
mod telemetry;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;

use chrono::{DateTime, Utc};
use goyong_scheduler::{Claim, Event, Finding, Lease, Plan, State, StepAccount, StepChange};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::figures::SOURCE_PREFIX;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// What a receiver got.
struct Posted {
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

/// An HTTP server that answers one status after the other, the last one for ever.
async fn receiver(statuses: &'static [u16]) -> (SocketAddr, mpsc::UnboundedReceiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, posted) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut answered = 0;
        while let Ok((stream, _)) = listener.accept().await {
            let status = statuses[answered.min(statuses.len() - 1)];
            answered += 1;
            let told = told.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                let told = told.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let headers = parts.headers.iter();
                    let headers = headers
                        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                        .collect();
                    let body = body.collect().await.unwrap().to_bytes();
                    let posted = Posted {
                        path: parts.uri.path().to_owned(),
                        headers,
                        body: serde_json::from_slice(&body).unwrap(),
                    };
                    told.send(posted).ok();
                    let mut response = Response::new(Full::new(Bytes::new()));
                    *response.status_mut() = status.try_into().unwrap();
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(TokioIo::new(stream), answer),
            );
        }
    });
    (address, posted)
}

fn claim() -> Claim {
    Claim {
        lease: Lease {
            run_id: "night-20260601T173000Z".to_owned(),
            token: 1,
        },
        plan: "night".to_owned(),
        scheduled_at: at("2026-06-01T17:30:00Z"),
        origin: "schedule".to_owned(),
        attempt: 1,
        started_at: at("2026-06-01T17:30:01Z"),
        taken_over: false,
        expires_at: at("2026-06-01T17:31:01Z"),
        steps: Vec::new(),
    }
}

fn account() -> StepAccount {
    let part = |figures: &[(&str, i64)]| {
        figures
            .iter()
            .map(|(name, figure)| ((*name).to_owned(), *figure))
            .collect()
    };
    StepAccount {
        figures: part(&[("rows_in", 9), ("rows_out", 7), ("rows_quarantined", 2)]),
        parts: BTreeMap::from([
            (
                "core.person".to_owned(),
                part(&[("rows_out", 7), ("bytes_written", 70)]),
            ),
            ("staging.pension".to_owned(), part(&[("read", 1)])),
            (
                format!("{SOURCE_PREFIX}pension"),
                part(&[
                    ("last_known_on_s", 1_790_000_000),
                    ("is_overdue", 0),
                    ("rows_quarantined", 2),
                ]),
            ),
        ]),
        findings: vec![Finding {
            name: "slope".to_owned(),
            passed: true,
            detail: "0.9".to_owned(),
        }],
    }
}

fn change(state: State, reason: &'static str, account: StepAccount) -> Event {
    Event::Step {
        run_id: claim().lease.run_id,
        change: StepChange {
            step: "build_tables".to_owned(),
            state,
            reason,
            detail: "a text that stays here".to_owned(),
            attempt: 1,
            not_before: None,
            account,
        },
    }
}

fn plan() -> Plan {
    let text =
        "schedule = \"30 2 * * *\"\ndeadline = \"06:00\"\n[[step]]\nname = \"build_tables\"\n";
    Plan::parse("night", "night.toml", text).unwrap()
}
