//! Parsing, text, exact arithmetic against school arithmetic on digits, rounding against its definition.

use proptest::prelude::*;

use super::*;

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Any value of the range, small and ordinary ones more often.
fn any_decimal() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![
        any::<i16>().prop_map(i128::from),
        any::<i64>().prop_map(i128::from),
        (-(1_i128 << 96) + 1)..(1_i128 << 96),
        (1_i128 << 96) - 50..(1_i128 << 96),
    ];
    (digits, 0..=28_u32).prop_map(|(digits, scale)| Decimal::from_parts(digits, scale).unwrap())
}

/// The sum as school teaches it: column by column, then carry. Signed digits, most significant first.
fn school_sum(a: Decimal, b: Decimal) -> String {
    const PLACES: usize = 28;
    let columns = |value: Decimal| -> Vec<i32> {
        let text = value.abs().to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let sign = if value.is_negative() { -1 } else { 1 };
        format!("{whole:0>40}{fraction:0<PLACES$}")
            .bytes()
            .map(|digit| sign * i32::from(digit - b'0'))
            .collect()
    };
    let mut sum: Vec<i32> = columns(a).iter().zip(columns(b)).map(|(a, b)| a + b).collect();
    let negative = sum.iter().find(|digit| **digit != 0).is_some_and(|digit| *digit < 0);
    if negative {
        sum.iter_mut().for_each(|digit| *digit = -*digit);
    }
    let mut carry = 0;
    for digit in sum.iter_mut().rev() {
        let value = *digit + carry;
        *digit = value.rem_euclid(10);
        carry = value.div_euclid(10);
    }
    assert_eq!(carry, 0);
    let digits: String = sum.iter().map(|digit| char::from(b'0' + u8::try_from(*digit).unwrap())).collect();
    let (whole, fraction) = digits.split_at(40);
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if negative { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[test]
fn text_is_canonical() {
    for (text, canonical) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.000", "0"),
        ("0.75", "0.75"),
        ("0.750", "0.75"),
        ("007", "7"),
        ("80461.0", "80461"),
        ("1000", "1000"),
        ("-1.25", "-1.25"),
        ("0.0000000000000000000000000001", "0.0000000000000000000000000001"),
        ("79228162514264337593543950335", "79228162514264337593543950335"),
        ("-7.9228162514264337593543950335", "-7.9228162514264337593543950335"),
        ("0.00000000000000000000000000000", "0"),
        ("0000000000000000000000000000001", "1"),
    ] {
        assert_eq!(decimal(text).to_string(), canonical, "{text}");
        assert_eq!(format!("{:?}", decimal(text)), canonical);
    }
    assert_eq!(format!("{:>6}", decimal("1.5")), "   1.5");
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "", "-", ".", "-.", ".5", "5.", "1.2.3", "+1", "1_000", "1e5", "1E5", "0x10", " 1", "1 ", "1,5",
        "--1", "1-", "NaN", "Infinity", "-inf", "null", "ten", "١", "1\0", "0.-1",
    ] {
        assert_eq!(Decimal::parse(text), Err(DecimalError::NotANumber { text: text.into() }), "{text:?}");
    }
}

#[test]
fn what_would_be_rounded_is_refused() {
    for text in [
        "79228162514264337593543950336",
        "1000000000000000.00000000000001234567890",
        "0.00000000000000000000000000001",
        "1234567890123456789012345678901234567890",
        "0.5000000000000000000000000000000000000000",
        &"9".repeat(29),
    ] {
        let error = Decimal::parse(text).unwrap_err();
        assert!(matches!(&error, DecimalError::OutOfRange { .. }), "{text}: {error}");
        assert_eq!(error.reason(), Reason::NumberOutOfRange);
    }
    assert_eq!(Decimal::parse("x").unwrap_err().reason(), Reason::NotANumber);
}

