//! PDFs made here: what is read, and what is refused with which words.

use pdf_extract::{
    Dictionary, Document, EncryptionState, EncryptionVersion, Object, Permissions, Stream,
    content::{Content, Operation},
};
use ragline_gateway::ingest::extract::{BlockKind, ExtractError, Extracted, extract};

/// A line: height on the page, size of the letters, text.
pub(super) type Line<'a> = (i64, i64, &'a str);

/// A PDF with these pages, set in Helvetica.
pub(super) fn pdf(pages: &[Vec<Line<'_>>]) -> Document {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let font = document.add_object(dictionary([
        ("Type", name("Font")),
        ("Subtype", name("Type1")),
        ("BaseFont", name("Helvetica")),
        ("Encoding", name("WinAnsiEncoding")),
    ]));
    let kids: Vec<Object> = pages
        .iter()
        .map(|lines| {
            let operations: Vec<Operation> = lines.iter().flat_map(|line| operations(*line)).collect();
            let content = Content { operations };
            let content = document.add_object(Stream::new(Dictionary::new(), content.encode().unwrap()));
            let fonts = dictionary([("F1", Object::Reference(font))]);
            let page = dictionary([
                ("Type", name("Page")),
                ("Parent", Object::Reference(tree)),
                ("MediaBox", Object::Array([0, 0, 595, 842].map(Object::Integer).to_vec())),
                ("Resources", Object::Dictionary(dictionary([("Font", Object::Dictionary(fonts))]))),
                ("Contents", Object::Reference(content)),
            ]);
            Object::Reference(document.add_object(page))
        })
        .collect();
    let count = Object::Integer(kids.len() as i64);
    let pages = dictionary([("Type", name("Pages")), ("Kids", Object::Array(kids)), ("Count", count)]);
    document.objects.insert(tree, Object::Dictionary(pages));
    let catalog = document.add_object(dictionary([("Type", name("Catalog")), ("Pages", Object::Reference(tree))]));
    document.trailer.set("Root", Object::Reference(catalog));
    document
}

fn operations((height, size, text): Line<'_>) -> Vec<Operation> {
    vec![
        Operation::new("BT", vec![]),
        Operation::new("Tf", vec![name("F1"), Object::Integer(size)]),
        Operation::new("Td", vec![Object::Integer(72), Object::Integer(height)]),
        Operation::new("Tj", vec![Object::string_literal(text)]),
        Operation::new("ET", vec![]),
    ]
}

fn name(name: &str) -> Object {
    Object::Name(name.as_bytes().to_vec())
}

fn dictionary<const N: usize>(entries: [(&str, Object); N]) -> Dictionary {
    let mut dictionary = Dictionary::new();
    for (key, value) in entries {
        dictionary.set(key, value);
    }
    dictionary
}

/// The bytes of the file.
pub(super) fn bytes(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

fn read(document: Document) -> Result<Extracted, ExtractError> {
    extract(&bytes(document), "made.pdf", None)
}

fn texts(document: Document) -> Vec<(BlockKind, String, Option<u32>)> {
    read(document).unwrap().blocks.into_iter().map(|block| (block.kind, block.text, block.page)).collect()
}

/// Page `number` of a small manual: a running head, a heading, two paragraphs, a page number.
fn manual_page(number: usize) -> Vec<Line<'static>> {
    const FEET: [&str; 4] = ["1", "2", "3", "4"];
    const HEADINGS: [&str; 4] = ["Maintenance", "Cleaning", "Repair", "Disposal"];
    const SEASONS: [&str; 4] =
        ["Oil is changed in spring.", "Oil is changed in summer.", "Oil is changed in autumn.", "No oil is changed."];
    vec![
        (800, 9, "The manual of the pump"),
        (740, 18, HEADINGS[number]),
        (700, 10, "The filter of the pump is to be cleaned once a week, and the cov-"),
        (688, 10, "er is to be screwed on by hand afterwards, never with a wrench."),
        (660, 10, SEASONS[number]),
        (40, 9, FEET[number]),
    ]
}

#[test]
fn a_pdf_has_headings_paragraphs_and_pages_without_its_furniture() {
    let blocks = texts(pdf(&(0..4).map(manual_page).collect::<Vec<_>>()));
    let filter = "The filter of the pump is to be cleaned once a week, and the cover is to be screwed on by hand afterwards, never with a wrench.";
    assert_eq!(blocks[0], (BlockKind::Heading(1), "Maintenance".to_owned(), Some(1)));
    assert_eq!(blocks[1], (BlockKind::Paragraph, filter.to_owned(), Some(1)));
    assert_eq!(blocks[2], (BlockKind::Paragraph, "Oil is changed in spring.".to_owned(), Some(1)));
    assert_eq!(blocks[9], (BlockKind::Heading(1), "Disposal".to_owned(), Some(4)));
    assert_eq!(blocks.len(), 12);
}

