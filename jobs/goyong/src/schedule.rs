//! `goyong schedule`: plans by the clock.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use goyong_nightly::scheduled::{
    DEFAULT_LEASE, NEXT_HEADER, NOTIFY_HEADER, ScheduledProject, StartOptions, StepCommand,
    StepVerdict, TRIGGERED_HEADER,
};
use goyong_nightly::{Fence, NightOptions, StepStatus};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::Instrument;

use crate::arguments::{CommonArguments, LogFormat, OutputArguments};
use crate::commands::open;
use crate::progress::Console;
use crate::{CHECK_FAILED, COULD_NOT_RUN, INTERRUPTED, LOCKED, idle, output};

#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Run what is due, until told to stop
    Start(StartArguments),
    /// Show when plans are due next, and what the calendar makes of it
    Next {
        /// Only this plan
        plan: Option<String>,
        /// How many
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Run nothing of a plan until it is resumed; what is due meanwhile is listed as not run
    Pause {
        /// The plan [default: the only one]
        plan: Option<String>,
        /// Why
        #[arg(long, default_value = "paused by hand")]
        reason: String,
    },
    /// End a pause
    Resume {
        /// The plan [default: the only one]
        plan: Option<String>,
    },
    /// Send a test notice to a target, or to everybody a plan tells
    NotifyTest {
        /// The target, as in [notify.NAME] of goyong.toml [default: those of the plan]
        target: Option<String>,
        /// The plan [default: the only one]
        #[arg(long)]
        plan: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Queue a run of a plan now, whatever its schedule, calendar and pause say
    Trigger(TriggerArguments),
    /// Queue a run for each time a plan was due on past days, with what was known then
    Backfill(BackfillArguments),
}

#[derive(Debug, Args)]
pub struct StartArguments {
    /// How long a silent worker keeps its run; another goes on with it within twice this time
    #[arg(long, value_name = "TIME", value_parser = lease)]
    lease: Option<Duration>,
    /// Serve /healthz, /readyz and /metrics there, such as 127.0.0.1:9617
    #[arg(long, value_name = "ADDRESS", env = "GOYONG_LISTEN")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub struct TriggerArguments {
    /// The plan [default: the only one]
    plan: Option<String>,
    /// The occurrence, on the plan's wall clock or with an offset: 2026-11-23T02:30 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Run it in this process instead of leaving it to a scheduler
    #[arg(long)]
    here: bool,
    /// The account that asks
    #[arg(long, env = "USER", default_value = "")]
    account: String,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
pub struct BackfillArguments {
    /// The plan [default: the only one]
    plan: Option<String>,
    /// The first day
    #[arg(long, value_name = "DAY")]
    event_time_start: NaiveDate,
    /// The day before which to stop; it is excluded itself
    #[arg(long, value_name = "DAY")]
    event_time_end: NaiveDate,
    /// The account that asks
    #[arg(long, env = "USER", default_value = "")]
    account: String,
    #[command(flatten)]
    output: OutputArguments,
}

/// What a scheduler starts a process for.
#[derive(Debug, Args)]
pub struct StepArguments {
    /// The job
    job: String,
    /// The run and the token its commits are fenced by
    #[arg(long)]
    fence: Fence,
    /// Run as known on this day
    #[arg(long)]
    as_of: Option<NaiveDate>,
    /// The plan, for the log
    #[arg(long, default_value = "")]
    plan: String,
    /// The step, for the log
    #[arg(long, default_value = "")]
    step: String,
    /// Which attempt it is, for the log
    #[arg(long, default_value_t = 1)]
    attempt: u32,
}

fn lease(text: &str) -> Result<Duration, String> {
    goyong_nightly::scheduled::lease(text)
}

pub async fn run(common: &CommonArguments, command: &ScheduleCommand) -> Result<u8> {
    let console = Console::new(common.quiet);
    let project = ScheduledProject::open(&common.dir).await?;
    let mut out = std::io::stdout();
    match command {
        ScheduleCommand::Start(arguments) => {
            let options = StartOptions {
                lease: arguments.lease.unwrap_or(DEFAULT_LEASE),
                listen: arguments.listen,
                rest: idle::forget_the_program,
            };
            let stop = stop_at_a_signal()?;
            // The one line scripts wait for; nobody listens to a scheduler whose output is closed.
            let say = |line: &str| {
                let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
            };
            let command = step_command(common)?;
            project.start(command, options, say, stop).await?;
        }
        ScheduleCommand::Next {
            plan,
            count,
            output,
        } => {
            let rows = project.next(plan.as_deref(), usize::from(*count)).await?;
            output::write_rows(&NEXT_HEADER, &rows, output.format, &mut out.lock())?;
        }
        ScheduleCommand::Pause { plan, reason } => {
            let plan = project.plan(plan.as_deref())?;
            console.say(&if project.pause(plan, reason).await? {
                format!(
                    "plan {} is paused; `goyong schedule resume {}` ends it",
                    plan.name, plan.name
                )
            } else {
                format!("plan {} was paused before", plan.name)
            });
        }
        ScheduleCommand::Resume { plan } => {
            let plan = project.plan(plan.as_deref())?;
            console.say(&if project.resume(plan).await? {
                format!("plan {} is resumed", plan.name)
            } else {
                format!("plan {} was not paused", plan.name)
            });
        }
        ScheduleCommand::NotifyTest {
            target,
            plan,
            output,
        } => {
            let plan = project.plan(plan.as_deref())?;
            let (rows, all_taken) = project.notify_test(plan, target.as_deref()).await?;
            output::write_rows(&NOTIFY_HEADER, &rows, output.format, &mut out.lock())?;
            return Ok(if all_taken { 0 } else { CHECK_FAILED });
        }
        ScheduleCommand::Trigger(arguments) => return trigger(common, &project, arguments).await,
        ScheduleCommand::Backfill(arguments) => {
            let plan = project.plan(arguments.plan.as_deref())?;
            let (from, to) = (arguments.event_time_start, arguments.event_time_end);
            console.say(&format!(
                "plan {}: days from {from} to before {to}, in {}",
                plan.name, plan.timezone
            ));
            let triggered = project.backfill(plan, from, to, &arguments.account).await?;
            let rows = ScheduledProject::triggered_rows(&triggered);
            output::write_rows(
                &TRIGGERED_HEADER,
                &rows,
                arguments.output.format,
                &mut out.lock(),
            )?;
        }
    }
    Ok(0)
}

async fn trigger(
    common: &CommonArguments,
    project: &ScheduledProject,
    arguments: &TriggerArguments,
) -> Result<u8> {
    let plan = project.plan(arguments.plan.as_deref())?;
    let at = arguments
        .at
        .as_deref()
        .map(|text| ScheduledProject::instant_of(plan, text))
        .transpose()?;
    let triggered = project.trigger(plan, at, &arguments.account).await?;
    let rows = ScheduledProject::triggered_rows(std::slice::from_ref(&triggered));
    output::write_rows(
        &TRIGGERED_HEADER,
        &rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    if !arguments.here {
        return Ok(0);
    }
    if !triggered.is_new {
        bail!(
            "occurrence {} was decided before; `goyong runs show {}` tells, `goyong runs retry` runs it again",
            triggered.run_id,
            triggered.run_id
        );
    }
    let stop = stop_at_a_signal()?;
    let command = step_command(common)?;
    let has_succeeded = project
        .work_on(&triggered.run_id, command, stop.clone())
        .await?;
    let stopped = *stop.borrow();
    Ok(match (has_succeeded, stopped) {
        (true, _) => 0,
        (false, true) => INTERRUPTED,
        (false, false) => CHECK_FAILED,
    })
}

/// Turns true at SIGTERM and SIGINT, so that runs under way can be given back.
fn stop_at_a_signal() -> Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let mut terminated = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        stop.send_replace(true);
        // Keeps the channel open for as long as anybody listens.
        stop.closed().await;
    });
    Ok(stopped)
}

