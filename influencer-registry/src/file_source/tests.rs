//! A list file that is watched: changes, accidents, and what stays live.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::test_entries::address;

const SETTLE: Duration = Duration::from_millis(200);

struct Bench {
    _folder: TempDir,
    path: PathBuf,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("influencers.toml");
        Self { _folder: folder, path, now: Instant::now() }
    }

    fn write(&self, entries: &[(&str, u32)]) {
        fs::write(&self.path, list(entries)).unwrap();
    }

    fn loaded(&self, entries: &[(&str, u32)]) -> FileSource {
        self.write(entries);
        let mut source = FileSource::new(&self.path, SETTLE, None);
        assert_eq!(source.load().changes.added.len(), entries.len());
        source
    }

    /// Polls until the file has settled.
    fn settled(&mut self, source: &mut FileSource) -> Option<Reload> {
        let first = source.poll(self.now);
        self.now += SETTLE;
        first.or_else(|| source.poll(self.now))
    }
}

fn list(entries: &[(&str, u32)]) -> String {
    let table = |(id, n): &(&str, u32)| format!("[[influencer]]\nid = '{id}'\naddress = '{}'\n", address(*n));
    entries.iter().map(table).collect()
}

#[test]
fn a_change_is_taken_once_it_has_settled() {
    let mut bench = Bench::new();
    let mut source = bench.loaded(&[("a", 1), ("b", 2)]);
    assert_eq!(source.poll(bench.now), None);
    bench.write(&[("b", 2), ("long-name", 3)]);
    assert_eq!(source.poll(bench.now), None, "it may be half-written");
    bench.now += SETTLE / 2;
    bench.write(&[("b", 2), ("longer-name", 3)]);
    assert_eq!(source.poll(bench.now), None, "it changed again");
    bench.now += SETTLE / 2;
    assert_eq!(source.poll(bench.now), None, "the second change has not settled");
    bench.now += SETTLE / 2;
    let reload = source.poll(bench.now).unwrap();
    assert_eq!(reload.changes.added[0].id().as_str(), "longer-name");
    assert_eq!(reload.changes.removed[0].id().as_str(), "a");
    assert_eq!(&reload.set, source.live());
    assert_eq!(source.poll(bench.now), None);
}

#[test]
fn nothing_that_happens_to_the_file_unsubscribes_anybody() {
    let mut bench = Bench::new();
    let mut source = bench.loaded(&[("a", 1), ("b", 2)]);
    let live = source.live().clone();
    type Spoil = fn(&Path);
    let spoil: [(&str, Spoil); 6] = [
        ("emptied", |path| fs::write(path, "").unwrap()),
        ("vanished", |path| fs::remove_file(path).unwrap()),
        ("no TOML", |path| fs::write(path, "[[influencer").unwrap()),
        ("not UTF-8", |path| fs::write(path, [0xff, 0xfe, 0x00]).unwrap()),
        ("other tables", |path| fs::write(path, "[[influencers]]\nid = 'a'\n").unwrap()),
        ("strangers only", |path| fs::write(path, "[[influencer]]\nid = 'x'\n").unwrap()),
    ];
    for (what, spoil) in spoil {
        spoil(&bench.path);
        let reload = bench.settled(&mut source).unwrap_or_else(|| panic!("{what}: not noticed"));
        assert!(reload.problem.is_some(), "{what}");
        assert!(reload.changes.is_empty(), "{what}");
        assert_eq!(source.live(), &live, "{what}");
        assert_eq!(bench.settled(&mut source), None, "{what}: said once");
    }
    bench.write(&[("a", 1), ("b", 2)]);
    let healed = bench.settled(&mut source).unwrap();
    assert_eq!((healed.problem, healed.changes.is_empty()), (None, true));
}

#[test]
fn an_empty_list_is_taken_when_it_is_confirmed() {
    let mut bench = Bench::new();
    let mut source = bench.loaded(&[("a", 1)]);
    fs::write(&bench.path, "confirmEmpty = true\n").unwrap();
    let reload = bench.settled(&mut source).unwrap();
    assert_eq!((reload.changes.removed.len(), reload.problem), (1, None));
    assert!(source.live().is_empty());
}

#[test]
fn a_bad_entry_is_named_and_the_rest_follows_the_file() {
    let mut bench = Bench::new();
    let mut source = bench.loaded(&[("a", 1), ("b", 2)]);
    let text = list(&[("a", 1), ("c", 3)]) + "[[influencer]]\nid = 'b'\naddress = '0x'\n";
    fs::write(&bench.path, text).unwrap();
    let reload = bench.settled(&mut source).unwrap();
    assert_eq!(reload.changes.added[0].id().as_str(), "c");
    assert!(reload.changes.removed.is_empty(), "b keeps its last good version");
    assert_eq!((reload.refused[0].entry.number, reload.refused[0].kept), (3, true));
    assert_eq!(source.refused(), reload.refused);
}