#[test]
fn errors_quote_a_short_text() {
    let error = Decimal::parse(&"9".repeat(1_000_000)).unwrap_err().to_string();
    assert!(error.len() < 120, "{error}");
    let error = Decimal::parse(&"é".repeat(1_000_000)).unwrap_err().to_string();
    assert!(error.len() < 180, "{error}");
}

#[test]
fn the_edge_of_the_range_is_an_error_not_a_rounding() {
    let tenth = decimal("0.1");
    assert!(matches!(Decimal::MAX.checked_add(tenth), Err(DecimalError::OutOfRange { .. })));
    assert!(matches!(Decimal::MAX.checked_add(decimal("1")), Err(DecimalError::OutOfRange { .. })));
    assert!(matches!(Decimal::MAX.negated().checked_sub(tenth), Err(DecimalError::OutOfRange { .. })));
    assert_eq!(Decimal::MAX.checked_sub(Decimal::MAX), Ok(Decimal::ZERO));
    // Only the trimmed sum fits.
    let half = decimal("7922816251426433759354395033.5");
    assert_eq!(half.checked_add(half).unwrap().to_string(), "15845632502852867518708790067");
}

#[test]
fn rounding_is_half_to_even() {
    for (value, places, rounded) in [
        ("0.125", 2, "0.12"),
        ("0.135", 2, "0.14"),
        ("-0.125", 2, "-0.12"),
        ("-0.135", 2, "-0.14"),
        ("0.1250000001", 2, "0.13"),
        ("0.9999999", 6, "1"),
        ("0.0000005", 6, "0"),
        ("-0.0000005", 6, "0"),
        ("0.0000015", 6, "0.000002"),
        ("1.5", 6, "1.5"),
    ] {
        assert_eq!(decimal(value).round_places(places).to_string(), rounded, "{value}");
    }
    for (value, rounded) in [
        ("3130537.6000000001", "3130537.6"),
        ("1699341329.5351579189", "1699341329.53516"),
        ("999999999999999.5", "1000000000000000"),
        ("1234567890123456789", "1234567890123460000"),
        ("123456789012345", "123456789012345"),
        ("-123456789012344.5", "-123456789012344"),
        ("0", "0"),
        ("0.0000000001234567890123455", "0.000000000123456789012346"),
    ] {
        assert_eq!(decimal(value).round_to_float64().to_string(), rounded, "{value}");
    }
    assert_eq!(Decimal::MAX.round_to_float64().to_string(), "79228162514264300000000000000");
    assert_eq!(Decimal::MAX.negated().round_to_float64().to_string(), "-79228162514264300000000000000");
}

