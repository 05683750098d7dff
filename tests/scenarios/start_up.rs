//! What a cold start costs: what the binaries are made of, what they open, how large they are, and how much they do before
//! the first event and for each further one.

use std::{fs, path::Path};

use kit::{
    Result,
    costs::{
        Bench,
        figures::{Figures, tools_here},
        program::Program,
        sign_in::Trace,
    },
    local::Storage,
    programs::{self, Way, functions},
    tools::{self, println_step},
};
use serde_json::Value;

/// Every crate in a function, as `name vX.Y.Z`.
fn crates(function: &str) -> Vec<String> {
    let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", function];
    let tree = tools::cargo(&arguments).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).unwrap();
    lines.lines().map(|line| line.split(" (").next().unwrap().to_owned()).collect()
}

/// The files a function opens on its own account, beyond what every program needs to be loaded.
fn files(program: &Program) -> Result<Vec<String>> {
    let trace = program.start(&["strace", "-f", "-e", "trace=open,openat"])?.stop()?;
    let opened = trace.lines().filter(|line| line.contains("open")).filter_map(|line| line.split('"').nth(1));
    let loading = |path: &&str| path.contains(".so") || *path == "/proc/self/maps";
    Ok(opened.filter(|path| !loading(path)).map(ToOwned::to_owned).collect())
}

/// Whether a program has this text anywhere in it. Names are stripped, but messages and paths stay.
fn mentions(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn no_function_for_cookies_has_the_aws_sdk_and_what_reads_sessions_has_no_tls() -> Result<()> {
    let with_table = programs::kept(Way::Together, "home")?;
    let all = Program::all(Storage::Cookies)?;
    let [home, login, .., authorizer, token] = all.as_slice() else { panic!("not four") };
    for text in ["DynamoDB_20120810", "aws-sdk"] {
        assert!(mentions(&with_table, text), "{text} would not be noticed");
        for program in &all {
            assert!(!mentions(&program.file, text), "{text} is in {}", program.name);
        }
    }
    assert!(mentions(&login.file, "rustls"), "rustls would not be noticed");
    for program in [home, authorizer, token] {
        assert!(!mentions(&program.file, "rustls"), "{}", program.name);
    }
    Ok(())
}

#[test]
fn there_is_one_http_stack_and_one_tls_stack() {
    for function in functions() {
        let all = crates(function);
        for one in ["http", "hyper", "reqwest", "ring", "rustls", "tokio"] {
            let mut versions: Vec<_> = all.iter().filter(|line| line.starts_with(&format!("{one} "))).collect();
            versions.sort();
            versions.dedup();
            assert_eq!(versions.len(), 1, "{versions:?}");
        }
        for other in ["native-tls", "openssl", "aws-lc-rs", "h2", "aws-config"] {
            let found = all.iter().find(|line| line.starts_with(&format!("{other} ")));
            assert_eq!(found, None);
        }
    }
}

#[test]
fn no_function_reads_a_file_when_it_starts() -> Result<()> {
    read_no_file(Storage::Cookies)
}

fn read_no_file(storage: Storage) -> Result<()> {
    for program in Program::all(storage)? {
        assert_eq!(files(&program)?, Vec::<String>::new(), "{}", program.name);
    }
    Ok(())
}

/// Size, instructions up to the first event and for a warm one, and how often a sign-in waits for Globus.
#[tokio::test]
async fn no_figure_is_more_than_three_percent_from_the_committed_one() -> Result<()> {
    compare_with_the_committed_figures(Storage::Cookies).await
}

async fn compare_with_the_committed_figures(storage: Storage) -> Result<()> {
    let bench = Bench::start(storage).await?;
    let sign_ins = bench.traces().await?.iter().map(Trace::row).collect();
    let measured = Figures { tools: tools_here()?, programs: bench.programs().await?, sign_ins };
    let committed = Figures::committed()?;
    println_step(&measured.compared_with(&committed));
    measured.check(&committed)
}

/// The programs for sessions in a table, which `cargo dev test` does not build.
mod more_packages {
    use super::*;

    #[test]
    fn with_a_table_no_function_reads_a_file_when_it_starts() -> Result<()> {
        read_no_file(Storage::Table)
    }

    #[tokio::test]
    async fn with_a_table_no_figure_is_more_than_three_percent_from_the_committed_one() -> Result<()> {
        compare_with_the_committed_figures(Storage::Table).await
    }

    #[test]
    fn with_a_table_each_function_has_the_aws_sdk() -> Result<()> {
        for program in Program::all(Storage::Table)? {
            for text in ["DynamoDB_20120810", "aws-sdk", "rustls"] {
                assert!(mentions(&program.file, text), "{text} is not in {}", program.name);
            }
        }
        Ok(())
    }
}

#[test]
fn the_log_of_a_deployment_is_one_json_line_for_each_event() -> Result<()> {
    let event = fs::read_to_string(tools::root().join("events/home-not-found.json")).unwrap();
    let home = Program::packaged(Storage::Cookies, "home")?;
    let json = [("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned())];
    let log = tools::log("json.log")?;
    let mut running = home.with(json).start_with_log(&[], &log)?;
    running.response_to(&event)?;
    running.stop()?;

    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [line] = lines.as_slice() else { panic!("{log}") };
    for (field, value) in [("level", "INFO"), ("event", "request"), ("outcome", "refused"), ("reason", "not_found")] {
        assert_eq!(line[field], value, "{line}");
    }
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
    assert_eq!(line["span"]["request_id"], "8476a536-e9f4-11e8-9739-2dfe598c3fcd", "{line}");
    Ok(())
}
