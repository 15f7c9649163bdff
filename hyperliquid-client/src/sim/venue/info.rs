//! Info requests: answers, weights, caps, and the errors of an HTTP API. The same for HTTP and for posts on a socket.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::book::{Range, View};
use super::super::fault::InfoFate;
use super::super::fill::Stream;
use super::subscription::address;
use super::{Venue, frames};

const UNREADABLE: &str = "Failed to deserialize the JSON body into the target type";

/// What an info request comes to.
#[derive(Debug)]
pub(in crate::sim) enum InfoOutcome {
    Answer(InfoAnswer),
    /// The connection is cut, nothing is answered.
    Cut,
}

/// An HTTP answer.
#[derive(Debug)]
pub(in crate::sim) struct InfoAnswer {
    pub(in crate::sim) status: u16,
    pub(in crate::sim) body: String,
    /// Seconds, with 429.
    pub(in crate::sim) retry_after: Option<u64>,
    /// Sent so much later.
    pub(in crate::sim) delay: Duration,
    /// Only half of the body is sent, then the connection breaks.
    pub(in crate::sim) half: bool,
}

impl InfoAnswer {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), retry_after: None, delay: Duration::ZERO, half: false }
    }
}

/// A request that was understood.
enum Ask {
    Newest(String, Stream),
    Page(String, Stream, Range),
    State { user: String, dex: String },
    Role(String),
    SubAccounts(String),
    Meta(String),
    PerpDexs,
    SpotMeta,
    AllMids(String),
    ExchangeStatus,
}

impl Ask {
    fn read(value: &Value) -> Option<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let user = || text("user").and_then(|user| address(&user));
        let dex = || text("dex").unwrap_or_default();
        let ms = |key: &str| match value.get(key) {
            None | Some(Value::Null) => Some(None),
            Some(value) => value.as_u64().map(Some),
        };
        let flag = |key: &str| value.get(key).and_then(Value::as_bool).unwrap_or(false);
        let range = || {
            let (start, end) = (ms("startTime")??, ms("endTime")?.unwrap_or(u64::MAX));
            Some(Range { start, end, reversed: flag("reversed"), cap: 0 })
        };
        if flag("aggregateByTime") {
            return None; // merged rows are not simulated
        }
        Some(match value.get("type")?.as_str()? {
            "userFills" => Self::Newest(user()?, Stream::Fills),
            "userTwapSliceFills" => Self::Newest(user()?, Stream::Twap),
            "userFillsByTime" => Self::Page(user()?, Stream::Fills, range()?),
            "userTwapSliceFillsByTime" => Self::Page(user()?, Stream::Twap, range()?),
            "clearinghouseState" => Self::State { user: user()?, dex: dex() },
            "userRole" => Self::Role(user()?),
            "subAccounts" => Self::SubAccounts(user()?),
            "meta" => Self::Meta(dex()),
            "perpDexs" => Self::PerpDexs,
            "spotMeta" => Self::SpotMeta,
            "allMids" => Self::AllMids(dex()),
            "exchangeStatus" => Self::ExchangeStatus,
            _ => return None,
        })
    }

    /// Weight before the rows of the answer are counted.
    fn weight(&self) -> u32 {
        match self {
            Self::State { .. } | Self::AllMids(_) | Self::ExchangeStatus => 2,
            Self::Role(_) => 60,
            Self::Newest(..)
            | Self::Page(..)
            | Self::SubAccounts(_)
            | Self::Meta(_)
            | Self::PerpDexs
            | Self::SpotMeta => 20,
        }
    }

    fn has_rows(&self) -> bool {
        matches!(self, Self::Newest(..) | Self::Page(..))
    }
}

impl Venue {
    /// The body of a POST to `/info`.
    pub(in crate::sim) fn info(&mut self, ip: IpAddr, body: &[u8], now: Duration) -> InfoOutcome {
        if self.is_down(now) {
            return InfoOutcome::Cut;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => self.info_value(ip, &value, now),
            Err(_) => {
                self.status.info_requests += 1;
                InfoOutcome::Answer(InfoAnswer::new(422, UNREADABLE))
            }
        }
    }

