//! What a person sees while a long command works: a moving line on a terminal, one line per
//! finished step elsewhere, nothing with `--quiet`. Always on standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goyong_nightly::{NightEvent, StepReport, StepStatus};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether news is written as lines of the log instead of for people.
static AS_LOG_LINES: AtomicBool = AtomicBool::new(false);

/// From now on news goes to the log, whose lines are for programs.
pub fn say_as_log_lines() {
    AS_LOG_LINES.store(true, Ordering::Relaxed);
}

fn is_log() -> bool {
    AS_LOG_LINES.load(Ordering::Relaxed)
}

/// Prints the events of a night.
pub struct Console {
    line: ProgressBar,
    terminal: bool,
    quiet: bool,
}

impl Console {
    /// A console for this process's standard error.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !quiet && !is_log();
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(8)
        } else {
            ProgressDrawTarget::hidden()
        };
        let line = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}") {
            line.set_style(style);
        }
        Self {
            line,
            terminal,
            quiet,
        }
    }

    /// One line of news, kept on the screen.
    pub fn say(&self, text: &str) {
        if self.quiet {
            return;
        }
        if is_log() {
            tracing::info!("{}", text.trim());
            return;
        }
        self.line.suspend(|| {
            use std::io::Write;
            let _closed = writeln!(std::io::stderr(), "{text}");
        });
    }

    /// Replaces the moving line's message.
    pub fn working_on(&self, message: &str) {
        self.line.set_message(message.to_owned());
    }

    /// Shows an event of the night.
    pub fn show(&self, event: &NightEvent) {
        match event {
            NightEvent::StepStarted {
                position,
                total,
                name,
                reason,
            } => {
                self.line.reset_elapsed();
                self.line.set_prefix(format!("[{position}/{total}] {name}"));
                self.line.set_message((*reason).to_owned());
                if self.terminal {
                    self.line.enable_steady_tick(Duration::from_millis(120));
                }
            }
            NightEvent::Working(message) => self.working_on(message),
            NightEvent::Notice(message) => self.say(&format!("        {message}")),
            NightEvent::StepFinished(report) => {
                self.line.disable_steady_tick();
                if is_log() {
                    log_step(report);
                    return;
                }
                let mark = match report.status {
                    StepStatus::Done => "done",
                    StepStatus::Nothing => "nothing new",
                    StepStatus::Failed => "FAILED",
                };
                self.say(&format!(
                    "[{}/{}] {:<28} {:<11} {:>7.1} s  {:>6} MiB  {}",
                    report.position,
                    report.total,
                    report.name,
                    mark,
                    report.elapsed_ms as f64 / 1000.0,
                    report.peak_memory_mib,
                    report.summary
                ));
                for detail in &report.details {
                    self.say(&format!("        {detail}"));
                }
            }
        }
    }

    /// Takes the moving line away.
    pub fn finish(&self) {
        self.line.finish_and_clear();
    }
}

/// A step that ended, as one line of the log with its figures.
fn log_step(report: &StepReport) {
    let status = match report.status {
        StepStatus::Done => "done",
        StepStatus::Nothing => "nothing",
        StepStatus::Failed => "failed",
    };
    let figures = serde_json::to_string(&report.figures).unwrap_or_default();
    tracing::info!(
        job = %report.name, status, elapsed_ms = report.elapsed_ms,
        peak_memory_mib = report.peak_memory_mib, figures = %figures, "{}", report.summary
    );
    for detail in &report.details {
        tracing::info!(job = %report.name, "{detail}");
    }
}
