//! What the venue's clock shows, as far as more than one source says so. Certification rests on it (C1), for every account
//! of the process: a single wrong number must not move it. Venue milliseconds only; our own clock is not asked.

use std::collections::BTreeMap;

/// Who shows venue times. Sources count as independent: what one shows wrongly, the next does not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// The rows and states of one listener.
    Listener(u8),
    /// The rows of pages of history.
    History,
    /// The info API's answers that state the time; two of them in a row are two witnesses.
    Answer,
}

/// The time that two sources have reached. It never falls; a source's own time does, so that what it showed wrongly once is
/// forgotten with the next thing it shows.
#[derive(Clone, Debug, Default)]
pub struct VenueClock {
    shown: BTreeMap<Source, i64>,
    /// The answer before the newest one.
    answered_before: Option<i64>,
    time: Option<i64>,
}

impl VenueClock {
    /// The venue's clock is at least there; nothing while only one source showed any time.
    #[must_use]
    pub fn time(&self) -> Option<i64> {
        self.time
    }

    /// A source shows this time; answers [`VenueClock::time`]. A time that is not after 1970 is none: the venue has no clock yet.
    pub fn show(&mut self, source: Source, time: i64) -> Option<i64> {
        if time <= 0 {
            return self.time;
        }
        let before = self.shown.insert(source, time);
        if source == Source::Answer {
            self.answered_before = before;
        }
        let (mut first, mut second) = (None, None);
        for time in self.shown.values().copied().chain(self.answered_before) {
            second = second.max(first.min(Some(time)));
            first = first.max(Some(time));
        }
        self.time = self.time.max(second);
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: i64 = 9_790_000_020_500;

    #[test]
    fn one_source_alone_moves_nothing() {
        let mut clock = VenueClock::default();
        assert_eq!(clock.show(Source::Listener(0), 1_000), None);
        assert_eq!(clock.show(Source::Listener(0), FAR), None);
        assert_eq!(clock.show(Source::Listener(1), 1_010), Some(1_010));
        assert_eq!(clock.show(Source::History, 990), Some(1_010));
    }

    #[test]
    fn what_was_wrong_is_forgotten_with_the_next_thing_its_source_shows() {
        let mut clock = VenueClock::default();
        clock.show(Source::Listener(0), FAR);
        clock.show(Source::Listener(0), 1_000);
        clock.show(Source::Listener(1), FAR);
        assert_eq!(clock.time(), Some(1_000));
        assert_eq!(clock.show(Source::Listener(1), 1_005), Some(1_000));
    }

    #[test]
    fn nought_is_no_time() {
        let mut clock = VenueClock::default();
        assert_eq!([0, 0, -1].map(|time| clock.show(Source::Answer, time)), [None; 3]);
        assert_eq!(clock.show(Source::Answer, 1_000), None);
        assert_eq!(clock.show(Source::Answer, 1_000), Some(1_000));
    }

    #[test]
    fn it_never_falls() {
        let mut clock = VenueClock::default();
        clock.show(Source::Listener(0), 1_000);
        clock.show(Source::Listener(1), 1_000);
        clock.show(Source::Listener(0), 3);
        assert_eq!(clock.show(Source::Listener(1), 5), Some(1_000));
    }

    #[test]
    fn two_answers_bear_each_other_out() {
        let mut clock = VenueClock::default();
        assert_eq!(clock.show(Source::Answer, 1_000), None);
        assert_eq!(clock.show(Source::Answer, FAR), Some(1_000));
        assert_eq!(clock.show(Source::Answer, 2_000), Some(2_000));
        assert_eq!(clock.show(Source::Answer, 3_000), Some(2_000));
    }
}
