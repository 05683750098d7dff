use super::*;

fn row(name: &str, figures: &[u64]) -> Row {
    Row { name: name.to_owned(), figures: figures.into() }
}

/// Figures in which a warm event of home takes so many instructions, and one of the bare function so many.
fn figures(tools: &str, home: u64, bare: u64) -> Figures {
    Figures {
        tools: tools.to_owned(),
        programs: vec![row("bare", &[1_000_000, 400_000, bare]), row("home-cookie", &[1_834_567, 1_000_000, home])],
        sign_ins: vec![row("a sign-in", &[2, 1])],
    }
}

#[test]
fn what_is_written_is_read_again() {
    let figures = figures("rustc 1.95.0, x86_64", 200_000, 100_000);
    let text = figures.text();
    assert!(text.contains("\n| home-cookie | 1,834,567 (1.83) | 1,000,000 (2.50) | 200,000 (2.00) |\n"), "{text}");
    assert!(text.contains("\n| a sign-in | 2 | 1 |\n"), "{text}");
    assert_eq!(Figures::parse(&text), Some(figures));
}

#[test]
fn the_document_has_the_tables_as_they_are_written() {
    let document = fs::read_to_string(document()).unwrap();
    let (_, tables, _) = parts(&document).unwrap();
    assert_eq!(tables, Figures::committed().unwrap().text());
}

#[test]
fn a_figure_may_be_three_percent_from_the_committed_one_and_no_more() {
    let committed = figures("the same", 200_000, 100_000);
    let check = |home| figures("the same", home, 100_000).check(&committed);

    for home in [194_000, 200_000, 206_000] {
        assert_eq!(check(home), Ok(()), "{home}");
    }
    for home in [193_999, 206_001, 208_000] {
        let complaint = check(home).unwrap_err();
        assert!(complaint.contains("home-cookie, instructions for a warm event"), "{complaint}");
        assert_eq!(complaint.lines().count(), 2, "{complaint}");
    }
}

#[test]
fn the_bare_function_is_no_function_of_ours_and_may_change() {
    let committed = figures("the same", 200_000, 100_000);
    assert_eq!(figures("the same", 200_000, 104_000).check(&committed), Ok(()));
}

#[test]
fn with_other_tools_the_ratio_to_the_bare_function_is_compared() {
    let committed = figures("these tools", 200_000, 100_000);
    let check = |home, bare| figures("other tools", home, bare).check(&committed);

    assert_eq!(check(400_000, 200_000), Ok(()));
    assert_eq!(check(240_000, 100_000), Ok(()));
    assert!(check(240_001, 100_000).is_err());
    assert!(check(200_000, 83_333).is_err());
}

#[test]
fn another_request_to_globus_is_noticed_with_any_tools() {
    for tools in ["these tools", "other tools"] {
        let mut slower = figures(tools, 200_000, 100_000);
        slower.sign_ins = vec![row("a sign-in", &[2, 2])];
        let complaint = slower.check(&figures("these tools", 200_000, 100_000)).unwrap_err();
        assert!(complaint.contains("a sign-in, one after the other: 2, committed: 1"), "{complaint}");
    }
}

#[test]
fn what_has_no_committed_figure_is_noticed() {
    let mut more = figures("the same", 200_000, 100_000);
    more.programs.push(row("new", &[1, 1, 1]));
    assert!(more.check(&figures("the same", 200_000, 100_000)).is_err());
}

#[test]
fn the_model_of_the_processor_is_named_if_the_system_says_it() {
    let here = Processor::HERE.architecture();
    let cpuinfo =
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n";
    assert_eq!(processor(cpuinfo), format!("{here} AuthenticAMD 25/17"));
    assert_eq!(processor("CPU implementer\t: 0x41\n"), here);
}
