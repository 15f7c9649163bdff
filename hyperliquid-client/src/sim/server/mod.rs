//! The venue on a socket: one listener for `/ws` and `/info`, on a thread and runtime of its own. All decisions are the
//! venue's; here are only bytes, timers and queues.

mod http;
mod player;
mod shared;
mod socket;
mod tls;

use std::io;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use self::http::Service;
pub(super) use self::player::{Blocks, Pace, open};
pub(super) use self::shared::Shared;
pub use self::shared::SimPhase;
pub use self::tls::SimTlsError;
pub(super) use self::tls::server_config;

/// TCP connections served at once; more wait in the system's backlog.
const TCP_MAX: usize = 4_096;
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// The driver looks again at least this often.
const DRIVER_MAX_WAIT: Duration = Duration::from_secs(60);

/// A listener that is bound and what it needs to serve.
pub(super) struct Server {
    pub(super) listener: StdListener,
    pub(super) shared: Arc<Shared>,
    pub(super) blocks: Blocks,
    pub(super) tls: Option<Arc<ServerConfig>>,
    pub(super) token: Option<Arc<str>>,
    pub(super) pace: Pace,
}

impl Server {
    /// Serves until the shared state says stop.
    pub(super) async fn run(self) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let mut stopped = self.shared.stopped();
        let acceptor = self.tls.map(TlsAcceptor::from);
        let accept = accept(listener, self.shared.clone(), acceptor, self.token);
        let drive = drive(self.shared.clone());
        let play = player::play(self.shared.clone(), self.blocks, self.pace);
        tokio::spawn(play);
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => {}
            () = drive => {}
            () = accept => {}
        }
        Ok(())
    }
}

/// Calls the venue when its deadlines pass.
async fn drive(shared: Arc<Shared>) {
    loop {
        let wait = shared.next_deadline().map_or(DRIVER_MAX_WAIT, |at| at.saturating_sub(shared.now()));
        tokio::select! {
            biased;
            () = sleep(wait.min(DRIVER_MAX_WAIT)) => shared.tick(),
            () = shared.wake.notified() => {}
        }
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    acceptor: Option<TlsAcceptor>,
    token: Option<Arc<str>>,
) {
    let slots = Arc::new(Semaphore::new(TCP_MAX));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await; // out of descriptors: others must end first
            continue;
        };
        if shared.with(|venue, now| venue.is_down(now)) {
            continue; // dropping it cuts it
        }
        let service = Service { shared: shared.clone(), token: token.clone(), peer: peer.ip() };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _slot = slot;
            serve(stream, acceptor, service).await;
        });
    }
}

async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, service: Service) {
    // Without it a block's small frames would wait for acknowledgements; where it fails they only come later.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => serve_http(stream, service).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(TLS_TIMEOUT, acceptor.accept(stream)).await {
                serve_http(stream, service).await;
            }
        }
    }
}

async fn serve_http(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: Service) {
    let service = service_fn(move |request| service.clone().call(request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    let _ = connection.await; // a cut or broken connection is nothing to report
}
