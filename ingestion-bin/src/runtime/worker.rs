//! One worker: a thread with a current-thread runtime that owns connections and the accounts they carry.
//!
//! Frames are decoded and handled where they arrive. What crosses to other threads crosses in batches (the journal) or as a
//! snapshot (status). A panic here is a bug of ours in state code: the thread ends, the process follows, the journal restores.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyperliquid_client::backoff::{BackoffConfig, SmallRng};
use hyperliquid_client::io::{
    Control, Dns, Egress, Endpoint, InfoClient, Listener, ListenerConfig, VenueConnector, WallClock,
};
use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::session::SessionConfig;
use messaging::journal::{Appender, Progress, Ticket};
use observability::Telemetry;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant as TokioInstant, interval, sleep_until};

use super::clock;
use super::core::{Core, CoreConfig, Followed, Known, Limited, Outbox, WorkerStatus};
use super::desk::Standing;
use super::handler::Ear;
use super::history::History;
use super::lost::Lost;
use super::published::Published;
use crate::account::Cause;
use crate::state::Spent;

/// Commands that may wait for a worker.
pub(super) const COMMANDS_MAX: usize = 1_024;

/// What a worker can be told.
#[derive(Debug)]
pub(super) enum Command {
    Follow(Followed),
    Change(Followed),
    Unfollow([u8; 20]),
    /// Where all numbers stand; no answer while the journal has no room.
    Numbers(SyncSender<Standing>),
    /// Records what the sink of the signals lost with a span of positions; answers when it is handed over.
    Declare(Vec<Lost>, (u64, u64), SyncSender<Ticket>),
    /// Records all gaps again; answers when they are handed over.
    RestateGaps(SyncSender<Ticket>),
    /// With the time it may take.
    Stop(Duration),
}

/// An endpoint with its limits, ready to be dialled.
#[derive(Clone)]
pub(super) struct Dialled {
    pub(super) endpoint: Endpoint,
    pub(super) limits: VenueLimits,
}

/// Everything a worker needs; made before the thread starts, so that nothing can fail in it.
pub(super) struct WorkerPlan {
    pub(super) endpoints: Vec<Dialled>,
    pub(super) listeners: usize,
    pub(super) session: SessionConfig,
    pub(super) backoff: BackoffConfig,
    pub(super) core: CoreConfig,
    pub(super) follow: Vec<Followed>,
    pub(super) known: BTreeMap<[u8; 20], Known>,
    pub(super) spent: Vec<Spent>,
    pub(super) appender: Appender,
    pub(super) progress: Arc<Progress>,
    pub(super) published: Published,
    pub(super) telemetry: Telemetry,
    pub(super) status: Arc<Mutex<WorkerStatus>>,
    pub(super) seed: u64,
}

/// Between two snapshots of the status.
const STATUS_EVERY: Duration = Duration::from_millis(500);

/// Runs a worker until it is told to stop; answers the last batch the journal took of it.
///
/// # Errors
///
/// When there is no runtime, or a part of the worker ended by itself.
pub(super) fn run(plan: WorkerPlan, commands: mpsc::Receiver<Command>) -> std::io::Result<Ticket> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, work(plan, commands))
}

