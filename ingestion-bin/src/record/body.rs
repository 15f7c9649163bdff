//! The bodies. Positional on disk: a field is never moved, removed or added without a new version.

use std::borrow::Cow;

use dedup::{Digest, FillKey, Link};
use serde::{Deserialize, Serialize};
use signal_domain::Account;

use super::Kind;
use super::account::RowKind;
use super::notice::Notice;
use super::shown::{ContextBody, DexShown};
use crate::account::{Fate, Gap, GapId, Market, Position, Stream};

/// Any record's body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Body<'a> {
    /// Of one followed account.
    #[serde(borrow)]
    Account(AccountBody<'a>),
    /// Something refused.
    #[serde(borrow)]
    Refusal(RefusalBody<'a>),
    /// Something kept that is no fill.
    #[serde(borrow)]
    Raw(RawBody<'a>),
    /// A run of the process.
    #[serde(borrow)]
    Run(RunBody<'a>),
    /// Info weight spent at an endpoint.
    Spent {
        /// The endpoint's name.
        endpoint: Cow<'a, str>,
        /// Weight.
        weight: u32,
        /// When, by the wall clock, ms.
        at_ms: u64,
    },
    /// Positions that the sink of the signals passes without having got them: their signals are declared by gap records in front of
    /// this one. Changes no state.
    Passed {
        /// The first one.
        from: u64,
        /// The one behind the last.
        to: u64,
    },
    /// What the venue shows of one account on one dex.
    State {
        /// Whose and when.
        #[serde(borrow)]
        stamp: Stamp<'a>,
        /// What.
        shown: Cow<'a, DexShown>,
    },
    /// What consumers are told of where an account stands.
    Notice {
        /// Whose and when.
        #[serde(borrow)]
        stamp: Stamp<'a>,
        /// What.
        #[serde(borrow)]
        notice: Notice<'a>,
    },
    /// What another instance knew of an account replaces what is known here.
    Adopted {
        /// Whose, when it was taken over, and the epoch of who knew it.
        #[serde(borrow)]
        stamp: Stamp<'a>,
        /// The state ([`crate::state::AccountState`]) as it was shared.
        state: &'a [u8],
    },
}

/// Whose record, and when it was made.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Stamp<'a> {
    /// The account.
    pub account: [u8; 20],
    /// The influencer's id.
    pub influencer: &'a str,
    /// `mainnet`, `testnet`, `sim`.
    pub network: &'a str,
    /// When the machine gave it out, wall clock, ms. A label, no input of any decision.
    pub at_ms: u64,
    /// The epoch it belongs to.
    pub epoch: u64,
}

/// A record of one account's machine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AccountBody<'a> {
    /// Whose and when.
    #[serde(borrow)]
    pub stamp: Stamp<'a>,
    /// What.
    #[serde(borrow)]
    pub change: Change<'a>,
}

/// What changed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Change<'a> {
    /// A new run of numbers.
    Epoch {
        /// The account was added (again).
        fresh: bool,
        /// Venue ms.
        margin_ms: i64,
        /// Whether the TWAP stream is followed.
        twap: bool,
    },
    /// The stream begins.
    Baseline {
        /// Which.
        stream: Stream,
        /// Venue ms.
        at: i64,
        /// Where its first read of history begins.
        anchor: Option<(FillKey, i64)>,
        /// The venue's clock then, ms; our own where nothing had shown it. A label: what is older was asked for and is not there.
        made_at_ms: u64,
    },
    /// An accepted row.
    #[serde(borrow)]
    Event(EventBody<'a>),
    /// A gap's newest state.
    Gap {
        /// As it is now.
        gap: Gap,
        /// What consumers are told besides.
        told: Told,
    },
    /// A gap that is declared inside another one.
    Absorbed {
        /// Which.
        gap: GapId,
    },
    /// Everything up to here is published or declared.
    Certified {
        /// Which.
        stream: Stream,
        /// Venue ms.
        to: i64,
        /// Where the next read begins.
        anchor: Option<(FillKey, i64)>,
    },
    /// Followed no longer.
    Removed,
    /// Nothing from this venue time on is baseline, ms: a live row waits for one.
    Heard {
        /// Venue ms.
        from: i64,
    },
}

/// What is told of a gap and is no matter of the machine. Found out when it is opened and kept as long as the gap is, so that every
/// record of it says the same, whichever run writes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Told {
    /// Where it begins, venue ms: the gap's own begin, or where nothing was known before it, the begin of following. Part of the
    /// published id.
    pub from_ms: u64,
    /// When it was opened, wall clock, ms.
    pub opened_at_ms: u64,
    /// When it was closed first and has stayed so since, wall clock, ms.
    pub closed_at_ms: Option<u64>,
    /// Of a conflict: the contents that disagree, as the venue wrote them.
    pub contents: Vec<String>,
}

