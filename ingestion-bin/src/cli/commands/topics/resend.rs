//! `topics resend`: what the journal says a topic acknowledged and the topic does not have is sent to it again, with the bytes, key, headers
//! and time its sink gave it, in the order of the journal.
//!
//! For after a loss that the audit has told: an unclean election, a broker that came back without the end of its log, a topic that was
//! deleted. Whether a record is there is decided by its bytes. What a topic has deleted at its beginning, by its retention, is not missed:
//! nothing in front of the first record that it still has is sent. Beside a running service: the journal is only read.
//! Memory: 16 bytes for every record of the topic.

use std::collections::HashSet;
use std::time::Duration;

use messaging::journal::{Done, Query};
use messaging::kafka::{KafkaConfig, Message, Placed, Resender};
use messaging::storage::DiskStorage;
use observability::causes;
use serde_json::json;
use sha2::{Digest, Sha256};
use signal_domain::Uuid;

use super::super::super::args::{Cli, Resend};
use super::super::super::exit::{Exit, Failure};
use super::super::super::output::Output;
use super::super::super::setup;
use super::super::{journal, verify};
use crate::config::{Config, SinkKind, SinkSettings};
use crate::letters::{Ledger, Redriven, RefusedAt};
use crate::record::{self, Body, Kind};
use crate::render::{Again, id_of};
use crate::runtime::clock;
use crate::runtime::topics::{COMPACTED, messages};

/// How long one acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(30);

type Hash = [u8; 16];

pub(super) fn run(cli: &Cli, args: &Resend, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    let streams = streams(&config, args.stream.as_deref())?;
    let cluster = config.kafka.client().map_err(|error| Failure::World(causes(&error)))?;
    let storage = DiskStorage::new(setup::existing_data(&config)?);
    let ledger = (!args.dry_run).then(|| Ledger::open(&storage)).transpose();
    let mut ledger = ledger.map_err(|error| Failure::World(causes(&error)))?;
    for (stream, sink) in streams {
        let (topic, lost) = (&sink.topic, Lost::of(&config, &cluster, stream, sink)?);
        let sent = match &mut ledger {
            Some(ledger) => send(&cluster, &lost, ledger)?,
            None => 0,
        };
        let (records, missing) = (lost.looked_at, lost.messages.len());
        if output.json() {
            let report = json!({ "stream": stream, "topic": topic, "records": records, "lost": missing, "sent": sent });
            output.document(&report)?;
        } else {
            output.line(&format!("{topic}  {records} records of {stream}, lost {missing}, sent {sent}"))?;
        }
    }
    Ok(Exit::Clean)
}

/// The streams that are meant.
fn streams<'c>(
    config: &'c Config,
    wanted: Option<&str>,
) -> Result<Vec<(&'static str, &'c SinkSettings)>, Failure> {
    let mut streams = config.storage.sinks().to_vec();
    streams.retain(|(name, sink)| sink.kind == SinkKind::Kafka && *name != COMPACTED);
    if let Some(wanted) = wanted {
        streams.retain(|(name, _)| *name == wanted);
    }
    match (streams.is_empty(), wanted) {
        (false, _) => Ok(streams),
        (true, Some(COMPACTED)) => Err(Failure::Usage(
            "--stream state: its topic keeps what is newest of each key, and the service tells each again within ten minutes"
                .to_owned(),
        )),
        (true, Some(wanted)) => Err(Failure::Usage(format!("--stream {wanted}: no such stream goes to a topic"))),
        (true, None) => Err(Failure::Usage("no sink writes to a topic (sink = \"kafka\")".to_owned())),
    }
}

/// What a topic should have, and has not.
struct Lost {
    topic: String,
    looked_at: usize,
    messages: Vec<Message>,
}

impl Lost {
    fn of(
        config: &Config,
        cluster: &KafkaConfig,
        stream: &'static str,
        sink: &SinkSettings,
    ) -> Result<Self, Failure> {
        let reader = journal::open(config)?;
        let identity = reader.journal().uuid();
        let cursor = sink.cursor(stream, SinkKind::Kafka);
        // Before the topic is read: what is delivered by now is there.
        let done = reader.done(&cursor).map_err(|error| Failure::world("journal", error))?;
        let mut lost = Self { topic: sink.topic.clone(), looked_at: 0, messages: Vec::new() };
        let (Some(done), Some(messages)) = (done, messages(stream, config, identity)) else {
            return Ok(lost);
        };
        let mut there = HashSet::new();
        let is_whole = verify::read_topic(cluster, &sink.topic, |message| {
            there.insert(hash(message.value.unwrap_or_default()));
            Ok(())
        })?;
        lost.look(config, stream, done, messages, &there, is_whole)?;
        Ok(lost)
    }

    fn look(
        &mut self,
        config: &Config,
        stream: &str,
        done: Done,
        mut messages: Box<dyn Again>,
        there: &HashSet<Hash>,
        is_whole: bool,
    ) -> Result<(), Failure> {
        let refused = refused(config, &self.topic)?;
        // A gap's records say how it stands.
        let (mut begun, tells_standing) = (is_whole, stream == "gaps");
        let mut message = Message::default();
        journal::records(journal::open(config)?, |record| {
            if !(done.from..done.to).contains(&record.position) || refused.contains(&record.position) {
                return Ok(());
            }
            message.clear();
            if !messages.compose(record, &mut message) {
                return Ok(());
            }
            let is_there = there.contains(&hash(&message.value));
            begun |= is_there;
            if begun {
                self.looked_at += 1;
                if tells_standing {
                    // An older one is not sent behind a newer.
                    self.messages.retain(|older| id_of(older) != id_of(&message));
                }
                if !is_there {
                    self.messages.push(message.clone());
                }
            }
            Ok(())
        })
    }
}

/// What the topic refused: that is redriven, not sent again.
fn refused(config: &Config, topic: &str) -> Result<HashSet<u64>, Failure> {
    let mut refused = HashSet::new();
    let letters = Query { kinds: vec![Kind::Refusal as u8], ..Query::default() };
    journal::records(journal::open(config)?.select(letters), |record| {
        let body = record::decode(record).map_err(|error| Failure::world("journal", error))?;
        if let Some(Body::Refusal(letter)) = body
            && let Some(at) = RefusedAt::of_detail(&letter.detail).filter(|at| at.topic == topic)
        {
            refused.insert(at.position);
        }
        Ok(())
    })?;
    Ok(refused)
}

/// One at a time, each acknowledged and noted before the next; how many went.
fn send(cluster: &KafkaConfig, lost: &Lost, ledger: &mut Ledger) -> Result<usize, Failure> {
    if lost.messages.is_empty() {
        return Ok(0);
    }
    let mut sender = Resender::new(cluster).map_err(|error| Failure::World(causes(&error)))?;
    for (sent, message) in lost.messages.iter().enumerate() {
        let left = lost.messages.len() - sent;
        let failed = |why: String| Failure::World(format!("{why}; sent before {sent}, left {left}"));
        let placed = sender.send(&lost.topic, message, PATIENCE);
        let Placed { partition, offset } = placed.map_err(|error| failed(error.to_string()))?;
        let id =
            id_of(message).and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| id.parse::<Uuid>().ok());
        if let Some(id) = id {
            let topic = lost.topic.clone();
            let noted = ledger.note(Redriven { id, redriven_at: clock::wall_ms(), topic, partition, offset });
            noted.map_err(|error| failed(causes(&error)))?;
        }
    }
    Ok(lost.messages.len())
}

fn hash(value: &[u8]) -> Hash {
    let hash = Sha256::digest(value);
    hash.first_chunk().copied().unwrap_or_default()
}
