//! An instance of a packaged function, behind a Runtime API of its own: it handles one event at a time, as in Lambda, and
//! keeps its connections.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    fs::{self, File},
    io::{self, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result,
    http::{Request, Response},
    tools,
};

use super::locked;

/// How long a function may take: as long as API Gateway waits for it.
const RESPONDS_WITHIN: Duration = Duration::from_secs(30);

/// What came of an event.
#[derive(Debug)]
pub(super) enum Answer {
    /// The function's response.
    Response(String),
    /// The function's error, as Lambda reports it.
    Error(String),
    /// Its process has ended.
    Died,
    /// It takes too long.
    TooLate,
}

/// An event with its id.
type Event = (String, String);

/// A process of a function.
#[derive(Debug)]
pub(super) struct Instance {
    process: Arc<Mutex<Child>>,
    id: u32,
    log: File,
    events: Sender<Event>,
    answers: Receiver<Answer>,
    api: u16,
    is_over: Arc<AtomicBool>,
}

impl Instance {
    /// Starts a program with these variables and those of Lambda, and nothing else. What it logs goes behind what is in
    /// that file.
    pub(super) fn start(program: &Path, variables: &[(String, String)], log: &Path) -> Result<Self> {
        let failed = |error: io::Error| format!("{} does not start: {error}.", program.display());
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ((events, taken), (given, answers)) = (mpsc::channel(), mpsc::channel());
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        thread::spawn(move || serve(&listener, taken, &given, &over));

        let output = File::options().create(true).append(true).open(log).map_err(failed)?;
        let mut said = File::open(log).map_err(failed)?;
        io::Seek::seek(&mut said, io::SeekFrom::End(0)).map_err(failed)?;
        let of_lambda = [
            ("AWS_LAMBDA_RUNTIME_API", address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", "function".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ];
        let process = tools::command(program)
            .env_clear()
            .envs(of_lambda)
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .spawn()
            .map_err(failed)?;
        let id = process.id();
        Ok(Self {
            process: Arc::new(Mutex::new(process)),
            id,
            log: said,
            events,
            answers,
            api: address.port(),
            is_over,
        })
    }

    /// The id of its process.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The process, to kill it.
    pub(super) fn process(&self) -> Arc<Mutex<Child>> {
        Arc::clone(&self.process)
    }

    /// Gives it an event, kills it in the meantime if that is to be, and waits for what comes of it.
    pub(super) fn invoke(&self, id: &str, event: String, killed_after: Option<Duration>) -> Answer {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let begun = Instant::now();
        drop(self.events.send((id.to_owned(), event)));
        if let Some(after) = killed_after {
            thread::sleep(after);
            kill(&self.process);
        }
        loop {
            match self.answers.recv_timeout(LOOK_EVERY) {
                Ok(answer) => return answer,
                Err(_) if self.has_ended() => return self.answers.try_recv().unwrap_or(Answer::Died),
                Err(_) if begun.elapsed() > RESPONDS_WITHIN => return Answer::TooLate,
                Err(_) => {}
            }
        }
    }

    /// Whether the process has ended.
    pub(super) fn has_ended(&self) -> bool {
        !matches!(locked(&self.process).try_wait(), Ok(None))
    }

    /// What it has logged since the last time.
    pub(super) fn logged(&mut self) -> String {
        let mut bytes = Vec::new();
        drop(self.log.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// How many kilobytes of memory it occupies.
    pub(super) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    }

    /// How long it has run on a processor.
    pub(super) fn processor_time(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id)).into_iter().flatten().flatten();
        let spent = threads.filter_map(|thread| {
            let spent = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            spent.split_whitespace().next()?.parse::<u64>().ok()
        });
        Duration::from_nanos(spent.sum())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        kill(&self.process);
        drop(locked(&self.process).wait());
        self.is_over.store(true, Ordering::Relaxed);
        // Its listener waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.api)));
    }
}

/// Kills a process in the middle of whatever it is doing.
pub(super) fn kill(process: &Mutex<Child>) {
    drop(locked(process).kill());
}

fn serve(listener: &TcpListener, events: Receiver<Event>, answers: &Sender<Answer>, is_over: &AtomicBool) {
    let events = Arc::new(Mutex::new(events));
    for function in listener.incoming().flatten() {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let (events, answers) = (Arc::clone(&events), answers.clone());
        // An error is a process that has ended.
        thread::spawn(move || speak(function, &events, &answers));
    }
}

fn speak(function: TcpStream, events: &Mutex<Receiver<Event>>, answers: &Sender<Answer>) -> io::Result<()> {
    function.set_nodelay(true)?;
    let mut connection = BufReader::new(function);
    loop {
        let request = Request::read(&mut connection)?;
        let response = if request.target.ends_with("/next") {
            let event = locked(events).recv();
            event.map(next).map_err(io::Error::other)?
        } else {
            let is_response = request.target.ends_with("/response");
            let answer = if is_response { Answer::Response(request.body) } else { Answer::Error(request.body) };
            drop(answers.send(answer));
            Response { status: 202, ..Response::default() }
        };
        response.write_and_keep(connection.get_mut())?;
    }
}

fn next((id, event): Event) -> Response {
    let headers = [
        ("lambda-runtime-aws-request-id", id.as_str()),
        ("lambda-runtime-deadline-ms", "9999999999999"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:123456789012:function:function"),
        ("content-type", "application/json"),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Response { status: 200, headers: headers.into(), body: event }
}