proptest! {
    #[test]
    fn text_reads_back(value in any_decimal()) {
        let text = value.to_string();
        prop_assert_eq!(Decimal::parse(&text), Ok(value));
        prop_assert!(text == "0" || !text.starts_with("-0") || text.starts_with("-0."));
        prop_assert!(!text.contains('.') || !text.ends_with(['0', '.']));
    }

    /// Any plain number text of the range reads as the value it says: its digits with zeros trimmed.
    #[test]
    fn redundant_zeros_change_nothing(whole in "[0-9]{1,9}", fraction in "[0-9]{1,9}", negative: bool) {
        let sign = if negative { "-" } else { "" };
        let value = decimal(&format!("{sign}{whole}.{fraction}"));
        let (short, rest) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let mut expected = if short.is_empty() { "0".to_owned() } else { short.to_owned() };
        if !rest.is_empty() {
            expected = format!("{expected}.{rest}");
        }
        if negative && expected != "0" {
            expected = format!("-{expected}");
        }
        prop_assert_eq!(value.to_string(), expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-+0-9.eE_ ]{0,40}|\\PC{0,20}") {
        let plain = text.strip_prefix('-').unwrap_or(&text);
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        match Decimal::parse(&text) {
            Ok(_) | Err(DecimalError::OutOfRange { .. }) => prop_assert!(digits(whole) && digits(fraction)),
            Err(DecimalError::NotANumber { .. }) => prop_assert!(!(digits(whole) && digits(fraction))),
            Err(DecimalError::Negative { .. }) => prop_assert!(false, "parsing knows no sign rule"),
        }
    }

    /// A sum is the exact one, or an error, and an error only when the exact one does not fit.
    #[test]
    fn addition_is_exact_or_an_error(a in any_decimal(), b in any_decimal()) {
        let exact = school_sum(a, b);
        match a.checked_add(b) {
            Ok(sum) => prop_assert_eq!(sum.to_string(), exact),
            Err(_) => prop_assert!(Decimal::parse(&exact).is_err(), "{} + {} = {} fits", a, b, exact),
        }
    }

    #[test]
    fn what_was_added_can_be_taken_off(a in any_decimal(), b in any_decimal()) {
        prop_assert_eq!(a.checked_add(b).ok(), b.checked_add(a).ok());
        if let Ok(sum) = a.checked_add(b) {
            prop_assert_eq!(sum.checked_sub(b), Ok(a));
        }
        prop_assert_eq!(a.checked_sub(a), Ok(Decimal::ZERO));
    }

    #[test]
    fn equal_values_are_equal_in_every_respect(a in any_decimal(), b in any_decimal()) {
        use std::hash::{BuildHasher, RandomState};
        let again = a.checked_add(b).and_then(|sum| sum.checked_sub(b)).unwrap_or(a);
        let state = RandomState::new();
        prop_assert_eq!(again, a);
        prop_assert_eq!(again.parts(), a.parts());
        prop_assert_eq!(state.hash_one(again), state.hash_one(a));
        prop_assert_eq!(Decimal::from_parts(a.parts().0, a.parts().1), Ok(a));
    }

    /// The rounded value is a multiple of the last kept place, at most half of it away, and even when exactly half.
    #[test]
    fn rounding_keeps_its_definition(value in -(10_i128.pow(20))..10_i128.pow(20), scale in 0..=20_u32, places in 0..=20_u32) {
        let rounded = Decimal::from_parts(value, scale).unwrap().round_places(places);
        let unit = 10_i128.pow(scale.saturating_sub(places));
        let (digits, kept) = rounded.parts();
        prop_assert!(kept <= places.min(scale));
        let at_scale = digits * 10_i128.pow(scale - kept);
        prop_assert_eq!(at_scale % unit, 0);
        let off = (at_scale - value).abs() * 2;
        prop_assert!(off <= unit);
        prop_assert!(off < unit || unit == 1 || (at_scale / unit) % 2 == 0);
    }

    #[test]
    fn fifteen_digits_are_kept_and_the_rest_is_near(value in any_decimal()) {
        let rounded = value.round_to_float64();
        let significant = rounded.abs().to_string().replace('.', "");
        let significant = significant.trim_start_matches('0').trim_end_matches('0');
        prop_assert!(significant.len() <= 15);
        prop_assert_eq!(rounded.round_to_float64(), rounded);
        if value.parts().0.unsigned_abs() < 10_u128.pow(15) {
            prop_assert_eq!(rounded, value);
        } else {
            // Off by at most half of the fifteenth digit: 5e-15 of the value, and no more.
            let off = rounded.checked_sub(value).unwrap().abs().to_string().parse::<f64>().unwrap();
            prop_assert!(off <= value.abs().to_string().parse::<f64>().unwrap() * 5.1e-15);
        }
    }

    #[test]
    fn order_is_the_order_of_numbers(a: i64, b: i64, scale in 0..=10_u32) {
        let (x, y) = (Decimal::from_parts(a.into(), scale).unwrap(), Decimal::from_parts(b.into(), scale).unwrap());
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        prop_assert_eq!(x.negated().negated(), x);
        prop_assert_eq!(x.is_negative(), a < 0);
    }
}
