//! Who may receive what: `roles.yml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::contract::BilingualText;
use crate::header::parse_yaml;
use crate::problem::Problem;
use crate::project::Project;

/// What a kind of reader may receive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Who this is.
    #[serde(default)]
    pub description: BilingualText,
    /// Tags of columns the role may receive; a column with any other is refused.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Schemas the role may read; all when empty.
    #[serde(default)]
    pub schemas: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Roles {
    roles: BTreeMap<String, Role>,
}

/// The file below the project's folder.
const FILE: &str = "roles.yml";

impl Project {
    /// Every role by name; none where the project has no `roles.yml`.
    pub fn roles(&self) -> Result<BTreeMap<String, Role>, Problem> {
        match self.files().text(FILE) {
            Some(text) => Ok(parse_yaml::<Roles>(FILE, "", text)?.roles),
            None => Ok(BTreeMap::new()),
        }
    }

    /// A role by name; the error suggests the nearest.
    pub fn role(&self, name: &str) -> Result<Role, Problem> {
        let mut roles = self.roles()?;
        match roles.remove(name) {
            Some(role) => Ok(role),
            None => Err(Problem::new(FILE, format!("has no role `{name}`"))
                .with_nearest(name, roles.keys().map(String::as_str))),
        }
    }
}
