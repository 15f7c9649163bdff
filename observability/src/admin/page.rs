//! The status as a page a person can read: one HTML document, no script, nothing loaded, renewed every few seconds.
//!
//! Everything shown is escaped: labels and errors may hold text from outside. Bounded: a table shows
//! [`ROWS_MAX`] rows, nesting ends at [`DEPTH_MAX`].

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::health::Held;

/// The most rows of a table.
const ROWS_MAX: usize = 500;

/// How deep tables are shown inside tables; deeper values are JSON text.
const DEPTH_MAX: usize = 4;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"refresh\" content=\"5\"><meta name=\"viewport\" content=\"width=device-width\">\
<title>ingestion</title><style>\
body{font:14px/1.4 system-ui,sans-serif;margin:1.5rem;color:#222;background:#fff}\
table{border-collapse:collapse;margin:.2rem 0}td,th{border:1px solid #ccc;padding:.15rem .4rem;text-align:left;\
vertical-align:top;overflow-wrap:anywhere}th{overflow-wrap:normal;background:#f3f3f3;font-weight:600}.ok{color:#060}.bad{color:#a00}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th{background:#2a2a2a}td,th{border-color:#444}\
.ok{color:#6c6}.bad{color:#f77}}</style></head><body>\n<h1>ingestion</h1>\n";

pub(super) fn render(status: &Value, held: &[Held]) -> String {
    let mut out = String::from(HEAD);
    if held.is_empty() {
        out.push_str("<p class=\"ok\">ready</p>\n");
    }
    for held in held {
        put(
            &mut out,
            format_args!("<p class=\"bad\">not ready: {}: {}</p>\n", text(&held.name), text(&held.reason)),
        );
    }
    value(&mut out, "", status, 0);
    out.push_str("\n</body></html>\n");
    out
}

/// `name` is the field it is the value of: what is a time is known by it.
fn value(out: &mut String, name: &str, shown: &Value, depth: usize) {
    match shown {
        Value::Number(_) if is_time(name, shown) => out.push_str(&time(shown)),
        Value::Bool(shown) => out.push_str(if *shown { "yes" } else { "no" }),
        Value::Object(fields) if depth < DEPTH_MAX => object(out, fields, depth),
        Value::Array(items) if depth < DEPTH_MAX && items.iter().any(Value::is_object) => {
            rows(out, items, depth);
        }
        Value::Null => out.push('–'),
        Value::Array(items) if items.is_empty() => out.push('–'),
        Value::String(string) => out.push_str(&text(string)),
        Value::Array(items) if items.iter().all(|item| item.is_string() || item.is_number()) => {
            let listed: Vec<String> = items.iter().take(ROWS_MAX).map(plain).collect();
            out.push_str(&text(&listed.join(", ")));
            more(out, items.len());
        }
        Value::Array(items) if items.iter().all(is_pair) => {
            let listed: Vec<String> = items.iter().take(ROWS_MAX).map(pair).collect();
            out.push_str(&text(&listed.join(", ")));
            more(out, items.len());
        }
        Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            out.push_str(&text(&shown.to_string()));
        }
    }
}

fn object(out: &mut String, fields: &Map<String, Value>, depth: usize) {
    out.push_str("<table>");
    for (name, field) in fields.iter().take(ROWS_MAX) {
        put(out, format_args!("<tr><th>{}</th><td>", text(&words(name))));
        value(out, name, field, depth + 1);
        out.push_str("</td></tr>");
    }
    out.push_str("</table>");
    more(out, fields.len());
}

