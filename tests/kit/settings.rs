//! The settings in `.env`, and whether the functions can work with them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use shared::{
    App, Function,
    config::{AuthorizerMode, Environment, Reading, TransferConfig, process_environment},
    globus::Globus,
};

use crate::Result;

/// The variables of a file, without those that are empty.
pub type Settings = BTreeMap<String, String>;

/// Reads `.env`. There are no settings if there is no such file.
pub fn read(file: &Path) -> Result<Settings> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::new()),
        Err(error) => return Err(format!("{} cannot be read: {error}.", file.display())),
    };
    parse(&text).map_err(|line| {
        // Without the line itself, which may have a secret.
        format!("Line {line} of {} is not NAME='value'. A value is in single quotes, on one line.", file.display())
    })
}

/// The variables, or the number of the first line that is not one.
fn parse(text: &str) -> std::result::Result<Settings, usize> {
    // Some editors on Windows begin a file with this.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let variables = |text: &str| dotenvy::from_read_iter(text.as_bytes()).collect::<std::result::Result<Settings, _>>();
    let mut settings = variables(text).map_err(|_has_the_line| {
        let malformed = text.lines().position(|line| variables(line).is_err());
        malformed.map_or(1, |index| index + 1)
    })?;
    settings.retain(|_, value| !value.is_empty());
    Ok(settings)
}

/// Those that no function reads, such as a name with a typing error.
pub fn unknown(settings: &Settings) -> Vec<&str> {
    let names = RefCell::new(BTreeSet::new());
    // Some settings are read for sessions in a table only.
    let lookup = |name: &str| {
        names.borrow_mut().insert(name.to_owned());
        (name == "TOKEN_TABLE").then(|| "sessions".to_owned())
    };
    drop(Function::start(&lookup, drop, everything));
    let names = names.into_inner();
    settings.keys().map(String::as_str).filter(|name| !names.contains(*name)).collect()
}

/// The access rules; docs/access.md.
pub const RULES: [&str; 6] = [
    "ALLOWED_DOMAINS",
    "ALLOWED_GROUPS",
    "REQUIRED_POLICIES",
    "MAX_AUTHENTICATION_MINUTES",
    "ROLE_GROUPS",
    "RULES_EVERY_MINUTES",
];

/// The access rule whose name begins like this one. A rule with a typing error in its name would let everyone in.
pub fn rule_like(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let alike = |rule: &&str| rule.bytes().zip(name.bytes()).take_while(|(one, other)| one == other).count();
    let nearest = RULES.into_iter().max_by_key(alike)?;
    Some(nearest).filter(|rule| alike(rule) >= 4)
}

/// Checks the variables as the functions do when they start, beside those of this process, which the functions have too.
/// An error names each variable that is wrong, without its value.
pub fn check(variables: &Settings) -> Result<()> {
    let lookup = |name: &str| variables.get(name).cloned().or_else(|| process_environment(name));
    let problems = Function::start(&lookup, drop, everything).state.err();
    problems.map_or(Ok(()), |problems| Err(format!("A setting in .env or in the environment is wrong: {problems}.")))
}

/// What all functions read together. A function with settings of its own has its line here.
fn everything(env: &Environment<'_>) -> Reading<((App, Globus), TransferConfig, AuthorizerMode)> {
    let app = App::with_globus(App::read(env), env);
    let (transfer, mode) = (TransferConfig::read(env), AuthorizerMode::read(env));
    Ok((app?, transfer?, mode?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools;

    const COMPLETE: [(&str, &str); 3] = [
        ("GLOBUS_CLIENT_ID", "7fb58e00-0000-4000-8000-000000000000"),
        ("GLOBUS_CLIENT_SECRET", "secret"),
        ("SESSION_KEYS", "0123456789abcdef0123456789abcdef"),
    ];

    fn with(changes: &[(&str, &str)]) -> Settings {
        COMPLETE.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_sample_file_has_no_unknown_name_commented_out_or_not() {
        let sample = fs::read_to_string(tools::root().join(".env.example")).unwrap();
        let settings = parse(&sample.replace("# TOKEN_TABLE=''", "TOKEN_TABLE='x'")).unwrap();
        assert_eq!(settings.into_keys().collect::<Vec<_>>(), ["BASE_URL", "TOKEN_TABLE"]);

        let lines: Vec<_> = sample
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|line| line.contains("='")).unwrap_or(line))
            .collect();
        let settings = parse(&lines.join("\n")).unwrap();
        assert!(settings.len() > 7, "{settings:?}");
        assert_eq!(unknown(&settings), Vec::<&str>::new());
    }

    #[test]
    fn a_malformed_line_is_named_by_its_number_and_not_repeated() {
        for (text, line) in [
            ("A='1'\n# B C\nB C\nD='2'", 3),
            ("A='1'\r\nB='secret\r\nC='2'", 2),
            ("A=two words", 1),
            ("\u{feff}A='1'\n\nsecret", 3),
            ("A_LONGER='1'\nA_LONG\n", 2),
        ] {
            assert_eq!(parse(text), Err(line), "{text:?}");
        }
        let file = tools::artifact("malformed.env").unwrap();
        fs::write(&file, "A='1'\nSECRET=two secret words\n").unwrap();
        let error = read(&file).unwrap_err();
        assert!(error.starts_with("Line 2 of ") && !error.contains("words"), "{error}");
        assert_eq!(
            parse("\u{feff}A='1'\nB=\nC='#'"),
            Ok(Settings::from([("A".into(), "1".into()), ("C".into(), "#".into())]))
        );
    }

    #[test]
    fn a_misspelt_access_rule_is_taken_for_the_one_it_resembles() {
        for (name, rule) in [
            ("ALLOWED_DOMAIN", Some("ALLOWED_DOMAINS")),
            ("ALLOWED_GROUP", Some("ALLOWED_GROUPS")),
            ("allowed_groups", Some("ALLOWED_GROUPS")),
            ("REQUIRE_POLICIES", Some("REQUIRED_POLICIES")),
            ("ROLES_GROUPS", Some("ROLE_GROUPS")),
            ("MAX_AUTH_MINUTES", Some("MAX_AUTHENTICATION_MINUTES")),
            ("GLOBUS_CLIENTID", None),
            ("MAXIMUM", None),
            ("", None),
        ] {
            assert_eq!(rule_like(name), rule, "{name}");
        }
    }

    #[test]
    fn a_name_that_no_function_reads_is_found() {
        let settings = with(&[("GLOBUS_CLIENTID", "x"), ("SESSION_IDLE_HOURS", "1"), ("LOG_LEVEL", "info")]);
        assert_eq!(unknown(&settings), ["GLOBUS_CLIENTID"]);
    }

    #[test]
    fn each_setting_that_is_wrong_is_named_without_its_value() {
        assert_eq!(check(&with(&[])), Ok(()));
        for (name, value) in [
            ("GLOBUS_CLIENT_ID", "no-uuid"),
            ("SESSION_KEYS", "short"),
            ("TRANSFER_URL", "http://elsewhere.example"),
            ("BASE_URL", "localhost:9000"),
            ("LOG_LEVEL", "loud"),
        ] {
            let error = check(&with(&[(name, value)])).unwrap_err();
            assert!(error.contains(name) && !error.contains(value), "{error}");
        }
        let table = [("TOKEN_TABLE", "sessions"), ("SESSION_IDLE_HOURS", "0"), ("AWS_REGION", "us-east-1")];
        assert!(check(&with(&table)).unwrap_err().contains("SESSION_IDLE_HOURS"));
    }
}
