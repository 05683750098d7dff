//! AWS's own Runtime Interface Emulator: a built function in it is started and asked as Lambda would.
//!
//! <https://github.com/aws/aws-lambda-runtime-interface-emulator>

use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use crate::{
    Result,
    local::free_port,
    process::{Output, Process, wait_for},
    sam,
    stack::Function,
    tools,
};

/// How long the emulator may take to listen, and a function to answer: longer than any function's own time limit.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);

/// A function in its emulator.
#[derive(Debug)]
pub struct Emulator {
    _process: Process,
    name: String,
    port: u16,
}

impl Emulator {
    /// Starts a built function with these variables, what Lambda itself sets, and nothing else.
    pub fn start(bootstrap: &Path, function: &Function, variables: &BTreeMap<String, String>) -> Result<Self> {
        let (port, runtime_port) = (free_port()?, free_port()?);
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
        // `env -i` and not the process's own variables: what the test happens to run with must not help the function.
        let mut arguments = vec!["-i".to_owned()];
        arguments.extend(of_lambda.iter().map(|(name, value)| format!("{name}={value}")));
        arguments.extend(variables.iter().map(|(name, value)| format!("{name}={value}")));
        arguments.push(sam::emulator()?.display().to_string());
        for (option, port) in [("interface-emulator", port), ("api", runtime_port)] {
            arguments.extend([format!("--runtime-{option}-address"), format!("127.0.0.1:{port}")]);
        }
        arguments.extend(tools::runs_arm64().iter().map(|&argument| argument.to_owned()));
        arguments.push(bootstrap.display().to_string());
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let log = tools::artifact(&format!("emulator-{}-{port}.log", function.name))?;
        let process = Process::start("env".as_ref(), &arguments, &[], Output::File(log))?;
        let listens = wait_for(ANSWERS_WITHIN, || TcpStream::connect(("127.0.0.1", port)).ok());
        listens.ok_or_else(|| format!("The emulator of {} does not listen; target/ has its log.", function.name))?;
        Ok(Self { _process: process, name: function.name.clone(), port })
    }

    /// Sends the function an event; gives what it answers.
    pub fn invoke(&self, event: &Value) -> Result<Value> {
        let answer = self.send(&event.to_string());
        let answer = answer.map_err(|error| format!("{} does not answer: {error}.", self.name))?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        serde_json::from_str(body).map_err(|error| format!("{} does not answer in JSON ({error}): {answer}", self.name))
    }

    fn send(&self, body: &str) -> io::Result<String> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
        connection.set_read_timeout(Some(ANSWERS_WITHIN))?;
        let head = format!(
            "POST /2015-03-31/functions/function/invocations HTTP/1.0\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all((head + body).as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
