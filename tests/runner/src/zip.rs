//! A zip archive of stored files, which is what a diagnostic log is.

/// Where a file's entry begins, and what the directory says of it.
struct Entry<'a> {
    name: &'a str,
    crc: u32,
    size: u32,
    offset: u32,
}

/// Packs files. Each must be below 4 GiB, which diagnostics are by far.
pub fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut entries = Vec::new();
    for (name, content) in files {
        let entry = Entry { name, crc: crc(content), size: length(content), offset: length(&archive) };
        archive.extend(b"PK\x03\x04\x14\0");
        archive.extend(common(&entry));
        archive.extend(0_u16.to_le_bytes()); // no extra field
        archive.extend(name.as_bytes());
        archive.extend(*content);
        entries.push(entry);
    }
    let directory = length(&archive);
    for entry in &entries {
        archive.extend(b"PK\x01\x02\x14\0\x14\0");
        archive.extend(common(entry));
        archive.extend([0; 12]); // no extra field, no comment, first disk, no attributes
        archive.extend(entry.offset.to_le_bytes());
        archive.extend(entry.name.as_bytes());
    }
    let size = length(&archive) - directory;
    let count = u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes();
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend([count, count].concat());
    archive.extend(size.to_le_bytes());
    archive.extend(directory.to_le_bytes());
    archive.extend([0; 2]);
    archive
}

/// Flags (names are UTF-8), method (stored), time and date (1980), checksum, both sizes, length of the name.
fn common(entry: &Entry<'_>) -> Vec<u8> {
    let mut fields = vec![0, 8, 0, 0, 0, 0, 0x21, 0];
    fields.extend(entry.crc.to_le_bytes());
    fields.extend(entry.size.to_le_bytes());
    fields.extend(entry.size.to_le_bytes());
    fields.extend(u16::try_from(entry.name.len()).unwrap_or(u16::MAX).to_le_bytes());
    fields
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests;
