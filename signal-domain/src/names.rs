//! The named sets of the contracts: one enum each, with the exact text that goes on the wire.
//!
//! Each has `ALL`, `as_str`, `Display` and `FromStr`. Most sets are open in schema v1 (a consumer must accept members it
//! does not know), so the wire types wrap them in [`crate::wire::Open`]; what *we* write is always one of these.

/// A text that is no member of a named set.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no {set}")]
pub struct UnknownName {
    /// The set, in words.
    pub set: &'static str,
    /// What was given.
    pub text: Box<str>,
}

/// Declares an enum with its texts; the text is the contract, the variant's name is ours.
macro_rules! named_set {
    ($set:literal; $(#[$meta:meta])* pub enum $name:ident { $($(#[$member:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name { $($(#[$member])* $variant,)+ }

        impl $name {
            /// Every member.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text of the contract.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::UnknownName { set: $set, text: text.into() }),
                }
            }
        }
    };
}
pub(crate) use named_set;

named_set! { "network";
/// Which venue network an account is followed on.
pub enum Network {
    /// The venue's production network.
    Mainnet = "mainnet",
    /// The venue's test network.
    Testnet = "testnet",
    /// A simulated venue.
    Sim = "sim",
}
}

named_set! { "origin";
/// How an event reached us.
pub enum Origin {
    /// A live frame of a subscription.
    Live = "live",
    /// The history a subscription starts with.
    Snapshot = "snapshot",
    /// Read from the venue's history.
    Backfill = "backfill",
    /// The public tape of a market.
    Tape = "tape",
}
}

named_set! { "event type";
/// What a raw event holds.
pub enum EventType {
    /// A row of the fills stream.
    Fill = "FILL",
    /// A TWAP slice, in its `{fill,twapId}` wrapper.
    TwapFill = "TWAP_FILL",
    /// A change of an order.
    OrderUpdate = "ORDER_UPDATE",
    /// An account state.
    PositionSnapshot = "POSITION_SNAPSHOT",
    /// A change of an account state.
    PositionUpdate = "POSITION_UPDATE",
    /// A row of the public tape.
    Trade = "TRADE",
    /// Anything this version does not know.
    Unknown = "UNKNOWN",
}
}

named_set! { "disposition";
/// What became of a raw event.
pub enum Disposition {
    /// It made a signal.
    Signal = "signal",
    /// It happened before the account was followed.
    Baseline = "baseline",
    /// Its market, or its kind of market, is switched off.
    Filtered = "filtered",
    /// The position is the same after rounding.
    NoChange = "no_change",
    /// Nobody follows the account.
    Unfollowed = "unfollowed",
    /// A sink is too far behind, and the account's priority is low.
    Shed = "shed",
    /// Kept for audit; this kind never makes a signal.
    Stored = "stored",
}
}

named_set! { "stage";
/// Where a dead letter was refused.
pub enum Stage {
    /// Reading the frame.
    Decode = "decode",
    /// Checking the event.
    Validate = "validate",
    /// Making the signal.
    Normalize = "normalize",
    /// Writing to a sink.
    Publish = "publish",
}
}

named_set! { "payload encoding";
/// How a payload that is not UTF-8 is written.
pub enum Encoding {
    /// RFC 4648, standard alphabet, padded.
    Base64 = "base64",
}
}

named_set! { "gap kind";
/// Why events may be missing.
pub enum GapKind {
    /// A fill does not start where the one before it ended.
    Chain = "chain",
    /// Nobody listened.
    Outage = "outage",
    /// A subscription went silent while its socket lived.
    Silent = "silent",
    /// Two copies of one event disagree.
    Conflict = "conflict",
    /// The venue's history does not reach back far enough, or cannot be read completely.
    History = "history",
    /// Events were shed.
    Shed = "shed",
}
}

named_set! { "gap state";
/// What is known about a gap.
pub enum GapState {
    /// Events may be missing.
    Opened = "opened",
    /// Nothing is missing any more.
    Repaired = "repaired",
    /// The venue no longer has what is missing.
    Unfillable = "unfillable",
    /// A new epoch: gaps of lower epochs are void; those still open follow.
    Reset = "reset",
}
}

named_set! { "coverage";
/// How well an account is listened to.
pub enum Coverage {
    /// By every listener.
    Full = "full",
    /// By one only.
    Single = "single",
    /// By none.
    Blind = "blind",
    /// Listened to, but the venue is silent or late.
    Stale = "stale",
}
}

named_set! { "state source";
/// Where a market's state comes from.
pub enum StateSource {
    /// The chain of its fills.
    Chain = "chain",
    /// The venue's account state.
    Venue = "venue",
}
}

named_set! { "state reason";
/// Why a market's state was written.
pub enum StateReason {
    /// The account is new.
    Baseline = "baseline",
    /// A fill changed it.
    Change = "change",
    /// A gap closed, or the venue contradicted the chain.
    Resync = "resync",
    /// It is still so.
    Heartbeat = "heartbeat",
}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_reads_back_from_its_text() {
        fn check<T: Copy + PartialEq + std::fmt::Debug + AsRef<str> + std::str::FromStr>(all: &[T])
        where
            T::Err: std::fmt::Debug,
        {
            for member in all {
                assert_eq!(member.as_ref().parse::<T>().unwrap(), *member);
            }
        }
        check(Network::ALL);
        check(Origin::ALL);
        check(EventType::ALL);
        check(Disposition::ALL);
        check(Stage::ALL);
        check(GapKind::ALL);
        check(GapState::ALL);
        check(Coverage::ALL);
        check(StateSource::ALL);
        check(StateReason::ALL);
        check(crate::Action::ALL);
        check(crate::PositionSide::ALL);
        check(crate::Cause::ALL);
        check(crate::Reason::ALL);
        check(crate::Side::ALL);
    }

    #[test]
    fn a_stranger_is_named() {
        let error = "MAINNET".parse::<Network>().unwrap_err();
        assert_eq!(error.to_string(), "\"MAINNET\" is no network");
    }
}
