//! A TCP proxy in front of a broker that loses answers: what the broker said is read, and both sides are cut instead.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    target: Arc<OnceLock<SocketAddr>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Answers that are still to be lost.
    to_lose: AtomicUsize,
    lost: AtomicUsize,
}

impl Proxy {
    /// Listens; connections are served once there is a target.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (target, state) = (Arc::<OnceLock<SocketAddr>>::default(), Arc::<State>::default());
        let (to, shared) = (Arc::clone(&target), Arc::clone(&state));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is down refuses; so do we.
                let Some(server) = to.get().and_then(|to| TcpStream::connect(to).ok()) else { continue };
                serve(client, server, &shared);
            }
        });
        Self { address, target, state }
    }

    pub(crate) fn aim(&self, target: SocketAddr) {
        self.target.set(target).unwrap();
    }

    /// Loses the next answer; the connection with it.
    pub(crate) fn lose_one(&self) {
        self.state.to_lose.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn lost(&self) -> usize {
        self.state.lost.load(Ordering::SeqCst)
    }
}

fn serve(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let state = Arc::clone(state);
    thread::spawn(move || {
        let _ = answers(&client, &server, &state);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}

fn answers(mut client: &TcpStream, mut server: &TcpStream, state: &State) -> std::io::Result<()> {
    let mut buffer = [0; 1 << 16];
    loop {
        let read = server.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let lose = |left: usize| left.checked_sub(1);
        if state.to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
            state.lost.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        client.write_all(&buffer[..read])?;
    }
}
