//! What is asked after every step and every start, against the list alone.

use super::Verdict;
use super::chain::{Seen, fold_of, id_of};
use super::world::World;
use crate::journal::reader::{Read, Reader};
use crate::journal::{StartReport, segment};

impl World {
    /// Takes over what the writer says, and checks it against the list.
    pub(super) fn publish(&mut self) -> Verdict {
        let Some(writer) = &self.writer else { return Ok(()) };
        let standing = writer.standing();
        self.progress.publish(standing, &writer.counters);
        judge!(standing.synced <= standing.appended, "synced is past appended");
        let behind = |position: u64| self.list.partition_point(|(at, _)| *at < position);
        let (synced, appended) = (behind(standing.synced), behind(standing.appended));
        judge!(synced >= self.synced && appended >= self.appended, "the writer went back");
        let chain = &writer.fold;
        self.fold.extend(self.list[self.synced..synced].iter().map(|(at, id)| Seen::Record(*at, *id)));
        (self.synced, self.appended) = (synced, appended);
        judge!(*chain == fold_of(&self.fold), "the fold is not at synced");
        Ok(())
    }

    pub(super) fn read_sinks(&mut self) -> Verdict {
        for sink in &mut self.sinks {
            loop {
                let synced = self.progress.readable();
                match sink.reader.next().map_err(|error| format!("sink: {error}"))? {
                    None => break,
                    Some(Read::Damage(_) | Read::PassedOver(_)) if self.faults.flips => {}
                    Some(Read::Record(record)) => {
                        let seen = (record.position, id_of(&record));
                        let expected = self.list.get(sink.done);
                        judge!(expected == Some(&seen), "a sink read {seen:?}, expected {expected:?}");
                        judge!(record.position < synced, "read past the limit");
                        sink.done += 1;
                    }
                    Some(other) => judge!(false, "a sink met {other:?}"),
                }
            }
            if self.seed.chance(700) {
                // A failed store is "not stored".
                let _ = sink.cursor.store(sink.reader.position());
            }
        }
        Ok(())
    }

    /// Another process reads from the oldest record on: a prefix, at least what is synced.
    pub(super) fn look_from_outside(&mut self) -> Verdict {
        let mut seen = self.read_all()?;
        if self.faults.flips {
            // Named when the journal was started; what it hid is not in the list any more.
            seen.retain(|seen| matches!(seen, Seen::Record(..)));
        }
        judge!(seen.iter().all(|seen| matches!(seen, Seen::Record(..))), "damage without a flip: {seen:?}");
        let oldest = segment::list(&self.disk).unwrap()[0];
        let from = self.list.partition_point(|(at, _)| *at < oldest);
        let expected = &self.list[from..];
        judge!(
            seen.len() <= expected.len() && seen.len() + from >= self.synced,
            "{} read, {} synced",
            seen.len() + from,
            self.synced
        );
        for (seen, (at, id)) in seen.iter().zip(expected) {
            judge!(*seen == Seen::Record(*at, *id), "outside {seen:?}, expected {at} {id}");
        }
        Ok(())
    }

    pub(super) fn read_all(&self) -> Result<Vec<Seen>, String> {
        let mut reader = Reader::open(self.storage(), 0).map_err(|error| error.to_string())?;
        let mut seen = Vec::new();
        while let Some(read) = reader.next().map_err(|error| error.to_string())? {
            match read {
                Read::Record(record) => seen.push(Seen::Record(record.position, id_of(&record))),
                Read::Damage(damage) => seen.push(Seen::Damage(damage.from, damage.to)),
                Read::PassedOver(damaged) => judge!(self.faults.flips, "{damaged:?} without a flip"),
                Read::Gone { from, .. } => judge_gone(from)?,
            }
        }
        Ok(seen)
    }

