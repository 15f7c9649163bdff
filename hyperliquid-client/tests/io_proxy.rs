//! Through proxies, over real sockets: whose name is resolved where, what TLS protects, and how each refusal is named.
#![cfg(feature = "io")]

mod io_support;
mod proxy_support;

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hyperliquid_client::info::InfoRequest;
use hyperliquid_client::io::{
    AskAgain, ConnectError, DialError, Dns, EndpointConfig, InfoClient, InfoError, Message, ProxyError,
    Stage, connect,
};
use io_support::*;
use proxy_support::{LOGIN, Proxy, Speaks};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The address from which the venue sees the proxy's connections come.
const EXIT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 9, 1));

/// Nothing is asked of the local resolver.
fn no_names() -> Dns {
    Dns::with_lookup(|host, _| panic!("the name {host} leaks"))
}

fn through(proxy: &str, config: EndpointConfig) -> EndpointConfig {
    EndpointConfig { proxy: Some(proxy.parse().expect("a proxy's url")), ..config }
}

/// Why there is no connection to a venue through `proxy`.
async fn refusal(proxy: &str, dns: Dns) -> ConnectError {
    let endpoint = endpoint(through(proxy, config("wss://venue.test:443/ws".into())));
    let dialer = endpoint.dialer(dns).expect("roots");
    let shown = format!("{endpoint:?} {dialer:?}");
    let error = connect(&endpoint, &dialer, &clock()).await.map(drop).expect_err("there is no venue");
    assert_no_token(&(shown + &everything_shown(&error)));
    error
}

