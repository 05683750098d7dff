//! Every user of the stand-in.

use super::{Identity, IdentityProvider, Linked, Mfa, Person};

/// The domain that the cases for access rules are about.
pub const LAB: &str = "lab.example";

/// As in the real payload of Globus.
const GLOBUS_ID: IdentityProvider = IdentityProvider { id: "41143743-f3c8-4d60-bbdb-eeecaba85bd9", name: "Globus ID" };

const LAB_PROVIDER: IdentityProvider =
    IdentityProvider { id: "1ab00000-0000-4f1d-b0e8-8fe3a09f7e00", name: "Laboratory" };

const OTHER_PROVIDER: IdentityProvider =
    IdentityProvider { id: "07e40000-0000-4f2e-81f9-90f4b1a08f00", name: "Another provider" };

/// What a user has unless it is said.
const USUAL: Person = Person {
    id: "",
    case: None,
    sub: "",
    name: None,
    username: "",
    email: None,
    organization: None,
    provider: GLOBUS_ID,
    mfa: Mfa::Never,
    linked: &[],
    more_linked: 0,
};

const fn of_the_lab(sub: &'static str, name: &'static str, username: &'static str) -> Identity {
    Identity {
        sub,
        username,
        name: Some(name),
        email: Some(username),
        organization: Some("Laboratory"),
        provider: LAB_PROVIDER,
        mfa: Mfa::Never,
    }
}

