//! `goyong models`: the registry of probability models, training by hand, and why a score is what it is.

use anyhow::Result;
use chrono::{NaiveDate, Utc};
use clap::{Args, Subcommand, ValueEnum};
use goyong_nightly::{
    Act, COMPARISON_HEADER, Decided, EXPLANATION_HEADER, ModelDecision, OVERRIDES_HEADER,
    StepStatus, VERSION_HEADER, VERSIONS_HEADER, WHAT_IF_HEADER,
};

use crate::arguments::{CommonArguments, Language, OutputArguments};
use crate::commands::open;
use crate::progress::Console;
use crate::releases::ActArguments;
use crate::{CHECK_FAILED, output};

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// One line per version, newest first, and which one serves
    Ls {
        /// Only these models
        models: Vec<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Data, parameters, features, metrics, gates and approval of a version
    Show {
        /// The declared model
        model: String,
        /// The version [default: the one that serves, else the newest]
        version: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Two versions side by side
    Compare {
        /// The declared model
        model: String,
        /// One version
        first: String,
        /// Another
        second: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Train and score as the night does
    Train {
        /// Declared models [default: all]
        models: Vec<String>,
        /// As known on this day [default: the latest day a delivery became known]
        #[arg(long)]
        as_of: Option<NaiveDate>,
    },
    /// Let a version serve: refused when one of its gates failed
    Promote {
        /// The declared model
        model: String,
        /// The version
        version: String,
        #[command(flatten)]
        act: ActArguments,
    },
    /// Let a version score beside the one that serves: refused when one of its gates failed
    Shadow {
        /// The declared model
        model: String,
        /// The version
        version: String,
        #[command(flatten)]
        act: ActArguments,
    },
    /// Let the version before serve again, with the same bytes
    Rollback {
        /// The declared model
        model: String,
        #[command(flatten)]
        act: ActArguments,
    },
    /// Decide against the list of a model, with the reason; both stand in the audit chain
    Override {
        /// Key of what is scored, such as a seeker
        key: String,
        /// The declared model
        #[arg(long)]
        model: String,
        /// What is decided; `list` withdraws what was decided before
        #[arg(long, value_enum)]
        to: DecidedArgument,
        /// Why, without any personal value
        #[arg(long)]
        reason: String,
        /// Who decides
        #[arg(long, env = "USER")]
        by: String,
    },
    /// Decisions against the lists, newest first, with account and reason
    Overrides {
        /// Only these models
        models: Vec<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Why a seeker, person or vacancy has its score; associations, not causes
    Explain(ExplainArguments),
    /// What the score would be on other terms; associations, not causes
    WhatIf(ExplainArguments),
}

/// What a counsellor decides.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum DecidedArgument {
    Selected,
    NotSelected,
    List,
}

impl From<DecidedArgument> for Decided {
    fn from(argument: DecidedArgument) -> Self {
        match argument {
            DecidedArgument::Selected => Decided::Selected,
            DecidedArgument::NotSelected => Decided::NotSelected,
            DecidedArgument::List => Decided::List,
        }
    }
}

#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// Key of a seeker, person or vacancy
    pub subject: String,
    /// Which model [default: every one that scores it]
    #[arg(long)]
    pub model: Option<String>,
    #[command(flatten)]
    pub output: OutputArguments,
}

pub async fn run(common: &CommonArguments, command: &ModelsCommand) -> Result<u8> {
    let project = open(common).await?;
    let language = match common.lang {
        Language::Ko => "ko",
        Language::En => "en",
    };
    let console = Console::new(common.quiet);
    let print = |header: &[&str], rows: &[Vec<String>], output: &OutputArguments| {
        output::write_rows(header, rows, output.format, &mut output::stdout())
    };
    match command {
        ModelsCommand::Ls { models, output } => {
            let rows = project.list_model_versions(models).await?;
            print(&VERSIONS_HEADER, &rows, output)?;
        }
        ModelsCommand::Show {
            model,
            version,
            output,
        } => {
            let rows = project
                .show_model_version(model, version.as_deref(), language)
                .await?;
            print(&VERSION_HEADER, &rows, output)?;
        }
        ModelsCommand::Compare {
            model,
            first,
            second,
            output,
        } => {
            let rows = project
                .compare_model_versions(model, first, second, language)
                .await?;
            print(&COMPARISON_HEADER, &rows, output)?;
        }
        ModelsCommand::Train { models, as_of } => {
            let outcome = project
                .train_models(models, *as_of, &|event| console.show(&event))
                .await?;
            console.finish();
            console.say(&outcome.summary);
            for line in &outcome.details {
                console.say(line);
            }
            return Ok(match outcome.status {
                StepStatus::Failed => CHECK_FAILED,
                StepStatus::Done | StepStatus::Nothing => 0,
            });
        }
        ModelsCommand::Promote { model, act, .. }
        | ModelsCommand::Shadow { model, act, .. }
        | ModelsCommand::Rollback { model, act } => {
            let (act, today) = (act.act(), Utc::now().date_naive());
            let decision = match command {
                ModelsCommand::Promote { version, .. } => {
                    project.promote_model(model, version, &act, today).await?
                }
                ModelsCommand::Shadow { version, .. } => {
                    project.shadow_model(model, version, &act, today).await?
                }
                _ => project.roll_model_back(model, &act, today).await?,
            };
            return Ok(told(&console, model, &decision));
        }
        ModelsCommand::Override {
            key,
            model,
            to,
            reason,
            by,
        } => {
            let act = Act {
                account: by.clone(),
                reason: reason.clone(),
            };
            let (decided, today) = (Decided::from(*to), Utc::now().date_naive());
            let listed = project
                .override_score(key, model, decided, &act, today)
                .await?;
            let listed = match listed {
                true => "selected",
                false => "not_selected",
            };
            console.say(&format!(
                "{model} {key}: the list says {listed}, decided is {}",
                decided.word()
            ));
        }
        ModelsCommand::Overrides { models, output } => {
            let rows = project.list_overrides(models).await?;
            print(&OVERRIDES_HEADER, &rows, output)?;
        }
        ModelsCommand::Explain(arguments) => {
            let explained = project
                .explain_score(&arguments.subject, arguments.model.as_deref(), language)
                .await?;
            let rows: Vec<Vec<String>> = explained
                .iter()
                .flat_map(|of_model| of_model.rows.clone())
                .collect();
            print(&EXPLANATION_HEADER, &rows, &arguments.output)?;
            for explained in explained {
                console.say(&explained.sentence(language));
            }
        }
        ModelsCommand::WhatIf(arguments) => {
            let rows = project
                .score_alternatives(&arguments.subject, arguments.model.as_deref(), language)
                .await?;
            print(&WHAT_IF_HEADER, &rows, &arguments.output)?;
            console.say("associations in past rows, not what a change would cause");
        }
    }
    Ok(0)
}

/// Says how a decision ended, and the exit code for it.
fn told(console: &Console, model: &str, decision: &ModelDecision) -> u8 {
    match decision {
        ModelDecision::Serves { version, scored } => {
            console.say(&format!(
                "{model} {version} serves: {scored} current rows scored; readers see them with the next release"
            ));
            0
        }
        ModelDecision::Shadows { version, in_use } => {
            console.say(&format!(
                "{model} {version} scores beside {in_use}, which goes on serving; models.shadow_score has both"
            ));
            0
        }
        ModelDecision::Refused(gates) => {
            for gate in gates {
                tracing::error!("{gate}");
            }
            tracing::error!("not promoted; what serves stays");
            CHECK_FAILED
        }
    }
}
