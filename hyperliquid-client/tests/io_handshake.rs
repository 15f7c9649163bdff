//! Connecting to a WebSocket over real sockets: what is accepted, what is refused and how it is named, and that the token never shows.
#![cfg(feature = "io")]

mod io_support;

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use hyperliquid_client::auth::Auth;
use hyperliquid_client::io::{
    ConnectError, DialError, Dns, Endpoint, EndpointConfig, Message, Stage, Stream, WebSocket, connect,
};
use io_support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn dial(endpoint: &Endpoint, dns: Dns) -> Result<WebSocket<Stream>, ConnectError> {
    connect(endpoint, &endpoint.dialer(dns).expect("roots"), &clock()).await
}

fn ws(address: SocketAddr) -> EndpointConfig {
    config(format!("ws://{address}/ws"))
}

/// What an answer comes to.
async fn outcome(script: impl FnOnce(&str) -> String) -> Result<(), ConnectError> {
    let (listener, address) = listen().await;
    let endpoint = endpoint(ws(address));
    let (connected, _) = tokio::join!(dial(&endpoint, Dns::system()), answer(&listener, script));
    connected.map(drop)
}

#[tokio::test]
async fn a_message_sent_with_the_answer_is_not_lost_and_others_follow() {
    let (listener, address) = listen().await;
    let endpoint = endpoint(ws(address));
    let server = async {
        let (head, mut stream) =
            answer(&listener, |head| [switching(head, "").as_bytes(), b"\x81\x05early"].concat()).await;
        // Fragments cut inside a character, a ping between them.
        stream.write_all(b"\x01\x04 5 \xe2\x89\x02hi\x80\x02\x82\xac").await.expect("written");
        let mut pong = [0; 8];
        stream.read_exact(&mut pong).await.expect("an answer to the ping");
        assert_eq!(pong[..2], [0x8a, 0x82], "a masked pong of two bytes");
        stream.write_all(b"\x88\x09\x03\xe8Expired").await.expect("written");
        head
    };
    let client = async {
        let mut socket = dial(&endpoint, Dns::system()).await.expect("connected");
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push(format!("{:?}", socket.next().await.expect("a message").0));
        }
        seen
    };
    let (seen, head) = tokio::join!(client, server);
    let closed = Message::Closed { code: Some(1000), reason: "Expired".into() };
    let expected = [Message::Text(b"early"), Message::Text(" 5 €".as_bytes()), closed];
    assert_eq!(seen, expected.map(|message| format!("{message:?}")));

    assert!(head.starts_with("GET /ws HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "host"), Some(address.to_string().as_str()));
    assert_eq!(header(&head, "upgrade"), Some("websocket"));
    assert_eq!(header(&head, "sec-websocket-version"), Some("13"));
    assert_eq!(header(&head, "sec-websocket-extensions"), None, "no compression is offered");
}

#[tokio::test]
async fn a_wrong_answer_to_the_handshake_is_refused_by_name() {
    type Script = fn(&str) -> String;
    let cases: [(&str, Script); 5] = [
        ("sec-websocket-accept does not fit our key", |head| {
            switching(head, "").replace("Accept: ", "Accept: x")
        }),
        ("sec-websocket-accept is missing", |head| switching(head, "").replace("Sec-WebSocket-Accept", "X")),
        ("no upgrade to websocket", |head| switching(head, "").replace("Upgrade: websocket", "Upgrade: h2c")),
        ("no connection header for the upgrade", |head| {
            switching(head, "").replace("keep-alive, Upgrade", "close")
        }),
        ("an extension or protocol we did not offer", |head| {
            switching(head, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
        }),
    ];
    for (expected, script) in cases {
        match outcome(script).await {
            Err(ConnectError::Handshake { rule, .. }) => assert_eq!(rule, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_status_and_how_long_to_stay_away() {
    for (answer, status, wait, is_page) in [
        ("429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0", 429, Some(7), false),
        ("429 Too Many Requests\r\nRetry-After: 999999\r\nContent-Length: 0", 429, Some(3600), false),
        ("503 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0", 503, None, false),
        (
            "503 Busy\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 9\r\n\r\n<h1>no</h",
            503,
            None,
            true,
        ),
        ("301 Moved\r\nLocation: wss://elsewhere/ws\r\nContent-Length: 0", 301, None, false),
        ("200 OK\r\nContent-Length: 0", 200, None, false),
    ] {
        match outcome(|_| format!("HTTP/1.1 {answer}\r\n\r\n")).await {
            Err(ConnectError::Refused { status: found, html, retry_after, .. }) => {
                assert_eq!(
                    (found, html, retry_after),
                    (status, is_page, wait.map(Duration::from_secs)),
                    "{answer}"
                );
            }
            other => panic!("{answer}: {other:?}"),
        }
    }
    for status in [401, 403] {
        match outcome(|_| format!("HTTP/1.1 {status} No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"))
            .await
        {
            Err(ConnectError::Unauthorised { status: found, retry_after, .. }) => {
                assert_eq!((found, retry_after), (status, Some(Duration::from_secs(5))));
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_http_or_stops_early_is_broken() {
    for answer in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 101 Switching Proto", ""] {
        let (listener, address) = listen().await;
        let endpoint = endpoint(ws(address));
        let server = async {
            drop(io_support::answer(&listener, |_| answer.to_owned()).await);
        };
        let (connected, ()) = tokio::join!(dial(&endpoint, Dns::system()), server);
        assert!(matches!(connected, Err(ConnectError::Broken { .. })), "{answer}: {connected:?}");
    }
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    for (auth, line, key) in [
        (header_token(), "GET /ws HTTP/1.1", Some(TOKEN)),
        (query_token(), "GET /ws?token=hunter2%2Fsecret%20token HTTP/1.1", None),
    ] {
        // The server tells everything it was told, wherever it can.
        let leaks = |status: &str| {
            format!("HTTP/1.1 {status} {TOKEN}\r\nX-Echo: {TOKEN}\r\nContent-Length: 20\r\n\r\n{TOKEN}")
        };
        for script in
            [leaks("401"), leaks("500"), format!("{TOKEN}\r\n\r\n"), format!("HTTP/1.1 101 {TOKEN}\r\n\r\n")]
        {
            let (listener, address) = listen().await;
            let endpoint = endpoint(EndpointConfig { auth: auth.clone(), ..ws(address) });
            let dialer = endpoint.dialer(Dns::system()).expect("roots");
            let clock = clock();
            let (connected, (head, _)) =
                tokio::join!(connect(&endpoint, &dialer, &clock), answer(&listener, |_| script));
            let error = connected.expect_err("refused");
            assert_no_token(&everything_shown(&error));
            assert_no_token(&format!("{endpoint:?} {dialer:?} {auth:?}"));
            assert_eq!(head.lines().next(), Some(line));
            assert_eq!(header(&head, "x-api-key"), key);
        }
    }
}

#[tokio::test]
async fn one_deadline_bounds_every_stage() {
    let (listener, address) = listen().await;
    for (scheme, expected) in [("ws", Stage::Upgrade), ("wss", Stage::Tls)] {
        let endpoint = endpoint(EndpointConfig {
            connect_timeout: Duration::from_millis(50),
            ..config(format!("{scheme}://{address}/ws"))
        });
        let (connected, _silent) = tokio::join!(dial(&endpoint, Dns::system()), accept(&listener));
        match connected {
            Err(ConnectError::Dial(DialError::Timeout { stage, .. })) => assert_eq!(stage, expected),
            other => panic!("{scheme}: {other:?}"),
        }
    }
    let hanging = Dns::with_lookup(|_, _| {
        std::thread::park_timeout(Duration::from_millis(500));
        Err(std::io::ErrorKind::NotFound.into())
    });
    let config =
        EndpointConfig { connect_timeout: Duration::from_millis(50), ..config("ws://venue.test/ws".into()) };
    match dial(&endpoint(config), hanging).await {
        Err(ConnectError::Dial(DialError::Timeout { stage: Stage::Resolve, host })) => {
            assert_eq!(host, "venue.test");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_dead_address_is_passed_over_for_a_living_one() {
    let (listener, address) = listen().await;
    let dns = Dns::with_lookup(|_, port| {
        Ok(["127.0.0.9", "127.0.0.1"]
            .map(|ip| SocketAddr::new(ip.parse().expect("an address"), port))
            .to_vec())
    });
    let endpoint = endpoint(config(format!("ws://venue.test:{}/ws", address.port())));
    let (connected, _) = tokio::join!(dial(&endpoint, dns), answer(&listener, |head| switching(head, "")));
    connected.expect("nobody listens on 127.0.0.9, somebody does on 127.0.0.1");
}

#[tokio::test]
async fn connections_leave_from_the_given_local_address() {
    let (listener, address) = listen().await;
    let from = |ip: &str| EndpointConfig { local: Some(ip.parse().expect("an address")), ..ws(address) };
    let endpoint_here = endpoint(from("127.0.0.5"));
    let server = async {
        let (_, stream) = answer(&listener, |head| switching(head, "")).await;
        stream.peer_addr().expect("connected").ip()
    };
    let (connected, peer) = tokio::join!(dial(&endpoint_here, Dns::system()), server);
    connected.expect("connected");
    assert_eq!(peer.to_string(), "127.0.0.5");

    for not_ours in ["192.0.2.1", "::1"] {
        let refused = dial(&endpoint(from(not_ours)), Dns::system()).await.map(drop);
        assert!(
            matches!(refused, Err(ConnectError::Dial(DialError::Bind { .. }))),
            "{not_ours}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_named() {
    let (listener, address) = listen().await;
    drop(listener);
    let error = dial(&endpoint(ws(address)), Dns::system()).await.map(drop).expect_err("nobody is there");
    assert_eq!(error.to_string(), format!("cannot connect to 127.0.0.1 at {address}"));
}

/// Connects to `wss://{name}` where a server with `certificates` answers; whether `trusted` is given as `ca_file`.
async fn over_tls(
    certificates: &Certificates,
    name: &str,
    trusted: bool,
    auth: Auth,
) -> Result<String, ConnectError> {
    let (listener, address) = listen().await;
    let mut ca_file = tempfile::NamedTempFile::new().expect("a temporary file");
    ca_file.write_all(certificates.authority_pem.as_bytes()).expect("written");
    let ca_file = trusted.then(|| ca_file.path().to_owned()).map(|path| (path, ca_file));
    let endpoint = endpoint(EndpointConfig {
        ca_file: ca_file.as_ref().map(|(path, _)| path.clone()),
        auth,
        ..config(format!("wss://{name}:{}/ws", address.port()))
    });
    let server = async {
        let stream = accept(&listener).await;
        // A client that refuses the certificate ends this; its plain text would be read here and must not come.
        let Ok(mut tls) = certificates.acceptor.accept(stream).await else { return };
        answer_on(&mut tls, |head| [switching(head, "").as_bytes(), b"\x81\x02hi"].concat()).await;
    };
    let client = async {
        let mut socket = dial(&endpoint, names_lead_to(address)).await?;
        let text = format!("{:?}", socket.next().await.expect("a message").0);
        Ok(text)
    };
    tokio::join!(client, server).0
}

#[tokio::test]
async fn tls_is_spoken_with_whom_we_trust_and_with_nobody_else() {
    let good = certificates("venue.test", false);
    let text = over_tls(&good, "venue.test", true, Auth::None).await.expect("connected");
    assert_eq!(text, format!("{:?}", Message::Text(b"hi")));

    for (what, certificates, name, trusted, detail) in [
        ("wrong name", &good, "other.test", true, "NotValidForName"),
        ("unknown authority", &good, "venue.test", false, "UnknownIssuer"),
        ("expired", &certificates("venue.test", true), "venue.test", true, "Expired"),
    ] {
        let error = over_tls(certificates, name, trusted, query_token()).await.expect_err(what);
        let ConnectError::Dial(DialError::Tls { source, .. }) = &error else { panic!("{what}: {error:?}") };
        assert!(format!("{source:?}").contains(detail), "{what}: {source:?}");
        assert_no_token(&everything_shown(&error));
        assert!(error.to_string().contains("plain text is no alternative"), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_no_plain_text() {
    let (listener, address) = listen().await;
    let endpoint = endpoint(EndpointConfig { auth: query_token(), ..config(format!("wss://{address}/ws")) });
    let server = async {
        let mut stream = accept(&listener).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.expect("written");
        let mut said = Vec::new();
        // The client may reset the connection: what was read before that is kept.
        let _ = stream.read_to_end(&mut said).await;
        said
    };
    let (connected, said) = tokio::join!(dial(&endpoint, Dns::system()), server);
    let error = connected.map(drop).expect_err("no tls");
    assert!(matches!(error, ConnectError::Dial(DialError::Tls { .. })), "{error:?}");
    assert!(error.source().is_none_or(|source| !source.to_string().contains("hunter2")));
    assert_eq!(said.first(), Some(&0x16), "a tls handshake record");
    assert_no_token(&String::from_utf8_lossy(&said));
}
