//! How the venue prints numbers. Amounts inside the simulation are integers of 10^-8 ("units"); positions and money
//! leave it through a float64, as the real venue's do, noise included.

/// Units in one whole.
pub(super) const UNIT: i64 = 100_000_000;

/// A float64 as the venue prints it: at most ten decimals, at least one (`3130537.6` comes out as `3130537.6000000001`).
pub(super) fn float(value: f64) -> String {
    let mut text = format!("{value:.10}");
    trim(&mut text);
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

/// Money: six decimals at most.
pub(super) fn money(value: f64) -> String {
    float((value * 1e6).round() / 1e6)
}

/// A position of `units`, with the noise of a float64.
pub(super) fn position(units: i64) -> String {
    float(units as f64 / UNIT as f64)
}

/// `units` exactly: sizes have no noise.
pub(super) fn exact(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    let mut text = format!("{sign}{}.{:08}", units / UNIT as u64, units % UNIT as u64);
    trim(&mut text);
    text
}

/// Drops trailing zeros, keeps one decimal.
fn trim(text: &mut String) {
    while text.ends_with('0') && !text.ends_with(".0") {
        text.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_recorded_from_the_venue() {
        for (value, text) in [
            (3_130_537.6, "3130537.6000000001"),
            (-3_695_042.9, "-3695042.8999999999"),
            (116_107.0, "116107.0"),
            (-202.05, "-202.05"),
            (-0.0, "0.0"),
        ] {
            assert_eq!(float(value), text);
        }
        assert_eq!(position(-369_504_290_000_000), "-3695042.8999999999");
    }

    #[test]
    fn sizes_print_exactly() {
        assert_eq!(exact(22_000), "0.00022");
        assert_eq!(exact(25_500_000_000), "255.0");
        assert_eq!(exact(-50_000_000), "-0.5");
    }
}
