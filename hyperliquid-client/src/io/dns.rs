//! Names to addresses, with a memory: where the last answer is used when there is none now.
//!
//! The lookup blocks (it is the system's), so it runs on tokio's blocking threads, at most one per host and caller at a
//! time: a lookup that outlives its caller's patience is picked up by the next caller instead of being started again.
//! The cache keeps [`HOSTS_MAX`] hosts of [`ADDRESSES_MAX`] addresses; the address that last worked comes first among the old ones.
//! One cache for all endpoints of a worker; clones share it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// Hosts remembered; the venue has two.
const HOSTS_MAX: usize = 64;
/// Addresses tried per dial.
const ADDRESSES_MAX: usize = 8;

/// A blocking lookup: host and port to addresses.
type Lookup = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Running = JoinHandle<io::Result<Vec<SocketAddr>>>;

/// See the module.
#[derive(Clone)]
pub struct Dns {
    lookup: Arc<Lookup>,
    hosts: Rc<RefCell<BTreeMap<String, Known>>>,
}

#[derive(Default)]
struct Known {
    /// Answers of the last lookup that had any, the address that worked last first.
    good: Vec<IpAddr>,
    /// A lookup somebody stopped waiting for.
    running: Option<Running>,
}

impl Default for Dns {
    fn default() -> Self {
        Self::system()
    }
}

impl Dns {
    /// The system's resolver.
    #[must_use]
    pub fn system() -> Self {
        Self::with_lookup(|host, port| (host, port).to_socket_addrs().map(Iterator::collect))
    }

    /// Another resolver; it may block.
    pub fn with_lookup(
        lookup: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self { lookup: Arc::new(lookup), hosts: Rc::default() }
    }

    /// The addresses to try, in order: today's answer, then those that worked before.
    ///
    /// # Errors
    /// The lookup's error when there is no answer before `deadline` and nothing is remembered.
    pub(crate) async fn resolve(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let answer = self.look_up(host, port, deadline).await;
        let mut hosts = self.hosts.borrow_mut();
        let remembered = hosts.get(host).map(|known| known.good.clone()).unwrap_or_default();
        let fresh = match answer {
            Ok(fresh) if fresh.is_empty() && remembered.is_empty() => {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
            }
            Ok(fresh) => fresh,
            Err(error) if remembered.is_empty() => return Err(error),
            Err(error) => {
                tracing::warn!(host, %error, addresses = remembered.len(), "name not resolved, using what worked before");
                Vec::new()
            }
        };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for ip in fresh.iter().map(SocketAddr::ip).chain(remembered) {
            if addresses.len() < ADDRESSES_MAX && !addresses.contains(&ip) {
                addresses.push(ip);
            }
        }
        if hosts.len() < HOSTS_MAX || hosts.contains_key(host) {
            hosts.entry(host.to_owned()).or_default().good.clone_from(&addresses);
        }
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// A connection to `ip` came about.
    pub(crate) fn worked(&self, host: &str, ip: IpAddr) {
        if let Some(known) = self.hosts.borrow_mut().get_mut(host)
            && let Some(at) = known.good.iter().position(|good| *good == ip)
        {
            known.good.swap(0, at);
        }
    }

    async fn look_up(&self, host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
        let abandoned = self.hosts.borrow_mut().get_mut(host).and_then(|known| known.running.take());
        let mut running = abandoned.unwrap_or_else(|| {
            let (lookup, host) = (Arc::clone(&self.lookup), host.to_owned());
            tokio::task::spawn_blocking(move || lookup(&host, port))
        });
        match timeout_at(deadline, &mut running).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(failed)) => Err(io::Error::other(failed)),
            Err(_) => {
                let mut hosts = self.hosts.borrow_mut();
                if hosts.len() < HOSTS_MAX || hosts.contains_key(host) {
                    hosts.entry(host.to_owned()).or_default().running = Some(running);
                }
                Err(io::Error::new(io::ErrorKind::TimedOut, "the resolver did not answer in time"))
            }
        }
    }
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns").field("hosts", &self.hosts.borrow().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Duration;

    use super::*;

    const PATIENT: Duration = Duration::from_secs(10);

    /// A resolver that answers what the test sends it, when it sends it.
    fn scripted() -> (Dns, SyncSender<io::Result<Vec<SocketAddr>>>) {
        let (answers, script): (_, Receiver<io::Result<Vec<SocketAddr>>>) = sync_channel(8);
        let script = Mutex::new(script);
        let dns = Dns::with_lookup(move |_, _| {
            script.lock().expect("one lookup at a time").recv().expect("an answer")
        });
        (dns, answers)
    }

    fn addresses(last: &[u8]) -> Vec<SocketAddr> {
        last.iter().map(|last| SocketAddr::from(([192, 0, 2, *last], 443))).collect()
    }

    #[tokio::test]
    async fn a_failing_resolver_leaves_what_worked_before() {
        let (dns, answers) = scripted();
        answers.send(Err(io::ErrorKind::NotFound.into())).expect("heard");
        let error =
            dns.resolve("host", 443, Instant::now() + PATIENT).await.expect_err("nothing is known yet");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);

        answers.send(Ok(addresses(&[1, 2]))).expect("heard");
        assert_eq!(
            dns.resolve("host", 443, Instant::now() + PATIENT).await.expect("resolved"),
            addresses(&[1, 2])
        );
        dns.worked("host", addresses(&[2])[0].ip());

        answers.send(Err(io::ErrorKind::NotFound.into())).expect("heard");
        assert_eq!(
            dns.resolve("host", 443, Instant::now() + PATIENT).await.expect("remembered"),
            addresses(&[2, 1])
        );
        answers.send(Ok(addresses(&[3]))).expect("heard");
        assert_eq!(
            dns.resolve("host", 443, Instant::now() + PATIENT).await.expect("new and old"),
            addresses(&[3, 2, 1]),
            "a new address comes first, a dead one leaves the old ones to try"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_lookup_is_given_up_and_picked_up_again() {
        let (dns, answers) = scripted();
        let error = dns.resolve("host", 443, Instant::now()).await.expect_err("no time at all");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        answers.send(Ok(addresses(&[1]))).expect("heard by the lookup still running");
        let found =
            dns.resolve("host", 443, Instant::now() + PATIENT).await.expect("the same lookup's answer");
        assert_eq!(found, addresses(&[1]));
        assert!(
            answers.try_send(Ok(Vec::new())).is_ok(),
            "the resolver was asked once: its answers are not used up"
        );
    }

    #[tokio::test]
    async fn an_address_is_not_looked_up() {
        let dns = Dns::with_lookup(|_, _| panic!("no lookup for an address"));
        let found = dns.resolve("127.0.0.1", 80, Instant::now()).await.expect("an address");
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 80))]);
    }

    #[tokio::test]
    async fn memory_is_bounded_in_hosts_and_addresses() {
        let dns = Dns::with_lookup(|_, port| {
            Ok((0..50).map(|last| SocketAddr::from(([192, 0, 2, last], port))).collect())
        });
        for host in 0..100 {
            let found =
                dns.resolve(&format!("host{host}"), 1, Instant::now() + PATIENT).await.expect("resolved");
            assert_eq!(found.len(), ADDRESSES_MAX);
        }
        assert_eq!(dns.hosts.borrow().len(), HOSTS_MAX);
    }
}
