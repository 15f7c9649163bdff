//! Records that a topic refused, sent to it again, with the bytes, key, headers and time their sink gave them.
//!
//! One at a time, in the order of the journal, each acknowledged and noted in the ledger before the next. One that is refused again holds
//! back what is selected behind it of the same key.

use std::collections::HashMap;
use std::time::Duration;

use messaging::kafka::{Message, Placed, ResendError, Resender};
use observability::causes;
use signal_domain::Uuid;

use super::super::super::exit::Failure;
use super::super::super::output::Output;
use super::find::{Finder, Found};
use super::outcome::{Outcome, Tally};
use crate::config::Config;
use crate::letters::{Candidate, Ledger, Redriven, Selection};
use crate::runtime::clock;

/// How long one acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends what is selected; without a ledger only says what would go.
pub(super) fn all(
    config: &Config,
    selection: &Selection,
    mut ledger: Option<&mut Ledger>,
    tally: &mut Tally,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut finder = Finder::new(config)?;
    let cluster = config.kafka.client().map_err(|error| Failure::World(causes(&error)))?;
    let mut sender = Resender::new(&cluster).map_err(|error| Failure::World(causes(&error)))?;
    // By topic and key: the first letter that was not taken.
    let mut held: HashMap<(String, Vec<u8>), Uuid> = HashMap::new();
    let count = selection.candidates().len();
    for (number, letter) in selection.candidates().enumerate() {
        let outcome = match finder.find(letter)? {
            Found::Never(why) => Outcome::Skipped(why),
            Found::Message(message) => {
                let key = (letter.refused.topic.clone(), message.key.clone());
                match (held.get(&key), ledger.as_deref_mut()) {
                    (Some(first), _) => Outcome::Held(*first),
                    (None, None) => Outcome::Ready,
                    (None, Some(ledger)) => {
                        let outcome = send(&mut sender, letter, &message, ledger).map_err(|why| {
                            Failure::World(format!(
                                "{why}; sent before {}, left {}",
                                tally.sent,
                                count - number
                            ))
                        })?;
                        if matches!(outcome, Outcome::Refused(_)) {
                            held.insert(key, letter.id);
                        }
                        outcome
                    }
                }
            }
        };
        tally.tell(letter.id, Some(&letter.refused), &outcome, output)?;
    }
    Ok(())
}

/// Sends one and notes it; an error where every other would meet the same.
fn send(
    sender: &mut Resender,
    letter: &Candidate,
    message: &Message,
    ledger: &mut Ledger,
) -> Result<Outcome, String> {
    let topic = letter.refused.topic.clone();
    let Placed { partition, offset } = match sender.send(&topic, message, PATIENCE) {
        Ok(placed) => placed,
        Err(ResendError::Refused { why, .. }) => return Ok(Outcome::Refused(why)),
        Err(error @ ResendError::Unavailable { .. }) => return Err(error.to_string()),
    };
    let noted =
        ledger.note(Redriven { id: letter.id, redriven_at: clock::wall_ms(), topic, partition, offset });
    noted.map_err(|error| {
        format!("{} was sent (partition {partition}, offset {offset}), but {}", letter.id, causes(&error))
    })?;
    Ok(Outcome::Sent(partition, offset))
}
