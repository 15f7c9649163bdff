//! The venue under an artificial clock: the rig every part drives it with. One part a file, by what is asked of it.

mod faults;
mod info;
mod limits;
mod live;
mod subscriptions;

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::super::fill::{Block, BlockFill, Stream};
use super::super::limits::SimLimits;
use super::super::market::{Market, MarketConfig};
use super::info::InfoAnswer;
use super::*;

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const A: &str = "0x00000000000000000000000000000000000000aa";
const B: &str = "0x00000000000000000000000000000000000000bb";

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A venue and the artificial clock it is driven by.
struct Rig {
    venue: Venue,
    now: Duration,
    tid: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| (), &[])
    }

    fn with(change: impl FnOnce(&mut VenueConfig), faults: &[&str]) -> Self {
        let mut config = VenueConfig {
            snapshot_before_ack: 0.0,
            index_lag: (Duration::ZERO, Duration::ZERO),
            ..VenueConfig::default()
        };
        change(&mut config);
        let faults = faults.iter().map(|text| text.parse().unwrap()).collect();
        let mut venue = Venue::new(config, 11, faults);
        venue.quote("ETH", "2400.0");
        Self { venue, now: Duration::ZERO, tid: 0 }
    }

    fn connect(&mut self) -> ConnId {
        match self.venue.connect(IP, self.now) {
            Admission::Accept(id) => id,
            other @ (Admission::Refuse(_) | Admission::Hang | Admission::Cut) => panic!("{other:?}"),
        }
    }

    /// Moves the clock in the steps the venue asks for; returns what it sent meanwhile.
    fn wait(&mut self, time: Duration) -> Vec<(ConnId, Out)> {
        let end = self.now + time;
        let mut sent = self.drain();
        while let Some(at) = self.venue.poll_timeout(self.now).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.venue.handle_timeout(self.now);
            sent.extend(self.drain());
        }
        self.now = end;
        sent
    }

    fn drain(&mut self) -> Vec<(ConnId, Out)> {
        std::iter::from_fn(|| self.venue.poll_transmit(self.now)).collect()
    }

    /// Sends a text and returns what comes back on that socket.
    fn ask(&mut self, id: ConnId, text: &str) -> Vec<String> {
        self.venue.receive(id, text, self.now);
        texts(&self.drain(), id)
    }

    fn subscribe(&mut self, id: ConnId, kind: &str, user: &str) -> Vec<String> {
        self.ask(id, &json!({"method":"subscribe","subscription":{"type":kind,"user":user}}).to_string())
    }

    /// `n` buys of `user` in one block; returns what was sent to everyone.
    fn fills(&mut self, user: &str, n: u64, twap: Option<u64>) -> Vec<(ConnId, Out)> {
        let time = 1_790_000_000_000 + self.now.as_millis() as u64 + self.tid;
        let fills = (0..n).map(|_| self.fill(user, time, twap)).collect();
        self.venue.play(&Block { time, fills, marks: Vec::new() }, true, self.now);
        self.drain()
    }

    fn fill(&mut self, user: &str, time: u64, twap: Option<u64>) -> BlockFill {
        self.tid += 1;
        let fill = json!({"coin":"ETH","px":"2400.5","sz":"1.0","side":"B","time":time,
            "startPosition":format!("{}.0", self.tid - 1),"dir":"Open Long","closedPnl":"0.0","hash":"0x1","oid":7,
            "crossed":true,"fee":"0.1","tid":self.tid,"feeToken":"USDC","twapId":null});
        BlockFill {
            user: user.into(),
            stream: if twap.is_some() { Stream::Twap } else { Stream::Fills },
            twap_id: twap,
            fill: serde_json::from_value(fill).unwrap(),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "every caller makes it with `json!` on the spot")]
    fn info(&mut self, body: Value) -> InfoAnswer {
        match self.venue.info(IP, body.to_string().as_bytes(), self.now) {
            InfoOutcome::Answer(answer) => answer,
            InfoOutcome::Cut => panic!("cut"),
        }
    }

    fn tids(&mut self, body: Value) -> Vec<u64> {
        let rows: Value = serde_json::from_str(&self.info(body).body).unwrap();
        rows.as_array().unwrap().iter().map(tid).collect()
    }
}

fn texts(sent: &[(ConnId, Out)], id: ConnId) -> Vec<String> {
    let of = sent.iter().filter(|(to, _)| *to == id);
    of.filter_map(|(_, out)| match out {
        Out::Text(text) | Out::Fragments(text) => Some(text.to_string()),
        Out::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Out::Pings(_) | Out::Pong(_) | Out::Close(..) | Out::Abort => None,
    })
    .collect()
}

fn tid(row: &Value) -> u64 {
    row.get("fill").unwrap_or(row)["tid"].as_u64().unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
