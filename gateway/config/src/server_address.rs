//! Host and port of a server, written as in `valkey-0.cache.svc:6379` or `[2001:db8::1]:6379`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a server is reached.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerAddress {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
}

/// What was written is no host and port.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("\"{0}\" must be a host and a port, as in valkey-0.cache.svc:6379")]
pub struct NoAddress(String);

impl FromStr for ServerAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let refuse = || NoAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(refuse)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let (host, fits) = match bare {
            Some(inner) => (inner, inner.parse::<std::net::Ipv6Addr>().is_ok()),
            None => (host, !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))),
        };
        let port = port.parse().ok().filter(|port| *port > 0 && fits && host.len() <= 253).ok_or_else(refuse)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = NoAddress;

    fn try_from(text: String) -> Result<Self, NoAddress> {
        text.parse()
    }
}

impl From<ServerAddress> for String {
    fn from(address: ServerAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_read_and_written_alike() {
        for text in ["localhost:1", "valkey-0.cache.svc:6379", "192.0.2.1:65535", "[2001:db8::1]:26379"] {
            assert_eq!(text.parse::<ServerAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "localhost", ":6379", "a b:1", "a:0", "a:65536", "a:b", "2001:db8::1", "[x]:1", "redis://a:1", "[::1]"] {
            assert_eq!(text.parse::<ServerAddress>(), Err(NoAddress(text.to_owned())));
        }
    }
}
