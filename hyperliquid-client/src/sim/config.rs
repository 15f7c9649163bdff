//! How a simulated venue behaves. The defaults are the real venue's, as far as they are known.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::fault::FaultSpec;
use super::limits::SimLimits;
use super::market::MarketConfig;
use super::replay::Replay;

/// Where the fills come from.
#[derive(Clone, Debug)]
pub enum SimSource {
    /// A seeded market.
    Synthetic(MarketConfig),
    /// Recorded fills.
    Replay(Replay),
    /// Nothing by itself: blocks come through [`SimHandle::play`](super::SimHandle::play).
    Manual,
}

/// How fast venue time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many venue seconds a second; must be positive and finite.
    Times(f64),
    /// As fast as the sockets take it: the next block waits until every queue is at most half full.
    Max,
}

/// TLS with a certificate authority made at start.
#[derive(Clone, Debug, Default)]
pub struct SimTls {
    /// Where the authority's certificate is written (PEM), for clients' `ca_file`.
    pub ca_pem_path: Option<PathBuf>,
    /// Names in the server's certificate; empty: `localhost`, `127.0.0.1` and the address listened on.
    pub names: Vec<String>,
    /// The server's certificate was valid for the year 2020.
    pub expired: bool,
}

/// The protocol's behaviour.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// Limits per IP address.
    pub limits: SimLimits,
    /// Rows of a snapshot.
    pub snapshot_rows: usize,
    /// Old trades replayed on a `trades` subscription.
    pub trade_replay: usize,
    /// Rows kept per account and stream.
    pub retention: usize,
    /// Rows of an info page of fills.
    pub page_cap: usize,
    /// Rows of an info page of TWAP slices.
    pub twap_page_cap: usize,
    /// Info shows a fill later than the socket by a time drawn from this range, per row.
    pub index_lag: (Duration, Duration),
    /// A socket that was sent no data and no pong for so long is closed `1000 "Inactive"`.
    pub idle: Duration,
    /// A socket of this age is closed `1000 "Expired"`.
    pub expiry: Duration,
    /// How long a user keeps its slot after its last subscription ended.
    pub user_linger: Duration,
    /// First text on a socket, not JSON: `Websocket connection established.`
    pub greeting: Option<String>,
    /// Account states are pushed this often (at least 10 ms apart), and on change at most every 500 ms.
    pub state_interval: Duration,
    /// Mid prices are pushed this often (at least 10 ms apart).
    pub mids_interval: Duration,
    /// How often a snapshot comes before its acknowledgement (both happen), a probability 0.0 to 1.0.
    pub snapshot_before_ack: f64,
    /// Agent wallets, with the account each trades for. They answer empty to everything but `userRole`.
    pub agents: Vec<(String, String)>,
    /// Sub-accounts: their name, their master, themselves.
    pub sub_accounts: Vec<(String, String, String)>,
    /// Rows of ground truth kept, oldest forgotten first.
    pub truth_rows: usize,
}

impl Default for VenueConfig {
    fn default() -> Self {
        Self {
            limits: SimLimits::default(),
            snapshot_rows: 30,
            trade_replay: 30,
            retention: 10_000,
            page_cap: 2_000,
            twap_page_cap: 2_000,
            index_lag: (Duration::from_millis(100), Duration::from_millis(1_500)),
            idle: Duration::from_secs(60),
            expiry: Duration::from_secs(10_000),
            user_linger: Duration::ZERO,
            greeting: None,
            state_interval: Duration::from_secs(3),
            mids_interval: Duration::from_secs(1),
            snapshot_before_ack: 0.25,
            agents: Vec::new(),
            sub_accounts: Vec::new(),
            truth_rows: 1_000_000,
        }
    }
}

/// Everything about one simulated venue.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// What is played.
    pub source: SimSource,
    /// Seeds faults, index lags and the order of snapshot and acknowledgement.
    pub seed: u64,
    /// How fast venue time passes.
    pub speed: Speed,
    /// Longest real pause between two blocks; `None`: as long as the source has it.
    pub max_gap: Option<Duration>,
    /// Playing begins after so many `userFills` subscriptions are open (0: at once) …
    pub wait_subscriptions: usize,
    /// … and this time has passed since.
    pub warmup: Duration,
    /// The protocol's behaviour.
    pub venue: VenueConfig,
    /// Faults from the start.
    pub faults: Vec<FaultSpec>,
    /// `wss` and `https` instead of `ws` and `http`.
    pub tls: Option<SimTls>,
    /// Requests need `Authorization: Bearer …` or `?token=…` with this, not empty; else 401.
    pub require_token: Option<String>,
    /// Frames waiting for one slow socket before it is closed; at least 16.
    pub queue_frames: usize,
}

impl SimConfig {
    /// A venue on any free loopback port that plays `source` at its own pace.
    pub fn new(source: SimSource) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            source,
            seed: 1,
            speed: Speed::Times(1.0),
            max_gap: None,
            wait_subscriptions: 0,
            warmup: Duration::ZERO,
            venue: VenueConfig::default(),
            faults: Vec::new(),
            tls: None,
            require_token: None,
            queue_frames: 4_096,
        }
    }

    /// A lively market for demos; blocks begin at venue time `start_ms`.
    pub fn synthetic(seed: u64, start_ms: u64) -> Self {
        let market = MarketConfig { seed, start_ms, ..MarketConfig::default() };
        Self { seed, ..Self::new(SimSource::Synthetic(market)) }
    }

    /// Recorded fills.
    pub fn replay(replay: Replay) -> Self {
        Self::new(SimSource::Replay(replay))
    }

    /// A venue where only the caller makes things happen.
    pub fn manual() -> Self {
        Self::new(SimSource::Manual)
    }
}
