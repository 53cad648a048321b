//! Watching the night: notices, metrics, lineage events and traces, the service manager.

mod by_hand;
mod endpoints;
mod exposition;
mod lineage_events;
mod mail;
mod metrics;
mod post;
mod systemd;
mod targets;
mod telemetry;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use chrono_tz::Tz;
use goyong_scheduler::{Notice, NoticeSender};

pub use targets::{NoticeLanguage, NotifyTarget};

pub(crate) use by_hand::HandRun;
pub(crate) use endpoints::{Endpoints, Pulse};
pub(crate) use systemd::ServiceManager;
pub(crate) use telemetry::{Telemetry, TelemetryEnd, TelemetryOptions, traceparent};

/// Longest time an attempt to deliver a notice takes.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Delivers notices to the targets of a project.
#[derive(Debug)]
pub(crate) struct Sender {
    project: String,
    targets: BTreeMap<String, NotifyTarget>,
    /// Of each plan.
    zones: BTreeMap<String, Tz>,
}

impl Sender {
    pub(crate) fn new(
        project: &str,
        targets: BTreeMap<String, NotifyTarget>,
        zones: BTreeMap<String, Tz>,
    ) -> Self {
        Self {
            project: project.to_owned(),
            targets,
            zones,
        }
    }

    async fn deliver(&self, notice: &Notice) -> Result<()> {
        let Some(target) = self.targets.get(&notice.target) else {
            bail!("no [notify.{}] in goyong.toml any more", notice.target);
        };
        let zone = self
            .zones
            .get(&notice.plan)
            .copied()
            .unwrap_or(Tz::Asia__Seoul);
        if target.smtp.is_some() {
            let text = text::text(notice, &self.project, zone, target.language);
            return mail::send(target, &text, &mail::message_name(&notice.id)).await;
        }
        let url = match (&target.webhook, &target.webhook_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => targets::secret(file)?,
            (None, None) => bail!("[notify.{}] says no address", notice.target),
        };
        let mut headers = vec![("idempotency-key".to_owned(), mail::message_name(&notice.id))];
        if let Some(file) = &target.token_file {
            headers.push((
                "authorization".to_owned(),
                format!("Bearer {}", targets::secret(file)?),
            ));
        }
        let body = text::json(notice, &self.project, zone, target.language);
        post::post(&url, &headers, &body).await
    }
}

#[async_trait]
impl NoticeSender for Sender {
    async fn send(&self, notice: &Notice) -> Result<(), String> {
        tokio::time::timeout(LIMIT, self.deliver(notice))
            .await
            .with_context(|| format!("took longer than {} s", LIMIT.as_secs()))
            .flatten()
            .map_err(|error| format!("{error:#}"))
    }
}
