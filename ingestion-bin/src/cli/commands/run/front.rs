//! What is to be seen of the process from outside: the admin server, and what its `/status` shows before there is a service, while there is
//! one, and when another instance has taken over.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use observability::Telemetry;
use observability::admin::{AdminConfig, AdminError, AdminServer};
use observability::health::{Latch, Readiness};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::info;

use crate::runtime::ServiceStatus;

/// See the module. The port is taken at once; it is served as soon as there is something to show.
pub(super) struct Front {
    shown: Arc<Mutex<Shown>>,
    readiness: Readiness,
    /// Who waits for the lease or starts again is not ready, whatever the parts say.
    latch: RefCell<Option<Latch>>,
    server: Cell<Option<AdminServer>>,
    task: RefCell<Option<JoinHandle<()>>>,
    stop: Arc<Notify>,
}

enum Shown {
    Starting,
    /// Why there is no service.
    Waiting(String),
    Serving(Box<ServiceStatus>),
}

impl Front {
    /// Takes the port, where there is to be one.
    ///
    /// # Errors
    /// It cannot be had.
    pub(super) async fn bind(admin: Option<AdminConfig>, telemetry: &Telemetry) -> Result<Self, AdminError> {
        let shown = Arc::new(Mutex::new(Shown::Starting));
        let source = {
            let shown = Arc::clone(&shown);
            move || match &*shown.lock().unwrap_or_else(PoisonError::into_inner) {
                Shown::Starting => json!({}),
                Shown::Waiting(why) => json!({ "version": env!("CARGO_PKG_VERSION"), "waiting": why }),
                Shown::Serving(status) => status.json(),
            }
        };
        let server = match admin {
            None => None,
            Some(admin) => Some(AdminServer::bind(&admin, telemetry, Arc::new(source)).await?),
        };
        Ok(Self {
            shown,
            readiness: telemetry.readiness().clone(),
            latch: RefCell::default(),
            server: Cell::new(server),
            task: RefCell::default(),
            stop: Arc::default(),
        })
    }

    /// There is a service.
    pub(super) fn serves(&self, status: ServiceStatus) {
        self.show(Shown::Serving(Box::new(status)));
        self.latch.borrow().iter().for_each(Latch::release);
    }

    /// There is none, for this reason.
    pub(super) fn waits(&self, why: &str) {
        self.show(Shown::Waiting(why.to_owned()));
        self.latch.borrow_mut().get_or_insert_with(|| self.readiness.latch("service")).hold(why);
    }

    /// Nothing is answered any more.
    pub(super) async fn close(self) {
        self.stop.notify_one();
        if let Some(task) = self.task.take() {
            let _ended = task.await;
        }
    }

    fn show(&self, shown: Shown) {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        let Some(server) = self.server.take() else { return };
        info!(address = %server.local_addr(), "admin server");
        let stop = Arc::clone(&self.stop);
        *self.task.borrow_mut() = Some(tokio::spawn(async move {
            server.serve(async move { stop.notified().await }, Duration::from_secs(1)).await;
        }));
    }
}
