//! Two listeners of the service, each with a venue and a stretch of network of its own, so that a fault strikes one of them however often
//! it connects anew. Both venues are played the same blocks; the first also answers for history, over a third stretch.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hyperliquid_client::sim::{Block, SimConfig, SimHandle, SimVenue};
use serde_json::Value;

use super::document::documents;
use super::eventually;
use super::judge::{self, Allowed};
use super::market::Chains;
use super::process::run;
use super::proxy::Proxy;
use super::service::Service;

/// Venue time when it begins, ms.
const BEGAN: u64 = 1_790_000_000_000;

/// What one listener hears, and over what.
pub struct Leg {
    pub venue: SimHandle,
    pub proxy: Proxy,
}

pub struct Legs {
    pub a: Leg,
    pub b: Leg,
    /// The way to history.
    pub info: Proxy,
    pub chains: Chains,
    pub users: Vec<String>,
    /// Every account has connections of its own.
    dedicated: bool,
    pub directory: tempfile::TempDir,
    pub config: PathBuf,
}

/// How the service is set.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Keys of `[listeners]`.
    pub listeners: String,
    /// Tables of their own.
    pub extra: String,
    /// Keys of both endpoints.
    pub endpoint: String,
    /// The inside of `[influencers]`; empty: the accounts themselves.
    pub influencers: String,
}

impl Legs {
    /// `count` accounts are followed; `sim` is what both venues are like.
    pub fn new(count: usize, sim: &SimConfig, setting: &Setting) -> Self {
        let users = (1..=count).map(|number| format!("0x{:040x}", 0xa11c_e000 + number)).collect();
        Self::of(users, [sim, sim], setting)
    }

    /// These accounts, at these two venues.
    pub fn of(users: Vec<String>, [a, b]: [&SimConfig; 2], setting: &Setting) -> Self {
        let leg = |sim: &SimConfig| {
            let mut sim = sim.clone();
            // A socket may lag behind a burst of the test; that is not what is tried here.
            sim.queue_frames = 1 << 16;
            let venue = SimVenue::start(sim).expect("the venue starts");
            Leg { proxy: Proxy::to(venue.addr()), venue }
        };
        let (a, b) = (leg(a), leg(b));
        let info = Proxy::to(a.venue.addr());
        let dedicated = setting.listeners.contains("dedicated");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = configuration(directory.path(), &a, &b, &info, &users, setting);
        Self { a, b, info, chains: Chains::new(BEGAN, 1_000), users, dedicated, directory, config }
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts the service; both listeners are subscribed and every account has its baseline.
    pub fn start(&self) -> Service {
        let service = Service::start(&self.config, &[]);
        service.wait_ready();
        self.wait_both();
        service
    }

    /// Both listeners are subscribed to everybody.
    pub fn wait_both(&self) {
        eventually("both listeners subscribed", || {
            [&self.a, &self.b].iter().all(|leg| self.subscribed(leg)).then_some(())
        });
    }

    /// Whether every connection of a leg is subscribed to everybody: one that the network lost is still open for the venue. With a
    /// connection for each account: whether each is subscribed.
    pub fn subscribed(&self, leg: &Leg) -> bool {
        let status = leg.venue.status();
        let each = if self.dedicated { 1 } else { self.users.len() };
        status.user_fills_subscriptions >= self.users.len()
            && status.user_fills_subscriptions == status.connections * each
    }

    /// A block happens, at both venues.
    pub fn show(&self, block: &Block) {
        self.a.venue.play(block);
        self.b.venue.play(block);
    }

    /// One fill of each account in each of `count` blocks.
    pub fn play(&mut self, count: usize) {
        let users = self.users.clone();
        let users: Vec<&str> = users.iter().map(String::as_str).collect();
        for _ in 0..count {
            let block = self.chains.block(&users, "ETH");
            self.show(&block);
        }
    }

    /// Waits until everything played is on disk.
    pub fn caught_up(&self, service: &Service) -> Vec<Value> {
        service.wait_lines("signals", self.chains.rows().len())
    }

    /// Everything played is a signal on disk, once, in chain order, and no gap was opened.
    pub fn judge_seamless(&self) {
        let none = std::collections::BTreeSet::new();
        // A snapshot, or history, may show what the healthy listener is about to show.
        self.judge(&Allowed { origins: &["live", "snapshot", "backfill"], gaps: Some(&none), late: false });
        let gaps = super::service::lines(&self.data(), "gaps");
        let opened: Vec<&Value> = gaps.iter().filter(|gap| gap["state"] != "reset").collect();
        assert!(opened.is_empty(), "a gap was opened: {opened:?}");
    }

    /// Everything played is a signal on disk, once, in chain order, and `verify` finds nothing undeclared.
    pub fn judge(&self, allowed: &Allowed<'_>) {
        let expected = documents(self.chains.rows(), &self.users);
        judge::judge(&judge::stored(&self.data()), &expected, allowed);
        self.verifies();
    }

    /// `verify` finds nothing undeclared.
    pub fn verifies(&self) {
        let verify = run(&["verify", "--config", self.config.to_str().expect("UTF-8")]);
        assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
    }
}

fn configuration(
    directory: &Path,
    a: &Leg,
    b: &Leg,
    info: &Proxy,
    users: &[String],
    setting: &Setting,
) -> PathBuf {
    // Both authorities for both: history comes from the first venue alone.
    let authorities: String = [a, b].iter().filter_map(|leg| leg.venue.ca_pem()).collect();
    let ca = directory.join("ca.pem");
    std::fs::write(&ca, &authorities).expect("the certificates are written");
    let tls = !authorities.is_empty();
    let ca = if tls { format!("ca_file = {ca:?}\n") } else { String::new() };
    let (ws, http) = if tls { ("wss", "https") } else { ("ws", "http") };
    let endpoint = |name: &str, leg: &Leg, egress: &str| {
        let url = |scheme: &str, address: SocketAddr, path: &str| format!("{scheme}://{address}/{path}");
        format!(
            "[[venue.endpoint]]\nname = {name:?}\nnetwork = \"sim\"\negress = [{egress:?}]\nws_url = {:?}\ninfo_url = {:?}\n{ca}{}\n",
            url(ws, leg.proxy.address(), "ws"),
            url(http, info.address(), "info"),
            setting.endpoint,
        )
    };
    let influencers = if setting.influencers.is_empty() {
        let entries: Vec<String> = users.iter().map(|user| format!("{{ address = {user:?} }}")).collect();
        format!("static = [{}]", entries.join(", "))
    } else {
        setting.influencers.clone()
    };
    let text = format!(
        "data_dir = {:?}\n{}{}[influencers]\n{}\n[listeners]\n{}\n[admin]\nlisten = \"127.0.0.1:0\"\n{}\n",
        directory.join("data"),
        endpoint("first", a, "127.0.0.2"),
        endpoint("second", b, "127.0.0.3"),
        influencers,
        setting.listeners,
        setting.extra,
    );
    let path = directory.join("ingestion.toml");
    std::fs::write(&path, text).expect("the configuration is written");
    path
}
