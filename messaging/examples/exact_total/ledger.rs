//! What became of one partition: where to go on reading, the totals, the ids that were seen. A file of lines, one for each commit, each
//! with what it changed and a checksum; a line is there or it is not. What was read since the last commit is in memory only.
//!
//! A last line that is torn was never committed: it is cut. From time to time the file is written anew, whole, and put in the old one's
//! place at once. Who holds `partition-N.lock` owns the ledger; the system lets go of it when its process dies.
//! Memory and disk: the ids of at most [`IDS_MAX`] records, about 100 bytes each, and a line for each market.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::signal::Signal;

/// An id is known for seven days, as long as the topic keeps its record (time of records, not ours).
const IDS_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Among so many newest records of the partition it is known in any case: twice what a service that is killed sends again at most. So a
/// record with a wrong time does no harm.
pub(crate) const IDS_MIN: i64 = 20_000;
/// And behind so many it is not: memory has an end.
const IDS_MAX: i64 = 200_000;
/// A file smaller than this is not written anew.
const SMALL: u64 = 1 << 20;

/// Of one influencer and market; sizes in units of 10^-18.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Total {
    pub(crate) sum: i128,
    pub(crate) count: u64,
    pub(crate) position: i128,
    /// Of the signal that said the position: venue ms, epoch, seq.
    at: (i64, u64, u64),
}

/// What became of all records that were read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Tally {
    pub(crate) applied: u64,
    pub(crate) repeats: u64,
    pub(crate) skipped: u64,
}

/// A line: what is so from now on. A whole state is one, too.
#[derive(Default, Deserialize, Serialize)]
struct Commit {
    /// The offset to go on at.
    next: i64,
    tally: Tally,
    totals: BTreeMap<String, Total>,
    ids: Vec<Seen>,
}

/// An id, its record's offset and time, and the size it counts with: nothing once it is superseded.
#[derive(Clone, Copy, Deserialize, Serialize)]
struct Seen(u128, i64, i64, Option<i128>);

#[derive(Default)]
struct State {
    next: Option<i64>,
    tally: Tally,
    totals: BTreeMap<String, Total>,
    ids: HashMap<u128, Seen>,
    /// In the order they came.
    order: VecDeque<Seen>,
    newest_ms: i64,
}

impl State {
    fn apply(&mut self, commit: Commit) {
        (self.next, self.tally) = (Some(commit.next), commit.tally);
        self.totals.extend(commit.totals);
        commit.ids.into_iter().for_each(|seen| self.see(seen));
        self.forget();
    }

    fn see(&mut self, seen: Seen) {
        self.newest_ms = self.newest_ms.max(seen.2);
        self.ids.insert(seen.0, seen);
        self.order.push_back(seen);
    }

    fn forget(&mut self) {
        let (next, oldest_ms) = (self.next.unwrap_or(0), self.newest_ms - IDS_KEPT_MS);
        let is_old = |&Seen(_, offset, ms, _): &Seen| {
            offset < next - IDS_MAX || (offset < next - IDS_MIN && ms < oldest_ms)
        };
        while self.order.front().is_some_and(is_old) {
            // One that was superseded later is known from there on.
            if let Some(old) = self.order.pop_front()
                && self.ids.get(&old.0).is_some_and(|seen| seen.1 == old.1)
            {
                self.ids.remove(&old.0);
            }
        }
    }
}

pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    _lock: File,
    state: State,
    changed: BTreeSet<String>,
    new_ids: Vec<Seen>,
    committed: Option<i64>,
    /// Bytes of the file, and how many it had when it was written anew.
    length: u64,
    anew: u64,
}

impl Ledger {
    /// Takes up the ledger of a partition, or begins it.
    pub(crate) fn open(store: &Path, partition: i32) -> io::Result<Self> {
        let at = |name: &str| store.join(format!("partition-{partition}.{name}"));
        let mut new = OpenOptions::new();
        let new = new.read(true).append(true).create(true);
        let lock = new.open(at("lock"))?;
        lock.try_lock().map_err(|_| wrong(&at("lock"), "another process reads this partition"))?;
        let path = at("ledger");
        let file = new.open(&path)?;
        let (state, length) = read(&path)?;
        file.set_len(length)?;
        file.sync_all()?;
        File::open(store)?.sync_all()?;
        let committed = state.next;
        let (changed, new_ids) = Default::default();
        Ok(Self { path, file, _lock: lock, state, changed, new_ids, committed, length, anew: length })
    }

    /// The offset to go on at; nothing of a partition that was never read.
    pub(crate) fn next(&self) -> Option<i64> {
        self.state.next
    }

