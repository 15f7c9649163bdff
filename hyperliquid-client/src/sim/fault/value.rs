//! Values inside a fault's text: times, sizes, probabilities, addresses. Errors are sentences naming the value.

use std::time::Duration;

use super::kind::BadFill;

pub(super) fn bad_fill(text: &str) -> Result<BadFill, String> {
    Ok(match text {
        "missing_field" => BadFill::MissingField,
        "no_time" => BadFill::NoTime,
        "wrong_type" => BadFill::WrongType,
        "null" => BadFill::Null,
        "nan" => BadFill::Nan,
        "infinity" => BadFill::Infinity,
        "text" => BadFill::Text,
        "forty-digits" => BadFill::FortyDigits,
        _ => return Err(format!("`{text}` is no kind of bad fill")),
    })
}

pub(super) fn connections(text: &str) -> Result<(u64, u64), String> {
    let bad = || format!("`#{text}` is not `#K/N` with K below N");
    let (rest, of) = text.split_once('/').ok_or_else(bad)?;
    let (rest, of): (u64, u64) = (rest.parse().map_err(|_| bad())?, of.parse().map_err(|_| bad())?);
    if rest < of { Ok((rest, of)) } else { Err(bad()) }
}

pub(super) fn account(text: &str) -> Result<Option<String>, String> {
    if text == "*" {
        return Ok(None);
    }
    let address = text.to_ascii_lowercase();
    let digits = address.strip_prefix("0x").unwrap_or_default();
    if digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(Some(address))
    } else {
        Err(format!("`{text}` is not an address (0x and 40 hex digits) or `*`"))
    }
}

pub(super) fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => Err(format!("`{text}` is not a probability between 0 and 1")),
    }
}

pub(super) fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number"))
}

pub(super) fn rows(n: u32) -> Result<usize, String> {
    if n == 0 { Err("at least one row".to_owned()) } else { Ok(n as usize) }
}

pub(super) fn period_of(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    if period < Duration::from_millis(10) {
        Err(format!("`{text}` is shorter than 10ms"))
    } else {
        Ok(period)
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale = match unit {
        "" | "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("`{text}` is not a time like 250ms, 30s, 2m")),
    };
    let value: u64 = digits.parse().map_err(|_| format!("`{text}` is not a time like 250ms, 30s, 2m"))?;
    let ms = value.checked_mul(scale).filter(|&ms| ms <= 365 * 86_400_000);
    ms.map(Duration::from_millis).ok_or_else(|| format!("`{text}` is longer than a year"))
}

pub(super) fn size(text: &str) -> Result<usize, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale = match unit {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return Err(format!("`{text}` is not a size like 64MiB")),
    };
    let bytes = digits.parse::<usize>().ok().and_then(|value| value.checked_mul(scale));
    bytes.filter(|bytes| *bytes <= 256 << 20).ok_or_else(|| format!("`{text}` is not a size up to 256MiB"))
}
