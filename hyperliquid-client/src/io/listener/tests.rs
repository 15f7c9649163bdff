//! A listener against a scripted venue: connecting, waiting, subscribing, being replaced.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::io::DuplexStream;

use super::*;
use crate::io::Urgency;
use crate::io::dial::DialError;
use crate::io::testing::{Recorder, Venue, fills};
use crate::limits::VenueLimits;
use crate::session::SessionConfig;

/// What the next attempts come to; after the last one the listener is stopped.
struct Script {
    outcomes: RefCell<VecDeque<Result<WebSocket<DuplexStream>, ConnectError>>>,
    /// When each attempt was made, since the test began.
    attempts: Rc<RefCell<Vec<Duration>>>,
    start: std::time::Instant,
    control: Control,
}

impl Script {
    fn of(
        outcomes: impl Into<VecDeque<Result<WebSocket<DuplexStream>, ConnectError>>>,
        control: &Control,
    ) -> Self {
        let (outcomes, control) = (RefCell::new(outcomes.into()), control.clone());
        Self { outcomes, attempts: Rc::default(), start: clock::now(), control }
    }
}

impl Connect for Script {
    type Stream = DuplexStream;

    async fn connect(&self) -> Result<WebSocket<DuplexStream>, ConnectError> {
        self.attempts.borrow_mut().push(clock::now() - self.start);
        let outcome = self.outcomes.borrow_mut().pop_front();
        match outcome {
            Some(outcome) => outcome,
            None => {
                self.control.stop();
                std::future::pending().await
            }
        }
    }
}

fn refused(status: u16, retry_after: Option<Duration>) -> ConnectError {
    ConnectError::Refused { host: "venue".into(), status, html: false, retry_after }
}

struct Run {
    attempts: Vec<Duration>,
    lines: Vec<String>,
}

async fn run(limits: VenueLimits, outcomes: Vec<Result<WebSocket<DuplexStream>, ConnectError>>) -> Run {
    let control = Control::new(SessionConfig::default());
    control.subscribe(fills());
    let (script, recorder) = (Script::of(outcomes, &control), Recorder::shared());
    let attempts = Rc::clone(&script.attempts);
    let listener =
        Listener::new(script, control, Egress::new(&limits), Rc::clone(&recorder), ListenerConfig::default());
    listener.run().await;
    Run { attempts: attempts.take(), lines: recorder.take().lines }
}

