//! Plans by example, and what holds of every plan.

use proptest::prelude::*;

use super::*;

const PINGS: u32 = 12;

/// Accounts of three channels each.
fn accounts(count: usize) -> Vec<Want> {
    vec![Want { subscriptions: 3, info_weight: 8, ..Want::default() }; count]
}

/// One route over each address.
fn routes(groups: &[VenueLimits]) -> Vec<Route> {
    (0..groups.len()).map(|group| Route { group }).collect()
}

fn users(limits: &[u32]) -> Vec<VenueLimits> {
    limits.iter().map(|users| VenueLimits { users: *users, ..VenueLimits::default() }).collect()
}

fn demand<'a>(routes: &'a [Route], groups: &'a [VenueLimits], accounts: &'a [Want]) -> Demand<'a> {
    Demand { routes, groups, accounts, listeners: 2, dedicated: false, pings_per_minute: PINGS }
}

/// The plan for so many accounts over addresses with such limits of users, planned from nothing.
fn planned(limits: &[u32], count: usize) -> Plan {
    let groups = users(limits);
    plan(&demand(&routes(&groups), &groups, &accounts(count)), &[])
}

fn shapes(plan: &Plan) -> Vec<(Vec<usize>, usize)> {
    plan.cells.iter().map(|cell| (cell.routes.clone(), cell.accounts.len())).collect()
}

#[test]
fn one_address_carries_ten_on_two_connections() {
    let plan = planned(&[10], 10);
    assert_eq!(shapes(&plan), [(vec![0, 0], 10)]);
    assert_eq!((plan.uncovered.len(), plan.one_address.len(), plan.bound), (0, 10, None));
}

#[test]
fn whom_nothing_can_carry_is_named_with_the_bound_and_what_would_help() {
    let plan = planned(&[10], 13);
    assert_eq!(plan.uncovered, [10, 11, 12]);
    assert_eq!(plan.bound, Some(Bound::Users));
    let groups = users(&[10]);
    let wanted = accounts(31);
    assert_eq!(more_addresses(&demand(&routes(&groups), &groups, &wanted), groups[0]), Some(3));
    assert_eq!(more_addresses(&demand(&[], &[], &wanted), groups[0]), Some(4));
    let greedy = [Want { subscriptions: 2_000, ..Want::default() }];
    assert_eq!(more_addresses(&demand(&routes(&groups), &groups, &greedy), groups[0]), None);
}

#[test]
fn who_wants_one_listener_has_one_and_is_not_named_for_it() {
    let groups = users(&[10]);
    let mut wanted = accounts(2);
    wanted[1].single = true;
    let routes = routes(&groups);
    let shared = demand(&routes, &groups, &wanted);
    let together = plan(&shared, &[]);
    assert_eq!((shapes(&together), together.taken[0].subscriptions), (vec![(vec![0, 0], 2)], 9));
    let own = plan(&Demand { dedicated: true, ..shared }, &[]);
    assert_eq!(shapes(&own), [(vec![0, 0], 1), (vec![0], 1)]);
    assert_eq!((own.fewer_listeners.len(), own.taken[0].subscriptions, own.bound), (0, 9, None));
}

#[test]
fn a_list_that_is_far_too_long_is_planned_all_the_same() {
    let long = planned(&[10, 10], 100_000);
    assert_eq!((long.uncovered.len(), long.bound), (99_980, Some(Bound::Users)));
    let groups = users(&[10]);
    let count = |count: usize| {
        let wanted = accounts(count);
        more_addresses(&demand(&routes(&groups), &groups, &wanted), groups[0])
    };
    assert_eq!((count(COUNTED_MAX), count(COUNTED_MAX + 1)), (Some(499), None));
    let one = accounts(1);
    assert_eq!(plan(&demand(&[], &[], &one), &[]).bound, Some(Bound::Routes));
}

