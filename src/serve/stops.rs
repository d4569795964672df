//! Texts that end a completion. They may come in several pieces, so what could be the beginning of one is held back.

pub struct Watch {
    stops: Vec<String>,
    held: String,
}

impl Watch {
    pub fn new(stops: Vec<String>) -> Watch {
        Watch { stops, held: String::new() }
    }

    /// The text that can be handed on after another piece, and whether a stop has come: then it and what is behind it are left out.
    pub fn push(&mut self, text: &str) -> (String, bool) {
        self.held += text;
        if let Some(place) = self.stops.iter().filter_map(|stop| self.held.find(stop)).min() {
            self.held.truncate(place);
            return (std::mem::take(&mut self.held), true);
        }
        let is_open = |place: &usize| self.stops.iter().any(|stop| stop.starts_with(&self.held[*place..]));
        let places = self.held.char_indices().map(|(place, _)| place);
        let kept = places.clone().find(is_open).unwrap_or(self.held.len());
        let rest = self.held.split_off(kept);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What is held back when no more comes.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut watch = Watch::new(stops.iter().map(ToString::to_string).collect());
        let mut texts = Vec::new();
        for piece in pieces {
            let (text, stopped) = watch.push(piece);
            texts.push(text);
            if stopped {
                return (texts, true);
            }
        }
        texts.push(watch.finish());
        (texts, false)
    }

    #[test]
    fn a_stop_ends_the_text_before_it() {
        assert_eq!(said(&["\n\n"], &["a\nb", "\n", "\nc"]), (vec!["a\nb".into(), "".into(), "".into()], true));
        assert_eq!(said(&["END", "N"], &["xxEN"]), (vec!["xxE".into()], true));
        assert_eq!(said(&["END"], &["aE", "N", "e"]), (vec!["a".into(), "".into(), "ENe".into(), "".into()], false));
        assert_eq!(said(&["END"], &["äE"]), (vec!["ä".into(), "E".into()], false));
        assert_eq!(said(&[], &["all", "of it"]), (vec!["all".into(), "of it".into(), "".into()], false));
    }
}
