//! What is left of the signals: the newest, whole, and numbered to the last one without a hole.

use std::collections::BTreeMap;

use super::support::judge::{concatenated, files};
use super::week::{A_SECOND, Week};

/// Lines of all signals that are left.
pub(crate) fn lines(week: &Week) -> usize {
    concatenated(&week.scene.data(), "signals").iter().filter(|byte| **byte == b'\n').count()
}

/// Of each account the numbers go on inside each epoch, and the last one is that of its last fill.
pub(crate) fn judge(week: &Week) {
    let data = week.scene.data();
    let stored = super::support::judge::stored(&data);
    let mut numbers: BTreeMap<&str, Vec<(u64, u64)>> = BTreeMap::new();
    for signal in &stored {
        let text = signal["influencerId"].as_str().expect("text");
        let number = |key: &str| signal[key].as_u64().expect("a number");
        numbers.entry(text).or_default().push((number("epoch"), number("seq")));
    }
    for (place, user) in week.users.iter().enumerate() {
        let found = numbers.get(user.as_str()).unwrap_or_else(|| panic!("nothing is left of {user}"));
        for pair in found.windows(2) {
            let goes_on = pair[1] == (pair[0].0, pair[0].1 + 1) || pair[1].0 > pair[0].0 && pair[1].1 == 1;
            assert!(goes_on, "a hole in the numbers of {user}: {pair:?}");
        }
        let last = found.last().map(|(_, seq)| *seq);
        assert_eq!(last, Some(week.run.blocks[place / A_SECOND] as u64), "the last signal of {user}");
    }
    println!("{} signals are left in {} files", stored.len(), files(&data, "signals"));
}
