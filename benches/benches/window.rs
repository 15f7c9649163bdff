//! Key and window against the textbook: a std `HashSet` of owned ids, on the same stream of two listeners (each fill
//! twice, the second listener 40 fills behind), hashing included on both sides.
//!
//! - `window`: `FillKey::of` the borrowed parts, then `Window::insert_or_get` with the content digest kept.
//! - `hash_set_owned`: what most clients do: build the id (owned coin), `HashSet::insert`.
//! - `hash_set_inline`: the best a std set can do: no allocation, coin in 16 bytes; still SipHash.

#![expect(clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::collections::HashSet;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dedup::key::{Identity, KeyParts};
use dedup::{Digest, Entry, FillKey, Window};

const FILLS: usize = 20_000;
const BEHIND: usize = 40;
const COINS: [&str; 5] = ["BTC", "ETH", "HYPE", "xyz:TSLA", "kPEPE"];

#[derive(Clone, Copy)]
struct Fill {
    account: [u8; 20],
    coin: &'static str,
    time: i64,
    tid: u64,
    side: u8,
}

/// What both listeners deliver, in the order it arrives.
fn stream() -> Vec<Fill> {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let fills: Vec<Fill> = (0..FILLS)
        .map(|n| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Fill {
                account: [0xaa; 20],
                coin: COINS[n % COINS.len()],
                time: 1_790_000_000_000 + n as i64 * 19,
                tid: random >> 14,
                side: if random & 1 == 0 { b'A' } else { b'B' },
            }
        })
        .collect();
    let mut both = Vec::with_capacity(FILLS * 2);
    for n in 0..FILLS + BEHIND {
        both.extend(fills.get(n));
        both.extend(n.checked_sub(BEHIND).and_then(|n| fills.get(n)));
    }
    both
}

fn key(fill: &Fill) -> FillKey {
    FillKey::of(&KeyParts {
        account: &fill.account,
        coin: fill.coin,
        time_ms: fill.time,
        side: fill.side,
        identity: Identity::Trade { tid: fill.tid },
    })
}

fn benches(criterion: &mut Criterion) {
    let stream = stream();
    let mut group = criterion.benchmark_group("seen_before");
    group.throughput(Throughput::Elements(stream.len() as u64));
    let unique = |count: usize| assert_eq!(count, FILLS, "each fill is new once");
    group.bench_function("window", |bencher| {
        bencher.iter_batched(
            || Window::new(FILLS + 1),
            |mut window| {
                let mut new = 0;
                for fill in &stream {
                    let entry = window.insert_or_get(key(black_box(fill)), fill.time, || Digest(fill.tid));
                    new += usize::from(matches!(entry, Entry::New(_)));
                }
                unique(new);
                window
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("hash_set_owned", |bencher| {
        bencher.iter_batched(
            HashSet::new,
            |mut set| {
                let mut new = 0;
                for fill in &stream {
                    let fill = black_box(fill);
                    new += usize::from(set.insert((
                        fill.account,
                        fill.coin.to_owned(),
                        fill.time,
                        fill.tid,
                        fill.side,
                    )));
                }
                unique(new);
                set
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("hash_set_inline", |bencher| {
        bencher.iter_batched(
            HashSet::new,
            |mut set| {
                let mut new = 0;
                for fill in &stream {
                    let fill = black_box(fill);
                    let mut coin = [0_u8; 16];
                    coin[..fill.coin.len()].copy_from_slice(fill.coin.as_bytes());
                    new += usize::from(set.insert((fill.account, coin, fill.time, fill.tid, fill.side)));
                }
                unique(new);
                set
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(window, benches);
criterion_main!(window);
