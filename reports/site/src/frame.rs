//! What frames a page, in the same way for the public site, the run pages and the dossiers: its language and address,
//! whose it is, the notice on top.

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::{Value, json};

use crate::folder::Files;
use crate::language::{Bilingual, Language, Messages};
use crate::render::SiteError;

/// The frame of a site's pages.
pub(crate) struct Frame<'a> {
    /// Folder of the site, as errors name it; empty for the public one.
    pub folder: &'static str,
    pub environment: Environment<'static>,
    pub messages: Messages,
    /// Name in front of the site's own.
    pub publisher: Bilingual,
    pub notice: Option<&'a Bilingual>,
    /// What every page of this site may name besides.
    pub known: Value,
}

impl Frame<'_> {
    /// Adds the choice of a language, which stands above both, and what every page refers to.
    pub(crate) fn add_start(&self, files: &mut Files, template: &str) -> Result<(), SiteError> {
        for (address, bytes) in [
            ("assets/site.css", &include_bytes!("../assets/site.css")[..]),
            ("assets/icon.svg", include_bytes!("../assets/icon.svg")),
        ] {
            files.insert(address.to_owned(), bytes.to_vec());
        }
        let name = |language| self.messages.get(language, "site_title");
        let data = json!({
            "name": Bilingual::new(name(Language::Ko), name(Language::En)),
            "notices": self.notice,
        });
        let page = self.fill(Language::Ko, ("", "index.html"), template, "", data)?;
        files.insert("index.html".to_owned(), page);
        Ok(())
    }

    /// Adds a page. `path` is its address below its language; the way back to the root follows from it.
    pub(crate) fn add(
        &self,
        files: &mut Files,
        language: Language,
        path: &str,
        template: &str,
        title: &str,
        data: Value,
    ) -> Result<(), SiteError> {
        let root = "../".repeat(path.matches('/').count() + 1);
        let page = self.fill(language, (&root, path), template, title, data)?;
        files.insert(format!("{}/{path}", language.code()), page);
        Ok(())
    }

    /// Fills a template with what every page knows and with what is the page's own. An error names the page's address.
    fn fill(
        &self,
        language: Language,
        (root, path): (&str, &str),
        template: &str,
        title: &str,
        data: Value,
    ) -> Result<Vec<u8>, SiteError> {
        let mut page = json!({
            "lang": language.code(),
            "other": language.other().code(),
            "path": path,
            "root": root,
            "section": path.split('/').next().unwrap_or_default(),
            "title": title,
            "t": self.messages.in_language(language),
            "publisher": self.publisher.get(language),
            "notice": self.notice.map(|notice| notice.get(language)),
        });
        for more in [self.known.clone(), data] {
            if let (Some(page), Value::Object(more)) = (page.as_object_mut(), more) {
                page.extend(more);
            }
        }
        self.environment
            .get_template(template)
            .and_then(|template| template.render(Serde(page)))
            .map(String::into_bytes)
            .map_err(|source| SiteError::Template {
                page: format!("{}{}/{path}", self.folder, language.code()),
                source,
            })
    }
}
