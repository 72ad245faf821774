//! What the formats of Office Open XML have in common: properties, and references from one part to another.

use std::collections::HashMap;

use super::{
    ExtractError,
    archive::Archive,
    xml::{self, Node},
};

/// Characters of a title that are kept.
const MOST_TITLE_CHARACTERS: usize = 300;

/// The title in the file's properties, unless a program put its own words there.
pub(super) fn title(archive: &mut Archive<'_>) -> Result<Option<String>, ExtractError> {
    let Some(part) = archive.read("docProps/core.xml")? else { return Ok(None) };
    let mut title = String::new();
    let mut in_title = false;
    xml::walk("Office", &part, |node| {
        match node {
            Node::Open(element) => in_title = element.name() == "title",
            Node::Close(_) => in_title = false,
            Node::Text(text) if in_title => title.push_str(&text),
            Node::Text(_) => {}
        }
        Ok(())
    })?;
    let title: String = one_line(&title).chars().take(MOST_TITLE_CHARACTERS).collect();
    let is_noise = title.is_empty() || matches!(title.to_lowercase().as_str(), "powerpoint presentation" | "word document");
    Ok((!is_noise).then_some(title))
}

/// A text without its line ends.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A part that another one refers to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// The last word of its type.
    pub(super) kind: String,
    /// Its name in the archive.
    pub(super) name: String,
}

/// The references of a part, by their ids.
pub(super) fn references(
    archive: &mut Archive<'_>,
    format: &'static str,
    part: &str,
) -> Result<HashMap<String, Target>, ExtractError> {
    let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
    let mut targets = HashMap::new();
    let Some(list) = archive.read(&format!("{folder}/_rels/{file}.rels"))? else { return Ok(targets) };
    xml::walk(format, &list, |node| {
        if let Node::Open(element) = node
            && element.name() == "Relationship"
            && let Some(id) = element.attribute("Id")
            && let Some(target) = element.attribute("Target")
        {
            let kind = element.attribute("Type").unwrap_or_default();
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            targets.insert(id, Target { kind, name: resolved(folder, &target) });
        }
        Ok(())
    })?;
    Ok(targets)
}

/// The name of a member that is named from inside of a folder.
pub(super) fn resolved(folder: &str, target: &str) -> String {
    let from: &str = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in from.split('/').chain(target.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_from_the_folder_of_the_part() {
        assert_eq!(resolved("ppt/slides", "../notesSlides/a.xml"), "ppt/notesSlides/a.xml");
        assert_eq!(resolved("ppt", "/ppt/slides/b.xml"), "ppt/slides/b.xml");
        assert_eq!(resolved("", "../../c.xml"), "c.xml");
    }
}
