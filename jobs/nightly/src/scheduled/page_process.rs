//! Renders the run pages behind a scheduler, in a process of its own: comparing releases takes memory that the
//! scheduler shall not keep, and a rendering that fails ends nothing else.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use goyong_scheduler::{Event, due::Verdict};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a scheduler that stops waits for the pages of the runs it ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// Renders after every event that a page tells of, one rendering at a time.
#[derive(Debug)]
pub(super) struct PageProcess {
    news: watch::Sender<()>,
    worker: JoinHandle<()>,
}

impl PageProcess {
    /// Starts the program with `runs report` whenever there is news.
    pub(super) fn start(project: &Path, program: &Path) -> Self {
        let (news, mut heard) = watch::channel(());
        let (project, program) = (project.to_owned(), program.to_owned());
        let worker = tokio::spawn(async move {
            // What happens during a rendering is in the next one. The last news are heard after the sender is gone.
            while heard.changed().await.is_ok() {
                render(&project, &program).await;
            }
        });
        Self { news, worker }
    }

    /// Where events are told.
    pub(super) fn ear(&self) -> impl Fn(&Event) + Send + Sync + use<> {
        let news = self.news.clone();
        move |event| {
            if is_news(event) {
                news.send_replace(());
            }
        }
    }

    /// Waits for the last rendering, for a while. Every ear must be gone before.
    pub(super) async fn finish(self) {
        drop(self.news);
        if tokio::time::timeout(PATIENCE, self.worker).await.is_err() {
            tracing::warn!(
                "the run pages are not of the last runs; `goyong runs report` renders them"
            );
        }
    }
}

fn is_news(event: &Event) -> bool {
    match event {
        Event::RunEnded { .. } | Event::DeadlineMissed(_) | Event::PlanPaused { .. } => true,
        Event::Decided { decision, .. } => matches!(decision.verdict, Verdict::NotRun(_)),
        _ => false,
    }
}

async fn render(project: &Path, program: &PathBuf) {
    let ended = Command::new(program)
        .arg("--dir")
        .arg(project)
        .args(["--quiet", "runs", "report"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await;
    match ended {
        Ok(status) if status.success() => {}
        Ok(status) => tracing::warn!("the run pages were not rendered ({status})"),
        Err(error) => tracing::warn!("the run pages were not rendered: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use goyong_scheduler::{RunEnd, State};

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_run_is_rendered_before_the_scheduler_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::write(&program, "#!/bin/sh\necho \"$@\" >> \"$2/told\"\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let pages = PageProcess::start(folder.path(), &program);
        let ear = pages.ear();
        ear(&Event::RunEnded {
            run_id: "night-1".to_owned(),
            end: RunEnd::Ended {
                state: State::Success,
                reason: "",
                detail: String::new(),
            },
        });
        drop(ear);
        pages.finish().await;
        let told = std::fs::read_to_string(folder.path().join("told")).unwrap();
        let expected = format!("--dir {} --quiet runs report\n", folder.path().display());
        assert_eq!(told, expected);
    }
}
