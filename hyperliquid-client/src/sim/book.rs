//! What the venue remembers: per account the rows of both streams (bounded by the retention, oldest forgotten first),
//! and positions derived from the fills. `now` is the time since the venue started; a row becomes visible to info when
//! its index lag has passed, while sockets show it at once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::fill::{BlockFill, Side, Stream, is_perp};

/// One row of history.
#[derive(Clone, Debug)]
struct Row {
    time: u64,
    text: Arc<str>,
    /// When info begins to show it.
    visible_at: Duration,
    /// When sockets showed it.
    published_at: Duration,
}

/// A perp position as the venue keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Position {
    /// Signed, at most six decimals.
    pub(super) size: Decimal,
    pub(super) entry: f64,
}

#[derive(Debug, Default)]
struct Account {
    fills: VecDeque<Row>,
    twap: VecDeque<Row>,
    positions: BTreeMap<String, Position>,
    realised: f64,
}

/// Which rows an info request may see.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) now: Duration,
    /// Rows published less than this ago are hidden (a stale index).
    pub(super) stale: Duration,
}

impl View {
    fn shows(&self, row: &Row) -> bool {
        row.visible_at <= self.now && row.published_at + self.stale <= self.now
    }
}

/// A range of venue time, both ends inclusive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) reversed: bool,
    pub(super) cap: usize,
}

/// The history and positions of every account.
#[derive(Debug)]
pub(super) struct Book {
    accounts: HashMap<Arc<str>, Account>,
    retention: usize,
}

impl Book {
    pub(super) fn new(retention: usize) -> Self {
        Self { accounts: HashMap::new(), retention }
    }

    /// Rows kept per account and stream from now on.
    pub(super) fn set_retention(&mut self, rows: usize) {
        self.retention = rows;
        for account in self.accounts.values_mut() {
            for rows in [&mut account.fills, &mut account.twap] {
                rows.drain(..rows.len().saturating_sub(self.retention));
            }
        }
    }

    /// A position held before the first fill.
    pub(super) fn open(&mut self, user: Arc<str>, coin: &str, size: &str, px: f64) {
        let size = decimal(size);
        if is_perp(coin) && !size.is_zero() {
            let account = self.accounts.entry(user).or_default();
            account.positions.insert(coin.to_owned(), Position { size, entry: px });
        }
    }

    /// Takes a fill in: history row (shown by info from `visible_at` on) and position. Returns the row's text.
    pub(super) fn publish(&mut self, row: &BlockFill, now: Duration, visible_at: Duration) -> Arc<str> {
        let text: Arc<str> = row.text().into();
        let retention = self.retention;
        let account = self.accounts.entry(row.user.clone()).or_default();
        let rows = account.rows(row.stream);
        rows.push_back(Row { time: row.fill.time, text: text.clone(), visible_at, published_at: now });
        while rows.len() > retention {
            rows.pop_front();
        }
        if row.fill.is_perp() {
            account.apply(row);
        }
        text
    }

    /// The newest `n` rows, oldest first: what a socket's snapshot shows.
    pub(super) fn snapshot(&self, user: &str, stream: Stream, n: usize) -> Vec<Arc<str>> {
        let Some(rows) = self.rows(user, stream) else { return Vec::new() };
        rows.iter().skip(rows.len().saturating_sub(n)).map(|row| row.text.clone()).collect()
    }

    /// The newest visible rows, newest first.
    pub(super) fn newest(&self, user: &str, stream: Stream, n: usize, view: View) -> Vec<Arc<str>> {
        let Some(rows) = self.rows(user, stream) else { return Vec::new() };
        rows.iter().rev().filter(|row| view.shows(row)).take(n).map(|row| row.text.clone()).collect()
    }

    /// Visible rows of a range of time, oldest first unless reversed, at most the cap.
    pub(super) fn page(&self, user: &str, stream: Stream, range: Range, view: View) -> Vec<Arc<str>> {
        let Some(rows) = self.rows(user, stream) else { return Vec::new() };
        let inside = |row: &&Row| (range.start..=range.end).contains(&row.time) && view.shows(row);
        if range.reversed {
            rows.iter().rev().filter(inside).take(range.cap).map(|row| row.text.clone()).collect()
        } else {
            let first = rows.partition_point(|row| row.time < range.start);
            let rows = rows.iter().skip(first).take_while(|row| row.time <= range.end);
            rows.filter(inside).take(range.cap).map(|row| row.text.clone()).collect()
        }
    }

    /// Whether the account ever traded.
    pub(super) fn knows(&self, user: &str) -> bool {
        self.accounts.contains_key(user)
    }

    /// Open perp positions of an account.
    pub(super) fn positions(&self, user: &str) -> impl Iterator<Item = (&str, Position)> {
        let account = self.accounts.get(user);
        account
            .into_iter()
            .flat_map(|account| account.positions.iter().map(|(coin, position)| (coin.as_str(), *position)))
    }

    /// What the account's fills realised so far.
    pub(super) fn realised(&self, user: &str) -> f64 {
        self.accounts.get(user).map_or(0.0, |account| account.realised)
    }

    fn rows(&self, user: &str, stream: Stream) -> Option<&VecDeque<Row>> {
        let account = self.accounts.get(user)?;
        Some(match stream {
            Stream::Fills => &account.fills,
            Stream::Twap => &account.twap,
        })
    }
}

