//! Building a batch in a buffer that is used again and again. What is appended together is kept or lost together.

use super::format::{self, BATCH_HEADER, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_BODY_BYTES, RECORD_HEADER};
use super::record::NewRecord;

/// Why a record was not taken; the batch is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BatchError {
    /// The batch has its fill: append it, then push this record again.
    #[error("batch is full ({records} records, {bytes} bytes)")]
    Full {
        /// Records in the batch.
        records: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// No batch takes it.
    #[error("record body of {bytes} bytes is over the limit of {MAX_BODY_BYTES}")]
    TooLarge {
        /// The body's bytes.
        bytes: usize,
    },
}

/// One batch in the making: 1 to 4,096 records of together at most 4 MiB, or one larger record.
#[derive(Debug)]
pub struct BatchBuilder {
    bytes: Vec<u8>,
    records: usize,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self { bytes: vec![0; BATCH_HEADER], records: 0 }
    }

    /// Copies the record in, behind the others.
    ///
    /// # Errors
    /// [`BatchError::Full`] and [`BatchError::TooLarge`]; nothing was changed then.
    pub fn push(&mut self, record: &NewRecord<'_>) -> Result<(), BatchError> {
        let body = record.body.len();
        let Some(body_bytes) = u32::try_from(body).ok().filter(|_| body <= MAX_BODY_BYTES) else {
            return Err(BatchError::TooLarge { bytes: body });
        };
        let would_be = self.record_bytes() + RECORD_HEADER + body;
        if self.records > 0 && (self.records >= MAX_BATCH_RECORDS || would_be > MAX_BATCH_BYTES) {
            return Err(BatchError::Full { records: self.records, bytes: self.record_bytes() });
        }
        format::put_record(&mut self.bytes, record, body_bytes);
        self.records += 1;
        Ok(())
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The bytes the batch takes in the journal.
    #[must_use]
    pub fn journal_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the batch, keeping its buffer.
    pub fn clear(&mut self) {
        self.bytes.truncate(BATCH_HEADER);
        self.records = 0;
    }

    fn record_bytes(&self) -> usize {
        self.bytes.len() - BATCH_HEADER
    }

    /// The batch without positions, as the writer takes it.
    pub(crate) fn encoded(&mut self) -> &[u8] {
        // Both fit: `push` keeps them under 4,096 and about 64 MiB.
        let (count, bytes) =
            (u32::try_from(self.records).unwrap_or(0), u32::try_from(self.record_bytes()).unwrap_or(0));
        if let Some(header) = self.bytes.first_chunk_mut::<BATCH_HEADER>() {
            format::put_batch_sizes(header, count, bytes);
        }
        &self.bytes
    }
}
