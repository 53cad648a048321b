//! A step as a process of its own: its memory goes with it, a time limit really ends it, and if it dies nothing else
//! does. It ends with the scheduler, because the pipe it listens to closes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use async_trait::async_trait;
use chrono::SecondsFormat;
use goyong_scheduler::{StepAccount, StepContext, StepDone, StepError, StepRunner};
use goyong_store::{Fence, StoreError};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::figures::StepFigures;
use crate::project::of_store;
use crate::step::{StepReport, StepStatus};
use crate::watch::traceparent;

/// How to start the program that runs a step.
#[derive(Debug, Clone)]
pub struct StepCommand {
    /// The program.
    pub program: PathBuf,
    /// What is said before the step: command and common flags.
    pub arguments: Vec<String>,
    /// Whether the lines of its log are JSON.
    pub json_log: bool,
}

/// What the process of a step says when it ends, one line on its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepVerdict {
    /// How it ended.
    pub status: StepStatus,
    /// Whether the same may succeed later.
    pub retryable: bool,
    /// One word for why it failed.
    pub reason: String,
    /// One line.
    pub summary: String,
    /// What it did, in figures.
    #[serde(default)]
    pub figures: StepFigures,
}

/// Words for failures that a process may say.
const REASONS: [&str; 5] = ["check_failed", "locked", "fenced", "busy", "error"];

impl StepVerdict {
    /// The verdict of a step that ended.
    pub fn of(outcome: &Result<StepReport>) -> Self {
        match outcome {
            Ok(report) => Self::ended(report.status, &report.summary, report.figures.clone()),
            Err(error) => Self::broken_off(error),
        }
    }

    /// The verdict of work that got to its end, whatever it found there.
    pub(crate) fn ended(status: StepStatus, summary: &str, figures: StepFigures) -> Self {
        Self {
            status,
            retryable: false,
            reason: match status {
                StepStatus::Failed => "check_failed".to_owned(),
                StepStatus::Done | StepStatus::Nothing => String::new(),
            },
            summary: summary.to_owned(),
            figures,
        }
    }

    /// The verdict of work that could not go on.
    pub(crate) fn broken_off(error: &anyhow::Error) -> Self {
        let of_store = |test: fn(&StoreError) -> bool| of_store(error).any(test);
        let (retryable, reason) = if of_store(StoreError::is_fenced) {
            (false, "fenced")
        } else if of_store(StoreError::is_locked) {
            (true, "locked")
        } else if of_store(StoreError::is_retryable) || passes(error) {
            (true, "busy")
        } else {
            (false, "error")
        };
        Self {
            status: StepStatus::Failed,
            retryable,
            reason: reason.to_owned(),
            summary: format!("{error:#}"),
            figures: StepFigures::default(),
        }
    }

    pub(crate) fn into_outcome(self) -> Result<StepDone, StepError> {
        let reason = REASONS
            .into_iter()
            .find(|reason| *reason == self.reason)
            .unwrap_or("error");
        let message = self.summary;
        let account = self.figures.into();
        match self.status {
            StepStatus::Done => Ok(StepDone {
                reason: "",
                summary: message,
                account,
            }),
            StepStatus::Nothing => Ok(StepDone {
                reason: "nothing_new",
                summary: message,
                account,
            }),
            StepStatus::Failed if self.retryable => Err(StepError::Retryable { reason, message }),
            StepStatus::Failed => Err(StepError::Final {
                reason,
                message,
                account,
            }),
        }
    }
}

/// Errors of the system that come and go.
fn passes(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind;
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| {
            matches!(
                error.kind(),
                ErrorKind::Interrupted
                    | ErrorKind::TimedOut
                    | ErrorKind::WouldBlock
                    | ErrorKind::ConnectionRefused
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
            )
        })
}

/// Runs each step in a process, with its log in `<logs>/<run>/<step>.log`.
#[derive(Debug)]
pub(super) struct StepProcesses {
    project: PathBuf,
    logs: PathBuf,
    command: StepCommand,
}

impl StepProcesses {
    pub(super) fn new(project: &Path, logs: PathBuf, command: StepCommand) -> Self {
        Self {
            project: project.to_owned(),
            logs,
            command,
        }
    }

