//! Frames: four bytes of length (little-endian), then that many bytes of JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::FRAME_BYTES_MAX;

/// Writes one frame.
pub(super) fn write<T: Serialize>(output: &mut impl Write, message: &T) -> io::Result<()> {
    output.write_all(&encode(message)?)?;
    output.flush()
}

/// A frame as bytes.
pub(super) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).ok().filter(|&length| length <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other(format!("a message has more than {FRAME_BYTES_MAX} bytes")))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Reads one frame; `None` at the end of the stream. Memory grows with what arrives, not with what is announced.
pub(super) fn read<T: DeserializeOwned>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if input.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut length[1..])?;
    let length = u32::from_le_bytes(length);
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other(format!(
            "a frame announces {length} bytes, at most {FRAME_BYTES_MAX} are possible"
        )));
    }
    let mut bytes = Vec::new();
    if input.take(u64::from(length)).read_to_end(&mut bytes)? < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_one_by_one() {
        let mut bytes = Vec::new();
        write(&mut bytes, &"first").unwrap();
        write(&mut bytes, &7).unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read::<String>(&mut input).unwrap().as_deref(), Some("first"));
        assert_eq!(read::<u32>(&mut input).unwrap(), Some(7));
        assert_eq!(read::<u32>(&mut input).unwrap(), None);
    }

    #[test]
    fn an_announced_length_is_not_believed() {
        assert!(read::<u32>(&mut [255, 255, 255, 255, 1].as_slice()).is_err());
        assert!(read::<u32>(&mut [0, 0, 0, 4, 1].as_slice()).is_err());
        assert!(read::<u32>(&mut [1, 0].as_slice()).is_err());
    }
}