impl Account {
    fn rows(&mut self, stream: Stream) -> &mut VecDeque<Row> {
        match stream {
            Stream::Fills => &mut self.fills,
            Stream::Twap => &mut self.twap,
        }
    }

    /// The fill states what was before it, so the position follows the fill and not the other way round.
    fn apply(&mut self, row: &BlockFill) {
        let fill = &row.fill;
        let delta = if fill.side == Side::B { decimal(&fill.sz) } else { -decimal(&fill.sz) };
        let before = decimal(&fill.start_position);
        let after = before.checked_add(delta).unwrap_or(before).round_dp(6);
        self.realised += fill.closed_pnl.parse().unwrap_or(0.0);
        let held = self.positions.get(&fill.coin).copied().unwrap_or_default();
        if after.is_zero() {
            self.positions.remove(&fill.coin); // a flat position is absent, never "0.0"
            return;
        }
        let px: f64 = fill.px.parse().unwrap_or(0.0);
        let grows = after.abs() > before.abs();
        let turned = before.is_zero() || before.is_sign_negative() != after.is_sign_negative();
        let weight = |size: Decimal| size.abs().to_f64().unwrap_or(0.0);
        let entry = if turned {
            px
        } else if grows {
            (held.entry * weight(before) + px * weight(delta)) / weight(after)
        } else {
            held.entry
        };
        self.positions.insert(fill.coin.clone(), Position { size: after, entry });
    }
}

/// A number of the fills as a decimal with the venue's float noise rounded off; zero where it does not fit.
fn decimal(text: &str) -> Decimal {
    text.parse::<Decimal>().map_or(Decimal::ZERO, |value| value.round_dp(6))
}

#[cfg(test)]
mod tests {
    use super::super::market::{Market, MarketConfig};
    use super::*;

    const NEVER_STALE: Duration = Duration::ZERO;

    fn filled(retention: usize, lag: Duration) -> (Book, Vec<BlockFill>) {
        let mut market = Market::new(&MarketConfig { history_blocks: 0, ..MarketConfig::default() });
        let mut book = Book::new(retention);
        for (user, coin, size) in market.positions() {
            book.open(user, &coin, &size, 1.0);
        }
        let rows: Vec<_> = (0..400).flat_map(|_| market.step().fills).collect();
        for row in &rows {
            book.publish(row, Duration::ZERO, lag);
        }
        let expected: BTreeMap<_, _> = market
            .positions()
            .into_iter()
            .filter(|(_, coin, _)| is_perp(coin))
            .map(|(u, c, s)| ((u, c), s))
            .collect();
        for ((user, coin), size) in expected {
            let held = book.positions(&user).find(|(name, _)| *name == coin).unwrap().1;
            assert_eq!(held.size, decimal(&size), "{user} {coin}");
        }
        (book, rows)
    }

    fn busiest(rows: &[BlockFill]) -> Arc<str> {
        Market::followed()
            .into_iter()
            .max_by_key(|(_, u)| rows.iter().filter(|r| r.user == *u).count())
            .unwrap()
            .1
    }

    #[test]
    fn positions_follow_the_fills_and_pages_hold_their_range() {
        let (book, rows) = filled(10_000, Duration::ZERO);
        let user = busiest(&rows);
        let view = View { now: Duration::ZERO, stale: NEVER_STALE };
        let of_user: Vec<_> = rows
            .iter()
            .filter(|row| row.user == user && row.stream == Stream::Fills)
            .map(BlockFill::text)
            .collect();
        let all = Range { start: 0, end: u64::MAX, reversed: false, cap: 10_000 };
        let page = book.page(&user, Stream::Fills, all, view);
        assert_eq!(page.iter().map(ToString::to_string).collect::<Vec<_>>(), of_user);
        let mut newest = book.newest(&user, Stream::Fills, 10_000, view);
        newest.reverse();
        assert_eq!(newest, page);
        let first =
            rows.iter().find(|row| row.user == user && row.stream == Stream::Fills).unwrap().fill.time;
        let one_ms = Range { start: first, end: first, reversed: false, cap: 10_000 };
        assert!(!book.page(&user, Stream::Fills, one_ms, view).is_empty(), "both ends are inclusive");
        assert_eq!(book.page(&user, Stream::Fills, Range { cap: 3, ..all }, view), page[..3]);
        let reversed = book.page(&user, Stream::Fills, Range { reversed: true, cap: 3, ..all }, view);
        assert_eq!(reversed, newest.iter().rev().take(3).cloned().collect::<Vec<_>>());
        assert_eq!(book.snapshot(&user, Stream::Fills, 30), page[page.len() - 30..]);
    }

    #[test]
    fn info_lags_behind_and_old_rows_are_forgotten() {
        let (mut book, rows) = filled(10_000, Duration::from_secs(2));
        let user = busiest(&rows);
        let at = |s| View { now: Duration::from_secs(s), stale: NEVER_STALE };
        assert!(book.newest(&user, Stream::Fills, 10, at(1)).is_empty());
        assert_eq!(book.newest(&user, Stream::Fills, 10, at(2)).len(), 10);
        let stale = View { stale: Duration::from_secs(60), ..at(30) };
        assert!(book.newest(&user, Stream::Fills, 10, stale).is_empty());
        assert_eq!(book.snapshot(&user, Stream::Fills, 30).len(), 30, "sockets do not lag");
        let newest = book.newest(&user, Stream::Fills, 5, at(2));
        book.set_retention(5);
        assert_eq!(book.newest(&user, Stream::Fills, 10, at(2)), newest);
    }
}
