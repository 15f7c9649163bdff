//! Signals as they become durable, for whoever looks at `run`: one line each, for programs or for people.
//!
//! Begins where this run begins in the journal and has no cursor: what nobody looked at is not shown later.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use messaging::journal::{Journal, Limit, Progress, Read, Reader};
use messaging::sink::Render;
use signal_domain::wire::v1::SignalV1;

use crate::cli::{Moment, printable};
use crate::render::SignalLines;

/// How lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lines {
    /// As stored.
    Json,
    /// For people.
    Human,
}

/// The thread that shows signals.
pub struct Echo {
    stop: Arc<AtomicBool>,
    ended: Receiver<()>,
}

/// How long it sleeps at most before it looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);

impl Echo {
    /// Shows signals from position `from` on. Ends by itself when nobody reads the output any more.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give.
    pub(super) fn start(
        journal: &Journal,
        from: u64,
        lines: Lines,
        out: impl Write + Send + 'static,
    ) -> std::io::Result<Self> {
        let progress = journal.progress();
        let reader = journal.reader(from, Limit::Synced);
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let (tell, ended) = sync_channel(1);
        std::thread::Builder::new().name("echo".to_owned()).spawn(move || {
            show(reader, &progress, &asked, lines, out);
            // Nobody listens any more: then nobody wanted to know.
            let _nobody = tell.send(());
        })?;
        Ok(Self { stop, ended })
    }

    /// Shows what is durable by now and ends, within `grace`: a reader that does not read holds up nobody.
    pub(super) fn stop(self, grace: Duration) {
        self.stop.store(true, Ordering::Release);
        let _slow = self.ended.recv_timeout(grace);
    }
}

fn show(mut reader: Reader, progress: &Progress, stop: &AtomicBool, lines: Lines, mut out: impl Write) {
    let (mut render, mut line) = (SignalLines::default(), Vec::new());
    loop {
        let last = stop.load(Ordering::Acquire);
        loop {
            match reader.next() {
                Ok(Some(Read::Record(record))) => {
                    line.clear();
                    if render.render(&record, &mut line).is_none() {
                        continue;
                    }
                    let written = match lines {
                        Lines::Json => out.write_all(&line),
                        Lines::Human => out.write_all(human(&line).as_bytes()),
                    };
                    if written.and_then(|()| out.write_all(b"\n")).is_err() {
                        return;
                    }
                }
                Ok(Some(Read::Damage(_) | Read::PassedOver(_) | Read::Gone { .. })) => {}
                Ok(None) | Err(_) => break,
            }
        }
        if out.flush().is_err() || last {
            return;
        }
        progress.wait_synced_past(reader.position(), LOOK);
    }
}

/// One signal for a person: when, who, where, what, how much, at what price.
#[must_use]
pub fn human(line: &[u8]) -> String {
    let Ok(signal) = SignalV1::decode(line) else { return String::from_utf8_lossy(line).into_owned() };
    let time = Moment(i64::try_from(signal.timestamp).unwrap_or(i64::MAX)).rfc3339();
    let side = signal.side.as_str();
    let position =
        if side == "FLAT" { "flat".to_owned() } else { format!("{} {}", side.to_lowercase(), signal.size) };
    let mut marks = String::new();
    for (mark, set) in
        [("late", signal.late), ("gap", signal.gap_id.is_some()), ("corrects", signal.supersedes.is_some())]
    {
        if set {
            marks.push(' ');
            marks.push_str(mark);
        }
    }
    let text = format!(
        "{time}  {:<16} {:<14} {:<8} {:>14} @ {:<12} -> {position}{marks}",
        shortened(&signal.influencer_id),
        signal.market,
        signal.action.as_str(),
        signal.delta_size.to_string(),
        signal.price.to_string(),
    );
    printable(&text).into_owned()
}

fn shortened(id: &str) -> String {
    match (id.get(..8), id.len() > 16) {
        (Some(head), true) => format!("{head}...{}", id.get(id.len() - 4..).unwrap_or_default()),
        _ => id.to_owned(),
    }
}
