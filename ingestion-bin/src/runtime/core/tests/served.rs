//! Listeners at the simulated venue that refuses accounts, or grows old: who is refused is served as soon as there is room, and no
//! account loses two listeners at once.

use std::future::Future;

use hyperliquid_client::sim::SimLimits;

use super::*;

const BOB: &str = "0x0000000000000000000000000000000b0b000002";
const T: u64 = 1_790_000_000_000;

/// Longer than any of these tests: what is old is replaced without a wait.
const NEVER: Duration = Duration::from_secs(3_600);

struct Stage {
    venue: Rc<SimHandle>,
    core: Rc<RefCell<Core>>,
    played: u64,
}

impl Stage {
    /// One more fill of every account in a chain of buys: a row of the snapshot from then on.
    fn play(&mut self, live: bool) {
        let n = self.played;
        self.played += 1;
        let fill = |user: &str, tid: u64| BlockFill {
            user: user.into(),
            stream: Stream::Fills,
            twap_id: None,
            fill: serde_json::from_value(json!({
                "coin": "ETH", "px": "2400.5", "sz": "1.0", "side": "B", "time": T + n,
                "startPosition": format!("{n}.0"), "dir": "Open Long", "closedPnl": "0.0",
                "hash": format!("0x{tid:064x}"), "oid": tid, "crossed": true, "fee": "0.1", "tid": tid,
                "feeToken": "USDC", "twapId": null,
            }))
            .unwrap(),
        };
        let block = Block {
            time: T + n,
            fills: vec![fill(ALICE, 2 * n + 1), fill(BOB, 2 * n + 2)],
            marks: Vec::new(),
        };
        if live { self.venue.play(&block) } else { self.venue.play_history(&block) }
    }

    fn users(&self, users: u32) {
        self.venue.set_limits(SimLimits { users, ..SimLimits::generous() });
    }

    /// Coverage and refusal of an account.
    fn of(&self, account: &str) -> (&'static str, Option<String>, usize) {
        let status = self.core.borrow().status();
        let account = status.accounts.into_iter().find(|status| status.account == account).unwrap();
        (account.coverage, account.refused, account.open_gaps)
    }

    /// So many connections are allowed.
    fn connections(&self, connections: u32) {
        self.core.borrow_mut().groups[0].limits.connections = connections;
    }

    /// What Prometheus would read.
    fn page(&self) -> String {
        self.core.borrow().telemetry().metrics().render()
    }

    fn opened(&self) -> u64 {
        self.venue.status().connections_total
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        while !what(self) {
            tokio::task::yield_now().await;
        }
    }
}

