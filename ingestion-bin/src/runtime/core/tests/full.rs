//! A journal that has no room for events: the answer that a sink waits for gets through with all that was accepted before it, in
//! order; everything else waits for the sink. And the largest message that may be configured is one record.

use std::time::Instant;

use hyperliquid_client::decode::Decoder;
use hyperliquid_client::io::Received;
use messaging::journal::{Cursor, Ticket, Waited};
use serde_json::json;

use super::super::From;
use super::*;
use crate::account::{Gap, GapId, GapKind, GapState, Market, Position};
use crate::config::MESSAGE_MOST;
use crate::record::{self, AccountBody, Body, Change};
use crate::runtime::clock;
use crate::runtime::lost::Lost;

const T: i64 = 1_790_000_000_000;
const LONG: Duration = Duration::from_secs(60);

struct Rig {
    journal: Journal,
    /// Of a sink that has read nothing yet.
    cursor: Cursor,
    core: Core,
    now: Instant,
}

/// What the journal holds, in its order.
#[derive(Debug, Eq, PartialEq)]
enum Held {
    Event { time: i64, bytes: usize },
    Gap(GapKind),
    Passed(u64, u64),
    Raw,
}

impl Rig {
    fn new(config: JournalConfig) -> Self {
        let disk = FaultyStorage::new(1);
        let restore = |saved: Option<&[u8]>| State::restore(saved.unwrap_or_default());
        let Opened { journal, state, .. } =
            Journal::open(config, Arc::new(disk.clone()), 1_000, restore).unwrap();
        let cursor = journal.register_cursor("signals", messaging::journal::From::Oldest).unwrap();
        journal.allow_deletion();
        let telemetry = Telemetry::new(&catalogue()).unwrap();
        let core = core(&journal, &telemetry, state, disk);
        let mut rig = Self { journal, cursor, core, now: clock::now() };
        rig.core.follow(Followed::by_address(ALICE.parse().unwrap()), Cause::Start, rig.now);
        assert_eq!(rig.core.replan(rig.now).len(), 2);
        rig.core.line_up(0, rig.now);
        rig.frame(&fills(true, 0, ""));
        rig
    }

    fn frame(&mut self, raw: &[u8]) {
        let mut decoder = Decoder::new();
        let decoded = decoder.decode(raw).unwrap();
        let from = From { line: 0, leg: 0, connection: 1 };
        self.core.handle_frame(from, &decoded, raw, Received { unix_ns: 1_000, at: self.now });
    }

    /// Frames of a fill each until the journal takes no more; the number of the last one that was accepted.
    fn fill_up(&mut self) -> i64 {
        let last = (1..10_000).find(|number| {
            self.frame(&fills(false, *number, &"x".repeat(500)));
            // What is written and not durable counts twice for a moment: full is what stays full.
            self.durable(self.core.outbox().last());
            self.core.handle_journal_moved();
            self.core.is_blocked()
        });
        last.expect("a bound")
    }

    fn durable(&self, ticket: Ticket) {
        assert_eq!(self.journal.progress().wait_synced(ticket, LONG), Waited::Reached);
    }

    fn held(&self) -> Vec<Held> {
        let (mut reader, mut held) = (self.journal.reader(1_000, Limit::Synced), Vec::new());
        while let Some(read) = reader.next().unwrap() {
            let Read::Record(record) = read else { continue };
            match record::decode(&record).unwrap() {
                Some(Body::Account(AccountBody { change: Change::Event(event), .. })) => {
                    held.push(Held::Event { time: event.time, bytes: event.raw.len() });
                }
                Some(Body::Account(AccountBody { change: Change::Gap { gap, .. }, .. })) => {
                    held.push(Held::Gap(gap.id.kind));
                }
                Some(Body::Passed { from, to }) => held.push(Held::Passed(from, to)),
                Some(Body::Raw(_)) => held.push(Held::Raw),
                _ => {}
            }
        }
        held
    }

    /// Lets the journal work until there is room, and everything accepted is in it.
    fn until_there_is_room(&mut self) {
        while self.core.is_blocked() {
            self.core.handle_journal_moved();
            std::thread::yield_now();
        }
        self.durable(self.core.outbox().last());
    }
}

/// A frame of one fill with some bytes that nobody knows.
fn fills(snapshot: bool, number: i64, padding: &str) -> Vec<u8> {
    let fill = json!({ "coin": "ETH", "px": "2400.5", "sz": "1", "side": "B", "time": T + number,
        "startPosition": format!("{number}.0"), "dir": "Open Long", "closedPnl": "0.0", "hash": format!("0x{number:064x}"),
        "oid": 7, "crossed": true, "fee": "0.1", "tid": 900 + number, "feeToken": "USDC", "twapId": null, "pad": padding });
    let data = json!({ "isSnapshot": snapshot, "user": ALICE, "fills": [fill] });
    json!({ "channel": "userFills", "data": data }).to_string().into_bytes()
}