    fn log(&self, context: &StepContext) -> Result<std::fs::File> {
        let folder = self.logs.join(&context.lease.run_id);
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let path = folder.join(format!("{}.log", context.step.name));
        let mut log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        let (step, lease, attempt) = (&context.step.name, &context.lease, context.attempt);
        let line = if self.command.json_log {
            serde_json::json!({
                "timestamp": chrono::Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
                "level": "INFO",
                "message": "step begins",
                "run_id": lease.run_id,
                "plan": context.plan,
                "step": step,
                "attempt": attempt,
                "token": lease.token,
            })
            .to_string()
        } else {
            let (run_id, token) = (&lease.run_id, lease.token);
            format!("step {step} of run {run_id}, attempt {attempt}, token {token}")
        };
        writeln!(log, "{line}").with_context(|| format!("write {}", path.display()))?;
        Ok(log)
    }

    async fn attempt(&self, context: &StepContext) -> Result<Result<StepDone, StepError>> {
        let fence = Fence {
            run: context.lease.run_id.clone(),
            token: context.lease.token,
        };
        let mut command = Command::new(&self.command.program);
        command
            .arg("--dir")
            .arg(&self.project)
            .args(&self.command.arguments)
            .arg(&context.step.job)
            .args(["--fence", &fence.to_string()])
            .args(["--plan", &context.plan])
            .args(["--step", &context.step.name])
            .args(["--attempt", &context.attempt.to_string()])
            .env(
                "TRACEPARENT",
                traceparent(&context.lease.run_id, &context.step.name, context.attempt),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(self.log(context)?)
            .kill_on_drop(true);
        if context.origin == "backfill" {
            command.args(["--as-of", &context.day.to_string()]);
        }
        let mut process = command
            .spawn()
            .with_context(|| format!("start {}", self.command.program.display()))?;
        // Held open until the process has ended; when this process dies, the step sees it close and ends.
        let alive = process.stdin.take();
        let mut said = String::new();
        if let Some(mut stdout) = process.stdout.take() {
            stdout
                .read_to_string(&mut said)
                .await
                .context("read what the step says")?;
        }
        let status = process.wait().await.context("wait for the step")?;
        drop(alive);
        let verdict = said
            .lines()
            .last()
            .and_then(|line| serde_json::from_str::<StepVerdict>(line).ok());
        Ok(match verdict {
            Some(verdict) => verdict.into_outcome(),
            // Killed for its memory, by a person, or with the machine's power: the same may succeed.
            None if status.code().is_none() => Err(StepError::Retryable {
                reason: "killed",
                message: format!("the step was killed ({status}); its log may tell more"),
            }),
            None => Err(StepError::Final {
                reason: "error",
                message: format!("the step could not run ({status}); its log tells why"),
                account: StepAccount::default(),
            }),
        })
    }
}

#[async_trait]
impl StepRunner for StepProcesses {
    async fn run(&self, context: StepContext) -> Result<StepDone, StepError> {
        self.attempt(&context).await.unwrap_or_else(|error| {
            Err(StepError::Retryable {
                reason: "not_started",
                message: format!("{error:#}"),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn errors_are_retried_by_class() {
        let verdict = |error: anyhow::Error| StepVerdict::of(&Err(error));
        let locked = StoreError::Locked {
            name: "night".to_owned(),
        };
        let locked = verdict(anyhow::Error::from(locked).context("step build_tables"));
        assert_eq!((locked.retryable, locked.reason.as_str()), (true, "locked"));
        // Intake carries the store's errors in boxes.
        let held = StoreError::Locked {
            name: "night".to_owned(),
        };
        let of_intake = verdict(anyhow::Error::from(goyong_intake::IntakeError::Store {
            operation: "commit the staging table".to_owned(),
            source: Box::new(held),
        }));
        let words = (of_intake.retryable, of_intake.reason.as_str());
        assert_eq!(words, (true, "locked"));
        let fenced = StoreError::Fenced {
            run: "night-1".to_owned(),
            token: 1,
            newest: 2,
        };
        let fenced = verdict(fenced.into());
        assert_eq!(
            (fenced.retryable, fenced.reason.as_str()),
            (false, "fenced")
        );
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(verdict(refused.into()).retryable);
        let wrong = verdict(anyhow::anyhow!("a contract is wrong"));
        assert_eq!((wrong.retryable, wrong.reason.as_str()), (false, "error"));
        // What the process prints is what the scheduler reads.
        let line = serde_json::to_string(&locked).unwrap();
        let read: StepVerdict = serde_json::from_str(&line).unwrap();
        assert!(matches!(
            read.into_outcome(),
            Err(StepError::Retryable {
                reason: "locked",
                ..
            })
        ));
    }
}
