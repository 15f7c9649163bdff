//! The text form of a fault: `NAME[=VALUE][@WHEN][#K/N]`. Grammar in [`FaultSpec`].

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::super::limits::SimLimits;

/// One fault the venue is told to have.
///
/// `NAME[=VALUE][@WHEN][#K/N]`; times are `250ms`, `30s`, `2m`, `1h` (a bare number is ms) counted from the start of
/// the venue, or from when the fault was added. `#K/N` limits a fault to connections whose number leaves K when divided
/// by N. P is a probability `0..1`.
///
/// | text | effect |
/// |---|---|
/// | `drop=P` `dup=P` `corrupt=P` `truncate=P` `fragment=P` `split=P` | a live data frame is lost, doubled, has one bit flipped, is cut, comes in 1-byte fragments, comes as two frames; `@T1..T2` limits it in time |
/// | `delay=A..B@P` | a data frame comes A to B ms late, later ones overtake it |
/// | `mute=ADDR` or `mute=*` | nothing about that account is sent, the socket stays alive; `@T1..T2`, or `@T` from T on |
/// | `outage=T1..T2` | every socket is cut, nothing can connect, info is down |
/// | `handshake=STATUS` or `handshake=hang` | sockets are refused with that HTTP status, or never answered; `@T1..T2` |
/// | `close=every:T` | every T one socket, in turn, is closed with `1000` |
/// | `close=CODE@T`, `close=CODE@every:T` | every socket is closed with that code; 1006 cuts without a close frame |
/// | `malformed` `truncated` `bad-utf8` `deep` `unknown-channel` `unfollowed` `huge=SIZE` `ping-flood=N` | such a frame (or N pings) is sent to every socket with a user subscription; `@T` once, `@every:T` again and again |
/// | `unknown-field` `unknown-dir` `mismatch` `other-tid` `bad-fill=KIND` | the next live `userFills` frame carries it: another field, another `dir`, a second copy with another size, a copy under another tid, a neighbour that is no fill. KIND: `missing_field` `no_time` `wrong_type` `null` `nan` `infinity` `text` `forty-digits`. `@T`, `@every:T` |
/// | `no-ack=N` | the next N subscribes are swallowed; `@T`, `@every:T` |
/// | `too-many-users=N`, `limit=NAME:N` | the limit changes; `@T` |
/// | `info-lag=T` | info shows a fill up to T later than the socket |
/// | `info-429=P` `info-500=P` `info-short=P` `info-empty=P` `info-half=P` | info refuses, fails, answers with a part of the rows, with none, or breaks off; `@T1..T2` |
/// | `info-stale=T@P` | info answers as its index stood T ago |
/// | `info-slow=A..B@P` | info answers A to B ms late |
/// | `page-cap=N` `twap-page-cap=N` `retention=N` | rows of an info page, rows kept per account and stream; `@T` |
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSpec {
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) when: When,
    pub(super) conns: Option<(u64, u64)>,
}

/// When a fault acts, as time since it was added.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum When {
    Always,
    At(Duration),
    Every(Duration),
    Window(Range<Duration>),
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sim) enum Kind {
    Drop(f64),
    Dup(f64),
    Corrupt(f64),
    Truncate(f64),
    Fragment(f64),
    Split(f64),
    Delay(Range<u64>, f64),
    Mute(Option<String>),
    Outage,
    Handshake(Option<u16>),
    CloseOne,
    CloseAll(u16),
    Inject(Injection),
    Alter(Alteration),
    NoAck(u32),
    TooManyUsers(u32),
    Limit(String, u32),
    InfoLag(Duration),
    Info429(f64),
    Info500(f64),
    InfoShort(f64),
    InfoEmpty(f64),
    InfoHalf(f64),
    InfoStale(Duration, f64),
    InfoSlow(Range<u64>, f64),
    PageCap(usize),
    TwapPageCap(usize),
    Retention(usize),
}

/// A frame of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sim) enum Injection {
    Malformed,
    Truncated,
    BadUtf8,
    Deep,
    UnknownChannel,
    Unfollowed,
    Huge(usize),
    PingFlood(u32),
}