    /// The same, already parsed.
    pub(super) fn info_value(&mut self, ip: IpAddr, value: &Value, now: Duration) -> InfoOutcome {
        self.status.info_requests += 1;
        let Some(ask) = Ask::read(value) else {
            return InfoOutcome::Answer(InfoAnswer::new(422, UNREADABLE));
        };
        let limit = self.limits_of(ip).info_weight_per_minute;
        let weight = &mut self.ips.entry(ip).or_default().weight;
        if !weight.take(ask.weight(), limit, now) {
            let wait = weight.wait(ask.weight(), limit, now);
            self.status.info_over_budget += 1;
            return InfoOutcome::Answer(InfoAnswer {
                retry_after: Some(wait.as_secs() + 1),
                ..InfoAnswer::new(429, "Too Many Requests")
            });
        }
        let fate = self.faults.info(ask.has_rows(), now);
        let mut answer = match fate.status {
            Some(429) => InfoAnswer { retry_after: Some(1), ..InfoAnswer::new(429, "Too Many Requests") },
            Some(status) => InfoAnswer::new(status, "Internal Server Error"),
            None => InfoAnswer::new(200, self.answer(ip, ask, &fate, now)),
        };
        answer.delay = fate.delay;
        answer.half = fate.half;
        InfoOutcome::Answer(answer)
    }

    fn answer(&mut self, ip: IpAddr, ask: Ask, fate: &InfoFate, now: Duration) -> String {
        let view = View { now, stale: fate.stale };
        match ask {
            Ask::Newest(user, stream) => {
                let cap = self.cap(stream);
                let rows = self.book.newest(&user, stream, cap, view);
                self.rows_answer(ip, rows, stream, fate, now)
            }
            Ask::Page(user, stream, range) => {
                let cap = self.cap(stream);
                let rows = self.book.page(&user, stream, Range { cap, ..range }, view);
                self.rows_answer(ip, rows, stream, fate, now)
            }
            Ask::State { user, dex } => self.state(&user, &dex, now),
            Ask::Role(user) => self.role(&user),
            Ask::SubAccounts(user) => self.sub_accounts(&user),
            Ask::Meta(dex) => self.catalogue.meta(&dex),
            Ask::PerpDexs => self.catalogue.perp_dexs(),
            Ask::SpotMeta => self.catalogue.spot_meta(),
            Ask::AllMids(dex) => frames::mids(self.catalogue.marks(&dex)),
            Ask::ExchangeStatus => format!(r#"{{"time":{},"specialStatuses":null}}"#, self.status.venue_time),
        }
    }

    fn role(&self, user: &str) -> String {
        let is = |address: &str| address.eq_ignore_ascii_case(user);
        if let Some((_, owner)) = self.config.agents.iter().find(|(agent, _)| is(agent)) {
            return format!(r#"{{"role":"agent","data":{{"user":"{owner}"}}}}"#);
        }
        if let Some((_, master, _)) = self.config.sub_accounts.iter().find(|(_, _, sub)| is(sub)) {
            return format!(r#"{{"role":"subAccount","data":{{"master":"{master}"}}}}"#);
        }
        let role = if self.book.knows(user) { "user" } else { "missing" };
        format!(r#"{{"role":"{role}"}}"#)
    }

    fn sub_accounts(&self, user: &str) -> String {
        let subs = self.config.sub_accounts.iter().filter(|(_, master, _)| master.eq_ignore_ascii_case(user));
        let subs: Vec<Value> = subs
            .map(|(name, master, sub)| {
                serde_json::json!({ "name": name, "subAccountUser": sub, "master": master })
            })
            .collect();
        if subs.is_empty() { "null".to_owned() } else { Value::from(subs).to_string() }
    }

    fn cap(&self, stream: Stream) -> usize {
        match stream {
            Stream::Fills => self.config.page_cap,
            Stream::Twap => self.config.twap_page_cap,
        }
    }

    fn rows_answer(
        &mut self,
        ip: IpAddr,
        mut rows: Vec<Arc<str>>,
        stream: Stream,
        fate: &InfoFate,
        now: Duration,
    ) -> String {
        let (name, is_fault) = match stream {
            Stream::Fills => ("page-cap", self.cap_is_fault),
            Stream::Twap => ("twap-page-cap", self.twap_cap_is_fault),
        };
        if is_fault && rows.len() == self.cap(stream) {
            self.faults.applied(name);
        }
        if fate.empty {
            rows.clear();
        } else if fate.short {
            let keep = self.faults.rng().below(rows.len() as u64) as usize;
            rows.truncate(keep);
        }
        let extra = u32::try_from(rows.len() / 20).unwrap_or(u32::MAX);
        self.ips.entry(ip).or_default().weight.add(extra, now);
        frames::list(&rows)
    }
}
