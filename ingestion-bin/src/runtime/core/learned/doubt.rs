//! Whether the venue allows a public address fewer of something than configured: doubted while it refuses one, believed when that lasts,
//! and tried again after a while, one at a time.

use std::time::{Duration, Instant};

/// Until one more is tried.
const LEARNED_FOR: Duration = Duration::from_secs(600);

/// Until the next one, as long as nothing is refused.
const NEXT_TRY: Duration = Duration::from_secs(60);

/// For how long a refusal may have another reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// After the first refusal, and after anything of it ended that the venue may still count.
    pub(super) settled: Duration,
    /// However often something ends meanwhile.
    pub(super) at_last: Duration,
}

/// Whom the venue refused, and what it said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::runtime::core) struct Hit {
    pub(in crate::runtime::core) who: String,
    pub(in crate::runtime::core) said: String,
}

/// What was seen of one limit.
#[derive(Clone, Debug)]
pub(super) struct Doubt {
    patience: Patience,
    /// Since when something is refused.
    refused_since: Option<Instant>,
    /// When something that counts last ended.
    ended_at: Option<Instant>,
    /// So many and no more, until one more is tried then.
    most: Option<(u32, Instant)>,
    /// Who was refused last.
    hit: Option<Hit>,
    /// The one from which that number was learned.
    by: Option<Hit>,
}

impl Doubt {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, refused_since: None, ended_at: None, most: None, hit: None, by: None }
    }

    /// What to plan with.
    pub(super) fn allowed(&self, configured: u32) -> u32 {
        self.most.map_or(configured, |(most, _)| most.min(configured))
    }

    /// What was learned and from whom; nothing while the configured limit holds.
    pub(super) fn learned(&self) -> Option<(u32, &Hit)> {
        Some((self.most?.0, self.by.as_ref()?))
    }

    /// Nothing is doubted and nothing was learned: a refusal begins it.
    pub(super) const fn is_idle(&self) -> bool {
        self.refused_since.is_none() && self.most.is_none()
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.believed_at(), self.tried_at()].into_iter().flatten().min()
    }

    pub(super) fn note_end(&mut self, now: Instant) {
        self.ended_at = Some(now);
    }

    pub(super) fn note_refusal(&mut self, hit: Option<Hit>, now: Instant) {
        self.refused_since.get_or_insert(now);
        self.hit = hit.or(self.hit.take());
    }

    /// Whether anything is refused now.
    pub(super) fn look(&mut self, refused: bool, now: Instant) {
        if refused {
            self.refused_since.get_or_insert(now);
        } else {
            self.refused_since = None;
        }
    }

    /// Whether a refusal lasts for so long that it is believed.
    pub(super) fn is_believed(&self, now: Instant) -> bool {
        self.believed_at().is_some_and(|at| at <= now)
    }

    pub(super) fn learn(&mut self, most: u32, now: Instant) {
        // What is given up now counts for a while, as when it ended.
        (self.refused_since, self.ended_at) = (None, Some(now));
        self.most = Some((most, now + LEARNED_FOR));
        self.by.clone_from(&self.hit);
    }

    /// One more, where it is time; true then.
    pub(super) fn try_more(&mut self, configured: u32, now: Instant) -> bool {
        let is_due = self.tried_at().is_some_and(|at| at <= now);
        if is_due {
            let more = self.most.map(|(most, _)| (most.saturating_add(1), now + NEXT_TRY));
            self.most = more.filter(|(most, _)| *most < configured);
        }
        is_due
    }

    fn believed_at(&self) -> Option<Instant> {
        let since = self.refused_since?;
        let settled = self.ended_at.map_or(since, |ended| ended.max(since)) + self.patience.settled;
        Some(settled.min(since + self.patience.at_last))
    }

    /// While anything is refused nothing is tried.
    fn tried_at(&self) -> Option<Instant> {
        self.most.map(|(_, at)| at).filter(|_| self.refused_since.is_none())
    }
}
