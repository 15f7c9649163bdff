//! `influencers`: the list, and edits of it in its file or its Redis.

use std::fmt::Write as _;

#[cfg(feature = "redis")]
use influencer_registry::RedisEditor;
use influencer_registry::{EditError, FileEditor, Influencer, InfluencerSet, ListEditor};
use observability::causes;
use serde_json::{Value, json};

use super::super::args::{Cli, Influencers};
use super::super::exit::{Exit, Failure};
#[cfg(feature = "redis")]
use super::super::followed::redis_list;
use super::super::followed::{List, settings};
use super::super::output::Output;
use super::super::setup;
use crate::config::{Config, InfluencerSource, Problems};
use crate::runtime::clock;

/// So often an edit is made anew because another process has edited the list meanwhile.
const TRIES: u32 = 100;

pub(super) fn run(cli: &Cli, args: &Influencers, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli)?;
    if matches!(args, Influencers::List) {
        let list = List::read_or_last_good(&config)?;
        // Who asks for the list wants the list, not a copy of it.
        if let Some(why) = list.out_of_reach() {
            return Err(Failure::World(why.to_string()));
        }
        show(&list.set, output)?;
        output.flush()?;
        let wrong = Problems(list.untaken().0.into_iter().chain(list.problems().0).collect());
        return if wrong.0.is_empty() { Ok(Exit::Clean) } else { Err(wrong.into()) };
    }
    let mut tries = 0;
    let (said, document) = loop {
        let mut editor = editor(&config)?;
        tries += 1;
        match edit(editor.as_mut(), args).and_then(|done| editor.save().map(|()| done)) {
            // Another one was faster: its edit is in the list that is read now.
            Err(EditError::ChangedMeanwhile { .. }) if tries < TRIES => {}
            done => break done.map_err(|error| refused(&error))?,
        }
    };
    if output.json() {
        output.document(&document)?;
    } else {
        output.line(&said)?;
    }
    Ok(Exit::Clean)
}

/// What was done, in words and as a document; nothing is saved.
fn edit(editor: &mut dyn ListEditor, args: &Influencers) -> Result<(String, Value), EditError> {
    match args {
        Influencers::List => Ok((String::new(), Value::Null)),
        Influencers::Add { id, address } => {
            editor.add(id, address, clock::wall_ms())?;
            Ok((format!("{id} is followed: {address}"), entry(editor, "add", id)?))
        }
        Influencers::Set { id, settings } => {
            let settings: Vec<String> =
                settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
            editor.set(id, &settings.iter().map(String::as_str).collect::<Vec<_>>())?;
            Ok((format!("{id}: {}", settings.join(", ")), entry(editor, "set", id)?))
        }
        Influencers::Remove { id } => {
            let left = editor.remove(id)?;
            let said = if left == 0 {
                format!(
                    "{id} is removed; the list is empty now and is not taken before `influencers confirm-empty`"
                )
            } else {
                format!("{id} is removed, {left} left")
            };
            Ok((said, json!({ "done": "remove", "id": id, "left": left })))
        }
        Influencers::ConfirmEmpty => {
            editor.confirm_empty()?;
            Ok(("the empty list is confirmed".to_owned(), json!({ "done": "confirm-empty" })))
        }
    }
}

/// The entry as it is after the edit.
fn entry(editor: &dyn ListEditor, done: &str, id: &str) -> Result<Value, EditError> {
    let (set, _) = editor.list()?;
    Ok(json!({ "done": done, "influencer": set.find(id).map(|influencer| influencer.to_json()) }))
}

fn editor(config: &Config) -> Result<Box<dyn ListEditor>, Failure> {
    match &config.influencers.source {
        InfluencerSource::File(path) => {
            Ok(Box::new(FileEditor::open(path).map_err(|error| refused(&error))?))
        }
        #[cfg(feature = "redis")]
        InfluencerSource::Redis { server, prefix } => {
            let list = redis_list(server, prefix)
                .map_err(|error| Failure::Configuration(error.of("influencers", &config.places)))?;
            Ok(Box::new(RedisEditor::open(list).map_err(|error| refused(&error))?))
        }
        InfluencerSource::Static(_) => Err(Failure::Usage(
            "the list is in the configuration (influencers.source = \"static\"): edit it there, or keep it in a file (source = \"file\", file = \"PATH\")".to_owned(),
        )),
    }
}

fn refused(error: &EditError) -> Failure {
    if error.is_asked_wrongly() { Failure::Usage(causes(error)) } else { Failure::World(causes(error)) }
}

/// Settings that have no place in the line of their own, as `set` takes them.
fn others(influencer: &Influencer) -> String {
    let mut text = String::new();
    let mut say = |name: &str, value: &Value| {
        let value = match value {
            Value::String(value) => value.clone(),
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
        };
        let _never = write!(text, "  {name}={value}");
    };
    for (name, value) in settings(influencer) {
        match value.as_object() {
            _ if matches!(name.as_str(), "label" | "priority" | "enabled") => {}
            Some(table) => table.iter().for_each(|(field, value)| say(&format!("{name}.{field}"), value)),
            None => say(&name, &value),
        }
    }
    text.chars().filter(|c| !c.is_control()).collect()
}

fn show(set: &InfluencerSet, output: &mut Output) -> Result<(), Failure> {
    for influencer in set.iter() {
        if output.json() {
            output.document(&influencer.to_json())?;
        } else {
            let state = if influencer.enabled() { "" } else { "  (off)" };
            let (id, address) = (influencer.id().as_str(), influencer.address().as_str());
            output.line(&format!(
                "{id:<24} {address} {:>6} {}{state}{}",
                influencer.priority(),
                influencer.label(),
                others(influencer)
            ))?;
        }
    }
    Ok(())
}
