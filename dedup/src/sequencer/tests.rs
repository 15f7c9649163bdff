//! The order rules, one by one, and the whole against the truth.

use proptest::prelude::*;

use super::*;

type Seq = Sequencer<u32, i64, ()>;

fn row(key: u32, lane: u8, time: i64, before: i64, after: i64) -> Row<u32, i64, ()> {
    Row { key, lane, time, link: Some(Link { before, after }), item: () }
}

fn new(key: u32, time: i64, before: i64, after: i64) -> Slot<u32, i64, ()> {
    Slot::New(row(key, 0, time, before, after))
}

fn chain(time: i64, positions: &[i64]) -> Chain<i64> {
    let mut chain = Chain::default();
    for pair in positions.windows(2) {
        chain.advance(time, Some(Link { before: pair[0], after: pair[1] }));
    }
    chain
}

/// Everything that may go out now, with its lateness.
fn drain(held: &mut Seq, chain: &mut Chain<i64>) -> Vec<(u32, bool)> {
    let mut out = Vec::new();
    while let Next::Release { index, late } = held.next(chain, true) {
        let row = held.take(index).unwrap();
        if !late {
            chain.advance(row.time, row.link);
        }
        out.push((row.key, late));
    }
    out
}

#[test]
fn nothing_of_a_later_millisecond_overtakes_one_that_does_not_link() {
    let (mut held, mut chain) = (Seq::new(), chain(10, &[0, 5]));
    held.place(12, 0, vec![new(2, 12, 5, 6)], Kind::Live);
    held.place(11, 0, vec![new(1, 11, 9, 5)], Kind::Live);
    let unlinked = Unlinked { index: 0, expected: Some(5), found: 9, same_ms: false };
    assert_eq!(held.next(&chain, true), Next::Unlinked(unlinked));
    let row = held.take(0).unwrap();
    chain.advance(row.time, row.link);
    assert_eq!(drain(&mut held, &mut chain), [(2, false)]);
}

