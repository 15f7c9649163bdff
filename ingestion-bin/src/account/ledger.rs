//! The durable half of an account. It changes only through [`Ledger::apply`], live and when the journal is folded
//! again, so both are always equal.

mod balance;
mod book;
mod missing;
mod shed;
mod size;

use std::collections::BTreeMap;

use dedup::{Chain, Digest, Entry, FillKey, Head, Window};
use serde::{Deserialize, Serialize};

use super::gap::{Gap, GapId, GapKind, GapState};
use super::record::{Event, Record};
use super::row::{Fate, Market, PerStream, Position, Stream};
use super::settings::Settings;
use book::Book;
pub use size::Size;

/// What is durable of one stream.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct StreamLedger {
    /// Rows at or before are no signals; nothing until the first snapshot.
    pub baseline: Option<i64>,
    /// Everything at or before is published or declared.
    pub certified: Option<i64>,
    /// A row this stream's history returned, at or before `certified`.
    pub anchor: Option<(FillKey, i64)>,
    /// Venue time of the newest event, but for those that history never showed (C5).
    pub newest: Option<i64>,
    /// Venue time from which on every row of it is known, baseline ones included; with the baseline.
    pub since: Option<i64>,
    /// While there is no baseline: venue time of the account's first event in its turn since this stream is followed, or of the
    /// first live row that waits for a baseline.
    pub first: Option<i64>,
}

/// What is durable of one known key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// Content of the copy that counts.
    pub digest: Digest,
    /// Stream it came on.
    pub stream: Stream,
    /// What became of it.
    pub fate: Fate,
    /// How often it was corrected.
    pub revision: u16,
    /// Signed size of that copy; a correction is the difference to it.
    pub size: Size,
    /// Its market, by number: see [`Ledger::market_of`].
    pub market: u32,
}

const _: () =
    assert!(size_of::<Known>() == 24, "every key of every account has two, one in the journal's fold");

/// The durable half of one account; goes into checkpoints as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    epoch: u64,
    removed: bool,
    margin_ms: i64,
    twap: bool,
    streams: PerStream<StreamLedger>,
    /// Rows older than this are known by rule (K2); it falls with `certified` only (C5).
    floor: i64,
    /// Since when slices may be missing that were followed before they were switched off, until it is declared to the
    /// first venue time known afterwards (X).
    switched_off: Option<i64>,
    keys: Window<Known>,
    books: BTreeMap<Market, Book>,
    /// Markets in the order in which they came.
    markets: Vec<Market>,
    gaps: Vec<Gap>,
    /// A chain gap whose event has not followed yet, and what it lacked before: a kill may come between them (G3).
    announced: Option<(GapId, Position)>,
    /// Keys in conflict that are told already as they should be: refused, so that no signal was made, or replaced by the
    /// row that history shows.
    settled: Vec<FillKey>,
}