/// A change of the next live `userFills` frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sim) enum Alteration {
    UnknownField,
    UnknownDir,
    Mismatch,
    OtherTid,
    BadFill(BadFill),
}

/// What is wrong with the bad neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sim) enum BadFill {
    MissingField,
    NoTime,
    WrongType,
    Null,
    Nan,
    Infinity,
    Text,
    FortyDigits,
}

/// A fault text that cannot be understood; names the text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("fault `{spec}`: {problem}")]
pub struct FaultSpecError {
    /// The text as given.
    pub spec: String,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for FaultSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FaultSpec {
    type Err = FaultSpecError;

    fn from_str(text: &str) -> Result<Self, FaultSpecError> {
        parse(text.trim()).map_err(|problem| FaultSpecError { spec: text.to_owned(), problem })
    }
}

impl Kind {
    /// The name it is written and counted under.
    pub(in crate::sim) fn name(&self) -> &'static str {
        match self {
            Self::Drop(_) => "drop",
            Self::Dup(_) => "dup",
            Self::Corrupt(_) => "corrupt",
            Self::Truncate(_) => "truncate",
            Self::Fragment(_) => "fragment",
            Self::Split(_) => "split",
            Self::Delay(..) => "delay",
            Self::Mute(_) => "mute",
            Self::Outage => "outage",
            Self::Handshake(_) => "handshake",
            Self::CloseOne | Self::CloseAll(_) => "close",
            Self::Inject(Injection::Malformed) => "malformed",
            Self::Inject(Injection::Truncated) => "truncated",
            Self::Inject(Injection::BadUtf8) => "bad-utf8",
            Self::Inject(Injection::Deep) => "deep",
            Self::Inject(Injection::UnknownChannel) => "unknown-channel",
            Self::Inject(Injection::Unfollowed) => "unfollowed",
            Self::Inject(Injection::Huge(_)) => "huge",
            Self::Inject(Injection::PingFlood(_)) => "ping-flood",
            Self::Alter(Alteration::UnknownField) => "unknown-field",
            Self::Alter(Alteration::UnknownDir) => "unknown-dir",
            Self::Alter(Alteration::Mismatch) => "mismatch",
            Self::Alter(Alteration::OtherTid) => "other-tid",
            Self::Alter(Alteration::BadFill(_)) => "bad-fill",
            Self::NoAck(_) => "no-ack",
            Self::TooManyUsers(_) => "too-many-users",
            Self::Limit(..) => "limit",
            Self::InfoLag(_) => "info-lag",
            Self::Info429(_) => "info-429",
            Self::Info500(_) => "info-500",
            Self::InfoShort(_) => "info-short",
            Self::InfoEmpty(_) => "info-empty",
            Self::InfoHalf(_) => "info-half",
            Self::InfoStale(..) => "info-stale",
            Self::InfoSlow(..) => "info-slow",
            Self::PageCap(_) => "page-cap",
            Self::TwapPageCap(_) => "twap-page-cap",
            Self::Retention(_) => "retention",
        }
    }

    /// Whether it happens at moments (and not during a time).
    pub(super) fn is_momentary(&self) -> bool {
        matches!(
            self,
            Self::CloseOne
                | Self::CloseAll(_)
                | Self::Inject(_)
                | Self::Alter(_)
                | Self::NoAck(_)
                | Self::TooManyUsers(_)
                | Self::Limit(..)
                | Self::InfoLag(_)
                | Self::PageCap(_)
                | Self::TwapPageCap(_)
                | Self::Retention(_)
        )
    }
}

