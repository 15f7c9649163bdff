//! One connection against scripted bytes: what keeps it, what ends it, what costs one message.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::decode::{Decoded, Decoder, FrameError};
use crate::io::testing::{Recorder, USER, Venue, fills};
use crate::limits::VenueLimits;
use crate::session::{SessionConfig, SessionEvent};
use crate::wire::Subscription;

const LIMIT: usize = 10_000;
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection driven beside a script of the venue's; its end, and what was told.
async fn run<D: Decode, F: Future>(
    control: &Control,
    script: impl FnOnce(Venue) -> F,
) -> (Driven, Vec<String>, Vec<Vec<u8>>, F::Output) {
    let (socket, venue) = Venue::pair(LIMIT);
    let recorder = Recorder::shared();
    let mut handler = Rc::clone(&recorder);
    let egress = Egress::new(&VenueLimits::default());
    let (driven, output) =
        tokio::join!(drive::<_, D, _>(socket, control, &egress, WRITE_TIMEOUT, &mut handler), script(venue));
    let Recorder { lines, refused } = recorder.take();
    (driven, lines, refused, output)
}

fn control() -> Control {
    Control::new(SessionConfig::default())
}

#[tokio::test(start_paused = true)]
async fn it_subscribes_takes_data_and_stops_when_asked() {
    let control = control();
    control.subscribe(fills());
    let (driven, lines, _, ()) = run::<Decoder, _>(&control, async |mut venue| {
        venue.acknowledge("subscribe").await;
        venue.fills().await;
        venue.send("Websocket connection established.").await;
        while !control.is_settled() {
            tokio::task::yield_now().await;
        }
        control.stop();
        while venue.next().await.is_some() {}
    })
    .await;
    assert!(matches!(driven.ended, Ended::Stopped), "{driven:?}");
    assert!(driven.data.is_some());
    assert_eq!(lines[..3], ["ack", "fills 0", "other Websocket connection established."]);
    assert_eq!(lines[3..], ["subscribed", "closed"], "events follow the burst they came with");
}

