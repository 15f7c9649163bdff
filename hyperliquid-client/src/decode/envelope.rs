//! `{"channel":…,"data":…}`: which message it is, and its parts. Keys may come in any order.

use super::cold;
use super::cursor::{Cursor, Item};
use super::error::{FrameError, Row, RowReason, RowRefusal, shown};
use super::field::{self, Field};
use super::frame::{AckMethod, Drift, FillsFrame, Frame, TwapFillsFrame, UserEvents};
use super::rows::{self, ReadObject};
use super::venue_error::VenueError;
use crate::wire::{AccountState, Address, DexState, SubscriptionEcho};
use simd_json::Node;
use std::borrow::Cow;

/// Why a frame is refused whole.
pub(super) enum Stop {
    /// The parser's two lists do not agree.
    Lost,
    /// The envelope is not what its channel has.
    Shape(Box<(String, RowReason, String)>),
}

impl Stop {
    #[cold]
    pub(super) fn shape(channel: &str, reason: RowReason, detail: impl Into<String>) -> Self {
        Self::Shape(Box::new((shown(channel, 64), reason, detail.into())))
    }

    pub(super) fn named(self, raw: &[u8]) -> FrameError {
        match self {
            Self::Lost => {
                FrameError::NotJson { detail: format!("the parser lost its way in {} bytes", raw.len()) }
            }
            Self::Shape(shape) => {
                let (channel, reason, detail) = *shape;
                FrameError::Shape { channel, reason, detail }
            }
        }
    }
}

type Read<T> = Result<T, Stop>;

fn step<T>(taken: Option<T>) -> Read<T> {
    taken.ok_or(Stop::Lost)
}

pub(super) fn frame<'a>(mut cursor: Cursor<'_, 'a>, drift: &mut Drift<'a>) -> Read<Frame<'a>> {
    let root = step(cursor.value())?;
    let Node::Object { len, .. } = root.node else {
        return Err(Stop::shape("", RowReason::WrongType("frame"), "found no object"));
    };
    let (mut channel, mut data) = (None, None);
    for _ in 0..len {
        let key = step(cursor.key())?;
        if let (Some(channel), "data") = (channel, key) {
            return message(channel, cursor, drift); // the usual order: no second walk
        }
        if key == "data" {
            data = Some(cursor.clone());
        }
        let item = step(cursor.value())?;
        step(cursor.skip(item))?;
        if key == "channel" {
            let Node::String(name) = item.node else {
                return Err(Stop::shape("", RowReason::WrongType("channel"), "found no string"));
            };
            channel = Some(name);
        }
        step(cursor.separator())?;
    }
    match (channel, data) {
        (Some("pong"), _) => Ok(Frame::Pong),
        (Some(channel), Some(data)) => message(channel, data, drift),
        (Some(channel), None) => Err(Stop::shape(channel, RowReason::MissingField("data"), "")),
        (None, _) => Err(Stop::shape("", RowReason::MissingField("channel"), "")),
    }
}

fn message<'a>(channel: &'a str, mut cursor: Cursor<'_, 'a>, drift: &mut Drift<'a>) -> Read<Frame<'a>> {
    let data = step(cursor.value())?;
    let cursor = &mut cursor;
    Ok(match channel {
        "userFills" => {
            let (user, is_snapshot, rows) = batch(channel, "fills", cursor, data, drift)?;
            Frame::Fills(FillsFrame { user, is_snapshot, rows })
        }
        "userTwapSliceFills" => {
            let (user, is_snapshot, rows) = batch(channel, "twapSliceFills", cursor, data, drift)?;
            Frame::TwapFills(TwapFillsFrame { user, is_snapshot, rows })
        }
        "user" => Frame::UserEvents(Box::new(user_events(cursor, data, drift)?)),
        "orderUpdates" => Frame::OrderUpdates(list(channel, "data", cursor, data, drift)?),
        "trades" => Frame::Trades(list(channel, "data", cursor, data, drift)?),
        "clearinghouseState" => one_state(cursor, data)?,
        "allDexsClearinghouseState" => all_states(cursor, data)?,
        "subscriptionResponse" => ack(cursor, data)?,
        "error" => {
            let Node::String(text) = data.node else {
                return Err(Stop::shape(channel, RowReason::WrongType("data"), "found no string"));
            };
            Frame::VenueError(Box::new(VenueError::classify(text)))
        }
        "pong" => Frame::Pong,
        "post" => post(cursor, data)?,
        _ => Frame::Unknown { channel },
    })
}

