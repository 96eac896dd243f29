//! The picture that other sites show beside a link to a pool. They take no SVG, so it is a PNG of four colours with
//! letters of 8 by 8 points.

use font8x8::UnicodeFonts as _;

use super::board::Line;
use super::format::percent;
use crate::http::error::HttpError;

/// Width and height that sites ask for, pixels.
const SIZE: (usize, usize) = (1200, 630);
/// Room around everything, pixels.
const MARGIN: usize = 60;
/// Entries in the picture.
const ENTRIES_MAX: usize = 6;
/// Paper, ink, quiet and accent: the colours of the style sheet.
const PALETTE: [u8; 12] = [0xfd, 0xfc, 0xfa, 0x1c, 0x1b, 0x19, 0xa1, 0x9c, 0x93, 0x1f, 0x5f, 0x8b];
const INK: u8 = 1;
const QUIET: u8 = 2;
const ACCENT: u8 = 3;
/// Where scores are drawn, pixels from the left.
const SCALE: (f64, f64) = (520.0, 960.0);

/// One byte for each pixel, an index into the palette.
struct Canvas(Vec<u8>);

impl Canvas {
    fn fill(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), colour: u8) {
        for row in (y..y + height).filter(|row| *row < SIZE.1) {
            let (from, to) = (x.min(SIZE.0), (x + width).min(SIZE.0));
            if let Some(pixels) = self.0.get_mut(row * SIZE.0 + from..row * SIZE.0 + to) {
                pixels.fill(colour);
            }
        }
    }

    /// Writes a text of which as much is left out as does not fit; letters that the font lacks are question marks.
    fn write(&mut self, text: &str, (x, y): (usize, usize), scale: usize, right: usize, colour: u8) {
        let room = right.saturating_sub(x) / (8 * scale);
        let is_cut = text.chars().count() > room;
        let shown = text.chars().take(if is_cut { room.saturating_sub(1) } else { room });
        let shown = shown.chain(is_cut.then_some('~'));
        for (place, letter) in shown.enumerate() {
            let fonts = font8x8::BASIC_FONTS.get(letter).or_else(|| font8x8::LATIN_FONTS.get(letter));
            let rows = fonts.or_else(|| font8x8::BASIC_FONTS.get('?')).unwrap_or_default();
            for (down, bits) in rows.iter().enumerate() {
                for across in (0..8).filter(|across| bits & (1 << across) != 0) {
                    let at = (x + (place * 8 + across) * scale, y + down * scale);
                    self.fill(at, (scale, scale), colour);
                }
            }
        }
    }
}

/// The picture of a pool: its title, what there is to say of it, and its best entries with their intervals.
pub(super) fn draw(title: &str, about: &str, lines: &[Line]) -> Result<Vec<u8>, HttpError> {
    let mut canvas = Canvas(vec![0; SIZE.0 * SIZE.1]);
    let right = SIZE.0 - MARGIN;
    canvas.fill((0, 0), (SIZE.0, 14), ACCENT);
    canvas.write(title, (MARGIN, 70), 6, right, INK);
    canvas.write(about, (MARGIN, 142), 3, right, QUIET);
    canvas.write("aobench", (MARGIN, SIZE.1 - 58), 3, right, QUIET);
    let scored = lines.iter().filter(|line| line.is_scored()).take(ENTRIES_MAX);
    for (number, line) in scored.enumerate() {
        let y = 210 + number * 56;
        let place = |share: f64| (SCALE.0 + share.clamp(0.0, 1.0) * (SCALE.1 - SCALE.0)) as usize;
        let [low, high] = line.interval.map(place);
        let rank = line.rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
        canvas.write(&rank, (MARGIN, y), 3, MARGIN + 60, QUIET);
        canvas.write(&line.name(), (MARGIN + 60, y), 3, 500, INK);
        canvas.fill((SCALE.0 as usize, y + 11), ((SCALE.1 - SCALE.0) as usize, 1), QUIET);
        canvas.fill((low, y + 9), ((high - low).max(1), 5), ACCENT);
        canvas.fill((place(line.score).saturating_sub(7), y + 4), (15, 15), ACCENT);
        canvas.write(&percent(line.score), (990, y), 3, right, INK);
    }
    encode(&canvas.0)
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>, HttpError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIZE.0 as u32, SIZE.1 as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(&PALETTE[..]);
    // Four pixels in a byte, the first in its highest bits.
    let packed: Vec<u8> = pixels.chunks(4).map(|four| four.iter().fold(0, |byte, pixel| byte << 2 | pixel)).collect();
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&packed));
    written.map_err(|error| HttpError::internal(format!("the picture could not be made: {error}")))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_makes_a_picture_of_the_size_that_sites_ask_for() {
        for title in ["", "Social questions", "日本語 👩‍👩‍👧‍👦", &"x".repeat(10_000)] {
            let file = draw(title, title, &[]).unwrap();
            assert!(file.starts_with(b"\x89PNG") && file.len() < 30_000, "{} bytes", file.len());
            assert_eq!(file[16..24], [0, 0, 4, 176, 0, 0, 2, 118]);
        }
    }
}
