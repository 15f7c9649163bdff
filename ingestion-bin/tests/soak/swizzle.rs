//! Everything is cut one after the other, and comes back in another order: both listeners, history, the broker, the Redis.

use test_services::until;

use super::end::LONG;
use super::faults::Fault;
use super::flow::Flow;
use super::support::random::Random;
use super::world::World;

/// Each with the listener it strikes, where it is one.
const CUTS: [(Fault, bool); 5] = [
    (Fault::Reset, true),
    (Fault::Reset, false),
    (Fault::InfoErrors, true),
    (Fault::BrokerFrozen, true),
    (Fault::RedisFrozen, true),
];
/// Between two of them so many fills are made.
const FILLS: usize = 100;

/// One round, in orders of its own.
pub(crate) fn round(world: &mut World, random: &mut Random, flow: &Flow) {
    let (cut, back) = (shuffled(random), shuffled(random));
    for (fault, first) in cut {
        world.strike(fault, first);
        goes_on(flow);
    }
    for (fault, first) in back {
        world.heal(fault, first);
        goes_on(flow);
    }
    println!("swizzle: {cut:?} are cut, {back:?} come back");
}

fn shuffled(random: &mut Random) -> [(Fault, bool); CUTS.len()] {
    let mut cuts = CUTS;
    for end in (1..cuts.len()).rev() {
        let at = usize::try_from(random.below(end as u64 + 1)).expect("a small number");
        cuts.swap(at, end);
    }
    cuts
}

fn goes_on(flow: &Flow) {
    let from = flow.fills();
    until(LONG, || (flow.fills() >= from + FILLS).then_some(())).expect("fills are made all the time");
}
