//! The template engine: every template is embedded, every name is escaped, an undefined name is an error.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, Output, UndefinedBehavior, escape_formatter};

use crate::render::SiteError;

macro_rules! embedded {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../templates/", $name)))),*]
    };
}

/// The templates, by name.
pub(crate) const TEMPLATES: &[(&str, &str)] = embedded! {
    "base.html"
    "cases.html"
    "cases_base.html"
    "catalog.html"
    "catalog_checks.html"
    "catalog_lineage.html"
    "catalog_storage.html"
    "catalog_table.html"
    "charts.html"
    "dossier.html"
    "dossier_parts.html"
    "glossary.html"
    "home.html"
    "language.html"
    "model_card.html"
    "model_version.html"
    "models.html"
    "public_language.html"
    "releases.html"
    "report.html"
    "reports.html"
    "revisions.html"
    "run.html"
    "runs.html"
    "runs_base.html"
    "runs_list.html"
    "runs_plan.html"
    "standing.html"
    "tables.html"
};

pub(crate) fn environment() -> Result<Environment<'static>, SiteError> {
    let mut environment = Environment::new();
    // By default only names with certain endings are escaped; here everything is, whatever its name.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => escape(text, out),
        // Numbers, and what a macro has already escaped.
        _ => escape_formatter(out, state, value),
    });
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let embedded = |source| SiteError::Template {
        page: "syntax".to_owned(),
        source,
    };
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(embedded)?;
    environment.set_syntax(syntax);
    for &(name, text) in TEMPLATES {
        environment
            .add_template(name, text)
            .map_err(|source| SiteError::Template {
                page: name.to_owned(),
                source,
            })?;
    }
    Ok(environment)
}

/// The five characters that matter in text and in quoted attributes. The engine's own escaping also turns every slash
/// into an entity, which doubles the size of links and makes the pages hard to read.
fn escape(text: &str, out: &mut Output) -> Result<(), Error> {
    let mut plain = 0;
    for (position, byte) in text.bytes().enumerate() {
        let entity = match byte {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            b'\'' => "&#39;",
            _ => continue,
        };
        out.write_str(&text[plain..position])?;
        out.write_str(entity)?;
        plain = position + 1;
    }
    out.write_str(&text[plain..])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn no_template_switches_escaping_off() {
        for &(name, text) in TEMPLATES {
            let flat: String = text.split_whitespace().collect();
            // The list of the catalogue is the one page that may run a script.
            assert!(
                name == "catalog.html" || !flat.contains("<script"),
                "{name} has a script"
            );
            for forbidden in [
                "|safe",
                "autoescape",
                "style=",
                "onclick",
                "http://",
                "https://",
            ] {
                assert!(!flat.contains(forbidden), "{name} contains {forbidden}");
            }
        }
    }

    #[test]
    fn no_source_file_makes_a_safe_string() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut pending = vec![folder];
        while let Some(folder) = pending.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let forbidden = ["from_safe", "_string"].concat();
                    assert!(
                        !text.contains(&forbidden),
                        "{} makes a safe string",
                        path.display()
                    );
                }
            }
        }
    }

    #[test]
    fn every_template_compiles() {
        environment().unwrap();
    }
}