/// The pauses between attempts.
fn gaps(attempts: &[Duration]) -> Vec<Duration> {
    attempts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn failures_are_retried_ever_more_slowly() {
    let failures = (0..12).map(|_| Err(refused(503, None))).collect();
    let run = run(VenueLimits::default(), failures).await;
    let gaps = gaps(&run.attempts);
    assert_eq!(gaps.len(), 12);
    for (n, gap) in gaps.iter().enumerate() {
        let plain = Duration::from_millis(250 << n.min(10)).min(Duration::from_secs(20));
        assert!(*gap >= plain && *gap <= plain.mul_f64(1.5) + Duration::from_millis(2), "{n}: {gap:?}");
    }
    assert!(run.lines[0].ends_with("venue refuses the websocket: status 503"), "{:?}", run.lines);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_and_certificates_are_retried_once_a_minute() {
    let unauthorised =
        ConnectError::Unauthorised { host: "venue".into(), status: 401, html: false, retry_after: None };
    let certificate = ConnectError::Dial(DialError::Tls {
        host: "venue".into(),
        source: std::io::Error::other("certificate expired"),
    });
    let run = run(VenueLimits::default(), vec![Err(unauthorised), Err(certificate)]).await;
    assert!(gaps(&run.attempts).iter().all(|gap| (60..62).contains(&gap.as_secs())), "{:?}", run.attempts);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured() {
    let run = run(VenueLimits::default(), vec![Err(refused(429, Some(Duration::from_secs(40))))]).await;
    assert_eq!(gaps(&run.attempts)[0].as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn connections_the_venue_closes_at_once_make_no_hot_loop() {
    let mut venues = Vec::new();
    let mut outcomes = Vec::new();
    for _ in 0..40 {
        let (socket, mut venue) = Venue::pair(1000);
        venue.close(1000, "Inactive").await;
        venues.push(venue);
        outcomes.push(Ok(socket));
    }
    let limits = VenueLimits { new_connections_per_minute: 5, ..VenueLimits::default() };
    let run = run(limits, outcomes).await;
    assert_eq!(run.attempts.len(), 41);
    for minute in run.attempts.windows(6) {
        assert!(minute[5] - minute[0] >= Duration::from_secs(60), "six in a minute: {minute:?}");
    }
    assert_eq!(run.lines[..3], ["connected", "closed", "ended venue"]);
    assert!(run.lines.iter().any(|line| line.starts_with("waiting")), "{:?}", run.lines);
}

#[tokio::test(start_paused = true)]
async fn after_a_reconnect_everything_is_subscribed_again() {
    let (first, mut venue_first) = Venue::pair(1000);
    let (second, mut venue_second) = Venue::pair(1000);
    let (run, ()) = tokio::join!(run(VenueLimits::default(), vec![Ok(first), Ok(second)]), async {
        for venue in [&mut venue_first, &mut venue_second] {
            venue.acknowledge("subscribe").await;
            venue.fills().await;
            venue.close(1000, "Expired").await;
        }
    });
    let one = ["connected", "ack", "fills 0", "subscribed", "closed", "ended venue"];
    assert_eq!(run.lines, [one, one].concat());
}

#[tokio::test(start_paused = true)]
async fn half_a_minute_of_data_starts_the_waits_anew() {
    let (socket, mut venue) = Venue::pair(1000);
    let mut outcomes: Vec<_> = (0..8).map(|_| Err(refused(503, None))).collect();
    outcomes.push(Ok(socket));
    let (run, ()) = tokio::join!(run(VenueLimits::default(), outcomes), async {
        venue.acknowledge("subscribe").await;
        venue.fills().await;
        let _ = tokio::time::timeout(Duration::from_secs(31), venue.answer_pings()).await;
        venue.fills().await;
        venue.close(1000, "Expired").await;
    });
    let [.., connected, last] = run.attempts[..] else { panic!("{:?}", run.attempts) };
    assert!(last - connected < Duration::from_secs(33), "a quarter of a second after 31 s of data");
}

#[tokio::test(start_paused = true)]
async fn stop_ends_a_listener_that_waits() {
    let control = Control::new(SessionConfig::default());
    let outcome = Err(refused(429, Some(Duration::from_secs(3000))));
    let script = Script::of([outcome], &control);
    let start = clock::now();
    let egress = Egress::new(&VenueLimits::default());
    let listener =
        Listener::new(script, control.clone(), egress, Recorder::default(), ListenerConfig::default());
    let (recorder, ()) = tokio::join!(listener.run(), async {
        sleep(Duration::from_secs(10)).await;
        control.stop();
    });
    assert_eq!(clock::now() - start, Duration::from_secs(10));
    assert_eq!(recorder.lines.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_replaced_at_once_and_a_useless_one_after_the_backoff() {
    let control = Control::new(SessionConfig::default());
    control.subscribe(fills());
    let (first, mut old) = Venue::pair(1000);
    let (second, mut useless) = Venue::pair(1000);
    let script = Script::of([Ok(first), Ok(second)], &control);
    let attempts = Rc::clone(&script.attempts);
    let recorder = Recorder::shared();
    let egress = Egress::new(&VenueLimits::default());
    let listener =
        Listener::new(script, control.clone(), egress, Rc::clone(&recorder), ListenerConfig::default());
    tokio::join!(listener.run(), async {
        old.next().await.expect("a request");
        control.replace();
        assert_eq!(old.next().await, None);
        // It answers the close by its end.
        drop(old);
        useless.next().await.expect("a request");
        control.recycle();
        assert_eq!(useless.next().await, None);
        drop(useless);
    });
    let lines = recorder.take().lines;
    assert_eq!(lines, ["connected", "closed", "ended replaced", "connected", "closed", "ended recycled"]);
    let gaps = gaps(&attempts.take());
    assert!(gaps[0] < Duration::from_millis(10) && gaps[1] >= Duration::from_millis(250), "{gaps:?}");
}

/// One of a pair that carry the same account: when one of them has its place, the other is not urgent any more.
struct Twin {
    number: usize,
    urgencies: Rc<RefCell<Vec<Control>>>,
    taken: Rc<RefCell<Vec<(usize, Duration)>>>,
    start: std::time::Instant,
}

impl Handler for Twin {
    fn on_frame(&mut self, _: &crate::decode::Decoded<'_>, _: &[u8], _: crate::io::Received) {}
    fn on_refused(&mut self, _: &crate::io::Refused<'_>, _: crate::io::Received) {}
    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        if matches!(event, ListenerEvent::Connecting) {
            self.taken.borrow_mut().push((self.number, clock::now() - self.start));
            self.urgencies.borrow()[self.number ^ 1].set_urgency(Urgency::Usual);
        }
    }
}

/// All at once without a connection: so many pairs of listeners, and one successor of a connection that still serves.
const PAIRS: usize = 25;

#[tokio::test(start_paused = true)]
async fn in_a_storm_whoever_is_not_listened_to_goes_first_and_no_minute_has_too_many() {
    let (urgencies, taken) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let egress = Egress::new(&VenueLimits::default());
    let (start, successor) = (clock::now(), 2 * PAIRS);
    for _ in 0..successor + 2 {
        urgencies.borrow_mut().push(Control::new(SessionConfig::default()));
    }
    let controls = urgencies.borrow().clone();
    controls[successor].set_urgency(Urgency::Later);
    let local = tokio::task::LocalSet::new();
    // The successor and then the second of every pair come first, and get nothing by it.
    for number in (0..=successor).rev() {
        let control = controls[number].clone();
        let script = Script::of([Err(refused(503, None))], &control);
        let (urgencies, taken) = (Rc::clone(&urgencies), Rc::clone(&taken));
        let twin = Twin { number, urgencies, taken, start };
        let config = ListenerConfig { seed: number as u64, ..ListenerConfig::default() };
        let listener = Listener::new(script, control, egress.clone(), twin, config);
        local.spawn_local(listener.run());
        if number < successor {
            controls[number].set_urgency(Urgency::First);
        }
    }
    local.await;
    let taken = taken.take();
    assert_eq!(taken.len(), 2 * (successor + 1), "each tried twice");
    for minute in taken.windows(31) {
        assert!(minute[30].1 - minute[0].1 >= Duration::from_secs(60), "31 in a minute: {minute:?}");
    }
    let first: std::collections::BTreeSet<usize> =
        taken[..PAIRS].iter().map(|(number, _)| number / 2).collect();
    assert_eq!(first.len(), PAIRS, "one of each pair before anybody's second: {taken:?}");
    assert!(
        taken[..30].iter().all(|(_, at)| *at < Duration::from_secs(2)),
        "nobody waits for what is not wanted"
    );
    assert!(taken[..2 * PAIRS].iter().all(|(number, _)| *number < successor), "the successor waits for all");
}

#[tokio::test(start_paused = true)]
async fn a_retired_connection_ends_as_replaced_and_its_listener_with_it() {
    let control = Control::new(SessionConfig::default());
    control.subscribe(fills());
    let (socket, mut venue) = Venue::pair(1000);
    let script = Script::of([Ok(socket)], &control);
    let attempts = Rc::clone(&script.attempts);
    let recorder = Recorder::shared();
    let egress = Egress::new(&VenueLimits::default());
    let listener =
        Listener::new(script, control.clone(), egress, Rc::clone(&recorder), ListenerConfig::default());
    tokio::join!(listener.run(), async {
        venue.next().await.expect("a request");
        control.retire();
        assert_eq!(venue.next().await, None);
        drop(venue);
    });
    assert_eq!(recorder.take().lines, ["connected", "closed", "ended replaced"]);
    assert_eq!(attempts.take().len(), 1);
}
