//! Points in time as a person writes them: RFC 3339, milliseconds, or a span before now.

use std::time::{Duration, UNIX_EPOCH};

/// Milliseconds since 1970, as the venue counts them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(pub i64);

/// A day, venue ms.
pub(super) const DAY_MS: i64 = 86_400_000;

/// The text is no point in time.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "{0:?} is no time: wants RFC 3339 (2026-11-22T10:00:00Z), milliseconds, or a span before now (15m, 2h, 1d)"
)]
pub struct MomentError(String);

impl Moment {
    /// Reads `text`; spans count back from `now`.
    ///
    /// # Errors
    ///
    /// When the text is none of the three forms.
    pub fn parse(text: &str, now: Self) -> Result<Self, MomentError> {
        if let Ok(millis) = text.parse::<i64>() {
            return Ok(Self(millis));
        }
        if let Ok(time) = humantime::parse_rfc3339_weak(text) {
            let millis = time.duration_since(UNIX_EPOCH).ok().and_then(millis);
            return millis.map(Self).ok_or_else(|| MomentError(text.to_owned()));
        }
        let span = humantime::parse_duration(text).ok().and_then(millis);
        span.map(|span| Self(now.0.saturating_sub(span))).ok_or_else(|| MomentError(text.to_owned()))
    }

    /// As RFC 3339 with milliseconds; times before 1970 and after 9999, which it cannot write, as a number.
    #[must_use]
    pub fn rfc3339(self) -> String {
        u64::try_from(self.0)
            .ok()
            .filter(|ms| *ms < YEAR_10000)
            .and_then(|ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms)))
            .map_or_else(|| self.0.to_string(), |time| humantime::format_rfc3339_millis(time).to_string())
    }
}

/// In milliseconds.
const YEAR_10000: u64 = 253_402_300_800_000;

fn millis(span: Duration) -> Option<i64> {
    i64::try_from(span.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::Moment;

    #[test]
    fn three_forms() {
        let now = Moment(1_790_000_000_000);
        assert_eq!(Moment::parse("1790000000123", now), Ok(Moment(1_790_000_000_123)));
        assert_eq!(Moment::parse("15m", now), Ok(Moment(1_790_000_000_000 - 900_000)));
        let time = Moment::parse("2026-11-22T10:00:00Z", now).expect("RFC 3339");
        assert_eq!(time.rfc3339(), "2026-11-22T10:00:00.000Z");
        assert!(Moment::parse("yesterday", now).is_err());
        assert_eq!(Moment(253_402_300_799_999).rfc3339(), "9999-12-31T23:59:59.999Z");
        for number in [253_402_300_800_000, 1_790_000_000_123_456, i64::MAX, -1] {
            assert_eq!(Moment(number).rfc3339(), number.to_string());
        }
    }
}
