//! What `/status` says of a worker.

use serde::Serialize;
use signal_domain::{Market, MarketKind};

use super::Core;
use crate::account::Coverage;

/// One worker.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// Listeners that are connected.
    pub listeners_connected: usize,
    /// Listeners there are.
    pub listeners: usize,
    /// Newest venue time seen, ms.
    pub venue_time: Option<i64>,
    /// Batches wait because the journal has no room: frames are refused.
    pub blocked: bool,
    /// Questions to the info API that wait.
    pub questions_waiting: usize,
    /// Its accounts.
    pub accounts: Vec<AccountStatus>,
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
    /// Second copies dropped.
    pub duplicates: u64,
    /// What the venue said when it refused the account, on any listener; it is asked again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// It was removed and is kept subscribed for its grace.
    pub leaving: bool,
    /// Open perp positions by market, signed, as the account's fills tell them.
    pub positions: Vec<(String, String)>,
}

impl Core {
    /// The worker's status now; costs a pass over its accounts.
    pub(in crate::runtime) fn status(&self) -> WorkerStatus {
        let mut accounts: Vec<AccountStatus> = self
            .slots
            .values()
            .map(|slot| {
                let summary = slot.machine.summary();
                let positions = slot.machine.ledger().markets().filter_map(|(market, chain)| {
                    let after = chain.head()?.position.filter(|after| !after.0.is_zero())?;
                    let perp = Market::from_name(market.as_str()).ok()?.kind() == MarketKind::Perp;
                    perp.then(|| (market.as_str().to_owned(), after.0.normalize().to_string()))
                });
                AccountStatus {
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
                    duplicates: summary.counts.duplicates,
                    refused: slot.refused.values().next().cloned(),
                    leaving: slot.leaving.is_some(),
                    positions: positions.collect(),
                }
            })
            .collect();
        accounts.sort_by(|a, b| a.influencer_id.cmp(&b.influencer_id));
        WorkerStatus {
            listeners_connected: self.connected.len(),
            listeners: self.controls.len(),
            venue_time: self.venue_time,
            blocked: self.outbox.is_blocked(),
            questions_waiting: self.asks.len(),
            accounts,
        }
    }
}
