//! Decodes frames from standard input, one JSON message a line, and prints what is in them.
//!
//! ```text
//! echo '{"channel":"pong"}' | cargo run -p hyperliquid-client --no-default-features --example decode
//! ```

use hyperliquid_client::decode::{Decoder, Frame, Row};
use hyperliquid_client::wire::Fill;
use std::io::{BufRead, Write};

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut decoder = Decoder::new();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line?;
        let decoded = match decoder.decode(&line) {
            Ok(decoded) => decoded,
            Err(error) => {
                writeln!(out, "refused ({}): {error}", error.code())?;
                continue;
            }
        };
        if let Frame::Fills(fills) = &decoded.frame {
            writeln!(out, "{} fills of {}, snapshot: {}", fills.rows.len(), fills.user, fills.is_snapshot)?;
            print_rows(&mut out, &fills.rows)?;
        } else if let Frame::UserEvents(events) = &decoded.frame {
            print_rows(&mut out, &events.fills)?;
        } else {
            writeln!(out, "{:?}", decoded.frame)?;
        }
    }
    Ok(())
}

fn print_rows(out: &mut impl Write, rows: &[Row<'_, Fill<'_>>]) -> std::io::Result<()> {
    for row in rows {
        match row {
            Ok(fill) => writeln!(
                out,
                "  {} {} {} {} at {}, position before {}",
                fill.time,
                fill.coin,
                fill.side.letter(),
                fill.sz.text,
                fill.px.text,
                fill.start_position.text
            )?,
            Err(refusal) => writeln!(out, "  refused ({}): {refusal}", refusal.reason.code())?,
        }
    }
    Ok(())
}
