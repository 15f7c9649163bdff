//! Stored lines read back while they are written, rotated, torn and deleted.

use super::*;
use crate::storage::FaultyStorage;

struct Stream {
    disk: FaultyStorage,
}

impl Stream {
    fn new() -> Self {
        let disk = FaultyStorage::new(1);
        disk.create_dir("s").unwrap();
        Self { disk }
    }

    fn append(&self, first: u64, text: &str) {
        let name = file_name("s", first);
        let file = self.disk.open(&name).or_else(|_| self.disk.create(&name)).unwrap();
        file.write_all_at(text.as_bytes(), file.size().unwrap()).unwrap();
    }

    fn remove(&self, first: u64) {
        self.disk.remove(&file_name("s", first)).unwrap();
    }

    fn open(&self, begin: Begin) -> Lines {
        Lines::open(Arc::new(self.disk.clone()), "s", begin).unwrap()
    }
}

fn rest(lines: &mut Lines) -> Vec<String> {
    std::iter::from_fn(|| {
        lines.poll_new().unwrap().map(|line| {
            format!("{}:{} {}", line.place.file, line.place.offset, String::from_utf8_lossy(line.bytes))
        })
    })
    .collect()
}

#[test]
fn a_stream_that_is_not_there_yet_is_followed_from_its_first_line() {
    let stream = Stream::new();
    let mut missing = Lines::open(Arc::new(stream.disk.clone()), "elsewhere", Begin::Oldest).unwrap();
    assert!(missing.next_line().unwrap().is_none());
    let (mut all, mut tail) = (stream.open(Begin::Oldest), stream.open(Begin::End));
    assert!(rest(&mut all).is_empty());
    stream.append(7, "a\nb\nc");
    assert_eq!(rest(&mut all), ["7:0 a", "7:2 b"]);
    assert_eq!(rest(&mut tail), ["7:0 a", "7:2 b"]);
}

#[test]
fn files_are_read_in_order_and_rotation_is_followed_once_the_old_file_is_read_out() {
    let stream = Stream::new();
    stream.append(5, "a\n");
    let mut lines = stream.open(Begin::Oldest);
    assert_eq!(rest(&mut lines), ["5:0 a"]);
    stream.append(5, "b\n");
    stream.append(9, "c\n");
    stream.append(30, "");
    assert_eq!(rest(&mut lines), ["5:2 b", "9:0 c"]);
    assert_eq!(lines.place(), Place { file: 30, offset: 0 });
    stream.append(30, "d\n");
    assert_eq!(rest(&mut lines), ["30:0 d"]);
    stream.disk.create("s/notes.txt").unwrap();
    assert!(rest(&mut lines).is_empty(), "other files are none of ours");
}

#[test]
fn deleted_files_are_read_to_their_end_when_open_and_passed_over_when_not() {
    let stream = Stream::new();
    for first in [1, 2, 3] {
        stream.append(first, "x\ny\n");
    }
    let mut lines = stream.open(Begin::Oldest);
    assert!(lines.next_line().unwrap().is_some());
    stream.remove(1);
    stream.remove(2);
    assert_eq!(rest(&mut lines), ["1:2 y", "3:0 x", "3:2 y"]);
    stream.remove(3);
    assert!(rest(&mut lines).is_empty());
    stream.append(4, "z\n");
    assert_eq!(rest(&mut lines), ["4:0 z"]);
}

#[test]
fn a_torn_line_is_never_shown_and_counted_when_its_file_is_finished() {
    let stream = Stream::new();
    stream.append(1, "a\nhalf a li");
    let mut lines = stream.open(Begin::Oldest);
    assert_eq!(rest(&mut lines), ["1:0 a"]);
    assert_eq!(lines.torn_bytes(), 0, "it may still be finished");
    stream.append(2, "b\n");
    assert_eq!(rest(&mut lines), ["2:0 b"]);
    assert_eq!(lines.torn_bytes(), 9);
}

#[test]
fn reading_begins_where_it_is_told() {
    let stream = Stream::new();
    for first in [10, 20, 30] {
        stream.append(first, "a\nb\n");
    }
    assert_eq!(rest(&mut stream.open(Begin::FileOf(25))).len(), 4);
    assert_eq!(rest(&mut stream.open(Begin::FileOf(20))).len(), 4);
    assert_eq!(rest(&mut stream.open(Begin::FileOf(19))).len(), 6);
    assert_eq!(rest(&mut stream.open(Begin::FileOf(0))).len(), 6);
    assert_eq!(
        rest(&mut stream.open(Begin::At(Place { file: 20, offset: 2 }))),
        ["20:2 b", "30:0 a", "30:2 b"]
    );
    assert_eq!(rest(&mut stream.open(Begin::At(Place { file: 21, offset: 2 }))), ["30:0 a", "30:2 b"]);

    let mut lines = stream.open(Begin::Oldest);
    for _ in 0..3 {
        lines.next_line().unwrap().unwrap();
    }
    let place = lines.place();
    assert_eq!(rest(&mut stream.open(Begin::At(place))), rest(&mut lines));
    assert!(rest(&mut stream.open(Begin::End)).is_empty());
    assert_eq!(stream.open(Begin::End).place(), Place { file: 30, offset: 4 });
}
