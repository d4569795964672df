//! One PNG or JPEG file as pixels of the model's shape.
//!
//! Whatever the file holds becomes 8-bit grey or RGB: palettes are looked up, 16 bits rounded, CMYK converted, transparency left out.

use super::view::View;
use crate::{Failure, Result};
use image::{DynamicImage, ImageError, ImageReader, Limits};
use std::fs;
use std::io::Cursor;
use std::path::Path;

/// No side of an image may be longer.
const LONGEST: u32 = 1 << 15;
/// No image may take more memory while it is decoded.
const BYTES: u64 = 1 << 30;
/// What the file of a JPEG ends with.
const JPEG_END: [u8; 2] = [0xFF, 0xD9];

/// [channels, height, width], 0 to 255; 1 channel or 3.
///
/// # Errors
/// The file cannot be read or is no whole image.
pub(super) fn decode(path: &Path, shape: [usize; 3], view: &View) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    let image = whole(path, &bytes)?;
    let [channels, height, width] = shape;
    let size = [height as u32, width as u32];
    if channels == 1 {
        return Ok(view.of(&image.into_luma8(), size).into_raw());
    }
    let interleaved = view.of(&image.into_rgb8(), size).into_raw();
    Ok((0..channels).flat_map(|channel| interleaved.iter().skip(channel).step_by(channels)).copied().collect())
}

fn whole(path: &Path, bytes: &[u8]) -> Result<DynamicImage> {
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| Failure::io("read", path, &e))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height, limits.max_alloc) = (Some(LONGEST), Some(LONGEST), Some(BYTES));
    reader.limits(limits);
    let format = reader.format();
    let image = reader.decode().map_err(|error| Failure::broken(path, reason(&error)))?;
    // The decoder fills up what is missing of a JPEG with grey.
    if format == Some(image::ImageFormat::Jpeg) && !first_scan(bytes).windows(2).rev().any(|two| two == JPEG_END) {
        return Err(Failure::broken(path, "is a truncated JPEG file; copy it again, or remove it"));
    }
    Ok(image)
}

/// A JPEG from its first scan on: what stands in the segments before it, as a thumbnail does, has an end of its own.
fn first_scan(bytes: &[u8]) -> &[u8] {
    const SCAN: u8 = 0xDA;
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let [0xFF, marker, after @ ..] = rest {
        rest = match (*marker, after) {
            (SCAN, _) => return after,
            // A byte that fills.
            (0xFF, _) => &rest[1..],
            (_, [high, low, ..]) => after.get(usize::from(u16::from_be_bytes([*high, *low]))..).unwrap_or_default(),
            (_, _) => &[],
        };
    }
    rest
}

fn reason(error: &ImageError) -> String {
    match error {
        ImageError::Unsupported(_) => "is no PNG or JPEG file; convert it, or remove it".into(),
        ImageError::Limits(_) => {
            format!("has more than {LONGEST} pixels in a row or column, or takes more than 1 GiB; make it smaller")
        }
        ImageError::Decoding(_) | ImageError::Encoding(_) | ImageError::Parameter(_) | ImageError::IoError(_) => {
            let error = error.to_string();
            let sentence: Vec<&str> = error.lines().map(str::trim).collect();
            format!("is broken ({}); copy it again, or remove it", sentence.join(" "))
        }
    }
}
