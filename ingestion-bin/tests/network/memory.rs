//! Messages made to fill memory: announced far over the limit, growing over it piece by piece, just under it, deeply nested, in pieces of
//! one byte. What the process takes for one is bounded by the limit of a message, is given back, and does not grow with their number.

use hyperliquid_client::sim::SimConfig;
use serde_json::Value;

use super::drill::setting;
use super::support::eventually;
use super::support::legs::{Leg, Legs, Setting};
use super::support::service::Service;

/// What a message may have, as configured by default.
const LIMIT: usize = 32 << 20;
/// Besides what a message itself may take: buffers of ordinary size, and what the allocator does not give back, KiB.
const LITTLE_KIB: u64 = 16 * 1024;
const ROUNDS: usize = 3;

/// A message so large whose first frame has it all, or that comes in frames of `piece` bytes; the last one ends it, or nothing does.
fn frames(bytes: usize, piece: usize, ends: bool) -> Vec<u8> {
    let count = bytes / piece;
    let mut frames = Vec::with_capacity(bytes + 10 * count);
    for number in 0..count {
        let fin = if ends && number + 1 == count { 0x80 } else { 0 };
        frames.push(fin | u8::from(number == 0));
        match u8::try_from(piece) {
            Ok(short) if short < 126 => frames.push(short),
            _ => {
                frames.push(127);
                frames.extend_from_slice(&(piece as u64).to_be_bytes());
            }
        }
        frames.resize(frames.len() + piece, b'x');
    }
    frames
}

/// One message that no venue sends: what it is, how it comes, how it is refused, and its length where all of it is known.
struct Message {
    what: &'static str,
    send: fn(&Leg),
    refused: &'static str,
    length: Option<usize>,
    /// It costs its listener the connection.
    ends: bool,
    /// What it takes at most while it is dealt with, in limits.
    most: u64,
}

const MESSAGES: [Message; 4] = [
    Message {
        what: "announced as twice the limit, and sent",
        send: |leg| assert_eq!(leg.venue.inject(None, &vec![b'x'; 2 * LIMIT]), 1),
        refused: "frame_too_large",
        length: Some(2 * LIMIT),
        ends: true,
        // Refused by its header.
        most: 0,
    },
    Message {
        what: "over the limit in pieces, and without an end",
        send: |leg| leg.proxy.slip_in(&frames(LIMIT + (1 << 20), 1 << 20, false)),
        refused: "frame_too_large",
        length: None,
        ends: true,
        // What is put together grows by doubling.
        most: 2,
    },
    Message {
        what: "the limit's length of brackets",
        send: |leg| assert_eq!(leg.venue.inject(None, &vec![b'['; LIMIT]), 1),
        refused: "malformed_frame",
        length: Some(LIMIT),
        ends: false,
        // Read by doubling, copied once for the parser, which keeps four bytes for each bracket.
        most: 2 + 1 + 4,
    },
    Message {
        what: "pieces of one byte",
        send: |leg| leg.proxy.slip_in(&frames(1 << 18, 1, true)),
        refused: "malformed_frame",
        length: Some(1 << 18),
        ends: false,
        most: 0,
    },
];

/// Each of the messages once on each listener, one at a time, while the accounts trade. `before` is what the process takes without any.
fn round(legs: &mut Legs, service: &Service, before: u64) {
    for (name, is_a) in [("a", true), ("b", false)] {
        for message in &MESSAGES {
            let series = format!("ingestion_connections_total{{listener=\"{name}\"}}");
            service.forget_peak();
            let (opened, known) = (service.metric(&series), service.lines("dead_letters").len());
            (message.send)(if is_a { &legs.a } else { &legs.b });
            let letter: Value =
                eventually(message.what, || service.lines("dead_letters").get(known).cloned());
            assert_eq!(letter["reason"], message.refused, "{}: {letter}", message.what);
            if let Some(length) = message.length {
                assert_eq!(letter["length"], length, "{}", message.what);
            }
            let wanted = opened + f64::from(u8::from(message.ends));
            eventually("the listener again", || {
                let leg = if is_a { &legs.a } else { &legs.b };
                (service.metric(&series) >= wanted && legs.subscribed(leg)).then_some(())
            });
            assert_eq!(service.metric(&series).to_bits(), wanted.to_bits(), "{}", message.what);
            legs.play(3);
            legs.caught_up(service);
            let (peak, rests) = (service.memory_kib("VmHWM"), service.memory_kib("VmRSS"));
            println!("{name}, {}: {before} KiB, at most {peak}, {rests} after it", message.what);
            let bound = before + message.most * (LIMIT as u64 >> 10) + LITTLE_KIB;
            assert!(peak <= bound, "{}: {before} KiB, and then {peak}, over {bound}", message.what);
            assert!(rests <= before + LITTLE_KIB, "{}: {before} KiB, and {rests} after it", message.what);
        }
    }
}

#[test]
fn messages_over_the_limit_and_odd_ones_leave_memory_flat() {
    let mut legs = Legs::new(2, &SimConfig::manual(), &Setting { ..setting() });
    let service = legs.start();
    legs.play(10);
    legs.caught_up(&service);
    let before = service.memory_kib("VmRSS");
    for _ in 0..ROUNDS {
        round(&mut legs, &service, before);
    }
    service.stop_well();
    legs.judge_seamless();
}
