//! The `login` Lambda function for sessions in cookies; see [`login::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(|env| login::read(shared::App::read_slim(env), env), login::handle).await
}
