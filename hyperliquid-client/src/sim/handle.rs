//! Starting a venue and holding on to it. The venue runs on its own thread with its own runtime, so it never shares one
//! with what it tests; every method here can be called from any thread, async or not.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::config::{SimConfig, SimSource, Speed};
use super::fault::FaultSpec;
use super::fill::Block;
use super::limits::SimLimits;
use super::market::Market;
use super::replay::Replay;
use super::server::{self, Blocks, Pace, Server, Shared, SimPhase, SimTlsError, server_config};
use super::venue::{Out, TruthRow, Venue, VenueStatus};

/// Why a venue did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("simulated venue cannot listen on {addr}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A speed of zero, below zero, or not a number.
    #[error("speed {0} is not positive")]
    Speed(f64),
    /// A token that nothing could match.
    #[error("the required token is empty")]
    EmptyToken,
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] SimTlsError),
    /// The authority's certificate cannot be written.
    #[error("certificate {path} cannot be written")]
    CaPem {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No thread or runtime could be made.
    #[error("simulated venue cannot get a thread")]
    Thread(#[source] io::Error),
}

/// Starts venues.
#[derive(Debug)]
pub struct SimVenue;

impl SimVenue {
    /// Binds the address, prepares the source and starts serving; the play begins as configured.
    ///
    /// # Errors
    /// [`SimError`]: the address is taken, the certificate cannot be made or written, the speed is not positive, the token is empty.
    pub fn start(config: SimConfig) -> Result<SimHandle, SimError> {
        if let Speed::Times(times) = config.speed
            && !(times.is_finite() && times > 0.0)
        {
            return Err(SimError::Speed(times));
        }
        if config.require_token.as_deref() == Some("") {
            return Err(SimError::EmptyToken);
        }
        let bind = |source| SimError::Bind { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let (tls, ca_pem) = prepare_tls(&config, addr)?;

        let pace = Pace::of(&config);
        let accounts = accounts(&config.source);
        let mut venue = Venue::new(config.venue, config.seed, config.faults);
        let blocks = Blocks::prepare(config.source, &mut venue);
        let shared = Arc::new(Shared::new(venue, config.queue_frames));
        let token = config.require_token.map(Arc::from);
        let server = Server { listener, shared: shared.clone(), blocks, tls: tls.clone(), token, pace };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SimError::Thread)?;
        let thread = thread::Builder::new()
            .name("sim-venue".to_owned())
            .spawn(move || {
                let ended = runtime.block_on(server.run());
                runtime.shutdown_background();
                ended
            })
            .map_err(SimError::Thread)?;
        Ok(SimHandle { shared, addr, tls: tls.is_some(), ca_pem, accounts, thread: Some(thread) })
    }
}

type Tls = (Option<Arc<rustls::ServerConfig>>, Option<String>);

fn prepare_tls(config: &SimConfig, addr: SocketAddr) -> Result<Tls, SimError> {
    let Some(tls) = &config.tls else { return Ok((None, None)) };
    let default = ["localhost".to_owned(), "127.0.0.1".to_owned(), addr.ip().to_string()];
    let names = if tls.names.is_empty() { &default[..] } else { &tls.names };
    let (server, pem) = server_config(names, tls.expired)?;
    if let Some(path) = &tls.ca_pem_path {
        std::fs::write(path, &pem).map_err(|source| SimError::CaPem { path: path.clone(), source })?;
    }
    Ok((Some(server), Some(pem)))
}

/// Who is worth following.
fn accounts(source: &SimSource) -> Vec<String> {
    match source {
        SimSource::Synthetic(_) => {
            Market::followed().into_iter().map(|(_, address)| address.to_string()).collect()
        }
        SimSource::Replay(replay) => {
            replay.accounts().into_iter().map(|(user, _)| user.to_string()).collect()
        }
        SimSource::Manual => Vec::new(),
    }
}

/// A running venue. Dropping it stops the venue and waits for its thread.
pub struct SimHandle {
    shared: Arc<Shared>,
    addr: SocketAddr,
    tls: bool,
    ca_pem: Option<String>,
    accounts: Vec<String>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl SimHandle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `ws://127.0.0.1:PORT/ws`, `wss` with TLS.
    pub fn ws_url(&self) -> String {
        format!("{}://{}/ws", if self.tls { "wss" } else { "ws" }, self.addr)
    }

    /// `http://127.0.0.1:PORT/info`, `https` with TLS.
    pub fn info_url(&self) -> String {
        format!("{}://{}/info", if self.tls { "https" } else { "http" }, self.addr)
    }

    /// PEM of the authority to trust, with TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Accounts worth following: the demo's, or those of a replay with perp fills, the busiest first.
    pub fn accounts(&self) -> &[String] {
        &self.accounts
    }

    /// Numbers about the venue now.
    pub fn status(&self) -> VenueStatus {
        self.shared.with(|venue, _| venue.status())
    }

    /// How far the play has come.
    pub fn phase(&self) -> SimPhase {
        *self.shared.phase().borrow()
    }

    /// Completes when every block of the source was handed to the sockets' queues; on any runtime.
    pub async fn finished(&self) {
        // The sender lives as long as this handle, so waiting cannot fail.
        let _ = self.shared.phase().wait_for(|phase| *phase == SimPhase::Finished).await;
    }

    /// The same for a thread: false when `timeout` passed first.
    pub fn wait_finished(&self, timeout: Duration) -> bool {
        self.shared.wait_phase(SimPhase::Finished, timeout)
    }

    /// Waits until the play has begun: false when `timeout` passed first.
    pub fn wait_playing(&self, timeout: Duration) -> bool {
        self.shared.wait_phase(SimPhase::Playing, timeout)
    }

    /// Stops the play before the next block; sockets stay.
    pub fn pause(&self) {
        self.shared.pause(true);
    }

    /// Goes on after [`pause`](Self::pause), without catching up.
    pub fn resume(&self) {
        self.shared.pause(false);
    }

    /// Markets and positions as they are before the first block of `replay`, for a caller that plays its blocks at a pace of its own.
    pub fn open(&self, replay: &Replay) {
        self.shared.with(|venue, _| server::open(replay, venue));
    }

    /// A block happens now: published, shown by info after the index lag, part of the truth.
    pub fn play(&self, block: &Block) {
        self.shared.with(|venue, now| venue.play(block, true, now));
    }

    /// Whether every socket's queue is at most half full, for a caller that plays no faster than sockets take it.
    pub fn has_room(&self) -> bool {
        self.shared.has_room()
    }

    /// A block that happened before anyone listened: history only.
    pub fn play_history(&self, block: &Block) {
        self.shared.with(|venue, now| venue.play(block, false, now));
    }

    /// Sends any bytes as one text frame to the sockets that follow `user`, or to all. Returns to how many.
    pub fn inject(&self, user: Option<&str>, bytes: &[u8]) -> usize {
        self.shared.with(|venue, now| venue.inject(user, bytes, now))
    }

    /// Takes a fault into force; its times count from now.
    pub fn add_fault(&self, fault: FaultSpec) {
        self.shared.with(|venue, now| venue.add_fault(fault, now));
    }

    /// Ends all faults; limits, lags and caps they changed stay.
    pub fn clear_faults(&self) {
        self.shared.with(|venue, _| venue.clear_faults());
    }

    /// How often each fault ever given was applied, zeros included; by the name in its text.
    pub fn fault_counts(&self) -> BTreeMap<&'static str, u64> {
        self.shared.with(|venue, _| venue.fault_counts())
    }

    /// Every row the venue published, in order, from index `from` on (as many as are kept).
    pub fn truth(&self, from: u64) -> Vec<TruthRow> {
        self.shared.with(|venue, _| venue.truth(from))
    }

    /// Open perp positions of an account as the venue keeps them: coin and signed size.
    pub fn positions(&self, user: &str) -> BTreeMap<String, String> {
        self.shared.with(|venue, _| venue.positions(user))
    }

    /// Limits from now on; what is over them already stays.
    pub fn set_limits(&self, limits: SimLimits) {
        self.shared.with(|venue, _| venue.config_mut().limits = limits);
    }

    /// Limits of one address alone, from now on; what is over them already stays.
    pub fn set_limits_of(&self, ip: IpAddr, limits: SimLimits) {
        self.shared.with(|venue, _| venue.set_limits_of(ip, limits));
    }

    /// Index lag of rows published from now on.
    pub fn set_index_lag(&self, from: Duration, to: Duration) {
        self.shared.with(|venue, _| venue.config_mut().index_lag = (from, to));
    }

    /// Closes every socket with a close frame of this code, or cuts it where the code is 1006.
    pub fn close_sockets(&self, code: u16) {
        self.close(None, code);
    }

    /// The same for the sockets of one address.
    pub fn close_sockets_of(&self, ip: IpAddr, code: u16) {
        self.close(Some(ip), code);
    }

    fn close(&self, of: Option<IpAddr>, code: u16) {
        let how = if code == 1006 { Out::Abort } else { Out::Close(code, "") };
        self.shared.with(|venue, now| venue.close_all(of, &how, now));
    }

    /// Stops serving and waits for the thread.
    ///
    /// # Errors
    /// What ended the server before it was asked to.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.shared.stop();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the simulated venue panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        let _ = self.end(); // nobody is left to tell
    }
}

impl std::fmt::Debug for SimHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimHandle").field("addr", &self.addr).field("tls", &self.tls).finish_non_exhaustive()
    }
}
