//! Frames into messages: fragments, limits, and what breaks the protocol.

use fastwebsockets::{Frame, OpCode, Payload};
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1000;

/// A frame as a server writes it, by another encoder than ours.
fn frame(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::new(fin, opcode, None, Payload::Borrowed(payload)).write(&mut bytes).to_vec()
}

fn text(payload: &[u8]) -> Vec<u8> {
    frame(true, OpCode::Text, payload)
}

type Read = Result<(Complete, Vec<u8>), Refusal>;

/// Everything the reader says about `bytes` given in pieces of `step`, up to and with the first refusal.
fn read_all(bytes: &[u8], step: usize) -> Vec<Read> {
    let mut reader = FrameReader::new(LIMIT, b"");
    let mut read = Vec::new();
    for piece in bytes.chunks(step.max(1)) {
        reader.read_buffer().extend_from_slice(piece);
        loop {
            match reader.poll_message() {
                Ok(Some(complete)) => read.push(Ok((complete, reader.payload().to_vec()))),
                Ok(None) => break,
                Err(refusal) => {
                    read.push(Err(refusal));
                    return read;
                }
            }
        }
    }
    read
}

fn refusal(bytes: &[u8]) -> Refusal {
    let read = read_all(bytes, usize::MAX);
    read.last().cloned().expect("something was read").expect_err("a refusal")
}

#[test]
fn fragments_make_one_message_around_a_ping_and_inside_a_character() {
    let euro = "5 €".as_bytes(); // three bytes for the sign, cut after the first
    let bytes = [
        frame(false, OpCode::Text, &euro[..3]),
        frame(true, OpCode::Ping, b"now?"),
        frame(false, OpCode::Continuation, b""),
        frame(true, OpCode::Continuation, &euro[3..]),
        text(b"next"),
    ]
    .concat();
    for step in 1..=bytes.len() {
        assert_eq!(
            read_all(&bytes, step),
            [
                Ok((Complete::Ping, b"now?".to_vec())),
                Ok((Complete::Text, euro.to_vec())),
                Ok((Complete::Text, b"next".to_vec())),
            ],
            "in pieces of {step}"
        );
    }
}

#[test]
fn a_message_of_exactly_the_limit_passes_and_one_more_byte_is_refused_by_its_header() {
    assert_eq!(read_all(&text(&[b'x'; LIMIT]), 7).len(), 1);
    let announced = &text(&[b'x'; LIMIT + 1])[..4]; // the header alone
    assert_eq!(refusal(announced), Refusal::TooLarge { bytes: 1001 });
}

#[test]
fn an_absurd_length_costs_no_memory() {
    for announced in [64 << 20, u64::MAX] {
        let mut reader = FrameReader::new(32 << 20, b"");
        reader.read_buffer().extend_from_slice(&[0x81, 127]);
        reader.read_buffer().extend_from_slice(&announced.to_be_bytes());
        assert_eq!(reader.poll_message(), Err(Refusal::TooLarge { bytes: announced }));
        assert!(reader.buffer.capacity() < 64 * 1024);
    }
}

#[test]
fn a_large_announced_message_takes_memory_only_as_it_comes_and_gives_it_back() {
    let payload = vec![b'x'; 2 << 20];
    let mut reader = FrameReader::new(32 << 20, b"");
    let bytes = text(&payload);
    for piece in bytes.chunks(10_000) {
        assert_eq!(reader.poll_message(), Ok(None));
        reader.read_buffer().extend_from_slice(piece);
        assert!(reader.buffer.capacity() <= 2 * reader.buffer.len() + 64 * 1024);
    }
    assert_eq!(reader.poll_message(), Ok(Some(Complete::Text)));
    assert_eq!(reader.payload().len(), payload.len());
    assert_eq!(reader.poll_message(), Ok(None));
    assert!(reader.buffer.capacity() <= KEEP_BYTES);
}

#[test]
fn fragments_add_up_to_the_limit_and_not_beyond() {
    let mut bytes = frame(false, OpCode::Binary, &[0; 400]);
    bytes.extend(frame(false, OpCode::Continuation, &[0; 600]));
    let mut whole = bytes.clone();
    whole.extend(frame(true, OpCode::Continuation, b""));
    assert_eq!(read_all(&whole, 9), [Ok((Complete::Binary, vec![0; 1000]))]);
    bytes.extend(frame(true, OpCode::Continuation, b"!"));
    assert_eq!(refusal(&bytes), Refusal::TooLarge { bytes: 1001 });
}

#[test]
fn each_message_has_the_whole_limit() {
    let one = [frame(false, OpCode::Text, &[b'x'; 900]), frame(true, OpCode::Continuation, b"")].concat();
    assert_eq!(read_all(&one.repeat(3), usize::MAX).len(), 3);
}

#[test]
fn text_that_is_not_utf8_is_refused_and_its_bytes_stay() {
    for bytes in [
        text(b"{\"coin\":\"\xff\"}"),
        [frame(false, OpCode::Text, b"{\"coin\":\""), frame(true, OpCode::Continuation, b"\xff\"}")].concat(),
    ] {
        let mut reader = FrameReader::new(LIMIT, &bytes);
        assert_eq!(reader.poll_message(), Err(Refusal::InvalidText));
        assert_eq!(reader.poll_message(), Err(Refusal::InvalidText), "and it stays so");
        assert_eq!(reader.payload(), b"{\"coin\":\"\xff\"}");
        assert_eq!(Refusal::InvalidText.close_code(), 1007);
    }
}

