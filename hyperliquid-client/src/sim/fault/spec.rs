//! The text form of a fault: `NAME[=VALUE][@WHEN][#K/N]`. Grammar in [`FaultSpec`].

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::super::limits::SimLimits;
use super::kind::{Alteration, FrameFault, InfoFault, Injection, Kind, Moment};
use super::value::{account, bad_fill, connections, duration, number, period_of, probability, rows, size};

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
/// | `wrong-state=ADDR` or `wrong-state=*` | that account's states show every position one unit larger than it is, on sockets and info; `@T1..T2`, or `@T` from T on |
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
        (Kind::Moment(Moment::CloseOne), When::Every(period_of(period)?))
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
        return Ok(Kind::Info(InfoFault::Stale(duration(value)?), p));
    }
    let (low, high) =
        value.split_once("..").ok_or_else(|| format!("`{value}` is not a range `A..B` of ms"))?;
    let ms = |text: &str| duration(text).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let (low, high) = (ms(low)?, ms(high)?);
    if high < low {
        return Err(format!("`{value}` ends before it begins"));
    }
    Ok(if name == "delay" {
        Kind::Frame(FrameFault::Delay(low..high), p)
    } else {
        Kind::Info(InfoFault::Slow(low..high), p)
    })
}

fn plain(name: &str, value: Option<&str>) -> Result<Kind, String> {
    let need = || value.ok_or_else(|| format!("`{name}` needs a value: `{name}=…`"));
    let p = || need().and_then(probability);
    let n = || need().and_then(number);
    let none = |kind| if value.is_none() { Ok(kind) } else { Err(format!("`{name}` takes no value")) };
    Ok(match name {
        "drop" => Kind::Frame(FrameFault::Drop, p()?),
        "dup" => Kind::Frame(FrameFault::Dup, p()?),
        "corrupt" => Kind::Frame(FrameFault::Corrupt, p()?),
        "truncate" => Kind::Frame(FrameFault::Truncate, p()?),
        "fragment" => Kind::Frame(FrameFault::Fragment, p()?),
        "split" => Kind::Frame(FrameFault::Split, p()?),
        "mute" => Kind::Mute(account(need()?)?),
        "wrong-state" => Kind::WrongState(account(need()?)?),
        "outage" => none(Kind::Outage)?,
        "handshake" if value == Some("hang") => Kind::Handshake(None),
        "handshake" => match u16::try_from(n()?) {
            Ok(status @ 400..=599) => Kind::Handshake(Some(status)),
            _ => return Err("a refused handshake has a status of 400 to 599, or `hang`".to_owned()),
        },
        "close" => match u16::try_from(n()?) {
            Ok(code @ 1000..=4999) => Kind::Moment(Moment::CloseAll(code)),
            _ => return Err("a close code is 1000 to 4999, or `every:T`".to_owned()),
        },
        "malformed" => none(Kind::Moment(Moment::Inject(Injection::Malformed)))?,
        "truncated" => none(Kind::Moment(Moment::Inject(Injection::Truncated)))?,
        "bad-utf8" => none(Kind::Moment(Moment::Inject(Injection::BadUtf8)))?,
        "deep" => none(Kind::Moment(Moment::Inject(Injection::Deep)))?,
        "unknown-channel" => none(Kind::Moment(Moment::Inject(Injection::UnknownChannel)))?,
        "unfollowed" => none(Kind::Moment(Moment::Inject(Injection::Unfollowed)))?,
        "huge" => Kind::Moment(Moment::Inject(Injection::Huge(size(need()?)?))),
        "ping-flood" => Kind::Moment(Moment::Inject(Injection::PingFlood(value.map_or(Ok(1000), number)?))),
        "unknown-field" => none(Kind::Alter(Alteration::UnknownField))?,
        "unknown-dir" => none(Kind::Alter(Alteration::UnknownDir))?,
        "mismatch" => none(Kind::Alter(Alteration::Mismatch))?,
        "other-tid" => none(Kind::Alter(Alteration::OtherTid))?,
        "bad-fill" => Kind::Alter(Alteration::BadFill(bad_fill(need()?)?)),
        "no-ack" => Kind::NoAck(value.map_or(Ok(1), number)?),
        "too-many-users" => Kind::Moment(Moment::TooManyUsers(n()?)),
        "limit" => limit(need()?)?,
        "info-lag" => Kind::Moment(Moment::InfoLag(duration(need()?)?)),
        "info-429" => Kind::Info(InfoFault::TooMany, p()?),
        "info-500" => Kind::Info(InfoFault::Broken, p()?),
        "info-short" => Kind::Info(InfoFault::Short, p()?),
        "info-empty" => Kind::Info(InfoFault::Empty, p()?),
        "info-half" => Kind::Info(InfoFault::Half, p()?),
        "page-cap" => Kind::Moment(Moment::PageCap(rows(n()?)?)),
        "twap-page-cap" => Kind::Moment(Moment::TwapPageCap(rows(n()?)?)),
        "retention" => Kind::Moment(Moment::Retention(rows(n()?)?)),
        _ => return Err(format!("there is no fault called `{name}`")),
    })
}

fn limit(text: &str) -> Result<Kind, String> {
    let (name, value) = text.split_once(':').ok_or("write `limit=NAME:N`")?;
    let value = number(value)?;
    if SimLimits::default().set(name, value) {
        Ok(Kind::Moment(Moment::Limit(name.to_owned(), value)))
    } else {
        Err(format!("there is no limit called `{name}`"))
    }
}

#[cfg(test)]
mod tests;