#[test]
fn listeners_are_apart_where_both_addresses_have_room_and_together_where_slots_are_short() {
    assert_eq!(shapes(&planned(&[10, 10], 10)), [(vec![0, 1], 10)]);
    // Twenty places: five take two each, ten take one.
    let plan = planned(&[10, 10], 15);
    assert_eq!(shapes(&plan), [(vec![0, 1], 5), (vec![0, 0], 5), (vec![1, 1], 5)]);
    assert_eq!(plan.one_address, (5..15).collect::<Vec<_>>());
    // The roomiest are paired first, so that none is left without a partner.
    assert_eq!(planned(&[5, 5, 10], 10).one_address, Vec::<usize>::new());
    // Nor is a pair filled where the last accounts would find one address alone with room.
    let three = planned(&[12, 12, 12], 14);
    assert_eq!((three.cells.len(), three.one_address.len()), (3, 0), "{three:?}");
    let sixty = planned(&[10; 60], 300);
    assert_eq!((sixty.cells.len(), sixty.one_address.len(), sixty.uncovered.len()), (30, 0, 0));
    let thirty = planned(&[10; 30], 300);
    assert_eq!((thirty.cells.len(), thirty.one_address.len(), thirty.uncovered.len()), (30, 300, 0));
}

#[test]
fn where_connections_become_few_second_listeners_are_given_up_first_and_nobody_moves() {
    let own = |connections: u32, wanted: &[Want], open: &[Cell]| {
        let groups = [VenueLimits { connections, ..VenueLimits::default() }];
        let demand = Demand { dedicated: true, ..demand(&[Route { group: 0 }], &groups, wanted) };
        plan(&demand, open)
    };
    let before = own(100, &accounts(5), &[]);
    assert_eq!(shapes(&before), vec![(vec![0, 0], 1); 5]);
    let stay: Vec<Want> =
        accounts(5).into_iter().enumerate().map(|(at, want)| Want { at: Some(at), ..want }).collect();
    let seven = own(7, &stay, &before.cells);
    let kept: Vec<(Option<usize>, usize)> =
        seven.cells.iter().map(|cell| (cell.was, cell.routes.len())).collect();
    assert_eq!(kept, [(Some(0), 2), (Some(1), 2), (Some(2), 1), (Some(3), 1), (Some(4), 1)]);
    assert_eq!((seven.fewer_listeners, seven.bound), (vec![2, 3, 4], Some(Bound::Connections)));
    let three = own(3, &stay, &before.cells);
    let kept: Vec<(Option<usize>, usize)> =
        three.cells.iter().map(|cell| (cell.was, cell.routes.len())).collect();
    assert_eq!((kept, three.uncovered), (vec![(Some(0), 1), (Some(1), 1), (Some(2), 1)], vec![3, 4]));
}

#[test]
fn too_little_info_weight_leaves_nobody_out_and_shows() {
    let groups = users(&[10]);
    let wanted = vec![Want { subscriptions: 2, info_weight: 500, ..Want::default() }; 3];
    let plan = plan(&demand(&routes(&groups), &groups, &wanted), &[]);
    assert!(plan.uncovered.is_empty());
    let taken =
        Taken { users: 3, connections: 2, subscriptions: 12, messages: 12 + 2 * PINGS, info_weight: 1_500 };
    assert_eq!(plan.taken, [taken]);
}

#[test]
fn redundancy_is_given_up_before_coverage() {
    let short = VenueLimits { connections: 1, ..VenueLimits::default() };
    let wanted = accounts(4);
    let plan = plan(&demand(&[Route { group: 0 }], &[short], &wanted), &[]);
    assert_eq!(shapes(&plan), [(vec![0], 4)]);
    assert_eq!((plan.uncovered.len(), plan.fewer_listeners.len()), (0, 4));
    assert_eq!(plan.bound, Some(Bound::Connections));
    assert_eq!(more_addresses(&demand(&[Route { group: 0 }], &[short], &wanted), short), Some(1));
}

#[test]
fn accounts_whose_data_names_nobody_do_not_share_a_connection() {
    let groups = users(&[10]);
    let mut wanted = accounts(5);
    wanted[1].unattributed = true;
    wanted[3].unattributed = true;
    let plan = plan(&demand(&routes(&groups), &groups, &wanted), &[]);
    let apart = |cell: &Cell| !(cell.accounts.contains(&1) && cell.accounts.contains(&3));
    assert!(plan.uncovered.is_empty() && plan.cells.len() == 2 && plan.cells.iter().all(apart), "{plan:?}");
}

