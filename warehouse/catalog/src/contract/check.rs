//! From YAML to a checked contract: the raw shape, then the rules between its parts.

mod layout;
mod raw;
mod raw_format;
mod row_checks;
mod rules;

use goyong_types::nearest_name;

use super::{Contract, ContractError};
use crate::problem::position_of;

/// Reads the text, then checks what YAML cannot say.
pub(super) fn parse(yaml: &str, file_name: &str) -> Result<Contract, ContractError> {
    let source = Source { yaml, file_name };
    let raw: raw::RawContract =
        serde_yaml_ng::from_str(yaml).map_err(|error| source.yaml_error(&error))?;
    let contract = raw.into_contract(&source)?;
    rules::check(&contract, &source)?;
    Ok(contract)
}

/// The text under examination, to name places in messages.
struct Source<'a> {
    yaml: &'a str,
    file_name: &'a str,
}

impl Source<'_> {
    fn error(&self, near: &str, message: String, hint: Option<String>) -> ContractError {
        let (line, column) = position_of(self.yaml, near).unzip();
        ContractError {
            file: self.file_name.to_owned(),
            line,
            column,
            message,
            hint,
        }
    }

    /// A YAML error in one line; an unknown word gets its nearest neighbour.
    fn yaml_error(&self, error: &serde_yaml_ng::Error) -> ContractError {
        let text = error.to_string();
        let place = error.location();
        let (line, column) = place.map(|at| (at.line(), at.column())).unzip();
        // The library repeats the place at the end of its message.
        let message = match text.rfind(" at line ") {
            Some(end) => text[..end].to_owned(),
            None => text.clone(),
        };
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let is_unknown = message.contains("unknown field") || message.contains("unknown variant");
        let hint = match quoted.split_first() {
            Some((word, known)) if is_unknown => nearest_name(word, known.iter().copied())
                .map(|nearest| format!("did you mean `{nearest}`?")),
            _ => None,
        };
        ContractError {
            file: self.file_name.to_owned(),
            line,
            column,
            message,
            hint,
        }
    }
}