#[test]
fn the_title_comes_from_the_properties() {
    let mut document = pdf(&[manual_page(0)]);
    let info = document.add_object(dictionary([("Title", Object::string_literal("Pump  X2"))]));
    document.trailer.set("Info", Object::Reference(info));
    assert_eq!(read(document).unwrap().title.as_deref(), Some("Pump X2"));
}

fn encrypted(user_password: &str) -> Document {
    let mut document = pdf(&[manual_page(0)]);
    let id = Object::string_literal("0123456789abcdef");
    document.trailer.set("ID", Object::Array(vec![id.clone(), id]));
    let version = EncryptionVersion::V2 {
        document: &document,
        owner_password: "owner",
        user_password,
        key_length: 128,
        permissions: Permissions::all(),
    };
    let state = EncryptionState::try_from(version).unwrap();
    document.encrypt(&state).unwrap();
    document
}

#[test]
fn a_password_is_named_as_what_bars_the_way() {
    let error = read(encrypted("secret")).unwrap_err();
    assert!(matches!(error, ExtractError::Encrypted));
    assert!(error.to_string().contains("save it without the password"), "{error}");
}

#[test]
fn a_file_that_is_only_protected_against_changes_is_read() {
    let blocks = texts(encrypted(""));
    assert!(blocks.iter().any(|(_, text, _)| text == "Maintenance"), "{blocks:?}");
}

#[test]
fn a_scan_is_sent_to_text_recognition() {
    let error = read(pdf(&[vec![], vec![]])).unwrap_err();
    assert!(matches!(error, ExtractError::NoTextLayer { pages: 2 }));
    assert!(error.to_string().contains("OCR"), "{error}");
}

#[test]
fn half_a_file_and_a_mere_header_are_broken() {
    let whole = bytes(pdf(&(0..4).map(manual_page).collect::<Vec<_>>()));
    for bytes in [&whole[..whole.len() / 2], b"%PDF-1.7\n", b"%PDF-1.7\n1 0 obj\n<</Type /Catalog>>\nendobj\n%%EOF"] {
        let error = extract(bytes, "half.pdf", None).unwrap_err();
        assert!(matches!(error, ExtractError::Broken { .. }), "{error}");
        assert!(error.to_string().contains("save or print it as a new PDF"), "{error}");
    }
}

#[test]
fn a_name_that_says_pdf_does_not_make_one() {
    let error = extract(b"just words", "words.pdf", None).unwrap_err();
    assert!(matches!(error, ExtractError::Broken { .. }), "{error}");
}

#[test]
fn a_form_that_draws_itself_is_read_once() {
    let mut document = pdf(&[manual_page(0)]);
    let page = document.page_iter().next().unwrap();
    let form = document.new_object_id();
    let forms = dictionary([("X", Object::Reference(form))]);
    let resources = {
        let page = document.get_dictionary_mut(page).unwrap();
        let Object::Dictionary(resources) = page.get_mut(b"Resources").unwrap() else { panic!("resources are a dictionary") };
        resources.set("XObject", Object::Dictionary(forms));
        resources.clone()
    };
    let content = "BT /F1 10 Tf 72 300 Td (A form speaks.) Tj ET /X Do";
    let own = dictionary([("Type", name("XObject")), ("Subtype", name("Form")), ("Resources", Object::Dictionary(resources))]);
    document.objects.insert(form, Object::Stream(Stream::new(own, content.as_bytes().to_vec())));
    document.add_page_contents(page, b"\n/X Do".to_vec()).unwrap();
    let spoken = texts(document).iter().filter(|(_, text, _)| text == "A form speaks.").count();
    assert_eq!(spoken, 1);
}

#[test]
fn a_font_that_cannot_be_read_costs_its_own_text_only() {
    let mut document = pdf(&[manual_page(0)]);
    let page = document.page_iter().next().unwrap();
    let bad = dictionary([
        ("Type", name("Font")),
        ("Subtype", name("Type0")),
        ("BaseFont", name("Bad")),
        ("Encoding", name("Nonsense-H")),
    ]);
    let page_dictionary = document.get_dictionary_mut(page).unwrap();
    let Object::Dictionary(resources) = page_dictionary.get_mut(b"Resources").unwrap() else {
        panic!("resources are a dictionary")
    };
    let Object::Dictionary(fonts) = resources.get_mut(b"Font").unwrap() else { panic!("fonts are a dictionary") };
    fonts.set("F2", Object::Dictionary(bad));
    document
        .add_page_contents(page, b"\nBT /F2 10 Tf 72 300 Td (Lost.) Tj ET BT /F1 10 Tf 72 200 Td (Kept.) Tj ET".to_vec())
        .unwrap();
    let texts: Vec<_> = texts(document).into_iter().map(|(_, text, _)| text).collect();
    assert!(texts.iter().any(|text| text == "Kept."), "{texts:?}");
}
