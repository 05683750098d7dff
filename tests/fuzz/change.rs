//! What is done to an input: changes of its bytes, and of the values in it if it is JSON.

use std::ops::Range;

use proptest::{
    collection::vec,
    prelude::{Strategy, any},
    prop_oneof,
    sample::{Index, select},
};

use crate::json::nodes;

/// The longest input. What is longer than Lambda's own limit for an event never reaches a function; less finds as much.
const LONGEST: usize = 256 * 1024;

/// Texts that other programs have stumbled over: as a value of JSON, or anywhere else.
const ODD: [&str; 44] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "1e999",
    "-1e-999",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "1800000000",
    "NaN",
    "\"\"",
    "\" \"",
    "\"true\"",
    "\"1800000000\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\u0000\"",
    "\"a\\r\\nset-cookie: x=y\"",
    "\"\\u202e\\u2000\"",
    "\"//evil.example\"",
    "\"/\\\\evil.example\"",
    "\"https://evil.example\"",
    "\"<script>alert(1)</script>\"",
    "\"{{7*7}}\"",
    "\"%00%0d%0a%ff\"",
    "\"é冲👩\"",
    "\"\u{1}\n\"",
    "\"cut off",
    "[]",
    "{}",
    "[null]",
    "[[]]",
    "{\"\":null}",
    "[\"text/html\"]",
    "; ",
    "=",
    "&",
    "\r\n",
    "\u{2000}",
    "\u{feff}",
];

/// A change of an input. Where it is made is a share of the input's length, or of the number of its values.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Changes bits of a byte.
    Flip(Index, u8),
    /// Inserts bytes.
    Insert(Index, Vec<u8>),
    /// Leaves out what is between two places.
    Cut(Index, Index),
    /// Keeps only what is before a place.
    Truncate(Index),
    /// Copies what is between the first two places to the third.
    Copy(Index, Index, Index),
    /// Goes on with another input of the corpus: which, where in it, and where in this one.
    Splice(Index, Index, Index),
    /// Replaces a value.
    Replace(Index, Vec<u8>),
    /// Replaces a value by another one of the input.
    Move(Index, Index),
    /// Adds text at the end of a value; of a string, before its last quote.
    Extend(Index, Vec<u8>),
    /// Leaves out so many bytes there.
    Shorten(Index, usize),
    /// Leaves out a value, with its name.
    Remove(Index),
    /// Adds a value, with its name, so many times more.
    Repeat(Index, usize),
    /// Puts a value into so many lists.
    Nest(Index, usize),
}
use Change::{Copy, Cut, Extend, Flip, Insert, Move, Nest, Remove, Repeat, Replace, Shorten, Splice, Truncate};

/// A few changes. Half of them leave JSON what it is, so that they come further.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let of_bytes = || prop_oneof![of_bytes(), of_values()];
    prop_oneof![of_values().prop_map(|change| vec![change]), vec(of_values(), 1..6), vec(of_bytes(), 1..4)]
}

fn of_bytes() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 1..=u8::MAX).prop_map(|(at, bits)| Flip(at, bits)),
        (at(), text()).prop_map(|(at, text)| Insert(at, text)),
        (at(), at()).prop_map(|(from, to)| Cut(from, to)),
        at().prop_map(Truncate),
        (at(), at(), at()).prop_map(|(from, to, at)| Copy(from, to, at)),
        (at(), at(), at()).prop_map(|(other, from, at)| Splice(other, from, at)),
    ]
}

