//! A list in a Redis that is followed: who is live follows the hash, and never falls for an accident.
//!
//! Everything that can wait happens in a thread of its own: the owner looks at the newest state with [`RedisSource::poll`] and waits for a
//! Redis nowhere but in [`RedisSource::load`], for as long as it says. A Redis that is down, hangs, forgets or refuses takes nobody from the
//! list; [`RedisSource::problem`] says what is the matter, and it is compared anew as soon as it answers. No clock of the caller's is read.

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{runtime::Builder, sync::oneshot};

use super::{
    RedisList,
    follow::Follower,
    judge::Judge,
    slot::{Slot, State},
};
use crate::{InfluencerSet, Kept, ListProblem, Refusal, Reload, Rule, rule};

/// A hash of entries in a Redis and the list that is live because of it.
pub struct RedisSource {
    list: RedisList,
    slot: Arc<Slot>,
    live: InfluencerSet,
    refused: Vec<Refusal>,
    problem: Option<ListProblem>,
    version: u64,
    /// Ends the thread when it is dropped. It is not waited for: a name look-up under way may take its time, and holds nothing of ours.
    _thread: oneshot::Sender<()>,
}

impl RedisSource {
    /// Begins to follow `list`, compared every `refresh` even without a notice. `last_good` is what an earlier run kept; entries are
    /// refused by `rule`, too.
    ///
    /// # Errors
    /// The system has no thread left. Whatever is wrong about the Redis is [`RedisSource::problem`].
    pub fn start(
        list: RedisList,
        refresh: Duration,
        last_good: Option<Kept>,
        rule: Option<Rule>,
    ) -> io::Result<Self> {
        let (live, version) = last_good.map(|kept| (kept.set, kept.version)).unwrap_or_default();
        let slot = Arc::<Slot>::default();
        let (thread, gone) = oneshot::channel();
        let judge = Judge::new(list.to_string(), rule.unwrap_or(rule::none), live.clone(), version);
        let follower = Follower::new(list.clone(), refresh, judge, Arc::clone(&slot));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("redis-list".to_owned()).spawn(move || {
            runtime.block_on(follower.run(gone));
            runtime.shutdown_background();
        })?;
        Ok(Self { list, slot, live, refused: Vec::new(), problem: None, version, _thread: thread })
    }

    /// Waits for the first word of the Redis, a list or what is in the way, and not longer than `within`.
    pub fn load(&mut self, within: Duration) -> Reload {
        let why = || format!("no answer within {} s", within.as_secs());
        let state = self.slot.wait(within).unwrap_or_else(|| State {
            live: self.live.clone(),
            refused: Vec::new(),
            problem: Some(ListProblem::Unreachable { place: self.list.to_string(), why: why() }),
            version: self.version,
        });
        self.show(state)
    }

    /// Looks at what became of the list; `Some` when who is live, what is refused or what is wrong became different.
    pub fn poll(&mut self) -> Option<Reload> {
        let state = self.slot.take()?;
        let same = self.refused == state.refused && self.problem == state.problem;
        let reload = self.show(state);
        (!same || !reload.changes.is_empty()).then_some(reload)
    }

    /// Everything that is live; persist it with [`RedisSource::version`] to have a last good list at the next start.
    #[must_use]
    pub fn live(&self) -> &InfluencerSet {
        &self.live
    }

    /// The version of the list that is live.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Entries of the hash that are refused.
    #[must_use]
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// Why the list as a whole is not taken, while that is so.
    #[must_use]
    pub fn problem(&self) -> Option<&ListProblem> {
        self.problem.as_ref()
    }

    /// What is followed.
    #[must_use]
    pub fn list(&self) -> &RedisList {
        &self.list
    }

    fn show(&mut self, state: State) -> Reload {
        let State { live, refused, problem, version } = state;
        let reload = Reload::between(&self.live, &live, refused.clone(), problem.clone());
        (self.live, self.refused, self.problem, self.version) = (live, refused, problem, version);
        reload
    }
}

impl std::fmt::Debug for RedisSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSource")
            .field("list", &self.list)
            .field("live", &self.live.len())
            .field("refused", &self.refused.len())
            .field("problem", &self.problem)
            .finish_non_exhaustive()
    }
}
