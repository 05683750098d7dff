//! The `login` Lambda function; see [`login::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(|env| login::read(shared::App::read(env), env), login::handle).await
}
