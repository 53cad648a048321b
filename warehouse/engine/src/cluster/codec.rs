//! How plans become bytes and come back: tables by version, operators by name, everything else as Ballista does it.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use ballista_core::serde::{BallistaLogicalExtensionCodec, BallistaPhysicalExtensionCodec};
use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, Result, TableReference, exec_err, not_impl_err};
use datafusion::datasource::file_format::FileFormatFactory;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::logical_plan::LogicalExtensionCodec;
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};
use goyong_store::Warehouse;
use serde::{Deserialize, Serialize};

use super::build_id::{build_id, refusal};
use super::table::ArrivedTable;
use super::{deep_plans, operators};
use crate::provider::{SnapshotTable, TableVersion};

/// Logical plans. A client encodes; the scheduler decodes, over its warehouse.
#[derive(Debug, Default)]
pub(super) struct PlanCodec {
    warehouse: Option<Warehouse>,
    /// Pieces nested in the piece that is read; absent outside of pieces.
    within: Option<u16>,
    others: BallistaLogicalExtensionCodec,
}

/// A table as it stands in a plan.
#[derive(Serialize, Deserialize)]
struct Travelling {
    build: String,
    #[serde(flatten)]
    version: TableVersion,
}

impl PlanCodec {
    /// A codec that opens tables of this warehouse.
    pub fn over(warehouse: Warehouse) -> Self {
        Self {
            warehouse: Some(warehouse),
            ..Self::default()
        }
    }
}

fn own_build() -> Result<&'static str> {
    build_id().map_err(|error| DataFusionError::External(Box::new(error)))
}

impl LogicalExtensionCodec for PlanCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[LogicalPlan],
        context: &TaskContext,
    ) -> Result<Extension> {
        let of_piece = |nested| Self {
            warehouse: self.warehouse.clone(),
            within: Some(nested),
            ..Self::default()
        };
        deep_plans::decode_logical(bytes, self.within, context, of_piece)
            .or_else(|| operators::decode_logical(bytes, inputs))
            .unwrap_or_else(|| self.others.try_decode(bytes, inputs, context))
    }

    fn try_encode(&self, node: &Extension, bytes: &mut Vec<u8>) -> Result<()> {
        let operator = node.node.as_ref();
        let encoded = deep_plans::encode_logical(operator, self)
            .or_else(|| operators::encode_logical(operator));
        match encoded {
            Some(encoded) => {
                bytes.extend(encoded?);
                Ok(())
            }
            None => self.others.try_encode(node, bytes),
        }
    }

    fn try_decode_table_provider(
        &self,
        bytes: &[u8],
        table: &TableReference,
        schema: SchemaRef,
        _context: &TaskContext,
    ) -> Result<Arc<dyn TableProvider>> {
        // The build is read first, and by itself: what else is there may mean nothing to this one.
        #[derive(Deserialize)]
        struct Build {
            build: String,
        }
        let damaged = |error| exec_err!("the table {table} arrived damaged: {error}");
        let ours = own_build()?;
        match serde_json::from_slice::<Build>(bytes) {
            Ok(Build { build }) if build != ours => return exec_err!("{}", refusal(&build, ours)),
            Ok(_) => {}
            Err(error) => return damaged(error),
        }
        let version = match serde_json::from_slice::<Travelling>(bytes) {
            Ok(travelling) => travelling.version,
            Err(error) => return damaged(error),
        };
        match &self.warehouse {
            Some(warehouse) => {
                let table = ArrivedTable::new(version, schema, warehouse.clone());
                Ok(Arc::new(table))
            }
            None => exec_err!("this process has no warehouse to open {table} in"),
        }
    }

    fn try_encode_table_provider(
        &self,
        table: &TableReference,
        provider: Arc<dyn TableProvider>,
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(snapshot) = provider.downcast_ref::<SnapshotTable>() else {
            return not_impl_err!("the rows of {table} are in the memory of this process");
        };
        let travelling = Travelling {
            build: own_build()?.to_owned(),
            version: snapshot.version().clone(),
        };
        serde_json::to_writer(bytes, &travelling)
            .map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn try_decode_file_format(
        &self,
        _bytes: &[u8],
        _context: &TaskContext,
    ) -> Result<Arc<dyn FileFormatFactory>> {
        exec_err!("queries write no files")
    }

    fn try_encode_file_format(
        &self,
        _bytes: &mut Vec<u8>,
        _format: Arc<dyn FileFormatFactory>,
    ) -> Result<()> {
        exec_err!("queries write no files")
    }
}

/// Physical plans, between the scheduler and the executors.
#[derive(Debug, Default)]
pub(super) struct StageCodec {
    /// Pieces nested in the piece that is read; absent outside of pieces.
    within: Option<u16>,
    others: BallistaPhysicalExtensionCodec,
}

impl PhysicalExtensionCodec for StageCodec {
    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let of_piece = |nested| Self {
            within: Some(nested),
            ..Self::default()
        };
        deep_plans::decode_stage(bytes, self.within, context, of_piece)
            .or_else(|| operators::decode_physical(bytes, inputs))
            .unwrap_or_else(|| self.others.try_decode(bytes, inputs, context, converter))
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        match operators::encode_physical(node.as_ref()) {
            Some(encoded) => {
                bytes.extend(encoded?);
                Ok(())
            }
            None => self.others.try_encode(node, bytes, converter),
        }
    }
}
