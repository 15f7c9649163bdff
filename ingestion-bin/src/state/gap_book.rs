//! What is told of an account's gaps besides what its machine knows (`record::Told`). The live account and the journal's fold keep the
//! same book, so that a gap told again after a restart says what it said before.

use dedup::FillKey;
use serde::{Deserialize, Serialize};

use crate::account::{Gap, GapId, GapKind, GapState};
use crate::record::Told;

/// Contents told of one conflict, and bytes of each; what is beyond stays in the dead letters.
const CONTENTS_MAX: usize = 16;
const CONTENT_BYTES_MAX: usize = 4_096;

/// See the module. One entry for every gap that is not repaired.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct GapBook {
    /// Where following began, venue ms.
    began_ms: Option<u64>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Entry {
    id: GapId,
    told: Told,
    /// Keys that were in conflict once.
    keys: Vec<FillKey>,
}

impl GapBook {
    /// A new epoch; a fresh one follows anew.
    pub fn epoch(&mut self, fresh: bool) {
        if fresh {
            self.began_ms = None;
        }
    }

    /// A stream began, by the venue's clock.
    pub fn based(&mut self, made_at_ms: u64) {
        self.began_ms.get_or_insert(made_at_ms);
    }

    /// The keys of a conflict whose contents were not told yet.
    pub fn untold<'a>(&'a self, gap: &'a Gap) -> impl Iterator<Item = FillKey> + 'a {
        let told = self.entry(&gap.id).map_or(&[] as &[FillKey], |entry| &entry.keys);
        let conflict = gap.id.kind == GapKind::Conflict;
        gap.keys.iter().copied().filter(move |key| conflict && !told.contains(key))
    }

    /// What is told of `gap` as it is from `at_ms` (wall clock) on; `contents` are those of its untold keys.
    #[must_use]
    pub fn tell(&self, gap: &Gap, at_ms: u64, contents: Vec<String>) -> Told {
        let mut told = match self.entry(&gap.id) {
            Some(entry) => entry.told.clone(),
            None => Told {
                from_ms: self.begin(gap, at_ms),
                opened_at_ms: at_ms,
                closed_at_ms: None,
                contents: Vec::new(),
            },
        };
        told.closed_at_ms = (gap.state != GapState::Opened).then(|| told.closed_at_ms.unwrap_or(at_ms));
        for content in contents.into_iter().filter(|content| content.len() <= CONTENT_BYTES_MAX) {
            if told.contents.len() < CONTENTS_MAX && !told.contents.contains(&content) {
                told.contents.push(content);
            }
        }
        told
    }

    /// Keeps what was recorded of a gap; a repaired one is forgotten.
    pub fn keep(&mut self, gap: &Gap, told: &Told) {
        let mut keys = self.take(&gap.id).map(|entry| entry.keys).unwrap_or_default();
        if gap.state != GapState::Repaired {
            let new: Vec<FillKey> = gap.keys.iter().copied().filter(|key| !keys.contains(key)).collect();
            keys.extend(new);
            self.entries.push(Entry { id: gap.id.clone(), told: told.clone(), keys });
        }
    }

    /// A gap that is declared inside another one is kept no longer.
    pub fn absorbed(&mut self, id: &GapId) {
        self.take(id);
    }

    /// What was told last of a kept gap.
    #[must_use]
    pub fn told(&self, id: &GapId) -> Option<&Told> {
        self.entry(id).map(|entry| &entry.told)
    }

    fn take(&mut self, id: &GapId) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.id == *id)?;
        Some(self.entries.swap_remove(at))
    }

    fn entry(&self, id: &GapId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == *id)
    }

    /// A gap that begins before anything was known begins where following did: history was asked for what is older, and had
    /// nothing. The two clocks meet in a label only: where they disagree such a gap begins just before its end, apart from one of its last
    /// millisecond alone, whose published id is made of the same.
    fn begin(&self, gap: &Gap, at_ms: u64) -> u64 {
        let known = |time: i64| u64::try_from(time).ok().filter(|time| *time > 0);
        let end = known(gap.to).unwrap_or(u64::MAX);
        known(gap.id.from).unwrap_or_else(|| self.began_ms.unwrap_or(at_ms).min(end - 1))
    }
}
