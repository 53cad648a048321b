//! A file on its way into an object store, written by a thread that may block.
//!
//! A small file travels in one request when it is complete, a large one in parts while it is written. Nothing is visible
//! before [`Upload::complete`] has succeeded; an upload that is dropped before leaves nothing behind.

use std::collections::VecDeque;
use std::io::{Error, Result};
use std::sync::Arc;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt};
use tokio::task::JoinHandle;

use super::as_io;
use super::remote::{runtime, wait_for};

/// Files larger than this travel in parts of this size. Stores take no smaller parts than 5 MiB.
pub(crate) const PART_BYTES: usize = 8 << 20;
/// Parts of one file on their way at one time.
const PARTS_TOGETHER: usize = 2;

type Part = JoinHandle<object_store::Result<()>>;

/// See the module.
pub(crate) struct Upload {
    store: Arc<dyn ObjectStore>,
    object: Path,
    waiting: Vec<u8>,
    begun: Option<Box<dyn MultipartUpload>>,
    travelling: VecDeque<Part>,
}

/// What is left to do of an upload that has all its bytes.
pub(crate) struct Completion(JoinHandle<Result<()>>);

impl Completion {
    /// Waits until the file is stored.
    pub(crate) fn wait(self) -> Result<()> {
        wait_for(async { self.0.await.map_err(Error::other)? })
    }
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, object: Path) -> Self {
        Self {
            store,
            object,
            waiting: Vec::new(),
            begun: None,
            travelling: VecDeque::new(),
        }
    }

    /// Adds bytes; waits where too many are on their way.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while self.waiting.len() + bytes.len() > PART_BYTES {
            let (first, rest) = bytes.split_at(PART_BYTES - self.waiting.len());
            self.waiting.extend_from_slice(first);
            self.send_part()?;
            bytes = rest;
        }
        self.waiting.extend_from_slice(bytes);
        Ok(())
    }

    fn send_part(&mut self) -> Result<()> {
        let mut begun = match self.begun.take() {
            Some(begun) => begun,
            None => {
                let (store, object) = (Arc::clone(&self.store), self.object.clone());
                wait_for(async move { store.put_multipart(&object).await.map_err(as_io) })?
            }
        };
        let part = begun.put_part(std::mem::take(&mut self.waiting).into());
        self.begun = Some(begun);
        self.travelling
            .push_back(runtime().map_err(Error::other)?.spawn(part));
        while self.travelling.len() >= PARTS_TOGETHER
            && let Some(oldest) = self.travelling.pop_front()
        {
            wait_for(async { oldest.await.map_err(Error::other)?.map_err(as_io) })?;
        }
        Ok(())
    }

    /// Sends the rest and makes the file visible, beside what its writer does next.
    pub(crate) fn complete(mut self) -> Result<Completion> {
        if self.begun.is_some() && !self.waiting.is_empty() {
            self.send_part()?;
        }
        let (store, object) = (Arc::clone(&self.store), self.object.clone());
        let rest = std::mem::take(&mut self.waiting);
        let begun = self.begun.take();
        let travelling = std::mem::take(&mut self.travelling);
        let handle = runtime().map_err(Error::other)?;
        Ok(Completion(handle.spawn(async move {
            let Some(mut upload) = begun else {
                let put = store.put(&object, rest.into()).await;
                return put.map(|_| ()).map_err(as_io);
            };
            let outcome = finish(&mut *upload, travelling).await;
            if outcome.is_err() {
                // Parts that stay are nobody's file; the bucket's lifecycle rule removes them.
                let _ = upload.abort().await;
            }
            outcome
        })))
    }
}

async fn finish(upload: &mut dyn MultipartUpload, parts: VecDeque<Part>) -> Result<()> {
    for part in parts {
        part.await.map_err(Error::other)?.map_err(as_io)?;
    }
    upload.complete().await.map(|_| ()).map_err(as_io)
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut begun) = self.begun.take() else {
            return;
        };
        let travelling = std::mem::take(&mut self.travelling);
        let aborted = wait_for(async move {
            for part in travelling {
                // A part that arrives after the abort would stay.
                let _ = part.await;
            }
            begun.abort().await.map_err(as_io)
        });
        if let Err(error) = aborted {
            tracing::warn!(%error, "parts of an interrupted upload stay behind in the object store");
        }
    }
}
