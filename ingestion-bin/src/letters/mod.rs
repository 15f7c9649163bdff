//! Dead letters on their way back: which of them are wanted, which record one stands for, what was sent again already.
//!
//! Only [`Ledger`] touches a disk. Not here: where letters are read, and how records are sent (`cli`).

mod ledger;
mod refused_at;
mod repair;
mod selection;
mod wanted;

pub use ledger::{Ledger, LedgerError, Redriven, Redrives};
pub use refused_at::RefusedAt;
pub use repair::{RepairRequest, RepairResult, RepairStand, RepairedRow, repairs};
pub use selection::{Candidate, Selection, Unread};
pub use wanted::Wanted;
