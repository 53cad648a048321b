//! Bytes from one place to an object of a store, which is there only if they are what they should be.

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use sha2::{Digest, Sha256};

use super::upload::PART_BYTES;
use crate::content_hash::hex;

/// Parts on their way at one time.
const PARTS_TOGETHER: usize = 2;

/// Why nothing was stored.
#[derive(Debug)]
pub(crate) enum CopyError {
    /// The bytes could not be read.
    Read(std::io::Error),
    /// There were so many, of another digest.
    Differs { found: u64 },
    /// They could not be stored.
    Store(object_store::Error),
}

/// Stores bytes that have a digest. Larger ones travel in parts, which are given up when something fails.
pub(crate) async fn store_checked(
    store: &dyn ObjectStore,
    object: &Path,
    mut chunks: BoxStream<'_, std::io::Result<Bytes>>,
    sha256: &str,
) -> Result<(), CopyError> {
    let (mut hasher, mut found) = (Sha256::new(), 0);
    let mut small = Vec::new();
    let mut large: Option<WriteMultipart> = None;
    let outcome = loop {
        let chunk = match chunks.try_next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) if hex(&hasher.finalize()) == sha256 => break Ok(()),
            Ok(None) => break Err(CopyError::Differs { found }),
            Err(error) => break Err(CopyError::Read(error)),
        };
        hasher.update(&chunk);
        found += chunk.len() as u64;
        if let Some(upload) = &mut large {
            if let Err(error) = upload.wait_for_capacity(PARTS_TOGETHER).await {
                break Err(CopyError::Store(error));
            }
            upload.put(chunk);
            continue;
        }
        small.extend_from_slice(&chunk);
        if small.len() > PART_BYTES {
            let begun = store.put_multipart(object).await;
            let begun = begun.map_err(CopyError::Store)?;
            let mut upload = WriteMultipart::new_with_chunk_size(begun, PART_BYTES);
            upload.put(std::mem::take(&mut small).into());
            large = Some(upload);
        }
    };
    match (outcome, large) {
        (Ok(()), None) => {
            let put = store.put(object, small.into()).await;
            put.map(|_| ()).map_err(CopyError::Store)
        }
        (Ok(()), Some(upload)) => {
            let finished = upload.finish().await;
            finished.map(|_| ()).map_err(CopyError::Store)
        }
        (Err(problem), None) => Err(problem),
        (Err(problem), Some(upload)) => {
            // Parts of an upload that is never completed are nobody's file.
            let _ = upload.abort().await;
            Err(problem)
        }
    }
}
