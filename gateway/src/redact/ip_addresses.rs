//! Addresses of machines. Four numbers with dots can be a version or a section as well; what stands before decides. Addresses that
//! are nobody's, as of the machine itself or a mask, stay.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    ops::Range,
};

use super::{around, digits::Run};

/// Longest writing of an address of IPv6.
const MOST_V6: usize = 45;

const VERSIONS: &str = "\
    v version* ver versión versione release* build* firmware driver* treiber rev revision* update* upgrade* patch* \
    section* abschnitt kapitel chapter clause paragraph article oid figure table agent assembly tag rc appendix";
const HOSTS: &str = "\
    ip ips ipv4 ipv6 ipaddr address* adresse* addr host* server* client* from ping* gateway* dns nameserver* router \
    subnet* peer* remote* src dst network vpn";

pub(super) fn find_v4(run: Run<'_>, add: &mut dyn FnMut(Range<usize>)) {
    for at in 0..run.groups.len() {
        if run.shape_of_v4(at) && is_address(run, at) {
            add(run.range(at, 4));
        }
    }
}

impl Run<'_> {
    /// Four numbers of at most three digits with single dots between them, and none at either end.
    fn shape_of_v4(&self, at: usize) -> bool {
        let is_dot = |at: usize| self.between(at) == ".";
        at + 4 <= self.groups.len()
            && self.groups[at..at + 4].iter().all(|group| group.len() <= 3)
            && (at..at + 3).all(is_dot)
            && !(at > 0 && is_dot(at - 1))
            && !is_dot(at + 3)
    }
}

fn is_address(run: Run<'_>, at: usize) -> bool {
    let range = run.range(at, 4);
    let Ok(address) = run.text[range.clone()].parse::<Ipv4Addr>() else { return false };
    let octets = address.octets();
    let is_nobodys = octets[0] == 0 || address.is_loopback() || octets[0] == 255;
    if is_nobodys || !around::stands_alone(run.text, range.start, range.end) {
        return false;
    }
    let before = run.before(at);
    // A product and its version, as in `nginx/10.2.3.4`, `lib-10.2.3.4`, `lib==10.2.3.4` or `^10.2.3.4`.
    let mut last = before.chars().rev();
    let (last, second) = (last.next(), last.next());
    let is_product = match last {
        Some('/' | '-') => second.is_some_and(char::is_alphanumeric),
        Some('^' | '~' | '§' | '<' | '>') => true,
        Some('=') => matches!(second, Some('=' | '<' | '>' | '~' | '!')),
        Some(_) | None => false,
    };
    let is_next = run.text[range.end..].starts_with(['-', '+']) && run.text[range.end + 1..].starts_with(char::is_alphabetic);
    if is_product || is_next {
        return false;
    }
    match around::nearest(before, HOSTS, VERSIONS) {
        Some(is_host) => is_host,
        None if is_section(before, &run.text[range.end..], octets) => false,
        None => octets[0] == 10 || octets.iter().any(|octet| *octet > 25),
    }
}

/// Whether a heading begins with it: `10.3.3.1. Backing up`.
fn is_section(before: &str, behind: &str, octets: [u8; 4]) -> bool {
    let begins_line = before.trim_start_matches(['#', '*', ' ', '\t']).is_empty();
    let title = behind.strip_prefix('.').unwrap_or(behind).strip_prefix(' ').unwrap_or_default();
    begins_line && title.starts_with(char::is_uppercase) && octets.iter().all(|octet| *octet < 100)
}

pub(super) fn find_v6(text: &str, add: &mut dyn FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b':';
    let mut at = 0;
    while let Some(next) = text[at..].find(':') {
        let colon = at + next;
        let before = bytes[at..colon].iter().rev().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let start = colon - before;
        let length = bytes[start..].iter().take_while(|byte| is_part(byte)).count();
        at = start + length;
        // The last two groups may be written as an address of IPv4.
        let dotted = bytes[at..].iter().take(MOST_V6).take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let ends = [at + dotted, at].map(|end| start + text[start..end].trim_end_matches('.').len());
        let found = ends.into_iter().find(|end| is_v6(text, start, *end));
        if let Some(end) = found {
            at = at.max(end);
            add(start..end);
        }
    }
}

fn is_v6(text: &str, start: usize, end: usize) -> bool {
    let written = &text[start..end];
    let Some(address) = (written.len() <= MOST_V6).then(|| written.parse::<Ipv6Addr>().ok()).flatten() else { return false };
    let groups: Vec<&str> = written.split(':').filter(|group| !group.is_empty()).collect();
    if address.is_loopback()
        || address.is_unspecified()
        || !around::stands_alone(text, start, end)
        || text[..start].ends_with(':')
    {
        return false;
    }
    // Eight pairs are the number of a network card; names of programs are joined by two colons, too.
    let is_hardware = groups.len() == 8 && groups.iter().all(|group| group.len() == 2);
    let first = address.segments()[0];
    let is_assigned = (0x2000..0x4000).contains(&first) || first >= 0xfc00 || written.starts_with("64:ff9b::");
    let is_mapped = written.to_ascii_lowercase().starts_with("::ffff:");
    let has_digit = written.bytes().any(|byte| byte.is_ascii_digit());
    !is_hardware
        && has_digit
        && (is_assigned && groups[0].len() == 4 || is_mapped || groups.len() == 8 || written.starts_with("64:ff9b::"))
}
