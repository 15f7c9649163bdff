//! The very message that a topic refused: made again from the journal, by the code that made it for the sink, or from the letter.
//!
//! The letter's hash decides: what is sent is byte for byte what was refused, or nothing. A record that only says how something stands
//! (a gap, a state) is not sent behind a newer one of the same thing.

use std::collections::BTreeMap;

use messaging::journal::{Query, Read, Reader};
use messaging::kafka::Message;
use sha2::{Digest, Sha256};
use signal_domain::Uuid;

use super::super::super::exit::Failure;
use super::super::journal;
use crate::config::{Config, SinkKind};
use crate::letters::Candidate;
use crate::record::{self, Body, Kind, key_of};
use crate::render::{Again, id_of};
use crate::runtime::topics::messages;

/// See the module.
pub(super) struct Finder {
    journal: Option<Reader>,
    streams: BTreeMap<String, Stream>,
}

struct Stream {
    name: &'static str,
    messages: Box<dyn Again>,
}

/// A message, or why there is none any more.
pub(super) enum Found {
    Message(Message),
    Never(String),
}

impl Finder {
    /// Over the journal of this data directory, if there is one, for the topics of the configuration.
    pub(super) fn new(config: &Config) -> Result<Self, Failure> {
        let journal = journal::place(config)?.is_some().then(|| journal::open(config)).transpose()?;
        let identity = journal.as_ref().map_or(Uuid::nil(), |journal| journal.journal().uuid());
        let sinks = config.storage.sinks().into_iter().filter(|(_, sink)| sink.kind == SinkKind::Kafka);
        let streams = sinks.filter_map(|(name, sink)| {
            Some((sink.topic.clone(), Stream { name, messages: messages(name, config, identity)? }))
        });
        Ok(Self { journal, streams: streams.collect() })
    }

    /// What `letter` stands for.
    pub(super) fn find(&mut self, letter: &Candidate) -> Result<Found, Failure> {
        let Self { journal, streams } = self;
        let journal = journal.as_ref();
        let topic = &letter.refused.topic;
        let Some(stream) = streams.get_mut(topic) else {
            return Ok(Found::Never(format!("no sink of the configuration writes to topic {topic}")));
        };
        if let Some(journal) = journal {
            let made = stream.of_record(journal, letter.refused.position)?;
            if let Some(message) = made.filter(|message| is_it(letter, &message.value)) {
                let newer = stream.newer(journal, &message, letter)?;
                let told = newer.map(|at| format!("position {at} of the journal says newer of the same"));
                return Ok(told.map_or(Found::Message(message), Found::Never));
            }
        }
        let kept = letter.payload.clone();
        let kept = match (kept, journal, letter.position) {
            (None, Some(journal), Some(position)) => kept_whole(journal, position)?,
            (kept, ..) => kept,
        };
        let Some(payload) = kept.filter(|payload| is_it(letter, payload)) else {
            let (length, refused) = (letter.length, letter.refused.position);
            let told = format!(
                "the letter has a part of {length} bytes, and the journal no longer has position {refused}"
            );
            return Ok(Found::Never(told));
        };
        let mut message = Message::default();
        Ok(if stream.messages.again(&payload, letter.received_at_ms, &mut message) {
            Found::Message(message)
        } else {
            let (position, stream) = (letter.refused.position, stream.name);
            Found::Never(format!(
                "the journal no longer has position {position}, without which a record of {stream} may be older than what followed"
            ))
        })
    }
}

impl Stream {
    fn of_record(&mut self, journal: &Reader, position: u64) -> Result<Option<Message>, Failure> {
        let mut reader = journal.fork(position);
        let read = reader.next().map_err(|error| Failure::world("journal", error))?;
        let Some(Read::Record(record)) = read else { return Ok(None) };
        let mut message = Message::default();
        let is_made = record.position == position && self.messages.compose(&record, &mut message);
        Ok(is_made.then_some(message))
    }

    /// The position of a record that makes this one of a gap or a state old.
    fn newer(
        &mut self,
        journal: &Reader,
        message: &Message,
        letter: &Candidate,
    ) -> Result<Option<u64>, Failure> {
        let kinds = match self.name {
            "gaps" => vec![Kind::Gap as u8, Kind::Epoch as u8],
            "state" => vec![Kind::Notice as u8],
            // Each says something of its own.
            _ => return Ok(None),
        };
        let keys = letter.account.iter().map(key_of).collect();
        let behind = journal.fork(letter.refused.position + 1);
        let mut reader = behind.select(Query { keys, kinds, ..Query::default() });
        let mut other = Message::default();
        while let Some(read) = reader.next().map_err(|error| Failure::world("journal", error))? {
            let Read::Record(record) = read else { continue };
            other.clear();
            let is_of_key = self.messages.compose(&record, &mut other) && other.key == message.key;
            // A reset voids every gap before it.
            let is_same = id_of(&other) == id_of(message) || record.kind == Kind::Epoch as u8;
            if is_of_key && is_same {
                return Ok(Some(record.position));
            }
        }
        Ok(None)
    }
}

/// The payload that the letter's own record has.
fn kept_whole(journal: &Reader, position: u64) -> Result<Option<Vec<u8>>, Failure> {
    let mut reader = journal.fork(position);
    let read = reader.next().map_err(|error| Failure::world("journal", error))?;
    let Some(Read::Record(record)) = read else { return Ok(None) };
    if record.position != position {
        return Ok(None);
    }
    let body = record::decode(&record).map_err(|error| Failure::world("journal", error))?;
    let Some(Body::Refusal(refusal)) = body else { return Ok(None) };
    Ok(refusal.payload.map(<[u8]>::to_vec))
}

/// Whether these bytes are what was refused.
fn is_it(letter: &Candidate, bytes: &[u8]) -> bool {
    let hash = format!("{:x}", Sha256::digest(bytes));
    letter.length == bytes.len() as u64 && letter.sha256.as_deref() == Some(&hash)
}
