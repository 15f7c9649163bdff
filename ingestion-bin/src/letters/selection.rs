//! What a redrive has to send: each refused record once, in the order of the journal.
//!
//! Memory: the wanted letters of stage `publish` with their payloads. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use signal_domain::wire::v1::DeadLetterV1;
use signal_domain::{Account, Stage, Uuid};

use super::{Redrives, RefusedAt};

/// A refused record, as its letter tells of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// The letter's id.
    pub id: Uuid,
    /// Which record, and who refused it.
    pub refused: RefusedAt,
    /// The letter's own position in the journal: its record has the whole payload.
    pub position: Option<u64>,
    /// Whose.
    pub account: Option<Account>,
    /// Of what was refused, lower-case hex.
    pub sha256: Option<String>,
    /// Bytes of what was refused.
    pub length: u64,
    /// What was refused, where the letter has all of it.
    pub payload: Option<Vec<u8>>,
    /// When what it stands for arrived, unix ms.
    pub received_at_ms: u64,
}

/// A letter of what could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unread {
    /// Its id.
    pub id: Uuid,
    /// Whose.
    pub account: Option<Account>,
    /// The venue's bytes, where the letter has all of them.
    pub payload: Option<Vec<u8>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Selection {
    /// What went already goes again.
    again: bool,
    /// The letters were chosen by name: those of what could not be read are meant, too.
    is_named: bool,
    found: BTreeMap<(RefusedAt, Uuid), Candidate>,
    /// Told: each with why it cannot be sent.
    skipped: BTreeMap<Uuid, String>,
    unread: BTreeMap<Uuid, Unread>,
    done: BTreeSet<(RefusedAt, Uuid)>,
    seen: BTreeSet<Uuid>,
}

impl Selection {
    /// `again`: also what was sent already. `is_named`: every letter given is meant, so one that is of another stage is told.
    #[must_use]
    pub fn new(again: bool, is_named: bool) -> Self {
        Self { again, is_named, ..Self::default() }
    }

    /// Takes a wanted letter. A record that was refused twice, because its sink began again before its cursor was stored, has two letters
    /// of one id.
    pub fn take(&mut self, letter: &DeadLetterV1<'_>, redrives: &Redrives) {
        self.seen.insert(letter.id);
        if letter.stage.known() != Some(Stage::Publish) {
            if self.is_named {
                let (id, account) = (letter.id, letter.account);
                self.unread.insert(id, Unread { id, account, payload: whole(letter) });
            }
            return;
        }
        let Some(refused) = RefusedAt::of_detail(&letter.detail) else {
            let why = format!("its detail names no topic and position: {}", letter.detail);
            self.skipped.insert(letter.id, why);
            return;
        };
        let key = (refused.clone(), letter.id);
        if !self.again && redrives.has(letter.id, &refused.topic) {
            self.done.insert(key);
            return;
        }
        let length = letter.length.unwrap_or_default();
        let candidate = Candidate {
            id: letter.id,
            refused,
            position: letter.position,
            account: letter.account,
            sha256: letter.sha256.as_deref().map(str::to_owned),
            length,
            payload: whole(letter),
            received_at_ms: letter.received_at_ns / 1_000_000,
        };
        self.found.insert(key, candidate);
    }

    /// What is to be sent, in the order of the journal.
    pub fn candidates(&self) -> impl ExactSizeIterator<Item = &Candidate> {
        self.found.values()
    }

    /// What cannot be sent, by id, each with its reason.
    pub fn skipped(&self) -> impl Iterator<Item = (&Uuid, &str)> {
        self.skipped.iter().map(|(id, why)| (id, why.as_str()))
    }

    /// Letters of what could not be read.
    pub fn unread(&self) -> impl Iterator<Item = &Unread> {
        self.unread.values()
    }

    /// How many were sent before and are not sent again.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done.len()
    }

    /// Which of these ids no letter has.
    pub fn missing<'a>(&'a self, ids: &'a [Uuid]) -> impl Iterator<Item = &'a Uuid> {
        ids.iter().filter(|id| !self.seen.contains(id))
    }
}

