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

use hyperliquid_client::backoff::BackoffConfig;
use hyperliquid_client::io::{
    Control, Dialer, Dns, Egress, Endpoint, InfoClient, Listener, ListenerConfig, Tls, VenueConnector,
    WallClock,
};
use messaging::journal::{Appender, Progress, Ticket};
use observability::Telemetry;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant as TokioInstant, interval, sleep_until};

use super::asked_states::AskedStates;
use super::clock;
use super::core::{
    Core, CoreConfig, Followed, Known, Limited, Opening, Outbox, Repair, Stands, WorkerStatus,
};
use super::desk::Standing;
use super::handler::Ear;
use super::history::History;
use super::lost::Lost;
use super::published::Published;
use crate::account::Cause;
use crate::config::Group;
use crate::state::Spent;

/// Commands that may wait for a worker.
pub(super) const COMMANDS_MAX: usize = 1_024;

/// What a worker can be told.
#[derive(Debug)]
pub(super) enum Command {
    Follow(Followed),
    Change(Followed),
    /// With another start than before.
    ChangeStart(Followed),
    Unfollow([u8; 20]),
    /// Where all numbers stand; no answer while the journal's queue is full.
    Numbers(SyncSender<Standing>),
    /// Records what the sink of the signals lost with a span of positions; answers when it is handed over.
    Declare(Vec<Lost>, (u64, u64), SyncSender<Ticket>),
    /// Records all gaps again; answers when they are handed over.
    RestateGaps(SyncSender<Ticket>),
    /// What a repaired row is; lets it in where that is asked.
    Repair(Repair, SyncSender<Stands>),
    /// With the time it may take.
    Stop(Duration),
}

/// A route to the venue, ready to be dialled.
#[derive(Clone)]
pub(super) struct Dialled {
    pub(super) endpoint: Endpoint,
    /// Its roots.
    pub(super) tls: Tls,
    /// Whose limits it shares.
    pub(super) group: usize,
}

/// Everything a worker needs; made before the thread starts, so that nothing can fail in it.
pub(super) struct WorkerPlan {
    pub(super) routes: Vec<Dialled>,
    pub(super) groups: Vec<Group>,
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

/// Pages of history that are read at once, of all addresses together: each takes up to a megabyte while it comes.
const PAGES_AT_ONCE: usize = 8;

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
    let groups = plan.groups.iter().map(|group| Limited::new(&group.name, group.limits)).collect();
    let core = Core::new(plan.core, outbox, plan.telemetry.clone(), plan.published, plan.known, groups);
    let core = Rc::new(RefCell::new(core));
    let wall = WallClock::new(clock::wall_ns);
    let mut tasks = JoinSet::new();
    for followed in plan.follow {
        core.borrow_mut().follow(followed, Cause::Start, clock::now());
    }
    core.borrow_mut().declare_absent(clock::now());
    let exit = |route: &Dialled| route.endpoint.dialer_with(route.tls.clone(), Dns::default());
    let exits: Vec<(&Dialled, Dialer)> = plan.routes.iter().map(|route| (route, exit(route))).collect();
    let turns = Arc::new(Semaphore::new(PAGES_AT_ONCE));
    for (number, group) in plan.groups.iter().enumerate() {
        let Some((route, dialer)) = exits.iter().find(|(route, _)| route.group == number) else {
            continue;
        };
        let client = || {
            let client = InfoClient::new(route.endpoint.clone(), dialer.clone(), wall.clone());
            client.with_turns(Arc::clone(&turns))
        };
        let progress = Arc::clone(&plan.progress);
        let history = History::new(Rc::clone(&core), number, client(), &group.limits, &plan.spent, progress);
        core.borrow_mut().spends(number, history.budget());
        let states = AskedStates::new(Rc::clone(&core), number, client(), &group.limits, history.purse());
        tasks.spawn_local(async move {
            states.run().await;
            Task::Unending
        });
        tasks.spawn_local(async move {
            history.run().await;
            Task::Unending
        });
    }
    let open = Open {
        core: Rc::clone(&core),
        exits,
        egresses: plan.groups.iter().map(|group| Egress::new(&group.limits)).collect(),
        backoff: plan.backoff,
        seed: plan.seed,
        wall,
    };
    let timer = Rc::clone(&core.borrow().timer);
    let mut status = interval(STATUS_EVERY);
    let grace = loop {
        let openings = core.borrow_mut().replan(clock::now());
        openings.into_iter().for_each(|opening| open.line(opening, &mut tasks));
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
            Some(ended) = tasks.join_next() => match ended {
                Ok(Task::Line(control)) if control.is_stopped() => {}
                // State that panicked is not to be trusted: the process ends and the journal restores it.
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                _ => return Err(std::io::Error::other("a part of the worker ended by itself")),
            },
            _ = status.tick() => show(&core, &plan.status),
        }
    };
    // Upstream first: no more frames, then what waits goes to the journal.
    core.borrow().stop_lines();
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

/// What a task of the worker was.
enum Task {
    /// One connection kept open: ends when it is stopped.
    Line(Control),
    /// Ends never.
    Unending,
}

/// What lines are opened with.
struct Open<'a> {
    core: Rc<RefCell<Core>>,
    /// Every route, where it is usable.
    exits: Vec<(&'a Dialled, Dialer)>,
    /// What the lines of each group share.
    egresses: Vec<Egress>,
    backoff: BackoffConfig,
    seed: u64,
    wall: WallClock,
}

impl Open<'_> {
    fn line(&self, opening: Opening, tasks: &mut JoinSet<Task>) {
        let Some((route, dialer)) = self.exits.get(opening.route) else { return };
        let Some(egress) = self.egresses.get(route.group) else { return };
        let connector = VenueConnector::new(route.endpoint.clone(), dialer.clone(), self.wall.clone());
        let ear = Ear::new(Rc::clone(&self.core), &opening, route.endpoint.name());
        let seed = self.seed.wrapping_add(opening.line as u64);
        let config = ListenerConfig { backoff: self.backoff, seed, ..ListenerConfig::default() };
        let control = opening.control;
        let listener = Listener::new(connector, control.clone(), egress.clone(), ear, config);
        tasks.spawn_local(async move {
            listener.run().await;
            Task::Line(control)
        });
    }
}

fn obey(core: &mut Core, command: Command, now: Instant) {
    match command {
        Command::Follow(followed) => core.follow(followed, Cause::Added, now),
        Command::Change(followed) => core.change(followed, now),
        Command::ChangeStart(followed) => core.change_start(followed, now),
        Command::Unfollow(account) => core.unfollow(account, now),
        Command::Numbers(answer) => tell(&answer, core.standing()),
        Command::Declare(lost, span, answer) => tell(&answer, core.declare_lost(&lost, span)),
        Command::RestateGaps(answer) => tell(&answer, core.restate_gaps()),
        Command::Repair(repair, answer) => tell(&answer, core.repair(&repair, now)),
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
    core.borrow_mut().note_blindness(clock::now());
    core.borrow_mut().look_at_journal(clock::now());
    let now = core.borrow().status();
    *status.lock().unwrap_or_else(PoisonError::into_inner) = now;
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
