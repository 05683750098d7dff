//! Any `next`: a redirect to it stays on this site.

use shared::{return_path::ReturnPath, testing::BASE_URL};
use url::Url;

use crate::harness::Target;

#[test]
fn ways_back() {
    let site = Url::parse(BASE_URL).unwrap();
    Target::new("way-back", &[]).run(20_000, |next| {
        let next = String::from_utf8_lossy(next);
        let kept = ReturnPath::parse(&next);
        let path = kept.as_str();
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{path:?} of {next:?}");
        // As the login uses it, and as a page could use it in a link.
        for url in [Url::parse(&format!("{BASE_URL}{path}")), site.join(path)] {
            assert_eq!(url.unwrap().origin(), site.origin(), "{path:?} of {next:?}");
        }
        path != "/"
    });
}
