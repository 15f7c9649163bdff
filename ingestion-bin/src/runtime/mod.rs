//! Threads, sockets and timers around the account machines: the service as one value that is started and stopped.
//!
//! Start: everything that can be refused is tried first (endpoints, admin port, data directory, journal, sinks), the venue is
//! contacted last. Stop: upstream first; exit is clean when everything accepted is in the journal.
//!
//! **Invariant:** nothing here asks whether the venue is simulated.

mod asked_states;
pub mod clock;
mod core;
pub(crate) mod demand;
mod desk;
mod echo;
mod endpoints;
pub mod events;
mod forgotten;
mod handler;
mod history;
mod lost;
mod obstacle;
mod orders;
mod published;
mod purse;
mod rejects;
mod repairs;
mod service;
mod service_status;
mod settings;
mod share;
mod sinks;
mod tenant;
#[cfg(feature = "kafka")]
pub(crate) mod topics;
mod unanswered;
mod worker;

pub use self::core::{
    AccountCompleteness, AccountStatus, Completeness, EndpointUse, Followed, GapStatus, LearnedLimit,
    ListenerStatus, Tuning, Use, WorkerStatus,
};
pub use echo::{Echo, Lines, human};
pub use endpoints::endpoints;
pub use obstacle::{obstacles, unwritable};
pub use service::{Service, StartError, Stopped, Storages};
pub use service_status::{ListStatus, ServiceStatus};
pub use settings::machine as machine_settings;
pub(crate) use settings::session as session_settings;
pub(crate) use share::commands_share;
pub use tenant::Tenancy;
