//! The links, cookies and redirect URL of the site lead to its address, for every kind of address.

use super::*;

const API: &str = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";

/// How requests arrive, and the address of the site that responds to them.
struct Place {
    what: &'static str,
    base_url: &'static str,
    arriving_at: &'static str,
    stage: &'static str,
    raw_base: &'static str,
    site: &'static str,
}

const PLACES: [Place; 7] = [
    Place {
        what: "the API's own name",
        base_url: "",
        arriving_at: API,
        stage: "$default",
        raw_base: "",
        site: "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com",
    },
    Place {
        what: "a stage of the API",
        base_url: "",
        arriving_at: API,
        stage: "prod",
        raw_base: "/prod",
        site: "https://a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/prod",
    },
    Place {
        what: "a domain name",
        base_url: "https://gateway.example",
        arriving_at: "gateway.example",
        stage: "$default",
        raw_base: "",
        site: "https://gateway.example",
    },
    Place {
        what: "a domain name for a stage",
        base_url: "https://gateway.example",
        arriving_at: "gateway.example",
        stage: "prod",
        raw_base: "/prod",
        site: "https://gateway.example",
    },
    Place {
        what: "a base path that the API sees",
        base_url: "https://gateway.example/app",
        arriving_at: "gateway.example",
        stage: "$default",
        raw_base: "/app",
        site: "https://gateway.example/app",
    },
    Place {
        what: "a base path that is removed before the API",
        base_url: "https://gateway.example/app",
        arriving_at: "gateway.example",
        stage: "$default",
        raw_base: "",
        site: "https://gateway.example/app",
    },
    Place {
        what: "CloudFront, which calls the API by its own name",
        base_url: "https://gateway.example",
        arriving_at: API,
        stage: "$default",
        raw_base: "",
        site: "https://gateway.example",
    },
];

impl Place {
    fn event(&self, path: &str) -> Event {
        let event = Event::get(&format!("{}{path}", self.raw_base)).at_stage(self.stage);
        event.arriving_at(self.arriving_at).header("host", self.arriving_at)
    }
}

#[tokio::test]
async fn a_whole_sign_in_stays_at_the_address_of_the_site() {
    for place in PLACES {
        let world = World::with(&[("BASE_URL", place.base_url), ("AWS_REGION", "us-east-1")]).await;
        world.stand_in.register_redirect_uri(&format!("{}/login", place.site));
        let mut browser = Browser::default();

        let mut begun = send(&world, &mut browser, place.event("/login?next=%2Ffiles")).await;
        let moved = format!("{}/login?moved&next=%2Ffiles", place.site);
        if begun.location() == moved {
            // Behind a proxy, every request seems to come by another name. Only the first one is redirected.
            begun = send(&world, &mut browser, place.event("/login?moved&next=%2Ffiles")).await;
        }
        let redirect_uri = query(begun.location(), "redirect_uri").replace("%3A", ":").replace("%2F", "/");
        assert_eq!(redirect_uri, format!("{}/login", place.site), "{}", place.what);

        let callback = world.stand_in.sign_in(begun.location(), "ada").await.unwrap();
        let callback = place.event(callback.strip_prefix(place.site).unwrap());
        let landed = send(&world, &mut browser, callback.clone()).await;
        landed.assert_redirect(302, &format!("{}/files", place.site));
        let cookie = landed.cookies.iter().find(|cookie| cookie.starts_with("__Host-session-")).unwrap();
        assert!(cookie.contains("; Secure; Path=/;"), "{}: {cookie}", place.what);

        let again = send(&world, &mut browser, callback).await;
        again.assert_redirect(302, &format!("{}/", place.site));
        let denied = send(&world, &mut Browser::default(), place.event("/login?error=x&state=y")).await;
        let base = place.site.rsplit_once(".example").or(place.site.rsplit_once(".com")).unwrap().1;
        let body = denied.body.replace("&#x2f;", "/");
        assert!(body.contains(&format!("href=\"{base}/login\"")), "{}: {body}", place.what);
        assert!(body.contains(&format!("href=\"{base}/\"")), "{}: {body}", place.what);
    }
}
