//! How many rows an executed plan read from stored files.

use std::sync::Arc;

use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;

use crate::cluster::ran_on_cluster;

/// Rows that left the plan's scans of files; `None` where another process ran a part of the plan.
pub(crate) fn rows_read(plan: &Arc<dyn ExecutionPlan>) -> Option<u64> {
    (!ran_on_cluster(plan)).then(|| of_scans(plan))
}

fn of_scans(plan: &Arc<dyn ExecutionPlan>) -> u64 {
    let scan = plan.downcast_ref::<DataSourceExec>();
    let reads_files =
        scan.is_some_and(|scan| scan.downcast_to_file_source::<ParquetSource>().is_some());
    let own = match reads_files {
        true => plan
            .metrics()
            .and_then(|metrics| metrics.output_rows())
            .unwrap_or_default() as u64,
        false => 0,
    };
    own + plan.children().into_iter().map(of_scans).sum::<u64>()
}
