//! E-mail (RFC 5322 with MIME): who wrote what to whom and when, then the text, preferring plain text to HTML. Attachments of text are
//! read, others named.

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::{Block, BlockKind, ExtractError, MAX_CHARACTERS, html, plain};

const FORMAT: &str = "e-mail";
/// Parts of a message, those of messages inside of it too. The library follows messages in messages without end.
const MOST_PARTS: usize = 1_000;
/// Messages inside of a message that are read.
const MOST_DEPTH: usize = 3;
/// People that are named in a field.
const MOST_ADDRESSES: usize = 50;
/// Bytes of a head that are looked at.
const HEAD_BYTES: usize = 16 << 10;

/// Whether a text begins as a message does: with fields, among them a sender and a date or an id.
pub(super) fn is_email(bytes: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD_BYTES)]);
    let mut has_sender = false;
    let mut has_origin = false;
    for line in head.lines().take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { return false };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return false;
        }
        has_sender |= name.eq_ignore_ascii_case("from");
        has_origin |= ["date", "message-id", "mime-version"].iter().any(|field| name.eq_ignore_ascii_case(field));
    }
    has_sender && has_origin
}

/// The blocks of a message, and its subject.
pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    if parts(bytes) > MOST_PARTS {
        return Err(ExtractError::Bomb { format: FORMAT, what: "has too many parts" });
    }
    let broken = || ExtractError::BrokenFile { format: FORMAT, what: "it has no head".to_owned() };
    let message = MessageParser::default().parse(bytes).ok_or_else(broken)?;
    if message.from().is_none() && message.subject().is_none() && message.date().is_none() {
        return Err(broken());
    }
    let mut blocks = Vec::new();
    read(&message, MOST_DEPTH, &mut blocks)?;
    if blocks.iter().map(|block| block.text.len()).sum::<usize>() > MAX_CHARACTERS {
        return Err(ExtractError::TooLong);
    }
    Ok((message.subject().map(one_line), blocks))
}

/// Lines that may begin a part: the fields that name a type.
fn parts(bytes: &[u8]) -> usize {
    const FIELD: &[u8] = b"content-type";
    let lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter(|line| line.trim_ascii_start().get(..FIELD.len()).is_some_and(|start| start.eq_ignore_ascii_case(FIELD))).count()
}

fn read(message: &Message<'_>, depth: usize, blocks: &mut Vec<Block>) -> Result<(), ExtractError> {
    if let Some(subject) = message.subject().map(one_line).filter(|subject| !subject.is_empty()) {
        blocks.push(Block::new(BlockKind::Heading(1), subject));
    }
    let fields = [
        ("From", message.from().map(people)),
        ("To", message.to().map(people)),
        ("Cc", message.cc().map(people)),
        ("Date", message.date().map(mail_parser::DateTime::to_rfc822)),
    ];
    let head: Vec<_> = fields
        .into_iter()
        .filter_map(|(name, value)| value.filter(|value| !value.is_empty()).map(|value| format!("{name}: {value}")))
        .collect();
    if !head.is_empty() {
        blocks.push(Block::new(BlockKind::Paragraph, tidy(&head.join("\n"))));
    }
    for part in message.text_bodies() {
        text(part, blocks)?;
    }
    let mut named = Vec::new();
    for part in message.attachments() {
        let name = part.attachment_name().map(one_line).filter(|name| !name.is_empty());
        match &part.body {
            PartType::Text(_) | PartType::Html(_) => {
                if let Some(name) = &name {
                    blocks.push(Block::new(BlockKind::Heading(2), format!("Attachment: {}", tidy(name))));
                }
                text(part, blocks)?;
            }
            PartType::Message(inner) if depth > 0 => read(inner, depth - 1, blocks)?,
            PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) | PartType::Multipart(_) => named.extend(name),
        }
    }
    if !named.is_empty() {
        blocks.push(Block::new(BlockKind::Paragraph, tidy(&format!("Attachments: {}", named.join(", ")))));
    }
    Ok(())
}

fn text(part: &MessagePart<'_>, blocks: &mut Vec<Block>) -> Result<(), ExtractError> {
    match &part.body {
        // The lines are those of the part, not of the file.
        PartType::Text(text) => {
            let read = plain::blocks(&tidy(text)).into_iter();
            blocks.extend(read.map(|block| Block { lines: super::LineMap::default(), ..block }));
        }
        PartType::Html(page) => blocks.extend(html::of_text(&tidy(page))?.1),
        PartType::Binary(_) | PartType::InlineBinary(_) | PartType::Message(_) | PartType::Multipart(_) => {}
    }
    Ok(())
}

fn people(address: &Address<'_>) -> String {
    let person = |person: &mail_parser::Addr<'_>| match (person.name(), person.address()) {
        (Some(name), Some(address)) => format!("{} <{}>", one_line(name), one_line(address)),
        (Some(one), None) | (None, Some(one)) => one_line(one),
        (None, None) => String::new(),
    };
    address.iter().take(MOST_ADDRESSES).map(person).filter(|person| !person.is_empty()).collect::<Vec<_>>().join(", ")
}

fn one_line(text: &str) -> String {
    tidy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Line ends become `\n`; NUL, which PostgreSQL refuses, is dropped.
fn tidy(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str) -> Vec<(BlockKind, String)> {
        blocks(message.as_bytes()).unwrap().1.into_iter().map(|block| (block.kind, block.text)).collect()
    }

    const HEAD: &str = "From: Ann <ann@example.org>\r\nTo: bob@example.org, \"Cy, Jr.\" <cy@example.org>\r\n\
                        Date: Tue, 3 Mar 2026 10:00:00 +0100\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n";

    #[test]
    fn head_and_text_are_read_and_plain_text_is_preferred() {
        let message = format!(
            "{HEAD}Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello.\r\n\
             --b\r\nContent-Type: text/html\r\n\r\n<p>Hello in colours.</p>\r\n--b--\r\n"
        );
        let wanted = [
            (BlockKind::Heading(1), "Grüße"),
            (
                BlockKind::Paragraph,
                "From: Ann <ann@example.org>\nTo: bob@example.org, Cy, Jr. <cy@example.org>\nDate: Tue, 3 Mar 2026 10:00:00 +0100",
            ),
            (BlockKind::Paragraph, "Hello."),
        ];
        assert_eq!(read(&message), wanted.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn attachments_of_text_are_read_and_others_named() {
        let message = format!(
            "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>See <b>below</b>.</p>\r\n\
             --b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=note.txt\r\n\r\nA note.\r\n\
             --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=plan.png\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n"
        );
        let texts: Vec<_> = read(&message).into_iter().skip(2).map(|(_, text)| text).collect();
        assert_eq!(texts, ["See below.", "Attachment: note.txt", "A note.", "Attachments: plan.png"]);
    }

    #[test]
    fn messages_in_messages_without_end_are_refused() {
        let nested = |levels: usize| format!("{HEAD}{}\r\nend", "Content-Type: message/rfc822\r\n\r\n".repeat(levels));
        assert!(matches!(blocks(nested(MOST_PARTS + 1).as_bytes()), Err(ExtractError::Bomb { .. })));
        assert!(blocks(nested(MOST_PARTS - 1).as_bytes()).is_ok());
    }

    #[test]
    fn a_message_is_told_by_its_fields() {
        assert!(is_email(HEAD.as_bytes()));
        assert!(!is_email(b"From: me\nabout: nothing\n\ntext"));
        assert!(!is_email(b"Dear all,\nFrom: x\nDate: y"));
    }
}
