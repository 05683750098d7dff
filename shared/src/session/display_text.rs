//! Text from outside that is only shown.

use serde::{Deserialize, Deserializer, Serialize};

/// The longest text, in characters and in bytes: five of them fit into a session cookie beside the tokens.
const MAX_CHARACTERS: usize = 128;
const MAX_BYTES: usize = 256;

/// Text that is shown and proves nothing: a name, an e-mail address, the label of a task. It is cleaned and cut, so it must
/// not be compared with anything: cut, `ada@anl.gov.evil.example` could end in `@anl.gov`. It is not a `str` for that reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DisplayText(String);

impl DisplayText {
    /// Text to show; nothing if it is blank. Control characters become blanks, and what is too long ends in `…`.
    pub fn new(text: &str) -> Option<Self> {
        if text.chars().all(is_invisible) {
            return None;
        }
        let words: Vec<_> = text.split(char::is_control).map(str::trim).filter(|word| !word.is_empty()).collect();
        let mut text = words.join(" ");
        if text.chars().count() > MAX_CHARACTERS || text.len() > MAX_BYTES {
            let fits = |(at, character): &(usize, char)| at + character.len_utf8() + '…'.len_utf8() <= MAX_BYTES;
            text =
                text.char_indices().take(MAX_CHARACTERS - 1).take_while(fits).map(|(_, character)| character).collect();
            text.push('…');
        }
        Some(Self(text))
    }

    /// The text, for a page. Never decide anything by it.
    pub fn for_display(&self) -> &str {
        &self.0
    }
}

/// Reads stored text. Earlier releases stored it as Globus sent it.
pub(super) fn stored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DisplayText>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(DisplayText::new))
}

/// Whether a character leaves no mark on a page: white space, controls, and what Unicode calls default-ignorable or blank.
fn is_invisible(character: char) -> bool {
    let blank = matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}'
    );
    blank || character.is_whitespace() || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        DisplayText::new(text).map(|text| text.for_display().to_owned())
    }

    #[test]
    fn blank_text_is_absent() {
        for text in
            ["", " ", "\t\r\n", "\0", "\u{1b}\u{7f}", "\u{200b}", "\u{feff} \u{2060}", "\u{3000}", "\u{202e}", "\u{ad}"]
        {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    #[test]
    fn text_of_any_script_is_shown_as_it_is_without_control_characters() {
        for (text, expected) in [
            ("Ada Lovelace", "Ada Lovelace"),
            ("  Ada  ", "Ada"),
            ("Ada\r\nLovelace", "Ada Lovelace"),
            ("Ada\0Lovelace", "Ada Lovelace"),
            ("محمد بن موسى", "محمد بن موسى"),
            ("祖冲之", "祖冲之"),
            ("👩🏽‍🔬 Ada", "👩🏽‍🔬 Ada"),
            ("<b>&amp;", "<b>&amp;"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters_and_says_so() {
        assert_eq!(shown(&"a".repeat(128)), Some("a".repeat(128)));
        assert_eq!(shown(&"a".repeat(129)), Some("a".repeat(127) + "…"));
        assert_eq!(shown(&"冲".repeat(85)), Some("冲".repeat(85)));
        assert_eq!(shown(&"冲".repeat(1000)), Some("冲".repeat(84) + "…"));
        assert_eq!(shown(&"👩".repeat(1000)), Some("👩".repeat(63) + "…"));
    }
}
