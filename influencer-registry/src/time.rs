//! Points in time as people write them: `now`, RFC 3339, unix ms, or a span before now.
//!
//! Unit: unix milliseconds in UTC. No clock is read here; "now" is the caller's.

use std::{fmt, str::FromStr};

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The last moment accepted, 9999-12-31T23:59:59.999Z: RFC 3339 writes no later one.
pub const TIME_MS_MAX: u64 = 253_402_300_799_999;

/// From when an influencer's events become signals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// From the moment following begins: what was there before is baseline.
    #[default]
    Now,
    /// From this moment, unix ms.
    At(u64),
    /// From this many ms before the moment following begins.
    Ago(u64),
}

impl Start {
    /// The moment meant, unix ms, when following begins at `now_ms`; `None` for [`Start::Now`].
    #[must_use]
    pub fn resolve(self, now_ms: u64) -> Option<u64> {
        match self {
            Self::Now => None,
            Self::At(ms) => Some(ms),
            Self::Ago(span) => Some(now_ms.saturating_sub(span)),
        }
    }
}

impl FromStr for Start {
    type Err = BadTime;

    /// Reads `now`, a span (`90s`, `15m`, `2h`, `1d`), unix ms or RFC 3339.
    fn from_str(text: &str) -> Result<Self, BadTime> {
        if text == "now" {
            return Ok(Self::Now);
        }
        if let Some(span) = span_ms(text) {
            return Ok(Self::Ago(span));
        }
        parse_time_ms(text).map(Self::At)
    }
}

impl fmt::Display for Start {
    /// The text [`FromStr`] reads back to the same value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Now => f.write_str("now"),
            Self::At(ms) => write!(f, "{ms}"),
            Self::Ago(span) => {
                let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s"), (1, "ms")];
                let exact = units.iter().find(|(unit, _)| span.is_multiple_of(*unit));
                exact.map_or(Ok(()), |(unit, name)| write!(f, "{}{name}", span / unit))
            }
        }
    }
}

/// The text names no point in time, or one outside 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is RFC 3339 (2026-01-31T12:00:00Z), unix ms, or where a start is meant \"now\" or a span (15m, 2h, 1d)"
)]
pub struct BadTime;

/// Reads unix ms, or RFC 3339 with any offset and up to ms precision (finer digits are cut).
///
/// # Errors
/// [`BadTime`] when the text is neither, or lies outside 1970 to 9999.
pub fn parse_time_ms(text: &str) -> Result<u64, BadTime> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().filter(|ms| *ms <= TIME_MS_MAX).ok_or(BadTime);
    }
    rfc3339_ms(text).ok_or(BadTime)
}

fn span_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(digits)?;
    let unit = match unit {
        "ms" => 1,
        "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(unit).filter(|span| *span <= TIME_MS_MAX)
}

fn rfc3339_ms(text: &str) -> Option<u64> {
    let date = text.get(..10)?;
    let (year, month, day) =
        (number(date.get(..4)?, 9999)?, number(date.get(5..7)?, 12)?, number(date.get(8..10)?, 31)?);
    if date.get(4..5)? != "-" || date.get(7..8)? != "-" || !matches!(text.get(10..11)?, "T" | "t" | " ") {
        return None;
    }
    let time = text.get(11..19)?;
    let (hour, minute, second) =
        (number(time.get(..2)?, 23)?, number(time.get(3..5)?, 59)?, number(time.get(6..8)?, 59)?);
    if time.get(2..3)? != ":" || time.get(5..6)? != ":" {
        return None;
    }
    let (fraction_ms, zone) = fraction(text.get(19..)?)?;
    let days = days_since_1970(year, month, day)?;
    let local = days * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + fraction_ms;
    let (behind, offset) = offset_ms(zone)?;
    let utc = if behind { local.checked_add(offset)? } else { local.checked_sub(offset)? };
    (utc <= TIME_MS_MAX).then_some(utc)
}

fn fraction(rest: &str) -> Option<(u64, &str)> {
    let Some(rest) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let (digits, zone) = rest.split_at_checked(end)?;
    if digits.is_empty() {
        return None;
    }
    let ms: String = digits.chars().chain("00".chars()).take(3).collect();
    Some((ms.parse().ok()?, zone))
}

/// Whether the zone lies behind UTC, and by how much.
fn offset_ms(zone: &str) -> Option<(bool, u64)> {
    if zone.eq_ignore_ascii_case("z") {
        return Some((false, 0));
    }
    let behind = match zone.get(..1)? {
        "+" => false,
        "-" => true,
        _ => return None,
    };
    let (hours, minutes) = (number(zone.get(1..3)?, 23)?, number(zone.get(4..6)?, 59)?);
    (zone.len() == 6 && zone.get(3..4)? == ":").then_some((behind, hours * HOUR_MS + minutes * MINUTE_MS))
}

fn number(text: &str, max: u64) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n <= max)
}

/// Days from 1970-01-01 in the Gregorian calendar; `None` for a day the month does not have.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || day == 0 || day > *lengths.get(month)? {
        return None;
    }
    // Leap days before `year`, counted from year 1; 477 of them lie before 1970.
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - 477;
    Some((year - 1970) * 365 + leap_days + lengths.iter().take(month).sum::<u64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        // Right-hand sides printed by `date -u -d … +%s`.
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600_000),
            ("2026-09-21T14:13:20.123Z", 1_790_000_000_123),
            ("2026-09-21T16:13:20.123456+02:00", 1_790_000_000_123),
            ("2026-09-21 08:43:20.5-05:30", 1_790_000_000_500),
            ("9999-12-31T23:59:59.999Z", TIME_MS_MAX),
            ("1790000000123", 1_790_000_000_123),
        ] {
            assert_eq!(parse_time_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "now",
            "15m",
            "-5",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0200",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "99999999999999999999",
        ] {
            assert_eq!(parse_time_ms(text), Err(BadTime), "{text:?}");
        }
    }

    #[test]
    fn a_start_is_a_moment_or_a_span() {
        assert_eq!("now".parse(), Ok(Start::Now));
        assert_eq!("2h".parse(), Ok(Start::Ago(7_200_000)));
        assert_eq!("1790000000123".parse(), Ok(Start::At(1_790_000_000_123)));
        assert_eq!("soon".parse::<Start>(), Err(BadTime));
        assert_eq!("9999999999999d".parse::<Start>(), Err(BadTime));
        assert_eq!(Start::Ago(500).resolve(200), Some(0));
        assert_eq!(Start::Now.resolve(200), None);
    }

    proptest! {
        #[test]
        fn a_start_reads_back(ms in 0..=TIME_MS_MAX, unit in 0..4_usize) {
            let span = ms / [1, SECOND_MS, HOUR_MS, DAY_MS][unit] * [1, SECOND_MS, HOUR_MS, DAY_MS][unit];
            for start in [Start::At(ms), Start::Ago(span)] {
                prop_assert_eq!(start.to_string().parse(), Ok(start));
            }
        }

        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _: Result<Start, BadTime> = text.parse();
        }
    }
}
