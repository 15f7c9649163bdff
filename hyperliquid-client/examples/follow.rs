//! Prints the fills of an account as they come: `cargo run -p hyperliquid-client --example follow -- ACCOUNT [WS_URL]`.
//!
//! One thread, one connection: it reconnects by itself and ends with Ctrl-C.

use std::env::args;
use std::error::Error;
use std::time::{Duration, SystemTime};

use hyperliquid_client::decode::{Decoded, Frame};
use hyperliquid_client::io::{
    Control, Dns, Egress, Endpoint, EndpointConfig, Handler, Listener, ListenerConfig, ListenerEvent,
    Received, Refused, VenueConnector, WallClock,
};
use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::session::SessionConfig;
use hyperliquid_client::wire::{Address, Subscription};

struct Printer;

impl Handler for Printer {
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is this example's job")]
    fn on_frame(&mut self, message: &Decoded<'_>, _raw: &[u8], _received: Received) {
        let Frame::Fills(fills) = &message.frame else { return };
        for row in &fills.rows {
            match row {
                Ok(fill) => {
                    println!("{} {} {} {} at {}", fill.time, fill.coin, fill.dir, fill.sz.text, fill.px.text);
                }
                Err(refusal) => eprintln!("a fill is refused: {refusal}"),
            }
        }
    }

    #[expect(clippy::print_stderr, reason = "printing is this example's job")]
    fn on_refused(&mut self, refused: &Refused<'_>, _received: Received) {
        eprintln!("a message is refused: {}", refused.code());
    }

    #[expect(clippy::print_stderr, reason = "printing is this example's job")]
    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        eprintln!("{event:?}");
    }
}

/// Nanoseconds since 1970: the stamp of what is received.
#[expect(clippy::disallowed_methods, reason = "a program's main is where clocks are read")]
fn unix_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = args().skip(1);
    let account = arguments.next().ok_or("usage: follow ACCOUNT [WS_URL]")?;
    let url = arguments.next().unwrap_or_else(|| "wss://api.hyperliquid.xyz/ws".to_owned());
    let user = Address::parse(&account)?;

    let endpoint = Endpoint::new(EndpointConfig::new("venue", url))?;
    let connector =
        VenueConnector::new(endpoint.clone(), endpoint.dialer(Dns::system())?, WallClock::new(unix_ns));
    let control = Control::new(SessionConfig::default());
    control.subscribe(Subscription::UserFills { user });
    control.subscribe(Subscription::UserTwapSliceFills { user });
    let egress = Egress::new(&VenueLimits::default());
    let listener = Listener::new(connector, control, egress, Printer, ListenerConfig::default());

    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(listener.run());
    Ok(())
}