fn parse(text: &str) -> Result<FaultSpec, String> {
    let (rest, conns) = match text.split_once('#') {
        None => (text, None),
        Some((rest, part)) => (rest, Some(connections(part)?)),
    };
    let (rest, at) = match rest.split_once('@') {
        None => (rest, None),
        Some((rest, at)) => (rest, Some(at)),
    };
    let (name, value) = match rest.split_once('=') {
        None => (rest, None),
        Some((name, value)) => (name, Some(value)),
    };
    let (kind, when) = if matches!(name, "delay" | "info-slow" | "info-stale") {
        (timed(name, value, at)?, When::Always)
    } else if let ("close", Some(period)) = (name, value.and_then(|v| v.strip_prefix("every:"))) {
        if at.is_some() {
            return Err("`close=every:T` takes no `@`".to_owned());
        }
        (Kind::CloseOne, When::Every(period_of(period)?))
    } else if let ("outage", Some(window), None) = (name, value, at) {
        (Kind::Outage, when(window)?) // `outage=60s..90s` reads as well as `outage@60s..90s`
    } else {
        (plain(name, value)?, at.map_or(Ok(When::Always), when)?)
    };
    match (&when, kind.is_momentary()) {
        (When::Window(_), true) => {
            return Err(format!("`{name}` happens at a moment: give `@T` or `@every:T`"));
        }
        (When::Every(_), false) => return Err(format!("`{name}` lasts: give `@T1..T2` or `@T`")),
        _ => {}
    }
    if kind == Kind::Outage && !matches!(when, When::Window(_)) {
        return Err("an outage needs its end: `outage@T1..T2`".to_owned());
    }
    Ok(FaultSpec { text: text.to_owned(), kind, when, conns })
}

fn when(text: &str) -> Result<When, String> {
    if let Some(period) = text.strip_prefix("every:") {
        return Ok(When::Every(period_of(period)?));
    }
    match text.split_once("..") {
        None => Ok(When::At(duration(text)?)),
        Some((from, to)) => {
            let (from, to) = (duration(from)?, duration(to)?);
            if from < to {
                Ok(When::Window(from..to))
            } else {
                Err(format!("`{text}` ends before it begins"))
            }
        }
    }
}

/// Faults whose `@` is a probability.
fn timed(name: &str, value: Option<&str>, at: Option<&str>) -> Result<Kind, String> {
    let value = value.ok_or_else(|| format!("`{name}` needs a value"))?;
    let p = probability(at.ok_or_else(|| format!("`{name}` needs a probability: `{name}={value}@0.05`"))?)?;
    if name == "info-stale" {
        return Ok(Kind::InfoStale(duration(value)?, p));
    }
    let (low, high) =
        value.split_once("..").ok_or_else(|| format!("`{value}` is not a range `A..B` of ms"))?;
    let ms = |text: &str| duration(text).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let (low, high) = (ms(low)?, ms(high)?);
    if high < low {
        return Err(format!("`{value}` ends before it begins"));
    }
    Ok(if name == "delay" { Kind::Delay(low..high, p) } else { Kind::InfoSlow(low..high, p) })
}

