//! What an operator sees and is told: what is counted, which alarms that raises, and the dashboard.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use kit::{Result, stack::TEMPLATE, tools};
use serde_json::{Value, json};
use shared::log::{Event, Outcome, Reason};

use super::stacks;

/// A filter that counts other lines, or in another place, leaves its alarm silent.
#[test]
fn each_metric_counts_its_lines_of_the_log_of_the_functions() -> Result<()> {
    let lines = [
        ("RenewalFailures", r#"{ $.event = "renewal" && $.outcome = "failure" }"#),
        ("SignInFailures", r#"{ $.event = "sign_in" && $.outcome = "failure" }"#),
        ("SignIns", r#"{ $.event = "sign_in" && $.outcome = "success" }"#),
        ("StoreFailures", r#"{ $.reason = "store_*" }"#),
    ];
    for stack in stacks()? {
        let of_type = stack.resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::Logs::MetricFilter");
        let mut filters: BTreeMap<_, _> =
            of_type.map(|(name, filter)| (name.as_str(), &filter["Properties"])).collect();
        let starts = json!({
            "LogGroupName": "physical-FunctionLogs",
            "FilterPattern": r#"{ $.type = "platform.report" && $.record.metrics.initDurationMs = * }"#,
            "MetricTransformations": [{
                "MetricNamespace": "globus-sign-in",
                "MetricName": "ColdStart",
                "MetricValue": "$.record.metrics.initDurationMs",
                "Unit": "Milliseconds",
            }],
        });
        assert_eq!(filters.remove("ColdStarts"), Some(&starts));
        let expected = lines.map(|(name, pattern)| {
            let metric = json!({
                "MetricNamespace": "globus-sign-in",
                "MetricName": name,
                "MetricValue": "1",
                "DefaultValue": 0,
            });
            let group = "physical-FunctionLogs";
            (name, json!({ "LogGroupName": group, "FilterPattern": pattern, "MetricTransformations": [metric] }))
        });
        assert_eq!(filters, expected.iter().map(|(name, filter)| (*name, filter)).collect());
    }
    Ok(())
}

/// The metrics of an alarm that come from a source, each with its namespace, its name, and its dimension, if it has one.
fn metrics(alarm: &Value) -> BTreeSet<[&str; 4]> {
    let metrics = alarm["Metrics"].as_array().into_iter().flatten().filter_map(|one| one.get("MetricStat"));
    let named = metrics.map(|of| {
        assert_eq!(of["Stat"], "Sum", "{of}");
        let dimensions = &of["Metric"]["Dimensions"];
        assert!(dimensions.as_array().is_none_or(|dimensions| dimensions.len() == 1), "{of}");
        let [name, resource] = ["Name", "Value"].map(|key| dimensions[0][key].as_str().unwrap_or_default());
        let said = |key: &str| of["Metric"][key].as_str().unwrap_or_default();
        [said("Namespace"), said("MetricName"), name, resource.trim_start_matches("physical-")]
    });
    named.collect()
}

/// The names that the expression of an alarm has for its metrics, each with the metric.
fn named(alarm: &Value) -> Vec<[&str; 2]> {
    let sources = alarm["Metrics"].as_array().into_iter().flatten().filter(|one| one.get("MetricStat").is_some());
    sources.filter_map(|one| Some([one["Id"].as_str()?, one["MetricStat"]["Metric"]["MetricName"].as_str()?])).collect()
}

/// Asserts how an alarm looks at what it watches: within how many seconds, and what of it is too much.
fn assert_raised(alarm: &Value, period: u64, expression: &str, more_than: u64) {
    let keys: BTreeSet<_> = alarm.as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "AlarmActions",
        "AlarmDescription",
        "ComparisonOperator",
        "EvaluationPeriods",
        "Metrics",
        "Threshold",
        "TreatMissingData",
    ];
    assert!(keys.is_subset(&known.into()), "{keys:?}");
    assert_eq!(
        (&alarm["Threshold"], &alarm["ComparisonOperator"]),
        (&more_than.into(), &"GreaterThanThreshold".into())
    );
    assert_eq!((&alarm["EvaluationPeriods"], &alarm["TreatMissingData"]), (&1.into(), &"notBreaching".into()));
    let [shown, sources @ ..] = alarm["Metrics"].as_array().unwrap().as_slice() else { panic!("{alarm}") };
    assert_eq!((&shown["Expression"], shown.get("ReturnData")), (&expression.into(), None));
    for source in sources {
        assert_eq!(
            (&source["MetricStat"]["Period"], &source["ReturnData"]),
            (&period.into(), &false.into()),
            "{source}"
        );
    }
}

#[test]
fn an_error_of_any_function_or_one_throttled_request_raises_an_alarm() -> Result<()> {
    for stack in stacks()? {
        for (alarm, metric) in [("FunctionErrors", "Errors"), ("FunctionThrottles", "Throttles")] {
            let functions =
                stack.functions.keys().map(|name| ["AWS/Lambda", metric, "FunctionName", name.as_str()]).collect();
            assert_eq!(metrics(&stack.alarms[alarm]), functions);
            assert_raised(&stack.alarms[alarm], 300, "SUM(METRICS())", 0);
        }
    }
    Ok(())
}

/// With broken settings, or a table that does not respond, each function responds cleanly: with a page of status 503.
#[test]
fn a_site_that_is_down_raises_an_alarm_although_no_function_fails() -> Result<()> {
    for stack in stacks()? {
        let alarm = &stack.alarms["ServerErrors"];
        let expected = ["5xx", "Count"].map(|metric| ["AWS/ApiGateway", metric, "ApiId", "HttpApi"]);
        assert_eq!(metrics(alarm), expected.into());
        assert_raised(alarm, 300, "IF(failed >= 3, 100 * failed / requests, 0)", 5);
        assert_eq!(named(alarm), [["failed", "5xx"], ["requests", "Count"]]);
    }
    Ok(())
}

#[test]
fn a_login_that_fails_for_most_users_raises_an_alarm() -> Result<()> {
    for stack in stacks()? {
        let alarm = &stack.alarms["SignInFailureRatio"];
        assert_eq!(
            metrics(alarm),
            ["SignIns", "SignInFailures"].map(|metric| ["globus-sign-in", metric, "", ""]).into()
        );
        assert_raised(alarm, 900, "IF(failed + done >= 10, 100 * failed / (failed + done), 0)", 50);
        assert_eq!(named(alarm), [["done", "SignIns"], ["failed", "SignInFailures"]]);
    }
    Ok(())
}

#[test]
fn a_table_that_throttles_requests_raises_an_alarm() -> Result<()> {
    let [without, with] = stacks()?;
    assert!(!without.alarms.contains_key("StoreThrottles"), "{:?}", without.alarms.keys());
    let alarm = &with.alarms["StoreThrottles"];
    let expected =
        ["ReadThrottleEvents", "WriteThrottleEvents"].map(|metric| ["AWS/DynamoDB", metric, "TableName", "sessions"]);
    assert_eq!(metrics(alarm), expected.into());
    assert_raised(alarm, 300, "SUM(METRICS())", 0);
    Ok(())
}

/// An alarm comes at night: it names where it is written what to do.
#[test]
fn each_alarm_reaches_its_address_and_names_its_row_in_the_manual() -> Result<()> {
    let manual = fs::read_to_string(tools::root().join("docs/operations.md")).unwrap();
    let section = manual.split("\n## Alarms\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let rows: BTreeSet<_> = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let [without, with] = stacks()?;
    assert_eq!(rows, with.alarms.keys().map(String::as_str).collect());
    for (name, alarm) in &with.alarms {
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let where_to = format!(" What to do - docs/operations.md, section Alarms, {name}.");
        assert!(description.ends_with(&where_to), "{description}");
        assert_eq!(alarm["AlarmActions"], Value::from(vec!["physical-AlarmTopic"]), "{name}");
    }
    let readers = json!([{ "Protocol": "email", "Endpoint": "operator@example.org" }]);
    assert_eq!(with.resources["AlarmTopic"]["Properties"]["Subscription"], readers);
    assert!(without.alarms.values().all(|alarm| alarm.get("AlarmActions").is_none()));
    Ok(())
}

/// A word that no line of the log has would count nothing, and its alarm would stay silent.
#[test]
fn every_word_that_is_counted_or_shown_is_one_of_the_log() {
    let template = fs::read_to_string(tools::root().join(TEMPLATE)).unwrap();
    let words: [(&str, Vec<&str>); 3] = [
        ("event", Event::ALL.iter().map(|word| word.as_str()).collect()),
        ("outcome", Outcome::ALL.iter().map(|word| word.as_str()).collect()),
        ("reason", Reason::ALL.iter().map(|word| word.as_str()).collect()),
    ];
    let mut compared = 0;
    for (field, known) in words {
        let equals = format!("$.{field} = \"");
        let mut used: Vec<_> = template.split(&equals).skip(1).filter_map(until_quote).collect();
        let list = format!("filter {field} in [");
        let lists = template.split(&list).skip(1).filter_map(|rest| rest.split(']').next());
        used.extend(lists.flat_map(|list| list.split(", ").map(|word| word.trim_matches('\''))));
        for word in used {
            let fits = |known: &&str| word.strip_suffix('*').map_or(*known == word, |begin| known.starts_with(begin));
            assert!(known.iter().any(fits), "the log has no {field} {word}");
            compared += 1;
        }
    }
    assert!(compared >= 9, "{compared}");
}

fn until_quote(text: &str) -> Option<&str> {
    text.split('"').next()
}

/// Without the store's own widgets where there is no table.
#[test]
fn the_dashboard_shows_every_metric_that_is_counted() -> Result<()> {
    let [without, with] = stacks()?;
    for (stack, widgets) in [(&without, 8), (&with, 10)] {
        let found = stack.dashboard["widgets"].as_array().map(Vec::len);
        assert_eq!(found, Some(widgets), "{}", stack.dashboard);
    }
    let shown = with.dashboard.to_string();
    assert!(with.counted.contains("SignIns"), "{:?}", with.counted);
    for metric in &with.counted {
        assert!(shown.contains(&format!("\"{metric}\"")), "{metric} is not in {shown}");
    }
    Ok(())
}
