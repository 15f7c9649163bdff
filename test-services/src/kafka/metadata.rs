//! One question in Kafka's protocol, by hand: which brokers do you know? A port that is open does not mean a broker that works.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Metadata, version 1, correlation 1, a client name of none, no topics.
const REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0];

/// Far more than three brokers need.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The ids of the brokers this one knows to be up; nothing when it does not answer or there is no controller.
pub(crate) fn brokers(address: SocketAddr) -> Option<Vec<i32>> {
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    stream.set_write_timeout(Some(limit)).ok()?;
    stream.write_all(&REQUEST).ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let length =
        usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= ANSWER_BYTES_MAX)?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).ok()?;
    parse(&answer)
}

/// correlation, brokers (id, host, port, rack), controller, topics.
fn parse(answer: &[u8]) -> Option<Vec<i32>> {
    let (_correlation, rest) = int(answer)?;
    let (count, mut rest) = int(rest)?;
    let mut ids = Vec::new();
    for _ in 0..count {
        let (id, after) = int(rest)?;
        let (_port, after) = int(text(after)?)?;
        rest = text(after)?;
        ids.push(id);
    }
    let (controller, _topics) = int(rest)?;
    (controller >= 0).then_some(ids)
}

fn int(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (int, rest) = bytes.split_first_chunk()?;
    Some((i32::from_be_bytes(*int), rest))
}

/// What follows a string; a length of -1 is none.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.get(usize::try_from(i16::from_be_bytes(*length)).unwrap_or(0)..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        let mut answer = vec![0, 0, 0, 1, 0, 0, 0, 2];
        for id in [1_u8, 3] {
            answer.extend([0, 0, 0, id, 0, 2, b'h', b'o', 0, 0, 0x23, 0x84, 0xff, 0xff]);
        }
        answer.extend([0, 0, 0, 3, 0, 0, 0, 0]);
        assert_eq!(parse(&answer), Some(vec![1, 3]));
        for length in 0..answer.len() - 4 {
            assert_eq!(parse(&answer[..length]), None, "{length}");
        }
        let controller = answer.len() - 8;
        answer[controller..controller + 4].fill(0xff);
        assert_eq!(parse(&answer), None, "no controller");
    }
}
