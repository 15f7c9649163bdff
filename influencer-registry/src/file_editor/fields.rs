//! Writes a field into a table of the file: under the spelling it already has there, the comment behind it left alone.

use serde_json::Value as Json;
use toml_edit::{Array, InlineTable, Item, Table, TableLike, Value};

use crate::{EditError, edit::Assignment, influencer::keys};

pub(super) fn apply(assignment: &Assignment, table: &mut Table) -> Result<(), EditError> {
    let value = assignment.value.as_ref().map(in_toml);
    match assignment.path.as_slice() {
        [outer, field] => {
            let outer = spelled(table, outer);
            if value.is_none() && !table.contains_key(&outer) {
                return Ok(());
            }
            let inner = table
                .entry(&outer)
                .or_insert_with(|| toml_edit::value(InlineTable::new()))
                .as_table_like_mut()
                .ok_or_else(|| assignment.no_table())?;
            put(inner, field, value);
            if inner.is_empty() {
                table.remove(&outer);
            }
        }
        [field] => put(table, field, value),
        _ => {}
    }
    Ok(())
}

fn put(table: &mut dyn TableLike, field: &str, value: Option<Value>) {
    let name = spelled(table, field);
    match (value, table.get_mut(&name).and_then(Item::as_value_mut)) {
        (None, _) => {
            table.remove(&name);
        }
        (Some(value), Some(old)) => {
            // The comment behind the old value stays.
            let decor = old.decor().clone();
            *old = value;
            *old.decor_mut() = decor;
        }
        (Some(value), None) => {
            table.insert(&name, Item::Value(value));
        }
    }
}

fn spelled(table: &dyn TableLike, camel: &str) -> String {
    let snake = keys::snake(camel);
    if table.contains_key(&snake) { snake } else { camel.to_owned() }
}

/// What an assignment holds: a text, a number, a switch or a list of names.
fn in_toml(value: &Json) -> Value {
    match value {
        Json::Bool(switch) => (*switch).into(),
        Json::String(text) => text.into(),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| number.as_f64().unwrap_or_default().into(), Value::from)
        }
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect::<Array>().into(),
        other @ (Json::Null | Json::Object(_)) => other.to_string().into(),
    }
}