    /// What can be read after a start, against the list; then the list is what can be read.
    pub(super) fn compare(&mut self, seen: &[Seen], oldest: u64, report: &StartReport) -> Verdict {
        let from = self.list.partition_point(|(at, _)| *at < oldest);
        let torn = report.torn_tail.map_or(u64::MAX, |torn| torn.position);
        // What the start calls a torn tail and cuts is damage for a reader that looks before the sinks have their cursors again.
        let is_torn = |seen: &Seen| matches!(seen, Seen::Damage(from, _) if *from == torn);
        let seen: Vec<Seen> = seen.iter().filter(|seen| !is_torn(seen)).copied().collect();
        let named = |at: u64| {
            seen.iter().any(|seen| matches!(seen, Seen::Damage(from, to) if (*from..*to).contains(&at)))
        };
        let records: Vec<(u64, u64)> = seen
            .iter()
            .filter_map(|seen| if let Seen::Record(at, id) = seen { Some((*at, *id)) } else { None })
            .collect();
        let mut read = records.iter().copied().peekable();
        let (mut kept, mut missing) = (self.list[..from].to_vec(), Vec::new());
        for (number, record) in self.list.iter().enumerate().skip(from) {
            if read.next_if_eq(record).is_some() {
                kept.push(*record);
            } else if named(record.0) {
                self.coverage.entry("damaged record").and_modify(|times| *times += 1).or_insert(1);
            } else {
                missing.push((number, *record));
            }
        }
        judge!(read.peek().is_none(), "invented or out of order: {:?} of {records:?}", read.peek());
        if !report.passed_over.is_empty() {
            self.cover("passed over");
        }
        if report.torn_tail.is_some() {
            self.cover("torn tail");
        }
        for (number, record) in &missing {
            judge!(
                *number >= self.synced || (self.faults.flips && record.0 >= torn),
                "{record:?} was synced and is gone: {report:?}"
            );
            judge!(
                *number >= self.appended || self.lossy || self.faults.flips,
                "{record:?} was appended and is gone: {report:?}"
            );
        }
        if let Some((first, _)) = missing.first() {
            judge!(missing.len() == self.list.len() - first, "a hole in what was not synced: {missing:?}");
        }
        judge!(
            self.faults.flips || report.damage.is_empty() && report.passed_over.is_empty(),
            "damage without a flip: {report:?}"
        );
        let said: Vec<(u64, u64)> = report.damage.iter().map(|damage| (damage.from, damage.to)).collect();
        let base = self.base(report);
        let read_damage: Vec<(u64, u64)> = seen
            .iter()
            .filter_map(|seen| if let Seen::Damage(from, to) = seen { Some((*from, *to)) } else { None })
            .collect();
        let behind: Vec<(u64, u64)> = read_damage.into_iter().filter(|(from, _)| *from >= base).collect();
        judge!(said == behind, "a start names {said:?}, a reader {behind:?}");
        self.fold.retain(|seen| matches!(seen, Seen::Record(at, _) | Seen::Damage(at, _) if *at < base));
        self.fold.extend(
            seen.iter()
                .filter(|seen| matches!(seen, Seen::Record(at, _) | Seen::Damage(at, _) if *at >= base)),
        );
        (self.synced, self.appended, self.lossy) = (kept.len(), kept.len(), false);
        self.list = kept;
        Ok(())
    }

    /// The segment a start's state came from: the newest that was not passed over, before a new one was made.
    pub(super) fn base(&self, report: &StartReport) -> u64 {
        if report.new {
            return 0;
        }
        let firsts = segment::list(&self.disk).unwrap();
        let passed = |first: &u64| report.passed_over.iter().any(|over| over.segment == *first);
        let followed = !report.passed_over.is_empty() || !report.damage.is_empty();
        let made_now = |first: &u64| followed && *first == report.end;
        firsts.into_iter().rfind(|first| !passed(first) && !made_now(first)).unwrap_or(0)
    }
}

fn judge_gone(from: u64) -> Verdict {
    judge!(from == 0, "gone from {from}");
    Ok(())
}