/// This program again, for one step.
fn step_command(common: &CommonArguments) -> Result<StepCommand> {
    let mut arguments = Vec::new();
    if let Some(threads) = common.threads {
        arguments.extend(["--threads".to_owned(), threads.to_string()]);
    }
    if common.log_format == LogFormat::Json {
        arguments.extend(["--log-format".to_owned(), "json".to_owned()]);
    }
    arguments.push("run-step".to_owned());
    Ok(StepCommand {
        program: std::env::current_exe().context("find this program")?,
        arguments,
        json_log: common.log_format == LogFormat::Json,
    })
}

/// One step of a scheduled run. Says on standard output how it ended, one line.
pub async fn run_step(common: &CommonArguments, arguments: &StepArguments) -> Result<u8> {
    end_with_the_scheduler();
    let fence = &arguments.fence;
    let span = tracing::error_span!(
        "step", run_id = %fence.run, plan = %arguments.plan, step = %arguments.step,
        attempt = arguments.attempt
    );
    run_step_within(common, arguments).instrument(span).await
}

async fn run_step_within(common: &CommonArguments, arguments: &StepArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let outcome = async {
        let options = NightOptions {
            as_of: arguments.as_of,
            full_refresh: false,
        };
        let project = open(common).await?;
        project
            .run_step(&arguments.job, &arguments.fence, &options, &|event| {
                console.show(&event);
            })
            .await
    }
    .await;
    if let Err(error) = &outcome {
        tracing::error!("{error:#}");
    }
    let verdict = StepVerdict::of(&outcome);
    writeln!(output::stdout(), "{}", serde_json::to_string(&verdict)?)?;
    Ok(match (&outcome, verdict.reason.as_str()) {
        (Ok(report), _) if report.status == StepStatus::Failed => CHECK_FAILED,
        (Ok(_), _) => 0,
        (Err(_), "locked") => LOCKED,
        (Err(_), _) => COULD_NOT_RUN,
    })
}

/// The scheduler holds the other end of standard input. When it dies, whoever goes on with the run shall not have to
/// wait for this process.
fn end_with_the_scheduler() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        let mut stdin = std::io::stdin();
        while stdin.read(&mut nothing).is_ok_and(|read| read > 0) {}
        std::process::exit(i32::from(INTERRUPTED));
    });
}
