//! Accounts over several public addresses of a venue that counts: who fits where, what is given up first, what is learned.

use hyperliquid_client::decode::Decoder;
use hyperliquid_client::plan::Bound;
use hyperliquid_client::session::Refusal;
use hyperliquid_client::wire::{Address, Subscription};

use std::collections::BTreeMap;

use super::*;
use crate::runtime::clock;

/// A worker without sockets over addresses that allow so many users each.
pub(super) struct Rig {
    pub(super) core: Core,
    pub(super) now: std::time::Instant,
    /// Lines that were opened, by number, with their route.
    lines: BTreeMap<usize, usize>,
    _journal: Journal,
}

pub(super) fn account(number: u8) -> Account {
    format!("0x{number:040x}").parse().unwrap()
}

impl Rig {
    pub(super) fn new(users: &[u32]) -> Self {
        let disk = FaultyStorage::new(1);
        let Opened { journal, state, .. } = open(&disk);
        let telemetry = Telemetry::new(&catalogue()).unwrap();
        let mut core = core(&journal, &telemetry, state, disk);
        core.config.routes = (0..users.len()).collect();
        let group =
            |users: &u32| Limited::new("sim", VenueLimits { users: *users, ..VenueLimits::default() });
        core.groups = users.iter().map(group).collect();
        core.config.removal_grace = Duration::from_secs(60);
        Self { core, now: clock::now(), lines: BTreeMap::new(), _journal: journal }
    }

    /// Follows an account; the lower its number, the more important.
    pub(super) fn follow(&mut self, number: u8, cause: Cause) {
        let followed = Followed { priority: -i32::from(number), ..Followed::by_address(account(number)) };
        self.core.follow(followed, cause, self.now);
    }

    /// Carries the plan out; every line that opens is connected at once. How many opened.
    pub(super) fn plan(&mut self) -> usize {
        let opened = self.core.replan(self.now);
        for opening in &opened {
            self.lines.insert(opening.line, opening.route);
            self.core.line_up(opening.line, self.now);
        }
        opened.len()
    }

    /// The lines that want an account's fills.
    pub(super) fn wanting(&self, number: u8) -> Vec<usize> {
        let slot = &self.core.slots[account(number).as_bytes()];
        slot.seats.values().copied().filter(|line| self.core.lines.contains_key(line)).collect()
    }

    /// The public addresses that carry an account.
    fn addresses(&self, number: u8) -> Vec<usize> {
        self.wanting(number).iter().map(|line| self.lines[line]).collect()
    }

    /// The venue's snapshot of an account on every line that carries it.
    pub(super) fn snapshots(&mut self, number: u8) {
        for line in self.wanting(number) {
            let frame = format!(
                r#"{{"channel":"userFills","data":{{"isSnapshot":true,"user":"{}","fills":[]}}}}"#,
                account(number)
            );
            let from = crate::runtime::core::From { line, leg: 0, connection: 1 };
            let mut decoder = Decoder::new();
            let at = hyperliquid_client::io::Received { unix_ns: 1, at: self.now };
            self.core.handle_frame(from, &decoder.decode(frame.as_bytes()).unwrap(), frame.as_bytes(), at);
        }
    }

    /// The venue refuses an account without saying how many it allows.
    pub(super) fn refuse(&mut self, line: usize, number: u8) {
        self.refuse_saying(line, number, None);
    }

    fn refuse_saying(&mut self, line: usize, number: u8, limit: Option<u32>) {
        let user = Address::from_bytes(*account(number).as_bytes());
        let refusal = (Refusal::TooManyUsers { limit }, "Cannot track more users.");
        self.core.refuse_subscription(line, &Subscription::UserFills { user }, refusal, self.now);
    }

    /// The venue serves an account on this line; it was refused there.
    fn serve(&mut self, line: usize, number: u8) {
        let user = Address::from_bytes(*account(number).as_bytes());
        assert!(self.core.serve_subscription(line, &Subscription::UserFills { user }));
    }

    /// What is planned with at the first address, as `status` says it: users, and whom the venue refused.
    fn learned(&self) -> (usize, Option<(u32, String)>) {
        let limits = self.core.status().limits.remove(0);
        let learned = limits.learned.into_iter().next();
        (limits.users.max, learned.map(|learned| (learned.allowed, learned.refused)))
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.core.handle_timeout(self.now);
    }
}

#[test]
fn a_newcomer_opens_only_what_it_needs_and_disturbs_nobody() {
    let mut rig = Rig::new(&[2, 2, 2]);
    (1..=2).for_each(|number| rig.follow(number, Cause::Start));
    assert_eq!(rig.plan(), 2, "one cell over two addresses");
    assert_eq!((rig.addresses(1), rig.addresses(2)), (vec![0, 1], vec![0, 1]));
    let before = (rig.wanting(1), rig.wanting(2));
    rig.follow(3, Cause::Added);
    assert_eq!(rig.plan(), 2);
    assert_eq!(rig.addresses(3), [2, 2]);
    assert_eq!((rig.wanting(1), rig.wanting(2)), before);
    assert_eq!(rig.plan(), 0, "nothing changed");
}

