//! What `/status` says of a worker.

use serde::Serialize;
use signal_domain::{Market, MarketKind};

use super::Core;
use super::limits::EndpointUse;
use super::probing::ListenerStatus;
use super::slot::Slot;
use crate::account::{Coverage, Gap, GapState, Shedding};
use crate::completeness::{Complete, Share, hour_began};
use crate::render::{gap_id, gap_kind, venue_ms};

/// One worker.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// Listeners that are connected.
    pub listeners_connected: usize,
    /// Listeners there are.
    pub listeners: usize,
    /// Each of them.
    pub each_listener: Vec<ListenerStatus>,
    /// What the last attempt to connect said, while none has succeeded since.
    pub cannot_connect: Option<String>,
    /// The venue's clock is at least there, as two sources show it, ms.
    pub venue_time: Option<i64>,
    /// How far our wall clock is ahead of the venue's, with the way from there, ms: a label's error, no decision's.
    pub clock_ahead_ms: Option<i64>,
    /// The journal has no room: frames are refused.
    pub blocked: bool,
    /// Influencers whose signals are held back because a sink is behind.
    pub shed_signals: usize,
    /// Those whose rows are, too.
    pub shed_rows: usize,
    /// Accepted batches wait for room.
    pub waiting: bool,
    /// Questions to the info API that wait.
    pub questions_waiting: usize,
    /// Its accounts.
    pub accounts: Vec<AccountStatus>,
    /// What may be missing, at most 1,000 of it; the gap stream has all.
    pub gaps: Vec<GapStatus>,
    /// How complete the signals are, and how far that is known.
    pub completeness: Completeness,
    /// What the venue allows, and how much of it is in use.
    pub limits: Vec<EndpointUse>,
}

/// Gaps shown.
const GAPS_MAX: usize = 1_000;

/// One gap that is not repaired.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GapStatus {
    /// As in the gap stream.
    pub gap_id: String,
    /// Whose.
    pub influencer_id: String,
    /// Of this market, or of all.
    pub market: Option<String>,
    /// `chain`, `outage`, `conflict`, `history`, `silent`, `shed`.
    pub kind: &'static str,
    /// `opened`: history is being asked (`shed`: it goes on); `unfillable`: it cannot tell.
    pub state: &'static str,
    /// Where it begins, venue ms.
    pub from_time: u64,
    /// Where it ends, venue ms.
    pub to_time: u64,
}

/// How complete the signals are.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Completeness {
    /// Of all accounts together.
    pub total: Complete,
    /// Of each.
    pub accounts: Vec<AccountCompleteness>,
}

/// How complete one account is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCompleteness {
    /// Whose.
    pub influencer_id: String,
    /// The numbers.
    #[serde(flatten)]
    pub complete: Complete,
    /// Gaps still asked for.
    pub open_gaps: usize,
    /// Gaps history cannot tell.
    pub unfillable_gaps: usize,
}

/// One account.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// Our name.
    pub influencer_id: String,
    /// The account.
    pub account: String,
    /// `full`, `single`, `blind`.
    pub coverage: &'static str,
    /// Whether its baseline is made.
    pub based: bool,
    /// Venue time of the newest row, ms.
    pub newest: Option<i64>,
    /// Everything up to this venue time is published or declared, ms.
    pub certified_to: Option<i64>,
    /// Rows that wait for their turn.
    pub held: usize,
    /// Gaps still asked for.
    pub open_gaps: usize,
    /// Gaps history cannot tell.
    pub unfillable_gaps: usize,
    /// What of it is held back because a sink is behind: `signals`, or `rows` too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shedding: Option<&'static str>,
    /// Events that made no signal for that reason, since the start.
    pub shed: u64,
    /// Second copies dropped.
    pub duplicates: u64,
    /// Rows of live frames dropped because they are older than anything that is still told apart: known by rule.
    pub passed_over: u64,
    /// Times that a row showed that the account was certified too far, and the certificate was taken back.
    pub overruns: u64,
    /// Why it is not served everywhere: what the venue said when it refused the account, on any listener (it is asked again by itself),
    /// or that there is no room for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// It was removed and is kept subscribed for its grace.
    pub leaving: bool,
    /// Markets where the venue shows another position than the account's fills tell; it is in doubt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contradicted: Vec<String>,
    /// Its settings as the list has them: what is in force now.
    pub settings: serde_json::Value,
    /// Open perp positions by market, signed, as the account's fills tell them.
    pub positions: Vec<(String, String)>,
}

