//! The window against a naive list of entries.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, i64),
    Prune(i64, u16),
    Change(u16),
}

fn key(n: u16) -> FillKey {
    // Few low bits differ, so that probes collide and wrap; some tags are equal.
    FillKey((u128::from(n % 7) << 100) | (u128::from(n) << 64) | u128::from(n % 5))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0_u16..200, -20_i64..20).prop_map(|(n, wobble)| Step::Insert(n, wobble)),
        2 => (0_i64..400, 0_u16..200).prop_map(|(floor, kept)| Step::Prune(floor, kept)),
        1 => (0_u16..200).prop_map(Step::Change),
    ];
    prop::collection::vec(step, 0..400)
}

proptest! {
    #[test]
    fn behaves_like_a_list(steps in steps(), cap in 1_usize..120, ordered in any::<bool>()) {
        let mut window = Window::new(cap);
        let mut list: Vec<(FillKey, i64, u32)> = Vec::new();
        for (clock, step) in (0_i64..).zip(steps) {
            match step {
                Step::Insert(n, wobble) => {
                    let time = if ordered { clock } else { clock + wobble };
                    let known = list.iter().find(|entry| entry.0 == key(n)).map(|entry| entry.2);
                    match window.insert_or_get(key(n), time, || u32::from(n)) {
                        Entry::Seen(value) => prop_assert_eq!(Some(*value), known),
                        Entry::New(_) => {
                            prop_assert!(known.is_none() && list.len() < cap);
                            list.push((key(n), time, u32::from(n)));
                        }
                        Entry::Full => prop_assert!(known.is_none() && list.len() == cap),
                    }
                }
                Step::Prune(floor, kept) => {
                    let before = list.len();
                    list.retain(|entry| entry.1 >= floor || entry.0 == key(kept));
                    prop_assert_eq!(window.prune(floor, |k, _| k == key(kept)), before - list.len());
                }
                Step::Change(n) => {
                    let known = list.iter_mut().find(|entry| entry.0 == key(n));
                    prop_assert_eq!(window.time_of(key(n)), known.as_ref().map(|entry| entry.1));
                    if let (Some(entry), Some(value)) = (known, window.get_mut(key(n))) {
                        entry.2 += 1_000;
                        *value += 1_000;
                    }
                }
            }
            prop_assert_eq!(window.len(), list.len());
            for n in 0..200 {
                let known = list.iter().find(|entry| entry.0 == key(n)).map(|entry| entry.2);
                prop_assert_eq!(window.get(key(n)).copied(), known);
            }
        }
        prop_assert!(window.iter().map(|(k, t, v)| (k, t, *v)).eq(list.iter().copied()));
    }
}

#[test]
fn running_numbers_may_wrap() {
    let mut window = Window::new(64);
    window.first = u32::MAX - 20;
    for n in 0..200_u16 {
        let _ = window.insert_or_get(FillKey(u128::from(n) << 64 | u128::from(n)), i64::from(n), || n);
        window.prune(i64::from(n) - 10, |_, _| false);
    }
    assert_eq!(window.len(), 11);
    assert!((189..200).all(|n: u16| window.get(FillKey(u128::from(n) << 64 | u128::from(n))) == Some(&n)));
}

#[test]
fn states_its_memory() {
    let mut window = Window::new(1 << 20);
    for n in 0..65_536_u64 {
        let spread = u128::from(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)) << 64 | u128::from(n);
        let _ = window.insert_or_get(FillKey(spread), 0, || n);
    }
    assert!(window.memory_bytes() / window.len() <= 2 * (24 + 8 + 32), "{}", window.memory_bytes());
}

#[cfg(feature = "serde")]
#[test]
fn survives_a_checkpoint() {
    let mut window = Window::new(10);
    for n in 0..5_u16 {
        let _ = window.insert_or_get(key(n), i64::from(n), || n);
    }
    let bytes = postcard::to_allocvec(&window).unwrap();
    assert_eq!(postcard::from_bytes::<Window<u16>>(&bytes).unwrap(), window);
}
