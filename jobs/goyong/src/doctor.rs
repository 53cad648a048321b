//! `goyong doctor`: what would make the next night fail, and what to do.

use anyhow::Result;
use goyong_nightly::{DOCTOR_HEADER, examine};

use crate::arguments::{CommonArguments, OutputArguments};
use crate::{CHECK_FAILED, output};

pub async fn run(common: &CommonArguments, output: &OutputArguments) -> Result<u8> {
    let found = examine(&common.dir).await;
    let mut out = output::stdout();
    output::write_rows(&DOCTOR_HEADER, &found.rows, output.format, &mut out)?;
    Ok(if found.failed { CHECK_FAILED } else { 0 })
}
