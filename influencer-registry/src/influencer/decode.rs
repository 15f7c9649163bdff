//! JSON -> [`Influencer`], collecting every problem instead of stopping at the first.

use serde_json::{Map, Value};

use super::{
    Backoff, Influencer, Throttle,
    keys::{self, Kind, LABEL_CHARS_MAX, MARKETS_MAX},
};
use crate::{
    Address, Field, InfluencerId, Market, Problem, Reason, Rule, Start,
    time::{BadTime, TIME_MS_MAX, parse_time_ms},
};

const DELAY_MS: &str = "1 to 3600000";
const DELAY_MS_MAX: u32 = 3_600_000;
const STREAMS_MAX: u16 = 1_000;
const RESUBSCRIBES_MAX: u32 = 2_000;

pub(crate) fn influencer(entry: &Value, key: Option<&str>, rule: Rule) -> Result<Influencer, Vec<Problem>> {
    let Value::Object(map) = entry else {
        return Err(vec![Problem::new("entry", entry, Reason::NotATable)]);
    };
    let mut fields = Fields { map, known: keys::FIELDS, prefix: "", rule, problems: Vec::new() };
    let address = fields.required("address", address);
    let id = fields.optional("id", id);
    if let (Some(key), Some(id)) = (key, &id)
        && id.as_str() != key
    {
        fields.problem("id", Reason::OtherKey { key: key.to_owned() });
    }
    let id = id.or_else(|| fields.key(key)).or_else(|| address.as_ref().map(InfluencerId::from));
    if let (Some(id), Some(address)) = (&id, &address)
        && let Ok(named) = id.as_str().to_lowercase().parse::<Address>()
        && named != *address
    {
        fields.problem("id", Reason::ForeignAddress { address: address.clone() });
    }
    let label = fields.optional("label", label).unwrap_or_default();
    let priority = fields.optional("priority", priority).unwrap_or_default();
    let enabled = fields.optional("enabled", switch).unwrap_or(true);
    let markets = fields.markets();
    let max_streams = fields.optional("maxStreams", max_streams);
    let orders = fields.optional("orders", switch);
    let (backoff, throttle) = (fields.backoff(), fields.throttle());
    let start = fields.optional("start", start);
    let added_at_ms = fields.optional("addedAt", time_ms);
    let unknown = fields.unknown();
    match (id, address) {
        (Some(id), Some(address)) if fields.problems.is_empty() => Ok(Influencer {
            id,
            address,
            label,
            priority,
            enabled,
            markets,
            max_streams,
            orders,
            backoff,
            throttle,
            start,
            added_at_ms,
            unknown,
        }),
        _ => Err(fields.problems),
    }
}

/// A table being read: which fields we know in it, and what was wrong so far.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    known: &'static [(&'static str, Kind)],
    prefix: &'static str,
    rule: Rule,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    fn path(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    /// The field in either spelling; `null` counts as absent.
    fn get(&mut self, camel: &str) -> Option<(String, &'a Value)> {
        let snake = keys::snake(camel);
        let found = |name: &str| self.map.get(name).filter(|value| !value.is_null());
        let (as_camel, as_snake) = (found(camel), if snake == camel { None } else { found(snake.as_str()) });
        if let (Some(value), Some(_)) = (as_camel, as_snake) {
            let reason = Reason::GivenTwice { other: self.path(&snake) };
            self.problems.push(Problem::new(&self.path(camel), value, reason));
        }
        as_camel
            .map(|value| (self.path(camel), value))
            .or_else(|| as_snake.map(|value| (self.path(&snake), value)))
    }

    fn optional<T>(&mut self, camel: &str, read: fn(&Value) -> Result<T, Reason>) -> Option<T> {
        let (name, value) = self.get(camel)?;
        self.read(&name, value, read)
    }

    fn required<T>(&mut self, camel: &str, read: fn(&Value) -> Result<T, Reason>) -> Option<T> {
        let Some((name, value)) = self.get(camel) else {
            self.problem(camel, Reason::Missing);
            return None;
        };
        self.read(&name, value, read)
    }

    fn read<T>(&mut self, name: &str, value: &Value, read: fn(&Value) -> Result<T, Reason>) -> Option<T> {
        read(value).map_err(|reason| self.problems.push(Problem::new(name, value, reason))).ok()
    }

    fn problem(&mut self, camel: &str, reason: Reason) {
        let value = self.map.get(camel).unwrap_or(&Value::Null);
        self.problems.push(Problem::new(&self.path(camel), value, reason));
    }

    fn key(&mut self, key: Option<&str>) -> Option<InfluencerId> {
        let key = key?;
        let read = |e| self.problems.push(Problem::new("id", &Value::from(key), Reason::Id(e)));
        key.parse().map_err(read).ok()
    }

    /// Every bad name is a problem of its own; a name given twice is taken once.
    fn markets(&mut self) -> Vec<Market> {
        const EXPECTED: Reason = Reason::WrongType { expected: "a list of market names" };
        let Some((name, value)) = self.get("markets") else { return Vec::new() };
        let Value::Array(names) = value else {
            self.problems.push(Problem::new(&name, value, EXPECTED));
            return Vec::new();
        };
        if names.len() > MARKETS_MAX {
            let reason = Reason::OutOfRange { allowed: "at most 1000 names" };
            self.problems.push(Problem::new(&name, value, reason));
            return Vec::new();
        }
        let mut markets: Vec<Market> = Vec::with_capacity(names.len());
        for value in names {
            let read = value.as_str().ok_or(EXPECTED).and_then(|text| Ok(text.parse()?));
            match read {
                Ok(market) if markets.contains(&market) => {}
                Ok(market) => markets.push(market),
                Err(reason) => self.problems.push(Problem::new(&name, value, reason)),
            }
        }
        markets
    }

    /// Reads an inner table with `read`, then takes over its problems.
    fn table<T: Default>(
        &mut self,
        camel: &'static str,
        known: &'static [(&'static str, Kind)],
        read: impl FnOnce(&mut Fields<'_>) -> T,
    ) -> T {
        let Some((name, value)) = self.get(camel) else { return T::default() };
        let Value::Object(map) = value else {
            let reason = Reason::WrongType { expected: "a table" };
            self.problems.push(Problem::new(&name, value, reason));
            return T::default();
        };
        let mut inner = Fields { map, known, prefix: camel, rule: self.rule, problems: Vec::new() };
        let out = read(&mut inner);
        self.problems.append(&mut inner.problems);
        out
    }

    fn backoff(&mut self) -> Backoff {
        self.table("backoff", keys::BACKOFF, |inner| {
            let initial_ms = inner.optional("initialMs", delay_ms);
            let max_ms = inner.optional("maxMs", delay_ms);
            if initial_ms.zip(max_ms).is_some_and(|(initial, max)| initial > max) {
                let value = Value::from(initial_ms);
                let reason = Reason::OutOfRange { allowed: "at most backoff.maxMs" };
                inner.problems.push(Problem::new("backoff.initialMs", &value, reason));
            }
            let jitter = inner.optional("jitter", jitter);
            Backoff { initial_ms, max_ms, jitter, unknown: inner.unknown() }
        })
    }

    fn throttle(&mut self) -> Throttle {
        self.table("throttle", keys::THROTTLE, |inner| Throttle {
            info_share: inner.optional("infoShare", info_share),
            resubscribes_per_minute: inner.optional("resubscribesPerMinute", resubscribes),
            unknown: inner.unknown(),
        })
    }

    /// Ends the table: the program's own rule is asked about every field in it; those we do not know are kept.
    fn unknown(&mut self) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in self.map {
            let known = self.known.iter().find(|(camel, _)| keys::is_named(camel, name));
            let path = self.path(known.map_or(name.as_str(), |(camel, _)| camel));
            let field = Field { name: &path, known: known.is_some(), value };
            let refused = if value.is_null() { None } else { (self.rule)(&field) };
            if let Some(why) = refused {
                self.problems.push(Problem::new(&self.path(name), value, Reason::Refused(why)));
            }
            if known.is_none() {
                kept.insert(name.clone(), value.clone());
            }
        }
        kept
    }
}

