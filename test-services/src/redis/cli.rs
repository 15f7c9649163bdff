//! Asking a server: a PING by hand while it starts, `redis-cli` afterwards.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::command::Bounded;
use crate::{Failed, install};

/// Whether it answers; one that asks for a password does.
pub(crate) fn ping(port: u16) -> bool {
    let asked = || {
        let limit = Duration::from_secs(2);
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    asked().is_ok_and(|answer| [b"+PONG", b"-NOAU"].contains(&&answer))
}

/// The answer, without its last line's end.
pub(super) fn ask(port: u16, user: Option<&(String, String)>, words: &[&str]) -> Result<String, Failed> {
    const LIMIT: Duration = Duration::from_secs(10);
    let program = install::redis_cli().map_err(Failed::new)?;
    let port = port.to_string();
    let mut args = vec!["-e", "-p", port.as_str()]; // -e: an error answered is an error of the program
    if let Some((name, password)) = user {
        args.extend(["--no-auth-warning", "--user", name, "--pass", password]);
    }
    args.extend(words);
    let answer = Bounded::new(&program, LIMIT).args(&args).output()?;
    Ok(answer.strip_suffix('\n').unwrap_or(&answer).to_owned())
}
