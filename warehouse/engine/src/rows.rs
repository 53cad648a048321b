use std::pin::Pin;
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt, TryStreamExt};

use crate::error::{EngineError, Result};
use crate::storage::{plain_schema, to_stored};

/// A query's rows, batch by batch; text comes as plain text arrays. Dropping it stops the query.
pub struct Rows {
    schema: SchemaRef,
    stream: Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>,
}

impl Rows {
    pub(crate) fn new(stream: SendableRecordBatchStream) -> Self {
        Self::with_errors(stream, |error| EngineError::of(error, "the query"))
    }

    pub(crate) fn with_errors(
        stream: SendableRecordBatchStream,
        explain: impl Fn(datafusion::error::DataFusionError) -> EngineError + Send + 'static,
    ) -> Self {
        let schema = plain_schema(&stream.schema());
        let plain = SchemaRef::clone(&schema);
        let stream = stream.map(move |batch| to_stored(&batch.map_err(&explain)?, &plain));
        Self {
            schema,
            stream: stream.boxed(),
        }
    }

    /// The same rows, and an error in their place when the time is over.
    pub(crate) fn until(self, limit: std::time::Duration) -> Self {
        let deadline = tokio::time::Instant::now() + limit;
        let stream = futures::stream::unfold(Some(self.stream), move |stream| async move {
            let mut stream = stream?;
            match tokio::time::timeout_at(deadline, stream.next()).await {
                Ok(Some(batch)) => Some((batch, Some(stream))),
                Ok(None) => None,
                Err(_) => Some((
                    Err(EngineError::TimeLimit {
                        seconds: limit.as_secs(),
                    }),
                    None,
                )),
            }
        });
        Self {
            schema: self.schema,
            stream: stream.boxed(),
        }
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// All rows at once.
    pub async fn collect(self) -> Result<Vec<RecordBatch>> {
        self.stream.try_collect().await
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Rows")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(context)
    }
}
