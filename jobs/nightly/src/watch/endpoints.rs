//! `/healthz`, `/readyz` and `/metrics` over HTTP, for whoever watches the scheduler.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use goyong_scheduler::{Calendar, Clock, Ledger, Plan};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::metrics::{Watched, page};

/// Connections served at the same time; others wait.
const MOST_CONNECTIONS: usize = 16;
/// A caller that sends no request for so long is let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// A loop that has not turned for so long hangs.
const LONGEST_TURN: TimeDelta = TimeDelta::seconds(60);

/// When the scheduler's loop last turned.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    turned_at_ms: AtomicI64,
    /// Whether the ledger answered then.
    answers: AtomicBool,
}

impl Pulse {
    pub(crate) fn beat(&self, at: DateTime<Utc>, answers: bool) {
        self.answers.store(answers, Ordering::Relaxed);
        self.turned_at_ms
            .store(at.timestamp_millis(), Ordering::Relaxed);
    }

    fn turned_at(&self) -> Option<DateTime<Utc>> {
        match self.turned_at_ms.load(Ordering::Relaxed) {
            0 => None,
            at => DateTime::from_timestamp_millis(at),
        }
    }
}

/// What the endpoints tell of.
pub(crate) struct Endpoints {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) plans: Vec<Plan>,
    pub(crate) calendars: BTreeMap<String, Calendar>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pulse: Arc<Pulse>,
}

impl Endpoints {
    /// Listens, and serves in the background until it is dropped. Answers the address, whose port was chosen by the
    /// system where it was 0.
    pub(crate) async fn serve(
        self,
        address: SocketAddr,
    ) -> Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listen on {address}"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(self);
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let serving = tokio::spawn(async move {
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of file descriptors, say: whoever asks again later is served.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let answer = service_fn(|request: Request<Incoming>| {
                        let shared = Arc::clone(&shared);
                        let (method, path) =
                            (request.method().clone(), request.uri().path().to_owned());
                        async move { Ok::<_, Infallible>(shared.answer(&method, &path).await) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(PATIENCE)
                        .keep_alive(false)
                        .serve_connection(TokioIo::new(stream), answer);
                    if let Err(error) = connection.await {
                        tracing::debug!("a caller of the endpoints went away: {error}");
                    }
                    drop(place);
                });
            }
        });
        Ok((address, serving))
    }

    async fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        }
        match path {
            "/healthz" => match self.hangs() {
                None => text(StatusCode::OK, "ok\n".to_owned()),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            },
            "/readyz" => match self.unready().await.as_slice() {
                [] => text(StatusCode::OK, "ready\n".to_owned()),
                reasons => text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n"),
            },
            "/metrics" => self.metrics().await,
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /healthz, /readyz and /metrics\n".to_owned(),
            ),
        }
    }

    fn hangs(&self) -> Option<String> {
        let Some(turned_at) = self.pulse.turned_at() else {
            return Some("the scheduler has not turned yet".to_owned());
        };
        let ago = self.clock.now() - turned_at;
        (ago > LONGEST_TURN)
            .then(|| format!("the scheduler has not turned for {} s", ago.num_seconds()))
    }

    /// Why it is not ready.
    async fn unready(&self) -> Vec<String> {
        let mut reasons: Vec<String> = self.hangs().into_iter().collect();
        if let Err(error) = self.ledger.plans().await {
            reasons.push(format!("the ledger of runs does not answer: {error}"));
        } else if reasons.is_empty() && !self.pulse.answers.load(Ordering::Relaxed) {
            reasons.push("the ledger of runs did not answer the scheduler".to_owned());
        }
        reasons
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let watched = Watched {
            ledger: &self.ledger,
            plans: &self.plans,
            calendars: &self.calendars,
            now: self.clock.now(),
            turned_at: self.pulse.turned_at(),
        };
        match page(&watched).await {
            Ok(page) => {
                let mut response = text(StatusCode::OK, page);
                let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            Err(error) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the ledger of runs does not answer: {error:#}\n"),
            ),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
