//! The template engine: every template is embedded, every name is escaped, an undefined name is an error.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, Output, UndefinedBehavior, escape_formatter};

use crate::render::SiteError;

/// The templates, by name.
pub(crate) const TEMPLATES: [(&str, &str); 29] = [
    ("base.html", include_str!("../templates/base.html")),
    ("catalog.html", include_str!("../templates/catalog.html")),
    (
        "catalog_checks.html",
        include_str!("../templates/catalog_checks.html"),
    ),
    ("cases.html", include_str!("../templates/cases.html")),
    (
        "cases_base.html",
        include_str!("../templates/cases_base.html"),
    ),
    ("dossier.html", include_str!("../templates/dossier.html")),
    (
        "dossier_parts.html",
        include_str!("../templates/dossier_parts.html"),
    ),
    (
        "catalog_lineage.html",
        include_str!("../templates/catalog_lineage.html"),
    ),
    (
        "catalog_storage.html",
        include_str!("../templates/catalog_storage.html"),
    ),
    (
        "catalog_table.html",
        include_str!("../templates/catalog_table.html"),
    ),
    ("charts.html", include_str!("../templates/charts.html")),
    ("glossary.html", include_str!("../templates/glossary.html")),
    ("home.html", include_str!("../templates/home.html")),
    ("language.html", include_str!("../templates/language.html")),
    (
        "public_language.html",
        include_str!("../templates/public_language.html"),
    ),
    ("standing.html", include_str!("../templates/standing.html")),
    (
        "model_card.html",
        include_str!("../templates/model_card.html"),
    ),
    (
        "model_version.html",
        include_str!("../templates/model_version.html"),
    ),
    ("models.html", include_str!("../templates/models.html")),
    ("releases.html", include_str!("../templates/releases.html")),
    ("report.html", include_str!("../templates/report.html")),
    ("reports.html", include_str!("../templates/reports.html")),
    (
        "revisions.html",
        include_str!("../templates/revisions.html"),
    ),
    ("run.html", include_str!("../templates/run.html")),
    ("runs.html", include_str!("../templates/runs.html")),
    (
        "runs_base.html",
        include_str!("../templates/runs_base.html"),
    ),
    (
        "runs_list.html",
        include_str!("../templates/runs_list.html"),
    ),
    (
        "runs_plan.html",
        include_str!("../templates/runs_plan.html"),
    ),
    ("tables.html", include_str!("../templates/tables.html")),
];

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
    for (name, text) in TEMPLATES {
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
        for (name, text) in TEMPLATES {
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
