//! The data files of the lake, to be read and nothing else.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::exec_err;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::{ObjectStoreRegistry, ObjectStoreUrl};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::sync::Arc;
use url::Url;

/// Where providers find data files; no SQL can name it.
const LAKE_URL: &str = "goyong://lake";

pub(crate) fn lake_url() -> std::result::Result<ObjectStoreUrl, DataFusionError> {
    ObjectStoreUrl::parse(LAKE_URL)
}

/// Parquet files of the lake. A plan that names any other file, or writes, is refused, whoever made it: plans also
/// arrive over the network.
#[derive(Debug)]
struct LakeFiles {
    files: Arc<dyn ObjectStore>,
}

impl LakeFiles {
    fn check(&self, location: &Path) -> Result<()> {
        if location.extension() == Some("parquet") {
            Ok(())
        } else {
            Err(refused("only data files of tables can be read"))
        }
    }
}

fn refused(what: &'static str) -> Error {
    Error::NotSupported {
        source: what.into(),
    }
}

impl fmt::Display for LakeFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(LAKE_URL)
    }
}

#[async_trait]
impl ObjectStore for LakeFiles {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused("queries write no files"))
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("queries write no files"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check(location)?;
        self.files.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check(location)?;
        self.files.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        stream::once(async { Err(refused("queries remove no files")) }).boxed()
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        stream::once(async { Err(refused("queries list no folders")) }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refused("queries list no folders"))
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused("queries write no files"))
    }
}

/// Knows the lake of one warehouse and nothing else: `file://` is not registered.
#[derive(Debug)]
pub(crate) struct LakeOnly {
    store: Arc<dyn ObjectStore>,
}

impl LakeOnly {
    /// A lake's files, by their paths below its base.
    pub fn of(files: Arc<dyn ObjectStore>) -> Self {
        Self {
            store: Arc::new(LakeFiles { files }),
        }
    }
}

impl ObjectStoreRegistry for LakeOnly {
    fn register_store(
        &self,
        _url: &Url,
        _store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> std::result::Result<Arc<dyn ObjectStore>, DataFusionError> {
        if url.as_str().trim_end_matches('/') == LAKE_URL {
            Ok(Arc::clone(&self.store))
        } else {
            exec_err!("only tables of the warehouse can be read")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use object_store::local::LocalFileSystem;

    use super::*;

    #[tokio::test]
    async fn only_parquet_files_of_the_lake_are_opened_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["lake/core/person/a.parquet", "vault/b.parquet", "lake/c.db"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"rows").unwrap();
        }
        let lake = LocalFileSystem::new_with_prefix(folder.path().join("lake")).unwrap();
        let registry = LakeOnly::of(Arc::new(lake));
        let store = registry.get_store(&Url::parse(LAKE_URL).unwrap()).unwrap();
        let read = |path: &str| {
            let (store, path) = (Arc::clone(&store), Path::from(path));
            async move { store.get_opts(&path, GetOptions::default()).await.is_ok() }
        };
        assert!(read("core/person/a.parquet").await);
        for forbidden in ["vault/b.parquet", "c.db", "../vault/b.parquet"] {
            assert!(!read(forbidden).await, "{forbidden}");
        }
        let (path, rows) = (Path::from("core/person/n.parquet"), PutPayload::new());
        let written = store.put_opts(&path, rows, PutOptions::default()).await;
        assert!(written.is_err());
        assert!(store.list(None).next().await.unwrap().is_err());
        for url in ["file:///", "goyong://other", "s3://bucket"] {
            assert!(registry.get_store(&Url::parse(url).unwrap()).is_err());
        }
    }
}
