//! Rows that a person repaired, into the account machines: what they are there, and their way in.

use std::time::Instant;

use dedup::FillKey;
use hyperliquid_client::decode::{Decoder, Row as VenueRow};
use hyperliquid_client::wire::Fill;
use messaging::journal::Ticket;

use super::{Core, Slot};
use crate::account::{Row, RowStand, Stream};
use crate::record::{Arrival, RowKind};
use crate::runtime::clock;
use crate::translate;

/// A row that somebody repaired.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Repair {
    pub(in crate::runtime) account: [u8; 20],
    pub(in crate::runtime) is_slice: bool,
    pub(in crate::runtime) raw: Box<[u8]>,
    /// It is not in the journal: let it in.
    pub(in crate::runtime) takes: bool,
}

/// What it is here.
#[derive(Clone, Debug)]
pub(in crate::runtime) enum Stands {
    /// It cannot be let in.
    Refused(String),
    /// Its account is not that far.
    NotYet,
    /// It may be in the journal by now, up to this batch.
    May(Asked),
}

/// A row whose account is past it.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Asked {
    pub(in crate::runtime) key: FillKey,
    /// Venue ms.
    pub(in crate::runtime) time: i64,
    pub(in crate::runtime) source_event_id: String,
    /// Only the journal knows; otherwise the account does.
    pub(in crate::runtime) is_old: bool,
    pub(in crate::runtime) upto: Ticket,
}

impl Core {
    /// What a repaired row is, and lets it in where that is asked; nothing while the journal's queue is full.
    pub(in crate::runtime) fn repair(&mut self, repair: &Repair, now: Instant) -> Option<Stands> {
        self.handed_over()?;
        let Some(slot) = self.slots.get_mut(&repair.account).filter(|slot| slot.leaving.is_none()) else {
            return Some(Stands::Refused("nobody follows the account".to_owned()));
        };
        let (stream, kind) =
            if repair.is_slice { (Stream::Twap, RowKind::Slice) } else { (Stream::Fills, RowKind::Fill) };
        let (row, source_event_id) = match read(slot, repair) {
            Ok(read) => read,
            Err(why) => return Some(Stands::Refused(why)),
        };
        let stand = if repair.takes {
            let payload = Arrival {
                row: kind,
                raw: repair.raw.clone(),
                received_at_ns: clock::wall_ns(),
                listener: u8::MAX,
                connection: 0,
            };
            self.with_slot(repair.account, |slot| slot.machine.handle_repaired(stream, &row, payload, now))?
        } else {
            slot.machine.stand_of(stream, &row)
        };
        let upto = self.handed_over()?;
        Some(match stand {
            RowStand::Before => Stands::Refused("it happened before the account was followed".to_owned()),
            RowStand::Young => Stands::NotYet,
            RowStand::Known | RowStand::Old => {
                let is_old = stand == RowStand::Old;
                Stands::May(Asked { key: row.key, time: row.time, source_event_id, is_old, upto })
            }
        })
    }
}

/// The row, and the id of its event.
fn read(slot: &mut Slot, repair: &Repair) -> Result<(Row, String), String> {
    let page = [b"[", &*repair.raw, b"]"].concat();
    let mut decoder = Decoder::new();
    if repair.is_slice {
        let page = decoder.twap_fills_page(&page).map_err(|error| error.to_string())?;
        let slice = first(page.rows)?;
        identified(slot, &slice.fill, Some(slice.twap_id))
    } else {
        let page = decoder.fills_page(&page).map_err(|error| error.to_string())?;
        identified(slot, &first(page.rows)?, None)
    }
}

fn first<T>(rows: Vec<VenueRow<'_, T>>) -> Result<T, String> {
    let row = rows.into_iter().next().ok_or("it is empty")?;
    row.map_err(|refusal| refusal.to_string())
}

fn identified(slot: &mut Slot, fill: &Fill<'_>, twap_id: Option<u64>) -> Result<(Row, String), String> {
    let row = slot.identifier.row(fill).map_err(|error| error.to_string())?;
    let fill = translate::fill(fill, twap_id).map_err(|error| error.to_string())?;
    let id = fill.source_event_id().map_err(|error| error.to_string())?;
    Ok((row, id.as_str().to_owned()))
}
