//! The batches of one partition of a shared part, from the first reader that asks to the last one that has had them.
//!
//! Whichever reader comes to the end of what is kept computes the next batch, and no reader ever waits for another one:
//! what a slow reader still needs is kept, and what memory is refused for is written to a file. So it does not matter
//! that one side of a join is read before the other. While a reader computes, the others are told to come back; whoever
//! is left can compute on when a reader stops.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use arrow_array::{Array, RecordBatch};
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SpillFile;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::physical_plan::SpillManager;
use futures::StreamExt;

/// What a reader is to do next.
pub(super) enum Turn {
    Batch(RecordBatch),
    /// The batch is the one at a position of a file; say [`Partition::had`] once it is read.
    Spilled(Arc<SpilledRun>, usize),
    /// The batch is being computed; the reader is woken.
    Wait,
    Compute(Computing),
    End(Result<()>),
}

/// One partition.
pub(super) struct Partition {
    state: Mutex<State>,
    /// Readers to wake when the input has something.
    parked: Arc<Wakers>,
}

struct State {
    batches: VecDeque<Batch>,
    /// Number of the first batch that is kept.
    first: usize,
    readers: Vec<Reader>,
    input: Input,
    end: Option<Result<(), Arc<DataFusionError>>>,
    /// Readers that came while another one computed.
    turned_away: Vec<Option<Waker>>,
    kept: Kept,
}

#[derive(Debug, Default, Clone)]
struct Reader {
    /// Number of the next batch.
    next: usize,
    is_open: bool,
    has_left: bool,
}

struct Batch {
    place: Place,
    /// Readers that have not had it.
    readers: usize,
}

enum Place {
    Memory(RecordBatch, usize),
    File(Arc<SpilledRun>, usize),
}

enum Input {
    NotStarted,
    Idle(SendableRecordBatchStream),
    /// A reader has it in hands.
    Computing,
    Done,
}

impl fmt::Debug for Partition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Partition")
    }
}