fn plain(name: &str, value: Option<&str>) -> Result<Kind, String> {
    let need = || value.ok_or_else(|| format!("`{name}` needs a value: `{name}=…`"));
    let p = || need().and_then(probability);
    let n = || need().and_then(number);
    let none = |kind| if value.is_none() { Ok(kind) } else { Err(format!("`{name}` takes no value")) };
    Ok(match name {
        "drop" => Kind::Drop(p()?),
        "dup" => Kind::Dup(p()?),
        "corrupt" => Kind::Corrupt(p()?),
        "truncate" => Kind::Truncate(p()?),
        "fragment" => Kind::Fragment(p()?),
        "split" => Kind::Split(p()?),
        "mute" => Kind::Mute(account(need()?)?),
        "outage" => none(Kind::Outage)?,
        "handshake" if value == Some("hang") => Kind::Handshake(None),
        "handshake" => match u16::try_from(n()?) {
            Ok(status @ 400..=599) => Kind::Handshake(Some(status)),
            _ => return Err("a refused handshake has a status of 400 to 599, or `hang`".to_owned()),
        },
        "close" => match u16::try_from(n()?) {
            Ok(code @ 1000..=4999) => Kind::CloseAll(code),
            _ => return Err("a close code is 1000 to 4999, or `every:T`".to_owned()),
        },
        "malformed" => none(Kind::Inject(Injection::Malformed))?,
        "truncated" => none(Kind::Inject(Injection::Truncated))?,
        "bad-utf8" => none(Kind::Inject(Injection::BadUtf8))?,
        "deep" => none(Kind::Inject(Injection::Deep))?,
        "unknown-channel" => none(Kind::Inject(Injection::UnknownChannel))?,
        "unfollowed" => none(Kind::Inject(Injection::Unfollowed))?,
        "huge" => Kind::Inject(Injection::Huge(size(need()?)?)),
        "ping-flood" => Kind::Inject(Injection::PingFlood(value.map_or(Ok(1000), number)?)),
        "unknown-field" => none(Kind::Alter(Alteration::UnknownField))?,
        "unknown-dir" => none(Kind::Alter(Alteration::UnknownDir))?,
        "mismatch" => none(Kind::Alter(Alteration::Mismatch))?,
        "other-tid" => none(Kind::Alter(Alteration::OtherTid))?,
        "bad-fill" => Kind::Alter(Alteration::BadFill(bad_fill(need()?)?)),
        "no-ack" => Kind::NoAck(value.map_or(Ok(1), number)?),
        "too-many-users" => Kind::TooManyUsers(n()?),
        "limit" => limit(need()?)?,
        "info-lag" => Kind::InfoLag(duration(need()?)?),
        "info-429" => Kind::Info429(p()?),
        "info-500" => Kind::Info500(p()?),
        "info-short" => Kind::InfoShort(p()?),
        "info-empty" => Kind::InfoEmpty(p()?),
        "info-half" => Kind::InfoHalf(p()?),
        "page-cap" => Kind::PageCap(rows(n()?)?),
        "twap-page-cap" => Kind::TwapPageCap(rows(n()?)?),
        "retention" => Kind::Retention(rows(n()?)?),
        _ => return Err(format!("there is no fault called `{name}`")),
    })
}

fn bad_fill(text: &str) -> Result<BadFill, String> {
    Ok(match text {
        "missing_field" => BadFill::MissingField,
        "no_time" => BadFill::NoTime,
        "wrong_type" => BadFill::WrongType,
        "null" => BadFill::Null,
        "nan" => BadFill::Nan,
        "infinity" => BadFill::Infinity,
        "text" => BadFill::Text,
        "forty-digits" => BadFill::FortyDigits,
        _ => return Err(format!("`{text}` is no kind of bad fill")),
    })
}

fn limit(text: &str) -> Result<Kind, String> {
    let (name, value) = text.split_once(':').ok_or("write `limit=NAME:N`")?;
    let value = number(value)?;
    if SimLimits::default().set(name, value) {
        Ok(Kind::Limit(name.to_owned(), value))
    } else {
        Err(format!("there is no limit called `{name}`"))
    }
}

fn connections(text: &str) -> Result<(u64, u64), String> {
    let bad = || format!("`#{text}` is not `#K/N` with K below N");
    let (rest, of) = text.split_once('/').ok_or_else(bad)?;
    let (rest, of): (u64, u64) = (rest.parse().map_err(|_| bad())?, of.parse().map_err(|_| bad())?);
    if rest < of { Ok((rest, of)) } else { Err(bad()) }
}

fn account(text: &str) -> Result<Option<String>, String> {
    if text == "*" {
        return Ok(None);
    }
    let address = text.to_ascii_lowercase();
    let digits = address.strip_prefix("0x").unwrap_or_default();
    if digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(Some(address))
    } else {
        Err(format!("`{text}` is not an address (0x and 40 hex digits) or `*`"))
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err(format!("`{text}` is not a probability between 0 and 1")),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number"))
}

fn rows(n: u32) -> Result<usize, String> {
    if n == 0 { Err("at least one row".to_owned()) } else { Ok(n as usize) }
}

