//! The commands in README.md, docs/operations.md and examples/README.md: each is run by a test, or stands here with the
//! reason why not.

use std::fs;

use kit::{
    stack::{Stack, TEMPLATE},
    tools,
};

/// Each block of shell commands by its first line, and what runs it.
const BLOCKS: [(&str, &str); 16] = [
    ("cargo dev", "every scenario with the local app does what it does, with the same code"),
    ("cargo test", "runs the unit tests, as the check of which this is a part does"),
    ("cargo dev test", "this test is a part of it"),
    ("cargo ops configure", "operator.rs; `sam build` itself is run for packaged.rs"),
    ("cargo ops smoke-test", "operator.rs"),
    ("export PATH=", "events.rs sends each sample event with `cargo lambda invoke`"),
    ("uv venv", "not run: it installs into the home directory; the tools of the tests come in the same way"),
    ("(umask 077; cargo dev event", "events.rs sends an event of a user who is logged in"),
    ("cargo lambda watch --env-file .env", "not run: it needs an application at Globus; local.rs has the same options"),
    ("sam local invoke HomeFunction", "not run: it needs Docker"),
    ("cp -r functions/tasks functions/mypage", "a_page_of_your_own_begins_as_a_copy_of_the_sample"),
    ("cd examples", "stack/examples.rs has them built; not deployed: it needs an account"),
    ("cargo ops end-sessions", "operator.rs"),
    ("aws cloudformation describe-change-set", "not run: it needs an account; stack.rs computes what it must say"),
    ("git checkout the-last-good-commit", "not run: the commands are those of a deployment; operator.rs runs them"),
    ("aws cloudformation deploy", "not run: it needs an account; the linter of templates reads the file"),
];

/// The blocks of shell commands of a document.
fn blocks(document: &str) -> Vec<String> {
    blocks_of("sh", document)
}

fn blocks_of(language: &str, document: &str) -> Vec<String> {
    let text = fs::read_to_string(tools::root().join(document)).unwrap();
    let begin = format!("```{language}\n");
    text.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// The lines of README.md for a function of one's own, in the template where they are said to belong.
#[test]
fn a_function_of_your_own_is_protected_and_gets_no_secret() {
    let [lines, for_tokens] = &blocks_of("yaml", "README.md")[..] else { panic!("README.md has other YAML, too") };
    let template = fs::read_to_string(tools::root().join(TEMPLATE)).unwrap();
    let grown = tools::artifact("template-with-a-function-of-your-own.yaml").unwrap();
    fs::write(&grown, template.replace("\nResources:\n", &format!("\nResources:\n{lines}\n"))).unwrap();

    let stack = Stack::of(grown.to_str().unwrap(), &[("OriginSecret", "an-origin-secret-of-32-characters")]).unwrap();

    let route = stack.route("GET", "/report").unwrap();
    assert_eq!((route.function.as_str(), &route.authorizers[..]), ("ReportFunction", &["Visitor".to_owned()][..]));
    assert!(stack.invokable.contains(&("ReportFunction".to_owned(), "GET/report".to_owned())), "{:?}", stack.invokable);
    let variables = &stack.functions["ReportFunction"].variables;
    for secret in ["SESSION_KEYS", "GLOBUS_CLIENT_SECRET", "ORIGIN_SECRET"] {
        assert!(stack.functions["LoginFunction"].variables.contains_key(secret), "{secret}");
        assert!(!variables.contains_key(secret), "{secret}");
    }
    let role = stack.roles["ReportFunctionRole"].to_string();
    assert!(!["dynamodb", "lambda:Invoke", "TokenPolicy"].iter().any(|right| role.contains(right)), "{role}");

    let lines = lines.replace("      Runtime:", &format!("{for_tokens}      Runtime:"));
    fs::write(&grown, template.replace("\nResources:\n", &format!("\nResources:\n{lines}\n"))).unwrap();
    let stack = Stack::of(grown.to_str().unwrap(), &[]).unwrap();
    assert_eq!(stack.functions["ReportFunction"].variables["TOKEN_FUNCTION"], "physical-TokenFunction");
    let policies = &stack.roles["ReportFunctionRole"]["ManagedPolicyArns"].to_string();
    assert!(policies.contains("physical-TokenPolicy"), "{policies}");
    assert_eq!(stack.of_this_project().functions.len(), 6, "the tests of the stack leave the new function alone");
}

/// The function in Python beside it, with what an authorizer says, and without.
#[test]
fn the_function_of_the_manual_redirects_greets_and_fails_closed() {
    let code = blocks_of("python", "README.md").remove(0);
    let respond = |user: &str| {
        let event = format!("{{'requestContext': {{'authorizer': {{'lambda': {user}}}}}}}");
        let script = format!("{code}\nprint(handler({event}, None))");
        let output = tools::command("python3").args(["-c", &script]).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (redirects, response) = respond("{'login': '/login?refresh&next=%2Freport'}");
    assert!(redirects && response.contains("'statusCode': 302"), "{response}");
    assert!(response.contains("{'location': '/login?refresh&next=%2Freport'}"), "{response}");
    let (greets, response) = respond("{'sub': '8c8b2a0e', 'name': '<script>'}");
    assert!(greets && response.contains("Hello &lt;script&gt;!") && response.contains("no-store"), "{response}");
    assert_eq!(respond("{}"), (false, String::new()));
    assert_eq!(respond("None"), (false, String::new()));
}

#[test]
fn every_command_that_is_documented_is_run_or_has_a_reason() {
    let documented = ["README.md", "docs/operations.md", "examples/README.md"].map(blocks).concat();
    let first_lines: Vec<_> = documented.iter().filter_map(|block| block.lines().next()).collect();
    for line in &first_lines {
        assert!(BLOCKS.iter().any(|(begin, _)| line.starts_with(begin)), "{line}");
    }
    for (begin, _) in BLOCKS {
        assert!(first_lines.iter().any(|line| line.starts_with(begin)), "no document has {begin}");
    }
}

/// The block of README.md that copies the sample page, in a copy of what it names.
#[test]
fn a_page_of_your_own_begins_as_a_copy_of_the_sample() {
    let copy = tools::artifact("clones/page-of-your-own/Cargo.toml").unwrap();
    let copy = copy.parent().unwrap();
    drop(fs::remove_dir_all(copy));
    let script = r#"mkdir -p "$0/functions" && cp -r functions/tasks "$0/functions/" && cp -r events "$0/""#;
    tools::run(tools::command("sh").args(["-c", script]).arg(copy), "The sample is not copied").unwrap();
    let block = blocks("README.md").into_iter().find(|block| block.starts_with("cp -r functions/tasks")).unwrap();
    let block = block.replace("cargo fmt --all\n", "");
    tools::run(tools::command("sh").args(["-euc", &block]).current_dir(copy), "The block fails").unwrap();

    let manifest = fs::read_to_string(copy.join("functions/mypage/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"mypage\""), "{manifest}");
    let events = ["program", "signed-out", "wrong-method"].map(|case| format!("events/mypage-{case}.json"));
    for file in events.iter().map(String::as_str).chain(["functions/mypage/src/lib.rs"]) {
        let text = fs::read_to_string(copy.join(file)).unwrap();
        assert!(text.contains("\"/mypage\"") && !text.contains("\"/tasks\""), "{file}");
    }
}