#[tokio::test]
async fn tls_runs_through_the_proxy_to_the_venue_and_the_proxy_resolves_its_name() {
    let certificates = certificates("venue.test", false);
    let mut ca_file = tempfile::NamedTempFile::new().expect("a temporary file");
    ca_file.write_all(certificates.authority_pem.as_bytes()).expect("written");
    for speaks in [Speaks::Socks5, Speaks::Connect] {
        for login in [None, LOGIN] {
            let proxy = Proxy::start(speaks, EXIT, login);
            for (name, is_fine) in [("venue.test", true), ("other.test", false)] {
                let (listener, address) = listen().await;
                let endpoint = endpoint(EndpointConfig {
                    ca_file: Some(ca_file.path().to_owned()),
                    ..through(&proxy.url(login), config(format!("wss://{name}:{}/ws", address.port())))
                });
                let server = async {
                    let (stream, peer) = listener.accept().await.expect("a connection");
                    assert_eq!(peer.ip(), EXIT);
                    let Ok(mut tls) = certificates.acceptor.accept(stream).await else { return };
                    answer_on(&mut tls, |head| [switching(head, "").as_bytes(), b"\x81\x02hi"].concat())
                        .await;
                };
                let dialer = endpoint.dialer(no_names()).expect("roots");
                let clock = clock();
                let client = async {
                    let mut socket = connect(&endpoint, &dialer, &clock).await?;
                    Ok::<_, ConnectError>(format!("{:?}", socket.next().await.expect("a message").0))
                };
                let (heard, ()) = tokio::join!(client, server);
                assert_eq!(proxy.asked().last(), Some(&format!("{name}:{}", address.port())));
                match heard {
                    Ok(text) => assert!(is_fine && text == format!("{:?}", Message::Text(b"hi"))),
                    Err(error) => {
                        let wrong_name = matches!(error, ConnectError::Dial(DialError::Tls { .. }));
                        assert!(!is_fine && wrong_name, "{speaks:?} {name}: {error:?}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_info_api_is_asked_through_the_proxy_over_one_connection() {
    for speaks in [Speaks::Socks5, Speaks::Connect] {
        let proxy = Proxy::start(speaks, EXIT, LOGIN);
        let (listener, address) = listen().await;
        let endpoint =
            endpoint(through(&proxy.url(LOGIN), config(format!("ws://venue.test:{}/ws", address.port()))));
        let dialer = endpoint.dialer(no_names()).expect("roots");
        let mut client = InfoClient::new(endpoint, dialer, clock());
        let ok = |_: &str| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]";
        let server = async {
            let (_, mut stream) = answer(&listener, ok).await;
            answer_on(&mut stream, ok).await
        };
        let asking = async {
            for _ in 0..2 {
                let answer = client.ask(&InfoRequest::PerpDexs).await.expect("an answer");
                assert_eq!(answer.body, b"[]");
            }
        };
        let (head, ()) = tokio::join!(server, asking);
        assert!(head.starts_with("POST /info HTTP/1.1\r\n"), "{head}");
        assert!(!head.to_lowercase().contains("authorization"), "the proxy's login is the proxy's: {head}");
        assert_eq!(proxy.asked(), [format!("venue.test:{}", address.port())]);
    }
}

#[tokio::test]
async fn each_refusal_names_the_proxy_and_not_its_password() {
    for speaks in [Speaks::Socks5, Speaks::Connect] {
        let proxy = Proxy::start(speaks, EXIT, LOGIN);
        let address = proxy.url(None);
        for (login, told) in [
            (None, "it wants a user name and password"),
            (Some(("me", "hunter2-wrong")), "it does not accept our user name and password"),
        ] {
            let error = refusal(&proxy.url(login), no_names()).await;
            let ConnectError::Dial(dial @ DialError::Proxy { source, .. }) = &error else {
                panic!("{error:?}")
            };
            assert_eq!(source.to_string(), told);
            assert!(dial.wants_a_person());
            let named = login.map_or(address.clone(), |_| address.replace("://", "://me@"));
            assert_eq!(error.to_string(), format!("no connection to venue.test through {named}"));
            let ConnectError::Dial(dial) = error else { panic!("just seen") };
            assert_eq!(InfoError::Dial(dial).ask_again(), AskAgain::Rarely);
        }
        // Nobody listens where the name leads: it is the proxy that says so.
        let error = refusal(&proxy.url(LOGIN).replace("hunter2", "hunter%32"), no_names()).await;
        let ConnectError::Dial(DialError::Proxy { source, .. }) = &error else { panic!("{error:?}") };
        assert!(
            matches!(source, ProxyError::Reply(5) | ProxyError::Status { status: 502, .. }),
            "{source:?}"
        );
        assert!(!source.wants_a_person());
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named_and_never_passed_by() {
    let (listener, address) = listen().await;
    drop(listener);
    let lookup: fn(&str, u16) -> std::io::Result<Vec<SocketAddr>> = |host, port| {
        assert_eq!(host, "proxy.test", "the venue's name leaks");
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    };
    let port = address.port();
    for scheme in ["socks5", "http"] {
        let error =
            refusal(&format!("{scheme}://me:hunter2@proxy.test:{port}"), Dns::with_lookup(lookup)).await;
        let told = format!("cannot connect to {scheme}://me@proxy.test:{port} at {address}");
        assert_eq!(error.to_string(), told);
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_or_trickles_ends_at_the_one_deadline() {
    // Each begins an answer as if it meant to finish it.
    for (scheme, byte) in [("socks5", 5), ("http", b'H')] {
        let (listener, address) = listen().await;
        let endpoint = endpoint(EndpointConfig {
            connect_timeout: Duration::from_millis(50),
            ..through(&format!("{scheme}://me:hunter2@{address}"), config("ws://venue.test/ws".into()))
        });
        let dialer = endpoint.dialer(no_names()).expect("roots");
        let server = async {
            let mut stream = accept(&listener).await;
            stream.write_all(&[byte]).await.expect("written");
            let mut asked = Vec::new();
            // Until the client gives up; how it ends does not matter.
            let _ = stream.read_to_end(&mut asked).await;
        };
        let clock = clock();
        let (connected, ()) = tokio::join!(connect(&endpoint, &dialer, &clock), server);
        let error = connected.map(drop).expect_err("no connection");
        let ConnectError::Dial(DialError::Timeout { stage: Stage::Proxy, host }) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*host, format!("{scheme}://me@{address}"));
        assert_no_token(&everything_shown(&error));
    }
}
