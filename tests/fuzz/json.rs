//! Where the values of a JSON text are. The text may be broken: what is found is found. In a list of cookies or of
//! parameters, names and values are found too.

use std::{collections::BTreeMap, ops::Range};

use serde::Deserialize as _;
use serde_json::{Value, value::RawValue};

/// What is between values.
const MARKS: &[u8] = b",: \t\r\n;&=";

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// The value itself.
    pub(crate) value: Range<usize>,
    /// The same with the name in front of it, if it is a member of an object.
    pub(crate) whole: Range<usize>,
}

/// Every value, at any depth.
pub(crate) fn nodes(text: &[u8]) -> Vec<Node> {
    let (mut nodes, mut open, mut name, mut at) = (Vec::new(), Vec::new(), None, 0);
    while let Some(&byte) = text.get(at) {
        let begin = at;
        // Behind `=`, another one is a part of the value.
        let marks = if text[..at].ends_with(b"=") { &MARKS[..MARKS.len() - 1] } else { MARKS };
        at += token_length(&text[at..], marks);
        match byte {
            b'{' | b'[' => open.push((begin, name.take())),
            b'}' | b']' => {
                if let Some((begin, name)) = open.pop() {
                    nodes.push(node(begin..at, name));
                }
            }
            b'"' if is_name(&text[at..]) => name = Some(begin),
            _ if MARKS.contains(&byte) => {}
            _ => nodes.push(node(begin..at, name.take())),
        }
    }
    nodes
}

fn node(value: Range<usize>, name: Option<usize>) -> Node {
    let whole = name.unwrap_or(value.start)..value.end;
    Node { value, whole }
}

/// Whether a string before this text is the name of a member.
fn is_name(after: &[u8]) -> bool {
    after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

/// The length of the string, the number, the word or the mark that a text begins with.
fn token_length(text: &[u8], marks: &[u8]) -> usize {
    let is_end = |byte: &u8| marks.contains(byte) || b"{}[]\"".contains(byte);
    match text {
        [b'"', rest @ ..] => string_length(rest) + 1,
        [first, rest @ ..] if !is_end(first) => rest.iter().position(is_end).unwrap_or(rest.len()) + 1,
        _ => 1,
    }
}

/// The length of a string after its first quote, with the last one.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

/// The members of the object that a text begins with. One that is never read may be anything.
pub(crate) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    pub(crate) fn of(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        Self(BTreeMap::deserialize(&mut serde_json::Deserializer::from_str(&text)).unwrap())
    }

    /// A member; null if it is absent.
    pub(crate) fn get(&self, name: &str) -> Value {
        self.0.get(name).map_or(Value::Null, |raw| serde_json::from_str(raw.get()).unwrap())
    }
}

#[test]
fn each_value_is_found_with_its_name() {
    let found = |text: &str| {
        let part = |range: &Range<usize>| text[range.clone()].to_owned();
        nodes(text.as_bytes()).iter().map(|node| (part(&node.value), part(&node.whole))).collect::<Vec<_>>()
    };
    let expected = [
        ("7", "7"),
        (r#""x\"}""#, r#""x\"}""#),
        (r#"[7, "x\"}"]"#, r#""a": [7, "x\"}"]"#),
        ("null", r#""b":null"#),
        (r#"{"a": [7, "x\"}"],"b":null}"#, r#"{"a": [7, "x\"}"],"b":null}"#),
    ];
    let expected = expected.map(|(value, whole)| (value.to_owned(), whole.to_owned()));
    assert_eq!(found(r#"{"a": [7, "x\"}"],"b":null}"#), expected);
    let cookies = ["name", "value==", "name", "x"].map(|text| (text.to_owned(), text.to_owned()));
    assert_eq!(found("name=value==; name=x"), cookies);
    assert_eq!(found(r#"]}{"a":"cut o"#), [(r#""cut o"#.to_owned(), r#""a":"cut o"#.to_owned())]);
}
