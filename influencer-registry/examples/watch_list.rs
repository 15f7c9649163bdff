//! Follows a list file through a good edit, a typo and an accident, and prints what a service would do.
//!
//! `cargo run -p influencer-registry --example watch_list`

use std::{
    error::Error,
    fs,
    io::{self, Write},
    time::{Duration, Instant},
};

use influencer_registry::{FileEditor, FileSource, ListEditor, Reload};

const WHALE: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
const SHRIMP: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("watch-list-{}.toml", std::process::id()));
    let mut editor = FileEditor::open(&path)?;
    editor.add("whale", WHALE, 1_790_000_000_000)?;
    editor.save()?;
    let mut source = FileSource::new(&path, Duration::ZERO, None);
    show("start", &source.load())?;

    editor.add("shrimp", SHRIMP, 1_790_000_000_000)?;
    editor.set("whale", &["priority=10", "markets=ETH-PERP"])?;
    editor.save()?;
    poll("edited", &mut source)?;

    let text = fs::read_to_string(&path)?;
    fs::write(&path, text.replace("0xfb69", "0xfb6"))?;
    poll("a digit lost", &mut source)?;

    fs::write(&path, "")?;
    poll("emptied", &mut source)?;
    fs::remove_file(&path)?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "an example is a composition root: it reads the clock")]
fn poll(what: &str, source: &mut FileSource) -> io::Result<()> {
    source.poll(Instant::now()).map_or(Ok(()), |reload| show(what, &reload))
}

fn show(what: &str, reload: &Reload) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{what}: {} live", reload.set.len())?;
    for added in &reload.changes.added {
        writeln!(out, "  follow {} ({})", added.id(), added.address())?;
    }
    for removed in &reload.changes.removed {
        writeln!(out, "  unfollow {}", removed.id())?;
    }
    for changed in &reload.changes.changed {
        writeln!(out, "  new settings for {}", changed.new.id())?;
    }
    for refusal in &reload.refused {
        writeln!(out, "  refused: {refusal}")?;
    }
    reload.problem.as_ref().map_or(Ok(()), |problem| writeln!(out, "  kept the last good list: {problem}"))
}
