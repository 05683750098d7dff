//! AWS's own Runtime Interface Emulator: a built function in it is started and asked as Lambda would.
//!
//! <https://github.com/aws/aws-lambda-runtime-interface-emulator>

use std::{collections::BTreeMap, net::TcpStream, time::Duration};

use serde_json::Value;

use crate::{
    Result, http,
    local::free_port,
    packages::Package,
    process::{Output, Process, wait_for},
    sam,
    stack::Function,
    tools,
};

/// How long the emulator may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_mins(1);

/// A function in its emulator.
#[derive(Debug)]
pub struct Emulator {
    _process: Process,
    name: String,
    port: u16,
}

impl Emulator {
    /// Starts a packaged function with these variables, what Lambda itself sets, and nothing else.
    pub fn start(package: Package, function: &Function, variables: &BTreeMap<String, String>) -> Result<Self> {
        let port = free_port()?;
        let arguments = arguments(package, function, variables, port)?;
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let log = tools::log(&format!("emulator-{}-{port}.log", function.name))?;
        let process = Process::start("env".as_ref(), &arguments, &[], Output::File(log.clone()))?;
        let listens = wait_for(LISTENS_WITHIN, || TcpStream::connect(("127.0.0.1", port)).ok());
        listens.ok_or_else(|| format!("The emulator of {} does not listen; see {}.", function.name, log.display()))?;
        Ok(Self { _process: process, name: function.name.clone(), port })
    }

    /// Sends the function an event; gives its response.
    pub fn invoke(&self, event: &Value) -> Result<Value> {
        const INVOCATIONS: &str = "/2015-03-31/functions/function/invocations";
        let response = http::send(self.port, "POST", INVOCATIONS, &[], &event.to_string());
        let body = response.map_err(|error| format!("{} does not respond: {error}.", self.name))?.body;
        serde_json::from_str(&body).map_err(|error| format!("{} does not respond in JSON ({error}): {body}", self.name))
    }
}

/// What `env` starts the emulator and in it the function with. `env -i` and not this process's own variables: what the
/// test happens to run with must not help the function.
fn arguments(
    package: Package,
    function: &Function,
    variables: &BTreeMap<String, String>,
    port: u16,
) -> Result<Vec<String>> {
    let (bootstrap, runtime_port) = (package.build()?.join(&function.name).join("bootstrap"), free_port()?);
    let of_lambda = [
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_TIMEOUT", function.timeout.to_string()),
        ("AWS_LAMBDA_LOG_FORMAT", function.log_format.clone()),
        ("AWS_REGION", sam::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
    ];
    let mut arguments = vec!["-i".to_owned()];
    arguments.extend(of_lambda.iter().map(|(name, value)| format!("{name}={value}")));
    arguments.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
    arguments.push(sam::emulator()?.display().to_string());
    for (option, port) in [("interface-emulator", port), ("api", runtime_port)] {
        arguments.extend([format!("--runtime-{option}-address"), format!("127.0.0.1:{port}")]);
    }
    arguments.extend(package.processor.runs_with().iter().map(|&argument| argument.to_owned()));
    arguments.push(bootstrap.display().to_string());
    Ok(arguments)
}
