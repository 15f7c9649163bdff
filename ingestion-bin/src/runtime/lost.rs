//! Which signals lie in a hole of the journal: asked when the sink of the signals meets positions that it will never get.
//!
//! A start's fold and the live ledgers know what was there, the readable records around the hole say what is still there: a key
//! (account and market) whose numbers or positions do not go on from one to the other lost signals in between. Reads from the
//! checkpoint in front of the hole to the journal's durable end. Pure: the same journal and the same ledgers give the same answer,
//! so after a restart the same gaps are found again, under the same ids.

use std::collections::BTreeMap;

use messaging::journal::{Fold, Read, ReadError, Reader, Record};
use messaging::sink::Hole;
use signal_domain::Market as MarketName;

use crate::account::{Gap, GapId, GapKind, GapState, Ledger, Market, Position};
use crate::record::{self, AccountBody, Body, Change, EventBody};
use crate::state::State;

/// Signals that never reach the consumers of an account.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) account: [u8; 20],
    /// As the journal last called it.
    pub(super) influencer: String,
    pub(super) gap: Gap,
}

/// Where the numbers of an account's markets stand in its live ledger.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) influencer: String,
    epoch: u64,
    newest: Option<i64>,
    markets: Vec<(Market, Stand)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stand {
    seq: u64,
    /// Venue time of the newest row, ms.
    time: Option<i64>,
    position: Option<Position>,
}

impl Numbers {
    pub(super) fn of(influencer: &str, ledger: &Ledger) -> Self {
        let markets = ledger.markets().map(|(market, _)| (market.clone(), Stand::of(ledger, market)));
        Self {
            influencer: influencer.to_owned(),
            epoch: ledger.epoch(),
            newest: newest(ledger),
            markets: markets.collect(),
        }
    }
}

impl Stand {
    fn of(ledger: &Ledger, market: &Market) -> Self {
        let head = ledger.head(market);
        Self {
            seq: ledger.seq(market),
            time: head.map(|head| head.time),
            position: head.and_then(|head| head.position),
        }
    }
}

fn newest(ledger: &Ledger) -> Option<i64> {
    ledger.streams().filter_map(|stream| ledger.stream(stream).newest).max()
}

/// The gaps to be declared before the signals' sink may pass `hole`. `live` are all ledgers as they were when everything up to the
/// reader's limit had been handed over; `doubted` are positions this run's own start could not read: about those the ledgers know
/// no more than the records do.
///
/// # Errors
///
/// The journal cannot be read now; asking again is right.
pub(super) fn lost_signals(
    journal: &Reader,
    hole: &Hole,
    live: &BTreeMap<[u8; 20], Numbers>,
    doubted: &[(u64, u64)],
) -> Result<Vec<Lost>, ReadError> {
    let (from, to) = hole.span();
    let (start, state) = match hole {
        Hole::Damage(_) => restored(journal, from)?,
        Hole::Gone { .. } => return Ok(gone(&restored(journal, to)?.1)),
    };
    let mut walk = Walk { state, lost: Vec::new() };
    let mut before: Option<BTreeMap<[u8; 20], i64>> = None;
    let mut reader = journal.fork(start);
    while let Some(read) = reader.next()? {
        let Read::Record(record) = read else { continue };
        if record.position >= to {
            before.get_or_insert_with(|| walk.newest());
            walk.look(&record);
        }
        walk.state.apply(&record);
    }
    let before = before.unwrap_or_else(|| walk.newest());
    for (account, live) in live {
        walk.compare(*account, live);
        if doubted.iter().any(|&(first, end)| first < to && from < end)
            && let Some(newest) = live.newest
        {
            let from = before.get(account).copied().unwrap_or(newest);
            walk.lost.push(Lost {
                account: *account,
                influencer: live.influencer.clone(),
                gap: gap(None, from, newest, None),
            });
        }
    }
    Ok(walk.lost)
}

/// Whether the journal had records in front of its oldest one that are deleted.
///
/// # Errors
///
/// The journal cannot be read now.
pub(super) fn began_earlier(journal: &Reader, oldest: u64) -> Result<bool, ReadError> {
    Ok(restored(journal, oldest)?.1 != State::default())
}

/// The state at the newest checkpoint at or before `position`, and its position.
pub(super) fn restored(journal: &Reader, position: u64) -> Result<(u64, State), ReadError> {
    // A checkpoint that this build could not restore would have refused the start.
    Ok(journal
        .checkpoint(position)?
        .and_then(|(first, saved)| Some((first, State::restore(&saved).ok()?)))
        .unwrap_or_default())
}

/// Of records that were deleted nothing is known but what they added up to: everything since each account was followed.
fn gone(state: &State) -> Vec<Lost> {
    let lost = state.accounts.iter().filter_map(|(account, known)| {
        let newest = newest(&known.ledger)?;
        let based = known.ledger.streams().filter_map(|stream| known.ledger.stream(stream).baseline).min();
        let from = based.filter(|&at| at > 0).unwrap_or(newest);
        Some(Lost {
            account: *account,
            influencer: known.influencer.clone(),
            gap: gap(None, from, newest, None),
        })
    });
    lost.collect()
}

