//! Files as other programs write them, and files made here that ought to be refused: what is read, and with which words.

use std::io::{Cursor, Write};

use ragline_gateway::ingest::extract::{Block, BlockKind, ExtractError, Extracted, extract};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const MANUAL: &[u8] = include_bytes!("data/formats/manual.docx");
const QUARTER: &[u8] = include_bytes!("data/formats/quarter.pptx");
const STAFF: &[u8] = include_bytes!("data/formats/staff.xlsx");
const LIGHTHOUSE: &[u8] = include_bytes!("data/formats/lighthouse.epub");
const DELIVERY: &[u8] = include_bytes!("data/formats/delivery.eml");

/// Every sample with its name.
pub(super) const SAMPLES: [(&str, &[u8]); 5] = [
    ("manual.docx", MANUAL),
    ("quarter.pptx", QUARTER),
    ("staff.xlsx", STAFF),
    ("lighthouse.epub", LIGHTHOUSE),
    ("delivery.eml", DELIVERY),
];

/// An archive with these members.
pub(super) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    archive_by(CompressionMethod::Deflated, members)
}

fn archive_by(method: CompressionMethod, members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A Word document with this body.
fn docx(body: &str) -> Vec<u8> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\">\
         <w:body>{body}</w:body></w:document>"
    );
    archive(&[("word/document.xml", document.as_bytes())])
}

