//! Any bytes as the body of a record of any kind (the first byte is the kind): refused by name, or written and read again to
//! the same bytes, folded into the state, and made into lines.

use ingestion_bin::record::{Body, decode, encode};
use ingestion_bin::render::{DeadLetterLines, GapLines, RawFilter, RawLines, SignalLines};
use ingestion_bin::state::State;
use messaging::journal::{Fold, NO_TIME, Record};
use messaging::sink::Render;
use uuid::Uuid;

/// The check.
///
/// # Panics
/// When a reader of records breaks its word.
pub(crate) fn check(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let record = Record { position: 7, kind: *kind, partition: 0, key: 0, time: NO_TIME, body };
    let Ok(Some(read)) = decode(&record) else { return };
    let once = written(&read);
    let again = Record { kind: read.kind() as u8, body: &once, ..record };
    match decode(&again) {
        // The bytes are compared, because -1.50 is written as -1.5.
        Ok(Some(again)) => assert_eq!(written(&again), once),
        other => panic!("{read:?} is {other:?} when read again"),
    }
    let mut state = State::default();
    state.apply(&record);
    state.apply(&record);
    let mut saved = Vec::new();
    state.save(&mut saved).expect("a vector takes everything");
    assert_eq!(State::restore(&saved).as_ref(), Ok(&state));
    line(&record, &mut SignalLines::default());
    line(&record, &mut RawLines::new(Uuid::nil(), RawFilter::default()));
    line(&record, &mut GapLines);
    line(&record, &mut DeadLetterLines);
}

fn written(body: &Body<'_>) -> Vec<u8> {
    encode(body, &mut Vec::new(), |record| record.body.to_vec())
}

/// A line says what it is: a sink that finds it after a crash knows whose it is.
fn line(record: &Record<'_>, stream: &mut impl Render) {
    let mut line = Vec::new();
    if let Some(key) = stream.render(record, &mut line) {
        assert_eq!(stream.key_of_line(&line), Some(key), "{}", String::from_utf8_lossy(&line));
    }
}