/// All users, in the order of the sign-in page.
pub static PEOPLE: [Person; 19] = [
    Person {
        id: "ada",
        sub: "ada10ace-1815-4d60-8bdb-eeecaba85bd9",
        name: Some("Ada Lovelace"),
        username: "ada@uchicago.example",
        email: Some("ada@uchicago.example"),
        organization: Some("University of Chicago"),
        ..USUAL
    },
    Person {
        id: "sparse",
        sub: "5fa25e00-0001-4a7e-9c1d-1b7c2f1e0d01",
        name: None,
        username: "046f34a2@ucsd.example",
        email: None,
        organization: None,
        ..USUAL
    },
    Person {
        id: "twice",
        sub: "70000002-0002-4b8f-8d2e-2c8d3a2f1e02",
        name: Some("Grace Hopper"),
        username: "x@globus.org@accounts.google.com",
        email: Some("grace@navy.example"),
        organization: None,
        ..USUAL
    },
    Person {
        id: "linked",
        sub: "11a4ed00-0003-4c9a-ae3f-3d9e4b3a2f03",
        name: Some("Mary Somerville"),
        username: "mary@globusid.example",
        email: Some("mary@observatory.example"),
        organization: Some("Royal Astronomical Society"),
        more_linked: 20,
        ..USUAL
    },
    Person {
        id: "markup",
        sub: "3a26a900-0004-4dab-bf4a-4eaf5c4b3a04",
        name: Some(r#"<script>alert(1)</script> & "quotes" 'too'"#),
        username: "<b>bobby</b>@tables.example",
        email: Some("bobby&co@tables.example"),
        organization: Some("<i>Tables</i> & Sons"),
        ..USUAL
    },
    // The name turns the text after it round, and the username has 60 characters without a place to break.
    Person {
        id: "odd",
        sub: "0dd00000-0005-4ebc-8c5b-5fb06d5c4b05",
        name: Some("\u{202e}ecalevoL"),
        username: "a.username.of.sixty.characters.without.any.blank@odd.example",
        email: None,
        organization: Some("\u{202e}Observatory"),
        ..USUAL
    },
    Person {
        id: "lab",
        case: Some("logs in with a linked identity of the lab"),
        sub: "1ab00001-0101-4a01-8b01-0a1b2c3d4e01",
        name: Some("Rosalind Franklin"),
        username: "rosalind@globusid.example",
        email: Some("rosalind@globusid.example"),
        linked: &[Linked {
            identity: of_the_lab("1ab00001-0201-4a01-8b01-0a1b2c3d4e01", "Rosalind Franklin", "rosalind@lab.example"),
            usual: true,
        }],
        ..USUAL
    },
    Person {
        id: "lab-unused",
        case: Some("has linked an identity of the lab, and logs in with another"),
        sub: "1ab00002-0102-4a02-8b02-0a1b2c3d4e02",
        name: Some("Lise Meitner"),
        username: "lise@globusid.example",
        email: Some("lise@globusid.example"),
        linked: &[Linked {
            identity: of_the_lab("1ab00002-0202-4a02-8b02-0a1b2c3d4e02", "Lise Meitner", "lise@lab.example"),
            usual: false,
        }],
        ..USUAL
    },
    Person {
        id: "lab-email",
        case: Some("has only an e-mail address of the lab"),
        sub: "1ab00003-0103-4a03-8b03-0a1b2c3d4e03",
        name: Some("Emmy Noether"),
        username: "emmy@globusid.example",
        email: Some("emmy@lab.example"),
        ..USUAL
    },
    Person {
        id: "lab-longer",
        case: Some("is of a domain that begins with the lab's"),
        sub: "1ab00004-0104-4a04-8b04-0a1b2c3d4e04",
        name: Some("Mallory Longer"),
        username: "mallory@lab.example.evil.example",
        email: Some("mallory@lab.example.evil.example"),
        provider: OTHER_PROVIDER,
        ..USUAL
    },
    Person {
        id: "lab-below",
        case: Some("is of a domain that ends with the lab's"),
        sub: "1ab00005-0105-4a05-8b05-0a1b2c3d4e05",
        name: Some("Mallory Below"),
        username: "mallory@below.lab.example",
        email: Some("mallory@below.lab.example"),
        provider: OTHER_PROVIDER,
        ..USUAL
    },
    Person {
        id: "lab-twice",
        case: Some("has the lab between two @"),
        sub: "1ab00006-0106-4a06-8b06-0a1b2c3d4e06",
        name: Some("Mallory Twice"),
        username: "mallory@lab.example@evil.example",
        email: Some("mallory@evil.example"),
        provider: OTHER_PROVIDER,
        ..USUAL
    },
    Person {
        id: "lab-upper",
        case: Some("is of the lab, in upper case"),
        sub: "1ab00007-0107-4a07-8b07-0a1b2c3d4e07",
        name: Some("Wu Chien-Shiung"),
        username: "Wu@LAB.EXAMPLE",
        email: Some("Wu@LAB.EXAMPLE"),
        provider: LAB_PROVIDER,
        ..USUAL
    },
    Person {
        id: "mfa",
        case: Some("is of the lab, with a second factor"),
        sub: "3fa00008-0108-4a08-8b08-0a1b2c3d4e08",
        name: Some("Hedy Lamarr"),
        username: "hedy@lab.example",
        email: Some("hedy@lab.example"),
        provider: LAB_PROVIDER,
        mfa: Mfa::Always,
        ..USUAL
    },
    Person {
        id: "mfa-when-required",
        case: Some("is of the lab, with a second factor if it is required"),
        sub: "3fa00009-0109-4a09-8b09-0a1b2c3d4e09",
        name: Some("Sofya Kovalevskaya"),
        username: "sofya@lab.example",
        email: Some("sofya@lab.example"),
        provider: LAB_PROVIDER,
        mfa: Mfa::WhenRequired,
        ..USUAL
    },
    Person {
        id: "member",
        case: Some("is in the group of the beamline"),
        sub: "9e0b000a-010a-4a0a-8b0a-0a1b2c3d4e0a",
        name: Some("Dorothy Hodgkin"),
        username: "dorothy@globusid.example",
        email: Some("dorothy@globusid.example"),
        ..USUAL
    },
    Person {
        id: "member-linked",
        case: Some("is in the group with a linked identity"),
        sub: "9e0b000b-010b-4a0b-8b0b-0a1b2c3d4e0b",
        name: Some("Kathleen Lonsdale"),
        username: "kathleen@globusid.example",
        email: Some("kathleen@globusid.example"),
        linked: &[Linked {
            identity: of_the_lab("9e0b000b-020b-4a0b-8b0b-0a1b2c3d4e0b", "Kathleen Lonsdale", "kathleen@lab.example"),
            usual: false,
        }],
        ..USUAL
    },
    Person {
        id: "manager",
        case: Some("manages the group of the beamline"),
        sub: "9e0b000c-010c-4a0c-8b0c-0a1b2c3d4e0c",
        name: Some("Ada Yonath"),
        username: "yonath@globusid.example",
        email: Some("yonath@globusid.example"),
        ..USUAL
    },
    Person {
        id: "every-status",
        case: Some("has a membership of each status, each in another group"),
        sub: "9e0b000d-010d-4a0d-8b0d-0a1b2c3d4e0d",
        name: Some("Maria Mayer"),
        username: "maria@globusid.example",
        email: Some("maria@globusid.example"),
        ..USUAL
    },
];