/// An accepted row with the venue's bytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EventBody<'a> {
    /// Identity.
    pub key: FillKey,
    /// Content.
    pub digest: Digest,
    /// Market.
    pub market: Market,
    /// Stream.
    pub stream: Stream,
    /// Venue ms.
    pub time: i64,
    /// What it does to the position.
    pub link: Option<Link<Position>>,
    /// What became of it.
    pub fate: Fate,
    /// 0 live, 1 snapshot, 2 backfill.
    pub origin: u8,
    /// Newer ones of its market went out before.
    pub late: bool,
    /// Its number.
    pub seq: Option<u64>,
    /// Another of its market follows at once.
    pub more: bool,
    /// The gap before it.
    pub gap: Option<GapId>,
    /// 0, or n for the n-th correction.
    pub revision: u32,
    /// The event it replaces, when that was another fill.
    pub supersedes: Option<FillKey>,
    /// The signal it replaces.
    pub supersedes_signal: Option<[u8; 16]>,
    /// How its bytes are to be read.
    pub row: RowKind,
    /// When its bytes arrived, ns.
    pub received_at_ns: u64,
    /// Which listener; 255 is the info API.
    pub listener: u8,
    /// Which connection of the process; 0 for the info API.
    pub connection: u64,
    /// Of a signal: what the venue had shown of the account by then.
    #[serde(borrow)]
    pub context: Option<ContextBody<'a>>,
    /// The venue's bytes, untouched.
    #[serde(borrow)]
    pub raw: &'a [u8],
}

/// Something refused. A dead letter is made of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RefusalBody<'a> {
    /// `decode`, `validate`, `normalize`, `publish`.
    pub stage: &'a str,
    /// One of the closed set.
    pub reason: &'a str,
    /// In words.
    pub detail: Cow<'a, str>,
    /// Whose, where it is known.
    pub account: Option<[u8; 20]>,
    /// Which event, where it is known.
    pub source_event_id: Option<Cow<'a, str>>,
    /// When it arrived, ns.
    pub received_at_ns: u64,
    /// Which listener; 255 is the info API.
    pub listener: u8,
    /// Which connection.
    pub connection: u64,
    /// Length of the whole, also when the bytes were not kept.
    pub length: u64,
    /// The bytes; `None` when they were too many to keep.
    pub payload: Option<&'a [u8]>,
}

/// Something kept that is no fill of a followed account.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RawBody<'a> {
    /// Whose, where the venue says.
    pub account: Option<[u8; 20]>,
    /// The influencer's id, when followed.
    pub influencer: Option<&'a str>,
    /// One of raw.v1's event types.
    pub event_type: &'a str,
    /// `stored` or `unfollowed`.
    pub disposition: &'a str,
    /// Our name of the market, where there is one.
    pub market: Option<Cow<'a, str>>,
    /// The event's key.
    pub source_event_id: Option<Cow<'a, str>>,
    /// Venue ms, where the venue says.
    pub time: Option<i64>,
    /// When the record was made, ms.
    pub at_ms: u64,
    /// When its bytes arrived, ns.
    pub received_at_ns: u64,
    /// Which listener.
    pub listener: u8,
    /// Which connection.
    pub connection: u64,
    /// The venue's bytes.
    pub raw: &'a [u8],
}

/// A run of the process.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RunBody<'a> {
    /// This program's version.
    pub version: &'a str,
    /// When it started, wall clock, ms.
    pub started_at_ms: u64,
    /// Which streams make signals: twap, spot, outcomes. A record says what became of each event; this is for people.
    pub streams: (bool, bool, bool),
}

impl Body<'_> {
    /// The kind the record is labelled with.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Account(body) => match body.change {
                Change::Epoch { .. } | Change::Removed => Kind::Epoch,
                Change::Baseline { .. } | Change::Heard { .. } => Kind::Baseline,
                Change::Event(_) => Kind::Event,
                Change::Gap { .. } | Change::Absorbed { .. } => Kind::Gap,
                Change::Certified { .. } => Kind::Certified,
            },
            Self::Refusal(_) => Kind::Refusal,
            Self::Raw(_) => Kind::Raw,
            Self::Run(_) => Kind::Run,
            Self::Spent { .. } => Kind::Spent,
            Self::Passed { .. } => Kind::Passed,
            Self::State { .. } => Kind::State,
            Self::Notice { .. } => Kind::Notice,
            Self::Adopted { .. } => Kind::Adopted,
        }
    }

    /// The account it is about.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        match self {
            Self::Account(AccountBody { stamp, .. })
            | Self::State { stamp, .. }
            | Self::Notice { stamp, .. }
            | Self::Adopted { stamp, .. } => Some(stamp.account),
            Self::Refusal(body) => body.account,
            Self::Raw(body) => body.account,
            Self::Run(_) | Self::Spent { .. } | Self::Passed { .. } => None,
        }
        .map(Account::from_bytes)
    }

    /// The venue time it is about, ms.
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        match self {
            Self::Account(AccountBody { change: Change::Event(event), .. }) => Some(event.time),
            Self::Raw(body) => body.time,
            Self::State { shown, .. } => Some(shown.time),
            Self::Account(_)
            | Self::Refusal(_)
            | Self::Run(_)
            | Self::Spent { .. }
            | Self::Passed { .. }
            | Self::Notice { .. }
            | Self::Adopted { .. } => None,
        }
    }
}
