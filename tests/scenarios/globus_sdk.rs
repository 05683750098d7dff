//! Whether Globus's own Python SDK gets along with the stand-in, so that app and stand-in do not merely agree with each
//! other.

use globus_stand_in::{CLIENT_ID, CLIENT_SECRET, StandIn};
use kit::{Result, tools};

#[tokio::test]
async fn globus_own_sdk_accepts_the_stand_in() -> Result<()> {
    const REDIRECT_URI: &str = "http://localhost:9000/login";
    let stand_in = StandIn::start(0, &[REDIRECT_URI]).await.map_err(|error| error.to_string())?;

    let mut check = tools::command(tools::python_with_globus_sdk()?);
    check.arg("tests/globus-stand-in/globus_sdk_check.py");
    check.args([stand_in.url(), CLIENT_ID, CLIENT_SECRET, REDIRECT_URI]);
    tools::run(&mut check, "Globus's SDK does not accept the stand-in")
}