#[test]
fn who_moves_is_carried_by_both_cells_until_the_new_one_shows_it() {
    let mut rig = Rig::new(&[2, 2]);
    (1..=2).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    let old = rig.wanting(2);
    // Of four places two are needed by a third and a fourth account: the first ones give up their second address.
    rig.follow(3, Cause::Added);
    rig.follow(4, Cause::Added);
    rig.plan();
    let moving: Vec<u8> = (1..=2).filter(|number| rig.wanting(*number).len() == 4).collect();
    assert_eq!(moving, [1, 2]);
    assert!(old.iter().all(|line| rig.wanting(2).contains(line)));
    rig.snapshots(1);
    rig.snapshots(2);
    assert_eq!((rig.wanting(1).len(), rig.wanting(2).len()), (2, 2));
    for number in 1..=4 {
        let at = rig.addresses(number);
        assert!(at.len() == 2 && at[0] == at[1], "{number}: {at:?}");
    }
    assert!(old.iter().all(|line| !rig.core.lines.contains_key(line)), "the old cell is closed");
}

#[test]
fn a_newcomer_waits_for_the_place_that_somebody_leaves() {
    let mut rig = Rig::new(&[2, 2]);
    (1..=3).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    // The most important one has a place at both addresses, until a fourth needs one.
    assert_eq!(rig.addresses(1), [0, 1]);
    rig.follow(4, Cause::Added);
    rig.plan();
    assert_eq!((rig.wanting(1).len(), rig.wanting(4).len()), (4, 0), "the venue would refuse it now");
    rig.snapshots(1);
    assert_eq!((rig.wanting(1).len(), rig.wanting(4).len()), (2, 2));
}

#[test]
fn of_two_who_want_each_others_place_the_less_important_gives_way() {
    let mut rig = Rig::new(&[1, 1]);
    (1..=2).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    let (first, second) = (rig.wanting(1), rig.wanting(2));
    let cell = |rig: &Rig, number: u8| rig.core.slots[account(number).as_bytes()].cell;
    let cells = (cell(&rig, 1), cell(&rig, 2));
    rig.core.slots.get_mut(account(1).as_bytes()).unwrap().cell = cells.1;
    rig.core.slots.get_mut(account(2).as_bytes()).unwrap().cell = cells.0;
    rig.core.is_rearranging = true;
    rig.core.go_on_moving(rig.now);
    assert_eq!((rig.wanting(1), rig.wanting(2)), ([first.clone(), second.clone()].concat(), vec![]));
    rig.snapshots(1);
    assert_eq!((rig.wanting(1), rig.wanting(2)), (second, first));
}

#[test]
fn who_finds_no_room_says_so_and_is_served_when_somebody_leaves() {
    let mut rig = Rig::new(&[2]);
    (1..=3).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    assert_eq!((rig.wanting(3), rig.core.lacks), (vec![], Some(Bound::Users)));
    let status = rig.core.status();
    let said: Vec<Option<String>> = status.accounts.into_iter().map(|account| account.refused).collect();
    assert_eq!(said, [None, None, Some("not asked for: the venue allows too few users".to_owned())]);
    // Whoever leaves makes room at once, before its grace is over.
    rig.core.unfollow(*account(1).as_bytes(), rig.now);
    rig.plan();
    assert_eq!((rig.wanting(1).len(), rig.wanting(2).len(), rig.wanting(3).len()), (0, 2, 2));
    rig.pass(61);
    assert!(!rig.core.slots.contains_key(account(1).as_bytes()));
    rig.core.unfollow(*account(2).as_bytes(), rig.now);
    rig.core.unfollow(*account(3).as_bytes(), rig.now);
    rig.pass(61);
    rig.plan();
    assert_eq!((rig.core.slots.len(), rig.core.lines.len()), (0, 0), "nobody is carried, nothing is open");
}

