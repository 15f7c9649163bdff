//! A list file that is watched: who is live follows the file, and never falls for an accident.
//!
//! Driven by the caller's tick: [`FileSource::poll`] looks at the file (modification time, length, inode) and reads
//! it once it has looked the same for `settle`, so that a half-written file is not taken and a burst of changes is one
//! change; one that is replaced (by a rename) again and again is read every [`RESTLESS`] all the same, so that one busy
//! writer holds up nobody's change for long. Every [`REFRESH`], or as asked, it is read whatever it looks like. The last good list stays when the file vanishes,
//! cannot be read or parsed, or is suddenly empty without `confirmEmpty = true` (the mass-delete guard).
//!
//! Blocking file I/O in the caller's thread, no thread and no clock here: `now` is the caller's monotonic clock.

mod stamp;

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use stamp::Stamp;

use crate::{
    InfluencerSet, ListProblem, Refusal, Reload, Rule,
    guard::{self, NotTaken, Taken},
    list_file::ListFile,
    rule,
};

/// The largest list file that is read: room for 100,000 entries several times over.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// After this long the file's content is compared, even when nothing about the file looks new.
pub const REFRESH: Duration = Duration::from_secs(30);

/// A file that is replaced all the time is taken this often: each version of it is a whole one.
pub const RESTLESS: Duration = Duration::from_secs(2);

/// A file of `[[influencer]]` tables and the list that is live because of it.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    settle: Duration,
    refresh: Duration,
    rule: Rule,
    live: InfluencerSet,
    refused: Vec<Refusal>,
    problem: Option<ListProblem>,
    loaded: bool,
    /// What the file looked like when it was last read or given up.
    known: Stamp,
    /// What it looks like, while that is not what is known.
    seen: Option<Seen>,
    content: Option<u64>,
    /// When it was last read, as far as a poll knows.
    read_at: Option<Instant>,
}

/// A file that looks new.
#[derive(Clone, Copy, Debug)]
struct Seen {
    stamp: Stamp,
    /// Since when it looks like this.
    since: Instant,
    /// Since when it does not look like what is known.
    restless: Instant,
}

impl FileSource {
    /// Watches `path`; reads nothing yet. A changed file is taken after it has looked the same for `settle`
    /// (200 ms is a good value, zero takes it at once). `last_good` is the list persisted by an earlier run.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, settle: Duration, last_good: Option<InfluencerSet>) -> Self {
        Self {
            path: path.into(),
            settle,
            refresh: REFRESH,
            rule: rule::none,
            live: last_good.unwrap_or_default(),
            refused: Vec::new(),
            problem: None,
            loaded: false,
            known: Stamp::Missing,
            seen: None,
            content: None,
            read_at: None,
        }
    }

    /// Compares the content this often instead of every [`REFRESH`].
    #[must_use]
    pub fn refreshed_every(self, refresh: Duration) -> Self {
        Self { refresh, ..self }
    }

    /// Refuses entries by a rule of the program's own, too.
    #[must_use]
    pub fn judged_by(self, rule: Rule) -> Self {
        Self { rule, ..self }
    }

    /// Reads the file now, whatever it looks like: at start, or because somebody asked.
    pub fn load(&mut self) -> Reload {
        let before = self.live.clone();
        self.read(Stamp::of(&self.path));
        self.report(&before)
    }

    /// Looks at the file; `Some` when who is live, what is refused or what is wrong became different.
    pub fn poll(&mut self, now: Instant) -> Option<Reload> {
        let stamp = Stamp::of(&self.path);
        let looks_known = self.loaded && stamp == self.known;
        let read_at = *self.read_at.get_or_insert(now);
        if looks_known && now.saturating_duration_since(read_at) < self.refresh {
            self.seen = None;
            return None;
        }
        if !looks_known && !self.settled(stamp, now) {
            return None;
        }
        let (before, refused, problem) = (self.live.clone(), self.refused.clone(), self.problem.clone());
        self.read(stamp);
        self.read_at = Some(now);
        let reload = self.report(&before);
        let same = reload.changes.is_empty() && self.refused == refused && self.problem == problem;
        (!same).then_some(reload)
    }

    /// Everything that is live; persist [`InfluencerSet::to_json`] of it to have a last good list at the next start.
    #[must_use]
    pub fn live(&self) -> &InfluencerSet {
        &self.live
    }

    /// Entries of the file that are refused.
    #[must_use]
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// Why the file as a whole is not taken, while that is so.
    #[must_use]
    pub fn problem(&self) -> Option<&ListProblem> {
        self.problem.as_ref()
    }

    /// The watched file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn settled(&mut self, stamp: Stamp, now: Instant) -> bool {
        let before = self.seen;
        let seen = match before {
            Some(seen) if seen.stamp == stamp => seen,
            _ => Seen { stamp, since: now, restless: before.map_or(now, |seen| seen.restless) },
        };
        self.seen = Some(seen);
        let replaced = before.is_some_and(|before| stamp.replaces(before.stamp));
        now.saturating_duration_since(seen.since) >= self.settle
            || (replaced && now.saturating_duration_since(seen.restless) >= RESTLESS)
    }

    fn read(&mut self, stamp: Stamp) {
        (self.loaded, self.known, self.seen) = (true, stamp, None);
        match self.read_list() {
            Ok(None) => {}
            Ok(Some((live, refused))) => (self.live, self.refused, self.problem) = (live, refused, None),
            Err((problem, refused)) => {
                self.content = None;
                (self.refused, self.problem) = (refused, Some(problem));
            }
        }
    }

    /// The list the file holds beside what is live; `None` when its bytes are those already taken.
    fn read_list(&mut self) -> Result<Option<Taken>, NotTaken> {
        let plain = |problem| (problem, Vec::new());
        let text = read_bounded(&self.path).map_err(plain)?;
        let content = hash(&text);
        if self.content == Some(content) {
            return Ok(None);
        }
        let file = ListFile::parse(&text)
            .map_err(|source| plain(ListProblem::Unparsable { path: self.path.clone(), source }))?;
        let judged = InfluencerSet::lenient_by(&file.entries, &self.live, self.rule);
        let place = || self.path.display().to_string();
        let taken = guard::guard(judged, file.entries.len(), file.confirm_empty, &self.live, place)?;
        self.content = Some(content);
        Ok(Some(taken))
    }

    fn report(&self, before: &InfluencerSet) -> Reload {
        Reload::between(before, &self.live, self.refused.clone(), self.problem.clone())
    }
}

fn read_bounded(path: &Path) -> Result<String, ListProblem> {
    let failed = |e: io::Error| {
        let (path, kind) = (path.to_owned(), e.kind());
        if kind == io::ErrorKind::NotFound {
            ListProblem::Vanished { path }
        } else {
            ListProblem::Unreadable { path, kind }
        }
    };
    // A pipe would block for ever.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    }
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    match u64::try_from(text.len()) {
        Ok(length) if length <= FILE_BYTES_MAX => Ok(text),
        _ => Err(ListProblem::TooLarge { path: path.to_owned() }),
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