fn text(value: &Value) -> Result<&str, Reason> {
    value.as_str().ok_or(Reason::WrongType { expected: "a text" })
}

fn address(value: &Value) -> Result<Address, Reason> {
    Ok(text(value)?.parse()?)
}

fn id(value: &Value) -> Result<InfluencerId, Reason> {
    Ok(text(value)?.parse()?)
}

fn label(value: &Value) -> Result<String, Reason> {
    let text = text(value)?;
    if text.chars().count() > LABEL_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(Reason::OutOfRange {
            allowed: "at most 128 characters, none of them a control character",
        });
    }
    Ok(text.to_owned())
}

fn switch(value: &Value) -> Result<bool, Reason> {
    value.as_bool().ok_or(Reason::WrongType { expected: "true or false" })
}

fn whole<T: TryFrom<i64>>(value: &Value, allowed: &'static str) -> Result<T, Reason> {
    if !value.is_number() {
        return Err(Reason::WrongType { expected: "a whole number" });
    }
    let number = value.as_i64().and_then(|n| T::try_from(n).ok());
    number.ok_or(Reason::OutOfRange { allowed })
}

fn priority(value: &Value) -> Result<i32, Reason> {
    whole(value, "a whole number from -2147483648 to 2147483647")
}

fn max_streams(value: &Value) -> Result<u16, Reason> {
    let allowed = "1 to 1000";
    let n: u16 = whole(value, allowed)?;
    if (1..=STREAMS_MAX).contains(&n) { Ok(n) } else { Err(Reason::OutOfRange { allowed }) }
}

fn delay_ms(value: &Value) -> Result<u32, Reason> {
    let n: u32 = whole(value, DELAY_MS)?;
    if (1..=DELAY_MS_MAX).contains(&n) { Ok(n) } else { Err(Reason::OutOfRange { allowed: DELAY_MS }) }
}

fn resubscribes(value: &Value) -> Result<u32, Reason> {
    let allowed = "1 to 2000";
    let n: u32 = whole(value, allowed)?;
    if (1..=RESUBSCRIBES_MAX).contains(&n) { Ok(n) } else { Err(Reason::OutOfRange { allowed }) }
}

fn fraction(value: &Value) -> Result<f64, Reason> {
    value.as_f64().ok_or(Reason::WrongType { expected: "a number" })
}

fn jitter(value: &Value) -> Result<f64, Reason> {
    let n = fraction(value)?;
    if (0.0..=1.0).contains(&n) { Ok(n) } else { Err(Reason::OutOfRange { allowed: "0 to 1" }) }
}

fn info_share(value: &Value) -> Result<f64, Reason> {
    let n = fraction(value)?;
    if n > 0.0 && n <= 1.0 { Ok(n) } else { Err(Reason::OutOfRange { allowed: "above 0, at most 1" }) }
}

fn start(value: &Value) -> Result<Start, Reason> {
    match value.as_str() {
        Some(text) => Ok(text.parse()?),
        None => time_ms(value).map(Start::At),
    }
}

fn time_ms(value: &Value) -> Result<u64, Reason> {
    match value.as_str() {
        Some(text) => Ok(parse_time_ms(text)?),
        None => value.as_u64().filter(|ms| *ms <= TIME_MS_MAX).ok_or(Reason::Time(BadTime)),
    }
}
