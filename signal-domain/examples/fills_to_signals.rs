//! Turns a few fills into signals, one JSON line each: an account opens a short, trims it, flips it and closes.
//!
//! `cargo run -p signal-domain --example fills_to_signals`

use std::{error::Error, io::Write as _};

use signal_domain::{
    Account, Emission, Fill, InfluencerId, Market, Network, Number, Origin, Side, Signal, Size,
    wire::v1::SignalV1,
};

fn main() -> Result<(), Box<dyn Error>> {
    let account: Account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse()?;
    let influencer = InfluencerId::parse("whale-1")?;
    let market = Market::from_coin("ETH")?;

    // What the venue says: start position, side, size, price. The third start carries its float noise.
    let fills = [
        ("0.0", Side::Sell, "0.3", "2400.5"),
        ("-0.3", Side::Buy, "0.1", "2390.0"),
        ("-0.19999999999999998", Side::Buy, "0.5", "2385.5"),
        ("0.3", Side::Sell, "0.3", "2399.0"),
    ];

    let mut lines = Vec::new();
    for (n, (start, side, size, price)) in (1_u64..).zip(fills) {
        let fill = Fill {
            start_position: Some(Number::parse(start)?),
            ..Fill::new(
                market.clone(),
                side,
                Number::parse(price)?,
                Size::parse(size)?,
                1_790_000_000_000 + n,
                500 + n,
            )
        };
        let emission = Emission::new(influencer.clone(), account, Network::Sim, Origin::Live);
        let emission = Emission { received_at_ms: 1_790_000_000_300 + n, epoch: 1, seq: n, ..emission };
        if let Some(signal) = Signal::from_fill(fill, emission)? {
            SignalV1::from(&signal).encode(&mut lines);
            lines.push(b'\n');
        }
    }
    std::io::stdout().write_all(&lines)?;
    Ok(())
}
