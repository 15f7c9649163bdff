//! Trouble on the way of both listeners, each by itself: cut, closed, half-open, mute, late, frames dropped, doubled, cut short. Seeded; what
//! came is counted. Content stays true: what a flipped bit makes of a row is tried elsewhere, where it can be told from the truth.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hyperliquid_client::sim::SimHandle;

use super::support::proxy::{Cut, Flow, Proxy, Way, Weather};
use super::support::random::Random;

/// Faults of a venue, as the command line writes them.
const OF_A_VENUE: [&str; 7] =
    ["drop=0.05", "drop=0.5", "dup=0.3", "truncate=0.1", "mute=*", "delay=50..1500@0.3", "close=1001@0"];

/// Faults of a network.
#[derive(Clone, Copy, Debug)]
enum OfANetwork {
    Reset,
    Fin,
    Shut,
    HalfOpen,
    NothingIn,
    Stopped,
    Late,
}

const OF_A_NETWORK: [OfANetwork; 7] = [
    OfANetwork::Reset,
    OfANetwork::Fin,
    OfANetwork::Shut,
    OfANetwork::HalfOpen,
    OfANetwork::NothingIn,
    OfANetwork::Stopped,
    OfANetwork::Late,
];

impl OfANetwork {
    fn strike(self, proxy: &Proxy) {
        match self {
            Self::Reset => proxy.cut(Cut::Reset),
            Self::Fin => proxy.cut(Cut::Fin),
            Self::Shut => {
                proxy.shut();
                proxy.cut(Cut::Reset);
            }
            Self::HalfOpen => proxy.set_living(&Weather::both(Way::flow(Flow::Lost))),
            Self::NothingIn => proxy.set_living(&Weather::down(Way::flow(Flow::Lost))),
            Self::Stopped => proxy.set(&Weather::both(Way::flow(Flow::Stopped))),
            Self::Late => {
                let late = Way::late(Duration::from_millis(20), Duration::from_millis(1_500));
                proxy.set(&Weather::down(late));
            }
        }
    }
}

/// Trouble for one listener, until dropped.
pub(crate) struct Trouble {
    proxy: Arc<Proxy>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    came: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Trouble {
    /// Between the service and this venue.
    pub(crate) fn at(venue: &Arc<SimHandle>, seed: u64) -> Self {
        let proxy = Arc::new(Proxy::to(venue.addr()));
        let came = Arc::new(Mutex::new(BTreeMap::new()));
        let (stop, stopped) = sync_channel::<()>(1);
        let (on_the_way, at_the_venue, told) = (Arc::clone(&proxy), Arc::clone(venue), Arc::clone(&came));
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(seed);
            let wait = |time| matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
            // Well for a while, ill for a while.
            while wait(Duration::from_millis(300) + random.millis(2_500)) {
                let (what, lost) = strike(&on_the_way, &at_the_venue, &mut random);
                *told.lock().expect("nobody panics with it").entry(what).or_default() += 1;
                let goes_on = wait(Duration::from_millis(100) + random.millis(2_500));
                at_the_venue.clear_faults();
                on_the_way.heal();
                if lost {
                    // Nobody else would end it, and the venue counts it.
                    on_the_way.cut(Cut::Reset);
                }
                if !goes_on {
                    break;
                }
            }
        });
        Self { proxy, stop: Some(stop), thread: Some(thread), came }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// No more trouble; what there was, and how often.
    pub(crate) fn end(&mut self) -> BTreeMap<String, u64> {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            thread.join().expect("trouble ends well");
        }
        self.came.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// What it is, and whether connections were lost to it for good.
fn strike(proxy: &Proxy, venue: &SimHandle, random: &mut Random) -> (String, bool) {
    if random.below(2) == 0 {
        let fault = OF_A_VENUE[random.below(OF_A_VENUE.len() as u64) as usize];
        venue.add_fault(fault.parse().expect("a fault"));
        return (fault.to_owned(), false);
    }
    let fault = OF_A_NETWORK[random.below(OF_A_NETWORK.len() as u64) as usize];
    fault.strike(proxy);
    (format!("{fault:?}"), matches!(fault, OfANetwork::HalfOpen | OfANetwork::NothingIn))
}
