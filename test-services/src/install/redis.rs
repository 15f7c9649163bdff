//! The Redis server's program. Debian's `redis-tools` holds it without a system service: there `redis-check-rdb` is the server under
//! another name, and goes by the name it is called by.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::Bounded;
use crate::{Missing, machine};

/// Whether there is a server and the command-line client.
pub(super) fn both() -> bool {
    redis_server().is_ok() && redis_cli().is_ok()
}

/// The server: the `PATH`'s, else a link of the cache to the tools' program.
pub(crate) fn redis_server() -> Result<PathBuf, Missing> {
    if let Some(server) = machine::program("redis-server") {
        return Ok(server);
    }
    let lacks = |why: &str| Missing::new(format!("no redis-server{why}; type: apt-get install redis-tools"));
    let tool = machine::program("redis-check-rdb").ok_or_else(|| lacks(""))?;
    let linked = || {
        // In a folder of its own first, then renamed: another process may be doing the same.
        let cache = machine::cache()?;
        let made = tempfile::tempdir_in(&cache)?;
        let link = made.path().join("redis-server");
        std::os::unix::fs::symlink(&tool, &link)?;
        let server = cache.join("redis-server");
        std::fs::rename(link, &server)?;
        Ok::<_, std::io::Error>(server)
    };
    let server = linked().map_err(|error| lacks(&format!(": {error}")))?;
    let ran = Bounded::new(&server, Duration::from_secs(10)).args(&["--version"]).run();
    if ran.is_ok_and(|ran| ran.out.starts_with("Redis server")) {
        Ok(server)
    } else {
        Err(lacks(", and redis-check-rdb is not one"))
    }
}

/// The command-line client.
pub(crate) fn redis_cli() -> Result<PathBuf, Missing> {
    machine::program("redis-cli")
        .ok_or_else(|| Missing::new("no redis-cli; type: apt-get install redis-tools"))
}
