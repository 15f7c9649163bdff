//! A stretch of network between the service and a venue: a TCP proxy whose weather a test changes while bytes flow.
//!
//! Each direction of each connection has a [`Way`]: late, slow, stopped, lost, flipped, or ending after so many bytes. [`Proxy::set`] changes
//! it for all connections, [`Proxy::set_living`] only for those that are there, as when a route dies and the next one is fine. It calls the
//! venue from the address it was called from, so the venue's limits count as without it. Bytes are never looked at.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::random::Random;

/// Read at once.
const PIECE: usize = 16 << 10;
/// Pieces under way in one direction; beyond, nothing is read.
const UNDER_WAY_MAX: usize = 1 << 16;

/// Both directions of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weather {
    /// To the venue.
    pub up: Way,
    /// To the service.
    pub down: Way,
}

/// What happens to bytes in one direction. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Way {
    pub flow: Flow,
    /// Every piece comes so much later, drawn between the two; their order stays.
    pub delay: (Duration, Duration),
    /// Bytes a second.
    pub rate: Option<u32>,
    /// The share of bytes of which one bit is flipped.
    pub flips: f64,
    /// The connection ends after so many bytes more, with a FIN.
    pub ends_after: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Flow {
    #[default]
    Open,
    /// Nothing is read: the sender's buffers fill, and what waits arrives when it opens again.
    Stopped,
    /// Everything is read and thrown away, for the rest of the connection, its end included.
    Lost,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// RST to both sides.
    Reset,
    /// FIN to both sides.
    Fin,
    /// FIN to the service alone; its own bytes still reach the venue.
    HalfClose,
}

impl Weather {
    /// Both directions like this.
    pub fn both(way: Way) -> Self {
        Self { up: way.clone(), down: way }
    }

    /// The way to the service like this, the way to the venue clear.
    pub fn down(way: Way) -> Self {
        Self { down: way, ..Self::default() }
    }
}

impl Way {
    pub fn flow(flow: Flow) -> Self {
        Self { flow, ..Self::default() }
    }

    pub fn late(from: Duration, to: Duration) -> Self {
        Self { delay: (from, to), ..Self::default() }
    }
}

