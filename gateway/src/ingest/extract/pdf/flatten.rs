//! A page's content with the forms it draws put in their places, every operator but those of text dropped, and every operand checked.

use std::collections::HashSet;

use pdf_extract::{
    Dictionary, Document, Object, ObjectId, Stream,
    content::{Content, Operation},
};

use super::fonts::{self, Identity};

/// Operators of one page; more is no page but an attack.
const MOST_OPERATIONS: usize = 2_000_000;
/// Forms within forms.
const MOST_DEPTH: usize = 12;
/// Saved graphics states.
const MOST_SAVED: usize = 128;

/// A page, flat.
#[derive(Debug)]
pub(super) struct Flat {
    pub(super) content: Vec<u8>,
    /// Name in the content, identity, checked dictionary.
    pub(super) fonts: Vec<(Vec<u8>, Identity, Dictionary)>,
}

/// Flattens a page.
pub(super) fn page(document: &Document, content: Vec<u8>, resources: &Dictionary, bad_fonts: &HashSet<Identity>) -> Flat {
    let mut flattener = Flattener {
        document,
        bad_fonts,
        operations: Vec::new(),
        fonts: Vec::new(),
        forms: Vec::new(),
        saved: Vec::new(),
        has_font: false,
        room: MOST_OPERATIONS,
    };
    flattener.content(&content, resources);
    let Flattener { operations, fonts, .. } = flattener;
    Flat { content: Content { operations }.encode().unwrap_or_default(), fonts }
}

struct Flattener<'a> {
    document: &'a Document,
    bad_fonts: &'a HashSet<Identity>,
    operations: Vec<Operation>,
    fonts: Vec<(Vec<u8>, Identity, Dictionary)>,
    /// The forms that are being drawn, outermost first.
    forms: Vec<ObjectId>,
    /// Whether a font was chosen, for each saved state.
    saved: Vec<bool>,
    has_font: bool,
    room: usize,
}

impl Flattener<'_> {
    fn content(&mut self, content: &[u8], resources: &Dictionary) {
        let Ok(content) = Content::decode(content) else { return };
        let floor = self.saved.len();
        for operation in content.operations {
            let Some(room) = self.room.checked_sub(1) else { return };
            self.room = room;
            self.operation(operation, resources, floor);
        }
        while self.saved.len() > floor {
            self.restore();
        }
    }

    fn operation(&mut self, operation: Operation, resources: &Dictionary, floor: usize) {
        let Operation { operator, operands } = operation;
        match (operator.as_str(), operands.as_slice()) {
            ("BT" | "ET" | "T*", _) => self.push(&operator, Vec::new()),
            ("q", _) if self.saved.len() < MOST_SAVED => {
                self.saved.push(self.has_font);
                self.push("q", Vec::new());
            }
            ("Q", _) if self.saved.len() > floor => self.restore(),
            ("cm" | "Tm", numbers) if are_numbers(numbers, 6) => self.push(&operator, operands),
            ("Td" | "TD", numbers) if are_numbers(numbers, 2) => self.push(&operator, operands),
            ("Tc" | "Tw" | "Tz" | "TL" | "Ts", numbers) if are_numbers(numbers, 1) => self.push(&operator, operands),
            ("Tf", [Object::Name(name), size]) if are_numbers(std::slice::from_ref(size), 1) => self.font(name, size, resources),
            ("Tj", [text @ Object::String(..)]) => self.show("Tj", text.clone()),
            ("'", [text @ Object::String(..)]) => {
                self.push("T*", Vec::new());
                self.show("Tj", text.clone());
            }
            ("\"", [word, character, text @ Object::String(..)]) if are_numbers(&operands[..2], 2) => {
                self.push("Tw", vec![word.clone()]);
                self.push("Tc", vec![character.clone()]);
                self.push("T*", Vec::new());
                self.show("Tj", text.clone());
            }
            ("TJ", [Object::Array(_)]) => self.show("TJ", operands[0].clone()),
            ("Do", [Object::Name(name)]) => self.form(name, resources),
            _ => {}
        }
    }

    fn push(&mut self, operator: &str, operands: Vec<Object>) {
        self.operations.push(Operation::new(operator, operands));
    }

    fn restore(&mut self) {
        if let Some(has_font) = self.saved.pop() {
            self.has_font = has_font;
            self.push("Q", Vec::new());
        }
    }

    /// Text without a font is no text.
    fn show(&mut self, operator: &str, text: Object) {
        if self.has_font {
            self.push(operator, vec![text]);
        }
    }

    fn font(&mut self, name: &[u8], size: &Object, resources: &Dictionary) {
        self.has_font = false;
        let Some((identity, font)) = fonts::find(self.document, resources, name) else { return };
        if self.bad_fonts.contains(&identity) {
            return;
        }
        let known = self.fonts.iter().find(|(_, other, _)| *other == identity).map(|(name, _, _)| name.clone());
        let name = match known {
            Some(name) => name,
            None => {
                let Some(font) = fonts::checked(self.document, font) else { return };
                let name = format!("F{}", self.fonts.len()).into_bytes();
                self.fonts.push((name.clone(), identity, font));
                name
            }
        };
        self.has_font = true;
        self.push("Tf", vec![Object::Name(name), size.clone()]);
    }

    /// Puts the content of a form in its place.
    fn form(&mut self, name: &[u8], resources: &Dictionary) {
        let document = self.document;
        let Some((id, form)) = form(document, name, resources) else { return };
        if self.forms.len() >= MOST_DEPTH || self.saved.len() >= MOST_SAVED || self.forms.contains(&id) {
            return;
        }
        let own =
            form.dict.get(b"Resources").and_then(|object| document.dereference(object)).and_then(|(_, object)| object.as_dict());
        let content = form.get_plain_content().unwrap_or_default();
        self.saved.push(self.has_font);
        self.push("q", Vec::new());
        if let Ok(Object::Array(matrix)) = form.dict.get(b"Matrix")
            && are_numbers(matrix, 6)
        {
            self.push("cm", matrix.clone());
        }
        self.forms.push(id);
        self.content(&content, own.unwrap_or(resources));
        self.forms.pop();
        self.restore();
    }
}

fn form<'a>(document: &'a Document, name: &[u8], resources: &Dictionary) -> Option<(ObjectId, &'a Stream)> {
    let objects = resources.get(b"XObject").ok()?;
    let object = match objects {
        Object::Reference(id) => document.get_dictionary(*id).ok()?.get(name).ok()?.as_reference().ok()?,
        Object::Dictionary(objects) => objects.get(name).ok()?.as_reference().ok()?,
        _ => return None,
    };
    let stream = document.get_object(object).ok()?.as_stream().ok()?;
    let is_form = stream.dict.get(b"Subtype").and_then(Object::as_name).is_ok_and(|subtype| subtype == b"Form");
    is_form.then_some((object, stream))
}

fn are_numbers(objects: &[Object], count: usize) -> bool {
    objects.len() == count && objects.iter().all(|object| object.as_float().is_ok_and(f32::is_finite))
}
