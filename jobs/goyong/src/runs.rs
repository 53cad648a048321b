//! `goyong runs`: what ran, what did not, and why.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Subcommand;
use goyong_nightly::scheduled::{FIGURES_HEADER, RUN_HEADER, RUNS_HEADER, ScheduledProject};

use crate::arguments::{CommonArguments, OutputArguments};
use crate::output;
use crate::progress::Console;

#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// One line per time a plan was due, newest first: its run, or why there was none
    Ls {
        /// Only this plan
        #[arg(long)]
        plan: Option<String>,
        /// How many
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        limit: u32,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// The steps of a run
    Show {
        /// The run [default: the newest]
        run: Option<String>,
        /// Every figure of every step: of the step, of its tables and sources, and its gates
        #[arg(long)]
        figures: bool,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Print the logs of a run's steps
    Logs {
        /// The run [default: the newest]
        run: Option<String>,
        /// Only this step
        #[arg(long)]
        step: Option<String>,
    },
    /// Cancel a run that waits or runs
    Cancel {
        /// The run
        run: String,
    },
    /// Render the run pages into `site/ops`: what ran, what did not, and why. A scheduler and a night do so by themselves
    Report,
    /// Queue a failed or cancelled run again; steps that succeeded are not run again
    Retry {
        /// The run
        run: String,
    },
}

pub async fn run(common: &CommonArguments, command: &RunsCommand) -> Result<u8> {
    let console = Console::new(common.quiet);
    if let RunsCommand::Report = command {
        let (start, _) = goyong_nightly::render_run_pages(&common.dir).await?;
        console.say(&format!("open {}", start.display()));
        return Ok(0);
    }
    let project = ScheduledProject::open(&common.dir).await?;
    let mut out = output::stdout();
    match command {
        RunsCommand::Ls {
            plan,
            limit,
            output,
        } => {
            let rows = project.list_runs(plan.as_deref(), *limit).await?;
            output::write_rows(&RUNS_HEADER, &rows, output.format, &mut out)?;
        }
        RunsCommand::Show {
            run,
            figures: true,
            output,
        } => {
            let run = project.run_id(run.as_deref()).await?;
            let rows = project.show_figures(&run).await?;
            output::write_rows(&FIGURES_HEADER, &rows, output.format, &mut out)?;
        }
        RunsCommand::Show { run, output, .. } => {
            let run = project.run_id(run.as_deref()).await?;
            let (about, rows) = project.show_run(&run).await?;
            for line in about {
                console.say(&line);
            }
            output::write_rows(&RUN_HEADER, &rows, output.format, &mut out)?;
        }
        RunsCommand::Logs { run, step } => {
            let run = project.run_id(run.as_deref()).await?;
            for (step, file) in project.log_files(&run, step.as_deref()).await? {
                console.say(&format!("{step}: {}", file.display()));
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("read {}", file.display()))?;
                write!(out, "{text}")?;
            }
        }
        RunsCommand::Cancel { run } => {
            let state = project.cancel(run).await?;
            console.say(&if state == "cancelled" {
                format!("run {run} is cancelled")
            } else {
                format!("run {run} is {state}; its worker cancels it within seconds")
            });
        }
        RunsCommand::Report => {}
        RunsCommand::Retry { run } => {
            project.retry(run).await?;
            console.say(&format!("run {run} is queued again"));
        }
    }
    Ok(0)
}
