//! A proxy's URL: `socks5://[user:password@]host:port` or `http://[user:password@]host:port`, user name and password percent-encoded.

use std::str::FromStr;

use super::{Kind, Login, Proxy, ProxyUrlError};

/// What either protocol can send of a user name or a password.
const LOGIN_BYTES: usize = 255;

impl FromStr for Proxy {
    type Err = ProxyUrlError;

    fn from_str(url: &str) -> Result<Self, ProxyUrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(ProxyUrlError::Scheme)?;
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks5" => Kind::Socks5,
            "http" => Kind::Http,
            _ => return Err(ProxyUrlError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // The last one: a password may hold another that nobody encoded.
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (Some(self::login(login, kind)?), place),
            None => (None, rest),
        };
        if place.contains(['/', '?', '#']) {
            return Err(ProxyUrlError::Path);
        }
        let (host, port) = place.rsplit_once(':').ok_or(ProxyUrlError::Port)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(ProxyUrlError::Port)?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => bracketed
                .strip_suffix(']')
                .filter(|host| host.parse::<std::net::Ipv6Addr>().is_ok())
                .ok_or(ProxyUrlError::Host)?,
            None => Some(host).filter(|host| is_name(host)).ok_or(ProxyUrlError::Host)?,
        };
        Ok(Self { kind, host: host.to_ascii_lowercase(), port, login })
    }
}

fn is_name(host: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(fits)
}

fn login(text: &str, kind: Kind) -> Result<Login, ProxyUrlError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (decoded(user)?, decoded(password)?);
    // Basic authentication ends the user name at its first colon.
    if user.is_empty() || kind == Kind::Http && user.contains(':') {
        return Err(ProxyUrlError::Login);
    }
    Ok(Login { user, password })
}

fn decoded(text: &str) -> Result<String, ProxyUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first == b'%' {
            let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let byte = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = byte.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(byte.ok_or(ProxyUrlError::Login)?);
            rest = behind.get(2..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| ProxyUrlError::Login)?;
    if text.len() > LOGIN_BYTES || text.contains(char::is_control) {
        return Err(ProxyUrlError::Login);
    }
    Ok(text)
}

/// A user name as it stands in a URL.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_a_proxy_that_shows_no_password() {
        for (url, shown) in [
            ("socks5://10.0.0.1:1080", "socks5://10.0.0.1:1080"),
            ("HTTP://Proxy.Example:3128/", "http://proxy.example:3128"),
            ("socks5://[2001:db8::1]:1080", "socks5://[2001:db8::1]:1080"),
            ("http://us%40er:hunter2@host:1", "http://us%40er@host:1"),
            ("socks5://user:hun@ter2:%2f@host:1", "socks5://user@host:1"),
            ("http://hunter2@host:1", "http://host:1"),
            ("http://hunter2:@host:1", "http://host:1"),
        ] {
            let proxy: Proxy = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(proxy.to_string(), shown);
            let all = format!("{proxy} {proxy:?} {:#?}", Some(&proxy));
            assert!(!all.contains("hunter2") && !all.contains("ter2"), "{all}");
        }
        let login = "http://a%3Ab%25:p%3A%20%C3%A9:x@host:1".parse::<Proxy>();
        assert_eq!(login, Err(ProxyUrlError::Login), "a colon in a user name cannot be sent to CONNECT");
        let login = "socks5://a%3Ab%25:p%3A%20%C3%A9:x@host:1".parse::<Proxy>().unwrap().login.unwrap();
        assert_eq!((login.user.as_str(), login.password.as_str()), ("a:b%", "p: é:x"));
    }

    #[test]
    fn what_is_no_proxys_url_is_refused_without_being_quoted() {
        let long = format!("socks5://{}:x@host:1", "u".repeat(256));
        for (url, error) in [
            ("host:1080", ProxyUrlError::Scheme),
            ("https://host:1080", ProxyUrlError::Scheme),
            ("socks4://host:1080", ProxyUrlError::Scheme),
            ("socks5://host", ProxyUrlError::Port),
            ("socks5://host:", ProxyUrlError::Port),
            ("socks5://host:0", ProxyUrlError::Port),
            ("socks5://host:65536", ProxyUrlError::Port),
            ("socks5://:1080", ProxyUrlError::Host),
            ("socks5://2001:db8::1:1080", ProxyUrlError::Host),
            ("socks5://[nonsense]:1080", ProxyUrlError::Host),
            ("socks5://a b:1080", ProxyUrlError::Host),
            ("http://host:1/path", ProxyUrlError::Path),
            ("http://host:1?query", ProxyUrlError::Path),
            ("http://@host:1", ProxyUrlError::Login),
            ("http://:secret@host:1", ProxyUrlError::Login),
            ("http://u:%zz@host:1", ProxyUrlError::Login),
            ("http://u:%+f@host:1", ProxyUrlError::Login),
            ("http://u:%0a@host:1", ProxyUrlError::Login),
            ("http://u:%ff@host:1", ProxyUrlError::Login),
            (long.as_str(), ProxyUrlError::Login),
        ] {
            assert_eq!(url.parse::<Proxy>(), Err(error), "{url}");
            assert!(!error.to_string().contains("secret"));
        }
    }
}