/// Every field of an object; `take` gets the value entered and must leave the cursor behind it. Not an object: refused.
fn each<'t, 'a>(
    channel: &str,
    cursor: &mut Cursor<'t, 'a>,
    object: Item<'a>,
    mut take: impl FnMut(&'a str, Item<'a>, &mut Cursor<'t, 'a>) -> Read<Field>,
) -> Read<()> {
    let Node::Object { len, .. } = object.node else {
        return Err(Stop::shape(channel, RowReason::WrongType("data"), "found no object"));
    };
    for _ in 0..len {
        let key = step(cursor.key())?;
        let item = step(cursor.value())?;
        if let Err(refusal) = take(key, item, cursor)? {
            return Err(Stop::shape(channel, refusal.0, refusal.1));
        }
        step(cursor.separator())?;
    }
    step(cursor.close_if_empty(len))
}

fn need<T>(channel: &str, slot: Option<T>, name: &'static str) -> Read<T> {
    slot.ok_or_else(|| Stop::shape(channel, RowReason::MissingField(name), ""))
}

fn list<'a, T: ReadObject<'a>>(
    channel: &str,
    name: &'static str,
    cursor: &mut Cursor<'_, 'a>,
    item: Item<'a>,
    drift: &mut Drift<'a>,
) -> Read<Vec<Row<'a, T>>> {
    let Node::Array { len, .. } = item.node else {
        return Err(Stop::shape(channel, RowReason::WrongType(name), "found no array"));
    };
    step(rows::rows(cursor, len, drift))
}

type Batch<'a, T> = (Address, bool, Vec<Row<'a, T>>);

fn batch<'a, T: ReadObject<'a>>(
    channel: &str,
    name: &'static str,
    cursor: &mut Cursor<'_, 'a>,
    data: Item<'a>,
    drift: &mut Drift<'a>,
) -> Read<Batch<'a, T>> {
    let (mut user, mut is_snapshot, mut rows) = (None, None, None);
    each(channel, cursor, data, |key, item, cursor| {
        if key == name {
            return Ok(field::put(&mut rows, list(channel, name, cursor, item, drift)?, name));
        }
        step(cursor.skip(item))?;
        Ok(match key {
            "user" => field::address(&mut user, item, "user"),
            "isSnapshot" => field::flag(&mut is_snapshot, item, "isSnapshot"),
            _ => {
                drift.unknown_fields = drift.unknown_fields.saturating_add(1);
                drift.first.get_or_insert(key);
                Ok(())
            }
        })
    })?;
    Ok((need(channel, user, "user")?, is_snapshot.unwrap_or(false), need(channel, rows, name)?))
}

fn user_events<'a>(
    cursor: &mut Cursor<'_, 'a>,
    data: Item<'a>,
    drift: &mut Drift<'a>,
) -> Read<UserEvents<'a>> {
    const CHANNEL: &str = "user";
    let mut events = UserEvents::default();
    each(CHANNEL, cursor, data, |key, item, cursor| {
        match key {
            "fills" => events.fills = list(CHANNEL, "fills", cursor, item, drift)?,
            "twapSliceFills" => events.twap_fills = list(CHANNEL, "twapSliceFills", cursor, item, drift)?,
            "funding" => events.funding = Some(step(cold::value(cursor, item, "funding"))?),
            "liquidation" => events.liquidation = Some(step(cold::value(cursor, item, "liquidation"))?),
            "nonUserCancel" => events.non_user_cancels = step(cold::values(cursor, item, "nonUserCancel"))?,
            "twapHistory" => events.twap_history = step(cold::values(cursor, item, "twapHistory"))?,
            _ => {
                step(cursor.skip(item))?;
                drift.unknown_fields = drift.unknown_fields.saturating_add(1);
                drift.first.get_or_insert(key);
            }
        }
        Ok(Ok(()))
    })?;
    Ok(events)
}

fn dex_state<'a>(dex: &'a str, state: Row<'a, AccountState<'a>>, raw: &'a [u8]) -> Row<'a, DexState<'a>> {
    state.map(|state| DexState { dex: Cow::Borrowed(dex), state, raw })
}

fn one_state<'a>(cursor: &mut Cursor<'_, 'a>, data: Item<'a>) -> Read<Frame<'a>> {
    const CHANNEL: &str = "clearinghouseState";
    let (mut user, mut dex, mut state) = (None, None, None);
    each(CHANNEL, cursor, data, |key, item, cursor| {
        if key == CHANNEL {
            let read = step(cold::value(cursor, item, CHANNEL))?;
            return Ok(field::put(&mut state, (read, step(cursor.raw_of(item))?), CHANNEL));
        }
        step(cursor.skip(item))?;
        Ok(match key {
            "user" => field::address(&mut user, item, "user"),
            "dex" => field::text(&mut dex, item, "dex"),
            _ => Ok(()),
        })
    })?;
    let (read, raw) = need(CHANNEL, state, CHANNEL)?;
    match dex_state(dex.unwrap_or(""), read, raw) {
        Ok(state) => Ok(Frame::State { user: need(CHANNEL, user, "user")?, state: Box::new(state) }),
        Err(refusal) => Err(Stop::shape(CHANNEL, refusal.reason, refusal.detail)),
    }
}