fn small() -> JournalConfig {
    JournalConfig { segment_bytes: 65_536, max_bytes: 262_144, ..JournalConfig::default() }
}

fn lost() -> Lost {
    let gap = Gap {
        id: GapId {
            kind: GapKind::History,
            market: Some(Market::new("ETH-PERP")),
            from: T + 1,
            expected: None,
        },
        to: T + 2,
        found: None,
        filled: Position::default(),
        state: GapState::Unfillable,
        keys: Vec::new(),
    };
    let account: Account = ALICE.parse().unwrap();
    Lost { account: *account.as_bytes(), influencer: ALICE.to_owned(), gap }
}

#[test]
fn a_sink_that_must_declare_a_hole_gets_its_answer_from_a_full_journal_and_it_drains() {
    let mut rig = Rig::new(small());
    let last = rig.fill_up();
    assert!(last > 100, "{last}");
    assert!(!rig.core.hand_over(), "an event waits, and nothing but the sink makes room");

    let (ticket, _) = rig.core.standing().expect("the sink is not kept waiting by the journal that it holds");
    rig.durable(ticket);
    assert!(rig.core.hand_over() && rig.core.is_blocked(), "all is handed over, and nothing new is accepted");
    rig.frame(&fills(false, last + 1, ""));
    let ticket = rig.core.declare_lost(&[lost()], (5, 6)).expect("declared");
    rig.durable(ticket);

    // What was accepted, once and in order, and behind it what the sink waited for; the refused frame is not among it.
    let held = rig.held();
    let times: Vec<i64> = held
        .iter()
        .filter_map(|held| if let Held::Event { time, .. } = held { Some(time - T) } else { None })
        .collect();
    assert_eq!(times, (0..=last).collect::<Vec<_>>());
    let events = held.iter().rposition(|held| matches!(held, Held::Event { .. })).unwrap();
    let gap = held.iter().position(|held| *held == Held::Gap(GapKind::History)).unwrap();
    assert!(events < gap, "{events} {gap}");
    assert_eq!(held.last(), Some(&Held::Passed(5, 6)));

    // Asked again and again, it says it again, and takes nothing else with it.
    for _ in 0..10 {
        rig.frame(&fills(false, last + 2, &"x".repeat(5_000)));
        let ticket = rig.core.restate_gaps().expect("an answer");
        rig.durable(ticket);
    }
    let events = rig.held().into_iter().filter(|held| matches!(held, Held::Event { .. })).count();
    assert_eq!(events, times.len());

    // The sink passes, and the journal takes everything again.
    rig.cursor.store(rig.journal.progress().synced()).unwrap();
    rig.until_there_is_room();
    assert!(rig.journal.progress().counters().segments_deleted > 0);
    rig.frame(br#"{"channel":"unheard","data":{}}"#);
    rig.until_there_is_room();
    assert_eq!(rig.held().last(), Some(&Held::Raw));
}

#[test]
fn nothing_overtakes_an_event_that_waits() {
    let mut rig = Rig::new(small());
    let last = rig.fill_up();
    // A removal declares a gap of what is not certified: behind the events, also while there were room for it in the reserve.
    rig.core.unfollow(*ALICE.parse::<Account>().unwrap().as_bytes(), rig.now);
    rig.cursor.store(rig.journal.progress().synced()).unwrap();
    rig.until_there_is_room();
    let held = rig.held();
    let event = held.iter().position(|held| matches!(held, Held::Event { time, .. } if *time == T + last));
    let gap = held.iter().position(|held| *held == Held::Gap(GapKind::History));
    assert!(event.is_some() && event < gap, "{event:?} {gap:?}");
}

#[test]
fn the_largest_message_that_may_be_configured_is_a_record() {
    let mut rig = Rig::new(JournalConfig::default());
    rig.until_there_is_room();
    let most = usize::try_from(MESSAGE_MOST).unwrap();
    let padding = "x".repeat(most - fills(false, 1, "").len());
    let frame = fills(false, 1, &padding);
    assert_eq!(frame.len(), most);
    rig.frame(&frame);
    rig.until_there_is_room();
    rig.frame(&fills(false, 2, ""));
    rig.until_there_is_room();
    let held = rig.held();
    let events: Vec<(i64, bool)> = held
        .iter()
        .filter_map(|held| match held {
            Held::Event { time, bytes } => Some((time - T, *bytes > padding.len())),
            Held::Gap(_) | Held::Passed(..) | Held::Raw => None,
        })
        .collect();
    assert_eq!(events, [(0, false), (1, true), (2, false)]);
}
