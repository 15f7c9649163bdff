//! How many events of an account were published: since the start, and of the last hour.

/// Minutes told apart: the hour, and as many again for rows ahead of the venue's clock and rows that come late.
const MINUTES: usize = 128;
const MINUTE_MS: i64 = 60_000;

/// See the module. Memory: 2 KiB.
#[derive(Clone, Debug)]
pub struct Tally {
    total: u64,
    /// Events of a minute of venue time, in the place of that minute modulo [`MINUTES`].
    minutes: [(i64, u64); MINUTES],
}

impl Default for Tally {
    fn default() -> Self {
        Self { total: 0, minutes: [(i64::MIN, 0); MINUTES] }
    }
}

/// Where the hour begins that ends with the minute of `until`, venue ms.
#[must_use]
pub const fn hour_began(until: i64) -> i64 {
    (until.div_euclid(MINUTE_MS) - 59).saturating_mul(MINUTE_MS)
}

impl Tally {
    /// An event of this venue time (ms) was published.
    pub fn published(&mut self, time: i64) {
        self.total += 1;
        let minute = time.div_euclid(MINUTE_MS);
        if let Some((of, count)) = self.minutes.get_mut(place(minute)) {
            // What is older than the newest of its place is over an hour old.
            if *of < minute {
                (*of, *count) = (minute, 0);
            }
            *count += u64::from(*of == minute);
        }
    }

    /// Since the start.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Of the hour that ends with the minute of `until` (venue ms), and what is ahead of it.
    #[must_use]
    pub fn last_hour(&self, until: i64) -> u64 {
        let first = hour_began(until).div_euclid(MINUTE_MS);
        self.minutes.iter().filter(|(minute, _)| *minute >= first).map(|(_, count)| count).sum()
    }
}

fn place(minute: i64) -> usize {
    usize::try_from(minute.rem_euclid(MINUTES as i64)).unwrap_or(0)
}
