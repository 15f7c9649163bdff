//! `influencers`: the list, and edits of its file.

use influencer_registry::{EditError, FileEditor, InfluencerSet};
use observability::causes;

use super::super::args::{Cli, Influencers};
use super::super::exit::{Exit, Failure};
use super::super::followed::List;
use super::super::output::Output;
use super::super::setup;
use crate::config::{Config, InfluencerSource};
use crate::runtime::clock;

pub(super) fn run(cli: &Cli, args: &Influencers, output: &mut Output) -> Result<Exit, Failure> {
    let config = setup::configuration(cli, &[])?;
    if matches!(args, Influencers::List) {
        let list = List::read(&config, &[])?;
        show(&list.set, output)?;
        return Ok(Exit::Clean);
    }
    let mut editor = editor(&config)?;
    let said = match args {
        Influencers::List => String::new(),
        Influencers::Add { id, address } => {
            editor.add(id, address, clock::wall_ms()).map_err(|error| refused(&error))?;
            format!("{id} is followed: {address}")
        }
        Influencers::Set { id, settings } => {
            let settings: Vec<String> =
                settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
            editor.set(id, settings.iter().map(String::as_str)).map_err(|error| refused(&error))?;
            format!("{id}: {}", settings.join(", "))
        }
        Influencers::Remove { id } => {
            let left = editor.remove(id).map_err(|error| refused(&error))?;
            if left == 0 {
                format!(
                    "{id} is removed; the list is empty now and is not taken before `influencers confirm-empty`"
                )
            } else {
                format!("{id} is removed, {left} left")
            }
        }
        Influencers::ConfirmEmpty => {
            editor.confirm_empty().map_err(|error| refused(&error))?;
            "the empty list is confirmed".to_owned()
        }
    };
    editor.save().map_err(|error| refused(&error))?;
    output.line(&said)?;
    Ok(Exit::Clean)
}

fn editor(config: &Config) -> Result<FileEditor, Failure> {
    match &config.influencers.source {
        InfluencerSource::File(path) => FileEditor::open(path).map_err(|error| refused(&error)),
        InfluencerSource::Static(_) => Err(Failure::Usage(
            "the list is in the configuration (influencers.source = \"static\"): edit it there, or use a file".to_owned(),
        )),
    }
}

fn refused(error: &EditError) -> Failure {
    Failure::World(causes(error))
}

fn show(set: &InfluencerSet, output: &mut Output) -> Result<(), Failure> {
    for influencer in set.iter() {
        if output.json() {
            output.document(&influencer.to_json())?;
        } else {
            let state = if influencer.enabled() { "" } else { "  (off)" };
            let (id, address) = (influencer.id().as_str(), influencer.address().as_str());
            output.line(&format!(
                "{id:<24} {address} {:>6} {}{state}",
                influencer.priority(),
                influencer.label()
            ))?;
        }
    }
    Ok(())
}
