//! Notices by mail. The connection is ours, because the encryption of the mail library would change features of crates
//! below the query engine; the protocol and the message are the library's.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result, anyhow, bail};
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Mailbox, Message, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::targets::{NotifyTarget, secret};
use super::text::Text;

/// How the connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    /// From the first byte (RFC 8314).
    Implicit,
    /// After a greeting in the clear (RFC 3207); a server that does not offer it is refused.
    StartTls,
    /// Not at all; on this machine only.
    None,
}

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    host: String,
    port: u16,
    security: Security,
}

impl Server {
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let url = url::Url::parse(text).map_err(|_| {
            anyhow!("`{text}` is no address of a mail server such as smtps://mail.example.org:465")
        })?;
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Implicit, 465),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtp" => (Security::None, 25),
            other => bail!("`{other}` is not smtps, smtp+starttls or smtp"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            bail!("user and password do not stand in the address; use `user` and `password_file`");
        }
        let host = url.host_str().context("the address names no host")?;
        let server = Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
            security,
        };
        let is_here = matches!(server.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if security == Security::None && !is_here {
            bail!(
                "smtp:// to another machine would not be encrypted; use smtps:// or smtp+starttls://"
            );
        }
        Ok(server)
    }
}

/// A mail address, checked.
pub(crate) fn address(text: &str) -> Result<Mailbox> {
    text.parse()
        .map_err(|_| anyhow!("`{text}` is no mail address"))
}

/// Sends one mail.
pub(super) async fn send(target: &NotifyTarget, text: &Text, id: &str) -> Result<()> {
    let mut roots = RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One that cannot be read is one that is not trusted.
        let _unread = roots.add(certificate);
    }
    send_trusting(target, text, id, roots).await
}

/// Sends one mail to a server whose certificate goes back to one of some roots.
pub(super) async fn send_trusting(
    target: &NotifyTarget,
    text: &Text,
    id: &str,
    roots: RootCertStore,
) -> Result<()> {
    let server = Server::parse(target.smtp.as_deref().unwrap_or_default())?;
    let message = message(target, text, id)?;
    let mut connection = connect(&server, roots).await?;
    if let (Some(user), Some(file)) = (&target.user, &target.password_file) {
        if server.security == Security::None {
            tracing::debug!("the password goes to this machine's mail server in the clear");
        }
        connection
            .auth(
                DEFAULT_MECHANISMS,
                &Credentials::new(user.clone(), secret(file)?),
            )
            .await
            .context("the mail server refused user or password")?;
    }
    connection
        .send(message.envelope(), &message.formatted())
        .await
        .context("the mail server did not take the mail")?;
    // The mail is taken; how the connection ends matters to nobody.
    let _taken = connection.quit().await;
    Ok(())
}

/// The mail; every attempt to send a notice has the same id, so that a reader may see one of two.
fn message(target: &NotifyTarget, text: &Text, id: &str) -> Result<Message> {
    let from = address(target.from.as_deref().unwrap_or_default())?;
    let mut builder = Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .subject(text.subject.clone())
        .from(from);
    for to in &target.to {
        builder = builder.to(address(to)?);
    }
    Ok(builder.singlepart(
        SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .header(ContentTransferEncoding::Base64)
            .body(text.body.clone()),
    )?)
}

async fn connect(server: &Server, roots: RootCertStore) -> Result<AsyncSmtpConnection> {
    let at = (server.host.as_str(), server.port);
    let stream = TcpStream::connect(at)
        .await
        .with_context(|| format!("connect to the mail server {}:{}", at.0, at.1))?;
    let peer = stream.peer_addr()?;
    let stream: Box<dyn AsyncTokioStream> = match server.security {
        Security::None => Box::new(Stream::new(stream, peer, "")),
        Security::Implicit => Box::new(Stream::new(
            encrypted(server, stream, roots).await?,
            peer,
            "",
        )),
        Security::StartTls => {
            let stream = start_tls(stream).await?;
            let stream = encrypted(server, stream, roots).await?;
            // The library waits for a greeting, which the server gave in the clear already.
            Box::new(Stream::new(stream, peer, "220 encrypted\r\n"))
        }
    };
    let hello = ClientId::default();
    AsyncSmtpConnection::connect_with_transport(stream, &hello)
        .await
        .context("greet the mail server")
}

/// Asks for encryption; nothing that came before it is believed after it.
async fn start_tls(stream: TcpStream) -> Result<TcpStream> {
    let mut stream = BufReader::new(stream);
    expect(&mut stream, "220").await?;
    stream.write_all(b"EHLO goyong\r\n").await?;
    let offers = expect(&mut stream, "250").await?;
    if !offers.to_ascii_uppercase().contains("STARTTLS") {
        bail!("the mail server offers no encryption");
    }
    stream.write_all(b"STARTTLS\r\n").await?;
    expect(&mut stream, "220").await?;
    if !stream.buffer().is_empty() {
        bail!("the mail server said more before the encryption than it was asked");
    }
    Ok(stream.into_inner())
}

/// Longest answer of a mail server before the encryption.
const LONGEST_ANSWER: usize = 16 * 1024;

async fn expect(stream: &mut BufReader<TcpStream>, code: &str) -> Result<String> {
    let mut answer = String::new();
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).await?;
        answer.push_str(&line);
        if read == 0 || answer.len() > LONGEST_ANSWER {
            bail!("the mail server ended the greeting");
        }
        if !line.starts_with(code) {
            bail!(
                "the mail server answered {} in the greeting",
                line.get(..3).unwrap_or_default()
            );
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(answer);
        }
    }
}

async fn encrypted(
    server: &Server,
    stream: TcpStream,
    roots: RootCertStore,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(server.host.clone())
        .map_err(|_| anyhow!("`{}` is no name of a host", server.host))?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .with_context(|| format!("encrypt the connection to {}", server.host))
}

/// A connection that gives some bytes before its own.
struct Stream<S> {
    inner: S,
    peer: SocketAddr,
    before: &'static [u8],
}

impl<S> Stream<S> {
    fn new(inner: S, peer: SocketAddr, before: &'static str) -> Self {
        Self {
            inner,
            peer,
            before: before.as_bytes(),
        }
    }
}

impl<S> fmt::Debug for Stream<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stream")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.before.is_empty() {
            return Pin::new(&mut self.inner).poll_read(context, buffer);
        }
        let before = self.before;
        let (now, later) = before.split_at(before.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.before = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> AsyncTokioStream for Stream<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

/// A name for a notice that is fit for a header: the same for every attempt.
pub(super) fn message_name(notice: &str) -> String {
    notice
        .chars()
        .map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' => letter,
            _ => '.',
        })
        .collect()
}
