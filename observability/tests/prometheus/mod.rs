//! A strict reader of the Prometheus text format 0.0.4, written from its specification and not from our writer.

use std::collections::{BTreeMap, HashSet};

#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) help: String,
    kind: String,
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Every family by name; refuses whatever the format forbids.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut seen = HashSet::new();
    let body = text.strip_suffix('\n').ok_or("the last line must end in a line feed")?;
    for line in body.split('\n') {
        let failed = |why: &str| format!("{why}: {line:?}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').ok_or_else(|| failed("no help"))?;
            current = name.to_owned();
            let family = Family { help: unescape(help, false)?, ..Family::default() };
            if families.insert(current.clone(), family).is_some() {
                return Err(failed("a family comes in one piece"));
            }
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').ok_or_else(|| failed("no type"))?;
            let family =
                families.get_mut(name).filter(|_| name == current).ok_or_else(|| failed("HELP first"))?;
            if !["counter", "gauge", "histogram"].contains(&kind) || !family.kind.is_empty() {
                return Err(failed("bad or second type"));
            }
            kind.clone_into(&mut family.kind);
        } else {
            let (name, labels, value) = sample(line).map_err(|why| failed(&why))?;
            if !seen.insert((name.clone(), labels.clone())) {
                return Err(failed("a series twice"));
            }
            let family = families.get_mut(&current).ok_or_else(|| failed("no family"))?;
            let suffixes: &[&str] =
                if family.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            if !suffixes.iter().any(|suffix| name == format!("{current}{suffix}")) {
                return Err(failed("not of this family"));
            }
            family.samples.push((name, labels, value));
        }
    }
    families.iter().filter(|(_, family)| family.kind == "histogram").try_for_each(check_histogram)?;
    Ok(families)
}

pub(crate) fn value(families: &BTreeMap<String, Family>, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let wanted: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut samples = families.values().flat_map(|family| &family.samples);
    samples.find(|(n, labels, _)| n == name && *labels == wanted).map(|(_, _, value)| *value)
}

fn sample(line: &str) -> Result<(String, BTreeMap<String, String>, f64), String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, rest) = line.split_at(end);
    word(name)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let value = match rest.strip_prefix(' ').ok_or("no space before the value")? {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number if number.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            number.parse().map_err(|_| "no number")?
        }
        _ => return Err("no number".to_owned()),
    };
    Ok((name.to_owned(), labels, value))
}

fn labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no label")?;
        word(name)?;
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let (raw, after) = after.split_at(end.ok_or("an open label")?);
        if labels.insert(name.to_owned(), unescape(raw, true)?).is_some() {
            return Err("a label twice".to_owned());
        }
        rest = &after[1..];
        match rest.split_at_checked(1) {
            Some((",", more)) => rest = more,
            Some(("}", more)) => return Ok((labels, more)),
            _ => return Err("neither , nor }".to_owned()),
        }
    }
}

fn unescape(raw: &str, quoted: bool) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('\\')) => out.push('\\'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('"')) if quoted => out.push('"'),
            ('\\', other) => return Err(format!("bad escape {other:?}")),
            _ => out.push(c),
        }
    }
    Ok(out)
}

fn word(name: &str) -> Result<(), String> {
    let good = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if good { Ok(()) } else { Err(format!("bad name {name:?}")) }
}

/// Buckets grow with `le`, the last is `+Inf` and equals the count, and there is a sum.
fn check_histogram((name, family): (&String, &Family)) -> Result<(), String> {
    let mut last: Option<(f64, f64)> = None;
    for (sample, labels, value) in &family.samples {
        if sample.ends_with("_bucket") {
            let le = &labels["le"];
            let le: f64 = if le == "+Inf" { f64::INFINITY } else { le.parse().map_err(|_| "bad le")? };
            if last.is_some_and(|(bound, count)| bound >= le || count > *value) {
                return Err(format!("{name}: buckets do not grow"));
            }
            last = Some((le, *value));
        } else if sample.ends_with("_count") {
            if last != Some((f64::INFINITY, *value)) {
                return Err(format!("{name}: the count is not the +Inf bucket"));
            }
            last = None;
        }
    }
    if last.is_none() { Ok(()) } else { Err(format!("{name}: no count")) }
}
