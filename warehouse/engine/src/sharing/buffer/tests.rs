//! Readers that come, wait, stop and leave in every order, driven poll by poll.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::Int64Array;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, UnboundedMemoryPool};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, SpillMetrics};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::*;

/// Counts how often a reader is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Batches = Result<RecordBatch>;

struct Setting {
    partition: Arc<Partition>,
    pool: Arc<dyn MemoryPool>,
    sender: UnboundedSender<Batches>,
    input: Option<UnboundedReceiver<Batches>>,
    woken: Vec<Arc<Woken>>,
}

fn batch(value: i64) -> RecordBatch {
    let values = Int64Array::from(vec![value; 8]);
    RecordBatch::try_from_iter([("v", Arc::new(values) as _)]).unwrap()
}

impl Setting {
    fn new(readers: usize) -> Self {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let memory = Arc::new(MemoryConsumer::new("test").register(&pool));
        let metrics = SpillMetrics::new(&ExecutionPlanMetricsSet::new(), 0);
        let spills = SpillManager::new(Arc::new(RuntimeEnv::default()), metrics, batch(0).schema());
        let (sender, input) = unbounded();
        Self {
            partition: Partition::new(readers, Kept::new(memory, spills)),
            pool,
            sender,
            input: Some(input),
            woken: (0..readers).map(|_| Arc::default()).collect(),
        }
    }

    fn send(&self, value: i64) {
        self.sender.unbounded_send(Ok(batch(value))).unwrap();
    }

    /// What the reader gets at once: a value, the end (`Ok(None)`), an error, or nothing yet.
    fn ask(&mut self, reader: usize) -> Poll<Result<Option<i64>>> {
        let waker = Waker::from(Arc::clone(&self.woken[reader]));
        loop {
            let batch = match self.partition.turn(reader, &waker) {
                Turn::Batch(batch) => batch,
                Turn::End(end) => return Poll::Ready(end.map(|()| None)),
                Turn::Wait => return Poll::Pending,
                Turn::Spilled(..) => panic!("nothing is refused"),
                Turn::Compute(computing) => {
                    let input = &mut self.input;
                    let start = || {
                        let input = input.take().unwrap();
                        let stream = RecordBatchStreamAdapter::new(batch(0).schema(), input);
                        Ok(Box::pin(stream) as SendableRecordBatchStream)
                    };
                    match computing.poll(start) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Some(batch)) => batch,
                        Poll::Ready(None) => continue,
                    }
                }
            };
            let values = batch
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap();
            return Poll::Ready(Ok(Some(values.value(0))));
        }
    }

    fn value(&mut self, reader: usize) -> Option<i64> {
        match self.ask(reader) {
            Poll::Ready(answer) => answer.unwrap(),
            Poll::Pending => panic!("reader {reader} has to wait"),
        }
    }

    fn woken(&self, reader: usize) -> usize {
        self.woken[reader].0.load(Ordering::Relaxed)
    }
}

#[test]
fn batches_are_kept_until_the_last_reader_has_had_them() {
    let mut setting = Setting::new(2);
    (1..=3).for_each(|value| setting.send(value));
    setting.sender.close_channel();
    let first: Vec<_> = (0..4).map(|_| setting.value(0)).collect();
    assert_eq!(first, [Some(1), Some(2), Some(3), None]);
    assert_eq!(setting.pool.reserved(), 3 * 64);
    assert_eq!(setting.value(1), Some(1));
    assert_eq!(setting.pool.reserved(), 2 * 64);
    assert_eq!(
        [setting.value(1), setting.value(1), setting.value(1)],
        [Some(2), Some(3), None]
    );
    assert_eq!(setting.pool.reserved(), 0);
}

#[test]
fn readers_that_wait_are_woken_whoever_asked_the_input() {
    let mut setting = Setting::new(3);
    assert!(setting.ask(0).is_pending());
    assert!(setting.ask(1).is_pending());
    setting.send(1);
    assert_eq!(
        [setting.woken(0), setting.woken(1), setting.woken(2)],
        [1, 1, 0]
    );
    // Reader 0 asked first, and is in no hurry.
    assert_eq!(setting.value(1), Some(1));
    assert_eq!(setting.value(0), Some(1));
}

#[test]
fn reader_that_leaves_while_it_waits_hands_over() {
    let mut setting = Setting::new(2);
    assert!(setting.ask(1).is_pending());
    assert!(setting.ask(0).is_pending());
    setting.partition.leave(0);
    assert!(setting.woken(1) > 0);
    setting.send(1);
    assert_eq!(setting.value(1), Some(1));
    assert_eq!(setting.pool.reserved(), 0, "nobody else needs it");
}

#[test]
fn input_is_stopped_when_the_last_reader_leaves() {
    let mut setting = Setting::new(2);
    setting.send(1);
    setting.send(2);
    assert_eq!([setting.value(0), setting.value(0)], [Some(1), Some(2)]);
    setting.partition.leave(0);
    assert!(!setting.sender.is_closed());
    setting.partition.leave(1);
    assert!(setting.sender.is_closed());
    assert_eq!(setting.pool.reserved(), 0);
}

#[test]
fn error_reaches_every_reader_after_the_rows_before_it() {
    let mut setting = Setting::new(2);
    setting.send(1);
    let broken = DataFusionError::Execution("broken".into());
    setting.sender.unbounded_send(Err(broken)).unwrap();
    for reader in [0, 1] {
        assert_eq!(setting.value(reader), Some(1));
        let Poll::Ready(Err(error)) = setting.ask(reader) else {
            panic!("reader {reader} gets no error");
        };
        assert!(error.to_string().contains("broken"), "{error}");
    }
}

#[test]
fn reader_that_breaks_down_while_it_computes_ends_the_others() {
    let mut setting = Setting::new(2);
    let waker = Waker::from(Arc::clone(&setting.woken[0]));
    let Turn::Compute(computing) = setting.partition.turn(0, &waker) else {
        panic!("nobody computes yet");
    };
    assert!(setting.ask(1).is_pending());
    drop(computing);
    assert_eq!(setting.woken(1), 1);
    assert!(matches!(setting.ask(1), Poll::Ready(Err(_))));
}

#[test]
fn partition_is_opened_once_a_reader() {
    let setting = Setting::new(1);
    assert!(setting.partition.open(0));
    assert!(!setting.partition.open(0));
    assert!(!setting.partition.open(1));
}
