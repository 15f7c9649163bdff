//! Fills, a block after the other at their pace, by a thread of their own: no fault of the schedule stops them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::support::legs::Legs;

pub(crate) struct Flow {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    fills: AtomicUsize,
    ends: AtomicBool,
}

impl Flow {
    pub(crate) fn start(legs: &Arc<Mutex<Legs>>, a_second: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let (legs, told) = (Arc::clone(legs), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let (began, mut fills) = (Instant::now(), 0_usize);
            while !told.ends.load(Ordering::Relaxed) {
                let due = began.elapsed().as_secs_f64() * a_second as f64;
                while (fills as f64) < due {
                    let mut legs = legs.lock().expect("nobody panics with it");
                    legs.play(1);
                    fills += legs.users.len();
                }
                told.fills.store(fills, Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// So far.
    pub(crate) fn fills(&self) -> usize {
        self.shared.fills.load(Ordering::Relaxed)
    }

    /// No more of them; how many there were.
    pub(crate) fn stop(mut self) -> usize {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the flow ends well");
        }
        self.fills()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
    }
}