    /// Takes a record: its offset, its time, its content. One that says nothing is skipped, with the reason.
    pub(crate) fn take(&mut self, offset: i64, ms: i64, value: Option<&[u8]>) -> Result<(), String> {
        if self.state.next.is_some_and(|next| offset < next) {
            return Ok(());
        }
        self.state.next = Some(offset + 1);
        let counted = Signal::parse(value).and_then(|signal| self.count(offset, ms, &signal));
        let tally = &mut self.state.tally;
        match &counted {
            Ok(true) => tally.applied += 1,
            Ok(false) => tally.repeats += 1,
            Err(_) => tally.skipped += 1,
        }
        counted.map(drop)
    }

    /// Whether it was new.
    fn count(&mut self, offset: i64, ms: i64, signal: &Signal<'_>) -> Result<bool, String> {
        if self.state.ids.contains_key(&signal.id) {
            return Ok(false);
        }
        let name = format!("{} {}", signal.influencer, signal.market);
        let mut total = self.state.totals.get(&name).copied().unwrap_or_default();
        let replaced = signal.supersedes.and_then(|id| self.state.ids.get(&id)?.3);
        let sum = total.sum.checked_add(signal.delta).and_then(|sum| sum.checked_sub(replaced.unwrap_or(0)));
        total.sum = sum.ok_or("the total does not fit")?;
        total.count = total.count + 1 - u64::from(replaced.is_some());
        // One that is late, or of an older epoch, says nothing of where the market stands now.
        if signal.at > total.at {
            (total.position, total.at) = (signal.position, signal.at);
        }
        // What is superseded does not count when it comes again, or comes only now.
        let gone = signal.supersedes.map(|id| Seen(id, offset, ms, None));
        for seen in gone.into_iter().chain([Seen(signal.id, offset, ms, Some(signal.delta))]) {
            self.state.see(seen);
            self.new_ids.push(seen);
        }
        self.state.totals.insert(name.clone(), total);
        self.changed.insert(name);
        Ok(true)
    }

    /// Makes everything taken durable, at once with the offset behind it; whether there was something.
    pub(crate) fn commit(&mut self) -> io::Result<bool> {
        let Some(next) = self.state.next.filter(|_| self.state.next != self.committed) else {
            return Ok(false);
        };
        let changed = std::mem::take(&mut self.changed);
        let total = |name: String| Some((name.clone(), *self.state.totals.get(&name)?));
        let totals = changed.into_iter().filter_map(total).collect();
        let line =
            line(&Commit { next, tally: self.state.tally, totals, ids: std::mem::take(&mut self.new_ids) })?;
        self.file.write_all(&line)?;
        self.file.sync_data()?;
        (self.committed, self.length) = (Some(next), self.length + line.len() as u64);
        self.state.forget();
        if self.length > SMALL.max(2 * self.anew) {
            self.write_anew(next)?;
        }
        Ok(true)
    }

    fn write_anew(&mut self, next: i64) -> io::Result<()> {
        let State { tally, totals, order, .. } = &self.state;
        let ids = order.iter().copied().collect();
        let whole = line(&Commit { next, tally: *tally, totals: totals.clone(), ids })?;
        let new = self.path.with_extension("new");
        std::fs::write(&new, &whole)?;
        self.file = OpenOptions::new().append(true).open(&new)?;
        self.file.sync_all()?;
        std::fs::rename(&new, &self.path)?;
        if let Some(store) = self.path.parent() {
            File::open(store)?.sync_all()?;
        }
        (self.length, self.anew) = (whole.len() as u64, whole.len() as u64);
        Ok(())
    }
}

/// The totals of all partitions as they are committed, and what became of all records.
pub(crate) fn read_all(store: &Path, sum: &mut Tally) -> io::Result<BTreeMap<String, Total>> {
    let mut totals = BTreeMap::new();
    for entry in std::fs::read_dir(store)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ledger") {
            let (state, _) = read(&path)?;
            sum.applied += state.tally.applied;
            sum.repeats += state.tally.repeats;
            sum.skipped += state.tally.skipped;
            totals.extend(state.totals);
        }
    }
    Ok(totals)
}

/// What the lines come to, and where the last whole one ends.
fn read(path: &Path) -> io::Result<(State, u64)> {
    let bytes = std::fs::read(path)?;
    let (mut state, mut length) = (State::default(), 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match parsed(line) {
            Some(commit) => state.apply(commit),
            None if length + line.len() == bytes.len() => break,
            None => return Err(wrong(path, &format!("is damaged at byte {length}"))),
        }
        length += line.len();
    }
    Ok((state, length as u64))
}

fn line(commit: &Commit) -> io::Result<Vec<u8>> {
    let json = serde_json::to_string(commit)?;
    Ok(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

fn parsed(line: &[u8]) -> Option<Commit> {
    let (sum, json) = std::str::from_utf8(line).ok()?.strip_suffix('\n')?.split_once(' ')?;
    let is_whole = u32::from_str_radix(sum, 16) == Ok(crc32c::crc32c(json.as_bytes()));
    serde_json::from_str(json).ok().filter(|_| is_whole)
}

fn wrong(path: &Path, what: &str) -> io::Error {
    io::Error::other(format!("{}: {what}", path.display()))
}