/// A workbook with one sheet of these rows and these shared texts.
fn xlsx(rows: &str, strings: &str) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let packages = "http://schemas.openxmlformats.org/package/2006/relationships";
    let workbook = format!(
        "<workbook xmlns=\"{main}\" xmlns:r=\"{types}\"><sheets><sheet name=\"Data\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let references = format!(
        "<Relationships xmlns=\"{packages}\"><Relationship Id=\"rId1\" Type=\"{types}/worksheet\" Target=\"worksheets/sheet1.xml\"/>\
         </Relationships>"
    );
    let root = format!(
        "<Relationships xmlns=\"{packages}\"><Relationship Id=\"rId1\" Type=\"{types}/officeDocument\" Target=\"xl/workbook.xml\"/>\
         </Relationships>"
    );
    let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
    let strings = format!("<sst xmlns=\"{main}\">{strings}</sst>");
    archive(&[
        ("_rels/.rels", root.as_bytes()),
        ("xl/workbook.xml", workbook.as_bytes()),
        ("xl/_rels/workbook.xml.rels", references.as_bytes()),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

fn read(bytes: &[u8], name: &str) -> Extracted {
    extract(bytes, name, None).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn texts(blocks: &[Block]) -> Vec<(BlockKind, &str)> {
    blocks.iter().map(|block| (block.kind, block.text.as_str())).collect()
}

#[test]
fn a_word_document_has_headings_lists_and_tables() {
    let Extracted { title, content_type, blocks } = read(MANUAL, "manual.docx");
    assert_eq!(title.as_deref(), Some("Pump X2 manual"));
    assert!(content_type.ends_with("wordprocessingml.document"));
    let wanted = [
        (BlockKind::Heading(1), "Pump X2"),
        (BlockKind::Heading(1), "Maintenance"),
        (BlockKind::Paragraph, "The filter is cleaned once a week. Never with a wrench."),
        (BlockKind::Heading(2), "Tools"),
        (BlockKind::List, "- A brush\n- A bucket\n1. Close the valve\n2. Open the lid"),
        (BlockKind::Table, "Part | Number | Interval\nFilter | F-10 | 1 week\nSeal | S-22 | 1 year"),
        (BlockKind::Heading(1), "Disposal"),
        (BlockKind::Paragraph, "Oil & grease go to the <collection> point."),
    ];
    assert_eq!(texts(&blocks), wanted);
    assert!(blocks[5].has_header);
}

#[test]
fn what_tracking_deleted_is_left_out_and_text_boxes_are_read_once() {
    let body = "<w:p><w:r><w:t>Kept.</w:t></w:r><w:del><w:r><w:delText>Deleted.</w:delText></w:r></w:del></w:p>\
                <w:p><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>Boxed</w:t><w:tab/><w:t>text.</w:t></w:r></w:p>\
                </w:txbxContent></mc:Choice><mc:Fallback><w:p><w:r><w:t>Boxed text.</w:t></w:r></w:p></mc:Fallback>\
                </mc:AlternateContent></w:p><w:p><w:pPr><w:outlineLvl w:val=\"1\"/><w:tabs><w:tab/></w:tabs></w:pPr>\
                <w:r><w:t>Second</w:t><w:br/><w:t>level</w:t></w:r></w:p>";
    let extracted = read(&docx(body), "a.docx");
    let wanted =
        [(BlockKind::Paragraph, "Kept."), (BlockKind::Paragraph, "Boxed text."), (BlockKind::Heading(2), "Second level")];
    assert_eq!(texts(&extracted.blocks), wanted);
}

#[test]
fn a_presentation_is_read_slide_by_slide_with_its_notes() {
    let Extracted { title, blocks, .. } = read(QUARTER, "quarter.pptx");
    assert_eq!(title.as_deref(), Some("Quarter"));
    let found: Vec<_> = blocks.iter().map(|block| (block.page, block.kind, block.text.as_str())).collect();
    let wanted = [
        (Some(1), BlockKind::Heading(1), "Results"),
        (Some(1), BlockKind::Paragraph, "Third quarter"),
        (Some(2), BlockKind::Heading(1), "Growth"),
        (Some(2), BlockKind::List, "- Revenue rose\n  - by 12 percent"),
        (Some(2), BlockKind::Paragraph, "Notes: Mention the new plant in Graz."),
        (Some(3), BlockKind::Heading(1), "Figures"),
        (Some(3), BlockKind::Table, "Region | Sales\nNorth | 120"),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_workbook_has_a_table_for_each_sheet_that_can_be_seen() {
    let blocks = read(STAFF, "staff.xlsx").blocks;
    let headings: Vec<_> = blocks.iter().filter(|block| block.kind == BlockKind::Heading(1)).collect();
    assert_eq!(headings.iter().map(|block| block.text.as_str()).collect::<Vec<_>>(), ["Staff", "Stock"]);
    let staff = &blocks[1];
    let wanted = "Name | Since | Salary | Active\nAnn Lee | 2020-05-17 | 5200.5 | TRUE\nBob Ray | 2021-01-04 | 4800 | FALSE";
    assert_eq!(staff.text, wanted);
    assert_eq!((staff.sheet.as_deref(), staff.has_header), (Some("Staff"), true));
    assert_eq!(blocks[3].lines.at(blocks[3].text.find("Screw number 7").unwrap()), Some(8));
}

#[test]
fn shared_texts_and_cells_far_away_are_read_without_the_room_between() {
    let rows = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>\
                <row r=\"1048576\"><c r=\"A1048576\" t=\"s\"><v>1</v></c><c r=\"XFD1048576\"><v>7</v></c></row>";
    let extracted = read(&xlsx(rows, "<si><t>First</t></si><si><r><t>La</t></r><r><t>st</t></r></si>"), "a.xlsx");
    let table = &extracted.blocks[1];
    assert!(table.text.starts_with("First\nLast | ") && table.text.ends_with(" | 7"), "{}", table.text);
    assert!(table.text.len() < 300);
    assert_eq!(table.lines.at(table.text.len() - 1), Some(1_048_576));
}

#[test]
fn a_book_is_read_in_the_order_of_its_spine() {
    let Extracted { title, blocks, content_type } = read(LIGHTHOUSE, "lighthouse.epub");
    assert_eq!((title.as_deref(), content_type), (Some("The Lighthouse"), "application/epub+zip"));
    let found = texts(&blocks);
    let from = found.iter().position(|(_, text)| *text == "The Arrival").unwrap();
    let wanted = [
        (BlockKind::Heading(1), "The Arrival"),
        (BlockKind::Paragraph, "The boat came at dawn."),
        (BlockKind::Heading(1), "The Storm"),
        (BlockKind::Paragraph, "The lamp went out at midnight."),
    ];
    assert_eq!(found[from..], wanted);
}

#[test]
fn a_message_has_its_head_its_text_and_its_attachments() {
    let Extracted { title, blocks, .. } = read(DELIVERY, "delivery.eml");
    assert_eq!(title.as_deref(), Some("Lieferung für Graz"));
    let wanted = [
        (BlockKind::Heading(1), "Lieferung für Graz"),
        (BlockKind::Paragraph, "From: Ann Lee <ann@example.org>\nTo: bob@example.org\nDate: Tue, 3 Mar 2026 10:00:00 +0100"),
        (BlockKind::Paragraph, "Hallo Bob,"),
        (BlockKind::Paragraph, "die Pumpen kommen am Freitag."),
        (BlockKind::Paragraph, "Grüße\nAnn"),
        (BlockKind::Heading(2), "Attachment: liste.txt"),
        (BlockKind::Paragraph, "Pumpe X2: 3 Stück"),
        (BlockKind::Paragraph, "Attachments: plan.png"),
    ];
    assert_eq!(texts(&blocks), wanted);
}

#[test]
fn the_members_of_an_archive_tell_its_format_whatever_its_name() {
    for (name, bytes) in SAMPLES {
        let named = extract(bytes, name, None).unwrap();
        assert_eq!(extract(bytes, "upload", None).unwrap(), named, "{name}");
    }
    let error = |members: &[(&str, &[u8])]| extract(&archive(members), "a.zip", None).unwrap_err().to_string();
    assert!(error(&[("a.txt", b"x")]).starts_with("ZIP files are not supported"));
    let writer: &[u8] = b"application/vnd.oasis.opendocument.text";
    assert!(error(&[("mimetype", writer)]).starts_with("OpenDocument files are not supported"));
}

#[test]
fn half_a_file_is_broken_and_its_format_and_mend_are_named() {
    for (name, format) in
        [("manual.docx", "Word"), ("quarter.pptx", "PowerPoint"), ("staff.xlsx", "Excel"), ("lighthouse.epub", "EPUB")]
    {
        let (_, bytes) = SAMPLES.iter().find(|(sample, _)| *sample == name).unwrap();
        let error = extract(&bytes[..bytes.len() / 2], name, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the {format} file is broken: ")), "{error}");
        assert!(error.ends_with("open it in the program that made it and save it anew"), "{error}");
    }
    let error = extract(&docx("<w:p><w:r><w:t>a</w:t></w:p>"), "a.docx", None).unwrap_err();
    assert!(matches!(error, ExtractError::BrokenFile { format: "Word", .. }), "{error}");
    let error = extract(b"no head", "a.eml", None).unwrap_err();
    assert!(matches!(error, ExtractError::BrokenFile { format: "e-mail", .. }), "{error}");
}

#[test]
fn an_archive_that_unpacks_to_an_absurd_size_is_refused() {
    let blanks = vec![b' '; 9 << 20];
    let bomb = archive(&[("word/document.xml", &blanks)]);
    assert!(bomb.len() < 1 << 20);
    assert!(matches!(extract(&bomb, "a.docx", None), Err(ExtractError::Bomb { .. })));
    let crowd: Vec<_> = (0..20_001).map(|number| format!("{number}")).collect();
    let members: Vec<_> = crowd.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(matches!(extract(&archive(&members), "a.docx", None), Err(ExtractError::Bomb { .. })));
    let texts = "<si/>".repeat(8_000_001);
    let members = [("xl/workbook.xml", &b"<workbook/>"[..]), ("xl/sharedStrings.xml", texts.as_bytes())];
    let error = extract(&archive_by(CompressionMethod::Stored, &members), "a.xlsx", None).unwrap_err().to_string();
    assert!(error.contains("too many entries"), "{error}");
}

#[test]
fn entities_stand_for_nothing_and_nesting_is_bounded() {
    let document = "<!DOCTYPE d [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\"><!ENTITY x SYSTEM \"file:///etc/passwd\">]>\
                    <w:document><w:body><w:p><w:r><w:t>Safe &amp; &#233;&b;&x;.</w:t></w:r></w:p></w:body></w:document>";
    let extracted = read(&archive(&[("word/document.xml", document.as_bytes())]), "a.docx");
    assert_eq!(texts(&extracted.blocks), [(BlockKind::Paragraph, "Safe & é.")]);
    let deep = docx(&format!("{}{}", "<w:tbl>".repeat(100_000), "</w:tbl>".repeat(100_000)));
    let error = extract(&deep, "a.docx", None).unwrap_err().to_string();
    assert!(error.contains("nested more than 1000 deep"), "{error}");
}

#[test]
fn a_tag_with_a_million_attributes_is_refused_at_once() {
    let page = format!("<html><p{}>no", (0..1_000_000).map(|number| format!(" a{number}")).collect::<String>());
    assert!(matches!(extract(page.as_bytes(), "a.html", None), Err(ExtractError::TooManyAttributes)));
}
