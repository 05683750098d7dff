//! The page to show after a sign-in.

use lambda_http::{
    Request,
    http::{Method, uri::PathAndQuery},
};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    gateway,
    log::{self, Event, Outcome, Reason},
    paths,
};

/// The characters that a URL's path, query and fragment cannot contain unencoded, and `"`, `<`, `>`, `` ` ``, `\`, for
/// which a path of this site has no use.
pub(crate) const UNSAFE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|').add(b'^').add(b'\\');

/// A path on this site, and never on another one: a redirect can use it after this site's origin.
///
/// If a link could choose the target of a redirect, an attacker could send users to any site in the name of this one
/// (an open redirector, [RFC 9700 section 4.11](https://www.rfc-editor.org/rfc/rfc9700#section-4.11)). So a path is
/// accepted as it is or not at all. No part of it is resolved or repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPath(String);

impl ReturnPath {
    /// The longest path that is kept, in bytes of its encoded form.
    pub const MAX_LENGTH: usize = 512;

    /// The home page.
    pub fn home() -> Self {
        Self("/".to_owned())
    }

    /// The path in `next`; or home, if that is not a path on this site, is too long, or leads back to login or logout.
    pub fn parse(next: &str) -> Self {
        Self::try_parse(next).unwrap_or_else(|_| Self::home())
    }

    /// The same; logs why a path is not kept.
    pub fn accept(next: &str) -> Self {
        Self::try_parse(next).unwrap_or_else(|reason| {
            log::write(Event::Request, Outcome::Partial, reason.into());
            Self::home()
        })
    }

    /// The page that was requested, with its query. Home if a form was sent: it cannot be sent again.
    pub fn requested(request: &Request) -> Self {
        Self::accept(&Self::page(request))
    }

    /// Whether a redirect can lead back to the page that was requested.
    pub fn is_kept(request: &Request) -> bool {
        Self::try_parse(&Self::page(request)).is_ok()
    }

    fn page(request: &Request) -> String {
        let is_page = matches!(*request.method(), Method::GET | Method::HEAD);
        let page = request.uri().path_and_query().filter(|_| is_page).map(PathAndQuery::as_str);
        page.map_or(paths::HOME.to_owned(), |page| gateway::mount(request).to_owned() + page)
    }

    fn try_parse(next: &str) -> Result<Self, Reason> {
        let path = next.split(['?', '#']).next().unwrap_or_default();
        // In a path, browsers read `\` as `/`. They remove tabs and line ends, and read `//` as the start of another host.
        let local = next.starts_with('/')
            && !path.starts_with("//")
            && !path.contains('\\')
            && !next.contains(char::is_control);
        let circle = matches!(path, "/login" | "/logout");
        let dots = path.split('/').any(is_dot_segment);
        let encoded = utf8_percent_encode(next, UNSAFE).to_string();
        match local && !circle && !dots {
            true if encoded.len() <= Self::MAX_LENGTH => Ok(Self(encoded)),
            true => Err(Reason::ReturnPathTooLong),
            false => Err(Reason::ReturnPathForeign),
        }
    }

    /// The path as the value of a query parameter.
    pub fn encoded(&self) -> String {
        utf8_percent_encode(&self.0, NON_ALPHANUMERIC).to_string()
    }

    /// Another path, with this one as its parameter `next`.
    pub fn as_next_of(&self, path: &str) -> String {
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}next={}", self.encoded())
    }

    /// The path with its query and fragment, as it is in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a browser removes the segment when it resolves the path (`/x/..//evil.example` becomes `//evil.example`).
fn is_dot_segment(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(plain.as_str(), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_kept(next: &str) {
        assert_eq!(ReturnPath::parse(next).as_str(), next);
    }

    #[test]
    fn a_path_on_this_site_is_kept_with_its_query_and_fragment() {
        assert_kept("/");
        assert_kept("/files?collection=a%2Fb&path=/~/data#row-3");
        assert_kept("/a/b.c/d..e/...");
        assert_kept("/search?q=https://example.org/");
    }

    #[test]
    fn characters_that_a_url_cannot_contain_are_encoded() {
        assert_eq!(ReturnPath::parse("/café au lait").as_str(), "/caf%C3%A9%20au%20lait");
        assert_eq!(ReturnPath::parse("/<\"x\">").as_str(), "/%3C%22x%22%3E");
        assert_eq!(ReturnPath::parse("/route/?param=https://x.org/y|1").as_str(), "/route/?param=https://x.org/y%7C1");
    }

    /// Browsers send it as it is, and it leads nowhere else there.
    #[test]
    fn a_backslash_behind_the_path_is_kept_encoded() {
        assert_eq!(ReturnPath::parse("/files?path=C:\\data\\run").as_str(), "/files?path=C:%5Cdata%5Crun");
        assert_eq!(ReturnPath::parse("/?\\evil.example#\\").as_str(), "/?%5Cevil.example#%5C");
    }

    #[test]
    fn an_open_redirect_leads_home() {
        for hostile in [
            "",
            "evil.example",
            "https://evil.example",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "/\\evil.example?x",
            "/x\\..\\..\\evil#y",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n//evil.example",
            "\u{0}//evil.example",
            " //evil.example",
            "/.//evil.example",
            "/x/..//evil.example",
            "/%2e%2e//evil.example",
            "/%2E/evil",
            "javascript:alert(1)",
            "/\u{7f}/evil.example",
            "http:/evil",
            "@evil.example",
            ".evil.example",
            "/a\r\nSet-Cookie: session=x",
        ] {
            assert_eq!(ReturnPath::parse(hostile).as_str(), "/", "{hostile:?}");
        }
    }

    /// Browsers resolve a redirect as this library does (<https://url.spec.whatwg.org>).
    #[test]
    fn no_text_of_up_to_four_hostile_parts_leads_off_the_site() {
        const PARTS: [&str; 16] = [
            "/",
            "\\",
            ".",
            "..",
            "%2e",
            "%2F",
            "%5C",
            "%09",
            "\t",
            "\n",
            "\0",
            "\u{3000}",
            "@",
            ":",
            "?",
            "evil.example",
        ];
        let login = url::Url::parse("https://gateway.example/login").unwrap();
        let (mut texts, mut kept) = (vec![String::new()], 0);
        for _ in 0..4 {
            texts = texts.iter().flat_map(|text| PARTS.map(|part| format!("{text}{part}"))).collect();
            for text in &texts {
                let path = ReturnPath::parse(text);
                kept += usize::from(path != ReturnPath::home());
                let location = login.join(&format!("https://gateway.example{}", path.as_str())).unwrap();
                assert_eq!(location.origin(), login.origin(), "{text:?}");
                assert!(!location.path().starts_with("//"), "{text:?}");
            }
        }
        assert!(kept > 500, "only {kept} were kept");
    }

    #[test]
    fn a_path_to_login_or_logout_leads_home() {
        assert_eq!(ReturnPath::parse("/login?next=/login").as_str(), "/");
        assert_eq!(ReturnPath::parse("/logout").as_str(), "/");
        assert_kept("/logout-report");
    }

    #[test]
    fn a_path_too_long_for_the_cookie_leads_home() {
        let longest = format!("/{}", "x".repeat(511));
        assert_kept(&longest);
        assert_eq!(ReturnPath::try_parse(&format!("{longest}x")), Err(Reason::ReturnPathTooLong));
        assert_eq!(ReturnPath::parse(&format!("{longest}x")), ReturnPath::home());
        // Each takes six bytes in a URL.
        assert_eq!(ReturnPath::try_parse(&format!("/{}", "é".repeat(86))), Err(Reason::ReturnPathTooLong));
    }
}
