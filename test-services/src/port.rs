//! Free loopback ports that two test processes never share.
//!
//! Below the range the kernel hands out to clients: a client that knocks at a dead server's port must not be given that very port as
//! its own. A claim is the UDP socket of the same number: no server here uses it, and it is gone with its process.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Failed;

const FIRST: u16 = 15_000;
const COUNT: u16 = 15_000;

/// A port that is ours as long as this lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    pub(crate) fn claim() -> Result<Self, Failed> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let own = std::process::id().wrapping_mul(197); // processes begin apart, so that they seldom try the same
        for _ in 0..COUNT {
            let step = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % u32::from(COUNT);
            if let Some(port) = Self::this(FIRST + u16::try_from(step).unwrap_or_default()) {
                return Ok(port);
            }
        }
        Err(Failed::new(format!("no free port between {FIRST} and {}", FIRST + COUNT)))
    }

    /// This one, if nobody has it.
    fn this(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        is_free(number).then_some(Self { number, _claim: claim })
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Whether a server could listen there now.
pub(crate) fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}
