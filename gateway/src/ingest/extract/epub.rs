//! Books (EPUB 2 and 3): the chapters in the order of the book's spine, each read as a page of HTML. A chapter without a heading gets
//! the one that its own head names.

use std::collections::HashMap;

use super::{
    Block, BlockKind, ExtractError, MAX_CHARACTERS,
    archive::Archive,
    html, office,
    xml::{self, Node},
};

const FORMAT: &str = "EPUB";

/// The blocks of a book, and its title.
pub(super) fn blocks(bytes: &[u8]) -> Result<(Option<String>, Vec<Block>), ExtractError> {
    let mut archive = Archive::open(bytes, FORMAT)?;
    if archive.has("META-INF/rights.xml") {
        return Err(ExtractError::Locked { format: FORMAT });
    }
    let root = root(&archive.required("META-INF/container.xml")?)?;
    let Book { title, chapters } = book(&archive.required(&root)?)?;
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut blocks = Vec::new();
    let mut characters = 0;
    for chapter in chapters {
        let name = office::resolved(folder, &unescaped(&chapter));
        let Some(page) = archive.read(&name)? else { continue };
        let (heading, texts) = html::blocks(&page, Some("application/xhtml+xml"))?;
        characters += texts.iter().map(|block| block.text.len()).sum::<usize>();
        if characters > MAX_CHARACTERS {
            return Err(ExtractError::TooLong);
        }
        let has_heading = texts.iter().any(|block| matches!(block.kind, BlockKind::Heading(_)));
        if let Some(heading) = heading.filter(|heading| !has_heading && !texts.is_empty() && Some(heading) != title.as_ref()) {
            blocks.push(Block::new(BlockKind::Heading(1), heading));
        }
        blocks.extend(texts);
    }
    Ok((title, blocks))
}

/// The name of the file that describes the book.
fn root(container: &[u8]) -> Result<String, ExtractError> {
    let mut root = None;
    xml::walk(FORMAT, container, |node| {
        if let Node::Open(element) = node
            && element.name() == "rootfile"
            && root.is_none()
        {
            root = element.attribute("full-path");
        }
        Ok(())
    })?;
    root.ok_or_else(|| ExtractError::BrokenFile { format: FORMAT, what: "it does not say where its contents are".to_owned() })
}

struct Book {
    title: Option<String>,
    /// The files of the chapters, in order.
    chapters: Vec<String>,
}

fn book(package: &[u8]) -> Result<Book, ExtractError> {
    let mut files = HashMap::new();
    let mut chapters = Vec::new();
    let mut title = String::new();
    let mut in_title = false;
    xml::walk(FORMAT, package, |node| {
        match node {
            Node::Open(element) => match element.name() {
                "title" if title.is_empty() => in_title = true,
                "item" => {
                    let kind = element.attribute("media-type").unwrap_or_default();
                    if let Some((id, file)) = element.attribute("id").zip(element.attribute("href"))
                        && kind.contains("html")
                    {
                        files.insert(id, file);
                    }
                }
                "itemref" => chapters.extend(element.attribute("idref").and_then(|id| files.remove(&id))),
                _ => {}
            },
            Node::Text(text) if in_title => title.push_str(&text),
            Node::Text(_) => {}
            Node::Close(_) => in_title = false,
        }
        Ok(())
    })?;
    let title = office::one_line(&title);
    Ok(Book { title: (!title.is_empty()).then_some(title), chapters })
}

/// A name as it is in the archive, out of the address that it is in a book.
fn unescaped(address: &str) -> String {
    let path = address.split('#').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_names() {
        assert_eq!(unescaped("text/chapter%201.xhtml#a"), "text/chapter 1.xhtml");
        assert_eq!(unescaped("100%"), "100%");
    }
}
