//! Texts of frames, keys in the venue's order. Pure.

use std::fmt::Write;
use std::sync::Arc;

use super::super::fill::{BlockFill, Side, Stream};

/// A JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("a string always serialises")
}

pub(super) const PONG: &str = r#"{"channel":"pong"}"#;

pub(super) fn ack(method: &str, echo: &str) -> String {
    format!(r#"{{"channel":"subscriptionResponse","data":{{"method":"{method}","subscription":{echo}}}}}"#)
}

pub(super) fn error(text: &str) -> String {
    format!(r#"{{"channel":"error","data":{}}}"#, quote(text))
}

/// Rows of one account on one of its two streams; updates omit `isSnapshot`.
pub(super) fn rows<T: AsRef<str>>(stream: Stream, user: &str, snapshot: bool, rows: &[T]) -> String {
    let (channel, key) = match stream {
        Stream::Fills => ("userFills", "fills"),
        Stream::Twap => ("userTwapSliceFills", "twapSliceFills"),
    };
    let flag = if snapshot { r#""isSnapshot":true,"# } else { "" };
    let rows = list(rows);
    format!(r#"{{"channel":"{channel}","data":{{{flag}"user":"{user}","{key}":{rows}}}}}"#)
}

/// The same rows on channel `user`, which names nobody.
pub(super) fn user_event<T: AsRef<str>>(stream: Stream, rows: &[T]) -> String {
    let key = if stream == Stream::Fills { "fills" } else { "twapSliceFills" };
    format!(r#"{{"channel":"user","data":{{"{key}":{}}}}}"#, list(rows))
}

/// The liquidation notice of the liquidated account.
pub(super) fn liquidation_event(lid: u64, liquidator: &str, user: &str) -> String {
    format!(
        r#"{{"channel":"user","data":{{"liquidation":{{"lid":{lid},"liquidator":"{liquidator}","liquidated_user":"{user}","liquidated_ntl_pos":"0.0","liquidated_account_value":"0.0"}}}}}}"#
    )
}

/// `open` and `filled` for every order of these fills, in one millisecond: a partial fill is no update of its own.
pub(super) fn order_updates(fills: &[&BlockFill]) -> Option<String> {
    let mut orders: Vec<(&BlockFill, f64)> = Vec::new();
    for row in fills.iter().filter(|row| row.stream == Stream::Fills && row.fill.tid != 0) {
        let size: f64 = row.fill.sz.parse().unwrap_or(0.0);
        match orders.iter_mut().find(|(first, _)| first.fill.oid == row.fill.oid) {
            Some((_, sum)) => *sum += size,
            None => orders.push((row, size)),
        }
    }
    let update = |row: &BlockFill, size: f64, status: &str| {
        let fill = &row.fill;
        let side = if fill.side == Side::B { "B" } else { "A" };
        let cloid = fill.cloid.as_ref().map(|id| format!(r#","cloid":{}"#, quote(id))).unwrap_or_default();
        let placed = super::super::print::money(size);
        let left = if status == "open" { placed.as_str() } else { "0.0" };
        format!(
            r#"{{"order":{{"coin":{},"side":"{side}","limitPx":"{}","sz":"{left}","oid":{},"timestamp":{},"origSz":"{placed}"{cloid}}},"status":"{status}","statusTimestamp":{}}}"#,
            quote(&fill.coin),
            fill.px,
            fill.oid,
            fill.time,
            fill.time
        )
    };
    let both = |(row, size): &(&BlockFill, f64)| ["open", "filled"].map(|status| update(row, *size, status));
    let rows: Vec<String> = orders.iter().flat_map(both).collect();
    (!rows.is_empty()).then(|| format!(r#"{{"channel":"orderUpdates","data":{}}}"#, list(&rows)))
}

/// One row of the tape: the two sides of a trade, or one side and a counterparty that is not in the data.
pub(super) fn trade(a: &BlockFill, b: Option<&BlockFill>) -> Arc<str> {
    let fill = &a.fill;
    let stranger = format!("0x{:040x}", fill.tid);
    let other = b.map_or(stranger.as_str(), |b| &b.user);
    let (buyer, seller) = if fill.side == Side::B { (&*a.user, other) } else { (other, &*a.user) };
    let aggressor = match (fill.crossed, fill.side) {
        (true, Side::B) | (false, Side::A) => "B",
        (true, Side::A) | (false, Side::B) => "A",
    };
    format!(
        r#"{{"coin":{},"side":"{aggressor}","px":"{}","sz":"{}","time":{},"hash":"{}","tid":{},"users":["{buyer}","{seller}"]}}"#,
        quote(&fill.coin),
        fill.px,
        fill.sz,
        fill.time,
        fill.hash,
        fill.tid
    )
    .into()
}

pub(super) fn trades<T: AsRef<str>>(rows: &[T]) -> String {
    format!(r#"{{"channel":"trades","data":{}}}"#, list(rows))
}

/// `{"mids":{…}}`, without the envelope's channel (info answers the inner object).
pub(super) fn mids<'a>(marks: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::from("{");
    for (coin, px) in marks {
        let comma = if text.len() > 1 { "," } else { "" };
        let _ = write!(text, "{comma}{}:\"{px}\"", quote(coin)); // writing to a String cannot fail
    }
    text.push('}');
    text
}

/// A JSON array of rows that are JSON already.
pub(super) fn list<T: AsRef<str>>(rows: &[T]) -> String {
    let mut text = String::with_capacity(2 + rows.iter().map(|row| row.as_ref().len() + 1).sum::<usize>());
    text.push('[');
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(row.as_ref());
    }
    text.push(']');
    text
}
