//! What can be subscribed, what is sent for it, and how the venue's normalised echo is recognised.
//!
//! The venue echoes subscriptions in its own form: keys in its order, the account in lower case, left-out options filled in. So an
//! echo is matched by subset: everything we asked for is in it; what it has besides does not matter.

use super::Address;
use serde::Deserialize;
use std::borrow::Cow;

/// A subscription. Options are part of its identity: to end it, send the same ones.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Subscription {
    /// All fills of an account, every market; never aggregated.
    UserFills {
        /// Account.
        user: Address,
    },
    /// Slices of the account's own TWAPs.
    UserTwapSliceFills {
        /// Account.
        user: Address,
    },
    /// Arrives on channel `user` without naming the account: one such account on a connection.
    UserEvents {
        /// Account.
        user: Address,
    },
    /// Order changes; the frames do not name the account: one such account on a connection.
    OrderUpdates {
        /// Account.
        user: Address,
    },
    /// Positions on one dex.
    ClearinghouseState {
        /// Account.
        user: Address,
        /// `""` is the main dex.
        dex: String,
    },
    /// Positions on every dex.
    AllDexsClearinghouseState {
        /// Account.
        user: Address,
    },
    /// The public tape of one market. A coin that does not exist kills the whole socket: take names from the metas.
    Trades {
        /// Market.
        coin: String,
    },
}

/// The venue's echo of a subscription, in an acknowledgement or inside an error text.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct SubscriptionEcho<'a> {
    /// Channel type, as asked for.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Account, lower case.
    #[serde(borrow, default)]
    pub user: Option<Cow<'a, str>>,
    /// Market.
    #[serde(borrow, default)]
    pub coin: Option<Cow<'a, str>>,
    /// Dex.
    #[serde(borrow, default)]
    pub dex: Option<Cow<'a, str>>,
    /// Whether fills are merged; we never ask for that.
    #[serde(default, rename = "aggregateByTime")]
    pub aggregate_by_time: Option<bool>,
}

impl Subscription {
    /// The channel type to ask for.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UserFills { .. } => "userFills",
            Self::UserTwapSliceFills { .. } => "userTwapSliceFills",
            Self::UserEvents { .. } => "userEvents",
            Self::OrderUpdates { .. } => "orderUpdates",
            Self::ClearinghouseState { .. } => "clearinghouseState",
            Self::AllDexsClearinghouseState { .. } => "allDexsClearinghouseState",
            Self::Trades { .. } => "trades",
        }
    }

    /// The account that takes one of the venue's user slots for it; `None` when it takes none.
    #[must_use]
    pub const fn user(&self) -> Option<Address> {
        match self {
            Self::UserFills { user }
            | Self::UserTwapSliceFills { user }
            | Self::UserEvents { user }
            | Self::OrderUpdates { user }
            | Self::ClearinghouseState { user, .. }
            | Self::AllDexsClearinghouseState { user } => Some(*user),
            Self::Trades { .. } => None,
        }
    }

    /// The subscription object as sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        let kind = self.kind();
        match self {
            Self::UserFills { user } => {
                format!(r#"{{"type":"{kind}","user":"{user}","aggregateByTime":false}}"#)
            }
            Self::UserTwapSliceFills { user }
            | Self::UserEvents { user }
            | Self::OrderUpdates { user }
            | Self::AllDexsClearinghouseState { user } => format!(r#"{{"type":"{kind}","user":"{user}"}}"#),
            Self::ClearinghouseState { user, dex } => {
                let dex = serde_json::Value::from(dex.as_str()); // escapes what needs escaping
                format!(r#"{{"type":"{kind}","user":"{user}","dex":{dex}}}"#)
            }
            Self::Trades { coin } => {
                let coin = serde_json::Value::from(coin.as_str());
                format!(r#"{{"type":"{kind}","coin":{coin}}}"#)
            }
        }
    }

    /// Whether an echo is of this subscription: everything asked for is in it, accounts compared without case.
    #[must_use]
    pub fn matches(&self, echo: &SubscriptionEcho<'_>) -> bool {
        let user_matches = self.user().is_none_or(|user| {
            echo.user
                .as_deref()
                .and_then(|text| Address::parse(text).ok())
                .is_some_and(|echoed| echoed == user)
        });
        let options_match = match self {
            Self::UserFills { .. } => echo.aggregate_by_time != Some(true),
            Self::ClearinghouseState { dex, .. } => echo.dex.as_deref().unwrap_or("") == dex,
            Self::Trades { coin } => echo.coin.as_deref() == Some(coin),
            Self::UserTwapSliceFills { .. }
            | Self::UserEvents { .. }
            | Self::OrderUpdates { .. }
            | Self::AllDexsClearinghouseState { .. } => true,
        };
        echo.kind == self.kind() && user_matches && options_match
    }
}

impl SubscriptionEcho<'_> {
    /// Reads an echo out of JSON text, as it stands inside an error text; `None` when it is none.
    #[must_use]
    pub fn from_json(text: &str) -> Option<SubscriptionEcho<'_>> {
        serde_json::from_str(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "0x00000000000000000000000000000000000000aa";

    fn user() -> Address {
        Address::parse(USER).unwrap()
    }

    #[test]
    fn a_normalised_echo_is_recognised() {
        let upper = USER.to_uppercase().replace("0X", "0x");
        let echo = format!(r#"{{"type":"userFills","aggregateByTime":false,"later":[1],"user":"{upper}"}}"#);
        let echo = SubscriptionEcho::from_json(&echo).unwrap();
        assert!(Subscription::UserFills { user: user() }.matches(&echo));
        assert!(!Subscription::UserEvents { user: user() }.matches(&echo));
    }

    #[test]
    fn options_are_part_of_the_identity() {
        let echo = SubscriptionEcho::from_json(
            r#"{"type":"clearinghouseState","dex":"xyz","user":"0x00000000000000000000000000000000000000aa"}"#,
        )
        .unwrap();
        assert!(Subscription::ClearinghouseState { user: user(), dex: "xyz".into() }.matches(&echo));
        assert!(!Subscription::ClearinghouseState { user: user(), dex: String::new() }.matches(&echo));
    }

    #[test]
    fn what_is_sent_is_recognised_in_return() {
        let all = [
            Subscription::UserFills { user: user() },
            Subscription::UserTwapSliceFills { user: user() },
            Subscription::UserEvents { user: user() },
            Subscription::OrderUpdates { user: user() },
            Subscription::ClearinghouseState { user: user(), dex: "a\"b".into() },
            Subscription::AllDexsClearinghouseState { user: user() },
            Subscription::Trades { coin: "PURR/USDC".into() },
        ];
        for (at, subscription) in all.iter().enumerate() {
            let json = subscription.to_json();
            let echo = SubscriptionEcho::from_json(&json).unwrap();
            for (other, candidate) in all.iter().enumerate() {
                assert_eq!(candidate.matches(&echo), at == other, "{candidate:?} against {json}");
            }
        }
    }
}