fn all_states<'a>(cursor: &mut Cursor<'_, 'a>, data: Item<'a>) -> Read<Frame<'a>> {
    const CHANNEL: &str = "allDexsClearinghouseState";
    const LIST: &str = "clearinghouseStates";
    let (mut user, mut states) = (None, None);
    each(CHANNEL, cursor, data, |key, item, cursor| {
        if key == LIST {
            let Node::Array { len, .. } = item.node else {
                return Err(Stop::shape(CHANNEL, RowReason::WrongType(LIST), "found no array"));
            };
            let mut rows = Vec::with_capacity(len);
            for _ in 0..len {
                rows.push(step(state_pair(cursor))?);
                step(cursor.separator())?;
            }
            step(cursor.close_if_empty(len))?;
            return Ok(field::put(&mut states, rows, LIST));
        }
        step(cursor.skip(item))?;
        Ok(if key == "user" { field::address(&mut user, item, "user") } else { Ok(()) })
    })?;
    Ok(Frame::AllStates { user: need(CHANNEL, user, "user")?, states: need(CHANNEL, states, LIST)? })
}

/// `["dex", {state}]`.
fn state_pair<'a>(cursor: &mut Cursor<'_, 'a>) -> Option<Row<'a, DexState<'a>>> {
    let pair = cursor.value()?;
    let inside = cursor.clone();
    cursor.skip(pair)?;
    let refused = |detail: &str, raw| {
        Err(RowRefusal {
            reason: RowReason::WrongType("clearinghouseStates"),
            detail: detail.to_owned(),
            raw,
        })
    };
    let Node::Array { len: 2, .. } = pair.node else {
        return Some(refused("found no pair", cursor.raw_of(pair)?));
    };
    let mut inside = inside;
    let dex = inside.value()?;
    inside.skip(dex)?;
    let Node::String(dex) = dex.node else {
        return Some(refused("the dex is no string", cursor.raw_of(pair)?));
    };
    inside.separator()?;
    let state = inside.value()?;
    let read = cold::value(&mut inside, state, "clearinghouseState")?;
    Some(dex_state(dex, read, inside.raw_of(state)?))
}

fn ack<'a>(cursor: &mut Cursor<'_, 'a>, data: Item<'a>) -> Read<Frame<'a>> {
    const CHANNEL: &str = "subscriptionResponse";
    let (mut method, mut echo) = (None, None);
    each(CHANNEL, cursor, data, |key, item, cursor| {
        if key == "subscription" {
            return Ok(match step(cold::value::<SubscriptionEcho<'a>>(cursor, item, "subscription"))? {
                Ok(read) => field::put(&mut echo, read, "subscription"),
                Err(refusal) => Err(field::refused(refusal.reason, refusal.detail)),
            });
        }
        step(cursor.skip(item))?;
        Ok(if key == "method" { field::text(&mut method, item, "method") } else { Ok(()) })
    })?;
    let method = match need(CHANNEL, method, "method")? {
        "subscribe" => AckMethod::Subscribe,
        "unsubscribe" => AckMethod::Unsubscribe,
        other => AckMethod::Other(other),
    };
    Ok(Frame::Ack { method, echo: Box::new(need(CHANNEL, echo, "subscription")?) })
}

fn post<'a>(cursor: &mut Cursor<'_, 'a>, data: Item<'a>) -> Read<Frame<'a>> {
    const CHANNEL: &str = "post";
    let (mut id, mut kind, mut payload) = (None, None, None);
    each(CHANNEL, cursor, data, |key, item, cursor| {
        if key != "response" {
            step(cursor.skip(item))?;
            return Ok(if key == "id" { field::uint(&mut id, item, "id") } else { Ok(()) });
        }
        each(CHANNEL, cursor, item, |key, item, cursor| {
            step(cursor.skip(item))?;
            Ok(match key {
                "type" => field::text(&mut kind, item, "response.type"),
                "payload" => field::put(&mut payload, step(cursor.raw_of(item))?, "response.payload"),
                _ => Ok(()),
            })
        })?;
        Ok(Ok(()))
    })?;
    Ok(Frame::Post {
        id: need(CHANNEL, id, "id")?,
        kind: need(CHANNEL, kind, "response.type")?,
        payload: need(CHANNEL, payload, "response.payload")?,
    })
}
