//! SOCKS5 (RFC 1928) with user name and password (RFC 1929): asks for a connection to a name, which the proxy resolves.
//!
//! Reads exactly the bytes of each answer, so nothing that follows is lost. An answer is at most 262 bytes.

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Login, ProxyError};

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const WITH_LOGIN: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

pub(super) async fn open<S>(
    mut stream: S,
    login: Option<&Login>,
    host: &str,
    port: u16,
) -> Result<S, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(host, port)?;
    let greeting: &[u8] =
        if login.is_some() { &[VERSION, 2, NO_LOGIN, WITH_LOGIN] } else { &[VERSION, 1, NO_LOGIN] };
    send(&mut stream, greeting).await?;
    let [version, method] = receive(&mut stream).await?;
    of_version_5(version)?;
    match (method, login) {
        (NO_LOGIN, _) => {}
        (WITH_LOGIN, Some(login)) => log_in(&mut stream, login).await?,
        (WITH_LOGIN | NO_METHOD, None) => return Err(ProxyError::LoginWanted),
        (NO_METHOD, Some(_)) => return Err(ProxyError::LoginRefused),
        _ => return Err(ProxyError::Wrong { rule: "it chose a way to log in that we did not offer" }),
    }
    send(&mut stream, &request).await?;
    let [version, reply, _reserved, kind] = receive(&mut stream).await?;
    of_version_5(version)?;
    if reply != 0 {
        // Some end here, without the address that belongs to the answer: the reason counts.
        return Err(ProxyError::Reply(reply));
    }
    // The address it connects from; of no use to us.
    let address = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(u8::from_be_bytes(receive(&mut stream).await?)),
        _ => return Err(ProxyError::Wrong { rule: "an address of an unknown kind" }),
    };
    let mut rest = vec![0; address + 2];
    stream.read_exact(&mut rest).await?;
    Ok(stream)
}

async fn log_in<S>(stream: &mut S, login: &Login) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut message = vec![1];
    for part in [&login.user, &login.password] {
        let length = u8::try_from(part.len()).map_err(|_| ProxyError::LoginRefused)?;
        message.push(length);
        message.extend_from_slice(part.as_bytes());
    }
    send(stream, &message).await?;
    // The version is 1 by the book, and 5 of some that are in use.
    let [_version, refused] = receive(stream).await?;
    if refused == 0 { Ok(()) } else { Err(ProxyError::LoginRefused) }
}