#[test]
fn a_last_good_list_stands_in_for_a_lost_file() {
    let bench = Bench::new();
    let saved = bench.loaded(&[("a", 1)]).live().to_json();
    fs::remove_file(&bench.path).unwrap();
    let last_good = InfluencerSet::from_json(&saved).unwrap();
    let mut source = FileSource::new(&bench.path, SETTLE, Some(last_good));
    let reload = source.load();
    assert_eq!(reload.set.len(), 1);
    assert_eq!(reload.problem, Some(ListProblem::Vanished { path: bench.path.clone() }));
}

#[test]
fn a_change_that_looks_like_none_is_found_by_comparing() {
    let mut bench = Bench::new();
    let refresh = Duration::from_secs(7);
    let mut source = bench.loaded(&[("a", 1)]).refreshed_every(refresh);
    assert_eq!(source.poll(bench.now), None);
    let Stamp::File { modified: Some(modified), .. } = Stamp::of(&bench.path) else { panic!("no file") };
    // Same length, same inode, same time.
    bench.write(&[("b", 1)]);
    File::options().write(true).open(&bench.path).unwrap().set_modified(modified).unwrap();
    bench.now += refresh - Duration::from_millis(1);
    assert_eq!(source.poll(bench.now), None, "it is not time to compare");
    bench.now += Duration::from_millis(1);
    assert_eq!(source.poll(bench.now).unwrap().changes.added[0].id().as_str(), "b");
}

/// Whoever replaces the file all the time holds up nobody else's change for long; a file that is being written is waited for.
#[test]
fn a_list_that_never_rests_is_taken_every_while_if_it_is_whole() {
    let mut bench = Bench::new();
    let mut source = bench.loaded(&[("a", 1)]);
    let look = SETTLE / 2;
    let replaced = |bench: &Bench, n: u32| {
        // The one before stays somewhere, so that no two versions share an inode.
        fs::rename(&bench.path, bench.path.with_extension(n.to_string())).unwrap();
        bench.write(&[("a", 1), ("flapping", n)]);
    };
    let began = bench.now;
    let mut taken = Vec::new();
    for n in 2..2 + 50 {
        replaced(&bench, n);
        taken.extend(source.poll(bench.now).map(|_| bench.now - began));
        bench.now += look;
    }
    assert_eq!(taken, [RESTLESS, RESTLESS * 2 + look], "in {:?}", bench.now - began);
    assert!(bench.settled(&mut source).is_some(), "the last one rests");

    for n in 1..50 {
        bench.write(&[("a", 1), ("half-written", n), ("longer", n + 1)][..2 + (n % 2) as usize]);
        assert_eq!(source.poll(bench.now), None);
        bench.now += look;
    }
}

#[test]
fn what_the_program_refuses_is_refused_by_name_and_the_rest_follows_the_file() {
    let mut bench = Bench::new();
    let mut source =
        bench.loaded(&[("a", 1)]).judged_by(|field| (field.name == "maxStreams").then_some("not here"));
    let odd =
        format!("[[influencer]]\nid = 'b'\naddress = '{}'\nmax_streams = 2\npriority = 'x'\n", address(2));
    fs::write(&bench.path, list(&[("a", 1), ("c", 3)]) + &odd).unwrap();
    let reload = bench.settled(&mut source).unwrap();
    assert_eq!(reload.changes.added[0].id().as_str(), "c");
    let told: Vec<String> = reload.refused.iter().map(ToString::to_string).collect();
    let line = "influencer 3 (\"b\"): priority = \"x\": expected a whole number; max_streams = 2: not here";
    assert_eq!(told, [line]);
}

#[test]
fn a_touched_file_is_no_news() {
    let mut bench = Bench::new();
    let mut source = bench.loaded(&[("a", 1)]);
    let later = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    File::options().write(true).open(&bench.path).unwrap().set_modified(later).unwrap();
    assert_eq!(bench.settled(&mut source), None);
}

#[test]
fn a_hundred_thousand_entries_are_read_and_compared() {
    let mut bench = Bench::new();
    let text = |n: u32| -> String {
        (0..n).map(|n| format!("[[influencer]]\naddress = '{}'\n", address(n))).collect()
    };
    fs::write(&bench.path, text(100_000)).unwrap();
    let mut source = FileSource::new(&bench.path, SETTLE, None);
    assert_eq!(source.load().set.len(), 100_000);
    fs::write(&bench.path, text(99_999)).unwrap();
    assert_eq!(bench.settled(&mut source).unwrap().changes.removed.len(), 1);
}
