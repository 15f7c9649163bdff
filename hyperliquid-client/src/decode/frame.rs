//! What a frame turns out to be.

use super::{Row, VenueError};
use crate::wire::{
    Address, DexState, Fill, Funding, LiquidationEvent, NonUserCancel, OrderUpdate, SubscriptionEcho, Trade,
    TwapFill, TwapHistoryRow,
};

/// A decoded frame and what in it was new to us.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<'a> {
    /// The message.
    pub frame: Frame<'a>,
    /// Fields and values we do not know; nothing was lost by them.
    pub drift: Drift<'a>,
}

/// How far the venue has moved away from what we know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Drift<'a> {
    /// Unknown fields in rows and beside them in `data`. Rows read by serde (states, acknowledgements, what is seldom) are not counted.
    pub unknown_fields: u32,
    /// Unknown `dir` texts.
    pub unknown_dirs: u32,
    /// The first of them, for the log: a field's name or a `dir` text.
    pub first: Option<&'a str>,
}

impl Drift<'_> {
    /// Whether anything was new.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.unknown_fields > 0 || self.unknown_dirs > 0
    }
}

/// A message of the venue.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a> {
    /// `userFills`.
    Fills(FillsFrame<'a>),
    /// `userTwapSliceFills`.
    TwapFills(TwapFillsFrame<'a>),
    /// `user` (subscribed as `userEvents`); names no account.
    UserEvents(Box<UserEvents<'a>>),
    /// `orderUpdates`; names no account.
    OrderUpdates(Vec<Row<'a, OrderUpdate<'a>>>),
    /// `trades`.
    Trades(Vec<Row<'a, Trade<'a>>>),
    /// `clearinghouseState`: one dex.
    State {
        /// Account.
        user: Address,
        /// Its state there.
        state: Box<DexState<'a>>,
    },
    /// `allDexsClearinghouseState`: every dex.
    AllStates {
        /// Account.
        user: Address,
        /// One row for each dex.
        states: Vec<Row<'a, DexState<'a>>>,
    },
    /// `subscriptionResponse`.
    Ack {
        /// What is acknowledged.
        method: AckMethod<'a>,
        /// The normalised echo.
        echo: Box<SubscriptionEcho<'a>>,
    },
    /// `error`.
    VenueError(Box<VenueError<'a>>),
    /// `pong`.
    Pong,
    /// `post`: an info answer over the socket.
    Post {
        /// The id asked with.
        id: u64,
        /// `info`, `action` or `error`.
        kind: &'a str,
        /// The payload's bytes.
        payload: &'a [u8],
    },
    /// Text that is not JSON but the venue's known greeting.
    Greeting(&'a str),
    /// A channel we do not know, or know and have no use for (`allMids`).
    Unknown {
        /// Its name.
        channel: &'a str,
    },
}

/// `userFills`.
#[derive(Clone, Debug, PartialEq)]
pub struct FillsFrame<'a> {
    /// Account.
    pub user: Address,
    /// History sent after subscribing (absent on the wire means false).
    pub is_snapshot: bool,
    /// Fills in the order of the frame: oldest first.
    pub rows: Vec<Row<'a, Fill<'a>>>,
}

/// `userTwapSliceFills`.
#[derive(Clone, Debug, PartialEq)]
pub struct TwapFillsFrame<'a> {
    /// Account.
    pub user: Address,
    /// History sent after subscribing.
    pub is_snapshot: bool,
    /// Slices in the order of the frame.
    pub rows: Vec<Row<'a, TwapFill<'a>>>,
}

/// What a `user` frame holds; the venue sends one kind per frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserEvents<'a> {
    /// Repeats `userFills`.
    pub fills: Vec<Row<'a, Fill<'a>>>,
    /// Repeats `userTwapSliceFills`.
    pub twap_fills: Vec<Row<'a, TwapFill<'a>>>,
    /// Funding paid.
    pub funding: Option<Row<'a, Funding<'a>>>,
    /// A liquidation.
    pub liquidation: Option<Row<'a, LiquidationEvent<'a>>>,
    /// Orders the venue cancelled.
    pub non_user_cancels: Vec<Row<'a, NonUserCancel<'a>>>,
    /// TWAPs that changed.
    pub twap_history: Vec<Row<'a, TwapHistoryRow<'a>>>,
}

/// What an acknowledgement is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AckMethod<'a> {
    /// `subscribe`.
    Subscribe,
    /// `unsubscribe`.
    Unsubscribe,
    /// Anything else.
    Other(&'a str),
}
