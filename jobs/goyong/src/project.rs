//! Commands about the project's models: list them, test them.

use anyhow::Result;
use goyong_nightly::{LIST_HEADER, TEST_HEADER, TestOptions, list_models, test_project};

use crate::arguments::{CommonArguments, ListArguments, TestArguments};
use crate::progress::Console;
use crate::{CHECK_FAILED, output};

/// `goyong ls`.
pub async fn run_ls(common: &CommonArguments, arguments: &ListArguments) -> Result<u8> {
    let selection = &arguments.selection;
    let rows = list_models(
        &common.dir,
        &selection.select,
        &selection.exclude,
        selection.state.as_ref(),
    )
    .await?;
    output::write_rows(
        &LIST_HEADER,
        &rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    Ok(0)
}

/// `goyong test`: 1 when a test fails that is more than a warning.
pub async fn run_test(common: &CommonArguments, arguments: &TestArguments) -> Result<u8> {
    let console = Console::new(common.quiet);
    let options = TestOptions {
        select: arguments.selection.select.clone(),
        exclude: arguments.selection.exclude.clone(),
        as_of: arguments.as_of,
        vars: arguments.vars.clone(),
        state: arguments.selection.state.clone(),
        unit_only: arguments.unit,
        fail_fast: arguments.fail_fast,
    };
    let summary = test_project(&common.dir, common.threads, &options, &|event| {
        console.show(&event);
    })
    .await?;
    console.finish();
    output::write_rows(
        &TEST_HEADER,
        &summary.rows,
        arguments.output.format,
        &mut output::stdout(),
    )?;
    for note in &summary.notes {
        console.say(note);
    }
    Ok(if summary.failed { CHECK_FAILED } else { 0 })
}
