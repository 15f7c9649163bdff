//! The chains against what the venue shows: two successive states that contradict a chain raise the alarm, one alone does nothing.
//!
//! The chain is never overwritten: a gap opens, history is read, and consumers are told what the venue says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::Core;
use crate::account::{Market, Position};
use crate::record::DexShown;
use crate::runtime::events::Contradicted;
use crate::state::dex_of;

/// A state tells of a fill for sure when it is so much later, venue ms: both come over the same sockets.
const AFTER_FILL_MS: i64 = 5_000;
/// Between two states that are two witnesses, venue ms: a fill may come later than the state that knows of it.
const APART_MS: i64 = 5_000;
/// An account's states are looked at so often at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is in doubt of one account.
#[derive(Debug, Default)]
pub(super) struct Audit {
    doubts: BTreeMap<Market, Doubt>,
    looked: Option<Instant>,
}

/// A state contradicted a chain.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// Where the chain stood.
    expected: Position,
    /// Venue ms of the state.
    time: i64,
}

impl Audit {
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_EVERY);
        if due {
            self.looked = Some(now);
        }
        due
    }
}

/// What comes of a look at one market.
enum Finding {
    Contradicted { expected: Position, found: Position, time: i64 },
    Agrees,
}

impl Core {
    /// Looks at every chain whose dex is shown.
    pub(super) fn audit(&mut self, account: [u8; 20], shown: &[DexShown], now: Instant) {
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let (positions, ledger) = (&mut slot.positions, slot.machine.ledger());
        let mut findings = Vec::new();
        for (market, chain) in ledger.markets() {
            let Some(stands) = chain.head().and_then(|head| head.position) else { continue };
            let dex = dex_of(market).and_then(|dex| shown.iter().find(|shown| shown.dex == dex));
            let Some(dex) = dex else { continue };
            let held = dex.held.iter().find(|held| held.market == *market);
            let found = held.map_or_else(Position::default, |held| held.size);
            if found == stands {
                positions.audit.doubts.remove(market);
                if positions.telling.agree(market) {
                    findings.push((market.clone(), Finding::Agrees));
                }
                continue;
            }
            let Some((expected, since)) = slot.machine.settled(market) else {
                positions.audit.doubts.remove(market);
                continue;
            };
            let is_said = positions.telling.said_against(market) == Some(found);
            if is_said || dex.time < since.saturating_add(AFTER_FILL_MS) {
                continue;
            }
            let doubt =
                positions.audit.doubts.get(market).filter(|doubt| doubt.expected == expected).copied();
            match doubt {
                None => {
                    positions.audit.doubts.insert(market.clone(), Doubt { expected, time: dex.time });
                }
                Some(doubt) if dex.time < doubt.time.saturating_add(APART_MS) => {}
                Some(_) => {
                    positions.audit.doubts.remove(market);
                    let finding = Finding::Contradicted { expected, found, time: dex.time };
                    findings.push((market.clone(), finding));
                }
            }
        }
        for (market, finding) in findings {
            self.act_on(account, &market, &finding, now);
        }
    }

    fn act_on(&mut self, account: [u8; 20], market: &Market, finding: &Finding, now: Instant) {
        match *finding {
            Finding::Contradicted { expected, found, time } => {
                if let Some(slot) = self.slots.get(&account) {
                    let influencer = &slot.followed.influencer;
                    self.telemetry.emit(&Contradicted {
                        influencer,
                        market: market.as_str(),
                        expected,
                        found,
                        time,
                    });
                }
                self.with_slot(account, |slot| {
                    slot.positions.telling.dispute(market, found, time);
                    slot.machine.handle_contradicted(market, found, time, now);
                });
            }
            Finding::Agrees => {
                self.with_slot(account, |slot| slot.machine.handle_borne_out(market, now));
            }
        }
    }
}
