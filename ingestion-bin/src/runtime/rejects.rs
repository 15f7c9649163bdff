//! Records that a topic refuses for good: each becomes a dead letter `rejected_by_sink` that is durable before its sink passes it, or
//! the sink stops in front of it (`kafka.on_reject`). A dead letter is never made of a dead letter: that sink stops.

use std::sync::Arc;
use std::time::Duration;

use messaging::journal::{
    Appender, BatchBuilder, Class, Journal, Limit, Progress, Read, Reader, Ticket, Waited,
};
use messaging::sink::{Rejected, Verdict};
use observability::Telemetry;
use tracing::warn;

use super::events::RecordRejected;
use crate::config::OnReject;
use crate::letters::RefusedAt;
use crate::record::{self, AccountBody, Body, Change, RefusalBody};
use crate::render::EventReader;

/// How long one dead letter may take to be durable; then the sink asks again.
const PATIENCE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone)]
pub(super) struct Rejects {
    journal: Arc<Reader>,
    appender: Appender,
    progress: Arc<Progress>,
    policy: OnReject,
}

/// What a dead letter says of the record it stands for.
#[derive(Default)]
struct Of {
    account: Option<[u8; 20]>,
    source_event_id: Option<String>,
    received_at_ns: u64,
}

impl Rejects {
    pub(super) fn new(journal: &Journal, policy: OnReject) -> Self {
        Self {
            journal: Arc::new(journal.reader(0, Limit::Appended)),
            appender: journal.appender(),
            progress: journal.progress(),
            policy,
        }
    }

    /// Keeps what `stream` may not lose; whether the sink may pass it. `letter` is its dead letter, while that is on its way into the journal.
    pub(super) fn keep(
        &self,
        stream: &str,
        rejected: &Rejected,
        letter: &mut Option<(u64, Ticket)>,
        telemetry: &Telemetry,
    ) -> Verdict {
        if self.policy == OnReject::Stop || stream == "dead_letters" {
            return Verdict::Wait;
        }
        let appended =
            letter.filter(|(position, _)| *position == rejected.position).map(|(_, ticket)| ticket);
        let Some(ticket) = appended.or_else(|| self.append(rejected)) else { return Verdict::Wait };
        *letter = Some((rejected.position, ticket));
        if self.progress.wait_synced(ticket, PATIENCE) != Waited::Reached {
            return Verdict::Wait;
        }
        let Rejected { target, position, why, .. } = rejected;
        telemetry.emit(&RecordRejected { target, position: *position, why });
        Verdict::Pass
    }

    /// Hands a dead letter to the journal, which takes it whatever its share of the disk: the cursor that waits for it may be what keeps
    /// the journal full. One at a time for each sink.
    fn append(&self, rejected: &Rejected) -> Option<Ticket> {
        let of = self.look_up(rejected.position).unwrap_or_default();
        let detail = RefusedAt::detail(&rejected.target, rejected.position, &rejected.why);
        let body = Body::Refusal(RefusalBody {
            stage: "publish",
            reason: "rejected_by_sink",
            detail: detail.into(),
            account: of.account,
            source_event_id: of.source_event_id.map(Into::into),
            received_at_ns: of.received_at_ns,
            listener: u8::MAX,
            connection: 0,
            length: rejected.value.len() as u64,
            payload: Some(&rejected.value),
        });
        let mut batch = BatchBuilder::new();
        let pushed = record::encode(&body, &mut Vec::new(), |record| batch.push(record));
        if let Err(error) = pushed {
            warn!(%error, position = rejected.position, "a refused record is too large for a dead letter");
            return None;
        }
        self.appender.try_append(&mut batch, Class::Unblock).ok()
    }

    fn look_up(&self, position: u64) -> Option<Of> {
        let mut reader = self.journal.fork(position);
        let Ok(Some(Read::Record(record))) = reader.next() else { return None };
        if record.position != position {
            return None;
        }
        match record::decode(&record).ok()?? {
            Body::Account(AccountBody { stamp, change: Change::Event(event) }) => {
                let fill = EventReader::default().fill(event.row, event.raw).ok();
                Some(Of {
                    account: Some(stamp.account),
                    source_event_id: fill
                        .and_then(|fill| fill.source_event_id().ok())
                        .map(|id| id.as_str().to_owned()),
                    received_at_ns: event.received_at_ns,
                })
            }
            Body::Raw(raw) => Some(Of {
                account: raw.account,
                source_event_id: raw.source_event_id.map(Into::into),
                received_at_ns: raw.received_at_ns,
            }),
            Body::Account(AccountBody { stamp, .. })
            | Body::Notice { stamp, .. }
            | Body::State { stamp, .. }
            | Body::Adopted { stamp, .. } => {
                let received_at_ns = stamp.at_ms.saturating_mul(1_000_000);
                Some(Of { account: Some(stamp.account), source_event_id: None, received_at_ns })
            }
            Body::Refusal(_) | Body::Run(_) | Body::Spent { .. } | Body::Passed { .. } => None,
        }
    }
}
