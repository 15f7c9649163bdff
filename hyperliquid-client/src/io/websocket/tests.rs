//! The WebSocket over a pipe: messages, ends, and a peer that takes nothing.

use std::rc::Rc;

use fastwebsockets::{Frame, OpCode, Payload, Role};
use tokio::io::{DuplexStream, duplex};

use super::*;

const LIMIT: usize = 1000;
const SECOND: Duration = Duration::from_secs(1);

/// A client and the other end of its pipe, which holds 64 KiB each way.
fn pair() -> (WebSocket<DuplexStream>, DuplexStream) {
    pair_of(64 * 1024)
}

fn pair_of(pipe: usize) -> (WebSocket<DuplexStream>, DuplexStream) {
    let (ours, theirs) = duplex(pipe);
    let ticks = Rc::new(std::cell::Cell::new(0));
    let clock = WallClock::new(move || {
        ticks.set(ticks.get() + 1);
        ticks.get()
    });
    (WebSocket::new(ours, b"", LIMIT, clock), theirs)
}

fn frame(fin: bool, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Frame::new(fin, opcode, None, Payload::Borrowed(payload)).write(&mut bytes).to_vec()
}

/// The peer's side as fastwebsockets reads it: unmasked, close and pong frames as they are.
fn server(stream: DuplexStream) -> fastwebsockets::WebSocket<DuplexStream> {
    let mut server = fastwebsockets::WebSocket::after_handshake(stream, Role::Server);
    server.set_auto_close(false);
    server.set_auto_pong(false);
    server
}

