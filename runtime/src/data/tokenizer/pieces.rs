//! Long documents in pieces, so that a text of gigabytes is tokenised on all threads in little memory: a tokenizer takes a
//! hundred times the memory of the text it is given at once.

/// How long a piece is, or a little more.
pub(super) const PIECE: usize = 1 << 20;

/// How much text on each side of a cut is looked at.
const CONTEXT: usize = 256;

/// How many places are tried before the rest stays in one piece.
const TRIES: usize = 16;

/// Cuts a text into pieces of about `size` bytes, before a white space where `seamless(left, right)` says of the text on
/// both sides that tokenising it in two is the same as in one.
pub(super) fn pieces(mut text: &str, size: usize, seamless: impl Fn(&str, &str) -> bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    while let Some(cut) = cut(text, size, &seamless) {
        let (piece, rest) = text.split_at(cut);
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces
}

/// The first good place after `size` bytes.
fn cut(text: &str, size: usize, seamless: impl Fn(&str, &str) -> bool) -> Option<usize> {
    let from = boundary(text, size.max(1))?;
    let starts_space =
        |&(place, letter): &(usize, char)| letter.is_whitespace() && !text[..place].ends_with(char::is_whitespace);
    let places = text[from..].char_indices().map(|(place, letter)| (from + place, letter)).filter(starts_space);
    places.take(TRIES).map(|(place, _)| place).find(|&place| {
        let left = boundary(text, place.saturating_sub(CONTEXT)).unwrap_or(place);
        let right = boundary(text, place + CONTEXT).unwrap_or(text.len());
        seamless(&text[left..place], &text[place..right])
    })
}

/// The first place between characters from `place` on, if that is within the text.
fn boundary(text: &str, place: usize) -> Option<usize> {
    (place..text.len()).find(|&place| text.is_char_boundary(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_are_before_the_first_space_after_the_size() {
        assert_eq!(pieces("one two  three\n\nfour", 2, |_, _| true), ["one", " two", "  three", "\n\nfour"]);
        assert_eq!(pieces("one two  three\n\nfour", 5, |_, _| true), ["one two", "  three", "\n\nfour"]);
        assert_eq!(pieces("one two", 100, |_, _| true), ["one two"]);
        assert_eq!(pieces("", 1, |_, _| true), [""]);
    }

    #[test]
    fn a_seam_is_passed_over() {
        let seamless = |left: &str, right: &str| !(left.ends_with("New") && right.starts_with(" York"));
        assert_eq!(pieces("in New York today", 3, seamless), ["in New York", " today"]);
        assert_eq!(pieces("in New York today", 3, |_, _| false), ["in New York today"]);
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole(text in "[a-zé🦀 \n]{0,200}", size in 0usize..40) {
            let pieces = pieces(&text, size, |_, _| true);
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
