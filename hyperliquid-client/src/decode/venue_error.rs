//! The venue's error texts, sorted. They come without a code and mostly without naming the request; the set was recorded in 2026.

use crate::wire::SubscriptionEcho;

/// An `error` frame.
#[derive(Clone, Debug, PartialEq)]
pub struct VenueError<'a> {
    /// The venue's own text.
    pub text: &'a str,
    /// What it means.
    pub kind: VenueErrorKind<'a>,
}

/// What an error text means.
#[derive(Clone, Debug, PartialEq)]
pub enum VenueErrorKind<'a> {
    /// `Already subscribed: {…}`: harmless, the stream goes on.
    AlreadySubscribed(Option<SubscriptionEcho<'a>>),
    /// `Already unsubscribed: {…}`.
    AlreadyUnsubscribed(Option<SubscriptionEcho<'a>>),
    /// `Invalid subscription {…}`.
    InvalidSubscription(Option<SubscriptionEcho<'a>>),
    /// `Error parsing JSON into valid websocket request: …`: the echo of what was sent.
    UnreadableRequest(&'a str),
    /// `Cannot track more than N total users.`: names nobody, so it hits whatever was asked last.
    TooManyUsers {
        /// N, the limit in force.
        limit: Option<u32>,
    },
    /// `Cannot subscribe to more than N channels.`
    TooManySubscriptions {
        /// N.
        limit: Option<u32>,
    },
    /// `Cannot send more than N messages per minute.`
    TooManyMessages {
        /// N.
        limit: Option<u32>,
    },
    /// `too many pending post requests id=…`
    TooManyPosts {
        /// The refused request.
        id: Option<u64>,
    },
    /// Not seen before.
    Other,
}

impl<'a> VenueError<'a> {
    /// Sorts an error text.
    #[must_use]
    pub fn classify(text: &'a str) -> Self {
        Self { text, kind: kind(text) }
    }
}

fn kind(text: &str) -> VenueErrorKind<'_> {
    if let Some(rest) = text.strip_prefix("Already subscribed") {
        VenueErrorKind::AlreadySubscribed(echo(rest))
    } else if let Some(rest) = text.strip_prefix("Already unsubscribed") {
        VenueErrorKind::AlreadyUnsubscribed(echo(rest))
    } else if let Some(rest) = text.strip_prefix("Invalid subscription") {
        VenueErrorKind::InvalidSubscription(echo(rest))
    } else if let Some(rest) = text.strip_prefix("Error parsing JSON into valid websocket request") {
        VenueErrorKind::UnreadableRequest(rest.trim_start_matches([':', ' ']))
    } else if text.starts_with("Cannot track more than") {
        VenueErrorKind::TooManyUsers { limit: first_number(text) }
    } else if text.starts_with("Cannot subscribe to more than") {
        VenueErrorKind::TooManySubscriptions { limit: first_number(text) }
    } else if text.starts_with("Cannot send more than") {
        VenueErrorKind::TooManyMessages { limit: first_number(text) }
    } else if text.starts_with("too many pending post requests") {
        let id = text.rsplit_once("id=").and_then(|(_, id)| id.trim().parse().ok());
        VenueErrorKind::TooManyPosts { id }
    } else {
        VenueErrorKind::Other
    }
}

/// The subscription quoted in an error text.
fn echo(rest: &str) -> Option<SubscriptionEcho<'_>> {
    SubscriptionEcho::from_json(rest.trim_start_matches([':', ' ']))
}

fn first_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).find(|part| !part.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_texts_are_told_apart() {
        assert_eq!(
            VenueError::classify("Cannot track more than 10 total users.").kind,
            VenueErrorKind::TooManyUsers { limit: Some(10) }
        );
        assert_eq!(
            VenueError::classify("Cannot subscribe to more than 1000 channels.").kind,
            VenueErrorKind::TooManySubscriptions { limit: Some(1000) }
        );
        assert_eq!(
            VenueError::classify("Cannot send more than 2000 messages per minute.").kind,
            VenueErrorKind::TooManyMessages { limit: Some(2000) }
        );
        assert_eq!(
            VenueError::classify("too many pending post requests id=1234").kind,
            VenueErrorKind::TooManyPosts { id: Some(1234) }
        );
        let VenueErrorKind::AlreadySubscribed(Some(echo)) =
            VenueError::classify(r#"Already subscribed: {"type":"trades","coin":"ETH"}"#).kind
        else {
            panic!("not recognised")
        };
        assert_eq!(echo.coin.as_deref(), Some("ETH"));
        let VenueErrorKind::InvalidSubscription(Some(echo)) =
            VenueError::classify(r#"Invalid subscription {"type":"userFills","user":"x"}"#).kind
        else {
            panic!("not recognised")
        };
        assert_eq!(echo.user.as_deref(), Some("x"));
        assert_eq!(VenueError::classify("the moon is full").kind, VenueErrorKind::Other);
    }
}