async fn close_code(server: &mut fastwebsockets::WebSocket<DuplexStream>) -> u16 {
    loop {
        let frame = server.read_frame().await.expect("a frame");
        if frame.opcode == OpCode::Close {
            return u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_read_loses_nothing() {
    let (mut client, mut peer) = pair();
    let bytes = [frame(true, OpCode::Text, b"one"), frame(true, OpCode::Text, &[b'2'; 300])].concat();
    for byte in &bytes[..bytes.len() - 1] {
        peer.write_all(&[*byte]).await.expect("written");
        // Beside a timer, dropped in the middle of a header and of a payload: fastwebsockets loses bytes here.
        if let Ok(read) = tokio::time::timeout(Duration::from_millis(1), client.next()).await {
            assert_eq!(read.expect("a message").0, Message::Text(b"one"));
        }
    }
    peer.write_all(&bytes[bytes.len() - 1..]).await.expect("written");
    assert_eq!(client.next().await.expect("a message").0, Message::Text(&[b'2'; 300]));
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_read_share_its_stamp() {
    let (mut client, mut peer) = pair();
    peer.write_all(&[frame(true, OpCode::Text, b"a"), frame(true, OpCode::Text, b"b")].concat())
        .await
        .expect("written");
    let first = client.next().await.expect("a message").1;
    let second = client.buffered().expect("in memory").expect("a message").1;
    assert_eq!(first, second);
    assert!(client.buffered().is_none());
    peer.write_all(&frame(true, OpCode::Text, b"c")).await.expect("written");
    assert_eq!(client.next().await.expect("a message").1.unix_ns, first.unix_ns + 1);
}

#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_fragments_come() {
    let (mut client, mut peer) = pair();
    let bytes = [
        frame(false, OpCode::Text, b"{\"a\":"),
        frame(true, OpCode::Ping, b"there?"),
        frame(true, OpCode::Continuation, b"1}"),
    ]
    .concat();
    peer.write_all(&bytes).await.expect("written");
    assert_eq!(client.next().await.expect("a message").0, Message::Text(b"{\"a\":1}"));
    let mut server = server(peer);
    let (pong, _) = tokio::join!(server.read_frame(), tokio::time::timeout(SECOND, client.next()));
    let pong = pong.expect("a frame");
    assert_eq!((pong.opcode, &pong.payload[..]), (OpCode::Pong, &b"there?"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_ping_flood_is_answered_ten_times_and_the_message_behind_it_arrives() {
    let (mut client, mut peer) = pair_of(1024);
    let flood = async {
        for _ in 0..10_000 {
            peer.write_all(&frame(true, OpCode::Ping, b"p")).await.expect("written");
        }
        peer.write_all(&frame(true, OpCode::Text, b"fill")).await.expect("written");
        peer
    };
    let (peer, message) = tokio::join!(flood, client.next());
    assert_eq!(message.expect("a message").0, Message::Text(b"fill"));
    assert_eq!(client.unanswered_pings(), 9_990);
    client.close(1000, SECOND).await;
    let mut server = server(peer);
    let mut pongs = 0;
    while server.read_frame().await.expect("a frame").opcode == OpCode::Pong {
        pongs += 1;
    }
    assert_eq!(pongs, 10);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_closed_with_its_code() {
    let huge = [&[0x81, 127][..], &(64_u64 << 20).to_be_bytes()].concat();
    let cases: [(Vec<u8>, Message<'static>, u16); 2] = [
        (huge, Message::TooLarge { bytes: 64 << 20 }, 1009),
        (frame(true, OpCode::Text, b"\xff\xfe"), Message::InvalidText(b"\xff\xfe"), 1007),
    ];
    for (bytes, expected, code) in cases {
        let (mut client, mut peer) = pair();
        peer.write_all(&bytes).await.expect("written");
        assert_eq!(client.next().await.expect("told").0, expected);
        client.close(1000, SECOND).await;
        assert_eq!(close_code(&mut server(peer)).await, code);
    }
    let (mut client, mut peer) = pair();
    peer.write_all(&[0xf1, 0x00]).await.expect("written");
    let error = client.next().await.expect_err("reserved bits");
    assert_eq!(error.to_string(), "peer broke the websocket protocol: reserved bits are set");
    client.close(1000, SECOND).await;
    assert_eq!(close_code(&mut server(peer)).await, 1002);
}

#[tokio::test(start_paused = true)]
async fn the_peers_close_is_told_and_echoed() {
    let (mut client, mut peer) = pair();
    peer.write_all(&frame(true, OpCode::Close, b"\x03\xe8Expired")).await.expect("written");
    let closed = Message::Closed { code: Some(1000), reason: "Expired".into() };
    assert_eq!(client.next().await.expect("told").0, closed);
    client.close(1011, SECOND).await;
    assert_eq!(close_code(&mut server(peer)).await, 1000, "the echo, not a second close");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_stop_are_an_end_without_close() {
    let (mut client, mut peer) = pair();
    peer.write_all(&frame(true, OpCode::Text, b"last")[..3]).await.expect("written");
    drop(peer);
    assert!(matches!(client.next().await, Err(SocketError::Ended)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_only_half_closes_still_reads_what_we_send() {
    let (mut client, mut peer) = pair();
    assert!(client.send_text("subscribe"));
    peer.shutdown().await.expect("our side stays open");
    assert!(matches!(client.next().await, Err(SocketError::Ended)));
    client.close(1000, SECOND).await;
    let mut server = server(peer);
    assert_eq!(&server.read_frame().await.expect("a frame").payload[..], b"subscribe");
    assert_eq!(close_code(&mut server).await, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_close_frame_that_explains_a_failed_write_is_still_read() {
    let (mut client, mut peer) = pair();
    peer.write_all(&frame(true, OpCode::Close, b"\x03\xe8Inactive")).await.expect("written");
    drop(peer); // from now on writing fails
    assert!(client.send_text("ping"));
    let closed = Message::Closed { code: Some(1000), reason: "Inactive".into() };
    assert_eq!(client.next().await.expect("told").0, closed);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_noticed_and_does_not_stop_reading() {
    let (mut client, mut peer) = pair_of(64);
    assert!(client.write_deadline(SECOND).is_none());
    let mut queued = 0;
    while client.send_text(&"x".repeat(1000)) {
        queued += 1;
    }
    assert!(queued > 50, "the bound is 64 KiB");
    let start = clock::now();
    peer.write_all(&frame(true, OpCode::Text, b"still here")).await.expect("written");
    assert_eq!(client.next().await.expect("a message").0, Message::Text(b"still here"));
    assert!(tokio::time::timeout(SECOND, client.next()).await.is_err(), "nothing more to read");
    assert_eq!(client.write_deadline(SECOND), Some(start + SECOND), "no byte taken since the pipe was full");
    let mut taken = [0; 64];
    peer.read_exact(&mut taken).await.expect("some bytes");
    assert!(tokio::time::timeout(SECOND, client.next()).await.is_err());
    assert!(client.write_deadline(SECOND) > Some(start + SECOND), "progress puts it off");
}

#[tokio::test(start_paused = true)]
async fn closing_does_not_wait_for_a_peer_that_is_gone() {
    let (mut client, _peer) = pair_of(16);
    assert!(client.send_text(&"x".repeat(1000)));
    let start = clock::now();
    client.close(1000, SECOND).await;
    assert_eq!(clock::now() - start, SECOND);
}
