//! Answers of the info API into the account machines.

use std::cmp::Reverse;
use std::time::Instant;

use hyperliquid_client::decode::{Decoder, FrameError, Row as VenueRow};
use hyperliquid_client::io::Received;
use hyperliquid_client::wire::Fill;

use super::Core;
use super::frames::INFO;
use super::lines::Stand;
use crate::account::{ClockSource, Row, Stream};
use crate::record::{Arrival, Body, RowKind};

/// A question of an account machine.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct Asked {
    pub(in crate::runtime) account: [u8; 20],
    pub(in crate::runtime) stream: Stream,
    /// From this venue time on, ms.
    pub(in crate::runtime) start: i64,
    pub(in crate::runtime) id: u64,
    pub(super) priority: i32,
    /// The epoch of the machine that asks.
    pub(super) epoch: u64,
}

/// Rows of a full page: what an answer is charged that was not read.
const ROWS_MOST: usize = 2_000;

impl Core {
    /// The next question: the most important account's, among equals the one whose last turn is longest ago. Where the
    /// budget is short, questions come back together, and without turns the same few would use it up every time.
    pub(in crate::runtime) fn next_ask(&mut self, group: usize) -> Option<Asked> {
        let turn = |ask: &Asked| self.slots.get(&ask.account)?.turns.get(&ask.stream).copied();
        let rank = |&(index, ask): &(usize, &Asked)| (ask.priority, Reverse(turn(ask)), Reverse(index));
        let here = |(_, ask): &(usize, &Asked)| self.group_asked(ask.account) == group;
        let (index, _) = self.asks.iter().enumerate().filter(here).max_by_key(rank)?;
        self.asks.remove(index)
    }

    /// Who asks for an account: the public address of its first line, or the first of all where it has none.
    pub(super) fn group_asked(&self, account: [u8; 20]) -> usize {
        let cell = self.slots.get(&account).and_then(|slot| slot.cell);
        let serving =
            self.lines.values().filter(|line| Some(line.cell) == cell && line.stand == Stand::Serves);
        serving.min_by_key(|line| line.leg).map_or(0, |line| line.group)
    }

    /// The question goes out now.
    pub(in crate::runtime) fn take_turn(&mut self, asked: &Asked, now: Instant) {
        if let Some(slot) = self.slots.get_mut(&asked.account) {
            slot.turns.insert(asked.stream, now);
        }
    }

    /// Records weight before it is spent, and again, with the same time, what it came to.
    pub(in crate::runtime) fn record_spent(&mut self, endpoint: &str, weight: u32, at_ms: u64) {
        self.outbox.put(&Body::Spent { endpoint: endpoint.into(), weight, at_ms });
        self.flush();
    }

    /// A page came: its rows, or why it is none. Answers how many rows the venue counted, readable or not.
    pub(in crate::runtime) fn handle_page(
        &mut self,
        asked: Asked,
        body: &[u8],
        at: Received,
    ) -> Result<usize, FrameError> {
        if self.slots.get(&asked.account).is_none_or(|slot| slot.machine.ledger().epoch() != asked.epoch) {
            // Asked by a machine that is gone: the account was removed, or added again.
            return Ok(ROWS_MOST);
        }
        if self.outbox.is_blocked() {
            // The rows cannot be kept now; they are asked for again when there is room.
            self.with_slot(asked.account, |slot| slot.machine.handle_page_failed(asked.id, at.at));
            return Ok(ROWS_MOST);
        }
        // Not kept: it takes several times the page, and every public address asks.
        let mut decoder = Decoder::new();
        let mut counted = 0;
        let mut rows = Vec::new();
        let mut bytes: Vec<Box<[u8]>> = Vec::new();
        match asked.stream {
            Stream::Fills => {
                let page =
                    decoder.fills_page(body).inspect_err(|error| self.unreadable(asked, error, body, at))?;
                counted += page.rows.len();
                for row in &page.rows {
                    self.page_row(asked, row, |fill| fill, &mut rows, &mut bytes, at);
                }
            }
            Stream::Twap => {
                let page = decoder
                    .twap_fills_page(body)
                    .inspect_err(|error| self.unreadable(asked, error, body, at))?;
                counted += page.rows.len();
                for row in &page.rows {
                    self.page_row(asked, row, |slice| &slice.fill, &mut rows, &mut bytes, at);
                }
            }
        }
        self.meters.history_rows.add(rows.len() as u64);
        let kind = match asked.stream {
            Stream::Fills => RowKind::Fill,
            Stream::Twap => RowKind::Slice,
        };
        let make = |index: usize| Arrival {
            row: kind,
            raw: bytes.get(index).cloned().unwrap_or_default(),
            received_at_ns: at.unix_ns,
            listener: u8::MAX,
            connection: 0,
        };
        let newest = rows.iter().map(|row| row.time).max();
        self.with_slot(asked.account, |slot| slot.machine.handle_page(asked.id, &rows, make, at.at));
        if let Some(time) = newest {
            self.handle_shown_time(ClockSource::History, time, at.at);
        }
        self.flush();
        Ok(counted)
    }

    fn page_row<T>(
        &mut self,
        asked: Asked,
        row: &VenueRow<'_, T>,
        fill: impl FnOnce(&T) -> &Fill<'_>,
        rows: &mut Vec<Row>,
        bytes: &mut Vec<Box<[u8]>>,
        at: Received,
    ) {
        match row {
            Ok(row) => {
                let fill = fill(row);
                let Some(slot) = self.slots.get_mut(&asked.account) else { return };
                match slot.identifier.row(fill) {
                    Ok(identified) => {
                        rows.push(identified);
                        bytes.push(fill.raw.into());
                    }
                    Err(error) => {
                        let (reason, detail) = (error.reason().as_str(), error.to_string());
                        self.refuse(INFO, Some(asked.account), "normalize", reason, &detail, fill.raw, at);
                    }
                }
            }
            Err(refusal) => self.refuse_row(INFO, Some(asked.account), refusal, at),
        }
    }

    /// An answer of which nothing could be used: kept, as a frame would be.
    fn unreadable(&mut self, asked: Asked, error: &FrameError, body: &[u8], at: Received) {
        self.refuse(INFO, Some(asked.account), "decode", error.code(), &error.to_string(), body, at);
        self.page_failed(asked, at.at);
    }

    /// No page came.
    pub(in crate::runtime) fn page_failed(&mut self, asked: Asked, now: Instant) {
        self.with_slot(asked.account, |slot| slot.machine.handle_page_failed(asked.id, now));
        self.flush();
    }

    /// The budget has no room before `until`.
    pub(in crate::runtime) fn page_deferred(&mut self, asked: Asked, until: Instant, now: Instant) {
        self.with_slot(asked.account, |slot| slot.machine.handle_page_deferred(asked.id, until, now));
        self.flush();
    }
}
