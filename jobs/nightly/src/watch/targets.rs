//! Who is told: `[notify.NAME]` of `goyong.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The language of a notice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeLanguage {
    /// Korean, then English.
    #[default]
    Both,
    /// Korean.
    Ko,
    /// English.
    En,
}

/// One `[notify.NAME]`: an e-mail address or a webhook. Secrets stand in files only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyTarget {
    /// The mail server: `smtps://host:465`, `smtp+starttls://host:587`, or `smtp://127.0.0.1:25` on this machine.
    pub smtp: Option<String>,
    /// Who the mail server is told sends.
    pub user: Option<String>,
    /// File with the password of that user.
    pub password_file: Option<PathBuf>,
    /// The sender's address.
    pub from: Option<String>,
    /// The receivers' addresses.
    pub to: Vec<String>,
    /// The address JSON is posted to.
    pub webhook: Option<String>,
    /// File with that address, where it is a secret itself.
    pub webhook_file: Option<PathBuf>,
    /// File with a token sent as `Authorization: Bearer`.
    pub token_file: Option<PathBuf>,
    /// Korean, English or both.
    pub language: NoticeLanguage,
}

impl NotifyTarget {
    /// Makes the paths of its files relative to the project folder.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let files = [
            &mut self.password_file,
            &mut self.webhook_file,
            &mut self.token_file,
        ];
        for path in files.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }

    /// Whether it says all that is needed, and nothing that contradicts it.
    pub(crate) fn check(&self, name: &str) -> Result<()> {
        let is_mail = self.smtp.is_some();
        let is_webhook = self.webhook.is_some() || self.webhook_file.is_some();
        match (is_mail, is_webhook) {
            (true, true) => bail!(
                "[notify.{name}] has both `smtp` and `webhook`; make two targets of it and name both in the plan"
            ),
            (false, false) => {
                bail!("[notify.{name}] says neither `smtp` nor `webhook` nor `webhook_file`")
            }
            (true, false) => self.check_mail(name),
            (false, true) => self.check_webhook(name),
        }
    }

    fn check_mail(&self, name: &str) -> Result<()> {
        super::mail::Server::parse(self.smtp.as_deref().unwrap_or_default())
            .with_context(|| format!("`smtp` of [notify.{name}]"))?;
        let Some(from) = &self.from else {
            bail!("[notify.{name}] has no `from`, the address mails are sent from");
        };
        if self.to.is_empty() {
            bail!("[notify.{name}] has no `to`, the addresses mails are sent to");
        }
        for address in self.to.iter().chain([from]) {
            super::mail::address(address)
                .with_context(|| format!("an address of [notify.{name}]"))?;
        }
        if self.user.is_some() != self.password_file.is_some() {
            bail!("[notify.{name}]: `user` and `password_file` belong together");
        }
        if self.token_file.is_some() {
            bail!("[notify.{name}]: `token_file` is for a webhook");
        }
        Ok(())
    }

    fn check_webhook(&self, name: &str) -> Result<()> {
        if self.webhook.is_some() && self.webhook_file.is_some() {
            bail!("[notify.{name}]: give `webhook` or `webhook_file`, not both");
        }
        let mail_only = [
            ("from", self.from.is_some()),
            ("to", !self.to.is_empty()),
            ("user", self.user.is_some()),
            ("password_file", self.password_file.is_some()),
        ];
        if let Some((key, _)) = mail_only.iter().find(|(_, is_given)| *is_given) {
            bail!("[notify.{name}]: `{key}` is for mail");
        }
        if let Some(url) = &self.webhook {
            super::post::address(url).with_context(|| format!("`webhook` of [notify.{name}]"))?;
        }
        Ok(())
    }
}

/// The one line of a file that holds a secret. Its content never stands in an error.
pub(crate) fn secret(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("read the secret in {}", file.display()))?;
    let secret = text.trim();
    if secret.is_empty() || secret.lines().count() != 1 {
        bail!("{} does not hold one line with a secret", file.display());
    }
    Ok(secret.to_owned())
}