#[test]
fn frames_of_one_millisecond_are_ordered_by_the_chain() {
    let (mut held, mut chain) = (Seq::new(), chain(10, &[0, 5]));
    held.place(11, 0, vec![new(3, 11, 7, 8), new(4, 11, 8, 7)], Kind::Live);
    held.place(11, 0, vec![new(1, 11, 5, 6), new(2, 11, 6, 7)], Kind::Live);
    assert_eq!(drain(&mut held, &mut chain).iter().map(|x| x.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn two_messages_that_share_a_row_keep_both_orders() {
    let (mut held, mut chain) = (Seq::new(), chain(10, &[0, 4]));
    // 2 and 4 would each link after 1; only the messages tell that 2, 3 come before 4.
    held.place(11, 0, vec![new(3, 11, 6, 5), new(4, 11, 5, 6)], Kind::Live);
    held.place(11, 0, vec![new(1, 11, 4, 5), new(2, 11, 5, 6), Slot::Held(3)], Kind::Live);
    assert_eq!(drain(&mut held, &mut chain).iter().map(|x| x.0).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_row_put_before_one_that_is_out_is_late_even_if_it_links() {
    let (mut held, mut chain) = (Seq::new(), chain(11, &[0, 5]));
    held.place(11, 0, vec![new(1, 11, 5, 5), Slot::Out], Kind::Live);
    assert_eq!(drain(&mut held, &mut chain), [(1, true)]);
}

#[test]
fn a_page_is_a_prefix_and_a_snapshot_a_suffix() {
    for (kind, expected) in [(Kind::Page, [2, 1]), (Kind::Snapshot, [1, 2])] {
        let (mut held, mut chain) = (Seq::new(), chain(10, &[0, 5]));
        // Both link at 5 and return to it.
        held.place(11, 0, vec![new(1, 11, 5, 5)], Kind::Live);
        held.place(11, 0, vec![new(2, 11, 5, 5)], kind);
        assert_eq!(drain(&mut held, &mut chain).iter().map(|x| x.0).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_loop_at_a_position_walked_in_this_millisecond_happened_before() {
    let (mut held, mut chain) = (Seq::new(), chain(11, &[0, 5, 8]));
    held.place(11, 0, vec![new(1, 11, 5, 6), new(2, 11, 6, 5), new(3, 11, 8, 9)], Kind::Live);
    assert_eq!(drain(&mut held, &mut chain), [(1, true), (2, true), (3, false)]);
}

#[test]
fn a_market_without_a_head_begins_at_zero_or_waits() {
    let (mut held, mut chain) = (Seq::new(), Chain::default());
    held.place(11, 0, vec![new(1, 11, 3, 5)], Kind::Live);
    let unlinked = Unlinked { index: 0, expected: None, found: 3, same_ms: false };
    assert_eq!(held.next(&chain, true), Next::Unlinked(unlinked));
    assert_eq!(held.next(&chain, false), Next::Release { index: 0, late: false });
    held.place(10, 0, vec![new(2, 10, 0, 3)], Kind::Live);
    assert_eq!(drain(&mut held, &mut chain), [(2, false), (1, false)]);
}

#[test]
fn without_a_chain_time_and_message_order_decide() {
    let (mut held, mut chain) = (Seq::new(), chain(10, &[0, 5]));
    held.place(12, 0, vec![new(3, 12, 1, 2), new(4, 12, 9, 9)], Kind::Live);
    held.place(9, 0, vec![new(2, 9, 7, 7)], Kind::Live);
    let mut out = Vec::new();
    while let Next::Release { index, late } = held.next(&chain, false) {
        let row = held.take(index).unwrap();
        if !late {
            chain.advance(row.time, row.link);
        }
        out.push((row.key, late));
    }
    assert_eq!(out, [(2, true), (3, false), (4, false)]);
}

#[test]
fn rows_that_close_a_break_can_be_declared_late_unless_a_message_put_them_behind() {
    let mut held = Seq::new();
    held.place(12, 0, vec![new(3, 12, 1, 2), new(4, 12, 2, 5), new(5, 12, 5, 6)], Kind::Live);
    assert!(!held.overtake(0, 2, 5), "they begin elsewhere");
    assert!(!held.overtake(0, 1, 9), "they lead elsewhere");
    assert!(held.overtake(0, 1, 5));
    let mut chain = Chain::default();
    chain.advance(12, Some(Link { before: 5, after: 5 }));
    assert_eq!(drain(&mut held, &mut chain), [(3, true), (4, true), (5, false)]);

    held.place(13, 0, vec![new(6, 13, 6, 7), new(7, 13, 7, 6)], Kind::Live);
    assert_eq!(held.take(0).map(|row| row.key), Some(6));
    assert!(!held.overtake(0, 7, 6), "it follows a row of its frame that is out");
}

#[test]
fn a_row_can_be_taken_out_of_the_order() {
    let mut held = Seq::new();
    held.place(12, 0, vec![new(3, 12, 1, 2), new(4, 12, 2, 9)], Kind::Live);
    assert_eq!(held.remove(3).map(|row| row.key), Some(3));
    assert_eq!((held.remove(3).map(|row| row.key), held.len()), (None, 1));
    assert_eq!(held.remove(4).map(|row| row.key), Some(4));
    assert!(held.is_empty() && held.rows().next().is_none());
}

proptest! {
    /// A true history cut into frames of any sizes, delivered in any order and twice, comes out in the true order as
    /// long as no millisecond holds a loop (then positions alone decide, and they are unambiguous).
    #[test]
    fn the_true_order_comes_back(
        steps in prop::collection::vec((1_i64..4, 0_i64..3, 0_u8..2), 1..40),
        cuts in prop::collection::vec(1_usize..6, 40),
        shuffle in any::<u64>(),
    ) {
        let (mut time, mut position) = (0, 0);
        let mut truth = Vec::new();
        for (key, (size, pause, lane)) in (0_u32..).zip(steps) {
            time += pause;
            truth.push(row(key, lane, time, position, position + size));
            position += size;
        }
        let mut frames: Vec<Vec<Row<u32, i64, ()>>> = Vec::new();
        let mut rest = truth.as_slice();
        for cut in cuts {
            let (frame, after) = rest.split_at(cut.min(rest.len()));
            frames.push(frame.to_vec());
            rest = after;
        }
        frames.extend(frames.clone());
        let mut random = shuffle | 1;
        for at in (1..frames.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            frames.swap(at, (random >> 33) as usize % (at + 1));
        }
        let (mut held, mut chain, mut seen) = (Seq::new(), Chain::default(), std::collections::HashSet::new());
        for frame in &frames {
            for lane in 0..2 {
                for time in frame.iter().map(|row| row.time).collect::<std::collections::BTreeSet<_>>() {
                    let slots = frame.iter().filter(|row| row.lane == lane && row.time == time).map(|row| {
                        if seen.insert(row.key) { Slot::New(row.clone()) } else { Slot::Held(row.key) }
                    });
                    held.place(time, lane, slots.collect(), Kind::Live);
                }
            }
        }
        let out = drain(&mut held, &mut chain);
        let expected: Vec<_> = truth.iter().map(|row| (row.key, false)).collect();
        prop_assert_eq!(out, expected);
        prop_assert!(held.is_empty());
    }
}