fn of_values() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let how_many = || prop_oneof![8 => 1_usize..4, 1 => 4_usize..2_000];
    prop_oneof![
        3 => (at(), text()).prop_map(|(at, text)| Replace(at, text)),
        2 => (at(), at()).prop_map(|(at, other)| Move(at, other)),
        2 => (at(), text()).prop_map(|(at, text)| Extend(at, text)),
        2 => (at(), 1_usize..5).prop_map(|(at, length)| Shorten(at, length)),
        2 => at().prop_map(Remove),
        2 => (at(), how_many()).prop_map(|(at, times)| Repeat(at, times)),
        1 => (at(), how_many()).prop_map(|(at, depth)| Nest(at, depth)),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => select(&ODD[..]).prop_map(|text| text.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 1..8),
        1 => "\"\\PC{0,12}\"".prop_map(String::into_bytes),
        1 => (any::<u8>(), 1_usize..5_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

impl Change {
    /// The input after this change.
    pub(crate) fn apply(&self, input: &[u8], corpus: &[Vec<u8>]) -> Vec<u8> {
        // One place more than there are bytes: the end.
        let place = |at: &Index, text: &[u8]| at.index(text.len() + 1);
        let range = |from: &Index, to: &Index| {
            let (from, to) = (place(from, input), place(to, input));
            from.min(to)..from.max(to)
        };
        let mut changed = match self {
            Flip(at, bits) => {
                let mut changed = input.to_vec();
                if !changed.is_empty() {
                    *at.get_mut(&mut changed) ^= bits;
                }
                changed
            }
            Insert(at, text) => replace(input, place(at, input)..place(at, input), text),
            Cut(from, to) => replace(input, range(from, to), b""),
            Truncate(at) => input[..place(at, input)].to_vec(),
            Copy(from, to, at) => {
                let at = place(at, input);
                replace(input, at..at, &input[range(from, to)])
            }
            Splice(other, from, at) => {
                let other = other.get(corpus);
                [&input[..place(at, input)], &other[place(from, other)..]].concat()
            }
            Replace(..) | Move(..) | Extend(..) | Shorten(..) | Remove(_) | Repeat(..) | Nest(..) => {
                self.apply_to_value(input)
            }
        };
        changed.truncate(LONGEST);
        changed
    }

    fn apply_to_value(&self, input: &[u8]) -> Vec<u8> {
        let nodes = nodes(input);
        if nodes.is_empty() {
            return input.to_vec();
        }
        let text = |range: &Range<usize>| &input[range.clone()];
        match self {
            Replace(at, value) => replace(input, at.get(&nodes).value.clone(), value),
            Move(at, other) => replace(input, at.get(&nodes).value.clone(), text(&other.get(&nodes).value)),
            Extend(at, text) => {
                let end = end(input, &at.get(&nodes).value);
                let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
                replace(input, end..end, text)
            }
            Shorten(at, length) => {
                let value = &at.get(&nodes).value;
                let end = end(input, value);
                replace(input, end.saturating_sub(*length).max(value.start)..end, b"")
            }
            Remove(at) => replace(input, with_comma(input, at.get(&nodes).whole.clone()), b""),
            Repeat(at, times) => {
                let whole = &at.get(&nodes).whole;
                let more = [b",", text(whole)].concat().repeat(*times.min(&(LONGEST / (whole.len() + 1))));
                replace(input, whole.end..whole.end, &more)
            }
            Nest(at, depth) => {
                let value = &at.get(&nodes).value;
                let nested = [&b"[".repeat(*depth), text(value), &b"]".repeat(*depth)].concat();
                replace(input, value.clone(), &nested)
            }
            Flip(..) | Insert(..) | Cut(..) | Truncate(_) | Copy(..) | Splice(..) => input.to_vec(),
        }
    }
}

fn replace(text: &[u8], range: Range<usize>, with: &[u8]) -> Vec<u8> {
    [&text[..range.start], with, &text[range.end..]].concat()
}

/// Where a value ends; of a string, before its last quote.
fn end(text: &[u8], value: &Range<usize>) -> usize {
    let is_string = value.len() > 1 && text[value.start] == b'"' && text[value.end - 1] == b'"';
    value.end - usize::from(is_string)
}

/// The same place, with the comma after it or else before it: what is left is JSON again.
fn with_comma(text: &[u8], range: Range<usize>) -> Range<usize> {
    if text.get(range.end) == Some(&b',') {
        return range.start..range.end + 1;
    }
    let comma_before = text[..range.start].last() == Some(&b',');
    range.start - usize::from(comma_before)..range.end
}
