//! What can happen to a file between a provider and the landing folder.

use super::generator::{Delivery, Random};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corruption {
    None,
    /// One byte becomes another.
    Byte,
    /// Bytes are lost.
    Lost,
    /// The end is missing.
    Cut,
    /// A delimiter, quote, newline or bracket too many.
    Inserted,
    /// A digit becomes another.
    Digit,
    DroppedRecord,
    DoubledRecord,
    SwappedRecords,
    /// The file is written in another encoding than agreed.
    OtherEncoding,
}

const KINDS: [Corruption; 9] = [
    Corruption::Byte,
    Corruption::Lost,
    Corruption::Cut,
    Corruption::Inserted,
    Corruption::Digit,
    Corruption::DroppedRecord,
    Corruption::DoubledRecord,
    Corruption::SwappedRecords,
    Corruption::OtherEncoding,
];

impl Corruption {
    pub fn any(random: &mut Random) -> Self {
        random.pick(&KINDS)
    }
}

/// The bytes of a delivery after the corruption.
pub fn corrupt(delivery: &Delivery, corruption: Corruption, random: &mut Random) -> Vec<u8> {
    let mut bytes = delivery.bytes();
    let at = random.below(bytes.len() as u64) as usize;
    let mut pieces = delivery.pieces.clone();
    let (one, other) = (
        random.below(pieces.len() as u64) as usize,
        random.below(pieces.len() as u64) as usize,
    );
    if bytes.is_empty() || pieces.is_empty() {
        return bytes;
    }
    match corruption {
        Corruption::None => {}
        Corruption::Byte => bytes[at] = random.below(256) as u8,
        Corruption::Lost => {
            let end = (at + 1 + random.below(9) as usize).min(bytes.len());
            bytes.drain(at..end);
        }
        Corruption::Cut => bytes.truncate(at),
        Corruption::Inserted => {
            let marks = [
                delivery.dialect.delimiter,
                b'"',
                b'\'',
                b'\\',
                b'\n',
                b'\r',
                b' ',
                b'{',
                b']',
                b'<',
                b'&',
                b'#',
                0,
            ];
            bytes.insert(at, random.pick(&marks));
        }
        Corruption::Digit => {
            let digits: Vec<usize> = (0..bytes.len())
                .filter(|at| bytes[*at].is_ascii_digit())
                .collect();
            if !digits.is_empty() {
                bytes[random.pick(&digits)] = b'0' + random.below(10) as u8;
            }
        }
        Corruption::DroppedRecord => {
            pieces.remove(one);
            bytes = delivery.encoded(&pieces.concat());
        }
        Corruption::DoubledRecord => {
            pieces.insert(one, pieces[one].clone());
            bytes = delivery.encoded(&pieces.concat());
        }
        Corruption::SwappedRecords => {
            pieces.swap(one, other);
            bytes = delivery.encoded(&pieces.concat());
        }
        Corruption::OtherEncoding => {
            let text = pieces.concat();
            bytes = match delivery.dialect.encoding {
                "utf-8" => encoding_rs::EUC_KR.encode(&text).0.into_owned(),
                _ => text.into_bytes(),
            };
        }
    }
    bytes
}