#[tokio::test(start_paused = true)]
async fn subscriptions_come_and_go_while_it_runs() {
    let control = control();
    control.subscribe(fills());
    let slices = Subscription::UserTwapSliceFills { user: USER };
    let (driven, lines, ..) = run::<Decoder, _>(&control, async |mut venue| {
        venue.acknowledge("subscribe").await;
        control.subscribe(slices.clone());
        venue.acknowledge("subscribe").await;
        control.unsubscribe(&fills());
        venue.acknowledge("unsubscribe").await;
        venue.close(1000, "").await;
        venue
    })
    .await;
    assert_eq!(driven.ended.cause(), "venue");
    assert!(!control.is_live(&slices), "nothing is live without a connection");
    assert_eq!(lines, ["ack", "subscribed", "ack", "subscribed", "ack", "unsubscribed", "closed"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_recycled_when_asked() {
    let control = control();
    let (driven, lines, _, closed) = run::<Decoder, _>(&control, async |mut venue| {
        control.recycle();
        venue.next().await
    })
    .await;
    assert!(matches!(driven.ended, Ended::Recycled), "{driven:?}");
    assert_eq!((lines, closed), (vec!["closed".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_answered_pings_keeps_it_and_silence_ends_it() {
    let control = control();
    let start = clock::now();
    let (driven, lines, ..) = run::<Decoder, _>(&control, async |mut venue| {
        let hour = Duration::from_secs(3600);
        tokio::time::timeout(hour, venue.answer_pings()).await.expect_err("it stays");
        // Silent from here on, but taking what is sent.
        while venue.next().await.is_some() {}
    })
    .await;
    let Ended::Useless(SessionEvent::PongLate { .. }) = driven.ended else { panic!("{driven:?}") };
    let lasted = clock::now() - start;
    assert!((3600..3616).contains(&lasted.as_secs()), "{lasted:?}");
    assert!(lines.iter().filter(|line| *line == "pong").count() >= 700);
}

#[tokio::test(start_paused = true)]
async fn the_venues_close_is_told_with_its_code() {
    let (driven, lines, ..) = run::<Decoder, _>(&control(), async |mut venue| {
        venue.close(1000, "Expired").await;
        venue
    })
    .await;
    let Ended::ByVenue { code: Some(1000), reason } = driven.ended else { panic!("{driven:?}") };
    assert_eq!(reason, "Expired");
    assert_eq!(lines, ["closed"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_nobody_can_read_costs_itself_only() {
    let control = control();
    let (driven, lines, refused, _) = run::<Decoder, _>(&control, async |mut venue| {
        venue.send("{not json").await;
        venue
            .0
            .write_frame(fastwebsockets::Frame::binary(fastwebsockets::Payload::Borrowed(b"\x01")))
            .await
            .expect("sent");
        venue.fills().await;
        venue.close(1001, "").await;
        venue
    })
    .await;
    assert_eq!(driven.ended.cause(), "venue");
    assert_eq!(lines, ["refused malformed_frame", "refused malformed_frame", "fills 0", "closed"]);
    assert_eq!(refused, [b"{not json".to_vec(), b"\x01".to_vec()]);
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_connection_is_handed_over_first() {
    let header = [&[0x81, 127][..], &(64_u64 << 20).to_be_bytes()].concat();
    for (bytes, code, cause, line) in [
        (header, 1009, "message", "refused frame_too_large"),
        (b"\x81\x02\xff\xfe".to_vec(), 1007, "message", "refused malformed_frame"),
        (vec![0xc1, 0x00], 1002, "protocol", "closed"),
    ] {
        let (driven, lines, refused, seen) = run::<Decoder, _>(&control(), async |venue| {
            let mut venue = venue.send_bytes(&bytes).await;
            let frame = venue.0.read_frame().await.expect("a close frame");
            u16::from_be_bytes([frame.payload[0], frame.payload[1]])
        })
        .await;
        assert_eq!((driven.ended.cause(), seen), (cause, code));
        assert_eq!(lines[0], line);
        assert!(refused.iter().all(|raw| raw.is_empty() || raw == b"\xff\xfe"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_trickles_in_does_not_keep_a_connection_alive() {
    let start = clock::now();
    let (driven, lines, refused, ()) = run::<Decoder, _>(&control(), async |venue| {
        let mut stream = venue.0.into_inner();
        stream.write_all(&[0x81, 126, 0x20, 0x00]).await.expect("a header of 8 KiB");
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert!(matches!(driven.ended, Ended::Useless(_)), "{driven:?}");
    assert!(clock::now() - start < Duration::from_secs(16));
    assert!(refused.is_empty());
    assert!(lines.iter().all(|line| line.starts_with("PongLate") || line == "closed"), "{lines:?}");
}

/// Panics over one message, and shows whether it was made anew after that.
#[derive(Default)]
struct Brittle {
    used: bool,
    decoder: Decoder,
}

impl Decode for Brittle {
    fn decode<'a>(&'a mut self, raw: &'a [u8]) -> Result<Decoded<'a>, FrameError> {
        let first = !std::mem::replace(&mut self.used, true);
        assert!(raw != b"poison", "this message is poison");
        assert!(first || raw != b"only for a new one", "the decoder was used before");
        self.decoder.decode(raw)
    }
}

#[tokio::test(start_paused = true)]
async fn a_decoder_that_panics_costs_one_message_and_is_made_anew() {
    let (driven, lines, refused, _) = run::<Brittle, _>(&control(), async |mut venue| {
        venue.fills().await;
        venue.send("poison").await;
        venue.send("only for a new one").await;
        venue.fills().await;
        venue.close(1000, "").await;
        venue
    })
    .await;
    assert_eq!(driven.ended.cause(), "venue");
    assert_eq!(lines, ["fills 0", "refused decode_panic", "refused malformed_frame", "fills 0", "closed"]);
    assert_eq!(refused, [b"poison".to_vec(), b"only for a new one".to_vec()]);
}

#[tokio::test(start_paused = true)]
async fn a_venue_that_takes_no_bytes_is_given_up() {
    let (ours, theirs) = tokio::io::duplex(64);
    let socket = WebSocket::new(ours, b"", LIMIT, crate::io::WallClock::new(|| 7));
    // Patient about answers, so that only the writing can end it.
    let patient = SessionConfig {
        pong_timeout: Duration::from_secs(1000),
        stale_after: Duration::from_secs(1000),
        ack_timeout: Duration::from_secs(1000),
        ..SessionConfig::default()
    };
    let control = Control::new(patient);
    control.subscribe(fills());
    let start = clock::now();
    let egress = Egress::new(&VenueLimits::default());
    let driven =
        drive::<_, Decoder, _>(socket, &control, &egress, WRITE_TIMEOUT, &mut Recorder::shared()).await;
    assert!(matches!(driven.ended, Ended::WriteStalled), "{driven:?}");
    assert_eq!(clock::now() - start, WRITE_TIMEOUT + CLOSE_WITHIN);
    drop(theirs);
}

/// Asks for another subscription from inside the call that hands it a frame.
struct Eager {
    control: Control,
    frames: Rc<RefCell<usize>>,
}

impl Handler for Eager {
    fn on_frame(&mut self, _: &Decoded<'_>, _: &[u8], _: Received) {
        *self.frames.borrow_mut() += 1;
        self.control.subscribe(Subscription::Trades { coin: "ETH".into() });
    }

    fn on_refused(&mut self, _: &Refused<'_>, _: Received) {}

    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        if let ListenerEvent::Session(SessionEvent::Subscribed { .. }) = event {
            self.control.stop();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_steer_from_inside_its_calls() {
    let (socket, mut venue) = Venue::pair(LIMIT);
    let control = control();
    let mut handler = Eager { control: control.clone(), frames: Rc::default() };
    let egress = Egress::new(&VenueLimits::default());
    let (driven, ()) =
        tokio::join!(drive::<_, Decoder, _>(socket, &control, &egress, WRITE_TIMEOUT, &mut handler), async {
            venue.fills().await;
            venue.acknowledge("subscribe").await;
            while venue.next().await.is_some() {}
        });
    assert!(matches!(driven.ended, Ended::Stopped), "{driven:?}");
    assert_eq!(*handler.frames.borrow(), 2);
}
