//! Writes a field into an entry of JSON: under the spelling it already has there, everything else left alone.

use serde_json::{Map, Value};

use crate::{EditError, edit::Assignment, influencer::keys};

pub(super) fn apply(assignment: &Assignment, entry: &mut Map<String, Value>) -> Result<(), EditError> {
    let value = assignment.value.clone();
    match assignment.path.as_slice() {
        [outer, field] => {
            let outer = spelled(entry, outer);
            if value.is_none() && !entry.contains_key(&outer) {
                return Ok(());
            }
            let inner = entry.entry(outer.clone()).or_insert(Value::Null);
            if inner.is_null() {
                // A null counts as absent.
                *inner = Value::Object(Map::new());
            }
            let inner = inner.as_object_mut().ok_or_else(|| assignment.no_table())?;
            put(inner, field, value);
            if inner.is_empty() {
                entry.remove(&outer);
            }
        }
        [field] => put(entry, field, value),
        _ => {}
    }
    Ok(())
}

fn put(table: &mut Map<String, Value>, field: &str, value: Option<Value>) {
    let name = spelled(table, field);
    match value {
        Some(value) => table.insert(name, value),
        None => table.remove(&name),
    };
}

fn spelled(table: &Map<String, Value>, camel: &str) -> String {
    let snake = keys::snake(camel);
    if table.contains_key(&snake) { snake } else { camel.to_owned() }
}
