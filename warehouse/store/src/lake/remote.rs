//! An object store behind a network: its requests run on threads of their own, its faults can be rehearsed, and its
//! errors say no more than they must.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
    UploadPart,
};
use tokio::runtime::{Handle, Runtime};

use super::settings::{Place, client};
use crate::fault;

/// Threads that wait for answers of object stores.
const THREADS: usize = 2;

/// Where requests run. Connections outlive the query or step that opened them, so its runtime must not own them.
pub(super) fn runtime() -> std::result::Result<Handle, String> {
    static RUNTIME: OnceLock<std::result::Result<Runtime, String>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("object-store")
            .enable_all()
            .build()
            .map_err(|problem| format!("no threads for requests could be started: {problem}"))
    });
    match runtime {
        Ok(runtime) => Ok(runtime.handle().clone()),
        Err(problem) => Err(problem.clone()),
    }
}

/// Waits on a thread that may block, be it a runtime's or not, for what runs on the requests' threads.
pub(crate) fn wait_for<T: Send + 'static>(
    work: impl Future<Output = std::io::Result<T>> + Send + 'static,
) -> std::io::Result<T> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    runtime().map_err(std::io::Error::other)?.spawn(async move {
        // Nobody waits any more when the receiver is gone.
        let _ = sender.send(work.await);
    });
    receiver.recv().unwrap_or_else(|_| {
        Err(std::io::Error::other(
            "a request to the object store stopped",
        ))
    })
}

/// How long requests are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// A night survives a store that is away for a moment.
    Work,
    /// Somebody waits for the answer: each request is sent once.
    Question,
}

/// Opens `s3://bucket/prefix`: the store, where in it, and the URL as it may be shown.
pub(crate) fn open_remote(
    url: &str,
    patience: Patience,
) -> std::result::Result<(Arc<dyn ObjectStore>, Path, String), String> {
    let place = Place::parse(url)?;
    let store = client(&place, &variables(), patience)?;
    let store = RemoteStore {
        inner: Arc::new(store),
    };
    let shown = place.url();
    Ok((Arc::new(store), place.prefix, shown))
}

#[cfg(not(test))]
fn variables() -> std::collections::BTreeMap<String, String> {
    std::env::vars().collect()
}

/// The tests' own server, whatever the environment says.
#[cfg(test)]
fn variables() -> std::collections::BTreeMap<String, String> {
    crate::tests::s3_server::S3Server::shared().variables()
}

/// See the module.
struct RemoteStore {
    inner: Arc<dyn ObjectStore>,
}

impl fmt::Debug for RemoteStore {
    /// What it is alone: a client's settings hold credentials.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for RemoteStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, formatter)
    }
}

#[async_trait]
impl ObjectStore for RemoteStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload, options);
        fault::storing(put).await.map_err(short)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let begun = self.inner.put_multipart_opts(location, options);
        let inner = fault::storing(begun).await.map_err(short)?;
        Ok(Box::new(RemoteUpload { inner }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await.map_err(short)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await.map_err(short)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let removed = self.inner.delete_stream(locations);
        removed.map(|removed| removed.map_err(short)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        listed.map(|listed| listed.map_err(short)).boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list_with_offset(prefix, offset);
        listed.map(|listed| listed.map_err(short)).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await.map_err(short)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let copied = self.inner.copy_opts(from, to, options);
        fault::storing(copied).await.map_err(short)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let renamed = self.inner.rename_opts(from, to, options);
        fault::storing(renamed).await.map_err(short)
    }
}

#[derive(Debug)]
struct RemoteUpload {
    inner: Box<dyn MultipartUpload>,
}

#[async_trait]
impl MultipartUpload for RemoteUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.inner.put_part(data);
        Box::pin(async { fault::storing(part).await.map_err(short) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        fault::storing(self.inner.complete()).await.map_err(short)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await.map_err(short)
    }
}

/// A cause in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

/// Keeps what happened and leaves out the body of the answer, in which a store may repeat what it was sent.
fn short(mut error: Error) -> Error {
    match &mut error {
        Error::NotFound { source, .. }
        | Error::AlreadyExists { source, .. }
        | Error::Precondition { source, .. }
        | Error::NotModified { source, .. }
        | Error::PermissionDenied { source, .. }
        | Error::Unauthenticated { source, .. }
        | Error::Generic { source, .. } => {
            *source = Box::new(Cause(without_body(&source.to_string())));
        }
        _ => {}
    }
    error
}

/// The text up to an XML answer, with the answer's code in its place.
fn without_body(text: &str) -> String {
    let Some(begin) = text.find("<?xml").or_else(|| text.find("<Error")) else {
        return text.to_owned();
    };
    let code = text[begin..]
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("an answer in XML", |(code, _)| code);
    format!("{}{code}", &text[..begin])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use object_store::ObjectStoreExt;

    use super::*;

    #[tokio::test]
    async fn refused_credentials_are_told_without_a_secret() {
        let server = crate::tests::s3_server::S3Server::shared();
        let mut variables = server.variables();
        variables.insert("AWS_SECRET_ACCESS_KEY".to_owned(), "wrong-hush".to_owned());
        let place = Place::parse(&server.new_place()).unwrap();
        let store = RemoteStore {
            inner: Arc::new(client(&place, &variables, Patience::Work).unwrap()),
        };
        let error = store.get(&place.prefix.join("x")).await.unwrap_err();
        let shown = format!("{error} {error:?} {store:?}");
        assert!(shown.contains("SignatureDoesNotMatch"), "{shown}");
        let secrets = ["hush", &variables["AWS_ACCESS_KEY_ID"], "StringToSign"];
        assert!(
            !secrets.iter().any(|secret| shown.contains(secret)),
            "{shown}"
        );
    }

    #[test]
    fn body_of_an_answer_is_left_out_of_errors() {
        let answer = "403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code>\
                      <AWSAccessKeyId>key</AWSAccessKeyId><StringToSign>text</StringToSign></Error>";
        let error = short(Error::Generic {
            store: "S3",
            source: answer.into(),
        });
        let text = error.to_string();
        assert!(
            text.ends_with("403 Forbidden: SignatureDoesNotMatch"),
            "{text}"
        );
        assert_eq!(without_body("connection refused"), "connection refused");
        assert_eq!(without_body("x <Error/>"), "x an answer in XML");
    }
}
