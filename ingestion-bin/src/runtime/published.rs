//! The events of an account as they were published: looked up in the journal, because only the journal knows for sure, and among the
//! newest ones, which may still be on their way to it.
//!
//! Rare (a correction, a conflict), so a reader of its own per look-up is cheap enough; the sparse index keeps it to the account and the
//! millisecond. What is remembered is bounded by the journal's queue: it is forgotten once it is durable.

use std::collections::VecDeque;
use std::sync::Arc;

use dedup::FillKey;
use messaging::journal::{Progress, Query, Read, Reader, Ticket};
use messaging::storage::Storage;
use signal_domain::{Account, InfluencerId};
use tracing::warn;

use crate::account::Event;
use crate::record::{self, AccountBody, Arrival, Body, Change, EventBody, Kind, Stamp, event_body};
use crate::render::EventReader;

pub(super) struct Published {
    storage: Arc<dyn Storage>,
    progress: Arc<Progress>,
    network: String,
    newest: VecDeque<Newest>,
}

struct Newest {
    account: [u8; 20],
    influencer: InfluencerId,
    epoch: u64,
    event: Event<Arrival>,
    supersedes_signal: Option<[u8; 16]>,
    /// A batch at or behind the one it is in; nothing while that is not handed over.
    ticket: Option<Ticket>,
}

impl Published {
    pub(super) fn new(storage: Arc<dyn Storage>, progress: Arc<Progress>, network: String) -> Self {
        Self { storage, progress, network, newest: VecDeque::new() }
    }

    /// An event was put into a batch.
    pub(super) fn remember(
        &mut self,
        account: [u8; 20],
        influencer: InfluencerId,
        epoch: u64,
        event: Event<Arrival>,
        supersedes_signal: Option<[u8; 16]>,
    ) {
        self.newest.push_back(Newest { account, influencer, epoch, event, supersedes_signal, ticket: None });
    }

    /// Everything remembered so far is in the journal's hands with this batch.
    pub(super) fn handed_over(&mut self, last: Ticket) {
        self.newest.iter_mut().rev().take_while(|event| event.ticket.is_none()).for_each(|event| {
            event.ticket = Some(last);
        });
        let durable = self.progress.tickets_synced();
        while self.newest.front().is_some_and(|event| event.ticket.is_some_and(|ticket| ticket <= durable)) {
            self.newest.pop_front();
        }
    }

    /// The id of the newest signal that was made of `key`; `None` when nobody holds it any more.
    pub(super) fn signal(&self, account: [u8; 20], key: FillKey, time: i64) -> Option<[u8; 16]> {
        let (mut events, mut found) = (EventReader::default(), None);
        self.visit(account, key, time, |stamp, event| {
            found = events.signal(stamp, event).ok().flatten().or(found.take());
        });
        found.map(|signal| *signal.signal_id().as_bytes())
    }

    /// The venue's bytes of the newest event with this key.
    pub(super) fn bytes(&self, account: [u8; 20], key: FillKey, time: i64) -> Option<Box<[u8]>> {
        let mut found = None;
        self.visit(account, key, time, |_, event| found = Some(event.raw.into()));
        found
    }

    /// Every event of `key`, oldest first; one that was just appended may come twice.
    fn visit(
        &self,
        account: [u8; 20],
        key: FillKey,
        time: i64,
        mut take: impl FnMut(&Stamp<'_>, &EventBody<'_>),
    ) {
        if let Err(error) = self.visit_journal(account, key, time, &mut take) {
            warn!(%error, "the journal cannot be searched for an earlier event");
        }
        for newest in self.newest.iter().filter(|newest| newest.account == account && newest.event.key == key)
        {
            let stamp = Stamp {
                account,
                influencer: newest.influencer.as_str(),
                network: &self.network,
                at_ms: 0,
                epoch: newest.epoch,
            };
            take(&stamp, &event_body(&newest.event, newest.supersedes_signal));
        }
    }

    fn visit_journal(
        &self,
        account: [u8; 20],
        key: FillKey,
        time: i64,
        take: &mut impl FnMut(&Stamp<'_>, &EventBody<'_>),
    ) -> Result<(), Box<dyn std::error::Error>> {
        let query = Query {
            keys: vec![record::key_of(&Account::from_bytes(account))],
            kinds: vec![Kind::Event as u8],
            times: Some(time..=time),
            ..Query::default()
        };
        let mut reader = Reader::open(Arc::clone(&self.storage), 0)?.select(query);
        while let Some(read) = reader.next()? {
            let Read::Record(record) = read else { continue };
            let body = record::decode(&record);
            if let Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) = body
                && stamp.account == account
                && event.key == key
            {
                take(&stamp, &event);
            }
        }
        Ok(())
    }
}
