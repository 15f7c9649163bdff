//! Which signal a correction replaces: looked up in the journal, because only the journal knows for sure what was published.
//! Rare, so a reader of its own per look-up is cheap enough; the sparse index keeps it to the account and the millisecond.

use std::sync::Arc;

use dedup::FillKey;
use messaging::journal::{Query, Read, Reader};
use messaging::storage::Storage;
use signal_domain::Account;
use tracing::warn;

use crate::record::{self, AccountBody, Body, Change, Kind};
use crate::render::EventReader;

pub(super) struct Superseded {
    storage: Arc<dyn Storage>,
}

impl Superseded {
    pub(super) fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// The id of the newest signal that was made of `key`; `None` when the journal does not hold it any more.
    pub(super) fn find(&self, account: [u8; 20], key: FillKey, time: i64) -> Option<[u8; 16]> {
        let query = Query {
            keys: vec![record::key_of(&Account::from_bytes(account))],
            kinds: vec![Kind::Event as u8],
            times: Some(time..=time),
        };
        let mut reader = Reader::open(Arc::clone(&self.storage), 0).ok()?.select(query);
        let (mut events, mut found) = (EventReader::default(), None);
        loop {
            match reader.next() {
                Ok(Some(Read::Record(record))) => {
                    let Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) =
                        record::decode(&record)
                    else {
                        continue;
                    };
                    if event.key == key && event.seq.is_some() {
                        found = events.signal(&stamp, &event).ok().flatten().or(found);
                    }
                }
                Ok(Some(Read::Damage(_) | Read::Gone { .. })) => {}
                Ok(None) => return found.map(|signal| *signal.signal_id().as_bytes()),
                Err(error) => {
                    warn!(%error, "the journal cannot be searched for what a correction replaces");
                    return None;
                }
            }
        }
    }
}
