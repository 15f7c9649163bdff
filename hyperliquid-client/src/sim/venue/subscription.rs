//! Subscriptions: reading them, and the normalised form the venue echoes (keys in its order, user in lower case,
//! options filled in).

use serde_json::Value;

use super::frames::quote;

/// What a socket can subscribe to here. Types the real venue knows and this one does not (`l2Book`, `candle`, …,
/// `aggregateByTime: true`) are refused like unknown ones.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::sim) enum Subscription {
    UserFills(String),
    UserTwapSliceFills(String),
    UserEvents(String),
    OrderUpdates(String),
    Trades(String),
    AllMids(Option<String>),
    ClearinghouseState { user: String, dex: String },
    AllDexsClearinghouseState(String),
}

impl Subscription {
    /// `None` for what the venue answers with "Error parsing JSON into valid websocket request".
    pub(super) fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let user = || text("user").and_then(|user| address(&user));
        let dex = || match value.get("dex") {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(dex)) => Some(Some(dex.clone())),
            Some(_) => None,
        };
        Some(match value.get("type")?.as_str()? {
            "userFills" => match value.get("aggregateByTime") {
                None | Some(Value::Null | Value::Bool(false)) => Self::UserFills(user()?),
                Some(_) => return None,
            },
            "userTwapSliceFills" => Self::UserTwapSliceFills(user()?),
            "userEvents" => Self::UserEvents(user()?),
            "orderUpdates" => Self::OrderUpdates(user()?),
            "trades" => Self::Trades(text("coin")?),
            "allMids" => Self::AllMids(dex()?),
            "clearinghouseState" => {
                Self::ClearinghouseState { user: user()?, dex: dex()?.unwrap_or_default() }
            }
            "allDexsClearinghouseState" => Self::AllDexsClearinghouseState(user()?),
            _ => return None,
        })
    }

    /// The account it is about.
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::UserFills(user)
            | Self::UserTwapSliceFills(user)
            | Self::UserEvents(user)
            | Self::OrderUpdates(user)
            | Self::ClearinghouseState { user, .. }
            | Self::AllDexsClearinghouseState(user) => Some(user),
            Self::Trades(_) | Self::AllMids(_) => None,
        }
    }

    /// The normalised echo.
    pub(super) fn echo(&self) -> String {
        let of_user = |kind: &str, user: &str| format!(r#"{{"type":"{kind}","user":{}}}"#, quote(user));
        match self {
            Self::UserFills(user) => {
                format!(r#"{{"type":"userFills","user":{},"aggregateByTime":false}}"#, quote(user))
            }
            Self::UserTwapSliceFills(user) => of_user("userTwapSliceFills", user),
            Self::UserEvents(user) => of_user("userEvents", user),
            Self::OrderUpdates(user) => of_user("orderUpdates", user),
            Self::Trades(coin) => format!(r#"{{"type":"trades","coin":{}}}"#, quote(coin)),
            Self::AllMids(None) => r#"{"type":"allMids"}"#.to_owned(),
            Self::AllMids(Some(dex)) => format!(r#"{{"type":"allMids","dex":{}}}"#, quote(dex)),
            Self::ClearinghouseState { user, dex } => {
                format!(r#"{{"type":"clearinghouseState","dex":{},"user":{}}}"#, quote(dex), quote(user))
            }
            Self::AllDexsClearinghouseState(user) => of_user("allDexsClearinghouseState", user),
        }
    }

    /// Whether it is an account state, pushed from time to time.
    pub(super) fn is_state(&self) -> bool {
        matches!(self, Self::ClearinghouseState { .. } | Self::AllDexsClearinghouseState(_))
    }
}

/// An address in lower case, or nothing.
pub(super) fn address(text: &str) -> Option<String> {
    let digits = text.strip_prefix("0x")?;
    let good = digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "0x218641112A3E60B39F765EC5F7315A68A2CABC7D";

    #[test]
    fn echoes_are_normalised_as_recorded() {
        let user = USER.to_ascii_lowercase().replace("0X", "0x");
        let asked = user.to_ascii_uppercase().replace("0X", "0x");
        for (sent, echo) in [
            (
                format!(r#"{{"user":"{asked}","type":"userFills"}}"#),
                format!(r#"{{"type":"userFills","user":"{user}","aggregateByTime":false}}"#),
            ),
            (
                format!(r#"{{"type":"clearinghouseState","user":"{asked}"}}"#),
                format!(r#"{{"type":"clearinghouseState","dex":"","user":"{user}"}}"#),
            ),
            (
                format!(r#"{{"type":"orderUpdates","user":"{asked}"}}"#),
                format!(r#"{{"type":"orderUpdates","user":"{user}"}}"#),
            ),
            (r#"{"coin":"ETH","type":"trades"}"#.to_owned(), r#"{"type":"trades","coin":"ETH"}"#.to_owned()),
        ] {
            let sent: Value = serde_json::from_str(&sent).unwrap();
            assert_eq!(Subscription::read(&sent).unwrap().echo(), echo);
        }
    }

    #[test]
    fn what_the_venue_cannot_read_is_none() {
        for sent in [
            r#"{"type":"webData2","user":"0x218641112a3e60b39f765ec5f7315a68a2cabc7d"}"#,
            r#"{"type":"userFills","user":"0x2186"}"#,
            r#"{"type":"userFills"}"#,
            r#"{"type":"trades"}"#,
            r#"{"type":7}"#,
            "[]",
        ] {
            assert_eq!(Subscription::read(&serde_json::from_str(sent).unwrap()), None, "{sent}");
        }
    }
}
