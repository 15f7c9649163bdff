//! What became of each letter of a redrive, told line by line, and all of them together.

use serde_json::json;
use signal_domain::Uuid;

use super::super::super::exit::{Exit, Failure};
use super::super::super::output::Output;
use crate::letters::RefusedAt;

/// What became of a letter.
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "nothing can be sent"))]
pub(super) enum Outcome {
    /// It is in this partition, at this offset.
    Sent(i32, i64),
    /// It would be sent.
    Ready,
    /// Again.
    Refused(String),
    /// Behind this one, of the same key, which was not taken.
    Held(Uuid),
    /// The service is asked to take its rows.
    Asked,
    /// The service took its rows.
    Repaired,
    /// It cannot be sent.
    Skipped(String),
}

/// How many letters ended how.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) sent: usize,
    ready: usize,
    refused: usize,
    held: usize,
    asked: usize,
    repaired: usize,
    skipped: usize,
}

impl Tally {
    /// Counts one and tells it.
    pub(super) fn tell(
        &mut self,
        id: Uuid,
        record: Option<&RefusedAt>,
        outcome: &Outcome,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let (mut placed, mut why) = (None, None);
        let (count, name) = match outcome {
            Outcome::Sent(partition, offset) => {
                placed = Some((partition, offset));
                (&mut self.sent, "sent")
            }
            Outcome::Ready => (&mut self.ready, "would send"),
            Outcome::Refused(told) => {
                why = Some(told.clone());
                (&mut self.refused, "refused")
            }
            Outcome::Held(first) => {
                why = Some(format!("behind {first}, of the same key"));
                (&mut self.held, "held")
            }
            Outcome::Asked => (&mut self.asked, "waits"),
            Outcome::Repaired => (&mut self.repaired, "repaired"),
            Outcome::Skipped(told) => {
                why = Some(told.clone());
                (&mut self.skipped, "skipped")
            }
        };
        *count += 1;
        if output.json() {
            output.document(&json!({
                "id": id,
                "outcome": name,
                "topic": record.map(|record| &record.topic),
                "position": record.map(|record| record.position),
                "partition": placed.map(|(partition, _)| partition),
                "offset": placed.map(|(_, offset)| offset),
                "why": why,
            }))?;
        } else {
            let record =
                record.map(|RefusedAt { position, topic }| format!(", position {position}, topic {topic}"));
            let placed =
                placed.map(|(partition, offset)| format!(", partition {partition}, offset {offset}"));
            let why = why.map(|why| format!(": {why}"));
            let rest: String = [record, placed, why].into_iter().flatten().collect();
            output.line(&format!("{name:<10}  {id}{rest}"))?;
        }
        output.flush()
    }

    /// All in a line; `done` were redriven before.
    pub(super) fn words(&self, done: usize) -> String {
        let Self { sent, ready, refused, held, asked, repaired, skipped } = self;
        let went = if *ready > 0 { format!("would send {ready}") } else { format!("sent {sent}") };
        let repairs = if asked + repaired > 0 {
            format!(", waiting for the service {asked}, repaired {repaired}")
        } else {
            String::new()
        };
        format!(
            "{went}, refused again {refused}, held {held}, skipped {skipped}, redriven before {done}{repairs}"
        )
    }

    /// 1 where one of them did not go.
    pub(super) const fn exit(&self) -> Exit {
        if self.refused + self.held + self.skipped == 0 { Exit::Clean } else { Exit::Failed }
    }
}