fn whole(letter: &DeadLetterV1<'_>) -> Option<Vec<u8>> {
    let payload = letter.payload().ok().flatten().map(Cow::into_owned)?;
    (letter.length == Some(payload.len() as u64)).then_some(payload)
}

#[cfg(test)]
mod tests {
    use signal_domain::{Reason, Refusal, RefusedPayload};

    use super::*;
    use crate::letters::Redriven;

    fn refusal<'a>(stage: Stage, detail: &'a str, payload: &'a [u8]) -> Refusal<'a> {
        Refusal {
            stage,
            reason: Reason::RejectedBySink,
            detail,
            attempts: 1,
            account: None,
            source_event_id: None,
            payload: RefusedPayload::Kept(payload),
            position: Some(99),
            received_at_ns: 7_000_000,
        }
    }

    #[test]
    fn each_refused_record_goes_once_in_the_order_of_the_journal() {
        let (late, early) = ("topic t refuses position 20: large", "topic t refuses position 5: large");
        let second = refusal(Stage::Publish, late, b"second");
        let first = refusal(Stage::Publish, early, b"first");
        let mut selection = Selection::new(false, false);
        for refusal in [&second, &first, &first] {
            selection.take(&DeadLetterV1::from(refusal), &Redrives::default());
        }
        selection.take(&DeadLetterV1::from(&refusal(Stage::Decode, "no JSON", b"{")), &Redrives::default());
        let chosen: Vec<_> = selection.candidates().map(|one| (one.refused.position, one.id)).collect();
        assert_eq!(chosen, [(5, first.id()), (20, second.id())]);
        let candidate = selection.candidates().next().unwrap();
        assert_eq!(candidate.payload.as_deref(), Some(&b"first"[..]));
        assert_eq!((candidate.position, candidate.received_at_ms, candidate.length), (Some(99), 7, 5));
        assert_eq!((selection.skipped().count(), selection.done()), (0, 0));
        assert_eq!(selection.missing(&[first.id(), Uuid::nil()]).collect::<Vec<_>>(), [&Uuid::nil()]);
    }

    #[test]
    fn what_went_to_that_topic_goes_only_when_asked_for_again() {
        let refusal = refusal(Stage::Publish, "topic t refuses position 5: large", b"first");
        let letter = DeadLetterV1::from(&refusal);
        let went = |topic: &str| {
            let topic = topic.to_owned();
            Redrives::from_iter([Redriven { id: letter.id, redriven_at: 1, topic, partition: 0, offset: 3 }])
        };
        let chosen = |again, redrives: &Redrives| {
            let mut selection = Selection::new(again, false);
            selection.take(&letter, redrives);
            (selection.candidates().count(), selection.done())
        };
        assert_eq!(chosen(false, &went("t")), (0, 1));
        assert_eq!(chosen(true, &went("t")), (1, 0));
        assert_eq!(chosen(false, &went("another")), (1, 0));
    }

    #[test]
    fn what_cannot_be_sent_is_told_where_it_was_meant() {
        let other = refusal(Stage::Decode, "no JSON", b"{");
        let nameless = refusal(Stage::Publish, "somebody refuses it", b"x");
        let mut selection = Selection::new(false, true);
        for refusal in [&other, &nameless] {
            selection.take(&DeadLetterV1::from(refusal), &Redrives::default());
        }
        let told: BTreeMap<_, _> = selection.skipped().collect();
        assert_eq!(told.len(), 1);
        let unread: Vec<_> = selection.unread().map(|one| (one.id, one.payload.as_deref())).collect();
        assert_eq!(unread, [(other.id(), Some(&b"{"[..]))]);
        assert!(told[&nameless.id()].ends_with(": somebody refuses it"));
        assert_eq!(selection.candidates().count(), 0);
    }

    #[test]
    fn a_cut_payload_is_none() {
        let whole = vec![b'x'; 300 * 1024];
        let refusal = refusal(Stage::Publish, "topic t refuses position 5: large", &whole);
        let mut selection = Selection::new(false, false);
        selection.take(&DeadLetterV1::from(&refusal), &Redrives::default());
        let candidate = selection.candidates().next().unwrap();
        assert_eq!((candidate.payload.as_deref(), candidate.length), (None, 300 * 1024));
        assert!(candidate.sha256.is_some());
    }
}
