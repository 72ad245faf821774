//! Keys and tokens that tell what they are by how they begin; keys in PEM; passwords in addresses.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::around;

/// Characters behind a beginning.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Letters, digits, `-` and `_`.
    Url,
    /// Letters and digits.
    Plain,
    /// Upper case and digits.
    Upper,
    /// Hexadecimal digits.
    Hex,
    /// What headers of HTTP may carry: Base64 of either kind.
    Header,
}

/// How a key begins, what follows, and how much of it at least and at most.
const FORMS: [(&str, Alphabet, usize, usize); 52] = [
    ("rl_", Alphabet::Url, 32, 100),
    ("sk-", Alphabet::Url, 20, 300),
    ("sk_live_", Alphabet::Plain, 16, 250),
    ("sk_test_", Alphabet::Plain, 16, 250),
    ("rk_live_", Alphabet::Plain, 16, 250),
    ("rk_test_", Alphabet::Plain, 16, 250),
    ("whsec_", Alphabet::Header, 24, 100),
    ("ghp_", Alphabet::Plain, 36, 251),
    ("gho_", Alphabet::Plain, 36, 251),
    ("ghu_", Alphabet::Plain, 36, 251),
    ("ghs_", Alphabet::Plain, 36, 251),
    ("ghr_", Alphabet::Plain, 36, 251),
    ("github_pat_", Alphabet::Url, 50, 255),
    ("glpat-", Alphabet::Url, 20, 100),
    ("gldt-", Alphabet::Url, 20, 100),
    ("glrt-", Alphabet::Url, 20, 100),
    ("glptt-", Alphabet::Url, 20, 100),
    ("AKIA", Alphabet::Upper, 16, 16),
    ("ASIA", Alphabet::Upper, 16, 16),
    ("AIza", Alphabet::Url, 35, 35),
    ("ya29.", Alphabet::Url, 20, 500),
    ("GOCSPX-", Alphabet::Url, 24, 40),
    ("xoxb-", Alphabet::Url, 20, 250),
    ("xoxp-", Alphabet::Url, 20, 250),
    ("xoxa-", Alphabet::Url, 20, 250),
    ("xoxr-", Alphabet::Url, 20, 250),
    ("xoxs-", Alphabet::Url, 20, 250),
    ("xoxe-", Alphabet::Url, 20, 250),
    ("xoxe.", Alphabet::Url, 20, 250),
    ("xapp-", Alphabet::Url, 20, 250),
    ("hf_", Alphabet::Plain, 30, 64),
    ("npm_", Alphabet::Plain, 36, 36),
    ("pypi-", Alphabet::Url, 50, 400),
    ("dop_v1_", Alphabet::Hex, 64, 64),
    ("doo_v1_", Alphabet::Hex, 64, 64),
    ("shpat_", Alphabet::Hex, 32, 32),
    ("shpss_", Alphabet::Hex, 32, 32),
    ("shpca_", Alphabet::Hex, 32, 32),
    ("gsk_", Alphabet::Plain, 40, 80),
    ("xai-", Alphabet::Url, 40, 120),
    ("nvapi-", Alphabet::Url, 40, 120),
    ("pplx-", Alphabet::Plain, 40, 80),
    ("r8_", Alphabet::Plain, 30, 60),
    ("lin_api_", Alphabet::Plain, 32, 60),
    ("dapi", Alphabet::Hex, 32, 32),
    ("NRAK-", Alphabet::Upper, 27, 27),
    ("hvs.", Alphabet::Url, 20, 250),
    ("sq0atp-", Alphabet::Url, 22, 60),
    ("sq0csp-", Alphabet::Url, 40, 60),
    ("AGE-SECRET-KEY-1", Alphabet::Upper, 50, 60),
    ("SK", Alphabet::Hex, 32, 32),
    ("key-", Alphabet::Hex, 32, 32),
];

const PEM: &str = "-----BEGIN ";
const JWT: &str = "eyJ";
const SENDGRID: &str = "SG.";
const ADDRESS: &str = "://";
const BEARER: [&str; 5] = ["Bearer ", "bearer ", "BEARER ", "Basic ", "basic "];
const SLACK_HOOK: &str = "hooks.slack.com/services/";

/// A body of a key in PEM is not followed farther than this.
const MOST_PEM: usize = 16 << 10;
/// Nor is a part of any other key.
const MOST_SEGMENT: usize = 4 << 10;
/// A shorter password of an address is one of an example.
const LEAST_PASSWORD: usize = 4;

/// Any of the beginnings; nothing but literals, so that it is found at the speed of memory.
static BEGINNINGS: LazyLock<Regex> = LazyLock::new(|| {
    let forms = FORMS.iter().map(|(begin, ..)| *begin);
    let others = [PEM, JWT, SENDGRID, ADDRESS, SLACK_HOOK].into_iter().chain(BEARER);
    let pattern = forms.chain(others).map(regex::escape).collect::<Vec<_>>().join("|");
    Regex::new(&format!("(?-u){pattern}")).expect("the beginnings are constants")
});

pub(super) fn find(text: &str, add: &mut dyn FnMut(Range<usize>)) {
    let mut at = 0;
    while let Some(begin) = BEGINNINGS.find_at(text, at) {
        match key(text, begin.start()) {
            Some(range) => {
                at = range.end;
                add(range);
            }
            // All beginnings are ASCII.
            None => at = begin.start() + 1,
        }
    }
}

