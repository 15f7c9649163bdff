//! Criterion benches: decoding and de-duplication beside the textbook way.
//!
//! The frames are made here: values invented by a seeded generator, keys, order and lengths as the venue's.

use std::fmt::Write as _;

/// A `userFills` frame of `fills` fills of one account, as the venue writes it. Equal arguments give equal bytes.
#[must_use]
pub fn fills_frame(fills: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng(seed);
    let mut frame = format!(r#"{{"channel":"userFills","data":{{"user":"{}","fills":["#, rng.hex(20));
    let mut time = 1_790_000_000_000_u64;
    for at in 0..fills {
        if at > 0 {
            frame.push(',');
        }
        time += rng.below(40);
        write_fill(&mut frame, &mut rng, time);
    }
    frame.push_str("]}}");
    frame.into_bytes()
}

fn write_fill(frame: &mut String, rng: &mut Rng, time: u64) {
    const COINS: [&str; 6] = ["BTC", "ETH", "SOL", "kPEPE", "xyz:CL", "HYPE"];
    const DIRS: [&str; 6] =
        ["Open Long", "Open Short", "Close Long", "Close Short", "Long > Short", "Short > Long"];
    let coin = COINS.get(rng.index(COINS.len())).unwrap_or(&"BTC");
    let dir = DIRS.get(rng.index(DIRS.len())).unwrap_or(&"Open Long");
    let side = if rng.below(2) == 0 { "A" } else { "B" };
    let sign = if rng.below(2) == 0 { "-" } else { "" };
    let crossed = rng.below(2) == 0;
    let written = write!(
        frame,
        r#"{{"coin":"{coin}","px":"{}.{}","sz":"{}.{:04}","side":"{side}","time":{time},"startPosition":"{sign}{}.{:05}","dir":"{dir}","closedPnl":"{}.{:06}","hash":"{}","oid":{},"crossed":{crossed},"fee":"0.{:06}","tid":{}"#,
        1 + rng.below(99_999),
        rng.below(10),
        rng.below(100),
        rng.below(10_000),
        rng.below(5_000),
        rng.below(100_000),
        rng.below(900),
        rng.below(1_000_000),
        rng.hex(32),
        500_000_000_000 + rng.below(60_000_000_000),
        rng.below(1_000_000),
        rng.below(1 << 50),
    );
    debug_assert!(written.is_ok(), "Invariant: writing to a String cannot fail");
    if rng.below(2) == 0 {
        frame.push_str(r#","cloid":""#);
        frame.push_str(&rng.hex(16));
        frame.push('"');
    }
    frame.push_str(r#","feeToken":"USDC","twapId":null}"#);
}

/// SplitMix64: the benches need the same bytes each time, nothing more.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least one.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap_or(0)
    }

    fn hex(&mut self, bytes: usize) -> String {
        let mut text = String::from("0x");
        for _ in 0..bytes {
            let written = write!(text, "{:02x}", self.below(256));
            debug_assert!(written.is_ok(), "Invariant: writing to a String cannot fail");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_repeat_and_have_the_venues_length() {
        assert_eq!(fills_frame(20, 7), fills_frame(20, 7));
        let per_fill = fills_frame(2_000, 7).len() / 2_000;
        assert!((320..460).contains(&per_fill), "{per_fill}");
    }
}