impl Core {
    /// The worker's status now; costs a pass over its accounts.
    pub(in crate::runtime) fn status(&self) -> WorkerStatus {
        let mut accounts: Vec<(AccountStatus, Complete)> = self
            .slots
            .values()
            .map(|slot| {
                let summary = slot.machine.summary();
                let complete = slot.complete(summary.certified, self.venue_time.known());
                let positions = slot.machine.ledger().markets().filter_map(|(market, chain)| {
                    let after = chain.head()?.position.filter(|after| !after.0.is_zero())?;
                    let perp = Market::from_name(market.as_str()).ok()?.kind() == MarketKind::Perp;
                    perp.then(|| (market.as_str().to_owned(), after.0.normalize().to_string()))
                });
                let account = AccountStatus {
                    influencer_id: slot.followed.influencer.to_string(),
                    account: slot.followed.account.to_string(),
                    coverage: match summary.coverage {
                        Coverage::Full => "full",
                        Coverage::Single => "single",
                        Coverage::Blind => "blind",
                    },
                    based: summary.based,
                    newest: slot.newest.max(summary.newest),
                    certified_to: summary.certified.filter(|time| *time > 0),
                    held: summary.held,
                    open_gaps: summary.open_gaps,
                    unfillable_gaps: summary.unfillable_gaps,
                    shedding: match slot.machine.shedding() {
                        Shedding::Off => None,
                        Shedding::Signals => Some("signals"),
                        Shedding::Rows => Some("rows"),
                    },
                    shed: summary.counts.shed,
                    duplicates: summary.counts.duplicates,
                    passed_over: summary.counts.passed_over,
                    overruns: summary.counts.overruns,
                    refused: slot
                        .refused
                        .values()
                        .next()
                        .map(|(_, text)| text.clone())
                        .or_else(|| self.no_room_for(slot)),
                    leaving: slot.leaving.is_some(),
                    contradicted: slot
                        .positions
                        .telling
                        .disputed()
                        .map(|market| market.as_str().to_owned())
                        .collect(),
                    settings: slot.followed.listed.clone(),
                    positions: positions.collect(),
                };
                (account, complete)
            })
            .collect();
        accounts.sort_by(|(a, _), (b, _)| a.influencer_id.cmp(&b.influencer_id));
        let mut gaps: Vec<GapStatus> =
            self.slots.values().flat_map(Slot::gap_status).take(GAPS_MAX).collect();
        gaps.sort_by(|a, b| (&a.influencer_id, a.from_time).cmp(&(&b.influencer_id, b.from_time)));
        let each_listener = self.listener_status(crate::runtime::clock::now());
        WorkerStatus {
            completeness: Completeness::of(&accounts),
            gaps,
            limits: self.limits_in_use(),
            listeners_connected: each_listener.iter().filter(|listener| listener.connected).count(),
            listeners: each_listener.len(),
            each_listener,
            cannot_connect: self.cannot_connect.clone(),
            venue_time: self.venue_time.known(),
            clock_ahead_ms: self.venue_time.wall_ahead(),
            blocked: self.outbox.is_blocked(),
            shed_signals: self.shed(Shedding::Signals),
            shed_rows: self.shed(Shedding::Rows),
            waiting: self.outbox.holds(),
            questions_waiting: self.asks.len(),
            accounts: accounts.into_iter().map(|(account, _)| account).collect(),
        }
    }
}

impl Completeness {
    fn of(accounts: &[(AccountStatus, Complete)]) -> Self {
        let each = accounts.iter().map(|(account, complete)| AccountCompleteness {
            influencer_id: account.influencer_id.clone(),
            complete: *complete,
            open_gaps: account.open_gaps,
            unfillable_gaps: account.unfillable_gaps,
        });
        Self {
            total: Complete::total(accounts.iter().map(|(_, complete)| *complete)),
            accounts: each.collect(),
        }
    }
}

impl Core {
    fn no_room_for(&self, slot: &Slot) -> Option<String> {
        let bound = self.lacks.filter(|_| slot.cell.is_none())?;
        Some(format!("not asked for: the venue allows too few {bound}"))
    }
}

impl Slot {
    /// How complete it is; before the venue's clock is known, as far as its own rows tell the time. While nobody listens something may
    /// be missing.
    fn complete(&self, certified: Option<i64>, venue_time: Option<i64>) -> Complete {
        let until = venue_time.or(self.newest).unwrap_or(i64::MAX);
        let (ledger, certified_to) = (self.machine.ledger(), certified.filter(|time| *time > 0));
        let unheard = u64::from(self.blind.is_long());
        Complete {
            since_start: Share { published: self.tally.total(), missing: ledger.missing(i64::MIN) + unheard },
            last_hour: Share {
                published: self.tally.last_hour(until),
                missing: ledger.missing(hour_began(until)) + unheard,
            },
            certified_to,
            behind_ms: certified_to.and_then(|time| Some(venue_time?.saturating_sub(time).max(0))),
        }
    }

    /// Its gaps that are not repaired.
    fn gap_status(&self) -> impl Iterator<Item = GapStatus> + '_ {
        let shown = |gap: &Gap| {
            let from_time =
                self.gaps.told(&gap.id).map_or_else(|| venue_ms(gap.id.from), |told| told.from_ms);
            GapStatus {
                gap_id: gap_id(&self.followed.influencer, &gap.id, from_time).to_string(),
                influencer_id: self.followed.influencer.to_string(),
                market: gap.id.market.as_ref().map(|market| market.as_str().to_owned()),
                kind: gap_kind(gap.id.kind).as_str(),
                state: if gap.state == GapState::Opened { "opened" } else { "unfillable" },
                from_time,
                to_time: venue_ms(gap.to).max(from_time),
            }
        };
        self.machine.ledger().gaps().iter().map(shown)
    }
}
