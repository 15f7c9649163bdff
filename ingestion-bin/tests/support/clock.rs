//! A wall clock that a test sets: a library of our own in front of the C library's, for the service alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::ingestion;

/// The C library's wall clock, seconds off by what a file says.
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
static volatile long long *offset;
__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("CLOCK_OFFSET"), O_RDONLY);
    void *map = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    offset = map == MAP_FAILED ? 0 : map;
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int answer = real(clock, time);
    if (clock == CLOCK_REALTIME && offset) time->tv_sec += *offset;
    return answer;
}
"#;

impl Clock {
    /// `None`, said in a line, where there is no C compiler.
    pub fn build(directory: &Path) -> Option<Self> {
        let (source, library) = (directory.join("clock.c"), directory.join("clock.so"));
        std::fs::write(&source, CLOCK).expect("written");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ldl")
            .status();
        if !built.is_ok_and(|status| status.success()) {
            println!("SKIPPED: cc does not build a clock of our own");
            return None;
        }
        let clock = Self { library, offset: directory.join("clock-offset") };
        std::fs::write(&clock.offset, 0_i64.to_ne_bytes()).expect("written");
        Some(clock)
    }

    /// So many seconds ahead of the true one, from now on.
    pub fn set(&self, seconds: i64) {
        use std::os::unix::fs::FileExt;
        let file = std::fs::OpenOptions::new().write(true).open(&self.offset).expect("it is there");
        file.write_all_at(&seconds.to_ne_bytes(), 0).expect("written");
    }

    /// The binary under test with this clock.
    pub fn command(&self) -> Command {
        let mut command = ingestion();
        command.env("LD_PRELOAD", &self.library).env("CLOCK_OFFSET", &self.offset);
        command
    }
}
