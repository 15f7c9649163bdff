//! What a sink asks of the worker when it meets a hole in the journal. Its answer is never behind a full journal: it may be this
//! sink that holds it.

use messaging::journal::Ticket;

use super::{Core, Known};
use crate::account::{Gap, GapState, Ledger, Record};
use crate::record::{AccountBody, Body, Change, Stamp};
use crate::runtime::desk::Standing;
use crate::runtime::lost::{Lost, Numbers};
use crate::state::{GapBook, ToldBook, VenueBook};

impl Core {
    /// Where all accounts' numbers stand and the batch that brings the journal there; nothing while the journal's queue is full.
    pub(in crate::runtime) fn standing(&mut self) -> Option<Standing> {
        let last = self.handed_over()?;
        let followed = self.slots.iter().map(|(account, slot)| {
            (*account, Numbers::of(slot.followed.influencer.as_str(), slot.machine.ledger()))
        });
        let known = self.known.iter();
        let known = known.map(|(account, known)| (*account, Numbers::of(&known.influencer, &known.ledger)));
        Some((last, followed.chain(known).collect()))
    }

    /// Records the gaps of lost signals, those that are not kept already, and behind them that the positions `from` to `to` are declared.
    pub(in crate::runtime) fn declare_lost(
        &mut self,
        lost: &[Lost],
        (from, to): (u64, u64),
    ) -> Option<Ticket> {
        self.handed_over()?;
        for Lost { account, influencer, gap } in lost {
            if self.with_slot(*account, |slot| slot.machine.handle_lost(gap)).is_some() {
                continue;
            }
            let known = self.known.entry(*account).or_insert_with(|| Known {
                influencer: influencer.clone(),
                ledger: Ledger::new(&self.config.settings),
                gaps: GapBook::default(),
                venue: VenueBook::default(),
                told: ToldBook::default(),
            });
            if known.ledger.gap(&gap.id).is_none() {
                known.ledger.apply(&Record::<()>::Gap(gap.clone()));
                let told = known.gaps.tell(gap, Self::now_ms(), Vec::new());
                known.gaps.keep(gap, &told);
                self.restate(*account, gap);
            }
        }
        self.outbox.put(&Body::Passed { from, to });
        self.handed_over()
    }

    /// Says every gap again as it is, of followed accounts and of others.
    pub(in crate::runtime) fn restate_gaps(&mut self) -> Option<Ticket> {
        self.handed_over()?;
        let followed = self.slots.iter().map(|(account, slot)| (*account, slot.machine.ledger().gaps()));
        let known = self.known.iter().map(|(account, known)| (*account, known.ledger.gaps()));
        let all: Vec<([u8; 20], Gap)> = followed
            .chain(known)
            .flat_map(|(account, gaps)| gaps.iter().map(move |gap| (account, gap.clone())))
            .collect();
        for (account, gap) in &all {
            self.restate(*account, gap);
        }
        self.handed_over()
    }

    /// A kept gap once more, without passing through a machine: it changes nothing.
    fn restate(&mut self, account: [u8; 20], gap: &Gap) {
        debug_assert!(gap.state != GapState::Repaired, "Invariant: a repaired gap is not kept");
        let at_ms = Self::now_ms();
        let (influencer, epoch, book) = match (self.slots.get(&account), self.known.get(&account)) {
            (Some(slot), _) => (slot.followed.influencer.as_str(), slot.machine.ledger().epoch(), &slot.gaps),
            (None, Some(known)) => (known.influencer.as_str(), known.ledger.epoch(), &known.gaps),
            (None, None) => return,
        };
        let told = book.tell(gap, at_ms, Vec::new());
        let stamp = Stamp { account, influencer, network: &self.config.network, at_ms, epoch };
        let change = Change::Gap { gap: gap.clone(), told };
        self.outbox.put(&Body::Account(AccountBody { stamp, change }));
    }

    /// The newest batch once nothing waits any more, above the journal's share if need be. Nothing is added to a full queue: who
    /// asks asks again.
    pub(super) fn handed_over(&mut self) -> Option<Ticket> {
        self.outbox.unblock();
        self.flush();
        (!self.outbox.holds()).then(|| self.outbox.last())
    }
}
