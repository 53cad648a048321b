//! Declared column types as a contract: a select that gives other columns does not run.

use arrow_schema::Schema;
use goyong_catalog::Model;

use crate::error::{EngineError, Result};
use crate::tables::declared_type;

/// Compares the columns a select gives with those its header declares; the error names each difference.
pub(crate) fn check_columns(model: &Model, schema: &Schema) -> Result<()> {
    let mut differences = Vec::new();
    for (name, column) in &model.header.columns {
        let Some(text) = &column.column_type else {
            continue;
        };
        let declared = declared_type(text).map_err(EngineError::Plan)?;
        match schema.field_with_name(name) {
            Ok(field) if *field.data_type() == declared => {}
            Ok(field) => differences.push(format!(
                "`{name}` is {} and not {text}",
                crate::read_session::sql_type(field.data_type())
            )),
            Err(_) => differences.push(format!("`{name}` is missing")),
        }
    }
    if model.header.contract.enforced {
        for field in schema.fields() {
            if !model.header.columns.contains_key(field.name()) {
                differences.push(format!(
                    "`{}` {} is not declared",
                    field.name(),
                    crate::read_session::sql_type(field.data_type())
                ));
            }
        }
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(EngineError::Contract {
        file: model.file.clone(),
        problem: differences.join(", "),
    })
}
