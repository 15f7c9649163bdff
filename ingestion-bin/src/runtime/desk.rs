//! Questions to the worker from other threads, each answered once. Nobody waits for ever: without an answer in time, or from a
//! worker that is gone or whose journal does not keep up, there is none.

use std::collections::BTreeMap;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use messaging::journal::Ticket;
use tokio::sync::mpsc;

use super::core::{Repair, Stands};
use super::lost::{Lost, Numbers};
use super::worker::Command;

/// The numbers of all accounts, and the batch that brings the journal there.
pub(super) type Standing = (Ticket, BTreeMap<[u8; 20], Numbers>);

/// See the module.
#[derive(Clone)]
pub(super) struct Desk {
    commands: mpsc::Sender<Command>,
}

impl Desk {
    pub(super) const fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands }
    }

    /// Where all accounts' numbers stand, once everything counted is handed to the journal.
    pub(super) fn numbers(&self, patience: Duration) -> Option<Standing> {
        self.ask(Command::Numbers, patience)
    }

    /// Has it recorded that a span of positions is lost and these gaps with it; answers the batch that says so.
    pub(super) fn declare(&self, lost: Vec<Lost>, span: (u64, u64), patience: Duration) -> Option<Ticket> {
        self.ask(|answer| Command::Declare(lost, span, answer), patience)
    }

    /// Has every kept gap recorded again as it is.
    pub(super) fn restate_gaps(&self, patience: Duration) -> Option<Ticket> {
        self.ask(Command::RestateGaps, patience)
    }

    /// What a repaired row is, and lets it in where that is asked.
    pub(super) fn repair(&self, repair: Repair, patience: Duration) -> Option<Stands> {
        self.ask(|answer| Command::Repair(repair, answer), patience)
    }

    fn ask<T>(&self, question: impl FnOnce(SyncSender<T>) -> Command, patience: Duration) -> Option<T> {
        let (answer, answered) = sync_channel(1);
        self.commands.try_send(question(answer)).ok()?;
        answered.recv_timeout(patience).ok()
    }
}
