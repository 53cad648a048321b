//! Encrypted connections to PostgreSQL. A certificate is always verified, and the host's name with it: encryption to
//! whoever answers would protect from nobody who can answer.

use std::future::Future;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// What an address says of encryption, taken out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// The address without it.
    pub(super) address: String,
    /// `disable`, `require` or `verify-full`.
    pub(super) mode: Option<String>,
    /// Certificates of authorities; the system's when absent.
    pub(super) authorities: Option<PathBuf>,
}

impl Wish {
    /// Reads `sslmode` and `sslrootcert` of a URL's query or of `key=value` words.
    pub(super) fn read(text: &str) -> Self {
        let mut wish = Self {
            address: String::new(),
            mode: None,
            authorities: None,
        };
        if text.contains("://") {
            let (before, query) = text.split_once('?').unwrap_or((text, ""));
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            let rest: Vec<&str> = pairs
                .filter(|pair| {
                    !pair
                        .split_once('=')
                        .is_some_and(|it| wish.take(it, decoded))
                })
                .collect();
            wish.address = match rest.is_empty() {
                true => before.to_owned(),
                false => format!("{before}?{}", rest.join("&")),
            };
        } else {
            let rest: Vec<&str> = words(text)
                .into_iter()
                .filter(|word| {
                    !word
                        .split_once('=')
                        .is_some_and(|it| wish.take(it, unquoted))
                })
                .collect();
            wish.address = rest.join(" ");
        }
        wish
    }

    fn take(&mut self, (key, value): (&str, &str), read: fn(&str) -> String) -> bool {
        match key {
            "sslmode" => self.mode = Some(read(value)),
            "sslrootcert" => self.authorities = Some(read(value).into()),
            _ => return false,
        }
        true
    }

    /// Who makes the connections; `None` for one in the clear. An error says what to do.
    pub(super) fn encryption(
        &self,
        leaves_the_machine: bool,
    ) -> std::result::Result<Option<Encryption>, String> {
        match self.mode.as_deref() {
            Some("disable") => return Ok(None),
            None if !leaves_the_machine && self.authorities.is_none() => return Ok(None),
            None | Some("require" | "verify-full") => {}
            Some(other) => {
                return Err(format!(
                    "sslmode={other} would trust a certificate that is not verified, or none: write verify-full, or \
                     disable on a network of its own"
                ));
            }
        }
        let roots = match &self.authorities {
            Some(file) => of_file(file)?,
            None => of_system()?,
        };
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|problem| problem.to_string())?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Some(Encryption(Arc::new(config).into())))
    }
}

/// Blanks part words, except within single quotes.
fn words(text: &str) -> Vec<&str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |letter: char| {
        let is_end = letter.is_whitespace() && !is_quoted;
        if letter == '\'' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = letter == '\\' && !is_escaped;
        is_end
    })
    .filter(|word| !word.is_empty())
    .collect()
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('\'');
    let inner = inner.and_then(|value| value.strip_suffix('\''));
    match inner {
        Some(inner) => inner.replace("\\'", "'").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

/// `%2F` and its like of a URL.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = match code {
            Some(_) => &after[2..],
            None => after,
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn of_file(file: &Path) -> std::result::Result<RootCertStore, String> {
    let named = |problem: String| format!("sslrootcert names {}: {problem}", file.display());
    let text = std::fs::read(file).map_err(|problem| named(problem.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|problem| named(problem.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|problem| named(problem.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(named("there is no certificate in it (PEM)".to_owned())),
        false => Ok(roots),
    }
}

fn of_system() -> std::result::Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one that is not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(
            "this machine has no certificates of authorities: name those of the database's by sslrootcert=FILE"
                .to_owned(),
        ),
        false => Ok(roots),
    }
}

/// Makes encrypted connections.
#[derive(Clone)]
pub(super) struct Encryption(TlsConnector);

impl std::fmt::Debug for Encryption {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Encryption").finish_non_exhaustive()
    }
}

impl MakeTlsConnect<Socket> for Encryption {
    type Stream = Encrypted;
    type TlsConnect = To;
    type Error = Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<To> {
        let name = ServerName::try_from(host.to_owned()).map_err(Error::other)?;
        Ok(To {
            connector: self.0.clone(),
            name,
        })
    }
}

/// One host.
pub(super) struct To {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl TlsConnect<Socket> for To {
    type Stream = Encrypted;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        let connecting = self.connector.connect(self.name, stream);
        Box::pin(async { connecting.await.map(Encrypted) })
    }
}

/// A connection that nobody reads along.
pub(super) struct Encrypted(TlsStream<Socket>);

impl tokio_postgres::tls::TlsStream for Encrypted {
    /// Certificate and name were verified, so the password is not bound to the channel besides.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn wishes_are_taken_out_of_both_kinds_of_addresses() {
        let wish = |text: &str| {
            let wish = Wish::read(text);
            let authorities = wish.authorities.map(|file| file.display().to_string());
            (wish.address, wish.mode, authorities)
        };
        let (full, file) = (
            Some("verify-full".to_owned()),
            Some("/a b/ca.pem".to_owned()),
        );
        assert_eq!(
            wish(
                "postgresql://u:p@db/runs?sslmode=verify-full&application_name=x&sslrootcert=%2Fa%20b%2Fca.pem"
            ),
            (
                "postgresql://u:p@db/runs?application_name=x".to_owned(),
                full.clone(),
                file.clone()
            )
        );
        assert_eq!(
            wish(r"host=db password='it\'s 1' sslrootcert='/a b/ca.pem' sslmode=verify-full"),
            (r"host=db password='it\'s 1'".to_owned(), full, file)
        );
        let plain = "postgresql://u@db/runs";
        assert_eq!(wish(plain), (plain.to_owned(), None, None));
    }

    #[test]
    fn only_verified_encryption_leaves_the_machine_unless_it_is_switched_off() {
        let made = |text: &str, leaves: bool| Wish::read(text).encryption(leaves);
        assert!(made("host=127.0.0.1", false).unwrap().is_none());
        assert!(made("host=db sslmode=disable", true).unwrap().is_none());
        for mode in ["prefer", "allow", "verify-ca", "requires"] {
            let problem = made(&format!("host=db sslmode={mode}"), true).unwrap_err();
            assert!(problem.contains("verify-full"), "{problem}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let address = format!("host=db sslrootcert={}", file.display());
        let problem = made(&address, true).unwrap_err();
        assert!(problem.contains("No such file"), "{problem}");
        std::fs::write(&file, "nothing").unwrap();
        let problem = made(&address, true).unwrap_err();
        assert!(problem.contains("no certificate in it"), "{problem}");
    }
}