async fn work(plan: WorkerPlan, mut commands: mpsc::Receiver<Command>) -> std::io::Result<Ticket> {
    let moved = Arc::new(Notify::new());
    let outbox = Outbox::new(plan.appender);
    let (for_journal, blocked) = (Arc::clone(&moved), outbox.blocked_flag());
    // The journal moves hundreds of times a second; we only care when something waits for it.
    plan.progress.on_move(move || {
        if blocked.load(Ordering::Acquire) {
            for_journal.notify_one();
        }
    });
    let core = Core::new(plan.core, outbox, plan.telemetry.clone(), plan.published, plan.known);
    let core = Rc::new(RefCell::new(core));
    let wall = WallClock::new(clock::wall_ns);
    let mut controls = Vec::new();
    let mut tasks = JoinSet::new();
    for followed in plan.follow {
        core.borrow_mut().follow(followed, Cause::Start, clock::now());
    }
    core.borrow_mut().declare_absent(clock::now());
    let mut infos = Vec::new();
    for dialled in &plan.endpoints {
        match dialled.endpoint.dialer(Dns::default()) {
            Ok(dialer) => infos.push((dialled, dialer, Egress::new(&dialled.limits))),
            // Checked before the thread started; a file can have gone since.
            Err(error) => tracing::error!(endpoint = dialled.endpoint.name(), %error, "endpoint unusable"),
        }
    }
    for number in 0..plan.listeners {
        let Some((dialled, dialer, egress)) = infos.get(number % infos.len().max(1)) else { break };
        let seed = plan.seed.wrapping_add(number as u64);
        let control = Control::new(session_of(plan.session, seed));
        core.borrow().subscribe_all(&control);
        core.borrow_mut().add_listener(control.clone());
        controls.push(control.clone());
        let connector = VenueConnector::new(dialled.endpoint.clone(), dialer.clone(), wall.clone());
        let ear = Ear::new(Rc::clone(&core), number, listener_name(number), dialled.endpoint.name());
        let config = ListenerConfig { backoff: plan.backoff, seed, ..ListenerConfig::default() };
        let listener = Listener::new(connector, control, egress.clone(), ear, config);
        tasks.spawn_local(async move {
            listener.run().await;
        });
    }
    let mut weight = None;
    if let Some((dialled, dialer, _)) = infos.first() {
        let client = InfoClient::new(dialled.endpoint.clone(), dialer.clone(), wall.clone());
        let history =
            History::new(Rc::clone(&core), client, &dialled.limits, &plan.spent, Arc::clone(&plan.progress));
        weight = Some(history.budget());
        tasks.spawn_local(history.run());
    }
    for (place, (dialled, ..)) in infos.iter().enumerate() {
        core.borrow_mut().limited(Limited {
            name: dialled.endpoint.name().to_owned(),
            limits: dialled.limits,
            listeners: (place..plan.listeners).step_by(infos.len()).collect(),
            weight: weight.take(),
        });
    }
    let timer = Rc::clone(&core.borrow().timer);
    let mut status = interval(STATUS_EVERY);
    let grace = loop {
        let deadline = core.borrow_mut().deadline();
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None => break Duration::ZERO,
                Some(Command::Stop(grace)) => break grace,
                Some(command) => obey(&mut core.borrow_mut(), command, clock::now()),
            },
            () = moved.notified() => core.borrow_mut().handle_journal_moved(),
            () = until(deadline) => core.borrow_mut().handle_timeout(clock::now()),
            () = timer.notified() => {}
            Some(ended) = tasks.join_next() => {
                // State that panicked is not to be trusted: the process ends and the journal restores it.
                if let Err(error) = ended
                    && let Ok(panic) = error.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
                return Err(std::io::Error::other("a part of the worker ended by itself"));
            }
            _ = status.tick() => show(&core, &plan.status),
        }
    };
    // Upstream first: no more frames, then what waits goes to the journal.
    controls.iter().for_each(Control::stop);
    let ended = async { while tasks.join_next().await.is_some() && core.borrow().connected() > 0 {} };
    let _late = tokio::time::timeout(Duration::from_secs(2), ended).await;
    tasks.abort_all();
    let emptied = async {
        while !core.borrow_mut().hand_over() {
            moved.notified().await;
        }
    };
    let _still_blocked = tokio::time::timeout(grace, emptied).await;
    show(&core, &plan.status);
    let last = core.borrow().outbox().last();
    Ok(last)
}

fn obey(core: &mut Core, command: Command, now: Instant) {
    match command {
        Command::Follow(followed) => core.follow(followed, Cause::Added, now),
        Command::Change(followed) => core.change(followed),
        Command::Unfollow(account) => core.unfollow(account, now),
        Command::Numbers(answer) => tell(&answer, core.standing()),
        Command::Declare(lost, span, answer) => tell(&answer, core.declare_lost(&lost, span)),
        Command::RestateGaps(answer) => tell(&answer, core.restate_gaps()),
        Command::Stop(_) => {}
    }
}

fn tell<T>(asker: &SyncSender<T>, answer: Option<T>) {
    if let Some(answer) = answer {
        // Who does not wait any more asks again.
        let _late = asker.try_send(answer);
    }
}

fn show(core: &Rc<RefCell<Core>>, status: &Arc<Mutex<WorkerStatus>>) {
    let now = core.borrow().status();
    *status.lock().unwrap_or_else(PoisonError::into_inner) = now;
}

/// A listener's own share of chance: up to a tenth less of age, so that listeners opened together are not old together.
fn session_of(session: SessionConfig, seed: u64) -> SessionConfig {
    let share = SmallRng::seeded(seed).unit() / 10.0;
    SessionConfig { seed, replace_after: session.replace_after.mul_f64(1.0 - share), ..session }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => sleep_until(TokioInstant::from_std(at)).await,
        None => std::future::pending().await,
    }
}

/// `a`, `b`, ...
pub(super) fn listener_name(number: usize) -> String {
    u8::try_from(number)
        .ok()
        .filter(|n| *n < 26)
        .map_or_else(|| number.to_string(), |number| char::from(b'a' + number).to_string())
}