#[test]
fn what_breaks_the_protocol_is_refused() {
    let cases: [(&str, Vec<u8>); 10] = [
        ("reserved bits are set", vec![0xc1, 0x00]),
        ("opcode is reserved", vec![0x83, 0x00]),
        ("opcode is reserved", vec![0x8b, 0x00]),
        ("server frame is masked", vec![0x81, 0x81, 1, 2, 3, 4, 5]),
        ("control frame is fragmented", frame(false, OpCode::Ping, b"")),
        ("control frame is longer than 125 bytes", vec![0x89, 126, 0, 126]),
        ("continuation of no message", frame(true, OpCode::Continuation, b"x")),
        ("message begins inside another one", [frame(false, OpCode::Text, b"a"), text(b"b")].concat()),
        ("close frame of one byte", frame(true, OpCode::Close, b"x")),
        ("continuation of no message", [text(b"whole"), frame(true, OpCode::Continuation, b"x")].concat()),
    ];
    for (rule, bytes) in cases {
        assert_eq!(refusal(&bytes), Refusal::Protocol(rule), "{bytes:?}");
        assert_eq!(refusal(&bytes).close_code(), 1002);
    }
}

#[test]
fn close_frames_bring_code_and_reason() {
    let close = |code: u16, reason: &[u8]| [&code.to_be_bytes()[..], reason].concat();
    assert_eq!(
        read_all(&frame(true, OpCode::Close, &close(1000, b"Expired")), 1),
        [Ok((Complete::Close(Some(1000)), b"Expired".to_vec()))]
    );
    assert_eq!(read_all(&frame(true, OpCode::Close, b""), 1), [Ok((Complete::Close(None), Vec::new()))]);
}

#[test]
fn what_came_with_the_handshake_is_read_first() {
    let mut reader = FrameReader::new(LIMIT, &text(b"early")[..3]);
    assert_eq!(reader.poll_message(), Ok(None));
    reader.read_buffer().extend_from_slice(&text(b"early")[3..]);
    assert_eq!(reader.poll_message(), Ok(Some(Complete::Text)));
    assert_eq!(reader.payload(), b"early");
}

#[derive(Clone, Debug)]
enum Sent {
    Data { opcode: OpCode, payload: Vec<u8>, cuts: Vec<usize>, ping_inside: bool },
    Ping(Vec<u8>),
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let payload =
        prop_oneof!["\\PC{0,300}".prop_map(String::into_bytes), prop::collection::vec(0x20_u8..0x7f, 0..900)];
    prop_oneof![
        4 => (any::<bool>(), payload, prop::collection::vec(0_usize..900, 0..6), any::<bool>()).prop_map(
            |(is_text, payload, cuts, ping_inside)| Sent::Data {
                opcode: if is_text { OpCode::Text } else { OpCode::Binary },
                payload,
                cuts,
                ping_inside,
            }
        ),
        1 => prop::collection::vec(any::<u8>(), 0..125).prop_map(Sent::Ping),
    ]
}

/// The bytes of what is sent, and what a reader must make of them.
fn on_the_wire(sent: &[Sent]) -> (Vec<u8>, Vec<Read>) {
    let (mut bytes, mut expected) = (Vec::new(), Vec::new());
    for item in sent {
        match item {
            Sent::Ping(payload) => {
                bytes.extend(frame(true, OpCode::Ping, payload));
                expected.push(Ok((Complete::Ping, payload.clone())));
            }
            Sent::Data { payload, .. } if payload.len() > LIMIT => {}
            Sent::Data { opcode, payload, cuts, ping_inside } => {
                let mut cuts: Vec<usize> = cuts.iter().copied().filter(|cut| *cut <= payload.len()).collect();
                cuts.sort_unstable();
                let (mut from, mut next) = (0, *opcode);
                for cut in cuts {
                    bytes.extend(frame(false, next, &payload[from..cut]));
                    if *ping_inside {
                        bytes.extend(frame(true, OpCode::Ping, b"inside"));
                        expected.push(Ok((Complete::Ping, b"inside".to_vec())));
                    }
                    (from, next) = (cut, OpCode::Continuation);
                }
                bytes.extend(frame(true, next, &payload[from..]));
                let complete = if *opcode == OpCode::Text { Complete::Text } else { Complete::Binary };
                expected.push(Ok((complete, payload.clone())));
            }
        }
    }
    (bytes, expected)
}

proptest! {
    #[test]
    fn any_cutting_of_the_bytes_gives_the_messages_that_were_sent(
        sent in prop::collection::vec(any_sent(), 0..8),
        step in 1_usize..5000,
    ) {
        let (bytes, expected) = on_the_wire(&sent);
        prop_assert_eq!(read_all(&bytes, step), expected);
    }

    #[test]
    fn no_bytes_make_it_panic_or_keep_more_than_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..3000), step in 1_usize..100) {
        for (_, payload) in read_all(&bytes, step).into_iter().flatten() {
            prop_assert!(payload.len() <= LIMIT);
        }
    }
}
