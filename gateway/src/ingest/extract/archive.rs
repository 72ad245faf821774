//! ZIP archives, the container of Office files and books. Nothing is written, nested archives are not opened, and what is unpacked is
//! bounded whatever the archive says of itself.

use std::io::{Cursor, Read};

use zip::{ZipArchive, result::ZipError};

use super::{ExtractError, Format};

/// Members that an archive may have.
const MOST_MEMBERS: usize = 20_000;
/// Bytes that are unpacked of an archive, all in all.
const MOST_BYTES: u64 = 256 << 20;
/// From this size on a member must not be larger than its packed bytes by more than the ratio.
const RATIO_FROM_BYTES: u64 = 8 << 20;
const MOST_RATIO: u64 = 200;

/// Begins each entry of an archive's list of members.
const ENTRY: &[u8] = b"PK\x01\x02";

/// An archive that is read member by member.
pub(super) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    format: &'static str,
    /// Bytes that may still be unpacked.
    room: u64,
}

pub(super) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Which format an archive holds. A broken archive has the one that its name says.
pub(super) fn format(bytes: &[u8], named: Option<Format>) -> Result<Format, ExtractError> {
    let named = named.filter(|format| matches!(format, Format::Docx | Format::Pptx | Format::Xlsx | Format::Epub));
    let mut archive = match (Archive::open(bytes, "ZIP"), named) {
        (Ok(archive), _) => archive,
        (Err(ExtractError::BrokenFile { .. }), Some(named)) => return Ok(named),
        (Err(error), _) => return Err(error),
    };
    for (member, format) in [
        ("word/document.xml", Format::Docx),
        ("ppt/presentation.xml", Format::Pptx),
        ("xl/workbook.xml", Format::Xlsx),
        ("META-INF/container.xml", Format::Epub),
    ] {
        if archive.has(member) {
            return Ok(format);
        }
    }
    if archive.has("xl/workbook.bin") {
        return Err(ExtractError::Unsupported { found: "binary Excel (.xlsb)" });
    }
    let mimetype = archive.read("mimetype").ok().flatten().unwrap_or_default();
    if mimetype.starts_with(b"application/vnd.oasis.opendocument") {
        return Err(ExtractError::Unsupported { found: "OpenDocument" });
    }
    named.ok_or(ExtractError::Unsupported { found: "ZIP" })
}

impl<'a> Archive<'a> {
    /// Opens an archive; `format` names it in errors.
    pub(super) fn open(bytes: &'a [u8], format: &'static str) -> Result<Self, ExtractError> {
        // Counted before the list is read, since it takes much more memory than it has bytes.
        if bytes.windows(ENTRY.len()).filter(|window| *window == ENTRY).count() > MOST_MEMBERS {
            return Err(ExtractError::Bomb { format, what: "has too many members" });
        }
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| failed(format, &error))?;
        Ok(Self { zip, format, room: MOST_BYTES })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// A member unpacked, `None` where there is none.
    pub(super) fn read(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        let format = self.format;
        let mut member = match self.zip.by_name(name) {
            Ok(member) => member,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(failed(format, &error)),
        };
        let packed = member.compressed_size();
        let most = self.room.min(RATIO_FROM_BYTES.max(packed.saturating_mul(MOST_RATIO)));
        let mut bytes = Vec::new();
        let read = (&mut member).take(most + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > most {
            return Err(ExtractError::Bomb { format, what: "unpacks to an absurd size" });
        }
        read.map_err(|error| failed(format, &ZipError::Io(error)))?;
        self.room -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// A member without which the file cannot be read.
    pub(super) fn required(&mut self, name: &str) -> Result<Vec<u8>, ExtractError> {
        let format = self.format;
        self.read(name)?.ok_or_else(|| ExtractError::BrokenFile { format, what: format!("it has no {name}") })
    }

    /// Unpacks the members and forgets them, so that a reader of its own meets no bomb. `most_tags` says how many tags a member may
    /// have, `None` for one that is never read.
    pub(super) fn check(&mut self, most_tags: impl Fn(&str) -> Option<usize>) -> Result<(), ExtractError> {
        let names: Vec<String> = self.zip.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned).collect();
        for name in names {
            let Some(most) = most_tags(&name.to_lowercase()) else { continue };
            let bytes = self.read(&name)?.unwrap_or_default();
            if bytes.iter().filter(|byte| **byte == b'<').count() > most {
                return Err(ExtractError::Bomb { format: self.format, what: "has too many entries in its tables" });
            }
        }
        Ok(())
    }
}

fn failed(format: &'static str, error: &ZipError) -> ExtractError {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) | ZipError::InvalidPassword => ExtractError::Locked { format },
        error => ExtractError::BrokenFile { format, what: error.to_string() },
    }
}