/// What one connection is told.
#[derive(Clone, Debug, Default)]
struct Told {
    weather: Weather,
    cut: Option<Cut>,
    /// Bytes for the service that the venue never sent, with their number.
    slipped_in: (u64, Vec<u8>),
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl Told {
    fn way(&self, direction: Direction) -> &Way {
        match direction {
            Direction::Up => &self.weather.up,
            Direction::Down => &self.weather.down,
        }
    }
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    accepted: AtomicU64,
    carried: Carried,
}

/// Counts over all connections.
#[derive(Default)]
struct Carried {
    /// Pieces from the service.
    up: AtomicU64,
    spoiled: AtomicU64,
}

#[derive(Default)]
struct State {
    weather: Weather,
    shut: bool,
    living: Vec<watch::Sender<Told>>,
    over: bool,
}

/// A running proxy. Dropped, it resets its connections and is gone.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// On a loopback port, in front of `target`, in fair weather.
    pub fn to(target: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (accepted, carried) = (AtomicU64::new(0), Carried::default());
        let shared = Arc::new(Shared { target, state: Mutex::default(), accepted, carried });
        let (stop, stopped) = watch::channel(false);
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || runtime.block_on(serve(listener, serving, stopped)));
        Self { address, shared, stop, thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The weather of all connections, those to come included.
    pub fn set(&self, weather: &Weather) {
        self.with(|state| state.weather.clone_from(weather));
        self.set_living(weather);
    }

    /// The weather of the connections that are there.
    pub fn set_living(&self, weather: &Weather) {
        self.tell(|told| told.weather = weather.clone());
    }

    /// Fair weather again, and an open door.
    pub fn heal(&self) {
        self.with(|state| state.shut = false);
        self.set(&Weather::default());
    }

    /// New connections are reset at once until it is opened by [`Proxy::heal`].
    pub fn shut(&self) {
        self.with(|state| state.shut = true);
    }

    /// Ends the connections that are there.
    pub fn cut(&self, cut: Cut) {
        self.tell(|told| told.cut = Some(cut));
    }

    /// Sends bytes of our own to the service, between two pieces of the venue's: between two messages where nothing flows.
    pub fn slip_in(&self, bytes: &[u8]) {
        self.tell(|told| told.slipped_in = (told.slipped_in.0 + 1, bytes.to_vec()));
    }

    /// Connections ever accepted, those refused by a shut door not counted.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Bytes flipped or lost so far: whether a fault struck at all.
    pub fn spoiled(&self) -> u64 {
        self.shared.carried.spoiled.load(Ordering::Relaxed)
    }

    /// Pieces that came from the service, about one for each message it sent.
    pub fn asked(&self) -> u64 {
        self.shared.carried.up.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn living(&self) -> usize {
        self.with(|state| {
            state.living.retain(|told| !told.is_closed());
            state.living.len()
        })
    }

    fn tell(&self, change: impl Fn(&mut Told)) {
        self.with(|state| {
            state.living.retain(|told| !told.is_closed());
            state.living.iter().for_each(|told| told.send_modify(&change));
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.shared.state.lock().expect("nobody panics with it"))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _gone = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut seed = 0_u64;
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.changed() => return, // the tasks, and with them the sockets, end here
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, peer)) = accepted else { continue };
        let told = {
            let mut state = shared.state.lock().expect("nobody panics with it");
            (!state.shut).then(|| {
                let (sender, told) =
                    watch::channel(Told { weather: state.weather.clone(), ..Told::default() });
                state.living.push(sender);
                told
            })
        };
        let Some(told) = told else {
            let _reset = client.set_zero_linger();
            continue;
        };
        seed += 1;
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        let (shared, mut random) = (Arc::clone(&shared), Random::new(seed));
        tasks.spawn(async move {
            let Ok(venue) = call(shared.target, peer.ip()).await else {
                let _reset = client.set_zero_linger();
                return;
            };
            let _ended = carry(client, venue, &shared.carried, told, &mut random).await;
        });
    }
}

async fn call(target: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let stream = socket.connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Carries one connection until both sides ended it or it is cut.
async fn carry(
    mut client: TcpStream,
    mut venue: TcpStream,
    count: &Carried,
    told: watch::Receiver<Told>,
    random: &mut Random,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let cut = {
        let (from_client, to_client) = client.split();
        let (from_venue, to_venue) = venue.split();
        let (mut up, mut down) = (Random::new(random.next()), Random::new(random.next()));
        let up = pass(Direction::Up, from_client, to_venue, told.clone(), count, &mut up);
        let down = pass(Direction::Down, from_venue, to_client, told.clone(), count, &mut down);
        tokio::select! {
            biased;
            cut = is_cut(told) => cut,
            ended = async { tokio::try_join!(up, down) } => { ended?; Cut::Fin }
        }
    };
    if cut == Cut::Reset {
        client.set_zero_linger()?;
        venue.set_zero_linger()?;
    }
    Ok(())
}

/// Waits for a cut of both sides.
async fn is_cut(mut told: watch::Receiver<Told>) -> Cut {
    let cut = told.wait_for(|told| matches!(told.cut, Some(Cut::Reset | Cut::Fin))).await;
    cut.ok().and_then(|told| told.cut).unwrap_or(Cut::Reset)
}

/// One direction, until its source ends; then the other side hears of it.
async fn pass(
    direction: Direction,
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    told: watch::Receiver<Told>,
    count: &Carried,
    random: &mut Random,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(UNDER_WAY_MAX);
    let reading = read(direction, from, told.clone(), count, random, sender);
    let writing = write(direction, to, told, receiver);
    let (read, written) = tokio::join!(reading, writing);
    read.and(written)
}

/// What is read, and when it is due.
type Piece = (Instant, Vec<u8>);

async fn read(
    direction: Direction,
    mut from: ReadHalf<'_>,
    mut told: watch::Receiver<Told>,
    count: &Carried,
    random: &mut Random,
    pieces: mpsc::Sender<Piece>,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let (mut carried, mut lost, mut buffer) = (0, false, vec![0; PIECE]);
    loop {
        let way = {
            let told = told.wait_for(|told| told.way(direction).flow != Flow::Stopped).await.map_err(gone)?;
            told.way(direction).clone()
        };
        lost |= way.flow == Flow::Lost;
        let read = tokio::select! {
            biased;
            changed = told.changed() => { changed.map_err(gone)?; continue }
            read = from.read(&mut buffer) => read?,
        };
        if matches!(direction, Direction::Up) {
            count.up.fetch_add(1, Ordering::Relaxed);
        }
        if lost {
            if read == 0 {
                std::future::pending::<()>().await; // its end is lost too
            }
            count.spoiled.fetch_add(read as u64, Ordering::Relaxed);
            continue;
        }
        let left = way.ends_after.map_or(usize::MAX, |end| end.saturating_sub(carried));
        let mut piece = buffer.get(..read.min(left)).unwrap_or_default().to_vec();
        carried += piece.len();
        for byte in &mut piece {
            if random.chance(way.flips) {
                *byte ^= 1 << (random.next() % 8);
                count.spoiled.fetch_add(1, Ordering::Relaxed);
            }
        }
        let due = Instant::now() + random.between(way.delay);
        if !piece.is_empty() && pieces.send((due, piece)).await.is_err() || read == 0 || read >= left {
            return Ok(());
        }
    }
}

async fn write(
    direction: Direction,
    mut to: WriteHalf<'_>,
    mut told: watch::Receiver<Told>,
    mut pieces: mpsc::Receiver<Piece>,
) -> io::Result<()> {
    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
    let (mut half, mut slips, mut slipped_in) = (told.clone(), told.clone(), 0);
    let is_down = matches!(direction, Direction::Down);
    let closes = |told: &Told| is_down && told.cut == Some(Cut::HalfClose);
    loop {
        let more = |told: &Told| is_down && told.slipped_in.0 > slipped_in;
        let piece = tokio::select! {
            biased;
            _ = half.wait_for(closes) => None,
            slip = slips.wait_for(more) => {
                let slip = slip.map_err(gone)?.slipped_in.clone();
                slipped_in = slip.0;
                Some((Instant::now(), slip.1))
            }
            piece = pieces.recv() => piece,
        };
        let Some((due, piece)) = piece else { break };
        sleep_until(due).await;
        let mut left = piece.as_slice();
        while !left.is_empty() {
            let way = {
                let told = told.wait_for(|told| told.way(direction).flow != Flow::Stopped).await;
                told.map_err(gone)?.way(direction).clone()
            };
            if way.flow == Flow::Lost {
                break;
            }
            let now = way.rate.map_or(left.len(), |rate| (rate as usize / 20).max(1).min(left.len()));
            let (first, rest) = left.split_at(now);
            to.write_all(first).await?;
            left = rest;
            if let Some(rate) = way.rate {
                sleep(Duration::from_secs_f64(now as f64 / f64::from(rate.max(1)))).await;
            }
        }
    }
    to.shutdown().await
}
