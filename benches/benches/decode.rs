//! Decoding `userFills` frames of 1, 20 and 2,000 fills: ours beside the textbook way, same frames, same run.
//!
//! Ours includes the exact decimals of px, sz and startPosition, the account, and every fill's own bytes. The textbook way is serde_json
//! into owned structs with rust_decimal for the same three figures; it keeps no bytes.

use benches::fills_frame;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hyperliquid_client::decode::{Decoder, Frame};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use std::hint::black_box;

/// What one would write first.
mod textbook {
    use super::{Decimal, Deserialize, Deserializer};

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "decoded to be measured")]
    pub(super) struct Message {
        pub(super) channel: String,
        pub(super) data: UserFills,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "decoded to be measured")]
    pub(super) struct UserFills {
        #[serde(default)]
        pub(super) is_snapshot: bool,
        pub(super) user: String,
        pub(super) fills: Vec<Fill>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "decoded to be measured")]
    pub(super) struct Fill {
        pub(super) coin: String,
        #[serde(deserialize_with = "decimal")]
        pub(super) px: Decimal,
        #[serde(deserialize_with = "decimal")]
        pub(super) sz: Decimal,
        pub(super) side: String,
        pub(super) time: u64,
        #[serde(deserialize_with = "decimal")]
        pub(super) start_position: Decimal,
        pub(super) dir: String,
        pub(super) closed_pnl: String,
        pub(super) hash: String,
        pub(super) oid: u64,
        pub(super) crossed: bool,
        pub(super) fee: String,
        pub(super) tid: u64,
        pub(super) cloid: Option<String>,
        pub(super) fee_token: String,
        pub(super) twap_id: Option<u64>,
    }

    /// As rust_decimal's own serde support does it: no String in between.
    fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Decimal;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a decimal number as a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Decimal, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for fills in [1_usize, 20, 2_000] {
        // Many frames, so that no branch predictor learns one by heart.
        let frames: Vec<Vec<u8>> =
            (0..if fills > 100 { 4 } else { 64 }).map(|seed| fills_frame(fills, seed)).collect();
        group.throughput(Throughput::Elements(fills as u64));

        let mut decoder = Decoder::new();
        let mut next = frames.iter().cycle();
        group.bench_function(BenchmarkId::new("ours", fills), |bencher| {
            bencher.iter(|| {
                let frame = next.next().expect("there are frames, and they cycle");
                let decoded = decoder.decode(black_box(frame)).expect("the frames are sound");
                let Frame::Fills(decoded) = black_box(decoded.frame) else { panic!("the frames hold fills") };
                assert_eq!(decoded.rows.len(), fills);
                decoded.rows.iter().filter(|row| row.is_ok()).count()
            });
        });

        let mut next = frames.iter().cycle();
        group.bench_function(BenchmarkId::new("textbook", fills), |bencher| {
            bencher.iter(|| {
                let frame = next.next().expect("there are frames, and they cycle");
                let message: textbook::Message =
                    serde_json::from_slice(black_box(frame)).expect("the frames are sound");
                assert_eq!(message.data.fills.len(), fills);
                black_box(message).data.fills.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
