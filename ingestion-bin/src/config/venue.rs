//! `[[venue.endpoint]]`, `[streams]`, `[account_state]`, `[listeners]`: how the venue is listened to.

use std::path::PathBuf;
use std::time::Duration;

use influencer_registry::Start;
use messaging::journal::MAX_BODY_BYTES;

use super::egress::{EgressEntry, egress};
use super::reader::Section;
use super::secret::SecretSource;

/// The largest message that may be accepted, bytes: one record of the journal holds all of it and what is said beside it.
pub(crate) const MESSAGE_MOST: u64 = MAX_BODY_BYTES as u64 - (1 << 20);

/// The endpoints; listeners spread over them.
#[derive(Clone, Debug)]
pub struct Venue {
    /// At least one.
    pub endpoints: Vec<Endpoint>,
}

/// One address of the venue with what it allows.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Unique name, for logs and status.
    pub name: String,
    /// `mainnet`, `testnet` or `sim`; goes into every signal.
    pub network: String,
    /// WebSocket URL, `ws://` only when written out.
    pub ws_url: String,
    /// Info URL; empty: same host, `/info`.
    pub info_url: String,
    /// The ways out of this machine; at least one.
    pub egress: Vec<EgressEntry>,
    /// Entries of this name leave from one public address; empty: each from its own.
    pub egress_group: String,
    /// Header or query token, by reference.
    pub auth: Option<EndpointAuth>,
    /// More certificate authorities to trust, PEM.
    pub ca_file: Option<PathBuf>,
    /// Bound of one message over all its fragments, bytes.
    pub max_message_bytes: usize,
    /// Distinct users the venue lets one address follow.
    pub users: u32,
    /// Open connections.
    pub connections: u32,
    /// New connections a minute.
    pub new_connections_per_minute: u32,
    /// Subscriptions over all connections.
    pub subscriptions: u32,
    /// Messages sent a minute over all connections.
    pub messages_per_minute: u32,
    /// Weight of info requests a minute.
    pub info_weight_per_minute: u32,
}

/// A token for an endpoint that wants one.
#[derive(Clone, Debug)]
pub struct EndpointAuth {
    /// Header or query, with its name.
    pub place: AuthPlace,
    /// Where the secret is.
    pub value_from: SecretSource,
}

/// Where the token goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthPlace {
    /// In this header.
    Header(String),
    /// In this query parameter.
    Query(String),
}

/// Which kinds of events make signals. Raw events are kept for all of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Streams {
    /// Listen to TWAP slices on their own channel.
    pub twap: bool,
    /// Listen to the order updates of every influencer that does not say otherwise.
    pub orders: bool,
    /// Signals for spot markets.
    pub spot: bool,
    /// Signals for outcome markets.
    pub outcomes: bool,
}

/// Equity, leverage and positions, as context of signals.
#[derive(Clone, Copy, Debug)]
pub struct AccountState {
    /// Whether they are asked for.
    pub enabled: bool,
    /// At most one stored per account in this time.
    pub interval: Duration,
}

/// Listeners and timing.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// Listeners of an account.
    pub count: usize,
    /// Whether accounts share connections.
    pub allocation: Allocation,
    /// From when on events become signals, of who does not say otherwise.
    pub start: Start,
    /// Between pings.
    pub ping_interval: Duration,
    /// Until a pong is missed.
    pub pong_timeout: Duration,
    /// Without any frame, until a connection is dead.
    pub stale_after: Duration,
    /// So much later than another listener, the primary is none any more.
    pub failover_lag: Duration,
    /// Between two looks at how late the listeners are.
    pub probe_interval: Duration,
    /// How long a healthy listener is the primary before another healthy one is.
    pub rotate_primary: Duration,
    /// A socket is replaced at this age.
    pub replace_socket: Duration,
    /// How long a fill that does not link waits.
    pub hold: Duration,
    /// How long live fills wait for a repair.
    pub repair_hold: Duration,
    /// Between sweeps of the history.
    pub sweep_interval: Duration,
    /// Between attempts to connect.
    pub backoff: Backoff,
}

/// How accounts share connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Allocation {
    /// Accounts share connections.
    Shared,
    /// One connection per account and listener.
    Dedicated,
}

/// Exponential, with jitter.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// First wait.
    pub initial: Duration,
    /// Longest wait.
    pub max: Duration,
    /// Share of the wait that is random, 0 to 1.
    pub jitter: f64,
}

pub(super) fn venue(root: &Section<'_>) -> Venue {
    let section = root.section("venue");
    let endpoints = match section.sections("endpoint") {
        None => vec![endpoint(&section.absent("endpoint.0"))],
        Some(tables) => {
            if tables.is_empty() {
                section.complain("endpoint", "[]", "wants at least one endpoint");
            }
            let endpoints: Vec<Endpoint> = tables
                .into_iter()
                .map(|table| {
                    let endpoint = endpoint(&table);
                    table.done();
                    endpoint
                })
                .collect();
            for (index, endpoint) in endpoints.iter().enumerate() {
                if endpoints.iter().take(index).any(|other| other.name == endpoint.name) {
                    let key = format!("endpoint.{index}.name");
                    section.complain(&key, &format!("{:?}", endpoint.name), "names two endpoints");
                }
            }
            endpoints
        }
    };
    if let [first, others @ ..] = endpoints.as_slice()
        && let Some(other) = others.iter().find(|other| other.network != first.network)
    {
        let both = format!("{:?} and {:?}", first.network, other.network);
        section.complain("endpoint", &both, "wants one network: signals carry its name");
    }
    section.done();
    Venue { endpoints }
}

