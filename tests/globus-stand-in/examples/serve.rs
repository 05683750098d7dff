//! Serves the stand-in at <http://127.0.0.1:9100> until it is stopped, for a look at its pages and for
//! `globus_sdk_check.py`.

use globus_stand_in::StandIn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let _stand_in = StandIn::start(9100, &["http://localhost:9000/login"]).await?;
    std::future::pending().await
}
