//! The members of a zip archive, as ranges of the mapped file.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use zip::{CompressionMethod, ZipArchive};

/// A member that is stored as it is, as PyTorch stores all that it reads back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub bytes: Range<usize>,
    checksum: u32,
}

/// The stored members by their names, without the folder that PyTorch puts all of them into.
///
/// # Errors
/// What completes the sentence "`path` …".
pub fn members(bytes: &[u8]) -> Result<BTreeMap<String, Member>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| cut())?;
    let mut members = BTreeMap::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(|_| cut())?;
        if member.compression() != CompressionMethod::Stored || member.encrypted() {
            continue;
        }
        let [start, size] = [member.data_start().unwrap_or(0), member.size()].map(usize::try_from);
        let end = start.ok().zip(size.ok()).and_then(|(start, size)| Some((start, start.checked_add(size)?)));
        let (start, end) = end.filter(|(_, end)| *end <= bytes.len()).ok_or_else(cut)?;
        let name = String::from_utf8_lossy(member.name_raw());
        let name = name.split_once('/').map_or(&*name, |(_, name)| name).to_string();
        members.insert(name, Member { bytes: start..end, checksum: member.crc32() });
    }
    Ok(members)
}

/// Whether the bytes of a member are those that were written, by their checksum.
pub fn is_whole(bytes: &[u8], member: &Member) -> bool {
    crc32fast::hash(&bytes[member.bytes.clone()]) == member.checksum
}

/// The table of contents is at the end of an archive.
fn cut() -> String {
    "is truncated: it begins as a file of PyTorch, but its table of contents is not sound; copy it again".to_string()
}