fn request(host: &str, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Err(_) => {
            let length = u8::try_from(host.len())
                .map_err(|_| ProxyError::Wrong { rule: "the venue's name is too long for socks5" })?;
            request.extend_from_slice(&[NAME, length]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

const fn of_version_5(version: u8) -> Result<(), ProxyError> {
    if version == VERSION { Ok(()) } else { Err(ProxyError::Wrong { rule: "it does not speak socks5" }) }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Result<(), ProxyError> {
    stream.write_all(bytes).await?;
    Ok(stream.flush().await?)
}

async fn receive<const N: usize, S: AsyncRead + Unpin>(stream: &mut S) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// RFC 1928, 6.
pub(super) fn reply_in_words(reply: u8) -> String {
    let words = match reply {
        1 => "it failed in general",
        2 => "its rules forbid this connection",
        3 => "it cannot reach the network",
        4 => "it cannot reach the host",
        5 => "its connection was refused",
        6 => "its packets expired on the way",
        7 => "it does not connect for others",
        8 => "it takes no address of this kind",
        _ => return format!("it gives reply {reply}, which no standard names"),
    };
    format!("{words} (socks5 reply {reply})")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    fn login() -> Login {
        Login { user: "me".into(), password: "hunter2".into() }
    }

    /// What comes of these answers, and what was asked. `None` ends the connection there.
    async fn talk(
        login: Option<Login>,
        host: &str,
        script: &[(usize, Option<&[u8]>)],
    ) -> (Result<Vec<u8>, ProxyError>, Vec<u8>) {
        let (ours, mut theirs) = duplex(1024);
        let client = async {
            let mut stream = open(ours, login.as_ref(), host, 443).await?;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await?;
            Ok(rest)
        };
        let server = async {
            let mut asked = Vec::new();
            for (length, answer) in script {
                let mut bytes = vec![0; *length];
                theirs.read_exact(&mut bytes).await.expect("a request");
                asked.extend(bytes);
                let Some(answer) = answer else { break };
                theirs.write_all(answer).await.expect("room");
            }
            drop(theirs);
            asked
        };
        tokio::join!(client, server)
    }

    #[tokio::test]
    async fn a_name_goes_to_the_proxy_as_it_is_and_nothing_behind_the_answer_is_lost() {
        let answer = [&[5, 0, 0, 1, 10, 0, 0, 1, 4, 56][..], b"hello"].concat();
        let (opened, asked) = talk(None, "venue.test", &[(3, Some(&[5, 0])), (17, Some(&answer))]).await;
        assert_eq!(opened.expect("connected"), b"hello");
        assert_eq!(asked, [&[5, 1, 0, 5, 1, 0, 3, 10][..], b"venue.test", &[1, 187]].concat());

        // With a login, and an answer that names its address.
        let named = [&[5, 0, 0, 3, 4][..], b"exit", &[0, 1]].concat();
        let script: [(usize, Option<&[u8]>); 3] =
            [(4, Some(&[5, 2])), (12, Some(&[1, 0])), (10, Some(&named))];
        let (opened, asked) = talk(Some(login()), "10.0.0.7", &script).await;
        assert_eq!(opened.expect("connected"), b"");
        let expected = [&[5, 2, 0, 2, 1, 2][..], b"me", &[7], b"hunter2", &[5, 1, 0, 1, 10, 0, 0, 7, 1, 187]];
        assert_eq!(asked, expected.concat());

        let six = [&[5, 0, 0, 4][..], &[0; 18]].concat();
        let (opened, asked) = talk(None, "::1", &[(3, Some(&[5, 0])), (22, Some(&six))]).await;
        assert_eq!((opened.expect("connected"), asked.get(6)), (Vec::new(), Some(&4)));
    }

    #[tokio::test]
    async fn every_refusal_has_its_name() {
        let hello: (usize, Option<&[u8]>) = (3, Some(&[5, 0]));
        for (with_login, script, told) in [
            (false, vec![(3, Some(&[5, 0xff][..]))], "it wants a user name and password"),
            (false, vec![(3, Some(&[5, 2]))], "it wants a user name and password"),
            (true, vec![(4, Some(&[5, 0xff]))], "it does not accept our user name and password"),
            (
                true,
                vec![(4, Some(&[5, 2])), (12, Some(&[1, 1]))],
                "it does not accept our user name and password",
            ),
            (
                true,
                vec![(4, Some(&[5, 1]))],
                "its answer is wrong: it chose a way to log in that we did not offer",
            ),
            (false, vec![(3, Some(b"HT"))], "its answer is wrong: it does not speak socks5"),
            (
                false,
                vec![hello, (17, Some(&[4, 0, 0, 1, 0, 0, 0, 0, 0, 0]))],
                "its answer is wrong: it does not speak socks5",
            ),
            (
                false,
                vec![hello, (17, Some(&[5, 0, 0, 9]))],
                "its answer is wrong: an address of an unknown kind",
            ),
            (
                false,
                vec![hello, (17, Some(&[5, 2, 0, 1, 0, 0, 0, 0, 0, 0]))],
                "its rules forbid this connection (socks5 reply 2)",
            ),
            (false, vec![hello, (17, Some(&[5, 5, 0, 1]))], "its connection was refused (socks5 reply 5)"),
            (false, vec![hello, (17, Some(&[5, 99, 0, 1]))], "it gives reply 99, which no standard names"),
            (false, vec![(3, None)], "it gave no complete answer"),
            (false, vec![hello, (17, Some(&[5, 0, 0, 1, 10]))], "it gave no complete answer"),
            (false, vec![hello, (17, Some(&[5, 0, 0, 3, 200, 1]))], "it gave no complete answer"),
        ] {
            let (opened, _) = talk(with_login.then(login), "venue.test", &script).await;
            let error = opened.expect_err(told);
            assert_eq!(error.to_string(), told);
            assert_eq!(error.wants_a_person(), told.contains("user name"), "{told}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
        let (opened, _) = talk(None, &"n".repeat(256), &[]).await;
        assert!(matches!(opened, Err(ProxyError::Wrong { .. })), "{opened:?}");
    }
}