/// Objects of one list share a table; its columns are all their fields, in the order they come.
fn rows(out: &mut String, items: &[Value], depth: usize) {
    let mut columns: Vec<&str> = Vec::new();
    for name in items.iter().take(ROWS_MAX).filter_map(Value::as_object).flat_map(Map::keys) {
        if columns.len() < ROWS_MAX && !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    out.push_str("<table><tr>");
    for column in &columns {
        put(out, format_args!("<th>{}</th>", text(&words(column))));
    }
    out.push_str("</tr>");
    for item in items.iter().take(ROWS_MAX) {
        out.push_str("<tr>");
        if let Value::Object(fields) = item {
            for column in &columns {
                out.push_str("<td>");
                if let Some(field) = fields.get(*column) {
                    value(out, column, field, depth + 1);
                }
                out.push_str("</td>");
            }
        } else {
            put(out, format_args!("<td colspan=\"{}\">{}</td>", columns.len(), text(&plain(item))));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table>");
    more(out, items.len());
}

fn more(out: &mut String, all: usize) {
    if all > ROWS_MAX {
        put(out, format_args!("<p>and {} more, see /status</p>", all - ROWS_MAX));
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_pair(item: &Value) -> bool {
    item.as_array().is_some_and(|pair| pair.len() == 2 && pair.iter().all(Value::is_string))
}

fn pair(item: &Value) -> String {
    item.as_array().into_iter().flatten().map(plain).collect::<Vec<_>>().join(" ")
}

/// `openGaps` as `open gaps`: a heading that may break.
fn words(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push(' ');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// Milliseconds since 1970, of the years 2001 to 2286, in a field that is named as a time.
fn is_time(name: &str, shown: &Value) -> bool {
    let named = name == "newest" || ["Time", "To", "At"].iter().any(|end| name.ends_with(end));
    named && shown.as_u64().is_some_and(|ms| (1_000_000_000_000..10_000_000_000_000).contains(&ms))
}

fn time(shown: &Value) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(shown.as_u64().unwrap_or_default());
    humantime::format_rfc3339_seconds(at).to_string().replace('T', " ")
}

/// Text that HTML cannot take for anything else.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn put(out: &mut String, part: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(part);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_becomes_tables() {
        let status = json!({
            "version": "0.1.0", "workers": 1, "none": null,
            "accounts": [
                { "id": "a", "open": ["ETH", "BTC"] },
                { "id": "b", "late": true, "positions": [["ETH-PERP", "-2"], ["BTC-PERP", "0.1"]] },
            ],
            "certifiedTo": 1_790_000_000_000_u64, "synced": 1_790_000_000_000_u64,
        });
        let held = [Held { name: "journal".into(), reason: "disk <full>".into() }];
        let page = render(&status, &held);
        for part in [
            "not ready: journal: disk &lt;full&gt;",
            "<tr><th>workers</th><td>1</td></tr>",
            "<tr><th>id</th><th>open</th><th>late</th><th>positions</th></tr>",
            "<tr><td>a</td><td>ETH, BTC</td><td></td><td></td></tr>",
            "<td>yes</td><td>ETH-PERP -2, BTC-PERP 0.1</td>",
            "<tr><th>certified to</th><td>2026-09-21 14:13:20Z</td></tr>",
            "<tr><th>synced</th><td>1790000000000</td></tr>",
            "http-equiv=\"refresh\"",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
    }

    #[test]
    fn a_large_or_deep_status_is_cut() {
        let many: Vec<Value> = (0..1_000).map(|n| json!({ "n": n })).collect();
        assert!(render(&json!({ "many": many }), &[]).contains("and 500 more, see /status"));
        let deep = (0..50).fold(json!("<x>"), |inner, _| json!({ "in": inner }));
        let page = render(&deep, &[]);
        assert_eq!(page.matches("<table>").count(), DEPTH_MAX);
        assert!(!page.contains("<x>"));
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(name in ".*", evil in "[<>&\"'a\u{1b}]{0,20}") {
            let status = json!({ &name: &evil, "list": [{ &evil: &name }, &evil], "plain": [&evil] });
            let page = render(&status, &[Held { name: evil.clone(), reason: name.clone() }]);
            let harmless = render(&json!({ "x": "", "list": [{ "y": "" }, ""], "plain": [""] }),
                &[Held { name: String::new(), reason: String::new() }]);
            let tags = |page: &str| page.matches('<').count();
            // The same tags as with harmless text, but for a name that is one of the others.
            prop_assert!(tags(&page) <= tags(&harmless));
            let harmful = page.contains(|c: char| c.is_control() && c != '\n');
            prop_assert!(!harmful);
        }
    }
}