impl Partition {
    pub fn new(readers: usize, kept: Kept) -> Arc<Self> {
        let state = State {
            batches: VecDeque::new(),
            first: 0,
            readers: vec![Reader::default(); readers],
            input: Input::NotStarted,
            end: None,
            turned_away: vec![None; readers],
            kept,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            parked: Arc::new(Wakers(Mutex::new(vec![None; readers]))),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the reader starts; it can once.
    pub fn open(&self, reader: usize) -> bool {
        let mut state = self.state();
        let known = state.readers.get_mut(reader);
        known.is_some_and(|reader| !std::mem::replace(&mut reader.is_open, true))
    }

    /// What the reader is to do for its next batch. `waker` is kept where it has to wait or computes.
    pub fn turn(self: &Arc<Self>, reader: usize, waker: &Waker) -> Turn {
        let mut state = self.state();
        let at = state.readers[reader].next - state.first;
        match state.batches.get(at).map(|batch| &batch.place) {
            Some(Place::Memory(batch, _)) => {
                let batch = batch.clone();
                state.advance(reader);
                return Turn::Batch(batch);
            }
            Some(Place::File(run, position)) => {
                let (run, position) = (Arc::clone(run), *position);
                return match state.kept.finish(&run) {
                    Ok(()) => Turn::Spilled(run, position),
                    Err(error) => Turn::End(Err(error)),
                };
            }
            None => {}
        }
        if let Some(end) = &state.end {
            return Turn::End(end.clone().map_err(DataFusionError::Shared));
        }
        match std::mem::replace(&mut state.input, Input::Computing) {
            Input::NotStarted => self.computing(reader, waker, None),
            Input::Idle(stream) => self.computing(reader, waker, Some(stream)),
            Input::Computing => {
                state.turned_away[reader] = Some(waker.clone());
                Turn::Wait
            }
            Input::Done => {
                state.input = Input::Done;
                Turn::End(Err(internal_datafusion_err!("shared rows have no end")))
            }
        }
    }

    /// The reader is parked before it asks the input, so that no wake-up gets lost.
    fn computing(
        self: &Arc<Self>,
        reader: usize,
        waker: &Waker,
        stream: Option<SendableRecordBatchStream>,
    ) -> Turn {
        self.parked.park(reader, waker);
        Turn::Compute(Computing {
            partition: Arc::clone(self),
            reader,
            stream,
            is_over: false,
        })
    }

    /// The reader has had the batch that it was told to read from a file.
    pub fn had(&self, reader: usize) {
        self.state().advance(reader);
    }

    /// The rows of a file, from its beginning.
    pub fn open_file(&self, run: &SpilledRun) -> Result<SendableRecordBatchStream> {
        self.state().kept.read(run)
    }

    /// The reader needs nothing more.
    pub fn leave(&self, reader: usize) {
        let mut state = self.state();
        let next = state.readers[reader].next;
        if std::mem::replace(&mut state.readers[reader].has_left, true) {
            return;
        }
        let had = next - state.first;
        for batch in state.batches.iter_mut().skip(had) {
            batch.readers -= 1;
        }
        state.free();
        let nobody_reads = state.readers.iter().all(|reader| reader.has_left);
        let input = match (nobody_reads, &state.input) {
            (true, Input::NotStarted | Input::Idle(_)) => {
                std::mem::replace(&mut state.input, Input::Done)
            }
            _ => Input::Done,
        };
        // Perhaps this reader was the one that was woken to compute.
        let mut wakers = state.turned_away();
        drop(state);
        wakers.extend(self.parked.take());
        wakers.into_iter().for_each(Waker::wake);
        drop(input);
    }
}

impl State {
    /// The reader's next batch is the one after.
    fn advance(&mut self, reader: usize) {
        let at = self.readers[reader].next - self.first;
        self.readers[reader].next += 1;
        if let Some(batch) = self.batches.get_mut(at) {
            batch.readers -= 1;
        }
        self.free();
    }

    /// Lets go of what every reader has had.
    fn free(&mut self) {
        while self.batches.front().is_some_and(|batch| batch.readers == 0) {
            if let Some(Batch {
                place: Place::Memory(_, bytes),
                ..
            }) = self.batches.pop_front()
            {
                self.kept.memory.shrink(bytes);
            }
            self.first += 1;
        }
    }

    fn turned_away(&mut self) -> Vec<Waker> {
        self.turned_away
            .iter_mut()
            .filter_map(Option::take)
            .collect()
    }

    /// Keeps a batch that one reader has computed and has had for the others.
    fn keep(&mut self, batch: &RecordBatch, reader: usize) -> Result<()> {
        self.readers[reader].next += 1;
        let others = self.readers.iter().filter(|other| !other.has_left).count() - 1;
        if others == 0 {
            self.first += 1;
            return Ok(());
        }
        let bytes = size(batch)?;
        let place = if self.kept.memory.try_grow(bytes).is_ok() {
            Place::Memory(batch.clone(), bytes)
        } else {
            for kept in &mut self.batches {
                if let Place::Memory(batch, bytes) = &kept.place {
                    let bytes = *bytes;
                    kept.place = self.kept.write(batch)?;
                    self.kept.memory.shrink(bytes);
                }
            }
            self.kept.write(batch)?
        };
        self.batches.push_back(Batch {
            place,
            readers: others,
        });
        Ok(())
    }
}

/// The right to ask the input for the next batch. Given up without an answer, all readers get an error.
pub(super) struct Computing {
    partition: Arc<Partition>,
    reader: usize,
    stream: Option<SendableRecordBatchStream>,
    is_over: bool,
}

impl Computing {
    /// Asks the input, which is made first where nobody has asked before. Nothing is answered at the end and after an
    /// error; the next turn tells which.
    pub fn poll(
        mut self,
        start: impl FnOnce() -> Result<SendableRecordBatchStream>,
    ) -> Poll<Option<RecordBatch>> {
        let mut stream = match self.stream.take().map_or_else(start, Ok) {
            Ok(stream) => stream,
            Err(error) => {
                self.end(Err(error));
                return Poll::Ready(None);
            }
        };
        let waker = Waker::from(Arc::clone(&self.partition.parked));
        match stream.poll_next_unpin(&mut Context::from_waker(&waker)) {
            Poll::Pending => {
                self.is_over = true;
                let mut state = self.partition.state();
                state.input = Input::Idle(stream);
                // Whoever came in the meantime asks the input itself: it may outlive this reader.
                let wakers = state.turned_away();
                drop(state);
                wakers.into_iter().for_each(Waker::wake);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(batch))) => {
                let mut state = self.partition.state();
                if let Err(error) = state.keep(&batch, self.reader) {
                    drop(state);
                    self.end(Err(error));
                    return Poll::Ready(None);
                }
                self.is_over = true;
                state.input = Input::Idle(stream);
                let mut wakers = state.turned_away();
                drop(state);
                wakers.extend(self.partition.parked.take_others(self.reader));
                wakers.into_iter().for_each(Waker::wake);
                Poll::Ready(Some(batch))
            }
            Poll::Ready(Some(Err(error))) => {
                self.end(Err(error));
                Poll::Ready(None)
            }
            Poll::Ready(None) => {
                self.end(Ok(()));
                Poll::Ready(None)
            }
        }
    }

    fn end(&mut self, result: Result<()>) {
        self.is_over = true;
        let mut state = self.partition.state();
        state.end = Some(result.map_err(Arc::new));
        state.input = Input::Done;
        let mut wakers = state.turned_away();
        drop(state);
        wakers.extend(self.partition.parked.take());
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        if !self.is_over {
            self.end(Err(internal_datafusion_err!(
                "a reader of shared rows broke down"
            )));
        }
    }
}

/// Wakes every reader that waits for the input, as the one that asked may not be there any more.
struct Wakers(Mutex<Vec<Option<Waker>>>);

impl Wakers {
    fn slots(&self) -> MutexGuard<'_, Vec<Option<Waker>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn park(&self, reader: usize, waker: &Waker) {
        self.slots()[reader] = Some(waker.clone());
    }

