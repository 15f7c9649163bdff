//! Three hundred accounts want history while the venue refuses every question for ten minutes, on a clock of the test's own.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use hyperliquid_client::io::Received;
use hyperliquid_client::limits::InfoCost;
use hyperliquid_client::weight::{Lane, WeightBudget};

use super::*;
use crate::runtime::clock;

const ACCOUNTS: u16 = 300;
const MINUTE: Duration = Duration::from_secs(60);

fn account(number: u16) -> Account {
    format!("0x{number:040x}").parse().unwrap()
}

/// What the venue counted: when it answered, and the weight.
#[derive(Default)]
pub(super) struct Counted(VecDeque<(Instant, u32)>);

impl Counted {
    /// It answers; it never counts more than its limit in any minute.
    pub(super) fn count(&mut self, weight: u32, now: Instant) {
        self.0.push_back((now, weight));
        self.0.retain(|(at, _)| now.duration_since(*at) < MINUTE);
        let sum: u32 = self.0.iter().map(|(_, weight)| weight).sum();
        assert!(sum <= VenueLimits::default().info_weight_per_minute, "{sum} in a minute");
    }
}

#[test]
fn ten_minutes_of_429_cost_no_weight_beyond_the_budget_and_the_important_are_served_first() {
    let disk = FaultyStorage::new(1);
    let Opened { journal, state, .. } = open(&disk);
    let telemetry = Telemetry::new(&catalogue()).unwrap();
    let mut core = core(&journal, &telemetry, state, disk);
    let began = clock::now();
    let mut now = began;
    // The larger the number, the more important; everybody asks for history at once.
    for number in 0..ACCOUNTS {
        let followed = Followed::by_address(account(number));
        let followed = Followed { priority: number.into(), start: Some(1), ..followed };
        core.follow(followed, Cause::Start, now);
    }
    assert_eq!(core.asks.len(), usize::from(ACCOUNTS));
    let mut budget = WeightBudget::new(1_200, 300).unwrap();
    let mut venue = Counted::default();
    let (mut refused, mut answered) = (0_u32, BTreeMap::new());
    while answered.len() < usize::from(ACCOUNTS) {
        let Some(asked) = core.next_ask(0) else {
            let next = core.deadline().unwrap();
            now = next.max(now + Duration::from_millis(1));
            core.handle_timeout(now);
            continue;
        };
        let ticket = match budget.try_charge(InfoCost::PAGE, Lane::Priority, now) {
            Ok(ticket) => ticket,
            Err(free_at) => {
                core.page_deferred(asked, free_at, now);
                continue;
            }
        };
        core.take_turn(&asked, now);
        now += Duration::from_millis(50);
        if now < began + 10 * MINUTE {
            venue.count(InfoCost::PAGE.base, now);
            refused += 1;
            budget.settle_failed(ticket, now);
            budget.on_too_many_requests(None, now);
            core.page_failed(asked, now);
        } else {
            venue.count(InfoCost::PAGE.of_rows(0), now);
            budget.settle(ticket, InfoCost::PAGE, 0, now);
            let order = answered.len();
            answered.entry(asked.account).or_insert(order);
            let at = Received { unix_ns: 0, at: now };
            core.handle_page(asked, b"[]", at).unwrap();
        }
    }
    assert!((10..=11).contains(&refused), "a question a minute while it refuses: {refused}");
    let order = |number: u16| answered[account(number).as_bytes()];
    let places: Vec<usize> = (0..ACCOUNTS).rev().map(order).collect();
    assert!(places.is_sorted(), "the important first: {places:?}");
}