fn gap(market: Option<Market>, from: i64, to: i64, expected: Option<Position>) -> Gap {
    Gap {
        id: GapId { kind: GapKind::History, market, from, expected },
        to: to.max(from),
        // Not a break of the machine's own chain: nothing that is found later may be counted to it.
        found: None,
        filled: Position::default(),
        state: GapState::Unfillable,
        keys: Vec::new(),
    }
}

/// The readable records, folded.
struct Walk {
    state: State,
    lost: Vec<Lost>,
}

impl Walk {
    fn newest(&self) -> BTreeMap<[u8; 20], i64> {
        let accounts = self.state.accounts.iter();
        accounts.filter_map(|(account, known)| Some((*account, newest(&known.ledger)?))).collect()
    }

    fn stand(&self, account: &[u8; 20], market: &Market) -> (u64, Stand) {
        let ledger = self.state.accounts.get(account).map(|known| &known.ledger);
        ledger.map_or_else(Default::default, |ledger| (ledger.epoch(), Stand::of(ledger, market)))
    }

    /// A signal behind the hole: whether it goes on from the last readable one of its key.
    fn look(&mut self, record: &Record<'_>) {
        let Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) =
            record::decode(record)
        else {
            return;
        };
        let Some(seq) = event.seq else { return };
        let (epoch, stand) = self.stand(&stamp.account, &event.market);
        let expected = if stamp.epoch == epoch { stand.seq + 1 } else { 1 };
        if seq > expected || breaks(&event, &stand) {
            self.declare(stamp.account, stamp.influencer, &event.market, &stand, event.time);
        }
    }

    /// The end of the journal: what the live ledger counted and no readable record tells.
    fn compare(&mut self, account: [u8; 20], live: &Numbers) {
        for (market, at) in &live.markets {
            let (epoch, stand) = self.stand(&account, market);
            let counted = at.seq > if live.epoch == epoch { stand.seq } else { 0 };
            if (live.epoch >= epoch && counted) || at.time > stand.time {
                let time = at.time.or(stand.time).unwrap_or(0);
                self.declare(account, &live.influencer, market, &stand, time);
            }
        }
    }

    fn declare(&mut self, account: [u8; 20], influencer: &str, market: &Market, stand: &Stand, to: i64) {
        let from = stand.time.unwrap_or(to);
        let gap = gap(Some(market.clone()), from, to, stand.position);
        self.lost.push(Lost { account, influencer: influencer.to_owned(), gap });
    }
}

/// Whether a signal does not begin where its market stands although it says no gap: the machine knew what lies between.
fn breaks(event: &EventBody<'_>, stand: &Stand) -> bool {
    let in_its_turn = !event.late && event.gap.is_none() && event.revision == 0;
    let strict =
        || MarketName::from_name(event.market.as_str()).is_ok_and(|market| market.kind().has_strict_chain());
    let moved = event.link.zip(stand.position).is_some_and(|(link, position)| link.before != position);
    in_its_turn && moved && strict()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Fate, Stream};
    use crate::record::{RowKind, Stamp, encode};
    use dedup::{Digest, FillKey};

    fn apply(state: &mut State, account: [u8; 20], change: Change<'_>) {
        let stamp = Stamp { account, influencer: "whale", network: "sim", at_ms: 5, epoch: 3 };
        encode(&Body::Account(AccountBody { stamp, change }), &mut Vec::new(), |new| {
            let (kind, partition, key, time) = (new.kind, new.partition, new.key, new.time);
            state.apply(&Record { position: 1, kind, partition, key, time, body: new.body });
        });
    }

    fn event(time: i64) -> Change<'static> {
        Change::Event(EventBody {
            key: FillKey(u128::try_from(time).expect("positive")),
            digest: Digest(1),
            market: Market::new("ETH-PERP"),
            stream: Stream::Fills,
            time,
            link: None,
            fate: Fate::Signal,
            origin: 0,
            late: false,
            seq: Some(1),
            more: false,
            gap: None,
            revision: 0,
            supersedes: None,
            supersedes_signal: None,
            row: RowKind::Fill,
            received_at_ns: 1,
            listener: 0,
            connection: 1,
            context: None,
            raw: b"{}",
        })
    }

    #[test]
    fn of_what_was_deleted_all_since_the_baseline_may_be_lost() {
        let mut state = State::default();
        for account in [[1; 20], [2; 20]] {
            apply(&mut state, account, Change::Epoch { fresh: true, margin_ms: 120_000, twap: false });
            let (stream, at) = (Stream::Fills, 1_000);
            apply(&mut state, account, Change::Baseline { stream, at, anchor: None, made_at_ms: 5 });
        }
        // The second one never had a row: it can have lost none.
        apply(&mut state, [1; 20], event(7_000));
        let lost = gone(&state);
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!((lost[0].account, lost[0].gap.id.from, lost[0].gap.to), ([1; 20], 1_000, 7_000));
        assert_eq!((lost[0].gap.id.kind, lost[0].gap.state), (GapKind::History, GapState::Unfillable));
    }
}
