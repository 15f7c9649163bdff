//! What can be asked, the body that asks it, and what it costs of the venue's weight (1200 a minute and address).

use crate::limits::InfoCost;
use crate::wire::Address;

/// A request to the info API. Times are venue ms, both ends inclusive. A fill may be on the socket before it is in an
/// answer: measured in 2026, 1.5 s covers nine in ten, and who wants to be sure waits a minute. The venue promises the newest 10,000 fills
/// of an account (docs of 2026) and often has more.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum InfoRequest {
    /// The newest 2000 fills, newest first. Holds no TWAP slices of the account's own.
    UserFills {
        /// Account.
        user: Address,
    },
    /// Fills from a time on, oldest first, at most 2000.
    UserFillsByTime {
        /// Account.
        user: Address,
        /// From, inclusive.
        start_ms: u64,
        /// To, inclusive; `None`: up to the newest.
        end_ms: Option<u64>,
    },
    /// The newest 2000 TWAP slices, newest first.
    UserTwapSliceFills {
        /// Account.
        user: Address,
    },
    /// TWAP slices from a time on, oldest first, at most 2000 (some say 500).
    UserTwapSliceFillsByTime {
        /// Account.
        user: Address,
        /// From, inclusive.
        start_ms: u64,
        /// To, inclusive; `None`: up to the newest.
        end_ms: Option<u64>,
    },
    /// Positions on one dex.
    ClearinghouseState {
        /// Account.
        user: Address,
        /// `""` is the main dex.
        dex: String,
    },
    /// What kind of account an address is.
    UserRole {
        /// Address.
        user: Address,
    },
    /// The sub-accounts of an account.
    SubAccounts {
        /// Account.
        user: Address,
    },
    /// Perp markets of one dex.
    Meta {
        /// `""` is the main dex.
        dex: String,
    },
    /// The dexes.
    PerpDexs,
    /// Spot markets and tokens.
    SpotMeta,
}

impl InfoRequest {
    /// The request's type on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UserFills { .. } => "userFills",
            Self::UserFillsByTime { .. } => "userFillsByTime",
            Self::UserTwapSliceFills { .. } => "userTwapSliceFills",
            Self::UserTwapSliceFillsByTime { .. } => "userTwapSliceFillsByTime",
            Self::ClearinghouseState { .. } => "clearinghouseState",
            Self::UserRole { .. } => "userRole",
            Self::SubAccounts { .. } => "subAccounts",
            Self::Meta { .. } => "meta",
            Self::PerpDexs => "perpDexs",
            Self::SpotMeta => "spotMeta",
        }
    }

    /// The body to POST; it needs `Content-Type: application/json`.
    #[must_use]
    pub fn body(&self) -> String {
        let kind = self.kind();
        match self {
            Self::UserFills { user } => {
                format!(r#"{{"type":"{kind}","user":"{user}","aggregateByTime":false}}"#)
            }
            Self::UserTwapSliceFills { user } | Self::UserRole { user } | Self::SubAccounts { user } => {
                format!(r#"{{"type":"{kind}","user":"{user}"}}"#)
            }
            Self::UserFillsByTime { user, start_ms, end_ms } => {
                let end = end_field(*end_ms);
                format!(
                    r#"{{"type":"{kind}","user":"{user}","startTime":{start_ms}{end},"aggregateByTime":false}}"#
                )
            }
            Self::UserTwapSliceFillsByTime { user, start_ms, end_ms } => {
                let end = end_field(*end_ms);
                format!(r#"{{"type":"{kind}","user":"{user}","startTime":{start_ms}{end}}}"#)
            }
            Self::ClearinghouseState { user, dex } if dex.is_empty() => {
                format!(r#"{{"type":"{kind}","user":"{user}"}}"#)
            }
            Self::ClearinghouseState { user, dex } => {
                let dex = serde_json::Value::from(dex.as_str()); // escapes what needs escaping
                format!(r#"{{"type":"{kind}","user":"{user}","dex":{dex}}}"#)
            }
            Self::Meta { dex } if !dex.is_empty() => {
                let dex = serde_json::Value::from(dex.as_str());
                format!(r#"{{"type":"{kind}","dex":{dex}}}"#)
            }
            Self::Meta { .. } | Self::PerpDexs | Self::SpotMeta => format!(r#"{{"type":"{kind}"}}"#),
        }
    }

    /// What it costs: charge [`InfoCost::most`] before asking, [`InfoCost::of_rows`] is the truth afterwards.
    #[must_use]
    pub const fn cost(&self) -> InfoCost {
        match self {
            Self::UserFills { .. }
            | Self::UserFillsByTime { .. }
            | Self::UserTwapSliceFills { .. }
            | Self::UserTwapSliceFillsByTime { .. } => InfoCost::PAGE,
            Self::ClearinghouseState { .. } => InfoCost::LIGHT,
            Self::UserRole { .. } => InfoCost::ROLE,
            Self::SubAccounts { .. } | Self::Meta { .. } | Self::PerpDexs | Self::SpotMeta => {
                InfoCost::CATALOGUE
            }
        }
    }
}

fn end_field(end_ms: Option<u64>) -> String {
    end_ms.map_or_else(String::new, |end| format!(r#","endTime":{end}"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_of_their_type() {
        let user = Address::from_bytes([0xaa; 20]);
        let dex = || "xyz\"".to_owned();
        for request in [
            InfoRequest::UserFills { user },
            InfoRequest::UserFillsByTime { user, start_ms: 5, end_ms: Some(9) },
            InfoRequest::UserTwapSliceFills { user },
            InfoRequest::UserTwapSliceFillsByTime { user, start_ms: 5, end_ms: None },
            InfoRequest::ClearinghouseState { user, dex: dex() },
            InfoRequest::ClearinghouseState { user, dex: String::new() },
            InfoRequest::Meta { dex: dex() },
            InfoRequest::Meta { dex: String::new() },
            InfoRequest::UserRole { user },
            InfoRequest::SubAccounts { user },
            InfoRequest::PerpDexs,
            InfoRequest::SpotMeta,
        ] {
            let body: serde_json::Value = serde_json::from_str(&request.body()).unwrap();
            assert_eq!(body["type"], request.kind());
            assert!(body.get("user").is_none_or(|named| *named == user.to_string()));
            assert!(body.get("dex").is_none_or(|named| *named == dex()));
        }
    }

    #[test]
    fn a_time_range_is_in_the_body() {
        let user = Address::from_bytes([1; 20]);
        let request = InfoRequest::UserFillsByTime { user, start_ms: 5, end_ms: Some(9) };
        let body: serde_json::Value = serde_json::from_str(&request.body()).unwrap();
        assert_eq!((body["startTime"].as_u64(), body["endTime"].as_u64()), (Some(5), Some(9)));
        assert_eq!(body["aggregateByTime"], false);
    }
}