#[test]
fn dedicated_accounts_share_no_connection() {
    let groups = users(&[10]);
    let wanted = accounts(6);
    let plan = plan(&Demand { dedicated: true, ..demand(&routes(&groups), &groups, &wanted) }, &[]);
    // Ten connections: four with two listeners, two with one.
    assert_eq!((plan.cells.len(), plan.fewer_listeners.clone()), (6, vec![4, 5]));
    assert!(plan.cells.iter().all(|cell| cell.accounts.len() == 1));
    assert_eq!(plan.bound, Some(Bound::Connections));
}

#[test]
fn both_listeners_use_two_endpoints_behind_one_address_where_there_are_two() {
    let groups = users(&[10]);
    let wanted = accounts(1);
    let plan = plan(&demand(&[Route { group: 0 }, Route { group: 0 }], &groups, &wanted), &[]);
    assert_eq!(shapes(&plan), [(vec![0, 1], 1)]);
}

/// The same accounts, each at the cell it has in `plan`.
fn placed(wanted: &[Want], plan: &Plan) -> Vec<Want> {
    let mut placed = wanted.to_vec();
    for (place, cell) in plan.cells.iter().enumerate() {
        cell.accounts.iter().for_each(|account| placed[*account].at = Some(place));
    }
    placed
}

/// How many accounts of the plan before are in another cell after.
fn moved(before: &Plan, after: &Plan) -> usize {
    let was =
        |cell: &Cell| cell.was.map(|was| before.cells[was].accounts.as_slice()).unwrap_or_default().to_vec();
    let known: Vec<usize> = before.cells.iter().flat_map(|cell| cell.accounts.clone()).collect();
    let stayed: usize = after
        .cells
        .iter()
        .map(|cell| cell.accounts.iter().filter(|account| was(cell).contains(account)).count())
        .sum();
    known.len() - stayed
}

#[test]
fn a_lower_limit_keeps_the_most_important_and_names_the_others() {
    let groups = users(&[10, 10]);
    let before = plan(&demand(&routes(&groups), &groups, &accounts(20)), &[]);
    let lower = users(&[5, 10]);
    let wanted = placed(&accounts(20), &before);
    let after = plan(&demand(&routes(&lower), &lower, &wanted), &before.cells);
    assert_eq!(after.uncovered, [15, 16, 17, 18, 19]);
    assert_eq!(after.bound, Some(Bound::Users));
    assert!(after.cells.iter().all(|cell| cell.was.is_some()), "{after:?}");
}

prop_compose! {
    fn some_limits()(users in 1_u32..12, connections in 1_u32..12, subscriptions in 3_u32..80, messages in 15_u32..200) -> VenueLimits {
        VenueLimits { users, connections, subscriptions, messages_per_minute: messages,
                      ..VenueLimits::default() }
    }
}

prop_compose! {
    fn some_want()(subscriptions in 1_u32..5, info_weight in 0_u32..12, unattributed in prop::bool::weighted(0.1)) -> Want {
        Want { subscriptions, info_weight, unattributed, ..Want::default() }
    }
}