fn endpoint(table: &Section<'_>) -> Endpoint {
    table.choice("dialect", (), &[("hyperliquid", ())]);
    let limits = table.section("limits");
    let limit = |name: &str, default: u64| {
        u32::try_from(limits.number(name, default, 1..=1_000_000)).unwrap_or(u32::MAX)
    };
    let endpoint = Endpoint {
        name: table.text("name", "mainnet"),
        network: table
            .choice("network", "mainnet", &[("mainnet", "mainnet"), ("testnet", "testnet"), ("sim", "sim")])
            .to_owned(),
        ws_url: url(table, "ws_url", "wss://api.hyperliquid.xyz/ws", &["wss://", "ws://"]),
        info_url: url(table, "info_url", "", &["https://", "http://"]),
        egress: egress(table),
        egress_group: table.text("egress_group", ""),
        auth: auth(table),
        ca_file: Some(table.text("ca_file", "")).filter(|path| !path.is_empty()).map(PathBuf::from),
        max_message_bytes: usize::try_from(table.number(
            "max_message_bytes",
            33_554_432,
            1024..=MESSAGE_MOST,
        ))
        .unwrap_or(33_554_432),
        users: limit("users", 10),
        connections: limit("connections", 10),
        new_connections_per_minute: limit("new_connections_per_minute", 30),
        subscriptions: limit("subscriptions", 1000),
        messages_per_minute: limit("messages_per_minute", 2000),
        info_weight_per_minute: limit("info_weight_per_minute", 1200),
    };
    limits.done();
    endpoint
}

fn url(table: &Section<'_>, name: &str, default: &str, schemes: &[&str]) -> String {
    let url = table.text(name, default);
    let host = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
    let good = host.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with(['/', ':']) && !rest.contains(char::is_whitespace)
    });
    let absent = url.is_empty() && default.is_empty();
    if !good && !absent {
        table.complain(
            name,
            &format!("{url:?}"),
            &format!("wants a URL starting with {}", schemes.join(" or ")),
        );
        return default.to_owned();
    }
    url
}

fn auth(table: &Section<'_>) -> Option<EndpointAuth> {
    let section = table.section("auth");
    let (header, query) = (section.text("header", ""), section.text("query", ""));
    let given = section.has("value_from");
    let place = match (header.is_empty(), query.is_empty()) {
        (false, true) => Some(AuthPlace::Header(header)),
        (true, false) => Some(AuthPlace::Query(query)),
        (true, true) if !given => None,
        _ => {
            section.complain("header", "", "wants either header or query");
            None
        }
    };
    let value_from = section.secret("value_from");
    if place.is_some() && !given {
        section.complain("value_from", "", "wants env:NAME or file:PATH");
    }
    let auth = place.zip(value_from).map(|(place, value_from)| EndpointAuth { place, value_from });
    section.done();
    auth
}

pub(super) fn streams(root: &Section<'_>) -> Streams {
    let section = root.section("streams");
    let streams = Streams {
        twap: section.flag("twap", true),
        orders: section.flag("orders", false),
        spot: section.flag("spot", false),
        outcomes: section.flag("outcomes", false),
    };
    section.done();
    streams
}

pub(super) fn account_state(root: &Section<'_>) -> AccountState {
    let section = root.section("account_state");
    let state = AccountState {
        enabled: section.flag("enabled", true),
        interval: section.seconds("interval_s", 30, 1..=3600),
    };
    section.done();
    state
}

pub(super) fn listeners(root: &Section<'_>) -> Listeners {
    let section = root.section("listeners");
    let backoff = section.section("backoff");
    let listeners = Listeners {
        count: usize::try_from(section.number("count", 2, 1..=2)).unwrap_or(2),
        allocation: section.choice(
            "allocation",
            Allocation::Shared,
            &[("shared", Allocation::Shared), ("dedicated", Allocation::Dedicated)],
        ),
        start: section.parsed("start", "now", str::parse::<Start>).unwrap_or_default(),
        ping_interval: section.millis("ping_interval_ms", 5000, 100..=50_000),
        pong_timeout: section.millis("pong_timeout_ms", 5000, 100..=60_000),
        stale_after: section.millis("stale_after_ms", 15_000, 1000..=600_000),
        failover_lag: section.millis("failover_lag_ms", 250, 1..=60_000),
        probe_interval: section.millis("probe_interval_ms", 1000, 100..=60_000),
        rotate_primary: section.seconds("rotate_primary_s", 3600, 1..=604_800),
        replace_socket: section.seconds("replace_socket_s", 9000, 10..=10_000),
        hold: section.millis("hold_ms", 500, 1..=60_000),
        repair_hold: section.millis("repair_hold_ms", 5000, 1..=600_000),
        sweep_interval: section.seconds("sweep_interval_s", 300, 1..=86_400),
        backoff: Backoff {
            initial: backoff.millis("initial_ms", 250, 1..=60_000),
            max: backoff.millis("max_ms", 20_000, 1..=600_000),
            jitter: backoff.fraction("jitter", 0.5),
        },
    };
    if listeners.backoff.initial > listeners.backoff.max {
        backoff.complain(
            "initial_ms",
            &listeners.backoff.initial.as_millis().to_string(),
            "is more than max_ms",
        );
    }
    backoff.done();
    section.done();
    listeners
}