    fn take(&self) -> Vec<Waker> {
        self.slots().iter_mut().filter_map(Option::take).collect()
    }

    fn take_others(&self, reader: usize) -> Vec<Waker> {
        let mut slots = self.slots();
        slots[reader] = None;
        slots.iter_mut().filter_map(Option::take).collect()
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        self.take().into_iter().for_each(Waker::wake);
    }
}

/// Where the batches of a partition are kept: the memory of all partitions of the part, and files.
pub(super) struct Kept {
    memory: Arc<MemoryReservation>,
    spills: SpillManager,
    writing: Option<Writing>,
}

struct Writing {
    run: Arc<SpilledRun>,
    append: Box<Append>,
    batches: usize,
}

/// Appends a batch, or without one closes the file and hands it out. The type of such files has no public name.
type Append = dyn FnMut(Option<&RecordBatch>) -> Result<Option<Arc<dyn SpillFile>>> + Send;

/// Batches in one file, which goes with the last of them.
#[derive(Default)]
pub(super) struct SpilledRun {
    file: OnceLock<Arc<dyn SpillFile>>,
}

impl Kept {
    pub fn new(memory: Arc<MemoryReservation>, spills: SpillManager) -> Self {
        Self {
            memory,
            spills,
            writing: None,
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<Place> {
        let writing = match &mut self.writing {
            Some(writing) => writing,
            None => {
                let mut file = self
                    .spills
                    .create_in_progress_file("rows with several readers")?;
                self.writing.insert(Writing {
                    run: Arc::default(),
                    append: Box::new(move |batch| match batch {
                        Some(batch) => file.append_batch(batch).map(|_| None),
                        None => file.finish(),
                    }),
                    batches: 0,
                })
            }
        };
        (writing.append)(Some(batch))?;
        let position = writing.batches;
        writing.batches += 1;
        Ok(Place::File(Arc::clone(&writing.run), position))
    }

    /// Closes a file that is to be read.
    fn finish(&mut self, run: &Arc<SpilledRun>) -> Result<()> {
        let is_written = |writing: &mut Writing| Arc::ptr_eq(&writing.run, run);
        if let Some(mut writing) = self.writing.take_if(is_written)
            && let Some(file) = (writing.append)(None)?
        {
            // Set here alone, as a file is written once.
            let _ = run.file.set(file);
        }
        Ok(())
    }

    fn read(&self, run: &SpilledRun) -> Result<SendableRecordBatchStream> {
        let file = run.file.get();
        let file = file.ok_or_else(|| internal_datafusion_err!("spilled rows have no file"))?;
        self.spills.read_spill_as_stream(Arc::clone(file), None)
    }
}

/// Bytes of the batch's own rows: batches are often slices of larger ones, which they keep alive together.
fn size(batch: &RecordBatch) -> Result<usize> {
    let mut bytes = 0;
    for column in batch.columns() {
        bytes += column.to_data().get_slice_memory_size()?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