fn period_of(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period < Duration::from_millis(10) {
        Err(format!("`{text}` is shorter than 10ms"))
    } else {
        Ok(period)
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{text}` is not a time like 250ms, 30s, 2m")),
    };
    let value: u64 = digits.parse().map_err(|_| format!("`{text}` is not a time like 250ms, 30s, 2m"))?;
    let ms = value.checked_mul(scale).filter(|&ms| ms <= 365 * 86_400_000);
    ms.map(Duration::from_millis).ok_or_else(|| format!("`{text}` is longer than a year"))
}

fn size(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(format!("`{text}` is not a size like 64MiB")),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|value| value.checked_mul(scale));
    bytes.filter(|bytes| *bytes <= 256 << 20).ok_or_else(|| format!("`{text}` is not a size up to 256MiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: &str = "0x00000000000000000000000000000000000000Aa";

    #[test]
    fn every_documented_form_is_understood() {
        let mute = format!("mute={ADDR}@10s..40s#1/2");
        for text in [
            "drop=0.05",
            "drop=1@10s..20s",
            "dup=0.02",
            "corrupt=0.01",
            "truncate=0.1",
            "fragment=0.1",
            "split=1",
            "delay=0..3000@0.03",
            &mute,
            "mute=*@5s",
            "outage@60s..90s",
            "outage=60s..90s",
            "handshake=403@1s..2s",
            "handshake=hang",
            "close=every:30s",
            "close=1001@5s",
            "close=1006@every:1m",
            "malformed@5s",
            "truncated@5s",
            "bad-utf8@5s",
            "deep@5s",
            "unknown-channel@5s",
            "unfollowed@every:500ms",
            "huge=64MiB@5s",
            "ping-flood@5s",
            "ping-flood=10@5s",
            "unknown-field@5s",
            "unknown-dir@5s",
            "mismatch@5s",
            "other-tid@5s",
            "bad-fill=missing_field@5s",
            "bad-fill=no_time",
            "bad-fill=wrong_type",
            "bad-fill=null",
            "bad-fill=nan",
            "bad-fill=infinity",
            "bad-fill=text",
            "bad-fill=forty-digits",
            "no-ack@5s",
            "no-ack=3",
            "too-many-users=5@20s",
            "limit=messages_per_minute:9@1s",
            "info-lag=90s",
            "info-429=0.1",
            "info-500=0.1",
            "info-short=0.04",
            "info-empty=0.04",
            "info-half=0.1",
            "info-stale=60s@0.1",
            "info-slow=10..20@0.5",
            "page-cap=500",
            "twap-page-cap=500",
            "retention=400",
        ] {
            let spec: FaultSpec = text.parse().unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(spec.to_string(), *text);
            assert!(text.starts_with(spec.kind.name()), "{text}");
        }
        let spec: FaultSpec = mute.parse().unwrap();
        assert_eq!(spec.kind, Kind::Mute(Some(ADDR.to_ascii_lowercase())));
        assert_eq!(spec.when, When::Window(Duration::from_secs(10)..Duration::from_secs(40)));
        assert_eq!(spec.conns, Some((1, 2)));
        let spec: FaultSpec = "delay=0..3000@0.03".parse().unwrap();
        assert_eq!(spec.kind, Kind::Delay(0..3000, 0.03));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, part) in [
            ("", "no fault called"),
            ("drip=0.1", "no fault called `drip`"),
            ("drop", "needs a value"),
            ("drop=2", "probability"),
            ("drop=x", "probability"),
            ("drop=0.1@every:3s", "lasts"),
            ("delay=5@0.1", "range"),
            ("delay=9..5@0.1", "ends before"),
            ("delay=1..5", "needs a probability"),
            ("mute=0x12", "not an address"),
            ("outage", "needs its end"),
            ("outage@9s..3s", "ends before"),
            ("close=5", "close code"),
            ("close=every:0", "shorter"),
            ("huge=64GiB", "size"),
            ("huge=999MiB", "size"),
            ("malformed=3", "takes no value"),
            ("malformed@1s..2s", "moment"),
            ("bad-fill=odd", "no kind"),
            ("limit=user:3", "no limit called"),
            ("page-cap=0", "one row"),
            ("info-lag=90y", "not a time"),
            ("info-lag=99999999h", "longer than a year"),
            ("drop=0.1#2/2", "K below N"),
            ("handshake=200", "400 to 599"),
        ] {
            let error = text.parse::<FaultSpec>().unwrap_err();
            assert_eq!(error.spec, text);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
