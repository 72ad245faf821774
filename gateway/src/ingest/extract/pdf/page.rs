//! One page at a time as a document of its own, whose content is nothing but text operators.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream};

use super::{Glyphs, OutputError, Read, flatten, fonts};

/// How far properties of a page are looked for in the tree above it.
const MOST_PARENTS: usize = 64;

/// Reads page after page.
pub(super) struct PageMaker<'a> {
    document: &'a mut Document,
    /// The objects of the page that is read, written anew for each.
    page: ObjectId,
    content: ObjectId,
    /// Fonts that the reader panics on.
    bad_fonts: HashSet<fonts::Identity>,
}

impl<'a> PageMaker<'a> {
    /// Gives the document a new root with a single page.
    pub(super) fn new(document: &'a mut Document) -> Self {
        let [catalog, pages, page, content] = [(); 4].map(|()| document.new_object_id());
        let mut root = Dictionary::new();
        root.set("Type", Object::Name(b"Catalog".to_vec()));
        root.set("Pages", Object::Reference(pages));
        let mut tree = Dictionary::new();
        tree.set("Type", Object::Name(b"Pages".to_vec()));
        tree.set("Kids", Object::Array(vec![Object::Reference(page)]));
        tree.set("Count", Object::Integer(1));
        document.objects.insert(catalog, Object::Dictionary(root));
        document.objects.insert(pages, Object::Dictionary(tree));
        document.trailer.set("Root", Object::Reference(catalog));
        Self { document, page, content, bad_fonts: HashSet::new() }
    }

    /// The lines of a page.
    pub(super) fn read(&mut self, page: ObjectId, most_characters: usize) -> Read {
        let Ok(flat) = catch_unwind(AssertUnwindSafe(|| self.flatten(page))) else { return Read::Unreadable };
        self.write(&flat);
        if let Some(read) = self.glyphs(most_characters) {
            return read;
        }
        // Some font is to blame. Without it the rest of the page can be read.
        let bad = self.bad_fonts.len();
        for (name, identity, font) in &flat.fonts {
            let trial = flatten::Flat { content: fonts::trial(name), fonts: vec![(name.clone(), *identity, font.clone())] };
            self.write(&trial);
            if self.glyphs(most_characters).is_none() {
                self.bad_fonts.insert(*identity);
            }
        }
        if self.bad_fonts.len() == bad {
            return Read::Unreadable;
        }
        let Ok(flat) = catch_unwind(AssertUnwindSafe(|| self.flatten(page))) else { return Read::Unreadable };
        self.write(&flat);
        self.glyphs(most_characters).unwrap_or(Read::Unreadable)
    }

    fn flatten(&self, page: ObjectId) -> flatten::Flat {
        let empty = Dictionary::new();
        let resources = self.inherited(page, b"Resources").and_then(|object| object.as_dict().ok()).unwrap_or(&empty);
        let content = self.document.get_page_content(page).unwrap_or_default();
        flatten::page(self.document, content, resources, &self.bad_fonts)
    }

    fn inherited(&self, page: ObjectId, key: &[u8]) -> Option<&Object> {
        let mut dictionary = self.document.get_dictionary(page).ok()?;
        for _ in 0..MOST_PARENTS {
            if let Ok(object) = dictionary.get(key) {
                return self.document.dereference(object).ok().map(|(_, object)| object);
            }
            let parent = dictionary.get(b"Parent").and_then(Object::as_reference).ok()?;
            dictionary = self.document.get_dictionary(parent).ok()?;
        }
        None
    }

    fn write(&mut self, flat: &flatten::Flat) {
        let fonts = flat.fonts.iter().map(|(name, _, font)| (name.clone(), Object::Dictionary(font.clone())));
        let mut resources = Dictionary::new();
        resources.set("Font", Object::Dictionary(fonts.collect()));
        let mut page = Dictionary::new();
        page.set("Type", Object::Name(b"Page".to_vec()));
        page.set("MediaBox", Object::Array([0, 0, 595, 842].map(Object::Integer).to_vec()));
        page.set("Resources", Object::Dictionary(resources));
        page.set("Contents", Object::Reference(self.content));
        self.document.objects.insert(self.page, Object::Dictionary(page));
        let content = Stream::new(Dictionary::new(), flat.content.clone());
        self.document.objects.insert(self.content, Object::Stream(content));
    }

    /// What the written page holds; `None` after a panic.
    fn glyphs(&self, most_characters: usize) -> Option<Read> {
        let mut glyphs = Glyphs::new(most_characters);
        let done = catch_unwind(AssertUnwindSafe(|| pdf_extract::output_doc(self.document, &mut glyphs))).ok()?;
        Some(match done {
            Ok(()) => Read::Lines(glyphs.lines()),
            Err(OutputError::FormatError(_)) => Read::TooLong,
            Err(OutputError::IoError(_) | OutputError::PdfError(_)) => Read::Unreadable,
        })
    }
}
