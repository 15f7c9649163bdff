//! HTTP CONNECT (RFC 9110, 9.3.6): asks for a tunnel to a name, which the proxy resolves. The exchange is hyper's, the answer's head
//! bounded as every other's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION, USER_AGENT};
use hyper::{Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Login, ProxyError};
use crate::io::http::{self, Body, Http};
use crate::io::target::in_url;
use crate::io::websocket::AGENT;

pub(super) async fn open<S>(stream: S, login: Option<&Login>, host: &str, port: u16) -> Result<S, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(login, host, port)
        .map_err(|_| ProxyError::Wrong { rule: "the venue's name cannot be asked for" })?;
    let mut http = Http::new(stream).await?;
    let answer = http.send(request).await?;
    let status = answer.status();
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED if login.is_some() => return Err(ProxyError::LoginRefused),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(ProxyError::LoginWanted),
        // 204 is a success that can open nothing.
        _ if !status.is_success() || status == StatusCode::NO_CONTENT => {
            let retry_after = http::retry_after(answer.headers());
            return Err(ProxyError::Status { status: status.as_u16(), retry_after });
        }
        _ => drop(answer),
    }
    let (stream, behind) = http.into_stream().await?;
    // The venue does not speak first.
    if behind.is_empty() {
        Ok(stream)
    } else {
        Err(ProxyError::Wrong { rule: "something stands behind its answer" })
    }
}

fn request(login: Option<&Login>, host: &str, port: u16) -> hyper::http::Result<Request<Body>> {
    let place = format!("{}:{port}", in_url(host));
    let mut request = Request::connect(place.as_str())
        .header(HOST, place.as_str())
        .header(USER_AGENT, AGENT)
        .body(Body::default())?;
    if let Some(Login { user, password }) = login {
        let mut value =
            HeaderValue::try_from(format!("Basic {}", BASE64.encode(format!("{user}:{password}"))))?;
        value.set_sensitive(true);
        request.headers_mut().insert(PROXY_AUTHORIZATION, value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// What comes of this answer, and what was asked.
    async fn talk(login: Option<Login>, answer: &[u8]) -> (Result<Vec<u8>, ProxyError>, String) {
        let (ours, mut theirs) = duplex(256 * 1024);
        let client = async {
            let mut stream = open(ours, login.as_ref(), "venue.test", 443).await?;
            stream.write_all(b"ours").await?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            Ok(rest)
        };
        let server = async {
            let mut asked = String::new();
            while !asked.ends_with("\r\n\r\n") {
                asked.push(char::from(theirs.read_u8().await.expect("a request")));
            }
            // Nobody reads to the end of what is far too long.
            let _refused = theirs.write_all(answer).await;
            let mut said = [0; 4];
            // Only who is let through speaks.
            if theirs.read_exact(&mut said).await.is_ok() {
                assert_eq!(&said, b"ours");
                theirs.write_all(b"theirs").await.expect("room");
            }
            drop(theirs);
            asked
        };
        tokio::join!(client, server)
    }

    #[tokio::test]
    async fn a_tunnel_is_asked_for_by_name_and_then_the_stream_is_the_venues() {
        for answer in [
            &b"HTTP/1.1 200 Connection established\r\n\r\n"[..],
            b"HTTP/1.0 200 OK\r\nProxy-Agent: old\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        ] {
            let (opened, asked) = talk(None, answer).await;
            assert_eq!(opened.expect("connected"), b"theirs");
            assert!(
                asked.starts_with("CONNECT venue.test:443 HTTP/1.1\r\nhost: venue.test:443\r\n"),
                "{asked}"
            );
            assert!(!asked.to_lowercase().contains("authorization"), "{asked}");
        }
        let login = Login { user: "me".into(), password: "hunter2".into() };
        let (opened, asked) = talk(Some(login), b"HTTP/1.1 200 OK\r\n\r\n").await;
        assert!(opened.is_ok(), "{opened:?}");
        assert!(asked.contains("proxy-authorization: Basic bWU6aHVudGVyMg==\r\n"), "{asked}");
    }

    #[tokio::test]
    async fn every_refusal_has_its_name() {
        let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
        for (answer, told) in [
            ("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "it wants a user name and password"),
            ("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", "it answers CONNECT with status 403"),
            ("HTTP/1.1 204 No\r\n\r\n", "it answers CONNECT with status 204"),
            ("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n", "it answers CONNECT with status 503"),
            ("HTTP/1.1 301 Go\r\nLocation: http://elsewhere\r\n\r\n", "it answers CONNECT with status 301"),
            (
                "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
                "its answer is wrong: something stands behind its answer",
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "it gave no complete answer"),
            ("\u{5}\u{0}\r\n\r\n", "it gave no complete answer"),
            (&huge, "it gave no complete answer"),
        ] {
            let (opened, _) = talk(None, answer.as_bytes()).await;
            let error = opened.expect_err(told);
            assert_eq!(error.to_string(), told, "{answer}");
            let asked_to_wait = answer.contains("Retry-After").then_some(Duration::from_secs(7));
            assert_eq!(error.retry_after(), asked_to_wait);
        }
        let login = Login { user: "me".into(), password: "hunter2".into() };
        let (opened, _) = talk(Some(login), b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").await;
        let error = opened.expect_err("refused");
        assert!(matches!(error, ProxyError::LoginRefused) && error.wants_a_person(), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