impl Ledger {
    /// Nothing known.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            epoch: 0,
            removed: false,
            margin_ms: settings.margin_ms,
            twap: settings.twap,
            streams: PerStream::default(),
            floor: i64::MIN,
            switched_off: None,
            keys: Window::new(settings.key_cap + 2 * settings.read_rows),
            books: BTreeMap::new(),
            markets: Vec::new(),
            gaps: Vec::new(),
            announced: None,
            settled: Vec::new(),
        }
    }

    /// The current epoch; 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether the account was removed and not added again.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.removed
    }

    /// One stream's state.
    #[must_use]
    pub fn stream(&self, stream: Stream) -> &StreamLedger {
        &self.streams[stream]
    }

    /// The streams that are followed.
    pub fn streams(&self) -> impl Iterator<Item = Stream> + use<> {
        let twap = self.twap;
        Stream::ALL.into_iter().filter(move |&stream| twap || stream == Stream::Fills)
    }

    /// All keys kept, in the order they came.
    #[must_use]
    pub fn keys(&self) -> &Window<Known> {
        &self.keys
    }

    /// Where a market's chain stands: the position book.
    #[must_use]
    pub fn head(&self, market: &Market) -> Option<&Head<Position>> {
        self.books.get(market)?.chain.head()
    }

    /// The number last given out in a market in this epoch.
    #[must_use]
    pub fn seq(&self, market: &Market) -> u64 {
        self.books.get(market).map_or(0, |book| book.chain.seq())
    }

    /// The newest event of a market that went out in its turn.
    #[must_use]
    pub fn last(&self, market: &Market) -> Option<FillKey> {
        self.books.get(market)?.last
    }

    /// The market of a known key.
    #[must_use]
    pub fn market_of(&self, known: &Known) -> Option<&Market> {
        self.markets.get(usize::try_from(known.market).ok()?)
    }

    /// All markets with their heads and numbers.
    pub fn markets(&self) -> impl Iterator<Item = (&Market, &Chain<Position>)> {
        self.books.iter().map(|(market, book)| (market, &book.chain))
    }

    /// Gaps that are not repaired.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The kept gap with this id.
    #[must_use]
    pub fn gap(&self, id: &GapId) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.id == *id)
    }

    /// X: since when slices may be missing that were followed before they were switched off.
    pub(super) fn switched_off(&self) -> Option<i64> {
        self.switched_off
    }

    /// X: an account that begins anew was followed up to then, or that is declared; the least time where it never was.
    pub(super) fn told_to(&self) -> i64 {
        let is_baseline = |time: i64| self.streams.iter().any(|state| state.baseline == Some(time));
        let declared = self.gaps.iter().filter(|gap| gap.id.kind == GapKind::History);
        // What ends at a baseline is the time in which it was not followed: nothing of that was told.
        declared.map(|gap| if is_baseline(gap.to) { gap.id.from } else { gap.to }).max().unwrap_or(i64::MIN)
    }

    /// Whether something happened since following began, on any stream that is followed.
    #[must_use]
    pub fn has_events(&self) -> bool {
        let newer = |state: &StreamLedger| state.baseline.is_some_and(|at| state.newest > Some(at));
        self.streams().any(|stream| newer(&self.streams[stream]))
            || self.keys.iter().any(|(_, _, known)| matches!(known.fate, Fate::Signal | Fate::Shed))
    }

    /// From where on something of this stream may be missing: `certified`; nobody was followed before the first baseline,
    /// however little is certified of an empty stream.
    pub(super) fn unproven_since(&self, stream: Stream) -> Option<i64> {
        let begun = self.streams.iter().filter_map(|state| state.baseline).filter(|&at| at > i64::MIN).min();
        self.streams[stream].certified.map(|certified| certified.max(begun.unwrap_or(certified)))
    }

    /// Where what is declared from there ends, so that what follows is a gap of its own.
    fn undeclared_since(&self, mut since: i64) -> i64 {
        let declared = |at: i64| {
            let history = self.gaps.iter().filter(|gap| gap.id.kind == GapKind::History && gap.to > at);
            { history }.find(|gap| gap.id.from == at).map(|gap| gap.to)
        };
        while let Some(end) = declared(since) {
            since = end;
        }
        since
    }

    /// B6, X: since when nobody heard what comes before the next baseline: since the end of what was declared while there was none, or at the
    /// removal.
    pub(super) fn unheard_since(&self) -> Option<i64> {
        let is_unheard = self.is_removed() || !self.has_begun();
        let declared = self.gaps.iter().filter(|gap| gap.id.kind == GapKind::History && is_unheard);
        declared.map(|gap| gap.to).max()
    }

    /// Whether any stream has a baseline.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.streams.iter().any(|state| state.baseline.is_some())
    }

    /// The smaller `certified` of the streams followed; nothing while one has no baseline.
    #[must_use]
    pub fn certified(&self) -> Option<i64> {
        self.streams().map(|stream| self.streams[stream].certified).min().flatten()
    }

    /// Rows older than this are known by rule (K2).
    #[must_use]
    pub fn floor(&self) -> i64 {
        self.floor
    }

    /// Where the signals of a market stand, and since which venue time.
    pub(super) fn said(&self, market: &Market) -> Option<(i64, Position)> {
        self.books.get(market)?.said
    }

    /// Whether the market's newest released row is this one.
    pub(super) fn stands_at(&self, market: &Market, key: FillKey) -> bool {
        self.books.get(market).is_some_and(|book| book.last == Some(key))
    }

    pub(super) fn chain(&self, market: &Market) -> &Chain<Position> {
        const UNKNOWN: &Chain<Position> = &Chain::new();
        self.books.get(market).map_or(UNKNOWN, |book| &book.chain)
    }

    /// The only way in which a ledger changes.
    pub fn apply<P>(&mut self, record: &Record<P>) {
        match record {
            Record::Epoch { epoch, fresh, margin_ms, twap } => {
                self.epoch = (*epoch).max(self.epoch);
                match (self.twap, *twap) {
                    (false, true) => self.streams[Stream::Twap] = StreamLedger::default(),
                    (true, false) => {
                        let since =
                            self.unproven_since(Stream::Twap).map(|since| self.undeclared_since(since));
                        self.switched_off = since.or(self.switched_off);
                    }
                    (true, true) | (false, false) => {}
                }
                (self.margin_ms, self.twap) = (*margin_ms, *twap);
                self.take_back_announced();
                self.books.values_mut().for_each(|book| book.chain.restart());
                if *fresh {
                    self.removed = false;
                    self.streams = PerStream::default();
                    self.floor = i64::MIN;
                    self.switched_off = None;
                    self.keys = Window::new(self.keys.cap());
                    self.books.values_mut().for_each(Book::begin_anew);
                }
            }
            Record::Baseline { stream, at, anchor } => {
                let state = &mut self.streams[*stream];
                (state.baseline, state.certified, state.anchor) = (Some(*at), Some(*at), *anchor);
                (state.since, state.first) = (Some(*at), None);
            }
            Record::Heard { from } => self.note_first(*from),
            Record::Event(event) => self.apply_event(event),
            Record::Gap(gap) => self.apply_gap(gap),
            Record::Absorbed { gap } => {
                self.gaps.retain(|kept| kept.id != *gap);
                self.forget_settled();
            }
            Record::Certified { stream, to, anchor } => {
                let state = &mut self.streams[*stream];
                if state.certified > Some(*to) {
                    // C5: nothing newer is known, by rule or otherwise.
                    self.floor = self.floor.min(to.saturating_add(1));
                }
                (state.certified, state.anchor) = (Some(*to), *anchor);
                let floor = self.certified().map(|time| time.saturating_sub(self.margin_ms));
                self.floor = self.floor.max(floor.unwrap_or(i64::MIN));
                let kept = self.kept_keys();
                self.keys.prune(self.floor, |key, _| kept.contains(&key));
            }
            Record::Refused { .. } => {}
            Record::Removed => self.removed = true,
        }
    }

    /// Keys kept whatever their age: anchors, and what is in conflict.
    pub(super) fn kept_keys(&self) -> Vec<FillKey> {
        let anchors = self.streams.iter().filter_map(|state| state.anchor.map(|(key, _)| key));
        anchors.chain(self.gaps.iter().flat_map(|gap| gap.keys.iter().copied())).collect()
    }

    fn apply_event<P>(&mut self, event: &Event<P>) {
        self.announced = None;
        if let Some(wrong) = event.supersedes {
            self.settle(wrong);
            self.forget_settled();
        }
        let size = Size::of(event.link.map_or_else(Position::default, |link| link.after.minus(link.before)));
        let known = Known {
            digest: event.digest,
            stream: event.stream,
            fate: event.fate,
            revision: u16::try_from(event.revision).unwrap_or(u16::MAX),
            size,
            market: self.number(&event.market),
        };
        let mut change = size.position();
        if let Entry::Seen(earlier) = self.keys.insert_or_get(event.key, event.time, || known) {
            change = change.minus(earlier.size.position());
            *earlier = known;
        }
        let state = &mut self.streams[event.stream];
        state.newest = state.newest.max(Some(event.time));
        if event.fate == Fate::Baseline {
            state.since = state.since.map(|since| since.min(event.time));
        }
        if event.fate != Fate::Baseline
            && !event.late
            && Some(event.time) > self.streams[event.stream].baseline
        {
            self.note_first(event.time);
        }
        self.fill_silent(&event.market, event.time, change);
        self.fill_shed(event);
        if event.late {
            let before = event.link.filter(|_| event.revision == 0).map(|link| link.before);
            self.explain(&event.market, event.time, before, change, event.fate != Fate::Baseline);
        }
        let stood = self.head(&event.market).map(|head| head.time);
        let never_ours = stood.is_some_and(|time| self.is_before_known(time));
        if let Some(book) = self.books.get_mut(&event.market) {
            if !event.late {
                book.advance(event, never_ours);
            }
            if let Some(seq) = event.seq {
                book.chain.count(seq);
            }
        }
    }

    /// C5: a row that history never showed does not say how far the events of its stream reach. Those that are forgotten were
    /// older than the floor.
    fn disown_newest(&mut self, wrong: FillKey) {
        let Some((time, stream)) =
            self.keys.time_of(wrong).zip(self.keys.get(wrong).map(|known| known.stream))
        else {
            return;
        };
        if self.streams[stream].newest != Some(time) {
            return;
        }
        let disputed = |key: FillKey| {
            let settled = self.gaps.iter().filter(|gap| gap.state == GapState::Unfillable);
            { settled }.any(|gap| gap.keys.contains(&key))
        };
        let rows = self.keys.iter().filter(|&(key, _, known)| known.stream == stream && !disputed(key));
        let forgotten = (self.floor > i64::MIN).then(|| self.floor.saturating_sub(1));
        self.streams[stream].newest = rows.map(|(_, time, _)| time).max().max(forgotten).min(Some(time));
    }

    /// B8: of every stream that has no baseline yet.
    fn note_first(&mut self, time: i64) {
        for stream in self.streams() {
            let state = &mut self.streams[stream];
            if state.baseline.is_none() {
                state.first = Some(state.first.map_or(time, |first| first.min(time)));
            }
        }
    }

    fn number(&mut self, market: &Market) -> u32 {
        if let Some(book) = self.books.get(market) {
            return book.number;
        }
        let number = u32::try_from(self.markets.len()).unwrap_or(u32::MAX);
        self.markets.push(market.clone());
        self.books.insert(market.clone(), Book::new(number));
        number
    }
}