#[test]
fn a_lasting_refusal_lowers_the_limit_and_the_important_stay() {
    let mut rig = Rig::new(&[4]);
    (1..=4).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    let lines = rig.wanting(1);
    // By chance the venue refuses the most important of all.
    lines.iter().for_each(|line| rig.refuse(*line, 1));
    rig.pass(29);
    rig.plan();
    assert_eq!(rig.wanting(4).len(), 2, "the venue may still count what has ended");
    rig.pass(1);
    rig.plan();
    assert_eq!((rig.wanting(1), rig.wanting(4)), (lines.clone(), vec![]));
    let user =
        |number: u8| Subscription::UserFills { user: Address::from_bytes(*account(number).as_bytes()) };
    for line in &lines {
        assert!(rig.core.serve_subscription(*line, &user(1)));
    }
    rig.pass(599);
    rig.plan();
    assert_eq!(rig.wanting(4), Vec::<usize>::new());
    // It is probed again: the last one is asked for, the others stay where they are.
    rig.pass(1);
    rig.plan();
    assert_eq!((rig.wanting(4), rig.wanting(1)), (lines.clone(), lines.clone()));
    rig.refuse(lines[0], 4);
    assert!(rig.core.serve_subscription(lines[0], &user(4)), "this time it is served");
    rig.pass(60);
    rig.plan();
    assert_eq!(rig.wanting(4), lines);
}

#[test]
fn a_number_that_the_venue_states_is_believed_at_once_and_nobody_served_is_left_out_for_it() {
    let mut rig = Rig::new(&[6]);
    (1..=5).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    let lines = rig.wanting(1);
    (1..=4).for_each(|number| rig.snapshots(number));
    assert_eq!(rig.learned(), (6, None));
    // It allows three now, but goes on serving the four it has.
    rig.refuse_saying(lines[0], 5, Some(3));
    assert_eq!(rig.learned(), (4, Some((4, account(5).to_string()))));
    rig.plan();
    assert_eq!((rig.wanting(4).len(), rig.wanting(5).len()), (2, 0));
    // All connections end: it serves three, whichever ask first.
    lines.iter().for_each(|line| rig.core.line_down(*line, rig.now));
    for line in &lines {
        rig.core.line_up(*line, rig.now);
    }
    (2..=4).for_each(|number| rig.snapshots(number));
    lines.iter().for_each(|line| rig.refuse_saying(*line, 1, Some(3)));
    rig.plan();
    assert_eq!(rig.learned(), (3, Some((3, account(1).to_string()))));
    let served = [1, 2, 3, 4].map(|number| rig.wanting(number).len());
    assert_eq!(served, [2, 2, 2, 0], "the most important ones are asked for");
    // More than is configured is no news, nor is what is known.
    rig.refuse_saying(lines[0], 1, Some(9));
    rig.refuse_saying(lines[1], 1, Some(3));
    assert_eq!(rig.learned().0, 3);
}

#[test]
fn a_refusal_is_not_believed_while_ghosts_of_a_connection_may_cause_it() {
    let mut rig = Rig::new(&[2]);
    (1..=2).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    let lines = rig.wanting(2);
    rig.refuse(lines[0], 2);
    rig.pass(29);
    // The other connection ends meanwhile: its accounts are counted for a while again.
    rig.core.line_down(lines[1], rig.now);
    rig.pass(29);
    assert_eq!(rig.learned(), (2, None));
    rig.serve(lines[0], 2);
    rig.pass(60);
    assert_eq!(rig.learned(), (2, None), "it was a ghost");
    // Connections that end again and again put it off for two minutes at most.
    rig.refuse(lines[0], 2);
    for _ in 0..5 {
        rig.core.line_up(lines[1], rig.now);
        rig.pass(20);
        rig.core.line_down(lines[1], rig.now);
    }
    assert_eq!(rig.learned(), (2, None));
    rig.pass(20);
    assert_eq!(rig.learned(), (1, Some((1, account(2).to_string()))));
}

#[test]
fn a_learned_limit_is_tried_again_one_user_at_a_time() {
    let mut rig = Rig::new(&[5]);
    (1..=5).for_each(|number| rig.follow(number, Cause::Start));
    rig.plan();
    let lines = rig.wanting(1);
    (1..=2).for_each(|number| rig.snapshots(number));
    rig.refuse_saying(lines[0], 3, Some(2));
    rig.plan();
    let served = |rig: &Rig| (1..=5).filter(|number| !rig.wanting(*number).is_empty()).count();
    assert_eq!((rig.learned().0, served(&rig)), (2, 2));
    rig.pass(599);
    rig.plan();
    assert_eq!(served(&rig), 2);
    rig.pass(1);
    rig.plan();
    assert_eq!((rig.learned().0, served(&rig)), (3, 3), "one more");
    // It is refused as before: as many as before are asked for, for as long as before.
    rig.refuse_saying(lines[0], 3, Some(2));
    rig.plan();
    assert_eq!((rig.learned().0, served(&rig)), (2, 2));
    rig.pass(599);
    rig.plan();
    assert_eq!(served(&rig), 2);
    // This time it is served; so is the next one, and then nothing is learned any more.
    for (seconds, users) in [(1, 3), (59, 3), (1, 4), (60, 5)] {
        rig.pass(seconds);
        rig.plan();
        rig.snapshots(users);
        assert_eq!((rig.learned().0, served(&rig)), (users.into(), users.into()));
    }
    assert_eq!(rig.learned(), (5, None));
}
