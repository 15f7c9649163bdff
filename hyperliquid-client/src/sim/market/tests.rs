//! The made-up market: its chains hold, every kind of trade occurs, a seed gives the same again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;

fn blocks(seed: u64, start_ms: u64, n: usize) -> Vec<Block> {
    let config = MarketConfig { seed, start_ms, history_blocks: 0, ..MarketConfig::default() };
    let mut market = Market::new(&config);
    (0..n).map(|_| market.step()).collect()
}

fn units(text: &str) -> i64 {
    (text.parse::<f64>().unwrap() * 1e8).round() as i64
}

#[test]
fn one_seed_gives_one_market() {
    assert_eq!(blocks(5, 1_790_000_000_000, 300), blocks(5, 1_790_000_000_000, 300));
    assert_ne!(blocks(5, 1_790_000_000_000, 300), blocks(6, 1_790_000_000_000, 300));
}

#[test]
fn perp_chains_hold_for_everyone() {
    let mut next: HashMap<(Arc<str>, String), f64> = HashMap::new();
    let mut checked = 0;
    for fill in blocks(9, 1_790_000_000_000, 2_000).into_iter().flat_map(|block| block.fills) {
        if !fill.fill.is_perp() {
            continue;
        }
        let start: f64 = fill.fill.start_position.parse().unwrap();
        let size: f64 = fill.fill.sz.parse().unwrap();
        let after = if fill.fill.side == Side::B { start + size } else { start - size };
        if let Some(expected) = next.insert((fill.user, fill.fill.coin), after) {
            assert!((expected - start).abs() < 1e-4, "{expected} then {start}");
            checked += 1;
        }
    }
    assert!(checked > 5_000, "{checked}");
}

#[test]
fn the_first_seconds_are_lively() {
    let followed: BTreeSet<_> = Market::followed().into_iter().map(|(_, address)| address).collect();
    assert!(followed.len() >= 3);
    for seed in 1..=20 {
        let fills: Vec<_> =
            blocks(seed, 1_790_000_000_000, 25).into_iter().flat_map(|block| block.fills).collect();
        let seen: Vec<_> =
            fills.iter().filter(|fill| followed.contains(&fill.user) && fill.fill.is_perp()).collect();
        assert!(seen.len() >= 15, "seed {seed}: {} perp fills of followed accounts in 5 s", seen.len());
        let accounts: BTreeSet<_> = seen.iter().map(|fill| fill.user.clone()).collect();
        assert!(accounts.len() >= 3, "seed {seed}");
    }
}

#[test]
fn a_minute_shows_everything_the_venue_can_do() {
    let blocks = blocks(3, 1_789_948_800_000 + DAY_MS - 30_000, 300);
    let mut actions = BTreeSet::new();
    let mut same_ms: BTreeMap<(Arc<str>, u64, String), BTreeSet<char>> = BTreeMap::new();
    let (mut slices, mut liquidated, mut dust, mut hip3, mut noise, mut rows) = (0, 0, 0, 0, 0, 0);
    for fill in blocks.iter().flat_map(|block| &block.fills) {
        let VenueFill { coin, start_position, sz, side, .. } = &fill.fill;
        rows += 1;
        slices += usize::from(fill.stream == Stream::Twap);
        let mark = fill.fill.liquidation.as_ref().and_then(|mark| mark.liquidated_user.as_deref());
        liquidated += usize::from(mark == Some(&*fill.user));
        dust += usize::from(fill.fill.tid == 0);
        hip3 += usize::from(coin == "xyz:CL");
        noise += usize::from(start_position.len() > 16);
        if fill.fill.is_perp() {
            let before = units(start_position);
            let delta = if *side == Side::B { units(sz) } else { -units(sz) };
            let after = before + delta;
            actions.insert(match (before.signum(), after.signum()) {
                (0, _) => "open",
                (_, 0) => "close",
                (a, b) if a != b => "flip",
                _ if after.abs() > before.abs() => "increase",
                _ => "decrease",
            });
        }
        let sides = same_ms.entry((fill.user.clone(), fill.fill.time, coin.clone())).or_default();
        sides.insert(if *side == Side::B { 'B' } else { 'A' });
    }
    assert_eq!(actions.into_iter().collect::<Vec<_>>(), ["close", "decrease", "flip", "increase", "open"]);
    assert!(slices >= 20 && liquidated >= 1 && dust >= 4 && hip3 >= 10 && noise >= 10);
    assert!(same_ms.values().any(|sides| sides.len() == 2), "opposite sides in one ms");
    assert!(same_ms.len() < rows, "several fills in one ms");
}

#[test]
fn both_sides_of_a_trade_are_there() {
    let mut sides: HashMap<u64, Vec<BlockFill>> = HashMap::new();
    for fill in blocks(4, 1_790_000_000_000, 100).into_iter().flat_map(|block| block.fills) {
        sides.entry(fill.fill.tid).or_default().push(fill);
    }
    for (tid, pair) in sides.into_iter().filter(|(tid, _)| *tid != 0) {
        let [a, b] = pair.as_slice() else { panic!("tid {tid} has {} sides", pair.len()) };
        assert_ne!(a.fill.side, b.fill.side);
        assert_eq!((&a.fill.px, &a.fill.sz, &a.fill.hash), (&b.fill.px, &b.fill.sz, &b.fill.hash));
        assert_ne!(a.fill.crossed, b.fill.crossed);
    }
}

#[test]
fn the_first_live_block_is_at_the_given_time() {
    let mut market = Market::new(&MarketConfig {
        start_ms: 1_790_000_000_000,
        history_blocks: 7,
        ..MarketConfig::default()
    });
    for _ in 0..7 {
        assert!(market.step().time < 1_790_000_000_000);
    }
    assert_eq!(market.step().time, 1_790_000_000_000);
}
