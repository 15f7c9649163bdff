//! The action rule against a statement of its own, and whole chains, exact and with the venue's float noise.

use proptest::prelude::*;

use super::*;

/// Positions in millionths, as an integer: what a perp position really is.
const MILLIONTHS: u32 = 6;

fn millionths(value: i64) -> Decimal {
    Decimal::from_parts(value.into(), MILLIONTHS).unwrap()
}

/// How the venue prints: the nearest float64, with ten decimals.
fn as_the_venue_prints(value: i64) -> Decimal {
    let mut text = format!("{:.10}", value as f64 / 1e6);
    if value < 0 && !text.starts_with('-') {
        text.insert(0, '-');
    }
    Decimal::parse(&text).unwrap()
}

/// The rule again, from integers and by cases of its own.
fn naive_action(before: i64, after: i64) -> Option<Action> {
    if before == after {
        None
    } else if before == 0 {
        Some(Action::Open)
    } else if after == 0 {
        Some(Action::Close)
    } else if before.signum() * after.signum() == -1 {
        Some(Action::Flip)
    } else if (before - after) * before.signum() > 0 {
        Some(Action::Decrease)
    } else {
        Some(Action::Increase)
    }
}

fn naive_side(position: i64) -> PositionSide {
    [PositionSide::Short, PositionSide::Flat, PositionSide::Long][(position.signum() + 1) as usize]
}

/// Small positions often, so that they meet zero; up to 900 million with six decimals, 15 digits.
fn any_position() -> impl Strategy<Value = i64> {
    prop_oneof![-3_i64..=3, -100_000_i64..=100_000, -900_000_000_000_000_i64..=900_000_000_000_000]
}

#[test]
fn the_examples_of_the_venue() {
    for (text, normal) in [
        ("3130537.6000000001", "3130537.6"),
        ("-3695042.8999999999", "-3695042.9"),
        ("1699341329.5351579189", "1699341329.53516"),
        ("0.0000004999", "0"),
        ("-0.0000000001", "0"),
    ] {
        assert_eq!(normalise_position(Decimal::parse(text).unwrap(), MarketKind::Perp).to_string(), normal);
    }
    let balance = Decimal::parse("0.00000037631").unwrap();
    assert_eq!(normalise_position(balance, MarketKind::Spot).to_string(), "0.0000003763");
    assert_eq!(normalise_position(balance, MarketKind::Outcome).to_string(), "0.0000003763");
}

#[test]
fn a_fill_that_rounds_away_changes_nothing() {
    let transition =
        Transition::new(Decimal::parse("5").unwrap(), Decimal::parse("0.0000004").unwrap(), MarketKind::Perp)
            .unwrap();
    assert_eq!(transition.action(), None);
    assert_eq!(transition.delta().to_string(), "0.0000004");
    let zero = Transition::new(Decimal::ZERO, Decimal::ZERO, MarketKind::Perp).unwrap();
    assert_eq!((zero.action(), zero.side()), (None, PositionSide::Flat));
}

#[test]
fn a_sum_out_of_range_is_an_error() {
    assert!(Transition::new(Decimal::MAX, Decimal::parse("1").unwrap(), MarketKind::Perp).is_err());
}

proptest! {
    #[test]
    fn the_action_is_the_naive_one(before in any_position(), delta in any_position()) {
        let transition = Transition::new(millionths(before), millionths(delta), MarketKind::Perp).unwrap();
        let after = before + delta;
        prop_assume!(after.abs() < 1_000_000_000_000_000);
        prop_assert_eq!(transition.action(), naive_action(before, after));
        prop_assert_eq!(transition.side(), naive_side(after));
        prop_assert_eq!((transition.before(), transition.after()), (millionths(before), millionths(after)));
    }

    /// Noise up to 0.4 of the smallest step, on positions that 15 digits can tell apart, changes no verdict.
    #[test]
    fn noise_changes_no_action(
        before in prop_oneof![-3_i64..=3, -100_000_000_i64..=100_000_000],
        delta in prop_oneof![-3_i64..=3, -100_000_000_i64..=100_000_000],
        noise in -4_000_i128..=4_000,
    ) {
        let noisy = Decimal::from_parts(i128::from(before) * 10_000 + noise, MILLIONTHS + 4).unwrap();
        let transition = Transition::new(noisy, millionths(delta), MarketKind::Perp).unwrap();
        prop_assert_eq!(transition.action(), naive_action(before, before + delta));
        prop_assert_eq!(transition.after(), millionths(before + delta));
    }

    /// A position is the signed sum of its fills, and each fill starts where the one before it ended, although every
    /// start went through a float64 and back.
    #[test]
    fn a_position_is_the_signed_sum_of_fills(
        start in any_position(),
        deltas in proptest::collection::vec(-40_000_000_000_i64..=40_000_000_000, 1..60),
    ) {
        let mut position = start;
        let mut link = normalise_position(as_the_venue_prints(start), MarketKind::Perp);
        for delta in deltas {
            let transition =
                Transition::new(as_the_venue_prints(position), millionths(delta), MarketKind::Perp).unwrap();
            prop_assert_eq!(transition.before(), link);
            position += delta;
            prop_assert_eq!(transition.after(), millionths(position));
            link = transition.after();
        }
    }

    #[test]
    fn normalising_twice_is_normalising_once(digits in any::<i64>(), scale in 0..=20_u32) {
        for kind in [MarketKind::Perp, MarketKind::Spot, MarketKind::Outcome] {
            let once = normalise_position(Decimal::from_parts(digits.into(), scale).unwrap(), kind);
            prop_assert_eq!(normalise_position(once, kind), once);
            prop_assert_eq!(once.negated(), normalise_position(Decimal::from_parts(-i128::from(digits), scale).unwrap(), kind));
        }
    }
}