/// Adds up what a plan takes of every group, and looks for everybody.
fn within(plan: &Plan, demand: &Demand<'_>) {
    let wants =
        |cell: &Cell| cell.accounts.iter().map(|account| demand.accounts[*account]).collect::<Vec<_>>();
    for (group, (limits, taken)) in demand.groups.iter().zip(&plan.taken).enumerate() {
        let (mut users, mut connections, mut subscriptions) = (0, 0, 0);
        for cell in &plan.cells {
            let here =
                cell.routes.iter().filter(|route| demand.routes[**route].group == group).count() as u32;
            connections += here;
            subscriptions += here * wants(cell).iter().map(|want| want.subscriptions).sum::<u32>();
            users += if here > 0 { cell.accounts.len() as u32 } else { 0 };
        }
        assert_eq!(
            (users, connections, subscriptions),
            (taken.users, taken.connections, taken.subscriptions)
        );
        assert!(users <= limits.users && connections <= limits.connections, "{plan:?}");
        assert!(subscriptions <= limits.subscriptions, "{plan:?}");
        assert!(
            subscriptions + connections * demand.pings_per_minute <= limits.messages_per_minute,
            "{plan:?}"
        );
    }
    for cell in &plan.cells {
        assert!(wants(cell).iter().filter(|want| want.unattributed).count() <= 1);
        assert!(!cell.accounts.is_empty() && !cell.routes.is_empty());
    }
    // Everybody is somewhere, once.
    let mut all: Vec<usize> = plan.cells.iter().flat_map(|cell| cell.accounts.clone()).collect();
    all.extend(&plan.uncovered);
    all.sort_unstable();
    assert_eq!(all, (0..demand.accounts.len()).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn no_plan_takes_more_than_it_may(
        groups in prop::collection::vec(some_limits(), 0..5),
        more_routes in prop::collection::vec(0_usize..5, 0..4),
        wanted in prop::collection::vec(some_want(), 0..25),
        listeners in 1_usize..4,
        dedicated: bool,
    ) {
        let mut ways = routes(&groups);
        ways.extend(more_routes.into_iter().filter(|group| *group < groups.len()).map(|group| Route { group }));
        let demand = Demand { listeners, dedicated, ..demand(&ways, &groups, &wanted) };
        let first = plan(&demand, &[]);
        within(&first, &demand);
        prop_assert_eq!(first.bound.is_some(), !first.uncovered.is_empty() || !first.fewer_listeners.is_empty());
        // Planned again over what is open, it is no worse.
        let again = plan(&Demand { accounts: &placed(&wanted, &first), ..demand }, &first.cells);
        within(&again, &demand);
        let missing = |plan: &Plan| (plan.uncovered.len(), plan.fewer_listeners.len());
        prop_assert!(missing(&again) <= missing(&first), "{:?} {:?}", first, again);
    }

    #[test]
    fn only_users_being_short_every_place_is_used(limits in prop::collection::vec(1_u32..15, 1..8), count in 0_usize..60) {
        let plan = planned(&limits, count);
        let places = limits.iter().sum::<u32>() as usize;
        prop_assert_eq!(plan.uncovered.len(), count.saturating_sub(places));
        prop_assert!(plan.fewer_listeners.is_empty());
        let equal = limits.iter().all(|limit| *limit == limits[0]);
        if equal && limits.len() > 1 {
            let (covered, spare) = (count.min(places), places - count.min(places));
            let apart = covered - plan.one_address.len();
            prop_assert!(apart <= covered.min(spare), "{:?}", plan);
            // A last place without a partner may be left over.
            prop_assert!(apart + 1 >= covered.min(spare), "{:?}", plan);
        }
    }

    #[test]
    fn a_plan_over_its_own_cells_moves_nobody(limits in prop::collection::vec(1_u32..15, 1..6), count in 1_usize..60) {
        let groups = users(&limits);
        let ways = routes(&groups);
        let wanted = accounts(count);
        let first = plan(&demand(&ways, &groups, &wanted), &[]);
        let again = plan(&demand(&ways, &groups, &placed(&wanted, &first)), &first.cells);
        prop_assert_eq!(moved(&first, &again), 0);
        prop_assert_eq!(again.uncovered, first.uncovered);
    }

    #[test]
    fn one_more_of_the_least_importance_moves_whom_it_takes_a_place_from(
        each in 2_u32..15,
        addresses in 1_usize..6,
        count in 0_usize..80,
    ) {
        let count = 1 + count % (each as usize * addresses);
        let groups = users(&vec![each; addresses]);
        let ways = routes(&groups);
        let before = plan(&demand(&ways, &groups, &accounts(count)), &[]);
        let mut wanted = placed(&accounts(count), &before);
        wanted.push(accounts(1)[0]);
        let after = plan(&demand(&ways, &groups, &wanted), &before.cells);
        // A place at a second address is given up for a newcomer who has none.
        prop_assert!(moved(&before, &after) <= 1, "{:?} {:?}", before, after);
    }
}
