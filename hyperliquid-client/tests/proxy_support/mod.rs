//! Proxies of the tests' own, SOCKS5 and HTTP CONNECT: each lets connections out from an address of its own and takes every name for this
//! machine. A thread with its own runtime, ended with the process.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Speaks {
    Socks5,
    Connect,
}

/// A running proxy.
pub struct Proxy {
    speaks: Speaks,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Who may use a proxy: user name and password.
pub type Login = Option<(&'static str, &'static str)>;

/// The only ones there are.
pub const LOGIN: Login = Some(("me", "hunter2"));
/// The same as CONNECT carries them.
const BASIC: &str = "proxy-authorization: Basic bWU6aHVudGVyMg==\r\n";

impl Proxy {
    /// Connects from `exit`, for whoever knows `login`, which is [`LOGIN`] or none.
    pub fn start(speaks: Speaks, exit: IpAddr, login: Login) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&asked);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::from_std(listener).expect("a socket");
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    let told = Arc::clone(&told);
                    // Whatever ends a connection is seen by its client.
                    tokio::spawn(async move {
                        match speaks {
                            Speaks::Socks5 => socks5(stream, exit, login, told).await,
                            Speaks::Connect => connect(stream, exit, login, told).await,
                        }
                    });
                }
            });
        });
        Self { speaks, address, asked }
    }

    /// Its URL, with `login` written into it.
    pub fn url(&self, login: Login) -> String {
        let scheme = if self.speaks == Speaks::Socks5 { "socks5" } else { "http" };
        let login = login.map(|(user, password)| format!("{user}:{password}@")).unwrap_or_default();
        format!("{scheme}://{login}{}", self.address)
    }

    /// Every target it was asked for, as it was written.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder panics").clone()
    }
}

async fn out(exit: IpAddr, port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(exit, 0))?;
    socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

async fn socks5(
    mut stream: TcpStream,
    exit: IpAddr,
    login: Login,
    told: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut two = [0; 2];
    stream.read_exact(&mut two).await?;
    let mut methods = vec![0; two[1].into()];
    stream.read_exact(&mut methods).await?;
    let method = if login.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, method]).await?;
    if let Some((user, password)) = login {
        stream.read_u8().await?;
        let mut given = Vec::new();
        for _ in 0..2 {
            let mut part = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut part).await?;
            given.push(part);
        }
        let good = given == [user.as_bytes(), password.as_bytes()];
        stream.write_all(&[1, u8::from(!good)]).await?;
        if !good {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        3 => {
            let mut name = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            String::from_utf8_lossy(&name).into_owned()
        }
        other => panic!("an address of kind {other}"),
    };
    let port = stream.read_u16().await?;
    told.lock().expect("no holder panics").push(format!("{host}:{port}"));
    let Ok(mut out) = out(exit, port).await else {
        return stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
    };
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut out).await.map(drop)
}

async fn connect(
    mut stream: TcpStream,
    exit: IpAddr,
    login: Login,
    told: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(stream.read_u8().await?.into());
    }
    if login.is_some() && !head.contains(BASIC) {
        return stream.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").await;
    }
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    told.lock().expect("no holder panics").push(target);
    let Ok(mut out) = out(exit, port.unwrap_or_default()).await else {
        return stream.write_all(b"HTTP/1.1 502 Nobody there\r\nContent-Length: 0\r\n\r\n").await;
    };
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut stream, &mut out).await.map(drop)
}