/// Runs `play` with so many listeners to two accounts. The wait after a connection that failed begins with `backoff`.
fn stage<F: Future<Output = ()>>(
    session: SessionConfig,
    backoff: Duration,
    listeners: usize,
    play: impl FnOnce(Stage) -> F,
) {
    let disk = FaultyStorage::new(1);
    let Opened { journal, state, .. } = open(&disk);
    let telemetry = Telemetry::new(&catalogue()).unwrap();
    let core = core_with(&journal, &telemetry, state, disk, session, listeners);
    let core = Rc::new(RefCell::new(core));
    let venue = Rc::new(SimVenue::start(SimConfig::manual()).unwrap());
    let mut stage = Stage { venue, core, played: 0 };
    stage.users(10);
    stage.play(false);
    for (account, priority) in [(ALICE, 1), (BOB, 0)] {
        let account: Account = account.parse().unwrap();
        let followed = Followed { priority, ..Followed::by_address(account) };
        stage.core.borrow_mut().follow(followed, Cause::Start, crate::runtime::clock::now());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = async {
        let (core, venue) = (Rc::clone(&stage.core), Rc::clone(&stage.venue));
        // As the worker does: whatever is to be opened is.
        tokio::task::spawn_local(async move {
            let timer = Rc::clone(&core.borrow().timer);
            loop {
                let openings = core.borrow_mut().replan(crate::runtime::clock::now());
                for opening in openings {
                    listen_on::<Decoder>(&venue, &core, opening, backoff);
                }
                timer.notified().await;
            }
        });
        let played = tokio::time::timeout(Duration::from_secs(60), play(stage)).await;
        played.expect("what is waited for comes");
    };
    LocalSet::new().block_on(&runtime, run);
}

fn quick() -> SessionConfig {
    let soon = Duration::from_millis(20);
    SessionConfig { refused_wait: soon, refused_wait_max: soon, ..SessionConfig::default() }
}

#[test]
fn who_was_refused_is_served_on_the_same_connection_and_has_its_gap() {
    stage(quick(), Duration::from_millis(20), 1, |mut stage| async move {
        stage.until(|stage| [ALICE, BOB].iter().all(|account| stage.of(account).0 == "single")).await;
        // The slots shrink, and everything is subscribed anew.
        stage.users(1);
        stage.venue.close_sockets(1006);
        stage.until(|stage| stage.of(BOB).1.is_some() && stage.of(ALICE).0 == "single").await;
        assert_eq!(stage.of(BOB).0, "blind");
        // What the venue says is believed: he is not asked for any more.
        stage.until(|stage| stage.of(BOB).1.is_some_and(|why| why.contains("too few users"))).await;
        for _ in 0..40 {
            stage.play(true);
        }
        let opened = stage.opened();
        stage.users(2);
        // One user more is tried after ten minutes.
        let later = crate::runtime::clock::now() + Duration::from_secs(601);
        stage.core.borrow_mut().handle_timeout(later);
        stage.core.borrow().timer.notify_one();
        stage.until(|stage| stage.of(BOB).0 == "single").await;
        assert_eq!((stage.opened(), stage.of(BOB).1.clone()), (opened, None));
        assert_eq!(stage.of(BOB).2, 1, "more than a snapshot shows happened meanwhile: an outage gap");
        assert_eq!(stage.of(ALICE).2, 0);
    });
}

/// One listener brings nothing of an account on a connection that lives: the other one shows it, and the connection is made anew.
#[test]
fn a_listener_that_is_mute_for_an_account_is_made_anew() {
    stage(quick(), Duration::from_millis(20), 2, |mut stage| async move {
        let full = |stage: &Stage| [ALICE, BOB].iter().all(|account| stage.of(account).0 == "full");
        stage.until(full).await;
        stage.venue.add_fault(format!("mute={ALICE}#0/2").parse().unwrap());
        stage.play(true);
        // Both copies of Bob's fill and the other listener's of Alice's: nobody else has anything to miss.
        stage.until(|stage| stage.page().contains("\ningestion_rows_total{source=\"live\"} 3\n")).await;
        let later = crate::runtime::clock::now() + Settings::default().miss_after;
        assert_eq!(stage.opened(), 2);
        stage.core.borrow_mut().handle_timeout(later);
        stage.until(|stage| stage.opened() == 3).await;
        let page = stage.page();
        assert!(page.contains("\ningestion_listeners_recycled_total 1\n"), "{page}");
        stage.venue.clear_faults();
        stage.until(full).await;
    });
}

/// Asked twice without an answer: the account shows as blind, and another connection is tried.
#[test]
fn a_subscription_nobody_acknowledges_costs_the_connection() {
    let session = SessionConfig { ack_timeout: Duration::from_millis(50), ..quick() };
    stage(session, Duration::from_millis(20), 1, |stage| async move {
        stage.venue.add_fault("no-ack=1000".parse().unwrap());
        stage.until(|stage| stage.opened() >= 2).await;
        for account in [ALICE, BOB] {
            assert_eq!(stage.of(account).0, "blind");
        }
        let page = stage.page();
        let stale = "ingestion_connection_ends_total{cause=\"stale\"} ";
        let ended = page.lines().find_map(|line| line.strip_prefix(stale));
        assert!(ended.is_some_and(|count| count != "0"), "{page}");
        stage.venue.clear_faults();
        stage.until(|stage| [ALICE, BOB].iter().all(|account| stage.of(account).0 == "single")).await;
    });
}

/// How often old connections were replaced in a way.
fn replaced(stage: &Stage, way: &str) -> u64 {
    let page = stage.page();
    let series = format!("ingestion_replacements_total{{way=\"{way}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn without_a_free_connection_old_ones_are_replaced_one_at_a_time() {
    let session = SessionConfig { replace_after: Duration::from_millis(300), ..quick() };
    stage(session, NEVER, 2, |stage| async move {
        stage.connections(2);
        let full = |stage: &Stage| [ALICE, BOB].iter().all(|account| stage.of(account).0 == "full");
        stage.until(full).await;
        // Both were opened together and are old together.
        let watched = |stage: &Stage| {
            let blind = [ALICE, BOB].iter().any(|account| stage.of(account).0 == "blind");
            assert!(!blind, "somebody always listens");
            stage.opened() >= 8
        };
        stage.until(watched).await;
        assert_eq!((replaced(&stage, "overlap"), replaced(&stage, "ended")), (0, 0));
    });
}

/// Nothing but what the first brings once it is back lets the second go.
#[test]
fn the_second_has_its_turn_when_the_first_carries_again() {
    stage(quick(), NEVER, 2, |stage| async move {
        stage.connections(2);
        let full = |stage: &Stage| [ALICE, BOB].iter().all(|account| stage.of(account).0 == "full");
        stage.until(full).await;
        for listener in [0, 1] {
            stage.core.borrow_mut().replace(listener, crate::runtime::clock::now());
        }
        stage.until(|stage| stage.opened() == 4 && full(stage)).await;
    });
}

#[test]
fn who_is_shown_on_one_connection_alone_keeps_it() {
    for connections in [2, 10] {
        let session = SessionConfig { replace_after: Duration::from_millis(300), ..quick() };
        stage(session, NEVER, 2, |stage| async move {
            stage.connections(connections);
            for number in 2..100 {
                stage.venue.add_fault(format!("mute={ALICE}#{number}/1000").parse().unwrap());
            }
            stage.until(|stage| stage.of(ALICE).0 == "single" && stage.of(BOB).0 == "full").await;
            let watched = |stage: &Stage| {
                assert_eq!(stage.of(ALICE).0, "single", "the first one carries her");
                stage.opened() >= 6
            };
            stage.until(watched).await;
            stage.venue.clear_faults();
            stage.until(|stage| stage.of(ALICE).0 == "full").await;
        });
    }
}

#[test]
fn the_only_listener_is_replaced_too() {
    let session = SessionConfig { replace_after: Duration::from_millis(300), ..quick() };
    stage(session, NEVER, 1, |stage| async move {
        stage.connections(1);
        stage.until(|stage| stage.opened() >= 3 && stage.of(ALICE).0 == "single").await;
        assert_eq!(replaced(&stage, "overlap"), 0);
    });
}

/// Fills flow, the only connection is replaced again and again, and the account never notices: no blind moment, no gap, nothing unread.
#[test]
fn a_successor_is_there_before_the_only_listener_goes() {
    let session = SessionConfig { replace_after: Duration::from_millis(300), ..quick() };
    stage(session, NEVER, 1, |mut stage| async move {
        stage.connections(2);
        stage.until(|stage| [ALICE, BOB].iter().all(|account| stage.of(account).0 == "single")).await;
        while replaced(&stage, "overlap") < 3 {
            stage.play(true);
            let signals = format!("disposition=\"signal\"}} {}\n", 2 * (stage.played - 1));
            let watched = |stage: &Stage| {
                for account in [ALICE, BOB] {
                    let (coverage, refused, gaps) = stage.of(account);
                    assert!(coverage != "blind" && refused.is_none() && gaps == 0, "{coverage} {gaps}");
                }
                stage.page().contains(&signals)
            };
            stage.until(watched).await;
        }
        let page = stage.page();
        for quiet in [
            "ingestion_unfollowed_rows_total 0",
            "ingestion_gap_changes_total{kind=\"outage\",state=\"opened\"} 0",
            "ingestion_gap_changes_total{kind=\"chain\",state=\"opened\"} 0",
            "ingestion_listeners_recycled_total 0",
            "ingestion_replacements_total{way=\"close_first\"} 0",
            "ingestion_late_events_total 0",
        ] {
            assert!(page.contains(&format!("\n{quiet}\n")), "{quiet} in {page}");
        }
        assert_eq!(stage.venue.status().refused_by_limits + stage.venue.status().refused_connections, 0);
    });
}

/// The venue ends the old connection before its successor has brought everything: the successor is the listener then.
#[test]
fn a_successor_takes_over_when_the_old_one_ends_early() {
    stage(quick(), NEVER, 1, |stage| async move {
        stage.until(|stage| stage.of(ALICE).0 == "single" && stage.of(BOB).0 == "single").await;
        let first = 1;
        stage.venue.add_fault(format!("mute={ALICE}#{}/1000", first + 1).parse().unwrap());
        stage.core.borrow_mut().replace(0, crate::runtime::clock::now());
        // It brings Bob, and of Alice nothing, so the old one stays.
        stage.until(|stage| stage.of(BOB).0 == "full").await;
        assert_eq!((stage.of(ALICE).0, replaced(&stage, "overlap")), ("single", 0));
        stage.venue.add_fault(format!("close=1000@0#{first}/1000").parse().unwrap());
        stage.until(|stage| replaced(stage, "ended") == 1).await;
        assert_eq!((stage.of(ALICE).0, stage.of(BOB).0), ("blind", "single"));
        let lines = stage.core.borrow().status().each_listener;
        assert!(lines.len() == 1 && lines[0].connected && lines[0].name == "a", "{lines:?}");
    });
}