fn key(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    if rest.starts_with(PEM) {
        return pem(rest).map(|length| start..start + length);
    }
    if rest.starts_with(ADDRESS) {
        return password(rest).map(|range| start + range.start..start + range.end);
    }
    if let Some(hook) = rest.strip_prefix(SLACK_HOOK) {
        let secret = hook.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'/').count();
        let begin = start + SLACK_HOOK.len();
        return (secret >= 30).then_some(begin..begin + secret);
    }
    if !around::begins_word(text, start) || text[..start].ends_with('-') {
        return None;
    }
    if let Some(scheme) = BEARER.iter().find(|scheme| rest.starts_with(**scheme)) {
        let value = &rest[scheme.len()..];
        let length = Alphabet::Header.take(value);
        let value = value[..length].trim_end_matches('.');
        let begin = start + scheme.len();
        let is_basic = scheme.starts_with(['B', 'b']) && scheme.len() == 6;
        let least = if is_basic { 12 } else { 16 };
        return (value.len() >= least && is_mixed(value)).then_some(begin..begin + value.len());
    }
    if rest.starts_with(JWT)
        && let Some(length) = jwt(rest)
    {
        return Some(start..start + length);
    }
    if let Some(tail) = rest.strip_prefix(SENDGRID) {
        let id = Alphabet::Url.take(tail);
        let length = Alphabet::Url.take(tail[id..].strip_prefix('.')?);
        let is_key = (16..=32).contains(&id) && (30..=64).contains(&length);
        return is_key.then_some(start..start + SENDGRID.len() + id + 1 + length);
    }
    FORMS.iter().filter(|(begin, ..)| rest.starts_with(begin)).find_map(|(begin, alphabet, least, most)| {
        let tail = &rest[begin.len()..];
        let length = alphabet.take(tail);
        let end = start + begin.len() + length;
        let is_long = (*least..=*most).contains(&length) && around::ends_word(text, end);
        (is_long && (is_mixed(&tail[..length]) || matches!(alphabet, Alphabet::Upper))).then_some(start..end)
    })
}

impl Alphabet {
    /// How many bytes of the text belong to it.
    fn take(self, text: &str) -> usize {
        let belongs = |byte: &u8| match self {
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Self::Plain => byte.is_ascii_alphanumeric(),
            Self::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Header => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'='),
        };
        text.bytes().take(MOST_SEGMENT).take_while(belongs).count()
    }
}

/// Whether letters and digits are mixed as chance does it, so that a name of several words is none.
pub(super) fn is_mixed(value: &str) -> bool {
    let bytes = value.as_bytes();
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let changes = bytes.windows(2).filter(|pair| {
        let (one, two) = (class(pair[0]), class(pair[1]));
        one != two && one != 3 && two != 3
    });
    let changes = changes.count();
    let enough_digits = digits > usize::from(bytes.len() >= 24);
    (enough_digits || changes * 10 >= bytes.len() * 4) && letters >= 3 && changes * 6 >= bytes.len() && entropy(bytes) >= 3.0
}

/// Bits a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut times = [0_u32; 256];
    for byte in bytes {
        times[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    let bits = times.iter().filter(|times| **times > 0).map(|times| {
        let share = f64::from(*times) / total;
        -share * share.log2()
    });
    bits.sum()
}

/// Three parts of Base64, the first two of JSON objects.
fn jwt(rest: &str) -> Option<usize> {
    let segment = |text: &str| Some(Alphabet::Url.take(text)).filter(|length| *length < MOST_SEGMENT);
    let head = segment(rest).filter(|length| *length >= 12)?;
    let body = rest[head..].strip_prefix('.').filter(|body| body.starts_with(JWT))?;
    let length = segment(body).filter(|length| *length >= 8)?;
    let whole = head + 1 + length;
    Some(match rest[whole..].strip_prefix('.') {
        Some(signature) => whole + 1 + segment(signature)?,
        None => whole,
    })
}

/// A private key, to its last line or as far as its body goes.
fn pem(rest: &str) -> Option<usize> {
    let head = rest.as_bytes().get(PEM.len()..)?;
    let label = head.windows(5).take(40).position(|five| five == b"-----")?;
    let label = rest.get(PEM.len()..PEM.len() + label)?;
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let begin = PEM.len() + label.len() + 5;
    let mut most = (begin + MOST_PEM).min(rest.len());
    while !rest.is_char_boundary(most) {
        most -= 1;
    }
    let body = rest.get(begin..most)?;
    if let Some(end) = body.find("-----") {
        let close = format!("-----END {label}-----");
        if body[end..].starts_with(&close) {
            return Some(begin + end + close.len());
        }
    }
    let is_body = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\n' | b'\r' | b'\\');
    let length = body.bytes().take_while(is_body).count();
    let length = body[..length].trim_end().len();
    (length > 0).then_some(begin + length)
}

/// The password of `://user:password@host`.
fn password(rest: &str) -> Option<Range<usize>> {
    let authority = &rest.as_bytes()[ADDRESS.len()..];
    let length = authority
        .iter()
        .take(256)
        .take_while(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'?' | b'#'))
        .count();
    let bounded = authority.get(..length)?;
    let sign = bounded.iter().rposition(|byte| *byte == b'@')?;
    let colon = bounded[..sign].iter().position(|byte| *byte == b':')?;
    let password = &bounded[colon + 1..sign];
    const STAND_INS: [&[u8]; 9] = [b"password", b"pass", b"passwd", b"secret", b"changeme", b"pw", b"pwd", b"xxx", b"token"];
    let is_stand_in = password.len() < LEAST_PASSWORD
        || !password[0].is_ascii()
        || matches!(password[0], b'$' | b'{' | b'*' | b'[' | b'%')
        || STAND_INS.iter().any(|stand_in| password.eq_ignore_ascii_case(stand_in));
    let begin = ADDRESS.len() + colon + 1;
    (!is_stand_in).then_some(begin..begin + password.len())
}
