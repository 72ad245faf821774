//! Server-sent events as they come.

use anyhow::bail;
use reqwest::Response;

use super::api::Api;

/// An event larger than this is none of the gateway's.
const MOST_EVENT_BYTES: usize = 16 << 20;

/// A named event.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) data: String,
}

/// A stream of events.
pub(super) struct Events<'a> {
    api: &'a Api,
    response: Response,
    lines: Lines,
}

/// Bytes that came and belong to no event yet.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    name: String,
    data: Vec<String>,
}

impl<'a> Events<'a> {
    pub(super) fn new(api: &'a Api, response: Response) -> Self {
        Self { api, response, lines: Lines::default() }
    }

    /// The next event; none when the stream has ended.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Event>> {
        loop {
            if let Some(event) = self.lines.next() {
                return Ok(Some(event));
            }
            let Some(piece) = self.response.chunk().await.map_err(|error| self.api.unreachable(error))? else {
                return Ok(None);
            };
            self.lines.bytes.extend_from_slice(&piece);
            if self.lines.bytes.len() > MOST_EVENT_BYTES {
                bail!("the gateway's answer has an event of more than {MOST_EVENT_BYTES} bytes");
            }
        }
    }
}

impl Lines {
    /// An event that is whole. Comments, which keep a connection alive, are passed over.
    fn next(&mut self) -> Option<Event> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
                if !data.is_empty() {
                    return Some(Event { name, data: data.join("\n") });
                }
            } else if let Some(value) = line.strip_prefix("data:") {
                self.data.push(value.strip_prefix(' ').unwrap_or(value).to_owned());
            } else if let Some(value) = line.strip_prefix("event:") {
                value.trim().clone_into(&mut self.name);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_come() {
        let stream = ": still here\n\nevent: text\ndata: {\"text\":\"ä\"}\n\nevent: end\r\ndata: a\r\ndata: b\r\n\r\nevent: text\ndata: cut";
        for size in [1, 2, 7, stream.len()] {
            let (mut lines, mut events) = (Lines::default(), Vec::new());
            for piece in stream.as_bytes().chunks(size) {
                lines.bytes.extend_from_slice(piece);
                while let Some(Event { name, data }) = lines.next() {
                    events.push((name, data));
                }
            }
            let expected = [("text".to_owned(), "{\"text\":\"ä\"}".to_owned()), ("end".to_owned(), "a\nb".to_owned())];
            assert_eq!(events, expected, "{size} bytes at a time");
        }
    }
}
